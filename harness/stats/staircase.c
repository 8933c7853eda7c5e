/* SPDX-License-Identifier: BSD-3-Clause
 * Fits steps to a latency staircase. */
#include "staircase.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

enum { STEPS_MAX = 8, STAIRS_MIN = 8 };

/* Neighbouring steps must differ by this factor: TLB misses raise latency within a level too, by
 * less than the next level does. */
static const double RISE_LEAST = 1.5;

/* Sums over the first i stairs, so that any segment's error is known at once. */
struct sums {
    double of[XB_STAIRS_MAX + 1], of_squares[XB_STAIRS_MAX + 1];
};

static int compare(const void *a, const void *b)
{
    double x = ((const struct xb_stair *)a)->bytes, y = ((const struct xb_stair *)b)->bytes;
    return (x > y) - (x < y);
}

static double mean(const struct sums *sums, size_t from, size_t to)
{
    return (sums->of[to] - sums->of[from]) / (double)(to - from);
}

/* Squared distance of stairs [from, to) from their mean. */
static double error(const struct sums *sums, size_t from, size_t to)
{
    double sum = sums->of[to] - sums->of[from];
    return sums->of_squares[to] - sums->of_squares[from] - sum * sum / (double)(to - from);
}

/* The best cut of n stairs into `steps`: edge[i] is the first stair of step i, edge[steps] = n. */
static void fit(const struct sums *sums, size_t n, size_t steps, size_t *edge)
{
    static const double FAR = 1e300;
    double best[STEPS_MAX + 1][XB_STAIRS_MAX + 1];
    size_t from[STEPS_MAX + 1][XB_STAIRS_MAX + 1];
    for (size_t to = 0; to <= n; to++) {
        best[1][to] = to ? error(sums, 0, to) : FAR;
        from[1][to] = 0;
    }
    for (size_t step = 2; step <= steps; step++) {
        for (size_t to = 0; to <= n; to++) {
            best[step][to] = FAR;
            from[step][to] = 0;
            for (size_t cut = step - 1; cut < to; cut++) {
                double total = best[step - 1][cut] + error(sums, cut, to);
                if (total < best[step][to]) {
                    best[step][to] = total;
                    from[step][to] = cut;
                }
            }
        }
    }
    edge[steps] = n;
    for (size_t step = steps; step > 0; step--)
        edge[step - 1] = from[step][edge[step]];
}

static bool rises(const struct sums *sums, const size_t *edge, size_t steps)
{
    for (size_t i = 1; i < steps; i++) {
        double below = mean(sums, edge[i - 1], edge[i]), above = mean(sums, edge[i], edge[i + 1]);
        if (above - below < log(RISE_LEAST))
            return false;
    }
    return true;
}

/* Where the line from the last stair of a step to the first of the next crosses their mean. */
static double crossing(const struct xb_stair *stairs, size_t first, double half_way)
{
    double below = log(stairs[first - 1].ns), above = log(stairs[first].ns);
    double share = above > below ? (half_way - below) / (above - below) : 0.5;
    share = share < 0 ? 0 : share > 1 ? 1 : share;
    double ratio = stairs[first].bytes / stairs[first - 1].bytes;
    return stairs[first - 1].bytes * pow(ratio, share);
}

size_t xb_staircase(struct xb_stair *stairs, size_t n, double *capacity, size_t room)
{
    struct sums sums = { .of = { 0 } };
    size_t edge[STEPS_MAX + 1];
    if (n < STAIRS_MIN || n > XB_STAIRS_MAX)
        return 0;
    qsort(stairs, n, sizeof *stairs, compare);
    for (size_t i = 0; i < n; i++) {
        double level = log(stairs[i].ns);
        sums.of[i + 1] = sums.of[i] + level;
        sums.of_squares[i + 1] = sums.of_squares[i] + level * level;
    }
    size_t steps = room + 1 < STEPS_MAX ? room + 1 : STEPS_MAX;
    for (; steps > 1; steps--) {
        fit(&sums, n, steps, edge);
        if (rises(&sums, edge, steps))
            break;
    }
    for (size_t i = 1; i < steps; i++) {
        double half_way =
            (mean(&sums, edge[i - 1], edge[i]) + mean(&sums, edge[i], edge[i + 1])) / 2;
        capacity[i - 1] = crossing(stairs, edge[i], half_way);
    }
    return steps - 1;
}
