/* Safetensors: what is read from files, folders and shards, and the sentence for each way in which they can
 * be wrong. */
#include "format/safetensors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[] = "/tmp/test_safetensors.XXXXXX";

static int enter_folder(void **state) {
    (void)state;
    return mkdtemp(folder) && chdir(folder) == 0 && mkdir("hf", 0700) == 0 ? 0 : -1;
}

static int remove_folder(void **state) {
    (void)state;
    char command[64];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    return chdir("/") == 0 && system(command) == 0 ? 0 : -1;
}

static void put_file(const char *path, const void *bytes, size_t size) {
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

static void put_text(const char *path, const char *text) {
    put_file(path, text, strlen(text));
}

/* A file with this header and `data_size` bytes 0, 1, 2, ... behind it. */
static void put_tensors(const char *path, const char *header, size_t data_size) {
    uint8_t bytes[65536];
    size_t length = strlen(header);
    assert_true(8 + length + data_size <= sizeof bytes);
    for (size_t i = 0; i < 8; i++)
        bytes[i] = (uint8_t)(length >> 8 * i);
    memcpy(bytes + 8, header, length);
    for (size_t i = 0; i < data_size; i++)
        bytes[8 + length + i] = (uint8_t)i;
    put_file(path, bytes, 8 + length + data_size);
}

#define TENSOR(name, dtype, shape, begin, end)                                                               \
    "\"" name "\":{\"dtype\":\"" dtype "\",\"shape\":[" shape "],\"data_offsets\":[" #begin "," #end "]}"

static void assert_refused(const char *path, const char *fragment) {
    struct container container;
    struct error error = {""};
    if (container_open(&container, path, &error))
        fail_msg("%s was opened; expected: %s", path, fragment);
    if (!strstr(error.text, fragment))
        fail_msg("'%s' lacks '%s'", error.text, fragment);
    assert_int_equal(container.n_files, 0);
    assert_null(container.arena.newest);
}

static void open_good(struct container *container, const char *path) {
    struct error error = {""};
    if (!container_open(container, path, &error))
        fail_msg("%s", error.text);
}

static void a_file_is_its_tensors_by_rising_name(void **state) {
    (void)state;
    struct container container;
    struct error error;
    put_tensors("a.safetensors",
                "{" TENSOR("z", "F32", "2,3", 0, 24) ",\"__metadata__\":{\"format\":\"pt\"}," TENSOR(
                    "b", "BF16", "5", 24, 34) "," TENSOR("a", "I64", "", 34, 42) "," TENSOR("e", "F16", "3,0",
                                                                                            42, 42) "}   ",
                42);
    open_good(&container, "a.safetensors");
    assert_string_equal(container.format->name, "safetensors");
    assert_int_equal(container.n_tensors, 4);
    const struct tensor *z = container_tensor(&container, "z"), *a = container_tensor(&container, "a");
    assert_ptr_equal(z, &container.tensors[3]);
    assert_int_equal(z->n_dims, 2);
    assert_int_equal(z->dims[1], 3);
    assert_string_equal(z->type->name, "f32");
    assert_string_equal(container_tensor(&container, "b")->type->name, "bf16");
    assert_int_equal(container_tensor(&container, "e")->size, 0);
    assert_null(container_tensor(&container, "__metadata__"));

    assert_null(a->type); /* not a weight */
    assert_string_equal(a->layout.name, "I64");
    assert_true(a->n_dims == 1 && a->dims[0] == 1);

    uint8_t bytes[4];
    assert_true(tensor_read(&container, z, bytes, 4, 20, &error));
    assert_int_equal(bytes[0], 20);
    assert_false(tensor_read(&container, z, bytes, 4, 21, &error));
    assert_non_null(strstr(error.text, "tensor 'z' has 24 bytes; 4 were asked for at 21"));
    container_close(&container);
}

static const struct {
    const char *header;
    size_t data_size;
    const char *fragment;
} wrong[] = {
    {"{" TENSOR("a", "F32", "2", 0, 8) "}", 7,
     "tensor 'a' ends at 70, the file is 69 bytes: it was cut short"},
    {"{" TENSOR("a", "F32", "2", 0, 8) "}", 9, "the last tensor ends at 70, the file is 71 bytes"},
    {"{" TENSOR("a", "F32", "2", 8, 0) "}", 8, "tensor 'a' begins at 8 and ends before, at 0"},
    {"{" TENSOR("a", "F32", "3", 0, 8) "}", 8, "tensor 'a' has 8 bytes, its shape and dtype call for 12"},
    {"{" TENSOR("a", "F32", "2", 0, 8) "," TENSOR("b", "F32", "1", 4, 8) "}", 8,
     "tensor 'b' begins at 4 of the data, the one before ends at 8: they overlap"},
    {"{" TENSOR("a", "F32", "2", 0, 8) "," TENSOR("b", "F32", "1", 12, 16) "}", 16,
     "tensor 'b' begins at 12 of the data, the one before ends at 8: there is a hole"},
    {"{" TENSOR("a", "F32", "1", 4, 8) "}", 8,
     "tensor 'a' begins at 4 of the data, the header ends at 0: there is"},
    {"{" TENSOR("a", "F32", "4611686018427387904,4611686018427387904", 0, 8) "}", 8,
     "beyond any file's size"},
    {"{" TENSOR("a", "F32", "4611686018427387904", 0, 8) "}", 8, "beyond any file's size"},
    {"{" TENSOR("a", "F32", "-2", 0, 8) "}", 8, "tensor 'a': dimension 0 is not a size"},
    {"{" TENSOR("a", "F32", "2.0", 0, 8) "}", 8, "tensor 'a': dimension 0 is not a size"},
    {"{" TENSOR("a", "F32", "1,1,1,1,2", 0, 8) "}", 8,
     "tensor 'a' has 5 dimensions, at most 4 are supported"},
    {"{" TENSOR("a", "F31", "2", 0, 8) "}", 8, "tensor 'a' has the unknown dtype 'F31'"},
    {"{\"a\":{\"dtype\":7,\"shape\":[2],\"data_offsets\":[0,8]}}", 8, "tensor 'a' has no dtype"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":2,\"data_offsets\":[0,8]}}", 8, "tensor 'a' has no shape"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0]}}", 8, "no data_offsets of two numbers"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,-1]}}", 8,
     "no data_offsets of two numbers"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2]}}", 8, "not described by dtype, shape and data_offsets alone"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8],\"more\":1}}", 8, "data_offsets alone"},
    {"{\"a\":[]}", 0, "not described by dtype"},
    {"{" TENSOR("", "F32", "2", 0, 8) "}", 8, "a tensor's name is empty"},
    {"{" TENSOR("a\\u001b[2J", "F32", "2", 0, 8) "}", 8, "a tensor's name is not printable"},
    {"{" TENSOR("a", "F32", "2", 0, 8) "," TENSOR("a", "F32", "2", 8, 16) "}", 16, "duplicate"},
    {"{\"__metadata__\":[]}", 0, "__metadata__ is not an object"},
    {"{\"__metadata__\":{\"a\":1}}", 0, "a value of __metadata__ is not a text"},
    {" {}", 0, "the header does not begin with '{'"},
    {"[]", 0, "the header does not begin with '{'"},
    {"{", 0, "w.safetensors"},
    {"", 0, "w.safetensors"},
};

