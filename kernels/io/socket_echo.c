/* SPDX-License-Identifier: BSD-3-Clause
 * Sends a message to an echo server over loopback TCP and receives it back. */
#include "../kernel.h"
#include "../peer.h"
#include "../stream.h"

#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

/* Never more than this is on its way. Were a long message sent whole, client and server could
 * both wait in send() for the other to receive. 16 KiB is what a socket takes even where buffers
 * are at their smallest default (tcp(7), tcp_wmem). */
#define OUTSTANDING_BYTES 16384

struct state {
    size_t bytes; /* of the message */
    int fd;       /* -1: none */
    uint8_t stamp;
    unsigned char *message, *echo;
};

/* The whole echo service: what came in goes out. */
static void answer(const void *context, struct xb_peer_talk *talk)
{
    (void)context;
    talk->out = talk->in;
    talk->n_out = talk->n_in;
    talk->used = talk->n_in;
}

static int team_setup(const struct xb_params *params, struct xb_memory *memory, void **team)
{
    (void)memory;
    struct xb_peer *peer = malloc(sizeof *peer);
    if (!peer)
        return -ENOMEM;
    *team = peer;
    return xb_peer_start(peer, params, answer, NULL);
}

static void team_teardown(void *team)
{
    if (team)
        xb_peer_stop(team);
    free(team);
}

static void begin(void *state)
{
    struct state *s = state;
    s->stamp = 0;
}

static int setup(const struct xb_params *params, void *team, void **state)
{
    const struct xb_peer *peer = team;
    struct state *s = calloc(1, sizeof *s);
    if (!s)
        return -ENOMEM;
    *state = s;
    s->bytes = params->bytes;
    s->fd = -1;
    s->message = malloc(params->bytes);
    s->echo = calloc(1, params->bytes);
    if (!s->message || !s->echo)
        return -ENOMEM;
    xb_fill_bytes(s->message, params->bytes, xb_prng_of(params->seed, params->index));
    s->fd = xb_peer_connect((const struct sockaddr *)&peer->address, sizeof peer->address, 0);
    if (s->fd < 0)
        return xb_explain(params, s->fd, "echo server: connect: %s%s", strerror(-s->fd),
                          xb_peer_remedy(-s->fd));
    return 0;
}

static int round_trip(struct xb_io *io, const struct state *s, struct xb_io_op *op)
{
    unsigned begins = XB_IO_BEGINS;
    size_t left = s->bytes;
    for (size_t at = 0; left;) {
        size_t piece = left < OUTSTANDING_BYTES ? left : OUTSTANDING_BYTES;
        int err = xb_stream_move(io, op, XB_IO_SEND, s->message + at, piece, begins);
        if (err)
            return err;
        begins = 0;
        unsigned ends = piece == left ? XB_IO_ENDS : 0;
        err = xb_stream_move(io, op, XB_IO_RECV, s->echo + at, piece, ends);
        if (err)
            return err;
        at += piece;
        left -= piece;
    }
    return 0;
}

static int run(struct xb_run *run, void *state, uint64_t iters, struct xb_work *did)
{
    struct state *s = state;
    struct xb_io_op op = { .fd = s->fd, .offset = XB_IO_STREAM };
    for (uint64_t k = 0; k < iters; k++) {
        /* Makes each message another one, so that an echo left over from before cannot pass. */
        s->message[0] = s->stamp++;
        int err = round_trip(run->io, s, &op);
        if (err)
            return xb_explain(run->params, err, "echo server: %s: %s",
                              op.kind == XB_IO_SEND ? "send" : "recv", strerror(-err));
        did->checksum += xb_sum_words(s->echo, s->bytes);
        did->items++;
        did->bytes_read += s->bytes;
        did->bytes_written += s->bytes;
    }
    return 0;
}

/* Straight from the generator, byte by byte: no message, no socket, no echo. */
static int verify(const struct xb_params *params, void *team, void *state, uint64_t iters,
                  const struct xb_work *did)
{
    (void)team;
    (void)state;
    uint64_t stream = xb_prng_of(params->seed, params->index);
    uint64_t word = 0;
    uint64_t constant = 0; /* what all but the stamp add to each sum */
    for (size_t i = 0; i < params->bytes; i++) {
        if (i % 8 == 0)
            word = xb_prng_next(&stream);
        if (i)
            constant += word & (UINT64_C(255) << (i % 8 * 8));
    }
    uint64_t rest = iters % 256;
    uint64_t stamps = iters / 256 * (255 * 256 / 2) + rest * (rest - (rest > 0)) / 2;
    uint64_t bytes = iters * params->bytes;
    bool same = did->items == iters && did->bytes_read == bytes && did->bytes_written == bytes &&
                did->flops == 0 && did->checksum == iters * constant + stamps && did->outcome == 0;
    return same ? 0 : -EBADMSG;
}

static void teardown(void *state)
{
    struct state *s = state;
    if (!s)
        return;
    if (s->fd >= 0)
        close(s->fd);
    free(s->message);
    free(s->echo);
    free(s);
}

static const struct xb_claim claims[] = {
    { .ratio = XB_RATIO_USER_SHARE, .at_least = 0, .at_most = 0.6 },
};

const struct xb_kernel xb_kernel_io_socket_echo = {
    .name = "io/socket_echo",
    .summary = "round trips of a message to an echo server process over loopback TCP",
    .source = "netperf TCP_RR",
    .item = "round trip",
    .bound = XB_CLASS_IO,
    .fit = XB_FIT_OWN,
    .own_bytes = 64,
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
