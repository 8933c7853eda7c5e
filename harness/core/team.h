/* One cell's measurement, from set-up to the last sample, as the workers of a team live it.
 *
 * This is the only place that knows the order of steps: set up, begin, meet, run, meet, decide
 * whether to go on, verify, tear down. Models bring the workers, kernels the work. */
#ifndef XB_CORE_TEAM_H
#define XB_CORE_TEAM_H

#include "../../kernels/kernel.h"
#include "../base/memory.h"
#include "../base/reason.h"
#include "../counters/source.h"
#include "../models/model.h"
#include "../stats/histogram.h"
#include "footprint.h"
#include "limit.h"
#include "pace.h"
#include "sample.h"
#include "sync.h"
#include "topology.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>

/* Decides from outside how the windows of a cell go, in place of the plan's budget: `xbound ab` takes
 * its slices so. The windows are those of any run. */
struct xb_pacer {
    /* After each window, with what it took; worker 0 calls it, while the others wait. Iterations of
     * the next window, or 0: no more. */
    uint64_t (*next)(struct xb_pacer *pacer, const struct xb_sample *window);
    /* Each worker's stack and heap begin so many bytes further on, lest where they lie is the same
     * in all processes of a build. */
    size_t stack_pad, heap_pad;
    /* Each worker spins for this share of what its work took, inside of the window: a slowdown of
     * known size, for the gate to find. CPU time; wall time if the work waits. */
    double stretch;
};

enum { XB_FAR_ENDS_MOST = 8 };

/* What of a cell is no part of its workers' work: set before it is looked at. */
struct xb_aside {
    /* The futex word at which lanes sleep until all are at a window's edge, at the same address in each of the
     * cell's processes; NULL: they do not. */
    const void *meeting;
    /* The processes that the kernel's team_setup() has made: servers that its workers talk to. */
    pid_t far_end[XB_FAR_ENDS_MOST];
    size_t n_far_ends;
};

/* Looks at a cell from outside once all else is measured, while its workers go on with their work. */
struct xb_observer {
    /* In the process that waits for the cell, whose first process is `pid`; the windows last until
     * this returns. */
    void (*look)(struct xb_observer *observer, pid_t pid, const struct xb_aside *aside);
};

enum xb_observed { XB_OBSERVED_NOT_YET, XB_OBSERVED_NOW, XB_OBSERVED_ENOUGH };

/* What a team is to do. */
struct xb_plan {
    const struct xb_kernel *kernel;
    const struct xb_model *model;
    const struct xb_io_engine *engine;
    const struct xb_counter_source *source;
    const struct xb_topology *topology; /* NULL: do not bind */
    const struct xb_limit *limit;       /* of the cell's memory; NULL: none */
    struct xb_params params;            /* index and why are filled in per worker */
    uint32_t lanes;                     /* 0: as many as the model has by itself */
    enum xb_bind bind;
    struct xb_events events; /* what the source is asked for */
    uint64_t iters;          /* per worker and sample, >= 1; where calibration begins */
    uint64_t slice_iters;    /* models that cut work do it after as many; 0: never */
    uint64_t calibrate_ns;   /* not 0: only find the iters that take about this long, or where */
    uint64_t calibrate_instructions; /* this is not 0 either: that execute so many */
    uint64_t budget_ns;              /* for all samples of the cell; at least one is taken */
    uint32_t samples;                /* exactly as many; 0: until precise or out of budget */
    double precision;                /* half width of the interval of the median over the median */
    bool latency;                    /* afterwards, take latencies for a quarter of the budget */
    struct xb_pacer *pacer;          /* NULL: none */
    struct xb_observer *observer;    /* NULL: none */
};

/* What came of it. Lives in shared memory; the harness's process reads it even if every worker
 * is dead, up to n_samples. */
struct xb_result {
    _Atomic int failed; /* 0, then 1 while `why` is being filled, then 2 */
    struct xb_reason why;
    _Atomic uint32_t n_samples;
    enum xb_stop stop;          /* set with the last sample; interrupted until then */
    uint64_t iters;             /* what calibration found, or plan.iters */
    uint64_t calibrated_ns;     /* that many take: CPU time, or wall time if the work waits */
    uint32_t granted;           /* counters that the source opened on every lane */
    struct xb_reason ungranted; /* why not the others */
    struct xb_histogram latency;
    struct xb_footprint empty, peopled; /* without a worker; with all, before any is set up */
    /* One for each worker of a kernel that needs the team, or NULL: who waits for whom. */
    struct xb_sync_slot *_Atomic slots;
    _Atomic bool interrupted; /* set from outside: finish the sample under way and stop */
    _Atomic int observed;     /* enum xb_observed: the team says NOW, its observer ENOUGH */
    struct xb_aside aside;    /* set before NOW */
    bool ended;               /* xb_team_run() got to its end, well or not */
    struct xb_sample samples[XB_SAMPLES_MAX];
    double scratch[XB_SAMPLES_MAX];
};

/* Bytes of arena that a team of this plan needs, result included. */
size_t xb_team_bytes(const struct xb_plan *plan);

/* Runs the team in this process and its children. `result` and all else comes from `arena`, which
 * is shared memory. After a failure threads and coroutines may be left suspended, so the process
 * should end soon. Returns 0, or -errno with result->why filled. */
int xb_team_run(const struct xb_plan *plan, struct xb_arena *arena, struct xb_result *result);

/* Records why the team failed unless something else failed first; returns `code`. Any thread or
 * process that shares `result`. */
int xb_result_fail(struct xb_result *result, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
