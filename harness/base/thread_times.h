/* How long each thread of a program ran, waited for a CPU and was blocked, and on what, from /proc. */
#ifndef XB_BASE_THREAD_TIMES_H
#define XB_BASE_THREAD_TIMES_H

#include "blocked.h"
#include "expiry.h"
#include "procfs.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { XB_THREAD_FILES = 5 }; /* of each thread, that are held open while there is room */

enum xb_thread_state { XB_THREAD_RUNNING, XB_THREAD_BLOCKED, XB_THREAD_GONE };

/* Of one thread; its own are those of this phase. Times are 0 where it was not visited. */
struct xb_thread_time {
    struct xb_task task;
    enum xb_thread_state state;
    int64_t time_ns, run_ns, delay_ns; /* the last: it waited for a CPU */
    int64_t wait_ns[XB_WAITS];         /* blocked; with the two above they come to time_ns */
    int64_t fsync_ns, disk_ns; /* looks found it waiting for a disk so long, and of that to make
                                  durable what was written */
    uint64_t wakes, looks;
    /* The table's. */
    int file[XB_THREAD_FILES]; /* -1: not open */
    struct xb_blocked blocked;
    struct xb_proc_sched last; /* `delay_ns` with what is not in the kernel's account yet */
    uint64_t visited_ns;
    uint64_t still_ns;                  /* since when it is runnable and its accounts stand still */
    int64_t blocked_ns;                 /* at the last visit: since the one before */
    uint64_t poll;                      /* of the last visit */
    bool known;                         /* visited more than once */
    unsigned cool;                      /* visits since it last ran; many: idle */
    uint64_t running_looks, disk_looks; /* of `looks` */
    int64_t timed_ns[XB_WAITS];         /* of `wait_ns`: in calls with a time-out */
    /* Of its waits for files with a time-out, this phase's and half of those before: how often that would
     * have been over in the time that they took, and how many they were. */
    double timeouts, timed_waits;
    uint64_t waits; /* since it began, as it was when it was last asked */
    bool has_waits; /* that was at the end of the phase before */
    int cpu;        /* that it last ran on, where it was last found blocked */
    /* How old those waits were, what that says of them, and how long they all took in this phase. */
    struct xb_expiry expiry;
    uint64_t aged_runs; /* how often it had got a CPU, at the last of those ages */
    struct xb_expired expired;
    int64_t timed_ns_all;
};

struct xb_thread_times;

/* Opens a table. `root`: a process of which it is asked what the kernel tells. `meeting`: NULL, or the futex word
 * at which waiting is XB_WAIT_MEETING. `out`: the caller's, back
 * with xb_thread_times_close(). 0 or -ENOMEM. All of these: one thread at a time. */
int xb_thread_times_open(pid_t root, const void *meeting, struct xb_thread_times **out)
    __attribute__((warn_unused_result));

/* Accepts NULL. */
void xb_thread_times_close(struct xb_thread_times *times);

/* A phase begins: threads that are gone are forgotten. The first begins with a visit to each of `task`
 * (n of them), threads of all of the program. */
void xb_thread_times_begin(struct xb_thread_times *times, const struct xb_task *task, size_t n,
                           uint64_t now_ns);

/* Visits threads: those that ran lately, then others in turns, for 0.2 ms of CPU time at most. */
void xb_thread_times_poll(struct xb_thread_times *times, const struct xb_task *task, size_t n);

/* The phase's threads with their times, n of them; the table's, valid until it begins anew. Once a phase,
 * after a poll. */
const struct xb_thread_time *xb_thread_times_end(struct xb_thread_times *times, uint64_t now_ns,
                                                 size_t *n);

#endif
