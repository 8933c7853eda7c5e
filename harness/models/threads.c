/* SPDX-License-Identifier: BSD-3-Clause
 * Threads: each worker is an OS thread of one process, scheduled preemptively, sharing memory. */
#include "model.h"

#include "../base/barrier.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* Kernels promise to stay under 16 KiB; set-up and verification run here too. */
enum { STACK_BYTES = 512 << 10 };

struct shared {
    struct xb_barrier barrier;
    pthread_t *threads;
};

static int probe(struct xb_reason *why)
{
    (void)why;
    return 0;
}

static uint32_t lanes(uint32_t workers)
{
    return workers;
}

static void *live(void *argument)
{
    struct xb_worker *worker = argument;
    /* A lane that could not be entered still meets the others at every rendezvous: body() sees
     * that the team has failed and does no work. */
    worker->team->enter(worker->lane, NULL);
    worker->team->body(worker);
    worker->team->leave(worker->lane);
    return NULL;
}

static int create(struct xb_team *team, struct shared *shared, const pthread_attr_t *attributes)
{
    uint32_t created = 0;
    int err = 0;
    for (; created < team->n_workers; created++) {
        struct xb_worker *worker = &team->workers[created];
        worker->lane = &team->lanes[created];
        xb_permit_init(&worker->permit, team->n_workers);
        err = pthread_create(&shared->threads[created], attributes, live, worker);
        if (err)
            break;
    }
    if (err) {
        /* Those that exist wait for a full team that will never be: the cell ends here, and the
         * process with it, which is why nothing is joined. */
        return team->fail(team, -err, "pthread_create of worker %u: %s%s", created, strerror(err),
                          err == EAGAIN ? "; raise ulimit -u or the cgroup's pids.max" : "");
    }
    for (uint32_t i = 0; i < team->n_workers; i++)
        pthread_join(shared->threads[i], NULL);
    return 0;
}

static int run_team(struct xb_team *team, void *memory)
{
    struct shared *shared = memory;
    team->model_state = shared;
    xb_barrier_init(&shared->barrier, team->n_workers);
    shared->threads = calloc(team->n_workers, sizeof *shared->threads);
    if (!shared->threads)
        return team->fail(team, -ENOMEM, "threads: out of memory");
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK_BYTES);
    int err = create(team, shared, &attributes);
    pthread_attr_destroy(&attributes);
    free(shared->threads);
    return err;
}

static void rendezvous(struct xb_worker *worker, void (*arrived)(struct xb_lane *lane),
                       void (*released)(struct xb_lane *lane))
{
    struct shared *shared = worker->team->model_state;
    if (arrived)
        arrived(worker->lane);
    xb_barrier_wait(&shared->barrier);
    if (released)
        released(worker->lane);
}

static void suspend(struct xb_worker *self)
{
    xb_permit_wait(&self->permit);
}

static void resume(struct xb_worker *worker)
{
    xb_permit_give(&worker->permit);
}

struct child {
    pthread_t thread;
    void (*entry)(void *argument);
    void *argument;
};

static void *live_as_child(void *argument)
{
    struct child *child = argument;
    child->entry(child->argument);
    return NULL;
}

static int spawn(struct xb_worker *by, void (*entry)(void *argument), void *argument, void **out)
{
    (void)by;
    struct child *child = malloc(sizeof *child);
    if (!child)
        return -ENOMEM;
    *child = (struct child){ .entry = entry, .argument = argument };
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK_BYTES);
    int err = pthread_create(&child->thread, &attributes, live_as_child, child);
    pthread_attr_destroy(&attributes);
    if (err) {
        free(child);
        return -err;
    }
    *out = child;
    return 0;
}

static int join(struct xb_worker *by, void *which)
{
    (void)by;
    struct child *child = which;
    int err = pthread_join(child->thread, NULL);
    free(child);
    return -err;
}

const struct xb_model xb_model_threads = {
    .name = "threads",
    .summary = "one OS thread per worker: preemptive, shared memory",
    .rank = 0,
    .parks = false,
    .state_bytes = sizeof(struct shared),
    .probe = probe,
    .lanes = lanes,
    .run_team = run_team,
    .rendezvous = rendezvous,
    .suspend = suspend,
    .resume = resume,
    .spawn = spawn,
    .join = join,
};
