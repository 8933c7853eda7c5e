/* SPDX-License-Identifier: BSD-3-Clause
 * Makes a verdict of what probes say of a phase: first how its time divides, then which of its parts is
 * so large that one may say it bounds the program. */
#include "bound.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* A program waits for a cache or DRAM if its stalled loads take this share of its user-mode samples. Not
 * half: a load that is waited for hides the work beside it, so even the suite's own chases leave samples
 * elsewhere. From 49 programs tuned on and 47 not: 62 of 67 of those that compute were right. */
#define STALL_CLEAR 0.40
/* Between this and STALL_CLEAR are programs that somewhat slower or faster memory makes somewhat slower
 * or faster: compilers, compressors, small trees. */
#define STALL_DOUBT 0.25
/* Of the stalled samples those on DRAM: from this share on it is memory, below it the caches. DRAM takes
 * 4 to 8 times as long as a load from a shared cache, so few loads make this share. */
#define DRAM_CLEAR 0.40

/* The largest group of user mode, I/O, synchronisation and the kernel bounds the program if it has this
 * share of it and the next one together, and of all. The prototype's doubtful cases had 40 to 62 % of
 * their CPU time in the kernel. */
#define GROUP_CLEAR 0.60
#define GROUP_LEAST 0.45

/* For so much of the time threads have to take turns for that to be what bounds the program. */
#define TURNS_CLEAR 0.5

/* The same, that its threads are unlike each other. What bounds one does then not bound the next, and a class
 * has to have most of all time. */
#define UNLIKE_CLEAR 0.5

/* What nobody could see may be this share of what is decided on, or must not matter to it. */
#define UNSEEN_LITTLE 0.15
#define UNSEEN_MOST   0.50

/* Trust in what is only half seen: that user time is all of the time, where no probe divides it; that
 * time in the kernel which nobody could divide is the kernel's own. It may as well move bytes: what an io_uring
 * reads is in no account, and of its calls there are few to be met. */
#define TRUST_NO_TIME   0.5
#define TRUST_NO_KERNEL 0.5

/* Less confidence than this is none: a few samples of a program that ended at once. */
#define CONFIDENCE_LEAST 0.1

/* So many phases there must be for the first, with loading and setting up, to be left out; and so many
 * equal ones, that is of whose shares so much is the same, for a program to have settled. */
enum { PHASES_TO_SKIP = 4, PHASES_TO_SETTLE = 3 };
#define SAME_PHASE 0.7

/* Confidence of a verdict that just holds; one that is beyond doubt has 1. */
#define JUST 0.5

/* Groups of bounds that are weighed against each other before it is asked what user mode does. */
enum group { USER, IO, SYNC, KERNEL, GROUPS };

const char *xb_bound_name(enum xb_bound bound)
{
    static const char *const names[] = { "cpu",  "cache",  "memory", "io",
                                         "sync", "kernel", "mixed",  "unknown" };
    return names[bound];
}

const char *xb_level_word(enum xb_level level)
{
    static const char *const words[XB_LEVELS] = { "",     "L1",      "L2",   "LLC",  "DRAM",
                                                  "disk", "network", "lock", "timer" };
    return words[level];
}

/* ---- what probes say together ---- */

/* One whole, divided: into bounds and levels, and where it is all time, into user mode and kernel. */
struct division {
    double share[XB_BOUND_UNKNOWN + 1][XB_LEVELS];
    double unplaced; /* waits for a cache or DRAM, and it is not known which */
    double user, kernel;
    double weight;    /* 0 to 1: how far it can be trusted; 0: nobody divides it */
    double agreement; /* 1: all who divide it say the same; 0: nothing in common */
};

static void add_part(struct division *division, const struct xb_part *part, double factor)
{
    double share = part->share * factor;
    if (!(share > 0))
        return;
    if (part->of == XB_WHOLE_TIME && part->is == XB_WHOLE_USER)
        division->user += share;
    else if (part->of == XB_WHOLE_TIME && part->is == XB_WHOLE_KERNEL)
        division->kernel += share;
    else if (part->bound == XB_BOUND_MIXED)
        division->unplaced += share;
    else
        division->share[part->bound][part->level] += share;
}

