/* Cache capacities read off a latency staircase: time per dependent load against working set. */
#ifndef XB_STATS_STAIRCASE_H
#define XB_STATS_STAIRCASE_H

#include <stddef.h>

struct xb_stair {
    double bytes; /* working set */
    double ns;    /* per dependent load */
};

/* Finds the ends of the steps: sizes up to which latency is level and beyond which it climbs by a
 * third or more. Sorts `stairs` in place by size. `capacity`: room for `room` values, in bytes,
 * rising; the last one is the climb to the highest level, those before are the first ones.
 * Returns how many were found; 0 with fewer than 8 stairs. Pure.
 * Source: the method of lmbench's lat_mem_rd (McVoy and Staelin, USENIX 1996), read by rule. */
size_t xb_staircase(struct xb_stair *stairs, size_t n, double *capacity, size_t room);

#endif
