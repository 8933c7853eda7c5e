/* Top-down analysis: what became of the slots in which a core could have issued an operation.
 *
 * Shares of all slots, from events of the CPU that libpfm4 has by name. Level 1 says whether slots
 * retired an operation, were lost to a wrong guess, or stayed empty because the front end delivered
 * nothing or the back end had no room; level 2 says more of each, and level 3 which cache a load was
 * waited for. Which events, and what they count, differs between CPUs, and libpfm4 has them for some
 * only. Pure.
 * Source of the method: A. Yasin, "A Top-Down method for performance analysis and counters
 * architecture", ISPASS 2014; of the formulas: the metrics of Linux 6.1 (tools/perf/pmu-events:
 * skylakex, icelakex, sapphirerapids; amdzen4/pipeline.json of 6.4; neoverse-n2 of 6.3). */
#ifndef XB_STATS_TOPDOWN_H
#define XB_STATS_TOPDOWN_H

#include "../base/reason.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum xb_topdown_part {
    /* level 1 */
    XB_TOPDOWN_RETIRING,
    XB_TOPDOWN_BAD_SPECULATION,
    XB_TOPDOWN_FRONTEND,
    XB_TOPDOWN_BACKEND,
    /* level 2, in pairs that make up the four */
    XB_TOPDOWN_LIGHT,
    XB_TOPDOWN_HEAVY,
    XB_TOPDOWN_MISPREDICTS,
    XB_TOPDOWN_CLEARS,
    XB_TOPDOWN_FETCH_LATENCY,
    XB_TOPDOWN_FETCH_BANDWIDTH,
    XB_TOPDOWN_MEMORY,
    XB_TOPDOWN_CORE,
    /* level 3, which make up memory: loads by what they waited for, and a full store buffer */
    XB_TOPDOWN_L1,
    XB_TOPDOWN_L2,
    XB_TOPDOWN_LLC,
    XB_TOPDOWN_DRAM,
    XB_TOPDOWN_STORES,
    XB_TOPDOWN_PARTS
};

enum { XB_TOPDOWN_EVENTS = 18 };

struct xb_topdown_family {
    const char *pmu; /* libpfm4's name of the CPU's counters, which its events begin with */
    unsigned level1; /* how many of the events level 1 needs; they come first */
    unsigned n;      /* how many levels 1 and 2 need; as many as level 1: there is no level 2 */
    unsigned all;    /* with those of level 3; as many as n: there is no level 3 */
    const char *events[XB_TOPDOWN_EVENTS];
    /* `count`: `all` of them, in the order of the events, NaN where not counted. `share`: of each
     * part; NaN where it needs what is NaN. Pure. */
    void (*divide)(const double *count, double *share);
};

extern const struct xb_topdown_family xb_topdown_families[];
extern const size_t xb_n_topdown_families;

/* The family all of whose events of levels 1 and 2 `find` knows, or NULL with `why`. `find`: 0, or
 * -errno with `why`: -ENOTSUP it knows no event at all. */
const struct xb_topdown_family *xb_topdown_pick(int (*find)(const void *context, const char *event,
                                                            struct xb_reason *why),
                                                const void *context, struct xb_reason *why);

/* What became of the time in user mode; the parts add up to 1. */
struct xb_topdown_time {
    double cpu;               /* retired, lost to guesses, fetched for, or waiting for units */
    double l1, l2, llc, dram; /* waiting for loads, by what they waited for */
    double unplaced;          /* waiting for memory, and it is not known which */
    double unseen;            /* waiting behind, and it is not known whether for memory */
};

/* Takes shares of slots for shares of time. False where they are missing or contradict each other, as
 * those of counters that stand still or lie. */
bool xb_topdown_spend(const double *share, struct xb_topdown_time *out)
    __attribute__((warn_unused_result));

/* The events without which xb_topdown_spend() would have less to say, a bit for each. */
uint32_t xb_topdown_needed(const struct xb_topdown_family *family);

#endif