static double total(const struct division *division)
{
    double sum = division->user + division->kernel + division->unplaced;
    for (int b = 0; b <= XB_BOUND_UNKNOWN; b++)
        for (int l = 0; l < XB_LEVELS; l++)
            sum += division->share[b][l];
    return sum;
}

/* One probe's division, scaled to add up to 1. False if it has none to offer. */
static bool divide_by(const struct xb_findings *findings, enum xb_whole whole, struct division *out)
{
    *out = (struct division){ 0 };
    double weight = findings->weight[whole];
    if (!(weight > 0))
        return false;
    struct division raw = { 0 };
    for (size_t i = 0; i < findings->n_parts; i++)
        if (findings->part[i].of == whole)
            add_part(&raw, &findings->part[i], 1);
    double sum = total(&raw);
    if (!(sum > 0) || !isfinite(sum))
        return false;
    for (size_t i = 0; i < findings->n_parts; i++)
        if (findings->part[i].of == whole)
            add_part(out, &findings->part[i], 1 / sum);
    out->weight = fmin(weight, 1);
    return true;
}

/* What two divisions have in common, 0 to 1. */
static double overlap(const struct division *a, const struct division *b)
{
    double common =
        fmin(a->user, b->user) + fmin(a->kernel, b->kernel) + fmin(a->unplaced, b->unplaced);
    for (int bound = 0; bound <= XB_BOUND_UNKNOWN; bound++) {
        double of_a = 0, of_b = 0;
        for (int l = 0; l < XB_LEVELS; l++) {
            of_a += a->share[bound][l];
            of_b += b->share[bound][l];
        }
        common += fmin(of_a, of_b);
    }
    return common;
}

/* Adds `factor` times a division. */
static void add_division(struct division *sum, const struct division *one, double factor)
{
    sum->user += factor * one->user;
    sum->kernel += factor * one->kernel;
    sum->unplaced += factor * one->unplaced;
    for (int b = 0; b <= XB_BOUND_UNKNOWN; b++)
        for (int l = 0; l < XB_LEVELS; l++)
            sum->share[b][l] += factor * one->share[b][l];
}

/* What a probe could not place lies where the others saw more waiting than it did, as far as that goes. */
static void place(struct division *one, const struct division *others)
{
    double more[XB_BOUNDS][XB_LEVELS] = { { 0 } }, sum = 0;
    for (int b = XB_BOUND_CACHE; b <= XB_BOUND_MEMORY; b++)
        for (int l = 0; l < XB_LEVELS; l++)
            sum += more[b][l] = fmax(0, others->share[b][l] - one->share[b][l]);
    double placed = fmin(one->unplaced, sum);
    for (int b = XB_BOUND_CACHE; b <= XB_BOUND_MEMORY && placed > 0; b++)
        for (int l = 0; l < XB_LEVELS; l++)
            one->share[b][l] += placed * more[b][l] / sum;
    one->unplaced -= placed;
}

/* What a probe could not name of the kernel's time is as the others name it: counts of page faults and bytes
 * leave a rest, and calls that are known by their number have no cost. Of user mode that would not do: what
 * is lost there is lost to all, and stalls are lost more often than the rest. */
static void name_unknown(struct division *one, const struct division *others)
{
    double unknown = 0;
    for (int l = 0; l < XB_LEVELS; l++) {
        unknown += one->share[XB_BOUND_UNKNOWN][l];
        one->share[XB_BOUND_UNKNOWN][l] = 0;
    }
    add_division(one, others, unknown);
}

