/* SPDX-License-Identifier: BSD-3-Clause
 * Files values into log-linear buckets. */
#include "histogram.h"

#include <math.h>
#include <stddef.h>

/* Values below 64 have a bucket each; above, the six leading bits choose it. */
static size_t bucket_of(uint64_t value)
{
    if (value < 64)
        return (size_t)value;
    unsigned shift = 63 - (unsigned)__builtin_clzll(value) - 5;
    return shift * 32 + (size_t)(value >> shift);
}

static double middle_of(size_t bucket)
{
    if (bucket < 64)
        return (double)bucket;
    size_t shift = bucket / 32 - 1;
    double low = ldexp((double)(bucket - shift * 32), (int)shift);
    return low + (ldexp(1, (int)shift) - 1) / 2;
}

void xb_histogram_add(struct xb_histogram *histogram, uint64_t value)
{
    histogram->bucket[bucket_of(value)]++;
    histogram->n++;
    if (value > histogram->max)
        histogram->max = value;
}

void xb_histogram_merge(struct xb_histogram *into, const struct xb_histogram *from)
{
    for (size_t i = 0; i < XB_HISTOGRAM_BUCKETS; i++)
        into->bucket[i] += from->bucket[i];
    into->n += from->n;
    if (from->max > into->max)
        into->max = from->max;
}

double xb_histogram_quantile(const struct xb_histogram *histogram, double share)
{
    if (histogram->n == 0)
        return NAN;
    double wanted = share * (double)histogram->n;
    uint64_t seen = 0;
    for (size_t i = 0; i < XB_HISTOGRAM_BUCKETS; i++) {
        seen += histogram->bucket[i];
        if (seen && (double)seen >= wanted)
            return fmin(middle_of(i), (double)histogram->max);
    }
    return (double)histogram->max;
}
