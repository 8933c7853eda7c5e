/* Taking the latency of items of work, without a clock in the kernel: an engine around an engine
 * that reads the time when an operation marked XB_IO_BEGINS is handed in and when one marked
 * XB_IO_ENDS is found done. */
#ifndef XB_CORE_LATENCY_H
#define XB_CORE_LATENCY_H

#include "../../kernels/io.h"
#include "../stats/histogram.h"

/* One per worker, as an item may begin with one operation and end with another. */
struct xb_latency {
    struct xb_io io; /* first: the kernel's view */
    struct xb_io *inner;
    struct xb_histogram *histogram;
    /* Of the item under way that takes several operations. Nobody knows beforehand which receive
     * is the last, so kernels mark all that may be: the item ended with the last of these before
     * the next one began. */
    uint64_t begin_ns, end_ns;
};

/* `inner` and `histogram` stay the caller's; one lane's workers may share both. */
void xb_latency_wrap(struct xb_latency *latency, struct xb_io *inner,
                     struct xb_histogram *histogram);

/* Counts the last item, which no further one follows. After the last await of a sample. */
void xb_latency_finish(struct xb_latency *latency);

#endif
