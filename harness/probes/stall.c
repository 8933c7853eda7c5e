/* SPDX-License-Identifier: BSD-3-Clause
 * Stall-address sampling: what the program's user time waits for, from where its threads stand when a
 * timer catches them and the addresses that they wait for there. Needs no PMU and no privilege.
 *
 * It is switched on in bursts. A sample costs 20 to 60 us of the program's time in guests, as each is an
 * exit or two to the host; 5000 a second without a pause would slow it by 11 to 30 %. What it costs here
 * is measured first, and bursts are as long as that allows. Between them nothing is open on the program:
 * each thread and process that it creates would inherit an event for each CPU, at some microseconds each. */
#include "probe.h"

#include "../base/allowance.h"
#include "../base/clock.h"
#include "../base/skid.h"
#include "../base/stalls.h"
#include "../base/symbol.h"
#include "../stats/flow_wait.h"
#include "../stats/loop_wait.h"
#include "../stats/stall_sums.h"
#include "../stats/stream_rate.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    PERIOD_NS = 200000,
    /* Samples of a phase that can be trusted in full: the standard error of a share is 3 %. */
    ENOUGH = 300,
    FEW = 100,        /* below which they say next to nothing: 5 % */
    HOTTEST = 3,      /* instructions that are named */
    LONGEST = 20000,  /* samples that confirm the size of a set */
    RARE = 100,       /* a place in a loop with less than one sample in so many is not looked at */
    CALLS_LEAST = 10, /* samples behind calls; fewer say nothing of how calls divide */
    CALLS_HALF = 10,  /* samples behind calls that say half of what many would: a share, to 15 % */
    FEW_TO_MEET = 60, /* touches, of which in a set of any size none need be near another */
    MANY = 64,        /* threads, which are not opened anew for each burst */
};

/* Of the program's time so much goes to watching it: to samples, and to this process, which takes the CPUs
 * that the program could have. A burst can be saved up for up to 0.6 s. The first one is on credit, lest the
 * beginning be unseen. */
static const double budget = 0.02, longest_ns = 0.6e9, first_ns = 0.05e9, shortest_ns = 0.1e9;
/* Whatever samples cost: no more than are of use, as taking each in costs us several times what it costs the
 * program where that is 8 us; and as many at least as tell something of each phase. */
static const double duty_max = 0.1, duty_min = 0.03;
static const double cost_min_ns = 5000; /* less is noise */

/* That a thread gets a CPU or leaves it costs so much of a sample while events are open on it: the timer is
 * set anew, which is an exit too, but there is no interrupt. Threads that hand over to each other through a
 * pipe or a lock some 50000 times a second ran at a third of their speed, 4 to 7 us each time where a sample was
 * 50. */
#define SWITCH_OF_SAMPLE 0.15

/* Calls are counted, and how long each takes is not told. */
#define WEIGHT_CALLS 0.6

/* Of user time, what a set that is told of is waited for; and of all samples, those that touch it. */
static const double TOLD_SHARE = 0.05;
/* So many pairs may be due, and none be seen, by chance once in twenty. */
static const double PAIRS_MISSED = 3;

/* Threads are unlike if of those with so much of the samples one waits so much for caches and DRAM, and another
 * so little. */
#define UNLIKE_OF    0.2
#define UNLIKE_MOST  0.5
#define UNLIKE_LEAST 0.2

/* Threads take turns if so many run, on average, and no more than that many of them do anything but spin. A
 * tenth is left for the error of samples. */
#define TURNS_OF   1.5
#define TURNS_DONE 1.1

struct stall {
    const struct xb_scene *scene;
    struct xb_sampler *sampler;
    struct xb_stalls *stalls;
    double cost_ns; /* of the program's CPU time, for each sample */
    double n_cpus;
    struct xb_cycle cycle; /* all 0 until it is needed */
    bool is_on;
    struct xb_allowance allowance;
    double owed_ns;   /* for how long more than that it may be on */
    uint64_t last_ns; /* that it was settled; and by then: */
    uint64_t cpu_ns, switches;
    size_t from; /* the first sample of the phase */
    double on_ns, phase_ns, spent_ns;
};

static int probe(struct xb_reason *why)
{
    struct xb_decoder *decoder = NULL;
    struct xb_sampler *sampler = NULL;
    int err = xb_decoder_open(XB_CODE_HERE, &decoder, why);
    xb_decoder_close(decoder);
    if (err)
        return err;
    err = xb_sampler_open(getpid(), PERIOD_NS, &sampler, why);
    xb_sampler_close(sampler);
    return err;
}

