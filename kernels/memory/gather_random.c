/* SPDX-License-Identifier: BSD-3-Clause
 * Independent random loads from DRAM: chase_dram without the dependence. */
#include "../gather.h"

#include <math.h>

/* A load comes with an index and little else, about two instructions, and three quarters of the
 * lines at least are not in the last-level cache. */
static const struct xb_claim claims[] = {
    { XB_RATIO_USER_SHARE, 0.7, INFINITY },
    { XB_RATIO_IPC, -INFINITY, 1 },
    { XB_RATIO_LLC_MPKI, 50, INFINITY },
    { XB_RATIO_BRANCH_MPKI, -INFINITY, 5 },
};

const struct xb_kernel xb_kernel_memory_gather_random = {
    .name = "memory/gather_random",
    .summary = "sum of random words, one of each line, far more than any cache",
    .source = "HPC Challenge RandomAccess without stores (Luszczek, Dongarra 2005)",
    .item = "load",
    .bound = XB_CLASS_MEMORY,
    .fit = XB_FIT_DRAM,
    .needs = XB_NEED_BYTES,
    .claims = claims,
    .n_claims = sizeof claims / sizeof *claims,
    .setup = setup,
    .begin = begin,
    .run = run,
    .verify = verify,
    .teardown = teardown,
};
