#include "lib/threads.h"

#include "lib/cpu.h"
#include "lib/progress.h"

#include <inttypes.h>
#include <pthread.h>
#include <string.h>

/* All waiting is for a counter to move on from a value: work's number, the number of works done, the number
 * of barriers passed. Each has its own cache line, because one thread writes it while the others read. */
struct counter {
    alignas(64) atomic_uint value;
};

struct member {
    alignas(64) _Atomic uint64_t hand; /* pack_hand(): its part in a deal */
    uint32_t n_deals; /* that it began */
    struct pool *pool;
    unsigned index;
    pthread_t thread;
};

struct pool {
    struct arena arena; /* holds this pool */
    unsigned n_threads;
    double spin_seconds; /* 0 with more threads than processors, where spinning takes time from the others */
    struct member *members; /* [n_threads], of which 0 is the caller */

    pool_work *work;
    void *context;
    bool quit;
    struct counter started, finished, passed;
    struct counter running, arrived; /* threads still at work; threads waiting at the barrier */

    struct counter sleepers;
    pthread_mutex_t mutex;
    pthread_cond_t moved;
};

#define SPIN_SECONDS 200e-6 /* a few times what a token does between two pieces of shared work */

static void relax(void) {
#if defined __x86_64__ || defined __i386__
    __builtin_ia32_pause();
#elif defined __aarch64__
    __asm__ volatile("isb" ::: "memory"); /* yield is no pause at all on most cores */
#endif
}

static bool spin_until_moved(const struct pool *pool, struct counter *counter, unsigned old) {
    if (atomic_load_explicit(&counter->value, memory_order_acquire) != old)
        return true;
    if (pool->spin_seconds <= 0)
        return false;
    double end = clock_seconds() + pool->spin_seconds;
    do
        for (int i = 0; i < 64; i++) {
            relax();
            if (atomic_load_explicit(&counter->value, memory_order_acquire) != old)
                return true;
        }
    while (clock_seconds() < end);
    return false;
}

/* The sleeper counts itself, then looks at the counter; move_on() moves the counter, then looks for sleepers.
 * Both in the single order of seq_cst, so at least one sees the other. */
static void sleep_until_moved(struct pool *pool, struct counter *counter, unsigned old) {
    pthread_mutex_lock(&pool->mutex);
    atomic_fetch_add(&pool->sleepers.value, 1);
    while (atomic_load(&counter->value) == old)
        pthread_cond_wait(&pool->moved, &pool->mutex);
    atomic_fetch_sub(&pool->sleepers.value, 1);
    pthread_mutex_unlock(&pool->mutex);
}

static void wait_until_moved(struct pool *pool, struct counter *counter, unsigned old) {
    if (!spin_until_moved(pool, counter, old))
        sleep_until_moved(pool, counter, old);
}

static void move_on(struct pool *pool, struct counter *counter) {
    atomic_fetch_add(&counter->value, 1);
    if (atomic_load(&pool->sleepers.value) == 0)
        return;
    pthread_mutex_lock(&pool->mutex);
    pthread_cond_broadcast(&pool->moved);
    pthread_mutex_unlock(&pool->mutex);
}

static void *member_main(void *context) {
    struct member *member = context;
    struct pool *pool = member->pool;
    for (unsigned seen = 0;; seen++) {
        wait_until_moved(pool, &pool->started, seen);
        if (pool->quit)
            return NULL;
        pool->work(pool->context, member->index, pool->n_threads);
        if (atomic_fetch_sub(&pool->running.value, 1) == 1)
            move_on(pool, &pool->finished);
    }
}

void pool_run(struct pool *pool, pool_work *work, void *context) {
    if (pool->n_threads > 1) {
        unsigned finished = atomic_load_explicit(&pool->finished.value, memory_order_relaxed);
        pool->work = work;
        pool->context = context;
        atomic_store_explicit(&pool->running.value, pool->n_threads - 1, memory_order_relaxed);
        move_on(pool, &pool->started);
        work(context, 0, pool->n_threads);
        wait_until_moved(pool, &pool->finished, finished);
    } else
        work(context, 0, 1);
}