static void close_all(void *probe)
{
    struct stall *stall = probe;
    if (!stall)
        return;
    xb_sampler_close(stall->sampler);
    xb_stalls_close(stall->stalls);
    free(stall);
}

static int open_on(const struct xb_scene *scene, void **out, struct xb_reason *why)
{
    struct xb_skid_report report;
    enum xb_skid skid = scene->capacity->skid > 1 ? XB_SKID_SAME : XB_SKID_NEXT;
    struct stall *stall = calloc(1, sizeof *stall);
    if (!stall)
        return xb_because(why, -ENOMEM, "stall: out of memory");
    *stall = (struct stall){ .scene = scene,
                             .n_cpus = fmax(1, (double)sysconf(_SC_NPROCESSORS_ONLN)),
                             .owed_ns = first_ns };
    int err = 0;
    double cost_ns = scene->capacity->sample_ns;
    if (isnan(scene->capacity->skid)) { /* nobody has measured this machine yet */
        err = xb_skid_calibrate(&report, why);
        skid = report.skid;
        cost_ns = fmin(report.chase.cost_ns, report.stream.cost_ns);
    }
    /* What else runs meanwhile makes it seem more, not less. */
    stall->cost_ns = fmax(cost_ns, cost_min_ns);
    stall->allowance = (struct xb_allowance){ .share = budget,
                                              .rate = stall->cost_ns / PERIOD_NS,
                                              .duty_most = duty_max,
                                              .duty_least = duty_min,
                                              .most_ns = longest_ns };
    if (!err)
        err = xb_stalls_open(skid, &stall->stalls, why);
    if (!err)
        err = xb_sampler_open(scene->root, PERIOD_NS, &stall->sampler, why);
    if (err) {
        close_all(stall);
        return err;
    }
    *out = stall;
    return 0;
}

/* Opens on whatever of the program is alive, also on those whose parents have died; one may have just ended, or
 * become another user's. Whether any is open then. */
static bool open_sampler(struct stall *stall)
{
    for (size_t i = 0; i < stall->scene->n_tasks; i++) {
        pid_t pid = stall->scene->tasks[i].pid;
        if (stall->scene->tasks[i].tid == pid)
            (void)xb_sampler_add(stall->sampler, pid);
    }
    return xb_sampler_counts(stall->sampler).threads > 0;
}

static int switch_on(struct stall *stall)
{
    bool is_open = xb_sampler_counts(stall->sampler).threads > 0;
    if (!is_open && !open_sampler(stall)) { /* and trying anew costs as much each time */
        stall->allowance.left_ns = 0;
        return 0;
    }
    xb_stalls_begin(stall->stalls);
    int err = xb_sampler_start(stall->sampler);
    stall->is_on = !err;
    return err;
}

static int switch_off(struct stall *stall)
{
    int err = stall->is_on ? xb_sampler_stop(stall->sampler) : 0;
    stall->is_on = false;
    stall->owed_ns = 0;
    xb_stalls_drain(stall->stalls, stall->sampler);
    if (xb_sampler_counts(stall->sampler).threads <= MANY)
        xb_sampler_leave(stall->sampler);
    return err;
}

/* Brings the account up to date, as of what was drained. */
static void settle(struct stall *stall, uint64_t now_ns)
{
    double passed_ns = stall->last_ns ? (double)(now_ns - stall->last_ns) : 0;
    uint64_t cpu_ns = xb_thread_cpu_ns(), switches = xb_sampler_counts(stall->sampler).switches;
    double own_ns = stall->last_ns ? (double)(cpu_ns - stall->cpu_ns) : 0;
    double switched_ns = (double)(switches - stall->switches) * SWITCH_OF_SAMPLE * stall->cost_ns;
    stall->last_ns = now_ns;
    stall->cpu_ns = cpu_ns;
    stall->switches = switches;
    stall->phase_ns += passed_ns;
    stall->on_ns += stall->is_on ? passed_ns : 0;
    stall->spent_ns += xb_allowance_settle(&stall->allowance, passed_ns, stall->is_on, switched_ns,
                                           own_ns / stall->n_cpus);
}

/* For how long it may be on. */
static double left_ns(const struct stall *stall)
{
    return stall->scene->free_to_look ? longest_ns : xb_allowance_on_ns(&stall->allowance);
}

static int begin(void *probe, uint64_t now_ns)
{
    struct stall *stall = probe;
    settle(stall, now_ns);
    stall->phase_ns = stall->on_ns = stall->spent_ns = 0;
    xb_stalls_samples(stall->stalls, &stall->from);
    /* Each phase gets a look, be it a short one. */
    return left_ns(stall) + stall->owed_ns >= shortest_ns / 4 ? switch_on(stall) : 0;
}

