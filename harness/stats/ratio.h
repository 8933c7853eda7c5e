/* How two medians differ, as a ratio. */
#ifndef XB_STATS_RATIO_H
#define XB_STATS_RATIO_H

#include "median.h"

/* The ratio `figure` / `base` of two medians, with the interval that their own intervals span: it
 * holds the ratio of the true medians where both of those hold theirs, so in 0.95 x 0.95 = 90 % of
 * cases at least if the two are independent. It knows nothing of what drifted between the two. NaN
 * where either is absent, or a bound is 0. Any thread. */
struct xb_interval xb_median_ratio(struct xb_interval base, struct xb_interval figure);

/* The median of the ratios figure[i] / base[i] of `n` pairs, n <= XB_PAIRS_MAX, and its 95 % interval as
 * xb_median_interval() has it; of fewer than six the smallest and the largest, which hold the median in
 * 1 - 2^(1-n) of cases: 75 % of three pairs, 94 % of five. What drifts from pair to pair is not in it.
 * NaN of none, or where a value is not above 0. Any thread. */
enum { XB_PAIRS_MAX = 64 };
struct xb_interval xb_paired_ratio(const double *base, const double *figure, size_t n);

enum xb_shift { XB_SHIFT_UNCLEAR, XB_SHIFT_NONE, XB_SHIFT_UP, XB_SHIFT_DOWN };

/* What an interval of a ratio says against a margin (0.1: a tenth), which is the same up and down:
 * wholly beyond it, wholly within, or neither. Without an interval unclear. */
enum xb_shift xb_ratio_shift(struct xb_interval ratio, double margin);

#endif
