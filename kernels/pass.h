/* SPDX-License-Identifier: BSD-3-Clause
 * Two workers send one message to and fro, but for what carries it: the including file defines
 * open_channels(), connect(), send_part(), receive_part() and close_channels() for that.
 *
 * Of each pair the one with the even index asks and the other one answers. Whoever has no partner
 * passes to himself. A message is written in full before it is sent and read in full after it came
 * in, whatever carries it: so that to hand over memory itself (sync/share_megabyte) can be compared
 * with having it copied. */
#ifndef XB_KERNELS_PASS_H
#define XB_KERNELS_PASS_H

#include "kernel.h"
#include "prng.h"
#include "stream.h"
#include "sync.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* What distinguishes the words of a message. */
#define WORD_STEP UINT64_C(0x9e3779b97f4a7c15)

struct passer {
    bool asks, alone;
    uint32_t index, partner;
    uint64_t first, value; /* the message's number: the next one to send, or the last one seen */
    uint64_t step;         /* from the number that came in to the one sent then */
    size_t words;
    uint64_t *out, *in; /* the message; where a copy comes in: `out` itself, but for one alone */
    void *own;          /* what teardown() is to free of them */
    void *to, *from;    /* channels, or */
    int to_fd, from_fd; /* file descriptors */
    struct xb_io_op op;
};

/* Of what fits into a channel that nobody empties meanwhile, as it must be for one alone, who has
 * to take out what he put in before he can go on. */
static size_t alone_most(size_t message_bytes);
static int open_channels(const struct xb_params *params, struct xb_memory *memory, void **team);
/* Sets to and from, and the memory of the message if it is not to be the worker's own. */
static void connect_ends(void *team, struct passer *s);
/* `bytes` of the message from byte `at` on. 0 or -errno. */
static int send_part(struct xb_io *io, struct passer *s, size_t at, size_t bytes, unsigned marks);
static int receive_part(struct xb_io *io, struct passer *s, size_t at, size_t bytes,
                        unsigned marks);

static uint32_t partner_of(const struct xb_params *params, uint32_t index)
{
    uint32_t partner = index ^ 1;
    return partner < params->workers ? partner : index;
}

static size_t words_of(const struct xb_params *params)
{
    return params->bytes / 8 + (params->bytes % 8 != 0);
}

/* Memory that threads and processes born later see alike; the harness's own is too small for
 * megabytes of each worker. NULL when out of memory. */
static inline void *take_shared(size_t bytes)
{
    void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return at == MAP_FAILED ? NULL : at;
}

static uint64_t step_of(const struct xb_params *params, uint32_t index)
{
    return xb_prng_of(params->seed, index) | 1;
}

static uint64_t first_of(const struct xb_params *params, uint32_t asker)
{
    return xb_mix64(params->seed + asker);
}

static void begin(void *state)
{
    struct passer *s = state;
    s->value = s->first;
}

static int setup(const struct xb_params *params, void *team, void **state)
{
    struct passer *s = calloc(1, sizeof *s);
    if (!s)
        return -ENOMEM;
    *state = s;
    s->index = params->index;
    s->partner = partner_of(params, s->index);
    s->asks = s->index % 2 == 0;
    s->alone = s->partner == s->index;
    s->first = first_of(params, s->index);
    s->step = step_of(params, s->index);
    s->words = words_of(params);
    connect_ends(team, s);
    if (!s->out) {
        /* One alone could not tell a message that came in from the one he sent. */
        size_t copies = s->alone ? 2 : 1, bytes = copies * s->words * 8;
        s->out = s->own = aligned_alloc(64, (bytes + 63) / 64 * 64);
        if (!s->own)
            return -ENOMEM;
        memset(s->out, 0, bytes); /* so that no page is missing in the first sample */
        s->in = s->out + (copies - 1) * s->words;
    }
    begin(s);
    return 0;
}

static void teardown(void *state)
{
    struct passer *s = state;
    if (!s)
        return;
    free(s->own);
    free(s);
}

static void write_message(struct passer *s)
{
    for (size_t i = 0; i < s->words; i++)
        s->out[i] = s->value + i * WORD_STEP;
}

/* Its sum, by which a word that did not arrive shows; and what the next number is. */
static uint64_t read_message(struct passer *s)
{
    s->value = s->in[0] + s->step;
    return xb_sum_words(s->in, s->words * 8);
}

static int ask(struct xb_io *io, struct passer *s, uint64_t *sum)
{
    size_t bytes = s->words * 8, most = s->alone ? alone_most(bytes) : bytes;
    int err = 0;
    write_message(s);
    for (size_t at = 0; at < bytes && !err; at += most) {
        size_t part = bytes - at < most ? bytes - at : most;
        err = send_part(io, s, at, part, at == 0 ? XB_IO_BEGINS : 0);
        if (!err)
            err = receive_part(io, s, at, part, at + part == bytes ? XB_IO_ENDS : 0);
    }
    if (!err)
        *sum += read_message(s);
    return err;
}

static int answer(struct xb_io *io, struct passer *s, uint64_t *sum)
{
    int err = receive_part(io, s, 0, s->words * 8, 0);
    if (err)
        return err;
    *sum += read_message(s);
    write_message(s);
    return send_part(io, s, 0, s->words * 8, 0);
}

static int run(struct xb_run *run, void *state, uint64_t iters, struct xb_work *did)
{
    struct passer *s = state;
    for (uint64_t k = 0; k < iters; k++) {
        int err = s->asks ? ask(run->io, s, &did->checksum) : answer(run->io, s, &did->checksum);
        if (err)
            return xb_explain(run->params, err, "a message between workers %u and %u: %s", s->index,
                              s->partner, strerror(-err));
        did->items++;
        did->bytes_read += s->words * 8;
        did->bytes_written += s->words * 8;
    }
    return 0;
}

static uint64_t triangle(uint64_t n) /* 0 + 1 + ... + n - 1, modulo 2^64 */
{
    return n % 2 ? (n - 1) / 2 * n : n / 2 * (n - 1);
}

/* Nothing is passed: the numbers that a worker sees, and the words of each message, are arithmetic
 * progressions, and so is their sum. */
static int verify(const struct xb_params *params, void *team, void *state, uint64_t iters,
                  const struct xb_work *did)
{
    (void)team;
    (void)state;
    uint32_t index = params->index, partner = partner_of(params, index);
    uint32_t asker = index & ~UINT32_C(1);
    uint64_t words = words_of(params), lap = step_of(params, index);
    uint64_t seen = first_of(params, asker);
    if (partner != index) {
        seen += index == asker ? step_of(params, partner) : 0;
        lap += step_of(params, partner);
    }
    struct xb_work due = { .items = iters,
                           .bytes_read = iters * words * 8,
                           .bytes_written = iters * words * 8 };
    due.checksum =
        words * (iters * seen + triangle(iters) * lap) + iters * triangle(words) * WORD_STEP;
    return memcmp(did, &due, sizeof due) != 0 ? -EBADMSG : 0;
}

#endif
