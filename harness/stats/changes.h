/* Where a series of figures changed its level, whatever its noise. */
#ifndef XB_STATS_CHANGES_H
#define XB_STATS_CHANGES_H

#include <stddef.h>

struct xb_step {
    size_t at;    /* index of the first value of the new level */
    double ratio; /* level behind it / level before it */
    double z;     /* the step over its standard error */
};

/* Finds steps in `n` positive values in order of time, at most `room` of them, and writes them in
 * order. Steps of less than `least` (0.01: 1 %) are passed over. Returns how many, or -ENOMEM.
 * A step is seen once XB_STEP_SIDE values stand behind 20 of the old level, or 8 behind 8. Any thread.
 *
 * Method: binary segmentation on logarithms. Where a stretch may be split is where the rank sum of
 * Pettitt (Applied Statistics 28, 1979), standardised, is largest, or where the medians of windows of
 * up to 20 values on either side lie farthest apart. A split is taken if those medians differ by more
 * than 6 of their standard errors (of the pooled median absolute deviation, widened for the
 * correlation between neighbours, as drift makes it) and the windows' rank sum by 3.3 of its own, which
 * values that jump between two modes do not reach. At last each split is sought anew between its
 * neighbours, and those that they do not bear out are taken back, the weakest first. Single outliers move neither ranks nor medians. */
int xb_steps(const double *values, size_t n, double least, struct xb_step *steps, size_t room);

enum { XB_STEP_SIDE = 5 };

#endif
