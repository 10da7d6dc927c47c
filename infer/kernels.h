/* The forward pass's work beside the matrices: norms, activations and attention.
 *
 * The scalar functions in kernels.c are the definition; the variants compute the same to within 1e-6 of the
 * largest magnitude involved (another order of sums; exponentials, hyperbolic tangents and error functions by
 * polynomial). */
#ifndef INFER_KERNELS_H
#define INFER_KERNELS_H

#include "lib/cpu.h"
#include "models/config.h"

#define TILE 16 /* positions to a tile of keys, and the multiple to which value rows are padded */

/* A cache of keys and values in one format: binary16, or binary32 for models whose weights are. */
struct cache_kernels {
    size_t value_bytes; /* of one cached value */

    /* n values as the cache keeps them; what is too large for binary16 becomes its largest finite value. */
    void (*store)(const float *x, size_t n, void *cached);

    /* scores[j * stride + i] = queries[j] . key i, for the TILE keys of a tile, transposed: tile[d * TILE +
     * i]. queries (n_queries, head_dim). */
    void (*scores)(const float *queries, size_t n_queries, size_t head_dim, const void *tile, float *scores,
                   size_t stride);

    /* sums[j] = sums[j] * scale[j] + the sum over i < n_positions of weights[j * stride + i] * values[i], in
     * rows of `width` values (a multiple of TILE). sums (n_queries, width). */
    void (*weigh)(const float *weights, size_t stride, const float *scale, size_t n_queries,
                  const void *values, size_t n_positions, size_t width, float *sums);
};

/* out[i] = (x[i] - m) / sqrt(mean of (x - m)^2 + epsilon) * weight[i] + bias[i], m being the mean of x for
 * layer norm and 0 for RMS norm. bias may be NULL, out may be x. */
typedef void norm_fn(const float *x, const float *weight, const float *bias, double epsilon, size_t n,
                     float *out);

struct activation_kernels {
    void (*plain)(float *x, size_t n); /* x[i] = act(x[i]) */
    void (*gated)(float *gate, const float *up, size_t n); /* gate[i] = act(gate[i]) * up[i] (Shazeer 2020) */
};

#define NORM_KINDS (NORM_LAYER + 1)
#define ACTIVATIONS (ACT_GELU_TANH + 1)

struct kernels {
    const char *name;
    uint32_t needs; /* enum cpu_feature */

    norm_fn *norm[NORM_KINDS]; /* by enum norm_kind */
    struct activation_kernels act[ACTIVATIONS]; /* by enum activation */

    /* x[i] = cap * tanh(x[i] / cap). */
    void (*soft_cap)(float *x, size_t n, float cap);

    /* One step of an online softmax (Milakov and Gimelshein 2018). scores[i] becomes exp(scores[i] - m), m
     * being the largest of *largest and all n scores, which goes to *largest. Returns what earlier sums must
     * be scaled by, exp(old *largest - m); *sum is scaled so and increased by the new terms. n is at least 1;
     * *largest may start as -infinity, scores are finite. */
    float (*soften)(float *scores, size_t n, float *largest, float *sum);

    struct cache_kernels half, single; /* binary16, binary32 */
};

extern const struct kernels *const kernel_variants[]; /* best first, scalar last, NULL behind it */

/* The best that this processor (as cpu_limit left it) can do. */
const struct kernels *kernels_best(void);

#endif
