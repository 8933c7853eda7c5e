/* SPDX-License-Identifier: BSD-3-Clause
 * A megabyte to and fro through a pair of pipes: filled, copied in and out by the kernel, and summed.
 *
 * It is sync/pass_pipe --bytes 1M, in every run so that it stands beside sync/share_megabyte, where
 * the same is filled and summed and nothing is copied. */
#include "../pass_pipe.h"

const struct xb_kernel xb_kernel_sync_copy_megabyte = {
    .name = "sync/copy_megabyte",
    .summary = "pairs of workers have a megabyte copied to and fro by pipes",
    .source = "lmbench bw_pipe (McVoy, Staelin, USENIX 1996)",
    .item = "message",
    .latency_of = "round trip",
    .bound = XB_CLASS_SYNC,
    .bound_of = bound_of,
    .fit = XB_FIT_OWN,
    .own_bytes = 1 << 20,
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
