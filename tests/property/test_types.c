/* Every type and every variant that this processor can run, against the definition in types/type.h: weights
 * by decode_row, inputs rounded as enum rounding says, products summed in double.
 *
 * All memory that a variant reads ends where an unreadable page begins; what it writes stands between guards.
 */
#include "lib/half.h"
#include "lib/threads.h"
#include "types/blocks.h"
#include "types/matmul.h"
#include "types/variants.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- memory with guards ---- */

#define GUARD_BYTE 0xa5
#define GUARD_BYTES 256 /* before the block; behind it lies an unreadable page */

struct guarded {
    uint8_t *pages, *data;
    size_t pages_bytes, size;
};

static struct guarded guarded_new(size_t size) {
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    const size_t n_pages = (size + GUARD_BYTES + page - 1) / page;
    struct guarded g = {.pages_bytes = (n_pages + 1) * page, .size = size};
    g.pages = mmap(NULL, g.pages_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(g.pages != MAP_FAILED);
    memset(g.pages, GUARD_BYTE, n_pages * page);
    assert_int_equal(mprotect(g.pages + n_pages * page, page, PROT_NONE), 0);
    g.data = g.pages + n_pages * page - size;
    return g;
}

static void guarded_free(struct guarded *g) {
    for (const uint8_t *p = g->pages; p < g->data; p++)
        assert_int_equal(*p, GUARD_BYTE);
    munmap(g->pages, g->pages_bytes);
}

/* ---- random numbers: the same in every run ---- */

static uint64_t random_state;

static uint32_t random_bits(void) {
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(random_state >> 32);
}

static float uniform(void) {
    return (float)(random_bits() >> 8) * 0x1p-23f - 1;
}

/* uniform() times a power of two; one call after the other, since arguments are evaluated in any order. */
static float scattered(int lowest_exponent, uint32_t n_exponents) {
    int exponent = lowest_exponent + (int)(random_bits() % n_exponents);
    return ldexpf(uniform(), exponent);
}

static float gaussian(void) {
    float sum = 0;
    for (int i = 0; i < 12; i++)
        sum += uniform();
    return sum / 2;
}

/* ---- what matrices are filled with; `largest` is the largest value that the type holds ---- */

static float fill_gaussian(size_t i, float largest) {
    (void)i, (void)largest;
    return 0.02f * gaussian();
}

static float fill_large(size_t i, float largest) {
    (void)i;
    return largest * uniform();
}

static float fill_largest(size_t i, float largest) {
    return i % 5 ? largest : -largest;
}

static float fill_small_scales(size_t i, float largest) { /* scales near and below the fp16 subnormals */
    (void)largest;
    return uniform() * ldexpf(1, -4 - (int)(i / 32 % 32));
}

static float fill_subnormal(size_t i, float largest) {
    (void)i, (void)largest;
    return bits_float(random_bits() & 0x800fffff);
}

static float fill_zero(size_t i, float largest) {
    (void)i, (void)largest;
    return 0;
}

static float fill_minus_zero(size_t i, float largest) {
    (void)i, (void)largest;
    return -0.0f;
}

static float fill_alternating(size_t i, float largest) {
    (void)largest;
    return i % 2 ? 0.37f : -0.37f;
}

static float fill_equal(size_t i, float largest) {
    (void)i, (void)largest;
    return -1.7f;
}

static float fill_sparse(size_t i, float largest) {
    (void)i, (void)largest;
    return random_bits() % 37 ? 0 : gaussian();
}

static float fill_any_exponent(size_t i, float largest) {
    (void)i;
    return scattered(-60, 80) * (largest < 1e6f ? 0x1p-5f : 1);
}

static const struct fill {
    const char *name;
    float (*value)(size_t i, float largest);
} fills[] = {
    {"gaussian", fill_gaussian},
    {"large", fill_large},
    {"largest", fill_largest},
    {"small scales", fill_small_scales},
    {"subnormal", fill_subnormal},
    {"zero", fill_zero},
    {"minus zero", fill_minus_zero},
    {"alternating", fill_alternating},
    {"equal", fill_equal},
    {"sparse", fill_sparse},
    {"any exponent", fill_any_exponent},
};

/* Small enough that a dot product of 1536 of them stays a float. */
static float largest_of(const struct type *type) {
    if (type->rounding == ROUND_I8)
        return 8 * 65504.0f;
    if (type->rounding == ROUND_I16)
        return 127 * 65504.0f;
    return strcmp(type->name, "f16") == 0 ? 65504 : 1e20f;
}

/* ---- one case: a matrix, its encodings, an input ---- */

struct shape {
    size_t n_rows, n_cols;
};

static const struct shape shapes[] = {
    {1, 1},    {17, 1},   {16, 4},    {16, 7},  {31, 24},  {15, 31},  {33, 31},
    {16, 32},  {1, 33},   {17, 33},   {18, 48}, {33, 172}, {16, 172}, {15, 576},
    {33, 576}, {3, 1536}, {33, 1536}, {64, 64}, {145, 33}, {131, 96}, /* beyond the rows that a kernel takes
                                                                         at once */
};

static struct matrix floats_of(const float *rows, struct shape shape) {
    return (struct matrix){&type_f32, (const uint8_t *)rows, shape.n_rows, shape.n_cols};
}

struct subject {
    const struct type *type;
    const char *fill;
    struct shape shape;
    struct guarded rows; /* the floats */
    struct guarded blocks; /* encoded by the scalar variant */
    struct matrix w;
    float *decoded; /* [n_rows][n_cols] by decode_row */
};

static bool can_run(uint32_t needs) {
    return (needs & ~cpu_features()) == 0;
}

static const struct variant *scalar_of(const struct type *type) {
    return &type->variants[type->n_variants - 1];
}

static size_t matrix_size(const struct type *type, struct shape shape) {
    uint64_t bytes;
    assert_true(matrix_bytes(type, shape.n_rows, shape.n_cols, &bytes));
    return bytes;
}

static struct subject subject_new(const struct type *type, struct shape shape, const struct fill *fill) {
    const size_t n = shape.n_rows * shape.n_cols;
    struct subject s = {.type = type, .fill = fill->name, .shape = shape};
    s.rows = guarded_new(n * sizeof(float));
    s.blocks = guarded_new(matrix_size(type, shape));
    s.w = (struct matrix){type, s.blocks.data, shape.n_rows, shape.n_cols};
    s.decoded = malloc(n * sizeof(float));
    float *rows = (float *)(void *)s.rows.data;
    for (size_t i = 0; i < n; i++)
        rows[i] = fill->value(i, largest_of(type));
    const struct matrix floats = floats_of(rows, shape);
    struct unfit unfit;
    assert_true(scalar_of(type)->encode(&floats, NULL, s.blocks.data, &unfit));
    for (size_t row = 0; row < shape.n_rows; row++)
        type->decode_row(&s.w, row, s.decoded + row * shape.n_cols);
    return s;
}

static void subject_free(struct subject *s) {
    guarded_free(&s->rows);
    guarded_free(&s->blocks);
    free(s->decoded);
}

static void explain(const struct subject *s, const char *variant, const char *what) {
    print_error("%s by %s, %zu x %zu, %s: %s\n", s->type->name, variant, s->shape.n_rows, s->shape.n_cols,
                s->fill, what);
}

typedef void check_subject(const struct subject *s);

static void for_each_subject(check_subject *check) {
    for (const struct type *const *type = types; *type; type++)
        for (size_t i = 0; i < COUNT(shapes); i++)
            for (size_t f = 0; f < COUNT(fills); f++) {
                random_state = i * COUNT(fills) + f;
                struct subject s = subject_new(*type, shapes[i], &fills[f]);
                check(&s);
                subject_free(&s);
            }
}

/* ---- encode ---- */

static void expect_same_encoding(const struct subject *s, const struct variant *v, const float *importance,
                                 const uint8_t *expected) {
    struct guarded out = guarded_new(s->blocks.size);
    const struct matrix rows = floats_of((const float *)(void *)s->rows.data, s->shape);
    struct unfit unfit;
    assert_true(v->encode(&rows, importance, out.data, &unfit));
    if (memcmp(out.data, expected, out.size) != 0) {
        explain(s, v->name,
                importance ? "other bytes than scalar, with importance" : "other bytes than scalar");
        fail();
    }
    guarded_free(&out);
}

static void check_encode(const struct subject *s) {
    struct guarded importance = guarded_new(s->shape.n_cols * sizeof(float));
    float *values = (float *)(void *)importance.data;
    for (size_t i = 0; i < s->shape.n_cols; i++)
        values[i] = random_bits() % 5 ? fabsf(scattered(0, 40)) : 0;
    uint8_t *weighted = malloc(s->blocks.size);
    const struct matrix rows = floats_of((const float *)(void *)s->rows.data, s->shape);
    struct unfit unfit;
    assert_true(scalar_of(s->type)->encode(&rows, values, weighted, &unfit));
    assert_int_equal(s->type->finite(weighted, s->blocks.size / s->type->block_bytes),
                     s->blocks.size / s->type->block_bytes);
    for (const struct variant *v = s->type->variants; v < s->type->variants + s->type->n_variants; v++)
        if (v->encode && can_run(v->needs)) {
            expect_same_encoding(s, v, NULL, s->blocks.data);
            expect_same_encoding(s, v, values, weighted);
        }
    free(weighted);
    guarded_free(&importance);
}

static void encoders_write_the_same_bytes_in_every_variant(void **state) {
    (void)state;
    for_each_subject(check_encode);
}

/* Rows in fp16 or bf16 give the bytes of the same values in floats. */
static void check_encode_from(const struct subject *s, const struct type *source) {
    const struct matrix floats = floats_of((const float *)(void *)s->rows.data, s->shape);
    struct guarded narrow = guarded_new(matrix_size(source, s->shape));
    const struct matrix rows = {source, narrow.data, s->shape.n_rows, s->shape.n_cols};
    float *wide = malloc(s->shape.n_rows * s->shape.n_cols * sizeof *wide);
    const struct matrix widened = floats_of(wide, s->shape);
    uint8_t *expected = malloc(s->blocks.size);
    struct unfit unfit;
    if (scalar_of(source)->encode(&floats, NULL, narrow.data, &unfit)) {
        for (size_t row = 0; row < s->shape.n_rows; row++)
            source->decode_row(&rows, row, wide + row * s->shape.n_cols);
        const bool fits = scalar_of(s->type)->encode(&widened, NULL, expected, &unfit);
        for (const struct variant *v = s->type->variants; v < s->type->variants + s->type->n_variants; v++)
            if (v->encode && can_run(v->needs)) {
                struct guarded out = guarded_new(s->blocks.size);
                if (v->encode(&rows, NULL, out.data, &unfit) != fits ||
                    (fits && memcmp(out.data, expected, out.size) != 0)) {
                    explain(s, v->name, source->name);
                    fail();
                }
                guarded_free(&out);
            }
    }
    free(expected);
    free(wide);
    guarded_free(&narrow);
}

static void check_encode_from_16_bits(const struct subject *s) {
    check_encode_from(s, &type_f16);
    check_encode_from(s, &type_bf16);
}

static void encoders_write_the_same_bytes_whatever_the_values_come_in(void **state) {
    (void)state;
    for_each_subject(check_encode_from_16_bits);
}

static struct {
    const char *type;
    uint64_t digest, expected; /* FNV-1a of the bytes of all subjects */
} digests[] = {{"f32", 0, 0xa22ae2b98a9b75dc},
               {"f16", 0, 0xacc7ab5f3686813c},
               {"bf16", 0, 0xb4f959d5351c97e0},
               {"q8", 0, 0x7e9367eb70b7643e},
               {"q4", 0, 0x2a91de5bab608db0}};

static void add_to_digest(const struct subject *s) {
    for (size_t i = 0; i < COUNT(digests); i++)
        for (size_t j = 0; strcmp(s->type->name, digests[i].type) == 0 && j < s->blocks.size; j++)
            digests[i].digest = (digests[i].digest ^ s->blocks.data[j]) * 0x100000001b3u;
}

/* A change here changes every file that quantize makes. */
static void encoders_write_the_same_bytes_on_every_machine(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(digests); i++)
        digests[i].digest = 0xcbf29ce484222325u;
    for_each_subject(add_to_digest);
    for (size_t i = 0; i < COUNT(digests); i++)
        if (digests[i].digest != digests[i].expected) {
            print_error("%s: digest 0x%016llx\n", digests[i].type, (unsigned long long)digests[i].digest);
            fail();
        }
}

