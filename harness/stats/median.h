/* The median and its interval, free of any assumption on the shape of the noise. */
#ifndef XB_STATS_MEDIAN_H
#define XB_STATS_MEDIAN_H

#include <stddef.h>

struct xb_interval {
    double median, lo, hi; /* NaN where there are too few values */
};

/* Sorts `values` in place and returns their median with a 95 % interval made of two order
 * statistics. n = 0 gives NaN throughout; n < 6 gives no interval, since even the whole range of
 * five values covers the median in only 93.75 % of cases. Coverage is at least 95 % for
 * independent values of any continuous distribution. Any thread.
 * Source: David and Nagaraja, Order Statistics, 3rd ed., 2003, section 7.1. */
struct xb_interval xb_median_interval(double *values, size_t n);

/* Sorts `values` in place, ascending; there is no NaN among them. Any thread. */
void xb_sort(double *values, size_t n);

/* Sorts `values` in place and returns their median; NaN of none. Any thread. */
double xb_median(double *values, size_t n);

/* Half the interval's width over its median; NaN without an interval. */
double xb_interval_relative(struct xb_interval interval);

#endif
