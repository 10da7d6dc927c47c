/* Pieces made by many threads: passed on in order, each once, and of several failures the first decides. */
#include "models/ordered.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#undef fail /* ours, in lib/error.h */

#define PIECES 5000
#define SLOTS 16

struct counting {
    int next, n_passed, fail_making_at, fail_passing_at;
    int piece_in[SLOTS];
    atomic_int made[PIECES];
    bool in_order;
};

static bool take(void *context, size_t slot) {
    struct counting *c = context;
    c->piece_in[slot] = c->next;
    return c->next++ < PIECES;
}

static bool make(void *context, size_t slot, unsigned thread, struct error *error) {
    struct counting *c = context;
    int piece = c->piece_in[slot];
    (void)thread;
    atomic_fetch_add(&c->made[piece], 1);
    return piece < c->fail_making_at || fail(error, "piece %d cannot be made", piece);
}

static bool pass(void *context, size_t slot, struct error *error) {
    struct counting *c = context;
    int piece = c->piece_in[slot];
    c->in_order = c->in_order && piece == c->n_passed && atomic_load(&c->made[piece]) == 1;
    c->n_passed++;
    return piece < c->fail_passing_at || fail(error, "piece %d cannot be passed", piece);
}

static bool run(struct counting *c, unsigned n_threads, size_t n_slots, struct error *error) {
    const struct ordered_work work = {take, make, pass, c, n_slots};
    struct pool *pool = pool_new(n_threads, error);
    assert_non_null(pool);
    c->in_order = true;
    bool ok = ordered_run(&work, pool, error);
    pool_free(pool);
    return ok;
}

static const unsigned n_threads[] = {1, 2, 3, 8};

static void pieces_are_passed_once_and_in_order(void **state) {
    (void)state;
    for (size_t i = 0; i < 4; i++)
        for (size_t slots = n_threads[i]; slots <= SLOTS; slots += SLOTS - n_threads[i]) {
            struct counting c = {.fail_making_at = PIECES, .fail_passing_at = PIECES};
            struct error error;
            assert_true(run(&c, n_threads[i], slots, &error));
            assert_int_equal(c.n_passed, PIECES);
            assert_true(c.in_order);
        }
}

static void the_first_failure_decides(void **state) {
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        struct counting making = {.fail_making_at = 1234, .fail_passing_at = 1235};
        struct counting passing = {.fail_making_at = 1235, .fail_passing_at = 1234};
        struct error error = {""};
        assert_false(run(&making, n_threads[i], SLOTS, &error));
        assert_string_equal(error.text, "piece 1234 cannot be made");
        assert_int_equal(making.n_passed, 1234);
        assert_false(run(&passing, n_threads[i], SLOTS, &error));
        assert_string_equal(error.text, "piece 1234 cannot be passed");
        assert_int_equal(passing.n_passed, 1235);
        assert_true(making.in_order && passing.in_order);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_are_passed_once_and_in_order),
        cmocka_unit_test(the_first_failure_decides),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
