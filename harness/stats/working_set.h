/* How large the set of addresses is that a program waits for, from a sample of them.
 *
 * Two samples fall into the same cache line the more often the fewer lines there are: n samples of L
 * equally likely lines make n(n-1)/2L such pairs, whatever the order they were taken in (the birthday
 * problem, and Good's estimate of population by recaptures). That needs no more than some 30 sqrt(L)
 * samples, and no count of misses. Five things would spoil it, and are dealt with:
 *
 * - Instructions that touch different sets. They are pooled by the density of their collisions: those
 *   within a factor of four are one set, as are the loads of an unrolled loop, of which each sees an
 *   eighth of the lines. Sets that use the same pages are added: they are other lines of one.
 * - A few lines that are touched all the time, which would hide the rest: 40 samples on one line make
 *   340 MiB look like 1 MiB. Lines with more samples than the Poisson distribution allows, and at least
 *   four times the mean, are peeled off, and are a set of their own. Pages
 *   like that, on other lines each time, are left out if they hold less than a tenth of the samples, and else
 *   are a set of their own.
 * - Lines that are not waited for equally long, as the first of a page is after a miss in the TLB and
 *   before the prefetcher starts. Rates that follow a gamma distribution have a closed form in pairs and
 *   triples (Chao and Lee, JASA 87, 1992, estimate from the same coefficient of variation); and the rates
 *   of the 64 lines of a page are known from all pages together. The larger correction counts.
 * - Too few pairs. A set that uses its pages as a whole has fewer pages than lines, so pairs of pages
 *   are counted instead, if both answers agree; a sparse one keeps its lines and its wide interval. With
 *   fewer than 16 pairs of lines pages are taken on trust. Where even these are more than chance makes of pages
 *   that are used as a whole, both answers stand: a sparse set looks like a large one beside a few lines
 *   that are touched often.
 * - A program that stands still, or reads a line byte by byte: the same line twice in a row is one. */
#ifndef XB_STATS_WORKING_SET_H
#define XB_STATS_WORKING_SET_H

#include "../base/touch.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { XB_POOLS_MAX = 16, XB_LINE_BYTES = 64 };

struct xb_size {
    double bytes;       /* of one process; INFINITY: not one pair, the set is large */
    double error;       /* relative, one standard deviation: 1/sqrt(pairs) */
    uint64_t pairs;     /* that it rests on */
    uint32_t granule;   /* bytes within which two samples are a pair: 64, or larger */
    double bytes_least; /* 0, or what it may be as well: see above, too few pairs */
};

/* A set, and who touches it. */
struct xb_pool {
    size_t touches; /* samples that fell into it */
    size_t sites;   /* instructions; of hot lines those that they were peeled off from */
    bool is_hot;    /* lines that were peeled off: their number is known, and rests on no pairs */
    struct xb_size size;
};

/* Splits `touch` (n of them, each thread's in order of time) into sets and estimates the size of each.
 * `pool`: room for XB_POOLS_MAX; `n_pools` of them come back, most touches first. 0 or -ENOMEM. Any
 * thread. */
int xb_working_sets(const struct xb_touch *touch, size_t n, struct xb_pool *pool, size_t *n_pools)
    __attribute__((warn_unused_result));

/* How many processes touch it, were all to touch it equally often. `sorted`: n addresses, ascending. Pure. */
double xb_touching_processes(const uint64_t *sorted, size_t n);

/* How many granules of so many bytes, of all processes, were all touched equally often. INFINITY: no two touches
 * met in one. `sorted`: n addresses, ascending. Pure. */
double xb_granules_touched(const uint64_t *sorted, size_t n, uint32_t granule);

/* The size of one set from pairs of lines, nothing pooled and nothing peeled. `sorted`: n addresses,
 * ascending. Pure. */
struct xb_size xb_size_of_lines(const uint64_t *sorted, size_t n);

/* The same from pairs of pages, where there are too few of lines and the answers agree. `lines`: what
 * pairs of lines say. Pure. */
struct xb_size xb_size_of_set(const uint64_t *sorted, size_t n, const struct xb_size *lines);

#endif
