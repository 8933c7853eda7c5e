/* SPDX-License-Identifier: BSD-3-Clause
 * Fits steps to a latency staircase. */
#include "staircase.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

enum { STEPS_MAX = 8, STAIRS_MIN = 8 };

/* Neighbouring steps must differ by this factor: TLB misses raise latency within a level too, by
 * less than the next level does. */
static const double RISE_LEAST = 1.75;

/* A step between two others is at least this many times as large at its end: what lies between two
 * levels would make a third otherwise, as a cache does not begin to miss at once. */
static const double EXTENT_LEAST = 2;

/* The share of the climb at which a cache counts as full. Under exact LRU a ring just larger than
 * the cache would miss on each load; what is built misses in part, and where the pages are small
 * some sets overflow long before the cache is full. For a 1 MiB L2 whose pages lay well, 24
 * processes of a guest found 0.94 to 1.02 MiB at a third, 1.00 to 1.32 half-way up, and 0.86 to 0.92
 * at a fifth, where TLB misses are much of the climb. */
static const double CLIMB = 1.0 / 3;

/* Sums over the first i stairs, so that any segment's error is known at once. */
struct sums {
    double of[XB_STAIRS_MAX + 1], of_squares[XB_STAIRS_MAX + 1];
};

static int compare(const void *a, const void *b)
{
    double x = ((const struct xb_stair *)a)->bytes, y = ((const struct xb_stair *)b)->bytes;
    return (x > y) - (x < y);
}

/* Squared distance of stairs [from, to) from their mean. */
static double error(const struct sums *sums, size_t from, size_t to)
{
    double sum = sums->of[to] - sums->of[from];
    return sums->of_squares[to] - sums->of_squares[from] - sum * sum / (double)(to - from);
}

static bool is_step(const struct xb_stair *stairs, size_t from, size_t to, size_t n)
{
    return from == 0 || to == n || stairs[to - 1].bytes >= EXTENT_LEAST * stairs[from].bytes;
}

/* The best cut of n stairs into `steps`: edge[i] is the first stair of step i, edge[steps] = n.
 * False where there is none. */
static bool fit(const struct xb_stair *stairs, const struct sums *sums, size_t n, size_t steps,
                size_t *edge)
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
                if (!is_step(stairs, cut, to, n))
                    continue;
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
    return best[steps][n] < FAR;
}

/* The true curve never falls, and what disturbs a measurement only slows it: so no size takes
 * longer than any larger one was seen to take. */
static void lower_to_later(const struct xb_stair *stairs, size_t n, double *ns)
{
    for (size_t i = n; i-- > 0;)
        ns[i] = i + 1 < n && ns[i + 1] < stairs[i].ns ? ns[i + 1] : stairs[i].ns;
}

/* Median of a step of a curve that does not fall; other levels' stairs at its ends do not count. */
static double level_of(const double *ns, const size_t *edge, size_t step)
{
    return ns[(edge[step] + edge[step + 1] - 1) / 2];
}

static bool rises(const double *ns, const size_t *edge, size_t steps)
{
    for (size_t i = 1; i < steps; i++)
        if (level_of(ns, edge, i) < RISE_LEAST * level_of(ns, edge, i - 1))
            return false;
    return true;
}

/* Where the curve, linear in ns over log(bytes), reaches a level above its first. */
static double reach(const struct xb_stair *stairs, const double *ns, double level)
{
    size_t i = 1;
    while (ns[i] < level)
        i++;
    double share = (level - ns[i - 1]) / (ns[i] - ns[i - 1]);
    return stairs[i - 1].bytes * pow(stairs[i].bytes / stairs[i - 1].bytes, share);
}

size_t xb_staircase(struct xb_stair *stairs, size_t n, double *capacity, size_t room)
{
    struct sums sums = { .of = { 0 } };
    size_t edge[STEPS_MAX + 1];
    double ns[XB_STAIRS_MAX];
    if (n < STAIRS_MIN || n > XB_STAIRS_MAX)
        return 0;
    qsort(stairs, n, sizeof *stairs, compare);
    lower_to_later(stairs, n, ns);
    for (size_t i = 0; i < n; i++) {
        double level = log(ns[i]);
        sums.of[i + 1] = sums.of[i] + level;
        sums.of_squares[i + 1] = sums.of_squares[i] + level * level;
    }
    size_t steps = room + 1 < STEPS_MAX ? room + 1 : STEPS_MAX;
    for (; steps > 1; steps--) {
        if (fit(stairs, &sums, n, steps, edge) && rises(ns, edge, steps))
            break;
    }
    for (size_t i = 1; i < steps; i++) {
        double below = level_of(ns, edge, i - 1), above = level_of(ns, edge, i);
        capacity[i - 1] = reach(stairs, ns, below + CLIMB * (above - below));
    }
    return steps - 1;
}

/* How far apart two sizes are, in whatever unit of their logarithm. */
static double distance(double a, double b)
{
    return fabs(log(a / b));
}

void xb_staircase_name(const double *edge, size_t n, const double *claimed, double *named)
{
    enum { L1D, L2, LLC };
    bool apart = claimed[LLC] > 0 && claimed[L2] > 0 && claimed[LLC] > claimed[L2];
    named[L1D] = named[L2] = named[LLC] = NAN;
    if (n == 0 || n > XB_STAIRCASE_LEVELS)
        return;
    if (n == 1) { /* nothing but the nearest claim can tell which */
        size_t nearest = XB_STAIRCASE_LEVELS;
        for (size_t i = 0; i < XB_STAIRCASE_LEVELS; i++)
            if (claimed[i] > 0 &&
                (nearest == XB_STAIRCASE_LEVELS ||
                 distance(edge[0], claimed[i]) <= distance(edge[0], claimed[nearest])))
                nearest = i;
        if (nearest < XB_STAIRCASE_LEVELS)
            named[nearest] = edge[0];
        return;
    }
    named[L1D] = edge[0];
    if (n == 3 || !apart || distance(edge[1], claimed[L2]) < distance(edge[1], claimed[LLC]))
        named[L2] = edge[1];
    if (n == 3 || !apart || isnan(named[L2]))
        named[LLC] = edge[n - 1];
}
