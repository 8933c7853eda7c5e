/* The gate's loop: blocks for each comparison of a suite, in random order, until each is decided. */
#ifndef XB_CORE_GATE_H
#define XB_CORE_GATE_H

#include "../base/reason.h"
#include "../stats/verdict.h"
#include "wire.h"

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

/* One comparison of the suite. */
struct xb_contest {
    char name[XB_NAME_BYTES], class[16]; /* class: "" where there are no classes */
    bool wall;                           /* it is wall time that is compared */
    struct xb_effect
        effect; /* with a verdict that is not measured from the start: no block is taken */
    double log_ratios[XB_BLOCKS_MAX]; /* what effect points to */
    double log_ratios_wall[XB_BLOCKS_MAX];
    double old_ns, new_ns; /* of the last block: medians of slices, of the time compared */
    double start_share;    /* commands: what an empty one takes of OLD's time; else 0 */
    uint64_t switches;     /* involuntary, in all slices */
    uint64_t spent_ns;     /* wall time, set-up included */
    bool ended;            /* there are no more blocks */
};

struct xb_gate {
    struct xb_rule rule;
    struct xb_contest *contests;
    size_t n;
    uint64_t seed;                     /* of the order */
    const volatile sig_atomic_t *stop; /* may be NULL */
    /* Takes one more block of contests[index] and fills log_ratios[n], log_ratios_wall[n] and what
     * goes with them; n is effect.n, which the gate then advances. 0; -ENODATA: there are no more;
     * or -errno with `why`, which ends all. */
    int (*block)(void *context, size_t index, struct xb_reason *why);
    void *context;
    /* After each block; may be NULL. */
    void (*progress)(void *progress_context, size_t index);
    void *progress_context;
};

/* Takes blocks up to each look for all that are undecided, and judges the suite. 0 with a verdict on
 * every comparison; -EINTR when `stop` ended it, or -errno with `why`: there are no verdicts then. */
int xb_gate_run(struct xb_gate *gate, struct xb_reason *why);

/* How many of the suite have `verdict`; of one class, or of all if that is NULL. */
size_t xb_gate_count(const struct xb_gate *gate, enum xb_verdict verdict, const char *class);

#endif
