/* SPDX-License-Identifier: BSD-3-Clause
 * Dining philosophers, but for how a philosopher takes his two forks: the including file defines
 * take_forks() for that.
 *
 * The forks are locks of the team, and between one fork and the other a philosopher gives way, as
 * one who reaches out does: so that under every model another one can come in between. */
#ifndef XB_KERNELS_PHILOSOPHERS_H
#define XB_KERNELS_PHILOSOPHERS_H

#include "kernel.h"
#include "prng.h"
#include "sync.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct table {
    uint32_t forks;         /* as many as philosophers, but two for one alone */
    struct xb_mutex fork[]; /* fork[i] lies between philosophers i - 1 and i */
};

struct philosopher {
    struct table *table;
    uint32_t left, right; /* forks */
    uint64_t meal;        /* what the next one adds to the checksum, and the state of its stream */
    uint64_t first;
    uint64_t coin; /* the state of another stream, for who tosses one */
    struct xb_io_op op;
};

/* Takes both forks, in the variant's way. 0 or -errno, and then without any fork. */
static int take_forks(struct xb_io *io, struct philosopher *s);

static int64_t lock_fork(struct xb_io *io, struct philosopher *s, uint32_t fork)
{
    return xb_await_on(io, &s->op, XB_IO_LOCK, &s->table->fork[fork]);
}

static int64_t unlock_fork(struct xb_io *io, struct philosopher *s, uint32_t fork)
{
    return xb_await_on(io, &s->op, XB_IO_UNLOCK, &s->table->fork[fork]);
}

static int64_t give_way(struct xb_io *io, struct philosopher *s)
{
    return xb_await_on(io, &s->op, XB_IO_YIELD, NULL);
}

static int team_setup(const struct xb_params *params, struct xb_memory *memory, void **team)
{
    uint32_t forks = params->workers > 1 ? params->workers : 2;
    struct table *table =
        memory->take(memory, sizeof *table + forks * sizeof table->fork[0], _Alignof(struct table));
    if (!table)
        return -ENOMEM;
    *team = table;
    table->forks = forks;
    for (uint32_t i = 0; i < forks; i++)
        xb_mutex_init(&table->fork[i], 'R', i);
    return 0;
}

static void begin(void *state)
{
    struct philosopher *s = state;
    s->meal = s->first;
    s->coin = xb_mix64(~s->first);
}

static int setup(const struct xb_params *params, void *team, void **state)
{
    struct philosopher *s = aligned_alloc(64, (sizeof *s + 63) / 64 * 64);
    if (!s)
        return -ENOMEM;
    *state = s;
    memset(s, 0, sizeof *s);
    s->table = team;
    s->left = params->index;
    s->right = (params->index + 1) % s->table->forks;
    s->first = xb_prng_of(params->seed, params->index);
    begin(s);
    return 0;
}

static int run(struct xb_run *run, void *state, uint64_t iters, struct xb_work *did)
{
    struct philosopher *s = state;
    for (uint64_t i = 0; i < iters; i++) {
        int err = take_forks(run->io, s);
        if (err)
            return xb_explain(run->params, err, "taking forks %u and %u: %s", s->left, s->right,
                              strerror(-err));
        did->checksum += xb_prng_next(&s->meal);
        did->items++;
        unlock_fork(run->io, s, s->right);
        unlock_fork(run->io, s, s->left);
    }
    return 0;
}

/* The meals without forks; and afterwards this one has none any more. */
static int verify(const struct xb_params *params, void *team, void *state, uint64_t iters,
                  const struct xb_work *did)
{
    (void)team;
    const struct philosopher *s = state;
    struct xb_work due = { .items = iters };
    uint64_t meal = xb_prng_of(params->seed, params->index);
    for (uint64_t i = 0; i < iters; i++)
        due.checksum += xb_prng_next(&meal);
    uint32_t mine = params->index + 1;
    bool held = false;
    for (uint32_t i = 0; i < s->table->forks; i++)
        held |= (atomic_load(&s->table->fork[i].word) & ~XB_MUTEX_WAITED) == mine;
    return held || memcmp(did, &due, sizeof due) != 0 ? -EBADMSG : 0;
}

static void teardown(void *state)
{
    free(state);
}

#endif
