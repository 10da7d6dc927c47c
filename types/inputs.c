#include "lib/threads.h"
#include "types/blocks.h"
#include "types/matmul.h"
#include "types/variants.h"

#include <string.h>

/* Groups are what blocks are across, so that each block meets one scale. */
static size_t padded(size_t n_cols, size_t run) {
    return (n_cols + run - 1) / run * run;
}

/* What a form takes for each value, in runs of how many values it lies, whether vectors lie together, and
 * whether groups have a scale. */
static const struct form {
    size_t value_bytes, run;
    bool together, scaled;
} forms[] = {
    [BATCH_FLOATS] = {.value_bytes = sizeof(float), .run = TILE_COLS, .together = true},
    [BATCH_ROWS] = {.value_bytes = sizeof(float), .run = TILE_COLS},
    [BATCH_WORDS] = {.value_bytes = sizeof(int16_t), .run = BLOCK_COLS, .together = true, .scaled = true},
    [BATCH_SMALL] = {.value_bytes = sizeof(int8_t), .run = BLOCK_COLS, .together = true, .scaled = true},
    [BATCH_BYTES] = {.value_bytes = sizeof(int8_t), .run = BLOCK_COLS, .scaled = true},
    [BATCH_BFLOATS] = {.value_bytes = 2 * sizeof(uint16_t), .run = BLOCK_COLS},
};

/* For whichever form a batch of up to `capacity` vectors takes. */
static bool allocate_batch(struct batch *batch, enum rounding kind, size_t capacity, size_t max_cols,
                           struct arena *arena, struct error *error) {
    const size_t n_vectors = capacity + BATCH_PAD, n_groups = padded(max_cols, BLOCK_COLS) / BLOCK_COLS;
    size_t vector_bytes = 0;
    bool scaled = false, small = false;
    for (const struct primitives *p = primitives_for(capacity);; p++) {
        const struct form *form = &forms[p->forms[kind]];
        const size_t bytes = padded(max_cols, form->run) * form->value_bytes;
        vector_bytes = bytes > vector_bytes ? bytes : vector_bytes;
        scaled |= form->scaled;
        small |= p->forms[kind] == BATCH_SMALL;
        if (p == primitives_for(2))
            break;
    }
    batch->values = arena_alloc(arena, n_vectors, vector_bytes, error);
    if (scaled)
        batch->scales = arena_alloc(arena, n_vectors, n_groups * sizeof *batch->scales, error);
    if (small)
        batch->offsets = arena_alloc(arena, n_vectors, n_groups * sizeof *batch->offsets, error);
    return batch->values && (batch->scales || !scaled) && (batch->offsets || !small);
}

bool inputs_init(struct inputs *inputs, size_t capacity, size_t max_cols, uint32_t kinds, struct arena *arena,
                 struct error *error) {
    const size_t n = padded(max_cols, BLOCK_COLS), n_groups = n / BLOCK_COLS;
    *inputs = (struct inputs){.capacity = capacity, .max_cols = max_cols, .kinds = kinds};
    float *f32 = ARENA_NEW(arena, float, n, error);
    int16_t *i16 = ARENA_NEW(arena, int16_t, n, error);
    int8_t *i8 = ARENA_NEW(arena, int8_t, n, error);
    float *scales = ARENA_NEW(arena, float, 2 * n_groups, error);
    int32_t *sums = ARENA_NEW(arena, int32_t, 2 * n_groups, error);
    if (!f32 || !i16 || !i8 || !scales || !sums)
        return false;
    inputs->one[ROUND_NONE] = (struct vector){.kind = ROUND_NONE, .f32 = f32};
    inputs->one[ROUND_SPLIT] = (struct vector){.kind = ROUND_SPLIT, .f32 = f32};
    inputs->one[ROUND_I16] = (struct vector){.kind = ROUND_I16, .i16 = i16, .scales = scales, .sums = sums};
    inputs->one[ROUND_I8] =
        (struct vector){.kind = ROUND_I8, .i8 = i8, .scales = scales + n_groups, .sums = sums + n_groups};
    for (int kind = 0; kind < ROUNDINGS && capacity > 1; kind++)
        if (kinds & 1u << kind &&
            !allocate_batch(&inputs->batch[kind], (enum rounding)kind, capacity, max_cols, arena, error))
            return false;
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
    share_of(padded(n_cols, BLOCK_COLS) / BLOCK_COLS, 1, thread, n_threads, &begin, &end);
    for (int kind = 0; kind < ROUNDINGS; kind++)
        if (begin < end && kinds & 1u << kind)
            round_part(&inputs->one[kind], x, n_cols, begin, end);
}

/* A group of up to BLOCK_COLS values, padded with zeros and rounded. */
struct group {
    float f32[BLOCK_COLS];
    int16_t i16[BLOCK_COLS];
    int8_t i8[BLOCK_COLS];
    float scale; /* of integers */
};

static void round_group(enum rounding kind, const float *x, size_t n, struct group *to) {
    int32_t sum;
    const struct vector rounded = {kind, BLOCK_COLS, to->f32, to->i16, to->i8, &to->scale, &sum};
    round_part(&rounded, x, n, 0, 1);
}

static void to_floats(enum rounding kind, const struct group *group, float *to) {
    for (size_t i = 0; i < BLOCK_COLS; i++)
        to[i] = kind == ROUND_I16  ? group->scale * group->i16[i]
                : kind == ROUND_I8 ? group->scale * group->i8[i]
                                   : group->f32[i];
}

static void to_words(const struct group *group, int16_t *to) {
    for (size_t col = 0; col < BLOCK_COLS; col++)
        to[batch_order(col)] = group->i16[col];
}

