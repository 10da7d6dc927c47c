/* Template: q8 and q4, encoded and unpacked a lane to a row: each 32-bit word of their blocks belongs to one
 * row. */
#include "types/rows.h"
#include "types/search.h"

enum format { Q8, Q4 };

static const struct grid grids[] = {
    [Q8] = {-127, 127, {1016, 1008, 1000, 992, 984, 976, 968, 960}},
    /* From clipping what matters little to leaving room, which pays where columns differ in importance. */
    [Q4] = {-8, 7, {96, 81, 71, 67, 64, 61, 56, 48}},
};

/* The largest scale times the longer side of the grid. */
INLINE float largest_weight(enum format f) {
    return 65504 * -(float)grids[f].low;
}

/* ---- encode ---- */

/* Pair i of a tile's columns as q. */
INLINE vi quantize(const float *tile, size_t i, vf inverse, enum format f) {
    return clamp_pairs(pair_of(tile, i, inverse), grids[f].low, grids[f].high);
}

/* Bytes q of four columns. */
INLINE vi pack_four(const float *tile, size_t four, vf inverse, enum format f) {
    vi even = quantize(tile, 2 * four, inverse, f), odd = quantize(tile, 2 * four + 1, inverse, f);
    return (even & 0x00ff00ff) | (odd << 8 & (int32_t)0xff00ff00);
}

/* Word `word` of each row: 4 columns in q8, 8 in q4. */
INLINE vi pack_word(const float *tile, size_t word, vf inverse, enum format f) {
    if (f == Q8)
        return pack_four(tile, word, inverse, f);
    vi low = pack_four(tile, 2 * word, inverse, f), high = pack_four(tile, 2 * word + 1, inverse, f);
    return ((low & 0x0f0f0f0f) | (high << 4 & (int32_t)0xf0f0f0f0)) ^ (int32_t)0x88888888;
}

/* Writes the part of a block that belongs to the rows of one register. False where a value is beyond the
 * largest scale times the longer side of the grid. */
INLINE bool encode_part(const float *tile, const float *importance, uint8_t *scales, uint8_t *words,
                        enum format f) {
    const struct grid *grid = &grids[f];
    vf largest = extreme(tile, grid);
    if (any_lane(magnitude(largest) > largest_weight(f)))
        return false;
    vf scale = importance ? search(tile, largest, importance, grid) : search(tile, largest, NULL, grid);
    vf inverse = select_lanes(scale == 0, scale, 1 / scale);
    vh halves = narrow_half(scale);
    memcpy(scales, &halves, sizeof halves);
    for (size_t word = 0; word < (f == Q8 ? 8 : 4); word++) {
        vi packed = pack_word(tile, word, inverse, f);
        memcpy(words + word * 4 * PANEL_ROWS, &packed, sizeof packed);
    }
    return true;
}

/* Importance of a block's columns relative to the largest, so that no sum overflows. NULL where all are zero.
 */
INLINE const float *relative_importance(const float *importance, size_t n, float *relative) {
    float largest = 0;
    for (size_t i = 0; i < n; i++)
        largest = importance[i] > largest ? importance[i] : largest;
    if (largest < 0x1p-100f)
        return NULL;
    for (size_t i = 0; i < BLOCK_COLS; i++)
        relative[i] = i < n ? importance[i] / largest : 0;
    return relative;
}

INLINE bool encode_tile(const float *tile, const float *importance, uint8_t *block, enum format f) {
    uint8_t *words = block + 2 * PANEL_ROWS;
    bool fits = true;
    for (size_t part = 0; part < PARTS; part++)
        fits &= encode_part(tile + part * LANES, importance, block + 2 * LANES * part,
                            words + 4 * LANES * part, f);
    return fits;
}

INLINE struct unfit find_unfit(const float *tile, size_t row, size_t col, enum format f) {
    size_t i = 0;
    while (!(tile[i] > largest_weight(f) || tile[i] < -largest_weight(f)))
        i++;
    return (struct unfit){row + i % PANEL_ROWS, col + i / PANEL_ROWS, tile[i]};
}

INLINE bool encode_panels(const float *rows, size_t n_rows, size_t n_cols, const float *importance,
                          uint8_t *block, struct unfit *unfit, enum format f) {
    const struct matrix w = {.data = (const uint8_t *)rows, .n_rows = n_rows, .n_cols = n_cols};
    _Alignas(64) float tile[BLOCK_COLS * PANEL_ROWS], relative[BLOCK_COLS];
    for (size_t row = 0; row < n_rows; row += PANEL_ROWS)
        for (size_t col = 0; col < n_cols; col += BLOCK_COLS) {
            size_t n = smaller(BLOCK_COLS, n_cols - col);
            unpack_rows(&w, row, col, col + n, tile, F32);
            memset(tile + n * PANEL_ROWS, 0, (BLOCK_COLS - n) * PANEL_ROWS * sizeof *tile);
            const float *weights = importance ? relative_importance(importance + col, n, relative) : NULL;
            if (!encode_tile(tile, weights, block, f)) {
                *unfit = find_unfit(tile, row, col, f);
                return false;
            }
            block += f == Q8 ? sizeof(struct q8_block) : sizeof(struct q4_block);
        }
    return true;
}

/* ---- unpack ---- */

INLINE vf decode_lanes(vi word, size_t col, vf scale, enum format f) {
    int j = (int)(col % 4);
    vi q = f == Q8 ? word << (24 - 8 * j) >> 24 : (word >> (8 * j + (int)(col & 4)) & 15) - 8;
    return __builtin_convertvector(q, vf) * scale;
}

INLINE void unpack_block(const uint8_t *block, size_t n_cols, float *out, enum format f) {
    const uint8_t *words = block + 2 * PANEL_ROWS;
    const size_t word_cols = f == Q8 ? 4 : 8;
    for (size_t part = 0; part < PARTS; part++) {
        vf scale = widen_half(load_halves(block + 2 * LANES * part));
        for (size_t begin = 0; begin < n_cols; begin += word_cols) {
            vi word = load_words(words + begin / word_cols * 4 * PANEL_ROWS + 4 * LANES * part);
            for (size_t col = begin; col < begin + word_cols && col < n_cols; col++)
                store(out + col * PANEL_ROWS + part * LANES, decode_lanes(word, col - begin, scale, f));
        }
    }
}

INLINE void unpack_panel(const struct matrix *w, size_t row, size_t col_begin, size_t col_end, float *out,
                         enum format f) {
    const uint8_t *block = block_at(w, row, col_begin);
    for (size_t col = col_begin; col < col_end; col += BLOCK_COLS) {
        float *to = out + (col - col_begin) * PANEL_ROWS;
        if (col_end - col >= BLOCK_COLS)
            unpack_block(block, BLOCK_COLS, to, f);
        else
            unpack_block(block, col_end - col, to, f);
        block += f == Q8 ? sizeof(struct q8_block) : sizeof(struct q4_block);
    }
}

#define DEFINE_QUANTIZED(type, format)                                                                       \
    TARGET bool VARIANT(type##_encode)(const float *rows, size_t n_rows, size_t n_cols,                      \
                                       const float *importance, void *out, struct unfit *unfit) {            \
        return encode_panels(rows, n_rows, n_cols, importance, out, unfit, format);                          \
    }                                                                                                        \
    TARGET void VARIANT(type##_unpack)(const struct matrix *w, size_t row, size_t col_begin, size_t col_end, \
                                       float *out) {                                                         \
        unpack_panel(w, row, col_begin, col_end, out, format);                                               \
    }

DEFINE_QUANTIZED(q8, Q8)
DEFINE_QUANTIZED(q4, Q4)
