/* SPDX-License-Identifier: BSD-3-Clause
 * Messages between two workers through a pair of pipes; a kernel file says of what size. */
#ifndef XB_KERNELS_PASS_PIPE_H
#define XB_KERNELS_PASS_PIPE_H

#include "pass_stream.h"

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

/* It waits for what comes through a pipe, and works to move it: io, by harness/README.md. A loop polls it,
 * and of a polled pipe whose both ends its process holds only another loop of it can be the writer: sync. */
static enum xb_class bound_of(const struct xb_crowd *crowd)
{
    return crowd->coroutines && crowd->lanes > 1 ? XB_CLASS_SYNC : XB_CLASS_IO;
}

/* A copy is system time, as is a wake-up. */
static const struct xb_claim claims[] = {
    { .ratio = XB_RATIO_USER_SHARE, .at_least = 0, .at_most = 0.6 },
};

#endif
