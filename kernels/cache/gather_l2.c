/* SPDX-License-Identifier: BSD-3-Clause
 * Independent random loads from the L2 cache: chase_l2 without the dependence. */
#include "../gather.h"

#include <math.h>

/* A load comes with an index and little else, about two instructions. Half of an L2 is several
 * times an L1, so most of the lines are not there. */
static const struct xb_claim claims[] = {
    { XB_RATIO_USER_SHARE, 0.7, INFINITY },
    { XB_RATIO_L1D_MPKI, 100, INFINITY },
    { XB_RATIO_LLC_MPKI, -INFINITY, 20 },
    { XB_RATIO_BRANCH_MPKI, -INFINITY, 5 },
};

const struct xb_kernel xb_kernel_cache_gather_l2 = {
    .name = "cache/gather_l2",
    .summary = "sum of random words, one of each line, from half of the L2",
    .source = "HPC Challenge RandomAccess without stores (Luszczek, Dongarra 2005)",
    .item = "load",
    .bound = XB_CLASS_CACHE,
    .fit = XB_FIT_L2,
    .needs = XB_NEED_BYTES,
    .claims = claims,
    .n_claims = sizeof claims / sizeof *claims,
    .setup = setup,
    .begin = begin,
    .run = run,
    .verify = verify,
    .teardown = teardown,
};
