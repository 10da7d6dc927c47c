#include "lib/progress.h"
#include "verify/checks.h"

#include <inttypes.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define PIECE_FLOATS (64u << 10)

double relative_error(double squares, double source_squares) {
    return squares == 0 ? 0 : sqrt(squares / source_squares);
}

/* ---- The manifest ---- */

static const struct source_file *source_called(const struct import *source, const char *name) {
    for (size_t i = 0; i < source->n_sources; i++)
        if (!strcmp(source->sources[i].name, name))
            return &source->sources[i];
    return NULL;
}

static bool check_file(const struct import *model, const struct import *source,
                       const struct source_file *wanted, struct error *error) {
    const char *from = source->container.path, *path = model->container.path;
    const struct source_file *there = source_called(source, wanted->name);
    if (!there)
        return fail(error, "%s: has no %s, of which %s was made", from, wanted->name, path);
    if (there->size != wanted->size)
        return fail(error, "%s: %s is %" PRIu64 " bytes, %s was made of one of %" PRIu64, from, wanted->name,
                    there->size, path, wanted->size);
    return !strcmp(there->sha256, wanted->sha256) ||
           fail(error, "%s: %s has the SHA-256 %s, %s was made of one with %s", from, wanted->name,
                there->sha256, path, wanted->sha256);
}

static void check_manifest(const struct import *model, const struct import *source,
                           struct comparison *comparison, struct findings *findings) {
    struct error error;
    if (!model->n_sources &&
        !fail(&error, "%s: holds no list of the files it was made of", model->container.path))
        found(findings, error.text);
    for (size_t i = 0; i < model->n_sources; i++)
        if (check_file(model, source, &model->sources[i], &error))
            comparison->n_files++;
        else
            found(findings, error.text);
}

/* ---- Tensors ---- */

struct thread_rows {
    float *model, *source;
    void *raw;
};

struct source_job {
    const struct import *model;
    struct import *source;
    struct comparison *comparison;
    struct thread_rows *rows; /* [threads] */
    atomic_size_t next_file, next_tensor;
    pthread_mutex_t mutex; /* of what follows */
    bool failed;
    struct error error;
};

static void give_up(struct source_job *job, const struct error *error) {
    pthread_mutex_lock(&job->mutex);
    if (!job->failed)
        job->error = *error;
    job->failed = true;
    pthread_mutex_unlock(&job->mutex);
}

static void rows_cols(const struct import *import, size_t i, uint64_t *n_rows, uint64_t *n_cols) {
    tensor_rows_cols(import->tensors[i], n_rows, n_cols);
}

static uint64_t rows_in_piece(uint64_t n_cols) {
    uint64_t panels = PIECE_FLOATS / n_cols / PANEL_ROWS;
    return (panels ? panels : 1) * PANEL_ROWS;
}

static void add_squares(struct difference *difference, const float *q, const float *w, size_t n) {
    double squares = 0, source_squares = 0;
    for (size_t i = 0; i < n; i++) {
        double d = (double)w[i] - (double)q[i];
        squares += d * d;
        source_squares += (double)w[i] * (double)w[i];
    }
    difference->squares += squares;
    difference->source_squares += source_squares;
}

static bool compare_tensor(const struct source_job *job, size_t i, const struct thread_rows *rows,
                           struct error *error) {
    struct difference *difference = &job->comparison->differences[i];
    uint64_t n_rows, n_cols;
    rows_cols(job->model, i, &n_rows, &n_cols);
    *difference = (struct difference){&job->model->roles[i], job->model->tensors[i]->layout.name, 0, 0};
    for (uint64_t row = 0, step = rows_in_piece(n_cols); row < n_rows; row += step) {
        uint64_t n = n_rows - row < step ? n_rows - row : step;
        if (!import_read_rows(job->model, i, row, n, rows->model, rows->raw, error) ||
            !import_read_rows(job->source, i, row, n, rows->source, rows->raw, error))
            return false;
        add_squares(difference, rows->model, rows->source, (size_t)(n * n_cols));
    }
    progress_advance(job->source->tensors[i]->size);
    return true;
}

