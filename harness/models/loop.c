/* SPDX-License-Identifier: BSD-3-Clause
 * Loop: workers are coroutines, which take turns when they await, on one OS thread or on a few.
 *
 * Each lane is an OS thread with an engine, a queue of ready tasks and coroutines of its own, which
 * never move: so servers run an event loop on every core (nginx's worker processes, Node's cluster).
 * Worker i lives on lane i mod lanes, as a cluster deals connections in turn. Blocks of neighbours
 * were rejected: nearly all who talk to their neighbour would then stay on one lane, and a server
 * that deals connections does not know who is going to talk to whom.
 *
 * Ready tasks run round robin. The engine is asked for completions once per round, without
 * waiting while a task is ready, so that workers that only yield cannot starve those that wait
 * for I/O. A task that parks passes on to the next by itself and begins the next round by itself:
 * the way through run_tasks() and back is two switches, after which the CPU mispredicts every
 * return. It took 23 ns where this takes 7 to 10 (Zen 5 guest). */
#include "model.h"

#include "../base/barrier.h"
#include "../base/coro.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* Shorter slices would measure switching, longer ones would not interleave within a sample. */
#define SLICE_NS UINT64_C(1000000)

/* Kernels promise to stay under 16 KiB; set-up and verification run here too. Where there are many,
 * addresses are what a smaller stack saves: only pages that are touched take memory. */
enum { STACK_BYTES = 256 << 10, MANY_STACK_BYTES = 64 << 10 };

/* Two mappings for each guarded stack, of 65530 that a process may have (vm.max_map_count). */
enum { GUARDED_MOST = 10000 };

/* Children that have ended, kept for the next ones with their stacks, as Go's runtime and pools of
 * coroutines do: else making and removing the stack would be most of what a coroutine costs. */
enum { IDLE_MOST = 64 };

enum { RUNS, SUSPENDED, RESUMED /* and has not taken notice */ };

/* A worker, a worker's child, or a lane's doorman. */
struct task {
    struct xb_coro *coro;
    struct xb_worker *worker; /* NULL: not a worker */
    struct task *next;        /* in the queue of ready tasks, in an inbox, or idle */
    struct task *parent;      /* of a child: waiting for its end, or NULL */
    _Atomic uint32_t state;   /* between suspend() and resume() */
};

struct child {
    struct task task; /* first: how the loop sees it */
    void (*entry)(void *argument);
    void *argument;
};

/* One lane. */
struct loop {
    struct xb_parker parker; /* first: the engine's view */
    struct shared *shared;
    struct xb_lane *lane;
    pthread_t thread;
    struct xb_coro_slab *slab; /* of the stacks, where they are many */
    struct task *running;
    struct task *due;           /* of this round, in order */
    struct task *first, **last; /* ready for the next round, in order */
    uint32_t n_workers, alive, arrived;
    int pumped;        /* what the engine said last */
    bool abandoned;    /* with operations in flight */
    struct task *idle; /* children to be had again */
    uint32_t n_idle;
    /* Where there are several: tasks that other lanes resumed, the last one first, and how this one
     * is woken for them while it waits in its engine. */
    struct task doorman;
    bool has_doorman, closing;
    int bell;                                                   /* eventfd(2), or -1 */
    _Atomic(struct task *) inbox __attribute__((aligned(128))); /* apart: others write here */
    _Atomic bool asleep;
} __attribute__((aligned(128)));

struct shared {
    struct xb_team *team;
    struct task *tasks; /* by worker */
    struct loop *loops; /* by lane */
    struct xb_barrier barrier;
    _Atomic bool broken; /* a lane cannot run its tasks, so none does */
    bool joined;         /* all lanes have ended, well or not */
};

static int probe(struct xb_reason *why)
{
    (void)why;
    return 0;
}

/* ---- one lane ---- */

static void *current(struct xb_parker *parker)
{
    return ((struct loop *)parker)->running;
}

static void unpark(struct xb_parker *parker, void *which)
{
    struct loop *loop = (struct loop *)parker;
    struct task *task = which;
    task->next = NULL;
    *loop->last = task;
    loop->last = &task->next;
}

static bool is_alone(const struct loop *loop)
{
    return loop->shared->team->n_lanes == 1;
}

