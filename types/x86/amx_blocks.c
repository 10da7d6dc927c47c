/* Batches of q8 and q4 by AMX. The integers of q8 are bf16 numbers, and its inputs sums of two. Those of q4
 * and its inputs are bytes. A block's sums are stored and scaled from there. Four panels meet the inputs
 * together; all their blocks of a part are multiplied before any is scaled, since vectors of floats are slow
 * for a while behind tiles. */
#ifdef __x86_64__
#include "types/x86/amx.h"

#define BLOCKS (PART_COLS / BLOCK_COLS)

typedef int8_t bytes __attribute__((vector_size(LINE)));

/* Blocks of a panel, made ready for all vectors. */
struct q8_ready {
    _Alignas(LINE) uint16_t weights[BLOCKS][STEP_WEIGHTS];
    float scales[BLOCKS][PANEL_ROWS];
};

struct q4_ready {
    _Alignas(LINE) int8_t weights[BLOCKS][STEP_WEIGHTS];
    float scales[BLOCKS][PANEL_ROWS];
};

/* Byte `col` of each word, with its sign, as a float: the upper half is bf16, the lower zero. */
INLINE vi float_of_byte(vi fours, int col) {
    return (vi) __builtin_convertvector(fours << (24 - 8 * col) >> 24, vf);
}

INLINE void q8_unpack_block(const struct q8_block *block, uint16_t weights[STEP_WEIGHTS]) {
    for (size_t g = 0; g < BLOCK_COLS / 4; g++)
        for (int col = 0; col < 4; col += 2, weights += 2 * PANEL_ROWS) {
            const vi fours = load_words(block->groups[g]);
            const vi pair = (vi)((vu)float_of_byte(fours, col) >> 16) | float_of_byte(fours, col + 1);
            memcpy(weights, &pair, sizeof pair);
        }
}

INLINE void q4_unpack_block(const struct q4_block *block, int8_t weights[STEP_WEIGHTS]) {
    for (size_t c = 0; c < BLOCK_COLS / 8; c++, weights += 8 * PANEL_ROWS) {
        const vi pairs = load_words(block->chunks[c]);
        const bytes low = (bytes)(pairs & 0x0f0f0f0f) - 8, high = (bytes)(pairs >> 4 & 0x0f0f0f0f) - 8;
        memcpy(weights, &low, sizeof low);
        memcpy(weights + 4 * PANEL_ROWS, &high, sizeof high);
    }
}

/* Loads a block of the vectors from number i on; for q8 both parts. */
#define Q8_LOAD_INPUTS(group)                                                                                \
    do {                                                                                                     \
        TILE_LOAD(4, x->bf16 + (2 * (group)*x->n_vectors + i) * BLOCK_COLS, LINE);                           \
        TILE_LOAD(5, x->bf16 + ((2 * (group) + 1) * x->n_vectors + i) * BLOCK_COLS, LINE);                   \
    } while (0)
#define Q4_LOAD_INPUTS(group) TILE_LOAD(4, x->i8 + ((group)*x->n_vectors + i) * BLOCK_COLS, BLOCK_COLS)

/* Sets tile `sums` to their products with a block of weights. */
#define Q8_MULTIPLY(sums, from, weights_tile)                                                                \
    do {                                                                                                     \
        TILE_ZERO(sums);                                                                                     \
        TILE_LOAD(weights_tile, from, LINE);                                                                 \
        TILE_ADD(tdpbf16ps, sums, 4, weights_tile);                                                          \
        TILE_ADD(tdpbf16ps, sums, 5, weights_tile);                                                          \
    } while (0)
#define Q4_MULTIPLY(sums, from, weights_tile)                                                                \
    do {                                                                                                     \
        TILE_ZERO(sums);                                                                                     \
        TILE_LOAD(weights_tile, from, LINE);                                                                 \
        TILE_ADD(tdpbssd, sums, 4, weights_tile);                                                            \
    } while (0)