/* The squared error of a block's row when its scale is merely the largest magnitude over `levels`, rounded up
 * where fp16 is coarse. */
static double plain_error(const float *w, size_t n, float levels) {
    float largest = 0;
    for (size_t i = 0; i < n; i++)
        largest = fmaxf(largest, fabsf(w[i]));
    float scale = fminf(largest / levels, 65504);
    scale = scale < 0x1p-14f ? ceilf(scale * 0x1p24f) * 0x1p-24f : half_to_float(float_to_half(scale));
    double error = 0;
    for (size_t i = 0; i < n; i++) {
        double q = scale > 0 ? fmin(fmax(rint((double)w[i] / scale), -levels), levels) : 0;
        error += pow(w[i] - q * scale, 2);
    }
    return error;
}

/* The search tries scales close to the plain one, not itself: where that is lucky it may be a little better.
 */
static void check_search(const struct subject *s) {
    const float levels = s->type->rounding == ROUND_I8 ? 7 : s->type->rounding == ROUND_I16 ? 127 : 0;
    for (size_t row = 0; row < s->shape.n_rows && levels > 0; row++)
        for (size_t col = 0; col < s->shape.n_cols; col += BLOCK_COLS) {
            size_t n = smaller(BLOCK_COLS, s->shape.n_cols - col), at = row * s->shape.n_cols + col;
            const float *w = (const float *)(void *)s->rows.data + at;
            double error = 0, energy = 0;
            for (size_t i = 0; i < n; i++) {
                error += pow((double)w[i] - s->decoded[at + i], 2);
                energy += pow(w[i], 2);
            }
            if (error > plain_error(w, n, levels) + 1e-6 * energy) {
                print_error("row %zu column %zu: error %g, plainly %g, energy %g\n", row, col, error,
                            plain_error(w, n, levels), energy);
                explain(s, "scalar", "the search lost to plain rounding");
                fail();
            }
        }
}

