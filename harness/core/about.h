/* What a run says of itself in provenance.csv: how it was set up, and what its sweep of sizes
 * shows. */
#ifndef XB_CORE_ABOUT_H
#define XB_CORE_ABOUT_H

#include "../base/reason.h"

#include <stdio.h>

struct xb_experiment;
struct xb_limit;

/* Writes provenance lines of what is known before the first cell: counter sources, settings, the
 * caches that sizes follow. `limit`: the cells', or NULL. A failure shows when `out` is closed. */
void xb_about_settings(FILE *out, const struct xb_experiment *experiment,
                       const struct xb_limit *limit);

/* Writes cache capacities as provenance lines, if the cells were a sweep that shows any:
 * staircase_edge_<n>_bytes, and <level>_measured_bytes where no picture measured it.
 * `item_ns`: by cell, ns per item of a latency kernel on one worker, or NaN. 0, or -errno with
 * `why`. */
int xb_about_staircase(FILE *out, const struct xb_experiment *experiment, const double *item_ns,
                       struct xb_reason *why);

#endif
