/* SPDX-License-Identifier: BSD-3-Clause
 * Takes quartets, and reduces them. */
#include "block.h"

#include "../../kernels/prng.h"
#include "../base/clock.h"
#include "../stats/median.h"

#include <math.h>

int xb_block_take(struct xb_block *block, size_t quartets, uint64_t *prng,
                  int (*take)(void *context, bool of_new, struct xb_slice *slice,
                              struct xb_reason *why),
                  void *context, struct xb_reason *why)
{
    block->quartets = quartets;
    for (size_t i = 0; i < quartets; i++) {
        block->new_first[i] = xb_prng_next(prng) >> 63;
        for (size_t j = 0; j < XB_SLICES; j++) {
            bool of_new = xb_quartet_is_new(block->new_first[i], j);
            block->begin_ns[i][j] = xb_now_ns();
            int err = take(context, of_new, &block->slice[i][j], why);
            if (err)
                return err;
        }
    }
    return 0;
}

static uint64_t time_of(const struct xb_slice *slice, bool wall)
{
    return wall ? slice->wall_ns : slice->cpu_ns;
}

double xb_block_log_ratio(const struct xb_block *block, bool wall)
{
    double log_ratios[XB_QUARTETS_MAX], ns[XB_SLICES];
    for (size_t i = 0; i < block->quartets; i++) {
        for (size_t j = 0; j < XB_SLICES; j++) {
            ns[j] = (double)time_of(&block->slice[i][j], wall);
            if (ns[j] <= 0)
                return NAN;
        }
        log_ratios[i] = xb_quartet_log_ratio(ns, block->new_first[i]);
    }
    return xb_quartets_middle(log_ratios, block->quartets);
}

double xb_block_ns(const struct xb_block *block, bool of_new, bool wall)
{
    double ns[XB_QUARTETS_MAX * XB_SLICES];
    size_t n = 0;
    for (size_t i = 0; i < block->quartets; i++)
        for (size_t j = 0; j < XB_SLICES; j++)
            if (xb_quartet_is_new(block->new_first[i], j) == of_new)
                ns[n++] = (double)time_of(&block->slice[i][j], wall);
    return xb_median(ns, n);
}

uint64_t xb_block_switches(const struct xb_block *block, bool of_new)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < block->quartets; i++)
        for (size_t j = 0; j < XB_SLICES; j++)
            if (xb_quartet_is_new(block->new_first[i], j) == of_new)
                sum += block->slice[i][j].switches;
    return sum;
}