/* What the i-th probe says of a whole. False if it has nothing to say. */
static bool divide_as(const struct xb_findings *findings, size_t n, size_t i, enum xb_whole whole,
                      struct division *out)
{
    struct division others = { 0 }, other;
    if (!divide_by(&findings[i], whole, out))
        return false;
    for (size_t k = 0; k < n && (out->unplaced > 0 || whole == XB_WHOLE_KERNEL); k++)
        if (k != i && divide_by(&findings[k], whole, &other)) {
            double weight = others.weight + other.weight;
            add_division(&others, &others, others.weight / weight - 1);
            add_division(&others, &other, other.weight / weight);
            others.weight = weight;
        }
    place(out, &others);
    if (whole == XB_WHOLE_KERNEL && others.weight > 0)
        name_unknown(out, &others);
    return true;
}

/* All probes' divisions of a whole, averaged by weight. */
static struct division divide(const struct xb_findings *findings, size_t n, enum xb_whole whole)
{
    struct division sum = { 0 }, mean = { 0 }, one;
    double weights = 0, doubt = 1;
    for (size_t i = 0; i < n; i++) {
        if (!divide_as(findings, n, i, whole, &one))
            continue;
        weights += one.weight;
        doubt *= 1 - one.weight;
        add_division(&sum, &one, one.weight);
    }
    if (weights <= 0)
        return mean;
    add_division(&mean, &sum, 1 / weights);
    mean.weight = 1 - doubt;
    for (size_t i = 0; i < n; i++)
        if (divide_as(findings, n, i, whole, &one))
            mean.agreement += one.weight / weights * overlap(&one, &mean);
    return mean;
}

/* ---- which part bounds ---- */

static double group_share(const struct xb_judgement *judged, enum group group)
{
    const double *share = judged->share;
    switch (group) {
    case USER:
        return share[XB_BOUND_CPU] + share[XB_BOUND_CACHE] + share[XB_BOUND_MEMORY] +
               judged->unplaced;
    case IO:
        return share[XB_BOUND_IO];
    case SYNC:
        return share[XB_BOUND_SYNC];
    case KERNEL:
        return share[XB_BOUND_KERNEL];
    default:
        return 0;
    }
}

static const char *group_name(enum group group)
{
    static const char *const names[GROUPS] = { "computing", "I/O", "waiting for workers or timers",
                                               "the kernel" };
    return names[group];
}

static double percent(double share)
{
    return round(100 * share);
}

/* JUST where `value` is at `least`, 1 at `sure` and beyond. */
static double sureness(double value, double least, double sure)
{
    double way = (value - least) / (sure - least);
    return JUST + (1 - JUST) * fmin(1, fmax(0, way));
}

/* Which of user mode's bounds it is. `unseen`: share of all time that might be user mode's or not, but
 * that nobody could see. Returns the sureness. */
