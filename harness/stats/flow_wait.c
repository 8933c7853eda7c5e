/* SPDX-License-Identifier: BSD-3-Clause
 * The longer of two times, and what that leaves to wait. */
#include "flow_wait.h"

#include "working_set.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    STARTS = 3, /* lines of a new stream that are not prefetched */
    RARE = 100, /* a place with less than one sample in so many is not looked at */
};

/* What it takes to write a line back, of what it takes to have it come in. On a Zen 4 it takes nothing: copies,
 * triads, stencils and fills of 128 MiB all had lines come in at 28 to 32 GB/s, where loads alone did at
 * 31. On cores whose queue of misses both stand in it is more. */
static const double BACK = 0.5;

static double rounds_of(const struct xb_stall_site *site, const size_t *samples, size_t n,
                        const struct xb_flow_count *count)
{
    double begins = 0, all = 0; /* per round */
    for (size_t i = 0; i < n; i++) {
        if (!samples[i] || !site[i].has_registers)
            continue;
        begins += (double)samples[i] / xb_flow_rounds_left(count, &site[i].registers);
        all += (double)samples[i];
    }
    return all > 0 ? all / begins : 0;
}

static int by_tid(const void *a, const void *b)
{
    pid_t x = ((const struct xb_stalled *)a)->tid, y = ((const struct xb_stalled *)b)->tid;
    return (x > y) - (x < y);
}

/* By how many threads samples come, if all had as many (Simpson, Nature 163, 1949). 0 or -ENOMEM. */
static int count_threads(const struct xb_stalled *sample, size_t n, double *threads)
{
    double squares = 0;
    struct xb_stalled *sorted = calloc(n + 1, sizeof *sorted);
    if (!sorted)
        return -ENOMEM;
    memcpy(sorted, sample, n * sizeof *sorted);
    qsort(sorted, n, sizeof *sorted, by_tid);
    for (size_t i = 0, next; i < n; i = next) {
        for (next = i + 1; next < n && sorted[next].tid == sorted[i].tid;)
            next++;
        squares += (double)(next - i) * (double)(next - i);
    }
    *threads = n ? (double)n * (double)n / squares : 1;
    free(sorted);
    return 0;
}

int xb_loop_use(const struct xb_stalled *sample, size_t n, const struct xb_stall_site *site,
                size_t n_sites, pid_t pid, const struct xb_loop *loop, const struct xb_flow *flow,
                struct xb_loop_use *out)
{
    struct xb_touch *touch = calloc(n + 1, sizeof *touch);
    size_t *samples = calloc(n_sites + 1, sizeof *samples);
    struct xb_pool pool[XB_POOLS_MAX];
    size_t n_pools = 0, touches = 0;
    bool *is_inside = calloc(n_sites + 1, sizeof *is_inside);
    int err = touch && samples && is_inside ? 0 : -ENOMEM;
    *out = (struct xb_loop_use){ .threads = 1 };
    for (size_t i = 0; i < n_sites && !err; i++)
        is_inside[i] = xb_site_in_loop(&site[i], pid, loop);
    for (size_t i = 0; i < n && !err; i++) {
        if (!is_inside[sample[i].site])
            continue;
        samples[sample[i].site]++;
        if (sample[i].fate == XB_FATE_KNOWN)
            touch[touches++] = xb_stall_touch(site, &sample[i]);
    }
    if (!err)
        err = xb_working_sets(touch, touches, pool, &n_pools);
    for (size_t i = 0; i < n_pools && !err; i++)
        out->bytes += pool[i].size.bytes;
    if (n_pools && flow->streams > n_pools)
        out->bytes *= (double)flow->streams / (double)n_pools;
    if (!n_pools)
        out->bytes = INFINITY;
    if (!err)
        out->rounds = rounds_of(site, samples, n_sites, &flow->count);
    free(is_inside);
    free(samples);
    free(touch);
    return err;
}

