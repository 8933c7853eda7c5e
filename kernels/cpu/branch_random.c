/* SPDX-License-Identifier: BSD-3-Clause
 * Branches that no predictor can learn: each depends on one random bit. */
#include "../buffer.h"
#include "../keep.h"
#include "../kernel.h"
#include "../prng.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Bits come from memory, 64 to a word, and not from a generator inside the loop: the branch would
 * wait for its multiplications, and each misprediction would cost their latency too. */
enum { BITS = 64 };

struct bits {
    uint64_t *word;
    size_t n_words;
    size_t next;
};

static void begin(void *state)
{
    struct bits *s = state;
    s->next = 0;
}

static int setup(const struct xb_params *params, void *team, void **state)
{
    (void)team;
    struct bits *s = *state = calloc(1, sizeof *s);
    if (!s)
        return xb_explain(params, -ENOMEM, "no memory for the state of random branches");
    s->n_words = params->bytes < sizeof *s->word ? 1 : params->bytes / sizeof *s->word;
    s->word = xb_buffer_take(s->n_words * sizeof *s->word);
    if (!s->word)
        return xb_explain(params, -ENOMEM, "no memory for %zu words of random bits", s->n_words);
    uint64_t random = xb_prng_of(params->seed, params->index);
    for (size_t i = 0; i < s->n_words; i++)
        s->word[i] = xb_prng_next(&random);
    return 0;
}

static int run(struct xb_run *run, void *state, uint64_t iters, struct xb_work *did)
{
    (void)run;
    struct bits *s = state;
    size_t next = s->next;
    uint64_t score = 0;
    for (uint64_t i = 0; i < iters; i++) {
        uint64_t word = s->word[next];
        /* xb-loop: run: 1+ test \$0x1,; 2+ j(e|ne) ; 1+ shr; 0 cmov */
        for (uint64_t bit = 1; bit <= BITS; bit++, word >>= 1)
            if (word & 1) {
                score += bit;
                xb_keep(score); /* a statement that may not be moved, so this stays a branch */
            }
        next = next + 1 < s->n_words ? next + 1 : 0;
    }
    s->next = next;
    did->items += iters * BITS;
    did->bytes_read += iters * sizeof *s->word;
    did->checksum += score;
    return 0;
}

/* Goes from set bit to set bit. No population count: without a CPU option it is a libgcc call. */
static uint64_t score_of(uint64_t word)
{
    uint64_t score = 0;
    for (; word; word &= word - 1)
        score += (uint64_t)__builtin_ctzll(word) + 1;
    return score;
}

/* Draws the bits again, one lap at most, instead of trusting those in memory. */
static int verify(const struct xb_params *params, void *team, void *state, uint64_t iters,
                  const struct xb_work *did)
{
    (void)team;
    const struct bits *s = state;
    uint64_t random = xb_prng_of(params->seed, params->index);
    uint64_t whole = 0, part = 0;
    for (size_t i = 0; i < s->n_words; i++) {
        if (i == iters % s->n_words)
            part = whole;
        whole += score_of(xb_prng_next(&random));
    }
    const struct xb_work due = {
        .items = iters * BITS,
        .bytes_read = iters * 8,
        .checksum = iters / s->n_words * whole + part,
    };
    return memcmp(did, &due, sizeof due) != 0 || s->next != iters % s->n_words ? -EBADMSG : 0;
}

static void teardown(void *state)
{
    struct bits *s = state;
    if (!s)
        return;
    xb_buffer_give(s->word, s->n_words * sizeof *s->word);
    free(s);
}

/* Half of the branches go wrong, with about 5 instructions to each: about 100 per 1000. */
static const struct xb_claim claims[] = {
    { XB_RATIO_USER_SHARE, 0.7, INFINITY },
    { XB_RATIO_IPC, -INFINITY, 1.5 },
    { XB_RATIO_L1D_MPKI, -INFINITY, 1 },
    { XB_RATIO_BRANCH_MPKI, 50, INFINITY },
};

/* 128 KiB are a million branches before the bits repeat. Predictors do learn short random
 * sequences by heart: thousands of branches on Zen 2 and Skylake (Lemire, "Mispredicted branches
 * can multiply your running times", 2019). */
const struct xb_kernel xb_kernel_cpu_branch_random = {
    .name = "cpu/branch_random",
    .summary = "branches on random bits, half of them mispredicted",
    .source = "Lemire, \"Mispredicted branches can multiply your running times\", 2019",
    .item = "branch",
    .bound = XB_CLASS_CPU,
    .fit = XB_FIT_OWN,
    .own_bytes = 128 << 10,
    .needs = XB_NEED_BYTES,
    .claims = claims,
    .n_claims = sizeof claims / sizeof *claims,
    .setup = setup,
    .begin = begin,
    .run = run,
    .verify = verify,
    .teardown = teardown,
};
