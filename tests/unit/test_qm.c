/* The .qm writer and reader: what goes in comes out, no damage goes unseen, and nothing is left behind on
 * failure. */
#include "format/qm.h"
#include "lib/threads.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[] = "/tmp/test_qm.XXXXXX";
static char example[4096];
static struct pool *pool;

static int start(void **state) {
    (void)state;
    struct error error;
    pool = pool_new(2, &error);
    if (!realpath("tests/golden/example.qm", example))
        return -1;
    return pool && mkdtemp(folder) && chdir(folder) == 0 ? 0 : -1;
}

static int stop(void **state) {
    (void)state;
    unlink("x.qm");
    pool_free(pool);
    return chdir("/") == 0 && rmdir(folder) == 0 ? 0 : -1; /* fails if a test left something */
}

/* ---- The sample: every kind of metadata, blobs that shrink and that do not, types known and unknown ---- */

static const char licence[] =
    "to whom it may concern, to whom it may concern, to whom it may concern, to whom it may";

static const struct blob blobs[] = {
    {"licence", licence, sizeof licence - 1}, {"config.json", "{}", 2}, {"empty", "", 0}};

static const struct tensor small[] = {
    {.name = "token_embd.weight", .layout = {"f32", 1, 1, 4}, .n_dims = 2, .dims = {3, 5}},
    {.name = "blk.0.weight", .layout = {"q4of2030", 8, 16, 70}, .n_dims = 3, .dims = {3, 3, 17}},
    {.name = "output_norm.weight", .layout = {"f32", 1, 1, 4}, .n_dims = 1, .dims = {5}},
};

static const struct tensor large[] = {
    {.name = "b", .layout = {"f32", 1, 1, 4}, .n_dims = 1, .dims = {3}},
    {.name = "c", .layout = {"bytes", 1, 1, 1}, .n_dims = 1, .dims = {65536}},
    {.name = "a", .layout = {"bytes", 1, 1, 1}, .n_dims = 1, .dims = {65535}},
    {.name = "d", .layout = {"bytes", 1, 1, 1}, .n_dims = 2, .dims = {7, 100000}},
};

enum { SMALL = sizeof small / sizeof *small, LARGE = sizeof large / sizeof *large };

static uint8_t content(size_t tensor, uint64_t at) {
    return (uint8_t)(at * 31 + at / 256 + tensor * 7 + 1);
}

static const uint64_t uints[] = {1, UINT64_MAX};
static const double reals[] = {0.1, -2};

static const struct metadata_item items[] = {
    {"a.bool", {.kind = VALUE_BOOL, .boolean = true}},
    {"a.int", {.kind = VALUE_INT, .sint = -3}},
    {"a.real", {.kind = VALUE_REAL, .real = 1e-5}},
    {"a.reals", {.kind = VALUE_REALS, .reals = reals, .count = 2}},
    {"a.text", {.kind = VALUE_TEXT, .text = "gr\xc3\xbc\xc3\x9f\n"}},
    {"a.uint", {.kind = VALUE_UINT, .uint = 1ull << 63}},
    {"a.uints", {.kind = VALUE_UINTS, .uints = uints, .count = 2}},
};

enum { ITEMS = sizeof items / sizeof *items, BLOBS = sizeof blobs / sizeof *blobs };

static bool set_items(struct metadata *metadata, struct error *error) {
    for (size_t i = 0; i < ITEMS; i++)
        if (!metadata_set(metadata, items[i].key, items[i].value, error))
            return false;
    return true;
}

/* Writes pieces of 1000 bytes, last first; feeds the digest in order. */
static bool fill(struct qm_writer *writer, size_t tensor, uint64_t size, struct error *error) {
    uint8_t *bytes = malloc(size);
    assert_non_null(bytes);
    for (uint64_t at = 0; at < size; at++)
        bytes[at] = content(tensor, at);
    bool done = true;
    for (uint64_t end = size; done && end > 0;) {
        uint64_t piece = end % 1000 ? end % 1000 : 1000;
        end -= piece;
        done = qm_write(writer, tensor, bytes + end, piece, end, error);
    }
    qm_digest(writer, tensor, bytes, size / 3);
    qm_digest(writer, tensor, bytes + size / 3, size - size / 3);
    free(bytes);
    return done;
}

