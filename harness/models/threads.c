/* SPDX-License-Identifier: BSD-3-Clause
 * Threads: each worker is an OS thread of one process, scheduled preemptively, sharing memory. */
#include "model.h"

#include "../base/barrier.h"
#include "../base/crew.h"

#include <errno.h>
#include <string.h>

/* Kernels promise to stay under 16 KiB; set-up and verification run here too. */
enum { STACK_BYTES = 512 << 10 };

struct shared {
    struct xb_barrier barrier;
};

static int probe(struct xb_reason *why)
{
    (void)why;
    return 0;
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

static int run_team(struct xb_team *team, void *memory)
{
    struct shared *shared = memory;
    uint32_t n = team->n_workers, created;
    team->model_state = shared;
    xb_barrier_init(&shared->barrier, n);
    for (uint32_t i = 0; i < n; i++)
        team->workers[i].lane = &team->lanes[i];
    int err = xb_crew_run(n, STACK_BYTES, live, team->workers, sizeof team->workers[0], &created);
    if (!err)
        return 0;
    return team->fail(
        team, err, "pthread_create of worker %u: %s%s", created, strerror(-err),
        err == -EAGAIN ? "; see ulimit -u, the cgroup's pids.max and sysctl vm.max_map_count" : "");
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

static int spawn(struct xb_worker *by, void (*entry)(void *argument), void *argument, void **child)
{
    (void)by;
    return xb_crew_spawn(STACK_BYTES, entry, argument, child);
}

static int join(struct xb_worker *by, void *child)
{
    (void)by;
    return xb_crew_join(child);
}

const struct xb_model xb_model_threads = {
    .name = "threads",
    .summary = "one OS thread per worker: preemptive, shared memory",
    .rank = 0,
    .parks = false,
    .worker_bytes = 48 << 10,
    .state_bytes = sizeof(struct shared),
    .probe = probe,
    .run_team = run_team,
    .rendezvous = rendezvous,
    .suspend = suspend,
    .resume = resume,
    .spawn = spawn,
    .join = join,
};
