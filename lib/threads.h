/* A fixed team of threads that run one piece of work together.
 *
 * The caller is thread 0. Workers spin for a short while after a piece of work, then sleep, so that
 * back-to-back work (the matrices of a token) starts in well under a microsecond and an idle pool costs
 * nothing. */
#ifndef LIB_THREADS_H
#define LIB_THREADS_H

#include "lib/memory.h"

#include <stdalign.h>
#include <stdatomic.h>

struct pool;

/* n_threads 0 means one per online processor. At most THREADS_MAX. */
#define THREADS_MAX 256
struct pool *pool_new(uint64_t n_threads, struct error *error);
void pool_free(struct pool *pool); /* NULL is fine */
unsigned pool_size(const struct pool *pool);

/* Runs work(context, thread, n_threads) once on every thread and returns when all are done. Not reentrant. */
typedef void pool_work(void *context, unsigned thread, unsigned n_threads);
void pool_run(struct pool *pool, pool_work *work, void *context);

/* Inside pool_run's work: waits until every thread of the pool is here. What was written before is visible
 * after. */
void pool_barrier(struct pool *pool);

/* Splits `count` items into even shares, in multiples of `grain` but for the last; share `index` of `n` is
 * [*begin, *end), perhaps empty. */
void share_of(size_t count, size_t grain, unsigned index, unsigned n, size_t *begin, size_t *end);

/* Items that threads take as they come to them, so that one which is held up leaves more to the others.
 * Zeroed, nothing is taken. */
struct deal {
    alignas(64) atomic_size_t next;
};

/* Takes the next `grain` of `count` items, fewer at the end. False where none are left. All takers of a deal
 * give the same count and grain. */
bool deal_take(struct deal *deal, size_t count, size_t grain, size_t *begin, size_t *end);

#endif