/* ---- other lanes ---- */

/* Whoever pushes looks whether the lane sleeps, and a lane that falls asleep looks into its inbox:
 * each first writes, then reads what the other one writes, so one of them notices. */
static void push(struct loop *loop, struct task *task)
{
    struct task *first = atomic_load_explicit(&loop->inbox, memory_order_relaxed);
    do {
        task->next = first;
    } while (!atomic_compare_exchange_weak(&loop->inbox, &first, task));
    if (!atomic_load(&loop->asleep) || !atomic_exchange(&loop->asleep, false))
        return;
    /* It cannot fail: the count would have to be near 2^64. */
    if (eventfd_write(loop->bell, 1) != 0)
        abort();
}

static void empty_inbox(struct loop *loop)
{
    if (!atomic_load_explicit(&loop->inbox, memory_order_relaxed))
        return;
    struct task *task = atomic_exchange_explicit(&loop->inbox, NULL, memory_order_acquire);
    struct task *in_order = NULL;
    while (task) {
        struct task *next = task->next;
        task->next = in_order;
        in_order = task;
        task = next;
    }
    while (in_order) {
        task = in_order;
        in_order = task->next;
        unpark(&loop->parker, task);
    }
}

/* ---- turns ---- */

/* Takes the next task whose turn it is. NULL if none is ready, or the engine failed. */
static struct task *take_next(struct loop *loop)
{
    if (!loop->due) {
        empty_inbox(loop);
        if (!loop->first)
            return NULL;
        loop->pumped = loop->shared->team->engine->pump(loop->lane->io, 0);
        if (loop->pumped < 0)
            return NULL;
        loop->due = loop->first;
        loop->first = NULL;
        loop->last = &loop->first;
    }
    struct task *task = loop->due;
    loop->due = task->next;
    return task;
}

static void park(struct xb_parker *parker)
{
    struct loop *loop = (struct loop *)parker;
    struct task *task = loop->running, *next = take_next(loop);
    if (!next) {
        xb_coro_suspend(task->coro);
    } else if (next != task) {
        loop->running = next;
        xb_coro_pass(task->coro, next->coro);
    }
}

/* The most frequent thing that tasks do, so in one call instead of three. */
static void yield(struct xb_parker *parker)
{
    unpark(parker, ((struct loop *)parker)->running);
    park(parker);
}

static void run_ready(struct loop *loop)
{
    for (struct task *task; (task = take_next(loop));) {
        loop->running = task;
        xb_coro_resume(task->coro);
        task = loop->running; /* whoever comes back need not be the one that was resumed */
        if (!xb_coro_finished(task->coro) || task == &loop->doorman)
            continue;
        loop->alive--;
        if (task->parent)
            unpark(&loop->parker, task->parent);
    }
}

/* Whether to wait in the engine until something happens. */
static bool fall_asleep(struct loop *loop)
{
    if (loop->first)
        return false;
    if (is_alone(loop))
        return true;
    atomic_store(&loop->asleep, true);
    return !atomic_load(&loop->inbox);
}

/* Waits for the bell in the engine, like any worker, so that a lane whose workers wait for other
 * lanes sleeps where it would sleep for I/O, whatever the engine is. */
static void keep_door(void *argument)
{
    struct loop *loop = argument;
    uint64_t rings;
    struct xb_io_op op = { .kind = XB_IO_READ,
                           .fd = loop->bell,
                           .buf = &rings,
                           .len = sizeof rings,
                           .offset = XB_IO_STREAM };
    int64_t got = sizeof rings;
    while (got == sizeof rings && !loop->closing)
        got = xb_await(loop->lane->io, &op);
    if (!loop->closing)
        loop->shared->team->fail(loop->shared->team, got < 0 ? (int)got : -EIO,
                                 "lane %u cannot hear other lanes: %s", loop->lane->index,
                                 got < 0 ? strerror((int)-got) : "a short read of its eventfd");
}

/* Only once a worker of this lane waits for another worker: a read in flight makes each round ask
 * the engine, which is a system call that workers who wait for nothing but I/O need not pay. */
static void need_doorman(struct loop *loop)
{
    if (loop->has_doorman)
        return;
    loop->has_doorman = true;
    unpark(&loop->parker, &loop->doorman);
}

