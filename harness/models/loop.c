/* SPDX-License-Identifier: BSD-3-Clause
 * Loop: all workers are coroutines of one OS thread, which take turns when they await.
 *
 * Ready tasks run round robin. The engine is asked for completions once per round, without
 * waiting while a task is ready, so that workers that only yield cannot starve those that wait
 * for I/O. A task that parks passes on to the next by itself and begins the next round by itself:
 * the way through run_tasks() and back is two switches, after which the CPU mispredicts every
 * return. It took 23 ns where this takes 7. */
#include "model.h"

#include "../base/coro.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

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
    struct xb_team *team;
    struct task *due;           /* of this round, in order */
    struct task *first, **last; /* ready for the next round, in order */
    uint32_t alive, arrived;
    int pumped; /* what the engine said last */
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

/* Takes the next task whose turn it is. NULL if none is ready, or the engine failed. */
static struct task *take_next(struct loop *loop)
{
    if (!loop->due) {
        if (!loop->first)
            return NULL;
        loop->pumped = loop->team->engine->pump(loop->team->lanes[0].io, 0);
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

static void unpark(struct xb_parker *parker, void *which)
{
    struct loop *loop = (struct loop *)parker;
    struct task *task = which;
    task->next = NULL;
    *loop->last = task;
    loop->last = &task->next;
}

/* The most frequent thing that tasks do, so in one call instead of three. */
static void yield(struct xb_parker *parker)
{
    unpark(parker, ((struct loop *)parker)->running);
    park(parker);
}

static void live(void *argument)
{
    struct task *task = argument;
    task->worker->team->body(task->worker);
}

static int run_tasks(struct loop *loop, struct xb_team *team)
{
    while (loop->alive) {
        for (struct task *task; (task = take_next(loop));) {
            loop->running = task;
            xb_coro_resume(task->coro);
            /* Whoever comes back need not be the one that was resumed. */
            loop->alive -= xb_coro_finished(loop->running->coro);
        }
        if (loop->alive && loop->pumped >= 0)
            loop->pumped = team->engine->pump(team->lanes[0].io, -1);
        if (loop->pumped == -EDEADLK)
            return team->fail(team, -EDEADLK,
                              "%u workers of the loop wait and nothing can wake them", loop->alive);
        if (loop->pumped < 0)
            return team->fail(team, loop->pumped, "%s: %s", team->engine->name,
                              strerror(-loop->pumped));
    }
    return 0;
}

static int run_team(struct xb_team *team, void *memory)
{
    struct loop *loop = memory;
    *loop = (struct loop){
        .parker = { .current = current, .park = park, .unpark = unpark, .yield = yield },
        .team = team,
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

const struct xb_model xb_model_loop = {
    .name = "loop",
    .summary = "all workers are coroutines on one core: cooperative, shared memory",
    .rank = 2,
    .parks = true,
    .state_bytes = sizeof(struct loop),
    .probe = probe,
    .lanes = lanes,
    .run_team = run_team,
    .rendezvous = rendezvous,
};
