/* Each rule of docs/format.md broken on its own, in a file made by hand: every digest is right, so that the
 * rule itself has to be enforced. The bytes here come from the document, not from the writer. */
#include "format/qm.h"
#include "lib/threads.h"
#include "tests/qm_bytes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static char path[] = "/tmp/test_qm_rules.XXXXXX";
static struct pool *pool;

static int start(void **state) {
    (void)state;
    struct error error;
    int fd = mkstemp(path);
    pool = pool_new(1, &error);
    return fd >= 0 && close(fd) == 0 && pool ? 0 : -1;
}

static int stop(void **state) {
    (void)state;
    pool_free(pool);
    return unlink(path);
}

/* ---- A file in parts ---- */

enum { META, BLOB, TYPE, TENS, TPOS, BDAT, OTHER, SECTIONS };

struct part {
    char kind[5];
    uint8_t flags;
    uint8_t bytes[512];
    size_t size;
};

struct image {
    struct part parts[SECTIONS]; /* empty kinds are left out */
    uint8_t data[128];
    uint8_t file[4096]; /* as assembled */
    size_t size;
};

#define PART(kind, flags, bytes)                                                                             \
    { kind, flags, bytes, sizeof bytes - 1 }
#define ZERO16 "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"

static const struct image good = {
    .parts =
        {
            /* 0: count; 4: "a" uint 7; 25: "b" text "hi"; 40: "c" uints {1}; 61: "d" real 1.0; 82: "e" bool;
               end 96 */
            PART("META", 3,
                 "\5\0\0\0"
                 "\1\0\0\0a\2\0\0\0\x8\0\0\0\7\0\0\0\0\0\0\0"
                 "\1\0\0\0b\5\0\0\0\2\0\0\0hi"
                 "\1\0\0\0c\6\0\0\0\x8\0\0\0\1\0\0\0\0\0\0\0"
                 "\1\0\0\0d\4\0\0\0\x8\0\0\0\0\0\0\0\0\0\xf0\x3f"
                 "\1\0\0\0e\1\0\0\0\1\0\0\0\1"),
            /* 0: count; 4: "x", 9: raw size 3, 17: digest; end 33 */
            PART("BLOB", 3, "\1\0\0\0\1\0\0\0x\3\0\0\0\0\0\0\0" ZERO16),
            /* 0: count; 4: "f32" 1x1 in 4, attributes at 23; 27: "zz" 2x4 in 5, attributes at 45; end 49 */
            PART("TYPE", 3,
                 "\2\0\0\0"
                 "\3\0\0\0f32\1\0\0\0\1\0\0\0\4\0\0\0\0\0\0\0"
                 "\2\0\0\0zz\2\0\0\0\4\0\0\0\5\0\0\0\0\0\0\0"),
            /* 0: count; 4: "t1": type at 10, n_dims 14, dims 18, size 34, digest 42, attributes 58;
             * 62: "t2": type at 68, n_dims 72, dims 76, size 92, digest 100, attributes 116; end 120 */
            PART("TENS", 3,
                 "\2\0\0\0"
                 "\2\0\0\0t1\0\0\0\0\2\0\0\0\2\0\0\0\0\0\0\0\3\0\0\0\0\0\0\0\x18\0\0\0\0\0\0\0" ZERO16
                 "\0\0\0\0"
                 "\2\0\0\0t2\1\0\0\0\2\0\0\0\3\0\0\0\0\0\0\0\5\0\0\0\0\0\0\0\x14\0\0\0\0\0\0\0" ZERO16
                 "\0\0\0\0"),
            PART("TPOS", 1, "\x40\0\0\0\0\0\0\0\x80\0\0\0\0\0\0\0"),
            /* 0: codec, 4: stored size; 12: the bytes; end 15 */
            PART("BDAT", 1, "\0\0\0\0\3\0\0\0\0\0\0\0abc"),
            {"", 0, "", 0},
        },
    .data = "tensor t1, 24 bytes long" ZERO16 ZERO16 "\0\0\0\0\0\0\0\0"
            "tensor t2, 20 bytes ",
};

static struct image fresh(void) {
    struct image image = good;
    bytes_put_digest(image.parts[BLOB].bytes + 17, (const uint8_t *)"abc", 3);
    bytes_put_digest(image.parts[TENS].bytes + 42, image.data, 24);
    bytes_put_digest(image.parts[TENS].bytes + 100, image.data + 64, 20);
    return image;
}

