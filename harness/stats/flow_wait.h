/* How much of a loop's time can be waiting for its data, whatever its samples stand at. */
#ifndef XB_STATS_FLOW_WAIT_H
#define XB_STATS_FLOW_WAIT_H

#include "../base/stalls.h"

/* A level that a loop's lines come from. */
struct xb_source {
    double bytes;      /* that it holds; INFINITY for DRAM */
    double gb_per_s;   /* of one core */
    double latency_ns; /* of a line */
};

/* What a loop's samples say of it. */
struct xb_loop_use {
    double bytes;  /* of the sets that its accesses go through; INFINITY: not known */
    double rounds; /* that it makes each time; 0: not known */
    double
        threads; /* that run beside it and itself, 1 or more: as many equal ones as would differ as much */
};

/* Sums up the samples (n) at `loop` of process `pid`; `site`: n_sites, theirs. `flow`: a STREAM.
 * Samples may have met only one of its streams: the others' sets are taken for as large. Rounds are those that
 * were left at the last sample of each place: it makes twice as many, which leaves some to be wrong by, and places
 * that tell of few count for more (a harmonic mean). `threads` is 1. 0 or -ENOMEM. Pure. */
int xb_loop_use(const struct xb_stalled *sample, size_t n, const struct xb_stall_site *site,
                size_t n_sites, pid_t pid, const struct xb_loop *loop, const struct xb_flow *flow,
                struct xb_loop_use *out) __attribute__((warn_unused_result));

/* The most that the share of a loop's samples can be that wait. A round takes as long as its core or its data do,
 * whichever takes longer; and each time that the loop begins some lines come late, before a prefetcher knows
 * the way. 1 where something is not known, or the loop's addresses are not followed. Pure. */
double xb_flow_cap(const struct xb_flow *flow, double cycle_ns, const struct xb_source *source,
                   const struct xb_loop_use *use);

/* Hides what stands at the accesses of that loop beyond `cap` of its samples, stores as well. `of_site`: samples of
 * each site; `hides`: as xb_pieces_hide() left it. Returns how many samples it hid at accesses of
 * which none were hidden. Pure. */
double xb_flow_hide(const struct xb_loop *loop, pid_t pid, double cap,
                    const struct xb_stall_site *site, const size_t *of_site, size_t n,
                    double *hides);

/* Does all that for each loop in which an access has a hundredth of the samples from `from` on: these lie in
 * `of_site` as in xb_stall_sums. `source`: n_sources levels, the nearest first. `hides` and `streamed`: of
 * xb_pieces_hide(); what is hidden no longer counts as streamed. 0 or -ENOMEM. */
int xb_flows_hide(struct xb_stalls *stalls, size_t from, const size_t *of_site,
                  const struct xb_cycle *cycle, const struct xb_source *source, size_t n_sources,
                  double *hides, size_t *streamed) __attribute__((warn_unused_result));

#endif
