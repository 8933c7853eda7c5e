/* SPDX-License-Identifier: BSD-3-Clause
 * Memory bandwidth: a[i] = b[i] + s * c[i] over arrays far larger than any cache. */
#include "../buffer.h"
#include "../kernel.h"
#include "../prng.h"
#include "../simd.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Doubles per iteration. The last chunk of a lap may be shorter. */
enum { CHUNK = 4096, LINE = 64 / sizeof(double) };

/* Small integers in doubles: all results are exact. */
enum { FACTOR = 3, VALUES = 1 << 20 };

struct arrays {
    double *a, *b, *c;
    size_t n;            /* doubles in each; a multiple of LINE */
    size_t chunk, start; /* the next, and this sample's first */
    double factor;
};

/* Plain loads and stores: the line of a[] is read before it is written, so the bus moves a third
 * more than bytes_read + bytes_written say. Non-temporal stores would be another kernel. On Zen 4,
 * 512-bit registers gave 28 GB/s where narrower ones gave 32; unrolling, prefetching and
 * staggering the arrays gained nothing. */
/* xb-loop: triad_base: 1+ mulpd; 2+ \(%r.*,%xmm; 1+ mov[au]p[sd] %xmm[0-9]+,.*\(%r */
/* xb-loop: triad_avx2: 1+ vfmadd[0-9]+pd; 2+ \(%r.*,%ymm; 1+ vmov[au]p[sd] %ymm[0-9]+,.*\(%r */
#define TRIAD(isa, target, lanes)                                                              \
    target static void triad_##isa(const struct arrays *s, size_t first, size_t end)           \
    {                                                                                          \
        typedef double vector __attribute__((vector_size(8 * (lanes)), may_alias));            \
        double *a = s->a;                                                                      \
        const double *b = s->b, *c = s->c, factor = s->factor;                                 \
        for (size_t i = first; i < end; i += (lanes))                                          \
            *(vector *)(a + i) = *(const vector *)(b + i) + factor * *(const vector *)(c + i); \
    }
XB_EACH_ISA_TO_256(TRIAD)

static void (*const triad[XB_ISAS])(const struct arrays *, size_t,
                                    size_t) = XB_OF_EACH_ISA_TO_256(triad);

static size_t chunks_in(size_t n)
{
    return (n + CHUNK - 1) / CHUNK;
}

/* The element of a chunk that goes into the checksum; a different one in each, within LINE. */
static size_t sample_of(size_t chunk)
{
    return chunk * CHUNK + chunk % LINE;
}

/* Clears what the checksum will read, so that a chunk left out shows. */
static void begin(void *state)
{
    struct arrays *s = state;
    s->start = s->chunk;
    for (size_t chunk = 0; chunk < chunks_in(s->n); chunk++)
        s->a[sample_of(chunk)] = 0;
}

static int setup(const struct xb_params *params, void *team, void **state)
{
    (void)team;
    struct arrays *s = *state = calloc(1, sizeof *s);
    if (!s)
        return xb_explain(params, -ENOMEM, "no memory for the state of a triad");
    s->n = params->bytes / (3 * sizeof(double)) / LINE * LINE;
    if (s->n < LINE)
        s->n = LINE;
    s->a = xb_buffer_take(3 * s->n * sizeof(double));
    if (!s->a)
        return xb_explain(params, -ENOMEM, "no memory for three arrays of %zu doubles", s->n);
    s->b = s->a + s->n;
    s->c = s->b + s->n;
    s->factor = FACTOR;
    uint64_t random = xb_prng_of(params->seed, params->index);
    for (size_t i = 0; i < s->n; i++) {
        uint64_t word = xb_prng_next(&random);
        s->a[i] = 0;
        s->b[i] = (double)(word % VALUES);
        s->c[i] = (double)(word >> 32);
    }
    return 0;
}

static int run(struct xb_run *run, void *state, uint64_t iters, struct xb_work *did)
{
    struct arrays *s = state;
    size_t chunks = chunks_in(s->n);
    uint64_t done = 0, sum = 0;
    for (uint64_t i = 0; i < iters; i++) {
        size_t first = s->chunk * CHUNK;
        size_t end = first + CHUNK < s->n ? first + CHUNK : s->n;
        triad[run->params->isa](s, first, end);
        sum += (uint64_t)s->a[sample_of(s->chunk)];
        done += end - first;
        s->chunk = s->chunk + 1 < chunks ? s->chunk + 1 : 0;
    }
    did->items += done;
    did->bytes_read += done * 2 * sizeof(double);
    did->bytes_written += done * sizeof(double);
    did->flops += done * 2;
    did->checksum += sum;
    return 0;
}

/* Draws b and c again and works in integers; all of a[] that was written is compared. */
static int verify(const struct xb_params *params, void *team, void *state, uint64_t iters,
                  const struct xb_work *did)
{
    (void)team;
    const struct arrays *s = state;
    uint64_t random = xb_prng_of(params->seed, params->index);
    uint64_t chunks = chunks_in(s->n), laps = iters / chunks, rest = iters % chunks;
    uint64_t items = 0, sum = 0;
    for (size_t i = 0; i < s->n; i++) {
        uint64_t word = xb_prng_next(&random);
        uint64_t value = word % VALUES + FACTOR * (word >> 32);
        uint64_t visits = laps + ((i / CHUNK + chunks - s->start) % chunks < rest);
        items += visits;
        if (visits > 0 && s->a[i] != (double)value)
            return -EBADMSG;
        if (i == sample_of(i / CHUNK))
            sum += visits * value;
    }
    const struct xb_work due = {
        .items = items,
        .bytes_read = items * 16,
        .bytes_written = items * 8,
        .flops = items * 2,
        .checksum = sum,
    };
    return memcmp(did, &due, sizeof due) != 0 ? -EBADMSG : 0;
}

static void teardown(void *state)
{
    struct arrays *s = state;
    if (!s)
        return;
    xb_buffer_give(s->a, 3 * s->n * sizeof(double));
    free(s);
}

/* A line of each array comes with about twelve instructions; prefetchers hide most of
 * those misses from the counters, but not all. */
static const struct xb_claim claims[] = {
    { XB_RATIO_USER_SHARE, 0.7, INFINITY },
    { XB_RATIO_IPC, -INFINITY, 1.5 },
    { XB_RATIO_LLC_MPKI, 1, INFINITY },
};

const struct xb_kernel xb_kernel_memory_triad = {
    .name = "memory/triad",
    .summary = "a[i] = b[i] + s * c[i], plain stores, far larger than any cache",
    .source = "STREAM: McCalpin, \"Memory Bandwidth and Machine Balance\", 1995",
    .item = "element",
    .bound = XB_CLASS_MEMORY,
    .fit = XB_FIT_DRAM,
    .needs = XB_NEED_BYTES,
    .isas = XB_ISAS_TO_256,
    .claims = claims,
    .n_claims = sizeof claims / sizeof *claims,
    .setup = setup,
    .begin = begin,
    .run = run,
    .verify = verify,
    .teardown = teardown,
};
