/* Finds out which instruction this CPU's timer interrupts point to: loops of our own are sampled, in
 * which everything waits for one load. */
#ifndef XB_BASE_SKID_H
#define XB_BASE_SKID_H

#include "reason.h"
#include "stall.h"

#include <stdint.h>

struct xb_skid_loop {
    uint64_t samples;
    double next, same; /* shares of them: behind the load, at the load */
    double cost_ns;    /* CPU time that one sample took from the loop; below 0 is noise */
};

struct xb_skid_report {
    enum xb_skid skid; /* what holds, if the answer is 0 */
    struct xb_skid_loop chase,
        stream; /* a dependent load per round, and independent ones in a row */
};

/* Runs a pointer chase through XB_SKID_BYTES and a sum of it, each in a child that is sampled for some
 * 0.2 s, left alone for 0.1 s, and ended.
 * Returns 0 if in both loops nine of ten samples point to the same side of the load; -ENOTSUP, with the
 * shares in `why`, if they do not: what was waited for cannot be told here. Else -errno as
 * xb_sampler_open(), or -EAGAIN when the children got too little of a CPU. `out` is filled in any case.
 * One thread at a time. */
int xb_skid_calibrate(struct xb_skid_report *out, struct xb_reason *why)
    __attribute__((warn_unused_result));

enum { XB_SKID_BYTES = 16 << 20 };

#endif