static void search_never_loses_to_plain_rounding(void **state) {
    (void)state;
    for_each_subject(check_search);
}

static void check_again(const struct subject *s) {
    const size_t n = s->shape.n_rows * s->shape.n_cols;
    uint8_t *again = malloc(s->blocks.size);
    float *row = malloc(s->shape.n_cols * sizeof *row);
    const struct matrix decoded = floats_of(s->decoded, s->shape);
    struct unfit unfit;
    assert_true(scalar_of(s->type)->encode(&decoded, NULL, again, &unfit));
    struct matrix w = s->w;
    w.data = again;
    double error = 0, energy = 0;
    for (size_t r = 0; r < s->shape.n_rows; r++) {
        s->type->decode_row(&w, r, row);
        for (size_t col = 0; col < s->shape.n_cols; col++) {
            double was = s->decoded[r * s->shape.n_cols + col];
            error += pow(row[col] - was, 2);
            energy += pow(was, 2);
        }
    }
    if (s->type->panel_rows == 1)
        assert_memory_equal(again, s->blocks.data, s->blocks.size);
    if (error > 2e-3 * energy) {
        print_error("%zu weights: relative squared error %g\n", n, error / energy);
        explain(s, "scalar", "encoded again, it moved");
        fail();
    }
    free(again);
    free(row);
}

