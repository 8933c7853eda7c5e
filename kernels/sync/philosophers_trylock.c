/* SPDX-License-Identifier: BSD-3-Clause
 * Dining philosophers who toss a coin for which fork to take first, and put it back when the other
 * one is taken. */
#include "../philosophers.h"

/* Without the coin they may all take and put back in step forever, as no rule that is the same for
 * all and leaves nothing to chance can exclude: on one CPU, where each gives way to the next, they do.
 * They give way before they try again, or philosophers of one CPU would only take turns at putting
 * back. */
static int take_forks(struct xb_io *io, struct philosopher *s)
{
    for (;;) {
        uint32_t first = xb_prng_next(&s->coin) & 1 ? s->left : s->right;
        int64_t err = lock_fork(io, s, first);
        if (err)
            return (int)err;
        give_way(io, s);
        err = xb_await_on(io, &s->op, XB_IO_TRYLOCK, &s->table->fork[s->left + s->right - first]);
        if (!err)
            return 0;
        unlock_fork(io, s, first);
        if (err != -EBUSY)
            return (int)err;
        give_way(io, s);
    }
}

const struct xb_kernel xb_kernel_sync_philosophers_trylock = {
    .name = "sync/philosophers_trylock",
    .summary =
        "dining philosophers who put the first fork back if the second is taken, first by a coin",
    .source =
        "Lehmann, Rabin, \"On the advantages of free choice: a symmetric and fully distributed "
        "solution to the dining philosophers problem\", POPL 1981",
    .item = "meal",
    .remark =
        "breaks Coffman's third condition, no preemption: who is refused a fork gives back the "
        "other one, and tosses a coin for where to begin, so that no livelock lasts",
    .bound = XB_CLASS_SYNC,
    .fit = XB_FIT_OWN,
    .own_bytes = sizeof(struct xb_mutex),
    .needs = XB_NEED_TEAM,
    .team_setup = team_setup,
    .setup = setup,
    .begin = begin,
    .run = run,
    .verify = verify,
    .teardown = teardown,
};
