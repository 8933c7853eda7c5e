/* SPDX-License-Identifier: BSD-3-Clause
 * Tries each operation without blocking and waits in epoll for descriptors that are not ready.
 *
 * A descriptor is registered once, edge-triggered and for both directions, when it first has to
 * be waited for: an epoll_ctl() per operation would double the system calls. Since an operation
 * is always tried before it waits, an edge that nobody waits for may be dropped. Registering sets
 * O_NONBLOCK, which sits on the open file description: whoever shares the pipe sees it too.
 * Sleeps are a heap of deadlines that bound the wait; epoll(7), epoll_pwait2(2). */
#include "engine.h"

#include "../base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { EVENTS_PER_WAIT = 256, FIRST_FDS = 64 };

enum direction { IN, OUT, DIRECTIONS };

/* What is known of one descriptor number. */
struct watched {
    bool registered;
    struct xb_io_op *op[DIRECTIONS]; /* waiting for it to become readable, writable */
};

/* The deadline stands here and not in the op, which lies on its worker's stack: among a million, a
 * comparison would miss every cache. */
struct sleeper {
    uint64_t deadline_ns; /* CLOCK_MONOTONIC */
    struct xb_io_op *op;
};

struct epoll {
    struct xb_io io; /* first: the kernel's view */
    struct xb_parker *parker;
    int fd;
    struct watched *watched; /* by descriptor */
    size_t n_watched;
    struct sleeper *sleeping; /* binary heap, earliest deadline first */
    size_t n_sleeping, room_sleeping;
    size_t n_blocked; /* ops waiting for a descriptor */
};

#define WAITING(op) ((op)->engine[0].pointer)
#define STARTED(op) ((op)->engine[1].number) /* connect() is under way */

static int64_t or_errno(int64_t result)
{
    return result < 0 ? -errno : result;
}

/* ---- deadlines ---- */

static void swap(struct epoll *epoll, size_t a, size_t b)
{
    struct sleeper sleeper = epoll->sleeping[a];
    epoll->sleeping[a] = epoll->sleeping[b];
    epoll->sleeping[b] = sleeper;
}

static int push_sleep(struct epoll *epoll, struct xb_io_op *op)
{
    if (epoll->n_sleeping == epoll->room_sleeping) {
        size_t room = epoll->room_sleeping ? 2 * epoll->room_sleeping : 64;
        struct sleeper *bigger = realloc(epoll->sleeping, room * sizeof *bigger);
        if (!bigger)
            return -ENOMEM;
        epoll->sleeping = bigger;
        epoll->room_sleeping = room;
    }
    struct sleeper *heap = epoll->sleeping;
    size_t at = epoll->n_sleeping++;
    heap[at] = (struct sleeper){ xb_now_ns() + op->sleep_ns, op };
    for (; at && heap[at].deadline_ns < heap[(at - 1) / 2].deadline_ns; at = (at - 1) / 2)
        swap(epoll, at, (at - 1) / 2);
    return 0;
}

static struct xb_io_op *pop_sleep(struct epoll *epoll)
{
    struct sleeper *heap = epoll->sleeping;
    struct xb_io_op *first = heap[0].op;
    heap[0] = heap[--epoll->n_sleeping];
    for (size_t at = 0;;) {
        size_t least = at;
        for (size_t child = 2 * at + 1; child <= 2 * at + 2; child++)
            if (child < epoll->n_sleeping && heap[child].deadline_ns < heap[least].deadline_ns)
                least = child;
        if (least == at)
            return first;
        swap(epoll, at, least);
        at = least;
    }
}

/* ---- operations ---- */

static enum direction direction_of(const struct xb_io_op *op)
{
    switch (op->kind) {
    case XB_IO_WRITE:
    case XB_IO_SEND:
    case XB_IO_CONNECT:
        return OUT;
    default:
        return IN;
    }
}

static int64_t try_connect(struct xb_io_op *op)
{
    if (!STARTED(op)) {
        STARTED(op) = 1;
        int64_t err = or_errno(connect(op->fd, op->addr, op->addr_len));
        return err == -EINPROGRESS ? -EAGAIN : err;
    }
    /* connect(2): after writability, SO_ERROR tells how it went. */
    int error = 0;
    socklen_t bytes = sizeof error;
    if (getsockopt(op->fd, SOL_SOCKET, SO_ERROR, &error, &bytes) != 0)
        return -errno;
    return -error;
}

