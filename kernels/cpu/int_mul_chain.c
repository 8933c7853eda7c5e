/* SPDX-License-Identifier: BSD-3-Clause
 * Latency of the integer multiplier: a dependent chain of 64-bit multiplications. */
#include "../keep.h"
#include "../kernel.h"
#include "../prng.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Multiplications per iteration: counting them takes no part in the chain. */
enum { MULTIPLICATIONS = 64 };

struct chain {
    uint64_t start, factor; /* both odd */
    uint64_t x;
};

static void begin(void *state)
{
    struct chain *s = state;
    s->x = s->start;
}

/* Powers of a number that is 3 or 5 modulo 8 return to 1 after 2^62 only (Knuth, "The Art of
 * Computer Programming" volume 2, 3.2.1.2), so an odd x stays odd and does not repeat. */
static int setup(const struct xb_params *params, void *team, void **state)
{
    (void)team;
    struct chain *s = *state = calloc(1, sizeof *s);
    if (!s)
        return xb_explain(params, -ENOMEM, "no memory for the state of a multiplication chain");
    uint64_t random = xb_prng_of(params->seed, params->index);
    s->start = xb_prng_next(&random) | 1;
    s->factor = (xb_prng_next(&random) & ~UINT64_C(7)) | 5;
    begin(s);
    return 0;
}

/* xb-loop: run: 64 imul */
static int run(struct xb_run *run, void *state, uint64_t iters, struct xb_work *did)
{
    (void)run;
    struct chain *s = state;
    uint64_t x = s->x, factor = s->factor, sum = 0;
    for (uint64_t i = 0; i < iters; i++) {
#pragma GCC unroll 64
        for (int k = 0; k < MULTIPLICATIONS; k++) {
            x *= factor;
            xb_keep(x); /* or the factors would be multiplied with each other, outside the loop */
        }
        sum += x;
    }
    s->x = x;
    did->items += iters * MULTIPLICATIONS;
    did->checksum += sum;
    return 0;
}

/* Raises the factor to a power and sums the geometric series, both by squaring: x -> x * power
 * and sum -> sum + x * series are composed with themselves for each binary digit of `iters`. */
static int verify(const struct xb_params *params, void *team, void *state, uint64_t iters,
                  const struct xb_work *did)
{
    (void)team;
    const struct chain *s = state;
    uint64_t random = xb_prng_of(params->seed, params->index);
    uint64_t x = xb_prng_next(&random) | 1;
    uint64_t power = (xb_prng_next(&random) & ~UINT64_C(7)) | 5, sum = 0;
    for (int k = 1; k < MULTIPLICATIONS; k *= 2)
        power *= power;
    uint64_t series = power;
    for (uint64_t left = iters; left; left /= 2) {
        if (left % 2) {
            sum += x * series;
            x *= power;
        }
        series += series * power;
        power *= power;
    }
    const struct xb_work due = {
        .items = iters * MULTIPLICATIONS,
        .checksum = sum,
    };
    return memcmp(did, &due, sizeof due) != 0 || s->x != x ? -EBADMSG : 0;
}

static void teardown(void *state)
{
    free(state);
}

/* A multiplication takes 3 cycles on most x86-64 cores, and 3 to 5 on small ones and on aarch64: an
 * IPC of 0.2 to 0.35 (uops.info; Arm's software optimisation guides). */
static const struct xb_claim claims[] = {
    { XB_RATIO_USER_SHARE, 0.7, INFINITY },
    { XB_RATIO_IPC, 0.1, 0.5 },
    { XB_RATIO_L1D_MPKI, -INFINITY, 1 },
    { XB_RATIO_BRANCH_MPKI, -INFINITY, 1 },
};

const struct xb_kernel xb_kernel_cpu_int_mul_chain = {
    .name = "cpu/int_mul_chain",
    .summary = "dependent chain of 64-bit multiplications: the multiplier's latency",
    .source = "latencies from uops.info and Fog, \"Instruction tables\"",
    .item = "multiplication",
    .bound = XB_CLASS_CPU,
    .fit = XB_FIT_OWN,
    .own_bytes = sizeof(struct chain),
    .claims = claims,
    .n_claims = sizeof claims / sizeof *claims,
    .setup = setup,
    .begin = begin,
    .run = run,
    .verify = verify,
    .teardown = teardown,
};
