/* SPDX-License-Identifier: BSD-3-Clause
 * Latency of the divider: a dependent chain of double-precision divisions. */
#include "../kernel.h"
#include "../prng.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* x becomes c / x twice for each of NUMERATORS values of c, which leads back to x, but for the
 * rounding: nothing grows. x and c have all 53 bits and differ from step to step, as some dividers
 * stop early when a quotient is short (Fog, "Instruction tables"). verify() divides slowly, so the
 * chain runs in laps of LAP iterations, each from the same start. */
enum { NUMERATORS = 8, DIVISIONS = 2 * NUMERATORS, LAP = 64 };

struct chain {
    double numerator[NUMERATORS], start; /* in [1, 2) */
    double x;                            /* in (1/2, 2) */
    uint64_t done;                       /* iterations of this lap, below LAP */
};

/* The bits of a double in [1, 2) with a full mantissa: both its ends are set. */
static uint64_t draw(uint64_t *random)
{
    return UINT64_C(1023) << 52 | xb_prng_next(random) >> 12 | 1;
}

static double of_bits(uint64_t bits)
{
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static uint64_t bits_of(double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static void begin(void *state)
{
    struct chain *s = state;
    s->x = s->start;
    s->done = 0;
}

static int setup(const struct xb_params *params, void *team, void **state)
{
    (void)team;
    struct chain *s = *state = calloc(1, sizeof *s);
    if (!s)
        return xb_explain(params, -ENOMEM, "no memory for the state of a division chain");
    uint64_t random = xb_prng_of(params->seed, params->index);
    s->start = of_bits(draw(&random));
    for (int k = 0; k < NUMERATORS; k++)
        s->numerator[k] = of_bits(draw(&random));
    begin(s);
    return 0;
}

/* xb-loop: run: 16 v?divsd; 0 divp */
static int run(struct xb_run *run, void *state, uint64_t iters, struct xb_work *did)
{
    (void)run;
    struct chain *s = state;
    double x = s->x;
    uint64_t done = s->done, sum = 0;
    for (uint64_t i = 0; i < iters; i++) {
#pragma GCC unroll 8
        for (int k = 0; k < NUMERATORS; k++) {
            x = s->numerator[k] / x;
            x = s->numerator[k] / x;
        }
        sum += bits_of(x);
        done++;
        x = done == LAP ? s->start : x;
        done = done == LAP ? 0 : done;
    }
    s->x = x;
    s->done = done;
    did->items += iters * DIVISIONS;
    did->flops += iters * DIVISIONS;
    did->checksum += sum;
    return 0;
}

/* Long division in integers, a bit at a time, rounded to nearest; a tie cannot happen, since the
 * quotient of two 53-bit numbers is never a 54-bit one. Both are normal, and so is the result. */
static uint64_t divide(uint64_t above, uint64_t below)
{
    const uint64_t hidden = UINT64_C(1) << 52, fraction = hidden - 1;
    uint64_t exponent = (above >> 52) - (below >> 52) + 1023, quotient = 0;
    uint64_t rest = (above & fraction) | hidden, divisor = (below & fraction) | hidden;
    if (rest < divisor) {
        rest *= 2;
        exponent--;
    }
    for (int bit = 0; bit < 53; bit++, rest *= 2) {
        quotient = quotient * 2 + (rest >= divisor);
        rest -= rest >= divisor ? divisor : 0;
    }
    /* Twice the rest is compared with the divisor. A carry goes into the exponent, rightly. */
    return (exponent << 52) + (quotient - hidden) + (rest > divisor);
}

static int verify(const struct xb_params *params, void *team, void *state, uint64_t iters,
                  const struct xb_work *did)
{
    (void)team;
    const struct chain *s = state;
    uint64_t random = xb_prng_of(params->seed, params->index);
    uint64_t x = draw(&random), numerator[NUMERATORS], stop = x, whole = 0, part = 0;
    for (int k = 0; k < NUMERATORS; k++)
        numerator[k] = draw(&random);
    for (uint64_t i = 1; i <= LAP; i++) {
        for (int k = 0; k < DIVISIONS; k++)
            x = divide(numerator[k / 2], x);
        whole += x;
        if (i == iters % LAP) {
            part = whole;
            stop = x;
        }
    }
    const struct xb_work due = {
        .items = iters * DIVISIONS,
        .flops = iters * DIVISIONS,
        .checksum = iters / LAP * whole + part,
    };
    return memcmp(did, &due, sizeof due) != 0 || bits_of(s->x) != stop ? -EBADMSG : 0;
}

static void teardown(void *state)
{
    free(state);
}

/* A division takes 12 to 13 cycles on Zen 5, and comes with one load and little else. */
static const struct xb_claim claims[] = {
    { XB_RATIO_USER_SHARE, 0.7, INFINITY },
    { XB_RATIO_IPC, -INFINITY, 0.5 },
    { XB_RATIO_L1D_MPKI, -INFINITY, 1 },
    { XB_RATIO_BRANCH_MPKI, -INFINITY, 5 },
};

const struct xb_kernel xb_kernel_cpu_div_chain = {
    .name = "cpu/div_chain",
    .summary = "dependent chain of double-precision divisions: the divider's latency",
    .source =
        "latencies from uops.info and Fog, \"Instruction tables\"; long division: Knuth 4.3.1",
    .item = "division",
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
