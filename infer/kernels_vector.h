/* The kernels over vectors of LANES floats, by the compilers' vector extensions. Each instruction set's file
 * defines what the extensions do not cover, then includes this once:
 *
 *   LANES                       floats to a vector: 4, 8 or 16
 *   TARGET                      the attribute that enables the instructions for one function
 *   MULTIPLY_ADD(a, b, c)       a * b + c, rounded once
 *   LOAD_HALVES(pointer)        LANES binary16 values, as floats
 *   STORE_HALVES(pointer, x)    back, nearest even */
#include "infer/kernels.h"

#include <math.h>
#include <string.h>

typedef float vfloat __attribute__((vector_size(4 * LANES)));
typedef int32_t vint __attribute__((vector_size(4 * LANES)));

#define VECTORS (TILE / LANES) /* to a tile */
#define INLINE static inline __attribute__((always_inline)) TARGET

INLINE vfloat load(const float *from) {
    vfloat x;
    memcpy(&x, from, sizeof x);
    return x;
}

INLINE void store(float *to, vfloat x) {
    memcpy(to, &x, sizeof x);
}

/* n < LANES values, zeros behind them. */
INLINE vfloat load_some(const float *from, size_t n) {
    float part[LANES] = {0};
    memcpy(part, from, n * sizeof *part);
    return load(part);
}

INLINE void store_some(float *to, vfloat x, size_t n) {
    float part[LANES];
    store(part, x);
    memcpy(to, part, n * sizeof *part);
}

INLINE vfloat all(float x) {
    return x - (vfloat){0};
}

INLINE vfloat choose(vint mask, vfloat yes, vfloat no) {
    return (vfloat)((mask & (vint)yes) | (~mask & (vint)no));
}

INLINE vfloat larger(vfloat a, vfloat b) {
    return choose(a > b, a, b);
}

INLINE vfloat smaller(vfloat a, vfloat b) {
    return choose(a < b, a, b);
}

INLINE float sum_of(vfloat x) {
    float lane[LANES];
    memcpy(lane, &x, sizeof x);
    for (int n = LANES / 2; n; n /= 2)
        for (int i = 0; i < n; i++)
            lane[i] += lane[i + n];
    return lane[0];
}

INLINE float largest_of(vfloat x) {
    float lane[LANES], m;
    memcpy(lane, &x, sizeof x);
    m = lane[0];
    for (int i = 1; i < LANES; i++)
        m = lane[i] > m ? lane[i] : m;
    return m;
}

/* e^x to 2 units in the last place. x = n ln 2 + r with |r| <= ln 2 / 2; ln 2 is split in two (Cody and
 * Waite) so that r is exact; e^r by a polynomial of degree 6 (minimax, relative error 3e-9). Below -87 the
 * result is 0, above 88 it is e^88. NaN stays NaN. */
INLINE vfloat exponential(vfloat x) {
    const vfloat round = all(0x1.8p23f);
    vfloat bounded = choose(x > all(88), all(88), choose(x < all(-87), all(-87), x));
    vfloat shifted = MULTIPLY_ADD(bounded, all(0x1.715476p0f), round); /* log2 e */
    vfloat n = shifted - round;
    vfloat r = MULTIPLY_ADD(n, all(-0x1.62e4p-1f), bounded);
    r = MULTIPLY_ADD(n, all(-0x1.7f7d1cp-20f), r);
    vfloat p = all(0x1.6a23dcp-10f);
    p = MULTIPLY_ADD(p, r, all(0x1.123a1ep-7f));
    p = MULTIPLY_ADD(p, r, all(0x1.5558f2p-5f));
    p = MULTIPLY_ADD(p, r, all(0x1.555492p-3f));
    p = MULTIPLY_ADD(p, r, all(0x1.fffffcp-2f));
    p = MULTIPLY_ADD(p, r, all(1));
    p = MULTIPLY_ADD(p, r, all(1));
    vfloat power = (vfloat)(((vint)shifted << 23) + (vint)all(1)); /* the low bits of `shifted` are n */
    return (vfloat)((vint)(p * power) & ~(x < all(-87)));
}

/* tanh(x) to 3 units in the last place: by an odd polynomial (minimax, relative error 7e-9) up to 0.65, where
 * what follows would cancel; else 1 - 2 / (e^2|x| + 1). */
