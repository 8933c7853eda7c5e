/* SPDX-License-Identifier: BSD-3-Clause
 * Reads clocks. */
#include "clock.h"

#include <time.h>

static uint64_t read_clock(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

uint64_t xb_now_ns(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

uint64_t xb_thread_cpu_ns(void)
{
    return read_clock(CLOCK_THREAD_CPUTIME_ID);
}

uint64_t xb_usage_cpu_ns(const struct rusage *usage)
{
    return ((uint64_t)usage->ru_utime.tv_sec + (uint64_t)usage->ru_stime.tv_sec) * 1000000000u +
           ((uint64_t)usage->ru_utime.tv_usec + (uint64_t)usage->ru_stime.tv_usec) * 1000u;
}

double xb_clock_cost_ns(void)
{
    /* The fastest of several batches: an interrupted batch says nothing of the clock. */
    enum { BATCHES = 32, CALLS = 256 };
    uint64_t best = UINT64_MAX;
    for (int batch = 0; batch < BATCHES; batch++) {
        uint64_t begin = xb_now_ns(), end = begin;
        for (int i = 0; i < CALLS; i++)
            end = xb_now_ns();
        if (end - begin < best)
            best = end - begin;
    }
    return (double)best / CALLS;
}

uint64_t xb_clock_step_ns(void)
{
    uint64_t best = UINT64_MAX;
    for (int i = 0; i < 4096; i++) {
        uint64_t first = xb_now_ns(), then;
        do {
            then = xb_now_ns();
        } while (then == first);
        if (then - first < best)
            best = then - first;
    }
    return best;
}
