#include "evaluate/arithmetic.h"

#include "assets/assets.h"
#include "lib/progress.h"
#include "types/matmul.h"

#include <math.h>

#define BATCH 192 /* far beyond the knee of float arithmetic */
#define SECONDS 1.0
#define RUNS 3 /* at least */

struct product {
    const struct matrix *matrix;
    struct pool *pool;
    struct inputs inputs;
    float *x, *y; /* (BATCH, n_cols), (BATCH, n_rows) */
    char *scratch; /* (n_threads, scratch_bytes) */
    size_t scratch_bytes;
    struct arena arena;
};

static void round_inputs(void *context, unsigned thread, unsigned n_threads) {
    struct product *p = context;
    inputs_set(&p->inputs, p->x, p->matrix->n_cols, BATCH, p->matrix->n_cols, 1u << p->matrix->type->rounding,
               thread, n_threads);
}

static void multiply(void *context, unsigned thread, unsigned n_threads) {
    struct product *p = context;
    const size_t n_rows = p->matrix->n_rows;
    const struct deal rows = pool_deal(p->pool, thread, n_rows, matmul_grain(n_rows, BATCH, n_threads));
    size_t begin, end;
    while (deal_take(&rows, &begin, &end))
        matmul(p->matrix, &p->inputs, p->y, n_rows, p->scratch + thread * p->scratch_bytes, begin, end);
}

/* Bytes that keep each thread's part aligned. */
static size_t aligned(size_t bytes) {
    return (bytes + 63) / 64 * 64;
}

static bool open_product(struct product *p, struct error *error) {
    size_t n_rows = p->matrix->n_rows, n_cols = p->matrix->n_cols;
    p->scratch_bytes = aligned(matmul_scratch_bytes(n_cols));
    p->x = arena_alloc(&p->arena, BATCH, n_cols * sizeof *p->x, error);
    p->y = arena_alloc(&p->arena, BATCH, n_rows * sizeof *p->y, error);
    p->scratch = arena_alloc(&p->arena, pool_size(p->pool), p->scratch_bytes, error);
    if (!p->x || !p->y || !p->scratch ||
        !inputs_init(&p->inputs, BATCH, n_cols, 1u << p->matrix->type->rounding, &p->arena, error))
        return false;
    for (size_t i = 0; i < BATCH * n_cols; i++)
        p->x[i] = (float)(i % 251) / 125 - 1;
    pool_run(p->pool, round_inputs, p);
    return true;
}

static double time_product(struct product *p) {
    double start = clock_seconds();
    pool_run(p->pool, multiply, p);
    return clock_seconds() - start;
}

/* The first of the feed-forward's matrices. */
static const struct matrix *widest(const struct layer *layer) {
    return layer->ffn.up.type ? &layer->ffn.up : &layer->experts.up;
}

static bool measure_arithmetic(const struct model *model, struct pool *pool, double *operations_a_second,
                               struct error *error) {
    struct product product = {.matrix = widest(&model->layers[0]), .pool = pool};
    bool good = open_product(&product, error);
    double best = INFINITY, start = clock_seconds();
    for (size_t run = 0; good && (run < RUNS || clock_seconds() - start < SECONDS); run++)
        best = fmin(best, time_product(&product));
    *operations_a_second =
        2.0 * BATCH * (double)product.matrix->n_rows * (double)product.matrix->n_cols / best;
    arena_free(&product.arena);
    return good;
}

/* All but its arithmetic. */
static struct workload workload_of(const struct model *model, const char *name) {
    return (struct workload){
        .name = name,
        .stored_bytes = (double)model->tensor_bytes,
        .bytes = (double)model->streamed_bytes,
        .operations = 2 * (double)model->n_streamed_weights,
    };
}

bool measure_rooflines(const struct speed_request *request, struct evaluation *evaluation,
                       struct arena *arena, struct error *error) {
    struct rooflines *rooflines = ARENA_NEW(arena, struct rooflines, 1, error);
    struct workload *workloads = ARENA_NEW(arena, struct workload, request->n_models, error);
    if (!rooflines || !workloads ||
        !devices_read(&rooflines->known, "assets/devices.tsv", asset_devices,
                      (size_t)(asset_devices_end - asset_devices), arena, error))
        return false;
    for (size_t i = 0; i < request->n_models; i++) {
        workloads[i] = workload_of(request->models[i], evaluation->rows[i].name);
        if (!measure_arithmetic(request->models[i], request->pool, &workloads[i].arithmetic, error))
            return false;
    }
    rooflines->bandwidth = evaluation->roof;
    rooflines->workloads = workloads;
    rooflines->n_workloads = request->n_models;
    evaluation->rooflines = rooflines;
    return true;
}