void pool_barrier(struct pool *pool) {
    if (pool->n_threads == 1)
        return;
    unsigned passed = atomic_load_explicit(&pool->passed.value, memory_order_relaxed);
    if (atomic_fetch_add(&pool->arrived.value, 1) + 1 < pool->n_threads) {
        wait_until_moved(pool, &pool->passed, passed);
        return;
    }
    atomic_store_explicit(&pool->arrived.value, 0, memory_order_relaxed);
    move_on(pool, &pool->passed);
}

unsigned pool_size(const struct pool *pool) {
    return pool->n_threads;
}

/* Ends the workers 1 to n_started - 1, and the pool with them. */
static void dissolve(struct pool *pool, unsigned n_started) {
    pool->quit = true;
    move_on(pool, &pool->started);
    for (unsigned i = 1; i < n_started; i++)
        pthread_join(pool->members[i].thread, NULL);
    pthread_cond_destroy(&pool->moved);
    pthread_mutex_destroy(&pool->mutex);
    struct arena arena = pool->arena;
    arena_free(&arena);
}

static struct pool *allocate(unsigned n_threads, struct error *error) {
    struct arena arena = {0};
    struct pool *pool = ARENA_NEW(&arena, struct pool, 1, error);
    struct member *members = pool ? ARENA_NEW(&arena, struct member, n_threads, error) : NULL;
    if (!members) {
        arena_free(&arena);
        return NULL;
    }
    pool->arena = arena;
    pool->members = members;
    pool->n_threads = n_threads;
    pool->spin_seconds = n_threads <= cpu_online() ? SPIN_SECONDS : 0;
    pthread_mutex_init(&pool->mutex, NULL);
    pthread_cond_init(&pool->moved, NULL);
    return pool;
}

static unsigned one_per_processor(void) {
    unsigned n = cpu_online();
    return n < THREADS_MAX ? n : THREADS_MAX;
}

struct pool *pool_new(uint64_t n_threads, struct error *error) {
    if (n_threads > THREADS_MAX) {
        fail(error, "%" PRIu64 " threads are more than the %u that are possible", n_threads, THREADS_MAX);
        return NULL;
    }
    struct pool *pool = allocate(n_threads ? (unsigned)n_threads : one_per_processor(), error);
    for (unsigned i = 1; pool && i < pool->n_threads; i++) {
        pool->members[i] = (struct member){.pool = pool, .index = i};
        int number = pthread_create(&pool->members[i].thread, NULL, member_main, &pool->members[i]);
        if (number != 0) {
            fail(error, "thread %u of %u can't be started: %s", i + 1, pool->n_threads, strerror(number));
            dissolve(pool, i);
            return NULL;
        }
    }
    return pool;
}

void pool_free(struct pool *pool) {
    if (pool)
        dissolve(pool, pool->n_threads);
}

static size_t in_grains(size_t count, size_t grain) {
    return count / grain + (count % grain != 0);
}

void share_of(size_t count, size_t grain, unsigned index, unsigned n, size_t *begin, size_t *end) {
    size_t grains = in_grains(count, grain), even = grains / n, extra = grains % n;
    size_t first = index * even + (index < extra ? index : extra);
    size_t last = first + even + (index < extra);
    *begin = first < grains ? first * grain : count;
    *end = last < grains ? last * grain : count;
}

/* ---- Deals ---- */

/* A thread's share in a deal: how many grains were taken from its front and from its end. One that was last
 * touched in an earlier deal is whole; in a later one, all gone, as nobody moves on before. */
struct hand {
    uint32_t number; /* of the deal */
    uint32_t front, back;
};

