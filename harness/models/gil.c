/* SPDX-License-Identifier: BSD-3-Clause
 * Gil: one OS thread per worker, of which only the one that holds the global lock computes.
 *
 * The protocol is that of CPython 3.2 to 3.12 (Python/ceval_gil.c there; A. Pitrou's "new GIL" of
 * 2009), step by step, as its oddities are the subject:
 * - The lock is a flag under a mutex. Who finds it taken waits for 5 ms, and then, if nobody else
 *   has got it meanwhile either, asks the holder to drop it.
 * - The holder looks at that request at its checkpoints: between two bytecodes there, between two
 *   slices of a kernel's iterations here.
 * - Having dropped it on request, he waits until someone else has it (FORCE_SWITCHING). Otherwise
 *   he, who runs, would have it back before the other one is awake.
 * - It is dropped around whatever may block and taken again after it, which takes 5 ms and more
 *   where another worker computes: the convoy of D. Beazley, "Understanding the Python GIL" (2010).
 *
 * CPython drops it around every system call behind our kinds of operation, whether it will block or
 * not: read, write and fsync in posixmodule.c, accept, connect, send, recv and close in
 * socketmodule.c, on non-blocking sockets too, and time.sleep(), sleep(0) included, which is what
 * a thread of Python yields with. So there is no kind here that keeps it. An await of several
 * operations is one call. */
#include "preemptive.h"

#include "../base/clock.h"
#include "../base/crew.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

/* CPython's default, sys.getswitchinterval(). */
#define SWITCH_INTERVAL_NS UINT64_C(5000000)

/* A hundredth of that, so that a hold is hardly longer than the interval. A checkpoint is a load and
 * a jump, and calling run() again costs some ns: a thousandth of a slice at most. */
#define SLICE_NS UINT64_C(50000)

/* Kernels promise to stay under 16 KiB; set-up and verification run here too. */
enum { STACK_BYTES = 512 << 10 };

/* The engine that the kernel sees: drops the lock around what the lane's engine does. */
struct dropping {
    struct xb_io io; /* first: the kernel's view */
    struct xb_io *inner;
    struct xb_worker *worker;
};

struct gil {
    struct xb_preemptive common; /* first */
    struct dropping *dropping;   /* by worker */
    pthread_mutex_t mutex;       /* of all below, but for what is said */
    pthread_cond_t dropped;
    bool locked;
    uint64_t switches; /* how often it came to another one than before */
    /* A worker or a child of one. Changes under both mutexes, so that either will do to read it. */
    const void *last_holder;
    pthread_mutex_t switch_mutex;
    pthread_cond_t switched;
    /* In a line of its own: what the holder looks at while the others queue at the mutex. */
    _Alignas(128) atomic_bool drop_request;
};

static int probe(struct xb_reason *why)
{
    (void)why;
    return 0;
}

/* ---- the lock ---- */

static bool is_requested(const struct gil *gil)
{
    return atomic_load_explicit(&gil->drop_request, memory_order_relaxed);
}

static void request(struct gil *gil, bool drop)
{
    atomic_store_explicit(&gil->drop_request, drop, memory_order_relaxed);
}

/* With the mutex held. Returns whether the interval went by. */
static bool wait_interval(struct gil *gil)
{
    uint64_t until_ns = xb_now_ns() + SWITCH_INTERVAL_NS;
    const struct timespec until = { .tv_sec = (time_t)(until_ns / 1000000000u),
                                    .tv_nsec = (long)(until_ns % 1000000000u) };
    return pthread_cond_timedwait(&gil->dropped, &gil->mutex, &until) == ETIMEDOUT;
}

static void take(struct gil *gil, const void *self)
{
    pthread_mutex_lock(&gil->mutex);
    while (gil->locked) {
        uint64_t switches = gil->switches;
        if (wait_interval(gil) && gil->locked && gil->switches == switches)
            request(gil, true);
    }
    pthread_mutex_lock(&gil->switch_mutex);
    gil->locked = true;
    if (gil->last_holder != self) {
        gil->last_holder = self;
        gil->switches++;
    }
    pthread_cond_signal(&gil->switched);
    pthread_mutex_unlock(&gil->switch_mutex);
    request(gil, false); /* whoever made it: the others will make theirs after another interval */
    pthread_mutex_unlock(&gil->mutex);
}

static void drop(struct gil *gil, const void *self)
{
    pthread_mutex_lock(&gil->mutex);
    gil->locked = false;
    pthread_cond_signal(&gil->dropped);
    pthread_mutex_unlock(&gil->mutex);
    if (!is_requested(gil))
        return;
    /* Who made the request is in take() and stays there until he has the lock, or another one has:
     * so this ends. */
    pthread_mutex_lock(&gil->switch_mutex);
    if (gil->last_holder == self)
        request(gil, false);
    while (gil->last_holder == self)
        pthread_cond_wait(&gil->switched, &gil->switch_mutex);
    pthread_mutex_unlock(&gil->switch_mutex);
}

