/* SPDX-License-Identifier: BSD-3-Clause
 * The loop of kernels/chase.h and one written by hand, turn and turn about over the same lines.
 *
 * Usage: same BYTES SECONDS; prints nanoseconds per load of ours, then of the hand-written loop.
 * In processes of their own the two get other pages, which at the size of a cache decide more than
 * any loop does. */
#include "../../kernels/cache/chase_l1.c"

#include <stdbool.h>
#include <stdio.h>
#include <time.h>

static double now(void)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return (double)at.tv_sec + (double)at.tv_nsec * 1e-9;
}

static __attribute__((noinline)) const struct line *chase_by_hand(const struct line *at, size_t n)
{
    for (size_t i = 0; i < n; i++)
        for (int hop = 0; hop < HOPS; hop++)
            at = at->next;
    return at;
}

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    char why[XB_WHY_BYTES] = "";
    struct xb_params params = { .workers = 1, .depth = 1, .seed = 1, .why = why };
    params.bytes = strtoull(argv[1], NULL, 10);
    double end = now() + strtod(argv[2], NULL), took[2] = { 0 };
    void *state = NULL;
    if (setup(&params, NULL, &state) != 0) {
        fprintf(stderr, "%s\n", why);
        return 1;
    }
    struct chase *s = state;
    struct xb_run how = { .params = &params };
    struct xb_work did = { 0 };
    /* A lap each, at least; A B B A, so that a drift favours neither, and the first four warm up. */
    size_t n = s->n_lines / HOPS < 4096 ? 4096 : s->n_lines / HOPS;
    uint64_t turns = 0;
    for (; turns < 8 || turns % 4 || now() < end; turns++) {
        bool by_hand = turns % 4 == 1 || turns % 4 == 2;
        double begin = now();
        if (by_hand) {
            const struct line *at = chase_by_hand(line_at(s, s->order[s->place]), n);
            __asm__ volatile("" : "+r"(at));
        } else {
            run(&how, s, n, &did);
        }
        took[by_hand] += turns < 4 ? 0 : now() - begin;
        if (by_hand)
            s->place = (s->place + n % s->n_lines * HOPS) % s->n_lines;
    }
    double loads = (double)((turns - 4) / 2) * (double)n * HOPS;
    printf("%.6f %.6f\n", took[0] * 1e9 / loads, took[1] * 1e9 / loads);
    teardown(state);
    return 0;
}
