/* SPDX-License-Identifier: BSD-3-Clause
 * The body of the kernels that fill an array: store, copy and triad, with plain and with
 * non-temporal stores. Before it is included, a kernel file says which:
 *
 *     enum { READS = 2, NON_TEMPORAL = 0 };
 *
 * READS 0 is a[i] = value, 1 is a[i] = b[i], and 2 is a[i] = b[i] + s * c[i]. A plain store reads
 * the line first, so the bus moves more than bytes_read + bytes_written say; a non-temporal one
 * gathers a line in a buffer of the core and writes it past the caches. */
#ifndef XB_KERNELS_ARRAYS_H
#define XB_KERNELS_ARRAYS_H

#include "buffer.h"
#include "chunks.h"
#include "keep.h"
#include "kernel.h"
#include "prng.h"
#include "simd.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Registers per pass of the loop, all loaded before the first is stored: one or two lines in base
 * and avx2. Tried on one core of a Zen 5 with sets of 512 MB, with no gain that could be repeated:
 * 16 of them, 512 bits, software prefetch, rep movsb and rep stosb, base pages. Runs on that shared
 * machine differ by more than these do. Kernels that leave the caches stop at 256 bits. */
enum { GROUP = 4, BLOCK = GROUP * 8 };

/* Small integers in doubles: all results are exact. */
enum { FACTOR = 3, VALUES = 1 << 20 };

struct arrays {
    double *a, *b, *c;
    size_t n;            /* doubles in each; a multiple of BLOCK */
    size_t span;         /* bytes taken */
    size_t chunk, start; /* the next, and this sample's first */
    double factor;
    uint64_t stream;
};

/* Stores registers x and y to p and behind it. stnp is the nearest that aarch64 has, and takes two;
 * compilers agree on no spelling of either. */
#if defined(__x86_64__)
#    define STREAM(mov, p, x, y)                                     \
        do {                                                         \
            __asm__ volatile(mov " %1, %0" : "=m"((p)[0]) : "x"(x)); \
            __asm__ volatile(mov " %1, %0" : "=m"((p)[1]) : "x"(y)); \
        } while (0)
#    define ANY_REGISTER "+x"
#    define DRAIN()      __asm__ volatile("sfence" ::: "memory")
#elif defined(__aarch64__)
#    define STREAM(mov, p, x, y) \
        __asm__ volatile("stnp %q1, %q2, [%0]" ::"r"(p), "w"(x), "w"(y) : "memory")
#    define ANY_REGISTER "+w"
#    define DRAIN()      __asm__ volatile("dmb ishst" ::: "memory")
#endif
#define MOV_base   "movntpd"
#define MOV_avx2   "vmovntpd"
#define MOV_avx512 "vmovntpd"

/* What READS == 0 stores: one value in all of a chunk. */
static inline uint64_t value_of(uint64_t stream, size_t chunk)
{
    return 1 + (stream + chunk) % VALUES;
}

static inline uint64_t bits_of(uint64_t value)
{
    const double exact = (double)value;
    uint64_t bits;
    memcpy(&bits, &exact, sizeof bits);
    return bits;
}

/* Register k of a pass. Four have names, because gcc 12.2 spills an array of them to the stack. */
#define LOAD(x, k)                              \
    __extension__({                             \
        if (READS > 0)                          \
            (x) = b[k];                         \
        if (READS > 1)                          \
            (x) += factor * c[k];               \
        __asm__ volatile("" : ANY_REGISTER(x)); \
    })

/* Memory counts as read in between, or gcc 12.2 stores registers 0, 2, 1 and 3. */
#define STORE(to, x)      \
    __extension__({       \
        (to) = (x);       \
        xb_keep_memory(); \
    })

/* Fills `iters` chunks of a, the first of which is `chunk`; returns the sum of the representations
 * of what it stored, which is the same in any order. Stored elements are not loaded again, because
 * behind a non-temporal store that costs a trip to memory. The empty statement keeps compilers from
 * calling memcpy() or memset() instead, and loads and stores in rising order: see load.h. */