static int await(struct xb_io *io, struct xb_io_op *ops, size_t n, size_t at_least)
{
    struct dropping *dropping = (struct dropping *)io;
    struct gil *gil = dropping->worker->team->model_state;
    drop(gil, dropping->worker);
    int err = dropping->inner->await(dropping->inner, ops, n, at_least);
    take(gil, dropping->worker);
    return err;
}

/* ---- workers ---- */

static void *live(void *argument)
{
    struct xb_worker *worker = argument;
    struct xb_team *team = worker->team;
    struct xb_lane *lane = worker->lane;
    struct gil *gil = team->model_state;
    struct dropping *dropping = &gil->dropping[worker->index];
    /* A lane that could not be entered still meets the others at every rendezvous: body() sees
     * that the team has failed and does no work. */
    team->enter(lane, NULL);
    *dropping = (struct dropping){ .io.await = await, .inner = lane->io, .worker = worker };
    lane->io = &dropping->io;
    team->body(worker);
    lane->io = dropping->inner;
    team->leave(lane);
    return NULL;
}

static int open_lock(struct gil *gil)
{
    pthread_condattr_t attributes;
    int err = pthread_condattr_init(&attributes);
    if (err)
        return -err;
    err = pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC); /* that of xb_now_ns() */
    if (!err)
        err = pthread_cond_init(&gil->dropped, &attributes);
    if (!err)
        err = pthread_cond_init(&gil->switched, NULL);
    if (!err)
        err = pthread_mutex_init(&gil->mutex, NULL);
    if (!err)
        err = pthread_mutex_init(&gil->switch_mutex, NULL);
    pthread_condattr_destroy(&attributes);
    return -err;
}

static int run_team(struct xb_team *team, void *memory)
{
    struct gil *gil = memory;
    uint32_t n = team->n_workers, created;
    xb_preemptive_begin(team, &gil->common, true);
    gil->dropping = calloc(n, sizeof *gil->dropping);
    if (!gil->dropping)
        return team->fail(team, -ENOMEM, "gil: out of memory");
    /* Never destroyed: on Linux that gives nothing back, and a team that failed may still wait. */
    int err = open_lock(gil);
    if (err)
        return team->fail(team, err, "gil: %s", strerror(-err));
    err = xb_crew_run(n, STACK_BYTES, live, team->workers, sizeof team->workers[0], &created);
    free(gil->dropping);
    return err ? xb_preemptive_fail(team, err, created) : 0;
}

/* Nobody holds the lock at a rendezvous: this takes it and end_work() drops it. */
static void begin_work(struct xb_worker *worker)
{
    take(worker->team->model_state, worker);
}

static void end_work(struct xb_worker *worker)
{
    drop(worker->team->model_state, worker);
}

static void checkpoint(struct xb_worker *worker)
{
    struct gil *gil = worker->team->model_state;
    if (!is_requested(gil))
        return;
    drop(gil, worker);
    take(gil, worker);
}

/* Like lock.acquire() there: the lock that a worker waits for is one thing, this one another. */
static void suspend(struct xb_worker *self)
{
    struct gil *gil = self->team->model_state;
    drop(gil, self);
    xb_preemptive_suspend(self);
    take(gil, self);
}

static void wait_at(struct xb_worker *self, _Atomic uint32_t *gate, uint32_t seen)
{
    struct gil *gil = self->team->model_state;
    drop(gil, self);
    xb_preemptive_wait_at(self, gate, seen);
    take(gil, self);
}

struct child {
    struct gil *gil;
    void (*entry)(void *argument);
    void *argument, *thread;
};

static void live_as_child(void *argument)
{
    struct child *child = argument;
    take(child->gil, child);
    child->entry(child->argument);
    drop(child->gil, child);
}

static int spawn(struct xb_worker *by, void (*entry)(void *argument), void *argument, void **out)
{
    struct child *child = malloc(sizeof *child);
    if (!child)
        return -ENOMEM;
    *child = (struct child){ .gil = by->team->model_state, .entry = entry, .argument = argument };
    int err = xb_crew_spawn(STACK_BYTES, live_as_child, child, &child->thread);
    if (err)
        free(child);
    else
        *out = child;
    return err;
}

static int join(struct xb_worker *by, void *which)
{
    struct gil *gil = by->team->model_state;
    struct child *child = which;
    drop(gil, by);
    int err = xb_crew_join(child->thread);
    take(gil, by);
    free(child);
    return err;
}

const struct xb_model xb_model_gil = {
    .name = "gil",
    .summary = "one OS thread per worker behind one global lock: CPython's interpreter lock",
    .rank = 3,
    .parks = false,
    .one_at_a_time = true,
    .slice_ns = SLICE_NS,
    .worker_bytes = 48 << 10,
    .state_bytes = sizeof(struct gil),
    .probe = probe,
    .run_team = run_team,
    .rendezvous = xb_preemptive_rendezvous,
    .begin_work = begin_work,
    .end_work = end_work,
    .checkpoint = checkpoint,
    .suspend = suspend,
    .resume = xb_preemptive_resume,
    .wait_at = wait_at,
    .open_gate = xb_preemptive_open_gate,
    .spawn = spawn,
    .join = join,
};
