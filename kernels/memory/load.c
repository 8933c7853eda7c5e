/* SPDX-License-Identifier: BSD-3-Clause
 * Load bandwidth of memory: sums a set far larger than any cache. */
#include "../load.h"

#include <math.h>

/* A line comes with one to six instructions; prefetchers hide most of those misses from the
 * counters, but not all. */
static const struct xb_claim claims[] = {
    { XB_RATIO_USER_SHARE, 0.7, INFINITY },
    { XB_RATIO_IPC, -INFINITY, 1.5 },
    { XB_RATIO_LLC_MPKI, 1, INFINITY },
};

const struct xb_kernel xb_kernel_memory_load = {
    .name = "memory/load",
    .summary = "sum of a set far larger than any cache at full load bandwidth",
    .source = "likwid-bench load; McCalpin's STREAM without the stores",
    .item = "word",
    .bound = XB_CLASS_MEMORY,
    .fit = XB_FIT_DRAM,
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