static void every_broken_rule_has_its_sentence(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        put_tensors("w.safetensors", wrong[i].header, wrong[i].data_size);
        assert_refused("w.safetensors", wrong[i].fragment);
    }
}

static void header_lengths_that_lie_are_refused(void **state) {
    (void)state;
    put_file("l.safetensors", "\x02\0\0", 3);
    assert_refused("l.safetensors", "l.safetensors: is 3 bytes, too short for a safetensors header");
    put_file("l.safetensors", "\x03\0\0\0\0\0\0\0{}", 10);
    assert_refused("l.safetensors", "the header ends at 11, the file is 10 bytes");
    put_file("l.safetensors", "\x01\xe1\xf5\x05\0\0\0\0{}", 10);
    assert_refused("l.safetensors", "the header says to be 100000001 bytes long, the limit is 100000000");
    put_file("l.safetensors", "\xff\xff\xff\xff\xff\xff\xff\xff{}", 10);
    assert_refused("l.safetensors", "the limit is 100000000");
}

static void deep_json_is_refused(void **state) {
    (void)state;
    char header[4096] = "{\"a\":";
    for (size_t i = 0; i < 1000; i++)
        strcat(header, "[");
    put_tensors("deep.safetensors", header, 0);
    assert_refused("deep.safetensors", "deep.safetensors");
}

