/* Pure arithmetic on readings: merging lanes, ratios, and whether a kernel's claims hold. */
#ifndef XB_CORE_METRICS_H
#define XB_CORE_METRICS_H

#include "../../kernels/kernel.h"
#include "../counters/source.h"

#include <stddef.h>
#include <stdint.h>

const char *xb_metric_name(enum xb_metric metric);
const char *xb_class_name(enum xb_class bound);

/* Merges the readings of n >= 1 lanes into one for the team. Values add; a metric is present only
 * if it is on every lane. Coverage: the times of the worst lane; unknown if any lane's is. Pure. */
void xb_metrics_merge(const struct xb_reading *lanes, size_t n, struct xb_reading *out);

/* Adds what the kernel's own accounts say (all metrics of `accounts`) where `reading` has not
 * counted it. Pure. */
void xb_metrics_fill(struct xb_reading *reading, const struct xb_reading *accounts);

/* Share of the time that was counted, in [0, 1]; NaN when unknown or nothing was counted. */
double xb_metrics_coverage(const struct xb_reading *reading);

/* What a claim is held against: sums over samples. */
struct xb_evidence {
    struct xb_reading reading; /* summed */
    double items, outcomes;    /* of the kernel's work, summed */
    double cpu_wall_ns;        /* wall time x CPUs that the lanes could use at once, summed */
};

/* NaN when an input is absent or the divisor is 0. Pure. */
double xb_ratio(enum xb_ratio ratio, const struct xb_evidence *evidence);
const char *xb_ratio_name(enum xb_ratio ratio);

/* "confirmed" when every claim could be tested and holds, "contradicted" when one fails,
 * "untested" otherwise. `text`: one clause per claim, cut at `bytes`. Pure. */
const char *xb_claims_judge(const struct xb_claim *claims, size_t n,
                            const struct xb_evidence *evidence, char *text, size_t bytes);

#endif
