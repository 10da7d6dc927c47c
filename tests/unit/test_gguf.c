/* GGUF as a container: what is read from files and shards, and the sentence for each way in which they can be
 * wrong. */
#include "format/gguf.h"
#include "tests/checkpoint.h"
#include "tests/gguf_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static struct gguf_file file;

static int begin_empty(void **state) {
    (void)state;
    file = (struct gguf_file){0};
    return 0;
}

static void put_bytes(const char *path, const void *bytes, size_t size) {
    FILE *to = fopen(path, "wb");
    assert_non_null(to);
    assert_int_equal(fwrite(bytes, 1, size, to), size);
    fclose(to);
}

static void assert_refused(const char *path, const char *sentence) {
    struct container container;
    struct error error = {""};
    if (container_open(&container, path, &error))
        fail_msg("%s was opened; expected: %s", path, sentence);
    if (strcmp(error.text, sentence))
        fail_msg("\nsays:     %s\nexpected: %s", error.text, sentence);
    assert_int_equal(container.n_files, 0);
    assert_null(container.arena.newest);
}

static void assert_file_refused(const char *sentence) {
    gguf_write(&file, "x.gguf");
    assert_refused("x.gguf", sentence);
}

static struct container open_good(const char *path) {
    struct container container;
    struct error error = {""};
    if (!container_open(&container, path, &error))
        fail_msg("%s", error.text);
    return container;
}

static struct container open_file(void) {
    gguf_write(&file, "x.gguf");
    return open_good("x.gguf");
}

/* ---- What is read ---- */

static void items_are_typed_values_by_rising_key(void **state) {
    (void)state;
    const int32_t ints[] = {3, -4};
    uint64_t whole;
    int64_t below;
    double real;
    bool flag;
    struct error error;
    gguf_put_uint(&file, "z", 7);
    gguf_put_real(&file, "m", 0.5f);
    gguf_put_flag(&file, "f", 1);
    gguf_put_texts(&file, "t", "one  three");
    gguf_put_ints(&file, "i", 2, ints);
    struct container container = open_file();
    const struct gguf_details *details = container.details;
    assert_int_equal(details->version, 3);
    assert_int_equal(details->n_items, 5);
    assert_string_equal(details->items[0].key, "f");
    assert_null(gguf_find(&container, "a"));

    assert_true(gguf_uint(gguf_find(&container, "z"), 0, &whole) && whole == 7);
    assert_true(gguf_real(gguf_find(&container, "z"), 0, &real) && real > 6.9);
    assert_false(gguf_flag(gguf_find(&container, "z"), 0, &flag));
    assert_true(gguf_real(gguf_find(&container, "m"), 0, &real) && real > 0.4 && real < 0.6);
    assert_false(gguf_uint(gguf_find(&container, "m"), 0, &whole));
    assert_true(gguf_flag(gguf_find(&container, "f"), 0, &flag) && flag);

    const struct gguf_item *i = gguf_find(&container, "i"), *t = gguf_find(&container, "t");
    assert_true(i->is_array && i->count == 2 && i->kind == GGUF_INT32);
    assert_true(gguf_uint(i, 0, &whole) && whole == 3);
    assert_false(gguf_uint(i, 1, &whole)); /* below 0 */
    assert_true(gguf_int(i, 1, &below) && below == -4);
    assert_false(gguf_int(i, 2, &below));
    assert_true(t->is_array && t->count == 3);
    const struct gguf_text *texts = gguf_texts(t, &container.arena, &error);
    assert_int_equal(texts[1].size, 0);
    assert_memory_equal(texts[2].bytes, "three", 5);
    container_close(&container);
}

