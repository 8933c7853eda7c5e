/* What those models share whose workers each own an OS thread, which the kernel schedules and puts to
 * sleep. */
#ifndef XB_MODELS_PREEMPTIVE_H
#define XB_MODELS_PREEMPTIVE_H

#include "model.h"

#include "../base/barrier.h"
#include "../base/gate.h"

#include <errno.h>
#include <string.h>

/* The state of such a model begins with this. */
struct xb_preemptive {
    struct xb_barrier meeting;
};

/* Before any worker exists. `one_process`: the workers are threads of one. */
static inline void xb_preemptive_begin(struct xb_team *team, struct xb_preemptive *shared,
                                       bool one_process)
{
    /* Who looks before he sleeps keeps the one from computing that he waits for, where only one can. */
    uint32_t rivals = team->model->one_at_a_time ? UINT32_MAX : team->n_workers;
    team->model_state = shared;
    xb_barrier_init(&shared->meeting, team->n_workers);
    team->meeting = &shared->meeting;
    for (uint32_t i = 0; i < team->n_workers; i++) {
        team->workers[i].lane = &team->lanes[i];
        xb_permit_init(&team->workers[i].permit, rivals, one_process);
    }
}

/* Says why there are no more than so many threads; returns `err`. */
static inline int xb_preemptive_fail(struct xb_team *team, int err, uint32_t created)
{
    return team->fail(
        team, err, "pthread_create of worker %u: %s%s", created, strerror(-err),
        err == -EAGAIN ? "; see ulimit -u, the cgroup's pids.max and sysctl vm.max_map_count" : "");
}

/* These are what the functions of xb_model of that name do. */

static inline void xb_preemptive_rendezvous(struct xb_worker *worker,
                                            void (*arrived)(struct xb_lane *lane),
                                            void (*released)(struct xb_lane *lane))
{
    struct xb_preemptive *shared = worker->team->model_state;
    if (arrived)
        arrived(worker->lane);
    xb_barrier_wait(&shared->meeting);
    if (released)
        released(worker->lane);
}

static inline void xb_preemptive_suspend(struct xb_worker *self)
{
    xb_permit_wait(&self->permit);
}

static inline void xb_preemptive_resume(struct xb_worker *worker)
{
    xb_permit_give(&worker->permit);
}

static inline void xb_preemptive_wait_at(struct xb_worker *self, _Atomic uint32_t *gate,
                                         uint32_t seen)
{
    xb_gate_wait(gate, seen, self->permit.looks, self->permit.one_process);
}

static inline void xb_preemptive_open_gate(struct xb_worker *by, _Atomic uint32_t *gate,
                                           uint32_t seen)
{
    xb_gate_open(gate, seen, by->permit.one_process);
}

#endif
