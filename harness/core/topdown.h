/* Top-down analysis: what became of the slots in which a core could have issued an operation.
 *
 * Shares of all slots, from events of the CPU that PAPI has by name. Level 1 says whether slots
 * retired an operation, were lost to a wrong guess, or stayed empty because the front end delivered
 * nothing or the back end had no room; level 2 says more of each. Which events, and what they count,
 * differs between CPUs, and PAPI has them for some only.
 * Source of the method: A. Yasin, "A Top-Down method for performance analysis and counters
 * architecture", ISPASS 2014; of the formulas: the metrics of Linux 6.1 (tools/perf/pmu-events:
 * skylakex, icelakex, sapphirerapids; amdzen4/pipeline.json of 6.4; neoverse-n2 of 6.3). */
#ifndef XB_CORE_TOPDOWN_H
#define XB_CORE_TOPDOWN_H

#include "../counters/source.h"
#include "audit.h"

#include <stddef.h>
#include <stdio.h>

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
    XB_TOPDOWN_PARTS
};

struct xb_topdown_family {
    const char *pmu; /* libpfm4's name of the CPU's counters, which its events begin with */
    unsigned level1; /* how many of the events level 1 needs; they come first */
    unsigned n;      /* how many there are; as many as level 1: there is no level 2 */
    const char *events[XB_NAMED_MAX];
    /* `count`: n of them, in the order of the events, NaN where not counted. `share`: of each part;
     * NaN where it needs what is NaN. Pure. */
    void (*divide)(const double *count, double *share);
};

extern const struct xb_topdown_family xb_topdown_families[];
extern const size_t xb_n_topdown_families;

/* The family of this CPU, or NULL with `why`: the source has no events by name, or none of these.
 * Main thread. */
const struct xb_topdown_family *xb_topdown_find(const struct xb_counter_source *source,
                                                struct xb_reason *why);

/* Adds a family's events of `level` (1 or 2, which has those of 1) to what is counted. Returns 0, or
 * -ENOSPC when they do not fit beside those that were named. */
int xb_topdown_add(const struct xb_topdown_family *family, int level, struct xb_events *events);

/* The shares that follow from a reading. `share`: XB_TOPDOWN_PARTS, all NaN where `events` are of no
 * family. A share that is a difference may be a little below 0 where counts are extrapolated. Where
 * a core runs two threads (SMT), slots that the other thread took count as not used. Returns the
 * family or NULL. Pure. */
const struct xb_topdown_family *xb_topdown_shares(const struct xb_events *events,
                                                  const struct xb_reading *reading, double *share);

/* Writes the provenance line "topdown": what was counted and which event is missing for the rest, or
 * why there is nothing. Main thread. */
void xb_topdown_write(FILE *out, const struct xb_counter_source *source,
                      const struct xb_events *events, const struct xb_audit *audit);

#endif
