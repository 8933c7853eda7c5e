/* How two medians differ, as a ratio. */
#ifndef XB_STATS_RATIO_H
#define XB_STATS_RATIO_H

#include "median.h"

/* The ratio `figure` / `base` of two medians, with the interval that their own intervals span: it
 * holds the ratio of the true medians where both of those hold theirs, so in 0.95 x 0.95 = 90 % of
 * cases at least if the two are independent. It knows nothing of what drifted between the two. NaN
 * where either is absent, or a bound is 0. Any thread. */
struct xb_interval xb_median_ratio(struct xb_interval base, struct xb_interval figure);

enum xb_shift { XB_SHIFT_UNCLEAR, XB_SHIFT_NONE, XB_SHIFT_UP, XB_SHIFT_DOWN };

/* What an interval of a ratio says against a margin (0.1: a tenth), which is the same up and down:
 * wholly beyond it, wholly within, or neither. Without an interval unclear. */
enum xb_shift xb_ratio_shift(struct xb_interval ratio, double margin);

#endif
