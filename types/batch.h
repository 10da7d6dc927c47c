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

/* Measured: with few vectors, a core reads panels faster when it is told what comes. */
#define BYTES_AHEAD 2048

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

/* Few vectors wait for memory, so they meet a block of each of STREAMS panels in turn, as matvecs do. More
 * would not have their sums of so many panels in the first-level cache. */
#define DEFINE_BATCH(type, n_words)                                                                          \
    INLINE void type##_multiply_block(const struct type##_block *block, const struct batch *x, size_t at,    \
                                      size_t count, float *sums) {                                           \
        vi words[n_words][PARTS];                                                                            \
        type##_ready(block, words);                                                                          \
        vf scales[PARTS];                                                                                    \
        scales_ready(block->scales, scales);                                                                 \
        size_t i = 0;                                                                                        \
        for (; i + VECTORS_AT_ONCE <= count; i += VECTORS_AT_ONCE)                                           \
            type##_meet(words, scales, x, at + i, VECTORS_AT_ONCE, sums + i * PANEL_ROWS);                   \
        switch (count - i) { MEET(type, 1) MEET(type, 2) MEET(type, 3) MEET_MORE(type) }                     \
    }                                                                                                        \
                                                                                                             \
    /* Panels at `row` and `apart` panels from one another. */                                               \
    INLINE void type##_multiply_panels(const struct matrix *w, const struct batch *x, size_t row,            \
                                       size_t n_panels, size_t apart, size_t col_begin, size_t col_end,      \
                                       size_t first, size_t count, float *sums) {                            \
        const struct type##_block *block = block_at(w, row, col_begin);                                      \
        const size_t blocks_apart = apart * blocks_across(w);                                                \
        const size_t sums_apart = apart * padded_vectors(count) * PANEL_ROWS;                                \
        for (size_t col = col_begin; col < col_end; col += BLOCK_COLS, block++)                              \
            for (size_t i = 0; i < n_panels; i++) {                                                          \
                fetch_stream(block + i * blocks_apart, sizeof *block, BYTES_AHEAD, i);                       \
                type##_multiply_block(block + i * blocks_apart, x, col / BLOCK_COLS * x->n_vectors + first,  \
                                      count, sums + i * sums_apart);                                         \
            }                                                                                                \
    }                                                                                                        \
                                                                                                             \
    TARGET void VARIANT(type##_multiply)(const struct matrix *w, const struct batch *x, size_t row_begin,    \
                                         size_t row_end, size_t col_begin, size_t col_end, size_t first,     \
                                         size_t count, float *sums) {                                        \
        const struct batch own = *x; /* that no store of a sum can change */                                 \
        const size_t panel_sums = padded_vectors(count) * PANEL_ROWS;                                        \
        const size_t n_panels = (row_end - row_begin + PANEL_ROWS - 1) / PANEL_ROWS;                         \
        const size_t run = count <= FEW_VECTORS ? n_panels / STREAMS : 0;                                    \
        for (size_t i = 0; i < run; i++)                                                                     \
            type##_multiply_panels(w, &own, row_begin + i * PANEL_ROWS, STREAMS, run, col_begin, col_end,    \
                                   first, count, sums + i * panel_sums);                                     \
        for (size_t i = run * STREAMS; i < n_panels; i++)                                                    \
            type##_multiply_panels(w, &own, row_begin + i * PANEL_ROWS, 1, 0, col_begin, col_end, first,     \
                                   count, sums + i * panel_sums);                                            \
    }