INLINE vfloat hyperbolic_tangent(vfloat x) {
    vfloat size = larger(x, -x), z = x * x;
    vfloat p = all(-0x1.6970fp-8f);
    p = MULTIPLY_ADD(p, z, all(0x1.4f5eeep-6f));
    p = MULTIPLY_ADD(p, z, all(-0x1.b7cffp-5f));
    p = MULTIPLY_ADD(p, z, all(0x1.1103f2p-3f));
    p = MULTIPLY_ADD(p, z, all(-0x1.555524p-2f));
    vfloat near = MULTIPLY_ADD(p * z, x, x);
    vfloat far = all(1) - all(2) / (exponential(size + size) + all(1));
    return choose(size < all(0.65f), near, choose(x < all(0), -far, far));
}

/* erfc(x) for x >= 0: e^(-x^2) t P(t), t = 1 / (1 + 0.3 x); P a polynomial (minimax up to 10, where erfc is
 * 2e-45; relative error 2e-8). Squaring x costs another x^2 units in the last place. */
INLINE vfloat complementary_error(vfloat x) {
    vfloat t = all(1) / MULTIPLY_ADD(x, all(0.3f), all(1));
    vfloat p = all(-0x1.09436ep-3f);
    p = MULTIPLY_ADD(p, t, all(0x1.f137ccp-2f));
    p = MULTIPLY_ADD(p, t, all(-0x1.0649aap-1f));
    p = MULTIPLY_ADD(p, t, all(0x1.186f3p-1f));
    p = MULTIPLY_ADD(p, t, all(-0x1.83b302p-4f));
    p = MULTIPLY_ADD(p, t, all(0x1.b82bbcp-3f));
    p = MULTIPLY_ADD(p, t, all(0x1.2fcc48p-3f));
    p = MULTIPLY_ADD(p, t, all(0x1.5d9ff8p-3f));
    p = MULTIPLY_ADD(p, t, all(0x1.5a7f3ep-3f));
    return exponential(-x * x) * t * p;
}

/* ---- Norms ---- */

INLINE float sum_of_values(const float *x, size_t n) {
    vfloat sums = all(0);
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
        sums += load(x + i);
    float total = sum_of(sums);
    for (; i < n; i++)
        total += x[i];
    return total;
}

INLINE float sum_of_squares(const float *x, float mean, size_t n) {
    vfloat squares[2] = {all(0), all(0)};
    size_t i = 0;
    for (; i + 2 * LANES <= n; i += 2 * LANES) {
        vfloat a = load(x + i) - mean, b = load(x + i + LANES) - mean;
        squares[0] = MULTIPLY_ADD(a, a, squares[0]);
        squares[1] = MULTIPLY_ADD(b, b, squares[1]);
    }
    float total = sum_of(squares[0] + squares[1]);
    for (; i < n; i++)
        total += (x[i] - mean) * (x[i] - mean);
    return total;
}

INLINE void norm_around(float mean, const float *x, const float *weight, const float *bias, double epsilon,
                        size_t n, float *out) {
    float scale = (float)(1 / sqrt((double)sum_of_squares(x, mean, n) / (double)n + epsilon));
    size_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        vfloat y = (load(x + i) - mean) * scale * load(weight + i);
        store(out + i, bias ? y + load(bias + i) : y);
    }
    for (; i < n; i++)
        out[i] = (x[i] - mean) * scale * weight[i] + (bias ? bias[i] : 0);
}

TARGET static void rms_norm(const float *x, const float *weight, const float *bias, double epsilon, size_t n,
                            float *out) {
    norm_around(0, x, weight, bias, epsilon, n, out);
}

TARGET static void layer_norm(const float *x, const float *weight, const float *bias, double epsilon,
                              size_t n, float *out) {
    norm_around(sum_of_values(x, n) / (float)n, x, weight, bias, epsilon, n, out);
}

/* ---- Activations ---- */

INLINE vfloat silu(vfloat x) {
    return x / (all(1) + exponential(-x));
}

INLINE vfloat gelu(vfloat x) {
    vfloat size = larger(x, -x);
    vfloat tail = all(0.5f) * size * complementary_error(size * 0x1.6a09e6p-1f); /* sqrt(1/2) */
    return choose(x > all(0), x - tail, -tail);
}

INLINE vfloat gelu_tanh(vfloat x) {
    vfloat cubed = x * x * x;
    return x / (all(1) + exponential(-2 * 0x1.988454p-1f * (x + 0.044715f * cubed))); /* sqrt(2/pi) */
}

INLINE vfloat capped(vfloat x, float cap) {
    return hyperbolic_tangent(x / all(cap)) * cap;
}