static void encoding_what_was_encoded_hardly_moves_it(void **state) {
    (void)state;
    for_each_subject(check_again);
}

static void values_that_do_not_fit_are_named(void **state) {
    (void)state;
    static const struct {
        const char *type;
        float fits, unfit;
    } cases[] = {
        {"f16", 65519.996f, 65520},
        {"bf16", 0x1.fefffep127f, 0x1.ffp127f},
        {"q8", 127 * 65504.0f, 8319010.0f},
        {"q4", 8 * 65504.0f, 524033.0f},
    };
    enum { ROWS = 33, COLS = 70 };
    static float rows[ROWS * COLS];
    const struct matrix matrix = floats_of(rows, (struct shape){ROWS, COLS});
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct type *type = type_find(cases[i].type);
        uint8_t *out = malloc(matrix_size(type, (struct shape){ROWS, COLS}));
        for (const struct variant *v = type->variants; v < type->variants + type->n_variants; v++)
            for (size_t at = 0; v->encode && can_run(v->needs) && at < ROWS * COLS; at += 97)
                for (int sign = -1; sign <= 1; sign += 2) {
                    struct unfit unfit = {0};
                    for (size_t j = 0; j < ROWS * COLS; j++)
                        rows[j] = 3;
                    rows[at] = (float)sign * cases[i].fits;
                    assert_true(v->encode(&matrix, NULL, out, &unfit));
                    rows[at] = (float)sign * cases[i].unfit;
                    assert_false(v->encode(&matrix, NULL, out, &unfit));
                    assert_int_equal(unfit.row, at / COLS);
                    assert_int_equal(unfit.col, at % COLS);
                    assert_true(unfit.value == rows[at]);
                }
        free(out);
    }
}

/* ---- halves, bit for bit ---- */

static void halves_widen_as_half_h_does(void **state) {
    (void)state;
    static uint16_t all[1 << 16];
    static float out[1 << 16];
    for (size_t i = 0; i < COUNT(all); i++)
        all[i] = (uint16_t)i;
    for (const struct primitives *p = primitives;; p++) {
        if (can_run(p->needs)) {
            p->f16_widen(all, COUNT(all), out);
            for (size_t i = 0; i < COUNT(all); i++)
                assert_int_equal(float_bits(out[i]), float_bits(half_to_float(all[i])));
            p->bf16_widen(all, COUNT(all), out);
            for (size_t i = 0; i < COUNT(all); i++)
                assert_int_equal(float_bits(out[i]), float_bits(bfloat_to_float(all[i])));
        }
        if (p->needs == 0)
            break;
    }
}

/* Floats around every fp16 number and every midpoint between two, and as many random ones. */
static void halves_narrow_as_half_h_does(void **state) {
    (void)state;
    enum { N = 4 * 0x7bff };
    static float values[N];
    static uint16_t out[N];
    for (size_t i = 0; i < N; i++) {
        float low = half_to_float((uint16_t)(i / 4)), high = half_to_float((uint16_t)(i / 4 + 1));
        float middle = (low + high) / 2,
              edges[] = {low, middle, nextafterf(middle, 0), nextafterf(middle, 1e9f)};
        float value = high < 65504 ? edges[i % 4] : scattered(-45, 60);
        values[i] = random_bits() % 2 ? -value : value;
    }
    const struct type *f16 = type_find("f16"), *bf16 = type_find("bf16");
    const struct matrix row = floats_of(values, (struct shape){1, N});
    for (size_t i = 0; i < f16->n_variants; i++)
        if (f16->variants[i].encode && can_run(f16->variants[i].needs)) {
            struct unfit unfit;
            assert_true(f16->variants[i].encode(&row, NULL, out, &unfit));
            for (size_t j = 0; j < N; j++)
                assert_int_equal(out[j], float_to_half(values[j]));
            assert_true(bf16->variants[i].encode(&row, NULL, out, &unfit));
            for (size_t j = 0; j < N; j++)
                assert_int_equal(out[j], float_to_bfloat(values[j]));
        }
}