static double decide_user(struct xb_judgement *judged, double unseen)
{
    double user = group_share(judged, USER);
    double placed = judged->share[XB_BOUND_CACHE] + judged->share[XB_BOUND_MEMORY];
    double stalled = placed + judged->unplaced;
    double least = stalled / (user + unseen), most = (stalled + unseen) / (user + unseen);
    bool matters = unseen > UNSEEN_LITTLE * (user + unseen);
    double of_stalled = stalled > 0 ? judged->share[XB_BOUND_MEMORY] / stalled : 0;
    double seen = stalled / user;

    if (matters && least < STALL_CLEAR && most > STALL_DOUBT) {
        judged->bound = XB_BOUND_UNKNOWN;
        snprintf(
            judged->reason, sizeof judged->reason,
            "%.0f to %.0f %% of user mode waits for caches or DRAM; the rest could not be seen",
            percent(least), percent(most));
        return JUST;
    }
    if (seen < STALL_DOUBT) {
        judged->bound = XB_BOUND_CPU;
        snprintf(judged->reason, sizeof judged->reason,
                 "%.0f %% of the time in user mode, of which %.0f %% waits for caches or DRAM",
                 percent(user), percent(seen));
        return sureness(STALL_DOUBT - seen, 0, STALL_DOUBT / 2);
    }
    if (seen < STALL_CLEAR) {
        judged->bound = XB_BOUND_MIXED;
        snprintf(
            judged->reason, sizeof judged->reason,
            "%.0f %% of user mode waits for caches or DRAM: between %.0f and %.0f %% it is both",
            percent(seen), percent(STALL_DOUBT), percent(STALL_CLEAR));
        return JUST;
    }
    double at_most = (judged->share[XB_BOUND_MEMORY] + judged->unplaced) / stalled;
    if (of_stalled < DRAM_CLEAR && at_most >= DRAM_CLEAR) {
        judged->bound = XB_BOUND_UNKNOWN;
        snprintf(judged->reason, sizeof judged->reason,
                 "%.0f %% of user mode waits for caches or DRAM, and for %.0f %% of that no probe "
                 "could tell for which",
                 percent(seen), percent(judged->unplaced / stalled));
        return JUST;
    }
    judged->bound = of_stalled >= DRAM_CLEAR ? XB_BOUND_MEMORY : XB_BOUND_CACHE;
    snprintf(judged->reason, sizeof judged->reason,
             "%.0f %% of user mode waits for caches or DRAM, %.0f %% of that for DRAM",
             percent(seen), percent(of_stalled));
    double by_level = of_stalled >= DRAM_CLEAR
                          ? sureness(of_stalled, DRAM_CLEAR, 0.7)
                          : sureness(DRAM_CLEAR - of_stalled, 0, DRAM_CLEAR / 2);
    return fmin(sureness(seen, STALL_CLEAR, 0.6), by_level);
}

/* The level that most of the class's time goes to. */
static enum xb_level main_level(const struct xb_judgement *judged)
{
    static const enum xb_bound belongs[XB_LEVELS] = {
        [XB_LEVEL_NONE] = XB_BOUND_UNKNOWN, [XB_LEVEL_L1] = XB_BOUND_CPU,
        [XB_LEVEL_L2] = XB_BOUND_CACHE,     [XB_LEVEL_LLC] = XB_BOUND_CACHE,
        [XB_LEVEL_DRAM] = XB_BOUND_MEMORY,  [XB_LEVEL_DISK] = XB_BOUND_IO,
        [XB_LEVEL_NETWORK] = XB_BOUND_IO,   [XB_LEVEL_LOCK] = XB_BOUND_SYNC,
        [XB_LEVEL_TIMER] = XB_BOUND_SYNC,
    };
    if (judged->bound >= XB_BOUNDS)
        return XB_LEVEL_NONE;
    enum xb_level most = XB_LEVEL_NONE;
    double without = judged->share[judged->bound], largest = 0;
    for (int l = XB_LEVEL_L1; l < XB_LEVELS; l++) {
        if (belongs[l] != judged->bound)
            continue;
        without -= judged->level_share[l];
        if (judged->level_share[l] > largest) {
            largest = judged->level_share[l];
            most = l;
        }
    }
    return largest > without ? most : XB_LEVEL_NONE;
}

/* Decides by the shares, which are set. `trust`: how far the probes can be trusted with the time and
 * with each group's division. */
