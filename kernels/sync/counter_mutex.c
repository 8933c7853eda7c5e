/* SPDX-License-Identifier: BSD-3-Clause
 * Workers count in one total under one lock: what it costs to take it, and to wait for it. */
#include "../tally.h"

static int count_up(struct xb_io *io, struct counting *s)
{
    struct tally *tally =
        s->tally; /* not to be found anew in each turn: it is behind a lock's back */
    for (int i = 0; i < INCREMENTS; i++) {
        int64_t err = xb_await(io, &s->take);
        if (err)
            return (int)err;
        tally->locked++;
        err = xb_await(io, &s->give);
        if (err)
            return (int)err;
    }
    return 0;
}

static void settle(void *team, void *state, struct xb_work *did)
{
    (void)state;
    settle_lost(team, did);
}

const struct xb_kernel xb_kernel_sync_counter_mutex = {
    .name = "sync/counter_mutex",
    .summary = "all workers increment one total under a lock",
    .source = "Dijkstra, \"Solution of a problem in concurrent programming control\", 1965",
    .item = "increment",
    .latency_of = "taking the lock",
    .bound = XB_CLASS_SYNC,
    .fit = XB_FIT_OWN,
    .own_bytes = sizeof(struct xb_mutex),
    .needs = XB_NEED_TEAM,
    .team_setup = team_setup,
    .setup = setup,
    .begin = begin,
    .run = run,
    .settle = settle,
    .verify = verify,
    .teardown = teardown,
};
