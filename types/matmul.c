#include "types/matmul.h"
#include "types/blocks.h"
#include "types/variants.h"

#include <string.h>

/* A product goes through its matrix in chunks of rows. A tile of unpacked weights, 16 KiB, is multiplied from
 * the first-level cache; the runs of vectors that it meets, and the sums of a chunk, stay in the second-level
 * cache for all panels of the chunk (struct blocking says how many fit). Results are written once, as their
 * places in y are often a power of two apart and displace each other in every cache.
 *
 * Few vectors leave room for wider parts of the matrix, and wait for memory, which is fastest in long runs.
 * So weights that are multiplied as they lie are so in parts of several tiles, and these meet no more than
 * count + SPARE_RUNS runs. All forms but BATCH_FLOATS are. */
#define SPARE_RUNS 32

static size_t tile_size(size_t n_cols) {
    return smaller(n_cols, TILE_COLS) * PANEL_ROWS;
}

static size_t sums_size(const struct blocking *blocking) {
    return blocking->panels * padded_vectors(blocking->vectors) * PANEL_ROWS;
}

size_t matmul_scratch_bytes(size_t n_cols) {
    const size_t few = sums_size(&primitives_for(1)->blocking),
                 many = sums_size(&best_primitives()->blocking);
    return (tile_size(n_cols) + (few > many ? few : many)) * sizeof(float);
}

/* What is multiplied at a time: columns [col, col_end) with `count` vectors from `first` on. */
struct part {
    const struct matrix *w;
    const struct batch *x;
    multiply_fn *multiply; /* or NULL: weights are unpacked */
    size_t col, col_end, first, count;
    float *tile; /* scratch for unpacked weights */
    float *sums; /* (panel of the chunk, padded_vectors(count), PANEL_ROWS) */
};

static multiply_fn *multiplier(const struct type *type, const struct batch *x) {
    return x->form == BATCH_FLOATS ? NULL : type_multiply(type, x->n_vectors);
}

static size_t width(const struct part *part) {
    return TILE_COLS * (part->multiply ? 1 + SPARE_RUNS / part->count : 1);
}

static float *sums_of(const struct part *part, size_t panel) {
    return part->sums + panel * padded_vectors(part->count) * PANEL_ROWS;
}

static void multiply_unpacked(const struct part *part, size_t begin, size_t end) {
    const float *x = part->x->f32 + part->col * part->x->n_vectors + part->first * TILE_COLS;
    for (size_t row = begin; row < end; row += PANEL_ROWS) {
        type_unpack(part->w->type)(part->w, row, part->col, part->col_end, part->tile);
        best_primitives()->product(part->tile, part->col_end - part->col, x, part->count,
                                   sums_of(part, (row - begin) / PANEL_ROWS));
    }
}

/* Rows [begin, end), at most a chunk of them. */
static void multiply_chunk(struct part *part, size_t begin, size_t end, float *y, size_t y_stride) {
    const size_t n_panels = (end - begin + PANEL_ROWS - 1) / PANEL_ROWS;
    memset(part->sums, 0, n_panels * padded_vectors(part->count) * PANEL_ROWS * sizeof(float));
    for (part->col = 0; part->col < part->w->n_cols; part->col = part->col_end) {
        part->col_end = smaller(part->col + width(part), part->w->n_cols);
        if (part->multiply)
            part->multiply(part->w, part->x, begin, end, part->col, part->col_end, part->first, part->count,
                           part->sums);
        else
            multiply_unpacked(part, begin, end);
    }
    for (size_t i = 0; i < part->count; i++)
        for (size_t panel = 0, row = begin; row < end; panel++, row += PANEL_ROWS) {
            const float *from = sums_of(part, panel) + i * PANEL_ROWS;
            if (row + PANEL_ROWS <= end)
                memcpy(y + i * y_stride + row, from, PANEL_ROWS * sizeof *y);
            else
                memcpy(y + i * y_stride + row, from, (end - row) * sizeof *y);
        }
}

size_t matmul_grain(size_t n_rows, size_t count, unsigned n_threads) {
    size_t panels = primitives_for(count)->blocking.grain;
    while (panels > 4 && panels * PANEL_ROWS * 2 * n_threads > n_rows)
        panels /= 2;
    return panels * PANEL_ROWS;
}

void matmul(const struct matrix *w, const struct inputs *inputs, float *y, size_t y_stride, void *scratch,
            size_t begin, size_t end) {
    if (inputs->count == 1) {
        type_matvec(w->type)(w, &inputs->one[w->type->rounding], begin, end, y);
        return;
    }
    const struct blocking blocking = primitives_for(inputs->count)->blocking;
    const size_t chunk = blocking.panels * PANEL_ROWS;
    struct part part = {.w = w, .x = &inputs->batch[w->type->rounding], .tile = scratch};
    part.multiply = multiplier(w->type, part.x);
    part.sums = part.tile + tile_size(w->n_cols);
    for (size_t row = begin; row < end; row += chunk)
        for (part.first = 0; part.first < inputs->count; part.first += part.count) {
            part.count = smaller(blocking.vectors, inputs->count - part.first);
            multiply_chunk(&part, row, smaller(row + chunk, end), y + part.first * y_stride, y_stride);
        }
}
