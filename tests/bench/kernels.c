/* What each type and variant makes of this processor: the share of the memory's read speed that a matvec
 * streams at, the share of its arithmetic that a batch reaches, and the speed of
 * encoding.
 *
 *   kernels [TYPE [VARIANT]]
 *
 * Rounds alternate between the kernel and what it is compared with, so that a machine that others use gives
 * fair ratios; medians are reported. */
#include "lib/half.h"
#include "lib/progress.h"
#include "lib/threads.h"
#include "types/blocks.h"
#include "types/matmul.h"
#include "types/variants.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROUNDS = 7, STREAM_BYTES = 320 << 20 };

static struct pool *pool;

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values, size_t n) {
    qsort(values, n, sizeof *values, by_value);
    return values[n / 2];
}

static double timed(pool_work *work, void *context) {
    double start = clock_seconds();
    pool_run(pool, work, context);
    return clock_seconds() - start;
}

/* ---- the roofs ---- */

struct bytes {
    const uint8_t *data;
    size_t size;
    uint64_t sink[THREADS_MAX * 8];
};

typedef uint64_t wide __attribute__((vector_size(32)));

/* From four places at once, which is faster than from one. */
#if defined __x86_64__
__attribute__((target("avx2")))
#endif
static void
read_plainly(void *context, unsigned thread, unsigned n_threads) {
    enum { STREAMS = 4, STEP = 128 };
    struct bytes *bytes = context;
    size_t begin, end;
    share_of(bytes->size, STREAMS * 4096, thread, n_threads, &begin, &end);
    const size_t length = (end - begin) / STREAMS;
    wide sum[STEP / sizeof(wide)] = {0};
    for (size_t i = begin; i + STEP <= begin + length; i += STEP)
        for (size_t stream = 0; stream < STREAMS; stream++)
            for (size_t j = 0; j < COUNT(sum); j++)
                sum[j] |= ((const wide *)(const void *)(bytes->data + i + stream * length))[j];
    for (size_t j = 0; j < COUNT(sum); j++)
        bytes->sink[thread * 8] |= sum[j][0] | sum[j][1] | sum[j][2] | sum[j][3];
}

/* The product of one tile with vectors, over and over: no memory beyond the nearest caches. */
static void multiply_in_cache(void *context, unsigned thread, unsigned n_threads) {
    enum { VECTORS = 12 };
    static _Alignas(64) float tile[TILE_COLS * PANEL_ROWS], x[VECTORS * TILE_COLS];
    float sums[VECTORS * PANEL_ROWS] = {0};
    (void)thread, (void)n_threads;
    for (size_t i = 0; i < *(size_t *)context; i++)
        best_primitives()->product(tile, TILE_COLS, x, VECTORS, sums);
}

static double in_cache_rate(void) { /* floating-point operations per second */
    size_t n = 4000; /* several milliseconds: waking the threads does not count */
    return 2.0 * TILE_COLS * PANEL_ROWS * 12 * (double)n * pool_size(pool) / timed(multiply_in_cache, &n);
}

/* ---- matvec ---- */

struct task {
    struct matrix *matrices;
    size_t n_matrices;
    struct inputs *inputs;
    matvec_fn *matvec;
    float *y;
    size_t y_stride;
    void *scratch[THREADS_MAX];
    encode_fn *encode;
    struct matrix rows;
};

static void multiply_all(void *context, unsigned thread, unsigned n_threads) {
    const struct task *task = context;
    for (size_t i = 0; i < task->n_matrices; i++) {
        const struct matrix *w = &task->matrices[i];
        size_t begin, end;
        share_of(w->n_rows, PANEL_ROWS, thread, n_threads, &begin, &end);
        task->matvec(w, &task->inputs->one[w->type->rounding], begin, end, task->y);
        pool_barrier(pool);
    }
}