static bool write_sample(const char *path, bool force, const struct tensor *tensors, size_t n,
                         struct error *error) {
    struct arena arena = {0};
    struct metadata metadata = {.arena = &arena};
    bool done = false;
    struct qm_writer *writer = qm_create(path, force, tensors, n, error);
    bool filled = writer && set_items(&metadata, error);
    for (size_t i = 0; filled && i < n; i++) {
        uint64_t size;
        assert_true(tensor_bytes(&tensors[i], &size));
        filled = fill(writer, i, size, error);
    }
    if (filled)
        done = qm_finish(writer, &metadata, blobs, BLOBS, error);
    else
        qm_abandon(writer);
    arena_free(&arena);
    return done;
}

static void write_good(const char *path, const struct tensor *tensors, size_t n) {
    struct error error = {""};
    if (!write_sample(path, true, tensors, n, &error))
        fail_msg("%s", error.text);
}

static void open_good(struct container *container, const char *path) {
    struct error error = {""};
    if (!container_open(container, path, &error))
        fail_msg("%s", error.text);
}

/* ---- What qm_check_data says ---- */

static char said[4][1024];
static const struct tensor *said_of[4];
static size_t n_said;

static void note(void *context, const struct tensor *tensor, const char *sentence) {
    assert_ptr_equal(context, said);
    assert_true(n_said < 4);
    said_of[n_said] = tensor;
    strcpy(said[n_said++], sentence);
}

static bool check(const struct container *container) {
    n_said = 0;
    bool good = qm_check_data(container, pool, note, said);
    assert_int_equal(good, n_said == 0);
    return good;
}

/* ---- Round trip ---- */

static void what_goes_in_comes_out(void **state) {
    (void)state;
    struct container container;
    struct error error;
    write_good("x.qm", small, SMALL);
    open_good(&container, "x.qm");
    assert_ptr_equal(container.format, &qm_format);

    assert_int_equal(container.metadata.count, ITEMS);
    for (size_t i = 0; i < ITEMS; i++) {
        const struct metadata_item *item = &container.metadata.items[i];
        assert_string_equal(item->key, items[i].key);
        assert_int_equal(item->value.kind, items[i].value.kind);
    }
    assert_true(metadata_find(&container.metadata, "a.bool")->boolean);
    assert_int_equal(metadata_find(&container.metadata, "a.int")->sint, -3);
    assert_true(metadata_find(&container.metadata, "a.real")->real == 1e-5);
    assert_memory_equal(metadata_find(&container.metadata, "a.reals")->reals, reals, sizeof reals);
    assert_memory_equal(metadata_find(&container.metadata, "a.uints")->uints, uints, sizeof uints);
    assert_string_equal(metadata_text(&container.metadata, "a.text"), "gr\xc3\xbc\xc3\x9f\n");
    assert_true(metadata_uint(&container.metadata, "a.uint", 0) == 1ull << 63);

    assert_int_equal(container.n_blobs, BLOBS);
    for (size_t i = 0; i < BLOBS; i++) {
        const struct blob *blob = container_blob(&container, blobs[i].name);
        assert_int_equal(blob->size, blobs[i].size);
        assert_memory_equal(blob->data, blobs[i].data, blobs[i].size + 1); /* the NUL too */
    }

    assert_int_equal(container.n_tensors, SMALL);
    for (size_t i = 0; i < SMALL; i++) {
        const struct tensor *tensor = container_tensor(&container, small[i].name);
        assert_string_equal(tensor->layout.name, small[i].layout.name);
        assert_int_equal(tensor->n_dims, small[i].n_dims);
        assert_memory_equal(tensor->dims, small[i].dims, sizeof small[i].dims);
        assert_int_equal(tensor->type != NULL, strcmp(tensor->layout.name, "f32") == 0);
        uint8_t bytes[1024];
        assert_true(tensor_read(&container, tensor, bytes, tensor->size, 0, &error));
        for (uint64_t at = 0; at < tensor->size; at++)
            assert_int_equal(bytes[at], content(i, at));
    }
    assert_true(check(&container));
    container_close(&container);
}

