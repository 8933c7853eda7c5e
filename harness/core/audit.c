/* SPDX-License-Identifier: BSD-3-Clause
 * Holds counters against work of known counts.
 *
 * Each counter is opened alone, so that it has the PMU to itself, and then all are opened together,
 * as a run does it. All happens in a forked process: PAPI is initialised once in a process and must
 * not be when cells fork (counters/papi.c), and a library may crash on a PMU it does not know. */
#include "audit.h"

#include "../base/clock.h"
#include "../base/memory.h"
#include "../stats/median.h"
#include "exercise.h"
#include "metrics.h"
#include "provenance.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    TRIES = 3,         /* of each window; what disturbs adds, so the least count is taken */
    SECONDS_MOST = 30, /* of the whole audit, as seen in an emulator, ten times over */
    COSTS = 101
};

/* While all are counted by turns: some rounds of the kernel's rotation, which is 4 ms by default
 * (perf_event_mux_interval_ms) with a group for each event at worst. */
#define TURNS_NS  UINT64_C(120000000)
#define MOMENT_NS UINT64_C(2000000)

/* What is known of a metric: per unit of an exercise. All are differences between two windows, of
 * n and 2n, so that what starting and stopping takes is not in them. */
struct known {
    enum xb_exercise_kind exercise;
    uint64_t n;
    double least, most; /* equal: known exactly */
    const char *unit;
    double idle_most; /* per round of the loop, which does nothing of the sort; 0: not looked at */
};

enum { ROUNDS = 500000 };

/* Bounds are about what counters of the same name count on different CPUs: a prefetcher that comes
 * first makes a miss a hit, and loads that were wrongly foretold miss as well. */
static const struct known *find_known(unsigned number)
{
    static const struct known known[XB_METRIC_COUNT] = {
        /* Three on most CPUs, two on the fastest. What counts ns instead finds one or less. */
        [XB_METRIC_CYCLES] = { XB_EXERCISE_PRODUCT, ROUNDS, 1.9, 32, "dependent multiplication",
                               0 },
        [XB_METRIC_INSTRUCTIONS] = { XB_EXERCISE_LOOP, ROUNDS, 2, 2, "round of two instructions",
                                     0 },
        [XB_METRIC_BRANCHES] = { XB_EXERCISE_LOOP, ROUNDS, 1, 1, "round of one branch", 0 },
        [XB_METRIC_BRANCH_MISSES] = { XB_EXERCISE_TOSS, ROUNDS / 5, 0.2, 1.5,
                                      "branch on a random bit", 0.01 },
        [XB_METRIC_L1D_MISSES] = { XB_EXERCISE_CHASE, XB_EXERCISE_LOADS_MOST / 2, 0.5, 4,
                                   "load from a flushed line", 0.01 },
        [XB_METRIC_LLC_MISSES] = { XB_EXERCISE_CHASE, XB_EXERCISE_LOADS_MOST / 2, 0.25, 4,
                                   "load from a flushed line", 0.01 },
        [XB_METRIC_TASK_CLOCK] = { XB_EXERCISE_LOOP, 4 * ROUNDS, 0.5, 2, "ns of the thread's clock",
                                   0 },
        [XB_METRIC_CONTEXT_SWITCHES] = { XB_EXERCISE_SLEEP, 8, 1, 25, "sleep", 0 },
        [XB_METRIC_PAGE_FAULTS] = { XB_EXERCISE_PAGES, XB_EXERCISE_PAGES_MOST / 2, 1, 1.5,
                                    "page written first", 0 },
        [XB_METRIC_MIGRATIONS] = { XB_EXERCISE_MOVE, 8, 1, 4, "move to another CPU", 0 },
    };
    return number < XB_METRIC_COUNT && known[number].unit ? &known[number] : NULL;
}

/* How many of a preset each round of the mixture makes at least, on any CPU; NaN where a CPU may
 * truly count none of it: snoops, prefetches, TLB misses behind a large second level, single
 * precision. Of misses a prefetcher may take half, and a line is new to the caches in less than
 * every second round. */
