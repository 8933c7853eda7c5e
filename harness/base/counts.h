/* Counts events of other processes' threads, in user mode, through perf_event_open(2). */
#ifndef XB_BASE_COUNTS_H
#define XB_BASE_COUNTS_H

#include "reason.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { XB_COUNTS_MAX = 32 };

/* An event as the kernel takes it: struct perf_event_attr has the meaning. */
struct xb_event_code {
    uint32_t type;
    uint64_t config, config1, config2;
};

/* What came of one event, in all threads together since it was opened. */
struct xb_count {
    bool is_open; /* false: the kernel refused it */
    uint64_t value;
    uint64_t enabled_ns; /* for how long they were on a CPU, in user mode or not */
    uint64_t running_ns; /* of that, for how long it was counted; less: events take turns */
};

struct xb_counts;

/* Opens `n` events (XB_COUNTS_MAX at most) on all threads of `pid`, of the processes that descend from
 * it, and on whatever these are going to create; `pid` 0: on the calling thread alone. Each is
 * scheduled by itself, so that those which do not fit the PMU take turns. An event that the kernel does
 * not know is left out.
 * `out`: the caller's, back with xb_counts_close().
 * Errors, with `why`: -ENODEV no PMU, or none of the events; -EACCES not permitted; -ENOSYS hidden by a
 * seccomp filter; -ESRCH; -EMFILE more threads x events than descriptors; -ENOMEM. One thread at a time. */
int xb_counts_open(pid_t pid, const struct xb_event_code *code, size_t n, struct xb_counts **out,
                   struct xb_reason *why) __attribute__((warn_unused_result));

/* `out`: n of them. About 1 us for each event and thread. 0 or -EIO. */
int xb_counts_read(const struct xb_counts *counts, struct xb_count *out);

/* What came between two readings, scaled to all of the time; NaN where the event was never counted,
 * though threads ran. 0 where they did not. Pure. */
double xb_count_between(const struct xb_count *before, const struct xb_count *after);

/* Accepts NULL. */
void xb_counts_close(struct xb_counts *counts);

#endif
