/* SPDX-License-Identifier: BSD-3-Clause */
#include "kernel_parts.h"

#include <math.h>

/* The kernel's work for one thread to block and wake up, beside what it waits for; a pipe's two sides
 * switch in 1.2 to 3 us on x86-64 servers. */
#define SWITCH_NS 1500.0
/* Of the kernel's time that no count explains so much, for each time that a thread woke up, can be the work of
 * locks and timers: a futex takes about 1 us, and a few calls of it come with each time that it sleeps. Nor can more
 * be that of pipes, whose reads and writes are counted. */
#define WAKE_NS 20000.0
/* A disk's: of a record of a journal that is made durable, say. */
#define DISK_NS 200000.0
/* And so much, for each operation that an io_uring was given, its work: a read of a megabyte takes a tenth. */
#define RING_NS 1e6

/* Of the kernel's time, what is said of the part that no count explains: what the program waits for when
 * it waits, it also works for. */
#define WEIGHT_COUNTED 0.6
#define WEIGHT_GUESSED 0.25

/* Waits are a hint of that if they take this share of the time, or counts explain less of the kernel's
 * time than that: else the rest divides as the counted part does, which is an under-estimate, since a
 * call to a socket costs more than the one that is measured. */
#define WAITS_TELL  0.02
#define COUNTS_TELL 0.2

/* Shares of the kernel's time. */
struct shares {
    double faults, io, switches;
    double rest;       /* that no count explains */
    double rings_most; /* of that */
};

static struct shares shares_of(const struct xb_kernel_work *work,
                               const struct xb_kernel_costs *costs)
{
    double faults = work->faults * costs->fault;
    double io = (work->calls + work->in_rings) * costs->call + work->bytes * costs->byte;
    double switches = work->waits > 0 ? work->wakes * SWITCH_NS : 0;
    double of = fmax(faults + io + switches, work->ns);
    return (struct shares){
        .faults = faults / of,
        .io = io / of,
        .switches = switches / of,
        .rest = fmax(0, 1 - (faults + io + switches) / of),
        .rings_most = fmax(work->in_rings * RING_NS, work->rings_ns) / work->ns,
    };
}

static void say(const struct xb_kernel_work *work, const struct xb_kernel_costs *costs,
                const struct shares *by, double by_rings, struct xb_findings *out)
{
    double seconds = work->ns / 1e9;
    xb_add_clue(
        out, "page_faults_per_kernel_second", work->faults / seconds,
        "%.0f page faults per second of kernel time: about %.0f %% of it at %.2f us each here",
        work->faults / seconds, 100 * by->faults, costs->fault / 1e3);
    if (work->has_io)
        xb_add_clue(
            out, "io_calls_per_kernel_second", work->calls / seconds,
            "%.0f reads and writes with %.1f MB per second of kernel time: about %.0f %% of it",
            work->calls / seconds, work->bytes / seconds / 1e6, 100 * by->io);
    if (by_rings > 0)
        xb_add_clue(out, "ring_share_of_kernel", by_rings,
                    "up to %.0f %% of kernel time is for its io_urings: they took %.0f operations "
                    "or more, and were at work for %.2f s",
                    100 * by_rings, work->in_rings, work->rings_ns / 1e9);
}

static struct xb_part kernel_part(enum xb_bound bound, enum xb_level level, double share)
{
    return (struct xb_part){
        .of = XB_WHOLE_KERNEL, .is = XB_WHOLE_TIME, .bound = bound, .level = level, .share = share
    };
}

/* How much of the kernel's time can be the work for what was waited for, beside what is counted. Of sockets nothing
 * is counted, and who receives may hardly ever have to wait. */
static double most_by_wait(const struct xb_kernel_work *work, enum xb_wait wait)
{
    switch (wait) {
    case XB_WAIT_NETWORK:
        return INFINITY;
    case XB_WAIT_PIPE:
        return work->has_io ? work->wakes * WAKE_NS / work->ns : INFINITY;
    case XB_WAIT_DISK:
        return work->wakes * DISK_NS / work->ns;
    default:
        return work->wakes * WAKE_NS / work->ns;
    }
}

void xb_kernel_divide(const struct xb_kernel_work *work, const struct xb_kernel_costs *costs,
                      struct xb_findings *out)
{
    if (!(work->ns > 0))
        return;
    struct shares by = shares_of(work, costs);
    double by_rings = work->waits < WAITS_TELL ? fmin(by.rest, by.rings_most) : 0;
    double rest = by.rest - by_rings, explained = by.faults + by.io;
    bool counts_tell = work->waits < WAITS_TELL && explained >= COUNTS_TELL;
    double more_of_it = counts_tell ? 1 + rest / explained : 1;
    /* Where the bytes came from: block devices, or else what the program waits for. */
    double disk = work->bytes > 0 ? fmin(1, work->storage_bytes / work->bytes) : 0;
    enum xb_level level = work->waited[XB_WAIT_NETWORK] > work->waited[XB_WAIT_PIPE]
                              ? XB_LEVEL_NETWORK
                              : XB_LEVEL_NONE;
    double by_io = by.io * more_of_it;
    xb_add_part(out, kernel_part(XB_BOUND_KERNEL, XB_LEVEL_NONE, by.faults * more_of_it));
    xb_add_part(out, kernel_part(XB_BOUND_IO, XB_LEVEL_DISK, disk * by_io));
    xb_add_part(out, kernel_part(XB_BOUND_IO, level, (1 - disk) * by_io));

    double unknown = counts_tell ? 0 : rest;
    for (int w = XB_WAIT_DISK; w <= XB_WAIT_KERNEL; w++) {
        if (!(work->waited[w] > 0))
            continue;
        struct xb_part part = xb_part_of_wait(XB_WHOLE_KERNEL, w, work->waited[w] / work->waits);
        double hinted = counts_tell ? 0 : fmin(part.share * rest, most_by_wait(work, w));
        unknown -= hinted;
        part.share = part.share * by.switches + hinted;
        xb_add_part(out, part);
    }
    double more_rings = fmin(fmax(0, unknown), by.rings_most - by_rings);
    by_rings += more_rings;
    unknown = fmax(0, unknown - more_rings);
    bool on_disk = work->in_rings > 0 && work->storage_bytes >= XB_SECTOR_BYTES * work->in_rings;
    xb_add_part(out, kernel_part(XB_BOUND_IO, on_disk ? XB_LEVEL_DISK : level, by_rings));
    xb_add_part(out, kernel_part(XB_BOUND_UNKNOWN, XB_LEVEL_NONE, unknown));
    out->weight[XB_WHOLE_KERNEL] =
        WEIGHT_COUNTED * (1 - by.rest) + WEIGHT_GUESSED * (by.rest - unknown);
    say(work, costs, &by, by_rings, out);
}
