/* SPDX-License-Identifier: BSD-3-Clause
 * Counts the lines of a file in blocks, as wc -l does, with several blocks in flight. */
#include "../buffer.h"
#include "../input.h"
#include "../kernel.h"
#include "../prng.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Smaller blocks pay for system calls, larger ones leave the caches of small cores. On a Zen 5 guest
 * with page-table isolation, where a call is dear, one core counted 10 GB/s in blocks of 64 KiB, 12 to
 * 14 in 128 and 14 in 256. wc takes 16 (coreutils 9.1) and makes 5.6, seven tenths of its time in the
 * kernel; count_lines() below in a loop of read() of 16 KiB makes 6.0, and of 128 KiB 14.3. */
#define BLOCK_BYTES ((size_t)131072)

struct block {
    char *buf;
    uint64_t number; /* within the file */
    size_t have;     /* bytes received so far */
    bool busy;
};

struct state {
    const struct xb_input *input;
    int fd; /* -1: none */
    uint64_t n_blocks;
    uint64_t first, next; /* blocks: where a sample starts, and what to read next */
    uint32_t depth;
    char *buffers;
    struct block *blocks; /* depth of them */
    struct xb_io_op *ops; /* the same number */
};

static void team_teardown(void *team)
{
    if (team)
        xb_input_close(team);
    free(team);
}

static int team_setup(const struct xb_params *params, struct xb_memory *memory, void **team)
{
    (void)memory;
    struct xb_input *input = malloc(sizeof *input);
    if (!input)
        return -ENOMEM;
    *team = input;
    return xb_input_open(input, params);
}

static uint64_t block_count(const struct xb_input *input)
{
    return (input->bytes + BLOCK_BYTES - 1) / BLOCK_BYTES;
}

/* Workers start evenly spread, so that they do not read the same block at the same time. */
static uint64_t first_block(const struct xb_input *input, const struct xb_params *params)
{
    return block_count(input) * params->index / params->workers;
}

static void begin(void *state)
{
    struct state *s = state;
    s->first = s->next;
}

static int setup(const struct xb_params *params, void *team, void **state)
{
    struct state *s = calloc(1, sizeof *s);
    if (!s)
        return -ENOMEM;
    *state = s;
    s->depth = params->depth;
    s->input = team;
    s->fd = -1;
    s->n_blocks = block_count(team);
    s->next = first_block(team, params);
    s->blocks = calloc(params->depth, sizeof *s->blocks);
    s->ops = calloc(params->depth, sizeof *s->ops);
    s->buffers = xb_buffer_take(params->depth * BLOCK_BYTES);
    if (!s->blocks || !s->ops || !s->buffers)
        return -ENOMEM;
    memset(s->buffers, 0, params->depth * BLOCK_BYTES);
    for (uint32_t i = 0; i < params->depth; i++)
        s->blocks[i].buf = s->buffers + i * BLOCK_BYTES;
    s->fd = xb_input_reopen(s->input, params);
    return s->fd < 0 ? s->fd : 0;
}

/* 16 one-byte counters, emptied before they can overflow. Written with vectors, as GCC 12 turns
 * the same thing in scalar loops into counters that stay in memory once it is inlined. In cache
 * this makes about 65 GB/s, a 64-bit count per byte 6 GB/s, and pread() of cached pages 14. */
typedef unsigned char lanes __attribute__((vector_size(16)));

static uint64_t count_lines(const char *text, size_t n)
{
    uint64_t lines = 0;
    size_t at = 0;
    while (n - at >= 2 * sizeof(lanes)) {
        size_t rounds = (n - at) / (2 * sizeof(lanes));
        lanes even = { 0 }, odd = { 0 };
        for (size_t r = 0; r < (rounds < 255 ? rounds : 255); r++, at += 2 * sizeof(lanes)) {
            lanes first, second;
            memcpy(&first, text + at, sizeof first);
            memcpy(&second, text + at + sizeof first, sizeof second);
            /* A comparison makes 255, which is -1, of each byte that is equal. */
            even -= (lanes)(first == '\n');
            odd -= (lanes)(second == '\n');
        }
        for (size_t i = 0; i < sizeof(lanes); i++)
            lines += (uint64_t)even[i] + odd[i];
    }
    for (; at < n; at++)
        lines += text[at] == '\n';
    return lines;
}

/* What one block adds to the checksum; a sum, as blocks come in in any order. */
static uint64_t fingerprint(uint64_t number, uint64_t lines)
{
    return xb_mix64(number * (BLOCK_BYTES + 1) + lines);
}

static size_t block_size(const struct xb_input *input, uint64_t number)
{
    uint64_t left = input->bytes - number * BLOCK_BYTES;
    return left < BLOCK_BYTES ? (size_t)left : BLOCK_BYTES;
}

/* Asks for what is missing of a block. */
static void ask(const struct state *s, uint32_t slot, unsigned marks)
{
    struct block *block = &s->blocks[slot];
    s->ops[slot] = (struct xb_io_op){
        .kind = XB_IO_READ,
        .marks = marks,
        .fd = s->fd,
        .buf = block->buf + block->have,
        .len = block_size(s->input, block->number) - block->have,
        .offset = (int64_t)(block->number * BLOCK_BYTES + block->have),
    };
}

static void start_next(struct state *s, uint32_t slot)
{
    s->blocks[slot].number = s->next;
    s->blocks[slot].have = 0;
    s->blocks[slot].busy = true;
    s->next = s->next + 1 < s->n_blocks ? s->next + 1 : 0;
    ask(s, slot, XB_IO_BEGINS | XB_IO_ENDS);
}

