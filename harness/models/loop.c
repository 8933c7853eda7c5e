/* SPDX-License-Identifier: BSD-3-Clause
 * Loop: all workers are coroutines of one OS thread, which take turns when they await.
 *
 * Ready tasks run round robin. The engine is asked for completions once per round, without
 * waiting while a task is ready, so that workers that only yield cannot starve those that wait
 * for I/O. */
#include "model.h"

#include "../base/coro.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Shorter slices would measure switching, longer ones would not interleave within a sample. */
#define SLICE_NS UINT64_C(1000000)

/* Kernels promise to stay under 16 KiB; set-up and verification run here too. */
enum { STACK_BYTES = 256 << 10 };

/* A worker, or a worker's child. */
struct task {
    struct xb_coro *coro;
    struct xb_worker *worker; /* NULL: a child */
    struct task *next;        /* in the queue of ready tasks */
    bool suspended, resumed;  /* in suspend(); before it */
    /* A child's. */
    struct task *parent; /* waiting for its end, or NULL */
    void (*entry)(void *argument);
    void *argument;
};

struct loop {
    struct xb_parker parker; /* first: the engine's view */
    struct task *tasks;
    struct task *running;
    struct task *first, **last; /* ready, in order */
    uint32_t alive, arrived;
};

static int probe(struct xb_reason *why)
{
    (void)why;
    return 0;
}

static uint32_t lanes(uint32_t workers)
{
    (void)workers;
    return 1;
}

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
        if (xb_coro_finished(task->coro)) {
            loop->alive--;
            if (task->parent)
                unpark(&loop->parker, task->parent);
        }
        task = next;
    }
}

static int run_tasks(struct loop *loop, struct xb_team *team)
{
    while (loop->alive) {
        run_round(loop);
        if (!loop->alive)
            break;
        int n = team->engine->pump(team->lanes[0].io, loop->first ? 0 : -1);
        if (n == -EDEADLK)
            return team->fail(team, n, "%u workers of the loop wait and nothing can wake them",
                              loop->alive);
        if (n < 0)
            return team->fail(team, n, "%s: %s", team->engine->name, strerror(-n));
    }
    return 0;
}

static int run_team(struct xb_team *team, void *memory)
{
    struct loop *loop = memory;
    *loop = (struct loop){
        .parker = { .current = current, .park = park, .unpark = unpark },
        .alive = team->n_workers,
    };
    loop->last = &loop->first;
    team->model_state = loop;
    int err = 0;
    loop->tasks = calloc(team->n_workers, sizeof *loop->tasks);
    if (!loop->tasks)
        return team->fail(team, -ENOMEM, "loop: out of memory");
    for (uint32_t i = 0; i < team->n_workers; i++) {
        struct task *task = &loop->tasks[i];
        task->worker = &team->workers[i];
        task->worker->lane = &team->lanes[0];
        task->coro = xb_coro_create(live, task, STACK_BYTES);
        if (!task->coro) {
            err = team->fail(team, -ENOMEM,
                             "no memory for the stack of worker %u; for more than 32000 "
                             "workers raise sysctl vm.max_map_count",
                             i);
            goto done;
        }
        unpark(&loop->parker, task);
    }
    err = team->enter(&team->lanes[0], &loop->parker);
    if (!err) {
        /* After an error the tasks stay suspended for good: the cell's process ends with them. */
        err = run_tasks(loop, team);
        team->leave(&team->lanes[0]);
    }
done:
    for (uint32_t i = 0; i < team->n_workers; i++)
        xb_coro_destroy(loop->tasks[i].coro);
    free(loop->tasks);
    return err;
}

static void rendezvous(struct xb_worker *worker, void (*arrived)(struct xb_lane *lane),
                       void (*released)(struct xb_lane *lane))
{
    struct loop *loop = worker->team->model_state;
    if (++loop->arrived < worker->team->n_workers) {
        park(&loop->parker);
        return;
    }
    loop->arrived = 0;
    if (arrived)
        arrived(worker->lane);
    if (released)
        released(worker->lane);
    /* The last to arrive goes on at once; the others are ready, in the order of their index. */
    for (uint32_t i = 0; i < worker->team->n_workers; i++)
        if (&loop->tasks[i] != loop->running)
            unpark(&loop->parker, &loop->tasks[i]);
}

static void checkpoint(struct xb_worker *worker)
{
    struct loop *loop = worker->team->model_state;
    xb_engine_yield(&loop->parker);
}

static void suspend(struct xb_worker *self)
{
    struct loop *loop = self->team->model_state;
    struct task *task = &loop->tasks[self->index];
    if (!task->resumed) {
        task->suspended = true;
        park(&loop->parker);
    }
    task->suspended = task->resumed = false;
}

static void resume(struct xb_worker *worker)
{
    struct loop *loop = worker->team->model_state;
    struct task *task = &loop->tasks[worker->index];
    if (task->suspended && !task->resumed)
        unpark(&loop->parker, task);
    task->resumed = true;
}

static void live_as_child(void *argument)
{
    struct task *task = argument;
    task->entry(task->argument);
}

static int spawn(struct xb_worker *by, void (*entry)(void *argument), void *argument, void **out)
{
    struct loop *loop = by->team->model_state;
    struct task *child = calloc(1, sizeof *child);
    if (!child)
        return -ENOMEM;
    child->entry = entry;
    child->argument = argument;
    child->coro = xb_coro_create(live_as_child, child, STACK_BYTES);
    if (!child->coro) {
        free(child);
        return -ENOMEM;
    }
    loop->alive++;
    unpark(&loop->parker, child);
    *out = child;
    return 0;
}

static int join(struct xb_worker *by, void *which)
{
    struct loop *loop = by->team->model_state;
    struct task *child = which;
    if (!xb_coro_finished(child->coro)) {
        child->parent = loop->running;
        park(&loop->parker);
    }
    xb_coro_destroy(child->coro);
    free(child);
    return 0;
}

const struct xb_model xb_model_loop = {
    .name = "loop",
    .summary = "all workers are coroutines on one core: cooperative, shared memory",
    .rank = 2,
    .parks = true,
    .slice_ns = SLICE_NS,
    .state_bytes = sizeof(struct loop),
    .probe = probe,
    .lanes = lanes,
    .run_team = run_team,
    .rendezvous = rendezvous,
    .checkpoint = checkpoint,
    .suspend = suspend,
    .resume = resume,
    .spawn = spawn,
    .join = join,
};
