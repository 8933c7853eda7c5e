/* One block of a comparison: coin-flipped quartets of slices of two builds, made into one number. */
#ifndef XB_CORE_BLOCK_H
#define XB_CORE_BLOCK_H

#include "../base/reason.h"
#include "../stats/quartets.h"
#include "wire.h"

#include <stdbool.h>

struct xb_block {
    size_t quartets;        /* 1 .. XB_QUARTETS_MAX */
    bool new_started_first; /* which process was started first */
    bool new_first[XB_QUARTETS_MAX];
    uint64_t begin_ns[XB_QUARTETS_MAX][XB_SLICES];     /* xb_now_ns() */
    struct xb_slice slice[XB_QUARTETS_MAX][XB_SLICES]; /* in the order taken */
};

/* Takes quartets by `take`, which is asked for one slice of the new build or the old one at a time.
 * `quartets`: how many; `prng`: state of the coin. The caller has filled the rest of `block`. 0, or
 * what take() failed with; then the block is void. */
int xb_block_take(struct xb_block *block, size_t quartets, uint64_t *prng,
                  int (*take)(void *context, bool of_new, struct xb_slice *slice,
                              struct xb_reason *why),
                  void *context, struct xb_reason *why);

/* The block's one number, ln(new / old), by wall or CPU time: the median of its quartets. NaN where a
 * time is 0: a clock too coarse for the slice. Pure. */
double xb_block_log_ratio(const struct xb_block *block, bool wall);

/* Of one build's slices: the median of its times in ns, and the sum of its involuntary switches.
 * Pure. */
double xb_block_ns(const struct xb_block *block, bool of_new, bool wall);
uint64_t xb_block_switches(const struct xb_block *block, bool of_new);

#endif
