/* SPDX-License-Identifier: BSD-3-Clause
 * Judges windows: how many iterations to try next, and whether to go on. */
#include "pace.h"

#include "../stats/median.h"

#include <math.h>

/* Too few for an interval; see xb_median_interval(). */
enum { INTERVAL_MIN = 6 };

/* Where the search ends for what takes no time, however often. */
#define ITERS_MOST (UINT64_C(1) << 40)

/* Work that does not wait is judged by its CPU time, as a lane that was preempted while it
 * calibrated would leave all samples of the kernel too short. */
static double judge(const struct xb_search *search, const struct xb_sample *window)
{
    double took_ns = (double)window->wall_ns;
    /* The share of the wall time is for work that should not wait and does: it must end too. */
    if (!search->waits)
        took_ns = fmax((double)window->cpu_ns / search->lanes, took_ns / 8);
    return fmax(took_ns, 1);
}

static bool step_by_instructions(struct xb_search *search, const struct xb_sample *window)
{
    const struct xb_reading *reading = &window->reading;
    search->took_ns = window->wall_ns;
    if (!(reading->present & XB_METRIC_BIT(INSTRUCTIONS)) || search->iters >= ITERS_MOST ||
        reading->value[XB_METRIC_INSTRUCTIONS] >= search->wanted_instructions)
        return true;
    search->iters *= 10;
    return false;
}

bool xb_search_step(struct xb_search *search, const struct xb_sample *window)
{
    if (search->wanted_instructions)
        return step_by_instructions(search, window);
    double took_ns = judge(search, window), wanted_ns = (double)search->wanted_ns;
    /* Long enough must be seen twice, and the faster counts: one stall of the machine would
     * otherwise pass for work. */
    bool again = search->seen_ns > 0;
    if (again && search->seen_ns < took_ns)
        took_ns = search->seen_ns;
    search->seen_ns = 0;
    double factor = wanted_ns / took_ns;
    if (took_ns < wanted_ns / 2 && search->iters < ITERS_MOST) {
        /* The last step is computed, not doubled. A far shorter window says too little for that. */
        search->iters = (uint64_t)((double)search->iters * (factor > 32 ? 16 : factor));
        return false;
    }
    if (!again) {
        search->seen_ns = took_ns;
        return false;
    }
    double iters = (double)search->iters * factor;
    uint64_t found = iters < 1 ? 1 : (uint64_t)iters;
    search->took_ns = (uint64_t)(took_ns * (double)found / (double)search->iters);
    search->iters = found;
    return true;
}

uint64_t xb_slice_iters(uint64_t slice_ns, double ns_per_iter)
{
    double iters = (double)slice_ns / (ns_per_iter > 0 ? ns_per_iter : 1);
    return iters < 1 ? 1 : (uint64_t)iters;
}

/* Numbers of samples at which the interval is looked at, each half as many again as the one before:
 * stopping at the first interval that happens to be narrow lowers its coverage, by the more the
 * more often one looks. */
static bool is_look(uint32_t n)
{
    uint32_t look = INTERVAL_MIN;
    while (look < n)
        look += look / 2;
    return look == n;
}

enum xb_stop xb_stop_why(const struct xb_sample *samples, uint32_t n, uint32_t exactly,
                         double precision, bool late, double *scratch)
{
    if (exactly)
        return n >= exactly ? XB_STOP_COUNT : XB_STOP_INTERRUPTED;
    if (is_look(n)) {
        for (uint32_t i = 0; i < n; i++)
            scratch[i] = xb_sample_item_ns(&samples[i]);
        if (xb_interval_relative(xb_median_interval(scratch, n)) <= precision)
            return XB_STOP_PRECISE;
    }
    return late || n >= XB_SAMPLES_MAX ? XB_STOP_TIME : XB_STOP_INTERRUPTED;
}
