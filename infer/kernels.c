#include "infer/kernels.h"

#include "lib/half.h"

#include <math.h>
#include <string.h>

static double mean(const float *x, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (double)x[i];
    return sum / (double)n;
}

static void norm_around(double m, const float *x, const float *weight, const float *bias, double epsilon,
                        size_t n, float *out) {
    double squares = 0;
    for (size_t i = 0; i < n; i++)
        squares += ((double)x[i] - m) * ((double)x[i] - m);
    float scale = (float)(1 / sqrt(squares / (double)n + epsilon));
    for (size_t i = 0; i < n; i++)
        out[i] = (x[i] - (float)m) * scale * weight[i] + (bias ? bias[i] : 0);
}

static void rms_norm(const float *x, const float *weight, const float *bias, double epsilon, size_t n,
                     float *out) {
    norm_around(0, x, weight, bias, epsilon, n, out);
}

static void layer_norm(const float *x, const float *weight, const float *bias, double epsilon, size_t n,
                       float *out) {
    norm_around(mean(x, n), x, weight, bias, epsilon, n, out);
}

/* Forms that cancel nothing for large negative x. */
static float silu(float x) {
    return x / (1 + expf(-x));
}

static float gelu(float x) {
    return 0.5f * x * erfcf(x * -0x1.6a09e6p-1f); /* sqrt(1/2) */
}

static float gelu_tanh(float x) { /* x * (1 + tanh(u)) / 2 = x / (1 + exp(-2u)) */
    return x / (1 + expf(-2 * 0x1.988454p-1f * (x + 0.044715f * x * x * x))); /* sqrt(2/pi) */
}

#define ACTIVATION(act)                                                                                      \
    static void plain_##act(float *x, size_t n) {                                                            \
        for (size_t i = 0; i < n; i++)                                                                       \
            x[i] = act(x[i]);                                                                                \
    }                                                                                                        \
    static void gated_##act(float *gate, const float *up, size_t n) {                                        \
        for (size_t i = 0; i < n; i++)                                                                       \
            gate[i] = act(gate[i]) * up[i];                                                                  \
    }
ACTIVATION(silu)
ACTIVATION(gelu)
ACTIVATION(gelu_tanh)

static void soft_cap(float *x, size_t n, float cap) {
    for (size_t i = 0; i < n; i++)
        x[i] = cap * tanhf(x[i] / cap);
}

static float soften(float *s, size_t n, float *largest, float *sum) {
    float m = *largest;
    for (size_t i = 0; i < n; i++)
        m = fmaxf(m, s[i]);
    float scale = expf(*largest - m), total = 0;
    for (size_t i = 0; i < n; i++)
        total += s[i] = expf(s[i] - m);
    *largest = m;
    *sum = *sum * scale + total;
    return scale;
}

/* ---- The cache, in either format ---- */

static void store_half(const float *x, size_t n, void *cached) {
    uint16_t *to = cached;
    for (size_t i = 0; i < n; i++)
        to[i] = float_to_half(fmaxf(-65504, fminf(x[i], 65504)));
}

static void store_single(const float *x, size_t n, void *cached) {
    memcpy(cached, x, n * sizeof *x);
}

static float cached_half(const void *cache, size_t i) {
    return half_to_float(((const uint16_t *)cache)[i]);
}

static float cached_single(const void *cache, size_t i) {
    return ((const float *)cache)[i];
}

static void scores_of(const float *queries, size_t n_queries, size_t head_dim, const void *tile,
                      float *scores, size_t stride, float (*cached)(const void *cache, size_t i)) {
    for (size_t j = 0; j < n_queries; j++)
        for (size_t i = 0; i < TILE; i++) {
            float sum = 0;
            for (size_t d = 0; d < head_dim; d++)
                sum += queries[j * head_dim + d] * cached(tile, d * TILE + i);
            scores[j * stride + i] = sum;
        }
}

static void weigh_of(const float *weights, size_t stride, const float *scale, size_t n_queries,
                     const void *values, size_t n_positions, size_t width, float *sums,
                     float (*cached)(const void *cache, size_t i)) {
    for (size_t j = 0; j < n_queries; j++)
        for (size_t d = 0; d < width; d++) {
            float sum = sums[j * width + d] * scale[j];
            for (size_t i = 0; i < n_positions; i++)
                sum += weights[j * stride + i] * cached(values, i * width + d);
            sums[j * width + d] = sum;
        }
}

#define CACHE_KERNELS(format)                                                                                \
    static void scores_##format(const float *queries, size_t n_queries, size_t head_dim, const void *tile,   \
                                float *scores, size_t stride) {                                              \
        scores_of(queries, n_queries, head_dim, tile, scores, stride, cached_##format);                      \
    }                                                                                                        \
    static void weigh_##format(const float *weights, size_t stride, const float *scale, size_t n_queries,    \
                               const void *values, size_t n_positions, size_t width, float *sums) {          \
        weigh_of(weights, stride, scale, n_queries, values, n_positions, width, sums, cached_##format);      \
    }
CACHE_KERNELS(half)
CACHE_KERNELS(single)

static const struct kernels kernels_scalar = {
    .name = "scalar",
    .norm = {rms_norm, layer_norm},
    .act = {{plain_silu, gated_silu}, {plain_gelu, gated_gelu}, {plain_gelu_tanh, gated_gelu_tanh}},
    .soft_cap = soft_cap,
    .soften = soften,
    .half = {sizeof(uint16_t), store_half, scores_half, weigh_half},
    .single = {sizeof(float), store_single, scores_single, weigh_single},
};

#if defined(__x86_64__)
extern const struct kernels kernels_avx512, kernels_avx2;
#elif defined(__aarch64__)
extern const struct kernels kernels_neon;
#endif

const struct kernels *const kernel_variants[] = {
#if defined(__x86_64__)
    &kernels_avx512,
    &kernels_avx2,
#elif defined(__aarch64__)
    &kernels_neon,
#endif
    &kernels_scalar,
    NULL,
};

const struct kernels *kernels_best(void) {
    size_t i = 0;
    while (kernel_variants[i]->needs & ~cpu_features())
        i++;
    return kernel_variants[i];
}
