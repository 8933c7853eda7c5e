/* SPDX-License-Identifier: BSD-3-Clause
 * Splits touches into sets: by the density of their collisions, dense pages and hot lines from the rest. */
#include "working_set.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    SITE_ENOUGH = 20, /* touches, for a density of its own */
    PEELINGS = 12,
    PAGE = 4096,
    SPLIT_LEAST = 60, /* touches of a pool for it to be looked at whether it is two */
};

/* Pages are a set of their own if they are touched so much more densely than the rest, and so are sites. */
static const double DENSER = 4;
/* Of all touches, that either of two sets has at least; pages that hold less are left out. */
static const double SPLIT_SHARE = 0.1;

/* Of the touches of each of two pools: they are different lines of one set, waited for unequally, as in
 * an unrolled loop whose first load takes the miss. */
static const double SAME_PAGES = 0.8;

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
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

/* How many lines there are in all processes, were all equal. */
static double number_of_lines(const uint64_t *sorted, size_t n)
{
    return xb_size_of_lines(sorted, n).bytes / XB_LINE_BYTES * xb_touching_processes(sorted, n);
}

/* Moves the addresses of heavy granules, lines or pages, to the end. `sorted`: n of them; `number`: of granules, were
 * all equal. Returns how many are left in front, sorted as well; `gone_granules` grows by those that went. */
