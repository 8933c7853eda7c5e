/* SPDX-License-Identifier: BSD-3-Clause
 * A small message to and fro through a pair of pipes: two copies by the kernel and a wake-up each
 * way, of which the wake-up is nearly all. */
#include "../pass_pipe.h"

const struct xb_kernel xb_kernel_sync_pass_pipe = {
    .name = "sync/pass_pipe",
    .summary = "pairs of workers pass a message to and fro through pipes",
    .source = "perf bench sched pipe; lmbench lat_pipe (McVoy, Staelin, USENIX 1996)",
    .item = "message",
    .latency_of = "round trip",
    .bound = XB_CLASS_SYNC,
    .bound_of = bound_of,
    .fit = XB_FIT_OWN,
    .own_bytes = 64,
    .needs = XB_NEED_BYTES | XB_AWAITS_OTHERS,
    .claims = claims,
    .n_claims = sizeof claims / sizeof claims[0],
    .team_setup = open_channels,
    .setup = setup,
    .begin = begin,
    .run = run,
    .verify = verify,
    .teardown = teardown,
    .team_teardown = close_channels,
};
