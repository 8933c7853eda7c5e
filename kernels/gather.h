/* SPDX-License-Identifier: BSD-3-Clause
 * The body of the kernels that gather: the sum of table[index[i]], the indices read in sequence.
 *
 * As in chase.h every load is of another line, in random order, but its address is known long
 * before: the core can have many of them in flight, and the latency of a chase over as many bytes
 * divided by the time of a load here is how many. The pattern is RandomAccess of the HPC Challenge
 * (Luszczek and Dongarra, 2005) without its stores, and sparse algebra's. */
#ifndef XB_KERNELS_GATHER_H
#define XB_KERNELS_GATHER_H

#include "buffer.h"
#include "keep.h"
#include "kernel.h"
#include "prng.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Loads per iteration; the number of lines is a multiple of it. */
enum { LOADS = 16, LINE = 64 / sizeof(uint64_t) };

/* One index for each line of the table, a random word of it, the lines shuffled: no line is loaded
 * twice in a lap, so that none is found in a cache because of luck. Indices of 32 bits, because the
 * stream that they are is traffic beside the subject: a sixteenth of the table. */
struct gather {
    uint64_t *table;
    uint32_t *index;
    size_t n_lines;
    uint64_t key;
    size_t table_span, index_span; /* bytes taken */
    size_t start, place;           /* in the index: of this sample's first load, and now */
};

/* Sums table[index[0..n)], n a multiple of LOADS. Scalar loads only: on Zen 5 they took 0.33 ns
 * from the L2 and 3.3 ns from DRAM; vpgatherqq of four (AVX2) 0.43 and 5.7, of eight (AVX-512) 0.45
 * and 6.6, medians of 31 and of 11 rounds. */
/* xb-loop: sum: 16+ (add|mov)q? \(%r[a-z0-9]+,%r[a-z0-9]+,8\),%r[a-z0-9]+ */
static __attribute__((noinline)) uint64_t sum(const uint64_t *table, const uint32_t *index,
                                              size_t n)
{
    uint64_t a = 0, b = 0, c = 0, d = 0;
    for (size_t i = 0; i < n; i += LOADS)
        for (size_t j = 0; j < LOADS; j += 4) {
            a += table[index[i + j]], b += table[index[i + j + 1]];
            c += table[index[i + j + 2]], d += table[index[i + j + 3]];
            /* Or gcc 12 shuffles indices and words into vectors, on the stack. */
            xb_keep(a);
            xb_keep(b);
            xb_keep(c);
            xb_keep(d);
        }
    return a + b + c + d;
}

static void begin(void *state)
{
    struct gather *s = state;
    s->start = s->place;
}

/* What the table holds at `word`: of the word alone, so that verify() needs no table. */
static inline uint64_t value_of(const struct gather *s, uint64_t word)
{
    return xb_mix64(s->key + word);
}

/* The bytes are those of table and index together. */
static int setup(const struct xb_params *params, void *team, void **state)
{
    (void)team;
    struct gather *s = *state = calloc(1, sizeof *s);
    if (!s)
        return xb_explain(params, -ENOMEM, "no memory for the state of a gather");
    size_t line_bytes = LINE * sizeof *s->table;
    s->n_lines = params->bytes / (line_bytes + sizeof *s->index) / LOADS * LOADS;
    if (s->n_lines < LOADS)
        s->n_lines = LOADS;
    if (s->n_lines > UINT32_MAX / LINE)
        return xb_explain(params, -E2BIG, "32-bit indices gather from at most 32 GiB");
    s->table_span = s->n_lines * line_bytes;
    s->index_span = s->n_lines * sizeof *s->index;
    s->table = xb_buffer_take(s->table_span);
    s->index = xb_buffer_take(s->index_span);
    if (!s->table || !s->index)
        return xb_explain(params, -ENOMEM, "no memory for %zu lines to gather", s->n_lines);

    uint64_t random = xb_prng_of(params->seed, params->index);
    s->key = xb_prng_next(&random);
    for (size_t word = 0; word < s->n_lines * LINE; word++)
        s->table[word] = value_of(s, word);
    /* Fisher and Yates, inside out, as in chase.h. */
    for (size_t i = 0; i < s->n_lines; i++) {
        uint64_t draw = xb_prng_below(&random, (i + 1) * LINE);
        size_t j = draw / LINE;
        s->index[i] = s->index[j];
        s->index[j] = (uint32_t)(i * LINE + draw % LINE);
    }
    return 0;
}

static int run(struct xb_run *run, void *state, uint64_t iters, struct xb_work *did)
{
    (void)run;
    struct gather *s = state;
    uint64_t total = 0;
    for (uint64_t left = iters; left;) {
        uint64_t to_end = (s->n_lines - s->place) / LOADS, now = left < to_end ? left : to_end;
        total += sum(s->table, s->index + s->place, now * LOADS);
        s->place = now < to_end ? s->place + now * LOADS : 0;
        left -= now;
    }
    did->items += iters * LOADS;
    did->bytes_read += iters * LOADS * (sizeof *s->table + sizeof *s->index);
    did->checksum += total;
    return 0;
}

/* Works out the values instead of loading them, and reads the table in its own order. */
static int verify(const struct xb_params *params, void *team, void *state, uint64_t iters,
                  const struct xb_work *did)
{
    (void)params, (void)team;
    const struct gather *s = state;
    uint64_t lap = s->n_lines / LOADS, laps = iters / lap, rest = iters % lap * LOADS;
    uint64_t sum_due = 0, lines = 0, lines_due = 0;
    for (size_t k = 0; k < s->n_lines; k++) {
        uint64_t visits = laps + ((k + s->n_lines - s->start) % s->n_lines < rest);
        sum_due += visits * value_of(s, s->index[k]);
        lines += xb_mix64(s->index[k] / LINE);
        lines_due += xb_mix64(k);
    }
    const struct xb_work due = {
        .items = iters * LOADS,
        .bytes_read = iters * LOADS * 12,
        .checksum = sum_due,
    };
    if (lines != lines_due || memcmp(did, &due, sizeof due) != 0)
        return -EBADMSG;
    for (size_t word = 0; word < s->n_lines * LINE; word++)
        if (s->table[word] != value_of(s, word))
            return -EBADMSG;
    return 0;
}

static void teardown(void *state)
{
    struct gather *s = state;
    if (!s)
        return;
    xb_buffer_give(s->table, s->table_span);
    xb_buffer_give(s->index, s->index_span);
    free(s);
}

#endif