static int64_t try_once(struct xb_io_op *op)
{
    switch (op->kind) {
    case XB_IO_READ:
        return op->offset == XB_IO_STREAM ? or_errno(read(op->fd, op->buf, op->len)) : -ESPIPE;
    case XB_IO_WRITE:
        return op->offset == XB_IO_STREAM ? or_errno(write(op->fd, op->buf, op->len)) : -ESPIPE;
    case XB_IO_ACCEPT:
        return or_errno(accept4(op->fd, NULL, NULL, SOCK_CLOEXEC));
    case XB_IO_CONNECT:
        return try_connect(op);
    case XB_IO_SEND:
        return or_errno(send(op->fd, op->buf, op->len, MSG_NOSIGNAL | MSG_DONTWAIT));
    case XB_IO_RECV:
        return or_errno(recv(op->fd, op->buf, op->len, MSG_DONTWAIT));
    case XB_IO_FSYNC: /* only files can be synced, and epoll_ctl(2) refuses files with EPERM */
        return -EPERM;
    default:
        return -EINVAL;
    }
}

/* Makes sure the descriptor is non-blocking and watched. */
static int watch(struct epoll *epoll, int fd)
{
    if (fd < 0)
        return -EBADF;
    if ((size_t)fd >= epoll->n_watched) {
        size_t n = epoll->n_watched;
        while ((size_t)fd >= n)
            n *= 2;
        struct watched *bigger = realloc(epoll->watched, n * sizeof *bigger);
        if (!bigger)
            return -ENOMEM;
        memset(bigger + epoll->n_watched, 0, (n - epoll->n_watched) * sizeof *bigger);
        epoll->watched = bigger;
        epoll->n_watched = n;
    }
    if (epoll->watched[fd].registered)
        return 0;
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0)
        return -errno;
    struct epoll_event event = { .events = EPOLLIN | EPOLLOUT | EPOLLET, .data.fd = fd };
    if (epoll_ctl(epoll->fd, EPOLL_CTL_ADD, fd, &event) != 0)
        return -errno;
    epoll->watched[fd].registered = true;
    return 0;
}

static void forget(struct epoll *epoll, int fd)
{
    if (fd >= 0 && (size_t)fd < epoll->n_watched)
        epoll->watched[fd] = (struct watched){ 0 };
}

/* Returns whether the await of this op is now satisfied. */
static bool complete(struct epoll *epoll, struct xb_io_op *op, int64_t result)
{
    op->result = result;
    op->state = XB_IO_DONE;
    return xb_waiting_complete(WAITING(op), epoll->parker);
}

/* Finishes the op at once where it can, or leaves it waiting. */
static void start(struct epoll *epoll, struct xb_io_op *op)
{
    WAITING(op) = NULL;
    STARTED(op) = 0;
    op->state = XB_IO_IN_FLIGHT;
    if (op->kind == XB_IO_YIELD) {
        xb_engine_yield(epoll->parker);
        complete(epoll, op, 0);
    } else if (op->kind == XB_IO_CLOSE) {
        forget(epoll, op->fd);
        complete(epoll, op, or_errno(close(op->fd)));
    } else if (op->kind == XB_IO_SLEEP) {
        int err = push_sleep(epoll, op);
        if (err)
            complete(epoll, op, err);
    } else {
        int64_t result = watch(epoll, op->fd);
        if (!result) {
            do {
                result = try_once(op);
            } while (result == -EINTR);
        }
        if (result != -EAGAIN) {
            complete(epoll, op, result);
            return;
        }
        struct xb_io_op **slot = &epoll->watched[op->fd].op[direction_of(op)];
        if (*slot) {
            /* Two readers of one pipe would each have to be woken; no kernel does that. */
            complete(epoll, op, -EBUSY);
        } else {
            *slot = op;
            epoll->n_blocked++;
        }
    }
}

static int on_event(struct epoll *epoll, const struct epoll_event *event)
{
    static const uint32_t wakes[DIRECTIONS] = { EPOLLIN | EPOLLRDHUP, EPOLLOUT };
    int satisfied = 0;
    for (int direction = 0; direction < DIRECTIONS; direction++) {
        struct xb_io_op **slot = &epoll->watched[event->data.fd].op[direction];
        if (!*slot || !(event->events & (wakes[direction] | EPOLLERR | EPOLLHUP)))
            continue;
        struct xb_io_op *op = *slot;
        int64_t result;
        do {
            result = try_once(op);
        } while (result == -EINTR);
        if (result == -EAGAIN)
            continue;
        *slot = NULL;
        epoll->n_blocked--;
        satisfied += complete(epoll, op, result);
    }
    return satisfied;
}

/* epoll_wait() has milliseconds only, too coarse for a sleep of 100 us; epoll_pwait2 came with
 * Linux 5.11. */
