/* Inputs rounded for their weights, and products of a matrix with one or many of them.
 *
 * A `struct inputs` holds up to `capacity` vectors of up to max_cols values, rounded in every way that was
 * asked for. One vector is kept as matvec reads it. A batch is kept as this processor multiplies so many
 * best (enum batch_form): as integers (types/batch.h), as pairs of bf16 numbers (types/x86/amx.h), or as
 * floats that hold the rounded values. Then matmul unpacks 16 rows of weights at a time and multiplies them
 * with all vectors, so that one float kernel serves every type; plain types meet few vectors without being
 * unpacked (types/rows.h). All give what the matvec gives, to within its tolerance. */
#ifndef TYPES_MATMUL_H
#define TYPES_MATMUL_H

#include "types/type.h"

struct inputs {
    size_t capacity, max_cols; /* as allocated */
    uint32_t kinds; /* that there may be batches of */
    size_t count, n_cols; /* as set */
    struct vector one[ROUNDINGS]; /* set where count is 1 */
    struct batch batch[ROUNDINGS]; /* set where count is over 1 */
};

/* `kinds` are those that there may be batches of, in a bit set (1 << enum rounding). */
bool inputs_init(struct inputs *inputs, size_t capacity, size_t max_cols, uint32_t kinds, struct arena *arena,
                 struct error *error);

/* Rounds x[count][n_cols] (rows x_stride floats apart) to each kind in the bit set `kinds` (1 << enum
 * rounding). May be shared out: thread `thread` of `n_threads` does its part of the work, of a batch the
 * vectors of share_of(count, 1, ...), of one vector the columns of share_of(n_cols, BLOCK_COLS, ...), and
 * reads no others; results are complete after a barrier. */
void inputs_set(struct inputs *inputs, const float *x, size_t x_stride, size_t count, size_t n_cols,
                uint32_t kinds, unsigned thread, unsigned n_threads);

/* y[i * y_stride + row] for rows begin <= row < end, begin a multiple of PANEL_ROWS, and every vector i.
 * `scratch` is this thread's own, matmul_scratch_bytes(n_cols) long and aligned to 64; it is not used where
 * count is 1. */
void matmul(const struct matrix *w, const struct inputs *inputs, float *y, size_t y_stride, void *scratch,
            size_t begin, size_t end);
size_t matmul_scratch_bytes(size_t n_cols);

/* The grain in which rows are dealt to threads (lib/threads.h): for several vectors what is multiplied
 * together, unless some threads would be left without. */
size_t matmul_grain(size_t n_rows, size_t count, unsigned n_threads);

#endif
