/* SPDX-License-Identifier: BSD-3-Clause
 * Load bandwidth of the last-level cache: sums half of a worker's share of it, over and over. */
#include "../load.h"

#include <math.h>

/* A line comes with one to six instructions, so hundreds of 1000 touch a new one; a tenth of those
 * missing this cache too would mean that the set does not fit, or that neighbours fill it. */
static const struct xb_claim claims[] = {
    { XB_RATIO_USER_SHARE, 0.7, INFINITY },
    { XB_RATIO_L1D_MPKI, 20, INFINITY },
    { XB_RATIO_LLC_MPKI, -INFINITY, 20 },
};

const struct xb_kernel xb_kernel_cache_load_llc = {
    .name = "cache/load_llc",
    .summary = "sum of half of a share of the last-level cache at full load bandwidth",
    .source = "likwid-bench load; McCalpin's STREAM without the stores",
    .item = "word",
    .bound = XB_CLASS_CACHE,
    .fit = XB_FIT_LLC,
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
