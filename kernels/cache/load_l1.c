/* SPDX-License-Identifier: BSD-3-Clause
 * Load bandwidth of the L1 data cache: sums half of it, over and over. */
#include "../buffer.h"
#include "../keep.h"
#include "../kernel.h"
#include "../prng.h"
#include "../simd.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Integers, because their vector addition takes one cycle where that of doubles takes 3 or 4: two
 * loads per cycle then need two chains, not eight, and each load folds into its addition. There
 * are four, with names: gcc 12.2 keeps an array of them on the stack and reloads it every pass. */
enum { LOADS = 8, BLOCK = LOADS * 8 };

struct words {
    uint64_t *word;
    size_t n_words; /* a multiple of BLOCK */
};

/* xb-loop: sum_base: 8+ paddq .*\(%r.*,%xmm; 0 \(%rsp\) */
/* xb-loop: sum_avx2: 8+ vpaddq .*\(%r.*,%ymm; 0 \(%rsp\) */
/* xb-loop: sum_avx512: 8+ vpaddq .*\(%r.*,%zmm; 0 \(%rsp\) */
#define SUM(isa, target, lanes)                                                             \
    target static uint64_t sum_##isa(const uint64_t *word, size_t n_words, uint64_t passes) \
    {                                                                                       \
        typedef uint64_t vector __attribute__((vector_size(8 * (lanes)), may_alias));       \
        vector a = { 0 }, b = { 0 }, c = { 0 }, d = { 0 };                                  \
        const vector *end = (const vector *)(word + n_words);                               \
        for (uint64_t pass = 0; pass < passes; pass++) {                                    \
            for (const vector *at = (const vector *)word; at < end; at += LOADS) {          \
                a += at[0], b += at[1], c += at[2], d += at[3];                             \
                a += at[4], b += at[5], c += at[6], d += at[7];                             \
            }                                                                               \
            xb_keep_memory(); /* or one pass would do for all */                            \
        }                                                                                   \
        a += b + c + d;                                                                     \
        uint64_t sum = 0;                                                                   \
        for (int lane = 0; lane < (lanes); lane++)                                          \
            sum += a[lane];                                                                 \
        return sum;                                                                         \
    }
XB_EACH_ISA(SUM)

static uint64_t (*const sum[XB_ISAS])(const uint64_t *, size_t, uint64_t) = XB_OF_EACH_ISA(sum);

static int setup(const struct xb_params *params, void *team, void **state)
{
    (void)team;
    struct words *s = *state = calloc(1, sizeof *s);
    if (!s)
        return xb_explain(params, -ENOMEM, "no memory for the state of L1 loads");
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
    const struct words *s = state;
    did->checksum += sum[run->params->isa](s->word, s->n_words, iters);
    did->items += iters * s->n_words;
    did->bytes_read += iters * s->n_words * sizeof *s->word;
    return 0;
}

/* Draws the numbers again, adds them up once and multiplies. */
static int verify(const struct xb_params *params, void *team, void *state, uint64_t iters,
                  const struct xb_work *did)
{
    (void)team;
    const struct words *s = state;
    uint64_t random = xb_prng_of(params->seed, params->index), once = 0;
    for (size_t i = 0; i < s->n_words; i++) {
        uint64_t word = xb_prng_next(&random);
        if (s->word[i] != word)
            return -EBADMSG;
        once += word;
    }
    const struct xb_work due = {
        .items = iters * s->n_words,
        .bytes_read = iters * s->n_words * 8,
        .checksum = iters * once,
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

/* At least one load per cycle, as with 512-bit registers on Zen 4; two elsewhere. */
static const struct xb_claim claims[] = {
    { XB_RATIO_USER_SHARE, 0.7, INFINITY },
    { XB_RATIO_IPC, 1, INFINITY },
    { XB_RATIO_L1D_MPKI, -INFINITY, 5 },
    { XB_RATIO_BRANCH_MPKI, -INFINITY, 5 },
};

const struct xb_kernel xb_kernel_cache_load_l1 = {
    .name = "cache/load_l1",
    .summary = "sum of half of the L1 data cache at full load bandwidth",
    .source = "likwid-bench load; McCalpin's STREAM without the stores",
    .item = "word",
    .bound = XB_CLASS_CACHE,
    .fit = XB_FIT_L1,
    .needs = XB_NEED_BYTES | XB_SHOWS_BANDWIDTH,
    .isas = XB_ISAS_TO_512,
    .claims = claims,
    .n_claims = sizeof claims / sizeof *claims,
    .setup = setup,
    .run = run,
    .verify = verify,
    .teardown = teardown,
};