static void put_part(struct image *image, const struct part *part) {
    uint8_t *header = image->file + image->size;
    memcpy(header, part->kind, 4);
    header[4] = part->flags;
    bytes_put(header + 8, part->size, 8);
    memcpy(header + 32, part->bytes, part->size);
    image->size += 32 + (part->size + 7) / 8 * 8;
}

static void assemble(struct image *image) {
    memset(image->file, 0, sizeof image->file);
    memcpy(image->file, "\x89QMF\r\n\x1a\n\1", 9);
    memcpy(image->file + 64, image->data, sizeof image->data);
    image->size = 192;
    for (size_t i = 0; i < SECTIONS; i++)
        if (image->parts[i].kind[0])
            put_part(image, &image->parts[i]);
    bytes_put(image->file + image->size, 192, 8);
    bytes_put(image->file + image->size + 8, image->size - 192, 8);
    image->size += 96;
    memcpy(image->file + image->size - 8, "\n\x1a\n\rFMQ\x89", 8);
    bytes_seal(image->file, image->size);
}

static void put_file(const struct image *image) {
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(image->file, 1, image->size, file), image->size);
    assert_int_equal(fclose(file), 0);
}

static void replace(struct part *part, size_t at, size_t size, const void *bytes, size_t new_size) {
    memmove(part->bytes + at + new_size, part->bytes + at + size, part->size - at - size);
    memcpy(part->bytes + at, bytes, new_size);
    part->size += new_size - size;
}

static void insert(struct part *part, size_t at, const void *bytes, size_t size) {
    replace(part, at, 0, bytes, size);
}

static void assert_refused(const struct image *image, const char *fragment) {
    struct container container;
    struct error error = {""};
    put_file(image);
    if (container_open(&container, path, &error))
        fail_msg("opened; expected: %s", fragment);
    if (!strstr(error.text, fragment))
        fail_msg("'%s' lacks '%s'", error.text, fragment);
}

static void assert_part_refused(struct image *image, const char *fragment) {
    assemble(image);
    assert_refused(image, fragment);
}

static void ignore(void *context, const struct tensor *tensor, const char *sentence) {
    (void)context, (void)tensor;
    fail_msg("%s", sentence);
}

static void assert_accepted(struct container *container, const struct image *image) {
    struct error error = {""};
    put_file(image);
    if (!container_open(container, path, &error))
        fail_msg("%s", error.text);
    assert_true(qm_check_data(container, pool, ignore, NULL));
    assert_int_equal(container->n_tensors, 2);
    assert_string_equal(container_tensor(container, "t2")->layout.name, "zz");
    assert_string_equal(container_blob(container, "x")->data, "abc");
    assert_string_equal(metadata_text(&container->metadata, "b"), "hi");
}

/* ---- Accepted ---- */

static void the_file_made_by_hand_is_good(void **state) {
    (void)state;
    struct container container;
    struct image image = fresh();
    assemble(&image);
    assert_accepted(&container, &image);
    assert_int_equal(metadata_uint(&container.metadata, "a", 0), 7);
    assert_true(metadata_find(&container.metadata, "d")->real == 1.0);
    container_close(&container);
}

/* Everything but the model id's origin: the writer makes the same bytes. */
static void the_writer_makes_the_same_bytes(void **state) {
    (void)state;
    struct container container;
    struct error error;
    struct image image = fresh();
    assemble(&image);
    assert_accepted(&container, &image);
    struct tensor tensors[] = {container.tensors[0], container.tensors[1]};
    struct qm_writer *writer = qm_create(path, true, tensors, 2, &error);
    for (size_t i = 0; i < 2; i++) {
        assert_true(qm_write(writer, i, image.data + 64 * i, tensors[i].size, 0, &error));
        qm_digest(writer, i, image.data + 64 * i, tensors[i].size);
    }
    assert_true(qm_finish(writer, &container.metadata, container.blobs, container.n_blobs, &error));
    container_close(&container);

    uint8_t bytes[4096];
    FILE *file = fopen(path, "rb");
    assert_int_equal(fread(bytes, 1, sizeof bytes, file), image.size);
    fclose(file);
    assert_memory_equal(bytes, image.file, image.size);
}

