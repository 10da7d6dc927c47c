/* The rules of types/type.h that need no random data: names, sizes, layouts bit by bit, finite numbers. */
#include "lib/half.h"
#include "types/blocks.h"
#include "types/matmul.h"
#include "types/variants.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void types_are_found_by_name(void **state) {
    (void)state;
    for (const struct type *const *type = types; *type; type++)
        assert_ptr_equal(type_find((*type)->name), *type);
    assert_null(type_find("q5"));
    assert_null(type_find(""));
    assert_null(type_find("Q4"));
}

static void every_type_ends_with_a_scalar_variant_that_has_everything(void **state) {
    (void)state;
    for (const struct type *const *type = types; *type; type++) {
        const struct variant *last = &(*type)->variants[(*type)->n_variants - 1];
        assert_string_equal(last->name, "scalar");
        assert_int_equal(last->needs, 0);
        assert_true(last->encode && last->matvec && last->unpack);
    }
}

static void sizes_count_whole_blocks_and_whole_panels(void **state) {
    (void)state;
    static const struct {
        const char *type;
        uint64_t n_rows, n_cols, bytes;
    } cases[] = {
        {"f32", 3, 5, 60},        {"f16", 3, 5, 30},
        {"bf16", 1, 1, 2},        {"q8", 1, 1, 544},
        {"q8", 16, 32, 544},      {"q8", 17, 33, 4 * 544},
        {"q4", 16, 172, 6 * 288}, {"q4", 576, 576, 36 * 18 * 288},
        {"q4", 0, 32, 0},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        uint64_t bytes;
        assert_true(matrix_bytes(type_find(cases[i].type), cases[i].n_rows, cases[i].n_cols, &bytes));
        assert_int_equal(bytes, cases[i].bytes);
    }
}

static void sizes_that_overflow_are_refused(void **state) {
    (void)state;
    uint64_t bytes;
    for (const struct type *const *type = types; *type; type++) {
        assert_false(matrix_bytes(*type, UINT64_MAX, UINT64_MAX, &bytes));
        assert_false(matrix_bytes(*type, UINT64_MAX / 2, 64, &bytes));
        assert_false(matrix_bytes(*type, 1ull << 40, 1ull << 40, &bytes));
    }
}

static bool encode(const struct type *type, const float *rows, size_t n_rows, size_t n_cols, void *out) {
    const struct matrix floats = {type_find("f32"), (const uint8_t *)rows, n_rows, n_cols};
    struct unfit unfit;
    return type_encode(type)(&floats, NULL, out, &unfit);
}

/* The worked examples of docs/types.md: a row of multiples of 0.5 from -4 to 0.5, and a row of zeros. */
enum { EXAMPLE_ROWS = 2, EXAMPLE_COLS = 10 };

static void encode_example(const struct type *type, uint8_t *block) {
    float rows[EXAMPLE_ROWS * EXAMPLE_COLS] = {0};
    for (int col = 0; col < EXAMPLE_COLS; col++)
        rows[col] = 0.5f * (float)col - 4;
    assert_true(encode(type, rows, EXAMPLE_ROWS, EXAMPLE_COLS, block));
}

static void q4_puts_a_row_into_four_bytes_of_each_chunk(void **state) {
    (void)state;
    struct q4_block block, expected = {.scales = {0x3800}}; /* 0.5 */
    memset(expected.chunks, 0x88, sizeof expected.chunks);
    memcpy(expected.chunks[0], "\x40\x51\x62\x73", 4); /* columns 4 and 0, 5 and 1, 6 and 2, 7 and 3 */
    memcpy(expected.chunks[1], "\x88\x89\x88\x88", 4); /* columns 12 and 8, 13 and 9, 14 and 10, 15 and 11 */
    encode_example(type_find("q4"), (uint8_t *)&block);
    assert_memory_equal(&block, &expected, sizeof block);
}

static void q8_puts_a_row_into_four_bytes_of_each_group(void **state) {
    (void)state;
    uint8_t bytes[sizeof(struct q8_block)];
    encode_example(type_find("q8"), bytes);
    const struct q8_block *block = (const struct q8_block *)(const void *)bytes;
    const float scale = half_to_float(block->scales[0]);
    for (int col = 0; col < EXAMPLE_COLS; col++) {
        const int q = (int8_t)block->groups[col / 4][col % 4];
        assert_true(fabsf(scale * (float)q - (0.5f * (float)col - 4)) <= scale / 2);
    }
    for (size_t i = EXAMPLE_COLS; i < BLOCK_COLS; i++)
        assert_int_equal(block->groups[i / 4][i % 4], 0);
    for (size_t g = 0; g < 8; g++)
        for (size_t i = 4; i < sizeof block->groups[g]; i++)
            assert_int_equal(block->groups[g][i], 0);
    for (size_t row = 1; row < PANEL_ROWS; row++)
        assert_int_equal(block->scales[row], 0);
}