/* x[i] becomes `expression` of v, a vector from x[i] on, and of w, one from y[i] on. */
#define FOR_EACH(x, y, n, expression)                                                                        \
    size_t i = 0;                                                                                            \
    for (; i + LANES <= n; i += LANES) {                                                                     \
        vfloat v = load(x + i), w = load(y + i);                                                             \
        (void)w;                                                                                             \
        store(x + i, expression);                                                                            \
    }                                                                                                        \
    vfloat v = load_some(x + i, n - i), w = load_some(y + i, n - i);                                         \
    (void)w;                                                                                                 \
    store_some(x + i, expression, n - i);

#define ACTIVATION(act)                                                                                      \
    TARGET static void plain_##act(float *x, size_t n){                                                      \
        FOR_EACH(x, x, n, act(v))} TARGET static void gated_##act(float *gate, const float *up, size_t n) {  \
        FOR_EACH(gate, up, n, act(v) * w)                                                                    \
    }
ACTIVATION(silu)
ACTIVATION(gelu)
ACTIVATION(gelu_tanh)

TARGET static void soft_cap(float *x, size_t n, float cap){FOR_EACH(x, x, n, capped(v, cap))}

/* ---- Softmax ---- */

TARGET static float soften(float *s, size_t n, float *largest, float *sum) {
    vfloat peaks = all(*largest), totals = all(0);
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
        peaks = larger(peaks, load(s + i));
    float rest[LANES], m, old = *largest;
    store(rest, all(-INFINITY));
    memcpy(rest, s + i, (n - i) * sizeof(float));
    m = largest_of(larger(peaks, load(rest)));
    for (size_t k = 0; k + LANES <= n; k += LANES) {
        vfloat e = exponential(load(s + k) - m);
        store(s + k, e);
        totals += e;
    }
    vfloat e = exponential(load(rest) - m);
    store(rest, e);
    memcpy(s + i, rest, (n - i) * sizeof(float));
    float scale = expf(old - m);
    *largest = m;
    *sum = *sum * scale + sum_of(totals + e);
    return scale;
}

/* ---- The cache ---- */

INLINE vfloat saturated(vfloat x) {
    return larger(smaller(x, all(65504)), all(-65504));
}

TARGET static void store_half(const float *x, size_t n, void *cached) {
    uint16_t *to = cached;
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
        STORE_HALVES(to + i, saturated(load(x + i)));
    float rest[LANES] = {0};
    uint16_t halves[LANES];
    memcpy(rest, x + i, (n - i) * sizeof(float));
    STORE_HALVES(halves, saturated(load(rest)));
    memcpy(to + i, halves, (n - i) * sizeof *to);
}

TARGET static void store_single(const float *x, size_t n, void *cached) {
    memcpy(cached, x, n * sizeof *x);
}

enum format { HALF, SINGLE };

INLINE vfloat cached(const void *cache, size_t i, enum format format) {
    if (format == SINGLE)
        return load((const float *)cache + i);
    return LOAD_HALVES((const uint16_t *)cache + i);
}

INLINE const void *behind(const void *cache, size_t n, enum format format) {
    return (const char *)cache + n * (format == HALF ? sizeof(uint16_t) : sizeof(float));
}

/* Keys and values are read in turn, a block of each, so that a core's own prefetchers begin anew every few
 * lines. Fetched this much ahead, the next block comes while this one is worked on: 64 positions of 64
 * halves. */
#define BYTES_AHEAD 8192

INLINE void fetch_ahead(const void *cache, size_t n, enum format format) {
    __builtin_prefetch((const void *)((uintptr_t)behind(cache, n, format) + BYTES_AHEAD), 0, 2);
}

/* As many queries at once as accumulators fit in 16 registers. What follows is inlined for each count of them
 * and each format. */
#define AT_ONCE 6

INLINE void scores_of(size_t n, const float *queries, size_t head_dim, const void *tile, float *scores,
                      size_t stride, enum format format) {
    vfloat sums[AT_ONCE][VECTORS];
    for (size_t j = 0; j < n; j++)
        for (size_t v = 0; v < VECTORS; v++)
            sums[j][v] = all(0);
    for (size_t d = 0; d < head_dim; d++) {
        vfloat keys[VECTORS];
        fetch_ahead(tile, d * TILE, format);
        for (size_t v = 0; v < VECTORS; v++)
            keys[v] = cached(tile, d * TILE + v * LANES, format);
        for (size_t j = 0; j < n; j++)
            for (size_t v = 0; v < VECTORS; v++)
                sums[j][v] = MULTIPLY_ADD(keys[v], all(queries[j * head_dim + d]), sums[j][v]);
    }
    for (size_t j = 0; j < n; j++)
        for (size_t v = 0; v < VECTORS; v++)
            store(scores + j * stride + v * LANES, sums[j][v]);
}

