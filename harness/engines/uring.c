/* SPDX-License-Identifier: BSD-3-Clause
 * Carries operations out through an io_uring: queued by workers, submitted in one batch.
 *
 * With a parker a worker only queues and parks; pump() submits what all workers of the lane
 * queued in one system call. Without one the worker submits and waits by itself. */
/* xb-library: liburing>=2.3 (Debian: liburing-dev) */
#include "engine.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#ifdef XB_HAVE_LIBRARY

#    include "../base/clock.h"
#    include "../base/look.h"

#    include <liburing.h>

enum { ENTRIES_MIN = 8, ENTRIES_MAX = 4096 };

/* See reap(). */
enum { SHARES = 4 };

/* Kept buffers: one for each of the most workers that a loop is likely to have with I/O. */
enum { SLOTS = 1024 };

struct uring {
    struct xb_io io; /* first: the kernel's view */
    struct io_uring ring;
    struct xb_parker *parker;
    /* One for each entry of the submission queue: the kernel reads it when that is submitted. In the
     * op, on its worker's stack, the kernel had to go to another page for each sleep: with a million
     * sleepers in a PVM guest that took 8 us, of 14. */
    struct __kernel_timespec *timeouts;
    size_t in_flight;
    size_t n_streams; /* of these: on sockets and pipes */
    struct xb_look look;
    bool has_slots;   /* the ring was asked for a table of buffers */
    uint32_t n_slots; /* of it that are in use */
    int broken;       /* -errno after which no await can succeed */
};

/* What an op's scratch word holds: who waits. */
#    define WAITING(op) ((op)->engine[0].pointer)

static void prepare(struct uring *uring, struct io_uring_sqe *sqe, struct xb_io_op *op)
{
    struct __kernel_timespec *timeout = &uring->timeouts[sqe - uring->ring.sq.sqes];
    unsigned len = (unsigned)op->len;
    int slot = (int)op->kept - 1; /* see keep() */
    uint64_t offset = (uint64_t)op->offset;
    switch (op->kind) {
    case XB_IO_READ:
        if (op->kept)
            io_uring_prep_read_fixed(sqe, op->fd, op->buf, len, offset, slot);
        else
            io_uring_prep_read(sqe, op->fd, op->buf, len, offset);
        break;
    case XB_IO_WRITE:
        if (op->kept)
            io_uring_prep_write_fixed(sqe, op->fd, op->buf, len, offset, slot);
        else
            io_uring_prep_write(sqe, op->fd, op->buf, len, offset);
        break;
    case XB_IO_FSYNC:
        io_uring_prep_fsync(sqe, op->fd, 0);
        break;
    case XB_IO_SLEEP:
        *timeout = (struct __kernel_timespec){ .tv_sec = (int64_t)(op->sleep_ns / 1000000000u),
                                               .tv_nsec = (int64_t)(op->sleep_ns % 1000000000u) };
        io_uring_prep_timeout(sqe, timeout, 0, 0);
        break;
    case XB_IO_ACCEPT:
        io_uring_prep_accept(sqe, op->fd, NULL, NULL, SOCK_CLOEXEC);
        break;
    case XB_IO_CONNECT:
        io_uring_prep_connect(sqe, op->fd, op->addr, op->addr_len);
        break;
    case XB_IO_SEND:
        io_uring_prep_send(sqe, op->fd, op->buf, op->len, MSG_NOSIGNAL);
        break;
    case XB_IO_RECV:
        io_uring_prep_recv(sqe, op->fd, op->buf, op->len, 0);
        break;
    case XB_IO_CLOSE:
        io_uring_prep_close(sqe, op->fd);
        break;
    default: /* never reaches the ring */
        io_uring_prep_nop(sqe);
        break;
    }
    io_uring_sqe_set_data(sqe, op);
}

static bool on_file(const struct xb_io_op *op)
{
    return (op->kind == XB_IO_READ || op->kind == XB_IO_WRITE) && op->offset != XB_IO_STREAM;
}

