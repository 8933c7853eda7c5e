/* SPDX-License-Identifier: BSD-3-Clause
 * Load-to-use latency of DRAM: a random pointer chase over a multiple of the last-level cache. */
#include "../chase.h"

#include <math.h>

/* 16 loads come with 8 other instructions, hence at most 660 misses per 1000; three quarters of
 * the set at least is not in the last-level cache. */
static const struct xb_claim claims[] = {
    { XB_RATIO_USER_SHARE, 0.7, INFINITY },
    { XB_RATIO_IPC, -INFINITY, 0.1 },
    { XB_RATIO_LLC_MPKI, 300, INFINITY },
};

const struct xb_kernel xb_kernel_memory_chase_dram = {
    .name = "memory/chase_dram",
    .summary = "random pointer chase, one node per cache line, far larger than any cache",
    .source = "lmbench lat_mem_rd (McVoy, Staelin 1996); Sattolo 1986; multichase",
    .item = "load",
    .bound = XB_CLASS_MEMORY,
    .fit = XB_FIT_DRAM,
    .needs = XB_NEED_BYTES | XB_SHOWS_LATENCY,
    .claims = claims,
    .n_claims = sizeof claims / sizeof *claims,
    .setup = setup,
    .begin = begin,
    .run = run,
    .verify = verify,
    .teardown = teardown,
};
