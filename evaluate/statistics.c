#include "evaluate/statistics.h"

#include <math.h>
#include <stdlib.h>

double log_sum_exp(const float *logits, size_t n) {
    double largest = (double)logits[index_of_largest(logits, n)], sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += exp((double)logits[i] - largest);
    return largest + log(sum);
}

double divergence(const float *p, double p_sum, const float *q, double q_sum, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += exp((double)p[i] - p_sum) * ((double)p[i] - (double)q[i]);
    return sum - p_sum + q_sum;
}

size_t index_of_largest(const float *values, size_t n) {
    size_t best = 0;
    for (size_t i = 1; i < n; i++)
        if (values[i] > values[best])
            best = i;
    return best;
}

static double mean_of(const double *values, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += values[i];
    return sum / (double)n;
}

/* Sum of products of deviations from the means. */
static double covariation(const double *x, const double *y, size_t n) {
    double x_mean = mean_of(x, n), y_mean = mean_of(y, n), sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (x[i] - x_mean) * (y[i] - y_mean);
    return sum;
}

struct estimate estimate_mean(const double *values, size_t n) {
    struct estimate estimate = {mean_of(values, n), 0};
    if (n > 1)
        estimate.error = sqrt(covariation(values, values, n) / (double)(n - 1) / (double)n);
    return estimate;
}

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double quantile(double *values, size_t n, double share) {
    qsort(values, n, sizeof *values, by_value);
    double place = share * (double)(n - 1);
    size_t below = (size_t)place;
    if (below + 1 >= n)
        return values[n - 1];
    return values[below] + (place - (double)below) * (values[below + 1] - values[below]);
}

double median(double *values, size_t n) {
    return quantile(values, n, 0.5);
}

bool fit_line(const double *x, const double *y, size_t n, struct line *line) {
    if (n < 3)
        return false;
    double xx = covariation(x, x, n), xy = covariation(x, y, n), yy = covariation(y, y, n);
    if (!(xx > 0))
        return false;
    line->slope = xy / xx;
    line->intercept = mean_of(y, n) - line->slope * mean_of(x, n);
    line->r_squared = yy > 0 ? xy * xy / (xx * yy) : 1;
    return true;
}
