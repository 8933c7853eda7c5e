/* SPDX-License-Identifier: BSD-3-Clause
 * Dining philosophers who each take the left fork first: the textbook deadlock. */
#include "../philosophers.h"

static int take_forks(struct xb_io *io, struct philosopher *s)
{
    int64_t err = lock_fork(io, s, s->left);
    if (err)
        return (int)err;
    give_way(io, s);
    err = lock_fork(io, s, s->right);
    if (err)
        unlock_fork(io, s, s->left);
    return (int)err;
}

const struct xb_kernel xb_kernel_sync_philosophers_naive = {
    .name = "sync/philosophers_naive",
    .summary = "dining philosophers, left fork first: deadlocks, and is caught",
    .source = "Dijkstra, EWD 310 (1971); Coffman, Elphick, Shoshani, System Deadlocks (1971)",
    .item = "meal",
    .outcome = "deadlocks",
    .remark = "breaks none of Coffman's conditions: mutual exclusion, hold and wait, no preemption "
              "and circular wait",
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
