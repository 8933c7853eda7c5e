/* SPDX-License-Identifier: BSD-3-Clause
 * Measures streams: how far they got from sample to sample, in how much time in their piece of code. */
#include "stream_rate.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

enum { PAIRS_LEAST = 20 }; /* of samples that follow each other at one load */

/* Of those pairs, in one direction. Of accesses at random one half is. */
static const double IN_ORDER = 0.9;
/* Of what DRAM could bring. Between this and all of it loads wait for one line or another. */
static const double SLOW = 0.5;

/* A sample, in the order of the pieces of code and of time. */
struct stand {
    const struct xb_stall_site *site;
    const struct xb_stalled *sample;
    size_t order;
};

/* One load's way through memory. */
struct way {
    uint64_t up_bytes, down_bytes;
    size_t up, down, pairs;        /* pairs of samples */
    size_t up_stands, down_stands; /* samples in its piece of code meanwhile */
};

static int by_piece(const void *a, const void *b)
{
    const struct stand *x = a, *y = b;
    if (x->site->pid != y->site->pid)
        return (x->site->pid > y->site->pid) - (x->site->pid < y->site->pid);
    uint64_t p = x->site->stall.piece.end, q = y->site->stall.piece.end;
    if (p != q)
        return (p > q) - (p < q);
    if (x->sample->tid != y->sample->tid)
        return (x->sample->tid > y->sample->tid) - (x->sample->tid < y->sample->tid);
    return (x->order > y->order) - (x->order < y->order);
}

static bool may_stream(const struct xb_stall *stall)
{
    return stall->kind == XB_STALL_LOAD && !stall->writes && stall->from != XB_ADDRESS_CHASE &&
           stall->piece.end;
}

/* Follows the load at `at` through the samples of its piece, n of them. */
static struct way follow(const struct stand *stand, size_t n, uint64_t at)
{
    struct way way = { 0 };
    size_t last = n;
    for (size_t i = 0; i < n; i++) {
        const struct xb_stalled *now = stand[i].sample;
        if (stand[i].site->stall.at != at || now->fate != XB_FATE_KNOWN)
            continue;
        const struct xb_stalled *before = last < n ? stand[last].sample : NULL;
        if (before && before->tid == now->tid && before->burst == now->burst) {
            bool up = now->address > before->address, down = now->address < before->address;
            way.pairs++;
            way.up += up;
            way.down += down;
            way.up_bytes += up ? now->address - before->address : 0;
            way.down_bytes += down ? before->address - now->address : 0;
            way.up_stands += up ? i - last : 0;
            way.down_stands += down ? i - last : 0;
        }
        last = i;
    }
    return way;
}

/* Bytes per nanosecond of its piece's time; INFINITY if it is no stream. */
static double rate_of(const struct way *way, double period_ns)
{
    bool up = way->up > way->down;
    double in_order = (double)(up ? way->up : way->down);
    if (way->pairs < PAIRS_LEAST || in_order < IN_ORDER * (double)way->pairs)
        return INFINITY;
    return (double)(up ? way->up_bytes : way->down_bytes) /
           ((double)(up ? way->up_stands : way->down_stands) * period_ns);
}

static size_t count_threads(const struct xb_stalled *sample, size_t n)
{
    size_t threads = 0;
    for (size_t i = 0; i < n; i++) {
        size_t k = 0;
        while (k < i && sample[k].tid != sample[i].tid)
            k++;
        threads += k == i;
    }
    return threads;
}

int xb_streams_hide(const struct xb_stalled *sample, size_t n, const struct xb_stall_site *site,
                    size_t n_sites, double period_ns, double dram_gb_per_s, double *hides)
{
    if (!(dram_gb_per_s > 0))
        return 0;
    struct stand *stand = calloc(n + 1, sizeof *stand);
    bool *followed = calloc(n_sites + 1, sizeof *followed);
    if (!stand || !followed) {
        free(stand);
        free(followed);
        return -ENOMEM;
    }
    for (size_t i = 0; i < n; i++)
        stand[i] = (struct stand){ &site[sample[i].site], &sample[i], i };
    qsort(stand, n, sizeof *stand, by_piece);
    double most = SLOW * dram_gb_per_s / (double)(n ? count_threads(sample, n) : 1);
    for (size_t i = 0, next; i < n; i = next) {
        const struct xb_stall_site *first = stand[i].site;
        for (next = i + 1; next < n && stand[next].site->pid == first->pid &&
                           stand[next].site->stall.piece.end == first->stall.piece.end;)
            next++;
        for (size_t k = i; k < next; k++) {
            size_t index = (size_t)(stand[k].site - site);
            const struct xb_stall *stall = &site[index].stall;
            if (followed[index] || !may_stream(stall))
                continue;
            followed[index] = true;
            struct way way = follow(&stand[i], next - i, stall->at);
            double accesses = stall->piece.accesses > 0 ? stall->piece.accesses : 1;
            if (rate_of(&way, period_ns) * (2 * accesses - 1) < most)
                hides[index] = 1;
        }
    }
    free(followed);
    free(stand);
    return 0;
}