static void names_longer_than_the_limit_are_refused(void **state) {
    (void)state;
    char header[1024], name[257];
    memset(name, 'n', 256);
    name[256] = '\0';
    snprintf(header, sizeof header, "{\"%s\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}",
             name);
    put_tensors("n.safetensors", header, 8);
    assert_refused("n.safetensors", "a tensor's name is longer than 255 bytes");
}

static void every_cut_is_noticed(void **state) {
    (void)state;
    const char *header = "{" TENSOR("a", "F32", "2", 0, 8) "," TENSOR("b", "I8", "3", 8, 11) "}";
    put_tensors("cut.safetensors", header, 11);
    struct container container;
    open_good(&container, "cut.safetensors");
    off_t size = (off_t)container.files[0].size;
    container_close(&container);
    while (size-- > 0) {
        assert_int_equal(truncate("cut.safetensors", size), 0);
        assert_refused("cut.safetensors", "cut.safetensors");
    }
}

static void it_is_known_by_content_too(void **state) {
    (void)state;
    struct container container;
    put_tensors("weights.bin", "{" TENSOR("a", "F32", "2", 0, 8) "}", 8);
    open_good(&container, "weights.bin");
    assert_int_equal(container.n_tensors, 1);
    container_close(&container);
}

static void a_folder_brings_its_companions(void **state) {
    (void)state;
    struct container container;
    put_tensors("hf/model.safetensors", "{" TENSOR("a", "F32", "2", 0, 8) "}", 8);
    put_text("hf/config.json", "{\"x\": 1}");
    put_text("hf/tokenizer.json", "{}");
    put_text("hf/LICENSE", "MIT");
    open_good(&container, "hf");
    assert_string_equal(container.path, "hf");
    assert_string_equal(container.files[0].path, "hf/model.safetensors");
    assert_int_equal(container.n_blobs, 3);
    for (size_t i = 1; i < container.n_blobs; i++)
        assert_true(strcmp(container.blobs[i - 1].name, container.blobs[i].name) < 0);
    const struct blob *config = container_blob(&container, "config.json");
    assert_int_equal(config->size, 8);
    assert_string_equal(config->data, "{\"x\": 1}");
    assert_null(container_blob(&container, "generation_config.json"));
    container_close(&container);

    open_good(&container, "hf/model.safetensors"); /* the same by the file's name */
    assert_int_equal(container.n_blobs, 3);
    container_close(&container);
    assert_int_equal(system("rm hf/*"), 0);
}

static void an_empty_folder_names_what_was_looked_for(void **state) {
    (void)state;
    assert_refused("hf", "hf: holds neither model.safetensors nor model.safetensors.index.json");
}

static void put_shards(const char *index) {
    put_tensors("hf/1.safetensors", "{" TENSOR("b", "F32", "1", 0, 4) "}", 4);
    put_tensors("hf/2.safetensors", "{" TENSOR("a", "F16", "2", 0, 4) "," TENSOR("c", "F32", "1", 4, 8) "}",
                8);
    put_text("hf/model.safetensors.index.json", index);
}

#define ALL_SHARDS "\"a\":\"2.safetensors\",\"b\":\"1.safetensors\",\"c\":\"2.safetensors\""

static void shards_are_one_container(void **state) {
    (void)state;
    struct container container;
    struct error error;
    put_shards("{\"metadata\":{\"total_size\":12},\"weight_map\":{" ALL_SHARDS "}}");
    static const char *const spellings[] = {"hf", "hf/model.safetensors.index.json"};
    for (size_t i = 0; i < 2; i++) {
        uint8_t bytes[4];
        open_good(&container, spellings[i]);
        assert_int_equal(container.n_files, 2);
        assert_int_equal(container.n_tensors, 3);
        assert_int_equal(container_tensor(&container, "b")->file, 0);
        assert_int_equal(container_tensor(&container, "a")->file, 1);
        assert_true(tensor_read(&container, container_tensor(&container, "c"), bytes, 4, 0, &error));
        assert_int_equal(bytes[0], 4);
        container_close(&container);
    }
}