/* ---- unpack ---- */

static void expect_unpacked(const struct subject *s, const struct variant *v, size_t row, size_t begin,
                            size_t end) {
    struct guarded out = guarded_new((end - begin) * PANEL_ROWS * sizeof(float));
    const float *tile = (const float *)(void *)out.data;
    v->unpack(&s->w, row, begin, end, (float *)(void *)out.data);
    for (size_t col = begin; col < end; col++)
        for (size_t r = 0; r < PANEL_ROWS; r++) {
            bool inside = row + r < s->shape.n_rows;
            float expected = inside ? s->decoded[(row + r) * s->shape.n_cols + col] : 0;
            float got = tile[(col - begin) * PANEL_ROWS + r];
            if (inside ? float_bits(got) != float_bits(expected) : got != 0) {
                print_error("row %zu column %zu: %a, not %a\n", row + r, col, got, expected);
                explain(s, v->name, "unpacked wrongly");
                fail();
            }
        }
    guarded_free(&out);
}

static void check_unpack(const struct subject *s) {
    for (const struct variant *v = s->type->variants; v < s->type->variants + s->type->n_variants; v++)
        for (size_t row = 0; v->unpack && can_run(v->needs) && row < s->shape.n_rows; row += PANEL_ROWS) {
            expect_unpacked(s, v, row, 0, s->shape.n_cols);
            if (s->shape.n_cols > BLOCK_COLS) {
                expect_unpacked(s, v, row, 0, BLOCK_COLS);
                expect_unpacked(s, v, row, BLOCK_COLS, s->shape.n_cols);
            }
        }
}

static void unpacking_gives_what_decoding_gives(void **state) {
    (void)state;
    for_each_subject(check_unpack);
}

/* ---- inputs ---- */

/* By the words of enum rounding, in other steps than the code. */
static void round_plainly(enum rounding kind, const float *x, size_t n_cols, float *rounded) {
    for (size_t begin = 0; begin < n_cols; begin += BLOCK_COLS) {
        size_t end = smaller(begin + BLOCK_COLS, n_cols);
        float largest = 0;
        for (size_t i = begin; i < end; i++)
            largest = fmaxf(largest, fabsf(x[i]));
        float scale = largest / (kind == ROUND_I16 ? 32767.0f : 127.0f);
        for (size_t i = begin; i < end; i++)
            rounded[i] = kind <= ROUND_SPLIT || scale == 0 ? (kind <= ROUND_SPLIT ? x[i] : 0)
                                                           : rintf(x[i] / scale) * scale;
    }
}

static void input_fill(float *x, size_t n, unsigned how) {
    for (size_t i = 0; i < n; i++)
        x[i] = how == 0             ? gaussian()
               : how == 1           ? (i % 3 ? 1.0f : -1.0f)
               : random_bits() % 11 ? 0
                                    : ldexpf(gaussian(), 10);
}

static struct inputs *inputs_new(size_t capacity, size_t n_cols, struct arena *arena) {
    struct error error;
    struct inputs *inputs = ARENA_NEW(arena, struct inputs, 1, &error);
    assert_true(inputs &&
                inputs_init(inputs, capacity, n_cols, capacity > 1 ? ALL_ROUNDINGS : 0, arena, &error));
    return inputs;
}

static float value_in_vector(const struct vector *x, size_t col) {
    switch (x->kind) {
    case ROUND_I16:
        return x->i16[col] * x->scales[col / BLOCK_COLS];
    case ROUND_I8:
        return x->i8[col] * x->scales[col / BLOCK_COLS];
    default:
        return x->f32[col];
    }
}

static float bfloat(uint16_t bits) {
    return bits_float((uint32_t)bits << 16);
}

static float value_in_batch(const struct batch *x, size_t i, size_t col) {
    const size_t group = col / BLOCK_COLS, in_group = col % BLOCK_COLS, step = batch_step(x, i);
    const size_t at = group * x->n_vectors + i;
    const size_t pair = (group * 2 * x->n_vectors + i) * BLOCK_COLS + in_group;
    size_t word;
    switch (x->form) {
    case BATCH_FLOATS:
    case BATCH_ROWS:
        return x->f32[batch_begin(x, col / TILE_COLS, TILE_COLS, i) + col % TILE_COLS * step];
    case BATCH_WORDS:
        word = batch_begin(x, group, BLOCK_COLS / 2, i) + batch_order(in_group) / 2 * step;
        return x->i16[2 * word + batch_order(in_group) % 2] * x->scales[at];
    case BATCH_SMALL:
    case BATCH_BYTES:
        word = batch_begin(x, group, BLOCK_COLS / 4, i) + in_group / 4 * step;
        return x->i8[4 * word + in_group % 4] * x->scales[at];
    case BATCH_BFLOATS:
        return bfloat(x->bf16[pair]) + bfloat(x->bf16[pair + x->n_vectors * BLOCK_COLS]);
    default:
        fail_msg("a batch of the form %d", (int)x->form);
        return 0;
    }
}