static int wait_events(int fd, struct epoll_event *events, int64_t timeout_ns)
{
    struct timespec timeout = { .tv_sec = (time_t)(timeout_ns / 1000000000),
                                .tv_nsec = (long)(timeout_ns % 1000000000) };
    if (timeout_ns > 0) {
        long n = syscall(SYS_epoll_pwait2, fd, events, EVENTS_PER_WAIT, &timeout, NULL, 0);
        if (n >= 0 || errno != ENOSYS)
            return n < 0 ? -errno : (int)n;
    }
    int ms = timeout_ns < 0 ? -1 : (int)((timeout_ns + 999999) / 1000000);
    int n = epoll_wait(fd, events, EVENTS_PER_WAIT, ms);
    return n < 0 ? -errno : n;
}

static int pump(struct xb_io *io, int64_t timeout_ns)
{
    struct epoll *epoll = (struct epoll *)io;
    if (!epoll->n_blocked && !epoll->n_sleeping)
        return timeout_ns < 0 ? -EDEADLK : 0;
    if (epoll->n_sleeping && timeout_ns != 0) {
        uint64_t now = xb_now_ns(), deadline = epoll->sleeping[0].deadline_ns;
        int64_t left = deadline > now ? (int64_t)(deadline - now) : 0;
        if (timeout_ns < 0 || left < timeout_ns)
            timeout_ns = left;
    }
    int satisfied = 0;
    struct epoll_event events[EVENTS_PER_WAIT];
    int n = wait_events(epoll->fd, events, timeout_ns);
    if (n < 0 && n != -EINTR)
        return n;
    for (int i = 0; i < n; i++)
        satisfied += on_event(epoll, &events[i]);
    if (epoll->n_sleeping) {
        uint64_t now = xb_now_ns();
        while (epoll->n_sleeping && epoll->sleeping[0].deadline_ns <= now)
            satisfied += complete(epoll, pop_sleep(epoll), 0);
    }
    return satisfied;
}

static int await(struct xb_io *io, struct xb_io_op *ops, size_t n, size_t at_least)
{
    struct epoll *epoll = (struct epoll *)io;
    size_t done = 0;
    for (size_t i = 0; i < n; i++)
        if (ops[i].state == XB_IO_NEW)
            start(epoll, &ops[i]);
    for (size_t i = 0; i < n; i++)
        done += ops[i].state == XB_IO_DONE;
    if (done >= at_least)
        return 0;
    struct xb_waiting waiting = { .needed = at_least - done };
    for (size_t i = 0; i < n; i++)
        if (ops[i].state == XB_IO_IN_FLIGHT)
            WAITING(&ops[i]) = &waiting;
    int err = 0;
    if (epoll->parker) {
        waiting.task = epoll->parker->current(epoll->parker);
        epoll->parker->park(epoll->parker);
    }
    while (waiting.needed && err >= 0)
        err = pump(io, -1);
    /* `waiting` is about to go: ops still in flight must not point to it. */
    for (size_t i = 0; i < n; i++)
        if (ops[i].state == XB_IO_IN_FLIGHT)
            WAITING(&ops[i]) = NULL;
    return err < 0 ? err : 0;
}

static int probe(struct xb_reason *why)
{
    int fd = epoll_create1(EPOLL_CLOEXEC);
    if (fd < 0)
        return xb_because(why, -errno, "epoll_create1: %s", strerror(errno));
    close(fd);
    return 0;
}

static void close_epoll(struct xb_io *io)
{
    if (!io)
        return;
    struct epoll *epoll = (struct epoll *)io;
    if (epoll->fd >= 0)
        close(epoll->fd);
    free(epoll->watched);
    free(epoll->sleeping);
    free(epoll);
}

static int open_epoll(struct xb_parker *parker, uint32_t in_flight, struct xb_io **out,
                      struct xb_reason *why)
{
    (void)in_flight;
    struct epoll *epoll = calloc(1, sizeof *epoll);
    if (!epoll)
        return xb_because(why, -ENOMEM, "epoll: out of memory");
    epoll->io.await = await;
    epoll->parker = parker;
    epoll->n_watched = FIRST_FDS;
    epoll->watched = calloc(FIRST_FDS, sizeof *epoll->watched);
    epoll->fd = epoll_create1(EPOLL_CLOEXEC);
    int err = epoll->fd < 0 ? -errno : 0;
    if (err || !epoll->watched) {
        close_epoll(&epoll->io);
        return err ? xb_because(why, err, "epoll_create1: %s%s", strerror(-err),
                                err == -EMFILE ? "; raise ulimit -n" : "")
                   : xb_because(why, -ENOMEM, "epoll: out of memory");
    }
    *out = &epoll->io;
    return 0;
}

const struct xb_io_engine xb_engine_epoll = {
    .name = "epoll",
    .summary = "non-blocking calls, and epoll for what is not ready (no regular files)",
    .rank = 1,
    .files = false,
    .parks = true,
    .probe = probe,
    .open = open_epoll,
    .pump = pump,
    .close = close_epoll,
};