static double due_of_preset(const char *name)
{
    static const struct {
        double least;
        const char *names; /* each between blanks */
    } due[] = {
        { 5, " TOT_INS TOT_IIS " },
        { 1, " TOT_CYC LD_INS SR_INS LST_INS BR_INS BR_CN L1_DCA L1_DCR L1_DCW L1_TCA L1_TCR " },
        { 0.2, " REF_CYC RES_STL STL_CCY STL_ICY BR_UCN BR_TKN BR_NTK BR_PRC FP_INS FP_OPS DP_OPS "
               "FAD_INS L1_ICA L1_ICR L1_ICH L1_DCH VEC_INS VEC_DP " },
        { 0.05, " L1_DCM L1_ICM L1_TCM L1_LDM L1_STM L2_DCM L2_ICM L2_TCM L2_LDM L2_STM L3_DCM "
                "L3_TCM L3_LDM L2_DCA L2_DCR L2_DCW L2_DCH L2_ICA L2_ICR L2_ICH L2_TCA L2_TCR "
                "L2_TCW L3_DCA L3_DCR L3_DCW L3_ICA L3_ICR L3_TCA L3_TCR L3_TCW BR_MSP " },
    };
    char word[64];
    if (strncmp(name, "PAPI_", 5) != 0)
        return NAN;
    snprintf(word, sizeof word, " %s ", name + 5);
    for (size_t i = 0; i < sizeof due / sizeof due[0]; i++)
        if (strstr(due[i].names, word))
            return due[i].least;
    return NAN;
}

const char *xb_trust_name(enum xb_trust trust)
{
    static const char *const names[] = {
        [XB_TRUST_ABSENT] = "absent",   [XB_TRUST_OK] = "ok",
        [XB_TRUST_SCALED] = "scaled",   [XB_TRUST_UNPROVEN] = "unproven",
        [XB_TRUST_STARVED] = "starved", [XB_TRUST_LIES] = "lies",
    };
    return names[trust];
}

const char *xb_audit_column(unsigned number, const struct xb_events *events)
{
    return number < XB_METRIC_COUNT ? xb_metric_name((enum xb_metric)number)
                                    : events->name[number - XB_METRIC_COUNT];
}

/* ---- one window ---- */

struct window {
    const struct xb_counter_source *source;
    struct xb_counters *counters;
    struct xb_exercise *exercise;
    unsigned number;
    uint64_t cpu_ns; /* what the last one took */
    struct xb_audited *out;
};

/* Gives a verdict; returns false, since who calls it has no more to count. */
__attribute__((format(printf, 3, 4))) static bool judge(struct xb_audited *out, enum xb_trust trust,
                                                        const char *format, ...)
{
    va_list args;
    out->trust = trust;
    out->why.code = trust == XB_TRUST_ABSENT ? -ENODATA : 0;
    va_start(args, format);
    vsnprintf(out->why.text, sizeof out->why.text, format, args);
    va_end(args);
    return false;
}

/* Counts n of an exercise once. False with a verdict when there is no count. */
static bool count_once(struct window *window, enum xb_exercise_kind kind, uint64_t n, double *value)
{
    struct xb_reading reading = { .present = 0 };
    uint32_t bit = 1u << window->number;
    if (xb_exercise_prepare(window->exercise, kind, n) != 0 ||
        window->source->start(window->counters) != 0)
        return judge(window->out, XB_TRUST_ABSENT, "it opens, but cannot be started");
    uint64_t begin_ns = xb_thread_cpu_ns();
    xb_exercise_do(window->exercise, kind, n);
    window->cpu_ns = xb_thread_cpu_ns() - begin_ns;
    if (window->source->stop(window->counters, &reading) != 0)
        return judge(window->out, XB_TRUST_ABSENT, "it starts, but cannot be read");
    if (reading.starved & bit)
        return judge(window->out, XB_TRUST_STARVED, "not scheduled once, though it was alone");
    if (!(reading.present & bit))
        return judge(window->out, XB_TRUST_ABSENT,
                     "it opens and runs, but cannot be counted: its value is less than 0");
    *value = (double)reading.value[window->number];
    return true;
}

/* Counts of one window, and the CPU time of the least. */
struct counts {
    double least, most;
    uint64_t cpu_ns;
};

