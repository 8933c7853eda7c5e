/* SPDX-License-Identifier: BSD-3-Clause
 * The body of every peak-arithmetic kernel: independent chains of multiply-adds that never leave
 * the registers. A kernel file defines XB_REAL, float or double, and adds its descriptor.
 *
 * The method is likwid-bench's peakflops; latencies and ports are from uops.info. */
#ifndef XB_KERNELS_FMA_H
#define XB_KERNELS_FMA_H

#include "kernel.h"
#include "prng.h"
#include "simd.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* CELLS numbers are advanced in groups that fill the registers, whatever their width, so that all
 * variants do the same work and give the same checksum.
 *
 * A pipe waits unless there are latency x pipes chains: 4 x 2 on Skylake and from Zen 3 on, 5 x 2
 * on Haswell and Zen 2, 4 x 4 on wide aarch64 cores, and up to 6 x 2 for SSE2, which multiplies and
 * then adds (uops.info). Nearly all registers are used: with SSE2 on Zen 4, 14 chains give 86 to
 * 93 % of the peak, by the order the compiler puts them in, where 12 gave 80 to 83 %; the other
 * variants reach 99 %. On Zen 5, of two per cycle: 96 % with SSE2, all with AVX2 and AVX-512.
 * 896 bytes are the least multiple of 14 chains x 64 bytes and of 28 x 16. */
enum {
    CELLS = 896 / sizeof(XB_REAL),
    CHAINS = XB_VECTOR_REGISTERS == 32 ? 28 : 14,
    STEPS = 512,
    WIDEST = 64 / sizeof(XB_REAL),   /* numbers in the widest register */
    NARROWEST = 16 / sizeof(XB_REAL) /* and in the narrowest */
};

/* Small integers: every result is exact, in any order, up to 2^24 in a float. So the cells run in
 * laps of 2^17 steps, and none exceeds 2^10 + 2^17 x 2^6. A factor of 1, which the compiler cannot
 * see, is as fast as any other: only subnormal numbers are slower. */
enum { LAP = 256, LARGEST_START = 1024, LARGEST_TERM = 64 };
_Static_assert(LARGEST_START + LAP * STEPS * LARGEST_TERM < 1 << 24,
               "a float must hold every cell");

struct cells {
    _Alignas(64) XB_REAL cell[CELLS];
    _Alignas(64) XB_REAL start[CELLS]; /* what the cells begin every lap with */
    _Alignas(64) XB_REAL factor[WIDEST], term[WIDEST];
    uint64_t sum, start_sum; /* of all cells, as run() left them, and of their starts */
    uint64_t done;           /* iterations of this lap, below LAP */
};

#if defined(__aarch64__)
/* fmla overwrites its addend, so the chain has to be that; any other form costs a move for each.
 * The empty statement hides that factor x term is the same in every step. */
#    define ADVANCE(chain, factor, term)  \
        do {                              \
            __asm__("" : "+w"(factor));   \
            (chain) += (factor) * (term); \
        } while (0)
#else
/* The chain is multiplied: SSE2 then needs no third register for the product. */
#    define ADVANCE(chain, factor, term) ((chain) = (chain) * (factor) + (term))
#endif

/* Unrolled by order: gcc stops at 16 by itself, and would keep the chains in memory. */
#define EACH_CHAIN _Pragma("GCC unroll 28") for (int i = 0; i < CHAINS; i++)

