/* SPDX-License-Identifier: BSD-3-Clause
 * Messages between two workers through file descriptors: the including file defines open_pair() and
 * which operations move bytes. The kernel copies each message in and out again. */
#ifndef XB_KERNELS_PASS_STREAM_H
#define XB_KERNELS_PASS_STREAM_H

#include "pass.h"
#include "peer.h"

#include <unistd.h>

/* To worker i leads wire[i]. */
struct wire {
    int in, out; /* what goes in at the one comes out at the other */
};

struct wires {
    uint32_t n;
    struct wire wire[];
};

static const enum xb_io_kind send_kind, receive_kind;

/* Makes the wires to two workers, who may be one and the same. 0 or -errno, and then none. */
static int open_pair(struct wire *to_first, struct wire *to_second);

/* What surely fits into an empty pipe: pipe(7), PIPE_BUF. A socket takes more. */
static size_t alone_most(size_t message_bytes)
{
    (void)message_bytes;
    return 4096;
}

static int open_channels(const struct xb_params *params, struct xb_memory *memory, void **team)
{
    (void)memory;
    struct wires *wires = malloc(sizeof *wires + params->workers * sizeof wires->wire[0]);
    if (!wires)
        return -ENOMEM;
    *team = wires;
    for (wires->n = 0; wires->n < params->workers;) {
        uint32_t partner = partner_of(params, wires->n);
        int err = open_pair(&wires->wire[wires->n], &wires->wire[partner]);
        if (err)
            return xb_explain(params, err, "a channel between workers %u and %u: %s%s", wires->n,
                              partner, strerror(-err), xb_peer_remedy(-err));
        wires->n = partner + 1;
    }
    return 0;
}

static void connect_ends(void *team, struct passer *s)
{
    const struct wires *wires = team;
    s->to_fd = wires->wire[s->partner].in;
    s->from_fd = wires->wire[s->index].out;
    s->op.offset = XB_IO_STREAM;
}

static int send_part(struct xb_io *io, struct passer *s, size_t at, size_t bytes, unsigned marks)
{
    s->op.fd = s->to_fd;
    return xb_stream_move(io, &s->op, send_kind, (char *)s->out + at, bytes, marks);
}

static int receive_part(struct xb_io *io, struct passer *s, size_t at, size_t bytes, unsigned marks)
{
    s->op.fd = s->from_fd;
    return xb_stream_move(io, &s->op, receive_kind, (char *)s->in + at, bytes, marks);
}

#endif
