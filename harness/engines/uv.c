/* SPDX-License-Identifier: BSD-3-Clause
 * Lets libuv wait: its loop for descriptors, its timers for sleeps, its thread pool for files.
 *
 * Descriptors belong to the kernels, so they are watched with uv_poll_t, which libuv has for those
 * of others; uv_tcp_t and uv_pipe_t would own and close them. Each operation is tried first, as
 * uv_try_write() does, and waits only if it has to. A uv_poll_t is level-triggered, and each change
 * of it costs two epoll_ctl(2): so readability stays watched after a read until it is reported
 * while nobody reads, as with uv_read_start(). To watch sets O_NONBLOCK on the open file.
 *
 * What a user of libuv gets stays as it is: sleeps end on whole milliseconds of the clock, never
 * early, up to one late (uv_timer_t knows nothing finer); operations on regular files run in
 * UV_THREADPOOL_SIZE threads (4), which all loops of a process share and whose CPU time is not the
 * lane's. */
/* xb-library: libuv>=1.44 (Debian: libuv1-dev) */
#include "engine.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#ifdef XB_HAVE_LIBRARY

#    include <sys/epoll.h>
#    include <sys/socket.h>
#    include <unistd.h>
#    include <uv.h>

enum { FIRST_FDS = 64, NS_PER_MS = 1000000 };

enum direction { IN, OUT, DIRECTIONS };

/* A handle or request comes first in each of these: that is how callbacks find the rest. */
struct timer {
    uv_timer_t handle;
    struct xb_io_op *op;
    struct timer *next_free;
};

struct request {
    uv_fs_t fs;
    struct xb_io_op *op;
    struct request *prev, *next; /* in flight, or next only: free */
    struct xb_io_op *closing;    /* the close that waits for this one to end */
};

struct descriptor {
    uv_poll_t handle;
    int watched; /* UV_READABLE, UV_WRITABLE: what the loop reports now */
    struct {
        struct xb_io_op *first, *last; /* waiting to be tried again, in order of their start */
    } queue[DIRECTIONS];
};

struct uv {
    struct xb_io io; /* first: the kernel's view */
    struct xb_parker *parker;
    uv_loop_t loop;
    uv_timer_t limit;               /* of a pump */
    struct descriptor **descriptor; /* by number; NULL: not watched yet */
    size_t n_descriptors;
    struct timer *free_timers; /* libuv frees a handle one turn of the loop late: they are kept */
    struct request *free_requests, *requests; /* requests: those in flight */
    size_t in_flight;
    int satisfied; /* awaits, since the pump began */
};

#    define NEXT(op)    ((op)->engine[1].pointer) /* in a descriptor's queue */
#    define STARTED(op) ((op)->engine[2].number)  /* CONNECT: it is under way */
#    define LEFT(op)    ((op)->engine[2].number)  /* CLOSE: requests that have to end first */

static void complete(struct uv *uv, struct xb_io_op *op, int64_t result)
{
    op->result = result;
    op->state = XB_IO_DONE;
    uv->in_flight--;
    uv->satisfied += xb_waiting_complete(XB_WAITING(op), uv->parker);
}

/* ---- sleeps ---- */

/* Until libuv 1.45 uv_run() calls the timers that are due and then still waits for descriptors,
 * for ever if that was the last timer, while the worker just woken is kept from running. uv_stop()
 * lets it look without waiting, and is over when it returns. */
static void on_timer(uv_timer_t *handle)
{
    struct uv *uv = handle->loop->data;
    uv_stop(handle->loop);
    struct timer *timer = (struct timer *)handle;
    timer->next_free = uv->free_timers;
    uv->free_timers = timer;
    complete(uv, timer->op, 0);
}

static int start_sleep(struct uv *uv, struct xb_io_op *op)
{
    struct timer *timer = uv->free_timers;
    if (timer) {
        uv->free_timers = timer->next_free;
    } else {
        timer = calloc(1, sizeof *timer);
        if (!timer)
            return -ENOMEM;
        uv_timer_init(&uv->loop, &timer->handle);
    }
    timer->op = op;
    /* The loop's time is that of its last turn, in whole milliseconds of the same clock; counted
     * from there rather than from now, the timer ends in the first one that is not too early. */
    uint64_t due_ms = (uv_hrtime() + op->sleep_ns + NS_PER_MS - 1) / NS_PER_MS;
    uint64_t timeout_ms = op->sleep_ns ? due_ms - uv_now(&uv->loop) : 0;
    uv_timer_start(&timer->handle, on_timer, timeout_ms, 0);
    return 0;
}

