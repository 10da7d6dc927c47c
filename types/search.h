/* Template: the scale of a block's row, a lane to a row.
 *
 * A block's weights are scale * q with low <= q <= high. For each of a fixed list of scales, taken from the
 * weight of the largest magnitude, the weights are rounded to integers q; for those the best scale is
 *
 *     d = sum(i w q) / sum(i q q),   rounded to fp16,   error = sum(i w w) - d (2 sum(i w q) - d sum(i q q))
 *
 * with i the importance of a column. The d of least error is kept, and the weights are rounded once more with
 * it, which can only lower the error.
 *
 * All this is done in 16-bit integers, two columns to a lane: w in units of which the largest has UNITS, so
 * that q = w * factor / 2^15 is one rounded product, and sums are exact. Only the last rounding, which
 * decides what is written, sees the weights themselves. */

#define UNITS 0x1p12f
#define FACTORS_PER_LEVEL 8 /* 2^15 / UNITS: a candidate scale is the largest magnitude * 8 / factor */
#define PAIRS (BLOCK_COLS / 2)
#define AT_ONCE 4 /* candidates, for each load of w, and to hide the latency of what follows their sums */
#define N_CANDIDATES 8

/* Where the sides are uneven, the weight of the largest magnitude takes the lower, longer one, and the scale
 * the sign opposite to its own. */
struct grid {
    int low, high;
    int factors[N_CANDIDATES]; /* falling */
};

INLINE bool is_even(const struct grid *grid) {
    return grid->low == -grid->high;
}

INLINE vf clamp(vf x, float low, float high) {
    return lesser(greater(x, splat(low)), splat(high));
}

/* What becomes UNITS: the largest magnitude, or minus the weight that has it. */
INLINE vf extreme(const float *tile, const struct grid *grid) {
    vf low = load(tile), high = low;
    for (size_t col = 1; col < BLOCK_COLS; col++) {
        low = lesser(low, load(tile + col * PANEL_ROWS));
        high = greater(high, load(tile + col * PANEL_ROWS));
    }
    vf largest = greater(high, -low);
    return is_even(grid) ? largest : select_lanes(high >= -low, -high, -low);
}

/* Pairs are columns 0 and 2 of each four, 1 and 3. */
INLINE size_t first_of_pair(size_t i) {
    return 2 * i - i % 2;
}

/* Pair i of a tile's columns, times `inverse`. */
INLINE vi pair_of(const float *tile, size_t i, vf inverse) {
    const float *col = tile + first_of_pair(i) * PANEL_ROWS;
    return round_pairs(load(col) * inverse, load(col + 2 * PANEL_ROWS) * inverse);
}

struct sums {
    vf wq, qq;
};

/* Rows some of whose candidates are below 2^-14, where scales are multiples of 2^-24, or beyond 65504. */
INLINE vi near_limits(vf largest, const struct grid *grid) {
    const float least = (float)grid->factors[N_CANDIDATES - 1] / FACTORS_PER_LEVEL;
    const float most = (float)grid->factors[0] / FACTORS_PER_LEVEL;
    return (magnitude(largest) < 0x1p-14f * most) | (magnitude(largest) > 65504 * least);
}

/* Near the limits a candidate is a scale that exists, rounded up lest weights come to lie beyond the grid,
 * and the factor is what suits it. */
INLINE vi factor_of(vf largest, vi limited, bool any_limited, int factor) {
    if (!any_limited)
        return splat_pair(factor);
    vf wanted = magnitude(largest) * (FACTORS_PER_LEVEL / (float)factor) + 0x1p-25f;
    vf scale = greater(round_to_half(lesser(wanted, splat(65504))), splat(0x1p-24f));
    vf suited = magnitude(largest) * FACTORS_PER_LEVEL / scale;
    return (vi)select_lanes(limited, (vf)round_pairs(suited, suited), (vf)splat_pair(factor));
}

/* Of AT_ONCE candidates. */
INLINE void sum_some(const vi *w, const vi *factors, bool clips, const struct grid *grid, struct sums *sums) {
    vi wq[AT_ONCE] = {0}, qq[AT_ONCE] = {0};
    LOOP_AS_WRITTEN
    for (size_t i = 0; i < PAIRS; i++)
        for (size_t j = 0; j < AT_ONCE; j++) {
            vi q = scale_pairs(w[i], factors[j]);
            if (clips)
                q = clamp_pairs(q, grid->low, grid->high);
            wq[j] = add_pairs(wq[j], w[i], q);
            qq[j] = add_pairs(qq[j], q, q);
        }
    for (size_t j = 0; j < AT_ONCE; j++)
        sums[j] = (struct sums){__builtin_convertvector(wq[j], vf), __builtin_convertvector(qq[j], vf)};
}

INLINE void add_weighted(struct sums *sums, vi w, vi q, float importance) {
    vf iq = importance * __builtin_convertvector(q, vf);
    sums->wq += __builtin_convertvector(w, vf) * iq;
    sums->qq += __builtin_convertvector(q, vf) * iq;
}

INLINE struct sums sum_weighted(const vi *w, vi factor, const float *importance, const struct grid *grid) {
    struct sums sums = {splat(0), splat(0)};
    LOOP_AS_WRITTEN
    for (size_t i = 0; i < PAIRS; i++) {
        vi q = clamp_pairs(scale_pairs(w[i], factor), grid->low, grid->high);
        const float *first = importance + first_of_pair(i);
        add_weighted(&sums, low_of_pair(w[i]), low_of_pair(q), first[0]);
        add_weighted(&sums, high_of_pair(w[i]), high_of_pair(q), first[2]);
    }
    return sums;
}

/* Keeps the better of the best so far and the scale that suits these sums. Where all q are 0 that is no
 * number, and no better. */
INLINE void keep_better(struct sums sums, vf unit, vf *best, vf *best_gain) {
    vf wq = sums.wq * unit;
    vf scale = round_to_half(clamp(wq / sums.qq, -65504, 65504));
    vf gain = scale * (2 * wq - scale * sums.qq);
    vi better = gain > *best_gain;
    *best = select_lanes(better, scale, *best);
    *best_gain = select_lanes(better, gain, *best_gain);
}

/* The scale of LANES rows of a tile whose extremes are given; importance [BLOCK_COLS] or NULL. Rows of
 * weights that would all be 0 at the smallest scale count as 0. */
INLINE vf search(const float *tile, vf largest, const float *importance, const struct grid *grid) {
    const vi limited = near_limits(largest, grid);
    const bool any_limited = any_lane(limited);
    const vf inverse = select_lanes(magnitude(largest) < 0x1p-26f, splat(0), UNITS / largest);
    vf best = splat(0), best_gain = splat(0);
    vi w[PAIRS];
    for (size_t i = 0; i < PAIRS; i++)
        w[i] = pair_of(tile, i, inverse);
    for (size_t i = 0; i < N_CANDIDATES; i += AT_ONCE) {
        const bool clips = !is_even(grid);
        vi factors[AT_ONCE];
        struct sums sums[AT_ONCE];
        for (size_t j = 0; j < AT_ONCE; j++)
            factors[j] = factor_of(largest, limited, any_limited, grid->factors[i + j]);
        if (!importance)
            sum_some(w, factors, clips, grid, sums);
        for (size_t j = 0; j < AT_ONCE; j++) {
            if (importance)
                sums[j] = sum_weighted(w, factors[j], importance, grid);
            keep_better(sums[j], largest / UNITS, &best, &best_gain);
        }
    }
    return best;
}