static int poll_it(void *probe, uint64_t now_ns)
{
    struct stall *stall = probe;
    if (stall->is_on)
        xb_stalls_drain(stall->stalls, stall->sampler);
    settle(stall, now_ns);
    if (stall->is_on)
        return left_ns(stall) + stall->owed_ns <= 0 ? switch_off(stall) : 0;
    return left_ns(stall) < shortest_ns ? 0 : switch_on(stall);
}

/* Sums up the samples from `from` on. 0 or -ENOMEM; xb_stall_sums_free() in any case. */
static int sum_up(const struct stall *stall, size_t from, const double *hides,
                  struct xb_stall_sums *out)
{
    size_t all, n_sites;
    const struct xb_stalled *sample = xb_stalls_samples(stall->stalls, &all);
    const struct xb_stall_site *site = xb_stalls_sites(stall->stalls, &n_sites);
    return xb_stall_sum(sample + from, all - from, site, n_sites, hides, out);
}

/* Hides what no loop can wait for that has its own results to wait for: see flow_wait.h. 0 or -ENOMEM. */
static int cap_loops(struct stall *stall, const struct xb_stall_sums *sums, double *hides,
                     size_t *streamed)
{
    const struct xb_capacity *capacity = stall->scene->capacity;
    struct xb_source source[XB_LEVEL_DRAM - XB_LEVEL_L1 + 1];
    for (enum xb_level level = XB_LEVEL_L1; level <= XB_LEVEL_DRAM; level++)
        source[level - XB_LEVEL_L1] = (struct xb_source){
            .bytes = level < XB_LEVEL_DRAM ? xb_cache_bytes(capacity, level) : INFINITY,
            .gb_per_s = capacity->load_gb_per_s[level],
            .latency_ns = capacity->latency_ns[level],
        };
    if (!(stall->cycle.ns > 0)) /* while the clock is what it is under load */
        xb_cycle_measure(&stall->cycle);
    return xb_flows_hide(stall->stalls, stall->from, sums->of_site, &stall->cycle, source,
                         sizeof source / sizeof source[0], hides, streamed);
}

/* Finds the sites of `sums` that lie in loops which do not wait for their accesses, and what of the others'
 * samples does not, and sums up anew without those. For loops sites of few samples are not looked at: each
 * loop's code has to be decoded. */
static int sum_up_waits(struct stall *stall, struct xb_stall_sums *sums)
{
    size_t n_sites;
    const struct xb_stall_site *site = xb_stalls_sites(stall->stalls, &n_sites);
    double *hides = calloc(n_sites + 1, sizeof *hides);
    bool *seen = calloc(n_sites + 1, sizeof *seen);
    struct xb_loop loop;
    size_t streamed = 0;
    int err = hides && seen ? 0 : -ENOMEM;
    for (size_t i = 0; i < n_sites && !err; i++) {
        if (seen[i] || sums->of_site[i] * RARE < sums->n || site[i].stall.kind > XB_STALL_STRING ||
            !xb_stalls_loop(stall->stalls, &site[i], &loop))
            continue;
        bool waits = xb_loop_waits(&loop, site[i].pid, site, sums->of_site, n_sites);
        for (size_t k = i; k < n_sites; k++)
            if (xb_site_in_loop(&site[k], site[i].pid, &loop)) {
                seen[k] = true;
                hides[k] = !waits && xb_may_hide(&site[k].stall);
            }
    }
    size_t all;
    const struct xb_stalled *sample = xb_stalls_samples(stall->stalls, &all);
    if (!err)
        err = xb_streams_hide(sample + stall->from, all - stall->from, site, n_sites, PERIOD_NS,
                              stall->scene->capacity->load_gb_per_s[XB_LEVEL_DRAM], hides);
    if (!err)
        err = xb_pieces_hide(site, sums->of_site, n_sites, hides, &streamed);
    if (!err)
        err = cap_loops(stall, sums, hides, &streamed);
    if (!err) {
        xb_stall_sums_free(sums);
        err = sum_up(stall, stall->from, hides, sums);
        sums->streamed = streamed;
    }
    free(seen);
    free(hides);
    return err;
}

static const char *level_name(enum xb_level level)
{
    switch (level) {
    case XB_LEVEL_L1:
        return "L1";
    case XB_LEVEL_L2:
        return "L2";
    case XB_LEVEL_LLC:
        return "the last level";
    default:
        return "DRAM";
    }
}

