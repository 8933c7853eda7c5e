/* SPDX-License-Identifier: BSD-3-Clause
 * Load-to-use latency of the L1 data cache: a random pointer chase over half of it. */
#include "../chase.h"

#include <math.h>

/* 16 loads come with 8 other instructions, and each load waits for the one before: 4 cycles at the
 * least on any core so far, so that 24 instructions take 64 cycles or more. */
static const struct xb_claim claims[] = {
    { XB_RATIO_USER_SHARE, 0.7, INFINITY },
    { XB_RATIO_IPC, -INFINITY, 0.5 },
    { XB_RATIO_L1D_MPKI, -INFINITY, 5 },
};

const struct xb_kernel xb_kernel_cache_chase_l1 = {
    .name = "cache/chase_l1",
    .summary = "random pointer chase, one node per cache line, half of the L1 data cache",
    .source = "lmbench lat_mem_rd (McVoy, Staelin 1996); Sattolo 1986; multichase",
    .item = "load",
    .bound = XB_CLASS_CACHE,
    .fit = XB_FIT_L1,
    .needs = XB_NEED_BYTES | XB_SHOWS_LATENCY,
    .claims = claims,
    .n_claims = sizeof claims / sizeof *claims,
    .setup = setup,
    .begin = begin,
    .run = run,
    .verify = verify,
    .teardown = teardown,
};
