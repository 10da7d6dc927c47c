/* What is computed from logits and timings. Sums are in double: logits are floats, and a divergence is a
 * small difference of large ones. */
#ifndef EVALUATE_STATISTICS_H
#define EVALUATE_STATISTICS_H

#include <stdbool.h>
#include <stddef.h>

/* log of the sum of exp(logits[i]), so that the log-probability of i is logits[i] less this. Not finite if a
 * logit is NaN or infinite. */
double log_sum_exp(const float *logits, size_t n);

/* Kullback-Leibler divergence of q from p in nats, sum p_i (log p_i - log q_i), both given as logits with
 * their log_sum_exp. Never below 0 by more than rounding. */
double divergence(const float *p, double p_sum, const float *q, double q_sum, size_t n);

/* Index of the largest, the first of equals. */
size_t index_of_largest(const float *values, size_t n);

struct estimate {
    double mean, error; /* error: the standard error of the mean, 0 for a single value */
};
struct estimate estimate_mean(const double *values, size_t n);

/* The value below which `share` of the values lie, between neighbours by straight lines (Hyndman and Fan's
 * type 7). Sorts the values; n is at least 1. */
double quantile(double *values, size_t n, double share);
double median(double *values, size_t n);

/* y = intercept + slope x by least squares, and the share of y's variance that it explains. */
struct line {
    double slope, intercept, r_squared;
};
/* False for fewer than 3 points, or where all x are equal. */
bool fit_line(const double *x, const double *y, size_t n, struct line *line);

#endif
