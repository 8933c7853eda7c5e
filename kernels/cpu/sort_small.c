/* SPDX-License-Identifier: BSD-3-Clause
 * Sorting of many small arrays, 16 keys each, without a branch. */
#include "../buffer.h"
#include "../keep.h"
#include "../kernel.h"
#include "../prng.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* What bounds it is the rate of instructions. With branches the figure would be that of the number
 * of arrays, as the predictor learns a few by heart: on Zen 5 std::sort takes 1.9 ns for a key of
 * 64 arrays, and 7.9 ns for one of 60000. */
enum { KEYS = 16 };

struct arrays {
    uint64_t *in, *out; /* KEYS at a time */
    size_t n_arrays;
    size_t start, next; /* arrays: this sample's first, and now */
};

/* Green's network: 60 comparisons, the fewest known for 16 keys (Knuth, "The Art of Computer
 * Programming" volume 3, 5.3.4). Those of a line may happen at once. The first steps, in which
 * either half of the keys is by itself, take one half after the other. */
/* clang-format off */
#define NETWORK(X)                                                           \
    X(0, 1) X(2, 3) X(4, 5) X(6, 7)                                          \
    X(0, 2) X(1, 3) X(4, 6) X(5, 7)                                          \
    X(0, 4) X(1, 5) X(2, 6) X(3, 7)                                          \
    X(8, 9) X(10, 11) X(12, 13) X(14, 15)                                    \
    X(8, 10) X(9, 11) X(12, 14) X(13, 15)                                    \
    X(8, 12) X(9, 13) X(10, 14) X(11, 15)                                    \
    X(0, 8) X(1, 9) X(2, 10) X(3, 11) X(4, 12) X(5, 13) X(6, 14) X(7, 15)    \
    X(5, 10) X(6, 9) X(3, 12) X(13, 14) X(4, 8) X(7, 11) X(1, 2)             \
    X(1, 4) X(7, 13) X(2, 8) X(11, 14)                                       \
    X(2, 4) X(5, 6) X(9, 10) X(11, 13) X(3, 8) X(7, 12)                      \
    X(6, 8) X(10, 12) X(3, 5) X(7, 9)                                        \
    X(3, 4) X(5, 6) X(7, 8) X(9, 10) X(11, 12)                               \
    X(6, 7) X(8, 9)
/* clang-format on */

/* Both compilers make two conditional moves of this. Keeping the results, and loading key by
 * key, took gcc 12.2 on Zen 5 from 1.37 to 1.03 ns a key, and clang 14 from 0.92 to 0.86. */
#define ORDER(i, j)                                     \
    {                                                   \
        uint64_t a = key[i], b = key[j];                \
        key[i] = a < b ? a : b, key[j] = a < b ? b : a; \
        xb_keep(key[i]);                                \
        xb_keep(key[j]);                                \
    }

/* Unrolled by order, key by key: with memcpy() gcc 12.2 copies pairs of keys to the stack first. */
#define EACH_KEY _Pragma("GCC unroll 16") for (int k = 0; k < KEYS; k++)

/* The key that goes into the checksum, of the array `next`: another one in each. */
static size_t sample_of(size_t next)
{
    return next * KEYS + next % KEYS;
}

/* Spoils a key of each array that comes next, so that verify() sees one left as it was; no more
 * than SPOILED, because in a large set each may cost a trip to memory. */
enum { SPOILED = 4096 };

static void begin(void *state)
{
    struct arrays *s = state;
    s->start = s->next;
    size_t n = s->n_arrays < SPOILED ? s->n_arrays : SPOILED;
    for (size_t i = 0; i < n; i++)
        s->out[sample_of((s->next + i) % s->n_arrays)] = 0;
}

static int setup(const struct xb_params *params, void *team, void **state)
{
    (void)team;
    struct arrays *s = *state = calloc(1, sizeof *s);
    if (!s)
        return xb_explain(params, -ENOMEM, "no memory for the state of a sort");
    const size_t array = KEYS * sizeof *s->in;
    s->n_arrays = params->bytes < 2 * array ? 1 : params->bytes / (2 * array);
    s->in = xb_buffer_take(s->n_arrays * array);
    s->out = xb_buffer_take(s->n_arrays * array);
    if (!s->in || !s->out)
        return xb_explain(params, -ENOMEM, "no memory for %zu arrays to sort", s->n_arrays);
    uint64_t random = xb_prng_of(params->seed, params->index);
    for (size_t i = 0; i < s->n_arrays * KEYS; i++)
        s->in[i] = s->out[i] = xb_prng_next(&random);
    return 0;
}

