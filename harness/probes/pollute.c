/* SPDX-License-Identifier: BSD-3-Clause
 * How sensitive a program is to having its second cache swept: it runs again, on one CPU with a helper
 * that wakes every millisecond and either walks through twice the L2 or computes for the same time.
 *
 * Both conditions cost it the same time, switches and first cache, or nearly; what differs is what it has
 * to fetch into L2 again. Twice the L2, as pages fall on its sets by chance and its replacement is not
 * exactly the oldest first.
 *
 * A program that runs for a time, such as a benchmark, uses that time however slow it is, and shows no
 * loss: it has to be told how much to do instead.
 *
 * It divides nothing, so its weight is 0, and what it says are clues. That a program loses time with each
 * sweep shows that it comes back to lines in L2 within a millisecond; not that it waits for them, since
 * the loads of a program that computes may all be hidden beside the computing until L2 is taken away.
 * That it loses none shows that it lives in the first cache, or beyond the second: between computing and
 * waiting for DRAM it cannot tell. So neither outcome names a share of user time. Held beside a verdict
 * of another probe it can confirm it ("waits for L2" without a loss here is wrong) or not. */
#include "probe.h"

#include "../base/clock.h"
#include "../base/memory.h"
#include "../base/rerun.h"
#include "../base/units.h"
#include "../stats/ratio.h"

#include <errno.h>
#include <math.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

enum { LINE = 64, WALKS = 11, HUGE_BYTES = 2 << 20 };

#define LIMIT_NS  (UINT64_C(10) * 1000000000)
#define BUDGET_NS (UINT64_C(20) * 1000000000)

/* Twenty sweeps: below that chance in starting a program is larger than any effect. */
static const double least_user_s = 0.02;

/* A ratio that is surely below this is none: it is what two equal runs differ by on a quiet machine. */
static const double none = 1.02;

/* What the helper does, and has done; in shared memory. */
struct sweeping {
    const char *buffer;
    size_t bytes;
    uint64_t span_ns; /* of each turn, at least */
    bool computes;
    uint64_t sink, turns, busy_ns; /* turns and time of all runs */
};

static int probe(struct xb_reason *why)
{
    (void)why;
    return 0;
}

/* ---- the helper ---- */

static uint64_t walk(const char *buffer, size_t bytes)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < bytes; i += LINE)
        sum += *(const volatile unsigned char *)(buffer + i);
    return sum;
}

/* Registers only. */
static uint64_t compute(uint64_t state)
{
    for (int i = 0; i < 256; i++)
        state = state * 6364136223846793005u + 1442695040888963407u;
    return state;
}

static void take_turns(const void *context)
{
    struct sweeping *sweeping = (struct sweeping *)(uintptr_t)context;
    uint64_t random = 1;
    for (;;) {
        /* 0.5 to 1.5 ms: lest it keeps step with the kernel's ticks, by which CPU time is told to be user
         * mode or the kernel's. */
        random = random * 6364136223846793005u + 1442695040888963407u;
        struct timespec pause = { .tv_nsec = 500000 + (long)((random >> 33) % 1000000) };
        nanosleep(&pause, NULL);
        uint64_t begin_ns = xb_now_ns(), now_ns;
        if (!sweeping->computes)
            sweeping->sink += walk(sweeping->buffer, sweeping->bytes);
        /* A walk that is done early goes on over what is in L2 by now. */
        while ((now_ns = xb_now_ns()) < begin_ns + sweeping->span_ns)
            sweeping->sink +=
                sweeping->computes ? compute(sweeping->sink) : walk(sweeping->buffer, 256 * LINE);
        sweeping->turns++;
        sweeping->busy_ns += now_ns - begin_ns;
    }
}

/* Longer than a walk takes when all of it has to be fetched; half as long again when the program has had the
 * last level, the TLB and the clock meanwhile (65 us instead of 29). */
static uint64_t measure_span(const struct sweeping *sweeping)
{
    double time[WALKS];
    uint64_t sink = walk(sweeping->buffer, sweeping->bytes);
    for (int i = 0; i < WALKS; i++) {
        uint64_t begin_ns = xb_now_ns();
        sink += walk(sweeping->buffer, sweeping->bytes);
        time[i] = (double)(xb_now_ns() - begin_ns);
    }
    __asm__ volatile("" ::"r"(sink));
    return (uint64_t)(2.5 * xb_median(time, WALKS));
}

/* A buffer of so many bytes, of huge pages where there are any, lest a walk sweeps the TLB too. It lies
 * within `map`, of HUGE_BYTES more. */
static const char *map_buffer(size_t bytes, void **map)
{
    char *at =
        mmap(NULL, bytes + HUGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED)
        return NULL;
    *map = at;
    char *aligned = at + (HUGE_BYTES - (uintptr_t)at % HUGE_BYTES) % HUGE_BYTES;
    madvise(aligned, bytes, MADV_HUGEPAGE);
    memset(aligned, 1, bytes); /* else each page of it is the one page of zeros */
    return aligned;
}

/* ---- what follows ---- */

/* Bytes that take `ns` longer from the last level than from L2, at so many ns for each byte there and
 * here; NaN where the one is not slower than the other. */
static double bytes_in(double ns, double there, double here)
{
    return there > here ? ns / (there - here) : NAN;
}