static void an_empty_file_is_a_file(void **state) {
    (void)state;
    struct container container;
    write_good("x.qm", NULL, 0);
    open_good(&container, "x.qm");
    assert_int_equal(container.n_tensors, 0);
    assert_true(check(&container));
    container_close(&container);
}

static void large_tensors_begin_at_pages_and_lie_in_the_given_order(void **state) {
    (void)state;
    struct container container;
    struct error error;
    uint64_t planned;
    write_good("x.qm", large, LARGE);
    open_good(&container, "x.qm");
    assert_int_equal(container_tensor(&container, "b")->offset, 64);
    assert_int_equal(container_tensor(&container, "c")->offset, 4096);
    assert_int_equal(container_tensor(&container, "a")->offset, 4096 + 65536);
    assert_int_equal(container_tensor(&container, "d")->offset, 4096 + 65536 + 65536);
    const struct qm_details *details = container.details;
    assert_true(qm_plan_bytes(large, LARGE, &planned, &error));
    assert_int_equal(details->data_begin, 64);
    assert_int_equal(details->data_end - details->data_begin, planned);
    assert_true(check(&container));
    container_close(&container);
}

static struct digest128 id_of(const char *path) {
    struct container container;
    open_good(&container, path);
    struct digest128 id = ((const struct qm_details *)container.details)->model_id;
    container_close(&container);
    return id;
}

static void the_id_is_of_what_the_model_is_not_of_where_it_lies(void **state) {
    (void)state;
    struct tensor tensors[] = {small[0], small[0]};
    tensors[1].name = "a";
    tensors[1].dims[0] = 4;
    uint64_t sizes[2] = {60, 80};
    struct digest128 ids[3];
    for (int i = 0; i < 3; i++) { /* in one order, in the other, and with one bit changed */
        struct error error;
        struct metadata none = {0};
        struct tensor order[] = {tensors[i == 1], tensors[i != 1]};
        uint8_t bytes[80] = {(uint8_t)(i == 2)};
        struct qm_writer *writer = qm_create("x.qm", true, order, 2, &error);
        for (size_t t = 0; t < 2; t++) {
            uint64_t size = sizes[(i == 1) ^ t];
            assert_true(qm_write(writer, t, bytes, size, 0, &error));
            qm_digest(writer, t, bytes, size);
        }
        assert_true(qm_finish(writer, &none, NULL, 0, &error));
        ids[i] = id_of("x.qm");
    }
    assert_memory_equal(&ids[0], &ids[1], sizeof *ids);
    assert_memory_not_equal(&ids[0], &ids[2], sizeof *ids);
}

/* The file that docs/format.md takes apart. */
static void the_documents_example_is_read(void **state) {
    (void)state;
    struct container container;
    struct error error = {""};
    if (!container_open(&container, example, &error))
        fail_msg("%s", error.text);
    assert_int_equal(container.n_tensors, 2);
    const struct tensor *w = container_tensor(&container, "w"), *b = container_tensor(&container, "b");
    float values[6];
    uint16_t halves[2];
    assert_true(tensor_read(&container, w, values, sizeof values, 0, &error));
    assert_true(tensor_read(&container, b, halves, sizeof halves, 0, &error));
    for (int i = 0; i < 6; i++)
        assert_true(values[i] == (float)i);
    assert_true(halves[0] == 0x3c00 && halves[1] == 0xc000);
    assert_string_equal(metadata_text(&container.metadata, "example.note"), "hello");
    assert_int_equal(metadata_uint(&container.metadata, "example.number", 0), 42);
    assert_int_equal(strspn(container_blob(&container, "letters")->data, "a"), 60);
    assert_true(check(&container));
    container_close(&container);
}

/* ---- Damage ---- */

static off_t size_of(const char *path) {
    int fd = open(path, O_RDONLY);
    off_t size = lseek(fd, 0, SEEK_END);
    close(fd);
    return size;
}

static void flip(int fd, off_t at, uint8_t bit) {
    uint8_t byte;
    assert_int_equal(pread(fd, &byte, 1, at), 1);
    byte ^= bit;
    assert_int_equal(pwrite(fd, &byte, 1, at), 1);
}

