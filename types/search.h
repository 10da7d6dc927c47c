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

#define N_CANDIDATES 8

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

struct sums {
    vf wq, qq;
};

/* The divisors of an even grid are such that nothing rounds to beyond it. */
INLINE void add_column(struct sums *sums, vf w, vf inverse, const float *importance,
                       const struct grid *grid) {
    vf q = nearest(is_even(grid) ? w * inverse : clamp(w * inverse, grid->low, grid->high));
    vf iq = importance ? *importance * q : q;
    sums->wq += w * iq;
    sums->qq += q * iq;
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

/* The scale of LANES rows of a tile whose extreme weights are given; importance [BLOCK_COLS] or NULL. Two
 * candidates at a time, to hide the latency of their sums. */
INLINE vf search(const float *tile, vf weight, const float *importance, const struct grid *grid) {
    vf best = splat(0), best_gain = splat(0);
    for (size_t i = 0; i < N_CANDIDATES; i += 2) {
        vf first = 1 / candidate(weight, grid->divisors[i], grid);
        vf second = 1 / candidate(weight, grid->divisors[i + 1], grid);
        struct sums a = {splat(0), splat(0)}, b = a;
        for (size_t col = 0; col < BLOCK_COLS; col++) {
            vf w = load(tile + col * PANEL_ROWS);
            add_column(&a, w, first, importance ? importance + col : NULL, grid);
            add_column(&b, w, second, importance ? importance + col : NULL, grid);
        }
        keep_better(&a, &best, &best_gain);
        keep_better(&b, &best, &best_gain);
    }
    return best;
}
