/* SPDX-License-Identifier: BSD-3-Clause
 * Load-to-use latency of the L2 cache: a random pointer chase over half of it. */
#include "../chase.h"

#include <math.h>

/* 16 loads come with 8 other instructions, hence at most 660 misses per 1000. Half of an L2 is
 * several times an L1, so most loads miss there; fewer than 300 would mean that they do not. */
static const struct xb_claim claims[] = {
    { XB_RATIO_USER_SHARE, 0.7, INFINITY },
    { XB_RATIO_IPC, -INFINITY, 0.5 },
    { XB_RATIO_L1D_MPKI, 300, INFINITY },
    { XB_RATIO_LLC_MPKI, -INFINITY, 20 },
};

const struct xb_kernel xb_kernel_cache_chase_l2 = {
    .name = "cache/chase_l2",
    .summary = "random pointer chase, one node per cache line, half of the L2",
    .source = "lmbench lat_mem_rd (McVoy, Staelin 1996); Sattolo 1986; multichase",
    .item = "load",
    .bound = XB_CLASS_CACHE,
    .fit = XB_FIT_L2,
    .needs = XB_NEED_BYTES | XB_SHOWS_LATENCY,
    .claims = claims,
    .n_claims = sizeof claims / sizeof *claims,
    .setup = setup,
    .begin = begin,
    .run = run,
    .verify = verify,
    .teardown = teardown,
};