static void to_offsets(const struct group *group, int16_t to[2]) {
    int offsets[2] = {0};
    for (size_t col = 0; col < BLOCK_COLS; col++)
        offsets[col >> 1 & 1] -= 8 * group->i8[col];
    to[0] = (int16_t)offsets[0];
    to[1] = (int16_t)offsets[1];
}

static void to_bfloats(enum rounding kind, const struct group *group, const struct batch *to, size_t i,
                       size_t col) {
    float values[BLOCK_COLS];
    uint16_t *first = to->bf16 + (col / BLOCK_COLS * 2 * to->n_vectors + i) * BLOCK_COLS;
    to_floats(kind, group, values);
    best_primitives()->split(values, first, first + to->n_vectors * BLOCK_COLS);
}

/* A group's values among those that lie together. */
static void put_values(const void *values, const struct batch *to, size_t i, size_t col) {
    const size_t run = forms[to->form].run, value_bytes = forms[to->form].value_bytes;
    const size_t begin = batch_begin(to, col / run, run * value_bytes / 4, i), step = batch_step(to, i);
    uint8_t *at = (uint8_t *)to->values + 4 * (begin + col % run * value_bytes / 4 * step);
    for (size_t word = 0; word < BLOCK_COLS * value_bytes / 4; word++)
        memcpy(at + 4 * word * step, (const uint8_t *)values + 4 * word, 4);
}

/* As group of vector i that begins at a column. */
static void put_group(enum rounding kind, const struct group *group, const struct batch *to, size_t i,
                      size_t col) {
    const size_t number = col / BLOCK_COLS * to->n_vectors + i;
    float floats[BLOCK_COLS];
    int16_t words[BLOCK_COLS];
    if (forms[to->form].scaled)
        to->scales[number] = group->scale;
    switch (to->form) {
    case BATCH_FLOATS:
    case BATCH_ROWS:
        to_floats(kind, group, floats);
        put_values(floats, to, i, col);
        break;
    case BATCH_WORDS:
        to_words(group, words);
        put_values(words, to, i, col);
        break;
    case BATCH_SMALL:
        to_offsets(group, to->offsets[number]);
        put_values(group->i8, to, i, col);
        break;
    case BATCH_BYTES:
        put_values(group->i8, to, i, col);
        break;
    case BATCH_BFLOATS:
        to_bfloats(kind, group, to, i, col);
    }
}

/* Vectors [begin, end) of a batch from x[i * x_stride], one group of all after the other: they lie side by
 * side. */
static void round_to_batch(enum rounding kind, const float *x, size_t x_stride, size_t n_cols,
                           const struct batch *to, size_t begin, size_t end) {
    const size_t n = padded(n_cols, BLOCK_COLS);
    struct group group;
    for (size_t col = 0; col < n; col += BLOCK_COLS)
        for (size_t i = begin; i < end; i++) {
            round_group(kind, x + i * x_stride + col, smaller(n_cols - col, BLOCK_COLS), &group);
            put_group(kind, &group, to, i, col);
        }
    group = (struct group){0};
    for (size_t col = n; col < padded(n, forms[to->form].run); col += BLOCK_COLS)
        for (size_t i = begin; i < end; i++)
            put_group(kind, &group, to, i, col);
}

static void set_shape(struct batch *batch, enum rounding kind, size_t n_vectors) {
    const struct primitives *best = primitives_for(n_vectors);
    batch->n_vectors = n_vectors;
    batch->form = best->forms[kind];
    batch->together = forms[batch->form].together ? best->together : 1;
}

/* A batch of n_vectors in the room of another, whose shape is not read: thread 0 may be setting it. */
static struct batch batch_of(const struct batch *room, enum rounding kind, size_t n_vectors) {
    struct batch batch = {.values = room->values, .scales = room->scales, .offsets = room->offsets};
    set_shape(&batch, kind, n_vectors);
    return batch;
}

/* Vectors that are read at a time, each a stream for the processor's prefetchers. */
#define AT_ONCE 16

static void set_batch(struct inputs *inputs, const float *x, size_t x_stride, size_t count, size_t n_cols,
                      uint32_t kinds, unsigned thread, unsigned n_threads) {
    size_t begin, end;
    share_of(count, 1, thread, n_threads, &begin, &end);
    for (int kind = 0; kind < ROUNDINGS; kind++) {
        const struct batch batch = batch_of(&inputs->batch[kind], (enum rounding)kind, count);
        for (size_t i = begin; kinds & 1u << kind && i < end; i += AT_ONCE)
            round_to_batch((enum rounding)kind, x, x_stride, n_cols, &batch, i, smaller(i + AT_ONCE, end));
    }
}

void inputs_set(struct inputs *inputs, const float *x, size_t x_stride, size_t count, size_t n_cols,
                uint32_t kinds, unsigned thread, unsigned n_threads) {
    assert(count <= inputs->capacity && n_cols <= inputs->max_cols);
    assert(count == 1 || (kinds & ~inputs->kinds) == 0);
    if (thread == 0) {
        inputs->count = count;
        inputs->n_cols = n_cols;
        for (int kind = 0; kind < ROUNDINGS; kind++) {
            inputs->one[kind].n_cols = n_cols;
            set_shape(&inputs->batch[kind], (enum rounding)kind, count);
        }
    }
    if (count == 1)
        set_one(inputs, x, n_cols, kinds, thread, n_threads);
    else
        set_batch(inputs, x, x_stride, count, n_cols, kinds, thread, n_threads);
}