/* ---- regular files ---- */

static void on_request(uv_fs_t *fs)
{
    struct uv *uv = fs->loop->data;
    struct request *request = (struct request *)fs;
    *(request->prev ? &request->prev->next : &uv->requests) = request->next;
    if (request->next)
        request->next->prev = request->prev;
    struct xb_io_op *op = request->op, *closing = request->closing;
    int64_t result = fs->result;
    uv_fs_req_cleanup(fs);
    request->next = uv->free_requests;
    uv->free_requests = request;
    complete(uv, op, result);
    if (closing && !--LEFT(closing))
        complete(uv, closing, xb_or_errno(close(closing->fd)));
}

static int start_request(struct uv *uv, struct xb_io_op *op)
{
    struct request *request = uv->free_requests;
    if (request)
        uv->free_requests = request->next;
    else if (!(request = calloc(1, sizeof *request)))
        return -ENOMEM;
    request->op = op;
    request->closing = NULL;
    uv_buf_t buf = { .base = op->buf, .len = op->len };
    int err = op->kind == XB_IO_FSYNC ? uv_fs_fsync(&uv->loop, &request->fs, op->fd, on_request)
              : op->kind == XB_IO_READ
                  ? uv_fs_read(&uv->loop, &request->fs, op->fd, &buf, 1, op->offset, on_request)
                  : uv_fs_write(&uv->loop, &request->fs, op->fd, &buf, 1, op->offset, on_request);
    if (err) {
        request->next = uv->free_requests;
        uv->free_requests = request;
        return err;
    }
    request->prev = NULL;
    request->next = uv->requests;
    if (request->next)
        request->next->prev = request;
    uv->requests = request;
    return 0;
}

/* ---- pipes and sockets ---- */

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
        /* EAGAIN comes from a Unix socket whose listener has no room: to be called again. */
        int64_t err = xb_or_errno(connect(op->fd, op->addr, op->addr_len));
        STARTED(op) = err == -EINPROGRESS;
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
        return xb_or_errno(read(op->fd, op->buf, op->len));
    case XB_IO_WRITE:
        return xb_or_errno(write(op->fd, op->buf, op->len));
    case XB_IO_ACCEPT:
        return xb_or_errno(accept4(op->fd, NULL, NULL, SOCK_CLOEXEC));
    case XB_IO_CONNECT:
        return try_connect(op);
    case XB_IO_SEND:
        return xb_or_errno(send(op->fd, op->buf, op->len, MSG_NOSIGNAL));
    case XB_IO_RECV:
        return xb_or_errno(recv(op->fd, op->buf, op->len, 0));
    default:
        return -EINVAL;
    }
}

static int64_t try_op(struct xb_io_op *op)
{
    int64_t result;
    do {
        result = try_once(op);
    } while (result == -EINTR);
    return result;
}

static void on_poll(uv_poll_t *handle, int status, int events);

static int watch(struct descriptor *descriptor, int events)
{
    if (events == descriptor->watched)
        return 0;
    int err = events ? uv_poll_start(&descriptor->handle, events, on_poll)
                     : uv_poll_stop(&descriptor->handle);
    if (!err)
        descriptor->watched = events;
    return err;
}

/* Tries those who wait, in order, until one has to wait on. */
static void serve(struct uv *uv, struct descriptor *descriptor, enum direction direction)
{
    struct xb_io_op *op;
    while ((op = descriptor->queue[direction].first)) {
        int64_t result = try_op(op);
        if (result == -EAGAIN)
            return;
        descriptor->queue[direction].first = NEXT(op);
        complete(uv, op, result);
    }
}

static void on_poll(uv_poll_t *handle, int status, int events)
{
    struct uv *uv = handle->loop->data;
    struct descriptor *descriptor = (struct descriptor *)handle;
    if (status < 0) {
        /* EPOLLERR: libuv has stopped watching. What the error is, the operations find out. */
        descriptor->watched = 0;
        events = UV_READABLE | UV_WRITABLE;
    }
    int wanted = descriptor->watched & UV_READABLE;
    if (events & UV_READABLE) {
        if (!descriptor->queue[IN].first)
            wanted = 0;
        serve(uv, descriptor, IN);
    }
    if (events & UV_WRITABLE)
        serve(uv, descriptor, OUT);
    wanted |= descriptor->queue[IN].first ? UV_READABLE : 0;
    wanted |= descriptor->queue[OUT].first ? UV_WRITABLE : 0;
    int err = watch(descriptor, wanted);
    for (int direction = 0; err && direction < DIRECTIONS; direction++) {
        struct xb_io_op *op = descriptor->queue[direction].first, *next;
        descriptor->queue[direction].first = NULL;
        for (; op; op = next) {
            next = NEXT(op);
            complete(uv, op, err);
        }
    }
}

