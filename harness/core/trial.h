/* Runs a command with 1, 2, 4 ... workers and takes the time of each: the truth beside a prediction. */
#ifndef XB_CORE_TRIAL_H
#define XB_CORE_TRIAL_H

#include "../base/reason.h"
#include "../stats/median.h"

#include <signal.h>
#include <stddef.h>
#include <stdint.h>

/* What stands in a command for the number of workers. */
#define XB_TRIAL_PLACE "{N}"

enum { XB_TRIAL_COUNTS = 8, XB_TRIAL_ROUNDS = 15, XB_TRIAL_COMMAND = 4096 };

struct xb_trial_ask {
    const char
        *command; /* with {N} in it; by /bin/sh where it has signs that mean something to it */
    uint32_t workers[XB_TRIAL_COUNTS];
    size_t n;           /* of them, >= 1; the first is what gains are relative to */
    size_t least;       /* rounds, whatever they take; 1 to XB_TRIAL_ROUNDS, the most there are */
    uint64_t budget_ns; /* of further rounds */
    uint64_t limit_ns;  /* a run that takes longer hangs, and is ended */
    const volatile sig_atomic_t *stop; /* may be NULL */
};

struct xb_trial_row {
    uint32_t workers;
    double seconds; /* median; NaN with `why` where it failed */
    /* Time of the first count over this one's, of the same round: the median, and its 95 % interval, or
     * with fewer than 6 rounds the smallest and largest. */
    struct xb_interval gain;
    struct xb_reason why;
};

struct xb_trial {
    struct xb_trial_row row[XB_TRIAL_COUNTS];
    size_t n, rounds;
};

/* 0; -EINVAL with `why` for a command without {N}, -E2BIG for one that is too long. Pure. */
int xb_trial_check(const char *command, struct xb_reason *why);

/* The command for a number of workers. `out`: XB_TRIAL_COMMAND bytes. 0 or -E2BIG. Pure. */
int xb_trial_fill(const char *command, uint32_t workers, char *out);

/* The number with which the command becomes `line`; 0 if it cannot. Pure. */
uint32_t xb_trial_match(const char *command, const char *line);

/* Runs it; its output goes to /dev/null, its input is empty. A count that fails is left out from then
 * on, and its row says why; so is all if the first fails. Commands are killed with all they started
 * when they hang, or this process dies. 0; -EINTR if `stop` became non-zero; -EINVAL, -E2BIG with `why`.
 * The calling process has one thread. */
int xb_trial_run(const struct xb_trial_ask *ask, struct xb_trial *out, struct xb_reason *why);

#endif