/* What later versions may add without losing readers of this one. */
static void additions_that_are_not_critical_are_passed_over(void **state) {
    (void)state;
    static const char item[] = "\1\0\0\0f\x63\0\0\0\3\0\0\0???";
    static const char attribute[] = "\5\0\0\0\2\0\0\0\4\0\0\0????";
    struct container container;
    struct image image = fresh();
    image.parts[META].bytes[0] = 6;
    insert(&image.parts[META], image.parts[META].size, item, sizeof item - 1);
    image.parts[TENS].bytes[58] = image.parts[TYPE].bytes[45] = 1;
    insert(&image.parts[TENS], 62, attribute, sizeof attribute - 1);
    insert(&image.parts[TYPE], 49, attribute, sizeof attribute - 1);
    image.parts[OTHER] = (struct part){"NEXT", 6, "what is to come", 15};
    assemble(&image);
    image.file[10] = 9; /* minor version */
    image.file[16] = 1; /* compatible feature */
    image.file[40] = image.file[image.size - 40] = 1; /* reserved */
    bytes_seal(image.file, image.size);
    assert_accepted(&container, &image);
    const struct qm_details *details = container.details;
    assert_int_equal(details->minor, 9);
    assert_int_equal(details->compatible_features, 1);
    assert_null(metadata_find(&container.metadata, "f"));
    container_close(&container);
}

/* ---- One number changed ---- */

static const struct {
    int section;
    size_t at;
    int width;
    uint64_t value;
    const char *fragment;
} changes[] = {
    {META, 0, 4, 4, "section META has 14 bytes behind its last record"},
    {META, 0, 4, 6, "section META ends in the middle of record 5"},
    {META, 0, 4, 65537, "has 65537 metadata items, the limit is 65536"},
    {META, 0, 4, 9, "section META has no room for its 9 metadata items"},
    {META, 4, 4, 0, "the name of metadata key 0 is 0 bytes long, not 1 to 255"},
    {META, 4, 4, 0xffffffff, "section META ends in the middle of record 0"},
    {META, 8, 1, 'b', "metadata key 'b' stands behind 'b', names must rise"},
    {META, 8, 1, 'c', "metadata key 'b' stands behind 'c', names must rise"},
    {META, 8, 1, '\n', "the name of metadata key 0 is not UTF-8 without control characters"},
    {META, 8, 1, 0, "the name of metadata key 0 is not UTF-8 without control characters"},
    {META, 8, 1, 0xff, "the name of metadata key 0 is not UTF-8 without control characters"},
    {META, 9, 4, 1, "metadata 'a' is no value of kind 1 in 8 bytes"},
    {META, 30, 4, 2, "metadata 'b' is no value of kind 2 in 2 bytes"},
    {META, 30, 4, 6, "metadata 'b' is no value of kind 6 in 2 bytes"},
    {META, 38, 1, 0, "the text of metadata 'b' is not UTF-8 without NUL"},
    {META, 38, 1, 0x80, "the text of metadata 'b' is not UTF-8 without NUL"},
    {META, 74, 8, 0x7ff0000000000000, "metadata 'd' is not finite"},
    {META, 74, 8, 0x7ff8000000000000, "metadata 'd' is not finite"},
    {META, 95, 1, 2, "metadata 'e' is no value of kind 1 in 1 bytes"},
    {BLOB, 0, 4, 4097, "has 4097 blobs, the limit is 4096"},
    {BLOB, 8, 1, '.', "blob '.' has a name that leads out of a folder"},
    {BLOB, 8, 1, '/', "blob '/' has a name that leads out of a folder"},
    {BLOB, 8, 1, '\\', "blob '\\' has a name that leads out of a folder"},
    {BLOB, 9, 8, 4, "blob 'x' cannot have 4 bytes, stored in 3"},
    {BLOB, 9, 8, 0x10000001,
     "blob 'x' has 268435457 bytes, which takes the blobs over the limit of 268435456"},
    {BLOB, 9, 8, UINT64_MAX, "which takes the blobs over the limit of 268435456"},
    {BLOB, 20, 1, 1, "blob 'x' is damaged: XXH3-128 is "},
    {TYPE, 0, 4, 4097, "has 4097 types, the limit is 4096"},
    {TYPE, 11, 4, 2, "type 'f32' has blocks of 2 by 1 in 4 bytes, this program's have 1 by 1 in 4"},
    {TYPE, 31, 1, 'a', "type 'az' stands behind 'f32', names must rise"},
    {TYPE, 33, 4, 0, "type 'zz' has 0 rows to a panel, not 1 to 65536"},
    {TYPE, 33, 4, 65537, "type 'zz' has 65537 rows to a panel, not 1 to 65536"},
    {TYPE, 37, 4, 0, "type 'zz' has 0 columns to a block, not 1 to 65536"},
    {TYPE, 37, 4, 65537, "type 'zz' has 65537 columns to a block, not 1 to 65536"},
    {TYPE, 41, 4, 0, "type 'zz' has 0 bytes to a block, not 1 to 1048576"},
    {TYPE, 41, 4, 1048577, "type 'zz' has 1048577 bytes to a block, not 1 to 1048576"},
    {TYPE, 45, 4, 1, "section TYPE ends in the middle of record 1"},
    {TENS, 0, 4, 1000001, "has 1000001 tensors, the limit is 1000000"},
    {TENS, 0, 4, 3, "section TENS has no room for its 3 tensors"},
    {TENS, 0, 4, 1, "section TENS has 58 bytes behind its last record"},
    {TENS, 9, 1, '3', "tensor 't2' stands behind 't3', names must rise"},
    {TENS, 9, 1, '2', "tensor 't2' stands behind 't2', names must rise"},
    {TENS, 10, 4, 2, "tensor 't1' is of type number 2, there are 2"},
    {TENS, 14, 4, 0, "tensor 't1' has 0 dimensions, not 1 to 4"},
    {TENS, 14, 4, 5, "tensor 't1' has 5 dimensions, not 1 to 4"},
    {TENS, 18, 8, 0, "tensor 't1' is empty: dimension 0 is 0"},
    {TENS, 18, 8, 1ull << 62, "tensor 't1' has a shape beyond any file's size"},
    {TENS, 76, 8, 1ull << 61, "tensor 't2' has a shape beyond any file's size"},
    {TENS, 34, 8, 25, "tensor 't1' has 25 bytes, its shape calls for 24"},
    {TENS, 116, 4, 1, "section TENS ends in the middle of record 1"},
    {TPOS, 0, 8, 0, "tensor 't1' begins at 0, its place is 64"},
    {TPOS, 0, 8, 128, "tensor 't"},
    {TPOS, 8, 8, 64, "tensor 't"},
    {TPOS, 8, 8, 88, "tensor 't2' begins at 88, its place is 128"},
    {TPOS, 8, 8, 192, "tensor 't2' begins at 192, its place is 128"},
    {BDAT, 0, 4, 1, "blob 'x' is not a zlib stream of 3 bytes"},
    {BDAT, 0, 4, 2, "blob 'x' is compressed by codec 2, which this program does not know"},
    {BDAT, 4, 8, 4, "section BDAT ends in the middle of record 0"},
    {BDAT, 4, 8, 2, "blob 'x' cannot have 3 bytes, stored in 2"},
    {BDAT, 4, 8, UINT64_MAX, "section BDAT ends in the middle of record 0"},
    {BDAT, 13, 1, 'x', "blob 'x' is damaged: XXH3-128 is "},
};

