/* SPDX-License-Identifier: BSD-3-Clause
 * What advice assumes of a program, and what it says of measurements; pure. */
#include "advice.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* How far from the best is as good. */
#define AS_GOOD 0.95

/* Half the width of an interval, over the gain, that people should be told of. */
#define UNCERTAIN 0.1

/* A program that uses this share of the CPUs is held up by them, whatever its threads wait for. */
#define CPUS_FULL 0.9

/* Less is no waiting: workers that start, or are out of step. */
#define ALL_CPU 0.98

/* Workers that had nothing to do for less than this of their time, had something to do. */
#define IDLE_LEAST 0.02

/* A wait for another worker that is longer, on average, is not one for a lock. */
#define LOCK_WAIT_NS 1e6

/* A far end that works this share of the time is what holds the others up. */
#define FAR_FULL 0.7

/* Of a lone worker's time: less waiting for a network bounds nothing. */
#define FAR_LEAST 0.05

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

/* Thread time of one kind, by use: what it has a CPU for, and what it waits for. */
struct division {
    double cpu[XB_USES], wait[XB_USES];
};

static double sum_of(const double share[XB_USES])
{
    double sum = 0;
    for (int use = 0; use < XB_USES; use++)
        sum += share[use];
    return sum;
}

static void scale(double share[XB_USES], double to)
{
    double sum = sum_of(share);
    for (int use = 0; use < XB_USES; use++)
        share[use] *= sum > 0 ? to / sum : 0;
}

static double positive(double value)
{
    return value > 0 ? value : 0;
}

/* By use, as the judgement has it. Without a probe that tells waiting from working for it, what is judged
 * to be for a device or a timer is waiting, and the rest of I/O copying. */
static struct division divide(const struct xb_judgement *judgement, double fsync)
{
    bool told = !isnan(judgement->waits);
    const double *share = judgement->share, *level = judgement->level_share;
    const double *waiting = told ? judgement->waiting : share;
    const double *at = told ? judgement->level_waiting : level;
    struct division out = { .cpu = { 0 } };
    double *cpu = out.cpu, *wait = out.wait;
    double io = waiting[XB_BOUND_IO], sync = waiting[XB_BOUND_SYNC];

    cpu[XB_USE_LLC] = fmin(level[XB_LEVEL_LLC], share[XB_BOUND_CACHE]);
    cpu[XB_USE_L2] = share[XB_BOUND_CACHE] - cpu[XB_USE_LLC];
    /* Latency or bandwidth: no probe tells them apart. The one hardly has an end, the other does. */
    cpu[XB_USE_CHASE] = cpu[XB_USE_STREAM] = share[XB_BOUND_MEMORY] / 2;
    cpu[XB_USE_FAULT] = share[XB_BOUND_KERNEL];
    cpu[XB_USE_COPY] = positive(share[XB_BOUND_IO] - io);
    cpu[XB_USE_COMPUTE] = share[XB_BOUND_CPU] + positive(share[XB_BOUND_SYNC] - sync);
    if (told) /* CPU time that nobody could divide */
        cpu[XB_USE_COMPUTE] += positive(share[XB_BOUND_UNKNOWN] - waiting[XB_BOUND_UNKNOWN]);

    double disk = fmin(at[XB_LEVEL_DISK], io), network = fmin(at[XB_LEVEL_NETWORK], io - disk);
    double timer = fmin(at[XB_LEVEL_TIMER], sync);
    wait[XB_USE_FSYNC] = disk * fsync;
    wait[XB_USE_DISK] = disk - wait[XB_USE_FSYNC];
    wait[XB_USE_WAIT] = network + timer;
    *(told ? &wait[XB_USE_WAIT] : &cpu[XB_USE_COPY]) += io - disk - network;
    wait[XB_USE_LOCK] = sync - timer;
    /* What is not seen is like what is. */
    double named = sum_of(cpu) + sum_of(wait);
    scale(wait, sum_of(wait) / (named > 0 ? named : 1));
    scale(cpu, 1 - sum_of(wait));
    return out;
}

/* Of the time of `n` workers what each of them would also spend alone: with a CPU, and waiting for the
 * world. `idle`: the rest, which it waits for others or for work. */
struct worker {
    double cpu, wait, idle;
};

/* CPU time over the number of workers is exact. How much waiting belongs to it is a judgement of looks at
 * threads, of which some are no workers, and short-lived ones were hardly seen: beside what was seen as
 * waiting for each other, it may be twice what was seen. */
