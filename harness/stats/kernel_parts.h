/* How the kernel's time divides, by counts of what it was asked to do and what that costs. */
#ifndef XB_STATS_KERNEL_PARTS_H
#define XB_STATS_KERNEL_PARTS_H

#include "findings.h"

#include <stdbool.h>

#define XB_SECTOR_BYTES 512.0 /* what block devices move at least */

/* What the kernel's work costs on this machine, ns of CPU time, in whatever mode that is counted.
 * Hypervisors that keep page tables of their own fill them when the program touches a page: 3 to 12 us
 * that count as user mode, where the kernel's own part takes 0.6 to 1.5. */
struct xb_kernel_costs {
    double fault, call;
    double byte_least; /* at least, as where it is only cleared */
    double byte;       /* that is copied out of the page cache and was in no near cache before */
};

/* What it was asked to do in a phase; none is negative. */
struct xb_kernel_work {
    double ns; /* its time */
    double faults;
    bool has_io;                        /* the next three are known, and else 0: */
    double calls, bytes, storage_bytes; /* as in struct xb_proc_io */
    double in_rings;                    /* operations that io_urings were given, or some of them */
    double rings_ns; /* for how long looks met one at work, whose lock was held, by their share */
    double wakes;    /* how often threads got a CPU */
    /* By enum xb_wait: of the program's time, in this phase and those before, what it waited for; and the sum of
     * that from XB_WAIT_DISK to XB_WAIT_KERNEL. */
    const double *waited;
    double waits;
};

/* Adds the parts of the kernel's time to `out`, their weight, and clues. What counts do not explain goes to what the
 * program waits for when it waits, as far as that can be, or to its rings, or else divides as what was counted.
 * Nothing is added where there was no such time. Pure. */
void xb_kernel_divide(const struct xb_kernel_work *work, const struct xb_kernel_costs *costs,
                      struct xb_findings *out);

#endif
