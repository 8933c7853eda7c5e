/* What a counter source is: a way to read hardware or OS event counts for one OS thread. */
#ifndef XB_COUNTERS_SOURCE_H
#define XB_COUNTERS_SOURCE_H

#include "../base/reason.h"

#include <stddef.h>
#include <stdint.h>

/* X(enumerator, column name, unit, meaning). Order is the CSV order; append only. */
#define XB_METRICS(X)                                                                          \
    X(CYCLES, "cycles", "count", "core cycles in user mode")                                   \
    X(INSTRUCTIONS, "instructions", "count", "instructions retired in user mode")              \
    X(L1D_MISSES, "l1d_misses", "count", "L1 data cache misses")                               \
    X(LLC_MISSES, "llc_misses", "count", "last-level cache misses")                            \
    X(BRANCHES, "branches", "count", "branch instructions retired")                            \
    X(BRANCH_MISSES, "branch_misses", "count", "mispredicted branches")                        \
    X(TASK_CLOCK, "task_clock_ns", "ns", "CPU time of the lanes, user and kernel")             \
    X(CONTEXT_SWITCHES, "context_switches", "count", "switches away from a lane, of any kind") \
    X(INVOLUNTARY_SWITCHES, "involuntary_switches", "count", "switches the scheduler forced")  \
    X(PAGE_FAULTS, "page_faults", "count", "page faults, minor and major")                     \
    X(MAJOR_FAULTS, "major_faults", "count", "page faults that read from a device")            \
    X(MIGRATIONS, "cpu_migrations", "count", "moves of a lane to another CPU")                 \
    X(USER_TIME, "user_ns", "ns", "CPU time in user mode")                                     \
    X(SYSTEM_TIME, "system_ns", "ns", "CPU time in the kernel")

enum xb_metric {
#define X(id, column, unit, meaning) XB_METRIC_##id,
    XB_METRICS(X)
#undef X
        XB_METRIC_COUNT
};

#define XB_METRIC_BIT(id) (1u << XB_METRIC_##id)
#define XB_METRICS_ALL    ((1u << XB_METRIC_COUNT) - 1)

/* What is counted has a number below XB_COUNTERS: that of a metric, or XB_METRIC_COUNT + i for the
 * i-th event that the user named. */
enum { XB_NAMED_MAX = 12, XB_COUNTERS = XB_METRIC_COUNT + XB_NAMED_MAX };
enum { XB_EVENT_BYTES = 128 }; /* of an event's name that a source lists */
_Static_assert(XB_COUNTERS <= 32, "a bit for each");

/* What to count. */
struct xb_events {
    uint32_t set;                   /* bit set over the numbers above */
    const char *name[XB_NAMED_MAX]; /* as the source's library knows them; those in `set` */
};

/* Absent is not zero: value[m] means something only where bit m of `present` is set. */
struct xb_reading {
    uint64_t value[XB_COUNTERS];     /* already scaled for multiplexing */
    uint32_t present;                /* bit set over the numbers of counters */
    uint32_t starved;                /* of those that were opened: not scheduled for a moment */
    uint64_t enabled_ns, running_ns; /* running < enabled: values are extrapolated */
};

struct xb_counters; /* one open set, tied to the OS thread that opened it */

/* A source file defines one of these, const, named xb_source_<file stem>. */
struct xb_counter_source {
    const char *name; /* "papi", "perf", "callgrind", "none" */
    const char *summary;
    int rank; /* with --counters auto the highest rank whose probe passes is used */
    /* Can it count anything here? 0, or -errno with the library's own words in `why`. May be
     * called often; leaves nothing open. Main thread. */
    int (*probe)(struct xb_reason *why);
    /* Where counts are those of a simulated CPU, which has to be around the program from its start:
     * begins the program anew under the simulator, in an environment of its own, and does not
     * return. `l1_bytes`, `ll_bytes`: its caches, the first level for code and data each. `argv`:
     * what follows the program's name; NULL behind the last. 0 where the program is under it
     * already; -EINVAL for caches that cannot be simulated, or -errno, with `why`. Main thread, with
     * nothing open that is to survive. NULL: a source that counts what is there. */
    int (*simulate)(uint64_t l1_bytes, uint64_t ll_bytes, char *const argv[],
                    struct xb_reason *why);
    /* Is there an event of that name, and can it be counted by lane? 0, -ENOENT or -ENOTSUP with
     * `why`. That it exists does not mean that it counts: core/audit finds out. Main thread. NULL:
     * this source counts metrics only. */
    int (*find)(const char *event, struct xb_reason *why);
    /* Names the events that find() would take and that mean the same on all machines: as many of
     * them as fit `most` names; returns how many. Main thread. May be NULL. */
    size_t (*list)(char (*names)[XB_EVENT_BYTES], size_t most);
    /* Opens what it can of `wanted` on the calling thread; `granted` (bit set as wanted->set) says
     * which, `why` (one clause) why the rest is missing. Granting nothing is success: *out may
     * then be NULL. Close on the same thread. 0 or -errno. */
    int (*open)(const struct xb_events *wanted, uint32_t *granted, struct xb_counters **out,
                struct xb_reason *why);
    int (*start)(struct xb_counters *counters); /* from zero */
    int (*stop)(struct xb_counters *counters, struct xb_reading *out);
    void (*close)(struct xb_counters *counters); /* accepts NULL */
};

/* Executes at least `n` instructions: a counter that stands still over this is not counting, as
 * counters of some guests do. */
static inline void xb_counter_exercise(uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        __asm__ volatile("" ::"r"(i));
}

#endif
