/* Samples where running threads are and what their registers hold, by the kernel's software clock: no
 * PMU, and no privilege at perf_event_paranoid 2. */
#ifndef XB_BASE_SAMPLER_H
#define XB_BASE_SAMPLER_H

#include "insn.h"
#include "maps.h"
#include "reason.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct xb_sampler;

struct xb_sample {
    uint64_t ip;
    uint64_t time_ns; /* CLOCK_MONOTONIC */
    pid_t pid, tid;
    uint32_t cpu;
    bool has_registers; /* false: of a 32-bit program */
    struct xb_registers registers;
};

/* What a drain gives on. Each may be NULL. */
struct xb_sampler_takers {
    void (*sample)(void *context, const struct xb_sample *sample);
    void (*mapping)(void *context,
                    const struct xb_mapping *mapping); /* executable ones, as they appear */
    void *context;
};

struct xb_sampler_counts {
    uint64_t samples;
    uint64_t lost;    /* rings were full: drain more often */
    uint64_t threads; /* that it was opened on; what they create is watched as well */
    /* While it was on, how often one of them got a CPU or left it: each time a timer has to be set anew. */
    uint64_t switches;
};

/* Opens, switched off, on all threads of `pid`, of the processes that it has started, and on whatever
 * these are going to create. A sample is taken of each thread after `period_ns` (10000 or more) of its
 * CPU time; those that fall into the kernel are dropped.
 * `out`: the caller's, back with xb_sampler_close().
 * Errors, with `why`: -ESRCH no such process, -EACCES not permitted or another user's, -ENOSYS perf
 * hidden by a seccomp filter, -EMFILE more threads x CPUs than descriptors, -ENOMEM.
 * A thread of a process that sits in another container than ours cannot be watched. One thread at a time. */
int xb_sampler_open(pid_t pid, uint64_t period_ns, struct xb_sampler **out, struct xb_reason *why)
    __attribute__((warn_unused_result));

/* Opens on another process and its tree too, as they are now; what is open is left alone. 0 or -errno. */
int xb_sampler_add(struct xb_sampler *sampler, pid_t pid);

/* Closes it on all threads, until some are added. What has come stays, as do its counts but for `threads`. */
void xb_sampler_leave(struct xb_sampler *sampler);

/* On and off, a few microseconds for each thread and CPU. 0 or -errno. */
int xb_sampler_start(struct xb_sampler *sampler);
int xb_sampler_stop(struct xb_sampler *sampler);

/* Hands over what has come since, CPU by CPU, each in order of time. Every few milliseconds while it is
 * on: rings hold about 2000 samples for each CPU, and a process's code can only be read while it lives. */
void xb_sampler_drain(struct xb_sampler *sampler, const struct xb_sampler_takers *takers);

struct xb_sampler_counts xb_sampler_counts(const struct xb_sampler *sampler);

/* Accepts NULL. */
void xb_sampler_close(struct xb_sampler *sampler);

#endif
