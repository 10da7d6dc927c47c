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

struct dealt {
    struct deal deal;
    atomic_uint taken[1000];
};

static void take_all(void *context, unsigned thread, unsigned n_threads) {
    struct dealt *dealt = context;
    size_t begin, end;
    (void)thread, (void)n_threads;
    while (deal_take(&dealt->deal, 1000, 7, &begin, &end))
        for (; begin < end; begin++)
            atomic_fetch_add(&dealt->taken[begin], 1);
}

static void each_dealt_item_is_taken_once(void **state) {
    (void)state;
    static struct dealt dealt;
    struct error error;
    struct pool *pool = pool_new(4, &error);
    assert_non_null(pool);
    pool_run(pool, take_all, &dealt);
    for (size_t i = 0; i < 1000; i++)
        assert_int_equal(atomic_load(&dealt.taken[i]), 1);
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
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
