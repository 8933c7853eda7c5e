/* How much of a loop's time can be waiting for its data, whatever its samples stand at. */
#ifndef XB_STATS_FLOW_WAIT_H
#define XB_STATS_FLOW_WAIT_H

#include "../base/stalls.h"

/* What a loop's samples say of it. */
struct xb_loop_use {
    double bytes;   /* of the largest set that its accesses go through; INFINITY: not known */
    double rounds;  /* that it makes each time; 0: not known */
    size_t threads; /* that run it */
};

/* Sums up the samples (n) at `loop` of process `pid`; `site`: n_sites, theirs. Where rounds are left of at the last
 * samples, weighed by how many each place has: it makes twice as many, but half of that is on the
 * safe side. 0 or -ENOMEM. Pure. */
int xb_loop_use(const struct xb_stalled *sample, size_t n, const struct xb_stall_site *site,
                size_t n_sites, pid_t pid, const struct xb_loop *loop,
                const struct xb_flow_count *count, struct xb_loop_use *out)
    __attribute__((warn_unused_result));

/* The level that a loop's lines come from. */
struct xb_source {
    double gb_per_s;   /* for this thread */
    double latency_ns; /* of a line */
};

/* The most that the share of its samples can be that wait. A round takes as long as its core or its data do,
 * whichever takes longer, and each time that the loop begins some lines come late, before a prefetcher knows
 * the way. 1 where something is not known, or the loop's addresses are not followed. Pure. */
double xb_flow_cap(const struct xb_flow *flow, double cycle_ns, const struct xb_source *source,
                   double rounds);

/* Hides what stands at the accesses of that loop beyond `cap` of its samples, stores as well. `of_site`: samples of
 * each site; `hides`: as xb_pieces_hide() left it. Returns how many samples of accesses of
 * which none was hidden are now. Pure. */
double xb_flow_hide(const struct xb_loop *loop, pid_t pid, double cap,
                    const struct xb_stall_site *site, const size_t *of_site, size_t n,
                    double *hides);

#endif
