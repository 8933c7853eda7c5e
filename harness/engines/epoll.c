/* SPDX-License-Identifier: BSD-3-Clause
 * Tries each operation without blocking and waits in epoll for descriptors that are not ready.
 *
 * A descriptor is registered once, edge-triggered and for both directions, when it is first used:
 * an epoll_ctl() per operation would double the system calls. What its edges tell is remembered
 * for each direction until a call finds otherwise, as Go's netpoller and tokio do: a recv() that
 * would only say EAGAIN is never made. So a request and its reply cost a send(), a recv() and a
 * share of one epoll_wait(). Registering sets O_NONBLOCK, which sits on the open file description:
 * whoever shares the pipe sees it too.
 * Before a wait that may last it looks again: base/look.h.
 * Sleeps are a heap of deadlines that bound the wait; epoll(7), epoll_pwait2(2). */
#include "engine.h"

#include "../base/clock.h"
#include "../base/look.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { EVENTS_PER_WAIT = 256, FIRST_FDS = 64 };

enum direction { IN, OUT, DIRECTIONS };

/* Operations that wait, in the order in which they came. */
struct queue {
    struct xb_io_op *first, *last;
};

/* What is known of one descriptor number. Nobody waits in a direction that is ready. */
struct watched {
    bool registered;
    bool streams; /* a transfer that was short found nothing more to read, or no more room */
    bool ended;   /* hung up: there is an end to read behind the last byte, and no edge for it */
    bool ready[DIRECTIONS]; /* readable, writable, as far as is known: worth a try */
    struct queue waiting[DIRECTIONS];
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
    struct xb_look look;
    struct epoll_event events[EVENTS_PER_WAIT]; /* not on the stack, which may be a coroutine's */
};

#define WAITING(op) ((op)->engine[0].pointer)
#define NEXT(op)    ((op)->engine[1].pointer) /* behind it in a queue */
#define STARTED(op) ((op)->engine[2].number)  /* connect() is under way */

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
        int64_t err = xb_or_errno(connect(op->fd, op->addr, op->addr_len));
        /* unix(7): EAGAIN says that the listener's backlog is full. No event tells when it has
         * room again, so that is no reason to wait. */
        return err == -EINPROGRESS ? -EAGAIN : err == -EAGAIN ? -EBUSY : err;
    }
    /* connect(2): after writability, SO_ERROR tells how it went. */
    int error = 0;
    socklen_t bytes = sizeof error;
    if (getsockopt(op->fd, SOL_SOCKET, SO_ERROR, &error, &bytes) != 0)
        return -errno;
    return -error;
}

static int64_t call(struct xb_io_op *op)
{
    switch (op->kind) {
    case XB_IO_READ:
        return op->offset == XB_IO_STREAM ? xb_or_errno(read(op->fd, op->buf, op->len)) : -ESPIPE;
    case XB_IO_WRITE:
        return op->offset == XB_IO_STREAM ? xb_or_errno(write(op->fd, op->buf, op->len)) : -ESPIPE;
    case XB_IO_ACCEPT:
        return xb_or_errno(accept4(op->fd, NULL, NULL, SOCK_CLOEXEC));
    case XB_IO_CONNECT:
        return try_connect(op);
    case XB_IO_SEND:
        return xb_or_errno(send(op->fd, op->buf, op->len, MSG_NOSIGNAL | MSG_DONTWAIT));
    case XB_IO_RECV:
        return xb_or_errno(recv(op->fd, op->buf, op->len, MSG_DONTWAIT));
    case XB_IO_FSYNC: /* only files can be synced, and epoll_ctl(2) refuses files with EPERM */
        return -EPERM;
    default:
        return -EINVAL;
    }
}

static bool moves_bytes(const struct xb_io_op *op)
{
    return op->kind == XB_IO_READ || op->kind == XB_IO_WRITE || op->kind == XB_IO_SEND ||
           op->kind == XB_IO_RECV;
}

/* One attempt, and what it tells of the direction. */
static int64_t try_once(struct watched *watched, struct xb_io_op *op)
{
    enum direction direction = direction_of(op);
    int64_t result;
    do {
        result = call(op);
    } while (result == -EINTR);
    /* epoll(7), questions and answers: with a stream a short transfer tells as much as EAGAIN
     * would, and the next edge is sure to come. */
    bool is_short = watched->streams && moves_bytes(op) && result > 0 && (size_t)result < op->len;
    if (result == -EAGAIN || (is_short && !watched->ended))
        watched->ready[direction] = false;
    return result;
}

/* Neither datagrams nor packets are streams: what follows a short one is the next one. Nor is
 * whatever else can be polled, as inotify(7), of which nothing is known. */
static bool is_stream(int fd, int flags)
{
    int type;
    socklen_t bytes = sizeof type;
    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &bytes) == 0)
        return type == SOCK_STREAM;
    struct stat status;
    return fstat(fd, &status) == 0 && S_ISFIFO(status.st_mode) && !(flags & O_DIRECT);
}

/* Makes sure the descriptor is non-blocking and watched. */
static int watch(struct epoll *epoll, int fd)
{
    if (fd < 0)
        return -EBADF;
    if ((size_t)fd < epoll->n_watched && epoll->watched[fd].registered)
        return 0;
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0)
        return -errno;
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
    struct epoll_event event = { .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
                                 .data.fd = fd };
    if (epoll_ctl(epoll->fd, EPOLL_CTL_ADD, fd, &event) != 0)
        return -errno;
    epoll->watched[fd] = (struct watched){
        .registered = true,
        .streams = is_stream(fd, flags),
        .ready = { true, true }, /* nothing is known yet, so the first call is worth a try */
    };
    return 0;
}

