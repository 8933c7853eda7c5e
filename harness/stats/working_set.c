/* SPDX-License-Identifier: BSD-3-Clause
 * Working sets from colliding samples. */
#include "working_set.h"

#include <math.h>

enum {
    LINES_OF_A_PAGE = 64,
    PAIRS_ENOUGH = 2000,  /* +-2.2 % */
    TRIPLES_ENOUGH = 100, /* +-10 % of the third moment, and less of what follows from it */
    PAIRS_TO_JUDGE = 16,  /* with fewer, whether a coarser answer agrees cannot be told */
};

/* By chance once in a thousand sets, as are the three standard deviations that answers may be apart. */
static const double AGAINST = 0.001;

/* From lines to pages, to what a huge page is made of; the last only bounds. */
static const uint32_t granules[] = { XB_LINE_BYTES, 4096, 65536, 2u << 20 };
enum { GRANULES = sizeof granules / sizeof granules[0], COUNTED = GRANULES - 1 };

/* What a set looks like in granules of one size. Those of several processes have several such sets, each in
 * the caches while its process runs: only touches of one process can meet, of which there are so many
 * couples and trios. */
struct census {
    double n, pairs, triples, distinct, couples, trios;
};

/* `sorted`: n addresses. */
static struct census count(const uint64_t *sorted, size_t n, uint32_t granule)
{
    struct census census = { .n = (double)n };
    for (size_t i = 0, next; i < n; i = next) {
        for (next = i + 1;
             next < n && xb_touch_process(sorted[next]) == xb_touch_process(sorted[i]);)
            next++;
        double own = (double)(next - i);
        census.couples += own * (own - 1) / 2;
        census.trios += own * (own - 1) * (own - 2) / 6;
    }
    for (size_t i = 0, next; i < n; i = next) {
        for (next = i + 1; next < n && sorted[next] / granule == sorted[i] / granule;)
            next++;
        double here = (double)(next - i);
        census.distinct++;
        census.pairs += here * (here - 1) / 2;
        census.triples += here * (here - 1) * (here - 2) / 6;
    }
    return census;
}

/* By how much pairs are too many because rates differ from one granule to another: like a gamma
 * distribution, with so large a coefficient of variation as pairs and triples show. At least 1. */
static double rate_bias(const struct census *census)
{
    if (census->triples < TRIPLES_ENOUGH)
        return 1;
    double second = census->pairs / census->couples;
    double third = census->triples / census->trios;
    double ratio =
        third / (second * second); /* (1 + 2 spread) / (1 + spread), spread: that squared */
    /* Rates that differ by more than that are two sets, which peeling has told apart or nothing can. */
    return ratio <= 1 ? 1 : ratio >= 1.5 ? 2 : 1 + (ratio - 1) / (2 - ratio);
}

/* The number of granules, were all equal. */
static double number_of(const struct census *census)
{
    return census->pairs > 0 ? census->couples / census->pairs : INFINITY;
}

/* The standard error of a size by pairs within granules. Where a set begins and ends within one, pairs see up to half a
 * granule too much: 256 KiB that begin in the midst of 64 seemed to be 292. */
static double error_of(const struct census *census, uint32_t granule, double bytes)
{
    return census->pairs > 0 ? hypot(1 / sqrt(census->pairs), granule / bytes / 3) : INFINITY;
}

/* By how much pairs of lines are too many because some lines of all pages are waited for longer. */
static double page_bias(const uint64_t *address, size_t n)
{
    double at[LINES_OF_A_PAGE] = { 0 }, together = 0;
    int used = 0;
    if (n < 200)
        return 1;
    for (size_t i = 0; i < n; i++)
        at[address[i] / XB_LINE_BYTES % LINES_OF_A_PAGE]++;
    for (int i = 0; i < LINES_OF_A_PAGE; i++) {
        together += at[i] * (at[i] - 1);
        used += at[i] >= (double)n / (8 * LINES_OF_A_PAGE);
    }
    double bias = used * together / ((double)n * (double)(n - 1));
    return bias < 1 ? 1 : bias;
}

double xb_touching_processes(const uint64_t *sorted, size_t n)
{
    struct census census = count(sorted, n, XB_LINE_BYTES);
    return census.couples > 0 ? (double)n * (double)(n - 1) / 2 / census.couples : 1;
}

double xb_granules_touched(const uint64_t *sorted, size_t n, uint32_t granule)
{
    struct census census = count(sorted, n, granule);
    return census.pairs > 0 ? (double)n * (double)(n - 1) / 2 / census.pairs : INFINITY;
}

/* Whether of `coarse` pairs of granules so many, `fine`, are pairs of the `ratio` times smaller ones within
 * that it is hardly chance in a set that uses its granules as a whole. There one in `ratio` is, or twice as
 * many where they are waited for unequally; rare, and nearly independent: Poisson's distribution. */
static bool speaks_against(double fine, double coarse, double ratio)
{
    double mean = 2 * coarse / ratio, term = exp(-mean), fewer = 0;
    for (int k = 0; k < fine; k++) {
        fewer += term;
        term *= mean / (k + 1);
    }
    return 1 - fewer < AGAINST;
}

struct xb_size xb_size_of_lines(const uint64_t *sorted, size_t n)
{
    struct xb_size size = { .bytes = (double)n * XB_LINE_BYTES, .granule = XB_LINE_BYTES };
    if (n < 2)
        return size;
    struct census census = count(sorted, n, XB_LINE_BYTES);
    size.bytes =
        number_of(&census) * fmax(rate_bias(&census), page_bias(sorted, n)) * XB_LINE_BYTES;
    size.error = census.pairs > 0 ? 1 / sqrt(census.pairs) : INFINITY;
    size.pairs = (uint64_t)census.pairs;
    return size;
}

struct xb_size xb_size_of_set(const uint64_t *sorted, size_t n, const struct xb_size *lines)
{
    struct xb_size size = *lines;
    double most = INFINITY;
    bool goes_on = true;
    for (int g = 0; g < GRANULES && n >= 2; g++) {
        struct census census = count(sorted, n, granules[g]);
        /* With five touches on each, hardly one is left out: there are no more than these. */
        if (census.n >= 5 * census.distinct)
            most = fmin(most, census.distinct * granules[g]);
        goes_on &= g < COUNTED && size.pairs < PAIRS_ENOUGH;
        if (!goes_on || !g)
            continue;
        double bytes = number_of(&census) * rate_bias(&census) * granules[g];
        /* Far more pages than these lines would fill: not all of their lines are used. Up to twice as
         * many are what lines that are waited for unequally make of a set that is used as a whole: a
         * sum of 16 MiB had 8 MiB of lines. A set of half its lines is taken for a whole one. */
        bool few = size.pairs < PAIRS_TO_JUDGE;
        goes_on = few || bytes < size.bytes * (2 + 3 * size.error);
        double least = size.bytes_least;
        if (few && least == 0 &&
            speaks_against((double)size.pairs, census.pairs, (double)granules[g] / size.granule))
            least = size.bytes;
        if (goes_on)
            size = (struct xb_size){
                .bytes = bytes,
                .error = error_of(&census, granules[g], bytes),
                .pairs = (uint64_t)census.pairs,
                .granule = granules[g],
                .bytes_least = least,
            };
    }
    if (size.bytes > most)
        size.bytes = most;
    return size;
}