static void every_changed_number_has_its_sentence(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        struct image image = fresh();
        bytes_put(image.parts[changes[i].section].bytes + changes[i].at, changes[i].value, changes[i].width);
        assert_part_refused(&image, changes[i].fragment);
    }
}

/* Cutting and lengthening a section, at every byte. */
static void every_wrong_section_size_is_refused(void **state) {
    (void)state;
    for (int section = META; section <= BDAT; section++) {
        struct image image = fresh();
        struct part *part = &image.parts[section];
        part->size++;
        assert_part_refused(&image, "behind its last record");
        part->size--;
        while (part->size-- > 0)
            assert_part_refused(&image, path);
    }
}

/* ---- Sections ---- */

static void sections_stand_in_their_order_once_each(void **state) {
    (void)state;
    struct image image = fresh();
    struct part swapped = image.parts[TYPE];
    image.parts[TYPE] = image.parts[TENS];
    image.parts[TENS] = swapped;
    assert_part_refused(&image, "section TENS stands where TYPE should be");

    image = fresh();
    image.parts[OTHER] = image.parts[META];
    assert_part_refused(&image, "section META stands where none should be");

    image = fresh();
    image.parts[TPOS].kind[0] = '\0';
    assert_part_refused(&image, "section BDAT stands where TPOS should be");

    image = fresh();
    image.parts[BDAT].kind[0] = '\0';
    assert_part_refused(&image, "has no section BDAT");
}

