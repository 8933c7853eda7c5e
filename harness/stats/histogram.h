/* Counts of durations in buckets that grow with the value, so that every quantile is known to
 * within 1.6 % at fixed cost. The bucket scheme is HdrHistogram's (Tene), with 32 buckets an
 * octave. */
#ifndef XB_STATS_HISTOGRAM_H
#define XB_STATS_HISTOGRAM_H

#include <stdint.h>

#define XB_HISTOGRAM_BUCKETS (60 * 32)

/* All zero is empty and valid. Not for two threads at once. */
struct xb_histogram {
    uint64_t n, max;
    uint32_t bucket[XB_HISTOGRAM_BUCKETS];
};

void xb_histogram_add(struct xb_histogram *histogram, uint64_t value);

/* Adds all of `from` to `into`. */
void xb_histogram_merge(struct xb_histogram *into, const struct xb_histogram *from);

/* The middle of the smallest bucket with at least `share` of all values at or below, and no more
 * than the largest value; share in [0, 1].
 * NaN when empty. */
double xb_histogram_quantile(const struct xb_histogram *histogram, double share);

#endif
