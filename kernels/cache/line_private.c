/* SPDX-License-Identifier: BSD-3-Clause
 * The control for line_share: the same counting, each counter in a cache line of its own. */
#include "../counter.h"

#include <math.h>

/* Two lines, because the L2 prefetcher of Intel cores completes aligned pairs of lines (Intel 64
 * and IA-32 Architectures Optimization Reference Manual, "Data Prefetching"); 128 bytes are also
 * one line of some aarch64 cores. */
enum { STRIDE = 128 };

static int team_setup(const struct xb_params *params, struct xb_memory *memory, void **team)
{
    return take_counters(params, memory, STRIDE, team);
}

static int setup(const struct xb_params *params, void *team, void **state)
{
    return open_counter(params, team, STRIDE, state);
}

/* A counter never leaves its L1 cache. No claim about IPC: Zen 4 renames memory and does an
 * increment per cycle; cores that do not wait 4 to 6 cycles for the store buffer each time. */
static const struct xb_claim claims[] = {
    { XB_RATIO_USER_SHARE, 0.7, INFINITY },
    { XB_RATIO_L1D_MPKI, -INFINITY, 0.5 },
};

const struct xb_kernel xb_kernel_cache_line_private = {
    .name = "cache/line_private",
    .summary = "control for line_share: each worker increments a counter in a line of its own",
    .source = "Torrellas, Lam, Hennessy, \"False sharing and spatial locality\", 1994",
    .item = "increment",
    .bound = XB_CLASS_CACHE,
    .fit = XB_FIT_OWN,
    .own_bytes = STRIDE,
    .claims = claims,
    .n_claims = sizeof claims / sizeof *claims,
    .team_setup = team_setup,
    .setup = setup,
    .begin = begin,
    .run = run,
    .verify = verify,
    .teardown = teardown,
};
