/* SPDX-License-Identifier: BSD-3-Clause
 * Log ratios of quartets, and their median. */
#include "quartets.h"

#include "median.h"

#include <math.h>

double xb_quartet_log_ratio(const double ns[XB_SLICES], bool new_first)
{
    double inner = log(ns[1]) + log(ns[2]), outer = log(ns[0]) + log(ns[3]);
    return (new_first ? outer - inner : inner - outer) / 2;
}

double xb_quartets_middle(double *log_ratios, size_t n)
{
    return xb_median(log_ratios, n);
}
