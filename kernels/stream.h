/* Moving whole messages over pipes and sockets, and seeded bytes to fill them with. */
#ifndef XB_KERNELS_STREAM_H
#define XB_KERNELS_STREAM_H

#include "io.h"
#include "prng.h"

#include <errno.h>
#include <string.h>

/* Moves exactly `len` bytes, however short the single transfers are.
 * `op`: fd and offset are set; the rest is overwritten. `kind`: READ, WRITE, SEND or RECV.
 * `marks`: XB_IO_BEGINS goes on the first operation only, XB_IO_ENDS on every one, because any
 * may turn out to be the last: an item ends with the last ENDS before the next BEGINS.
 * Returns 0, -ECONNRESET at the end of the stream, or the -errno of the transfer. */
static inline int xb_stream_move(struct xb_io *io, struct xb_io_op *op, enum xb_io_kind kind,
                                 void *buf, size_t len, unsigned marks)
{
    op->kind = kind;
    op->marks = marks;
    op->buf = buf;
    op->len = len;
    while (op->len) {
        int64_t moved = xb_await(io, op);
        if (moved <= 0)
            return moved ? (int)moved : -ECONNRESET;
        op->marks &= ~(unsigned)XB_IO_BEGINS;
        op->buf = (char *)op->buf + moved;
        op->len -= (size_t)moved;
    }
    return 0;
}

/* Fills `n` bytes from the stream of `seed`, eight per draw. Pure. */
static inline void xb_fill_bytes(void *buf, size_t n, uint64_t seed)
{
    for (size_t at = 0; at < n; at += 8) {
        uint64_t word = xb_prng_next(&seed);
        memcpy((char *)buf + at, &word, n - at < 8 ? n - at : 8);
    }
}

/* Sums `n` bytes as 64-bit words, the last one padded with zero bytes; modulo 2^64. Pure.
 * Vectorised by the compiler to several bytes per cycle, where a hash such as FNV takes several
 * cycles per byte and would turn an I/O kernel into a CPU kernel. */
static inline uint64_t xb_sum_words(const void *buf, size_t n)
{
    const char *at = buf;
    uint64_t sum = 0;
    size_t whole = n / 8;
    for (size_t i = 0; i < whole; i++) {
        uint64_t word;
        memcpy(&word, at + i * 8, 8);
        sum += word;
    }
    uint64_t rest = 0;
    memcpy(&rest, at + whole * 8, n % 8);
    return sum + rest;
}

#endif