/* Columns of `n_tiles` tiles of every value, for n queries. */
INLINE void weigh_columns(size_t n, size_t n_tiles, const float *weights, size_t stride, const float *scale,
                          const void *values, size_t n_positions, size_t width, float *sums,
                          enum format format) {
    vfloat sum[AT_ONCE][2 * VECTORS], value[2 * VECTORS];
    for (size_t j = 0; j < n; j++)
        for (size_t v = 0; v < n_tiles * VECTORS; v++)
            sum[j][v] = load(sums + j * width + v * LANES) * scale[j];
    for (size_t i = 0; i < n_positions; i++) {
        fetch_ahead(values, i * width, format);
        for (size_t v = 0; v < n_tiles * VECTORS; v++)
            value[v] = cached(values, i * width + v * LANES, format);
        for (size_t j = 0; j < n; j++)
            for (size_t v = 0; v < n_tiles * VECTORS; v++)
                sum[j][v] = MULTIPLY_ADD(value[v], all(weights[j * stride + i]), sum[j][v]);
    }
    for (size_t j = 0; j < n; j++)
        for (size_t v = 0; v < n_tiles * VECTORS; v++)
            store(sums + j * width + v * LANES, sum[j][v]);
}

INLINE void weigh_of(size_t n, const float *weights, size_t stride, const float *scale, const void *values,
                     size_t n_positions, size_t width, float *sums, enum format format) {
    size_t n_tiles = n <= 2 ? 2 : 1, d = 0; /* enough sums at once to hide the latency of adding */
    for (; d + n_tiles * TILE <= width; d += n_tiles * TILE)
        weigh_columns(n, n_tiles, weights, stride, scale, behind(values, d, format), n_positions, width,
                      sums + d, format);
    for (; d < width; d += TILE)
        weigh_columns(n, 1, weights, stride, scale, behind(values, d, format), n_positions, width, sums + d,
                      format);
}

/* Calls name(n, ...) with n a constant for the compiler. */
#define FOR_COUNT(n, name, ...)                                                                              \
    switch (n) {                                                                                             \
    case 0:                                                                                                  \
        break;                                                                                               \
    case 1:                                                                                                  \
        name(1, __VA_ARGS__);                                                                                \
        break;                                                                                               \
    case 2:                                                                                                  \
        name(2, __VA_ARGS__);                                                                                \
        break;                                                                                               \
    case 3:                                                                                                  \
        name(3, __VA_ARGS__);                                                                                \
        break;                                                                                               \
    case 4:                                                                                                  \
        name(4, __VA_ARGS__);                                                                                \
        break;                                                                                               \
    case 5:                                                                                                  \
        name(5, __VA_ARGS__);                                                                                \
        break;                                                                                               \
    default:                                                                                                 \
        name(AT_ONCE, __VA_ARGS__);                                                                          \
    }

#define CACHE_KERNELS(format, FORMAT)                                                                        \
    TARGET static void scores_##format(const float *queries, size_t n_queries, size_t head_dim,              \
                                       const void *tile, float *scores, size_t stride) {                     \
        for (size_t j = 0; j < n_queries; j += AT_ONCE)                                                      \
            FOR_COUNT(n_queries - j, scores_of, queries + j * head_dim, head_dim, tile, scores + j * stride, \
                      stride, FORMAT)                                                                        \
    }                                                                                                        \
    TARGET static void weigh_##format(const float *weights, size_t stride, const float *scale,               \
                                      size_t n_queries, const void *values, size_t n_positions,              \
                                      size_t width, float *sums) {                                           \
        for (size_t j = 0; j < n_queries; j += AT_ONCE)                                                      \
            FOR_COUNT(n_queries - j, weigh_of, weights + j * stride, stride, scale + j, values, n_positions, \
                      width, sums + j * width, FORMAT)                                                       \
    }
CACHE_KERNELS(half, HALF)
CACHE_KERNELS(single, SINGLE)

/* The variant's table. */
#define KERNELS(its_name, its_needs)                                                                         \
    {                                                                                                        \
        .name = its_name, .needs = its_needs, .norm = {rms_norm, layer_norm},                                \
        .act = {{plain_silu, gated_silu}, {plain_gelu, gated_gelu}, {plain_gelu_tanh, gated_gelu_tanh}},     \
        .soft_cap = soft_cap, .soften = soften,                                                              \
        .half = {sizeof(uint16_t), store_half, scores_half, weigh_half},                                     \
        .single = {sizeof(float), store_single, scores_single, weigh_single},                                \
    }
