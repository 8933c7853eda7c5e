/* SPDX-License-Identifier: BSD-3-Clause
 * Load-to-use latency of DRAM on 4 KiB pages: chase_dram without huge pages.
 *
 * Nearly every load then also misses the second-level TLB, and in a guest each level of the page
 * walk is itself translated. In a guest on Zen 5, 256 MiB took 161 to 165 ns here (four runs that
 * were not suspect) and 151 to 153 ns in chase_dram (two). */
#include "../chase.h"

#include <math.h>

static int setup_small(const struct xb_params *params, void *team, void **state)
{
    (void)team;
    return setup_on(params, xb_buffer_take_small, state);
}

/* As in chase_dram; the page walks come on top. */
static const struct xb_claim claims[] = {
    { XB_RATIO_USER_SHARE, 0.7, INFINITY },
    { XB_RATIO_IPC, -INFINITY, 0.1 },
    { XB_RATIO_LLC_MPKI, 300, INFINITY },
};

const struct xb_kernel xb_kernel_memory_chase_dram_4k = {
    .name = "memory/chase_dram_4k",
    .summary = "random pointer chase as chase_dram, on base pages instead of huge ones",
    .source = "lmbench lat_mem_rd (McVoy, Staelin 1996); Sattolo 1986; multichase",
    .item = "load",
    .bound = XB_CLASS_MEMORY,
    .fit = XB_FIT_DRAM,
    .needs = XB_NEED_BYTES | XB_SHOWS_LATENCY,
    .claims = claims,
    .n_claims = sizeof claims / sizeof *claims,
    .setup = setup_small,
    .begin = begin,
    .run = run,
    .verify = verify,
    .teardown = teardown,
};
