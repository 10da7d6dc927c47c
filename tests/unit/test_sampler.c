/* Sampling keeps the tokens that its settings say, in the shares that softmax says, and the same ones
 * everywhere. */
#include "infer/sampler.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define VOCAB 50

static const struct sampling everything = {
    .temperature = 1, .top_p = 1, .repetition_penalty = 1, .penalty_window = 64, .seed = 1};

static struct sampler *sampler_of(const struct sampling *sampling, size_t vocab_size, struct arena *arena) {
    struct error error;
    struct sampler *sampler = sampler_new(sampling, vocab_size, arena, &error);
    if (!sampler)
        fail_msg("%s", error.text);
    return sampler;
}

/* The token `rank` from the best has logit -rank / 2; ids are shuffled. */
static uint32_t id_of_rank(size_t rank) {
    return (uint32_t)(rank * 7 % VOCAB);
}

static void set_logits(float *logits) {
    for (size_t rank = 0; rank < VOCAB; rank++)
        logits[id_of_rank(rank)] = (float)rank * -0.5f;
}

/* How often the token of each rank comes in n draws. */
static void draw(const struct sampling *sampling, size_t n, size_t counts[VOCAB]) {
    struct arena arena = {0};
    struct sampler *sampler = sampler_of(sampling, VOCAB, &arena);
    size_t by_id[VOCAB] = {0};
    float logits[VOCAB];
    for (size_t i = 0; i < n; i++) {
        set_logits(logits);
        by_id[sampler_next(sampler, logits)]++;
    }
    for (size_t rank = 0; rank < VOCAB; rank++)
        counts[rank] = by_id[id_of_rank(rank)];
    arena_free(&arena);
}

static size_t n_drawn(const size_t counts[VOCAB]) {
    size_t n = 0;
    for (size_t rank = 0; rank < VOCAB; rank++)
        n += counts[rank] > 0;
    return n;
}

static void temperature_zero_takes_the_largest_and_of_equals_the_first(void **state) {
    (void)state;
    struct arena arena = {0};
    struct sampling greedy = everything;
    greedy.temperature = 0;
    struct sampler *sampler = sampler_of(&greedy, 5, &arena);
    assert_int_equal(sampler_next(sampler, (float[]){1, 3, 2, 3, -9}), 1);
    assert_int_equal(sampler_next(sampler, (float[]){-INFINITY, -INFINITY, -2, -3, -9}), 2);
    assert_int_equal(sampler_next(sampler, (float[]){NAN, 1, NAN, 2, NAN}), 3);
    arena_free(&arena);
}

/* Five standard deviations of a binomial count. */
static void assert_near(size_t count, double share, size_t n) {
    double expected = share * (double)n, allowed = 5 * sqrt(expected * (1 - share)) + 1;
    if (fabs((double)count - expected) > allowed)
        fail_msg("%zu draws of %zu, expected %.1f", count, n, expected);
}

static void shares_are_those_of_softmax(void **state) {
    enum { N = 30000 };
    static const double temperatures[] = {0.3, 1, 5};
    (void)state;
    for (size_t t = 0; t < 3; t++) {
        struct sampling sampling = everything;
        sampling.temperature = temperatures[t];
        size_t counts[VOCAB];
        double total = 0;
        draw(&sampling, N, counts);
        for (size_t rank = 0; rank < VOCAB; rank++)
            total += exp(-0.5 * (double)rank / sampling.temperature);
        for (size_t rank = 0; rank < VOCAB; rank++)
            assert_near(counts[rank], exp(-0.5 * (double)rank / sampling.temperature) / total, N);
    }
}

static void filters_keep_the_best(void **state) {
    /* Shares at temperature 1 are 0.3935 e^(-rank/2): 0.393, 0.239, 0.145, 0.088, ... */
    static const struct {
        uint64_t top_k;
        double top_p, min_p;
        size_t kept;
    } cases[] = {
        {1, 1, 0, 1},      {3, 1, 0, 3},      {0, 0.39, 0, 1},   {0, 0.40, 0, 2}, {0, 0.63, 0, 2},
        {0, 0.64, 0, 3},   {0, 1, 1, 1},      {0, 1, 0.3, 3},    {0, 1, 0.2, 4},  {2, 0.9, 0.01, 2},
        {9, 0.7, 0.01, 3}, {9, 0.95, 0.3, 3}, {1000, 1, 0.6, 2}, {49, 1, 0.6, 2}, {0, 1e-9, 0, 1},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sampling sampling = everything;
        sampling.top_k = cases[i].top_k;
        sampling.top_p = cases[i].top_p;
        sampling.min_p = cases[i].min_p;
        size_t counts[VOCAB];
        draw(&sampling, 5000, counts);
        if (n_drawn(counts) != cases[i].kept || counts[cases[i].kept - 1] == 0)
            fail_msg("case %zu: %zu tokens drawn, expected %zu", i, n_drawn(counts), cases[i].kept);
    }
}