/* The first level that holds so many bytes. */
static enum xb_level level_of(const struct xb_capacity *capacity, double bytes)
{
    for (enum xb_level level = XB_LEVEL_L1; level < XB_LEVEL_DRAM; level++)
        if (bytes <= xb_cache_bytes(capacity, level))
            return level;
    return XB_LEVEL_DRAM;
}

/* Adds `touches` of a set of so many bytes to the levels that they waited for. Of a set that is larger than
 * a cache a part is in that cache all the same. Used at random it is as large a part as fits, and samples
 * go to each level by how many touches end there and how long one takes; in order, round and round,
 * none of it would stay, which differs only for sets of up to twice a cache. Of each `exposed` one's
 * time so much is computing as it would take from the first cache too: a quarter of a load from L2. */
static void add_touches(const struct xb_capacity *capacity, double bytes, double touches,
                        double exposed, double *level_share)
{
    double part[XB_LEVEL_DRAM + 1] = { 0 }, sum = 0, before = 0;
    double l1_ns = capacity->latency_ns[XB_LEVEL_L1];
    for (enum xb_level level = XB_LEVEL_L1; level <= XB_LEVEL_DRAM; level++) {
        double held = level == XB_LEVEL_DRAM ? 1 : fmin(1, xb_cache_bytes(capacity, level) / bytes);
        double ends = fmax(0, held - before), takes_ns = capacity->latency_ns[level];
        double within_ns = level > XB_LEVEL_L1 ? exposed * l1_ns : l1_ns;
        double beyond_ns = fmax(0, takes_ns - within_ns);
        part[level] += ends * beyond_ns;
        part[XB_LEVEL_L1] += ends * within_ns;
        sum += ends * (beyond_ns + within_ns);
        before = fmax(held, before);
    }
    if (!isfinite(sum) || sum <= 0) /* latencies are not known */
        level_share[level_of(capacity, bytes)] += touches;
    else
        for (enum xb_level level = XB_LEVEL_L1; level <= XB_LEVEL_DRAM; level++)
            level_share[level] += touches * part[level] / sum;
}

static struct xb_part user_part(enum xb_bound bound, enum xb_level level, double share)
{
    return (struct xb_part){
        .of = XB_WHOLE_USER, .is = XB_WHOLE_TIME, .bound = bound, .level = level, .share = share
    };
}

/* What waiting for a level is bound by: the first cache is part of computing. */
static enum xb_bound bound_of(enum xb_level level)
{
    return level == XB_LEVEL_L1     ? XB_BOUND_CPU
           : level == XB_LEVEL_DRAM ? XB_BOUND_MEMORY
                                    : XB_BOUND_CACHE;
}

/* Whoever moves a file's bytes need not have waited for the disk; whose call is not known is in the kernel
 * all the same. */
static struct xb_part part_of_work(enum xb_whole of, enum xb_wait work, double share)
{
    struct xb_part part = xb_part_of_wait(of, work, share);
    if (work == XB_WAIT_DISK)
        part.level = XB_LEVEL_NONE;
    if (work == XB_WAIT_UNKNOWN && of == XB_WHOLE_USER)
        part.bound = XB_BOUND_KERNEL;
    return part;
}

/* Some samples all over the place, without a pair: too few to be a set of any size. */
static bool is_scattered(const struct xb_pool *pool)
{
    return !isfinite(pool->size.bytes) && pool->touches < FEW_TO_MEET;
}

/* Samples of sets of which two sizes are as likely, and bound differently. */
static size_t count_doubtful(const struct stall *stall, const struct xb_stall_sums *sums)
{
    const struct xb_capacity *capacity = stall->scene->capacity;
    size_t doubtful = 0;
    for (size_t i = 0; i < sums->n_pools; i++) {
        const struct xb_size *size = &sums->pool[i].size;
        if (size->bytes_least > 0 && bound_of(level_of(capacity, size->bytes_least)) !=
                                         bound_of(level_of(capacity, size->bytes)))
            doubtful += sums->pool[i].touches;
    }
    return doubtful;
}

