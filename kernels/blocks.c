/* SPDX-License-Identifier: BSD-3-Clause
 * Keeps reads of a file's blocks in flight, and checks that the right ones came. */
#include "blocks.h"

#include "buffer.h"
#include "input.h"
#include "prng.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* One word of each is looked at: the device fills a sector as a whole or not at all, so that is
 * enough to tell that the right block came, and costs eight cache misses instead of 64 for 4 KiB. */
enum { SECTOR_BYTES = 512 };

/* What draws the blocks, one after the other. */
struct order {
    uint64_t n_blocks;
    uint64_t next; /* the next block, or the generator's state */
    bool random;
};

struct state {
    const struct xb_input *input;
    int fd; /* -1: none */
    size_t block_bytes;
    struct order order, start; /* now, and where the sample began */
    uint32_t depth;
    uint32_t kept; /* see xb_io_keep() */
    bool ran;
    char *buffers;
    uint64_t *blocks;     /* depth of them: the block that each operation reads */
    struct xb_io_op *ops; /* depth of them */
};

static uint64_t draw(struct order *order)
{
    if (order->random)
        return xb_prng_below(&order->next, order->n_blocks);
    uint64_t block = order->next;
    order->next = block + 1 < order->n_blocks ? block + 1 : 0;
    return block;
}

void xb_blocks_team_teardown(void *team)
{
    if (team)
        xb_input_close(team);
    free(team);
}

int xb_blocks_team_setup(const struct xb_params *params, struct xb_memory *memory, void **team)
{
    (void)memory;
    struct xb_input *input = malloc(sizeof *input);
    if (!input)
        return -ENOMEM;
    *team = input;
    return xb_input_open(input, params);
}

void xb_blocks_begin(void *state)
{
    struct state *s = state;
    s->start = s->order;
}

int xb_blocks_setup(const struct xb_params *params, void *team, size_t block_bytes, bool random,
                    void **state)
{
    const struct xb_input *input = team;
    struct state *s = calloc(1, sizeof *s);
    if (!s)
        return -ENOMEM;
    *state = s;
    s->input = input;
    s->fd = -1;
    s->block_bytes = block_bytes;
    s->depth = params->depth;
    s->order.n_blocks = (input->bytes + block_bytes - 1) / block_bytes;
    s->order.random = random;
    /* In sequence, workers start evenly spread, so that none reads what another just did. */
    s->order.next = random ? xb_prng_of(params->seed, params->index)
                           : s->order.n_blocks * params->index / params->workers;
    s->blocks = calloc(params->depth, sizeof *s->blocks);
    s->ops = calloc(params->depth, sizeof *s->ops);
    s->buffers = xb_buffer_take(params->depth * block_bytes);
    if (!s->blocks || !s->ops || !s->buffers)
        return -ENOMEM;
    memset(s->buffers, 0, params->depth * block_bytes);
    s->fd = xb_input_reopen_direct(input, params);
    return s->fd < 0 ? s->fd : 0;
}

static size_t size_of(const struct state *s, uint64_t block)
{
    uint64_t left = s->input->bytes - block * s->block_bytes;
    return left < s->block_bytes ? (size_t)left : s->block_bytes;
}

/* What one block adds to the checksum; a sum, as blocks come in in any order. */
static uint64_t fingerprint(uint64_t block, const char *bytes, size_t n)
{
    uint64_t sum = block;
    for (size_t at = 0; at + sizeof(uint64_t) <= n; at += SECTOR_BYTES) {
        uint64_t word;
        memcpy(&word, bytes + at, sizeof word);
        sum += word;
    }
    return xb_mix64(sum);
}

static void start_next(struct state *s, uint32_t slot)
{
    uint64_t block = s->blocks[slot] = draw(&s->order);
    /* The last block of the file too: a length has to be a multiple of the device's sector. */
    s->ops[slot] = (struct xb_io_op){
        .kind = XB_IO_READ,
        .marks = XB_IO_BEGINS | XB_IO_ENDS,
        .fd = s->fd,
        .kept = s->kept,
        .buf = s->buffers + slot * s->block_bytes,
        .len = s->block_bytes,
        .offset = (int64_t)(block * s->block_bytes),
    };
}

static int take(const struct xb_params *params, const struct state *s, uint32_t slot,
                struct xb_work *did)
{
    int64_t n = s->ops[slot].result;
    size_t size = size_of(s, s->blocks[slot]);
    if (n < 0)
        return xb_explain(params, (int)n, "%.60s: read past the page cache: %s", s->input->name,
                          strerror((int)-n));
    if ((size_t)n != size)
        return xb_explain(params, -EIO,
                          "%.60s: a read brought %lld of %zu bytes; was it cut short?",
                          s->input->name, (long long)n, size);
    did->items++;
    did->bytes_read += size;
    did->checksum += fingerprint(s->blocks[slot], s->ops[slot].buf, size);
    return 0;
}

int xb_blocks_run(struct xb_run *run, void *state, uint64_t iters, struct xb_work *did)
{
    struct state *s = state;
    uint32_t depth = s->depth < iters ? s->depth : (uint32_t)iters;
    uint64_t to_start = iters - depth;
    if (!s->ran)
        s->kept = xb_io_keep(run->io, s->buffers, s->depth * s->block_bytes);
    s->ran = true;
    for (uint32_t i = 0; i < depth; i++)
        start_next(s, i);

    /* Those that have no more to do stay in the array, done, since those in flight may not move;
     * await() counts them again each time. */
    uint32_t idle = 0;
    int failed = 0;
    while (idle < depth) {
        int err = run->io->await(run->io, s->ops, depth, (size_t)idle + 1);
        if (err)
            return err;
        idle = 0;
        for (uint32_t i = 0; i < depth; i++) {
            if (s->ops[i].state != XB_IO_DONE)
                continue;
            if (s->blocks[i] == UINT64_MAX) {
                idle++;
                continue;
            }
            /* After a failure the rest is only waited for: it still writes to our buffers. */
            if (!failed)
                failed = take(run->params, s, i, did);
            if (!failed && to_start) {
                to_start--;
                start_next(s, i);
            } else {
                s->blocks[i] = UINT64_MAX;
                idle++;
            }
        }
    }
    return failed;
}

/* The same blocks by plain calls through the page cache, one at a time. Not mmap(): a file cut short
 * would kill us. */
int xb_blocks_verify(const struct xb_params *params, void *team, void *state, uint64_t iters,
                     const struct xb_work *did)
{
    const struct state *s = state;
    const struct xb_input *input = team;
    struct order order = s->start;
    struct xb_work due = { .items = iters };
    char *buf = malloc(s->block_bytes);
    if (!buf)
        return -ENOMEM;
    int err = 0;
    for (uint64_t i = 0; i < iters && !err; i++) {
        uint64_t block = draw(&order);
        size_t size = size_of(s, block);
        if (pread(input->fd, buf, size, (off_t)(block * s->block_bytes)) != (ssize_t)size)
            err = xb_explain(params, -EIO, "%.60s: was cut short after being read", input->name);
        due.bytes_read += size;
        due.checksum += fingerprint(block, buf, size);
    }
    free(buf);
    return err ? err : memcmp(did, &due, sizeof due) != 0 ? -EBADMSG : 0;
}

void xb_blocks_teardown(void *state)
{
    struct state *s = state;
    if (!s)
        return;
    if (s->fd >= 0)
        close(s->fd);
    xb_buffer_give(s->buffers, s->depth * s->block_bytes);
    free(s->blocks);
    free(s->ops);
    free(s);
}