/* What a batch keeps of a value that is not rounded. */
static float tolerance_of(const struct batch *x, float value) {
    return x->form == BATCH_BFLOATS ? 0x1p-17f * fabsf(value) : 0;
}

/* With each set of instructions that this processor has. */
static void at_every_level(void (*check)(void)) {
    static const char *const levels[] = {"scalar", "neon", "neondot", "avx2", "avx512", "avx512vnni", "amx"};
    const char *const best = cpu_level();
    struct error error;
    for (size_t i = 0; i < COUNT(levels); i++)
        if (cpu_limit(levels[i], &error))
            check();
    assert_true(cpu_limit(best, &error));
}

static void check_rounding(void) {
    static float x[5 * 200], rounded[200];
    for (unsigned how = 0; how < 3; how++)
        for (size_t n_cols = 1; n_cols < 200; n_cols += 33)
            for (size_t count = 1; count <= 5; count += 4)
                for (unsigned n_threads = 1; n_threads < 9; n_threads += 3) {
                    struct arena arena = {0};
                    struct inputs *inputs = inputs_new(5, n_cols, &arena);
                    input_fill(x, COUNT(x), how);
                    for (unsigned thread = 0; thread < n_threads; thread++)
                        inputs_set(inputs, x, 200, count, n_cols, ALL_ROUNDINGS, thread, n_threads);
                    for (int kind = 0; kind < ROUNDINGS; kind++)
                        for (size_t i = 0; i < count; i++) {
                            const struct vector *one = &inputs->one[kind];
                            const struct batch *batch = &inputs->batch[kind];
                            round_plainly((enum rounding)kind, x + i * 200, n_cols, rounded);
                            for (size_t col = 0; col < n_cols; col++) {
                                float got =
                                    count > 1 ? value_in_batch(batch, i, col) : value_in_vector(one, col);
                                float off = count > 1 ? tolerance_of(batch, rounded[col]) : 0;
                                assert_true(fabsf(got - rounded[col]) <= off);
                            }
                        }
                    arena_free(&arena);
                }
}

static void inputs_are_rounded_as_specified_by_any_number_of_threads(void **state) {
    (void)state;
    at_every_level(check_rounding);
}

static void rounding_is_the_same_in_every_variant(void **state) {
    (void)state;
    enum { GROUPS = 40, N = GROUPS * BLOCK_COLS };
    static float x[N], scales[2][GROUPS];
    static int16_t i16[2][N];
    static int8_t i8[2][N];
    static int32_t sums[2][GROUPS];
    for (size_t i = 0; i < N; i++)
        x[i] = i / BLOCK_COLS == 3 ? 0 : ldexpf(gaussian(), (int)(i / BLOCK_COLS) * 7 - 148);
    const struct primitives *scalar = primitives;
    while (scalar->needs)
        scalar++;
    for (const struct primitives *p = primitives; p <= scalar; p++)
        if (can_run(p->needs)) {
            scalar->round_i16(x, GROUPS, i16[0], scales[0], sums[0]);
            p->round_i16(x, GROUPS, i16[1], scales[1], sums[1]);
            assert_memory_equal(i16[0], i16[1], sizeof i16[0]);
            assert_memory_equal(scales[0], scales[1], sizeof scales[0]);
            assert_memory_equal(sums[0], sums[1], sizeof sums[0]);
            scalar->round_i8(x, GROUPS, i8[0], scales[0], sums[0]);
            p->round_i8(x, GROUPS, i8[1], scales[1], sums[1]);
            assert_memory_equal(i8[0], i8[1], sizeof i8[0]);
            assert_memory_equal(scales[0], scales[1], sizeof scales[0]);
            assert_memory_equal(sums[0], sums[1], sizeof sums[0]);
            for (size_t g = 0; g < GROUPS; g++) {
                int32_t sum = 0;
                for (size_t i = g * BLOCK_COLS; i < (g + 1) * BLOCK_COLS; i++) {
                    sum += i8[0][i];
                    assert_true((float)i8[0][i] * x[i] >= 0 && i8[0][i] >= -127); /* no wrapping around */
                }
                assert_int_equal(sum, sums[0][g]);
            }
        }
}

static void not_a_number_in_an_input_reaches_the_scale(void **state) {
    (void)state;
    float x[BLOCK_COLS] = {1, 2, NAN, 3}, scale;
    int16_t i16[BLOCK_COLS];
    int32_t sum;
    for (const struct primitives *p = primitives;; p++) {
        if (can_run(p->needs)) {
            p->round_i16(x, 1, i16, &scale, &sum);
            assert_true(isnan(scale));
        }
        if (p->needs == 0)
            break;
    }
}

/* ---- matvec ---- */

