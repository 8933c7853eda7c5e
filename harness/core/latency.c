/* SPDX-License-Identifier: BSD-3-Clause
 * Stamps operations on their way through an engine. */
#include "latency.h"

#include "../base/clock.h"

void xb_latency_finish(struct xb_latency *latency)
{
    if (latency->begin_ns && latency->end_ns)
        xb_histogram_add(latency->histogram, latency->end_ns - latency->begin_ns);
    latency->begin_ns = latency->end_ns = 0;
}

/* An item that a tick begins was due when the tick was, however late the worker came to it. To count
 * from then is what wrk2 and HdrHistogram call correcting for coordinated omission. */
static void begin_with_tick(struct xb_latency *latency, const struct xb_io_op *op, uint64_t now)
{
    uint64_t due_ns = op->result > 0 ? now - (uint64_t)op->result : now;
    xb_latency_finish(latency);
    if (op->marks & XB_IO_ENDS)
        xb_histogram_add(latency->histogram, now - due_ns);
    else
        latency->begin_ns = due_ns;
}

static int await(struct xb_io *io, struct xb_io_op *ops, size_t n, size_t at_least)
{
    struct xb_latency *latency = (struct xb_latency *)io;
    uint64_t now = xb_now_ns();
    for (size_t i = 0; i < n; i++) {
        if (ops[i].state == XB_IO_DONE)
            ops[i].begin_ns = 0; /* done before: not to be counted again below */
        if (ops[i].state != XB_IO_NEW || !(ops[i].marks & XB_IO_BEGINS) ||
            ops[i].kind == XB_IO_TICK)
            continue;
        ops[i].begin_ns = now;
        if (!(ops[i].marks & XB_IO_ENDS)) {
            xb_latency_finish(latency);
            latency->begin_ns = now;
        }
    }
    int err = latency->inner->await(latency->inner, ops, n, at_least);
    if (err)
        return err;
    now = xb_now_ns();
    if (n == 1 && ops->kind == XB_IO_TICK && ops->marks & XB_IO_BEGINS) {
        begin_with_tick(latency, ops, now);
        return 0;
    }
    for (size_t i = 0; i < n; i++) {
        if (ops[i].state != XB_IO_DONE || !(ops[i].marks & XB_IO_ENDS))
            continue;
        if (!(ops[i].marks & XB_IO_BEGINS))
            latency->end_ns = now;
        else if (ops[i].begin_ns)
            xb_histogram_add(latency->histogram, now - ops[i].begin_ns);
    }
    return 0;
}

/* Not counted: it is no operation. */
static uint32_t keep(struct xb_io *io, void *buf, size_t len)
{
    return xb_io_keep(((struct xb_latency *)io)->inner, buf, len);
}

void xb_latency_wrap(struct xb_latency *latency, struct xb_io *inner,
                     struct xb_histogram *histogram)
{
    *latency = (struct xb_latency){ .inner = inner, .histogram = histogram };
    latency->io.await = await;
    latency->io.keep = keep;
}
