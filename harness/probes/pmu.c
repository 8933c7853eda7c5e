/* SPDX-License-Identifier: BSD-3-Clause
 * Top-down of the program where there is a PMU: what became of the core's slots in user mode, as shares
 * of its user time. Needs no privilege at perf_event_paranoid 2.
 *
 * A PMU may be there and lie: guests are shown counters that stand still, or a part of them. So a loop is
 * counted first, and each phase's shares have to be possible. Nothing here switches anything off in between:
 * counting costs a program the switches of events that take turns, and each of its own. */
#include "probe.h"

#include "../base/clock.h"
#include "../base/counts.h"
#include "../base/pfm.h"
#include "../stats/topdown.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

_Static_assert((int)XB_TOPDOWN_EVENTS <= (int)XB_COUNTS_MAX, "a set has room for a family");

enum {
    LOOP = 200000,         /* iterations of what is counted first, a few cycles each */
    TURN_NS = 40000000,    /* after which each event that takes turns had its own */
    ENOUGH_NS = 100000000, /* that the event counted least has to be counted for full trust */
};

struct pmu {
    const struct xb_topdown_family *family;
    struct xb_counts *counts;
    unsigned event[XB_TOPDOWN_EVENTS]; /* which of the family's each of them is */
    size_t n;
    struct xb_count before[XB_COUNTS_MAX];
};

static int find_event(const void *context, const char *event, struct xb_reason *why)
{
    (void)context;
    struct xb_event_code code;
    return xb_pfm_encode(event, &code, why);
}

static int close_with(struct xb_counts *counts, int err)
{
    xb_counts_close(counts);
    return err;
}

/* Runs until each event was counted for a moment. */
static int exercise(const struct xb_counts *counts, size_t n, struct xb_count *out)
{
    uint64_t until_ns = xb_now_ns() + TURN_NS;
    for (;;) {
        for (uint32_t i = 0; i < LOOP; i++)
            __asm__ volatile("" ::"r"(i));
        int err = xb_counts_read(counts, out);
        bool all = true;
        for (size_t i = 0; i < n; i++)
            all &= !out[i].is_open || out[i].running_ns > 0;
        if (err || all || xb_now_ns() > until_ns)
            return err;
    }
}

/* Whether the kernel has a PMU that counts. */
static int count_cycles(struct xb_reason *why)
{
    static const struct xb_event_code cycles = { .type = PERF_TYPE_HARDWARE,
                                                 .config = PERF_COUNT_HW_CPU_CYCLES };
    struct xb_counts *counts = NULL;
    struct xb_count count;
    int err = xb_counts_open(0, &cycles, 1, &counts, why);
    if (err)
        return err;
    if (exercise(counts, 1, &count) != 0 || !count.value)
        err = xb_because(why, -ENODATA,
                         count.running_ns
                             ? "the PMU stands still: no cycle is counted over a busy loop"
                             : "the PMU's counters are taken: others hold them all");
    return close_with(counts, err);
}

/* Opens those of a family's first `most` events that the division of time needs. */
static int open_family(struct pmu *pmu, pid_t pid, unsigned most, struct xb_reason *why)
{
    struct xb_event_code code[XB_TOPDOWN_EVENTS];
    uint32_t needed = xb_topdown_needed(pmu->family);
    pmu->n = 0;
    for (unsigned k = 0; k < most; k++)
        if (needed & 1u << k && xb_pfm_encode(pmu->family->events[k], &code[pmu->n], NULL) == 0)
            pmu->event[pmu->n++] = k;
    return xb_counts_open(pid, code, pmu->n, &pmu->counts, why);
}

/* Shares of what was counted since `before`. */
static void share_out(const struct pmu *pmu, const struct xb_count *before,
                      const struct xb_count *now, double *share)
{
    double count[XB_TOPDOWN_EVENTS];
    for (size_t k = 0; k < XB_TOPDOWN_EVENTS; k++)
        count[k] = NAN;
    for (int part = 0; part < XB_TOPDOWN_PARTS; part++)
        share[part] = NAN;
    for (size_t i = 0; i < pmu->n; i++)
        count[pmu->event[i]] = xb_count_between(&before[i], &now[i]);
    pmu->family->divide(count, share);
}

