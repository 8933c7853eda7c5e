/* SPDX-License-Identifier: BSD-3-Clause
 * A message to and fro through a pair of Unix sockets: what a pipe does, by way of socket buffers. */
#include "../pass_stream.h"

#include <sys/socket.h>

static const enum xb_io_kind send_kind = XB_IO_SEND, receive_kind = XB_IO_RECV;

/* One pair serves both directions. */
static int open_pair(struct wire *to_first, struct wire *to_second)
{
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
        return -errno;
    *to_second = (struct wire){ .in = ends[0], .out = ends[1] };
    if (to_first != to_second)
        *to_first = (struct wire){ .in = ends[1], .out = ends[0] };
    return 0;
}

static void close_channels(void *team)
{
    struct wires *wires = team;
    for (uint32_t i = 0; wires && i < wires->n; i += 2) {
        close(wires->wire[i].in);
        close(wires->wire[i].out);
    }
    free(wires);
}

/* What comes through a socket is io, whoever sends it: see kernels/pass_pipe.h. */
static enum xb_class bound_of(const struct xb_crowd *crowd)
{
    (void)crowd;
    return XB_CLASS_IO;
}

static const struct xb_claim claims[] = {
    { .ratio = XB_RATIO_USER_SHARE, .at_least = 0, .at_most = 0.6 },
};

const struct xb_kernel xb_kernel_sync_pass_socketpair = {
    .name = "sync/pass_socketpair",
    .summary = "pairs of workers pass a message to and fro through Unix sockets",
    .source = "perf bench sched messaging; lmbench lat_unix (McVoy, Staelin, USENIX 1996)",
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
