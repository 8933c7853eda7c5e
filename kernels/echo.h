/* Sending a message to an echo server and receiving it back, for kernels that differ in sockets. */
#ifndef XB_KERNELS_ECHO_H
#define XB_KERNELS_ECHO_H

#include "kernel.h"
#include "peer.h"
#include "stream.h"

#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

/* Never more than this is on its way. Were a long message sent whole, client and server could
 * both wait in send() for the other to receive. 16 KiB is what a socket takes even where buffers
 * are at their smallest default (tcp(7), tcp_wmem). */
#define XB_ECHO_OUTSTANDING_BYTES 16384

struct xb_echo {
    size_t bytes; /* of the message */
    int fd;       /* -1: none */
    uint8_t stamp;
    unsigned char *message, *echo;
};

/* The whole echo service: what came in goes out. */
static inline void xb_echo_answer(const void *context, struct xb_peer_talk *talk)
{
    (void)context;
    talk->out = talk->in;
    talk->n_out = talk->n_in;
    talk->used = talk->n_in;
}

static inline int xb_echo_open(const struct xb_params *params, int family, void **team)
{
    struct xb_peer *peer = malloc(sizeof *peer);
    if (!peer)
        return -ENOMEM;
    *team = peer;
    const struct xb_peer_service service = { .family = family,
                                             .links = 1,
                                             .answer = xb_echo_answer };
    return xb_peer_start(peer, params, &service);
}

static inline void xb_echo_team_teardown(void *team)
{
    if (team)
        xb_peer_stop(team);
    free(team);
}

static inline void xb_echo_begin(void *state)
{
    struct xb_echo *s = state;
    s->stamp = 0;
}

static inline int xb_echo_setup(const struct xb_params *params, void *team, void **state)
{
    const struct xb_peer *peer = team;
    struct xb_echo *s = calloc(1, sizeof *s);
    if (!s)
        return -ENOMEM;
    *state = s;
    s->bytes = params->bytes;
    s->fd = -1;
    s->message = malloc(params->bytes);
    s->echo = calloc(1, params->bytes + 1);
    if (!s->message || !s->echo)
        return -ENOMEM;
    xb_fill_bytes(s->message, params->bytes, xb_prng_of(params->seed, params->index));
    s->fd = xb_peer_connect(&peer->address.any, peer->address_len, 0, params->index);
    return s->fd < 0 ? xb_peer_unreached(params, "echo server", s->fd) : 0;
}

/* Receives exactly `len` bytes, with room for one more: so an echo that is too long is noticed, and
 * an engine that remembers what is ready sees a short transfer, which says that nothing is left. */
static inline int xb_echo_receive(struct xb_io *io, struct xb_io_op *op, unsigned char *buf,
                                  size_t len, unsigned marks)
{
    op->kind = XB_IO_RECV;
    op->marks = marks;
    size_t have = 0;
    while (have < len) {
        op->buf = buf + have;
        op->len = len - have + 1;
        int64_t n = xb_await(io, op);
        if (n <= 0)
            return n ? (int)n : -ECONNRESET;
        have += (size_t)n;
    }
    return have == len ? 0 : -EPROTO;
}

/* `begins`: XB_IO_BEGINS, or 0 if something awaited before has begun the item. */
static inline int xb_echo_round_trip(struct xb_io *io, const struct xb_echo *s, struct xb_io_op *op,
                                     unsigned begins)
{
    size_t left = s->bytes;
    for (size_t at = 0; left;) {
        size_t piece = left < XB_ECHO_OUTSTANDING_BYTES ? left : XB_ECHO_OUTSTANDING_BYTES;
        int err = xb_stream_move(io, op, XB_IO_SEND, s->message + at, piece, begins);
        if (err)
            return err;
        begins = 0;
        unsigned ends = piece == left ? XB_IO_ENDS : 0;
        err = xb_echo_receive(io, op, s->echo + at, piece, ends);
        if (err)
            return err;
        at += piece;
        left -= piece;
    }
    return 0;
}

/* One round trip and its account. `op`: fd and offset are set. `begins`: as above. */
static inline int xb_echo_say(struct xb_run *run, struct xb_echo *s, struct xb_io_op *op,
                              unsigned begins, struct xb_work *did)
{
    /* Makes each message another one, so that an echo left over from before cannot pass. */
    s->message[0] = s->stamp++;
    int err = xb_echo_round_trip(run->io, s, op, begins);
    if (err)
        return xb_explain(run->params, err, "echo server: %s: %s",
                          op->kind == XB_IO_SEND ? "send" : "recv", strerror(-err));
    did->checksum += xb_sum_words(s->echo, s->bytes);
    did->items++;
    did->bytes_read += s->bytes;
    did->bytes_written += s->bytes;
    return 0;
}

static inline int xb_echo_run(struct xb_run *run, void *state, uint64_t iters, struct xb_work *did)
{
    struct xb_echo *s = state;
    struct xb_io_op op = { .fd = s->fd, .offset = XB_IO_STREAM };
    int err = 0;
    for (uint64_t k = 0; k < iters && !err; k++)
        err = xb_echo_say(run, s, &op, XB_IO_BEGINS, did);
    return err;
}

/* Straight from the generator, byte by byte: no message, no socket, no echo. */
static inline int xb_echo_verify(const struct xb_params *params, void *team, void *state,
                                 uint64_t iters, const struct xb_work *did)
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

/* One round trip without the engine, through calls that wait with poll(2): an engine may have made
 * the socket non-blocking. Returns 0 or -errno. */
static inline int xb_echo_check(const struct xb_echo *s)
{
    unsigned char byte = 'x';
    struct pollfd ready = { .fd = s->fd, .events = POLLIN };
    if (send(s->fd, &byte, 1, MSG_NOSIGNAL) != 1)
        return -errno;
    int n = poll(&ready, 1, 10000);
    if (n <= 0)
        return n ? -errno : -ETIMEDOUT;
    ssize_t got = recv(s->fd, &byte, 1, 0);
    return got == 1 && byte == 'x' ? 0 : got < 0 ? -errno : -ECONNRESET;
}

static inline void xb_echo_teardown(void *state)
{
    struct xb_echo *s = state;
    if (!s)
        return;
    if (s->fd >= 0)
        close(s->fd);
    free(s->message);
    free(s->echo);
    free(s);
}

#endif