static bool on_stream(const struct xb_io_op *op)
{
    return op->kind == XB_IO_SEND || op->kind == XB_IO_RECV || op->kind == XB_IO_ACCEPT ||
           ((op->kind == XB_IO_READ || op->kind == XB_IO_WRITE) && op->offset == XB_IO_STREAM);
}

/* Takes the completions that are there, but of those of files at most a quarter of what is in
 * flight, or `needed` if that is more. Returns how many awaits they satisfied.
 *
 * Taken all at once, they would all be answered with new operations at once. A device that reports a
 * batch by one interrupt then stands still while we look at the batch, and we while it works, and
 * batches stay together for ever: of 32 random reads in flight on a virtio disk 31 or 32 came at a
 * time. In quarters it did more in most of some ten noisy rounds. Sockets gain nothing by it. */
static int reap(struct uring *uring, size_t needed)
{
    struct io_uring_cqe *cqe;
    size_t share = (uring->in_flight + SHARES - 1) / SHARES, of_files = 0;
    share = share < needed ? needed : share;
    unsigned head, seen = 0;
    int satisfied = 0;
    io_uring_for_each_cqe(&uring->ring, head, cqe)
    {
        if (of_files == share)
            break;
        struct xb_io_op *op = io_uring_cqe_get_data(cqe);
        seen++;
        if (!op) /* a cancellation ahead of a close */
            continue;
        uring->in_flight--;
        uring->n_streams -= on_stream(op);
        op->result = op->kind == XB_IO_SLEEP && cqe->res == -ETIME ? 0 : cqe->res;
        op->state = XB_IO_DONE;
        of_files += on_file(op);
        satisfied += xb_waiting_complete(WAITING(op), uring->parker);
    }
    io_uring_cq_advance(&uring->ring, seen);
    return satisfied;
}

static int take_entry(struct uring *uring, struct io_uring_sqe **sqe)
{
    *sqe = io_uring_get_sqe(&uring->ring);
    if (*sqe)
        return 0;
    int err = io_uring_submit(&uring->ring);
    if (err < 0)
        return err;
    *sqe = io_uring_get_sqe(&uring->ring);
    return *sqe ? 0 : -EBUSY;
}

static int queue(struct uring *uring, struct xb_io_op *op)
{
    struct io_uring_sqe *sqe;
    int err;
    if (op->kind == XB_IO_CLOSE) {
        /* What is in flight holds the file open and would wait on. Linux 5.19; before that the
         * ring refuses it and the close goes on. */
        err = take_entry(uring, &sqe);
        if (err)
            return err;
        io_uring_prep_cancel_fd(sqe, op->fd, IORING_ASYNC_CANCEL_ALL);
        io_uring_sqe_set_data(sqe, NULL);
    }
    err = take_entry(uring, &sqe);
    if (err)
        return err;
    prepare(uring, sqe, op);
    op->state = XB_IO_IN_FLIGHT;
    uring->in_flight++;
    uring->n_streams += on_stream(op);
    return 0;
}

