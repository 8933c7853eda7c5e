/* SPDX-License-Identifier: BSD-3-Clause
 * What advice assumes of a program, and what it says of measurements; pure. */
#include "advice.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* How far from the best is as good. */
#define AS_GOOD 0.95

/* Half the width of an interval, over the gain, that people should be told of. */
#define UNCERTAIN 0.1

/* A program that uses this share of the CPUs is held up by them, whatever its threads wait for. */
#define CPUS_FULL 0.9

/* ---- what is assumed ---- */

static int check(const struct xb_advice_ask *ask, struct xb_reason *why)
{
    const struct xb_judgement *judgement = ask->judgement;
    double sum = 0, unknown = judgement->share[XB_BOUND_UNKNOWN];
    for (int bound = 0; bound <= XB_BOUND_UNKNOWN; bound++) {
        if (!(judgement->share[bound] >= 0))
            return xb_because(why, -EINVAL, "a share of time of %g", judgement->share[bound]);
        sum += judgement->share[bound];
    }
    if (fabs(sum - 1) > 0.02)
        return xb_because(why, -EINVAL, "shares of time add up to %.3f; want 1", sum);
    if (unknown > 0.9 && !(ask->cpus >= 0))
        return xb_because(why, -ENODATA,
                          "no advice: nobody can say what %.0f %% of its time goes to",
                          100 * unknown);
    return 0;
}

/* Parts of `whole` in proportion to what levels say, and the rest of it. */
static double take_levels(const struct xb_judgement *judgement, double whole,
                          const enum xb_level *levels, size_t n, double *out)
{
    double sum = 0, rest = whole;
    for (size_t i = 0; i < n; i++)
        sum += judgement->level_share[levels[i]];
    double scale = sum > whole ? whole / sum : 1;
    for (size_t i = 0; i < n; i++) {
        out[i] = judgement->level_share[levels[i]] * scale;
        rest -= out[i];
    }
    return rest > 0 ? rest : 0;
}

/* The share of a worker's time that it had a CPU or waited for one, or NaN. Where it is known how many
 * workers there were, all CPU time is theirs; else it is that of threads. */
static double share_on_cpu(const struct xb_advice_ask *ask)
{
    double among = ask->watched_at ? ask->watched_at : ask->threads;
    return among >= 1 && ask->cpus >= 0 ? fmin(1, ask->cpus / among) : NAN;
}

static bool is_waiting(int use)
{
    return xb_use_waits(use) || use == XB_USE_LOCK;
}

/* What there was of CPU time is exact, and what it went to is a judgement. The kernel's work for I/O
 * counts as I/O there, hence what is more CPU time than was judged is copying; less is more waiting. */
static void fit_cpu_time(const struct xb_advice_ask *ask, double share[XB_USES])
{
    double on_cpu = share_on_cpu(ask), waits = 0, cpu = 0;
    if (isnan(on_cpu))
        return;
    for (int use = 0; use < XB_USES; use++)
        if (is_waiting(use))
            waits += share[use];
        else
            cpu += share[use];
    /* What is missing beyond that, nobody saw: workers starting, out of step, or without a CPU. */
    on_cpu = fmax(on_cpu, 1 - 2 * waits);
    /* Threads that come and go make more threads than there are workers. */
    if (ask->watched_at == 0)
        on_cpu = fmax(on_cpu, cpu);
    if (on_cpu > 0.98)
        on_cpu = 1;
    if (cpu < on_cpu) {
        share[share[XB_USE_DISK] + share[XB_USE_WAIT] > 0 ? XB_USE_COPY : XB_USE_COMPUTE] +=
            on_cpu - cpu;
        cpu = on_cpu;
    }
    for (int use = 0; use < XB_USES; use++)
        if (is_waiting(use))
            share[use] *= waits > 0 ? (1 - on_cpu) / waits : 0;
        else
            share[use] *= cpu > 0 ? on_cpu / cpu : 0;
}

static void scale_rest(double share[XB_USES], enum xb_use but, double sum)
{
    double rest = 0;
    for (int use = 0; use < XB_USES; use++)
        rest += use != (int)but ? share[use] : 0;
    for (int use = 0; use < XB_USES; use++)
        if (use != (int)but)
            share[use] = rest > 0 ? share[use] * sum / rest : 0;
    if (rest <= 0)
        share[XB_USE_COMPUTE] = sum;
}