static void filters_keep_the_shares_of_what_they_keep(void **state) {
    enum { N = 30000 };
    (void)state;
    struct sampling sampling = everything;
    sampling.top_k = 20;
    sampling.top_p = 0.64;
    size_t counts[VOCAB];
    draw(&sampling, N, counts);
    double total = 1 + exp(-0.5) + exp(-1);
    for (size_t rank = 0; rank < 3; rank++)
        assert_near(counts[rank], exp(-0.5 * (double)rank) / total, N);
}

/* Written down once; another machine, compiler or libm must not change them. */
static void a_seed_gives_the_same_tokens_everywhere(void **state) {
    static const uint32_t expected[2][12] = {{0, 21, 49, 6, 7, 0, 49, 0, 0, 7, 14, 28},
                                             {0, 7, 35, 0, 42, 34, 21, 7, 21, 21, 14, 14}};
    (void)state;
    for (uint64_t seed = 0; seed < 2; seed++) {
        struct arena arena = {0};
        struct sampling sampling = everything;
        sampling.temperature = 1.7;
        sampling.top_p = 0.99;
        sampling.seed = seed;
        struct sampler *sampler = sampler_of(&sampling, VOCAB, &arena);
        for (size_t i = 0; i < 12; i++) {
            float logits[VOCAB];
            set_logits(logits);
            assert_int_equal(sampler_next(sampler, logits), expected[seed][i]);
        }
        arena_free(&arena);
    }
}

static void repetition_is_penalized_once_and_within_the_window(void **state) {
    (void)state;
    struct arena arena = {0};
    struct sampling sampling = everything;
    sampling.temperature = 0;
    sampling.repetition_penalty = 2;
    sampling.penalty_window = 3;
    struct sampler *sampler = sampler_of(&sampling, 4, &arena);
    assert_int_equal(sampler_next(sampler, (float[]){4, 3, -1, -3}), 0);
    sampler_saw(sampler, 0);
    sampler_saw(sampler, 0); /* twice: still halved once, to 2 */
    assert_int_equal(sampler_next(sampler, (float[]){4, 3, -1, -3}), 1);
    assert_int_equal(sampler_next(sampler, (float[]){4, 1.5f, -1, -3}), 0);
    sampler_saw(sampler, 2); /* negative logits are doubled */
    assert_int_equal(sampler_next(sampler, (float[]){-9, -9, -2, -3}), 3);
    sampler_saw(sampler, 3);
    sampler_saw(sampler, 3); /* 0 has left the window */
    assert_int_equal(sampler_next(sampler, (float[]){4, 3, -1, -3}), 0);
    sampler_saw(sampler, 1000000); /* no such token */
    arena_free(&arena);
}

static void hopeless_logits_still_give_a_token(void **state) {
    static const float worst[] = {NAN, -INFINITY, INFINITY};
    (void)state;
    struct sampling sampling = everything;
    sampling.top_p = 0.5;
    sampling.min_p = 0.1;
    sampling.top_k = 3;
    for (size_t w = 0; w < 3; w++) {
        struct arena arena = {0};
        struct sampler *sampler = sampler_of(&sampling, VOCAB, &arena);
        float logits[VOCAB];
        for (size_t i = 0; i < VOCAB; i++)
            logits[i] = worst[w];
        assert_in_range(sampler_next(sampler, logits), 0, VOCAB - 1);
        arena_free(&arena);
    }
}

static void settings_out_of_range_are_named(void **state) {
    (void)state;
    struct {
        struct sampling sampling;
        const char *words;
    } cases[6];
    for (size_t i = 0; i < 6; i++)
        cases[i].sampling = everything;
    cases[0].sampling.temperature = -1, cases[0].words = "the temperature is -1";
    cases[1].sampling.top_p = 0, cases[1].words = "top-p is 0";
    cases[2].sampling.top_p = 1.5, cases[2].words = "top-p is 1.5";
    cases[3].sampling.min_p = NAN, cases[3].words = "min-p is ";
    cases[4].sampling.repetition_penalty = 0, cases[4].words = "the repetition penalty is 0";
    cases[5].sampling.penalty_window = UINT64_MAX, cases[5].words = "tokens back";
    for (size_t i = 0; i < 6; i++) {
        struct arena arena = {0};
        struct error error;
        assert_null(sampler_new(&cases[i].sampling, VOCAB, &arena, &error));
        assert_non_null(strstr(error.text, cases[i].words));
        arena_free(&arena);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(temperature_zero_takes_the_largest_and_of_equals_the_first),
        cmocka_unit_test(shares_are_those_of_softmax),
        cmocka_unit_test(filters_keep_the_best),
        cmocka_unit_test(filters_keep_the_shares_of_what_they_keep),
        cmocka_unit_test(a_seed_gives_the_same_tokens_everywhere),
        cmocka_unit_test(repetition_is_penalized_once_and_within_the_window),
        cmocka_unit_test(hopeless_logits_still_give_a_token),
        cmocka_unit_test(settings_out_of_range_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