static bool is_noticed(const char *path) {
    struct container container;
    struct error error = {""};
    if (!container_open(&container, path, &error))
        return strlen(error.text) > 0;
    bool good = check(&container);
    container_close(&container);
    return !good;
}

static void a_flipped_bit_in_any_byte_is_noticed(void **state) {
    (void)state;
    write_good("x.qm", small, SMALL);
    off_t size = size_of("x.qm");
    int fd = open("x.qm", O_RDWR);
    for (off_t at = 0; at < size; at++) {
        uint8_t bit = (uint8_t)(1 << at % 8);
        flip(fd, at, bit);
        if (!is_noticed("x.qm"))
            fail_msg("bit 0x%x of byte %ld", bit, (long)at);
        flip(fd, at, bit);
    }
    close(fd);
    assert_false(is_noticed("x.qm"));
}

static void every_cut_and_every_addition_is_noticed(void **state) {
    (void)state;
    write_good("x.qm", small, SMALL);
    off_t size = size_of("x.qm");
    for (off_t longer = size + 100; longer > size; longer--) {
        assert_int_equal(truncate("x.qm", longer), 0);
        assert_true(is_noticed("x.qm"));
    }
    while (size-- > 0) {
        assert_int_equal(truncate("x.qm", size), 0);
        assert_true(is_noticed("x.qm"));
    }
}

static void damaged_tensors_and_padding_are_told_in_the_order_of_the_file(void **state) {
    (void)state;
    struct container container;
    write_good("x.qm", large, LARGE);
    int fd = open("x.qm", O_RDWR);
    flip(fd, 4095, 1); /* before 'c' */
    flip(fd, 4096 + 65536 - 1, 1); /* in 'c' */
    flip(fd, 4096 + 65536 + 65535, 1); /* behind 'a' */
    flip(fd, 4096 + 65536 + 65536 + 500000, 1); /* in 'd' */
    close(fd);
    open_good(&container, "x.qm");
    assert_false(check(&container));
    assert_int_equal(n_said, 4);
    assert_null(said_of[0]);
    assert_string_equal(said[0], "x.qm: the padding from 76 to 4096 is not zero");
    assert_string_equal(said_of[1]->name, "c");
    assert_non_null(strstr(said[1], "x.qm: tensor 'c' is damaged: XXH3-128 is "));
    assert_string_equal(said[2], "x.qm: the padding from 135167 to 135168 is not zero");
    assert_string_equal(said_of[3]->name, "d");
    container_close(&container);
}

static void a_file_cut_after_opening_is_reported(void **state) {
    (void)state;
    struct container container;
    write_good("x.qm", large, LARGE);
    open_good(&container, "x.qm");
    assert_int_equal(truncate("x.qm", 140000), 0);
    assert_false(check(&container));
    assert_non_null(strstr(said[0], "x.qm: ends at 140000"));
    container_close(&container);
}

/* ---- What the writer refuses ---- */

static void assert_not_created(const struct tensor *tensors, size_t n, const char *fragment) {
    struct error error = {""};
    assert_null(qm_create("y.qm", false, tensors, n, &error));
    if (!strstr(error.text, fragment))
        fail_msg("'%s' lacks '%s'", error.text, fragment);
    assert_int_equal(access("y.qm", F_OK), -1);
}

static void wrong_tensors_are_refused_before_anything_is_written(void **state) {
    (void)state;
    struct tensor t[2] = {small[0], small[1]};
    assert_not_created((struct tensor[]){t[0], t[0]}, 2, "y.qm: tensor 'token_embd.weight' occurs twice");
    t[1].layout = (struct type_layout){"f32", 1, 2, 4};
    assert_not_created(t, 2, "y.qm: type 'f32' occurs with two layouts");
    t[0].name = "";
    assert_not_created(t, 1, "y.qm: the name of tensor 0 is 0 bytes long, not 1 to 255");
    t[0].name = "\x1b";
    assert_not_created(t, 1, "y.qm: the name of tensor 0 is not UTF-8 without control characters");
    t[0] = small[0];
    t[0].n_dims = 5;
    assert_not_created(t, 1, "has 5 dimensions, not 1 to 4");
    t[0].n_dims = 2;
    t[0].dims[1] = 0;
    assert_not_created(t, 1, "is empty: dimension 1 is 0");
    t[0].dims[1] = 1ull << 62;
    assert_not_created(t, 1, "has a shape beyond any file's size");
    t[0].dims[0] = 1;
    t[0].dims[1] = 1ull << 60;
    assert_not_created((struct tensor[]){t[0], t[0], t[0]}, 3, "is beyond any file's size");
    t[0] = small[1];
    t[0].n_dims = 1;
    assert_not_created(t, 1, "has one dimension, type 'q4of2030' needs two or more");
    t[0].layout.panel_rows = 0;
    assert_not_created(t, 1, "type 'q4of2030' has 0 rows to a panel, not 1 to 65536");
}

