/* Template: q8 and q4, encoded and unpacked a lane to a row: each 32-bit word of their blocks belongs to one
 * row. */
#include "types/rows.h"
#include "types/search.h"

enum format { Q8, Q4 };

static const struct grid grids[] = {
    [Q8] = {-127, 127, {127.3f, 127, 126.2f, 125.4f, 124.6f, 124, 123, 122}},
    /* From clipping what matters little to leaving room, which pays where columns differ in importance. */
    [Q4] = {-8, 7, {11, 9.2f, 8.5f, 8, 7.6f, 7.3f, 7, 6.2f}},
};

/* The largest scale times the longer side of the grid. */
INLINE float largest_weight(enum format f) {
    return 65504 * -grids[f].low;
}

/* ---- encode ---- */

/* q in the low bits of a word, as q8 stores it, or q + 8, as q4 does: by the trick of ROUNDER. */
INLINE vu quantize(const float *tile, size_t col, vf inverse, enum format f) {
    vf q = clamp(load(tile + col * PANEL_ROWS) * inverse, grids[f].low, grids[f].high);
    return f == Q8 ? (vu)(q + ROUNDER) & 255 : (vu)(q + (ROUNDER + 8)) & 15;
}

/* Word `word` of each row: 4 columns in q8, 8 in q4. */
INLINE vu pack_word(const float *tile, size_t word, vf inverse, enum format f) {
    vu packed = {0};
    for (unsigned j = 0; j < 4; j++)
        if (f == Q8)
            packed |= quantize(tile, 4 * word + j, inverse, f) << 8 * j;
        else
            packed |= quantize(tile, 8 * word + j, inverse, f) << 8 * j |
                      quantize(tile, 8 * word + 4 + j, inverse, f) << (8 * j + 4);
    return packed;
}

/* Writes the part of a block that belongs to the rows of one register. False where a value is beyond the
 * largest scale times the longer side of the grid. */
INLINE bool encode_part(const float *tile, const float *importance, uint8_t *scales, uint8_t *words,
                        enum format f) {
    const struct grid *grid = &grids[f];
    vf weight = extreme(tile);
    if (any_lane(magnitude(weight) > largest_weight(f)))
        return false;
    vf scale = importance ? search(tile, weight, importance, grid) : search(tile, weight, NULL, grid);
    vf inverse = select_lanes(scale == 0, scale, 1 / scale);
    vh halves = narrow_half(scale);
    memcpy(scales, &halves, sizeof halves);
    for (size_t word = 0; word < (f == Q8 ? 8 : 4); word++) {
        vu packed = pack_word(tile, word, inverse, f);
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