static void section_headers_have_rules_too(void **state) {
    (void)state;
    struct image image = fresh();
    image.parts[OTHER] = (struct part){"NEXT", 1, "", 0};
    assert_part_refused(&image, "needs section NEXT, which this program does not know");

    image.parts[OTHER] = (struct part){"\x1b[2J", 0, "", 0};
    assert_part_refused(&image, "a section's kind is not four characters of printable ASCII");

    image = fresh();
    image.parts[TPOS].flags = 3;
    assert_part_refused(&image, "section TPOS has flags 0x3 in place of 0x1");

    image = fresh();
    assemble(&image);
    image.file[192 + 8] = 0xff; /* META's size, 96 */
    image.file[192 + 9] = 0xff;
    bytes_seal(image.file, image.size);
    assert_refused(&image, "section META, 65535 bytes long, reaches beyond the directory");

    image = fresh();
    assemble(&image);
    image.file[192 + 128 + 32 + 33] = 1; /* behind BLOB */
    bytes_seal(image.file, image.size);
    assert_refused(&image, "the padding behind section BLOB is not zero");

    image = fresh();
    assemble(&image);
    image.file[192 + 16]++; /* META's digest */
    bytes_put_digest(image.file + image.size - 72, image.file + 192, image.size - 96 - 192);
    bytes_put_digest(image.file + image.size - 24, image.file + image.size - 96, 72);
    assert_refused(&image, "the section META is damaged: XXH3-128 is ");
}

static void critical_and_unordered_attributes_are_refused(void **state) {
    (void)state;
    static const char critical[] = "\7\0\0\0\1\0\0\0\0\0\0\0";
    static const char unordered[] = "\7\0\0\0\0\0\0\0\0\0\0\0\7\0\0\0\0\0\0\0\0\0\0\0";
    struct image image = fresh();
    image.parts[TENS].bytes[116] = 1;
    insert(&image.parts[TENS], 120, critical, sizeof critical - 1);
    assert_part_refused(&image, "tensor 't2' needs attribute 7, which this program does not know");

    image = fresh();
    image.parts[TYPE].bytes[45] = 1;
    insert(&image.parts[TYPE], 49, critical, sizeof critical - 1);
    assert_part_refused(&image, "type 'zz' needs attribute 7, which this program does not know");

    image = fresh();
    image.parts[TENS].bytes[116] = 2;
    insert(&image.parts[TENS], 120, unordered, sizeof unordered - 1);
    assert_part_refused(&image, "tensor 't2': attributes do not rise");
}

static void one_dimension_does_not_fit_panels_of_rows(void **state) {
    (void)state;
    struct image image = fresh();
    bytes_put(image.parts[TENS].bytes + 72, 1, 4);
    replace(&image.parts[TENS], 76, 8, "", 0);
    assert_part_refused(&image, "tensor 't2' has one dimension, type 'zz' needs two or more");
}

/* ---- Compressed blobs ---- */

/* 66 zeros by zlib at level 9, in 12 bytes. */
static const char zeros[] = "\x78\xda\x63\x60\xa0\x14\x00\x00\x00\x42\x00\x01";

static struct image with_zlib(uint64_t raw_size, size_t stored) {
    static const uint8_t raw[128];
    struct image image = fresh();
    bytes_put(image.parts[BLOB].bytes + 9, raw_size, 8);
    bytes_put_digest(image.parts[BLOB].bytes + 17, raw, 66);
    bytes_put(image.parts[BDAT].bytes, 1, 4);
    bytes_put(image.parts[BDAT].bytes + 4, stored, 8);
    replace(&image.parts[BDAT], 12, 3, zeros, 12);
    image.parts[BDAT].size = 12 + stored;
    return image;
}

static void zlib_streams_are_exact_and_no_bombs(void **state) {
    (void)state;
    struct container container;
    struct error error = {""};
    struct image image = with_zlib(66, 12);
    assemble(&image);
    put_file(&image);
    if (!container_open(&container, path, &error))
        fail_msg("%s", error.text);
    assert_int_equal(container.blobs[0].size, 66);
    container_close(&container);

    image = with_zlib(65, 12);
    assert_part_refused(&image, "blob 'x' is not a zlib stream of 65 bytes");
    image = with_zlib(67, 12);
    assert_part_refused(&image, "blob 'x' is not a zlib stream of 67 bytes");
    image = with_zlib(66, 11);
    assert_part_refused(&image, "blob 'x' is not a zlib stream of 66 bytes");
    image = with_zlib(66, 13);
    assert_part_refused(&image, "blob 'x' is not a zlib stream of 66 bytes");
    image = with_zlib(12 * 1032 + 1032, 12);
    assert_part_refused(&image, "blob 'x' cannot have 13416 bytes, stored in 12");
}

