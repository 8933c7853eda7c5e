/* The plan of looks: after how many blocks a comparison may be decided, and how much of the risk of
 * error each look may spend. Looking whenever one likes would spend it many times over. */
#ifndef XB_STATS_LOOKS_H
#define XB_STATS_LOOKS_H

#include <stddef.h>

enum { XB_LOOKS_MAX = 5, XB_BLOCKS_MAX = 48, XB_BLOCKS_LEAST = 10 };

/* Sums over all looks of a plan. With fewer than 10 blocks 0.001 could not be reached at all: the
 * smallest p of n signs is 2^-n. */
#define XB_ALPHA_MOVED  0.005 /* REGRESSED, and IMPROVED: 0.001 at each of five */
#define XB_ALPHA_PROVEN 0.05

struct xb_look {
    size_t blocks;
    double moved, proven; /* what this look may spend of the sums above */
};

struct xb_looks {
    struct xb_look look[XB_LOOKS_MAX];
    size_t n;
};

/* The plan for at most `blocks`, clamped to [XB_BLOCKS_LEAST, XB_BLOCKS_MAX]: 10, 15, 22, 32 and 48 as
 * far as they are below `blocks`, and `blocks` itself, which gets what the others left. Pure. */
struct xb_looks xb_looks_plan(size_t blocks);

/* The smallest effect that would be called with 80 % probability: null + 1.05 (z_alpha + 0.84) sd /
 * sqrt(n). `sd`: of one block; `n`: blocks, >= 1; `alpha` in (0, 0.5): of the look; `null`: the
 * effect that the test calls none. The same unit as `sd`. 0.84 is the normal quantile of 80 %; 1.05
 * is what ranks lose against the mean under a normal distribution (asymptotic efficiency 3/pi,
 * 1 / sqrt(0.955) = 1.023), with room for few blocks. Pure. */
double xb_least_detectable(double sd, size_t n, double alpha, double null);

/* How many blocks make `effect` detectable in that sense; SIZE_MAX where none do. */
size_t xb_blocks_to_detect(double sd, double alpha, double null, double effect);

#endif
