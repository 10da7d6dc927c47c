#include "lib/threads.h"
#include "types/blocks.h"
#include "types/matmul.h"
#include "types/variants.h"

#include <string.h>

/* Groups are what blocks are across, so that each block meets one scale. */
static size_t padded(size_t n_cols) {
    return (n_cols + BLOCK_COLS - 1) / BLOCK_COLS * BLOCK_COLS;
}

/* One cache line more than the vector, so that the same column of many vectors does not always fall into the
 * same cache set. */
static size_t batch_stride(size_t n_cols) {
    return padded(n_cols) + 16;
}

/* In a batch's memory: scales, sums, and up to 2 bytes a column, together less than its floats. */
static void lay_out_integers(struct inputs *inputs, enum rounding kind) {
    const size_t n_groups = inputs->capacity * padded(inputs->max_cols) / BLOCK_COLS;
    float *scales = inputs->batch[kind];
    int32_t *sums = (int32_t *)(void *)(scales + n_groups);
    inputs->integers[kind] = (struct batch){.scales = scales, .sums = sums};
    if (kind == ROUND_I16)
        inputs->integers[kind].i16 = (int16_t *)(void *)(sums + n_groups);
    else
        inputs->integers[kind].i8 = (int8_t *)(void *)(sums + n_groups);
}

bool inputs_init(struct inputs *inputs, size_t capacity, size_t max_cols, struct arena *arena,
                 struct error *error) {
    const size_t n = padded(max_cols), n_groups = n / BLOCK_COLS;
    *inputs = (struct inputs){.capacity = capacity, .max_cols = max_cols};
    float *f32 = ARENA_NEW(arena, float, n, error);
    int16_t *i16 = ARENA_NEW(arena, int16_t, n, error);
    int8_t *i8 = ARENA_NEW(arena, int8_t, n, error);
    float *scales = ARENA_NEW(arena, float, 2 * n_groups, error);
    int32_t *sums = ARENA_NEW(arena, int32_t, 2 * n_groups, error);
    if (!f32 || !i16 || !i8 || !scales || !sums)
        return false;
    inputs->one[ROUND_NONE] = (struct vector){.kind = ROUND_NONE, .f32 = f32};
    inputs->one[ROUND_I16] = (struct vector){.kind = ROUND_I16, .i16 = i16, .scales = scales, .sums = sums};
    inputs->one[ROUND_I8] =
        (struct vector){.kind = ROUND_I8, .i8 = i8, .scales = scales + n_groups, .sums = sums + n_groups};
    for (int kind = 0; kind < ROUNDINGS && capacity > 1; kind++) {
        inputs->batch[kind] = arena_alloc(arena, capacity, batch_stride(max_cols) * sizeof(float), error);
        if (!inputs->batch[kind])
            return false;
        lay_out_integers(inputs, (enum rounding)kind);
    }
    return true;
}

/* Rounds n_groups whole groups from `group` on. */
static void round_groups(const struct vector *to, const float *x, size_t group, size_t n_groups) {
    const size_t col = group * BLOCK_COLS;
    switch (to->kind) {
    case ROUND_I16:
        best_primitives()->round_i16(x, n_groups, to->i16 + col, to->scales + group, to->sums + group);
        break;
    case ROUND_I8:
        best_primitives()->round_i8(x, n_groups, to->i8 + col, to->scales + group, to->sums + group);
        break;
    default:
        memcpy(to->f32 + col, x, n_groups * BLOCK_COLS * sizeof *x);
    }
}

/* Groups [begin, end) of x[n_cols], the last one padded with zeros. */
static void round_part(const struct vector *to, const float *x, size_t n_cols, size_t begin, size_t end) {
    const size_t n_whole = n_cols / BLOCK_COLS;
    if (begin < end && begin < n_whole)
        round_groups(to, x + begin * BLOCK_COLS, begin, (end < n_whole ? end : n_whole) - begin);
    if (end > n_whole) {
        float last[BLOCK_COLS] = {0};
        memcpy(last, x + n_whole * BLOCK_COLS, n_cols % BLOCK_COLS * sizeof *x);
        round_groups(to, last, n_whole, 1);
    }
}

