/* Tells whether a loop waits for its loads and stores, or works while they are on their way. */
#ifndef XB_STATS_LOOP_WAIT_H
#define XB_STATS_LOOP_WAIT_H

#include "../base/loop.h"
#include "../base/stalls.h"

/* Whether samples of process `pid` in `loop` stand at its accesses for these to be waited for. Not so in a
 * loop that mostly computes if they stand there as often as anywhere else: an out-of-order core loads
 * ahead, and what is waited for is the next free arithmetic unit. Two kinds of that are told:
 * - samples spread over all of its instructions, and accesses get about their part;
 * - samples at equal distances, and no access is why. A loop that takes the same time in each round retires
 *   in step, 8 instructions at a time on a Zen 5, so that samples meet a few places only, whatever is
 *   there: in cpu/gemm_blocked 5 of 40, four of them by chance behind a load, at 89 % of the peak.
 * `site`: n of them, `of_site`: samples of each. True where there are too few to tell. Pure. */
bool xb_loop_waits(const struct xb_loop *loop, pid_t pid, const struct xb_stall_site *site,
                   const size_t *of_site, size_t n);

#endif
