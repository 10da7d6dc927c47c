/* Template: q8 and q4 times many rounded vectors, in integers.
 *
 * The columns of one block and one register of rows are made ready once, as words whose lanes are rows; then
 * every vector meets them with nothing but broadcasts and integer products, and its floats for these rows
 * stay in the first-level cache. To what panels.h needs, the vocabulary adds
 *
 *   even_weights(words), odd_weights(words)   columns 0 and 2, and 1 and 3, as pairs of 16-bit integers
 *   add_pairs(sum, weights, x)                adds both products of each pair to its lane's 32-bit sum
 *
 * The inputs of q8 lie as batch_order() says, so that a broadcast word is such a pair. */

#define WORDS 8 /* made ready at a time; with sums and inputs they fit into 16 registers */

INLINE void add_to_sums(float *sums, vi total, vf scale, float input_scale) {
    store(sums, fused(__builtin_convertvector(total, vf), scale * input_scale, load(sums)));
}

INLINE void q8_multiply_block(const struct q8_block *block, const struct batch *x, size_t at, size_t count,
                              float *sums) {
    for (size_t p = 0; p < PARTS; p++) {
        const vf scale = widen_half(load_halves(block->scales + LANES * p));
        for (size_t begin = 0; begin < BLOCK_COLS; begin += 2 * WORDS) {
            vi words[WORDS];
            for (size_t g = 0; g < WORDS / 2; g++) {
                vi four = load_words(block->groups[begin / 4 + g] + 4 * LANES * p);
                words[2 * g] = even_weights(four);
                words[2 * g + 1] = odd_weights(four);
            }
            for (size_t i = 0; i < count; i++) {
                const int16_t *columns = x->i16 + (at + i) * BLOCK_COLS + begin;
                vi total = {0};
                for (size_t k = 0; k < WORDS; k++)
                    total = add_pairs(total, words[k], splat_word(columns + 2 * k));
                add_to_sums(sums + i * PANEL_ROWS + p * LANES, total, scale, x->scales[at + i]);
            }
        }
    }
}

INLINE void q4_multiply_block(const struct q4_block *block, const struct batch *x, size_t at, size_t count,
                              float *sums) {
    for (size_t p = 0; p < PARTS; p++) {
        const vf scale = widen_half(load_halves(block->scales + LANES * p));
        vi words[WORDS];
        for (size_t c = 0; c < WORDS / 2; c++) {
            vi pairs = load_words(block->chunks[c] + 4 * LANES * p);
            words[2 * c] = pairs & 0x0f0f0f0f;
            words[2 * c + 1] = pairs >> 4 & 0x0f0f0f0f;
        }
        for (size_t i = 0; i < count; i++) {
            const int8_t *columns = x->i8 + (at + i) * BLOCK_COLS;
            q4_sums total = {0};
            for (size_t k = 0; k < WORDS; k++)
                q4_add(&total, words[k], splat_word(columns + 4 * k));
            add_to_sums(sums + i * PANEL_ROWS + p * LANES, q4_total(total) - 8 * x->sums[at + i], scale,
                        x->scales[at + i]);
        }
    }
}

#define DEFINE_BATCH(type)                                                                                   \
    TARGET void VARIANT(type##_multiply)(const struct matrix *w, const struct batch *x, size_t row,          \
                                         size_t col_begin, size_t col_end, size_t first, size_t count,       \
                                         float *sums) {                                                      \
        const struct type##_block *block = block_at(w, row, col_begin);                                      \
        for (size_t col = col_begin; col < col_end; col += BLOCK_COLS, block++)                              \
            type##_multiply_block(block, x, col / BLOCK_COLS * x->n_vectors + first, count, sums);           \
    }