/* Sums in double, and what they may be off by. */
static void multiply_plainly(const struct subject *s, const float *x, double *y, double *tolerance) {
    for (size_t row = 0; row < s->shape.n_rows; row++) {
        double sum = 0, magnitude = 0, inputs = 0;
        for (size_t col = 0; col < s->shape.n_cols; col++) {
            double product = (double)s->decoded[row * s->shape.n_cols + col] * x[col];
            sum += product;
            magnitude += fabs(product);
            inputs += fabsf(x[col]);
        }
        y[row] = sum;
        tolerance[row] = 1e-5 * magnitude + 0x1p-126 * inputs + 1e-37;
    }
}

static void expect_close(const struct subject *s, const char *variant, const float *y, const double *expected,
                         const double *tolerance, size_t row_begin, size_t row_end) {
    for (size_t row = row_begin; row < row_end; row++)
        if (!(fabs(y[row] - expected[row]) <= tolerance[row])) {
            print_error("row %zu: %g, not %g, tolerance %g\n", row, (double)y[row], expected[row],
                        tolerance[row]);
            explain(s, variant, "wrong product");
            fail();
        }
}

/* The input moved to the end of readable memory. */
static struct vector at_the_edge(const struct vector *x, struct guarded *values) {
    const size_t n = (x->n_cols + BLOCK_COLS - 1) / BLOCK_COLS * BLOCK_COLS;
    struct vector edge = *x;
    switch (x->kind) {
    case ROUND_NONE:
    case ROUND_SPLIT:
        *values = guarded_new(n * sizeof *x->f32);
        edge.f32 = memcpy(values->data, x->f32, values->size);
        break;
    case ROUND_I16:
        *values = guarded_new(n * sizeof *x->i16);
        edge.i16 = memcpy(values->data, x->i16, values->size);
        break;
    default:
        *values = guarded_new(n * sizeof *x->i8);
        edge.i8 = memcpy(values->data, x->i8, values->size);
    }
    return edge;
}

static void check_matvec(const struct subject *s) {
    const size_t n_rows = s->shape.n_rows, n_cols = s->shape.n_cols;
    struct arena arena = {0};
    struct inputs *inputs = inputs_new(1, n_cols, &arena);
    float *x = malloc(n_cols * sizeof *x), *rounded = malloc(n_cols * sizeof *rounded);
    double *expected = malloc(n_rows * sizeof *expected), *tolerance = malloc(n_rows * sizeof *tolerance);
    for (unsigned how = 0; how < 3; how++) {
        input_fill(x, n_cols, how);
        inputs_set(inputs, x, n_cols, 1, n_cols, 1u << s->type->rounding, 0, 1);
        round_plainly(s->type->rounding, x, n_cols, rounded);
        multiply_plainly(s, rounded, expected, tolerance);
        struct guarded values;
        struct vector input = at_the_edge(&inputs->one[s->type->rounding], &values);
        for (const struct variant *v = s->type->variants; v < s->type->variants + s->type->n_variants; v++)
            for (size_t begin = 0; v->matvec && can_run(v->needs) && begin < n_rows; begin += PANEL_ROWS) {
                struct guarded y = guarded_new(n_rows * sizeof(float));
                const size_t end = begin ? n_rows : smaller(n_rows, 2 * PANEL_ROWS);
                v->matvec(&s->w, &input, begin, end, (float *)(void *)y.data);
                expect_close(s, v->name, (float *)(void *)y.data, expected, tolerance, begin, end);
                for (size_t i = end * sizeof(float); i < y.size; i++)
                    assert_int_equal(y.data[i], GUARD_BYTE);
                guarded_free(&y);
            }
        guarded_free(&values);
    }
    free(x), free(rounded), free(expected), free(tolerance);
    arena_free(&arena);
}

static void matvec_agrees_with_the_definition(void **state) {
    (void)state;
    for_each_subject(check_matvec);
}

/* ---- matmul ---- */

static void products_agree_for_any_number_of_vectors(void **state) {
    (void)state;
    enum { COLS = 83, MANY = 29 };
    static float tile[COLS * PANEL_ROWS], x[MANY * TILE_COLS], sums[MANY * PANEL_ROWS];
    for (size_t i = 0; i < COUNT(tile); i++)
        tile[i] = gaussian();
    for (size_t i = 0; i < COUNT(x); i++)
        x[i] = gaussian();
    for (const struct primitives *p = primitives;; p++) {
        for (size_t n = 1; can_run(p->needs) && n <= MANY; n++) {
            memset(sums, 0, sizeof sums);
            const struct batch batch = {n, p->together, BATCH_FLOATS, {x}, NULL, NULL};
            p->product(tile, COLS, x, n, sums);
            p->product(tile, COLS, x, n, sums);
            for (size_t i = 0; i < MANY; i++)
                for (size_t row = 0; row < PANEL_ROWS; row++) {
                    double sum = 0;
                    for (size_t col = 0; i < n && col < COLS; col++)
                        sum += 2.0 * tile[col * PANEL_ROWS + row] * value_in_batch(&batch, i, col);
                    assert_true(fabs(sums[i * PANEL_ROWS + row] - sum) < 1e-3);
                }
        }
        if (p->needs == 0)
            break;
    }
}