#define FILL(isa, target, lanes)                                                                 \
    target static uint64_t fill_##isa(const struct arrays *s, size_t chunk, uint64_t iters)      \
    {                                                                                            \
        typedef double vector __attribute__((vector_size(8 * (lanes)), may_alias));              \
        typedef uint64_t words __attribute__((vector_size(8 * (lanes))));                        \
        words sum = { 0 };                                                                       \
        uint64_t stored = 0;                                                                     \
        const double factor = s->factor, *const of_b = s->b, *const of_c = s->c;                 \
        double *const of_a = s->a;                                                               \
        size_t chunks = chunks_in(s->n);                                                         \
        for (uint64_t i = 0; i < iters; i++) {                                                   \
            size_t at = chunk * CHUNK, end = at + CHUNK < s->n ? at + CHUNK : s->n;              \
            const uint64_t value = value_of(s->stream, chunk);                                   \
            vector same = (vector){ 0 } + (double)value;                                         \
            if (READS == 0)                                                                      \
                stored += (end - at) * bits_of(value);                                           \
            for (; at < end; at += GROUP * (lanes)) {                                            \
                vector *a = (vector *)(of_a + at);                                               \
                const vector *b = (const vector *)(of_b + at), *c = (const vector *)(of_c + at); \
                vector x = same, y = same, z = same, w = same;                                   \
                LOAD(x, 0), LOAD(y, 1), LOAD(z, 2), LOAD(w, 3);                                  \
                if (NON_TEMPORAL) {                                                              \
                    STREAM(MOV_##isa, a, x, y);                                                  \
                    STREAM(MOV_##isa, a + 2, z, w);                                              \
                } else                                                                           \
                    STORE(a[0], x), STORE(a[1], y), STORE(a[2], z), STORE(a[3], w);              \
                if (READS > 0)                                                                   \
                    sum += ((words)x + (words)y) + ((words)z + (words)w);                        \
            }                                                                                    \
            chunk = chunk + 1 < chunks ? chunk + 1 : 0;                                          \
            xb_keep_memory();                                                                    \
        }                                                                                        \
        for (int lane = 0; lane < (lanes); lane++)                                               \
            stored += sum[lane];                                                                 \
        return stored;                                                                           \
    }
XB_EACH_ISA(FILL)

static uint64_t (*const fill[XB_ISAS])(const struct arrays *, size_t,
                                       uint64_t) = XB_OF_EACH_ISA(fill);

/* Spoils an element of each chunk, so that verify() sees one left out. */
static void begin(void *state)
{
    struct arrays *s = state;
    s->start = s->chunk;
    for (size_t chunk = 0; chunk < chunks_in(s->n); chunk++)
        s->a[chunk * CHUNK + chunk % BLOCK] = -1;
}

static int setup(const struct xb_params *params, void *team, void **state)
{
    (void)team;
    struct arrays *s = *state = calloc(1, sizeof *s);
    if (!s)
        return xb_explain(params, -ENOMEM, "no memory for the state of a loop over arrays");
    s->n = params->bytes / ((1 + READS) * sizeof(double)) / BLOCK * BLOCK;
    if (s->n < BLOCK)
        s->n = BLOCK;
    /* Equal elements lie a quarter of a page apart: some cores take a load for one of the bytes just
     * stored where the low 12 bits of the address agree (Intel 64 and IA-32 Architectures
     * Optimization Reference Manual, "4-KByte aliasing"). Zen 5 does not: 257 to 262 GB/s within an
     * L2 either way (medians of 12 pairs). */
    size_t apart = ((s->n * sizeof(double) + 4095) / 4096 * 4096 + 1024) / sizeof(double);
    s->span = (READS * apart + s->n) * sizeof(double);
    s->a = xb_buffer_take(s->span);
    if (!s->a)
        return xb_explain(params, -ENOMEM, "no memory for arrays of %zu doubles", s->n);
    s->b = READS > 0 ? s->a + apart : s->a;
    s->c = READS > 1 ? s->b + apart : s->a;
    s->factor = FACTOR;
    s->stream = xb_prng_of(params->seed, params->index);
    uint64_t random = s->stream;
    for (size_t i = 0; i < s->n; i++) {
        uint64_t word = xb_prng_next(&random);
        s->a[i] = -1;
        if (READS > 0)
            s->b[i] = (double)(word % VALUES);
        if (READS > 1)
            s->c[i] = (double)(word >> 32);
    }
    return 0;
}

static int run(struct xb_run *run, void *state, uint64_t iters, struct xb_work *did)
{
    struct arrays *s = state;
    did->checksum += fill[run->params->isa](s, s->chunk, iters);
    if (NON_TEMPORAL)
        DRAIN();
    uint64_t items = pass_chunks(s->n, iters, &s->chunk);
    did->items += items;
    did->bytes_read += items * READS * sizeof(double);
    did->bytes_written += items * sizeof(double);
    did->flops += READS > 1 ? items * 2 : 0;
    return 0;
}

/* Draws b and c again and works in integers; all of a[] that was written is compared. */
static int verify(const struct xb_params *params, void *team, void *state, uint64_t iters,
                  const struct xb_work *did)
{
    (void)team;
    const struct arrays *s = state;
    uint64_t stream = xb_prng_of(params->seed, params->index), random = stream;
    uint64_t visits = 0, items = 0, sum = 0;
    for (size_t i = 0; i < s->n; i++) {
        if (i % CHUNK == 0)
            visits = visits_of(i / CHUNK, s->n, iters, s->start);
        uint64_t word = xb_prng_next(&random);
        uint64_t value = READS == 0 ? value_of(stream, i / CHUNK)
                                    : word % VALUES + (READS > 1 ? FACTOR * (word >> 32) : 0);
        if (visits > 0 && s->a[i] != (double)value)
            return -EBADMSG;
        items += visits;
        sum += visits * bits_of(value);
    }
    const struct xb_work due = {
        .items = items,
        .bytes_read = items * READS * 8,
        .bytes_written = items * 8,
        .flops = READS > 1 ? items * 2 : 0,
        .checksum = sum,
    };
    return memcmp(did, &due, sizeof due) != 0 ? -EBADMSG : 0;
}

static void teardown(void *state)
{
    struct arrays *s = state;
    if (!s)
        return;
    xb_buffer_give(s->a, s->span);
    free(s);
}

#endif