/* From what threads waited for each other to what a lone worker does under a lock. */
static void find_lock(const struct xb_advice_ask *ask, uint32_t cpus, double waiting,
                      struct xb_advice_shares *out)
{
    double *share = out->share, held = 0;
    double threads = ask->threads >= 1 ? ask->threads : NAN;
    uint32_t among = ask->watched_at;
    if (waiting < 0.02) {
        held = 0;
    } else if (among == 1) {
        snprintf(
            out->note, sizeof out->note,
            "%.0f %% of its threads' time was waiting for each other, with one worker: taken for "
            "helpers at rest, and left out",
            100 * waiting);
    } else if (isnan(threads) && among == 0) {
        held = waiting;
        snprintf(
            out->note, sizeof out->note,
            "how many threads waited for each other is not known: taken for time under a lock");
    } else if (!isnan(ask->cpus) && ask->cpus >= CPUS_FULL * cpus) {
        snprintf(
            out->note, sizeof out->note,
            "%.0f %% of its threads' time was waiting for each other while %.1f of %u CPUs were "
            "busy: more threads than CPUs, and left out",
            100 * waiting, ask->cpus, cpus);
    } else {
        if (among == 0)
            among = threads < 2 ? 2 : (uint32_t)(threads + 0.5);
        held = xb_mimic_lock_share(waiting, among);
        snprintf(
            out->note, sizeof out->note,
            "watched with %u workers that waited for each other: taken to pass one lock, which a "
            "lone worker holds for %.0f %% of its time; a serial part would show the same",
            among, 100 * held);
    }
    share[XB_USE_LOCK] = held;
    scale_rest(share, XB_USE_LOCK, 1 - held);
}

int xb_advice_divide(const struct xb_advice_ask *ask, struct xb_advice_shares *out,
                     struct xb_reason *why)
{
    static const enum xb_level caches[] = { XB_LEVEL_L2, XB_LEVEL_LLC };
    static const enum xb_level io[] = { XB_LEVEL_DISK, XB_LEVEL_NETWORK };
    static const enum xb_level sync[] = { XB_LEVEL_TIMER, XB_LEVEL_LOCK };
    const struct xb_judgement *judgement = ask->judgement;
    *out = (struct xb_advice_shares){ .note = "" };
    int err = check(ask, why);
    if (err)
        return err;
    double *share = out->share, of_cache[2], of_io[2], of_sync[2];
    double no_level = take_levels(judgement, judgement->share[XB_BOUND_CACHE], caches, 2, of_cache);
    share[XB_USE_L2] = of_cache[0] + no_level;
    share[XB_USE_LLC] = of_cache[1];
    double other_io = take_levels(judgement, judgement->share[XB_BOUND_IO], io, 2, of_io);
    double others = take_levels(judgement, judgement->share[XB_BOUND_SYNC], sync, 2, of_sync);
    share[XB_USE_COMPUTE] = judgement->share[XB_BOUND_CPU];
    /* Latency or bandwidth: no probe tells them apart. The one hardly has an end, the other does. */
    share[XB_USE_CHASE] = share[XB_USE_STREAM] = judgement->share[XB_BOUND_MEMORY] / 2;
    share[XB_USE_FAULT] = judgement->share[XB_BOUND_KERNEL];
    share[XB_USE_DISK] = of_io[0];
    share[XB_USE_WAIT] = of_io[1] + of_sync[0];
    /* Pipes and what is in the page cache: waiting, unless CPU time says otherwise. */
    bool knows_cpu = !isnan(share_on_cpu(ask));
    share[knows_cpu ? XB_USE_WAIT : XB_USE_COPY] += other_io;
    share[XB_USE_LOCK] = of_sync[1] + others;
    double unknown = judgement->share[XB_BOUND_UNKNOWN], named = 1 - unknown, on_cpu = 0;
    for (int use = 0; use < XB_USES; use++)
        on_cpu += is_waiting(use) ? 0 : share[use];
    /* CPU time that nobody could divide is taken for computing. */
    double undivided = knows_cpu ? fmin(unknown, fmax(0, share_on_cpu(ask) - on_cpu)) : 0;
    share[XB_USE_COMPUTE] += undivided;
    for (int use = 0; use < XB_USES; use++)
        share[use] /= named + undivided > 0 ? named + undivided : 1;
    fit_cpu_time(ask, share);
    find_lock(ask, xb_topology_pus(ask->topology), share[XB_USE_LOCK], out);
    if (!out->note[0] && unknown > 0.2)
        snprintf(out->note, sizeof out->note,
                 "nobody can say what %.0f %% of its time goes to: taken %s", 100 * unknown,
                 undivided > unknown / 2 ? "for computing, as it had a CPU"
                                         : "to be like the rest");
    if (!out->note[0] && of_io[1] >= 0.3)
        snprintf(out->note, sizeof out->note,
                 "who it waits for over the network is taken to answer any number as fast as one");
    if (!out->note[0] && ask->watched_at <= 1)
        snprintf(out->note, sizeof out->note,
                 "a part of the program that cannot be shared out does not show while it has one "
                 "worker: then the gain is less");
    return 0;
}

