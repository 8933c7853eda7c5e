/* SPDX-License-Identifier: BSD-3-Clause
 * Counts nothing: the source of last resort, and the control for what counting costs. */
#include "source.h"

#include <stddef.h>

static int probe(struct xb_reason *why)
{
    (void)why;
    return 0;
}

static int open_nothing(const struct xb_events *wanted, uint32_t *granted, struct xb_counters **out,
                        struct xb_reason *why)
{
    (void)wanted;
    (void)why;
    *granted = 0;
    *out = NULL;
    return 0;
}

static int start(struct xb_counters *counters)
{
    (void)counters;
    return 0;
}

static int stop(struct xb_counters *counters, struct xb_reading *out)
{
    (void)counters;
    (void)out;
    return 0;
}

static void close_nothing(struct xb_counters *counters)
{
    (void)counters;
}

const struct xb_counter_source xb_source_none = {
    .name = "none",
    .summary = "no counters; CPU time, switches and faults still come from the kernel's accounts",
    .rank = 0,
    .probe = probe,
    .open = open_nothing,
    .start = start,
    .stop = stop,
    .close = close_nothing,
};