static void set_one(struct inputs *inputs, const float *x, size_t n_cols, uint32_t kinds, unsigned thread,
                    unsigned n_threads) {
    size_t begin, end;
    share_of(padded(n_cols) / BLOCK_COLS, 1, thread, n_threads, &begin, &end);
    for (int kind = 0; kind < ROUNDINGS; kind++)
        if (begin < end && kinds & 1u << kind)
            round_part(&inputs->one[kind], x, n_cols, begin, end);
}

/* One vector as floats that hold rounded values. */
static void round_to_floats(enum rounding kind, const float *x, size_t n_cols, float *to) {
    const size_t n_groups = padded(n_cols) / BLOCK_COLS;
    for (size_t group = 0; group < n_groups; group++, to += BLOCK_COLS) {
        int16_t i16[BLOCK_COLS];
        int8_t i8[BLOCK_COLS];
        float scale;
        int32_t sum;
        /* A vector of this one group. */
        const struct vector rounded = {kind, BLOCK_COLS, to, i16, i8, &scale, &sum};
        round_part(&rounded, x + group * BLOCK_COLS, smaller(n_cols - group * BLOCK_COLS, BLOCK_COLS), 0, 1);
        for (size_t i = 0; i < BLOCK_COLS; i++)
            if (kind == ROUND_I16)
                to[i] = (float)i16[i] * scale;
            else if (kind == ROUND_I8)
                to[i] = (float)i8[i] * scale;
    }
}

/* One vector as vector i of a batch of `count`. */
static void round_to_integers(enum rounding kind, const float *x, size_t n_cols, const struct batch *to,
                              size_t count, size_t i) {
    const size_t n_groups = padded(n_cols) / BLOCK_COLS;
    for (size_t group = 0; group < n_groups; group++) {
        const size_t at = group * count + i;
        int16_t i16[BLOCK_COLS];
        int8_t *i8 = kind == ROUND_I8 ? to->i8 + at * BLOCK_COLS : NULL;
        const struct vector rounded = {kind, BLOCK_COLS, NULL, i16, i8, to->scales + at, to->sums + at};
        round_part(&rounded, x + group * BLOCK_COLS, smaller(n_cols - group * BLOCK_COLS, BLOCK_COLS), 0, 1);
        for (size_t col = 0; kind == ROUND_I16 && col < BLOCK_COLS; col++)
            to->i16[at * BLOCK_COLS + batch_order(col)] = i16[col];
    }
}

static void set_batch(struct inputs *inputs, const float *x, size_t x_stride, size_t count, size_t n_cols,
                      uint32_t kinds, unsigned thread, unsigned n_threads) {
    const uint32_t integers = best_primitives()->integer_batches;
    size_t begin, end;
    share_of(count, 1, thread, n_threads, &begin, &end);
    for (size_t i = begin; i < end; i++)
        for (int kind = 0; kind < ROUNDINGS; kind++) {
            if ((kinds & 1u << kind) == 0)
                continue;
            if (integers & 1u << kind)
                round_to_integers((enum rounding)kind, x + i * x_stride, n_cols, &inputs->integers[kind],
                                  count, i);
            else
                round_to_floats((enum rounding)kind, x + i * x_stride, n_cols,
                                inputs->batch[kind] + i * batch_stride(n_cols));
        }
}

void inputs_set(struct inputs *inputs, const float *x, size_t x_stride, size_t count, size_t n_cols,
                uint32_t kinds, unsigned thread, unsigned n_threads) {
    assert(count <= inputs->capacity && n_cols <= inputs->max_cols);
    if (thread == 0) {
        inputs->count = count;
        inputs->n_cols = n_cols;
        inputs->stride = batch_stride(n_cols);
        for (int kind = 0; kind < ROUNDINGS; kind++) {
            inputs->one[kind].n_cols = n_cols;
            inputs->integers[kind].n_vectors = count;
        }
    }
    if (count == 1)
        set_one(inputs, x, n_cols, kinds, thread, n_threads);
    else
        set_batch(inputs, x, x_stride, count, n_cols, kinds, thread, n_threads);
}
