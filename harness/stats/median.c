/* SPDX-License-Identifier: BSD-3-Clause
 * Computes medians with order-statistic intervals. */
#include "median.h"

#include <math.h>
#include <stdlib.h>

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The largest k >= 1 with P(Binomial(n, 1/2) < k) <= 0.025, or 0: then the k-th smallest and the
 * k-th largest value enclose the median with 95 %. In logarithms, as 2^-n underflows at 1075. */
static size_t order_for_95(size_t n)
{
    double log_term = -(double)n * log(2.0); /* of P(X = i) */
    double below = 0;
    for (size_t i = 0; i < n / 2; i++) {
        below += exp(log_term);
        if (below > 0.025)
            return i;
        log_term += log((double)(n - i)) - log((double)(i + 1));
    }
    return n / 2;
}

void xb_sort(double *values, size_t n)
{
    qsort(values, n, sizeof *values, compare);
}

double xb_median(double *values, size_t n)
{
    if (n == 0)
        return NAN;
    xb_sort(values, n);
    return n % 2 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

struct xb_interval xb_median_interval(double *values, size_t n)
{
    struct xb_interval result = { NAN, NAN, NAN };
    if (n == 0)
        return result;
    result.median = xb_median(values, n);
    size_t k = order_for_95(n);
    if (k > 0) {
        result.lo = values[k - 1];
        result.hi = values[n - k];
    }
    return result;
}

double xb_interval_relative(struct xb_interval interval)
{
    return (interval.hi - interval.lo) / 2 / interval.median;
}