static int await(struct xb_io *io, struct xb_io_op *ops, size_t n, size_t at_least)
{
    struct uring *uring = (struct uring *)io;
    size_t done = 0;
    if (uring->broken)
        return uring->broken;
    if (xb_engine_yields(uring->parker, ops, n))
        return uring->broken;
    for (size_t i = 0; i < n; i++) {
        if (ops[i].state == XB_IO_NEW && ops[i].kind == XB_IO_YIELD) {
            xb_engine_yield(uring->parker);
            ops[i].result = 0;
            ops[i].state = XB_IO_DONE;
        } else if (ops[i].state == XB_IO_NEW && ops[i].kind > XB_IO_CLOSE) {
            ops[i].result = -EINVAL; /* the team's, not an engine's */
            ops[i].state = XB_IO_DONE;
        } else if (ops[i].state == XB_IO_NEW) {
            WAITING(&ops[i]) = NULL; /* set below, should this call have to wait */
            int err = queue(uring, &ops[i]);
            if (err)
                return err;
        }
    }
    /* Only now: while one of them yielded, others may have come to their end. */
    for (size_t i = 0; i < n; i++)
        done += ops[i].state == XB_IO_DONE;
    struct xb_waiting waiting = { 0 };
    if (done < at_least) {
        waiting.needed = at_least - done;
        for (size_t i = 0; i < n; i++)
            if (ops[i].state == XB_IO_IN_FLIGHT)
                WAITING(&ops[i]) = &waiting;
        if (uring->parker) {
            waiting.task = uring->parker->current(uring->parker);
            uring->parker->park(uring->parker);
        }
        while (waiting.needed && !uring->broken) {
            int err = io_uring_submit_and_wait(&uring->ring, (unsigned)waiting.needed);
            if (err < 0 && err != -EINTR)
                return err;
            reap(uring, waiting.needed);
        }
        /* `waiting` is about to go: ops still in flight must not point to it. */
        for (size_t i = 0; i < n; i++)
            if (ops[i].state == XB_IO_IN_FLIGHT)
                WAITING(&ops[i]) = NULL;
    } else if (!uring->parker && io_uring_sq_ready(&uring->ring)) {
        /* Started as promised; with a parker pump() does it, for all workers together. */
        int err = io_uring_submit(&uring->ring);
        if (err < 0 && err != -EINTR && err != -EAGAIN && err != -EBUSY)
            return err;
    }
    return uring->broken;
}

/* Registers a buffer: its pages are looked up and pinned once instead of for each operation, which is
 * a tenth of the CPU time of a read of 4 KiB past the page cache (0.4 of 3.8 us). Registered files
 * and a registered ring (io_uring_register(2)) were tried as well and gained nothing that could be
 * seen. */
static uint32_t keep(struct xb_io *io, void *buf, size_t len)
{
    struct uring *uring = (struct uring *)io;
    struct iovec bytes = { .iov_base = buf, .iov_len = len };
    /* An empty table, to be filled as workers come: Linux 5.19. Without one the update fails. */
    if (!uring->has_slots)
        io_uring_register_buffers_sparse(&uring->ring, SLOTS);
    uring->has_slots = true;
    /* Fails too where ulimit -l is too low for pinned pages. */
    if (uring->n_slots == SLOTS ||
        io_uring_register_buffers_update_tag(&uring->ring, uring->n_slots, &bytes, NULL, 1) != 1)
        return 0;
    return ++uring->n_slots;
}

/* Submits, and waits for completions for less than it would be worth to sleep: base/look.h. 0 or -errno. */
static int look(struct uring *uring)
{
    if (!xb_look_is_due(&uring->look, uring->n_streams))
        return 0;
    int err = io_uring_submit_and_get_events(&uring->ring);
    if (err < 0 || io_uring_cq_ready(&uring->ring)) /* at once: that says nothing of looking */
        return err < 0 ? err : 0;
    uint64_t until_ns = xb_now_ns() + XB_LOOK_NS;
    while (err >= 0 && !io_uring_cq_ready(&uring->ring) && xb_now_ns() < until_ns)
        err = io_uring_get_events(&uring->ring);
    xb_look_ended(&uring->look, io_uring_cq_ready(&uring->ring) > 0);
    return err < 0 ? err : 0;
}

static int pump(struct xb_io *io, int64_t timeout_ns)
{
    struct uring *uring = (struct uring *)io;
    if (!uring->in_flight)
        return timeout_ns < 0 ? -EDEADLK : 0;
    if (!io_uring_sq_ready(&uring->ring) && io_uring_cq_ready(&uring->ring))
        return reap(uring, 1); /* what was left of the last time */
    struct io_uring_cqe *cqe;
    int err = timeout_ns < 0 || timeout_ns >= XB_LOOK_NS ? look(uring) : 0;
    if (err || io_uring_cq_ready(&uring->ring)) {
        ; /* what was found by looking */
    } else if (timeout_ns < 0) {
        err = io_uring_submit_and_wait(&uring->ring, 1);
    } else if (timeout_ns == 0) {
        err = io_uring_submit_and_get_events(&uring->ring);
    } else {
        struct __kernel_timespec timeout = { .tv_sec = timeout_ns / 1000000000,
                                             .tv_nsec = timeout_ns % 1000000000 };
        err = io_uring_submit_and_wait_timeout(&uring->ring, &cqe, 1, &timeout, NULL);
    }
    if (err < 0 && err != -EINTR && err != -ETIME && err != -EAGAIN && err != -EBUSY)
        return uring->broken = err;
    return reap(uring, 1);
}

