/* Template: the scale of a block's row, a lane to a row.
 *
 * A block's weights are scale * q with low <= q <= high. For each of a fixed list of scales, taken from the
 * weight of the largest magnitude, the weights are rounded to integers q; for those the best scale is
 *
 *     d = sum(i w q) / sum(i q q),   rounded to fp16,   error = sum(i w w) - d (2 sum(i w q) - d sum(i q q))
 *
 * with i the importance of a column. The d of least error is kept, and the weights are rounded once more with
 * it, which can only lower the error. Every candidate is itself an fp16 number, so that where fp16 is coarse
 * (scales below 2^-14) the rounding already knows it. */

#include <float.h>

#define N_CANDIDATES 8
#define AT_ONCE 4 /* candidates: their sums and inverses fill most of sixteen registers */

/* Where the sides are uneven, the weight of the largest magnitude takes the lower, longer one, and the scale
 * the sign opposite to its own. */
struct grid {
    float low, high;
    float divisors[N_CANDIDATES]; /* candidate = largest magnitude / divisor */
};

INLINE bool is_even(const struct grid *grid) {
    return grid->low == -grid->high;
}

INLINE vf clamp(vf x, float low, float high) {
    return lesser(greater(x, splat(low)), splat(high));
}

/* The weight of the largest magnitude, with its sign. */
INLINE vf extreme(const float *tile) {
    vf low = load(tile), high = low;
    for (size_t col = 1; col < BLOCK_COLS; col++) {
        low = lesser(low, load(tile + col * PANEL_ROWS));
        high = greater(high, load(tile + col * PANEL_ROWS));
    }
    return select_lanes(high >= -low, high, low);
}

/* What is added makes scales below 2^-14, multiples of 2^-24, round up: else rounding could halve one and
 * send weights beyond the grid. A weight of 0 gives 0, and sums that are no numbers. */
INLINE vf candidate(vf weight, float divisor, const struct grid *grid) {
    vf scale = magnitude(weight) * (1 / divisor) + 0x1p-25f;
    vi sign = is_even(grid) ? (vi){0} : ~(vi)weight & INT32_MIN;
    return (vf)((vi)round_to_half(lesser(scale, splat(65504))) | sign);
}

/* What the rows of one register are searched in. */
struct weights {
    const float *tile;
    const float *importance; /* [BLOCK_COLS] or NULL, and then not exact */
    /* All were fp16 or bf16 numbers of at most 65504: their products with q are floats. */
    bool exact;
};

struct sums {
    vf wq, qq;
};

/* Clamps what can round to beyond the grid. A candidate is the largest magnitude over `divisor`, but for its
 * rounding, unless it was cut to 65504; the divisors of an even grid are such that nothing does. */
INLINE vf limit(vf x, float divisor, bool may_be_cut, const struct grid *grid) {
    const float reach = is_even(grid) ? 0 : may_be_cut ? FLT_MAX : divisor * 1.001f;
    if (-reach < grid->low - 0.5f)
        x = greater(x, splat(grid->low));
    if (reach > grid->high + 0.5f)
        x = lesser(x, splat(grid->high));
    return x;
}

/* Where products are exact, one rounding instead of two makes no difference. */
INLINE void add_column(struct sums *sums, const struct weights *weights, size_t col, vf inverse,
                       float divisor, const struct grid *grid) {
    vf w = load(weights->tile + col * PANEL_ROWS);
    vf q = nearest(limit(w * inverse, divisor, !weights->exact, grid));
    if (weights->exact) {
        sums->wq = fused(w, q, sums->wq);
        sums->qq = fused(q, q, sums->qq);
    } else {
        vf iq = weights->importance ? weights->importance[col] * q : q;
        sums->wq += w * iq;
        sums->qq += q * iq;
    }
}

/* Keeps the better of the best so far and the scale that suits these sums. Where all q are 0 that is no
 * number, and no better. */
INLINE void keep_better(const struct sums *sums, vf *best, vf *best_gain) {
    vf scale = round_to_half(clamp(sums->wq / sums->qq, -65504, 65504));
    vf gain = scale * (2 * sums->wq - scale * sums->qq);
    vi better = gain > *best_gain;
    *best = select_lanes(better, scale, *best);
    *best_gain = select_lanes(better, gain, *best_gain);
}

INLINE void try_some(const struct weights *weights, const vf *inverses, const float *divisors,
                     const struct grid *grid, vf *best, vf *best_gain) {
    struct sums sums[AT_ONCE];
    for (size_t i = 0; i < AT_ONCE; i++)
        sums[i] = (struct sums){splat(0), splat(0)};
    for (size_t col = 0; col < BLOCK_COLS; col++)
        for (size_t i = 0; i < AT_ONCE; i++)
            add_column(&sums[i], weights, col, inverses[i], divisors[i], grid);
    for (size_t i = 0; i < AT_ONCE; i++)
        keep_better(&sums[i], best, best_gain);
}

/* The scales of LANES rows whose extreme weights are given. */
INLINE vf search(const struct weights *weights, vf extremes, const struct grid *grid) {
    vf inverses[N_CANDIDATES], best = splat(0), best_gain = splat(0);
    for (size_t i = 0; i < N_CANDIDATES; i++)
        inverses[i] = 1 / candidate(extremes, grid->divisors[i], grid);
    try_some(weights, inverses, grid->divisors, grid, &best, &best_gain);
    try_some(weights, inverses + AT_ONCE, grid->divisors + AT_ONCE, grid, &best, &best_gain);
    return best;
}

static_assert(N_CANDIDATES == 2 * AT_ONCE, "search() tries all");
