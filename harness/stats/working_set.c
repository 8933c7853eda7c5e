/* SPDX-License-Identifier: BSD-3-Clause
 * Working sets from colliding samples. */
#include "working_set.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    LINES_OF_A_PAGE = 64,
    PAIRS_ENOUGH = 2000,  /* +-2.2 % */
    TRIPLES_ENOUGH = 100, /* +-10 % of the third moment, and less of what follows from it */
    PAIRS_TO_JUDGE = 16,  /* with fewer, whether a coarser answer agrees cannot be told */
    SITE_ENOUGH = 20,     /* touches, for a density of its own */
    PEELINGS = 12,
};

/* Of the touches of each of two pools: they are different lines of one set, waited for unequally, as in
 * an unrolled loop whose first load takes the miss. */
static const double SAME_PAGES = 0.8;

/* From lines to pages, to what a huge page is made of; the last only bounds. */
static const uint32_t granules[] = { XB_LINE_BYTES, 4096, 65536, 2u << 20 };
enum { GRANULES = sizeof granules / sizeof granules[0], COUNTED = GRANULES - 1 };

/* What a set looks like in granules of one size. */
struct census {
    double n, pairs, triples, distinct;
};

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* `sorted`: n addresses. */
static struct census count(const uint64_t *sorted, size_t n, uint32_t granule)
{
    struct census census = { .n = (double)n };
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
    double n = census->n;
    if (census->triples < TRIPLES_ENOUGH)
        return 1;
    double second = 2 * census->pairs / (n * (n - 1));
    double third = 6 * census->triples / (n * (n - 1) * (n - 2));
    double ratio =
        third / (second * second); /* (1 + 2 spread) / (1 + spread), spread: that squared */
    /* Rates that differ by more than that are two sets, which peeling has told apart or nothing can. */
    return ratio <= 1 ? 1 : ratio >= 1.5 ? 2 : 1 + (ratio - 1) / (2 - ratio);
}

