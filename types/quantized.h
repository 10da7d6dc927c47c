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

/* Bytes q of four columns. */
INLINE vi quantize_four(const float *tile, size_t col, vf inverse, enum format f) {
    vf q[4];
    for (size_t i = 0; i < 4; i++)
        q[i] = load(tile + (col + i) * PANEL_ROWS) * inverse;
    return pack_bytes(q, (int)grids[f].low, (int)grids[f].high);
}

/* Word `word` of each row: 4 columns in q8, 8 in q4. */
INLINE vi pack_word(const float *tile, size_t word, vf inverse, enum format f) {
    if (f == Q8)
        return quantize_four(tile, 4 * word, inverse, f);
    vi low = quantize_four(tile, 8 * word, inverse, f), high = quantize_four(tile, 8 * word + 4, inverse, f);
    return ((low & 0x0f0f0f0f) | (high << 4 & (int32_t)0xf0f0f0f0)) ^ (int32_t)0x88888888;
}

/* Each kind of weights has code of its own. */
INLINE vf find_scale(const float *tile, vf extremes, const float *importance, bool exact, enum format f) {
    if (importance)
        return search(&(struct weights){tile, importance, false}, extremes, &grids[f]);
    if (exact)
        return search(&(struct weights){tile, NULL, true}, extremes, &grids[f]);
    return search(&(struct weights){tile, NULL, false}, extremes, &grids[f]);
}

/* The part of a block that belongs to the rows of one register. */
INLINE void write_part(const float *tile, vf scale, uint8_t *scales, uint8_t *words, enum format f) {
    vf inverse = select_lanes(scale == 0, scale, 1 / scale);
    vh halves = narrow_half(scale);
    memcpy(scales, &halves, sizeof halves);
    for (size_t word = 0; word < (f == Q8 ? 8 : 4); word++) {
        vi packed = pack_word(tile, word, inverse, f);
        memcpy(words + word * 4 * PANEL_ROWS, &packed, sizeof packed);
    }
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

INLINE bool any_beyond(const vf extremes[PARTS], float limit) {
    vi beyond = {0};
    for (size_t part = 0; part < PARTS; part++)
        beyond |= magnitude(extremes[part]) > limit;
    return any_lane(beyond);
}

/* False where a value is beyond the largest scale times the longer side of the grid. One step after the other
 * for all rows: so they overlap, for each ends in a chain of instructions that wait for one another. */
INLINE bool encode_tile(const float *tile, const float *importance, bool few_bits, uint8_t *block,
                        enum format f) {
    vf extremes[PARTS], scales[PARTS];
    for (size_t part = 0; part < PARTS; part++)
        extremes[part] = extreme(tile + part * LANES);
    if (any_beyond(extremes, largest_weight(f)))
        return false;
    const bool exact = few_bits && !any_beyond(extremes, 65504);
    for (size_t part = 0; part < PARTS; part++)
        scales[part] = find_scale(tile + part * LANES, extremes[part], importance, exact, f);
    for (size_t part = 0; part < PARTS; part++)
        write_part(tile + part * LANES, scales[part], block + 2 * LANES * part,
                   block + 2 * PANEL_ROWS + 4 * LANES * part, f);
    return true;
}

INLINE struct unfit find_unfit(const float *tile, size_t row, size_t col, enum format f) {
    size_t i = 0;
    while (!(tile[i] > largest_weight(f) || tile[i] < -largest_weight(f)))
        i++;
    return (struct unfit){row + i % PANEL_ROWS, col + i / PANEL_ROWS, tile[i]};
}

/* Columns [col, col + n) of PANEL_ROWS rows, and zeros up to a block's. */
INLINE void fill_tile(const struct matrix *rows, size_t row, size_t col, size_t n, enum element e,
                      float *tile) {
    switch (e) {
    case F16:
        unpack_rows(rows, row, col, col + n, tile, 0, F16);
        break;
    case BF16:
        unpack_rows(rows, row, col, col + n, tile, 0, BF16);
        break;
    default:
        unpack_rows(rows, row, col, col + n, tile, 0, F32);
    }
    memset(tile + n * PANEL_ROWS, 0, (BLOCK_COLS - n) * PANEL_ROWS * sizeof *tile);
}

INLINE bool encode_panels(const struct matrix *rows, const float *importance, uint8_t *block,
                          struct unfit *unfit, enum format f) {
    const enum element e = element_of(rows->type);
    _Alignas(64) float tile[BLOCK_COLS * PANEL_ROWS], relative[BLOCK_COLS];
    for (size_t row = 0; row < rows->n_rows; row += PANEL_ROWS)
        for (size_t col = 0; col < rows->n_cols; col += BLOCK_COLS) {
            size_t n = smaller(BLOCK_COLS, rows->n_cols - col);
            fill_tile(rows, row, col, n, e, tile);
            const float *weights = importance ? relative_importance(importance + col, n, relative) : NULL;
            if (!encode_tile(tile, weights, e != F32, block, f)) {
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
    TARGET bool VARIANT(type##_encode)(const struct matrix *rows, const float *importance, void *out,        \
                                       struct unfit *unfit) {                                                \
        return encode_panels(rows, importance, out, unfit, format);                                          \
    }                                                                                                        \
    TARGET void VARIANT(type##_unpack)(const struct matrix *w, size_t row, size_t col_begin, size_t col_end, \
                                       float *out) {                                                         \
        unpack_panel(w, row, col_begin, col_end, out, format);                                               \
    }

DEFINE_QUANTIZED(q8, Q8)
DEFINE_QUANTIZED(q4, Q4)
