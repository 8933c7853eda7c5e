/* A stand-in for a program: a kernel put together at run time, one worker of which divides its time
 * as one worker of that program does. Under an execution model it shows what the program would gain. */
#ifndef XB_CORE_MIMIC_H
#define XB_CORE_MIMIC_H

#include "../../kernels/kernel.h"
#include "../base/reason.h"
#include "registry.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a lone worker spends its time on. */
enum xb_use {
    XB_USE_COMPUTE, /* in registers and the first cache */
    XB_USE_L2,      /* dependent loads from the second cache */
    XB_USE_LLC,     /* and from the last one */
    XB_USE_CHASE,   /* dependent loads from DRAM: its latency */
    XB_USE_STREAM,  /* one load behind the other from DRAM: its bandwidth */
    XB_USE_COPY,    /* the kernel copies what is in the page cache */
    XB_USE_FAULT,   /* the kernel maps memory, zeroes pages, unmaps */
    XB_USE_DISK,    /* waits for reads past the page cache */
    XB_USE_FSYNC,   /* waits for what it wrote to be durable; each worker has a file of its own */
    XB_USE_WAIT,    /* waits for a time: timers, and the far end of a network */
    XB_USE_LOCK,    /* computes while it holds the one lock of all workers */
    XB_USES
};

/* What it is made to fit. */
struct xb_mimic_ask {
    double share[XB_USES];   /* of a lone worker's time; each >= 0, 1 in all */
    size_t bytes[XB_USES];   /* per worker, of what loads from memory */
    const char *file;        /* XB_USE_DISK: what is read, of a few MiB at least */
    const char *scratch_dir; /* an existing directory */
};

/* One kind of time. */
struct xb_mimic_part {
    enum xb_use use;
    const struct xb_kernel *kernel; /* NULL: sleeps, and its iterations are ns */
    size_t bytes;
    double share;    /* as asked */
    double per_item; /* iterations; not whole: what is over goes to the next item */
};

/* In memory that the harness and all workers share, so that calibrating can change it from window to
 * window while teams stand by. */
struct xb_mimic {
    struct xb_kernel kernel; /* for xb_plan.kernel; params.recipe is this mimic */
    struct xb_mimic_part part[XB_USES];
    size_t n_parts;
    /* While one worker calibrates: each part's time in a window, CPU time where it does not wait,
     * and its iterations; the harness sets them to 0. */
    bool timed;
    double spent_ns[XB_USES], done[XB_USES];
};

const char *xb_use_key(enum xb_use use);  /* "disk_wait", for programs */
const char *xb_use_name(enum xb_use use); /* "waiting for the disk" */
bool xb_use_waits(enum xb_use use);       /* without a CPU, whoever else is there */

/* Puts a mimic together of kernels of `registry`; per_item is 1, and has to be calibrated. Its outcome is
 * the ns that its workers, on average, had nothing left to do at the end of a window. Shares under
 * 2 % are left out, and the rest scaled up.
 * `out`: the caller's, in shared memory; keeps `ask`'s strings out of it: they go into xb_params.
 * 0; -EINVAL with `why` for shares that are negative or do not add up to 1 within 1 %; -ENOENT where a
 * kernel that it takes is not in the registry. */
int xb_mimic_make(const struct xb_mimic_ask *ask, const struct xb_registry *registry,
                  struct xb_mimic *out, struct xb_reason *why);

/* The cheapest mean queue that a lock makes: which share of a lone worker's time has to be under the
 * lock for each of `workers` (>= 2) to wait for it for `waiting` of its time, in [0, 1).
 * In [0, 1]; 1 where even that does not make them wait so long. Pure.
 * Source: mean value analysis of the closed network of one queue and one delay; Reiser and Lavenberg,
 * "Mean-value analysis of closed multichain queuing networks", JACM 27 (1980). */
double xb_mimic_lock_share(double waiting, uint32_t workers);

#endif