double xb_flow_cap(const struct xb_flow *flow, double cycle_ns, const struct xb_source *source,
                   const struct xb_loop_use *use)
{
    double core_ns = flow->core_cycles * cycle_ns;
    if (flow->kind != XB_FLOW_STREAM || !(use->rounds >= 1) || !(core_ns > 0) ||
        !(source->gb_per_s > 0) || !(source->latency_ns >= 0) || !(use->threads >= 1))
        return 1;
    /* Threads share what is beyond their own caches, and how much of it one core could have alone is not known. */
    double data_ns = (flow->in_bytes + BACK * flow->out_bytes) * use->threads / source->gb_per_s;
    double start_ns = STARTS * source->latency_ns / use->rounds;
    return 1 - core_ns / (fmax(core_ns, data_ns) + start_ns);
}

double xb_flow_hide(const struct xb_loop *loop, pid_t pid, double cap,
                    const struct xb_stall_site *site, const size_t *of_site, size_t n,
                    double *hides)
{
    double all = 0, wait = 0, hidden = 0;
    for (size_t i = 0; i < n; i++) {
        if (!of_site[i] || !xb_site_in_loop(&site[i], pid, loop))
            continue;
        all += (double)of_site[i];
        if (site[i].stall.kind <= XB_STALL_STRING)
            wait += (1 - hides[i]) * (double)of_site[i];
    }
    if (wait <= cap * all)
        return 0;
    double keeps = cap * all / wait;
    for (size_t i = 0; i < n; i++) {
        if (!of_site[i] || !xb_site_in_loop(&site[i], pid, loop) ||
            site[i].stall.kind > XB_STALL_STRING)
            continue;
        if (hides[i] == 0)
            hidden += (1 - keeps) * (double)of_site[i];
        hides[i] = 1 - (1 - hides[i]) * keeps;
    }
    return hidden;
}

/* What all loops of a phase are held against. */
struct phase {
    struct xb_stalls *stalls;
    const struct xb_stalled *sample;
    size_t n;
    const struct xb_stall_site *site;
    size_t n_sites;
    double threads;
    const struct xb_cycle *cycle;
    const struct xb_source *source;
    size_t n_sources;
};

/* The most that can wait of the loop around a site. 0 or -ENOMEM. */
static int cap_loop(const struct phase *phase, const struct xb_stall_site *at,
                    const struct xb_loop *loop, double *cap)
{
    size_t level = 0;
    struct xb_flow flow;
    struct xb_loop_use use;
    *cap = 1;
    xb_stalls_flow(phase->stalls, at, loop, phase->cycle->latency, &flow);
    if (flow.kind != XB_FLOW_STREAM)
        return 0;
    int err = xb_loop_use(phase->sample, phase->n, phase->site, phase->n_sites, at->pid, loop,
                          &flow, &use);
    use.threads = phase->threads;
    while (level + 1 < phase->n_sources && !(use.bytes <= phase->source[level].bytes))
        level++;
    if (!err && level) /* from the first cache it is computing all the same */
        *cap = xb_flow_cap(&flow, phase->cycle->ns, &phase->source[level], &use);
    return err;
}

int xb_flows_hide(struct xb_stalls *stalls, size_t from, const size_t *of_site,
                  const struct xb_cycle *cycle, const struct xb_source *source, size_t n_sources,
                  double *hides, size_t *streamed)
{
    struct phase phase = {
        .stalls = stalls, .cycle = cycle, .source = source, .n_sources = n_sources
    };
    phase.sample = xb_stalls_samples(stalls, &phase.n) + from;
    phase.site = xb_stalls_sites(stalls, &phase.n_sites);
    phase.n -= from;
    size_t n = phase.n_sites;
    bool *seen = calloc(n + 1, sizeof *seen);
    int err = seen ? count_threads(phase.sample, phase.n, &phase.threads) : -ENOMEM;
    for (size_t i = 0; i < n && !err; i++) {
        const struct xb_stall_site *at = &phase.site[i];
        struct xb_loop loop;
        double cap;
        if (seen[i] || !of_site[i] || of_site[i] * RARE < phase.n ||
            at->stall.kind > XB_STALL_STRING || !xb_stalls_loop(stalls, at, &loop))
            continue;
        for (size_t k = i; k < n; k++)
            seen[k] |= xb_site_in_loop(&phase.site[k], at->pid, &loop);
        err = cap_loop(&phase, at, &loop, &cap);
        if (err)
            break;
        double hidden = xb_flow_hide(&loop, at->pid, cap, phase.site, of_site, n, hides);
        *streamed -= hidden < (double)*streamed ? (size_t)hidden : *streamed;
    }
    free(seen);
    return err;
}
