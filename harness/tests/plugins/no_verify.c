/* SPDX-License-Identifier: BSD-3-Clause
 * A kernel that cannot check itself. */
#include "kernels/plugin.h"

static int run(struct xb_run *run, void *state, uint64_t iters, struct xb_work *did)
{
    (void)run, (void)state;
    did->items += iters;
    return 0;
}

static const struct xb_kernel nothing = {
    .name = "cpu/nothing",
    .summary = "nothing",
    .item = "iteration",
    .own_bytes = 1,
    .run = run,
};

XB_PLUGIN(&nothing);
