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
 * for I/O. */
#include "model.h"

#include "../base/barrier.h"
#include "../base/coro.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* Kernels promise to stay under 16 KiB; set-up and verification run here too. Where there are many,
 * addresses are what a smaller stack saves: only pages that are touched take memory. */
enum { STACK_BYTES = 256 << 10, MANY_STACK_BYTES = 64 << 10 };

/* Two mappings for each guarded stack, of 65530 that a process may have (vm.max_map_count). */
enum { GUARDED_MOST = 10000 };

struct task {
    struct xb_coro *coro;
    struct xb_worker *worker;
    struct task *next; /* in the queue of ready tasks */
};

/* One lane. */
struct loop {
    struct xb_parker parker; /* first: the engine's view */
    struct shared *shared;
    struct xb_lane *lane;
    struct xb_coro_slab *slab; /* of the stacks, where they are many */
    struct task *running;
    struct task *first, **last; /* ready, in order */
    uint32_t n_workers, alive, arrived;
    pthread_t thread; /* of lanes but the first, which is the caller's */
} __attribute__((aligned(128)));

struct shared {
    struct xb_team *team;
    struct task *tasks; /* by worker */
    struct loop *loops; /* by lane */
    struct xb_barrier barrier;
    _Atomic bool broken; /* a lane cannot run its tasks, so none does */
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

static void park(struct xb_parker *parker)
{
    xb_coro_suspend(((struct loop *)parker)->running->coro);
}

static void unpark(struct xb_parker *parker, void *which)
{
    struct loop *loop = (struct loop *)parker;
    struct task *task = which;
    task->next = NULL;
    *loop->last = task;
    loop->last = &task->next;
}

static void live(void *argument)
{
    struct task *task = argument;
    task->worker->team->body(task->worker);
}

static void run_round(struct loop *loop)
{
    struct task *task = loop->first;
    loop->first = NULL;
    loop->last = &loop->first;
    while (task) {
        struct task *next = task->next; /* the task may queue itself again */
        loop->running = task;
        xb_coro_resume(task->coro);
        if (xb_coro_finished(task->coro))
            loop->alive--;
        task = next;
    }
}

static int run_tasks(struct loop *loop)
{
    struct xb_team *team = loop->shared->team;
    while (loop->alive) {
        run_round(loop);
        if (!loop->alive)
            break;
        int n = team->engine->pump(loop->lane->io, loop->first ? 0 : -1);
        if (n == -EDEADLK)
            return team->fail(team, n, "%u workers of the loop wait and nothing can wake them",
                              loop->alive);
        if (n < 0)
            return team->fail(team, n, "%s: %s", team->engine->name, strerror(-n));
    }
    return 0;
}

/* The tasks of a lane are those of every n_lanes-th worker. */
static int create_tasks(struct loop *loop)
{
    struct xb_team *team = loop->shared->team;
    uint32_t at = 0;
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

static void destroy_tasks(struct loop *loop)
{
    struct xb_team *team = loop->shared->team;
    for (uint32_t i = loop->lane->index; i < team->n_workers; i += team->n_lanes)
        xb_coro_destroy(loop->shared->tasks[i].coro);
    xb_coro_slab_destroy(loop->slab);
}

/* All of a lane's life, on its own thread: stacks are touched first by the CPU that uses them. */
static int run_lane(struct loop *loop)
{
    struct shared *shared = loop->shared;
    struct xb_team *team = shared->team;
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
    for (uint32_t i = 1; i < team->n_lanes; i++) {
        int err = pthread_create(&shared->loops[i].thread, NULL, live_lane, &shared->loops[i]);
        /* Those that exist wait for all lanes for good: the cell's process ends with them. */
        if (err)
            return team->fail(team, -err, "pthread_create of lane %u: %s%s", i, strerror(err),
                              err == EAGAIN ? "; raise ulimit -u or the cgroup's pids.max" : "");
    }
    int err = run_lane(&shared->loops[0]);
    for (uint32_t i = 1; i < team->n_lanes; i++) {
        void *failed;
        pthread_join(shared->loops[i].thread, &failed);
        if (failed)
            err = -ECANCELED; /* it has said why */
    }
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
    team->model_state = shared;
    for (uint32_t i = 0; i < team->n_lanes; i++) {
        struct loop *loop = &shared->loops[i];
        uint32_t workers = xb_workers_on(team->n_workers, team->n_lanes, i);
        *loop = (struct loop){
            .parker = { .current = current, .park = park, .unpark = unpark },
            .shared = shared,
            .lane = &team->lanes[i],
            .n_workers = workers,
            .alive = workers,
        };
        loop->last = &loop->first;
    }
    err = run_lanes(shared);
    if (err) /* lanes may still be at work with these: the cell's process ends with them */
        return err;
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

const struct xb_model xb_model_loop = {
    .name = "loop",
    .summary = "workers are coroutines on one core, or on --lanes: cooperative, shared memory",
    .rank = 2,
    .parks = true,
    .shares_lanes = true,
    .worker_bytes = 5 << 10,
    .state_bytes = sizeof(struct shared),
    .probe = probe,
    .run_team = run_team,
    .rendezvous = rendezvous,
};
