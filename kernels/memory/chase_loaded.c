/* SPDX-License-Identifier: BSD-3-Clause
 * Loaded latency: worker 0 chases through DRAM while the others stream from it.
 *
 * What a load costs on an idle machine says little about a busy one: requests queue in front of
 * the memory. Only worker 0's loads are items, so the wall time per item is the latency; what the
 * others read meanwhile is the outcome. They stop when worker 0 has done what they were asked for,
 * so that the load lasts as long as the chase and no longer. With one worker it is chase_dram. */
#include "../chase.h"
#include "../keep.h"
#include "../simd.h"

#include <math.h>

/* Words that a streaming worker reads between two looks at worker 0: 0.1 us at 40 GB/s, so that it
 * stops soon after it. And the most blocks in an iteration, in which worker 0 does 16 loads: a core
 * would need 60 GB/s to get there in 8 us. The bound is what ends a run() whose worker 0 cannot
 * run, because it waits for a CPU or for its turn in a loop. */
enum { BLOCK = 512, BLOCKS_MAX = 128, LOADS = 8 };

struct loaded {
    struct chase *chase; /* worker 0 */
    /* The others: */
    uint64_t *word;      /* every block of them has the sum `due` */
    size_t n_blocks, at; /* the block to read next */
    uint64_t due, iters; /* iterations so far, to compare with worker 0's */
};

/* xb-loop: stream_avx512: 8+ v(paddq|movdq[au](64)?) .*\(%r[a-z0-9]+\),%zmm */
/* xb-loop: stream_avx2: 8+ v(paddq|movdq[au](64)?) .*\(%r[a-z0-9]+\),%ymm */
/* xb-loop: stream_base: 8+ (paddq|movdq[au]) .*\(%r[a-z0-9]+\),%xmm */
#define STREAM(isa, target, lanes)                                                    \
    target static uint64_t stream_##isa(const uint64_t *word, size_t n_words)         \
    {                                                                                 \
        typedef uint64_t vector __attribute__((vector_size(8 * (lanes)), may_alias)); \
        vector a = { 0 }, b = { 0 };                                                  \
        const vector *end = (const vector *)(word + n_words);                         \
        for (const vector *at = (const vector *)word; at < end; at += LOADS) {        \
            a += at[0], b += at[1], a += at[2], b += at[3];                           \
            a += at[4], b += at[5], a += at[6], b += at[7];                           \
        }                                                                             \
        a += b;                                                                       \
        uint64_t sum = 0;                                                             \
        for (int lane = 0; lane < (lanes); lane++)                                    \
            sum += a[lane];                                                           \
        return sum;                                                                   \
    }
XB_EACH_ISA(STREAM)

static uint64_t (*const stream[XB_ISAS])(const uint64_t *, size_t) = XB_OF_EACH_ISA(stream);

/* The iterations that worker 0 has done since its set-up, in a line that nobody else writes. */
static int team_setup(const struct xb_params *params, struct xb_memory *memory, void **team)
{
    *team = memory->take(memory, 128, 128);
    return *team ? 0 : xb_explain(params, -ENOMEM, "no team memory for the progress of a chase");
}

static uint64_t draw_due(const struct xb_params *params)
{
    uint64_t random = xb_prng_of(params->seed, params->index);
    return xb_prng_next(&random);
}

/* The last word of a block makes up for the others, so that any number of blocks can be checked. */
static int setup_stream(const struct xb_params *params, struct loaded *s)
{
    s->n_blocks = params->bytes / (BLOCK * sizeof *s->word);
    if (s->n_blocks < 1)
        s->n_blocks = 1;
    s->word = xb_buffer_take(s->n_blocks * BLOCK * sizeof *s->word);
    if (!s->word)
        return xb_explain(params, -ENOMEM, "no memory for %zu blocks to stream", s->n_blocks);
    s->due = draw_due(params);
    uint64_t random = xb_prng_of(params->seed, params->index);
    for (size_t block = 0; block < s->n_blocks; block++) {
        uint64_t *word = s->word + block * BLOCK, sum = 0;
        for (size_t i = 0; i + 1 < BLOCK; i++)
            sum += word[i] = xb_prng_next(&random);
        word[BLOCK - 1] = s->due - sum;
    }
    return 0;
}

