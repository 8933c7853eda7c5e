/* SPDX-License-Identifier: BSD-3-Clause
 * Workers count each for itself, in lines of their own, and the parts are added at the end. */
#include "../keep.h"
#include "../tally.h"

#include <math.h>

static int count_up(struct xb_io *io, struct counting *s)
{
    (void)io;
    for (int i = 0; i < INCREMENTS; i++) {
        s->shard->n++;
        xb_keep_memory(); /* or the sum would wait in a register, where nobody could read it */
    }
    return 0;
}

static void settle(void *team, void *state, struct xb_work *did)
{
    (void)state;
    settle_lost(team, did);
}

static const struct xb_claim claims[] = {
    { XB_RATIO_USER_SHARE, 0.7, INFINITY },
    { XB_RATIO_L1D_MPKI, -INFINITY, 1 },
};

/* It is beside the others to show what their sharing costs: no worker touches another one's line
 * before all have counted, so there is nothing to wait for but its own last store, which the store buffer
 * hands to the next load. As many workers as there are CPUs take as long as one. */
static enum xb_class bound_of(const struct xb_crowd *crowd)
{
    (void)crowd;
    return XB_CLASS_CPU;
}

const struct xb_kernel xb_kernel_sync_counter_sharded = {
    .name = "sync/counter_sharded",
    .summary = "each worker increments a part of the total; the parts are added at the end",
    .source = "McKenney, \"Is Parallel Programming Hard\", chapter 5: statistical counters",
    .item = "increment",
    .bound = XB_CLASS_SYNC,
    .bound_of = bound_of,
    .fit = XB_FIT_OWN,
    .own_bytes = sizeof(struct shard),
    .claims = claims,
    .n_claims = sizeof claims / sizeof *claims,
    .team_setup = team_setup,
    .setup = setup,
    .begin = begin,
    .run = run,
    .settle = settle,
    .verify = verify,
    .teardown = teardown,
};
