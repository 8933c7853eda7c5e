/* SPDX-License-Identifier: BSD-3-Clause
 * The body of every load-bandwidth kernel; a kernel file adds its descriptor.
 *
 * Random words are added up, in integers: the checksum depends on each of them, their vector
 * addition takes one cycle where that of doubles takes 2 to 4, and a load folds into it, so that a
 * loaded register costs no more than likwid-bench's bare vmovapd. */
#ifndef XB_KERNELS_LOAD_H
#define XB_KERNELS_LOAD_H

#include "buffer.h"
#include "chunks.h"
#include "keep.h"
#include "kernel.h"
#include "prng.h"
#include "simd.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* On Zen 5 with 512 bits, medians of 15 and 41 rounds: from memory, software prefetch 1 to 8 KiB
 * ahead and 2 or 4 streams beside each other made no clear difference (0.99 to 1.01), and 8 streams
 * lost 4 %. In half of an L2, 4 streams lost 13 %, and a pass of 32 loads 45 %.
 *
 * Two loads per cycle need two chains of additions; four leave room for those that come late. They
 * have names, because gcc 12.2 keeps an array of them on the stack. */
enum { LOADS = 8, BLOCK = LOADS * 8 };

struct words {
    uint64_t *word;
    size_t n_words;      /* a multiple of BLOCK */
    size_t chunk, start; /* the next, and this sample's first */
};

/* Adds, and holds the compiler to the order of the source. Left alone, gcc 12.2 adds each chain's
 * own words up first and so loads lines in the order 4, 5, 6, 7, 0, 1, 2, 3 or a stranger one: with
 * 512 bits on Zen 5 a set of 1 MB then gave 130 GB/s instead of 164, and half of the L2 137 instead
 * of 257. From memory, or with 256 bits, that order made no difference. */
#if defined(__x86_64__)
#    define ADD(sum, word) ((sum) += (word), IN_ORDER("+x", sum))
#else
#    define ADD(sum, word) ((sum) += (word), IN_ORDER("+w", sum))
#endif
#define IN_ORDER(how, sum) __extension__({ __asm__ volatile("" : how(sum)); })

/* Sums `iters` chunks, the first of which is `chunk`. The sums stay in registers from one chunk to
 * the next: gathering them after each pass would be a twentieth of an L1's time. */
#define SUM(isa, target, lanes)                                                                    \
    target static uint64_t sum_##isa(const struct words *s, size_t chunk, uint64_t iters)          \
    {                                                                                              \
        typedef uint64_t vector __attribute__((vector_size(8 * (lanes)), may_alias));              \
        vector a = { 0 }, b = { 0 }, c = { 0 }, d = { 0 };                                         \
        size_t chunks = chunks_in(s->n_words);                                                     \
        for (uint64_t i = 0; i < iters; i++) {                                                     \
            size_t first = chunk * CHUNK, left = s->n_words - first;                               \
            const vector *at = (const vector *)(s->word + first);                                  \
            const vector *end = (const vector *)(s->word + first + (left < CHUNK ? left : CHUNK)); \
            for (; at < end; at += LOADS) {                                                        \
                ADD(a, at[0]), ADD(b, at[1]), ADD(c, at[2]), ADD(d, at[3]);                        \
                ADD(a, at[4]), ADD(b, at[5]), ADD(c, at[6]), ADD(d, at[7]);                        \
            }                                                                                      \
            chunk = chunk + 1 < chunks ? chunk + 1 : 0;                                            \
            xb_keep_memory(); /* or one pass would do for all */                                   \
        }                                                                                          \
        a += b + c + d;                                                                            \
        uint64_t sum = 0;                                                                          \
        for (int lane = 0; lane < (lanes); lane++)                                                 \
            sum += a[lane];                                                                        \
        return sum;                                                                                \
    }
/* xb-loop: sum_base: 8 paddq .*\(%r.*,%xmm[0-9]+; 0 \(%rsp\) */
/* xb-loop: sum_avx2: 8 vpaddq .*\(%r.*,%ymm[0-9]+; 0 \(%rsp\) */
/* xb-loop: sum_avx512: 8 vpaddq .*\(%r.*,%zmm[0-9]+; 0 \(%rsp\) */
XB_EACH_ISA(SUM)

static uint64_t (*const sum[XB_ISAS])(const struct words *, size_t, uint64_t) = XB_OF_EACH_ISA(sum);

static void begin(void *state)
{
    struct words *s = state;
    s->start = s->chunk;
}

static int setup(const struct xb_params *params, void *team, void **state)
{
    (void)team;
    struct words *s = *state = calloc(1, sizeof *s);
    if (!s)
        return xb_explain(params, -ENOMEM, "no memory for the state of a load loop");
    s->n_words = params->bytes / sizeof *s->word / BLOCK * BLOCK;
    if (s->n_words < BLOCK)
        s->n_words = BLOCK;
    s->word = xb_buffer_take(s->n_words * sizeof *s->word);
    if (!s->word)
        return xb_explain(params, -ENOMEM, "no memory for %zu words to load", s->n_words);
    uint64_t random = xb_prng_of(params->seed, params->index);
    for (size_t i = 0; i < s->n_words; i++)
        s->word[i] = xb_prng_next(&random);
    return 0;
}

static int run(struct xb_run *run, void *state, uint64_t iters, struct xb_work *did)
{
    struct words *s = state;
    did->checksum += sum[run->params->isa](s, s->chunk, iters);
    uint64_t items = pass_chunks(s->n_words, iters, &s->chunk);
    did->items += items;
    did->bytes_read += items * sizeof *s->word;
    return 0;
}

/* Draws the words again, and multiplies each by the number of times it was due. */
static int verify(const struct xb_params *params, void *team, void *state, uint64_t iters,
                  const struct xb_work *did)
{
    (void)team;
    const struct words *s = state;
    uint64_t random = xb_prng_of(params->seed, params->index), visits = 0, items = 0, total = 0;
    for (size_t i = 0; i < s->n_words; i++) {
        uint64_t word = xb_prng_next(&random);
        if (s->word[i] != word)
            return -EBADMSG;
        if (i % CHUNK == 0)
            visits = visits_of(i / CHUNK, s->n_words, iters, s->start);
        items += visits;
        total += visits * word;
    }
    const struct xb_work due = {
        .items = items,
        .bytes_read = items * 8,
        .checksum = total,
    };
    return memcmp(did, &due, sizeof due) != 0 ? -EBADMSG : 0;
}

static void teardown(void *state)
{
    struct words *s = state;
    if (!s)
        return;
    xb_buffer_give(s->word, s->n_words * sizeof *s->word);
    free(s);
}

#endif
