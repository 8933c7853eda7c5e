/* How long a round of a loop takes at least if all that it loads is there, and what it has brought from memory.
 *
 * A loop takes the longer of two times: that of its core, which is its longest chain of results that each
 * round hands to the next, or the width of the pipeline; and that of its data, new lines over the bandwidth
 * of where they come from. Here is the code's part of both.
 * Source: Treibig & Hager, "Introducing a performance model for bandwidth-limited loop kernels", PPAM 2009;
 * Stengel et al., "Quantifying performance bottlenecks of stencil computations using the
 * execution-cache-memory model", ICS 2015. */
#ifndef XB_BASE_FLOW_H
#define XB_BASE_FLOW_H

#include "cycle.h"
#include "loop.h"

enum xb_flow_kind {
    XB_FLOW_UNKNOWN, /* not straight, without a count of its rounds, or with instructions that are not followed */
    XB_FLOW_STREAM,  /* every address goes on by a constant in each round, from line to line */
    XB_FLOW_SCATTER, /* some address does not, or skips lines */
    XB_FLOW_CHASE, /* the longest chain goes through a load: what takes its time is memory's latency */
};

/* What a loop counts until it ends: register `counter` goes on by `step` in each round, until it is
 * `bound`, or `immediate` where that is XB_REG_NONE. */
struct xb_flow_count {
    uint8_t counter, bound;
    uint8_t bytes; /* that are compared */
    int64_t step, immediate;
};

struct xb_flow {
    enum xb_flow_kind kind;
    double
        chain_cycles; /* a round's part of the longest chain; 0: rounds do not wait for each other */
    double core_cycles; /* that a round takes at least */
    /* Of new lines in each round: those that come in, also where they are only stored to, and those of them that
     * are stored to and go back. */
    uint32_t in_bytes, out_bytes;
    uint32_t streams; /* that these lines lie in: arrays, or parts of them far from each other */
    struct xb_flow_count count; /* STREAM */
};

/* Follows what a loop that xb_loop_find() found computes. `latency`: cycles by enum xb_latency. All that is not
 * STREAM has no more than its kind. What goes through memory from a store to a load is not seen, nor are
 * mispredicted branches, nor what units are busy with: the cycles are no more than it takes. Pure. */
void xb_flow_find(struct xb_decoder *decoder, const struct xb_window *window,
                  const struct xb_loop *loop, const double *latency, struct xb_flow *out);

/* How many rounds are left, of registers that were sampled in the loop; 0: not known. Pure. */
double xb_flow_rounds_left(const struct xb_flow_count *count, const struct xb_registers *registers);

#endif
