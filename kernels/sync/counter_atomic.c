/* SPDX-License-Identifier: BSD-3-Clause
 * Workers count in one total with atomic additions: none is lost, and the line goes to and fro. */
#include "../keep.h"
#include "../tally.h"

#include <math.h>

/* lock xadd on x86-64, ldadd or ldxr and stxr on aarch64. The result is used as by one who draws a
 * ticket; unused, it would be lock add, which costs the same. */
static int count_up(struct xb_io *io, struct counting *s)
{
    (void)io;
    for (int i = 0; i < INCREMENTS; i++) {
        uint64_t ticket = atomic_fetch_add_explicit(&s->tally->total, 1, memory_order_relaxed);
        xb_keep(ticket);
    }
    return 0;
}

static void settle(void *team, void *state, struct xb_work *did)
{
    (void)state;
    settle_lost(team, did);
}

/* Each waits for the line that another one has, but waits in the middle of an instruction. */
static const struct xb_claim claims[] = {
    { XB_RATIO_USER_SHARE, 0.7, INFINITY },
    { XB_RATIO_IPC, -INFINITY, 1 },
};

const struct xb_kernel xb_kernel_sync_counter_atomic = {
    .name = "sync/counter_atomic",
    .summary = "all workers increment one total atomically",
    .source = "Gottlieb, Kruskal, \"Coordinating parallel processors\", 1981: fetch-and-add",
    .item = "increment",
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
