/* What a kernel may ask of the outside world: describe operations, await them.
 *
 * The kernel never learns whether await() blocked its OS thread, parked its coroutine, or
 * batched the operations into a ring. That ignorance is the point: it lets one body run under
 * every execution model. */
#ifndef XB_KERNELS_IO_H
#define XB_KERNELS_IO_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

enum xb_io_kind {
    XB_IO_READ,
    XB_IO_WRITE,
    XB_IO_FSYNC,
    XB_IO_SLEEP,
    XB_IO_YIELD, /* let another worker of this lane go first */
    XB_IO_ACCEPT,
    XB_IO_CONNECT,
    XB_IO_SEND,
    XB_IO_RECV,
    XB_IO_CLOSE,
    /* From here on the team carries operations out, whatever the engine: sync.h. */
    XB_IO_TICK,
    XB_IO_LOCK,
    XB_IO_TRYLOCK,
    XB_IO_UNLOCK,
    XB_IO_BARRIER,
    XB_IO_PUT,
    XB_IO_GET,
    XB_IO_SPAWN,
    XB_IO_JOIN,
    XB_IO_KINDS
};

enum xb_io_state { XB_IO_NEW, XB_IO_IN_FLIGHT, XB_IO_DONE };

/* Marks on an operation say which ones start and end one item of work (a request, a round
 * trip), so that latency can be taken per item without a clock in the kernel. Where it is not
 * known beforehand which operation is an item's last (a reply may come in pieces), all that may
 * be carry XB_IO_ENDS: the last one before the next XB_IO_BEGINS counts. */
enum xb_io_mark { XB_IO_BEGINS = 1u << 0, XB_IO_ENDS = 1u << 1 };

#define XB_IO_STREAM INT64_C(-1) /* offset of a pipe or socket: it has none */

struct xb_io_op {
    enum xb_io_kind kind;
    enum xb_io_state state; /* XB_IO_NEW when handed in for the first time */
    unsigned marks;         /* enum xb_io_mark, or-ed */
    int fd;
    void *buf;                   /* READ, RECV: written; WRITE, SEND: read, never changed */
    size_t len;                  /* bytes */
    uint32_t kept;               /* what xb_io_keep() gave for these bytes; 0: nothing */
    int64_t offset;              /* bytes from file start, or XB_IO_STREAM */
    uint64_t sleep_ns;           /* SLEEP: from the moment it is awaited; TICK: the period */
    const struct sockaddr *addr; /* CONNECT only; must live until the op is done */
    socklen_t addr_len;          /* bytes */
    void *on;                    /* what sync.h's operations are about */
    void (*entry)(void *buf);    /* SPAWN only */
    int64_t result;              /* out: bytes moved (may be short), a new fd, 0, or -errno */
    uint64_t begin_ns;           /* the latency recorder's; kernels leave it alone */
    union {
        void *pointer;
        uint64_t number;
    } engine[3]; /* the engine's, while in flight; kernels leave it alone */
};

/* Base of every I/O engine instance. One per OS thread, never shared between two. */
struct xb_io {
    /* Starts every op that is XB_IO_NEW, and returns once at least `at_least` of the `n` ops
     * are XB_IO_DONE. The others stay in flight: call again with the same array to go on,
     * after setting re-used ops back to XB_IO_NEW. n >= at_least; ops may start in any order
     * and one must not depend on another of the same call.
     * Returns 0, or -errno when the engine itself broke (then no result is valid). An op that
     * failed says so in its own result: that is not a failed await. */
    int (*await)(struct xb_io *io, struct xb_io_op *ops, size_t n, size_t at_least);
    /* See xb_io_keep(). NULL in engines that gain nothing by it. */
    uint32_t (*keep)(struct xb_io *io, void *buf, size_t len);
};

/* A promise, for a buffer that is used again and again: the `len` bytes at `buf`, >= 1, stay mapped
 * as they are for as long as run() may be called. An engine may then do once what it would do for
 * each operation. That takes time: in the first run() only, which is warm-up and not recorded.
 * Returns what goes into xb_io_op.kept of reads and writes within those bytes, and of no others; 0
 * where there is nothing to gain, or no room. It never fails. */
static inline uint32_t xb_io_keep(struct xb_io *io, void *buf, size_t len)
{
    return io->keep ? io->keep(io, buf, len) : 0;
}

/* Awaits one op to its end. Returns its result (>= 0) or -errno. */
static inline int64_t xb_await(struct xb_io *io, struct xb_io_op *op)
{
    op->state = XB_IO_NEW;
    int err = io->await(io, op, 1, 1);
    return err ? err : op->result;
}

#endif
