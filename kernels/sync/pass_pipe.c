/* SPDX-License-Identifier: BSD-3-Clause
 * A message to and fro through a pair of pipes: two copies by the kernel and a wake-up each way.
 *
 * With --bytes 1M it does what sync/share_megabyte does, but has the megabyte copied. */
#include "../pass_stream.h"

#include <fcntl.h>

static const enum xb_io_kind send_kind = XB_IO_WRITE, receive_kind = XB_IO_READ;

static int open_pipe(struct wire *wire)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0)
        return -errno;
    *wire = (struct wire){ .in = ends[1], .out = ends[0] };
    return 0;
}

static void close_pipe(const struct wire *wire)
{
    close(wire->in);
    close(wire->out);
}

static int open_pair(struct wire *to_first, struct wire *to_second)
{
    int err = open_pipe(to_first);
    if (err || to_first == to_second)
        return err;
    err = open_pipe(to_second);
    if (err)
        close_pipe(to_first);
    return err;
}

static void close_channels(void *team)
{
    struct wires *wires = team;
    for (uint32_t i = 0; wires && i < wires->n; i++)
        close_pipe(&wires->wire[i]);
    free(wires);
}

/* A copy is system time, as is a wake-up. */
static const struct xb_claim claims[] = {
    { .ratio = XB_RATIO_USER_SHARE, .at_least = 0, .at_most = 0.6 },
};

const struct xb_kernel xb_kernel_sync_pass_pipe = {
    .name = "sync/pass_pipe",
    .summary = "pairs of workers pass a message to and fro through pipes",
    .source = "perf bench sched pipe; lmbench lat_pipe (McVoy, Staelin, USENIX 1996)",
    .item = "message",
    .latency_of = "round trip",
    .bound = XB_CLASS_SYNC,
    .fit = XB_FIT_OWN,
    .own_bytes = 64,
    .needs = XB_NEED_BYTES,
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