/* ---- what follows from what was measured ---- */

static bool measured(const struct xb_advice_row *row)
{
    return !isnan(row->gain.median);
}

const struct xb_advice_row *xb_advice_find(const struct xb_advice *advice, const char *model,
                                           uint32_t workers)
{
    for (size_t i = 0; i < advice->n_rows; i++)
        if (advice->row[i].workers == workers && strcmp(advice->row[i].model, model) == 0)
            return &advice->row[i];
    return NULL;
}

/* The best row, and the one of fewest workers that is as good. `model`: of this one only; NULL: of
 * all. False without any. */
static bool choose(const struct xb_advice *advice, const char *model, size_t *best, size_t *enough)
{
    const struct xb_advice_row *row = advice->row;
    bool any = false;
    *best = 0;
    for (size_t i = 0; i < advice->n_rows; i++) {
        if (!measured(&row[i]) || (model && strcmp(row[i].model, model) != 0))
            continue;
        if (!any || row[i].gain.median > row[*best].gain.median)
            *best = i;
        any = true;
    }
    if (!any)
        return false;
    *enough = *best;
    for (size_t i = 0; i < advice->n_rows; i++) {
        if (!measured(&row[i]) || (model && strcmp(row[i].model, model) != 0) ||
            row[i].gain.median < AS_GOOD * row[*best].gain.median)
            continue;
        if (row[i].workers < row[*enough].workers ||
            (row[i].workers == row[*enough].workers &&
             row[i].gain.median > row[*enough].gain.median))
            *enough = i;
    }
    return true;
}

/* By how much one model is better than another at a count; 0 where either was not measured. */
static double ahead(const struct xb_advice *advice, const char *model, const char *other,
                    uint32_t workers)
{
    const struct xb_advice_row *a = xb_advice_find(advice, model, workers);
    const struct xb_advice_row *b = xb_advice_find(advice, other, workers);
    return a && b && measured(a) && measured(b) ? a->gain.median / b->gain.median - 1 : 0;
}

static void explain_waiting(struct xb_advice *advice, double waits)
{
    const struct xb_advice_row *enough = &advice->row[advice->enough];
    const double *share = advice->lone.share;
    uint32_t most = advice->row[advice->n_rows - 1].workers;
    const char *what =
        share[XB_USE_DISK] > share[XB_USE_WAIT] ? "for the disk" : "for network or timers";
    char then[96];
    if (enough->workers >= most)
        snprintf(then, sizeof then, "and more than %u, which were not tried, may help", most);
    else if (1 - waits > 0.05 && enough->gain.median * (1 - waits) > 0.7 * advice->cpus)
        snprintf(then, sizeof then, "%u CPU%s %s full beyond that", advice->cpus,
                 advice->cpus == 1 ? "" : "s", advice->cpus == 1 ? "is" : "are");
    else if (share[XB_USE_DISK] > share[XB_USE_WAIT])
        snprintf(then, sizeof then, "the disk takes no more at a time");
    else
        snprintf(then, sizeof then, "more do not help");
    snprintf(advice->reason, sizeof advice->reason,
             "%.0f %% of its time waits %s: %u worker%s overlap%s it; %s", 100 * waits, what,
             enough->workers, enough->workers == 1 ? "" : "s", enough->workers == 1 ? "s" : "",
             then);
}