static struct worker of_workers(const struct xb_advice_ask *ask, const struct division *time)
{
    double n = ask->watched_at, on = sum_of(time->cpu), lock = time->wait[XB_USE_LOCK];
    double wait = sum_of(time->wait) - lock;
    if (n == 0 || isnan(ask->cpus))
        return (struct worker){ on, wait, lock };
    double cpus = fmin(n, ask->cpus), off = n - cpus;
    if (ask->one_lane) /* its workers wait for the world while their thread serves another */
        return (struct worker){ cpus / n, off / n, 0 };
    double waited = on > 0 ? fmin(off, cpus * wait / on) : off * wait / (wait + lock);
    double seen = on > 0 ? cpus * lock / on : off - waited;
    waited += fmin(fmax(waited, 2 * n * wait - waited), positive(off - waited - seen));
    return (struct worker){ cpus / n, waited / n, (off - waited) / n };
}

/* From what workers waited for each other to what a lone one does under a lock, or cannot share out.
 * Locks are held for microseconds, and who waits for one is awake again as soon; who waits for another
 * to read, merge or write is not. */
static void find_lock(const struct xb_advice_ask *ask, uint32_t cpus, double idle,
                      struct xb_advice_shares *out)
{
    double threads = ask->threads >= 1 ? ask->threads : NAN;
    uint32_t among = ask->watched_at;
    if (idle < IDLE_LEAST)
        return;
    if (among == 1) {
        snprintf(
            out->note, sizeof out->note,
            "%.0f %% of its threads' time was waiting for each other, with one worker: taken for "
            "helpers at rest, and left out",
            100 * idle);
        return;
    }
    if (!isnan(ask->cpus) && ask->cpus >= CPUS_FULL * cpus && (among == 0 || among > cpus)) {
        snprintf(
            out->note, sizeof out->note,
            "%.0f %% of its threads' time was waiting for each other while %.1f of %u CPUs were "
            "busy: more threads than CPUs, and left out",
            100 * idle, ask->cpus, cpus);
        return;
    }
    double held = idle;
    if (isnan(threads) && among == 0) {
        snprintf(
            out->note, sizeof out->note,
            "how many threads waited for each other is not known: taken for time under a lock");
    } else if (among >= 2 && ask->wait_ns >= LOCK_WAIT_NS) {
        out->serial = fmin(1, idle / (1 - idle) / (among - 1));
        snprintf(
            out->note, sizeof out->note,
            "watched with %u workers, of which %.1f had work on average, and waits of %.1f ms: "
            "taken for %.0f %% of a lone one's time that cannot be shared out; a lock held so "
            "long would show the same",
            among, among * (1 - idle), ask->wait_ns / 1e6, 100 * out->serial);
        return;
    } else {
        if (among == 0)
            among = threads < 2 ? 2 : (uint32_t)(threads + 0.5);
        held = xb_mimic_lock_share(idle, among);
        snprintf(
            out->note, sizeof out->note,
            "watched with %u workers that waited for each other: taken to pass one lock, which a "
            "lone worker holds for %.0f %% of its time; a serial part would show the same",
            among, 100 * held);
    }
    scale(out->share, 1 - held);
    out->share[XB_USE_LOCK] = held;
}

/* What the far end of the network does to it. */
static void find_far_end(const struct xb_advice_ask *ask, double network, double workers,
                         struct xb_advice_shares *out)
{
    double wait = out->share[XB_USE_WAIT];
    network = fmin(network, wait);
    if (network < FAR_LEAST)
        return;
    if (!(ask->far_cpus >= 0) || !ask->far_lanes || !(workers > 0)) {
        out->far_unknown = network;
        snprintf(out->note, sizeof out->note,
                 "nothing is known of whom it waits for over the network: taken to answer any "
                 "number as fast as one; the intervals begin where it answers one at a time");
        return;
    }
    out->far = fmin(ask->far_cpus / workers, network);
    out->far_lanes = ask->far_lanes;
    out->share[XB_USE_WAIT] -= out->far;
    scale(out->share, 1);
    snprintf(out->note, sizeof out->note,
             "whom it waits for over the network runs on this machine, and takes CPU time for "
             "%.1f %% of a lone worker's time, on %u thread%s: the rest is taken to overlap",
             100 * out->far, out->far_lanes, out->far_lanes == 1 ? "" : "s");
}