/* Whether what this CPU's events count of a loop is possible. */
static int count_slots(struct pmu *pmu, struct xb_reason *why)
{
    static const struct xb_count none[XB_COUNTS_MAX];
    struct xb_count now[XB_COUNTS_MAX];
    double share[XB_TOPDOWN_PARTS];
    struct xb_topdown_time time;
    int err = open_family(pmu, 0, pmu->family->level1, why);
    if (err)
        return err;
    err = exercise(pmu->counts, pmu->n, now);
    if (!err)
        share_out(pmu, none, now, share);
    if (err || !xb_topdown_spend(share, &time))
        err = xb_because(why, -ENODATA,
                         "the PMU lies or is shown in part: over a busy loop its events for "
                         "top-down (%s) are missing, stand still or contradict each other",
                         pmu->family->pmu);
    err = close_with(pmu->counts, err);
    pmu->counts = NULL;
    return err;
}

static int find_family(struct pmu *pmu, struct xb_reason *why)
{
    int err = count_cycles(why);
    if (err)
        return err;
    struct xb_reason said = { 0 };
    pmu->family = xb_topdown_pick(find_event, NULL, &said);
    if (!pmu->family)
        return xb_because(why, said.code, "events for top-down: %.200s", said.text);
    return count_slots(pmu, why);
}

static int probe(struct xb_reason *why)
{
    struct pmu pmu = { .family = NULL };
    return find_family(&pmu, why);
}

static void close_all(void *probe)
{
    struct pmu *pmu = probe;
    if (!pmu)
        return;
    xb_counts_close(pmu->counts);
    free(pmu);
}

static int open_on(const struct xb_scene *scene, void **out, struct xb_reason *why)
{
    struct pmu *pmu = calloc(1, sizeof *pmu);
    if (!pmu)
        return xb_because(why, -ENOMEM, "pmu: out of memory");
    int err = find_family(pmu, why);
    if (!err)
        err = open_family(pmu, scene->root, pmu->family->all, why);
    if (err) {
        close_all(pmu);
        return err;
    }
    *out = pmu;
    return 0;
}

static int begin(void *probe, uint64_t now_ns)
{
    struct pmu *pmu = probe;
    (void)now_ns;
    return xb_counts_read(pmu->counts, pmu->before);
}

static int poll_it(void *probe, uint64_t now_ns)
{
    (void)probe;
    (void)now_ns;
    return 0;
}

static void add(struct xb_findings *out, enum xb_bound bound, enum xb_level level, double share)
{
    xb_add_part(out, (struct xb_part){ .of = XB_WHOLE_USER,
                                       .is = XB_WHOLE_TIME,
                                       .bound = bound,
                                       .level = level,
                                       .share = share });
}

/* A difference of counts that were not taken at one moment may be a little below 0. */
static double percent(double share)
{
    return fmax(0, round(100 * share)) + 0.0; /* nor -0 */
}

static void tell_slots(const double *share, const struct xb_topdown_time *time,
                       struct xb_findings *out)
{
    xb_add_clue(out, "retiring_share", share[XB_TOPDOWN_RETIRING],
                "of the core's slots %.0f %% retired an operation, %.0f %% were lost to wrong "
                "guesses, %.0f %% had nothing to issue, %.0f %% no room behind",
                percent(share[XB_TOPDOWN_RETIRING]), percent(share[XB_TOPDOWN_BAD_SPECULATION]),
                percent(share[XB_TOPDOWN_FRONTEND]), percent(share[XB_TOPDOWN_BACKEND]));
    double placed = time->l1 + time->l2 + time->llc + time->dram, all = placed + time->unplaced;
    if (time->unseen > 0)
        xb_add_clue(out, "memory_bound_share", NAN,
                    "how much of the last waits for memory was not counted");
    else if (placed > 0)
        xb_add_clue(out, "memory_bound_share", all,
                    "%.0f %% wait for memory: %.0f %% for the L1, %.0f %% the L2, %.0f %% the last "
                    "level, %.0f %% DRAM, %.0f %% for room to store, which has no level",
                    100 * all, 100 * time->l1, 100 * time->l2, 100 * time->llc, 100 * time->dram,
                    100 * time->unplaced);
    else
        xb_add_clue(out, "memory_bound_share", all,
                    "%.0f %% wait for caches or DRAM; no event that was counted tells for which",
                    100 * all);
}

