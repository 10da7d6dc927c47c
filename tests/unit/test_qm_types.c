/* tests/golden/types.qm: a (17, 33) tensor of every type of version 1, laid out by hand as docs/types.md
 * says. What it holds is a formula, so this shows that files of today keep their meaning. */
#include "format/qm.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { ROWS = 17, COLS = 33 };

static float byte_at(size_t row, size_t col) {
    return (float)((row * 37 + col * 11) % 255) - 127;
}

static float nibble_at(size_t row, size_t col) {
    return (float)((row * 5 + col * 3) % 16) - 8;
}

static float scale_of(size_t row) {
    return 0.25f * (float)(1 << row % 4);
}

static float expected(const char *type, size_t row, size_t col) {
    if (strcmp(type, "q8") == 0)
        return scale_of(row) * byte_at(row, col);
    if (strcmp(type, "q4") == 0)
        return scale_of(row) * nibble_at(row, col);
    return 0.25f * byte_at(row, col);
}

static void assert_decodes(const struct container *container, const struct tensor *tensor) {
    struct error error;
    uint8_t *data = malloc(tensor->size);
    struct matrix matrix = {.type = tensor->type, .data = data};
    assert_non_null(data);
    assert_non_null(tensor->type);
    assert_true(tensor_read(container, tensor, data, tensor->size, 0, &error));
    tensor_rows_cols(tensor, &matrix.n_rows, &matrix.n_cols);
    assert_true(matrix.n_rows == ROWS && matrix.n_cols == COLS);
    for (size_t row = 0; row < ROWS; row++) {
        float out[COLS];
        tensor->type->decode_row(&matrix, row, out);
        for (size_t col = 0; col < COLS; col++)
            if (out[col] != expected(tensor->name, row, col))
                fail_msg("%s (%zu, %zu) is %g", tensor->name, row, col, (double)out[col]);
    }
    free(data);
}

static void every_type_decodes_to_what_it_always_did(void **state) {
    (void)state;
    static const char *const names[] = {"bf16", "f16", "f32", "q4", "q8"};
    struct container container;
    struct error error = {""};
    if (!container_open(&container, "tests/golden/types.qm", &error))
        fail_msg("%s", error.text);
    assert_int_equal(container.n_tensors, sizeof names / sizeof *names);
    for (size_t i = 0; i < container.n_tensors; i++) {
        assert_string_equal(container.tensors[i].name, names[i]);
        assert_string_equal(container.tensors[i].layout.name, names[i]);
        assert_decodes(&container, &container.tensors[i]);
    }
    container_close(&container);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_type_decodes_to_what_it_always_did),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
