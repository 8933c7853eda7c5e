/* SPDX-License-Identifier: BSD-3-Clause
 * The body of the kernels whose workers each count in memory; a kernel file says how far apart.
 *
 * No two workers write the same byte, so no atomic is needed and none is used: what slows them
 * down, if anything, is that coherence works on whole lines. Described by Torrellas, Lam and
 * Hennessy, "False sharing and spatial locality in multiprocessor caches", 1994. */
#ifndef XB_KERNELS_COUNTER_H
#define XB_KERNELS_COUNTER_H

#include "keep.h"
#include "kernel.h"
#include "prng.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { INCREMENTS = 64 }; /* per iteration: 20 ns on Zen 4, 100 ns where each waits for the last */

struct counter {
    uint64_t *at; /* in team memory; no other worker writes it */
    uint64_t start, step;
};

/* Takes `stride` bytes of team memory for each worker. */
static inline int take_counters(const struct xb_params *params, struct xb_memory *memory,
                                size_t stride, void **team)
{
    *team = memory->take(memory, params->workers * stride, 128);
    if (!*team)
        return xb_explain(params, -ENOMEM, "no team memory for %u counters", params->workers);
    return 0;
}

static void begin(void *state)
{
    struct counter *s = state;
    *s->at = s->start;
}

/* The step is odd, so that only 2^64 increments give the same value again. */
static inline int open_counter(const struct xb_params *params, void *team, size_t stride,
                               void **state)
{
    struct counter *s = *state = calloc(1, sizeof *s);
    if (!s)
        return xb_explain(params, -ENOMEM, "no memory for the state of a counter");
    uint64_t random = xb_prng_of(params->seed, params->index);
    s->at = (uint64_t *)((char *)team + params->index * stride);
    s->start = xb_prng_next(&random);
    s->step = xb_prng_next(&random) | 1;
    begin(s);
    return 0;
}

static int run(struct xb_run *run, void *state, uint64_t iters, struct xb_work *did)
{
    (void)run;
    const struct counter *s = state;
    uint64_t *at = s->at, step = s->step, before = *at;
    /* The second claim is the counter of the inner loop, an int. Were the 64 additions merged, the
     * loop around them would look the same but for that. */
    /* xb-loop: run: 1+ add %r[a-z0-9]+,\(%r; 1 (add|sub) \$0x[0-9a-f]+,%e; 0 \(%rsp\) */
    for (uint64_t i = 0; i < iters; i++)
        for (int increment = 0; increment < INCREMENTS; increment++) {
            *at += step;
            xb_keep_memory(); /* or the counter would wait in a register */
        }
    did->items += iters * INCREMENTS;
    did->bytes_read += iters * INCREMENTS * sizeof *at;
    did->bytes_written += iters * INCREMENTS * sizeof *at;
    did->checksum += *at - before;
    return 0;
}

static int verify(const struct xb_params *params, void *team, void *state, uint64_t iters,
                  const struct xb_work *did)
{
    (void)team;
    const struct counter *s = state;
    uint64_t random = xb_prng_of(params->seed, params->index);
    uint64_t start = xb_prng_next(&random), step = xb_prng_next(&random) | 1;
    const struct xb_work due = {
        .items = iters * INCREMENTS,
        .bytes_read = iters * INCREMENTS * 8,
        .bytes_written = iters * INCREMENTS * 8,
        .checksum = iters * INCREMENTS * step,
    };
    return memcmp(did, &due, sizeof due) != 0 || *s->at != start + due.checksum ? -EBADMSG : 0;
}

static void teardown(void *state)
{
    free(state);
}

#endif
