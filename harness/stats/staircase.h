/* Cache capacities read off a latency staircase: time per dependent load against working set. */
#ifndef XB_STATS_STAIRCASE_H
#define XB_STATS_STAIRCASE_H

#include <stddef.h>

enum { XB_STAIRS_MAX = 512 };

struct xb_stair {
    double bytes; /* working set, > 0 */
    double ns;    /* per dependent load, > 0 */
};

enum { XB_STAIRCASE_LEVELS = 3 }; /* L1d, L2, last level */

/* Fits steps, level in log(ns), to the stairs, as many as `room` + 1, where neighbours must differ
 * by three quarters at least; an edge lies where the latency has climbed a third of the way from
 * one step's median to the next's. Slower stairs than a larger one are taken to be disturbed.
 * Sorts `stairs` in place by size. `capacity`: room for `room` edges, in bytes, rising.
 * Returns how many were found; 0 with fewer than 8 stairs or more than XB_STAIRS_MAX. Pure.
 * Sources: the staircase is that of lmbench's lat_mem_rd (McVoy and Staelin, USENIX 1996); the
 * least-squares fit is Bellman's, "On the approximation of curves by line segments using dynamic
 * programming", 1961, with constant segments. */
size_t xb_staircase(struct xb_stair *stairs, size_t n, double *capacity, size_t room);

/* Says which cache each of `n` edges is the end of: L1d, L2, last level. Three are these; of two the
 * first is the L1d, and the other whichever of L2 and last level claims a size nearer to it, or both
 * where no last level of its own is claimed; a single one is the cache with the nearest claim.
 * `claimed`: XB_STAIRCASE_LEVELS sizes in bytes, 0 where unknown. `named`: as many, NaN where no
 * edge was seen. The stairs must begin well inside the L1d. Pure. */
void xb_staircase_name(const double *edge, size_t n, const double *claimed, double *named);

#endif