static void explain_computing(struct xb_advice *advice, double memory)
{
    const struct xb_advice_row *enough = &advice->row[advice->enough];
    double fault = advice->lone.share[XB_USE_FAULT];
    double processes = ahead(advice, "processes", "threads", enough->workers);
    if (memory >= 0.3 && enough->gain.median < 0.8 * advice->cpus) {
        snprintf(advice->reason, sizeof advice->reason,
                 "memory bandwidth ends at %u worker%s: %.0f %% of its time is memory, and %u CPUs "
                 "give %.2f times one",
                 enough->workers, enough->workers == 1 ? "" : "s", 100 * memory, advice->cpus,
                 enough->gain.median);
    } else if (fault >= 0.2 && processes > 0.1) {
        snprintf(
            advice->reason, sizeof advice->reason,
            "%.0f %% of its time is page faults and mappings, for which threads queue: processes "
            "do %.2f times as much",
            100 * fault, 1 + processes);
    } else if (fabs(processes) < 0.03) {
        snprintf(
            advice->reason, sizeof advice->reason,
            "it only computes: one worker for each of %u CPUs; threads and processes differ by "
            "less than 3 %%",
            advice->cpus);
    } else {
        snprintf(advice->reason, sizeof advice->reason,
                 "it only computes: one worker for each of %u CPUs; processes do %.2f times what "
                 "threads do",
                 advice->cpus, 1 + processes);
    }
}

static void explain(struct xb_advice *advice)
{
    const struct xb_advice_row *best = &advice->row[advice->best];
    const double *share = advice->lone.share;
    double waits = share[XB_USE_DISK] + share[XB_USE_WAIT], lock = share[XB_USE_LOCK];
    if (lock >= 0.3 && best->gain.median < 1.1) {
        snprintf(advice->reason, sizeof advice->reason,
                 "%.0f %% of a worker's time is under one lock: more workers cannot help",
                 100 * lock);
    } else if (lock >= 0.3 && 1 / lock < advice->cpus + 1.0) {
        snprintf(
            advice->reason, sizeof advice->reason,
            "%.0f %% of a worker's time is under one lock: %.1f times as fast at most, however "
            "many workers",
            100 * lock, 1 / lock);
    } else if (waits >= 0.2) {
        explain_waiting(advice, waits);
    } else {
        explain_computing(advice, share[XB_USE_CHASE] + share[XB_USE_STREAM]);
    }
}

void xb_advice_conclude(struct xb_advice *advice)
{
    if (!choose(advice, NULL, &advice->best, &advice->enough))
        return;
    explain(advice);
    double width = xb_interval_relative(advice->row[advice->enough].gain);
    advice->doubt[0] = '\0';
    if (width > UNCERTAIN)
        snprintf(advice->doubt, sizeof advice->doubt,
                 "others used this machine meanwhile, or it has noisy neighbours: the gain is "
                 "uncertain by %.0f %% either way",
                 100 * width);
}

struct xb_interval xb_advice_predict(const struct xb_advice *advice, const char *model,
                                     uint32_t workers)
{
    const struct xb_advice_row *one = xb_advice_find(advice, model, 1);
    const struct xb_advice_row *row = xb_advice_find(advice, model, workers);
    struct xb_interval gain = { NAN, NAN, NAN };
    if (!one || !row || workers == 1)
        return workers == 1 && one ? (struct xb_interval){ 1, 1, 1 } : gain;
    gain = row->gain;
    gain.median /= one->gain.median;
    gain.lo /= one->gain.median;
    gain.hi /= one->gain.median;
    return gain;
}

int xb_advice_compare(const struct xb_advice *advice, const struct xb_trial *trial,
                      const char *model, struct xb_advice_check *out)
{
    size_t best, enough, compared = 0;
    double shortest = INFINITY, predicted = NAN;
    if (!choose(advice, model, &best, &enough))
        return -ENODATA;
    *out = (struct xb_advice_check){ .model = advice->row[best].model,
                                     .workers = advice->row[enough].workers,
                                     .off = NAN };
    for (size_t i = 0; i < trial->n; i++) {
        const struct xb_trial_row *is = &trial->row[i];
        double said = xb_advice_predict(advice, model, is->workers).median;
        if (isnan(is->seconds))
            continue;
        if (is->seconds < shortest) {
            shortest = is->seconds;
            out->fastest = is->workers;
        }
        if (is->workers == out->workers)
            predicted = is->seconds;
        if (isnan(said))
            continue;
        double off = said / is->gain.median - 1;
        compared++;
        if (is->workers == out->workers)
            out->off = off;
        if (fabs(off) > fabs(out->worst)) {
            out->worst = off;
            out->worst_at = is->workers;
        }
    }
    out->behind = predicted / shortest - 1;
    return compared >= 2 ? 0 : -ENODATA;
}
