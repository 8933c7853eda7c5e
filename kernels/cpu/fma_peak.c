/* SPDX-License-Identifier: BSD-3-Clause
 * Peak double-precision arithmetic: independent chains of multiply-adds that never leave the
 * registers. */
#include "../kernel.h"
#include "../prng.h"
#include "../simd.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* CELLS doubles are advanced in groups that fill the registers, whatever their width, so that all
 * variants do the same work and give the same checksum.
 *
 * A pipe waits unless there are latency x pipes chains: 4 x 2 on Zen and Skylake, 5 x 2 on Haswell,
 * 4 x 4 on wide aarch64 cores, and up to 6 x 2 for SSE2, which multiplies and then adds
 * (uops.info). Nearly all registers are used: with SSE2 on Zen 4, 14 chains give 86 to 93 % of the
 * peak, by the order the compiler puts them in, where 12 gave 80 to 83 %; the other variants reach
 * 99 %. 112 is the least multiple of 14 chains x 8 lanes and of 28 x 2. */
enum { CELLS = 112, CHAINS = XB_VECTOR_REGISTERS == 32 ? 28 : 14, STEPS = 512 };

/* Small integers in doubles: every result is exact, in any order, up to 2^53. That is more than
 * 10^14 steps, a day at the rate of one step per cycle. A factor of 1, which the compiler cannot
 * see, is as fast as any other: only subnormal numbers are slower. */
enum { LARGEST_TERM = 64 };

struct cells {
    _Alignas(64) double cell[CELLS];
    _Alignas(64) double factor[8], term[8]; /* one register's worth, of the widest */
    uint64_t sum;                           /* of all cells, as run() left them */
    uint64_t stream;
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

/* xb-loop: multiply_add_base: 14+ mulpd .*%xmm; 14+ addpd .*%xmm; 0 \(%r */
/* xb-loop: multiply_add_avx2: 14+ vfmadd[0-9]+pd .*%ymm; 0 \(%r */
/* xb-loop: multiply_add_avx512: 14+ vfmadd[0-9]+pd .*%zmm; 0 \(%r */
#define MULTIPLY_ADD(isa, target, lanes)                                               \
    target static void multiply_add_##isa(struct cells *s, uint64_t steps)             \
    {                                                                                  \
        typedef double vector __attribute__((vector_size(8 * (lanes)), may_alias));    \
        _Static_assert(CELLS % (CHAINS * (lanes)) == 0, "groups must fill the cells"); \
        vector factor = *(vector *)s->factor, term = *(vector *)s->term;               \
        for (int group = 0; group < CELLS / (lanes); group += CHAINS) {                \
            vector *cell = (vector *)s->cell + group;                                  \
            vector chain[CHAINS];                                                      \
            EACH_CHAIN chain[i] = cell[i];                                             \
            for (uint64_t step = 0; step < steps; step++)                              \
                EACH_CHAIN ADVANCE(chain[i], factor, term);                            \
            EACH_CHAIN cell[i] = chain[i];                                             \
        }                                                                              \
    }
XB_EACH_ISA(MULTIPLY_ADD)

static void (*const multiply_add[XB_ISAS])(struct cells *, uint64_t) = XB_OF_EACH_ISA(multiply_add);

/* What cell i starts with, drawn from the seed. */
static uint64_t first(uint64_t stream, int i)
{
    return xb_mix64(stream + (uint64_t)i) % 1024;
}

/* What every step adds to cell i: the same for all even, and for all odd cells, as the narrowest
 * registers hold two. */
static uint64_t term(uint64_t stream, int i)
{
    return 1 + xb_mix64(~stream + (uint64_t)(i % 2)) % LARGEST_TERM;
}

static void begin(void *state)
{
    struct cells *s = state;
    s->sum = 0;
    for (int i = 0; i < CELLS; i++) {
        s->cell[i] = (double)first(s->stream, i);
        s->sum += first(s->stream, i);
    }
}

static int setup(const struct xb_params *params, void *team, void **state)
{
    (void)team;
    struct cells *s = *state = aligned_alloc(_Alignof(struct cells), sizeof *s);
    if (!s)
        return xb_explain(params, -ENOMEM, "no memory for the accumulators");
    s->stream = xb_prng_of(params->seed, params->index);
    for (int i = 0; i < 8; i++) {
        s->factor[i] = 1;
        s->term[i] = (double)term(s->stream, i);
    }
    begin(s);
    return 0;
}

static int run(struct xb_run *run, void *state, uint64_t iters, struct xb_work *did)
{
    struct cells *s = state;
    multiply_add[run->params->isa](s, iters * STEPS);
    uint64_t sum = 0;
    for (int i = 0; i < CELLS; i++)
        sum += (uint64_t)s->cell[i];
    did->items += iters * STEPS * CELLS;
    did->flops += iters * STEPS * CELLS * 2;
    did->checksum += sum - s->sum;
    s->sum = sum;
    return 0;
}

/* One integer multiplication stands for all the additions of a cell. */
static int verify(const struct xb_params *params, void *team, void *state, uint64_t iters,
                  const struct xb_work *did)
{
    (void)team;
    const struct cells *s = state;
    uint64_t stream = xb_prng_of(params->seed, params->index), grown = 0;
    for (int i = 0; i < CELLS; i++) {
        uint64_t growth = iters * STEPS * term(stream, i);
        if (s->cell[i] != (double)(first(stream, i) + growth))
            return -EBADMSG;
        grown += growth;
    }
    const struct xb_work due = {
        .items = iters * STEPS * CELLS,
        .flops = iters * STEPS * CELLS * 2,
        .checksum = grown,
    };
    return memcmp(did, &due, sizeof due) != 0 ? -EBADMSG : 0;
}

static void teardown(void *state)
{
    free(state);
}

/* The least is one 512-bit multiply-add per cycle, as on Zen 4, which splits each in two. */
static const struct xb_claim claims[] = {
    { XB_RATIO_USER_SHARE, 0.7, INFINITY },
    { XB_RATIO_IPC, 1, INFINITY },
    { XB_RATIO_L1D_MPKI, -INFINITY, 1 },
    { XB_RATIO_BRANCH_MPKI, -INFINITY, 1 },
};

const struct xb_kernel xb_kernel_cpu_fma_peak = {
    .name = "cpu/fma_peak",
    .summary = "independent multiply-adds in registers, every pipe busy in every cycle",
    .source = "likwid-bench peakflops; latencies and ports from uops.info",
    .item = "multiply-add",
    .bound = XB_CLASS_CPU,
    .fit = XB_FIT_OWN,
    .own_bytes = sizeof(struct cells),
    .isas = XB_ISAS_TO_512,
    .claims = claims,
    .n_claims = sizeof claims / sizeof *claims,
    .setup = setup,
    .begin = begin,
    .run = run,
    .verify = verify,
    .teardown = teardown,
};