int xb_advice_divide(const struct xb_advice_ask *ask, struct xb_advice_shares *out,
                     struct xb_reason *why)
{
    const struct xb_judgement *judgement = ask->judgement;
    *out = (struct xb_advice_shares){ .note = "" };
    int err = check(ask, why);
    if (err)
        return err;
    /* Waits for files to be durable, where nobody looked: none. */
    struct division time = divide(judgement, ask->fsync_share >= 0 ? fmin(ask->fsync_share, 1) : 0);
    double unknown = judgement->share[XB_BOUND_UNKNOWN];
    double all_waits = sum_of(time.wait), network = 0;
    if (all_waits > 0 && !isnan(judgement->waits) && judgement->waits > 0)
        network = judgement->level_waiting[XB_LEVEL_NETWORK] / judgement->waits;
    else if (all_waits > 0 && isnan(judgement->waits))
        network = judgement->level_share[XB_LEVEL_NETWORK] / all_waits;
    struct worker worker = of_workers(ask, &time);
    time.wait[XB_USE_LOCK] = 0;
    double lone = worker.cpu + worker.wait, on = lone > 0 ? worker.cpu / lone : 1;
    if (on > ALL_CPU || sum_of(time.wait) <= 0)
        on = 1;
    if (sum_of(time.cpu) <= 0)
        time.cpu[XB_USE_COMPUTE] = 1;
    scale(time.cpu, on);
    scale(time.wait, 1 - on);
    for (int use = 0; use < XB_USES; use++)
        out->share[use] = time.cpu[use] + time.wait[use];
    find_lock(ask, xb_topology_pus(ask->topology), worker.idle, out);
    double workers = ask->watched_at ? ask->watched_at : ask->threads >= 1 ? ask->threads : 1;
    find_far_end(ask, network * (1 - on), lone * workers, out);
    if (!out->note[0] && unknown > 0.2)
        snprintf(out->note, sizeof out->note,
                 "nobody can say what %.0f %% of its time goes to: taken %s", 100 * unknown,
                 unknown - judgement->waiting[XB_BOUND_UNKNOWN] > unknown / 2 &&
                         !isnan(judgement->waits)
                     ? "for computing, as it had a CPU"
                     : "to be like the rest");
    if (!out->note[0] && ask->watched_at <= 1)
        snprintf(out->note, sizeof out->note,
                 "a part of the program that cannot be shared out does not show while it has one "
                 "worker: then the gain is less");
    return 0;
}

/* ---- what the mimic does not hold ---- */

/* What of its time other workers can use, without the lock. */
static double waits_of(const double share[XB_USES])
{
    double sum = 0;
    for (int use = 0; use < XB_USES; use++)
        sum += xb_use_waits(use) ? share[use] : 0;
    return sum;
}

/* What `n` workers do in a lone one's time, of whom some are at the far end: that works for each for `far`
 * of it, on `lanes` at a time, and the mimic does the rest. `gain`: of the mimic with 1, 2 ... n. */
static double with_far_end(const double *gain, uint32_t n, double far, uint32_t lanes)
{
    double weight = 1, weights = 1, done = gain[n] / (1 - far);
    for (uint32_t there = 1; there <= n; there++) {
        double left = gain[n - there + 1] / (1 - far), back = fmin(there, lanes) / far;
        weight *= left / back;
        weights += weight;
        done += weight * (n - there ? gain[n - there] / (1 - far) : 0);
    }
    return done / weights;
}

/* Gains with each number of workers, from those with 1, 2, 4 ...: lines between them. `pick`: 0 the median,
 * -1 the lower end, 1 the upper. Returns the largest number. Neighbours on a shared machine make what
 * cannot be: `n` workers that each have their own data do no more than `n` times one, and if they never
 * wait, no more than those that have a CPU each. */