static bool count(struct window *window, enum xb_exercise_kind kind, uint64_t n,
                  struct counts *counts)
{
    int tries = window->source->simulate ? 1 : TRIES; /* nothing disturbs a simulated CPU */
    *counts = (struct counts){ .least = INFINITY };
    for (int i = 0; i < tries && counts->least > 0; i++) { /* none is less than 0 */
        double value = 0;
        if (!count_once(window, kind, n, &value))
            return false;
        if (value < counts->least) {
            counts->least = value;
            counts->cpu_ns = window->cpu_ns;
        }
        counts->most = fmax(counts->most, value);
    }
    return true;
}

/* ---- one counter ---- */

void xb_audit_judge_exact(double due, double once, double twice, double spread,
                          struct xb_audited *out)
{
    double counted = twice - once;
    double missing = fmax(due - once, 2 * due - twice); /* both windows did that much for certain */
    if (missing > 0)
        judge(out, missing > due / 1000 ? XB_TRUST_LIES : XB_TRUST_OK,
              "reads %.0f where at least %.0f were due",
              due - once > 2 * due - twice ? once : twice,
              due - once > 2 * due - twice ? due : 2 * due);
    else if (fabs(counted - due) > due / 1000)
        judge(out, XB_TRUST_LIES, "%.0f counted, %.0f due", counted, due);
    else if (counted != due)
        judge(out, XB_TRUST_OK, "not exact: %.0f counted, %.0f due", counted, due);
    else if (spread > 0)
        judge(out, XB_TRUST_OK, "exact: %.0f counted, %.0f due; up to %.0f more when interrupted",
              counted, due, spread);
    else
        judge(out, XB_TRUST_OK, "exact: %.0f counted, %.0f due", counted, due);
}

static void judge_known(struct window *window, const struct known *known)
{
    struct counts once, twice, idle = { .least = 0 };
    uint64_t n = known->n;
    bool clock = window->number == XB_METRIC_TASK_CLOCK;
    struct xb_audited *out = window->out;
    if (!xb_exercise_possible(known->exercise)) {
        judge(out, XB_TRUST_UNPROVEN, "this machine cannot do a %s", known->unit);
        return;
    }
    if (!count(window, known->exercise, n, &once) ||
        !count(window, known->exercise, 2 * n, &twice) ||
        (known->idle_most > 0 && !count(window, XB_EXERCISE_LOOP, ROUNDS, &idle)))
        return;
    double units = clock ? (double)twice.cpu_ns : 2 * (double)n;
    double due = clock ? (double)twice.cpu_ns - (double)once.cpu_ns : (double)n;
    double each = (twice.least - once.least) / due;
    if (once.least == 0 || twice.least == 0)
        judge(out, XB_TRUST_LIES, "reads 0 where at least %.0f were due: %.0f times a %s",
              known->least * units / (twice.least == 0 ? 1 : 2), units / (twice.least == 0 ? 1 : 2),
              known->unit);
    else if (once.least == twice.least)
        judge(out, XB_TRUST_LIES, "reads %.0f over %.0f as over %.0f times a %s", once.least,
              units / 2, units, known->unit);
    else if (known->least == known->most)
        xb_audit_judge_exact(known->least * (double)n, once.least, twice.least,
                             fmax(once.most - once.least, twice.most - twice.least), out);
    else if (!(each >= known->least && each <= known->most))
        judge(out, XB_TRUST_LIES, "%.4g per %s, due is %.4g to %.4g", each, known->unit,
              known->least, known->most);
    else if (idle.least / ROUNDS > known->idle_most)
        judge(out, XB_TRUST_LIES, "%.4g per round of a loop without any", idle.least / ROUNDS);
    else
        judge(out, XB_TRUST_OK, "%.4g per %s", each, known->unit);
}

void xb_audit_judge_named(const char *name, double rounds, double once, double twice,
                          struct xb_audited *out)
{
    double due = due_of_preset(name) * rounds;
    if (once < due)
        judge(out, XB_TRUST_LIES,
              "reads %.0f where at least %.0f were due in %.0f rounds of mixed work", once, due,
              rounds);
    else if (once == 0 && twice == 0)
        judge(out, XB_TRUST_UNPROVEN, "reads 0, which may be true: nothing here must move it");
    else if (once == twice)
        judge(out, isnan(due) ? XB_TRUST_UNPROVEN : XB_TRUST_LIES, "%.0f, however long the work",
              once);
    else
        judge(out, XB_TRUST_OK, "moves with the work: %.0f, and %.0f over twice as much", once,
              twice);
}