/* xb-loop: multiply_add_base: 14+ mulp[ds] ; 14+ addp[ds] ; 0 \(%rsp\) */
/* xb-loop: multiply_add_avx2: 14+ vfmadd[0-9]+p[ds] .*%ymm; 0 \(%rsp\) */
/* xb-loop: multiply_add_avx512: 14+ vfmadd[0-9]+p[ds] .*%zmm; 0 \(%rsp\) */
#define MULTIPLY_ADD(isa, target, lanes)                                             \
    target static void multiply_add_##isa(struct cells *s, uint64_t steps)           \
    {                                                                                \
        enum { WIDTH = 8 * (lanes) / sizeof(XB_REAL) };                              \
        typedef XB_REAL vector __attribute__((vector_size(8 * (lanes)), may_alias)); \
        _Static_assert(CELLS % (CHAINS * WIDTH) == 0, "groups must fill the cells"); \
        vector factor = *(vector *)s->factor, term = *(vector *)s->term;             \
        for (int group = 0; group < CELLS / WIDTH; group += CHAINS) {                \
            vector *cell = (vector *)s->cell + group;                                \
            vector chain[CHAINS];                                                    \
            EACH_CHAIN chain[i] = cell[i];                                           \
            for (uint64_t step = 0; step < steps; step++)                            \
                EACH_CHAIN ADVANCE(chain[i], factor, term);                          \
            EACH_CHAIN cell[i] = chain[i];                                           \
        }                                                                            \
    }
XB_EACH_ISA(MULTIPLY_ADD)

static void (*const multiply_add[XB_ISAS])(struct cells *, uint64_t) = XB_OF_EACH_ISA(multiply_add);

/* What cell i starts with, drawn from the seed. */
static uint64_t first(uint64_t stream, int i)
{
    return xb_mix64(stream + (uint64_t)i) % LARGEST_START;
}

/* What every step adds to cell i: the same for cells that differ by a narrowest register. */
static uint64_t term(uint64_t stream, int i)
{
    return 1 + xb_mix64(~stream + (uint64_t)(i % (int)NARROWEST)) % LARGEST_TERM;
}

static void begin(void *state)
{
    struct cells *s = state;
    memcpy(s->cell, s->start, sizeof s->cell);
    s->sum = s->start_sum;
    s->done = 0;
}

static int setup(const struct xb_params *params, void *team, void **state)
{
    (void)team;
    struct cells *s = *state = aligned_alloc(_Alignof(struct cells), sizeof *s);
    if (!s)
        return xb_explain(params, -ENOMEM, "no memory for the accumulators");
    uint64_t stream = xb_prng_of(params->seed, params->index);
    for (int i = 0; i < (int)WIDEST; i++) {
        s->factor[i] = 1;
        s->term[i] = (XB_REAL)term(stream, i);
    }
    s->start_sum = 0;
    for (int i = 0; i < (int)CELLS; i++) {
        s->start[i] = (XB_REAL)first(stream, i);
        s->start_sum += first(stream, i);
    }
    begin(s);
    return 0;
}

static int run(struct xb_run *run, void *state, uint64_t iters, struct xb_work *did)
{
    struct cells *s = state;
    for (uint64_t left = iters, now; left; left -= now) {
        now = left < LAP - s->done ? left : LAP - s->done;
        multiply_add[run->params->isa](s, now * STEPS);
        uint64_t sum = 0;
        for (int i = 0; i < (int)CELLS; i++)
            sum += (uint64_t)s->cell[i];
        did->checksum += sum - s->sum;
        s->sum = sum;
        s->done += now;
        if (s->done == LAP)
            begin(s);
    }
    did->items += iters * STEPS * CELLS;
    did->flops += iters * STEPS * CELLS * 2;
    return 0;
}

/* One integer multiplication stands for all the additions of a cell. */
static int verify(const struct xb_params *params, void *team, void *state, uint64_t iters,
                  const struct xb_work *did)
{
    (void)team;
    const struct cells *s = state;
    uint64_t stream = xb_prng_of(params->seed, params->index), step = 0;
    for (int i = 0; i < (int)CELLS; i++) {
        uint64_t value = first(stream, i) + iters % LAP * STEPS * term(stream, i);
        if (s->cell[i] != (XB_REAL)value)
            return -EBADMSG;
        step += term(stream, i);
    }
    const struct xb_work due = {
        .items = iters * STEPS * CELLS,
        .flops = iters * STEPS * CELLS * 2,
        .checksum = iters * STEPS * step,
    };
    return memcmp(did, &due, sizeof due) != 0 ? -EBADMSG : 0;
}

static void teardown(void *state)
{
    free(state);
}

#endif
