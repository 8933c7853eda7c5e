/* What an execution model is: a way to have N workers exist at once. */
#ifndef XB_MODELS_MODEL_H
#define XB_MODELS_MODEL_H

#include "../base/barrier.h"
#include "../base/permit.h"
#include "../base/reason.h"
#include "../engines/engine.h"

#include <stdbool.h>
#include <stdint.h>

struct xb_team;

/* One OS thread or process that hosts workers. Part of the team's shared memory. */
struct xb_lane {
    struct xb_team *team;
    uint32_t index;
    struct xb_io *io; /* opened by enter(), on this lane */
    void *harness;    /* the harness's: measurements of this lane */
};

/* One concurrent instance of the kernel. Part of the team's shared memory. */
struct xb_worker {
    struct xb_team *team;
    struct xb_lane *lane; /* set by the model before body() */
    uint32_t index;
    void *harness;           /* the harness's: what this worker did */
    struct xb_permit permit; /* the model's, for suspend() and resume() */
};

/* Workers and lanes of one cell. Lives in memory that every lane sees at the same address. */
struct xb_team {
    const struct xb_model *model;
    const struct xb_io_engine *engine;
    struct xb_worker *workers;
    struct xb_lane *lanes;
    uint32_t n_workers, n_lanes;
    void *model_state; /* the model's, while run_team() is on */
    /* Where its lanes wait for each other at a rendezvous, in `shared` of run_team(): the model's. NULL: it has
     * one lane, which waits for nobody. */
    struct xb_barrier *meeting;

    /* Supplied by the harness, called by the model. enter() and leave() on the lane itself,
     * around all bodies of that lane; when enter() fails the team fails and no body runs there.
     * body() once in each worker. fail() from anywhere: the first one wins; and failed() says whether
     * somebody called it, or a worker's kernel has failed. */
    int (*enter)(struct xb_lane *lane, struct xb_parker *parker);
    void (*leave)(struct xb_lane *lane);
    void (*body)(struct xb_worker *worker);
    int (*fail)(struct xb_team *team, int code, const char *format, ...)
        __attribute__((format(printf, 3, 4)));
    bool (*failed)(const struct xb_team *team);
};

/* A model file defines one of these, const, named xb_model_<file stem>. */
struct xb_model {
    const char *name; /* "threads", "processes", "loop", "gil" */
    const char *summary;
    int rank;          /* calibration is done under the lowest that does not park */
    bool parks;        /* workers are coroutines: engines get a parker */
    bool isolates;     /* workers are processes, each with memory of its own */
    bool shares_lanes; /* a lane hosts many workers: obeys --lanes, and has one without it.
                        * Otherwise each worker is a lane of its own. */
    /* Only one worker computes at a time, however many lanes and CPUs there are: that the others
     * have no CPU meanwhile is the model's nature and no fault of the machine. */
    bool one_at_a_time;
    uint64_t slice_ns;   /* long work is cut into slices of about that length; 0: never */
    size_t worker_bytes; /* of memory that a worker takes at least, the kernel's included */
    size_t state_bytes;  /* of shared memory that the model wants for itself */
    int (*probe)(struct xb_reason *why);
    /* Creates the workers, runs body() once in each, returns when all are gone. `shared`:
     * zeroed memory that every lane sees, state_bytes of it. A worker that dies
     * fails the team and never hangs it. 0, or -errno after calling team->fail(). */
    int (*run_team)(struct xb_team *team, void *shared);
    /* Called by every worker equally often, whatever went wrong. No worker passes before all
     * have arrived. `arrived` and `released` (each may be NULL) run exactly once per lane, on
     * that lane's own OS thread: the one when its last worker has arrived, before it waits for
     * other lanes; the other when all lanes have arrived, before any of its workers goes on. */
    void (*rendezvous)(struct xb_worker *worker, void (*arrived)(struct xb_lane *lane),
                       void (*released)(struct xb_lane *lane));
    /* Around a worker's work of each window and inside of the window, by the worker: what they wait
     * for is part of what is measured. Optional, both or none. */
    void (*begin_work)(struct xb_worker *worker);
    void (*end_work)(struct xb_worker *worker);
    /* Between two slices, by the worker: lets others go on, where that is due. There where slice_ns
     * is. */
    void (*checkpoint)(struct xb_worker *worker);
    /* The calling worker waits until another one resumes it, the way workers of this model wait:
     * locks and queues (kernels/sync.h) are made of these two. A resume() that comes first is
     * remembered, and its suspend() returns at once. resume(): from any worker of the team, whatever
     * lane it is on. */
    void (*suspend)(struct xb_worker *self);
    void (*resume)(struct xb_worker *worker);
    /* Where one call can wake all who wait (base/gate.h): the calling worker waits while a gate is as
     * it was `seen`, and open_gate() lets all through. Both or none; without, those who wait are
     * resumed one by one. */
    void (*wait_at)(struct xb_worker *self, _Atomic uint32_t *gate, uint32_t seen);
    void (*open_gate)(struct xb_worker *by, _Atomic uint32_t *gate, uint32_t seen);
    /* Has entry(argument) called by a further instance of what workers are here (a thread, a
     * process, a coroutine), which is no worker: it meets nobody and only ends. *child: to be
     * joined once, by the worker that spawned it. 0 or -errno. */
    int (*spawn)(struct xb_worker *by, void (*entry)(void *argument), void *argument, void **child);
    int (*join)(struct xb_worker *by, void *child);
};

/* Lanes of a team where nobody asks for another number. */
static inline uint32_t xb_model_lanes(const struct xb_model *model, uint32_t workers)
{
    return model->shares_lanes ? 1 : workers;
}

/* How many workers lane `index` of `lanes` hosts where they are dealt in turn. */
static inline uint32_t xb_workers_on(uint32_t workers, uint32_t lanes, uint32_t index)
{
    return workers / lanes + (index < workers % lanes);
}

#endif