/* Divides user time. */
static void divide(const struct stall *stall, const struct xb_stall_sums *sums,
                   struct xb_findings *out)
{
    double n = (double)sums->n, level_share[XB_LEVEL_DRAM + 1] = { 0 };
    double unknown = (double)sums->lost;
    /* In loops that do little but load and store these overlap. From the first cache they would take no
     * latency then, but what an instruction takes. */
    double touches = (double)sums->n_within, exposed = 1;
    for (size_t i = 0; i < sums->n_pools; i++)
        touches += (double)sums->pool[i].touches;
    for (size_t i = 0; i < sums->n_least; i++)
        touches += (double)sums->least[i].touches;
    if (touches > 0)
        exposed = 1 - fmin(1, (double)sums->streamed / touches);
    for (size_t i = 0; i < sums->n_within; i++)
        add_touches(stall->scene->capacity, sums->within_bytes[i], 1, exposed, level_share);
    for (size_t i = 0; i < sums->n_pools; i++) {
        const struct xb_pool *pool = &sums->pool[i];
        if (is_scattered(pool))
            unknown += (double)pool->touches;
        else
            add_touches(stall->scene->capacity, pool->size.bytes, (double)pool->touches, exposed,
                        level_share);
    }
    for (size_t i = 0; i < sums->n_least; i++) {
        const struct xb_pool *pool = &sums->least[i];
        enum xb_level least = level_of(stall->scene->capacity, pool->size.bytes);
        if (is_scattered(pool) || least == XB_LEVEL_L1)
            unknown += (double)pool->touches;
        else
            add_touches(stall->scene->capacity, pool->size.bytes, (double)pool->touches, exposed,
                        level_share);
    }
    const size_t *kind = sums->kind;
    size_t computing = kind[XB_STALL_STACK] + kind[XB_STALL_THREAD_LOCAL] + kind[XB_STALL_DIVIDE] +
                       kind[XB_STALL_FENCE] + kind[XB_STALL_JUMP] + kind[XB_STALL_ALU] +
                       sums->hidden;
    unknown += (double)(kind[XB_STALL_UNDECODABLE] + kind[XB_STALL_NO_CODE]);
    xb_add_part(out, user_part(XB_BOUND_CPU, XB_LEVEL_NONE, (double)computing / n));
    for (enum xb_level level = XB_LEVEL_L1; level <= XB_LEVEL_DRAM; level++)
        xb_add_part(out, user_part(bound_of(level), level, level_share[level] / n));
    xb_add_part(out, user_part(XB_BOUND_SYNC, XB_LEVEL_LOCK,
                               (double)(kind[XB_STALL_PAUSE] + sums->contended) / n));
    /* Entering the kernel and coming back, as far as that counts as user mode. */
    for (int w = 0; w < XB_WAITS; w++)
        if (sums->work[w])
            xb_add_part(out, part_of_work(XB_WHOLE_USER, w, (double)sums->work[w] / n));
    xb_add_part(out, user_part(XB_BOUND_UNKNOWN, XB_LEVEL_NONE, unknown / n));
    double spins = (double)(kind[XB_STALL_PAUSE] + sums->contended + sums->yields) / n;
    double cpus = stall->on_ns > 0 ? n * PERIOD_NS / stall->on_ns : 0; /* in user mode */
    out->turns = cpus >= TURNS_OF && (1 - spins) * cpus <= TURNS_DONE;
    /* Of two answers the one that is given is half as sure. */
    double sure = 1 - (double)count_doubtful(stall, sums) / n / 2;
    out->weight[XB_WHOLE_USER] =
        fmin(1, n / ENOUGH) * (1 - unknown / n) * (sums->n < FEW ? 0.3 : 1) * sure;
}

static int by_thread(const void *a, const void *b)
{
    const struct xb_stalled *x = a, *y = b;
    if (x->tid != y->tid)
        return (x->tid > y->tid) - (x->tid < y->tid);
    return (x->time_ns > y->time_ns) - (x->time_ns < y->time_ns);
}

/* Whether threads that run much are unlike each other. 0 or -ENOMEM. */
static int compare_threads(const struct stall *stall, struct xb_findings *out)
{
    size_t all, n_sites;
    const struct xb_stalled *sample = xb_stalls_samples(stall->stalls, &all);
    const struct xb_stall_site *site = xb_stalls_sites(stall->stalls, &n_sites);
    size_t n = all - stall->from;
    if (!n)
        return 0;
    struct xb_stalled *sorted = malloc(n * sizeof *sorted);
    if (!sorted)
        return -ENOMEM;
    memcpy(sorted, sample + stall->from, n * sizeof *sorted);
    qsort(sorted, n, sizeof *sorted, by_thread);
    double most = 0, least = 1;
    int err = 0;
    for (size_t i = 0, next; i < n && !err; i = next) {
        for (next = i + 1; next < n && sorted[next].tid == sorted[i].tid;)
            next++;
        if (next - i == n || (double)(next - i) < fmax(FEW_TO_MEET, UNLIKE_OF * (double)n))
            continue;
        struct xb_stall_sums sums;
        struct xb_findings one = { 0 };
        err = xb_stall_sum(sorted + i, next - i, site, n_sites, NULL, &sums);
        if (!err)
            divide(stall, &sums, &one);
        xb_stall_sums_free(&sums);
        double waits = 0;
        for (size_t k = 0; k < one.n_parts; k++)
            if (one.part[k].bound == XB_BOUND_CACHE || one.part[k].bound == XB_BOUND_MEMORY)
                waits += one.part[k].share;
        most = fmax(most, waits);
        least = fmin(least, waits);
    }
    free(sorted);
    out->unlike = !err && most >= UNLIKE_MOST && least <= UNLIKE_LEAST;
    return err;
}