static void tensors_lie_where_the_file_says(void **state) {
    (void)state;
    gguf_put_tensor(&file, "b", 0, 3 * 5 * 4, 3, 5);
    gguf_put_tensor(&file, "a", 8, 2 * 34, 1, 64);
    gguf_put_tensor(&file, "c", 1, 6, 3, 0);
    gguf_put_tensor(&file, "d", 29, 56, 1, 256); /* IQ1_M, which is not read */
    struct container container = open_file();
    const struct tensor *a = container_tensor(&container, "a"), *b = container_tensor(&container, "b");
    assert_string_equal(container.format->name, "gguf");
    assert_int_equal(container.n_tensors, 4);
    assert_ptr_equal(a, &container.tensors[0]);
    assert_string_equal(a->type->name, "Q8_0");
    assert_true(a->size == 68 && a->offset % 32 == 0 && a->offset == b->offset + 64);
    assert_true(b->n_dims == 2 && b->dims[0] == 3 && b->dims[1] == 5);
    assert_true(container_tensor(&container, "c")->dims[0] == 3);
    assert_null(container_tensor(&container, "d")->type);
    assert_string_equal(container_tensor(&container, "d")->layout.name, "IQ1_M");
    container_close(&container);
}

static void alignment_is_the_files_own(void **state) {
    (void)state;
    file.alignment = 4096;
    gguf_put_uint(&file, "general.alignment", 4096);
    gguf_put_tensor(&file, "a", 0, 4, 1, 0);
    gguf_put_tensor(&file, "b", 0, 4, 1, 0);
    struct container container = open_file();
    assert_int_equal(container.tensors[0].offset, 4096);
    assert_int_equal(container.tensors[1].offset, 8192);
    container_close(&container);
}

static void version_2_is_read_as_3_is(void **state) {
    (void)state;
    file.version = 2;
    gguf_put_tensor(&file, "a", 0, 4, 1, 0);
    struct container container = open_file();
    assert_int_equal(container.n_tensors, 1);
    container_close(&container);
}

static void put_shard(const char *path, uint32_t number, const char *tensor, uint32_t total) {
    file = (struct gguf_file){0};
    gguf_put_uint(&file, "split.no", number);
    gguf_put_uint(&file, "split.count", 2);
    gguf_put_uint(&file, "split.tensors.count", total);
    gguf_put_tensor(&file, tensor, 0, 4, 1, 0);
    gguf_write(&file, path);
}

static void shards_are_one_model(void **state) {
    (void)state;
    put_shard("m-00001-of-00002.gguf", 0, "b", 2);
    put_shard("m-00002-of-00002.gguf", 1, "a", 2);
    struct container container = open_good("m-00001-of-00002.gguf");
    assert_int_equal(container.n_files, 2);
    assert_int_equal(container_tensor(&container, "a")->file, 1);
    assert_int_equal(container_tensor(&container, "b")->file, 0);
    container_close(&container);
}

/* ---- What is refused ---- */

static void shards_that_do_not_belong_together_are_refused(void **state) {
    (void)state;
    put_shard("m-00001-of-00002.gguf", 0, "b", 2);
    unlink("m-00002-of-00002.gguf");
    assert_refused("m-00001-of-00002.gguf", "m-00002-of-00002.gguf: No such file or directory");
    put_shard("m-00002-of-00002.gguf", 1, "b", 2);
    assert_refused("m-00001-of-00002.gguf", "m-00002-of-00002.gguf: the tensor 'b' is there twice");
    put_shard("m-00002-of-00002.gguf", 0, "a", 2);
    assert_refused("m-00001-of-00002.gguf", "m-00002-of-00002.gguf: is shard 1 of 2, expected 2 of 2");
    put_shard("m-00002-of-00002.gguf", 1, "a", 2);
    assert_refused("m-00002-of-00002.gguf",
                   "m-00002-of-00002.gguf: is one of 2 shards; name the first, whose name ends in "
                   "-00001-of-00002.gguf");
    put_shard("m-00001-of-00002.gguf", 0, "b", 3);
    assert_refused("m-00001-of-00002.gguf", "m-00001-of-00002.gguf: calls for 3 tensors, its shards hold 2");
}

