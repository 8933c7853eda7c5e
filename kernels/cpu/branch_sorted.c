/* SPDX-License-Identifier: BSD-3-Clause
 * Branches that every predictor learns: the control for branch_random, with its bits sorted. */
#include "../branch.h"

#include <math.h>

static int setup(const struct xb_params *params, void *team, void **state)
{
    (void)team;
    return draw(params, true, state);
}

/* Of a million bits two need be mispredicted: where the set ones end, and where the lap does. */
static const struct xb_claim claims[] = {
    { XB_RATIO_USER_SHARE, 0.7, INFINITY },
    { XB_RATIO_IPC, 1.5, INFINITY },
    { XB_RATIO_L1D_MPKI, -INFINITY, 5 },
    { XB_RATIO_BRANCH_MPKI, -INFINITY, 5 },
};

const struct xb_kernel xb_kernel_cpu_branch_sorted = {
    .name = "cpu/branch_sorted",
    .summary = "control for branch_random: as many branches taken, in sorted order",
    .source = "the sorted array: GManNickG, stackoverflow.com/q/11227809, 2012; Lemire 2019",
    .item = "branch",
    .bound = XB_CLASS_CPU,
    .fit = XB_FIT_OWN,
    .own_bytes = 128 << 10,
    .needs = XB_NEED_BYTES,
    .claims = claims,
    .n_claims = sizeof claims / sizeof *claims,
    .setup = setup,
    .begin = begin,
    .run = run,
    .verify = verify,
    .teardown = teardown,
};
