/* Teams that stand by: each is a cell in processes of its own, set up once, that measures one window
 * whenever it is told to. So many cells can take turns without being set up again for each turn. */
#ifndef XB_CORE_STANDBY_H
#define XB_CORE_STANDBY_H

#include "team.h"

#include <sys/types.h>

struct xb_standby {
    pid_t pid;         /* 0: none */
    int line;          /* a socket */
    uint64_t limit_ns; /* of set-up, and of each window */
    bool ready;
};

/* What a window took. */
struct xb_turn {
    uint64_t wall_ns, cpu_ns, items, outcome;
};

/* Forks a team for `plan`, whose pacer and budget are not used; it is set up while the caller goes on.
 * `plan` and what it points to have to live until this returns. `limit_ns`: after which set-up, or one
 * window, is taken to hang. One thread must exist in the calling process. 0 or -errno with `why`. */
int xb_standby_open(struct xb_standby *standby, const struct xb_plan *plan, uint64_t limit_ns,
                    struct xb_reason *why);

/* Has it measure a window of `iters` (>= 1) per worker; the first call also waits for its set-up. 0, or
 * -errno with `why`: what the team failed of, or -ETIMEDOUT. After an error only closing is of use. */
int xb_standby_turn(struct xb_standby *standby, uint64_t iters, struct xb_turn *turn,
                    struct xb_reason *why);

/* Ends it, lets it verify what it did last, and waits for it. Accepts one that was never opened (all
 * zero). 0, or -errno with `why`: it had failed, or its answer is wrong. */
int xb_standby_close(struct xb_standby *standby, struct xb_reason *why);

#endif
