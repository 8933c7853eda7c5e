/* SPDX-License-Identifier: BSD-3-Clause
 * Carries out each operation by an ordinary blocking system call, one after the other. */
#include "engine.h"

#include "../base/call.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* The kernel may wake a sleeper late by the thread's timer slack, 50 us unless set otherwise
 * (prctl(2), PR_SET_TIMERSLACK), to spare wake-ups. That is left alone: it is what a deployed
 * program meets. It holds for the waits of epoll and uv too; uring's timeouts are timers of their own
 * and, going by the kernel's source, have no slack. On a busy guest, with a slack of 1 ns, a sleep
 * of 500 us was 76 us late instead of 130, here as in epoll_pwait2(2). */
static int64_t sleep_for(uint64_t ns)
{
    struct timespec left = { .tv_sec = (time_t)(ns / 1000000000u),
                             .tv_nsec = (long)(ns % 1000000000u) };
    while (clock_nanosleep(CLOCK_MONOTONIC, 0, &left, &left) == EINTR)
        continue;
    return 0;
}

static int64_t perform(const struct xb_io_op *op)
{
    switch (op->kind) {
    case XB_IO_READ:
        return xb_or_errno(op->offset == XB_IO_STREAM
                               ? read(op->fd, op->buf, op->len)
                               : pread(op->fd, op->buf, op->len, op->offset));
    case XB_IO_WRITE:
        return xb_or_errno(op->offset == XB_IO_STREAM
                               ? write(op->fd, op->buf, op->len)
                               : pwrite(op->fd, op->buf, op->len, op->offset));
    case XB_IO_FSYNC:
        return xb_or_errno(fsync(op->fd));
    case XB_IO_SLEEP:
        return sleep_for(op->sleep_ns);
    case XB_IO_YIELD:
        return xb_or_errno(sched_yield());
    case XB_IO_ACCEPT:
        return xb_or_errno(accept4(op->fd, NULL, NULL, SOCK_CLOEXEC));
    case XB_IO_CONNECT:
        return xb_or_errno(connect(op->fd, op->addr, op->addr_len));
    case XB_IO_SEND:
        return xb_or_errno(send(op->fd, op->buf, op->len, MSG_NOSIGNAL));
    case XB_IO_RECV:
        return xb_or_errno(recv(op->fd, op->buf, op->len, 0));
    case XB_IO_CLOSE:
        return xb_or_errno(close(op->fd));
    default:
        return -EINVAL;
    }
}

static __attribute__((noinline)) int await_each(struct xb_io_op *ops, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (ops[i].state != XB_IO_NEW)
            continue;
        do {
            ops[i].result = perform(&ops[i]);
        } while (ops[i].result == -EINTR && ops[i].kind != XB_IO_CLOSE);
        ops[i].state = XB_IO_DONE;
    }
    return 0;
}

/* A single transfer on a stream, the most frequent await, is made here in a few instructions. Not by
 * read(3) and write(3): they are points of cancellation, for which glibc 2.36 spends two locked
 * instructions on each call where there are several threads. A round trip of two threads on one CPU,
 * in a loop written by hand, took 7.22 us instead of 7.37 without those (medians of 60). */
static __attribute__((aligned(64))) int await(struct xb_io *io, struct xb_io_op *ops, size_t n,
                                              size_t at_least)
{
    (void)io;
    (void)at_least; /* nothing is ever in flight, so all are done on return */
    if (n != 1 || ops->offset != XB_IO_STREAM || ops->state != XB_IO_NEW ||
        (ops->kind != XB_IO_READ && ops->kind != XB_IO_WRITE))
        return await_each(ops, n);
    long number = ops->kind == XB_IO_READ ? SYS_read : SYS_write;
    int64_t moved = xb_call3(number, ops->fd, (long)ops->buf, (long)ops->len);
    if (moved == -EINTR)
        return await_each(ops, n);
    ops->result = moved;
    ops->state = XB_IO_DONE;
    return 0;
}

static int probe(struct xb_reason *why)
{
    (void)why;
    return 0;
}

static int open_calls(struct xb_parker *parker, uint32_t in_flight, struct xb_io **out,
                      struct xb_reason *why)
{
    (void)in_flight;
    if (parker)
        return xb_because(why, -ENOTSUP, "blocking cannot park a coroutine");
    *out = calloc(1, sizeof **out);
    if (!*out)
        return xb_because(why, -ENOMEM, "blocking: out of memory");
    (*out)->await = await;
    return 0;
}

static void close_calls(struct xb_io *io)
{
    free(io);
}

const struct xb_io_engine xb_engine_blocking = {
    .name = "blocking",
    .summary = "one ordinary system call per operation",
    .rank = 0,
    .files = true,
    .parks = false,
    .probe = probe,
    .open = open_calls,
    .close = close_calls,
};
