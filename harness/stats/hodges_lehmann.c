/* SPDX-License-Identifier: BSD-3-Clause
 * Sorts the Walsh averages and counts in from both ends. */
#include "hodges_lehmann.h"

#include "median.h"
#include "signed_rank.h"

#include <math.h>

enum { AVERAGES = XB_SIGNED_RANK_MAX * (XB_SIGNED_RANK_MAX + 1) / 2 };

struct xb_shift xb_hodges_lehmann(const double *values, size_t n, double alpha)
{
    struct xb_shift shift = { NAN, -INFINITY, INFINITY };
    if (n == 0)
        return shift;
    double averages[AVERAGES] = { 0 };
    size_t many = 0;
    for (size_t i = 0; i < n; i++)
        for (size_t j = i; j < n; j++)
            averages[many++] = values[i] + (values[j] - values[i]) / 2;
    shift.estimate = xb_median(averages, many); /* and now they are sorted */
    size_t order = xb_signed_rank_order(n, alpha);
    if (order > 0) {
        shift.lo = averages[order - 1];
        shift.hi = averages[many - order];
    }
    return shift;
}
