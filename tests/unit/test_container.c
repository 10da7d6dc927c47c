/* What is common to all formats: finding one, looking things up, sizing tensors. */
#include "format/format.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static void a_missing_path_gets_the_systems_words(void **state) {
    (void)state;
    struct container container;
    struct error error;
    assert_false(container_open(&container, "/nowhere/model.qm", &error));
    assert_string_equal(error.text, "/nowhere/model.qm: No such file or directory");
    container_close(&container);
}

static void a_file_of_no_known_format_gets_the_list(void **state) {
    (void)state;
    struct container container;
    struct error error;
    char path[] = "/tmp/test_container.XXXXXX";
    int fd = mkstemp(path);
    for (int size = 0; size < 20; size++) { /* the probes cope with short files */
        assert_false(container_open(&container, path, &error));
        assert_non_null(strstr(error.text, "is of no known format: it should be a .qm file"));
        assert_non_null(strstr(error.text, "or a .safetensors file"));
        assert_int_equal(write(fd, "x", 1), 1);
    }
    close(fd);
    unlink(path);
}

static void lookup_finds_each_and_nothing_else(void **state) {
    (void)state;
    struct tensor tensors[] = {{.name = "a"}, {.name = "b"}, {.name = "ba"}, {.name = "d"}};
    struct blob blobs[] = {{.name = "x"}};
    struct container container = {.tensors = tensors, .n_tensors = 4, .blobs = blobs, .n_blobs = 1};
    for (size_t i = 0; i < 4; i++)
        assert_ptr_equal(container_tensor(&container, tensors[i].name), &tensors[i]);
    assert_null(container_tensor(&container, ""));
    assert_null(container_tensor(&container, "c"));
    assert_null(container_tensor(&container, "e"));
    assert_ptr_equal(container_blob(&container, "x"), &blobs[0]);
    assert_null(container_blob(&container, "y"));
    container.n_tensors = 0;
    assert_null(container_tensor(&container, "a"));
}

static uint64_t bytes_of(struct type_layout layout, uint32_t n_dims, uint64_t a, uint64_t b, uint64_t c) {
    struct tensor tensor = {.layout = layout, .n_dims = n_dims, .dims = {a, b, c}};
    uint64_t bytes;
    return tensor_bytes(&tensor, &bytes) ? bytes : UINT64_MAX;
}

static void sizes_count_whole_blocks(void **state) {
    (void)state;
    struct type_layout f16 = {"f16", 1, 1, 2}, q4 = {"q4", 16, 32, 288};
    assert_int_equal(bytes_of(f16, 1, 7, 0, 0), 14);
    assert_int_equal(bytes_of(f16, 3, 2, 3, 5), 60);
    assert_int_equal(bytes_of(q4, 2, 16, 32, 0), 288);
    assert_int_equal(bytes_of(q4, 2, 17, 33, 0), 4 * 288);
    assert_int_equal(bytes_of(q4, 3, 5, 4, 32), 2 * 288); /* 20 rows */
    assert_int_equal(bytes_of(f16, 2, 0, UINT64_MAX, 0), 0);
    assert_true(bytes_of(q4, 1, 32, 0, 0) == UINT64_MAX); /* no rows to a panel */
    assert_true(bytes_of(f16, 2, 1ull << 32, 1ull << 32, 0) == UINT64_MAX);
    assert_true(bytes_of(f16, 1, 1ull << 63, 0, 0) == UINT64_MAX);
}

static void leading_dimensions_are_rows(void **state) {
    (void)state;
    uint64_t rows, cols;
    tensor_rows_cols(&(struct tensor){.n_dims = 1, .dims = {9}}, &rows, &cols);
    assert_true(rows == 1 && cols == 9);
    tensor_rows_cols(&(struct tensor){.n_dims = 3, .dims = {2, 3, 5}}, &rows, &cols);
    assert_true(rows == 6 && cols == 5);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_missing_path_gets_the_systems_words),
        cmocka_unit_test(a_file_of_no_known_format_gets_the_list),
        cmocka_unit_test(lookup_finds_each_and_nothing_else),
        cmocka_unit_test(sizes_count_whole_blocks),
        cmocka_unit_test(leading_dimensions_are_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
