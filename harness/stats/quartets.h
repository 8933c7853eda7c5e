/* From slices of two builds to one number per block.
 *
 * A quartet is four slices in the order ABBA or BAAB, by the toss of a coin. The mean of the two
 * inner logarithms less that of the two outer ones is free of any linear drift, and under "both are
 * the same" the coin alone decides its sign: that, not a model of the noise, makes the tests exact. */
#ifndef XB_STATS_QUARTETS_H
#define XB_STATS_QUARTETS_H

#include <stdbool.h>
#include <stddef.h>

enum { XB_SLICES = 4, XB_QUARTETS_MAX = 64 };

/* Whether slice `position` of a quartet that begins with the new build (`new_first`) is the new
 * build's: BAAB, or else ABBA. position in 0..3. */
static inline bool xb_quartet_is_new(bool new_first, size_t position)
{
    return (position == 0 || position == 3) == new_first;
}

/* Logarithm of the ratio new / old: (ln b1 + ln b2 - ln a1 - ln a2) / 2. `ns`: four times in the
 * order they were taken, each > 0. Pure. */
double xb_quartet_log_ratio(const double ns[XB_SLICES], bool new_first);

/* The middle of a block's quartets: the one number of a block. `log_ratios`: n >= 1, sorted in place.
 * The median and not the minimum, which does worst on memory kernels, nor the mean, which one
 * preemption moves. Pure. */
double xb_quartets_middle(double *log_ratios, size_t n);

#endif