static void hash_files(struct source_job *job) {
    struct error error;
    size_t i;
    while ((i = atomic_fetch_add(&job->next_file, 1)) < job->source->n_sources)
        if (!import_hash_source(job->source, i, &error))
            give_up(job, &error);
}

static void work(void *context, unsigned thread, unsigned n_threads) {
    struct source_job *job = context;
    struct error error;
    size_t i;
    (void)n_threads;
    if (thread == 0)
        hash_files(job);
    while ((i = atomic_fetch_add(&job->next_tensor, 1)) < job->model->n_tensors)
        if (!compare_tensor(job, i, &job->rows[thread], &error))
            give_up(job, &error);
    hash_files(job);
}

static bool same_tensors(const struct import *model, const struct import *source, struct error *error) {
    bool same = model->n_tensors == source->n_tensors;
    for (size_t i = 0; same && i < model->n_tensors; i++) {
        const struct role_tensor *a = &model->roles[i], *b = &source->roles[i];
        same =
            !strcmp(a->name, b->name) && a->n_dims == b->n_dims && !memcmp(a->dims, b->dims, sizeof a->dims);
    }
    return same || fail(error, "%s: is a model of another shape than %s", source->container.path,
                        model->container.path);
}

static bool reserve_rows(struct source_job *job, unsigned n_threads, struct arena *arena,
                         struct error *error) {
    uint64_t most = 0;
    for (size_t i = 0; i < job->model->n_tensors; i++) {
        uint64_t n_rows, n_cols;
        rows_cols(job->model, i, &n_rows, &n_cols);
        uint64_t floats = rows_in_piece(n_cols) * n_cols;
        most = floats > most ? floats : most;
    }
    /* No type takes more bytes than floats do, but for the columns that fill up its last block. */
    most += PANEL_ROWS * BLOCK_COLS;
    job->rows = ARENA_NEW(arena, struct thread_rows, n_threads, error);
    for (unsigned i = 0; job->rows && i < n_threads; i++) {
        job->rows[i].model = ARENA_NEW(arena, float, most, error);
        job->rows[i].source = ARENA_NEW(arena, float, most, error);
        job->rows[i].raw = ARENA_NEW(arena, float, most, error);
        if (!job->rows[i].model || !job->rows[i].source || !job->rows[i].raw)
            return false;
    }
    return job->rows;
}

/* ---- The whole ---- */

static int worst_first(const void *a, const void *b) {
    const struct difference *x = a, *y = b;
    double one = relative_error(x->squares, x->source_squares),
           other = relative_error(y->squares, y->source_squares);
    if (one != other)
        return one > other ? -1 : 1;
    return strcmp(x->role->name, y->role->name);
}

static void sum_up(struct comparison *comparison) {
    for (size_t i = 0; i < comparison->count; i++) {
        const struct difference *difference = &comparison->differences[i];
        comparison->squares += difference->squares;
        comparison->source_squares += difference->source_squares;
        comparison->n_exact += difference->squares == 0;
    }
    qsort(comparison->differences, comparison->count, sizeof *comparison->differences, worst_first);
}

static bool run_job(struct source_job *job, struct pool *pool, bool quiet) {
    uint64_t total = 0;
    for (size_t i = 0; i < job->source->n_tensors; i++)
        total += job->source->tensors[i]->size;
    progress_start("compare", total, "B", quiet);
    pool_run(pool, work, job);
    progress_done();
    return !job->failed;
}

void compare_with_source(const struct import *model, struct import *source, struct pool *pool, bool quiet,
                         struct comparison *comparison, struct arena *arena, struct findings *findings) {
    struct source_job job = {
        .model = model, .source = source, .comparison = comparison, .mutex = PTHREAD_MUTEX_INITIALIZER};
    comparison->differences = ARENA_NEW(arena, struct difference, model->n_tensors, &job.error);
    if (!comparison->differences || !same_tensors(model, source, &job.error) ||
        !reserve_rows(&job, pool_size(pool), arena, &job.error) || !run_job(&job, pool, quiet)) {
        found(findings, job.error.text);
        return;
    }
    comparison->count = model->n_tensors;
    check_manifest(model, source, comparison, findings);
    sum_up(comparison);
}
