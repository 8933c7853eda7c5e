/* SPDX-License-Identifier: BSD-3-Clause
 * The longer of two times, and what that leaves to wait. */
#include "flow_wait.h"

#include "working_set.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

enum { STARTS = 3 }; /* lines of a new stream that are not prefetched */

static bool lies_in(const struct xb_loop *loop, pid_t pid, const struct xb_stall_site *site)
{
    return site->pid == pid && xb_loop_index(loop, site->ip) < loop->n;
}

static double rounds_of(const struct xb_stall_site *site, const size_t *samples, size_t n,
                        const struct xb_flow_count *count)
{
    double sum = 0, all = 0;
    for (size_t i = 0; i < n; i++) {
        if (!samples[i] || !site[i].has_registers)
            continue;
        sum += (double)samples[i] * xb_flow_rounds_left(count, &site[i].registers);
        all += (double)samples[i];
    }
    return all > 0 ? sum / all : 0;
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
    int err = touch && samples ? 0 : -ENOMEM;
    *out = (struct xb_loop_use){ .bytes = 0 };
    for (size_t i = 0; i < n && !err; i++) {
        if (!lies_in(loop, pid, &site[sample[i].site]))
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
    free(samples);
    free(touch);
    return err;
}

double xb_flow_cap(const struct xb_flow *flow, double cycle_ns, const struct xb_source *source,
                   double rounds)
{
    double core_ns = flow->core_cycles * cycle_ns;
    if (flow->kind != XB_FLOW_STREAM || !(rounds >= 1) || !(core_ns > 0) ||
        !(source->gb_per_s > 0) || !(source->latency_ns >= 0))
        return 1;
    double data_ns = flow->moved_bytes / source->gb_per_s;
    double start_ns = STARTS * source->latency_ns / rounds;
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
