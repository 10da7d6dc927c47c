/* The kernels of the forward pass: every variant that this processor has against the scalar definition. */
#include "infer/kernels.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define MAX 400

static uint64_t state = 1;

static float random_between(float low, float high) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return low + (high - low) * (float)(state >> 40) * 0x1p-24f;
}

static void fill(float *x, size_t n, float low, float high) {
    for (size_t i = 0; i < n; i++)
        x[i] = random_between(low, high);
}

/* Both formats of the cache. */
static const struct cache_kernels *format_of(const struct kernels *kernels, bool half) {
    return half ? &kernels->half : &kernels->single;
}

static void fill_cache(const struct cache_kernels *format, void *cached, size_t n) {
    float x[TILE];
    for (size_t i = 0; i < n; i += TILE) {
        fill(x, TILE, -2, 2);
        format->store(x, TILE, (char *)cached + i * format->value_bytes);
    }
}

static const struct kernels *scalar(void) {
    size_t i = 0;
    while (kernel_variants[i + 1])
        i++;
    return kernel_variants[i];
}

/* Runs a test with every variant that can run here. */
#define EACH(variant)                                                                                        \
    for (size_t index = 0; kernel_variants[index]; index++)                                                  \
        for (const struct kernels *variant = kernel_variants[index];                                         \
             variant && !(variant->needs & ~cpu_features()); variant = NULL)

static void assert_near(float found, float expected, float magnitude) {
    if (!(fabsf(found - expected) <= 2e-6f * (magnitude + 1e-30f)))
        fail_msg("found %.9g, expected %.9g", (double)found, (double)expected);
}

static void last_variant_is_scalar_and_needs_nothing(void **unused) {
    (void)unused;
    assert_string_equal(scalar()->name, "scalar");
    assert_int_equal(scalar()->needs, 0);
}

static void norms_agree_at_any_length(void **unused) {
    (void)unused;
    float x[MAX], weight[MAX], bias[MAX], found[MAX], expected[MAX];
    for (size_t n = 1; n <= 70; n++)
        for (size_t kind = 0; kind < NORM_KINDS; kind++)
            for (int biased = 0; biased < 2; biased++) {
                fill(x, n, -3, 3);
                fill(weight, n, -2, 2);
                fill(bias, n, -1, 1);
                scalar()->norm[kind](x, weight, biased ? bias : NULL, 1e-5, n, expected);
                EACH(variant) {
                    variant->norm[kind](x, weight, biased ? bias : NULL, 1e-5, n, found);
                    for (size_t i = 0; i < n; i++)
                        assert_near(found[i], expected[i], fabsf(expected[i]) + (kind == NORM_LAYER ? 4 : 1));
                }
            }
}

static void check_activation(size_t kind, float size, size_t n) {
    float gate[MAX], up[MAX], plain[MAX], gated[MAX];
    fill(gate, n, -size, size);
    fill(up, n, -2, 2);
    memcpy(plain, gate, sizeof gate);
    memcpy(gated, gate, sizeof gate);
    scalar()->act[kind].plain(plain, n);
    scalar()->act[kind].gated(gated, up, n);
    EACH(variant) {
        float found[2][MAX];
        memcpy(found[0], gate, sizeof gate);
        memcpy(found[1], gate, sizeof gate);
        variant->act[kind].plain(found[0], n);
        variant->act[kind].gated(found[1], up, n);
        for (size_t i = 0; i < n; i++) { /* a small share of x that is left of it may be 0 */
            assert_near(found[0][i], plain[i], fabsf(plain[i]) + 1e-2f * fabsf(gate[i]));
            assert_near(found[1][i], gated[i], fabsf(gated[i]) + 2e-2f * fabsf(gate[i]));
        }
    }
}

static void activations_agree_over_all_magnitudes(void **unused) {
    (void)unused;
    for (size_t kind = 0; kind < ACTIVATIONS; kind++)
        for (float size = 1e-6f; size < 1e6f; size *= 10)
            for (size_t n = 0; n < 35; n++)
                check_activation(kind, size, n);
}

static void soft_caps_agree_over_all_magnitudes(void **unused) {
    (void)unused;
    for (float size = 1e-6f; size < 1e6f; size *= 10)
        for (size_t n = 0; n < 35; n++) {
            float x[MAX], expected[MAX], found[MAX];
            fill(x, n, -size, size);
            memcpy(expected, x, sizeof x);
            scalar()->soft_cap(expected, n, 30);
            EACH(variant) {
                memcpy(found, x, sizeof x);
                variant->soft_cap(found, n, 30);
                for (size_t i = 0; i < n; i++)
                    assert_near(found[i], expected[i], fabsf(expected[i]));
            }
        }
}