static int init(struct io_uring *ring, unsigned entries)
{
    /* One submitter, and completions when it asks for them (DEFER_TASKRUN, Linux 6.1) or at least
     * without interrupts of running code (COOP_TASKRUN, 5.19); io_uring_setup(2). The first kind
     * arrives by io_uring_enter(2) with IORING_ENTER_GETEVENTS only, which every wait and every
     * pump() here is. A thread that awaits 32 reads gained by it in a few noisy rounds. */
    static const unsigned flags[] = {
        IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN,
        IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_COOP_TASKRUN,
        IORING_SETUP_COOP_TASKRUN,
        0,
    };
    int err = -EINVAL;
    for (size_t i = 0; i < sizeof flags / sizeof flags[0] && err == -EINVAL; i++)
        err = io_uring_queue_init(entries, ring, flags[i]);
    return err;
}

static int probe(struct xb_reason *why)
{
    struct io_uring ring;
    int err = init(&ring, ENTRIES_MIN);
    if (err == -ENOSYS)
        return xb_because(why, err, "this kernel has no io_uring, or a seccomp filter hides it");
    if (err == -EPERM)
        return xb_because(why, err,
                          "io_uring is switched off here: sysctl kernel.io_uring_disabled");
    if (err)
        return xb_because(why, err, "io_uring_setup: %s", strerror(-err));
    io_uring_queue_exit(&ring);
    return 0;
}

static void close_ring(struct xb_io *io)
{
    if (!io)
        return;
    struct uring *uring = (struct uring *)io;
    io_uring_queue_exit(&uring->ring);
    free(uring->timeouts);
    free(uring);
}

static int open_ring(struct xb_parker *parker, uint32_t in_flight, struct xb_io **out,
                     struct xb_reason *why)
{
    struct uring *uring = calloc(1, sizeof *uring);
    if (!uring)
        return xb_because(why, -ENOMEM, "uring: out of memory");
    unsigned entries = ENTRIES_MIN;
    while (entries < in_flight && entries < ENTRIES_MAX)
        entries *= 2;
    int err = init(&uring->ring, entries);
    if (err) {
        free(uring);
        return xb_because(why, err, "io_uring_setup: %s%s", strerror(-err),
                          err == -ENOMEM   ? "; raise ulimit -l"
                          : err == -EMFILE ? "; raise ulimit -n"
                                           : "");
    }
    uring->timeouts = calloc(uring->ring.sq.ring_entries, sizeof *uring->timeouts);
    if (!uring->timeouts) {
        close_ring(&uring->io);
        return xb_because(why, -ENOMEM, "uring: out of memory");
    }
    uring->parker = parker;
    uring->io.await = await;
    uring->io.keep = keep;
    *out = &uring->io;
    return 0;
}

#else

static int probe(struct xb_reason *why)
{
    return xb_because(why, -ENOTSUP, "built without liburing");
}

static int open_ring(struct xb_parker *parker, uint32_t in_flight, struct xb_io **out,
                     struct xb_reason *why)
{
    (void)parker;
    (void)in_flight;
    (void)out;
    return probe(why);
}

static int pump(struct xb_io *io, int64_t timeout_ns)
{
    (void)io;
    (void)timeout_ns;
    return -ENOTSUP;
}

static void close_ring(struct xb_io *io)
{
    (void)io;
}

#endif

const struct xb_io_engine xb_engine_uring = {
    .name = "uring",
    .summary = "operations queued in an io_uring and submitted in batches",
    .rank = 2,
    .files = true,
    .parks = true,
    .probe = probe,
    .open = open_ring,
    .pump = pump,
    .close = close_ring,
};
