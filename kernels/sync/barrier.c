/* SPDX-License-Identifier: BSD-3-Clause
 * All workers meet at a barrier, again and again: what a step of lockstep computing costs.
 *
 * Before each meeting a worker leaves a number for the one before it, and after it takes what the
 * next one left: had anybody passed too early, it would be the wrong one. */
#include "../kernel.h"
#include "../prng.h"
#include "../sync.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Two, in turn: whoever is one meeting ahead does not write what is still to be read, and nobody
 * can be two ahead. */
struct numbers {
    uint64_t at[2];
} __attribute__((aligned(128)));

struct hall {
    struct xb_barrier_point door;
    struct numbers left_by[];
};

struct state {
    struct hall *hall;
    struct numbers *mine;
    const struct numbers *neighbours;
    uint64_t next, first, round;
    struct xb_io_op op;
};

static uint32_t neighbour_of(const struct xb_params *params)
{
    return (params->index + 1) % params->workers;
}

static int team_setup(const struct xb_params *params, struct xb_memory *memory, void **team)
{
    size_t bytes = sizeof(struct hall) + params->workers * sizeof(struct numbers);
    struct hall *hall = memory->take(memory, bytes, _Alignof(struct hall));
    if (!hall)
        return xb_explain(params, -ENOMEM, "no team memory for %u workers", params->workers);
    *team = hall;
    xb_barrier_point_init(&hall->door, params->workers);
    return 0;
}

static void begin(void *state)
{
    struct state *s = state;
    s->next = s->first;
    s->round = 0;
}

static int setup(const struct xb_params *params, void *team, void **state)
{
    struct state *s = *state = calloc(1, sizeof *s);
    if (!s)
        return xb_explain(params, -ENOMEM, "no memory for the state of a worker");
    s->hall = team;
    s->mine = &s->hall->left_by[params->index];
    s->neighbours = &s->hall->left_by[neighbour_of(params)];
    s->first = xb_prng_of(params->seed, params->index);
    s->op.marks = XB_IO_BEGINS | XB_IO_ENDS;
    begin(s);
    return 0;
}

static int run(struct xb_run *run, void *state, uint64_t iters, struct xb_work *did)
{
    struct state *s = state;
    for (uint64_t i = 0; i < iters; i++) {
        uint64_t turn = s->round++ % 2;
        s->mine->at[turn] = xb_prng_next(&s->next);
        int64_t err = xb_await_on(run->io, &s->op, XB_IO_BARRIER, &s->hall->door);
        if (err < 0)
            return xb_explain(run->params, (int)err, "barrier: %s", strerror((int)-err));
        did->checksum += s->neighbours->at[turn];
        did->items++;
    }
    return 0;
}

static int verify(const struct xb_params *params, void *team, void *state, uint64_t iters,
                  const struct xb_work *did)
{
    (void)team;
    (void)state;
    struct xb_work due = { .items = iters };
    uint64_t next = xb_prng_of(params->seed, neighbour_of(params));
    for (uint64_t i = 0; i < iters; i++)
        due.checksum += xb_prng_next(&next);
    return memcmp(did, &due, sizeof due) != 0 ? -EBADMSG : 0;
}

static void teardown(void *state)
{
    free(state);
}

const struct xb_kernel xb_kernel_sync_barrier = {
    .name = "sync/barrier",
    .summary = "all workers meet at a barrier, again and again",
    .source = "Mellor-Crummey, Scott, \"Algorithms for scalable synchronization\", TOCS 9 (1991)",
    .item = "meeting",
    .bound = XB_CLASS_SYNC,
    .fit = XB_FIT_OWN,
    .own_bytes = sizeof(struct numbers),
    .needs = XB_NEED_TEAM,
    .team_setup = team_setup,
    .setup = setup,
    .begin = begin,
    .run = run,
    .verify = verify,
    .teardown = teardown,
};
