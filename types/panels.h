/* Template: q8 and q4 times one rounded vector, a lane to a row, the weights read once from first to last.
 *
 * The vocabulary says how four weights in each lane meet four columns of the input, the same for every lane:
 *
 *   q8_input   what q8_splat(const int16_t *x) makes of four columns
 *   q8_sums    sums of a block; q8_add(&sums, weights, input) adds four columns, the weights from memory
 *   q8_total(sums)   one 32-bit integer a lane
 *
 * and likewise q4, whose weights are 0..15 here: the 8 to be subtracted comes off as 8 times the sum of the
 * input's group. */

/* Unrolled whole, the adds of a loop over words are put off until all products are there, and where a word
 * takes two registers, those spill. */
#if PARTS == 1
#define LOOP_AS_WRITTEN
#elif defined __clang__
#define LOOP_AS_WRITTEN _Pragma("clang loop unroll(disable)")
#else
#define LOOP_AS_WRITTEN _Pragma("GCC unroll 1")
#endif

INLINE vf add_scaled(vf sum, vi total, const uint16_t *scales, float input_scale) {
    return fused(__builtin_convertvector(total, vf), widen_half(load_halves(scales)) * input_scale, sum);
}

/* One core reads faster from several places than from one, since each of its prefetchers follows a stream of
 * its own. So its rows are cut into STREAMS runs of panels, and a pass takes one panel from each. Where
 * registers hold the sums of all, they take turns line by line: read a block at a time, an Intel core comes
 * to .87 of what it reads so, whatever is done with the weights. */
#define STREAMS 4
#if PARTS == 1
#define TOGETHER STREAMS
#else
#define TOGETHER 1
#endif

/* Adds a block of each of `n` panels, at most TOGETHER, that are `apart` blocks from one another. */
INLINE void q8_add_blocks(vf sum[][PARTS], const struct q8_block *block, size_t apart, size_t n, size_t ahead,
                          const int16_t *x, float scale, int32_t x_sum) {
    (void)x_sum;
    q8_sums sums[TOGETHER][PARTS] = {0};
    for (size_t i = 0; i < n; i++)
        fetch_stream(block[i * apart].scales, sizeof block->scales, ahead, i);
    LOOP_AS_WRITTEN
    for (size_t g = 0; g < 8; g++) {
        q8_input input = q8_splat(x + 4 * g);
        for (size_t i = 0; i < n; i++) {
            const uint8_t *group = block[i * apart].groups[g];
            fetch_stream(group, sizeof block->groups[g], ahead, i);
            for (size_t p = 0; p < PARTS; p++)
                q8_add(&sums[i][p], group + 4 * LANES * p, input);
        }
    }
    for (size_t i = 0; i < n; i++)
        for (size_t p = 0; p < PARTS; p++)
            sum[i][p] =
                add_scaled(sum[i][p], q8_total(sums[i][p]), block[i * apart].scales + LANES * p, scale);
}

INLINE void q4_add_blocks(vf sum[][PARTS], const struct q4_block *block, size_t apart, size_t n, size_t ahead,
                          const int8_t *x, float scale, int32_t x_sum) {
    q4_sums sums[TOGETHER][PARTS] = {0};
    for (size_t i = 0; i < n; i++)
        fetch_stream(block[i * apart].scales, sizeof block->scales, ahead, i);
    LOOP_AS_WRITTEN
    for (size_t c = 0; c < 4; c++) {
        vi low = splat_word(x + 8 * c), high = splat_word(x + 8 * c + 4);
        for (size_t i = 0; i < n; i++) {
            const uint8_t *chunk = block[i * apart].chunks[c];
            fetch_stream(chunk, sizeof block->chunks[c], ahead, i);
            for (size_t p = 0; p < PARTS; p++) {
                vi pairs = load_words(chunk + 4 * LANES * p);
                q4_add(&sums[i][p], pairs & 0x0f0f0f0f, low);
                q4_add(&sums[i][p], pairs >> 4 & 0x0f0f0f0f, high);
            }
        }
    }
    for (size_t i = 0; i < n; i++)
        for (size_t p = 0; p < PARTS; p++)
            sum[i][p] = add_scaled(sum[i][p], q4_total(sums[i][p]) - 8 * x_sum,
                                   block[i * apart].scales + LANES * p, scale);
}

INLINE void store_rows(float *y, const vf sum[PARTS], size_t n_rows) {
    float rows[PANEL_ROWS];
    for (size_t p = 0; p < PARTS; p++)
        store(rows + p * LANES, sum[p]);
    memcpy(y, rows, n_rows * sizeof *y);
}

/* Panels at `row` and `apart` panels from one another; n_rows of each. */
#define DEFINE_PASS(type, values)                                                                            \
    INLINE void type##_pass(const struct matrix *w, const struct vector *x, size_t row, size_t n_panels,     \
                            size_t apart, size_t n_rows, size_t ahead, float *y) {                           \
        const size_t n_blocks = blocks_across(w);                                                            \
        const struct type##_block *blocks = block_at(w, row, 0);                                             \
        vf sum[STREAMS][PARTS] = {0};                                                                        \
        for (size_t b = 0; b < n_blocks; b++)                                                                \
            for (size_t i = 0; i < n_panels; i += TOGETHER)                                                  \
                type##_add_blocks(sum + i, blocks + i * apart * n_blocks + b, apart * n_blocks,              \
                                  smaller(TOGETHER, n_panels - i), ahead, x->values + b * BLOCK_COLS,        \
                                  x->scales[b], x->sums[b]);                                                 \
        for (size_t i = 0; i < n_panels; i++)                                                                \
            store_rows(y + row + i * apart * PANEL_ROWS, sum[i], n_rows);                                    \
    }

/* With a constant distance for each kind of processor, so that the pass has no branch for it. */
#define DEFINE_PANELS_MATVEC(type, values)                                                                   \
    DEFINE_PASS(type, values)                                                                                \
    INLINE void type##_passes(const struct matrix *w, const struct vector *x, size_t row_begin,              \
                              size_t row_end, size_t ahead, float *y) {                                      \
        const size_t run = (row_end - row_begin) / (STREAMS * PANEL_ROWS);                                   \
        for (size_t i = 0; i < run; i++)                                                                     \
            type##_pass(w, x, row_begin + i * PANEL_ROWS, STREAMS, run, PANEL_ROWS, ahead, y);               \
        for (size_t row = row_begin + run * STREAMS * PANEL_ROWS; row < row_end; row += PANEL_ROWS)          \
            type##_pass(w, x, row, 1, 0, smaller(row_end - row, PANEL_ROWS), ahead, y);                      \
    }                                                                                                        \
    TARGET void VARIANT(type##_matvec)(const struct matrix *w, const struct vector *x, size_t row_begin,     \
                                       size_t row_end, float *y) {                                           \
        if (asks_ahead())                                                                                    \
            type##_passes(w, x, row_begin, row_end, FETCH_AHEAD, y);                                         \
        else                                                                                                 \
            type##_passes(w, x, row_begin, row_end, 0, y);                                                   \
    }