/* Takes what one operation brought. Returns 1 if its block is complete, 0 if the rest was asked
 * for, or -errno. */
static int take(const struct xb_params *params, struct state *s, uint32_t slot, struct xb_work *did)
{
    struct block *block = &s->blocks[slot];
    int64_t n = s->ops[slot].result;
    if (n < 0)
        return xb_explain(params, (int)n, "%.60s: read: %s", s->input->name, strerror((int)-n));
    if (n == 0)
        return xb_explain(params, -EIO, "%.60s: was cut short while being read", s->input->name);
    block->have += (size_t)n;
    if (block->have < block_size(s->input, block->number)) {
        ask(s, slot, XB_IO_ENDS);
        return 0;
    }
    uint64_t lines = count_lines(block->buf, block->have);
    did->items += lines;
    did->bytes_read += block->have;
    did->checksum += fingerprint(block->number, lines);
    return 1;
}

static int run(struct xb_run *run, void *state, uint64_t iters, struct xb_work *did)
{
    struct state *s = state;
    uint32_t depth = s->depth < iters ? s->depth : (uint32_t)iters;
    uint64_t to_start = iters - depth;
    for (uint32_t i = 0; i < depth; i++)
        start_next(s, i);

    /* A slot that has no more to do stays in the array as a done operation, since those in
     * flight may not move; await() counts it again each time. */
    uint32_t idle = 0;
    int failed = 0;
    while (idle < depth) {
        int err = run->io->await(run->io, s->ops, depth, (size_t)idle + 1);
        if (err)
            return err;
        for (uint32_t i = 0; i < depth; i++) {
            if (!s->blocks[i].busy || s->ops[i].state != XB_IO_DONE)
                continue;
            int taken = failed ? failed : take(run->params, s, i, did);
            /* After a failure the rest is only waited for: it still writes to our buffers. */
            if (taken < 0)
                failed = taken;
            if (taken > 0 && to_start) {
                to_start--;
                start_next(s, i);
            } else if (taken) {
                s->blocks[i].busy = false;
                idle++;
            }
        }
    }
    return failed;
}

/* Each block is read once, by plain calls, and memchr() finds its line ends; how often it was
 * visited follows from the count of iterations. Not mmap(): a file cut short would kill us. */
static int verify(const struct xb_params *params, void *team, void *state, uint64_t iters,
                  const struct xb_work *did)
{
    const struct state *s = state;
    const struct xb_input *input = team;
    uint64_t n_blocks = block_count(input);
    struct xb_work sum = { 0 };
    char *buf = malloc(BLOCK_BYTES);
    if (!buf)
        return -ENOMEM;
    int err = 0;
    for (uint64_t k = 0; k < n_blocks && k < iters && !err; k++) {
        uint64_t number = (s->first + k) % n_blocks;
        uint64_t visits = iters / n_blocks + (k < iters % n_blocks);
        size_t size = block_size(input, number);
        if (pread(input->fd, buf, size, (off_t)(number * BLOCK_BYTES)) != (ssize_t)size) {
            err = xb_explain(params, -EIO, "%.60s: was cut short after being read", input->name);
            break;
        }
        uint64_t lines = 0;
        for (const char *at = buf; (at = memchr(at, '\n', (size_t)(buf + size - at))); at++)
            lines++;
        sum.items += visits * lines;
        sum.bytes_read += visits * size;
        sum.checksum += visits * fingerprint(number, lines);
    }
    free(buf);
    bool same = did->items == sum.items && did->bytes_read == sum.bytes_read &&
                did->bytes_written == 0 && did->flops == 0 && did->checksum == sum.checksum &&
                did->outcome == 0;
    return err ? err : same ? 0 : -EBADMSG;
}

static void teardown(void *state)
{
    struct state *s = state;
    if (!s)
        return;
    if (s->fd >= 0)
        close(s->fd);
    xb_buffer_give(s->buffers, s->depth * BLOCK_BYTES);
    free(s->blocks);
    free(s->ops);
    free(s);
}

/* Counting runs at four times the speed of the copy out of the page cache. */
static const struct xb_claim claims[] = {
    { .ratio = XB_RATIO_USER_SHARE, .at_least = 0, .at_most = 0.6 },
};

/* The file is in the page cache, so that a block is a copy of 10 to 20 us, and no device is waited for. To hand it to
 * a thread of a pool and be told of its end takes two threads waking up, which is more than the copy where idle
 * CPUs have to be woken for it: with two blocks in flight a loop counted 48 million lines per second through libuv's pool,
 * and 176 million copying by itself. The pool's threads ran for a sixth of their time: it waits for them to be
 * woken, and not for what they read from. */
static enum xb_class bound_of(const struct xb_crowd *crowd)
{
    return crowd->pools_files ? XB_CLASS_SYNC : XB_CLASS_IO;
}

const struct xb_kernel xb_kernel_io_line_count = {
    .name = "io/line_count",
    .summary = "counts the lines of --file, or of a generated text, as wc -l does",
    .source = "GNU coreutils wc",
    .item = "line",
    .latency_of = "block of 128 KiB",
    .bound = XB_CLASS_IO,
    .bound_of = bound_of,
    .fit = XB_FIT_OWN,
    .own_bytes = (size_t)16 << 20,
    .needs = XB_NEED_BYTES | XB_NEED_FILES | XB_TAKES_FILE | XB_NEED_DEPTH,
    .claims = claims,
    .n_claims = sizeof claims / sizeof claims[0],
    .team_setup = team_setup,
    .setup = setup,
    .begin = begin,
    .run = run,
    .verify = verify,
    .teardown = teardown,
    .team_teardown = team_teardown,
};
