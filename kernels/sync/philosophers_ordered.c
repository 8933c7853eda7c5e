/* SPDX-License-Identifier: BSD-3-Clause
 * Dining philosophers who take the fork with the lower number first: no circle can close. */
#include "../philosophers.h"

static int take_forks(struct xb_io *io, struct philosopher *s)
{
    uint32_t lower = s->left < s->right ? s->left : s->right;
    int64_t err = lock_fork(io, s, lower);
    if (err)
        return (int)err;
    give_way(io, s);
    err = lock_fork(io, s, s->left + s->right - lower);
    if (err)
        unlock_fork(io, s, lower);
    return (int)err;
}

const struct xb_kernel xb_kernel_sync_philosophers_ordered = {
    .name = "sync/philosophers_ordered",
    .summary = "dining philosophers, lower fork first: cannot deadlock",
    .source = "Havender, \"Avoiding deadlock in multitasking systems\", IBM Systems J. 7 (1968)",
    .item = "meal",
    .remark = "breaks Coffman's fourth condition, circular wait: all take forks in one order",
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
