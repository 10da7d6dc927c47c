#include "types/matmul.h"
#include "lib/threads.h"
#include "types/blocks.h"
#include "types/variants.h"

#include <string.h>

/* A tile of this many columns takes 32 KiB: read once for every few vectors, it streams from the first- or
 * second-level cache, and runs that long hide the start and end of a product. The same columns of
 * BATCH_VECTORS vectors take 384 KiB, less as integers, and stay in the second-level cache for all rows. */
#define TILE_COLS 512
#define BATCH_VECTORS 192

/* Of unpacked weights, or of sums. */
size_t matmul_scratch_bytes(size_t n_cols) {
    size_t longest = smaller(n_cols, TILE_COLS);
    return (longest > BATCH_VECTORS ? longest : BATCH_VECTORS) * PANEL_ROWS * sizeof(float);
}

/* The product of columns [col, col_end) with vectors [first, behind), added to y unless col is 0. */
struct part {
    size_t col, col_end, first, behind;
};

static void multiply_floats(const struct matrix *w, const struct inputs *inputs, const struct part *part,
                            float *y, size_t y_stride, float *tile, size_t row_begin, size_t row_end) {
    unpack_fn *unpack = type_unpack(w->type);
    product_fn *product = best_primitives()->product;
    const float *x = inputs->batch[w->type->rounding] + part->first * inputs->stride + part->col;
    for (size_t row = row_begin; row < row_end; row += PANEL_ROWS) {
        unpack(w, row, part->col, part->col_end, tile);
        product(tile, part->col_end - part->col, x, inputs->stride, part->behind - part->first,
                y + part->first * y_stride + row, y_stride, smaller(PANEL_ROWS, row_end - row),
                part->col > 0);
    }
}

static void multiply_integers(const struct matrix *w, const struct inputs *inputs, const struct part *part,
                              float *y, size_t y_stride, float *sums, size_t row_begin, size_t row_end) {
    multiply_fn *multiply = type_multiply(w->type);
    const struct batch *x = &inputs->integers[w->type->rounding];
    const size_t count = part->behind - part->first;
    for (size_t row = row_begin; row < row_end; row += PANEL_ROWS) {
        const size_t n_rows = smaller(PANEL_ROWS, row_end - row);
        float *to = y + part->first * y_stride + row;
        memset(sums, 0, count * PANEL_ROWS * sizeof *sums);
        for (size_t i = 0; i < count && part->col > 0; i++)
            memcpy(sums + i * PANEL_ROWS, to + i * y_stride, n_rows * sizeof *sums);
        multiply(w, x, row, part->col, part->col_end, part->first, count, sums);
        for (size_t i = 0; i < count; i++)
            memcpy(to + i * y_stride, sums + i * PANEL_ROWS, n_rows * sizeof *sums);
    }
}

void matmul(const struct matrix *w, const struct inputs *inputs, float *y, size_t y_stride, void *scratch,
            unsigned thread, unsigned n_threads) {
    size_t row_begin, row_end;
    share_of(w->n_rows, PANEL_ROWS, thread, n_threads, &row_begin, &row_end);
    if (row_begin == row_end)
        return;
    if (inputs->count == 1) {
        type_matvec(w->type)(w, &inputs->one[w->type->rounding], row_begin, row_end, y);
        return;
    }
    const bool integers = best_primitives()->integer_batches & 1u << w->type->rounding;
    struct part part;
    for (part.first = 0; part.first < inputs->count; part.first = part.behind) {
        part.behind = smaller(part.first + BATCH_VECTORS, inputs->count);
        for (part.col = 0; part.col < w->n_cols; part.col = part.col_end) {
            part.col_end = smaller(part.col + TILE_COLS, w->n_cols);
            (integers ? multiply_integers : multiply_floats)(w, inputs, &part, y, y_stride, scratch,
                                                             row_begin, row_end);
        }
    }
}
