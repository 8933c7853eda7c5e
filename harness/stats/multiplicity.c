/* SPDX-License-Identifier: BSD-3-Clause
 * Benjamini-Hochberg and Holm, by counting instead of sorting: suites have tens of entries. */
#include "multiplicity.h"

static size_t count_below(const double *p, size_t n, double limit, bool equal_too)
{
    size_t many = 0;
    for (size_t i = 0; i < n; i++)
        many += p[i] < limit || (equal_too && p[i] == limit);
    return many;
}

void xb_benjamini_hochberg(const double *p, size_t n, double q, bool *rejected)
{
    double largest = -1; /* that is small enough for its rank; all below it go with it */
    for (size_t i = 0; i < n; i++)
        if (p[i] > largest && p[i] <= q * (double)count_below(p, n, p[i], true) / (double)n)
            largest = p[i];
    for (size_t i = 0; i < n; i++)
        rejected[i] = p[i] <= largest;
}

void xb_holm(const double *p, size_t n, double alpha, bool *rejected)
{
    double stop = 2; /* the smallest p that is not small enough ends it for all from there on */
    for (size_t i = 0; i < n; i++)
        if (p[i] < stop && p[i] > alpha / (double)(n - count_below(p, n, p[i], false)))
            stop = p[i];
    for (size_t i = 0; i < n; i++)
        rejected[i] = p[i] < stop;
}
