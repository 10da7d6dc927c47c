/* Attention over the tiled cache, in either format, against the textbook: softmax(q k) v in double. */
#include "infer/attention.h"
#include "lib/half.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define POSITIONS 208

static uint64_t state = 7;

static float random_between(float low, float high) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return low + (high - low) * (float)(state >> 40) * 0x1p-24f;
}

/* A cache filled with random keys and values, which are kept as the halves that it holds. */
struct fixture {
    struct arena arena;
    struct attention_cache cache;
    struct attention attention;
    float *keys, *values; /* (POSITIONS, head_dim) */
};

static void open_fixture(struct fixture *f, const struct cache_kernels *kernels, size_t head_dim,
                         size_t n_queries) {
    struct error error;
    size_t width = (head_dim + TILE - 1) / TILE * TILE;
    *f = (struct fixture){0};
    f->cache =
        (struct attention_cache){kernels, ARENA_NEW(&f->arena, float, POSITIONS *head_dim, &error),
                                 ARENA_NEW(&f->arena, float, POSITIONS *width, &error), head_dim, width};
    f->keys = ARENA_NEW(&f->arena, float, POSITIONS *head_dim, &error);
    f->values = ARENA_NEW(&f->arena, float, POSITIONS *head_dim, &error);
    assert_true(attention_init(&f->attention, n_queries, head_dim, 0, &f->arena, &error));
    for (size_t i = 0; i < POSITIONS * head_dim; i++) {
        f->keys[i] = half_to_float(float_to_half(random_between(-2, 2)));
        f->values[i] = half_to_float(float_to_half(random_between(-2, 2)));
    }
    for (size_t p = 0; p < POSITIONS; p++)
        attention_store(&f->cache, p, f->keys + p * head_dim, f->values + p * head_dim);
    for (size_t i = 0; i < n_queries * head_dim; i++)
        f->attention.queries[i] = random_between(-1, 1) / sqrtf((float)head_dim);
    f->attention.n_queries = n_queries;
}

/* A score as attention weighs it. */
static double capped(const struct fixture *f, double score) {
    double cap = (double)f->attention.softcap;
    return cap > 0 ? cap * tanh(score / cap) : score;
}

/* What query j gathers from positions begin to end: the output, and log of the sum of exponentials. */
static double textbook(const struct fixture *f, size_t j, size_t begin, size_t end, double *out) {
    size_t head_dim = f->cache.head_dim;
    double scores[POSITIONS], largest = -INFINITY, total = 0;
    for (size_t p = begin; p < end; p++) {
        scores[p] = 0;
        for (size_t d = 0; d < head_dim; d++)
            scores[p] += (double)f->attention.queries[j * head_dim + d] * (double)f->keys[p * head_dim + d];
        scores[p] = capped(f, scores[p]);
        largest = fmax(largest, scores[p]);
    }
    for (size_t d = 0; d < head_dim; d++)
        out[d] = 0;
    for (size_t p = begin; p < end; p++) {
        total += exp(scores[p] - largest);
        for (size_t d = 0; d < head_dim; d++)
            out[d] += exp(scores[p] - largest) * (double)f->values[p * head_dim + d];
    }
    for (size_t d = 0; d < head_dim; d++)
        out[d] /= total;
    return largest + log(total);
}

static void check(const struct fixture *f, size_t begin, size_t end) {
    const struct attention *a = &f->attention;
    for (size_t j = 0; j < a->n_queries; j++) {
        double expected[128];
        size_t first = a->begins[j] > begin ? a->begins[j] : begin;
        size_t limit = a->limits[j] < end ? a->limits[j] : end;
        if (limit <= first) {
            assert_true(a->totals[j] == 0 && a->largest[j] == -INFINITY);
            continue;
        }
        double sum = textbook(f, j, first, limit, expected);
        assert_true(fabs((double)a->largest[j] + log((double)a->totals[j]) - sum) < 1e-5);
        for (size_t d = 0; d < f->cache.head_dim; d++)
            assert_true(fabs((double)(a->sums[j * f->cache.width + d] / a->totals[j]) - expected[d]) < 1e-5);
    }
}

/* The last n positions look back, with one variant and one format of the cache. */
static void check_last(const struct kernels *kernels, const struct cache_kernels *format, size_t head_dim,
                       size_t n) {
    struct fixture f;
    open_fixture(&f, format, head_dim, n);
    for (size_t j = 0; j < n; j++)
        f.attention.limits[j] = POSITIONS - n + j + 1;
    attention_run(&f.attention, kernels, &f.cache, 0, POSITIONS);
    check(&f, 0, POSITIONS);
    arena_free(&f.arena);
}