static void judge_named(struct window *window, const char *name)
{
    enum { N = 5000 };
    struct counts once, twice;
    if (count(window, XB_EXERCISE_MIXTURE, N, &once) &&
        count(window, XB_EXERCISE_MIXTURE, 2 * N, &twice))
        xb_audit_judge_named(name, N, once.least, twice.least, window->out);
}

static void audit_one(const struct xb_counter_source *source, const struct xb_events *events,
                      unsigned number, struct xb_exercise *exercise, struct xb_audited *out)
{
    struct xb_events alone = *events;
    struct xb_counters *counters = NULL;
    uint32_t granted = 0;
    alone.set = 1u << number;
    *out = (struct xb_audited){ .trust = XB_TRUST_ABSENT };
    int err = source->open(&alone, &granted, &counters, &out->why);
    if (!err && counters && granted & alone.set) {
        struct window window = { .source = source,
                                 .counters = counters,
                                 .exercise = exercise,
                                 .number = number,
                                 .out = out };
        const struct known *known = find_known(number);
        if (known)
            judge_known(&window, known);
        else if (number >= XB_METRIC_COUNT)
            judge_named(&window, xb_audit_column(number, events));
        else
            judge(out, XB_TRUST_UNPROVEN, "nothing here must move it");
    }
    source->close(err ? NULL : counters);
}

/* ---- all together ---- */

static void add_cost(const struct xb_counter_source *source, struct xb_counters *counters,
                     double *cost_ns)
{
    double took_ns[COSTS];
    for (int i = 0; i < COSTS; i++) {
        struct xb_reading reading = { .present = 0 };
        uint64_t begin_ns = xb_now_ns();
        source->start(counters);
        source->stop(counters, &reading);
        took_ns[i] = (double)(xb_now_ns() - begin_ns);
    }
    *cost_ns = xb_median(took_ns, COSTS);
}

static bool count_for(const struct xb_counter_source *source, struct xb_counters *counters,
                      uint64_t time_ns, struct xb_reading *reading)
{
    *reading = (struct xb_reading){ .present = 0 };
    if (source->start(counters) != 0)
        return false;
    uint64_t begin_ns = xb_now_ns();
    while (xb_now_ns() - begin_ns < time_ns)
        xb_counter_exercise(ROUNDS / 100);
    return source->stop(counters, reading) == 0;
}

/* Those that are fine alone may have to take turns, or never get one. */
static void audit_together(const struct xb_counter_source *source, const struct xb_events *events,
                           struct xb_audit *audit)
{
    struct xb_events all = *events;
    struct xb_counters *counters = NULL;
    struct xb_reading reading = { .present = 0 };
    struct xb_reason why = { 0 };
    uint32_t granted = 0;
    all.set = audit->counted;
    if (!all.set || source->open(&all, &granted, &counters, &why) != 0 || !counters)
        granted = 0;
    bool ran = counters && count_for(source, counters, MOMENT_NS, &reading);
    /* Whoever has to wait for its turn is not counted from the first moment on. */
    if (ran && (reading.starved || xb_metrics_coverage(&reading) < 0.999))
        ran = count_for(source, counters, TURNS_NS, &reading);
    double coverage = xb_metrics_coverage(&reading);
    for (unsigned i = 0; i < XB_COUNTERS; i++) {
        struct xb_audited *one = &audit->counter[i];
        if (!(audit->counted & (1u << i)))
            continue;
        if (!(granted & (1u << i)))
            judge(one, XB_TRUST_ABSENT, "fine alone, refused beside the others%s%s",
                  why.text[0] ? ": " : "", why.text);
        else if (!ran)
            judge(one, XB_TRUST_ABSENT, "fine alone, the whole set cannot be started");
        else if (reading.starved & (1u << i))
            judge(one, XB_TRUST_STARVED, "fine alone, not scheduled once beside the others");
        else if (one->trust == XB_TRUST_OK && coverage < 0.999)
            one->trust = XB_TRUST_SCALED;
        if (one->trust == XB_TRUST_SCALED) {
            char text[XB_REASON_BYTES];
            snprintf(text, sizeof text, "%s", one->why.text);
            judge(one, XB_TRUST_SCALED,
                  "counters take turns, the least for %.0f %% of the time; "
                  "alone: %.100s",
                  100 * coverage, text);
        }
    }
    if (ran && !source->simulate) /* whose times mean nothing */
        add_cost(source, counters, &audit->cost_ns);
    source->close(counters);
}