/* The scales of inputs from group number `group` on. Those of q8 have their scale in them. */
INLINE const float *q8_input_scales(const struct batch *x, size_t group) {
    (void)x, (void)group;
    return NULL;
}

INLINE const float *q4_input_scales(const struct batch *x, size_t group) {
    return x->scales + group;
}

/* `sum` and the scaled products at `from`, of vector i. */
INLINE vf q8_add_scaled(vf sum, const uint8_t *from, vf scales, const float *input_scales, size_t i) {
    (void)input_scales, (void)i;
    return fused((vf)load_words(from), scales, sum);
}

INLINE vf q4_add_scaled(vf sum, const uint8_t *from, vf scales, const float *input_scales, size_t i) {
    return fused(__builtin_convertvector(load_words(from), vf), scales * input_scales[i], sum);
}

#define BLOCK_SUMS (TILE_VECTORS * LINE) /* bytes */
#define PANELS 4
typedef uint8_t part_sums[PANELS][BLOCKS][BLOCK_SUMS];

INLINE size_t panels_between(size_t row, size_t row_end) {
    return smaller(PANELS, (row_end - row + PANEL_ROWS - 1) / PANEL_ROWS);
}

/* A whole group's sums stay in registers while they are scaled. */
#define DEFINE_INTEGERS(type, TYPE, input_bytes, weight_lines)                                               \
    INLINE void type##_multiply_blocks(const struct type##_ready ready[PANELS], const struct batch *x,       \
                                       size_t col, size_t n_blocks, size_t i, part_sums to) {                \
        for (size_t block = 0; block < n_blocks; block++) {                                                  \
            TYPE##_LOAD_INPUTS(col / BLOCK_COLS + block);                                                    \
            TYPE##_MULTIPLY(0, ready[0].weights[block], 6);                                                  \
            TYPE##_MULTIPLY(1, ready[1].weights[block], 7);                                                  \
            TYPE##_MULTIPLY(2, ready[2].weights[block], 6);                                                  \
            TYPE##_MULTIPLY(3, ready[3].weights[block], 7);                                                  \
            TILE_STORE(0, to[0][block], LINE);                                                               \
            TILE_STORE(1, to[1][block], LINE);                                                               \
            TILE_STORE(2, to[2][block], LINE);                                                               \
            TILE_STORE(3, to[3][block], LINE);                                                               \
        }                                                                                                    \
    }                                                                                                        \
                                                                                                             \
    /* `group` is the number of the first vector's group of the first block. */                              \
    INLINE void type##_scale_group(const struct type##_ready *ready, const struct batch *x, size_t group,    \
                                   size_t n_blocks, uint8_t from[BLOCKS][BLOCK_SUMS], float *sums) {         \
        vf sum[TILE_VECTORS];                                                                                \
        UNROLL_VECTORS                                                                                       \
        for (size_t i = 0; i < TILE_VECTORS; i++)                                                            \
            sum[i] = load(sums + i * PANEL_ROWS);                                                            \
        for (size_t block = 0; block < n_blocks; block++, group += x->n_vectors) {                           \
            const vf scales = load(ready->scales[block]);                                                    \
            const float *input_scales = type##_input_scales(x, group);                                       \
            UNROLL_VECTORS                                                                                   \
            for (size_t i = 0; i < TILE_VECTORS; i++)                                                        \
                sum[i] = type##_add_scaled(sum[i], from[block] + i * LINE, scales, input_scales, i);         \
        }                                                                                                    \
        UNROLL_VECTORS                                                                                       \
        for (size_t i = 0; i < TILE_VECTORS; i++)                                                            \
            store(sums + i * PANEL_ROWS, sum[i]);                                                            \
    }                                                                                                        \
                                                                                                             \
    /* Of fewer than TILE_VECTORS vectors. */                                                                \
    INLINE void type##_scale_some(const struct type##_ready *ready, const struct batch *x, size_t group,     \
                                  size_t n_blocks, size_t count, uint8_t from[BLOCKS][BLOCK_SUMS],           \
                                  float *sums) {                                                             \
        for (size_t i = 0; i < count; i++, sums += PANEL_ROWS) {                                             \
            vf sum = load(sums);                                                                             \
            for (size_t block = 0; block < n_blocks; block++)                                                \
                sum = type##_add_scaled(sum, from[block] + i * LINE, load(ready->scales[block]),             \
                                        type##_input_scales(x, group + block * x->n_vectors), i);            \
            store(sums, sum);                                                                                \
        }                                                                                                    \
    }                                                                                                        \
                                                                                                             \
    INLINE void type##_make_ready(const struct matrix *w, size_t row, size_t col, size_t n_blocks,           \
                                  struct type##_ready *to) {                                                 \
        const struct type##_block *blocks = block_at(w, row, col);                                           \
        for (size_t block = 0; block < n_blocks; block++) {                                                  \
            fetch_ahead(&blocks[block], sizeof *blocks, FETCH_AHEAD);                                        \
            type##_unpack_block(&blocks[block], to->weights[block]);                                         \
            store(to->scales[block], widen_half(load_halves(blocks[block].scales)));                         \
        }                                                                                                    \
    }                                                                                                        \
                                                                                                             \
    /* At most PART_COLS columns of up to PANELS panels. */                                                  \
    INLINE void type##_multiply_part(const struct matrix *w, const struct batch *x, size_t row,              \
                                     size_t n_panels, size_t col, size_t n_cols, size_t first, size_t count, \
                                     float *sums) {                                                          \
        _Alignas(LINE) part_sums buffer;                                                                     \
        struct type##_ready ready[PANELS];                                                                   \
        const size_t n_blocks = (n_cols + BLOCK_COLS - 1) / BLOCK_COLS;                                      \
        for (size_t panel = 0; panel < n_panels; panel++)                                                    \
            type##_make_ready(w, row + panel * PANEL_ROWS, col, n_blocks, &ready[panel]);                    \
        for (size_t i = 0; i < count; i += TILE_VECTORS) {                                                   \
            const size_t group = col / BLOCK_COLS * x->n_vectors + first + i;                                \
            type##_multiply_blocks(ready, x, col, n_blocks, first + i, buffer);                              \
            for (size_t panel = 0; panel < n_panels; panel++) {                                              \
                float *to = sums + (panel * padded_vectors(count) + i) * PANEL_ROWS;                         \
                if (count - i >= TILE_VECTORS)                                                               \
                    type##_scale_group(&ready[panel], x, group, n_blocks, buffer[panel], to);                \
                else                                                                                         \
                    type##_scale_some(&ready[panel], x, group, n_blocks, count - i, buffer[panel], to);      \
            }                                                                                                \
        }                                                                                                    \
    }                                                                                                        \
                                                                                                             \
    TARGET void VARIANT(type##_multiply)(const struct matrix *w, const struct batch *x, size_t row_begin,    \
                                         size_t row_end, size_t col_begin, size_t col_end, size_t first,     \
                                         size_t count, float *sums) {                                        \
        configure(input_bytes, weight_lines);                                                                \
        for (size_t row = row_begin; row < row_end; row += PANELS * PANEL_ROWS)                              \
            for (size_t col = col_begin; col < col_end; col += PART_COLS)                                    \
                type##_multiply_part(w, x, row, panels_between(row, row_end), col,                           \
                                     smaller(PART_COLS, col_end - col), first, count,                        \
                                     sums + (row - row_begin) * padded_vectors(count));                      \
        TILES_RELEASE();                                                                                     \
    }

DEFINE_INTEGERS(q8, Q8, LINE, BLOCK_COLS / 2)
DEFINE_INTEGERS(q4, Q4, BLOCK_COLS, BLOCK_COLS / 4)
#endif
