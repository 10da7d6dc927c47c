/* The numbers of evaluate, on distributions whose answers are known. */
#include "evaluate/statistics.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#define NEAR(found, expected) assert_true(fabs((double)(found) - (double)(expected)) < 1e-9)

static void log_sum_exp_is_stable_and_shifts(void **unused) {
    (void)unused;
    const float equal[] = {0, 0, 0, 0}, high[] = {1000, 1000}, low[] = {-1000, -1000};
    NEAR(log_sum_exp(equal, 4), log(4));
    NEAR(log_sum_exp(high, 2), 1000 + log(2));
    NEAR(log_sum_exp(low, 2), -1000 + log(2));
    const float bad[] = {1, NAN, 2}, infinite[] = {1, INFINITY};
    assert_true(isnan(log_sum_exp(bad, 3)));
    assert_true(isnan(log_sum_exp(infinite, 2)));
}

static double divergence_of(const float *p, const float *q, size_t n) {
    return divergence(p, log_sum_exp(p, n), q, log_sum_exp(q, n), n);
}

static void divergence_of_known_distributions(void **unused) {
    (void)unused;
    /* p = (1/2, 1/2), q = (1/4, 3/4): 1/2 ln 2 + 1/2 ln 2/3 */
    const float p[] = {5, 5}, q[] = {0, 1.09861229f};
    assert_true(fabs(divergence_of(p, q, 2) - 0.5 * log(4.0 / 3)) < 1e-8);
    /* Two normal distributions of variance 1, a apart, on a fine grid: a^2 / 2. */
    static float x[4001], y[4001];
    for (int i = 0; i <= 4000; i++) {
        double at = (i - 2000) / 100.0;
        x[i] = (float)(-at * at / 2);
        y[i] = (float)(-(at - 0.3) * (at - 0.3) / 2);
    }
    assert_true(fabs(divergence_of(x, y, 4001) - 0.3 * 0.3 / 2) < 1e-5);
}

static void divergence_from_itself_is_zero_and_tiny_ones_are_seen(void **unused) {
    (void)unused;
    static float p[5000], q[5000];
    for (int i = 0; i < 5000; i++) {
        p[i] = (float)(i * 7919 % 1000) / 50;
        q[i] = p[i] + (i % 2 ? 1e-4f : -1e-4f);
    }
    assert_true(divergence_of(p, p, 5000) == 0);
    double tiny = divergence_of(p, q, 5000); /* variance of the difference, 1e-8, over 2 */
    assert_true(tiny > 4e-9 && tiny < 6e-9);
}

static void a_common_shift_of_logits_changes_nothing(void **unused) {
    (void)unused;
    const float p[] = {1, 2, 3}, q[] = {3, 1, 2}, shifted[] = {103, 101, 102};
    assert_true(fabs(divergence_of(p, q, 3) - divergence_of(p, shifted, 3)) < 1e-6);
}

static void the_first_of_equals_is_largest(void **unused) {
    (void)unused;
    const float values[] = {1, 5, 5, 2};
    assert_int_equal(index_of_largest(values, 4), 1);
    assert_int_equal(index_of_largest(values, 1), 0);
}

static void means_come_with_their_standard_error(void **unused) {
    (void)unused;
    const double values[] = {2, 4, 4, 4, 5, 5, 7, 9}, one[] = {3};
    struct estimate estimate = estimate_mean(values, 8);
    NEAR(estimate.mean, 5);
    NEAR(estimate.error, sqrt(32.0 / 7 / 8));
    estimate = estimate_mean(one, 1);
    NEAR(estimate.mean, 3);
    NEAR(estimate.error, 0);
}

static void quantiles_lie_between_neighbours(void **unused) {
    (void)unused;
    double values[101], pair[] = {3, 1}, one[] = {4};
    for (int i = 0; i <= 100; i++)
        values[i] = (i * 37) % 101; /* 0 to 100 in some order */
    NEAR(quantile(values, 101, 0.99), 99);
    NEAR(quantile(values, 101, 0), 0);
    NEAR(quantile(values, 101, 1), 100);
    NEAR(median(pair, 2), 2);
    NEAR(quantile(pair, 2, 0.25), 1.5);
    NEAR(median(one, 1), 4);
}

static void lines_are_fitted(void **unused) {
    (void)unused;
    struct line line;
    const double x[] = {1, 2, 3, 4}, exact[] = {5, 7, 9, 11}, rough[] = {5, 7, 9, 12};
    assert_true(fit_line(x, exact, 4, &line));
    NEAR(line.slope, 2);
    NEAR(line.intercept, 3);
    NEAR(line.r_squared, 1);
    assert_true(fit_line(x, rough, 4, &line));
    NEAR(line.slope, 2.3);
    NEAR(line.intercept, 2.5);
    NEAR(line.r_squared, 11.5 * 11.5 / (5 * 26.75));
    assert_false(fit_line(x, exact, 2, &line)); /* two points lie on a line always */
    const double same[] = {2, 2, 2};
    assert_false(fit_line(same, exact, 3, &line));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(log_sum_exp_is_stable_and_shifts),
        cmocka_unit_test(divergence_of_known_distributions),
        cmocka_unit_test(divergence_from_itself_is_zero_and_tiny_ones_are_seen),
        cmocka_unit_test(a_common_shift_of_logits_changes_nothing),
        cmocka_unit_test(the_first_of_equals_is_largest),
        cmocka_unit_test(means_come_with_their_standard_error),
        cmocka_unit_test(quantiles_lie_between_neighbours),
        cmocka_unit_test(lines_are_fitted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
