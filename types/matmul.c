#include "types/matmul.h"
#include "types/blocks.h"
#include "types/variants.h"

#include <string.h>

/* A product goes through its matrix in chunks of rows. A tile of unpacked weights, 16 KiB, is multiplied from
 * the first-level cache; the runs of BATCH_VECTORS vectors that it meets, 256 KiB as floats and less as
 * integers, stay in the second-level cache for all panels of a chunk, and so do the chunk's sums. Results are
 * written once, as their places in y are often a power of two apart and displace each other in every cache.
 */
#define CHUNK_PANELS 4
#define BATCH_VECTORS 256

static size_t tile_size(size_t n_cols) {
    return smaller(n_cols, TILE_COLS) * PANEL_ROWS;
}

size_t matmul_scratch_bytes(size_t n_cols) {
    return (tile_size(n_cols) + CHUNK_PANELS * BATCH_VECTORS * PANEL_ROWS) * sizeof(float);
}

/* What is multiplied at a time: columns [col, col_end) with `count` vectors from `first` on. */
struct part {
    const struct matrix *w;
    const struct batch *x;
    size_t col, col_end, first, count;
    float *tile; /* scratch for unpacked weights */
    float *sums; /* (panel of the chunk, count, PANEL_ROWS) */
};

static void add_floats(const struct part *part, size_t row, float *sums) {
    const size_t n_cols = part->col_end - part->col;
    const float *x = part->x->f32 + part->col * part->x->n_vectors + part->first * TILE_COLS;
    type_unpack(part->w->type)(part->w, row, part->col, part->col_end, part->tile);
    best_primitives()->product(part->tile, n_cols, x, part->count, sums);
}

static void add_integers(const struct part *part, size_t row, float *sums) {
    type_multiply(part->w->type)(part->w, part->x, row, part->col, part->col_end, part->first, part->count,
                                 sums);
}

static float *sums_of(const struct part *part, size_t panel) {
    return part->sums + panel * part->count * PANEL_ROWS;
}

/* Rows [begin, end), at most CHUNK_PANELS panels. */
static void multiply_chunk(struct part *part, size_t begin, size_t end, float *y, size_t y_stride) {
    const size_t n_panels = (end - begin + PANEL_ROWS - 1) / PANEL_ROWS;
    memset(part->sums, 0, n_panels * part->count * PANEL_ROWS * sizeof(float));
    for (part->col = 0; part->col < part->w->n_cols; part->col = part->col_end) {
        part->col_end = smaller(part->col + TILE_COLS, part->w->n_cols);
        for (size_t panel = 0; panel < n_panels; panel++)
            (part->x->f32 ? add_floats : add_integers)(part, begin + panel * PANEL_ROWS,
                                                       sums_of(part, panel));
    }
    for (size_t i = 0; i < part->count; i++)
        for (size_t panel = 0, row = begin; row < end; panel++, row += PANEL_ROWS)
            memcpy(y + i * y_stride + row, sums_of(part, panel) + i * PANEL_ROWS,
                   smaller(PANEL_ROWS, end - row) * sizeof *y);
}

size_t matmul_grain(size_t n_rows, size_t count, unsigned n_threads) {
    size_t grain = CHUNK_PANELS * PANEL_ROWS * (count == 1 ? 4 : 1);
    while (grain > CHUNK_PANELS * PANEL_ROWS && grain * 2 * n_threads > n_rows)
        grain /= 2;
    return grain;
}

void matmul(const struct matrix *w, const struct inputs *inputs, float *y, size_t y_stride, void *scratch,
            size_t begin, size_t end) {
    const size_t chunk = CHUNK_PANELS * PANEL_ROWS;
    if (inputs->count == 1) {
        type_matvec(w->type)(w, &inputs->one[w->type->rounding], begin, end, y);
        return;
    }
    struct part part = {.w = w, .x = &inputs->batch[w->type->rounding], .tile = scratch};
    part.sums = part.tile + tile_size(w->n_cols);
    for (size_t row = begin; row < end; row += chunk)
        for (part.first = 0; part.first < inputs->count; part.first += part.count) {
            part.count = smaller(BATCH_VECTORS, inputs->count - part.first);
            multiply_chunk(&part, row, smaller(row + chunk, end), y + part.first * y_stride, y_stride);
        }
}
