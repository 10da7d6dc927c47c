/* Template: q8 and q4 times many rounded vectors, in integers.
 *
 * A block's columns are made ready once, as words whose lanes are rows. Then the vectors that lie together
 * meet them: each load of words serves all of these, each broadcast input all rows, and the sums stay in
 * registers until the end of the block. To what panels.h needs, the vocabulary adds
 *
 *   even_weights(words), odd_weights(words)   columns 0 and 2, and 1 and 3, as pairs of 16-bit integers
 *   add_pairs(sum, weights, x)                adds both products of each pair to its lane's 32-bit sum
 *
 *   q4_from(pairs)                            q4's sums of a block that begin at two 16-bit integers a lane
 *
 * The sums of q4 begin at what the offset of its weights takes off, so nothing has to be subtracted. The
 * inputs of q8 lie as batch_order() says, so that a broadcast word is such a pair. */

#define Q8_WORDS (BLOCK_COLS / 2)
#define Q4_WORDS (BLOCK_COLS / 4)

/* Measured: with few vectors, a core reads a panel faster when it is told what comes. */
#define BYTES_AHEAD 4096

INLINE void scales_ready(const uint16_t *halves, vf scales[PARTS]) {
    for (size_t p = 0; p < PARTS; p++)
        scales[p] = widen_half(load_halves(halves + p * LANES));
}

INLINE void add_to_sums(float *sums, vi total, vf scales, float input_scale) {
    store(sums, fused(__builtin_convertvector(total, vf), scales * input_scale, load(sums)));
}

INLINE void q8_ready(const struct q8_block *block, vi words[Q8_WORDS][PARTS]) {
    for (size_t g = 0; g < 8; g++)
        for (size_t p = 0; p < PARTS; p++) {
            vi four = load_words(block->groups[g] + 4 * LANES * p);
            words[2 * g][p] = even_weights(four);
            words[2 * g + 1][p] = odd_weights(four);
        }
}

INLINE void q8_meet(vi words[Q8_WORDS][PARTS], const vf scales[PARTS], const struct batch *x, size_t at,
                    size_t count, float *sums) {
    vi totals[VECTORS_AT_ONCE][PARTS] = {0};
    LOOP_AS_WRITTEN
    for (size_t k = 0; k < Q8_WORDS; k++)
        for (size_t i = 0; i < count; i++) {
            vi input = splat_word(x->i16 + at * BLOCK_COLS + 2 * (k * count + i));
            for (size_t p = 0; p < PARTS; p++)
                totals[i][p] = add_pairs(totals[i][p], words[k][p], input);
        }
    for (size_t i = 0; i < count; i++)
        for (size_t p = 0; p < PARTS; p++)
            add_to_sums(sums + i * PANEL_ROWS + p * LANES, totals[i][p], scales[p], x->scales[at + i]);
}

INLINE void q4_ready(const struct q4_block *block, vi words[Q4_WORDS][PARTS]) {
    for (size_t c = 0; c < 4; c++)
        for (size_t p = 0; p < PARTS; p++) {
            vi pairs = load_words(block->chunks[c] + 4 * LANES * p);
            words[2 * c][p] = pairs & 0x0f0f0f0f;
            words[2 * c + 1][p] = pairs >> 4 & 0x0f0f0f0f;
        }
}

INLINE void q4_meet(vi words[Q4_WORDS][PARTS], const vf scales[PARTS], const struct batch *x, size_t at,
                    size_t count, float *sums) {
    q4_sums totals[VECTORS_AT_ONCE][PARTS];
    for (size_t i = 0; i < count; i++)
        for (size_t p = 0; p < PARTS; p++)
            totals[i][p] = q4_from(splat_word(x->offsets[at + i]));
    LOOP_AS_WRITTEN
    for (size_t k = 0; k < Q4_WORDS; k++)
        for (size_t i = 0; i < count; i++) {
            vi input = splat_word(x->i8 + at * BLOCK_COLS + 4 * (k * count + i));
            for (size_t p = 0; p < PARTS; p++)
                q4_add(&totals[i][p], words[k][p], input);
        }
    for (size_t i = 0; i < count; i++)
        for (size_t p = 0; p < PARTS; p++)
            add_to_sums(sums + i * PANEL_ROWS + p * LANES, q4_total(totals[i][p]), scales[p],
                        x->scales[at + i]);
}

/* Each count has code of its own, so that its sums live in registers. */
#define MEET(type, n)                                                                                        \
    case n:                                                                                                  \
        type##_meet(words, scales, x, at + i, n, sums + i * PANEL_ROWS);                                     \
        break;
#if PARTS == 1
#define MEET_MORE(type)                                                                                      \
    MEET(type, 4)                                                                                            \
    MEET(type, 5) MEET(type, 6) MEET(type, 7) MEET(type, 8) MEET(type, 9) MEET(type, 10) MEET(type, 11)
#else
#define MEET_MORE(type) MEET(type, 4) MEET(type, 5)
#endif

#define DEFINE_BATCH(type, n_words)                                                                          \
    INLINE void type##_multiply_panel(const struct matrix *w, const struct batch *x, size_t row,             \
                                      size_t col_begin, size_t col_end, size_t first, size_t count,          \
                                      float *sums) {                                                         \
        const struct type##_block *block = block_at(w, row, col_begin);                                      \
        for (size_t col = col_begin; col < col_end; col += BLOCK_COLS, block++) {                            \
            const size_t at = col / BLOCK_COLS * x->n_vectors + first;                                       \
            fetch_ahead(block, sizeof *block, BYTES_AHEAD);                                                  \
            vi words[n_words][PARTS];                                                                        \
            type##_ready(block, words);                                                                      \
            vf scales[PARTS];                                                                                \
            scales_ready(block->scales, scales);                                                             \
            size_t i = 0;                                                                                    \
            for (; i + VECTORS_AT_ONCE <= count; i += VECTORS_AT_ONCE)                                       \
                type##_meet(words, scales, x, at + i, VECTORS_AT_ONCE, sums + i * PANEL_ROWS);               \
            switch (count - i) { MEET(type, 1) MEET(type, 2) MEET(type, 3) MEET_MORE(type) }                 \
        }                                                                                                    \
    }                                                                                                        \
    TARGET void VARIANT(type##_multiply)(const struct matrix *w, const struct batch *x, size_t row_begin,    \
                                         size_t row_end, size_t col_begin, size_t col_end, size_t first,     \
                                         size_t count, float *sums) {                                        \
        const struct batch own = *x; /* that no store of a sum can change */                                 \
        for (size_t row = row_begin; row < row_end; row += PANEL_ROWS)                                       \
            type##_multiply_panel(w, &own, row, col_begin, col_end, first, count,                            \
                                  sums + (row - row_begin) * padded_vectors(count));                         \
    }
