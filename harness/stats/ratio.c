/* SPDX-License-Identifier: BSD-3-Clause
 * Ratios of medians. */
#include "ratio.h"

#include <math.h>
#include <stdbool.h>

static double over(double figure, double base)
{
    return base > 0 && figure > 0 ? figure / base : NAN;
}

struct xb_interval xb_median_ratio(struct xb_interval base, struct xb_interval figure)
{
    return (struct xb_interval){ over(figure.median, base.median), over(figure.lo, base.hi),
                                 over(figure.hi, base.lo) };
}

struct xb_interval xb_paired_ratio(const double *base, const double *figure, size_t n)
{
    double ratio[XB_PAIRS_MAX];
    bool good = n > 0 && n <= XB_PAIRS_MAX;
    for (size_t i = 0; i < n && good; i++) {
        ratio[i] = over(figure[i], base[i]);
        good = isfinite(ratio[i]);
    }
    if (!good)
        return (struct xb_interval){ NAN, NAN, NAN };
    struct xb_interval result = xb_median_interval(ratio, n); /* which sorts them */
    if (isnan(result.lo)) {
        result.lo = ratio[0];
        result.hi = ratio[n - 1];
    }
    return result;
}

enum xb_shift xb_ratio_shift(struct xb_interval ratio, double margin)
{
    double up = 1 + margin, down = 1 / up;
    if (isnan(ratio.lo) || isnan(ratio.hi))
        return XB_SHIFT_UNCLEAR;
    if (ratio.lo > up)
        return XB_SHIFT_UP;
    if (ratio.hi < down)
        return XB_SHIFT_DOWN;
    return ratio.lo >= down && ratio.hi <= up ? XB_SHIFT_NONE : XB_SHIFT_UNCLEAR;
}
