/* Measures a cycle of this CPU's core clock, and how many of them results take. */
#ifndef XB_BASE_CYCLE_H
#define XB_BASE_CYCLE_H

#include "latency.h"

struct xb_cycle {
    double ns;
    double latency[XB_LATENCY_COUNT]; /* cycles; whole numbers */
};

/* Runs chains of instructions that wait for each other, for some 2 ms in all: additions of integers, which
 * take one cycle each on every CPU that this knows, and one chain for each class. Of several rounds the
 * shortest counts, as whatever else happens makes one longer. Meanwhile the clock should be what
 * it is under load. A class that is not measured here has what latency.h says. Any thread. */
void xb_cycle_measure(struct xb_cycle *out);

#endif
