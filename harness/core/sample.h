/* One measured window: what is read at its edges, and how lanes and workers add up to a sample. */
#ifndef XB_CORE_SAMPLE_H
#define XB_CORE_SAMPLE_H

#include "../../kernels/kernel.h"
#include "../counters/source.h"

#include <stdint.h>
#include <sys/resource.h>

/* One measured window; sums over workers and lanes. */
struct xb_sample {
    uint64_t wall_ns, cpu_ns, in_flight_ns, skew_ns, steal_ns;
    struct xb_work work; /* checksum: sum over workers of a mix of (index, checksum) */
    struct xb_reading reading;
};

/* What one lane reads at the edges of a window. Apart from each other, as those of workers are,
 * lest the harness itself shares lines falsely. */
struct xb_lane_part {
    struct rusage usage;       /* getrusage(RUSAGE_THREAD) at the beginning */
    uint64_t begin_ns, end_ns; /* xb_now_ns() */
    uint64_t cpu_ns;           /* of the lane's thread, between them */
    struct xb_reading reading;
} __attribute__((aligned(128)));

/* What one worker did in a window. */
struct xb_worker_part {
    uint64_t begin_ns, end_ns; /* xb_now_ns() */
    struct xb_work did;
} __attribute__((aligned(128)));

/* Adds up a window: from the first lane's begin to the last one's end.
 * `lanes`, `workers`: n_lanes >= 1 and n_workers parts, workers in the order of their indices.
 * `sample`: overwritten; steal_ns is left 0, as it is no lane's. Pure. */
void xb_sample_sum(const struct xb_lane_part *lanes, uint32_t n_lanes,
                   const struct xb_worker_part *workers, uint32_t n_workers,
                   struct xb_sample *sample);

/* Wall time of the window per item of the whole team; per window where no item was done. The
 * samples of a cell do equal numbers of iterations, but an iteration need not make equal items.
 * Pure. */
double xb_sample_item_ns(const struct xb_sample *sample);

/* What the kernel's own books say of the calling thread, whoever else counts.
 * `before`: getrusage(RUSAGE_THREAD) at the beginning; `cpu_ns`: CPU time since then.
 * `out`: overwritten. */
void xb_accounts_read(const struct rusage *before, uint64_t cpu_ns, struct xb_reading *out);

/* CPU time the hypervisor gave to others, all CPUs together, since boot; 0 where not told. Any
 * thread. Source: proc(5), /proc/stat: the eighth number, in clock ticks. */
uint64_t xb_steal_ns(void);

/* CPU time that was not idle, all CPUs together, with what the hypervisor gave to others, since boot; 0
 * where not told. Any thread. Source: proc(5), /proc/stat, in clock ticks. */
uint64_t xb_busy_ns(void);

#endif
