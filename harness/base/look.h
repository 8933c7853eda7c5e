/* Whether an engine looks again before it sleeps, which is for the engines of loops to ask.
 *
 * A loop that sleeps has to be woken by whoever it waits for. With 64 connections to one nginx, on a
 * CPU of its own, a loop that is faster than the server falls asleep between two replies, and the
 * server pays for waking it: once in ten requests with epoll, up to once in two with io_uring. So
 * where many wait for sockets or pipes the loop looks again for as long as a wake-up takes, while more
 * than half of the looks find something. It takes CPU time that a sleep would not, and rows show that
 * (cpu_ns, parallelism).
 *
 * Not for timers, whose time is known; nor for files, as a device takes longer than a look; nor where
 * few wait: to wait awake for one reply would be another model than the event loops that are deployed.
 * Source: Karlin et al., "Empirical studies of competitive spinning for a shared-memory
 * multiprocessor", SOSP 1991. */
#ifndef XB_BASE_LOOK_H
#define XB_BASE_LOOK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* All zero at first. */
struct xb_look {
    uint32_t between; /* sleeps between two looks, >= 0 */
    uint32_t left;    /* of them until the next one */
};

enum {
    XB_LOOK_NS = 20000,    /* how long a look is at most */
    XB_LOOK_FROM = 16,     /* operations that have to wait for others */
    XB_LOOK_SELDOM = 1023, /* the most sleeps between two: 20 us in so many are lost on nothing */
};

/* Asked before each sleep: whether to look first. `waiting`: operations on sockets and pipes. */
static inline bool xb_look_is_due(struct xb_look *look, size_t waiting)
{
    if (waiting < XB_LOOK_FROM)
        return false;
    bool due = look->left == 0;
    look->left -= !due;
    return due;
}

/* What came of it, where there was nothing at the first look. Halving and doubling: where less than half of the looks pay, they get seldom. */
static inline void xb_look_ended(struct xb_look *look, bool found)
{
    if (found)
        look->between /= 2;
    else if (look->between < XB_LOOK_SELDOM)
        look->between = 2 * look->between + 1;
    look->left = look->between;
}

#endif