/* ---- Header and footer ---- */

static const struct {
    int64_t at; /* from the end if negative */
    int width;
    uint64_t value;
    const char *fragment;
} frame_changes[] = {
    {8, 2, 2, "is of version 2.0, this program reads version 1"},
    {8, 2, 0, "is of version 0.0, this program reads version 1"},
    {24, 8, 4, "needs features 0x4, which this program does not know"},
    {24, 8, 1ull << 63, "needs features 0x8000000000000000, which this program does not know"},
    {4, 1, '\n', "the first 8 bytes are not those of a .qm file: damaged, as by a transfer as text"},
    {-1, 1, 0, "without a footer: it was cut short, or something was appended"},
    {-96, 8, 0, "does not reach to the footer"},
    {-96, 8, 128, "does not reach to the footer"},
    {-96, 8, 1ull << 63, "does not reach to the footer"},
    {-88, 8, 8, "the directory, 8 bytes at 192, does not reach to the footer"},
    {-88, 8, UINT64_MAX, "the directory is 18446744073709551615 bytes, the limit is 268435456"},
};

static void the_frame_has_rules_too(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof frame_changes / sizeof *frame_changes; i++) {
        struct image image = fresh();
        assemble(&image);
        size_t at = (size_t)(frame_changes[i].at + (frame_changes[i].at < 0 ? (int64_t)image.size : 0));
        bytes_put(image.file + at, frame_changes[i].value, frame_changes[i].width);
        bytes_seal(image.file, image.size);
        assert_refused(&image, frame_changes[i].fragment);
    }
}

/* Changes that bytes_seal would undo. */
static void every_digest_of_the_frame_is_checked(void **state) {
    (void)state;
    struct image image = fresh();
    assemble(&image);
    image.file[50]++;
    assert_refused(&image, "the header is damaged: XXH3-128 is ");

    assemble(&image);
    image.file[image.size - 20]++;
    assert_refused(&image, "the footer is damaged: XXH3-128 is ");

    static const struct {
        size_t back; /* from the end */
        const char *fragment;
    } fields[] = {
        {80, "bytes, the footer says"}, {70, "the directory is damaged"}, {50, "the sections make model id"}};
    for (size_t i = 0; i < 3; i++) {
        assemble(&image);
        image.file[image.size - fields[i].back]++;
        bytes_put_digest(image.file + image.size - 24, image.file + image.size - 96, 72);
        assert_refused(&image, fields[i].fragment);
    }
}

static void data_between_tensors_and_directory_is_refused(void **state) {
    (void)state;
    struct image image = fresh();
    bytes_put(image.parts[TENS].bytes, 1, 4); /* without t2 */
    image.parts[TENS].size = 62;
    image.parts[TPOS].size = 8;
    assert_part_refused(&image, "the last tensor ends at 88, the directory begins at 192");

    image = fresh();
    bytes_put(image.parts[TENS].bytes + 76, 7, 8); /* t2 (7, 5): 4 panels */
    bytes_put(image.parts[TENS].bytes + 84, 32, 8);
    bytes_put(image.parts[TENS].bytes + 92, 160, 8);
    assert_part_refused(&image, "tensor 't2' ends at 288, the directory begins at 192");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_file_made_by_hand_is_good),
        cmocka_unit_test(the_writer_makes_the_same_bytes),
        cmocka_unit_test(additions_that_are_not_critical_are_passed_over),
        cmocka_unit_test(every_changed_number_has_its_sentence),
        cmocka_unit_test(every_wrong_section_size_is_refused),
        cmocka_unit_test(sections_stand_in_their_order_once_each),
        cmocka_unit_test(section_headers_have_rules_too),
        cmocka_unit_test(critical_and_unordered_attributes_are_refused),
        cmocka_unit_test(one_dimension_does_not_fit_panels_of_rows),
        cmocka_unit_test(zlib_streams_are_exact_and_no_bombs),
        cmocka_unit_test(the_frame_has_rules_too),
        cmocka_unit_test(every_digest_of_the_frame_is_checked),
        cmocka_unit_test(data_between_tensors_and_directory_is_refused),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
