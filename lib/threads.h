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

/* Items dealt to the threads of a pool, inside pool_run's work. Each thread has an even share, which it takes
 * piece by piece from the front, so that it reads memory in one run; who has none left takes from the end of
 * another's share, so that a thread which is held up does not hold up all.
 *
 * All threads begin the same deals in the same order; they need not wait for each other in between, but do so
 * at least once in eight million. */
struct deal {
    struct pool *pool;
    unsigned thread;
    uint32_t number; /* of this thread's deals, modulo 2^24 */
    size_t count, grain;
};

struct deal pool_deal(struct pool *pool, unsigned thread, size_t count, size_t grain);

/* This thread's next piece, a multiple of the grain but for the last. False where none are left. */
bool deal_take(const struct deal *deal, size_t *begin, size_t *end);

#endif
