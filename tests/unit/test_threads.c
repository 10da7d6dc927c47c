/* Every thread runs every piece of work once, and what was written before a barrier is there after it: with
 * as many threads as processors, which spin, and with many more, which sleep. */
#include "lib/threads.h"

#include "lib/cpu.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

static const unsigned sizes[] = {1, 2, 3, 8, 33};
enum { N_SIZES = sizeof sizes / sizeof *sizes };

static struct pool *new_pool(unsigned n) {
    struct error error;
    struct pool *pool = pool_new(n, &error);
    assert_non_null(pool);
    assert_int_equal(pool_size(pool), n);
    return pool;
}

struct visits {
    unsigned char count[THREADS_MAX]; /* written by each thread at its own place, without atomics */
    unsigned n_threads;
};

static void visit(void *context, unsigned thread, unsigned n_threads) {
    struct visits *visits = context;
    visits->count[thread]++;
    if (thread == 0)
        visits->n_threads = n_threads;
}

static void every_thread_runs_the_work_once(void **state) {
    (void)state;
    for (int i = 0; i < N_SIZES; i++) {
        struct pool *pool = new_pool(sizes[i]);
        for (int round = 0; round < 200; round++) {
            struct visits visits = {0};
            pool_run(pool, visit, &visits);
            assert_int_equal(visits.n_threads, sizes[i]);
            for (unsigned thread = 0; thread < THREADS_MAX; thread++)
                assert_int_equal(visits.count[thread], thread < sizes[i]);
        }
        pool_free(pool);
    }
}

struct relay {
    struct pool *pool;
    unsigned rounds;
    unsigned values[THREADS_MAX];
    atomic_uint mistakes;
};

/* Each thread writes its round, and after the barrier finds its neighbour's; a second barrier keeps the next
 * round from overtaking. */
static void pass_on(void *context, unsigned thread, unsigned n_threads) {
    struct relay *relay = context;
    for (unsigned round = 1; round <= relay->rounds; round++) {
        relay->values[thread] = round;
        pool_barrier(relay->pool);
        if (relay->values[(thread + 1) % n_threads] != round)
            atomic_fetch_add(&relay->mistakes, 1);
        pool_barrier(relay->pool);
    }
}

static void barriers_hold_everyone_and_publish_writes(void **state) {
    (void)state;
    for (int i = 0; i < N_SIZES; i++) {
        struct relay relay = {.pool = new_pool(sizes[i]), .rounds = sizes[i] > cpu_online() ? 100 : 5000};
        pool_run(relay.pool, pass_on, &relay);
        assert_int_equal(atomic_load(&relay.mistakes), 0);
        pool_free(relay.pool);
    }
}

/* Longer pauses than a worker spins, so that it has to be woken. */
static void sleeping_threads_wake_up(void **state) {
    (void)state;
    struct pool *pool = new_pool(2);
    for (int round = 0; round < 20; round++) {
        struct visits visits = {0};
        struct timespec pause = {.tv_nsec = 2000000};
        nanosleep(&pause, NULL);
        pool_run(pool, visit, &visits);
        assert_int_equal(visits.count[1], 1);
    }
    pool_free(pool);
}

static void pools_do_not_disturb_each_other(void **state) {
    (void)state;
    struct pool *first = new_pool(2), *second = new_pool(3);
    struct visits visits = {0};
    for (int round = 0; round < 100; round++) {
        pool_run(first, visit, &visits);
        pool_run(second, visit, &visits);
    }
    assert_int_equal(visits.count[0], 200);
    assert_int_equal(visits.count[1], 200);
    assert_int_equal(visits.count[2], 100);
    pool_free(first);
    pool_free(second);
    pool_free(NULL);
}

static void zero_threads_mean_one_per_processor(void **state) {
    (void)state;
    struct error error;
    struct pool *pool = pool_new(0, &error);
    assert_non_null(pool);
    assert_int_equal(pool_size(pool), cpu_online());
    pool_free(pool);
    assert_null(pool_new(THREADS_MAX + 1, &error));
    assert_string_equal(error.text, "257 threads are more than the 256 that are possible");
}

static void a_pool_needs_memory(void **state) {
    (void)state;
    struct error error;
    memory_fail_at(1);
    assert_null(pool_new(2, &error));
    assert_non_null(strstr(error.text, "out of memory"));
}

/* Together the shares are the whole, in order, and no two differ by more than a grain. */
static void shares_tile_the_whole(void **state) {
    (void)state;
    static const size_t counts[] = {0, 1, 7, 32, 33, 1000, 49152, SIZE_MAX}, grains[] = {1, 3, 32, 1000};
    for (size_t c = 0; c < 8; c++)
        for (size_t g = 0; g < 4; g++)
            for (unsigned n = 1; n < 40; n++) {
                size_t expected = 0, least = SIZE_MAX, most = 0;
                for (unsigned index = 0; index < n; index++) {
                    size_t begin, end;
                    share_of(counts[c], grains[g], index, n, &begin, &end);
                    assert_true(begin == expected && end >= begin);
                    assert_true(begin % grains[g] == 0 || begin == counts[c]);
                    expected = end;
                    least = end - begin < least ? end - begin : least;
                    most = end - begin > most ? end - begin : most;
                }
                assert_true(expected == counts[c]);
                assert_true(most - least < 2 * grains[g]);
            }
}

/* ---- Deals ---- */

enum { ITEMS = 1000 };

struct dealt {
    struct pool *pool;
    size_t count, grain;
    unsigned n_deals, late; /* a thread that begins when the others have none left */
    atomic_uint taken[ITEMS]; /* how often each of the first was */
    atomic_size_t n_taken, by_late;
    atomic_uint mistakes;
};

