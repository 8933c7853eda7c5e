/* What a process has its io_urings do: no account of its reads and writes counts that. */
#ifndef XB_BASE_RINGS_H
#define XB_BASE_RINGS_H

#include <stdint.h>
#include <sys/types.h>

struct xb_rings {
    /* Operations that they took since they were made, of each modulo 2^32; of rings that are busy some or all may
     * be missing. */
    uint64_t taken;
    unsigned found;
    unsigned busy; /* whose lock is held: a thread is in the kernel to start operations */
};

/* Adds the rings of `pid` to `rings`; those that are only registered, and whose descriptor is closed, are missed.
 * Looks at no more than `*links` of its descriptors, a microsecond or two each, and takes off what it looked at. Finds
 * nothing in a process that is not ours to look into. Any thread.
 * Source: io_uring/fdinfo.c. Where it wants the ring's lock and does not get it, as in Linux 6.18, it leaves out the
 * head of the queue; before, it never does, and no ring is known to be busy. */
void xb_rings_look(pid_t pid, unsigned *links, struct xb_rings *rings);

#endif
