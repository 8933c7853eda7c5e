/* SPDX-License-Identifier: BSD-3-Clause
 * The plan of looks, and what it can detect. */
#include "looks.h"

#include <math.h>
#include <stdint.h>

static const struct xb_look full[XB_LOOKS_MAX] = {
    { 10, 0.001, 0.005 }, { 15, 0.001, 0.005 }, { 22, 0.001, 0.01 },
    { 32, 0.001, 0.01 },  { 48, 0.001, 0.02 },
};

struct xb_looks xb_looks_plan(size_t blocks)
{
    struct xb_looks looks = { .n = 0 };
    double moved = XB_ALPHA_MOVED, proven = XB_ALPHA_PROVEN;
    if (blocks < XB_BLOCKS_LEAST)
        blocks = XB_BLOCKS_LEAST;
    if (blocks > XB_BLOCKS_MAX)
        blocks = XB_BLOCKS_MAX;
    while (full[looks.n].blocks < blocks) {
        looks.look[looks.n] = full[looks.n];
        moved -= full[looks.n].moved;
        proven -= full[looks.n].proven;
        looks.n++;
    }
    looks.look[looks.n++] = (struct xb_look){ blocks, moved, proven };
    return looks;
}

/* The z with P(Z > z) = alpha, by halving: libm has the tail but not its inverse. */
static double upper_quantile(double alpha)
{
    double lo = 0, hi = 40;
    for (int i = 0; i < 100; i++) {
        double middle = (lo + hi) / 2;
        if (0.5 * erfc(middle / sqrt(2)) > alpha)
            lo = middle;
        else
            hi = middle;
    }
    return lo;
}

static double factor(double alpha)
{
    return 1.05 * (upper_quantile(alpha) + 0.84);
}

double xb_least_detectable(double sd, size_t n, double alpha, double null)
{
    return null + factor(alpha) * sd / sqrt((double)n);
}

size_t xb_blocks_to_detect(double sd, double alpha, double null, double effect)
{
    if (!(effect > null))
        return SIZE_MAX;
    double root = factor(alpha) * sd / (effect - null);
    double blocks = ceil(root * root);
    return blocks < 1e9 ? (size_t)blocks : SIZE_MAX;
}
