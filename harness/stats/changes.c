/* SPDX-License-Identifier: BSD-3-Clause
 * Finds steps in a series by ranks and medians. */
#include "changes.h"

#include "median.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { WINDOW = 20 };

static const double Z_LEAST = 6, RANK_LEAST = 3.3;

/* Of at most 2 * WINDOW values. */
static double median_of(const double *values, size_t n)
{
    double sorted[2 * WINDOW];
    memcpy(sorted, values, n * sizeof *sorted);
    return xb_median(sorted, n);
}

/* The correlation of neighbours within [begin, at) and [at, end), from the signs of their distances
 * to the side's own median, which outliers do not move. In [0, 0.9]: only positive correlation makes
 * a median less certain. */
static double correlation(const double *y, size_t begin, size_t at, size_t end, double before,
                          double behind)
{
    long agree = 0, pairs = 0;
    for (size_t i = begin + 1; i < end; i++) {
        if (i == at)
            continue;
        double left = y[i - 1] - (i < at ? before : behind),
               right = y[i] - (i < at ? before : behind);
        if (left == 0 || right == 0)
            continue;
        agree += (left > 0) == (right > 0) ? 1 : -1;
        pairs++;
    }
    /* Of two normal values: E[sign x sign] = 2/pi asin(rho). A count of n has the error 1/sqrt(n), and
     * windows are short: half of it is put on, to err on the side of saying nothing. */
    if (pairs < 4)
        return 0;
    double signs = (double)agree / (double)pairs + 0.5 / sqrt((double)pairs);
    double rho = sin(acos(-1.0) / 2 * (signs > 1 ? 1 : signs));
    return rho < 0 ? 0 : rho > 0.9 ? 0.9 : rho;
}

/* Mann and Whitney's statistic of [first, at) against [at, last), standardised. */
static double rank_sum(const double *y, size_t first, size_t at, size_t last)
{
    double above = 0, m = (double)(at - first), k = (double)(last - at);
    for (size_t i = first; i < at; i++)
        for (size_t j = at; j < last; j++)
            above += y[j] > y[i] ? 1 : y[j] == y[i] ? 0.5 : 0;
    return fabs(above - m * k / 2) / sqrt(m * k * (m + k + 1) / 12);
}

/* The step at `at` as its windows in [begin, end) show it. */
static struct xb_step weigh(const double *y, size_t begin, size_t at, size_t end)
{
    size_t first = at - begin > WINDOW ? at - WINDOW : begin;
    size_t last = end - at > WINDOW ? at + WINDOW : end;
    double before = median_of(y + first, at - first), behind = median_of(y + at, last - at);
    double off[2 * WINDOW] = { 0 };
    size_t n = last - first;
    for (size_t i = first; i < last; i++)
        off[i - first] = fabs(y[i] - (i < at ? before : behind));
    /* Two medians were fitted to n values, which brings them too near. */
    double sigma = 1.4826 * median_of(off, n) * sqrt((double)n / (double)(n - 2));
    double rho = correlation(y, first, at, last, before, behind);
    double error = sigma * sqrt(acos(-1.0) / 2 * (1 + rho) / (1 - rho)) *
                   sqrt(1.0 / (double)(at - first) + 1.0 / (double)(last - at));
    double step = behind - before;
    double z = step == 0 ? 0 : error > 0 ? fabs(step) / error : INFINITY;
    if (rank_sum(y, first, at, last) < RANK_LEAST)
        z = 0;
    return (struct xb_step){ .at = at, .ratio = exp(step), .z = z };
}

static bool holds(const struct xb_step *step, double least)
{
    return step->z > Z_LEAST && fabs(log(step->ratio)) > log1p(least);
}

struct ranked {
    double value;
    size_t at;
};

static int by_ranked(const void *a, const void *b)
{
    double left = ((const struct ranked *)a)->value, right = ((const struct ranked *)b)->value;
    return left < right ? -1 : left > right;
}