/* Bytes that any type decodes to finite numbers: below 0x40 in every byte, so no exponent is all ones. */
static void fill(uint8_t *data, size_t size) {
    uint64_t state = 1;
    for (size_t i = 0; i < size; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        data[i] = (uint8_t)(state >> 33) & 0x3f;
    }
}

struct shape {
    size_t n_rows, n_cols;
};

static void bench_matvec(const struct type *type, const struct variant *v, struct shape shape, uint8_t *data,
                         struct inputs *inputs, float *y) {
    uint64_t size;
    struct matrix matrices[512];
    if (!matrix_bytes(type, shape.n_rows, shape.n_cols, &size))
        return;
    size_t n = STREAM_BYTES / size;
    n = n < COUNT(matrices) ? n : COUNT(matrices);
    for (size_t i = 0; i < n; i++)
        matrices[i] = (struct matrix){type, data + i * size, shape.n_rows, shape.n_cols};
    struct task task = {.matrices = matrices, .n_matrices = n, .inputs = inputs, .matvec = v->matvec, .y = y};
    struct bytes bytes = {.data = data, .size = n * size};
    double kernel[ROUNDS], roof[ROUNDS], share[ROUNDS];
    const double start = clock_seconds();
    size_t n_rounds = 0;
    do {
        roof[n_rounds] = (double)bytes.size / timed(read_plainly, &bytes) / 1e9;
        kernel[n_rounds] = (double)bytes.size / timed(multiply_all, &task) / 1e9;
        share[n_rounds] = kernel[n_rounds] / roof[n_rounds];
    } while (++n_rounds < ROUNDS && clock_seconds() - start < 1);
    const double middle = median(share, n_rounds);
    printf("%-5s %-11s matvec %5zu x %-5zu %6.1f GB/s, plain read %5.1f, share %.2f (%.2f to %.2f)\n",
           type->name, v->name, shape.n_rows, shape.n_cols, median(kernel, n_rounds), median(roof, n_rounds),
           middle, share[0], share[n_rounds - 1]);
}

/* ---- matmul ---- */

static void multiply_batch(void *context, unsigned thread, unsigned n_threads) {
    const struct task *task = context;
    size_t begin, end;
    share_of(task->matrices->n_rows, PANEL_ROWS, thread, n_threads, &begin, &end);
    matmul(task->matrices, task->inputs, task->y, task->y_stride, task->scratch[thread], begin, end);
}

static void bench_matmul(const struct type *type, size_t count, uint8_t *data, struct inputs *inputs,
                         float *x, float *y) {
    enum { ROWS = 2048, COLS = 2048 };
    struct matrix w = {type, data, ROWS, COLS};
    struct task task = {.matrices = &w, .inputs = inputs, .y = y, .y_stride = ROWS};
    for (unsigned thread = 0; thread < pool_size(pool); thread++)
        task.scratch[thread] = aligned_alloc(64, (matmul_scratch_bytes(COLS) + 63) / 64 * 64);
    inputs_set(inputs, x, COLS, count, COLS, 1u << type->rounding, 0, 1);
    double rate[ROUNDS], share[ROUNDS];
    for (int round = 0; round < ROUNDS; round++) {
        const double roof = in_cache_rate();
        rate[round] = 2.0 * ROWS * COLS * (double)count / timed(multiply_batch, &task);
        share[round] = rate[round] / roof;
    }
    const double middle = median(share, ROUNDS);
    printf("%-5s matmul of %4zu vectors %7.1f GFLOPS, share of the kernel in cache %.2f (%.2f to %.2f)\n",
           type->name, count, median(rate, ROUNDS) / 1e9, middle, share[0], share[ROUNDS - 1]);
    for (unsigned thread = 0; thread < pool_size(pool); thread++)
        free(task.scratch[thread]);
}

/* ---- encode ---- */

