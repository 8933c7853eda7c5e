/* Cache capacities read off a latency staircase: time per dependent load against working set. */
#ifndef XB_STATS_STAIRCASE_H
#define XB_STATS_STAIRCASE_H

#include <stddef.h>

enum { XB_STAIRS_MAX = 512 };

struct xb_stair {
    double bytes; /* working set, > 0 */
    double ns;    /* per dependent load, > 0 */
};

/* Fits steps, level in log(ns), to the stairs, as many as `room` + 1, where neighbours must differ
 * by half at least; an edge lies where the latency between two steps crosses their geometric mean.
 * Sorts `stairs` in place by size. `capacity`: room for `room` edges, in bytes, rising.
 * Returns how many were found; 0 with fewer than 8 stairs or more than XB_STAIRS_MAX. Pure.
 * Sources: the staircase is that of lmbench's lat_mem_rd (McVoy and Staelin, USENIX 1996); the
 * least-squares fit is Bellman's, "On the approximation of curves by line segments using dynamic
 * programming", 1961, with constant segments. */
size_t xb_staircase(struct xb_stair *stairs, size_t n, double *capacity, size_t room);

#endif
