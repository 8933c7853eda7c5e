/* SPDX-License-Identifier: BSD-3-Clause
 * A pointer chase as one would write it by hand, without any harness: the peer of kernels/chase.h.
 *
 * Usage: chase wall|cpu BYTES SECONDS; prints nanoseconds per load. It shares no code with xbound,
 * but the permutation (seed 1, worker 0) and the pages are the same: the figure depends on both. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

enum { HOPS = 16, HUGE = 2 << 20 };

struct line {
    struct line *next;
    char unused[64 - sizeof(struct line *)];
};

static uint64_t mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

static uint64_t below(uint64_t *state, uint64_t bound)
{
    *state += 0x9e3779b97f4a7c15u;
    return (uint64_t)(((unsigned __int128)mix(*state) * bound) >> 64);
}

/* Huge pages from 64 KiB up, as ours. */
static void *take(size_t bytes)
{
    if (bytes >= 65536)
        bytes = (bytes + HUGE - 1) / HUGE * HUGE;
    char *at = mmap(NULL, bytes + HUGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED) {
        perror("mmap");
        exit(1);
    }
    at += (HUGE - (uintptr_t)at % HUGE) % HUGE;
    if (bytes >= 65536)
        madvise(at, bytes, MADV_HUGEPAGE);
    return at;
}

static double now(clockid_t clock)
{
    struct timespec at;
    clock_gettime(clock, &at);
    return (double)at.tv_sec + (double)at.tv_nsec * 1e-9;
}

int main(int argc, char **argv)
{
    if (argc != 4)
        return 2;
    clockid_t clock = strcmp(argv[1], "cpu") == 0 ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC;
    size_t n = strtoull(argv[2], NULL, 10) / sizeof(struct line) / HOPS * HOPS;
    double seconds = strtod(argv[3], NULL);
    if (n == 0)
        return 2;

    struct line *lines = take(n * sizeof *lines);
    uint32_t *order = take(n * sizeof *order);
    uint64_t random = mix(1 ^ mix(1));
    for (size_t i = 0; i < n; i++) {
        size_t j = below(&random, i + 1);
        order[i] = order[j];
        order[j] = (uint32_t)i;
    }
    for (size_t i = 0; i < n; i++)
        lines[order[i]].next = &lines[order[(i + 1) % n]];

    /* Rounds that take a tenth of the time warm up and tell how many take all of it: a clock read
     * within the measured loop was seen, at half a percent. */
    const struct line *at = &lines[order[0]];
    double took = 0;
    size_t rounds = 1, wanted = 0;
    while (wanted == 0) {
        if (took > seconds / 10)
            wanted = rounds = (size_t)((double)rounds * seconds / took) + 1;
        else
            rounds *= 2;
        double begin = now(clock);
        for (size_t i = 0; i < rounds; i++)
            for (int hop = 0; hop < HOPS; hop++)
                at = at->next;
        __asm__ volatile("" : "+r"(at));
        took = now(clock) - begin;
    }
    printf("%.6f\n", took * 1e9 / (double)(rounds * HOPS));
    return 0;
}