static void encode_all(void *context, unsigned thread, unsigned n_threads) {
    const struct task *task = context;
    const struct matrix *w = task->matrices;
    size_t begin, end;
    struct unfit unfit;
    share_of(w->n_rows, PANEL_ROWS, thread, n_threads, &begin, &end);
    struct matrix rows = task->rows;
    rows.data += begin * rows.n_cols * rows.type->block_bytes;
    rows.n_rows = end - begin;
    task->encode(&rows, NULL,
                 (uint8_t *)w->data + begin / w->type->panel_rows * blocks_across(w) * w->type->block_bytes,
                 &unfit);
}

/* `from` is of a plain type. */
static void bench_encode(const struct type *type, const struct variant *v, uint8_t *data,
                         const struct type *from, const void *rows) {
    struct matrix w = {type, data, 512, 2048};
    struct task task = {.matrices = &w, .encode = v->encode, .rows = {from, rows, w.n_rows, w.n_cols}};
    double rate[ROUNDS];
    for (int round = 0; round < ROUNDS; round++)
        rate[round] = 2.0 * (double)(w.n_rows * w.n_cols) / timed(encode_all, &task) / pool_size(pool);
    printf("%-5s %-11s encode %6.2f GB/s of fp16 weights a thread, from %s\n", type->name, v->name,
           median(rate, ROUNDS) / 1e9, from->name);
}

static bool wanted(const char *name, int argc, char **argv, int argument) {
    return argc <= argument || strcmp(argv[argument], name) == 0;
}

int main(int argc, char **argv) {
    enum { COLS = 16384, ROWS = 4096, MOST = 512 };
    struct error error;
    struct arena arena = {0};
    struct inputs inputs, batch;
    pool = pool_new(0, &error);
    uint8_t *data = memory_pages(STREAM_BYTES);
    float *x = ARENA_NEW(&arena, float, MOST * 2048, &error);
    float *y = ARENA_NEW(&arena, float, MOST * 2048, &error);
    uint16_t *halves = ARENA_NEW(&arena, uint16_t, MOST * 2048, &error);
    if (!pool || !data || !x || !y || !halves || !inputs_init(&inputs, 1, COLS, 0, &arena, &error) ||
        !inputs_init(&batch, MOST, 2048, ALL_ROUNDINGS, &arena, &error)) {
        fprintf(stderr, "kernels: %s\n", error.text);
        return 2;
    }
    fill(data, STREAM_BYTES);
    for (size_t i = 0; i < MOST * 2048; i++)
        x[i] = (float)((i * 2654435761u >> 7) % 2001) / 1000 - 1;
    for (size_t i = 0; i < MOST * 2048; i++)
        halves[i] = float_to_half(x[i]);
    inputs_set(&inputs, x, COLS, 1, COLS, ALL_ROUNDINGS, 0, 1);
    printf("%s, %u threads, products in cache %.1f GFLOPS\n", cpu_model_name(), pool_size(pool),
           in_cache_rate() / 1e9);
    static const struct shape shapes[] = {{ROWS, COLS}, {2048, 2048}};
    for (const struct type *const *type = types; *type; type++) {
        if (!wanted((*type)->name, argc, argv, 1))
            continue;
        for (const struct variant *v = (*type)->variants; v < (*type)->variants + (*type)->n_variants; v++) {
            if ((v->needs & ~cpu_features()) || !wanted(v->name, argc, argv, 2))
                continue;
            for (size_t i = 0; v->matvec && i < COUNT(shapes); i++)
                bench_matvec(*type, v, shapes[i], data, &inputs, y);
            if (v->encode) {
                bench_encode(*type, v, data, type_find("f32"), x);
                bench_encode(*type, v, data, type_find("f16"), halves);
            }
            fill(data, 16 << 20); /* what encoding wrote over */
        }
        for (size_t count = 8; count <= MOST; count *= 4)
            bench_matmul(*type, count, data, &batch, x, y);
    }
    memory_pages_free(data, STREAM_BYTES);
    pool_free(pool);
    arena_free(&arena);
    return 0;
}
