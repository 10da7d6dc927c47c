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

TARGET static void rms_norm(const float *x, const float *weight, double epsilon, size_t n, float *out) {
    vfloat squares[2] = {all(0), all(0)};
    size_t i = 0;
    for (; i + 2 * LANES <= n; i += 2 * LANES) {
        vfloat a = load(x + i), b = load(x + i + LANES);
        squares[0] = MULTIPLY_ADD(a, a, squares[0]);
        squares[1] = MULTIPLY_ADD(b, b, squares[1]);
    }
    float total = sum_of(squares[0] + squares[1]);
    for (; i < n; i++)
        total += x[i] * x[i];
    float scale = (float)(1 / sqrt((double)total / (double)n + epsilon));
    for (i = 0; i + LANES <= n; i += LANES)
        store(out + i, load(x + i) * scale * load(weight + i));
    for (; i < n; i++)
        out[i] = x[i] * scale * weight[i];
}

INLINE vfloat gated(vfloat gate, vfloat up) {
    return gate / (all(1) + exponential(-gate)) * up;
}

TARGET static void swiglu(float *gate, const float *up, size_t n) {
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
        store(gate + i, gated(load(gate + i), load(up + i)));
    float rest[2][LANES] = {{0}};
    memcpy(rest[0], gate + i, (n - i) * sizeof(float));
    memcpy(rest[1], up + i, (n - i) * sizeof(float));
    store(rest[0], gated(load(rest[0]), load(rest[1])));
    memcpy(gate + i, rest[0], (n - i) * sizeof(float));
}

INLINE vfloat saturated(vfloat x) {
    return larger(smaller(x, all(65504)), all(-65504));
}

TARGET static void to_half(const float *x, size_t n, uint16_t *out) {
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
        STORE_HALVES(out + i, saturated(load(x + i)));
    float rest[LANES] = {0};
    uint16_t halves[LANES];
    memcpy(rest, x + i, (n - i) * sizeof(float));
    STORE_HALVES(halves, saturated(load(rest)));
    memcpy(out + i, halves, (n - i) * sizeof *out);
}

/* As many queries at once as accumulators fit in 16 registers; inlined for each count of them. */
#define AT_ONCE 6

INLINE void scores_of(size_t n, const float *queries, size_t head_dim, const uint16_t *tile, float *scores,
                      size_t stride) {
    vfloat sums[AT_ONCE][VECTORS];
    for (size_t j = 0; j < n; j++)
        for (size_t v = 0; v < VECTORS; v++)
            sums[j][v] = all(0);
    for (size_t d = 0; d < head_dim; d++) {
        vfloat keys[VECTORS];
        for (size_t v = 0; v < VECTORS; v++)
            keys[v] = LOAD_HALVES(tile + d * TILE + v * LANES);
        for (size_t j = 0; j < n; j++)
            for (size_t v = 0; v < VECTORS; v++)
                sums[j][v] = MULTIPLY_ADD(keys[v], all(queries[j * head_dim + d]), sums[j][v]);
    }
    for (size_t j = 0; j < n; j++)
        for (size_t v = 0; v < VECTORS; v++)
            store(scores + j * stride + v * LANES, sums[j][v]);
}

TARGET static void scores(const float *queries, size_t n_queries, size_t head_dim, const uint16_t *tile,
                          float *to, size_t stride) {
    for (; n_queries >= AT_ONCE; n_queries -= AT_ONCE) {
        scores_of(AT_ONCE, queries, head_dim, tile, to, stride);
        queries += AT_ONCE * head_dim;
        to += AT_ONCE * stride;
    }
    switch (n_queries) {
    case 1:
        scores_of(1, queries, head_dim, tile, to, stride);
        break;
    case 2:
        scores_of(2, queries, head_dim, tile, to, stride);
        break;
    case 3:
        scores_of(3, queries, head_dim, tile, to, stride);
        break;
    case 4:
        scores_of(4, queries, head_dim, tile, to, stride);
        break;
    case 5:
        scores_of(5, queries, head_dim, tile, to, stride);
        break;
    }
}

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

/* Columns of `n_tiles` tiles of every value, for n queries. */
INLINE void weigh_of(size_t n, size_t n_tiles, const float *weights, size_t stride, const float *scale,
                     const uint16_t *values, size_t n_positions, size_t width, float *sums) {
    vfloat sum[AT_ONCE][4 * VECTORS];
    for (size_t j = 0; j < n; j++)
        for (size_t v = 0; v < n_tiles * VECTORS; v++)
            sum[j][v] = load(sums + j * width + v * LANES) * scale[j];
    for (size_t i = 0; i < n_positions; i++)
        for (size_t v = 0; v < n_tiles * VECTORS; v++) {
            vfloat value = LOAD_HALVES(values + i * width + v * LANES);
            for (size_t j = 0; j < n; j++)
                sum[j][v] = MULTIPLY_ADD(value, all(weights[j * stride + i]), sum[j][v]);
        }
    for (size_t j = 0; j < n; j++)
        for (size_t v = 0; v < n_tiles * VECTORS; v++)
            store(sums + j * width + v * LANES, sum[j][v]);
}

INLINE void weigh_row(size_t n, size_t n_tiles, const float *weights, size_t stride, const float *scale,
                      const uint16_t *values, size_t n_positions, size_t width, float *sums) {
    size_t d = 0;
    for (; d + n_tiles * TILE <= width; d += n_tiles * TILE)
        weigh_of(n, n_tiles, weights, stride, scale, values + d, n_positions, width, sums + d);
    for (; d < width; d += TILE)
        weigh_of(n, 1, weights, stride, scale, values + d, n_positions, width, sums + d);
}

TARGET static void weigh(const float *weights, size_t stride, const float *scale, size_t n_queries,
                         const uint16_t *values, size_t n_positions, size_t width, float *sums) {
    for (; n_queries >= AT_ONCE; n_queries -= AT_ONCE) {
        weigh_row(AT_ONCE, 1, weights, stride, scale, values, n_positions, width, sums);
        weights += AT_ONCE * stride;
        scale += AT_ONCE;
        sums += AT_ONCE * width;
    }
    switch (n_queries) {
    case 1:
        weigh_row(1, 4, weights, stride, scale, values, n_positions, width, sums);
        break;
    case 2:
        weigh_row(2, 2, weights, stride, scale, values, n_positions, width, sums);
        break;
    case 3:
        weigh_row(3, 2, weights, stride, scale, values, n_positions, width, sums);
        break;
    case 4:
        weigh_row(4, 1, weights, stride, scale, values, n_positions, width, sums);
        break;
    case 5:
        weigh_row(5, 1, weights, stride, scale, values, n_positions, width, sums);
        break;
    }
}
