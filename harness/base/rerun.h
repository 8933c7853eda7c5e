/* Runs a command again, to its end and under a condition, and takes what it used of the CPU. */
#ifndef XB_BASE_RERUN_H
#define XB_BASE_RERUN_H

#include "reason.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One way to run it. All pointers belong to the caller. */
struct xb_rerun {
    const char *const *argv; /* and a NULL behind it */
    uint64_t limit_ns;       /* a run that takes longer is ended */
    int cpu;                 /* that it, and what is beside it, is bound to; negative: to none */
    /* 0: a run over its limit is an error, and so is one that ends with anything but 0. Otherwise it
     * is sent this signal when its time is over, and SIGKILL some seconds later, and however it ends
     * is no error. */
    int end_signal;
    /* The condition: called in the process that then becomes the command. 0 or -errno. May be NULL. */
    int (*prepare)(const void *context);
    /* Called in a process that lives as long as the command does; does not return. May be NULL. */
    void (*beside)(const void *context);
    const void *context;
};

/* What the command used, with all it started, as far as that has ended or was then killed. */
struct xb_rerun_use {
    double wall_s, user_s, kernel_s;
    uint64_t faults; /* of pages, minor and major */
    int code;        /* its exit code, or 128 and the signal that killed it */
    bool cut;        /* it was sent end_signal */
};

/* 0; -ENOTSUP with `why` where there is no command: a process was given that runs already. Pure. */
int xb_rerun_check(const char *const *argv, struct xb_reason *why);

/* Runs it once, its input and output /dev/null. A process between us and it takes in whatever loses its
 * parent, and leaves none of it behind: not when the command ends, hangs, or this process dies, and not
 * for setsid(2) either. 0, or -errno with one clause in `why`: -ENOENT it is not there (or another of
 * exec's), -ETIMEDOUT it does not end, -ECHILD it fails or is killed, -EINTR: a signal that ends
 * programs is pending, which the caller has blocked. Then the command is ended at once. One thread. */
int xb_rerun(const struct xb_rerun *ask, struct xb_rerun_use *use, struct xb_reason *why);

enum { XB_RERUN_PAIRS_LEAST = 3, XB_RERUN_PAIRS = 11 };

/* Runs under two conditions, pair by pair: neighbours in time, so that what drifts meets both. */
struct xb_rerun_pairs {
    struct xb_rerun_use first; /* without a condition: it warms up, and shows what is wrong */
    struct xb_rerun_use use[2][XB_RERUN_PAIRS];
    size_t n;
};

/* Runs it once as it is, then in pairs of `ask[0]` and `ask[1]`, of which by chance the one or the other
 * comes first: at least XB_RERUN_PAIRS_LEAST, and more while they fit `budget_ns`. Stops whatever is
 * found, so the pairs are no pick of ours. As xb_rerun(); -ENODATA where the command used less than
 * `least_user_s` of CPU time in user mode. */
int xb_rerun_compare(const struct xb_rerun ask[2], uint64_t budget_ns, double least_user_s,
                     struct xb_rerun_pairs *out, struct xb_reason *why);

#endif
