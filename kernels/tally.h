/* The body of the kernels whose workers all count in one total; a kernel file says how, by defining
 * count_up().
 *
 * The total is known beforehand, whatever the order: an increment that is missing was lost. */
#ifndef XB_KERNELS_TALLY_H
#define XB_KERNELS_TALLY_H

#include "kernel.h"
#include "prng.h"
#include "sync.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { INCREMENTS = 64 }; /* per iteration, so that the loop around them costs next to nothing */

struct shard {
    uint64_t n;
} __attribute__((aligned(128))); /* two lines, as the prefetcher of neighbouring lines shares too */

/* The three ways to hold a total, of which each kernel uses one; the others stay 0. */
struct tally {
    _Atomic uint64_t total __attribute__((aligned(128)));
    struct xb_mutex lock;
    uint64_t locked __attribute__((aligned(128))); /* by `lock` */
    uint32_t workers __attribute__((aligned(128)));
    uint64_t start, lost; /* as settled in worker 0 */
    struct shard shard[];
};

struct counting {
    struct tally *tally;
    struct shard *shard; /* this worker's */
    uint32_t index;
    uint64_t next, first; /* of the stream that the checksum is made of: one number an iteration */
    struct xb_io_op take, give; /* of the lock; set up once, as only their state changes */
};

/* Of those that all write to one line: on several CPUs each takes it from the others, and waits for it
 * longer than for anything else: on two cores of a Zen 5 an increment took 1.4 ns instead of 0.3, or 24
 * instead of 5.9 where it is atomic. Where only one runs at a time the line stays with its CPU. */
static inline enum xb_class bound_of_line(const struct xb_crowd *crowd)
{
    return crowd->cpus > 1 ? XB_CLASS_SYNC : XB_CLASS_CPU;
}

/* Adds 1 to the total, INCREMENTS times. 0 or -errno. */
static int count_up(struct xb_io *io, struct counting *s);

static int team_setup(const struct xb_params *params, struct xb_memory *memory, void **team)
{
    size_t bytes = sizeof(struct tally) + params->workers * sizeof(struct shard);
    struct tally *tally = memory->take(memory, bytes, _Alignof(struct tally));
    if (!tally)
        return xb_explain(params, -ENOMEM, "no team memory for %u counters", params->workers);
    *team = tally;
    xb_mutex_init(&tally->lock, 'R', 0);
    tally->workers = params->workers;
    /* Anything, but far from 2^64. */
    tally->start = xb_mix64(params->seed) >> 1;
    return 0;
}

static void begin(void *state)
{
    struct counting *s = state;
    s->next = s->first;
    s->shard->n = 0;
    if (s->index == 0) {
        atomic_store_explicit(&s->tally->total, s->tally->start, memory_order_relaxed);
        s->tally->locked = 0;
    }
}

static int setup(const struct xb_params *params, void *team, void **state)
{
    struct counting *s = *state = calloc(1, sizeof *s);
    if (!s)
        return xb_explain(params, -ENOMEM, "no memory for the state of a counter");
    s->tally = team;
    s->index = params->index;
    s->shard = &s->tally->shard[params->index];
    s->first = xb_prng_of(params->seed, params->index);
    s->take = (struct xb_io_op){ .kind = XB_IO_LOCK,
                                 .on = &s->tally->lock,
                                 .marks = XB_IO_BEGINS | XB_IO_ENDS };
    s->give = (struct xb_io_op){ .kind = XB_IO_UNLOCK, .on = &s->tally->lock };
    begin(s);
    return 0;
}

static int run(struct xb_run *run, void *state, uint64_t iters, struct xb_work *did)
{
    struct counting *s = state;
    for (uint64_t i = 0; i < iters; i++) {
        int err = count_up(run->io, s);
        if (err)
            return xb_explain(run->params, err, "counting: %s", strerror(-err));
        did->checksum += xb_prng_next(&s->next);
        did->items += INCREMENTS;
    }
    return 0;
}

/* All did equally many. */
static void settle_lost(void *team, const struct xb_work *did)
{
    struct tally *tally = team;
    uint64_t total = atomic_load_explicit(&tally->total, memory_order_relaxed) + tally->locked;
    for (uint32_t i = 0; i < tally->workers; i++)
        total += tally->shard[i].n;
    tally->lost = tally->start + tally->workers * did->items - total;
}

/* Worker 0 has to have told what was lost; where losing is not the subject, nobody tells, and then
 * nothing may have been. */
static int verify(const struct xb_params *params, void *team, void *state, uint64_t iters,
                  const struct xb_work *did)
{
    (void)state;
    const struct tally *tally = team;
    struct xb_work due = { .items = iters * INCREMENTS,
                           .outcome = params->index == 0 ? tally->lost : 0 };
    uint64_t next = xb_prng_of(params->seed, params->index);
    for (uint64_t i = 0; i < iters; i++)
        due.checksum += xb_prng_next(&next);
    return memcmp(did, &due, sizeof due) != 0 ? -EBADMSG : 0;
}

static void teardown(void *state)
{
    free(state);
}

#endif
