/* Where the centre of paired differences lies, with the interval that the signed-rank test leaves. */
#ifndef XB_STATS_HODGES_LEHMANN_H
#define XB_STATS_HODGES_LEHMANN_H

#include <stddef.h>

struct xb_shift {
    double estimate, lo, hi; /* NaN estimate: no values; infinite ends: too few for the level */
};

/* The median of the Walsh averages (a value, or the mean of two), and the ends of the exact
 * 1 - alpha interval, which are Walsh averages too: all shifts that a two-sided signed-rank test at
 * `alpha` does not reject. Covers with at least 1 - alpha for independent values, symmetric about
 * one centre. `values`: n <= XB_SIGNED_RANK_MAX, none NaN. Pure; no allocation.
 * Source: Hodges and Lehmann, Ann. Math. Stat. 34 (1963), 598-611; Hollander and Wolfe,
 * Nonparametric Statistical Methods, 2nd ed., 1999, sections 3.2 and 3.3. */
struct xb_shift xb_hodges_lehmann(const double *values, size_t n, double alpha);

#endif