/* ---- one lane's life ---- */

static void live(void *argument)
{
    struct task *task = argument;
    task->worker->team->body(task->worker);
}

/* Waits for the engine where no task is ready. Not once the team has failed: what the others wait for
 * may be the one that has. */
static int pump(struct loop *loop)
{
    struct xb_team *team = loop->shared->team;
    int n = loop->pumped;
    if (n >= 0 && is_alone(loop) && !loop->first && team->failed(team)) {
        loop->abandoned = true;
        return -ECANCELED;
    }
    if (n >= 0)
        n = team->engine->pump(loop->lane->io, fall_asleep(loop) ? -1 : 0);
    if (!is_alone(loop))
        atomic_store(&loop->asleep, false);
    if (n == -EDEADLK)
        return team->fail(team, n, "%u workers of the loop wait and nothing can wake them",
                          loop->alive);
    if (n < 0)
        return team->fail(team, n, "%s: %s", team->engine->name, strerror(-n));
    return 0;
}

static int run_tasks(struct loop *loop)
{
    int err = 0;
    while (loop->alive && !err) {
        run_ready(loop);
        if (loop->alive)
            err = pump(loop);
    }
    if (err || !loop->has_doorman)
        return err;
    loop->closing = true;
    eventfd_write(loop->bell, 1);
    while (!xb_coro_finished(loop->doorman.coro) && !err) {
        run_ready(loop);
        if (!xb_coro_finished(loop->doorman.coro))
            err = pump(loop);
    }
    return err;
}

/* The tasks of a lane are those of every n_lanes-th worker. */
static int create_tasks(struct loop *loop)
{
    struct xb_team *team = loop->shared->team;
    uint32_t at = 0;
    if (!is_alone(loop)) {
        loop->bell = eventfd(0, EFD_CLOEXEC);
        if (loop->bell < 0)
            return team->fail(team, -errno, "eventfd of lane %u: %s%s", loop->lane->index,
                              strerror(errno), errno == EMFILE ? "; raise ulimit -n" : "");
        loop->doorman.coro = xb_coro_create(keep_door, loop, STACK_BYTES);
        if (!loop->doorman.coro)
            return team->fail(team, -ENOMEM, "no memory for another stack");
    }
    if (team->n_workers > GUARDED_MOST)
        loop->slab = xb_coro_slab_create(loop->n_workers, MANY_STACK_BYTES, true);
    for (uint32_t i = loop->lane->index; i < team->n_workers; i += team->n_lanes) {
        struct task *task = &loop->shared->tasks[i];
        task->worker = &team->workers[i];
        task->worker->lane = loop->lane;
        task->coro = loop->slab ? xb_coro_slab_begin(loop->slab, at++, live, task)
                                : xb_coro_create(live, task, STACK_BYTES);
        if (!task->coro)
            return team->fail(team, -ENOMEM,
                              "no memory for the stack of worker %u; see ulimit -v and sysctl "
                              "vm.max_map_count, vm.overcommit_memory",
                              i);
        unpark(&loop->parker, task);
    }
    return 0;
}

static void destroy_child(struct task *child)
{
    xb_coro_destroy(child->coro);
    free(child); /* it is the first of a struct child */
}

static void destroy_tasks(struct loop *loop)
{
    struct xb_team *team = loop->shared->team;
    for (uint32_t i = loop->lane->index; i < team->n_workers; i += team->n_lanes)
        xb_coro_destroy(loop->shared->tasks[i].coro);
    for (struct task *child = loop->idle; child; child = loop->idle) {
        loop->idle = child->next;
        destroy_child(child);
    }
    xb_coro_destroy(loop->doorman.coro);
    xb_coro_slab_destroy(loop->slab);
}

