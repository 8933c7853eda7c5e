/* What an I/O engine is: a way to carry out kernels' xb_io_ops on one OS thread. */
#ifndef XB_ENGINES_ENGINE_H
#define XB_ENGINES_ENGINE_H

#include "../../kernels/io.h"
#include "../base/reason.h"

#include <errno.h>
#include <sched.h>
#include <stdbool.h>

/* How an engine suspends the worker that awaits. Provided by models whose workers are
 * coroutines; a NULL parker means "you own this OS thread, block it". All calls on one thread. */
struct xb_parker {
    void *(*current)(struct xb_parker *parker);           /* the running task */
    void (*park)(struct xb_parker *parker);               /* returns when someone unparks us */
    void (*unpark)(struct xb_parker *parker, void *task); /* makes a task ready, once per park */
    void (*yield)(struct xb_parker *parker); /* unparks the running task and parks it */
};

/* What a system call returned, as operations have it: its result, or -errno. */
static inline int64_t xb_or_errno(int64_t result)
{
    return result < 0 ? -errno : result;
}

/* One await() that waits for completions; lives on the awaiting worker's stack. */
struct xb_waiting {
    void *task;    /* to be unparked; NULL without a parker */
    size_t needed; /* completions until the await is satisfied */
};

/* Counts one completion. Returns whether it satisfied the await, whose task is then ready.
 * `waiting` may be NULL: nobody waits for this operation. */
static inline bool xb_waiting_complete(struct xb_waiting *waiting, struct xb_parker *parker)
{
    if (!waiting || !waiting->needed || --waiting->needed)
        return false;
    if (waiting->task)
        parker->unpark(parker, waiting->task);
    return true;
}

/* Who waits for an operation in flight: what engines keep in its first scratch word. */
#define XB_WAITING(op) ((op)->engine[0].pointer)

/* The second half of an await(), after starting: returns once `at_least` of the ops are done. Parks
 * the task; where nobody parks, or the lane's pump() broke, it calls `wait`, which is told how many
 * completions are still needed, returns when there is at least one or after a signal, and negative
 * when none can come. 0 or that -errno. */
static inline int xb_engine_wait(struct xb_io *io, struct xb_parker *parker, struct xb_io_op *ops,
                                 size_t n, size_t at_least,
                                 int (*wait)(struct xb_io *io, size_t needed))
{
    /* Counted only now: while one of them yielded, others may have come to their end. */
    size_t done = 0;
    for (size_t i = 0; i < n; i++)
        done += ops[i].state == XB_IO_DONE;
    if (done >= at_least)
        return 0;
    struct xb_waiting waiting = { .needed = at_least - done };
    for (size_t i = 0; i < n; i++)
        if (ops[i].state == XB_IO_IN_FLIGHT)
            XB_WAITING(&ops[i]) = &waiting;
    if (parker) {
        waiting.task = parker->current(parker);
        parker->park(parker);
    }
    int err = 0;
    while (waiting.needed && err >= 0)
        err = wait(io, waiting.needed);
    /* `waiting` is about to go: ops still in flight must not point to it. */
    for (size_t i = 0; i < n; i++)
        if (ops[i].state == XB_IO_IN_FLIGHT)
            XB_WAITING(&ops[i]) = NULL;
    return err < 0 ? err : 0;
}

/* Lets other workers go first: those of this lane, or without a parker whoever the scheduler
 * chooses. */
static inline void xb_engine_yield(struct xb_parker *parker)
{
    if (parker)
        parker->yield(parker);
    else
        sched_yield();
}

/* Where a single yield is all that is awaited, carries it out and returns true. For the top of an
 * await(), in a function of its own that saves no registers for the rest. */
static inline bool xb_engine_yields(struct xb_parker *parker, struct xb_io_op *ops, size_t n)
{
    if (n != 1 || ops->kind != XB_IO_YIELD)
        return false;
    /* Not asked together with the kind: compilers make one load of the two neighbours, which the
     * CPU cannot forward from the store of NEW just before. */
    if (ops->state == XB_IO_NEW) {
        xb_engine_yield(parker);
        ops->result = 0;
        ops->state = XB_IO_DONE;
    }
    return true;
}

/* An engine file defines one of these, const, named xb_engine_<file stem>. */
struct xb_io_engine {
    const char *name; /* "blocking", "epoll", "uring", "uv" */
    const char *summary;
    int rank;   /* compute kernels, to which engines are all alike, get the lowest that fits */
    bool files; /* carries out operations on regular files too */
    bool pools_files; /* by threads of its own, to which it hands them */
    bool parks;       /* can suspend a coroutine; otherwise open() gets no parker */
    /* Can it work here? 0 or -errno with the kernel's or library's own words. Main thread. */
    int (*probe)(struct xb_reason *why);
    /* On the OS thread that will use it, after any fork. `in_flight`: the most operations there
     * will be at once. The caller closes. 0 or -errno. */
    int (*open)(struct xb_parker *parker, uint32_t in_flight, struct xb_io **out,
                struct xb_reason *why);
    /* With a parker only: waits up to timeout_ns (negative: forever) for completions and unparks
     * the tasks whose await is satisfied. Returns how many tasks, or -errno; -EDEADLK when it
     * would wait forever for nothing. */
    int (*pump)(struct xb_io *io, int64_t timeout_ns);
    void (*close)(struct xb_io *io); /* accepts NULL; nothing may be in flight */
};

#endif
