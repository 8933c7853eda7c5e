/* SPDX-License-Identifier: BSD-3-Clause
 * Adds, divides and compares readings. */
#include "metrics.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>

const char *xb_metric_name(enum xb_metric metric)
{
    static const char *const names[] = {
#define X(id, column, unit, meaning) column,
        XB_METRICS(X)
#undef X
    };
    return names[metric];
}

const char *xb_class_name(enum xb_class bound)
{
    static const char *const names[XB_CLASS_NAMES] = {
        [XB_CLASS_CPU] = "cpu", [XB_CLASS_CACHE] = "cache", [XB_CLASS_MEMORY] = "memory",
        [XB_CLASS_IO] = "io",   [XB_CLASS_SYNC] = "sync",   [XB_CLASS_KERNEL] = "kernel",
    };
    return names[bound];
}

double xb_metrics_coverage(const struct xb_reading *reading)
{
    if (!reading->enabled_ns)
        return NAN;
    return (double)reading->running_ns / (double)reading->enabled_ns;
}

void xb_metrics_merge(const struct xb_reading *lanes, size_t n, struct xb_reading *out)
{
    *out = lanes[0];
    for (size_t lane = 1; lane < n; lane++) {
        out->present &= lanes[lane].present;
        out->starved |= lanes[lane].starved;
        for (size_t metric = 0; metric < XB_COUNTERS; metric++)
            out->value[metric] += lanes[lane].value[metric];
        /* Unknown is worse than any share, and stays: no later lane can mend it. */
        double worst = xb_metrics_coverage(out);
        if (!isnan(worst) && !(xb_metrics_coverage(&lanes[lane]) >= worst)) {
            out->enabled_ns = lanes[lane].enabled_ns;
            out->running_ns = lanes[lane].running_ns;
        }
    }
}

void xb_metrics_fill(struct xb_reading *reading, const struct xb_reading *accounts)
{
    for (size_t metric = 0; metric < XB_METRIC_COUNT; metric++)
        if (accounts->present & ~reading->present & (1u << metric))
            reading->value[metric] = accounts->value[metric];
    reading->present |= accounts->present;
}

static double value_of(const struct xb_reading *reading, enum xb_metric metric)
{
    return reading->present & (1u << metric) ? (double)reading->value[metric] : NAN;
}

static double divide(double dividend, double divisor)
{
    return divisor > 0 ? dividend / divisor : NAN;
}

double xb_ratio(enum xb_ratio ratio, const struct xb_evidence *evidence)
{
    const struct xb_reading *reading = &evidence->reading;
    double instructions = value_of(reading, XB_METRIC_INSTRUCTIONS);
    switch (ratio) {
    case XB_RATIO_IPC:
        return divide(instructions, value_of(reading, XB_METRIC_CYCLES));
    case XB_RATIO_L1D_MPKI:
        return divide(1000 * value_of(reading, XB_METRIC_L1D_MISSES), instructions);
    case XB_RATIO_LLC_MPKI:
        return divide(1000 * value_of(reading, XB_METRIC_LLC_MISSES), instructions);
    case XB_RATIO_BRANCH_MPKI:
        return divide(1000 * value_of(reading, XB_METRIC_BRANCH_MISSES), instructions);
    case XB_RATIO_OUTCOME:
        return divide(evidence->outcomes, evidence->items);
    case XB_RATIO_USER_SHARE:
        return divide(value_of(reading, XB_METRIC_USER_TIME), evidence->cpu_wall_ns);
    case XB_RATIOS:
        break;
    }
    return NAN;
}

const char *xb_ratio_name(enum xb_ratio ratio)
{
    static const char *const names[XB_RATIOS] = {
        [XB_RATIO_IPC] = "ipc",
        [XB_RATIO_L1D_MPKI] = "l1d_mpki",
        [XB_RATIO_LLC_MPKI] = "llc_mpki",
        [XB_RATIO_BRANCH_MPKI] = "branch_mpki",
        [XB_RATIO_OUTCOME] = "outcome_share",
        [XB_RATIO_USER_SHARE] = "user_share",
    };
    return names[ratio];
}

/* ">= 0.9", "<= 0.6" or "0.2 to 0.6". Returns the length it would have. */
static size_t print_range(char *text, size_t bytes, const struct xb_claim *claim)
{
    int n;
    if (isinf(claim->at_most))
        n = snprintf(text, bytes, ">= %.3g", claim->at_least);
    else if (isinf(claim->at_least) || claim->at_least == 0) /* no ratio is negative */
        n = snprintf(text, bytes, "<= %.3g", claim->at_most);
    else
        n = snprintf(text, bytes, "%.3g to %.3g", claim->at_least, claim->at_most);
    return n < 0 ? 0 : (size_t)n;
}

const char *xb_claims_judge(const struct xb_claim *claims, size_t n,
                            const struct xb_evidence *evidence, char *text, size_t bytes)
{
    size_t untested = n == 0, failed = 0, used = 0;
    if (bytes)
        text[0] = '\0';
    for (size_t i = 0; i < n; i++) {
        double value = xb_ratio(claims[i].ratio, evidence);
        bool known = !isnan(value);
        bool holds = value >= claims[i].at_least && value <= claims[i].at_most;
        untested += !known;
        failed += known && !holds;
        if (used >= bytes)
            continue;
        char figure[32] = "not counted";
        if (known)
            snprintf(figure, sizeof figure, "%.3g", value);
        used += (size_t)snprintf(text + used, bytes - used, "%s%s %s, claimed ", i ? "; " : "",
                                 xb_ratio_name(claims[i].ratio), figure);
        if (used < bytes)
            used += print_range(text + used, bytes - used, &claims[i]);
    }
    return failed ? "contradicted" : untested ? "untested" : "confirmed";
}
