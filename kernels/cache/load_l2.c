/* SPDX-License-Identifier: BSD-3-Clause
 * Load bandwidth of the L2 cache: sums half of it, over and over. */
#include "../load.h"

#include <math.h>

/* A line comes with one to six instructions, so hundreds of 1000 touch a new one; prefetchers bring
 * some of them in before they are asked for. */
static const struct xb_claim claims[] = {
    { XB_RATIO_USER_SHARE, 0.7, INFINITY },
    { XB_RATIO_L1D_MPKI, 20, INFINITY },
    { XB_RATIO_LLC_MPKI, -INFINITY, 5 },
};

const struct xb_kernel xb_kernel_cache_load_l2 = {
    .name = "cache/load_l2",
    .summary = "sum of half of the L2 cache at full load bandwidth",
    .source = "likwid-bench load; McCalpin's STREAM without the stores",
    .item = "word",
    .bound = XB_CLASS_CACHE,
    .fit = XB_FIT_L2,
    .needs = XB_NEED_BYTES,
    .isas = XB_ISAS_TO_512,
    .claims = claims,
    .n_claims = sizeof claims / sizeof *claims,
    .setup = setup,
    .begin = begin,
    .run = run,
    .verify = verify,
    .teardown = teardown,
};