/* Pettitt's split of [begin, end): where the ranks before it are least like chance. */
static size_t split_by_ranks(const double *y, size_t begin, size_t end, struct ranked *sorted,
                             double *rank)
{
    size_t n = end - begin, best = begin + n / 2;
    for (size_t i = 0; i < n; i++)
        sorted[i] = (struct ranked){ y[begin + i], i };
    qsort(sorted, n, sizeof *sorted, by_ranked);
    for (size_t i = 0, j; i < n; i = j) { /* equal values share their mean rank */
        for (j = i + 1; j < n && sorted[j].value == sorted[i].value; j++)
            ;
        for (size_t k = i; k < j; k++)
            rank[sorted[k].at] = (double)(i + j + 1) / 2;
    }
    double sum = 0, most = -1;
    for (size_t k = 1; k < n; k++) {
        sum += rank[k - 1];
        if (k < XB_STEP_SIDE || n - k < XB_STEP_SIDE)
            continue;
        double due = (double)k * (double)(n + 1) / 2;
        double spread = sqrt((double)k * (double)(n - k) * (double)(n + 1) / 12);
        double z = fabs(sum - due) / spread;
        if (z > most) {
            most = z;
            best = begin + k;
        }
    }
    return best;
}

static struct xb_step best_by_windows(const double *y, size_t begin, size_t end)
{
    struct xb_step best = { .z = -1 };
    for (size_t at = begin + XB_STEP_SIDE; at + XB_STEP_SIDE <= end; at++) {
        struct xb_step one = weigh(y, begin, at, end);
        if (one.z > best.z || (one.z == best.z && fabs(log(one.ratio)) > fabs(log(best.ratio))))
            best = one;
    }
    return best;
}

struct search {
    const double *y;
    double least;
    struct xb_step *steps;
    size_t n, room;
    struct ranked *sorted; /* scratch for all values */
    double *rank;
};

static void search(struct search *s, size_t begin, size_t end)
{
    if (end - begin < 2 * XB_STEP_SIDE || s->n == s->room)
        return;
    struct xb_step best =
        weigh(s->y, begin, split_by_ranks(s->y, begin, end, s->sorted, s->rank), end);
    if (!holds(&best, s->least))
        best = best_by_windows(s->y, begin, end);
    if (!holds(&best, s->least))
        return;
    search(s, begin, best.at);
    if (s->n < s->room)
        s->steps[s->n++] = best;
    search(s, best.at, end);
}

/* A step found while others stood in the same stretch may be some values off: between its neighbours
 * alone the ranks tell better. */
static void relocate(struct search *s, size_t n)
{
    for (size_t i = 0; i < s->n; i++) {
        size_t begin = i ? s->steps[i - 1].at : 0, end = i + 1 < s->n ? s->steps[i + 1].at : n;
        size_t at = split_by_ranks(s->y, begin, end, s->sorted, s->rank);
        struct xb_step moved = weigh(s->y, begin, at, end);
        if (holds(&moved, s->least))
            s->steps[i] = moved;
    }
}

/* Weighs each step between its neighbours and takes the weakest back that does not hold, until all
 * do. */
static void prune(struct search *s, size_t n)
{
    for (;;) {
        size_t weakest = s->n;
        for (size_t i = 0; i < s->n; i++) {
            size_t begin = i ? s->steps[i - 1].at : 0, end = i + 1 < s->n ? s->steps[i + 1].at : n;
            s->steps[i] = weigh(s->y, begin, s->steps[i].at, end);
            if (!holds(&s->steps[i], s->least) &&
                (weakest == s->n || s->steps[i].z < s->steps[weakest].z))
                weakest = i;
        }
        if (weakest == s->n)
            return;
        memmove(&s->steps[weakest], &s->steps[weakest + 1],
                (s->n - weakest - 1) * sizeof *s->steps);
        s->n--;
    }
}

int xb_steps(const double *values, size_t n, double least, struct xb_step *steps, size_t room)
{
    double *y = calloc(2 * n + 1, sizeof *y);
    struct ranked *sorted = calloc(n + 1, sizeof *sorted);
    struct search s = {
        .y = y, .least = least, .steps = steps, .room = room, .sorted = sorted, .rank = y + n
    };
    int found = -ENOMEM;
    if (y && sorted) {
        for (size_t i = 0; i < n; i++)
            y[i] = log(values[i]);
        search(&s, 0, n);
        relocate(&s, n);
        prune(&s, n);
        found = (int)s.n;
    }
    free(y);
    free(sorted);
    return found;
}
