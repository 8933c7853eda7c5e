/* SPDX-License-Identifier: BSD-3-Clause */
#include "stall_parts.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum {
    /* Samples of a phase that can be trusted in full: the standard error of a share is 3 %. */
    ENOUGH = 300,
    FEW = 100,        /* below which they say next to nothing: 5 % */
    CALLS_LEAST = 10, /* samples behind calls; fewer say nothing of how calls divide */
    CALLS_HALF = 10,  /* samples behind calls that say half of what many would: a share, to 15 % */
    FEW_TO_MEET = 60, /* touches, of which in a set of any size none need be near another */
};

/* Calls are counted, and how long each takes is not told. */
#define WEIGHT_CALLS 0.6

/* Threads are unlike if of those with so much of the samples one waits so much for caches and DRAM, and another
 * so little. */
#define UNLIKE_OF    0.2
#define UNLIKE_MOST  0.5
#define UNLIKE_LEAST 0.2

/* Threads take turns if so many run, on average, and no more than that many of them do anything but spin. A
 * tenth is left for the error of samples. */
#define TURNS_OF   1.5
#define TURNS_DONE 1.1

enum xb_level xb_level_of(const struct xb_capacity *capacity, double bytes)
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
        level_share[xb_level_of(capacity, bytes)] += touches;
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
static size_t count_doubtful(const struct xb_capacity *capacity, const struct xb_stall_sums *sums)
{
    size_t doubtful = 0;
    for (size_t i = 0; i < sums->n_pools; i++) {
        const struct xb_size *size = &sums->pool[i].size;
        if (size->bytes_least > 0 && bound_of(xb_level_of(capacity, size->bytes_least)) !=
                                         bound_of(xb_level_of(capacity, size->bytes)))
            doubtful += sums->pool[i].touches;
    }
    return doubtful;
}

void xb_stall_divide_user(const struct xb_capacity *capacity, const struct xb_stall_sums *sums,
                          double cpus, struct xb_findings *out)
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
        add_touches(capacity, sums->within_bytes[i], 1, exposed, level_share);
    for (size_t i = 0; i < sums->n_pools; i++) {
        const struct xb_pool *pool = &sums->pool[i];
        if (is_scattered(pool))
            unknown += (double)pool->touches;
        else
            add_touches(capacity, pool->size.bytes, (double)pool->touches, exposed, level_share);
    }
    for (size_t i = 0; i < sums->n_least; i++) {
        const struct xb_pool *pool = &sums->least[i];
        enum xb_level least = xb_level_of(capacity, pool->size.bytes);
        if (is_scattered(pool) || least == XB_LEVEL_L1)
            unknown += (double)pool->touches;
        else
            add_touches(capacity, pool->size.bytes, (double)pool->touches, exposed, level_share);
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
    out->turns = cpus >= TURNS_OF && (1 - spins) * cpus <= TURNS_DONE;
    /* Of two answers the one that is given is half as sure. */
    double sure = 1 - (double)count_doubtful(capacity, sums) / n / 2;
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

int xb_stall_compare_threads(const struct xb_capacity *capacity, const struct xb_stalled *sample,
                             size_t n, const struct xb_stall_site *site, size_t n_sites,
                             struct xb_findings *out)
{
    if (!n)
        return 0;
    struct xb_stalled *sorted = malloc(n * sizeof *sorted);
    if (!sorted)
        return -ENOMEM;
    memcpy(sorted, sample, n * sizeof *sorted);
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
            xb_stall_divide_user(capacity, &sums, 0, &one);
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

void xb_stall_divide_kernel(const struct xb_stall_sums *sums, struct xb_findings *out)
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
