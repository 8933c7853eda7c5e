/* SPDX-License-Identifier: BSD-3-Clause
 * False sharing: every worker counts for itself, but eight counters lie in one cache line. */
#include "../counter.h"

#include <math.h>

/* As an array of plain counters has it: eight to a 64-byte line. */
enum { STRIDE = 8 };

static int team_setup(const struct xb_params *params, struct xb_memory *memory, void **team)
{
    return take_counters(params, memory, STRIDE, team);
}

static int setup(const struct xb_params *params, void *team, void **state)
{
    return open_counter(params, team, STRIDE, state);
}

/* Loads and stores wait while another worker holds the line, and no instruction is added. With one
 * worker nothing is shared, and the claim about misses has to fail. Between two cores of a Zen 4
 * CCX an increment took 1.2 ns, and 0.3 ns in line_private: a core gets a batch of increments into
 * its store buffer each time it holds the line, so not every one of them is a miss. */
static const struct xb_claim claims[] = {
    { XB_RATIO_USER_SHARE, 0.7, INFINITY },
    { XB_RATIO_IPC, -INFINITY, 1 },
    { XB_RATIO_L1D_MPKI, 1, INFINITY },
};

/* The line is another worker's, in whose cache it is: to have a larger or faster cache would not help,
 * nor to have it in shared memory; to wait for nobody would. Alone, or in turns on one CPU, each increment
 * waits for the one before, in the core's store buffer. It stands in this folder beside line_private and
 * because caches are why. */
static enum xb_class bound_of(const struct xb_crowd *crowd)
{
    return crowd->cpus > 1 ? XB_CLASS_SYNC : XB_CLASS_CPU;
}

const struct xb_kernel xb_kernel_cache_line_share = {
    .name = "cache/line_share",
    .summary = "each worker increments its own counter, and the counters share a cache line",
    .source = "Torrellas, Lam, Hennessy, \"False sharing and spatial locality\", 1994",
    .item = "increment",
    .bound = XB_CLASS_CACHE,
    .bound_of = bound_of,
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