static void sum_up(struct xb_audit *audit)
{
    audit->counted = 0;
    audit->doubtful = 0;
    for (unsigned i = 0; i < XB_COUNTERS; i++) {
        enum xb_trust trust = audit->counter[i].trust;
        uint32_t bit = audit->wanted & (1u << i);
        if (trust == XB_TRUST_UNPROVEN)
            audit->doubtful |= bit;
        if (trust == XB_TRUST_OK || trust == XB_TRUST_SCALED || trust == XB_TRUST_UNPROVEN)
            audit->counted |= bit;
    }
}

/* ---- the process ---- */

/* What parent and child share. */
struct shared {
    _Atomic int done;
    struct xb_reason why;
    struct xb_audit audit;
};

static void audit_all(const struct xb_counter_source *source, const struct xb_events *events,
                      struct shared *shared)
{
    struct xb_audit *audit = &shared->audit;
    struct xb_exercise exercise;
    int err = xb_exercise_open(&exercise);
    if (err)
        xb_because(&shared->why, err, "no memory to audit counters in");
    for (unsigned i = 0; i < XB_COUNTERS && !err; i++)
        if (events->set & (1u << i))
            audit_one(source, events, i, &exercise, &audit->counter[i]);
    xb_exercise_close(&exercise);
    sum_up(audit);
    if (!err)
        audit_together(source, events, audit);
    sum_up(audit);
}

int xb_audit_run(const struct xb_counter_source *source, const struct xb_events *events,
                 struct xb_audit *out, struct xb_reason *why)
{
    struct xb_arena arena = { 0 };
    *out = (struct xb_audit){ .wanted = events->set };
    if (xb_arena_open(&arena, sizeof(struct shared) + 4096) != 0)
        return xb_because(why, -ENOMEM, "no memory to audit counters in");
    struct shared *shared = xb_arena_take(&arena, sizeof *shared, 64);
    shared->audit = *out;
    pid_t pid = fork();
    if (pid == 0) {
        signal(SIGALRM, SIG_DFL);
        alarm(SECONDS_MOST);
        audit_all(source, events, shared);
        atomic_store(&shared->done, 1);
        _exit(0);
    }
    int err = pid < 0 ? -errno : 0, status = 0;
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (err)
        xb_because(why, err, "cannot fork to audit counters: %s", strerror(-err));
    else if (!atomic_load(&shared->done))
        err = WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM
                  ? xb_because(why, -ETIMEDOUT, "%s: the audit hung, so nothing is counted",
                               source->name)
                  : xb_because(why, -EIO, "%s: the audit ended early (%s), so nothing is counted",
                               source->name,
                               WIFSIGNALED(status) ? strsignal(WTERMSIG(status)) : "exit");
    else if (shared->why.code)
        err = xb_because(why, shared->why.code, "%s", shared->why.text);
    else
        *out = shared->audit;
    xb_arena_close(&arena);
    return err;
}

void xb_audit_write(FILE *out, const struct xb_audit *audit, const struct xb_events *events)
{
    for (unsigned i = 0; i < XB_COUNTERS; i++) {
        const struct xb_audited *one = &audit->counter[i];
        char key[160];
        if (!(audit->wanted & (1u << i)) || (one->trust == XB_TRUST_ABSENT && !one->why.text[0]))
            continue;
        snprintf(key, sizeof key, "audit_%s", xb_audit_column(i, events));
        xb_provenance_add(out, key, "%s: %s", xb_trust_name(one->trust), one->why.text);
    }
    if (audit->cost_ns > 0)
        xb_provenance_add(out, "counters_cost_ns", "%.0f", audit->cost_ns);
    else
        xb_provenance_add(out, "counters_cost_ns", "%s", "");
}