static const struct {
    const char *index, *fragment;
} wrong_indexes[] = {
    {"{\"weight_map\":{" ALL_SHARDS ",\"d\":\"1.safetensors\"}}",
     "tensor 'd' is not in its shard 1.safetensors"},
    {"{\"weight_map\":{\"a\":\"2.safetensors\",\"b\":\"1.safetensors\"}}",
     "hf/2.safetensors: tensor 'c' is not in the index"},
    {"{\"weight_map\":{\"a\":\"2.safetensors\",\"b\":\"1.safetensors\",\"c\":\"1.safetensors\"}}",
     "hf/2.safetensors: tensor 'c' is here, the index places it in 1.safetensors"},
    {"{\"weight_map\":{\"b\":\"3.safetensors\"}}", "hf/3.safetensors: No such file"},
    {"{\"weight_map\":{\"b\":\"../hf/1.safetensors\"}}", "the shard of tensor 'b' is not the name of a file"},
    {"{\"weight_map\":{\"b\":\"/etc/passwd\"}}", "is not the name of a file"},
    {"{\"weight_map\":{\"b\":\"..\"}}", "is not the name of a file"},
    {"{\"weight_map\":{\"b\":\"\"}}", "is not the name of a file"},
    {"{\"weight_map\":{\"b\":1}}", "is not the name of a file"},
    {"{\"weight_map\":[]}", "has no weight_map"},
    {"[]", "has no weight_map"},
    {"{\"weight_map\":{\"b\":\"1.safetensors\",\"b\":\"2.safetensors\"}}", "duplicate"},
};

static void an_index_must_agree_with_its_shards(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof wrong_indexes / sizeof *wrong_indexes; i++) {
        put_shards(wrong_indexes[i].index);
        assert_refused("hf", wrong_indexes[i].fragment);
    }
}

static void a_tensor_in_two_shards_is_refused(void **state) {
    (void)state;
    put_shards("{\"weight_map\":{" ALL_SHARDS "}}");
    put_tensors("hf/1.safetensors", "{" TENSOR("b", "F32", "1", 0, 4) "," TENSOR("a", "F16", "2", 4, 8) "}",
                8);
    assert_refused("hf", "hf/1.safetensors: tensor 'a' is here, the index places it in 2.safetensors");
}

/* Until opening succeeds: the n-th request, then the n-th read fails. */
static void every_failure_on_the_way_is_clean(void **state) {
    (void)state;
    put_shards("{\"weight_map\":{" ALL_SHARDS "}}");
    put_text("hf/config.json", "{\"x\": 1}");
    for (int of_memory = 0; of_memory < 2; of_memory++) {
        struct container container;
        struct error error = {""};
        bool done = false;
        size_t n = 0;
        while (!done) {
            (of_memory ? memory_fail_at(++n) : file_fail_at(++n, 5));
            done = container_open(&container, "hf", &error);
            memory_fail_at(0);
            file_fail_at(0, 0);
            assert_true(done || (strlen(error.text) > 0 && container.n_files == 0));
        }
        assert_true(n > 3);
        assert_int_equal(container.n_tensors, 3);
        container_close(&container);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_is_its_tensors_by_rising_name),
        cmocka_unit_test(every_broken_rule_has_its_sentence),
        cmocka_unit_test(header_lengths_that_lie_are_refused),
        cmocka_unit_test(deep_json_is_refused),
        cmocka_unit_test(names_longer_than_the_limit_are_refused),
        cmocka_unit_test(every_cut_is_noticed),
        cmocka_unit_test(it_is_known_by_content_too),
        cmocka_unit_test(a_folder_brings_its_companions),
        cmocka_unit_test(an_empty_folder_names_what_was_looked_for),
        cmocka_unit_test(shards_are_one_container),
        cmocka_unit_test(an_index_must_agree_with_its_shards),
        cmocka_unit_test(a_tensor_in_two_shards_is_refused),
        cmocka_unit_test(every_failure_on_the_way_is_clean),
    };
    return cmocka_run_group_tests(tests, enter_folder, remove_folder);
}
