/* SPDX-License-Identifier: BSD-3-Clause
 * Load bandwidth of the L1 data cache: sums half of it, over and over. */
#include "../load.h"

#include <math.h>

/* At least one load per cycle, as with 512-bit registers on Zen 4; two elsewhere. */
static const struct xb_claim claims[] = {
    { XB_RATIO_USER_SHARE, 0.7, INFINITY },
    { XB_RATIO_IPC, 1, INFINITY },
    { XB_RATIO_L1D_MPKI, -INFINITY, 5 },
    { XB_RATIO_BRANCH_MPKI, -INFINITY, 5 },
};

const struct xb_kernel xb_kernel_cache_load_l1 = {
    .name = "cache/load_l1",
    .summary = "sum of half of the L1 data cache at full load bandwidth",
    .source = "likwid-bench load; McCalpin's STREAM without the stores",
    .item = "word",
    .bound = XB_CLASS_CACHE,
    .fit = XB_FIT_L1,
    .needs = XB_NEED_BYTES | XB_SHOWS_BANDWIDTH,
    .isas = XB_ISAS_TO_512,
    .claims = claims,
    .n_claims = sizeof claims / sizeof *claims,
    .setup = setup,
    .begin = begin,
    .run = run,
    .verify = verify,
    .teardown = teardown,
};