static size_t peel(uint64_t *sorted, size_t n, uint64_t granule, double number, uint64_t *spare,
                   size_t *gone_granules)
{
    if (!isfinite(number))
        return n;
    double mean = (double)n / number;
    double heavy = fmax(too_heavy(mean, number), 4 * mean);
    size_t kept = 0, gone = 0;
    for (size_t i = 0, next; i < n; i = next) {
        for (next = i + 1; next < n && sorted[next] / granule == sorted[i] / granule;)
            next++;
        bool goes = (double)(next - i) >= heavy;
        for (size_t j = i; j < next; j++)
            if (goes)
                spare[gone++] = sorted[j];
            else
                sorted[kept++] = sorted[j];
        *gone_granules += goes;
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

/* A page, and how often it was touched in each half of the samples. */
struct page {
    uint64_t number;
    uint32_t ranks, tells;
    bool is_dense;
};

struct work {
    struct page *page;
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
        bool opens = !pools || (site->n >= SITE_ENOUGH && site->density < top / DENSER);
        /* Below a tenth of a pair for each touch densities are noise. */
        if (opens && (!pools || top > 0.1) && pools < XB_POOLS_MAX / 2) {
            top = site->density;
            pools++;
        }
        site->pool = pools - 1;
    }
    return pools;
}

/* The share of pool `a`'s touches that lie in pages that `b` touches as well; or in larger granules,
 * where `b` has too few touches to have been in each of its pages. */
static double overlap(const struct xb_touch *touch, size_t n, struct work *work, size_t a, size_t b)
{
    static const uint32_t granules[] = { 4096, 65536, 2u << 20 };
    for (size_t g = 0; g < sizeof granules / sizeof granules[0]; g++) {
        size_t of_a = 0, of_b = 0, distinct = 0, inside = 0;
        uint32_t granule = granules[g];
        for (size_t i = 0; i < n; i++)
            if (work->site[work->site_of[i]].pool == b)
                work->address[of_b++] = touch[i].address / granule;
        qsort(work->address, of_b, sizeof *work->address, by_value);
        for (size_t i = 0; i < of_b; i++)
            distinct += !i || work->address[i] != work->address[i - 1];
        if (of_b < 5 * distinct)
            continue;
        for (size_t i = 0; i < n; i++)
            if (work->site[work->site_of[i]].pool == a) {
                of_a++;
                inside += count_equal(work->address, of_b, touch[i].address / granule) > 0;
            }
        return of_a ? (double)inside / (double)of_a : 0;
    }
    return 0;
}

/* Takes together pools that use the same pages: `group` of each is the number of the first such. */
static void group_pools(const struct xb_touch *touch, size_t n, struct work *work, size_t pools,
                        size_t *group)
{
    for (size_t i = 0; i < pools; i++) {
        group[i] = i;
        for (size_t j = 0; j < i && group[i] == i; j++)
            if (overlap(touch, n, work, i, j) >= SAME_PAGES &&
                overlap(touch, n, work, j, i) >= SAME_PAGES)
                group[i] = group[j];
    }
}

/* Writes the addresses that one pool touched, sorted, to `address`; a line that one instruction touches
 * twice in a row only once. Returns how many. If most are such, those lines are variables, not a set:
 * they are left out, and `hot_lines` says how many lines they are. */
static size_t collect(const struct xb_touch *touch, size_t n, struct work *work, size_t pool,
                      uint64_t *address, size_t *hot_lines)
{
    size_t kept = 0, repeated = 0, set = 0;
    memset(work->last, 0xff, work->n_sites * sizeof *work->last);
    for (size_t i = 0; i < n; i++) {
        uint32_t site = work->site_of[i];
        uint64_t key = touch[i].address / XB_LINE_BYTES ^ (uint64_t)touch[i].thread << 32;
        if (work->site[site].pool != pool)
            continue;
        if (work->last[site] != key)
            address[kept++] = touch[i].address;
        else
            work->spare[repeated++] = touch[i].address / XB_LINE_BYTES;
        work->last[site] = key;
    }
    qsort(address, kept, sizeof *address, by_value);
    *hot_lines = 0;
    if (repeated <= kept)
        return kept;
    qsort(work->spare, repeated, sizeof *work->spare, by_value);
    for (size_t i = 0; i < repeated; i++)
        *hot_lines += !i || work->spare[i] != work->spare[i - 1];
    for (size_t i = 0; i < kept; i++)
        if (!count_equal(work->spare, repeated, address[i] / XB_LINE_BYTES))
            address[set++] = address[i];
    return set;
}

/* Peels heavy lines off the n sorted addresses until none is left. Returns how many addresses stay. */
static size_t peel_all(uint64_t *sorted, size_t n, uint64_t *spare, size_t *lines)
{
    size_t bulk = n;
    for (int i = 0; i < PEELINGS && bulk > 1; i++) {
        size_t before = bulk, more = *lines;
        bulk = peel(sorted, before, XB_LINE_BYTES, number_of_lines(sorted, before), spare, &more);
        if (bulk == before)
            break;
        /* A bulk of next to nothing is no bulk, and a peel of that is none either. */
        if (!bulk || bulk < n / 50 || before - bulk < n / 300) {
            qsort(sorted, before, sizeof *sorted, by_value);
            return before;
        }
        *lines = more;
    }
    return bulk;
}

static int by_rank(const void *a, const void *b)
{
    const struct page *x = a, *y = b;
    return x->ranks != y->ranks ? (x->ranks < y->ranks) - (x->ranks > y->ranks)
                                : (x->number > y->number) - (x->number < y->number);
}

static int by_number(const void *a, const void *b)
{
    uint64_t x = ((const struct page *)a)->number, y = ((const struct page *)b)->number;
    return (x > y) - (x < y);
}

/* Lists the pages of n sorted addresses, of which each half, drawn by chance, is counted for itself. */
static size_t list_pages(const uint64_t *sorted, size_t n, struct page *page)
{
    size_t pages = 0;
    uint64_t state = 1;
    for (size_t i = 0; i < n; i++) {
        if (!i || sorted[i] / PAGE != page[pages - 1].number)
            page[pages++] = (struct page){ .number = sorted[i] / PAGE };
        state ^= state << 13; /* Marsaglia's xorshift64 */
        state ^= state >> 7;
        state ^= state << 17;
        if (state >> 40 & 1)
            page[pages - 1].ranks++;
        else
            page[pages - 1].tells++;
    }
    return pages;
}

/* Marks the pages of a dense set within a larger one. Pages are ranked by one half of the samples, and the
 * other half tells how dense the first k of them are and the rest: so what is dense by chance in one half is
 * not in the other. Of all k that is the best which makes the samples most likely, if each of the
 * two sets is touched evenly. False: it is one set. */
static bool find_dense(const uint64_t *sorted, size_t n, struct page *page, size_t *pages)
{
    *pages = n < SPLIT_LEAST ? 0 : list_pages(sorted, n, page);
    double all = 0, once = 0, twice = 0, inside = 0, left = 0, best = -INFINITY;
    size_t dense = 0;
    qsort(page, *pages, sizeof *page, by_rank);
    for (size_t i = 0; i < *pages; i++) {
        all += page[i].tells;
        once += page[i].ranks + page[i].tells == 1;
        twice += page[i].ranks + page[i].tells == 2;
    }
    /* With those that no sample met (Chao, Scandinavian Journal of Statistics 11, 1984). */
    double number = (double)*pages + once * once / (2 * fmax(twice, 1));
    /* Pages that only the other half met were not ranked by chance, but met because they were. */
    for (size_t k = 1; k < *pages && page[k - 1].ranks; k++) {
        inside += page[k - 1].tells;
        double outside = all - inside, rest = number - (double)k;
        if (inside < SPLIT_SHARE * all || inside / (double)k < DENSER * outside / rest)
            continue;
        double likely = inside * log(inside / (double)k);
        if (outside > 0)
            likely += outside * log(outside / rest);
        if (likely > best) {
            best = likely;
            dense = k;
            left = outside;
        }
    }
    /* What is best told apart may be a few strays. With those left over the last of six equal pages is not another
     * set, as it would be were only such k tried that leave enough. */
    if (left < SPLIT_SHARE * all)
        dense = 0;
    for (size_t i = 0; i < dense; i++)
        page[i].is_dense = true;
    qsort(page, *pages, sizeof *page, by_number);
    return dense > 0;
}

/* Appends `rest`, of n sorted addresses, or what is dense in it and what is not, if it is two sets and there
 * is room for those, `spared` for others. */
static void append_sets(struct work *work, size_t n, const struct xb_size *lines, size_t spared,
                        struct xb_pool rest, struct xb_pool *out, size_t *n_out)
{
    size_t pages, sparse = 0, dense = 0;
    uint64_t *sorted = work->address;
    if (*n_out + 2 + spared > XB_POOLS_MAX || !find_dense(sorted, n, work->page, &pages)) {
        rest.size = xb_size_of_set(sorted, n, lines);
        out[(*n_out)++] = rest;
        return;
    }
    for (size_t i = 0, at = 0; i < n; i++) {
        while (work->page[at].number != sorted[i] / PAGE)
            at++;
        if (work->page[at].is_dense)
            work->spare[dense++] = sorted[i];
        else
            sorted[sparse++] = sorted[i];
    }
    double touches = (double)rest.touches / (double)n;
    struct xb_size size = xb_size_of_lines(work->spare, dense);
    struct xb_pool part = { .touches = (size_t)(touches * (double)dense + 0.5),
                            .sites = rest.sites,
                            .size = xb_size_of_set(work->spare, dense, &size) };
    out[(*n_out)++] = part;
    size = xb_size_of_lines(sorted, sparse);
    part.touches = rest.touches - part.touches;
    part.size = xb_size_of_set(sorted, sparse, &size);
    out[(*n_out)++] = part;
}

/* Leaves out the addresses in pages too heavy to be some of many equal ones, if those are few. Where a sequence
 * comes to pages that the host has to bring first, dozens of samples stand on lines of two of them, and their pairs
 * made 1 GiB look like 3 MiB. If they are many they are no exception. Returns how many stay, sorted. */
static size_t leave_pages_out(uint64_t *sorted, size_t n, uint64_t *spare)
{
    size_t stay = n, pages = 0;
    for (int i = 0; i < PEELINGS && stay > 1; i++) {
        size_t before = stay;
        stay = peel(sorted, before, PAGE, xb_granules_touched(sorted, before, PAGE), spare, &pages);
        if (stay == before)
            break;
        if ((double)stay < (1 - SPLIT_SHARE) * (double)n) {
            qsort(sorted, n, sizeof *sorted, by_value);
            return n;
        }
    }
    return stay;
}

/* Measures the pools of one group, and appends their hot lines, if they have any, and then the rest. Of
 * lines they share none, or they would be one pool: so their lines add up. */
static void measure_group(const struct xb_touch *touch, size_t n, struct work *work,
                          const size_t *group, size_t pools, size_t which, struct xb_pool *out,
                          size_t *n_out)
{
    struct xb_size lines = { .granule = XB_LINE_BYTES };
    struct xb_pool hot = { .is_hot = true, .size.granule = XB_LINE_BYTES }, rest = { 0 };
    double touches_hot = 0, touches_rest = 0, variance = 0;
    size_t filled = 0, hot_lines = 0;
    for (size_t pool = 0; pool < pools; pool++) {
        if (group[pool] != which)
            continue;
        size_t touches = 0;
        for (size_t i = 0; i < work->n_sites; i++)
            if (work->site[i].pool == pool) {
                touches += work->site[i].n;
                rest.sites++;
            }
        uint64_t *address = work->address + filled;
        size_t variables;
        size_t kept = collect(touch, n, work, pool, address, &variables);
        hot_lines += variables;
        size_t bulk = peel_all(address, kept, work->spare, &hot_lines);
        size_t equal = leave_pages_out(address, bulk, work->spare);
        struct xb_size size = xb_size_of_lines(address, equal);
        double weight = /* touches that one that was kept stands for */
            variables || !kept ? 1 : (double)touches / (double)kept;
        touches_hot += (double)touches - weight * (double)bulk;
        touches_rest += weight * (double)bulk;
        lines.bytes += size.bytes;
        lines.pairs += size.pairs;
        variance += size.error * size.bytes * size.error * size.bytes;
        filled += equal;
    }
    if (rest.sites == 0)
        return;
    lines.error = isfinite(lines.bytes) ? sqrt(variance) / lines.bytes : INFINITY;
    qsort(work->address, filled, sizeof *work->address, by_value);
    rest.touches = (size_t)(touches_rest + 0.5);
    if (hot_lines) {
        hot.sites = rest.sites;
        hot.touches = (size_t)(touches_hot + 0.5);
        hot.size.bytes = (double)hot_lines * XB_LINE_BYTES;
        out[(*n_out)++] = hot;
    }
    if (rest.touches)
        append_sets(work, filled, &lines, 2 * (pools - which - 1), rest, out, n_out);
}

int xb_working_sets(const struct xb_touch *touch, size_t n, struct xb_pool *pool, size_t *n_pools)
{
    *n_pools = 0;
    if (!n)
        return 0;
    struct work work = {
        .page = calloc(n, sizeof *work.page),
        .site = calloc(n, sizeof *work.site),
        .line = calloc(n, sizeof *work.line),
        .site_of = calloc(n, sizeof *work.site_of),
        .address = calloc(n, sizeof *work.address),
        .spare = calloc(n, sizeof *work.spare),
        .last = calloc(n, sizeof *work.last),
    };
    struct site **order = calloc(n, sizeof(struct site *));
    int err = -ENOMEM;
    if (work.page && work.site && work.line && work.site_of && work.address && work.spare &&
        work.last && order) {
        list_sites(touch, n, &work);
        size_t pools = pool_sites(&work, order);
        size_t group[XB_POOLS_MAX / 2];
        group_pools(touch, n, &work, pools, group);
        for (size_t i = 0; i < pools; i++)
            measure_group(touch, n, &work, group, pools, i, pool, n_pools);
        qsort(pool, *n_pools, sizeof *pool, by_touches);
        err = 0;
    }
    free(order);
    free(work.page);
    free(work.last);
    free(work.spare);
    free(work.address);
    free(work.site_of);
    free(work.line);
    free(work.site);
    return err;
}
