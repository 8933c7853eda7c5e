/* SPDX-License-Identifier: BSD-3-Clause
 * The longer of two times, and what that leaves to wait. */
#include "flow_wait.h"

#include "working_set.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

enum {
    STARTS = 3, /* lines of a new stream that are not prefetched */
    RARE = 100, /* a place with less than one sample in so many is not looked at */
};

/* What it takes to write a line back, of what it takes to have it come in. On a Zen 4 it takes nothing: copies,
 * triads, stencils and fills of 128 MiB all had lines come in at 28 to 32 GB/s, where loads alone did at
 * 31. On cores whose queue of misses both stand in it is more. */
static const double BACK = 0.5;

static bool lies_in(const struct xb_loop *loop, pid_t pid, const struct xb_stall_site *site)
{
    return site->pid == pid && xb_loop_index(loop, site->ip) < loop->n;
}

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

static size_t count_threads(const struct xb_touch *touch, size_t n)
{
    size_t threads = 0;
    for (size_t i = 0; i < n; i++) {
        size_t k = 0;
        while (k < i && touch[k].thread != touch[i].thread)
            k++;
        threads += k == i;
    }
    return threads;
}

int xb_loop_use(const struct xb_stalled *sample, size_t n, const struct xb_stall_site *site,
                size_t n_sites, pid_t pid, const struct xb_loop *loop,
                const struct xb_flow_count *count, struct xb_loop_use *out)
{
    struct xb_touch *touch = calloc(n + 1, sizeof *touch);
    size_t *samples = calloc(n_sites + 1, sizeof *samples);
    struct xb_pool pool[XB_POOLS_MAX];
    size_t n_pools = 0, touches = 0;
    bool *is_inside = calloc(n_sites + 1, sizeof *is_inside);
    int err = touch && samples && is_inside ? 0 : -ENOMEM;
    *out = (struct xb_loop_use){ .bytes = 0 };
    for (size_t i = 0; i < n_sites && !err; i++)
        is_inside[i] = lies_in(loop, pid, &site[i]);
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
        out->bytes = fmax(out->bytes, pool[i].size.bytes);
    if (!n_pools)
        out->bytes = INFINITY;
    if (!err) {
        out->threads = count_threads(touch, touches);
        out->rounds = rounds_of(site, samples, n_sites, count);
    }
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
        !(source->gb_per_s > 0) || !(source->latency_ns >= 0))
        return 1;
    /* Threads share what is beyond their own caches, and how much of it one core could have alone is not known. */
    double threads = use->threads > 1 ? (double)use->threads : 1;
    double data_ns = (flow->in_bytes + BACK * flow->out_bytes) * threads / source->gb_per_s;
    double start_ns = STARTS * source->latency_ns / use->rounds;
    return 1 - core_ns / (fmax(core_ns, data_ns) + start_ns);
}

double xb_flow_hide(const struct xb_loop *loop, pid_t pid, double cap,
                    const struct xb_stall_site *site, const size_t *of_site, size_t n,
                    double *hides)
{
    double all = 0, wait = 0, hidden = 0;
    for (size_t i = 0; i < n; i++) {
        if (!of_site[i] || !lies_in(loop, pid, &site[i]))
            continue;
        all += (double)of_site[i];
        if (site[i].stall.kind <= XB_STALL_STRING)
            wait += (1 - hides[i]) * (double)of_site[i];
    }
    if (wait <= cap * all)
        return 0;
    double keeps = cap * all / wait;
    for (size_t i = 0; i < n; i++) {
        if (!of_site[i] || !lies_in(loop, pid, &site[i]) || site[i].stall.kind > XB_STALL_STRING)
            continue;
        if (hides[i] == 0)
            hidden += (1 - keeps) * (double)of_site[i];
        hides[i] = 1 - (1 - hides[i]) * keeps;
    }
    return hidden;
}

/* The most that can wait of the loop around a site. 0 or -ENOMEM. */
static int cap_loop(struct xb_stalls *stalls, size_t from, const struct xb_stall_site *at,
                    const struct xb_loop *loop, const struct xb_cycle *cycle,
                    const struct xb_source *source, size_t n_sources, double *cap)
{
    size_t all, n_sites, level = 0;
    const struct xb_stalled *sample = xb_stalls_samples(stalls, &all);
    const struct xb_stall_site *site = xb_stalls_sites(stalls, &n_sites);
    struct xb_flow flow;
    struct xb_loop_use use;
    *cap = 1;
    xb_stalls_flow(stalls, at, loop, cycle->latency, &flow);
    if (flow.kind != XB_FLOW_STREAM)
        return 0;
    int err =
        xb_loop_use(sample + from, all - from, site, n_sites, at->pid, loop, &flow.count, &use);
    while (!err && level + 1 < n_sources && use.bytes > source[level].bytes)
        level++;
    if (!err)
        *cap = xb_flow_cap(&flow, cycle->ns, &source[level], &use);
    return err;
}

int xb_flows_hide(struct xb_stalls *stalls, size_t from, const size_t *of_site,
                  const struct xb_cycle *cycle, const struct xb_source *source, size_t n_sources,
                  double *hides, size_t *streamed)
{
    size_t all, n;
    xb_stalls_samples(stalls, &all);
    const struct xb_stall_site *site = xb_stalls_sites(stalls, &n);
    bool *seen = calloc(n + 1, sizeof *seen);
    int err = seen ? 0 : -ENOMEM;
    for (size_t i = 0; i < n && !err; i++) {
        struct xb_loop loop;
        double cap;
        if (seen[i] || of_site[i] * RARE < all - from || !of_site[i] ||
            site[i].stall.kind > XB_STALL_STRING || !xb_stalls_loop(stalls, &site[i], &loop))
            continue;
        for (size_t k = i; k < n; k++)
            seen[k] |= lies_in(&loop, site[i].pid, &site[k]);
        err = cap_loop(stalls, from, &site[i], &loop, cycle, source, n_sources, &cap);
        double hidden = err ? 0 : xb_flow_hide(&loop, site[i].pid, cap, site, of_site, n, hides);
        *streamed -= hidden < (double)*streamed ? (size_t)hidden : *streamed;
    }
    free(seen);
    return err;
}