/* One product with `count` vectors, by one thread and by two. */
static void check_products(const struct subject *s, size_t count) {
    const size_t n_rows = s->shape.n_rows, n_cols = s->shape.n_cols, y_stride = n_rows + 3;
    struct arena arena = {0};
    struct inputs *inputs = inputs_new(count, n_cols, &arena);
    float *x = malloc(count * n_cols * sizeof *x), *rounded = malloc(n_cols * sizeof *rounded);
    double *expected = malloc(count * n_rows * sizeof *expected);
    double *tolerance = malloc(count * n_rows * sizeof *tolerance);
    input_fill(x, count * n_cols, (unsigned)count % 3);
    inputs_set(inputs, x, n_cols, count, n_cols, 1u << s->type->rounding, 0, 1);
    for (size_t i = 0; i < count; i++) {
        round_plainly(s->type->rounding, x + i * n_cols, n_cols, rounded);
        multiply_plainly(s, rounded, expected + i * n_rows, tolerance + i * n_rows);
    }
    struct guarded scratch = guarded_new((matmul_scratch_bytes(n_cols) + 63) / 64 * 64);
    for (unsigned n_threads = 1; n_threads <= 2; n_threads++) {
        struct guarded y = guarded_new(((count - 1) * y_stride + n_rows) * sizeof(float));
        for (unsigned thread = 0; thread < n_threads; thread++) {
            size_t begin, end;
            share_of(n_rows, PANEL_ROWS, thread, n_threads, &begin, &end);
            matmul(&s->w, inputs, (float *)(void *)y.data, y_stride, scratch.data, begin, end);
        }
        for (size_t i = 0; i < count; i++)
            expect_close(s, "matmul", (float *)(void *)y.data + i * y_stride, expected + i * n_rows,
                         tolerance + i * n_rows, 0, n_rows);
        guarded_free(&y);
    }
    guarded_free(&scratch);
    free(x), free(rounded), free(expected), free(tolerance);
    arena_free(&arena);
}

static void check_matmul(const struct subject *s) {
    static const size_t counts[] = {1, 2, 3, 4, 7, 17};
    for (size_t i = 0; i < COUNT(counts); i++)
        check_products(s, counts[i]);
}

/* Around what matmul calls few, and beyond what it takes at once of vectors and of columns. */
static void check_larger_products(void) {
    static const struct {
        struct shape shape;
        size_t count;
    } cases[] = {{{33, 172}, 15},  {{33, 172}, 16},  {{33, 172}, 17}, {{18, 4133}, 3}, {{18, 4133}, 16},
                 {{35, 300}, 100}, {{35, 300}, 285}, {{80, 300}, 40}, {{18, 64}, 541}};
    for (const struct type *const *type = types; *type; type++)
        for (size_t i = 0; i < COUNT(cases); i++) {
            random_state = i;
            struct subject s = subject_new(*type, cases[i].shape, &fills[0]);
            check_products(&s, cases[i].count);
            subject_free(&s);
        }
}

static void check_all_products(void) {
    for_each_subject(check_matmul);
    check_larger_products();
}

static void matmul_agrees_with_the_definition_at_every_level(void **state) {
    (void)state;
    at_every_level(check_all_products);
}

int main(void) {
    for (const struct type *const *type = types; *type; type++)
        for (size_t i = 0; i < (*type)->n_variants; i++)
            if (!can_run((*type)->variants[i].needs))
                print_message("%s: this processor cannot run the variant %s\n", (*type)->name,
                              (*type)->variants[i].name);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(encoders_write_the_same_bytes_in_every_variant),
        cmocka_unit_test(encoders_write_the_same_bytes_whatever_the_values_come_in),
        cmocka_unit_test(encoders_write_the_same_bytes_on_every_machine),
        cmocka_unit_test(search_never_loses_to_plain_rounding),
        cmocka_unit_test(encoding_what_was_encoded_hardly_moves_it),
        cmocka_unit_test(values_that_do_not_fit_are_named),
        cmocka_unit_test(halves_widen_as_half_h_does),
        cmocka_unit_test(halves_narrow_as_half_h_does),
        cmocka_unit_test(unpacking_gives_what_decoding_gives),
        cmocka_unit_test(inputs_are_rounded_as_specified_by_any_number_of_threads),
        cmocka_unit_test(rounding_is_the_same_in_every_variant),
        cmocka_unit_test(not_a_number_in_an_input_reaches_the_scale),
        cmocka_unit_test(matvec_agrees_with_the_definition),
        cmocka_unit_test(products_agree_for_any_number_of_vectors),
        cmocka_unit_test(matmul_agrees_with_the_definition_at_every_level),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
