/* SPDX-License-Identifier: BSD-3-Clause
 * The body of every pointer-chase kernel; a kernel file adds its descriptor.
 *
 * Each load's address is the previous load's value, so neither out-of-order execution nor a
 * prefetcher can overlap two of them: time per load is the latency of the level that holds the
 * set. The idea is lmbench's lat_mem_rd (McVoy and Staelin, USENIX 1996) with a random order, as
 * its stride is followed by today's prefetchers; multichase does the same. */
#ifndef XB_KERNELS_CHASE_H
#define XB_KERNELS_CHASE_H

#include "buffer.h"
#include "kernel.h"
#include "prng.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* One node per line, so that no load finds its line brought in by a neighbour. */
struct line {
    struct line *next;
    char unused[64 - sizeof(struct line *)];
};

/* Loads per iteration: the loop's own instructions become invisible beside an L1 hit (4 cycles),
 * and an iteration stays below 2 us in DRAM. The number of lines is a multiple of it. */
enum { HOPS = 16 };

/* Line i begins i << shift bytes from the first, and where a page has but one line, further on by
 * a line for each `column` pages, so that the lines spread over all sets of a cache. */
struct chase {
    char *lines;
    unsigned shift;  /* line to line; 6 is one behind the other */
    size_t column;   /* pages; 0: none */
    uint32_t *order; /* order[k] is the line that the ring visits as its k-th */
    size_t n_lines;
    size_t lines_span, order_span; /* bytes taken */
    size_t start, place;           /* in the order: of this sample's first load, and now */
    _Atomic uint64_t *passed;      /* iterations done so far, for others to see; or NULL */
};

static inline struct line *line_at(const struct chase *s, size_t i)
{
    size_t aside = s->column ? i / s->column * sizeof(struct line) : 0;
    return (struct line *)(void *)(s->lines + (i << s->shift) + aside);
}

/* Whole huge pages from 64 KiB up. With 4 KiB pages an L2-sized walk also misses the first-level
 * TLB, and falls on different sets of a physically indexed cache in every process. */
static inline size_t whole_pages(size_t bytes)
{
    return bytes < 65536 ? bytes : (bytes + XB_HUGE_PAGE - 1) / XB_HUGE_PAGE * XB_HUGE_PAGE;
}

static void begin(void *state)
{
    struct chase *s = state;
    s->start = s->place;
}

/* Takes the state and draws the order; the lines are the caller's to take and link. Shuffled places
 * linked in a ring are a uniformly random single cycle, the distribution that Sattolo's algorithm
 * gives ("An algorithm to generate a random cyclic permutation", 1986), and leave the order behind,
 * by which verify() can jump. The shuffle is Fisher and Yates', inside out, over four-byte indices:
 * swapping the lines themselves would miss on every step. The order is a sixteenth of the lines, on
 * top of params->bytes, and is not read while the chase is timed. */
static inline int draw_order(const struct xb_params *params, void **state)
{
    struct chase *s = *state = calloc(1, sizeof *s);
    if (!s)
        return xb_explain(params, -ENOMEM, "no memory for the state of a pointer chase");
    s->shift = 6;
    s->n_lines = params->bytes / sizeof(struct line) / HOPS * HOPS;
    if (s->n_lines < HOPS)
        s->n_lines = HOPS;
    if (s->n_lines > UINT32_MAX)
        return xb_explain(params, -E2BIG, "a pointer chase is over at most 256 GiB");
    s->order_span = whole_pages(s->n_lines * sizeof *s->order);
    s->order = xb_buffer_take(s->order_span);
    if (!s->order)
        return xb_explain(params, -ENOMEM, "no memory for an order of %zu lines", s->n_lines);
    uint64_t random = xb_prng_of(params->seed, params->index);
    for (size_t i = 0; i < s->n_lines; i++) {
        size_t j = xb_prng_below(&random, i + 1);
        s->order[i] = s->order[j];
        s->order[j] = (uint32_t)i;
    }
    return 0;
}

static inline void link_lines(struct chase *s)
{
    struct line *last = line_at(s, s->order[s->n_lines - 1]);
    for (size_t k = 0; k < s->n_lines; k++) {
        last->next = line_at(s, s->order[k]);
        last = last->next;
    }
}

/* `take`: which pages, a function of buffer.h. */
static inline int setup_on(const struct xb_params *params, void *(*take)(size_t), void **state)
{
    int err = draw_order(params, state);
    if (err)
        return err;
    struct chase *s = *state;
    s->lines_span = whole_pages(s->n_lines * sizeof(struct line));
    s->lines = take(s->lines_span);
    if (!s->lines)
        return xb_explain(params, -ENOMEM, "no memory for %zu lines to chase", s->n_lines);
    link_lines(s);
    return 0;
}

static inline int setup(const struct xb_params *params, void *team, void **state)
{
    (void)team;
    return setup_on(params, xb_buffer_take, state);
}

/* xb-loop: run: 16 mov \((%[a-z0-9]+)\),\1$ */
static __attribute__((noinline)) int run(struct xb_run *run, void *state, uint64_t iters,
                                         struct xb_work *did)
{
    (void)run;
    struct chase *s = state;
    const struct line *at = line_at(s, s->order[s->place]);
    const char *first = s->lines;
    _Atomic uint64_t *passed = s->passed;
    uint64_t places = 0, count = passed ? atomic_load_explicit(passed, memory_order_relaxed) : 0;
    for (uint64_t i = 0; i < iters; i++) {
        for (int hop = 0; hop < HOPS; hop++)
            at = at->next;
        places += (uint64_t)((const char *)at - first);
        if (passed) /* one writer, so a store is enough; release: not before the loads are done */
            atomic_store_explicit(passed, ++count, memory_order_release);
    }
    s->place = (s->place + iters % s->n_lines * HOPS) % s->n_lines;
    did->items += iters * HOPS;
    did->bytes_read += iters * HOPS * sizeof at->next;
    did->checksum += places;
    return 0;
}

/* Jumps along the stored order instead of chasing, and never further than one lap. */
static int verify(const struct xb_params *params, void *team, void *state, uint64_t iters,
                  const struct xb_work *did)
{
    (void)params, (void)team;
    const struct chase *s = state;
    uint64_t lap = s->n_lines / HOPS;
    uint64_t whole = 0, part = 0;
    for (uint64_t i = 1; i <= lap; i++) {
        size_t line = s->order[(s->start + i * HOPS) % s->n_lines];
        whole += (uint64_t)((const char *)line_at(s, line) - s->lines);
        if (i == iters % lap)
            part = whole;
    }
    const struct xb_work due = {
        .items = iters * HOPS,
        .bytes_read = iters * HOPS * 8,
        .checksum = iters / lap * whole + part,
    };
    if (memcmp(did, &due, sizeof due) != 0)
        return -EBADMSG;
    /* The ring itself: at most 4096 evenly spaced links, as each may cost a trip to DRAM. */
    size_t step = (s->n_lines + 4095) / 4096;
    for (size_t k = 0; k < s->n_lines; k += step)
        if (line_at(s, s->order[k])->next != line_at(s, s->order[(k + 1) % s->n_lines]))
            return -EBADMSG;
    return 0;
}

static void teardown(void *state)
{
    struct chase *s = state;
    if (!s)
        return;
    xb_buffer_give(s->lines, s->lines_span);
    xb_buffer_give(s->order, s->order_span);
    free(s);
}

#endif