static void an_unfinished_tensor_leaves_no_file(void **state) {
    (void)state;
    struct error error;
    struct metadata none = {0};
    uint8_t bytes[60] = {0};
    for (int i = 0; i < 3; i++) { /* half written; half hashed; hashed twice */
        struct qm_writer *writer = qm_create("y.qm", false, small, 1, &error);
        assert_true(qm_write(writer, 0, bytes, i == 0 ? 30 : 60, 0, &error));
        qm_digest(writer, 0, bytes, i == 1 ? 30 : 60);
        qm_digest(writer, 0, bytes, i == 2 ? 60 : 0);
        assert_false(qm_finish(writer, &none, NULL, 0, &error));
        assert_non_null(strstr(error.text, "y.qm: tensor 'token_embd.weight' is unfinished: "));
        assert_int_equal(access("y.qm", F_OK), -1);
    }
}

static void writing_beyond_a_tensor_is_refused(void **state) {
    (void)state;
    struct error error;
    uint8_t bytes[64] = {0};
    struct qm_writer *writer = qm_create("y.qm", false, small, 1, &error);
    assert_false(qm_write(writer, 0, bytes, 61, 0, &error));
    assert_false(qm_write(writer, 0, bytes, 2, 59, &error));
    assert_false(qm_write(writer, 0, bytes, 2, UINT64_MAX, &error));
    assert_non_null(
        strstr(error.text, "y.qm: tensor 'token_embd.weight' has 60 bytes; 2 were to be written at"));
    qm_abandon(writer);
}

static void assert_not_finished(struct metadata *metadata, const struct blob *with, size_t n,
                                const char *fragment) {
    struct error error = {""};
    struct qm_writer *writer = qm_create("y.qm", false, NULL, 0, &error);
    assert_non_null(writer);
    assert_false(qm_finish(writer, metadata, with, n, &error));
    if (!strstr(error.text, fragment))
        fail_msg("'%s' lacks '%s'", error.text, fragment);
    assert_int_equal(access("y.qm", F_OK), -1);
}

static void wrong_metadata_and_blobs_are_refused(void **state) {
    (void)state;
    struct metadata none = {0}, one = {.items = &(struct metadata_item){.key = "k"}, .count = 1};
    one.items->value = (struct value){.kind = VALUE_REAL, .real = 1.0 / 0.0};
    assert_not_finished(&one, NULL, 0, "y.qm: metadata 'k' is not finite");
    one.items->value = (struct value){.kind = VALUE_TEXT, .text = "\xff", .count = 1};
    assert_not_finished(&one, NULL, 0, "y.qm: the text of metadata 'k' is not UTF-8 without NUL");
    one.items->key = "a\nb";
    assert_not_finished(&one, NULL, 0, "y.qm: the name of metadata key 0 is not UTF-8");
    assert_not_finished(&none, (struct blob[]){blobs[0], blobs[0]}, 2, "y.qm: blob 'licence' occurs twice");
    assert_not_finished(&none, &(struct blob){"../x", "", 0}, 1, "y.qm: blob '../x' has a name that leads");
    assert_not_finished(&none, &(struct blob){"a/x", "", 0}, 1, "y.qm: blob 'a/x' has a name that leads");
    assert_not_finished(
        &none, &(struct blob){"big", "", QM_MAX_BLOB_BYTES + 1}, 1,
        "y.qm: blob 'big' has 268435457 bytes, which takes the blobs over the limit of 268435456");
}

