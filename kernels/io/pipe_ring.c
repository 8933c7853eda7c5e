/* SPDX-License-Identifier: BSD-3-Clause
 * Workers in a ring of pipes pass one token: the price of waking the next one. */
#include "../kernel.h"
#include "../peer.h"
#include "../stream.h"
#include "../token.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

/* What surely fits into an empty pipe: pipe(7), PIPE_BUF. */
#define PIECE_BYTES 4096

struct ends {
    int read, write;
};

struct team {
    uint32_t workers;
    struct ends pipe[]; /* pipe[i] leads to worker i */
};

struct state {
    bool starts;          /* worker 0: sends first, receives last */
    uint64_t first;       /* the token's value at the start of a sample */
    struct affine change; /* what this worker does to the token */
    int from, to;
    size_t words, piece_bytes;
    uint64_t seen;    /* sum of the tokens that came in */
    uint64_t token[]; /* worker 0 holds the token between iterations; others hold a stale copy */
};

static int team_setup(const struct xb_params *params, struct xb_memory *memory, void **team)
{
    (void)memory;
    struct team *ring = malloc(sizeof *ring + params->workers * sizeof ring->pipe[0]);
    if (!ring)
        return -ENOMEM;
    *team = ring;
    for (ring->workers = 0; ring->workers < params->workers; ring->workers++) {
        int ends[2];
        if (pipe2(ends, O_CLOEXEC)) {
            int code = errno;
            return xb_explain(params, -code, "pipe2: %s%s", strerror(code), xb_peer_remedy(code));
        }
        ring->pipe[ring->workers] = (struct ends){ ends[0], ends[1] };
    }
    return 0;
}

static void team_teardown(void *team)
{
    struct team *ring = team;
    if (!ring)
        return;
    for (uint32_t i = 0; i < ring->workers; i++) {
        close(ring->pipe[i].read);
        close(ring->pipe[i].write);
    }
    free(ring);
}

static void begin(void *state)
{
    /* Worker 0 ends every iteration with the token in hand, and the pipes are empty then. So a
     * sample starts alike for all as soon as the value is the first one again. */
    struct state *s = state;
    s->token[0] = s->first;
    s->token[s->words - 1] = s->first;
}

static int setup(const struct xb_params *params, void *team, void **state)
{
    const struct team *ring = team;
    size_t words = params->bytes / 8 + (params->bytes % 8 != 0);
    struct state *s = calloc(1, sizeof *s + words * sizeof s->token[0]);
    if (!s)
        return -ENOMEM;
    *state = s;
    s->starts = params->index == 0;
    s->first = token_first(params);
    s->change = affine_of(params->seed, params->index);
    s->from = ring->pipe[params->index].read;
    s->to = ring->pipe[(params->index + 1) % params->workers].write;
    s->words = words;
    /* Alone, a worker must take out of the pipe what it put in before the pipe is full. With a
     * neighbour the neighbour does that: whoever lacks the token is reading. */
    size_t token_bytes = s->words * 8;
    s->piece_bytes = params->workers > 1 || token_bytes < PIECE_BYTES ? token_bytes : PIECE_BYTES;
    xb_fill_bytes(s->token, s->words * 8, params->seed);
    begin(s);
    return 0;
}

/* Looks at the token that came in and makes it the one to pass on. The sum takes the last word
 * and the change the first one: they agree only if the token came in whole and in order. */
static uint64_t change(struct state *s)
{
    uint64_t seen = s->token[s->words - 1];
    uint64_t next = apply(s->change, s->token[0]);
    s->token[0] = next;
    s->token[s->words - 1] = next;
    return seen;
}

/* Worker 0 sends first and receives last, all others receive first: so no worker ever waits for
 * room in a pipe for long, and each iteration leaves the pipes empty. */
static int send_round(struct xb_io *io, struct state *s, struct xb_io_op *op)
{
    char *at = (char *)s->token;
    size_t left = s->words * 8;
    unsigned begins = XB_IO_BEGINS;
    while (left) {
        size_t piece = left < s->piece_bytes ? left : s->piece_bytes;
        op->fd = s->to;
        int err = xb_stream_move(io, op, XB_IO_WRITE, at, piece, begins);
        if (err)
            return err;
        op->fd = s->from;
        err = xb_stream_move(io, op, XB_IO_READ, at, piece, piece == left ? XB_IO_ENDS : 0);
        if (err)
            return err;
        begins = 0;
        at += piece;
        left -= piece;
    }
    s->seen += change(s);
    return 0;
}

static int receive_and_pass(struct xb_io *io, struct state *s, struct xb_io_op *op)
{
    op->fd = s->from;
    int err = xb_stream_move(io, op, XB_IO_READ, s->token, s->words * 8, XB_IO_BEGINS);
    if (err)
        return err;
    s->seen += change(s);
    op->fd = s->to;
    return xb_stream_move(io, op, XB_IO_WRITE, s->token, s->words * 8, XB_IO_ENDS);
}

static int run(struct xb_run *run, void *state, uint64_t iters, struct xb_work *did)
{
    struct state *s = state;
    struct xb_io_op op = { .offset = XB_IO_STREAM };
    struct xb_io *io = run->io;
    uint64_t done = 0;
    int err = 0;
    s->seen = 0;
    if (s->starts) {
        for (; done < iters && !err; done += !err)
            err = send_round(io, s, &op);
    } else {
        for (; done < iters && !err; done += !err)
            err = receive_and_pass(io, s, &op);
    }
    did->checksum += s->seen;
    did->items += done;
    did->bytes_read += done * s->words * 8;
    did->bytes_written += done * s->words * 8;
    if (err)
        return xb_explain(run->params, err, "ring of pipes: %s: %s",
                          op.kind == XB_IO_READ ? "read" : "write", strerror(-err));
    return 0;
}

static int verify(const struct xb_params *params, void *team, void *state, uint64_t iters,
                  const struct xb_work *did)
{
    (void)team;
    (void)state;
    uint64_t bytes = iters * ((params->bytes + 7) / 8 * 8);
    bool same = did->items == iters && did->bytes_read == bytes && did->bytes_written == bytes &&
                did->flops == 0 && did->checksum == token_seen(params, iters) && did->outcome == 0;
    return same ? 0 : -EBADMSG;
}

static void teardown(void *state)
{
    free(state);
}

/* The value is copied and multiplied once per hop; the rest is system calls and waiting. */
static const struct xb_claim claims[] = {
    { .ratio = XB_RATIO_USER_SHARE, .at_least = 0, .at_most = 0.6 },
};

/* Loops that poll pipes wait for each other: see kernels/pass_pipe.h. */
static enum xb_class bound_of(const struct xb_crowd *crowd)
{
    return crowd->coroutines && crowd->lanes > 1 ? XB_CLASS_SYNC : XB_CLASS_IO;
}

const struct xb_kernel xb_kernel_io_pipe_ring = {
    .name = "io/pipe_ring",
    .summary = "workers pass one token around a ring of pipes",
    .source = "lmbench lat_ctx (McVoy, Staelin, USENIX 1996)",
    .item = "hop",
    .bound = XB_CLASS_IO,
    .bound_of = bound_of,
    .fit = XB_FIT_OWN,
    .own_bytes = 8,
    .needs = XB_NEED_BYTES,
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