static void halves_are_rounded_alike_and_saturate(void **unused) {
    (void)unused;
    float x[MAX];
    uint16_t found[MAX], expected[MAX];
    for (float size = 1e-8f; size < 1e8f; size *= 10)
        for (size_t n = 0; n < 35; n++) {
            fill(x, n, -size, size);
            scalar()->half.store(x, n, expected);
            EACH(variant) {
                variant->half.store(x, n, found);
                assert_memory_equal(found, expected, n * sizeof *found);
            }
        }
    const float large[] = {1e9f, -1e9f, INFINITY, -INFINITY, 65519, 65520};
    EACH(variant) {
        variant->half.store(large, 6, found);
        for (size_t i = 0; i < 6; i++)
            assert_int_equal(found[i] & 0x7fff, 0x7bff);
    }
}

static void check_scores(size_t head_dim, size_t n, bool half) {
    enum { STRIDE = TILE + 4 };
    static float queries[20 * 66], found[20 * STRIDE], expected[20 * STRIDE], tile[66 * TILE];
    const struct cache_kernels *definition = format_of(scalar(), half);
    fill(queries, n * head_dim, -1, 1);
    fill_cache(definition, tile, head_dim * TILE);
    definition->scores(queries, n, head_dim, tile, expected, STRIDE);
    EACH(variant) {
        format_of(variant, half)->scores(queries, n, head_dim, tile, found, STRIDE);
        for (size_t j = 0; j < n; j++)
            for (size_t i = 0; i < TILE; i++)
                assert_near(found[j * STRIDE + i], expected[j * STRIDE + i], (float)head_dim);
    }
}

static void scores_agree_for_any_number_of_queries(void **unused) {
    (void)unused;
    for (size_t head_dim = 2; head_dim <= 66; head_dim += 8)
        for (size_t n = 0; n <= 20; n++) {
            check_scores(head_dim, n, true);
            check_scores(head_dim, n, false);
        }
}

static void soften_agrees_in_steps(void **unused) {
    (void)unused;
    EACH(variant) {
        float largest[2] = {-INFINITY, -INFINITY}, sum[2] = {0, 0};
        for (size_t n = 1; n <= 64; n++) {
            float found[64], expected[64];
            fill(expected, n, -20 - (float)n, (float)n);
            memcpy(found, expected, sizeof found);
            float a = scalar()->soften(expected, n, &largest[0], &sum[0]);
            float b = variant->soften(found, n, &largest[1], &sum[1]);
            assert_near(b, a, 1);
            assert_near(sum[1], sum[0], sum[0]);
            assert_true(largest[0] == largest[1]);
            for (size_t i = 0; i < n; i++)
                assert_near(found[i], expected[i], 1);
        }
    }
}

static void check_weighing(size_t width, size_t n, bool half) {
    enum { STRIDE = 70, WIDTH = 7 * TILE };
    static float weights[20 * STRIDE], start[20 * WIDTH], found[20 * WIDTH], expected[20 * WIDTH], scale[20];
    static float values[64 * WIDTH];
    const struct cache_kernels *definition = format_of(scalar(), half);
    size_t n_positions = 1 + n * 3;
    fill(weights, 20 * STRIDE, 0, 1);
    fill(start, n * width, -1, 1);
    fill(scale, n, 0, 1);
    fill_cache(definition, values, n_positions * width);
    memcpy(expected, start, sizeof start);
    definition->weigh(weights, STRIDE, scale, n, values, n_positions, width, expected);
    EACH(variant) {
        memcpy(found, start, sizeof start);
        format_of(variant, half)->weigh(weights, STRIDE, scale, n, values, n_positions, width, found);
        for (size_t i = 0; i < n * width; i++)
            assert_near(found[i], expected[i], (float)n_positions);
    }
}

static void weighing_agrees_and_keeps_what_was_there(void **unused) {
    (void)unused;
    for (size_t width = TILE; width <= 7 * TILE; width += TILE)
        for (size_t n = 0; n <= 20; n++) {
            check_weighing(width, n, true);
            check_weighing(width, n, false);
        }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(last_variant_is_scalar_and_needs_nothing),
        cmocka_unit_test(norms_agree_at_any_length),
        cmocka_unit_test(activations_agree_over_all_magnitudes),
        cmocka_unit_test(soft_caps_agree_over_all_magnitudes),
        cmocka_unit_test(halves_are_rounded_alike_and_saturate),
        cmocka_unit_test(scores_agree_for_any_number_of_queries),
        cmocka_unit_test(soften_agrees_in_steps),
        cmocka_unit_test(weighing_agrees_and_keeps_what_was_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
