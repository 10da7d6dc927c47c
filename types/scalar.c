/* Plain C: works everywhere, and says what the fast variants must compute. */
#include "types/plain.h"

#define VECTORS_AT_ONCE VECTORS_scalar
#include "types/product.h"
#include "types/quantized.h"
#include "types/round.h"

/* Column `col` of the input as rounded. */
static float rounded(const struct vector *x, size_t col) {
    switch (x->kind) {
    case ROUND_I16:
        return (float)x->i16[col] * x->scales[col / BLOCK_COLS];
    case ROUND_I8:
        return (float)x->i8[col] * x->scales[col / BLOCK_COLS];
    default:
        return x->f32[col];
    }
}

static void matvec_unpacked(const struct matrix *w, const struct vector *x, size_t row_begin, size_t row_end,
                            float *y, unpack_fn *unpack) {
    float tile[BLOCK_COLS * PANEL_ROWS];
    for (size_t row = row_begin; row < row_end; row += PANEL_ROWS) {
        float sum[PANEL_ROWS] = {0};
        for (size_t col = 0; col < w->n_cols; col += BLOCK_COLS) {
            size_t n = smaller(BLOCK_COLS, w->n_cols - col);
            unpack(w, row, col, col + n, tile);
            for (size_t i = 0; i < n; i++)
                for (size_t r = 0; r < PANEL_ROWS; r++)
                    sum[r] += tile[i * PANEL_ROWS + r] * rounded(x, col + i);
        }
        memcpy(y + row, sum, smaller(PANEL_ROWS, row_end - row) * sizeof *y);
    }
}

void q8_matvec_scalar(const struct matrix *w, const struct vector *x, size_t row_begin, size_t row_end,
                      float *y) {
    matvec_unpacked(w, x, row_begin, row_end, y, q8_unpack_scalar);
}

void q4_matvec_scalar(const struct matrix *w, const struct vector *x, size_t row_begin, size_t row_end,
                      float *y) {
    matvec_unpacked(w, x, row_begin, row_end, y, q4_unpack_scalar);
}
