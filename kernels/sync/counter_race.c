/* SPDX-License-Identifier: BSD-3-Clause
 * Workers count in one total without any synchronisation: load, add, store, and some are lost. */
#include "../keep.h"
#include "../tally.h"

#include <math.h>

/* What `total++` compiles to for a plain variable. Atomic but relaxed, as in C a data race means
 * nothing at all; and no read-modify-write, so that another worker comes in between. */
static int count_up(struct xb_io *io, struct counting *s)
{
    (void)io;
    for (int i = 0; i < INCREMENTS; i++) {
        uint64_t seen = atomic_load_explicit(&s->tally->total, memory_order_relaxed);
        xb_keep(seen); /* or a compiler may add in memory, which on one CPU loses nothing */
        atomic_store_explicit(&s->tally->total, seen + 1, memory_order_relaxed);
        xb_keep_memory();
    }
    return 0;
}

static void settle(void *team, void *state, struct xb_work *did)
{
    (void)state;
    const struct tally *tally = team;
    settle_lost(team, did);
    did->outcome += tally->lost;
}

static const struct xb_claim claims[] = {
    { XB_RATIO_USER_SHARE, 0.7, INFINITY },
    { XB_RATIO_IPC, -INFINITY, 2 },
};

const struct xb_kernel xb_kernel_sync_counter_race = {
    .name = "sync/counter_race",
    .summary = "all workers increment one total, unsynchronised: updates are lost",
    .source = "the lost update; Netzer, Miller, \"What are race conditions?\", LOPLAS 1 (1992)",
    .item = "increment",
    .outcome = "lost_updates",
    .remark =
        "an update is lost where another worker comes between load and store: where workers run at "
        "once or are preempted, never where they give way only in between",
    .bound = XB_CLASS_SYNC,
    .bound_of = bound_of_line,
    .fit = XB_FIT_OWN,
    .own_bytes = sizeof(uint64_t),
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