/* The number of granules, were all equal. */
static double number_of(const struct census *census)
{
    return census->pairs > 0 ? census->n * (census->n - 1) / (2 * census->pairs) : INFINITY;
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

void xb_working_set(uint64_t *address, size_t n, struct xb_pool *out)
{
    *out = (struct xb_pool){ .touches = n, .sites = 1, .granule = XB_LINE_BYTES };
    if (n < 2) {
        out->bytes = (double)n * XB_LINE_BYTES;
        return;
    }
    qsort(address, n, sizeof *address, by_value);
    double most = INFINITY;
    for (int g = 0; g < GRANULES; g++) {
        struct census census = count(address, n, granules[g]);
        /* With five touches on each, hardly one is left out: there are no more than these. */
        if (census.n >= 5 * census.distinct)
            most = fmin(most, census.distinct * granules[g]);
        if (g == COUNTED || (g > 0 && out->pairs >= PAIRS_ENOUGH))
            continue;
        double bias = rate_bias(&census);
        if (granules[g] == XB_LINE_BYTES)
            bias = fmax(bias, page_bias(address, n));
        double bytes = number_of(&census) * bias * granules[g];
        double error = census.pairs > 0 ? 1 / sqrt(census.pairs) : INFINITY;
        /* More pages than these lines would fill: not all of their lines are used. */
        bool agrees = bytes < out->bytes * (1.1 + 3 * out->error);
        if (g == 0 || out->pairs < PAIRS_TO_JUDGE || agrees) {
            out->bytes = bytes;
            out->error = error;
            out->pairs = (uint64_t)census.pairs;
            out->granule = granules[g];
        } else
            break;
    }
    if (out->bytes > most)
        out->bytes = most;
}

/* The count of samples on a line from which on it is too heavy to be one of `lines` equal ones. */
static double too_heavy(double mean, double lines)
{
    double term = exp(-mean), below = term;
    int k = 1;
    if (mean > 500) /* normal, and exp() would end at 0 */
        return mean + 6 * sqrt(mean);
    while (lines * (1 - below) >= 0.5 && 1 - below > 1e-12) {
        term *= mean / k++;
        below += term;
    }
    return k < 3 ? 3 : k;
}

/* Moves the addresses of heavy lines to the end. `sorted`: n of them. Returns how many are left in
 * front, sorted as well; `lines` grows by the lines that went. */
static size_t peel(uint64_t *sorted, size_t n, uint64_t *spare, size_t *lines)
{
    struct census census = count(sorted, n, XB_LINE_BYTES);
    double number = number_of(&census) * rate_bias(&census), mean = (double)n / number;
    if (!isfinite(number))
        return n;
    double heavy = fmax(too_heavy(mean, number), 4 * mean);
    size_t kept = 0, gone = 0;
    for (size_t i = 0, next; i < n; i = next) {
        for (next = i + 1; next < n && sorted[next] / XB_LINE_BYTES == sorted[i] / XB_LINE_BYTES;)
            next++;
        bool goes = (double)(next - i) >= heavy;
        for (size_t j = i; j < next; j++)
            if (goes)
                spare[gone++] = sorted[j];
            else
                sorted[kept++] = sorted[j];
        *lines += goes;
    }
    memcpy(sorted + kept, spare, gone * sizeof *spare);
    return kept;
}

/* An instruction and what it touched. */
struct site {
    uint32_t id;
    size_t n;
    double density; /* other samples on the same line, in the mean */
    size_t pool;
};

struct work {
    struct site *site;
    size_t n_sites;
    uint64_t *line;    /* of all touches, sorted */
    uint32_t *site_of; /* each touch's, an index into site */
    uint64_t *address, *spare;
    uint64_t *last; /* the line before, for each site */
};

static int by_id(const void *a, const void *b)
{
    uint32_t x = ((const struct site *)a)->id, y = ((const struct site *)b)->id;
    return (x > y) - (x < y);
}

static int by_density(const void *a, const void *b)
{
    double x = (*(const struct site *const *)a)->density,
           y = (*(const struct site *const *)b)->density;
    return (x < y) - (x > y);
}

static int by_touches(const void *a, const void *b)
{
    size_t x = ((const struct xb_pool *)a)->touches, y = ((const struct xb_pool *)b)->touches;
    return (x < y) - (x > y);
}

/* How many of the sorted `line` are equal to `one`. */
static size_t count_equal(const uint64_t *line, size_t n, uint64_t one)
{
    size_t at[2];
    for (unsigned side = 0; side < 2; side++) {
        size_t low = 0, high = n;
        while (low < high) {
            size_t middle = low + (high - low) / 2;
            if (line[middle] < one + side)
                low = middle + 1;
            else
                high = middle;
        }
        at[side] = low;
    }
    return at[1] - at[0];
}

/* Lists the sites with their densities. */
static void list_sites(const struct xb_touch *touch, size_t n, struct work *work)
{
    for (size_t i = 0; i < n; i++) {
        work->site[i] = (struct site){ .id = touch[i].site };
        work->line[i] = touch[i].address / XB_LINE_BYTES;
    }
    qsort(work->site, n, sizeof *work->site, by_id);
    qsort(work->line, n, sizeof *work->line, by_value);
    for (size_t i = 0; i < n; i++)
        if (!i || work->site[i].id != work->site[work->n_sites - 1].id)
            work->site[work->n_sites++] = work->site[i];
    for (size_t i = 0; i < n; i++) {
        struct site key = { .id = touch[i].site };
        struct site *site = bsearch(&key, work->site, work->n_sites, sizeof key, by_id);
        work->site_of[i] = (uint32_t)(site - work->site);
        site->n++;
        site->density += (double)(count_equal(work->line, n, touch[i].address / XB_LINE_BYTES) - 1);
    }
    for (size_t i = 0; i < work->n_sites; i++)
        work->site[i].density /= (double)work->site[i].n;
}

/* Gives each site a pool: from the densest on, those within a factor of four. Sites of few touches go
 * with the pool that is nearest, or make none. Returns the number of pools, at least 1. */
static size_t pool_sites(struct work *work, struct site **order)
{
    double top = 0;
    size_t pools = 0;
    for (size_t i = 0; i < work->n_sites; i++)
        order[i] = &work->site[i];
    qsort(order, work->n_sites, sizeof *order, by_density);
    for (size_t i = 0; i < work->n_sites; i++) {
        struct site *site = order[i];
        bool opens = !pools || (site->n >= SITE_ENOUGH && site->density < top / 4);
        /* Below a tenth of a pair for each touch densities are noise. */
        if (opens && (!pools || top > 0.1) && pools < XB_POOLS_MAX / 2) {
            top = site->density;
            pools++;
        }
        site->pool = pools - 1;
    }
    return pools;
}

/* The share of pool `a`'s touches that lie in pages that `b` touches as well. */
static double overlap(const struct xb_touch *touch, size_t n, struct work *work, size_t a, size_t b)
{
    size_t n_pages = 0, touches = 0, inside = 0;
    for (size_t i = 0; i < n; i++)
        if (work->site[work->site_of[i]].pool == b)
            work->address[n_pages++] = touch[i].address / 4096;
    qsort(work->address, n_pages, sizeof *work->address, by_value);
    for (size_t i = 0; i < n; i++)
        if (work->site[work->site_of[i]].pool == a) {
            touches++;
            inside += count_equal(work->address, n_pages, touch[i].address / 4096) > 0;
        }
    return touches ? (double)inside / (double)touches : 0;
}

/* Adds the set `from` to `to`: other lines of the same pages. */
static void join(struct xb_pool *to, const struct xb_pool *from)
{
    double bytes = to->bytes + from->bytes;
    to->error = hypot(to->error * to->bytes, from->error * from->bytes) / bytes;
    to->bytes = bytes;
    to->touches += from->touches;
    to->sites += from->sites;
    to->pairs += from->pairs;
    to->granule = to->granule > from->granule ? to->granule : from->granule;
}

/* Measures one pool, and appends its hot lines, if it has any, and then the rest. */
static void measure_pool(const struct xb_touch *touch, size_t n, struct work *work, size_t pool,
                         struct xb_pool *out, size_t *n_out)
{
    size_t kept = 0, touches = 0, sites = 0, lines = 0;
    for (size_t i = 0; i < work->n_sites; i++)
        sites += work->site[i].pool == pool;
    memset(work->last, 0xff, work->n_sites * sizeof *work->last);
    for (size_t i = 0; i < n; i++) {
        uint32_t site = work->site_of[i];
        uint64_t line = touch[i].address / XB_LINE_BYTES;
        if (work->site[site].pool != pool)
            continue;
        touches++;
        uint64_t key = line ^ (uint64_t)touch[i].thread << 32;
        if (work->last[site] != key)
            work->address[kept++] = touch[i].address;
        work->last[site] = key;
    }
    if (!touches)
        return;
    double weight = (double)touches / (double)kept; /* touches that one kept stands for */
    qsort(work->address, kept, sizeof *work->address, by_value);
    size_t bulk = kept;
    for (int i = 0; i < PEELINGS && bulk > 1; i++) {
        size_t before = bulk, more = lines;
        bulk = peel(work->address, before, work->spare, &more);
        /* A bulk of next to nothing is no bulk, and a peel of that neither. */
        if (bulk == before || bulk < kept / 50 || before - bulk < kept / 300) {
            if (bulk != before)
                qsort(work->address, before, sizeof *work->address, by_value);
            bulk = before;
            break;
        }
        lines = more;
    }
    if (lines)
        out[(*n_out)++] = (struct xb_pool){
            .touches = (size_t)(weight * (double)(kept - bulk) + 0.5),
            .sites = sites,
            .is_hot = true,
            .bytes = (double)lines * XB_LINE_BYTES,
            .granule = XB_LINE_BYTES,
        };
    struct xb_pool *rest = &out[(*n_out)++];
    xb_working_set(work->address, bulk, rest);
    rest->sites = sites;
    rest->touches = (size_t)(weight * (double)bulk + 0.5);
}

int xb_working_sets(const struct xb_touch *touch, size_t n, struct xb_pool *pool, size_t *n_pools)
{
    *n_pools = 0;
    if (!n)
        return 0;
    struct work work = {
        .site = calloc(n, sizeof *work.site),
        .line = calloc(n, sizeof *work.line),
        .site_of = calloc(n, sizeof *work.site_of),
        .address = calloc(n, sizeof *work.address),
        .spare = calloc(n, sizeof *work.spare),
        .last = calloc(n, sizeof *work.last),
    };
    struct site **order = calloc(n, sizeof(struct site *));
    int err = -ENOMEM;
    if (work.site && work.line && work.site_of && work.address && work.spare && work.last &&
        order) {
        list_sites(touch, n, &work);
        size_t pools = pool_sites(&work, order);
        struct xb_pool *rest[XB_POOLS_MAX / 2];
        for (size_t i = 0; i < pools; i++) {
            measure_pool(touch, n, &work, i, pool, n_pools);
            rest[i] = &pool[*n_pools - 1];
            for (size_t j = 0; j < i; j++) {
                if (!isfinite(rest[i]->bytes + rest[j]->bytes) ||
                    overlap(touch, n, &work, i, j) < SAME_PAGES ||
                    overlap(touch, n, &work, j, i) < SAME_PAGES)
                    continue;
                join(rest[j], rest[i]);
                rest[i] = rest[j];
                --*n_pools;
                break;
            }
        }
        qsort(pool, *n_pools, sizeof *pool, by_touches);
        err = 0;
    }
    free(order);
    free(work.last);
    free(work.spare);
    free(work.address);
    free(work.site_of);
    free(work.line);
    free(work.site);
    return err;
}
