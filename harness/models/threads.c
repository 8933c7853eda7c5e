/* SPDX-License-Identifier: BSD-3-Clause
 * Threads: each worker is an OS thread of one process, scheduled preemptively, sharing memory. */
#include "preemptive.h"

#include "../base/crew.h"

/* Kernels promise to stay under 16 KiB; set-up and verification run here too. */
enum { STACK_BYTES = 512 << 10 };

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

static int run_team(struct xb_team *team, void *shared)
{
    uint32_t created;
    xb_preemptive_begin(team, shared, true);
    int err = xb_crew_run(team->n_workers, STACK_BYTES, live, team->workers,
                          sizeof team->workers[0], &created);
    return err ? xb_preemptive_fail(team, err, created) : 0;
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
    .state_bytes = sizeof(struct xb_preemptive),
    .probe = probe,
    .run_team = run_team,
    .rendezvous = xb_preemptive_rendezvous,
    .suspend = xb_preemptive_suspend,
    .resume = xb_preemptive_resume,
    .wait_at = xb_preemptive_wait_at,
    .open_gate = xb_preemptive_open_gate,
    .spawn = spawn,
    .join = join,
};