static void decide(struct xb_judgement *judged, const double trust[static GROUPS])
{
    double unseen = fmax(0, judged->share[XB_BOUND_UNKNOWN] - judged->unplaced), sure;
    enum group first = USER, second = IO;
    for (int g = IO; g < GROUPS; g++)
        if (group_share(judged, g) > group_share(judged, first))
            first = g;
    second = first == USER ? IO : USER;
    for (int g = 0; g < GROUPS; g++)
        if (g != (int)first && group_share(judged, g) > group_share(judged, second))
            second = g;
    double a = group_share(judged, first), b = group_share(judged, second);
    bool spins = (first == USER && second == SYNC) || (first == SYNC && second == USER);

    judged->reason[0] = 0;
    if (unseen >= UNSEEN_MOST || a <= 0) {
        judged->bound = XB_BOUND_UNKNOWN;
        snprintf(judged->reason, sizeof judged->reason,
                 "%.0f %% of the time went to what no probe could see", percent(unseen));
        sure = 0;
    } else if (spins && a >= GROUP_LEAST && judged->turns >= TURNS_CLEAR) {
        /* Of two that take turns one always spins. That is half of their time, and never clear. */
        first = SYNC;
        judged->bound = XB_BOUND_SYNC;
        snprintf(
            judged->reason, sizeof judged->reason,
            "%.0f %% of the time is waiting for workers: together they get done what one would",
            percent(judged->share[XB_BOUND_SYNC]));
        sure = sureness(judged->turns, TURNS_CLEAR, 1);
    } else if (a < GROUP_LEAST || a < GROUP_CLEAR * (a + b)) {
        judged->bound = XB_BOUND_MIXED;
        snprintf(judged->reason, sizeof judged->reason,
                 "%.0f %% of the time is %s, %.0f %% %s: neither prevails", percent(a),
                 group_name(first), percent(b), group_name(second));
        sure = JUST;
    } else if (first == USER) {
        sure = fmin(sureness(a / (a + b), GROUP_CLEAR, 0.8), decide_user(judged, unseen));
        /* Of user mode a class is named that has less than half of it. It has to prevail over the next
         * group too: of two processes, a list's 40 % of all time are as much as the other's system calls. */
        double waits =
            judged->share[XB_BOUND_CACHE] + judged->share[XB_BOUND_MEMORY] + judged->unplaced;
        bool is_wait = judged->bound == XB_BOUND_CACHE || judged->bound == XB_BOUND_MEMORY;
        if (is_wait && waits < GROUP_CLEAR * (waits + b)) {
            snprintf(
                judged->reason, sizeof judged->reason,
                "%.0f %% of the time waits for caches or DRAM, %.0f %% is %s: neither prevails",
                percent(waits), percent(b), group_name(second));
            judged->bound = XB_BOUND_MIXED;
            sure = JUST;
        } else if (is_wait && judged->unlike >= UNLIKE_CLEAR && waits < GROUP_CLEAR) {
            snprintf(
                judged->reason, sizeof judged->reason,
                "one of its threads waits for caches or DRAM, %.0f %% of all time, and another "
                "does not",
                percent(waits));
            judged->bound = XB_BOUND_MIXED;
            sure = JUST;
        }
    } else {
        judged->bound = first == IO ? XB_BOUND_IO : first == SYNC ? XB_BOUND_SYNC : XB_BOUND_KERNEL;
        sure = sureness(a / (a + b), GROUP_CLEAR, 0.8);
        judged->level = main_level(judged);
        snprintf(judged->reason, sizeof judged->reason, "%.0f %% of the time is %s%s%s, %.0f %% %s",
                 percent(a), group_name(first), judged->level ? ", most of it " : "",
                 xb_level_word(judged->level), percent(b), group_name(second));
    }
    judged->level = main_level(judged);
    judged->confidence = fmin(1, fmax(0, sure * trust[first] * (1 - unseen)));
}

/* Divides `share` of the time as `division` has it. What nobody divides is `otherwise`. */
static void spread(struct xb_judgement *judged, double share, const struct division *division,
                   enum xb_bound otherwise)
{
    if (division->weight <= 0) {
        judged->share[otherwise] += share;
        judged->level_share[XB_LEVEL_NONE] += share;
        return;
    }
    for (int b = 0; b <= XB_BOUND_UNKNOWN; b++)
        for (int l = 0; l < XB_LEVELS; l++) {
            judged->share[b == XB_BOUND_UNKNOWN ? (int)otherwise : b] +=
                share * division->share[b][l];
            judged->level_share[l] += share * division->share[b][l];
        }
    judged->unplaced += share * division->unplaced;
    judged->share[XB_BOUND_UNKNOWN] += share * division->unplaced;
    judged->level_share[XB_LEVEL_NONE] += share * division->unplaced;
}

