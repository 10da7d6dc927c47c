/* Block types of GGUF: blocks of random bytes and what ggml's reference makes of them (golden of
 * tests/differential/gguf_files.py), and blocks that a type of ours holds exactly. */
#include "types/gguf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define N_BLOCKS 6 /* of each type in tests/golden/gguf */
#define MAX_BLOCK_BYTES 256
#define MAX_BLOCK_COLS 256

static void read_golden(const char *type, const char *ending, void *to, size_t size) {
    char path[128];
    snprintf(path, sizeof path, "tests/golden/gguf/%s.%s", type, ending);
    FILE *file = fopen(path, "rb");
    if (!file)
        fail_msg("%s is missing", path);
    assert_int_equal(fread(to, 1, size, file), size);
    assert_int_equal(fgetc(file), EOF);
    fclose(file);
}

static bool is_block_type(const struct gguf_type *known) {
    return known->type && !type_is_plain(known->type);
}

static void blocks_decode_as_the_reference_does(void **state) {
    (void)state;
    size_t n_types = 0;
    for (size_t i = 0; i < n_gguf_types; i++) {
        const struct gguf_type *known = &gguf_types[i];
        if (!is_block_type(known))
            continue;
        uint8_t blocks[N_BLOCKS * MAX_BLOCK_BYTES];
        float found[N_BLOCKS * MAX_BLOCK_COLS], expected[N_BLOCKS * MAX_BLOCK_COLS];
        size_t n = N_BLOCKS * known->block_cols;
        read_golden(known->name, "blocks", blocks, N_BLOCKS * known->block_bytes);
        read_golden(known->name, "f32", expected, n * sizeof *expected);
        const struct matrix rows = {known->type, blocks, 2, n / 2};
        known->type->decode_row(&rows, 0, found);
        known->type->decode_row(&rows, 1, found + n / 2);
        for (size_t k = 0; k < n; k++)
            if (found[k] < expected[k] || found[k] > expected[k])
                fail_msg("%s: weight %zu is %g, expected %g", known->name, k, (double)found[k],
                         (double)expected[k]);
        assert_int_equal(known->type->finite(blocks, N_BLOCKS), N_BLOCKS);
        n_types++;
    }
    assert_int_equal(n_types, 12);
}

static void the_list_says_what_the_descriptors_say(void **state) {
    (void)state;
    for (size_t i = 0; i < n_gguf_types; i++) {
        const struct gguf_type *known = &gguf_types[i];
        assert_true(i == 0 || known[-1].id < known->id);
        assert_ptr_equal(gguf_type_find(known->id), known);
        if (!known->type)
            continue;
        assert_int_equal(known->type->panel_rows, 1);
        assert_int_equal(known->type->block_cols, known->block_cols);
        assert_int_equal(known->type->block_bytes, known->block_bytes);
        assert_true(type_is_plain(known->type) || known->type->native);
    }
    assert_null(gguf_type_find(4)); /* Q4_2, which went */
    assert_null(gguf_type_find(UINT32_MAX));
}

/* Does setting the two bytes at `at` to infinity make one block of these not finite? */
static bool spoils(const struct gguf_type *known, const uint8_t *blocks, size_t at) {
    uint8_t copy[N_BLOCKS * MAX_BLOCK_BYTES];
    memcpy(copy, blocks, N_BLOCKS * known->block_bytes);
    memcpy(copy + 3 * known->block_bytes + at, "\x00\x7c", 2);
    size_t found = known->type->finite(copy, N_BLOCKS);
    assert_true(found == N_BLOCKS || found == 3);
    return found == 3;
}

static void infinite_scales_are_found(void **state) {
    (void)state;
    static const char *const two_scales[] = {"Q4_1", "Q5_1", "Q2_K", "Q4_K", "Q5_K", NULL};
    for (size_t i = 0; i < n_gguf_types; i++) {
        const struct gguf_type *known = &gguf_types[i];
        uint8_t blocks[N_BLOCKS * MAX_BLOCK_BYTES];
        size_t n_places = 0, expected = 1;
        if (!is_block_type(known))
            continue;
        read_golden(known->name, "blocks", blocks, N_BLOCKS * known->block_bytes);
        for (size_t at = 0; at + 2 <= known->block_bytes; at += 2)
            n_places += spoils(known, blocks, at);
        for (size_t k = 0; two_scales[k]; k++)
            expected += !strcmp(two_scales[k], known->name);
        assert_int_equal(n_places, expected);
    }
}

static void repacked_weights_are_the_same(void **state) {
    (void)state;
    const size_t n_cols = 3 * BLOCK_COLS, n_rows_all[] = {1, 15, 16, 17, 48};
    for (size_t i = 0; i < n_gguf_types; i++) {
        const struct type *type = gguf_types[i].type;
        for (size_t k = 0; type && type->repack && k < 5; k++) {
            static uint8_t blocks[48 * 3 * MAX_BLOCK_BYTES];
            static _Alignas(64) uint8_t panels[48 * 3 * MAX_BLOCK_BYTES];
            float from[3 * BLOCK_COLS], to[3 * BLOCK_COLS];
            size_t n_rows = n_rows_all[k], n_panels = (n_rows + PANEL_ROWS - 1) / PANEL_ROWS;
            for (size_t b = 0; b < n_rows * 3 * type->block_bytes; b++)
                blocks[b] = (uint8_t)(b * 37 % 251 & 0xbb); /* no scale is infinite */
            type->repack(blocks, n_rows, n_cols, panels);
            const struct matrix old = {type, blocks, n_rows, n_cols},
                                new = {type->native, panels, n_panels * PANEL_ROWS, n_cols};
            for (size_t row = 0; row < n_panels * PANEL_ROWS; row++) {
                memset(from, 0, sizeof from);
                if (row < n_rows)
                    type->decode_row(&old, row, from);
                type->native->decode_row(&new, row, to);
                for (size_t col = 0; col < n_cols; col++)
                    assert_true(!(from[col] < to[col]) && !(from[col] > to[col]));
            }
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_decode_as_the_reference_does),
        cmocka_unit_test(the_list_says_what_the_descriptors_say),
        cmocka_unit_test(infinite_scales_are_found),
        cmocka_unit_test(repacked_weights_are_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