/* How much of the program's time on a CPU the event was counted that was counted least; how long that
 * was into `ns`. Events that were refused do not count. */
static double cover(const struct pmu *pmu, const struct xb_count *now, double *ns)
{
    double least = 1;
    *ns = INFINITY;
    for (size_t i = 0; i < pmu->n; i++) {
        double enabled = (double)(now[i].enabled_ns - pmu->before[i].enabled_ns);
        double running = (double)(now[i].running_ns - pmu->before[i].running_ns);
        if (!now[i].is_open)
            continue;
        least = fmin(least, enabled > 0 ? running / enabled : 0);
        *ns = fmin(*ns, running);
    }
    return least;
}

static int end(void *probe, uint64_t now_ns, struct xb_findings *out, struct xb_reason *why)
{
    struct pmu *pmu = probe;
    struct xb_count now[XB_COUNTS_MAX];
    double share[XB_TOPDOWN_PARTS], counted_ns;
    struct xb_topdown_time time;
    (void)now_ns;
    int err = xb_counts_read(pmu->counts, now);
    if (err)
        return xb_because(why, err, "counters cannot be read: %s", strerror(-err));
    double cpu_ms = 1e-6 * (double)(now[0].enabled_ns - pmu->before[0].enabled_ns);
    double coverage = cover(pmu, now, &counted_ns);
    if (!(cpu_ms > 0)) /* it did not run */
        return 0;
    share_out(pmu, pmu->before, now, share);
    if (now[0].running_ns == pmu->before[0].running_ns) {
        xb_add_clue(out, "counter_coverage", 0,
                    "nothing was counted in %.0f ms on a CPU: others hold the counters", cpu_ms);
    } else if (now[0].value == pmu->before[0].value) {
        xb_add_clue(out, "counter_coverage", coverage,
                    "no cycle was counted in user mode in %.0f ms on a CPU: it was in the kernel, "
                    "or the counters stand still",
                    cpu_ms);
    } else if (!xb_topdown_spend(share, &time)) {
        xb_add_clue(out, "counter_coverage", coverage,
                    "the counts of %.0f ms are missing in part or contradict each other, and "
                    "nothing follows from them",
                    cpu_ms);
    } else {
        add(out, XB_BOUND_CPU, XB_LEVEL_NONE, time.cpu);
        add(out, XB_BOUND_CPU, XB_LEVEL_L1, time.l1);
        add(out, XB_BOUND_CACHE, XB_LEVEL_L2, time.l2);
        add(out, XB_BOUND_CACHE, XB_LEVEL_LLC, time.llc);
        add(out, XB_BOUND_MEMORY, XB_LEVEL_DRAM, time.dram);
        add(out, XB_BOUND_MIXED, XB_LEVEL_NONE, time.unplaced);
        add(out, XB_BOUND_UNKNOWN, XB_LEVEL_NONE, time.unseen);
        /* Of an event that was never counted the share is unseen; of one that hardly was, hardly known. */
        out->weight[XB_WHOLE_USER] =
            (1 - time.unseen) * fmin(1, counted_ns > 0 ? counted_ns / ENOUGH_NS : 0.3);
        tell_slots(share, &time, out);
        xb_add_clue(out, "counter_coverage", coverage,
                    "counters of %s in user mode: %zu events, each counted for at least %.0f %% of "
                    "%.0f ms on a CPU",
                    pmu->family->pmu, pmu->n, 100 * coverage, cpu_ms);
    }
    return 0;
}

const struct xb_probe xb_probe_pmu = {
    .name = "pmu",
    .summary = "what became of the core's slots (top-down), where there are hardware counters",
    .probe = probe,
    .open = open_on,
    .begin = begin,
    .poll = poll_it,
    .end = end,
    .close = close_all,
};
