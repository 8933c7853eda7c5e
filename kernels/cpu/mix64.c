/* SPDX-License-Identifier: BSD-3-Clause
 * A dependent chain of small integer calculations: shifts, exclusive ors and multiplications. */
#include "../kernel.h"
#include "../prng.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A chain of a bijection has no shortcut, so it runs in laps from `start` to `end`, and verify()
 * walks one lap at most. A lap is 1024 iterations: jumping back costs nothing then. */
enum { MIXES = 64, LAP = 1024 };

struct chain {
    uint64_t start, end;
    uint64_t x;
    uint64_t done; /* iterations of this lap, below LAP */
};

/* The inverse of xb_mix64(): a right shift by s >= 22 is undone by itself and its double, a
 * multiplication by the multiplier's inverse modulo 2^64. */
static uint64_t unmix(uint64_t x)
{
    x = (x ^ (x >> 31) ^ (x >> 62)) * UINT64_C(0x319642b2d24d8ec3);
    x = (x ^ (x >> 27) ^ (x >> 54)) * UINT64_C(0x96de1b173f119089);
    return x ^ (x >> 30) ^ (x >> 60);
}

static void begin(void *state)
{
    struct chain *s = state;
    s->x = s->start;
    s->done = 0;
}

/* Draws the end of the lap and finds the start by walking back, so that run() has to arrive. */
static int setup(const struct xb_params *params, void *team, void **state)
{
    (void)team;
    struct chain *s = *state = calloc(1, sizeof *s);
    if (!s)
        return xb_explain(params, -ENOMEM, "no memory for the state of a mixing chain");
    s->start = s->end = xb_prng_of(params->seed, params->index);
    for (int i = 0; i < LAP * MIXES; i++)
        s->start = unmix(s->start);
    begin(s);
    return 0;
}

static int run(struct xb_run *run, void *state, uint64_t iters, struct xb_work *did)
{
    (void)run;
    struct chain *s = state;
    uint64_t x = s->x, done = s->done, sum = 0;
    /* xb-loop: run: 2+ imul %r; 3+ shr; 3+ xor; 0 \(%r */
    for (uint64_t i = 0; i < iters; i++) {
        for (int mix = 0; mix < MIXES; mix++)
            x = xb_mix64(x);
        sum += x;
        if (++done == LAP) {
            done = 0;
            x = s->start;
        }
    }
    s->x = x;
    s->done = done;
    did->items += iters * MIXES;
    did->checksum += sum;
    return 0;
}

/* Walks one lap backwards with the inverse function, from an end that run() never saw. */
static int verify(const struct xb_params *params, void *team, void *state, uint64_t iters,
                  const struct xb_work *did)
{
    (void)team;
    const struct chain *s = state;
    uint64_t x = xb_prng_of(params->seed, params->index);
    uint64_t whole = 0, part = 0, stop = 0;
    for (uint64_t i = LAP; i > 0; i--) {
        whole += x;
        if (i <= iters % LAP)
            part += x;
        if (i == iters % LAP)
            stop = x;
        for (int mix = 0; mix < MIXES; mix++)
            x = unmix(x);
    }
    if (iters % LAP == 0)
        stop = x;
    const struct xb_work due = {
        .items = iters * MIXES,
        .checksum = iters / LAP * whole + part,
    };
    return memcmp(did, &due, sizeof due) != 0 || s->x != stop ? -EBADMSG : 0;
}

static void teardown(void *state)
{
    free(state);
}

/* A mix is 11 instructions and a chain of 12 to 14 cycles on every core since Haswell and Zen. */
static const struct xb_claim claims[] = {
    { XB_RATIO_USER_SHARE, 0.7, INFINITY },
    { XB_RATIO_IPC, 0.5, 1.5 },
    { XB_RATIO_L1D_MPKI, -INFINITY, 1 },
    { XB_RATIO_BRANCH_MPKI, -INFINITY, 1 },
};

const struct xb_kernel xb_kernel_cpu_mix64 = {
    .name = "cpu/mix64",
    .summary = "dependent chain of 64-bit integer mixing, in registers",
    .source = "splitmix64 finaliser: Steele, Lea, Flood, OOPSLA 2014",
    .item = "mix",
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