/* A class that hardly anything speaks for is not named. */
static void give_up(struct xb_judgement *judged)
{
    if (judged->bound == XB_BOUND_UNKNOWN || judged->confidence >= CONFIDENCE_LEAST)
        return;
    char seen[sizeof judged->reason];
    memcpy(seen, judged->reason, sizeof seen);
    judged->bound = XB_BOUND_UNKNOWN;
    judged->level = XB_LEVEL_NONE;
    snprintf(judged->reason, sizeof judged->reason, "too little was seen to tell: %.125s", seen);
}

void xb_bound_judge(const struct xb_findings *findings, size_t n, struct xb_judgement *out)
{
    struct division time = divide(findings, n, XB_WHOLE_TIME),
                    user = divide(findings, n, XB_WHOLE_USER),
                    kernel = divide(findings, n, XB_WHOLE_KERNEL);
    *out = (struct xb_judgement){ 0 };
    for (size_t i = 0; i < n; i++) {
        out->turns = fmax(out->turns, findings[i].turns);
        out->unlike = fmax(out->unlike, findings[i].unlike);
    }
    double of_time = time.weight * time.agreement;
    bool no_time = time.weight <= 0;
    if (no_time && user.weight <= 0) {
        out->bound = XB_BOUND_UNKNOWN;
        out->share[XB_BOUND_UNKNOWN] = out->level_share[XB_LEVEL_NONE] = 1;
        out->waits = NAN;
        snprintf(out->reason, sizeof out->reason, "no probe could say anything");
        return;
    }
    if (no_time) { /* all that is known is what it does when it runs */
        time.user = 1;
        of_time = TRUST_NO_TIME;
    }
    for (int b = 0; b <= XB_BOUND_UNKNOWN; b++)
        for (int l = 0; l < XB_LEVELS; l++) {
            out->share[b] += time.share[b][l];
            out->level_share[l] += time.share[b][l];
        }
    /* What is CPU time is still whole here: in time.user and time.kernel. */
    memcpy(out->waiting, out->share, sizeof out->waiting);
    memcpy(out->level_waiting, out->level_share, sizeof out->level_waiting);
    out->waits = no_time ? NAN : 1 - time.user - time.kernel;
    spread(out, time.user, &user, XB_BOUND_UNKNOWN);
    spread(out, time.kernel, &kernel, XB_BOUND_KERNEL);

    double divided = kernel.weight > 0 ? kernel.weight * kernel.agreement : 0;
    /* How much of the group's time is the kernel's, and so only as certain as its division. */
    double trust[GROUPS] = { [USER] = of_time * user.weight * user.agreement };
    for (int g = IO; g < GROUPS; g++) {
        static const enum xb_bound bound[GROUPS] = {
            [IO] = XB_BOUND_IO, [SYNC] = XB_BOUND_SYNC, [KERNEL] = XB_BOUND_KERNEL
        };
        double in_time = 0, all = group_share(out, g);
        for (int l = 0; l < XB_LEVELS; l++)
            in_time += time.share[bound[g]][l];
        double certain = all > 0 ? fmin(1, in_time / all) : 0;
        trust[g] = of_time * (certain + (1 - certain) * fmax(divided, TRUST_NO_KERNEL));
    }
    decide(out, trust);
    if (no_time && out->bound < XB_BOUNDS) {
        size_t length = strlen(out->reason);
        snprintf(out->reason + length, sizeof out->reason - length,
                 "; whether it waits is not known");
    }
    if (out->bound == XB_BOUND_UNKNOWN && user.weight <= 0 && time.user >= UNSEEN_MOST)
        snprintf(out->reason, sizeof out->reason,
                 "%.0f %% of the time in user mode, and no probe could see what it does there",
                 percent(time.user));
    give_up(out);
}

/* What the shares of two phases have in common, 0 to 1. */
static double in_common(const struct xb_judgement *a, const struct xb_judgement *b)
{
    double common = 0;
    for (int bound = 0; bound <= XB_BOUND_UNKNOWN; bound++)
        common += fmin(a->share[bound], b->share[bound]);
    return common;
}