#define NUMBER_BITS 24 /* and twice GRAIN_BITS: a hand is read and written in one piece */
#define GRAIN_BITS 20
#define BITS(n) ((UINT32_C(1) << (n)) - 1)
#define PIECE 8 /* grains at most; half of what is left, if that is less */

static uint64_t packed(struct hand hand) {
    return (uint64_t)hand.number << 2 * GRAIN_BITS | (uint64_t)hand.front << GRAIN_BITS | hand.back;
}

static struct hand unpacked(uint64_t word) {
    return (struct hand){.number = (uint32_t)(word >> 2 * GRAIN_BITS),
                         .front = (uint32_t)(word >> GRAIN_BITS) & BITS(GRAIN_BITS),
                         .back = (uint32_t)word & BITS(GRAIN_BITS)};
}

/* Whether a hand was last touched in a deal before this one. */
static bool is_earlier(const struct hand *hand, const struct deal *deal) {
    const uint32_t since = (deal->number - hand->number) & BITS(NUMBER_BITS);
    return since > 0 && since <= BITS(NUMBER_BITS - 1);
}

/* No hand stays behind for long, even if nobody ever takes from it, lest it be thought ahead one day. */
static void begin_hand(_Atomic uint64_t *at, const struct deal *deal) {
    uint64_t word = atomic_load_explicit(at, memory_order_relaxed);
    struct hand hand = unpacked(word);
    if (is_earlier(&hand, deal)) /* where this fails, another thread has done it */
        atomic_compare_exchange_strong_explicit(at, &word, packed((struct hand){.number = deal->number}),
                                                memory_order_relaxed, memory_order_relaxed);
}

struct deal pool_deal(struct pool *pool, unsigned thread, size_t count, size_t grain) {
    struct member *member = &pool->members[thread];
    member->n_deals = (member->n_deals + 1) & BITS(NUMBER_BITS);
    struct deal deal = {pool, thread, member->n_deals, count, grain};
    while (count / deal.grain / pool->n_threads >= BITS(GRAIN_BITS) - 1)
        deal.grain *= 2;
    begin_hand(&member->hand, &deal);
    return deal;
}

/* Takes a piece of the `size` grains of a share, from `*first` on. Returns its grains, 0 where none are left.
 */
static uint32_t take_from(const struct deal *deal, unsigned owner, uint32_t size, uint32_t *first) {
    _Atomic uint64_t *at = &deal->pool->members[owner].hand;
    uint64_t word = atomic_load_explicit(at, memory_order_relaxed);
    for (;;) {
        struct hand hand = unpacked(word);
        if (is_earlier(&hand, deal))
            hand = (struct hand){.number = deal->number};
        const uint32_t left = hand.number == deal->number ? size - hand.front - hand.back : 0;
        const uint32_t piece = left / 2 + left % 2 < PIECE ? left / 2 + left % 2 : PIECE;
        if (owner == deal->thread)
            *first = hand.front, hand.front += piece;
        else
            *first = size - hand.back - piece, hand.back += piece;
        if (piece == 0 || atomic_compare_exchange_weak_explicit(at, &word, packed(hand), memory_order_relaxed,
                                                                memory_order_relaxed))
            return piece;
    }
}

bool deal_take(const struct deal *deal, size_t *begin, size_t *end) {
    const unsigned n_threads = deal->pool->n_threads;
    for (unsigned i = 0; i < n_threads; i++) {
        const unsigned owner = (deal->thread + i) % n_threads;
        size_t share_begin, share_end;
        uint32_t first;
        share_of(deal->count, deal->grain, owner, n_threads, &share_begin, &share_end);
        size_t size = in_grains(share_end - share_begin, deal->grain);
        size_t piece = take_from(deal, owner, (uint32_t)size, &first);
        *begin = share_begin + first * deal->grain;
        *end = least(*begin + piece * deal->grain, share_end);
        if (piece > 0)
            return true;
    }
    return false;
}
