/* SPDX-License-Identifier: BSD-3-Clause
 * Chains of dependent instructions, timed. */
#include "cycle.h"

#include "clock.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>

enum { ROUNDS = 24, LINKS = 16, TURNS = 250 }; /* a round: 4000 links, 1 to 15 us */

#define LINKS_OF(insn) ".rept 16\n" insn "\n.endr\n"

/* How the loop around a chain ends, and what chains use. */
#if defined(__aarch64__)
#    define BACK "subs %0, %0, #1\nb.ne 1b\n"
#    define USES "x9", "x10", "v0", "v1", "cc"
#else
#    define BACK "sub $1, %0\njne 1b\n"
#    define USES "rax", "rcx", "xmm0", "xmm1", "cc"
#endif

#define CHAIN(name, insn, set)                                                     \
    static void name(void)                                                         \
    {                                                                              \
        uint64_t turns = TURNS;                                                    \
        __asm__ volatile(set "\n1:\n" LINKS_OF(insn) BACK : "+r"(turns) : : USES); \
    }

/* What each chain goes on and on with; 1.0 and 1 leave their values alone. */
#if defined(__aarch64__)
#    define ONES "mov x9, #1\nmov x10, #1\nfmov d0, #1.0\nfmov d1, #1.0"
CHAIN(add, "add x9, x9, x10", ONES)
CHAIN(multiply, "mul x9, x9, x10", ONES)
CHAIN(fp_add, "fadd d0, d0, d1", ONES)
CHAIN(fp_multiply, "fmul d0, d0, d1", ONES)
CHAIN(fp_fused, "fmadd d0, d1, d1, d0", ONES)
CHAIN(fp_select, "fmax d0, d0, d1", ONES)
CHAIN(divide, "fdiv d0, d0, d1", ONES)
static bool has_fused(void)
{
    return true;
}
#else
#    define ONES                         \
        "mov $1, %%eax\nmov $1, %%ecx\n" \
        "cvtsi2sd %%rax, %%xmm0\ncvtsi2sd %%rax, %%xmm1"
CHAIN(add, "add %%rcx, %%rax", ONES)
CHAIN(multiply, "imul %%rcx, %%rax", ONES)
CHAIN(fp_add, "addsd %%xmm1, %%xmm0", ONES)
CHAIN(fp_multiply, "mulsd %%xmm1, %%xmm0", ONES)
CHAIN(fp_fused, "vfmadd231sd %%xmm1, %%xmm1, %%xmm0", ONES)
CHAIN(fp_select, "maxsd %%xmm1, %%xmm0", ONES)
CHAIN(divide, "divsd %%xmm1, %%xmm0", ONES)
static bool has_fused(void)
{
    return __builtin_cpu_supports("fma");
}
#endif

/* ns of one link of a chain. */
static double time_link(void (*chain)(void))
{
    double best = INFINITY;
    for (int i = 0; i < ROUNDS; i++) {
        uint64_t from = xb_now_ns();
        chain();
        best = fmin(best, (double)(xb_now_ns() - from));
    }
    return best / (LINKS * TURNS);
}

void xb_cycle_measure(struct xb_cycle *out)
{
    static void (*const chains[XB_LATENCY_COUNT])(void) = {
        [XB_LATENCY_MULTIPLY] = multiply,       [XB_LATENCY_FP_ADD] = fp_add,
        [XB_LATENCY_FP_MULTIPLY] = fp_multiply, [XB_LATENCY_FP_FUSED] = fp_fused,
        [XB_LATENCY_FP_SELECT] = fp_select,     [XB_LATENCY_DIVIDE] = divide,
    };
    static const double least[XB_LATENCY_COUNT] = {
#define X(id, cycles) cycles,
        XB_LATENCIES(X)
#undef X
    };
    out->ns = time_link(add);
    for (int i = 0; i < XB_LATENCY_COUNT; i++) {
        bool can = chains[i] && (i != XB_LATENCY_FP_FUSED || has_fused());
        out->latency[i] = can ? fmax(1, round(time_link(chains[i]) / out->ns)) : least[i];
    }
}