/* Returns whether the await of this op is now satisfied. */
static bool complete(struct epoll *epoll, struct xb_io_op *op, int64_t result)
{
    op->result = result;
    op->state = XB_IO_DONE;
    return xb_waiting_complete(WAITING(op), epoll->parker);
}

static void enqueue(struct epoll *epoll, struct queue *queue, struct xb_io_op *op)
{
    NEXT(op) = NULL;
    if (queue->first)
        NEXT(queue->last) = op;
    else
        queue->first = op;
    queue->last = op;
    epoll->n_blocked++;
}

static struct xb_io_op *dequeue(struct epoll *epoll, struct queue *queue)
{
    struct xb_io_op *op = queue->first;
    queue->first = NEXT(op);
    epoll->n_blocked--;
    return op;
}

/* Whoever waits for it would wait for ever: a closed descriptor brings no more events. */
static int64_t close_fd(struct epoll *epoll, int fd)
{
    if (fd >= 0 && (size_t)fd < epoll->n_watched) {
        struct watched *watched = &epoll->watched[fd];
        for (int direction = 0; direction < DIRECTIONS; direction++)
            while (watched->waiting[direction].first)
                complete(epoll, dequeue(epoll, &watched->waiting[direction]), -ECANCELED);
        *watched = (struct watched){ 0 };
    }
    return xb_or_errno(close(fd));
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
        complete(epoll, op, close_fd(epoll, op->fd));
    } else if (op->kind == XB_IO_SLEEP) {
        int err = push_sleep(epoll, op);
        if (err)
            complete(epoll, op, err);
    } else {
        int64_t result = watch(epoll, op->fd);
        if (!result) {
            struct watched *watched = &epoll->watched[op->fd];
            enum direction direction = direction_of(op);
            /* A connection is not ready for anything before it is there: connect() comes first. */
            bool first = op->kind == XB_IO_CONNECT;
            result = watched->ready[direction] || first ? try_once(watched, op) : -EAGAIN;
            if (result == -EAGAIN)
                enqueue(epoll, &watched->waiting[direction], op);
        }
        if (result != -EAGAIN)
            complete(epoll, op, result);
    }
}

static int on_event(struct epoll *epoll, const struct epoll_event *event)
{
    static const uint32_t wakes[DIRECTIONS] = { EPOLLIN | EPOLLRDHUP, EPOLLOUT };
    const uint32_t over = EPOLLERR | EPOLLHUP;
    struct watched *watched = &epoll->watched[event->data.fd];
    int satisfied = 0;
    watched->ended |= (event->events & (EPOLLRDHUP | over)) != 0;
    for (int direction = 0; direction < DIRECTIONS; direction++) {
        if (!(event->events & (wakes[direction] | over)))
            continue;
        struct queue *queue = &watched->waiting[direction];
        watched->ready[direction] = true;
        while (queue->first && watched->ready[direction]) {
            int64_t result = try_once(watched, queue->first);
            if (result != -EAGAIN)
                satisfied += complete(epoll, dequeue(epoll, queue), result);
        }
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

/* Events that come before it would be worth to sleep, or 0, or -errno: base/look.h. */
static int look(struct epoll *epoll, int64_t timeout_ns)
{
    bool short_of_time = timeout_ns >= 0 && timeout_ns < XB_LOOK_NS;
    if (!epoll->parker || short_of_time || !xb_look_is_due(&epoll->look, epoll->n_blocked))
        return 0;
    int n = wait_events(epoll->fd, epoll->events, 0);
    if (n) /* there already: that says nothing of looking */
        return n;
    for (uint64_t until_ns = xb_now_ns() + XB_LOOK_NS; !n && xb_now_ns() < until_ns;)
        n = wait_events(epoll->fd, epoll->events, 0);
    xb_look_ended(&epoll->look, n > 0);
    return n;
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
    int n = look(epoll, timeout_ns);
    if (!n)
        n = wait_events(epoll->fd, epoll->events, timeout_ns);
    if (n < 0 && n != -EINTR)
        return n;
    for (int i = 0; i < n; i++)
        satisfied += on_event(epoll, &epoll->events[i]);
    if (epoll->n_sleeping) {
        uint64_t now = xb_now_ns();
        while (epoll->n_sleeping && epoll->sleeping[0].deadline_ns <= now)
            satisfied += complete(epoll, pop_sleep(epoll), 0);
    }
    return satisfied;
}

__attribute__((noinline)) static int await_all(struct epoll *epoll, struct xb_io_op *ops, size_t n,
                                               size_t at_least)
{
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
        err = pump(&epoll->io, -1);
    /* `waiting` is about to go: ops still in flight must not point to it. */
    for (size_t i = 0; i < n; i++)
        if (ops[i].state == XB_IO_IN_FLIGHT)
            WAITING(&ops[i]) = NULL;
    return err < 0 ? err : 0;
}

static int await(struct xb_io *io, struct xb_io_op *ops, size_t n, size_t at_least)
{
    struct epoll *epoll = (struct epoll *)io;
    return xb_engine_yields(epoll->parker, ops, n) ? 0 : await_all(epoll, ops, n, at_least);
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
