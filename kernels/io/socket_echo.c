/* SPDX-License-Identifier: BSD-3-Clause
 * Sends a message to an echo server over loopback TCP and receives it back. */
#include "../echo.h"

static int team_setup(const struct xb_params *params, struct xb_memory *memory, void **team)
{
    (void)memory;
    return xb_echo_open(params, AF_INET, team);
}

static const struct xb_claim claims[] = {
    { .ratio = XB_RATIO_USER_SHARE, .at_least = 0, .at_most = 0.6 },
};

const struct xb_kernel xb_kernel_io_socket_echo = {
    .name = "io/socket_echo",
    .summary = "round trips of a message to an echo server process over loopback TCP",
    .source = "netperf TCP_RR",
    .item = "round trip",
    .bound = XB_CLASS_IO,
    .fit = XB_FIT_OWN,
    .own_bytes = 64,
    .needs = XB_NEED_BYTES,
    .claims = claims,
    .n_claims = sizeof claims / sizeof claims[0],
    .team_setup = team_setup,
    .setup = xb_echo_setup,
    .begin = xb_echo_begin,
    .run = xb_echo_run,
    .verify = xb_echo_verify,
    .teardown = xb_echo_teardown,
    .team_teardown = xb_echo_team_teardown,
};