/* The largest weight takes the longer side of the grid, -8: of 1.5 the scale is negative. */
static void q4_scales_may_be_negative(void **state) {
    (void)state;
    float row[BLOCK_COLS], out[BLOCK_COLS];
    for (int col = 0; col < BLOCK_COLS; col++)
        row[col] = (float)(col % 16 - 7) * 0.1875f; /* -7 to 8 times 0.1875 */
    struct q4_block block;
    assert_true(encode(type_find("q4"), row, 1, BLOCK_COLS, &block));
    assert_int_equal(block.scales[0], float_to_half(-0.1875f));
    const struct matrix w = {type_find("q4"), (const uint8_t *)&block, 1, BLOCK_COLS};
    w.type->decode_row(&w, 0, out);
    for (int col = 0; col < BLOCK_COLS; col++)
        assert_true(out[col] == row[col]); /* a zero comes back negative */
}

/* Weights below the smallest fp16 number over 127 are lost, larger ones are kept as well as fp16 scales
 * allow. */
static void tiny_weights_never_become_infinite_or_nan(void **state) {
    (void)state;
    for (const struct type *const *type = types; *type; type++)
        for (int exponent = -149; exponent < -10; exponent++) {
            float row[BLOCK_COLS], out[BLOCK_COLS];
            for (int col = 0; col < BLOCK_COLS; col++)
                row[col] = ldexpf((float)(col - 16) / 16, exponent);
            uint8_t blocks[1024];
            assert_true(encode(*type, row, 1, BLOCK_COLS, blocks));
            const struct matrix w = {*type, blocks, 1, BLOCK_COLS};
            (*type)->decode_row(&w, 0, out);
            for (int col = 0; col < BLOCK_COLS; col++)
                assert_true(fabsf(out[col] - row[col]) <= fmaxf(0x1p-25f, ldexpf(1, exponent) / 10));
        }
}

static void finite_finds_the_first_block_that_is_not(void **state) {
    (void)state;
    enum { N = 3000 };
    static const struct {
        const char *type;
        size_t at; /* of the number in its block */
        uint32_t fine, infinite, nan;
    } cases[] = {
        {"f32", 0, 0x7f7fffff, 0xff800000, 0x7f800001},
        {"f16", 0, 0xfbff, 0x7c00, 0xfe00},
        {"bf16", 0, 0x7f7f, 0xff80, 0x7fc0},
        {"q8", 0, 0x7bff, 0x7c00, 0x7e01},
        {"q8", 30, 0xfbff, 0xfc00, 0x7c01},
        {"q4", 14, 0x7bff, 0x7c00, 0xffff},
    };
    static _Alignas(64) uint8_t blocks[N * sizeof(struct q8_block)];
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct type *type = type_find(cases[i].type);
        const size_t size = type->block_bytes == 4 ? 4 : 2;
        memset(blocks, 0x7b, sizeof blocks);
        for (size_t block = 0; block < N; block += 499) {
            uint8_t *number = blocks + block * type->block_bytes + cases[i].at;
            memcpy(number, &cases[i].infinite, size);
            assert_int_equal(type->finite(blocks, N), block);
            assert_int_equal(type->finite(blocks, block), block);
            memcpy(number, &cases[i].nan, size);
            assert_int_equal(type->finite(blocks, N), block);
            memcpy(number, &cases[i].fine, size);
            assert_int_equal(type->finite(blocks, N), N);
        }
    }
}

static void a_lower_cpu_level_takes_variants_away(void **state) {
    (void)state;
    struct error error;
    assert_true(cpu_limit("scalar", &error));
    for (const struct type *const *type = types; *type; type++) {
        const struct variant *scalar = &(*type)->variants[(*type)->n_variants - 1];
        assert_true(type_matvec(*type) == scalar->matvec);
        assert_true(type_encode(*type) == scalar->encode);
        assert_true(type_unpack(*type) == scalar->unpack);
    }
    assert_int_equal(best_primitives()->needs, 0);
}

static void running_out_of_memory_is_reported(void **state) {
    (void)state;
    for (size_t n = 1;; n++) {
        struct arena arena = {0};
        struct inputs inputs;
        struct error error = {0};
        memory_fail_at(n);
        bool done = inputs_init(&inputs, 1000, 1 << 16, ALL_ROUNDINGS, &arena, &error);
        memory_fail_at(0);
        arena_free(&arena);
        if (done)
            break;
        assert_true(error.text[0] != 0);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(types_are_found_by_name),
        cmocka_unit_test(every_type_ends_with_a_scalar_variant_that_has_everything),
        cmocka_unit_test(sizes_count_whole_blocks_and_whole_panels),
        cmocka_unit_test(sizes_that_overflow_are_refused),
        cmocka_unit_test(q4_puts_a_row_into_four_bytes_of_each_chunk),
        cmocka_unit_test(q8_puts_a_row_into_four_bytes_of_each_group),
        cmocka_unit_test(q4_scales_may_be_negative),
        cmocka_unit_test(tiny_weights_never_become_infinite_or_nan),
        cmocka_unit_test(finite_finds_the_first_block_that_is_not),
        cmocka_unit_test(a_lower_cpu_level_takes_variants_away),
        cmocka_unit_test(running_out_of_memory_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