static void tell_bytes(const struct xb_capacity *capacity, double sweep_ns, struct xb_findings *out)
{
    char least_text[XB_BYTES_TEXT], most_text[XB_BYTES_TEXT];
    const double *latency = capacity->latency_ns, *rate = capacity->load_gb_per_s;
    double least = bytes_in(sweep_ns, latency[XB_LEVEL_LLC] / LINE, latency[XB_LEVEL_L2] / LINE);
    double most = bytes_in(sweep_ns, 1 / rate[XB_LEVEL_LLC], 1 / rate[XB_LEVEL_L2]);
    double l2 = xb_cache_bytes(capacity, XB_LEVEL_L2);
    if (!isfinite(least) || !isfinite(most))
        return;
    least = fmin(least, l2);
    most = fmax(least, fmin(most, l2));
    xb_bytes_text((uint64_t)(least / 1024) * 1024, least_text);
    xb_bytes_text((uint64_t)(most / 1024) * 1024, most_text);
    xb_add_clue(out, "refetched_bytes", least,
                "a sweep costs it %.3g us: what it fetches again are %s, line after line at the "
                "latency of the last level, up to %s as a stream",
                sweep_ns / 1000, least_text, most_text);
}

static void conclude(const struct xb_rerun_pairs *pairs, const struct sweeping sweeping[2],
                     const struct xb_capacity *capacity, struct xb_findings *out)
{
    double swept[XB_RERUN_PAIRS], computed[XB_RERUN_PAIRS], lost_s[XB_RERUN_PAIRS];
    for (size_t i = 0; i < pairs->n; i++) {
        swept[i] = pairs->use[0][i].user_s;
        computed[i] = pairs->use[1][i].user_s;
        lost_s[i] = swept[i] - computed[i];
    }
    struct xb_interval ratio = xb_paired_ratio(computed, swept, pairs->n);
    double turns = (double)(sweeping[0].turns ? sweeping[0].turns : 1);
    out->overhead = 0; /* it was over before the command began */
    xb_add_clue(out, "swept_ratio", ratio.median,
                "with L2 swept every 1 ms user CPU time is %.3f (%.3f to %.3f, %zu pairs) of that "
                "with as much lost to computing; a run took %.3g s",
                ratio.median, ratio.lo, ratio.hi, pairs->n, pairs->first.wall_s);
    double of_a_run_s = xb_median(lost_s, pairs->n);
    if (ratio.lo > 1)
        tell_bytes(capacity, 1e9 * of_a_run_s * (double)pairs->n / turns, out);
    if (ratio.hi < none)
        xb_add_clue(out, "lives_in_l2", 0,
                    "so it does not live in L2: what it comes back to within 1 ms is in the first "
                    "cache or beyond; unless it runs for a fixed time, not to the end of its work");
    else if (ratio.lo > none)
        xb_add_clue(out, "lives_in_l2", 1,
                    "so it comes back to lines in L2 within 1 ms; neighbours on its core cost it "
                    "as much");
    else
        xb_add_clue(out, "lives_in_l2", NAN,
                    "whether it lives in L2 cannot be told: the interval goes across %.2f", none);
    xb_add_clue(out, "sweep_us", 1e-3 * (double)sweeping[0].busy_ns / turns,
                "a sweep of %.3g KiB took %.3g us, %llu of them; computing took %.3g us, %llu "
                "times",
                (double)sweeping[0].bytes / 1024, 1e-3 * (double)sweeping[0].busy_ns / turns,
                (unsigned long long)sweeping[0].turns,
                1e-3 * (double)sweeping[1].busy_ns /
                    (double)(sweeping[1].turns ? sweeping[1].turns : 1),
                (unsigned long long)sweeping[1].turns);
}

static int measure(const struct xb_scene *scene, struct sweeping sweeping[2],
                   struct xb_findings *out, struct xb_reason *why)
{
    struct xb_rerun_pairs pairs;
    size_t bytes = (size_t)(2 * xb_cache_bytes(scene->capacity, XB_LEVEL_L2)) / LINE * LINE;
    void *map = NULL;
    const char *buffer = map_buffer(bytes, &map);
    if (!buffer)
        return xb_because(why, -ENOMEM, "out of memory for a walk through twice the L2");
    sweeping[0] = (struct sweeping){ .buffer = buffer, .bytes = bytes };
    sweeping[0].span_ns = measure_span(&sweeping[0]);
    sweeping[1] = sweeping[0];
    sweeping[1].computes = true;
    struct xb_rerun ask[2];
    for (int i = 0; i < 2; i++)
        ask[i] = (struct xb_rerun){ .argv = scene->argv,
                                    .limit_ns = LIMIT_NS,
                                    .cpu = sched_getcpu(),
                                    .beside = take_turns,
                                    .context = &sweeping[i] };
    ask[1].cpu = ask[0].cpu;
    int err = xb_rerun_compare(ask, BUDGET_NS, least_user_s, &pairs, why);
    if (!err)
        conclude(&pairs, sweeping, scene->capacity, out);
    munmap(map, bytes + HUGE_BYTES);
    return err;
}

static int look(const struct xb_scene *scene, struct xb_findings *out, struct xb_reason *why)
{
    struct xb_arena arena = { .base = NULL };
    int err = xb_arena_open(&arena, 2 * sizeof(struct sweeping));
    if (err)
        return xb_because(why, -ENOMEM, "pollute: out of memory");
    err = measure(scene, xb_arena_take(&arena, 2 * sizeof(struct sweeping), LINE), out, why);
    xb_arena_close(&arena);
    return err;
}

static int open_on(const struct xb_scene *scene, void **out, struct xb_reason *why)
{
    int err = xb_rerun_check(scene->argv, why);
    return err ? err
               : xb_open_findings(scene,
                                  "pollute: runs the command 7 times or more, up to 10 s each, "
                                  "before it is watched",
                                  look, out, why);
}

const struct xb_probe xb_probe_pollute = {
    .name = "pollute",
    .summary = "runs the command again, 7 times or more, with its L2 swept and with time lost",
    .on_request = true,
    .probe = probe,
    .open = open_on,
    .begin = xb_begin_findings,
    .poll = xb_begin_findings,
    .end = xb_end_findings,
    .close = free,
};