static int setup_role(const struct xb_params *params, void *team, void **state)
{
    struct loaded *s = *state = calloc(1, sizeof *s);
    if (!s)
        return xb_explain(params, -ENOMEM, "no memory for the state of loaded latency");
    if (params->index != 0)
        return setup_stream(params, s);
    void *chase = NULL;
    int err = setup(params, team, &chase);
    s->chase = chase;
    if (!err)
        s->chase->passed = team;
    return err;
}

static void begin_role(void *state)
{
    const struct loaded *s = state;
    if (s->chase)
        begin(s->chase);
}

static int run_role(struct xb_run *run_, void *state, uint64_t iters, struct xb_work *did)
{
    struct loaded *s = state;
    if (s->chase)
        return run(run_, s->chase, iters, did);
    const _Atomic uint64_t *passed = run_->team;
    uint64_t (*sum_block)(const uint64_t *, size_t) = stream[run_->params->isa];
    uint64_t blocks = 0, sum = 0;
    for (uint64_t i = 0; i < iters; i++, s->iters++) {
        unsigned n = 0;
        do {
            sum += sum_block(s->word + s->at * BLOCK, BLOCK) - s->due;
            s->at = s->at + 1 < s->n_blocks ? s->at + 1 : 0;
        } while (++n < BLOCKS_MAX &&
                 atomic_load_explicit(passed, memory_order_relaxed) <= s->iters);
        blocks += n;
    }
    did->outcome += blocks * BLOCK * sizeof *s->word;
    did->checksum += sum + iters * s->due;
    return 0;
}

/* A streaming worker's checksum is that of one block for each iteration, however many it read: all
 * others must have cancelled. */
static int verify_role(const struct xb_params *params, void *team, void *state, uint64_t iters,
                       const struct xb_work *did)
{
    const struct loaded *s = state;
    if (s->chase)
        return verify(params, team, s->chase, iters, did);
    const uint64_t block = BLOCK * sizeof *s->word;
    const struct xb_work due = { .checksum = iters * draw_due(params), .outcome = did->outcome };
    if (did->outcome % block || did->outcome < iters * block ||
        did->outcome > iters * block * BLOCKS_MAX)
        return -EBADMSG;
    return memcmp(did, &due, sizeof due) != 0 ? -EBADMSG : 0;
}

static void teardown_role(void *state)
{
    struct loaded *s = state;
    if (!s)
        return;
    teardown(s->chase);
    xb_buffer_give(s->word, s->n_blocks * BLOCK * sizeof *s->word);
    free(s);
}

/* Of the chase; with several workers the streams' instructions come in between, and these fail. */
static const struct xb_claim claims[] = {
    { XB_RATIO_USER_SHARE, 0.7, INFINITY },
    { XB_RATIO_IPC, -INFINITY, 1 },
    { XB_RATIO_LLC_MPKI, 1, INFINITY },
};

const struct xb_kernel xb_kernel_memory_chase_loaded = {
    .name = "memory/chase_loaded",
    .summary = "pointer chase of worker 0 while the other workers stream from memory",
    .source = "Intel Memory Latency Checker, loaded latency; lmbench lat_mem_rd; multichase -c",
    .item = "load",
    .outcome = "background_bytes",
    .bound = XB_CLASS_MEMORY,
    .fit = XB_FIT_DRAM,
    .needs = XB_NEED_BYTES,
    .isas = XB_ISAS_TO_512,
    .claims = claims,
    .n_claims = sizeof claims / sizeof *claims,
    .team_setup = team_setup,
    .setup = setup_role,
    .begin = begin_role,
    .run = run_role,
    .verify = verify_role,
    .teardown = teardown_role,
};
