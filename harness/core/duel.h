/* Two builds on one kernel: what they have, how long a slice is, and blocks of fresh process pairs. */
#ifndef XB_CORE_DUEL_H
#define XB_CORE_DUEL_H

#include "block.h"
#include "twin.h"

/* A kernel as a build describes it. */
struct xb_offer {
    char name[XB_NAME_BYTES], class[16], hash[40], isa[16];
    uint64_t bytes;
    bool wall; /* its time is wall time: it waits */
};

/* Asks a build what it has. *offers: malloc'ed, the caller frees. 0, or -errno with `why`. */
int xb_duel_offers(struct xb_build *build, struct xb_offer **offers, size_t *n,
                   struct xb_reason *why);

/* What two processes are to do. `opening`: stack and heap are drawn anew for each process; stretch
 * is the new build's. */
struct xb_duel {
    struct xb_build *old, *new;
    const char *kernel;
    size_t quartets;
    struct xb_opening opening;
};

/* Finds the iterations that take opening.slice_ns with the old build, and sets opening.iters. 0 or
 * -errno with `why`. */
int xb_duel_calibrate(struct xb_duel *duel, struct xb_reason *why);

/* One block: two fresh processes, in random order, with random environments and pads, on the same CPU,
 * which did the same work and can prove it (-EBADMSG: they did not). `prng`: state, advanced. 0 or
 * -errno with `why`; no process is left. */
int xb_duel_block(const struct xb_duel *duel, uint64_t *prng, struct xb_block *block,
                  struct xb_reason *why);

#endif
