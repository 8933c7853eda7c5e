/* SPDX-License-Identifier: BSD-3-Clause
 * The body of every branch kernel: each branch depends on one bit of random words. A kernel file
 * adds setup(), which says whether the bits are sorted, and its descriptor.
 *
 * Random bits and the same bits sorted take equally many branches over the same instructions;
 * whatever lies between their times is the price of misprediction. */
#ifndef XB_KERNELS_BRANCH_H
#define XB_KERNELS_BRANCH_H

#include "buffer.h"
#include "keep.h"
#include "kernel.h"
#include "prng.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Bits come from memory, 64 to a word, and not from a generator inside the loop: the branch would
 * wait for its multiplications, and each misprediction would cost their latency too. */
enum { BITS = 64 };

struct bits {
    uint64_t *word;
    size_t n_words;
    size_t next;
    bool sorted;     /* all set bits come before all clear ones */
    uint64_t weight; /* of the score; seeded where the bits hardly tell one seed from another */
};

static void begin(void *state)
{
    struct bits *s = state;
    s->next = 0;
}

static uint64_t count_set(uint64_t word)
{
    uint64_t n = 0;
    for (; word; word &= word - 1)
        n++;
    return n;
}

/* What setup() does; `sorted`: the bits are drawn, counted, and put in order. */
static int draw(const struct xb_params *params, bool sorted, void **state)
{
    struct bits *s = *state = calloc(1, sizeof *s);
    if (!s)
        return xb_explain(params, -ENOMEM, "no memory for the state of a branch kernel");
    s->sorted = sorted;
    s->n_words = params->bytes < sizeof *s->word ? 1 : params->bytes / sizeof *s->word;
    s->word = xb_buffer_take(s->n_words * sizeof *s->word);
    if (!s->word)
        return xb_explain(params, -ENOMEM, "no memory for %zu words of random bits", s->n_words);
    uint64_t random = xb_prng_of(params->seed, params->index), n_set = 0;
    for (size_t i = 0; i < s->n_words; i++) {
        s->word[i] = xb_prng_next(&random);
        n_set += count_set(s->word[i]);
    }
    s->weight = sorted ? xb_prng_next(&random) : 1;
    for (size_t i = 0; sorted && i < s->n_words; i++) {
        s->word[i] = n_set < BITS ? (UINT64_C(1) << n_set) - 1 : ~UINT64_C(0);
        n_set -= n_set < BITS ? n_set : BITS;
    }
    return 0;
}

/* xb-loop: run: 1 test[a-z]? \$0x1,; 2 j; 0 cmov */
static int run(struct xb_run *run, void *state, uint64_t iters, struct xb_work *did)
{
    (void)run;
    struct bits *s = state;
    size_t next = s->next;
    uint64_t score = 0;
    for (uint64_t i = 0; i < iters; i++) {
        uint64_t word = s->word[next];
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
    did->checksum += score * s->weight;
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

/* The score of word i where all `n_set` bits that are set come first: places are added from 1 on,
 * by Gauss's formula. */
static uint64_t score_of_sorted(uint64_t n_set, size_t i)
{
    uint64_t before = (uint64_t)i * BITS;
    uint64_t here = n_set <= before ? 0 : n_set - before < BITS ? n_set - before : BITS;
    return here * (here + 1) / 2;
}

/* Draws the bits again, one lap at most, instead of trusting those in memory. */
static int verify(const struct xb_params *params, void *team, void *state, uint64_t iters,
                  const struct xb_work *did)
{
    (void)team;
    const struct bits *s = state;
    const uint64_t stream = xb_prng_of(params->seed, params->index);
    uint64_t random = stream, n_set = 0, weight = 1;
    if (s->sorted) {
        for (size_t i = 0; i < s->n_words; i++)
            n_set += count_set(xb_prng_next(&random));
        weight = xb_prng_next(&random);
    }
    random = stream;
    uint64_t whole = 0, part = 0;
    for (size_t i = 0; i < s->n_words; i++) {
        if (i == iters % s->n_words)
            part = whole;
        whole += s->sorted ? score_of_sorted(n_set, i) : score_of(xb_prng_next(&random));
    }
    const struct xb_work due = {
        .items = iters * BITS,
        .bytes_read = iters * 8,
        .checksum = (iters / s->n_words * whole + part) * weight,
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

#endif