size_t xb_bound_starting(const struct xb_judgement *phases, size_t n, bool goes_on)
{
    if (n < PHASES_TO_SKIP)
        return 0;
    if (!goes_on)
        return 1;
    const struct xb_judgement *last = &phases[n - 1];
    size_t settled = n - 1;
    while (settled > 0 && phases[settled - 1].bound == last->bound &&
           in_common(&phases[settled - 1], last) >= SAME_PHASE)
        settled--;
    if (n - settled < PHASES_TO_SETTLE || 2 * (n - settled) < n)
        return 1;
    for (size_t i = 1; i < settled; i++) /* it comes and goes */
        if (phases[i].bound == last->bound)
            return 1;
    return settled > 1 ? settled : 1;
}

void xb_bound_judge_phases(const struct xb_judgement *phases, const double *seconds, size_t n,
                           size_t skip, struct xb_judgement *out)
{
    *out = (struct xb_judgement){ 0 };
    if (skip >= n)
        skip = 0;
    double sum = 0, of_class[XB_BOUND_UNKNOWN + 1] = { 0 }, confidence = 0, told = 0;
    for (size_t i = skip; i < n; i++) {
        if (!(seconds[i] > 0))
            continue;
        sum += seconds[i];
        of_class[phases[i].bound] += seconds[i];
        confidence += seconds[i] * phases[i].confidence;
        out->unplaced += seconds[i] * phases[i].unplaced;
        out->turns += seconds[i] * phases[i].turns;
        out->unlike += seconds[i] * phases[i].unlike;
        for (int b = 0; b <= XB_BOUND_UNKNOWN; b++)
            out->share[b] += seconds[i] * phases[i].share[b];
        for (int l = 0; l < XB_LEVELS; l++)
            out->level_share[l] += seconds[i] * phases[i].level_share[l];
        if (isnan(phases[i].waits))
            continue;
        told += seconds[i];
        out->waits += seconds[i] * phases[i].waits;
        for (int b = 0; b <= XB_BOUND_UNKNOWN; b++)
            out->waiting[b] += seconds[i] * phases[i].waiting[b];
        for (int l = 0; l < XB_LEVELS; l++)
            out->level_waiting[l] += seconds[i] * phases[i].level_waiting[l];
    }
    out->waits = told > 0 ? out->waits / told : NAN;
    for (int b = 0; b <= XB_BOUND_UNKNOWN; b++)
        out->waiting[b] /= told > 0 ? told : 1;
    for (int l = 0; l < XB_LEVELS; l++)
        out->level_waiting[l] /= told > 0 ? told : 1;
    if (sum <= 0) {
        out->bound = XB_BOUND_UNKNOWN;
        out->share[XB_BOUND_UNKNOWN] = out->level_share[XB_LEVEL_NONE] = 1;
        snprintf(out->reason, sizeof out->reason, "it was not watched long enough for one phase");
        return;
    }
    for (int b = 0; b <= XB_BOUND_UNKNOWN; b++)
        out->share[b] /= sum;
    for (int l = 0; l < XB_LEVELS; l++)
        out->level_share[l] /= sum;
    out->unplaced /= sum;
    out->turns /= sum;
    out->unlike /= sum;
    /* Decided by the shares of all together: phases near an edge do not vote for one side of it. */
    const double full[GROUPS] = { 1, 1, 1, 1 };
    decide(out, full);
    double sure = out->confidence, agreeing = of_class[out->bound] / sum;
    out->confidence = fmin(sure, confidence / sum) * (out->bound < XB_BOUNDS ? agreeing : 1);
    enum xb_bound most = XB_BOUND_CPU;
    for (int b = 0; b <= XB_BOUND_UNKNOWN; b++)
        if (of_class[b] > of_class[most])
            most = b;
    if (most != out->bound || agreeing < 1) {
        size_t length = strlen(out->reason);
        snprintf(out->reason + length, sizeof out->reason - length, "; %.0f %% of it was %s",
                 percent(of_class[most] / sum), xb_bound_name(most));
    }
    give_up(out);
}
