/* Monotonic and CPU time in nanoseconds, and what reading them costs here. */
#ifndef XB_BASE_CLOCK_H
#define XB_BASE_CLOCK_H

#include <stdint.h>
#include <sys/resource.h>

/* CLOCK_MONOTONIC; comparable between the processes of one machine. */
uint64_t xb_now_ns(void);

/* CPU time of the calling thread, CLOCK_THREAD_CPUTIME_ID. */
uint64_t xb_thread_cpu_ns(void);

/* User and system time of what getrusage(2) or wait4(2) has told of. Pure. */
uint64_t xb_usage_cpu_ns(const struct rusage *usage);

/* Cost in ns of one xb_now_ns(): the fastest of 32 batches of 256 calls. */
double xb_clock_cost_ns(void);

/* Smallest non-zero step seen between two readings, ns. */
uint64_t xb_clock_step_ns(void);

#endif