/* Divides the kernel's time by what it is called for. In the kernel itself no sample is permitted without
 * privilege; but the interrupts that are due when a call is about to return, which it does with interrupts
 * off, are taken behind it. That is as likely for any call: so these samples count calls, also of those
 * that no account counts (sockets, futexes, yields), and not how long each of them took. */
static void divide_kernel(const struct xb_stall_sums *sums, struct xb_findings *out)
{
    double calls = (double)sums->kind[XB_STALL_SYSCALL], share[XB_WAITS];
    if (calls < CALLS_LEAST)
        return;
    for (int w = 0; w < XB_WAITS; w++) {
        share[w] = (double)sums->work[w] / calls;
        if (sums->work[w])
            xb_add_part(out, part_of_work(XB_WHOLE_KERNEL, w, share[w]));
    }
    out->weight[XB_WHOLE_KERNEL] =
        WEIGHT_CALLS * (1 - share[XB_WAIT_UNKNOWN]) * calls / (calls + CALLS_HALF);
    double io = share[XB_WAIT_DISK] + share[XB_WAIT_NETWORK] + share[XB_WAIT_PIPE];
    xb_add_clue(out, "io_call_share", io,
                "of %.0f system calls that samples met, %.0f %% were for I/O (%.0f %% sockets), "
                "%.0f %% for locks "
                "and timers (%.0f %% yields), %.0f %% for the kernel's other work",
                calls, 100 * io, 100 * share[XB_WAIT_NETWORK],
                100 * (share[XB_WAIT_LOCK] + share[XB_WAIT_TIMER]),
                100 * (double)sums->yields / calls, 100 * share[XB_WAIT_KERNEL]);
}

/* Bytes as people write them: a number below 1024, and its unit. */
static double scale(double bytes, const char **unit)
{
    static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB" };
    size_t i = 0;
    for (; bytes >= 1024 && i + 1 < sizeof units / sizeof units[0]; i++)
        bytes /= 1024;
    *unit = units[i];
    return bytes;
}

/* Whether a set so large may have so many touches of which no two met, within the coarsest granule that was tried. */
static bool may_not_meet(const struct xb_pool *pool, double bytes)
{
    double touches = (double)pool->touches;
    return touches * (touches - 1) / 2 * pool->size.granule / bytes <= PAIRS_MISSED;
}

/* The size of a phase's pool as the phases before it confirm it: with more samples it is less in error. */
static struct xb_size confirm(const struct xb_pool *pool, const struct xb_stall_sums *longer)
{
    struct xb_size best = pool->size;
    for (size_t i = 0; i < longer->n_pools && !pool->is_hot; i++) {
        const struct xb_size *other = &longer->pool[i].size;
        double apart = fabs(log(other->bytes / pool->size.bytes));
        bool same = isfinite(pool->size.bytes)
                        ? apart < 0.1 + 3 * hypot(other->error, pool->size.error)
                        : isfinite(other->bytes) && may_not_meet(pool, other->bytes);
        if (!longer->pool[i].is_hot && other->error < best.error && same)
            best = *other;
    }
    return best;
}

/* Sets of which only offsets from a base are known. */
static void tell_least(const struct stall *stall, const struct xb_stall_sums *sums,
                       struct xb_findings *out)
{
    const struct xb_pool *pool = &sums->least[0];
    double share = sums->n_least ? (double)pool->touches / (double)sums->n : 0;
    if (share < TOLD_SHARE || !isfinite(pool->size.bytes))
        return;
    const char *unit;
    double bytes = scale(pool->size.bytes, &unit);
    xb_add_clue(out, "least_set_bytes", pool->size.bytes,
                "%.0f %% of user time waits for a working set of %.3g %s at least, which %s holds: "
                "only offsets are known (%llu pairs of samples within %u bytes)",
                100 * share, bytes, unit,
                level_name(level_of(stall->scene->capacity, pool->size.bytes)),
                (unsigned long long)pool->size.pairs, pool->size.granule);
}