static void an_existing_file_stays_without_force(void **state) {
    (void)state;
    struct error error;
    write_good("x.qm", small, SMALL);
    struct digest128 before = id_of("x.qm"), after;
    assert_false(write_sample("x.qm", false, large, LARGE, &error));
    after = id_of("x.qm");
    assert_memory_equal(&before, &after, sizeof before);
    write_good("x.qm", large, LARGE);
    after = id_of("x.qm");
    assert_memory_not_equal(&before, &after, sizeof before);
}

/* ---- Failures on the way ---- */

static size_t count_entries(void) {
    FILE *list = popen("ls -A | wc -l", "r");
    size_t n = 0;
    assert_int_equal(fscanf(list, "%zu", &n), 1);
    pclose(list);
    return n;
}

static void fail_nth(bool of_memory, size_t n) {
    if (of_memory)
        memory_fail_at(n);
    else
        file_fail_at(n, ENOSPC);
}

static bool is_id(const char *path, struct digest128 expected) {
    struct digest128 id = id_of(path);
    return memcmp(&id, &expected, sizeof id) == 0;
}

/* Or, where only the sync of the folder failed, the whole new one. */
static void every_failure_while_writing_leaves_the_old_file(void **state) {
    (void)state;
    write_good("x.qm", small, SMALL);
    struct digest128 new = id_of("x.qm");
    write_good("x.qm", large, 1);
    struct digest128 old = id_of("x.qm");
    for (int of_memory = 0; of_memory < 2; of_memory++) {
        struct error error = {""};
        size_t n = 1, n_new = 0;
        for (fail_nth(of_memory, n); !write_sample("x.qm", true, small, SMALL, &error);
             fail_nth(of_memory, ++n)) {
            fail_nth(of_memory, 0);
            assert_true(strlen(error.text) > 0);
            n_new += is_id("x.qm", new);
            assert_true(is_id("x.qm", n_new ? new : old));
            assert_int_equal(count_entries(), 1);
        }
        fail_nth(of_memory, 0);
        assert_true(n > 3 && n_new <= 1);
        assert_false(is_noticed("x.qm"));
        write_good("x.qm", large, 1);
    }
}

static void every_failure_while_reading_is_clean(void **state) {
    (void)state;
    write_good("x.qm", small, SMALL);
    for (int of_memory = 0; of_memory < 2; of_memory++) {
        struct container container;
        struct error error = {""};
        size_t n = 1;
        for (fail_nth(of_memory, n); !container_open(&container, "x.qm", &error); fail_nth(of_memory, ++n)) {
            fail_nth(of_memory, 0);
            assert_true(strlen(error.text) > 0 && container.n_files == 0 && !container.arena.newest);
        }
        assert_true(n > 3);
        n = 1;
        for (fail_nth(of_memory, n); !check(&container); fail_nth(of_memory, ++n))
            assert_true(strlen(said[0]) > 0);
        fail_nth(of_memory, 0);
        container_close(&container);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_goes_in_comes_out),
        cmocka_unit_test(an_empty_file_is_a_file),
        cmocka_unit_test(large_tensors_begin_at_pages_and_lie_in_the_given_order),
        cmocka_unit_test(the_id_is_of_what_the_model_is_not_of_where_it_lies),
        cmocka_unit_test(the_documents_example_is_read),
        cmocka_unit_test(a_flipped_bit_in_any_byte_is_noticed),
        cmocka_unit_test(every_cut_and_every_addition_is_noticed),
        cmocka_unit_test(damaged_tensors_and_padding_are_told_in_the_order_of_the_file),
        cmocka_unit_test(a_file_cut_after_opening_is_reported),
        cmocka_unit_test(wrong_tensors_are_refused_before_anything_is_written),
        cmocka_unit_test(an_unfinished_tensor_leaves_no_file),
        cmocka_unit_test(writing_beyond_a_tensor_is_refused),
        cmocka_unit_test(wrong_metadata_and_blobs_are_refused),
        cmocka_unit_test(an_existing_file_stays_without_force),
        cmocka_unit_test(every_failure_while_writing_leaves_the_old_file),
        cmocka_unit_test(every_failure_while_reading_is_clean),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