static void queries_see_what_is_before_them(void **unused) {
    (void)unused;
    const size_t head_dims[] = {2, 16, 30, 64, 80, 128};
    for (size_t i = 0; i < sizeof head_dims / sizeof *head_dims; i++)
        for (size_t n = 1; n <= 30; n += 7)
            for (size_t k = 0; kernel_variants[k]; k++)
                if (!(kernel_variants[k]->needs & ~cpu_features())) {
                    check_last(kernel_variants[k], &kernel_variants[k]->half, head_dims[i], n);
                    check_last(kernel_variants[k], &kernel_variants[k]->single, head_dims[i], n);
                }
}

static void early_queries_stop_early(void **unused) {
    (void)unused;
    struct fixture f;
    open_fixture(&f, &kernels_best()->half, 32, 50);
    for (size_t j = 0; j < 50; j++)
        f.attention.limits[j] = 1 + j * j / 13;
    attention_run(&f.attention, kernels_best(), &f.cache, 0, POSITIONS);
    check(&f, 0, POSITIONS);
    arena_free(&f.arena);
}

static void a_run_of_positions_can_begin_anywhere(void **unused) {
    (void)unused;
    struct fixture f;
    open_fixture(&f, &kernels_best()->half, 20, 9);
    for (size_t begin = 0; begin < POSITIONS; begin += TILE)
        for (size_t end = begin + 1; end <= POSITIONS; end += 23) {
            for (size_t j = 0; j < 9; j++)
                f.attention.limits[j] = 20 * j + 1;
            attention_run(&f.attention, kernels_best(), &f.cache, begin, end);
            check(&f, begin, end);
        }
    arena_free(&f.arena);
}

static void what_lies_beyond_the_limit_does_not_matter(void **unused) {
    (void)unused;
    struct fixture f;
    open_fixture(&f, &kernels_best()->single, 16, 1);
    for (size_t i = 80 * 16; i < 96 * 16; i++) /* the tile of positions 80 to 95 */
        ((float *)f.cache.keys)[i] = ((float *)f.cache.values)[i] = NAN;
    f.attention.limits[0] = 80;
    attention_run(&f.attention, kernels_best(), &f.cache, 0, 80);
    check(&f, 0, 80);
    arena_free(&f.arena);
}

/* Windows of every length, of queries one position apart. */
static void windows_hide_what_lies_before_them(void **unused) {
    (void)unused;
    enum { N = 70 };
    struct fixture f;
    open_fixture(&f, &kernels_best()->half, 24, N);
    for (size_t window = 1; window < 150; window += 4) {
        for (size_t j = 0; j < N; j++) {
            f.attention.limits[j] = POSITIONS - N + j + 1;
            f.attention.begins[j] = f.attention.limits[j] - (window < 100 ? window : 100);
        }
        for (size_t begin = 0; begin < POSITIONS; begin += 3 * TILE) {
            attention_run(&f.attention, kernels_best(), &f.cache, begin, POSITIONS);
            check(&f, begin, POSITIONS);
        }
    }
    arena_free(&f.arena);
}

static void caps_bound_scores(void **unused) {
    (void)unused;
    for (size_t k = 0; kernel_variants[k]; k++)
        if (!(kernel_variants[k]->needs & ~cpu_features())) {
            struct fixture f;
            open_fixture(&f, &kernel_variants[k]->half, 32, 5);
            f.attention.softcap = 0.75f;
            for (size_t j = 0; j < 5; j++)
                f.attention.limits[j] = 40 * j + 1;
            attention_run(&f.attention, kernel_variants[k], &f.cache, 0, POSITIONS);
            check(&f, 0, POSITIONS);
            arena_free(&f.arena);
        }
}

/* Tiles before the first that a query sees are not read: what is there does not matter. */
static void what_lies_before_the_window_does_not_matter(void **unused) {
    (void)unused;
    struct fixture f;
    open_fixture(&f, &kernels_best()->single, 16, 1);
    for (size_t i = 0; i < 64 * 16; i++)
        ((float *)f.cache.keys)[i] = ((float *)f.cache.values)[i] = NAN;
    f.attention.begins[0] = 70;
    f.attention.limits[0] = POSITIONS;
    attention_run(&f.attention, kernels_best(), &f.cache, 64, POSITIONS);
    check(&f, 64, POSITIONS);
    arena_free(&f.arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(queries_see_what_is_before_them),
        cmocka_unit_test(early_queries_stop_early),
        cmocka_unit_test(a_run_of_positions_can_begin_anywhere),
        cmocka_unit_test(what_lies_beyond_the_limit_does_not_matter),
        cmocka_unit_test(windows_hide_what_lies_before_them),
        cmocka_unit_test(caps_bound_scores),
        cmocka_unit_test(what_lies_before_the_window_does_not_matter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