/* Returns how many sets it told of. */
static size_t tell_pools(const struct stall *stall, const struct xb_stall_sums *sums,
                         const struct xb_stall_sums *longer, struct xb_findings *out)
{
    size_t told = 0;
    for (size_t i = 0; i < sums->n_pools && told < 2; i++) {
        const struct xb_pool *pool = &sums->pool[i];
        double share = (double)pool->touches / (double)sums->n;
        const char *name = told ? "second_set_bytes" : "working_set_bytes", *unit;
        if (share < TOLD_SHARE)
            break;
        told++;
        struct xb_size size = confirm(pool, longer);
        double bytes = scale(size.bytes, &unit);
        const char *level = level_name(level_of(stall->scene->capacity, size.bytes));
        if (pool->is_hot)
            xb_add_clue(out, name, size.bytes,
                        "%.0f %% of user time waits for %.0f %s of hot lines", 100 * share, bytes,
                        unit);
        else if (!isfinite(size.bytes))
            xb_add_clue(
                out, name, NAN,
                "%.0f %% of user time waits for addresses of which no two met in %zu samples",
                100 * share, pool->touches);
        else
            xb_add_clue(out, name, size.bytes,
                        "%.0f %% of user time waits for a working set of %.3g %s, which %s holds "
                        "(+-%.0f %%: %llu pairs of samples within %u bytes)",
                        100 * share, bytes, unit, level, 100 * size.error,
                        (unsigned long long)size.pairs, size.granule);
        if (pool->size.bytes_least > 0 && !pool->is_hot && told == 1) {
            bytes = scale(pool->size.bytes_least, &unit);
            xb_add_clue(out, "working_set_or_bytes", pool->size.bytes_least,
                        "that set may as well be %.3g %s, spread thinly over its pages: too few "
                        "pairs of samples to tell",
                        bytes, unit);
        }
    }
    return told;
}

/* What is gone through and not waited for has a size too. */
static void tell_hidden(const struct stall *stall, const struct xb_stall_sums *longer,
                        struct xb_findings *out)
{
    const struct xb_pool *pool = longer->pool, *end = pool + longer->n_pools;
    while (pool < end && (pool->is_hot || !isfinite(pool->size.bytes)))
        pool++;
    if (pool == end || (double)pool->touches < TOLD_SHARE * (double)longer->n)
        return;
    const char *unit;
    double bytes = scale(pool->size.bytes, &unit);
    xb_add_clue(out, "working_set_bytes", pool->size.bytes,
                "its working set is %.3g %s, which %s holds, and hardly waited for "
                "(+-%.0f %%: %llu pairs of samples within %u bytes)",
                bytes, unit, level_name(level_of(stall->scene->capacity, pool->size.bytes)),
                100 * pool->size.error, (unsigned long long)pool->size.pairs, pool->size.granule);
}

/* "libc.so.6 memcpy+0x1c", or how far into the file where no symbol says more. */
static void name_place(const struct stall *stall, const struct xb_stall_site *site, char *text,
                       size_t n)
{
    const struct xb_mapping *mapping =
        xb_maps_find(xb_stalls_maps(stall->stalls), site->pid, site->stall.at);
    const char *slash = mapping ? strrchr(mapping->name, '/') : NULL;
    char symbol[72];
    if (!slash) {
        snprintf(text, n, "%s 0x%llx",
                 mapping && mapping->name[0] ? mapping->name : "generated code",
                 (unsigned long long)site->stall.at);
        return;
    }
    uint64_t offset = site->stall.at - mapping->start + mapping->offset;
    if (xb_symbol_find(mapping->name, offset, symbol, sizeof symbol) == 0)
        snprintf(text, n, "%.40s %s", slash + 1, symbol);
    else
        snprintf(text, n, "%.40s+0x%llx", slash + 1, (unsigned long long)offset);
}

/* Names the instructions that most samples stood at. Several samples' places can be one instruction. */
static void tell_hottest(const struct stall *stall, struct xb_stall_sums *sums,
                         struct xb_findings *out)
{
    static const char *const names[HOTTEST] = { "hottest_share", "second_share", "third_share" };
    for (int rank = 0; rank < HOTTEST; rank++) {
        size_t best = 0, n_sites;
        const struct xb_stall_site *sites = xb_stalls_sites(stall->stalls, &n_sites);
        for (size_t i = 0; i < sums->n_sites; i++)
            if (sums->of_site[i] > sums->of_site[best])
                best = i;
        size_t samples = 0;
        const struct xb_stall_site *site = &sites[best];
        for (size_t i = 0; i < sums->n_sites; i++)
            if (sites[i].stall.at == site->stall.at && sites[i].pid == site->pid) {
                samples += sums->of_site[i];
                sums->of_site[i] = 0;
            }
        double share = (double)samples / (double)sums->n;
        if (!samples || share < 0.02)
            return;
        char place[128];
        name_place(stall, site, place, sizeof place);
        xb_add_clue(out, names[rank], share, "%.0f %% at %s: %s (%s)", 100 * share, place,
                    site->stall.text[0] ? site->stall.text : "?",
                    xb_stall_kind_name(site->stall.kind));
    }
}