static void wrong_tensors_are_named(void **state) {
    (void)state;
    static const struct {
        const char *name;
        uint32_t type;
        size_t bytes;
        uint64_t rows, cols;
        const char *sentence;
    } cases[] = {
        {"a", 4, 4, 1, 0, "x.gguf: tensor 'a' is of the unknown type 4"},
        {"a", 8, 34, 1, 48, "x.gguf: tensor 'a' has rows of 48, which blocks of 32 of type Q8_0 do not fill"},
        {"a", 0, 4, 1ull << 62, 8, "x.gguf: tensor 'a' has a shape beyond any file's size"},
        {"", 0, 4, 1, 0, "x.gguf: a tensor's name at 24 is empty"},
        {"\n", 0, 4, 1, 0, "x.gguf: a tensor's name at 24 is not printable"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        file = (struct gguf_file){0};
        gguf_put_tensor(&file, cases[i].name, cases[i].type, cases[i].bytes, cases[i].rows, cases[i].cols);
        assert_file_refused(cases[i].sentence);
    }
    file = (struct gguf_file){0};
    gguf_put_tensor(&file, "a", 0, 4, 1, 0);
    gguf_put_tensor(&file, "a", 0, 4, 1, 0);
    assert_file_refused("x.gguf: the tensor 'a' is there twice");
}

/* Even one without weights begins inside the file. */
static void data_begins_inside_the_file(void **state) {
    (void)state;
    size_t size;
    gguf_put_tensor(&file, "a", 0, 0, 0, 0);
    const uint8_t *bytes = gguf_bytes(&file, &size);
    put_bytes("x.gguf", bytes, 24 + file.tensors_size);
    assert_refused("x.gguf",
                   "x.gguf: tensor 'a' at 64 takes 0 bytes, the file is 57 bytes: it was cut short");
}

static void tensors_follow_one_another(void **state) {
    (void)state;
    gguf_put_tensor(&file, "a", 0, 4, 1, 0);
    file.data_size = 40;
    gguf_put_tensor(&file, "b", 0, 4, 1, 0);
    assert_file_refused("x.gguf: tensor 'b' begins at 64 of the data, expected 32");
}

static void wrong_items_are_named(void **state) {
    (void)state;
    static const struct {
        const char *bytes;
        size_t size;
        const char *sentence;
    } cases[] = {
        {"\15\0\0\0", 4, "x.gguf: 'key' is of the unknown kind 13"},
        {"\11\0\0\0\11\0\0\0", 8, "x.gguf: 'key' is an array of arrays, which is not supported"},
        {"\4\0\0\0\1\0\0", 7, "x.gguf: key at 39 needs 4 bytes, the file is 42 bytes"},
        {"\11\0\0\0\4\0\0\0\3\0\0\0\0\0\0\0\0", 17,
         "x.gguf: 3 values in an array from 51 on, the file is 52 bytes"},
        {"\11\0\0\0\4\0\0\0\1\0\0\1\0\0\0\0\0", 17,
         "x.gguf: 16777217 values in an array, the limit is 16777216"},
        {"\10\0\0\0\1\0\0\4\0\0\0\0", 12, "x.gguf: key at 39 is 67108865 bytes long, the limit is 67108864"},
        {"\10\0\0\0\1\0\0\0\0\0\0\0", 12, "x.gguf: key at 47 needs 1 bytes, the file is 47 bytes"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t size;
        file = (struct gguf_file){0};
        gguf_put_raw(&file, "key", cases[i].bytes, cases[i].size);
        const uint8_t *bytes = gguf_bytes(&file, &size);
        put_bytes("x.gguf", bytes, 24 + file.items_size); /* nothing behind it */
        assert_refused("x.gguf", cases[i].sentence);
    }
    file = (struct gguf_file){0};
    gguf_put_uint(&file, "key", 1);
    gguf_put_uint(&file, "key", 1);
    assert_file_refused("x.gguf: the key 'key' is there twice");
}

static void alignments_that_are_none_are_refused(void **state) {
    (void)state;
    static const uint32_t wrong[] = {0, 48, 1u << 21};
    for (size_t i = 0; i < 3; i++) {
        char sentence[128];
        snprintf(sentence, sizeof sentence,
                 "x.gguf: general.alignment is %u, expected a power of two up to 1048576", wrong[i]);
        file = (struct gguf_file){0};
        gguf_put_uint(&file, "general.alignment", wrong[i]);
        assert_file_refused(sentence);
    }
    file = (struct gguf_file){0};
    gguf_put_text(&file, "general.alignment", "32");
    assert_file_refused("x.gguf: 'general.alignment' is not a whole number");
}

static void versions_and_counts_are_checked(void **state) {
    (void)state;
    file.version = 1;
    assert_file_refused("x.gguf: is GGUF version 1, only 2 and 3 are supported");
    file.version = 3u << 24;
    assert_file_refused("x.gguf: is big-endian, only little-endian GGUF is supported");
    file.version = 3;
    file.n_items = 65537;
    assert_file_refused("x.gguf: 65537 keys, the limit is 65536");
    file.n_items = 2;
    assert_file_refused("x.gguf: 2 keys from 24 on, the file is 32 bytes");
    file.n_items = 0;
    file.n_tensors = 1;
    assert_file_refused("x.gguf: 1 tensors from 24 on, the file is 32 bytes");
    file.n_tensors = UINT64_MAX;
    assert_file_refused("x.gguf: 18446744073709551615 tensors, the limit is 1000000");
    put_bytes("x.gguf", "GGUF\3\0", 6);
    assert_refused("x.gguf", "x.gguf: the version at 4 needs 4 bytes, the file is 6 bytes");
}

/* Cut anywhere, the file gets a sentence. */
static void no_length_but_the_whole_is_good(void **state) {
    (void)state;
    size_t size;
    gguf_put_llama(&file);
    const uint8_t *bytes = gguf_bytes(&file, &size);
    for (size_t cut = 4; cut < size; cut += cut < 2048 ? 1 : 509) {
        struct container container;
        struct error error = {""};
        put_bytes("x.gguf", bytes, cut);
        assert_false(container_open(&container, "x.gguf", &error));
        assert_int_equal(strncmp(error.text, "x.gguf: ", 8), 0);
    }
    put_bytes("x.gguf", bytes, size);
    struct container container = open_good("x.gguf");
    container_close(&container);
}

static void every_failure_of_memory_and_files_is_told(void **state) {
    (void)state;
    gguf_put_llama(&file);
    gguf_write(&file, "x.gguf");
    for (size_t n = 1, failed = 1; failed; n++) {
        struct container container;
        struct error error = {""};
        memory_fail_at(n);
        failed = !container_open(&container, "x.gguf", &error);
        memory_fail_at(0);
        assert_true(!failed || strlen(error.text) > 0);
        container_close(&container);
    }
}

int main(void) {
    enter_scratch_folder();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(items_are_typed_values_by_rising_key, begin_empty),
        cmocka_unit_test_setup(tensors_lie_where_the_file_says, begin_empty),
        cmocka_unit_test_setup(alignment_is_the_files_own, begin_empty),
        cmocka_unit_test_setup(version_2_is_read_as_3_is, begin_empty),
        cmocka_unit_test_setup(shards_are_one_model, begin_empty),
        cmocka_unit_test_setup(shards_that_do_not_belong_together_are_refused, begin_empty),
        cmocka_unit_test_setup(wrong_tensors_are_named, begin_empty),
        cmocka_unit_test_setup(data_begins_inside_the_file, begin_empty),
        cmocka_unit_test_setup(tensors_follow_one_another, begin_empty),
        cmocka_unit_test_setup(wrong_items_are_named, begin_empty),
        cmocka_unit_test_setup(alignments_that_are_none_are_refused, begin_empty),
        cmocka_unit_test_setup(versions_and_counts_are_checked, begin_empty),
        cmocka_unit_test_setup(no_length_but_the_whole_is_good, begin_empty),
        cmocka_unit_test_setup(every_failure_of_memory_and_files_is_told, begin_empty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
