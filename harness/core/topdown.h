/* Top-down analysis of a run: the events of stats/topdown.h among those that a source counts. */
#ifndef XB_CORE_TOPDOWN_H
#define XB_CORE_TOPDOWN_H

#include "../counters/source.h"
#include "../stats/topdown.h"
#include "audit.h"

#include <stdio.h>

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
