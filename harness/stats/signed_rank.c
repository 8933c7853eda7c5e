/* SPDX-License-Identifier: BSD-3-Clause
 * Computes the null distribution of the signed-rank sum by dynamic programming. */
#include "signed_rank.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

/* Ranks are doubled, so that the mean of two neighbours is whole too. */
enum { SUMS = XB_SIGNED_RANK_MAX * (XB_SIGNED_RANK_MAX + 1) + 1 };

/* p[s] becomes the probability that the doubled ranks whose coins show heads add up to s. Each
 * coin halves, which is exact in binary, and all terms are positive, so nothing cancels. */
static size_t distribute(const unsigned *ranks, size_t n, double p[SUMS])
{
    size_t most = 0;
    memset(p, 0, SUMS * sizeof *p);
    p[0] = 1;
    for (size_t i = 0; i < n; i++) {
        most += ranks[i];
        for (size_t sum = most + 1; sum-- > 0;)
            p[sum] = (p[sum] + (sum >= ranks[i] ? p[sum - ranks[i]] : 0)) / 2;
    }
    return most;
}

double xb_signed_rank_p(const double *values, size_t n, double shift)
{
    unsigned ranks[XB_SIGNED_RANK_MAX] = { 0 };
    size_t signs = 0, seen = 0;
    for (size_t i = 0; i < n; i++) {
        double mine = fabs(values[i] - shift);
        size_t less = 0, same = 0;
        for (size_t j = 0; j < n; j++) {
            double other = fabs(values[j] - shift);
            less += other < mine;
            same += other == mine; /* itself too */
        }
        if (mine == 0)
            continue;
        ranks[signs] = (unsigned)(2 * less + same + 1);
        if (values[i] > shift)
            seen += ranks[signs];
        signs++;
    }
    double p[SUMS], tail = 0;
    size_t most = distribute(ranks, signs, p);
    for (size_t sum = seen; sum <= most; sum++)
        tail += p[sum];
    return tail < 1 ? tail : 1;
}

size_t xb_signed_rank_order(size_t n, double alpha)
{
    unsigned ranks[XB_SIGNED_RANK_MAX];
    double p[SUMS], below = 0;
    for (size_t i = 0; i < n; i++)
        ranks[i] = 2 * (unsigned)(i + 1);
    distribute(ranks, n, p);
    size_t order = 0;
    while (order <= n * (n + 1) / 2 && (below += p[2 * order]) <= alpha / 2)
        order++;
    return order;
}
