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

struct task {
    struct xb_coro *coro;
    struct xb_worker *worker;
    struct task *next; /* in the queue of ready tasks */
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
        if (xb_coro_finished(task->coro))
            loop->alive--;
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
};
