#include "infer/kernels.h"

#include "lib/half.h"

#include <math.h>

static void rms_norm(const float *x, const float *weight, double epsilon, size_t n, float *out) {
    double squares = 0;
    for (size_t i = 0; i < n; i++)
        squares += (double)x[i] * x[i];
    float scale = (float)(1 / sqrt(squares / (double)n + epsilon));
    for (size_t i = 0; i < n; i++)
        out[i] = x[i] * scale * weight[i];
}

static void swiglu(float *gate, const float *up, size_t n) {
    for (size_t i = 0; i < n; i++)
        gate[i] = gate[i] / (1 + expf(-gate[i])) * up[i];
}

static void to_half(const float *x, size_t n, uint16_t *out) {
    for (size_t i = 0; i < n; i++)
        out[i] = float_to_half(fmaxf(-65504, fminf(x[i], 65504)));
}

static void scores(const float *queries, size_t n_queries, size_t head_dim, const uint16_t *tile,
                   float *scores_out, size_t stride) {
    for (size_t j = 0; j < n_queries; j++) {
        float *sums = scores_out + j * stride;
        for (size_t i = 0; i < TILE; i++)
            sums[i] = 0;
        for (size_t d = 0; d < head_dim; d++)
            for (size_t i = 0; i < TILE; i++)
                sums[i] += queries[j * head_dim + d] * half_to_float(tile[d * TILE + i]);
    }
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

static void weigh(const float *weights, size_t stride, const float *scale, size_t n_queries,
                  const uint16_t *values, size_t n_positions, size_t width, float *sums) {
    for (size_t j = 0; j < n_queries; j++)
        for (size_t d = 0; d < width; d++) {
            float sum = sums[j * width + d] * scale[j];
            for (size_t i = 0; i < n_positions; i++)
                sum += weights[j * stride + i] * half_to_float(values[i * width + d]);
            sums[j * width + d] = sum;
        }
}

static const struct kernels kernels_scalar = {"scalar", 0, rms_norm, swiglu, to_half, scores, soften, weigh};

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
