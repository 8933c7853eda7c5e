/* Tells whether code waits for its loads and stores, or works while they are on their way. */
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

/* Whether it could stand somewhere without being waited for. A store cannot: it retires at once, and waits behind
 * that. When there is no room for more of them nothing behind it is taken in, so that what stands at other
 * instructions waits for stores too. memory/store has half of its samples at the moves ahead of them. */
bool xb_may_hide(const struct xb_stall *stall);

/* Wherever code is no such loop: the share of each site's samples that its access would have as well if it
 * were not waited for. An out-of-order core retires in order, so what waits for an access stands at it, never
 * at what follows; and whoever runs one instruction of a straight piece of code runs them all. What stands
 * at those that do not touch memory therefore tells what an instruction costs there that is not waited for
 * (the front end, units that are busy, the width of retirement), and each access costs that too.
 * Loops of which accesses are half or more are left alone where they have samples enough: see above. Pieces of
 * few samples, as in code without a hot spot, are taken together: the sum of what each expects is right
 * where none of them can tell.
 * `hides`: n of them, 0 to 1, which the caller sets to 0; what is 1 stays. `streamed`: samples at accesses of
 * the loops left alone. 0 or -ENOMEM. Pure. */
int xb_pieces_hide(const struct xb_stall_site *site, const size_t *of_site, size_t n, double *hides,
                   size_t *streamed) __attribute__((warn_unused_result));

#endif