/* The descriptor, non-blocking and ready to be watched. 0; -EPERM if it is a regular file. */
static int find(struct uv *uv, int fd, struct descriptor **out)
{
    if (fd < 0)
        return -EBADF;
    if ((size_t)fd >= uv->n_descriptors) {
        size_t n = uv->n_descriptors ? uv->n_descriptors : FIRST_FDS;
        while ((size_t)fd >= n)
            n *= 2;
        struct descriptor **bigger = realloc(uv->descriptor, n * sizeof(struct descriptor *));
        if (!bigger)
            return -ENOMEM;
        memset(bigger + uv->n_descriptors, 0,
               (n - uv->n_descriptors) * sizeof(struct descriptor *));
        uv->descriptor = bigger;
        uv->n_descriptors = n;
    }
    if (!uv->descriptor[fd]) {
        struct descriptor *fresh = calloc(1, sizeof *fresh);
        if (!fresh)
            return -ENOMEM;
        int err = uv_poll_init(&uv->loop, &fresh->handle, fd);
        if (err) {
            free(fresh);
            return err;
        }
        uv->descriptor[fd] = fresh;
    }
    *out = uv->descriptor[fd];
    return 0;
}

static int start_stream(struct uv *uv, struct xb_io_op *op)
{
    struct descriptor *descriptor;
    int err = find(uv, op->fd, &descriptor);
    if (err == -EPERM && (op->kind == XB_IO_READ || op->kind == XB_IO_WRITE))
        return start_request(uv, op); /* a regular file, read or written at its own offset */
    if (err)
        return err;
    enum direction direction = direction_of(op);
    bool behind = descriptor->queue[direction].first; /* nobody overtakes those who wait */
    int64_t result = behind ? -EAGAIN : try_op(op);
    if (result != -EAGAIN) {
        complete(uv, op, result);
        return 0;
    }
    err = watch(descriptor, descriptor->watched | (direction == IN ? UV_READABLE : UV_WRITABLE));
    if (err)
        return err;
    NEXT(op) = NULL;
    if (behind)
        NEXT(descriptor->queue[direction].last) = op;
    else
        descriptor->queue[direction].first = op;
    descriptor->queue[direction].last = op;
    return 0;
}

/* ---- closing a descriptor ---- */

static void free_handle(uv_handle_t *handle)
{
    free(handle);
}

/* What waits for the descriptor is cancelled. What a thread of the pool is just doing with it has to
 * end first: it could else meet another file under the same number. */
static int start_close(struct uv *uv, struct xb_io_op *op)
{
    struct descriptor *descriptor =
        op->fd >= 0 && (size_t)op->fd < uv->n_descriptors ? uv->descriptor[op->fd] : NULL;
    if (descriptor) {
        uv->descriptor[op->fd] = NULL;
        for (int direction = 0; direction < DIRECTIONS; direction++) {
            struct xb_io_op *next;
            for (struct xb_io_op *at = descriptor->queue[direction].first; at; at = next) {
                next = NEXT(at);
                complete(uv, at, -ECANCELED);
            }
        }
        uv_close((uv_handle_t *)&descriptor->handle, free_handle);
    }
    LEFT(op) = 0;
    for (struct request *request = uv->requests; request; request = request->next) {
        if (request->op->fd != op->fd || request->closing)
            continue;
        uv_cancel((uv_req_t *)&request->fs); /* ends with UV_ECANCELED, if no thread has it yet */
        request->closing = op;
        LEFT(op)++;
    }
    if (!LEFT(op))
        complete(uv, op, xb_or_errno(close(op->fd)));
    return 0;
}

/* ---- the engine ---- */

/* Finishes the op at once where it can, or leaves it waiting. */
static void start(struct uv *uv, struct xb_io_op *op)
{
    int err = 0;
    XB_WAITING(op) = NULL;
    STARTED(op) = 0;
    op->state = XB_IO_IN_FLIGHT;
    uv->in_flight++;
    switch (op->kind) {
    case XB_IO_YIELD:
        xb_engine_yield(uv->parker);
        complete(uv, op, 0);
        break;
    case XB_IO_CLOSE:
        err = start_close(uv, op);
        break;
    case XB_IO_SLEEP:
        err = start_sleep(uv, op);
        break;
    case XB_IO_FSYNC:
        err = start_request(uv, op);
        break;
    case XB_IO_READ:
    case XB_IO_WRITE:
        err = op->offset == XB_IO_STREAM ? start_stream(uv, op) : start_request(uv, op);
        break;
    default:
        err = start_stream(uv, op);
    }
    if (err)
        complete(uv, op, err);
}