/* All of a lane's life, on its own thread: stacks are touched first by the CPU that uses them. */
static int run_lane(struct loop *loop)
{
    struct shared *shared = loop->shared;
    struct xb_team *team = shared->team;
    loop->thread = pthread_self();
    int err = team->enter(loop->lane, &loop->parker);
    bool entered = !err;
    if (!err)
        err = create_tasks(loop);
    if (err)
        atomic_store(&shared->broken, true);
    if (team->n_lanes > 1)
        xb_barrier_wait(&shared->barrier);
    /* After an error the tasks stay suspended for good: the cell's process ends with them. */
    if (!atomic_load(&shared->broken))
        err = run_tasks(loop);
    /* Neither the engine nor stacks may go while operations are in flight: the process will. */
    if (loop->abandoned)
        return err;
    if (!err && xb_coro_slab_overflowed(loop->slab))
        err = team->fail(team, -EOVERFLOW, "a worker needed more than %d KiB of stack",
                         MANY_STACK_BYTES >> 10);
    if (entered)
        team->leave(loop->lane);
    destroy_tasks(loop);
    return err;
}

/* ---- all lanes ---- */

static void *live_lane(void *argument)
{
    struct loop *loop = argument;
    return run_lane(loop) ? loop : NULL;
}

static int run_lanes(struct shared *shared)
{
    struct xb_team *team = shared->team;
    pthread_t *threads = calloc(team->n_lanes, sizeof *threads);
    if (!threads)
        return team->fail(team, -ENOMEM, "loop: out of memory");
    for (uint32_t i = 1; i < team->n_lanes; i++) {
        int err = pthread_create(&threads[i], NULL, live_lane, &shared->loops[i]);
        /* Those that exist wait for all lanes for good: the cell's process ends with them. */
        if (err)
            return team->fail(team, -err, "pthread_create of lane %u: %s%s", i, strerror(err),
                              err == EAGAIN ? "; raise ulimit -u or the cgroup's pids.max" : "");
    }
    int err = run_lane(&shared->loops[0]);
    for (uint32_t i = 1; i < team->n_lanes; i++) {
        void *failed;
        pthread_join(threads[i], &failed);
        if (failed)
            err = -ECANCELED; /* it has said why */
    }
    free(threads);
    shared->joined = true;
    return err;
}

static int run_team(struct xb_team *team, void *memory)
{
    struct shared *shared = memory;
    shared->team = team;
    shared->tasks = calloc(team->n_workers, sizeof *shared->tasks);
    shared->loops = aligned_alloc(_Alignof(struct loop), team->n_lanes * sizeof *shared->loops);
    int err = 0;
    if (!shared->tasks || !shared->loops) {
        err = team->fail(team, -ENOMEM, "loop: out of memory");
        goto done;
    }
    xb_barrier_init(&shared->barrier, team->n_lanes);
    team->meeting = team->n_lanes > 1 ? &shared->barrier : NULL;
    team->model_state = shared;
    for (uint32_t i = 0; i < team->n_lanes; i++) {
        struct loop *loop = &shared->loops[i];
        uint32_t workers = xb_workers_on(team->n_workers, team->n_lanes, i);
        *loop = (struct loop){
            .parker = { .current = current, .park = park, .unpark = unpark, .yield = yield },
            .shared = shared,
            .lane = &team->lanes[i],
            .n_workers = workers,
            .alive = workers,
            .bell = -1,
        };
        loop->last = &loop->first;
    }
    err = run_lanes(shared);
    /* Lanes may be at work with these, or were abandoned: the cell's process ends with them. */
    if (!shared->joined || shared->loops[0].abandoned)
        return err;
    for (uint32_t i = 0; i < team->n_lanes; i++) /* only now: they ring each other's */
        if (shared->loops[i].bell >= 0)
            close(shared->loops[i].bell);
done:
    free(shared->loops);
    free(shared->tasks);
    return err;
}

static void rendezvous(struct xb_worker *worker, void (*arrived)(struct xb_lane *lane),
                       void (*released)(struct xb_lane *lane))
{
    struct shared *shared = worker->team->model_state;
    struct loop *loop = &shared->loops[worker->lane->index];
    uint32_t lanes = worker->team->n_lanes;
    if (++loop->arrived < loop->n_workers) {
        park(&loop->parker);
        return;
    }
    loop->arrived = 0;
    if (arrived)
        arrived(worker->lane);
    /* No task of this lane can run before the others are there, so the thread itself may wait. */
    if (lanes > 1)
        xb_barrier_wait(&shared->barrier);
    if (released)
        released(worker->lane);
    /* The last to arrive goes on at once; the others are ready, in the order of their index. */
    for (uint32_t i = worker->lane->index; i < worker->team->n_workers; i += lanes)
        if (&shared->tasks[i] != loop->running)
            unpark(&loop->parker, &shared->tasks[i]);
}

