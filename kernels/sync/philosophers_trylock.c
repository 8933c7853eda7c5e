/* SPDX-License-Identifier: BSD-3-Clause
 * Dining philosophers who put the left fork back when the right one is taken. */
#include "../philosophers.h"

/* They give way before they try again, or philosophers of one CPU would only take turns at putting
 * back. That they might all take and put back in step forever is possible, and has no chance. */
static int take_forks(struct xb_io *io, struct philosopher *s)
{
    for (;;) {
        int64_t err = lock_fork(io, s, s->left);
        if (err)
            return (int)err;
        give_way(io, s);
        err = xb_await_on(io, &s->op, XB_IO_TRYLOCK, &s->table->fork[s->right]);
        if (!err)
            return 0;
        unlock_fork(io, s, s->left);
        if (err != -EBUSY)
            return (int)err;
        give_way(io, s);
    }
}

const struct xb_kernel xb_kernel_sync_philosophers_trylock = {
    .name = "sync/philosophers_trylock",
    .summary = "dining philosophers who put the first fork back if the second is taken",
    .source = "Havender, \"Avoiding deadlock in multitasking systems\", IBM Systems J. 7 (1968)",
    .item = "meal",
    .remark =
        "breaks Coffman's third condition, no preemption: who is refused a fork gives back the "
        "other one (Havender's second way)",
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
