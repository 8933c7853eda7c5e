/* SPDX-License-Identifier: BSD-3-Clause
 * Load-to-use latency of the last-level cache: a random chase over half of a worker's share.
 *
 * In a guest the cache may be claimed whole and be shared with a whole host: then part of these
 * loads go to DRAM, and the staircase is what says how much cache there is. */
#include "../chase.h"

#include <math.h>

/* 16 loads come with 8 other instructions, hence at most 660 misses per 1000. The set is several
 * times an L1 and fits the last level: loads miss the one nearly always, and the other seldom. */
static const struct xb_claim claims[] = {
    { XB_RATIO_USER_SHARE, 0.7, INFINITY },
    { XB_RATIO_IPC, -INFINITY, 0.2 },
    { XB_RATIO_L1D_MPKI, 400, INFINITY },
    { XB_RATIO_LLC_MPKI, -INFINITY, 150 },
};

const struct xb_kernel xb_kernel_cache_chase_llc = {
    .name = "cache/chase_llc",
    .summary = "random pointer chase, one node per cache line, half of the share of the last level",
    .source = "lmbench lat_mem_rd (McVoy, Staelin 1996); Sattolo 1986; multichase",
    .item = "load",
    .bound = XB_CLASS_CACHE,
    .fit = XB_FIT_LLC,
    .needs = XB_NEED_BYTES | XB_SHOWS_LATENCY,
    .claims = claims,
    .n_claims = sizeof claims / sizeof *claims,
    .setup = setup,
    .begin = begin,
    .run = run,
    .verify = verify,
    .teardown = teardown,
};
