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
#include "../stats/flow_wait.h"
#include "../stats/loop_wait.h"
#include "../stats/stall_parts.h"
#include "../stats/stall_sums.h"
#include "../stats/stall_words.h"
#include "../stats/stream_rate.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    PERIOD_NS = 200000,
    LONGEST = 20000, /* samples that confirm the size of a set */
    RARE = 100,      /* a place in a loop with less than one sample in so many is not looked at */
    MANY = 64,       /* threads, which are not opened anew for each burst */
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
    size_t n_sites;
    const struct xb_stall_site *site = xb_stalls_sites(stall->stalls, &n_sites);
    const struct xb_stalled *sample = xb_stalls_samples(stall->stalls, &all);
    if (!err)
        err = xb_stall_compare_threads(stall->scene->capacity, sample + stall->from,
                                       all - stall->from, site, n_sites, out);
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
        double n = (double)sums.n;
        xb_stall_divide_user(stall->scene->capacity, &sums,
                             stall->on_ns > 0 ? n * PERIOD_NS / stall->on_ns : 0, out);
        xb_stall_divide_kernel(&sums, out);
        xb_stall_tell(stall->scene->capacity, stall->stalls, &sums, &longer, out);
        uint64_t lost = xb_sampler_counts(stall->sampler).lost;
        if (lost)
            xb_add_clue(out, "lost_samples", (double)lost,
                        "%llu samples were lost: the rings were full", (unsigned long long)lost);
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
