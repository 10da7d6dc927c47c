#include "models/values.h"
#include "lib/progress.h"
#include "verify/checks.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#define PIECE_BYTES (256u << 10)

/* Tensors are handed out whole. Sentences are kept, and told in the tensors' order. */
struct values_job {
    const struct container *container;
    uint8_t *pieces; /* [threads][piece_bytes] */
    size_t piece_bytes;
    const char **sentences; /* [n_tensors], NULL where all is well */
    atomic_size_t next;
    pthread_mutex_t mutex; /* of the arena */
    struct arena arena;
};

static bool check_tensor(const struct values_job *job, const struct tensor *tensor, uint8_t *piece,
                         struct error *error) {
    uint64_t block_bytes = tensor->layout.block_bytes, n_blocks = tensor->size / block_bytes;
    uint64_t step = job->piece_bytes / block_bytes;
    const char *file = job->container->files[tensor->file].path;
    for (uint64_t block = 0; block < n_blocks; block += step) {
        size_t count = (size_t)(n_blocks - block < step ? n_blocks - block : step);
        if (!tensor_read(job->container, tensor, piece, count * block_bytes, block * block_bytes, error) ||
            !blocks_check_finite(tensor, file, piece, block, count, error))
            return false;
        progress_advance(count * block_bytes);
    }
    return true;
}

static void keep(struct values_job *job, size_t i, const struct error *error) {
    struct error ignored;
    pthread_mutex_lock(&job->mutex);
    const char *copy = arena_text(&job->arena, error->text, strlen(error->text), &ignored);
    pthread_mutex_unlock(&job->mutex);
    job->sentences[i] = copy ? copy : "out of memory";
}

static void work(void *context, unsigned thread, unsigned n_threads) {
    struct values_job *job = context;
    uint8_t *piece = job->pieces + thread * job->piece_bytes;
    size_t i;
    (void)n_threads;
    while ((i = atomic_fetch_add(&job->next, 1)) < job->container->n_tensors) {
        const struct tensor *tensor = &job->container->tensors[i];
        struct error error;
        if (tensor->type && !check_tensor(job, tensor, piece, &error))
            keep(job, i, &error);
    }
}

static bool prepare(struct values_job *job, unsigned n_threads, struct error *error) {
    job->piece_bytes = PIECE_BYTES;
    for (size_t i = 0; i < job->container->n_tensors; i++) {
        const struct tensor *tensor = &job->container->tensors[i];
        if (tensor->type && tensor->layout.block_bytes > job->piece_bytes)
            job->piece_bytes = tensor->layout.block_bytes;
    }
    job->pieces = arena_alloc(&job->arena, n_threads, job->piece_bytes, error);
    job->sentences = ARENA_NEW(&job->arena, const char *, job->container->n_tensors + 1, error);
    return job->pieces && job->sentences;
}

void check_values(const struct container *container, struct pool *pool, struct findings *findings) {
    struct values_job job = {.container = container, .mutex = PTHREAD_MUTEX_INITIALIZER};
    struct error error;
    if (prepare(&job, pool_size(pool), &error))
        pool_run(pool, work, &job);
    else
        found(findings, error.text);
    for (size_t i = 0; job.sentences && i < container->n_tensors; i++)
        if (job.sentences[i])
            found(findings, job.sentences[i]);
    arena_free(&job.arena);
}
