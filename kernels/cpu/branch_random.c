/* SPDX-License-Identifier: BSD-3-Clause
 * Branches that no predictor can learn: each depends on one random bit. */
#include "../branch.h"

#include <math.h>

static int setup(const struct xb_params *params, void *team, void **state)
{
    (void)team;
    return draw(params, false, state);
}

/* Half of the branches go wrong, with about 5 instructions to each: about 100 per 1000. */
static const struct xb_claim claims[] = {
    { XB_RATIO_USER_SHARE, 0.7, INFINITY },
    { XB_RATIO_IPC, -INFINITY, 1.5 },
    { XB_RATIO_L1D_MPKI, -INFINITY, 1 },
    { XB_RATIO_BRANCH_MPKI, 50, INFINITY },
};

/* 128 KiB are a million branches before the bits repeat. Predictors do learn short random
 * sequences by heart: thousands of branches on Zen 2 and Skylake (Lemire, "Mispredicted branches
 * can multiply your running times", 2019). */
const struct xb_kernel xb_kernel_cpu_branch_random = {
    .name = "cpu/branch_random",
    .summary = "branches on random bits, half of them mispredicted",
    .source = "Lemire, \"Mispredicted branches can multiply your running times\", 2019",
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