static void tell_kinds(const struct stall *stall, const struct xb_stall_sums *sums,
                       struct xb_findings *out)
{
    double n = (double)sums->n;
    const size_t *kind = sums->kind;
    size_t touches =
        kind[XB_STALL_LOAD] + kind[XB_STALL_STORE] + kind[XB_STALL_ATOMIC] + kind[XB_STALL_STRING];
    xb_add_clue(out, "access_share", (double)touches / n,
                "of %zu samples of user time %.0f %% stood at loads and stores, %.0f %% at "
                "atomics, %.0f %% at "
                "divisions, %.0f %% at pauses",
                sums->n, 100 * (double)(touches - kind[XB_STALL_ATOMIC]) / n,
                100 * (double)kind[XB_STALL_ATOMIC] / n, 100 * (double)kind[XB_STALL_DIVIDE] / n,
                100 * (double)kind[XB_STALL_PAUSE] / n);
    size_t blind = kind[XB_STALL_UNDECODABLE] + kind[XB_STALL_NO_CODE];
    if (sums->contended > sums->n / 50)
        xb_add_clue(
            out, "contended_share", (double)sums->contended / n,
            "%.0f %% stood at lines that several threads write to, or one while others read",
            100 * (double)sums->contended / n);
    if (sums->lost + blind > sums->n / 50)
        xb_add_clue(
            out, "unknown_share", (double)(sums->lost + blind) / n,
            "%.0f %% of samples say nothing: the address was overwritten (%zu), the instruction "
            "could not be decoded (%zu), or its code not be read (%zu)",
            100 * (double)(sums->lost + blind) / n, sums->lost, kind[XB_STALL_UNDECODABLE],
            kind[XB_STALL_NO_CODE]);
    if (sums->hidden > sums->n / 50)
        xb_add_clue(out, "hidden_share", (double)sums->hidden / n,
                    "%.0f %% stood at loads and stores that nobody waits for: no more than beside "
                    "them, in step with the pipeline, or in a loop that takes as long without",
                    100 * (double)sums->hidden / n);
    uint64_t lost = xb_sampler_counts(stall->sampler).lost;
    if (lost)
        xb_add_clue(out, "lost_samples", (double)lost,
                    "%llu samples were lost: the rings were full", (unsigned long long)lost);
}

static int end(void *probe, uint64_t now_ns, struct xb_findings *out, struct xb_reason *why)
{
    struct stall *stall = probe;
    struct xb_stall_sums sums, longer = { 0 };
    settle(stall, now_ns);
    int err = switch_off(stall);
    if (err && err != -ESRCH)
        return xb_because(why, err, "sampling cannot be switched off: %s", strerror(-err));
    err = sum_up(stall, stall->from, NULL, &sums);
    size_t all = stall->from + sums.n;
    if (!err && sums.n)
        err = sum_up_waits(stall, &sums);
    if (!err)
        err = sum_up(stall, all > LONGEST ? all - LONGEST : 0, NULL, &longer);
    if (!err)
        err = compare_threads(stall, out);
    if (err)
        xb_because(why, err, "stall: out of memory");
    out->overhead = stall->phase_ns > 0 ? stall->spent_ns / stall->phase_ns : NAN;
    out->samples = sums.n;
    if (!sums.n && stall->on_ns > 0)
        xb_add_clue(
            out, "access_share", NAN,
            "no sample fell into user mode in %.1f s of sampling: it waited, was in the kernel, or "
            "is setuid",
            1e-9 * stall->on_ns);
    if (!err && sums.n) {
        divide(stall, &sums, out);
        divide_kernel(&sums, out);
        if (!tell_pools(stall, &sums, &longer, out))
            tell_hidden(stall, &longer, out);
        tell_least(stall, &sums, out);
        tell_hottest(stall, &sums, out);
        tell_kinds(stall, &sums, out);
    }
    xb_stall_sums_free(&longer);
    xb_stall_sums_free(&sums);
    return err;
}

const struct xb_probe xb_probe_stall = {
    .name = "stall",
    .summary =
        "where threads stand when a timer catches them, and the addresses that they wait for",
    .probe = probe,
    .open = open_on,
    .begin = begin,
    .poll = poll_it,
    .end = end,
    .close = close_all,
};
