/* How `xbound ab` and the builds it compares talk: lines of text on two pipes.
 *
 * A build under test is `PROGRAM ab --serve`, or with --plugin `xbound ab --serve --plugin FILE`. Lines it answers with, of words with one blank between:
 *   xbound-ab VERSION alignment=BYTES commit=TEXT      at once
 * then, to each request:
 *   list                        kernel NAME CLASS BYTES cpu|wall HASH ISA   for each, and: end
 *   open NAME KEY=NUMBER...     ready ITERS NS
 *   go                          slice WALL_NS CPU_NS SWITCHES ITEMS READ WRITTEN FLOPS CHECKSUM
 *   quit, or the end of input   done
 * and instead of any of them:   error TEXT
 *
 * The keys of `open` are those of struct xb_opening, all of them, in that order. Standard output and
 * standard error are not part of it: whoever writes there has a fault to report. */
#ifndef XB_CORE_WIRE_H
#define XB_CORE_WIRE_H

#include <inttypes.h>
#include <stddef.h>
#include <stdint.h>

#define XB_WIRE_VERSION 1
#define XB_WIRE_HELLO   "xbound-ab"

enum {
    XB_WIRE_IN = 3, /* file descriptors of the build under test */
    XB_WIRE_OUT = 4,
    XB_WIRE_BYTES = 512, /* of a line, its end and the 0 included */
    XB_NAME_BYTES = 64,
};

/* What a process of a build is to measure. */
struct xb_opening {
    uint64_t bytes;         /* per worker */
    uint64_t workers, seed; /* workers >= 1 */
    uint64_t iters;         /* of a slice; 0: find those that take slice_ns */
    uint64_t slice_ns;      /* >= 1 */
    uint64_t stack, heap;   /* see struct xb_pacer */
    uint64_t stretch;       /* 0.001 %: the share of each slice that is added */
    int64_t cpu;            /* that it is bound to; negative: to none */
};

#define XB_WIRE_OPEN                                                                             \
    "bytes=%" PRIu64 " workers=%" PRIu64 " seed=%" PRIu64 " iters=%" PRIu64 " slice_ns=%" PRIu64 \
    " stack=%" PRIu64 " heap=%" PRIu64 " stretch=%" PRIu64 " cpu=%" PRId64
#define XB_WIRE_OPEN_SCAN                                                                        \
    "bytes=%" SCNu64 " workers=%" SCNu64 " seed=%" SCNu64 " iters=%" SCNu64 " slice_ns=%" SCNu64 \
    " stack=%" SCNu64 " heap=%" SCNu64 " stretch=%" SCNu64 " cpu=%" SCNd64

/* What a slice took and did. */
struct xb_slice {
    uint64_t wall_ns, cpu_ns, switches; /* switches: involuntary */
    uint64_t work[5];                   /* items, bytes read and written, flops, checksum */
};

#define XB_WIRE_SLICE                                                                        \
    "slice %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 \
    " %" PRIx64
#define XB_WIRE_SLICE_SCAN                                                                   \
    "slice %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 \
    " %" SCNx64

#endif