static void take(struct dealt *dealt, unsigned thread) {
    const struct deal deal = pool_deal(dealt->pool, thread, dealt->count, dealt->grain);
    size_t begin, end;
    while (deal_take(&deal, &begin, &end)) {
        atomic_fetch_add(&dealt->n_taken, end - begin);
        atomic_fetch_add(&dealt->by_late, thread == dealt->late ? end - begin : 0);
        if (begin >= end || end > dealt->count || (end < dealt->count && (end - begin) % dealt->grain != 0))
            atomic_fetch_add(&dealt->mistakes, 1);
        for (; begin < end && begin < ITEMS; begin++)
            atomic_fetch_add(&dealt->taken[begin], 1);
    }
}

static void take_all(void *context, unsigned thread, unsigned n_threads) {
    struct dealt *dealt = context;
    (void)n_threads;
    for (unsigned i = 0; i < dealt->n_deals; i++)
        take(dealt, thread);
}

static void assert_each_taken_once_a_deal(const struct dealt *dealt) {
    assert_int_equal(dealt->mistakes, 0);
    assert_int_equal(dealt->n_taken, dealt->n_deals * dealt->count);
    for (size_t i = 0; i < ITEMS; i++)
        assert_int_equal(dealt->taken[i], i < dealt->count ? dealt->n_deals : 0);
}

static void each_dealt_item_is_taken_once(void **state) {
    (void)state;
    static const size_t counts[] = {0, 1, 2, 7, 64, 999, ITEMS}, grains[] = {1, 7, 64, 5000};
    for (int i = 0; i < N_SIZES; i++) {
        struct pool *pool = new_pool(sizes[i]);
        for (size_t c = 0; c < 7; c++)
            for (size_t g = 0; g < 4; g++) {
                struct dealt dealt = {pool, counts[c], grains[g], .n_deals = 20, .late = THREADS_MAX};
                pool_run(pool, take_all, &dealt);
                assert_each_taken_once_a_deal(&dealt);
            }
        pool_free(pool);
    }
}

/* Grains are doubled until a share has no more of them than can be counted. */
static void a_deal_may_be_of_many_grains(void **state) {
    (void)state;
    struct pool *pool = new_pool(2);
    struct dealt dealt = {pool, ((size_t)1 << 40) + 5, 1, .n_deals = 1, .late = THREADS_MAX};
    pool_run(pool, take_all, &dealt);
    assert_each_taken_once_a_deal(&dealt);
    pool_free(pool);
}

static void take_late(void *context, unsigned thread, unsigned n_threads) {
    struct dealt *dealt = context;
    (void)n_threads;
    if (thread != dealt->late)
        take(dealt, thread);
    pool_barrier(dealt->pool);
    if (thread == dealt->late)
        take(dealt, thread);
}

static void the_share_of_a_late_thread_goes_to_the_others(void **state) {
    (void)state;
    struct pool *pool = new_pool(3);
    for (unsigned late = 0; late < 3; late++) {
        struct dealt dealt = {pool, ITEMS, 7, .n_deals = 1, .late = late};
        pool_run(pool, take_late, &dealt);
        assert_each_taken_once_a_deal(&dealt);
        assert_int_equal(dealt.by_late, 0);
    }
    pool_free(pool);
}

/* The others take from its end. */
static void take_in_order(void *context, unsigned thread, unsigned n_threads) {
    struct dealt *dealt = context;
    const struct deal deal = pool_deal(dealt->pool, thread, dealt->count, dealt->grain);
    size_t expected, share_end, begin, end;
    share_of(dealt->count, dealt->grain, thread, n_threads, &expected, &share_end);
    for (; deal_take(&deal, &begin, &end) && begin >= expected && begin < share_end; expected = end)
        if (begin != expected)
            atomic_fetch_add(&dealt->mistakes, 1);
    while (deal_take(&deal, &begin, &end))
        ;
    pool_barrier(dealt->pool);
}

static void a_thread_takes_its_share_in_order(void **state) {
    (void)state;
    struct pool *pool = new_pool(3);
    struct dealt dealt = {pool, ITEMS, 2, .late = THREADS_MAX};
    for (int i = 0; i < 200; i++)
        pool_run(pool, take_in_order, &dealt);
    assert_int_equal(dealt.mistakes, 0);
    pool_free(pool);
}

static void begin_many(void *context, unsigned thread, unsigned n_threads) {
    struct dealt *dealt = context;
    (void)n_threads;
    for (size_t i = 0; i < ((size_t)1 << 24) + 10; i++) {
        (void)pool_deal(dealt->pool, thread, 0, 1);
        if (i % (1 << 20) == 0)
            pool_barrier(dealt->pool);
    }
    take(dealt, thread);
}

static void numbers_of_deals_come_round(void **state) {
    (void)state;
    struct pool *pool = new_pool(2);
    struct dealt dealt = {pool, ITEMS, 3, .n_deals = 1, .late = THREADS_MAX};
    pool_run(pool, begin_many, &dealt);
    assert_each_taken_once_a_deal(&dealt);
    pool_free(pool);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_thread_runs_the_work_once),
        cmocka_unit_test(barriers_hold_everyone_and_publish_writes),
        cmocka_unit_test(sleeping_threads_wake_up),
        cmocka_unit_test(pools_do_not_disturb_each_other),
        cmocka_unit_test(zero_threads_mean_one_per_processor),
        cmocka_unit_test(a_pool_needs_memory),
        cmocka_unit_test(shares_tile_the_whole),
        cmocka_unit_test(each_dealt_item_is_taken_once),
        cmocka_unit_test(a_deal_may_be_of_many_grains),
        cmocka_unit_test(the_share_of_a_late_thread_goes_to_the_others),
        cmocka_unit_test(a_thread_takes_its_share_in_order),
        cmocka_unit_test(numbers_of_deals_come_round),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