/* ---- waiting for each other ---- */

static struct loop *loop_of(const struct xb_worker *worker)
{
    struct shared *shared = worker->team->model_state;
    return &shared->loops[worker->lane->index];
}

static struct task *task_of(const struct xb_worker *worker)
{
    struct shared *shared = worker->team->model_state;
    return &shared->tasks[worker->index];
}

static void checkpoint(struct xb_worker *worker)
{
    xb_engine_yield(&loop_of(worker)->parker);
}

static void suspend(struct xb_worker *self)
{
    struct loop *loop = loop_of(self);
    struct task *task = task_of(self);
    uint32_t runs = RUNS;
    if (!is_alone(loop))
        need_doorman(loop);
    /* Alone, nobody comes in between, and a locked instruction would cost more than the switch. */
    bool waits = atomic_load_explicit(&task->state, memory_order_relaxed) == RUNS;
    if (is_alone(loop) && waits)
        atomic_store_explicit(&task->state, SUSPENDED, memory_order_relaxed);
    else if (!is_alone(loop))
        waits = atomic_compare_exchange_strong(&task->state, &runs, SUSPENDED);
    if (waits)
        park(&loop->parker);
    atomic_store_explicit(&task->state, RUNS, memory_order_relaxed);
}

static void resume(struct xb_worker *worker)
{
    struct loop *loop = loop_of(worker);
    struct task *task = task_of(worker);
    uint32_t was = atomic_load_explicit(&task->state, memory_order_relaxed);
    if (is_alone(loop))
        atomic_store_explicit(&task->state, RESUMED, memory_order_relaxed);
    else
        was = atomic_exchange(&task->state, RESUMED);
    if (was != SUSPENDED)
        return;
    if (is_alone(loop) || pthread_equal(loop->thread, pthread_self()))
        unpark(&loop->parker, task);
    else
        push(loop, task);
}

static void live_as_child(void *argument)
{
    struct child *child = argument;
    child->entry(child->argument);
}

/* NULL when out of memory. */
static struct child *take_child(struct loop *loop)
{
    struct child *child = (struct child *)loop->idle;
    if (child) {
        loop->idle = child->task.next;
        loop->n_idle--;
        xb_coro_restart(child->task.coro);
        return child;
    }
    child = calloc(1, sizeof *child);
    if (child)
        child->task.coro = xb_coro_create(live_as_child, child, STACK_BYTES);
    if (child && child->task.coro)
        return child;
    free(child);
    return NULL;
}

static void give_child(struct loop *loop, struct task *child)
{
    if (loop->n_idle == IDLE_MOST) {
        destroy_child(child);
        return;
    }
    child->parent = NULL;
    child->next = loop->idle;
    loop->idle = child;
    loop->n_idle++;
}

/* On the lane of its parent. */
static int spawn(struct xb_worker *by, void (*entry)(void *argument), void *argument, void **out)
{
    struct loop *loop = loop_of(by);
    struct child *child = take_child(loop);
    if (!child)
        return -ENOMEM;
    child->entry = entry;
    child->argument = argument;
    loop->alive++;
    unpark(&loop->parker, &child->task);
    *out = &child->task;
    return 0;
}

static int join(struct xb_worker *by, void *which)
{
    struct loop *loop = loop_of(by);
    struct task *child = which;
    if (!xb_coro_finished(child->coro)) {
        child->parent = loop->running;
        park(&loop->parker);
    }
    give_child(loop, child);
    return 0;
}

const struct xb_model xb_model_loop = {
    .name = "loop",
    .summary = "workers are coroutines on one core, or on --lanes: cooperative, shared memory",
    .rank = 2,
    .parks = true,
    .shares_lanes = true,
    .worker_bytes = 5 << 10,
    .state_bytes = sizeof(struct shared),
    .slice_ns = SLICE_NS,
    .probe = probe,
    .run_team = run_team,
    .rendezvous = rendezvous,
    .checkpoint = checkpoint,
    .suspend = suspend,
    .resume = resume,
    .spawn = spawn,
    .join = join,
};