/* xb-loop: run: 100+ cmov; 60+ cmp; 1-3 j */
static int run(struct xb_run *run, void *state, uint64_t iters, struct xb_work *did)
{
    (void)run;
    struct arrays *s = state;
    size_t next = s->next;
    uint64_t sum = 0;
    for (uint64_t i = 0; i < iters; i++) {
        const uint64_t *in = s->in + next * KEYS;
        uint64_t key[KEYS], *out = s->out + next * KEYS;
        EACH_KEY key[k] = in[k];
        NETWORK(ORDER)
        EACH_KEY out[k] = key[k];
        sum += s->out[sample_of(next)];
        next = next + 1 < s->n_arrays ? next + 1 : 0;
    }
    s->next = next;
    did->items += iters * KEYS;
    did->bytes_read += iters * KEYS * sizeof *s->in;
    did->bytes_written += iters * KEYS * sizeof *s->out;
    did->checksum += sum;
    return 0;
}

/* Draws the keys again, one lap at most. Where a key belongs is how many others go before it. */
static int verify(const struct xb_params *params, void *team, void *state, uint64_t iters,
                  const struct xb_work *did)
{
    (void)team;
    const struct arrays *s = state;
    uint64_t random = xb_prng_of(params->seed, params->index), sum = 0;
    for (size_t array = 0; array < s->n_arrays; array++) {
        uint64_t key[KEYS], sorted[KEYS];
        for (int i = 0; i < KEYS; i++)
            key[i] = xb_prng_next(&random);
        for (int i = 0; i < KEYS; i++) {
            int before = 0;
            for (int j = 0; j < KEYS; j++)
                before += key[j] < key[i] || (j < i && key[j] == key[i]);
            sorted[before] = key[i];
        }
        uint64_t place = (array + s->n_arrays - s->start) % s->n_arrays;
        uint64_t times = iters / s->n_arrays + (place < iters % s->n_arrays);
        if (times && memcmp(s->out + array * KEYS, sorted, sizeof sorted) != 0)
            return -EBADMSG;
        sum += times * sorted[array % KEYS];
    }
    const struct xb_work due = {
        .items = iters * KEYS,
        .bytes_read = iters * KEYS * 8,
        .bytes_written = iters * KEYS * 8,
        .checksum = sum,
    };
    if (s->next != (s->start + iters) % s->n_arrays)
        return -EBADMSG;
    return memcmp(did, &due, sizeof due) != 0 ? -EBADMSG : 0;
}

static void teardown(void *state)
{
    struct arrays *s = state;
    if (!s)
        return;
    xb_buffer_give(s->in, s->n_arrays * KEYS * sizeof *s->in);
    xb_buffer_give(s->out, s->n_arrays * KEYS * sizeof *s->out);
    free(s);
}

/* A comparison is at least four instructions, and those of a line are independent. */
static const struct xb_claim claims[] = {
    { XB_RATIO_USER_SHARE, 0.7, INFINITY },
    { XB_RATIO_IPC, 1.5, INFINITY },
    { XB_RATIO_L1D_MPKI, -INFINITY, 5 },
    { XB_RATIO_BRANCH_MPKI, -INFINITY, 1 },
};

const struct xb_kernel xb_kernel_cpu_sort_small = {
    .name = "cpu/sort_small",
    .summary = "arrays of 16 keys through a sorting network, without a branch",
    .source = "Green's network: Knuth, \"The Art of Computer Programming\" volume 3, 5.3.4",
    .item = "key",
    .bound = XB_CLASS_CPU,
    .fit = XB_FIT_OWN,
    .own_bytes = 16 << 10,
    .needs = XB_NEED_BYTES,
    .claims = claims,
    .n_claims = sizeof claims / sizeof *claims,
    .setup = setup,
    .begin = begin,
    .run = run,
    .verify = verify,
    .teardown = teardown,
};
