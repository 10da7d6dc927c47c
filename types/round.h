/* Template: input vectors rounded to integers, group by group. */

/* The largest magnitude of a group; NaN where there is one, so that it reaches the result. */
INLINE float largest_magnitude(const float *x) {
    int32_t largest = 0;
    for (size_t i = 0; i < BLOCK_COLS; i++) {
        int32_t bits = (int32_t)(float_bits(x[i]) & 0x7fffffff);
        largest = bits > largest ? bits : largest;
    }
    return bits_float((uint32_t)largest);
}

/* Rounds one group to integers up to `limit`, by the trick of ROUNDER, and returns its scale. A ratio exceeds
 * the limit only where the scale is so small that it lost digits. */
INLINE float round_group(const float *x, int32_t limit, int32_t *q) {
    const float scale = largest_magnitude(x) / (float)limit;
    if (scale == 0) {
        memset(q, 0, BLOCK_COLS * sizeof *q);
        return 0;
    }
    for (size_t i = 0; i < BLOCK_COLS; i++) {
        int32_t integer = (int32_t)(float_bits(x[i] / scale + ROUNDER) - 0x4b400000);
        integer = integer < -limit ? -limit : integer;
        q[i] = integer > limit ? limit : integer;
    }
    return scale;
}

#define DEFINE_ROUND(kind, integer, limit)                                                                   \
    TARGET void VARIANT(round_##kind)(const float *x, size_t n_groups, integer *to, float *scales,           \
                                      int32_t *sums) {                                                       \
        for (size_t g = 0; g < n_groups; g++) {                                                              \
            int32_t q[BLOCK_COLS], sum = 0;                                                                  \
            scales[g] = round_group(x + g * BLOCK_COLS, limit, q);                                           \
            for (size_t i = 0; i < BLOCK_COLS; i++) {                                                        \
                to[g * BLOCK_COLS + i] = (integer)q[i];                                                      \
                sum += to[g * BLOCK_COLS + i];                                                               \
            }                                                                                                \
            sums[g] = sum;                                                                                   \
        }                                                                                                    \
    }

DEFINE_ROUND(i16, int16_t, 32767)
DEFINE_ROUND(i8, int8_t, 127)