static void on_limit(uv_timer_t *handle)
{
    uv_stop(handle->loop); /* as in on_timer() */
}

static int pump(struct xb_io *io, int64_t timeout_ns)
{
    struct uv *uv = (struct uv *)io;
    if (!uv->in_flight)
        return timeout_ns < 0 ? -EDEADLK : 0;
    uv->satisfied = 0;
    if (timeout_ns > 0) {
        uv_update_time(&uv->loop);
        uv_timer_start(&uv->limit, on_limit, (uint64_t)((timeout_ns + NS_PER_MS - 1) / NS_PER_MS),
                       0);
    }
    uv_run(&uv->loop, timeout_ns ? UV_RUN_ONCE : UV_RUN_NOWAIT);
    if (timeout_ns > 0)
        uv_timer_stop(&uv->limit);
    return uv->satisfied;
}

static int wait_for(struct xb_io *io, size_t needed)
{
    (void)needed; /* a turn of libuv's loop ends with the first */
    return pump(io, -1);
}

static int await(struct xb_io *io, struct xb_io_op *ops, size_t n, size_t at_least)
{
    struct uv *uv = (struct uv *)io;
    for (size_t i = 0; i < n; i++)
        if (ops[i].state == XB_IO_NEW)
            start(uv, &ops[i]);
    return xb_engine_wait(io, uv->parker, ops, n, at_least, wait_for);
}

/* Asks for what a loop is made of, not for a loop: the first one in a process leaves two
 * descriptors and a fork handler, and the processes of all other engines' cells would have them. */
static int probe(struct xb_reason *why)
{
    int fd = epoll_create1(EPOLL_CLOEXEC);
    if (fd < 0)
        return xb_because(why, -errno, "libuv needs epoll_create1: %s", strerror(errno));
    close(fd);
    return 0;
}

static void close_handle(uv_handle_t *handle, void *unused)
{
    struct uv *uv = handle->loop->data;
    (void)unused;
    if (!uv_is_closing(handle)) /* the one handle that is not on the heap is part of `uv` */
        uv_close(handle, handle == (uv_handle_t *)&uv->limit ? NULL : free_handle);
}

static void close_loop(struct xb_io *io)
{
    if (!io)
        return;
    struct uv *uv = (struct uv *)io;
    uv_walk(&uv->loop, close_handle, NULL);
    uv_run(&uv->loop, UV_RUN_NOWAIT); /* one turn calls all close callbacks */
    free(uv->descriptor);
    for (struct request *request = uv->free_requests, *next; request; request = next) {
        next = request->next;
        free(request);
    }
    /* Unless a failed team has left a request in the pool, which would come back to freed memory:
     * then the process is about to end. */
    if (uv_loop_close(&uv->loop) == 0)
        free(uv);
}

static int open_loop(struct xb_parker *parker, uint32_t in_flight, struct xb_io **out,
                     struct xb_reason *why)
{
    (void)in_flight;
    struct uv *uv = calloc(1, sizeof *uv);
    if (!uv)
        return xb_because(why, -ENOMEM, "uv: out of memory");
    int err = uv_loop_init(&uv->loop);
    if (err) {
        free(uv);
        return xb_because(why, err, "uv_loop_init: %s%s", uv_strerror(err),
                          err == UV_EMFILE ? "; raise ulimit -n" : "");
    }
    uv->loop.data = uv;
    uv_timer_init(&uv->loop, &uv->limit);
    uv->parker = parker;
    uv->io.await = await;
    *out = &uv->io;
    return 0;
}

#else

static int probe(struct xb_reason *why)
{
    return xb_because(why, -ENOTSUP, "built without libuv");
}

static int open_loop(struct xb_parker *parker, uint32_t in_flight, struct xb_io **out,
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

static void close_loop(struct xb_io *io)
{
    (void)io;
}

#endif

const struct xb_io_engine xb_engine_uv = {
    .name = "uv",
    .summary = "libuv: its loop, its timers of 1 ms, its thread pool for regular files",
    .rank = 3,
    .files = true,
    .pools_files = true,
    .parks = true,
    .probe = probe,
    .open = open_loop,
    .pump = pump,
    .close = close_loop,
};