static uint32_t curve_of(const struct xb_advice *advice, const char *model, int pick,
                         double gain[XB_ADVICE_WORKERS + 1])
{
    uint32_t most = 0;
    bool waits = waits_of(advice->lone.share) > 0;
    gain[0] = 0;
    for (size_t i = 0; i < advice->n_rows; i++) {
        const struct xb_advice_row *row = &advice->row[i];
        double value = pick < 0 ? row->gain.lo : pick > 0 ? row->gain.hi : row->gain.median;
        if (strcmp(row->model, model) != 0 || isnan(value) || row->workers <= most ||
            row->workers > XB_ADVICE_WORKERS)
            continue;
        if (most)
            value = fmin(value, row->workers * gain[1]);
        if (!waits && most >= advice->cpus)
            value = fmin(value, gain[most]);
        for (uint32_t n = most + 1; n <= row->workers; n++)
            gain[n] = gain[most] + (value - gain[most]) * (n - most) / (row->workers - most);
        most = row->workers;
    }
    return most;
}

static double complete(const struct xb_advice *advice, const double *gain, uint32_t workers,
                       double far, uint32_t lanes)
{
    const struct xb_advice_shares *lone = &advice->lone;
    double value = gain[workers];
    if (far > 0) {
        double cpu = 1 - waits_of(lone->share);
        value = with_far_end(gain, workers, fmin(far, 0.999), lanes ? lanes : 1);
        if (lone->far > 0) /* on the same CPUs */
            value = fmin(value, advice->cpus / (cpu * (1 - far) + far));
    }
    return 1 / (lone->serial + (1 - lone->serial) / value);
}

void xb_advice_complete(struct xb_advice *advice)
{
    const struct xb_advice_shares *lone = &advice->lone;
    static const int picks[] = { 0, -1, 1 };
    struct xb_interval gain[XB_ADVICE_ROWS];
    for (size_t i = 0; i < advice->n_rows; i++) {
        const struct xb_advice_row *row = &advice->row[i];
        double curve[XB_ADVICE_WORKERS + 1], value[3];
        gain[i] = row->gain;
        if (isnan(row->gain.median))
            continue;
        for (int k = 0; k < 3; k++) {
            bool worst = picks[k] < 0 && lone->far_unknown > 0;
            uint32_t most = curve_of(advice, row->model, picks[k], curve);
            value[k] = most < row->workers ? NAN
                                           : complete(advice, curve, row->workers,
                                                      worst ? lone->far_unknown : lone->far,
                                                      worst ? 1 : lone->far_lanes);
        }
        gain[i] = (struct xb_interval){ .median = value[0], .lo = value[1], .hi = value[2] };
    }
    for (size_t i = 0; i < advice->n_rows; i++)
        advice->row[i].gain = gain[i];
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
    bool disk = share[XB_USE_DISK] + share[XB_USE_FSYNC] > share[XB_USE_WAIT];
    const char *what = !disk                                      ? "for network or timers"
                       : share[XB_USE_FSYNC] > share[XB_USE_DISK] ? "until files are durable"
                                                                  : "for the disk";
    char then[96];
    double far = advice->lone.far;
    if (far > 0 && enough->gain.median * far > FAR_FULL * advice->lone.far_lanes)
        snprintf(then, sizeof then, "beyond that the far end, on this machine, is busy");
    else if (enough->workers >= most)
        snprintf(then, sizeof then, "and more than %u, which were not tried, may help", most);
    else if (1 - waits > 0.05 && enough->gain.median * (1 - waits) > 0.7 * advice->cpus)
        snprintf(then, sizeof then, "%u CPU%s %s full beyond that", advice->cpus,
                 advice->cpus == 1 ? "" : "s", advice->cpus == 1 ? "is" : "are");
    else if (disk)
        snprintf(then, sizeof then, "the disk takes no more at a time");
    else
        snprintf(then, sizeof then, "more do not help");
    snprintf(advice->reason, sizeof advice->reason,
             "%.0f %% of its time waits %s: %u worker%s overlap%s it%s; %s", 100 * waits, what,
             enough->workers, enough->workers == 1 ? "" : "s", enough->workers == 1 ? "s" : "",
             advice->lone.far_unknown > 0 ? ", as far as the far end scales" : "", then);
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
    double lock = share[XB_USE_LOCK], serial = advice->lone.serial;
    double waits = waits_of(share);
    waits = waits * (1 - advice->lone.far) + advice->lone.far;
    if (serial >= 0.1) {
        snprintf(advice->reason, sizeof advice->reason,
                 "%.0f %% of a lone worker's time is work that cannot be shared out: %.1f times as "
                 "fast at most, however many workers",
                 100 * serial, 1 / serial);
    } else if (lock >= 0.3 && best->gain.median < 1.1) {
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
    if (width > UNCERTAIN && advice->lone.far_unknown <= 0)
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
