/* How much of the time that threads wait with a time-out lies in waits that last until it is over, from
 * looks at a random time that say how old the wait is by then.
 *
 * A look at a random time falls into a long wait more often than into a short one, in proportion to its
 * length, and anywhere in it alike. So the age of the wait has the density S(u) / mean, where S(u) is the
 * share of waits that last longer than u (renewal theory: D. R. Cox, Renewal Theory, 1962, chapter 5, the
 * backward recurrence time). With u in time-outs, a wait that is over by the time-out lasts 1. Then the
 * density just before 1 is the share of waits that time out, times their length 1, over the mean length:
 * the share of the time that is in those. Divided by the density at 0, which is 1 / mean, it is their
 * share of the waits. Uniform ages mean that all of them time out, and none above a that all are over by
 * a, where n looks would pass uniform ages off as that with a^n.
 *
 * Waits of a length between 0.9 and 1 of their time-out are not told from those that time out. */
#ifndef XB_BASE_EXPIRY_H
#define XB_BASE_EXPIRY_H

#include <stdbool.h>
#include <stdint.h>

enum {
    XB_EXPIRY_BINS = 20,
    XB_EXPIRY_LEAST = 12, /* waits that have to be looked at: 0.8^12 is 7 % */
    XB_EXPIRY_LEAST_NS =
        1000000, /* of a time-out: a look takes 50 us, and loses waits that end meanwhile */
};

/* Ages that looks found. All zero at first; what has been seen may be scaled down to forget it. */
struct xb_expiry {
    double age[XB_EXPIRY_BINS]; /* by twentieths of the time-out */
    double waits;               /* in so many different ones */
};

enum xb_expiry_verdict {
    XB_EXPIRY_UNKNOWN,  /* too few looks */
    XB_EXPIRY_FILES,    /* most of the time is in waits that ended before */
    XB_EXPIRY_TIMER,    /* most of it is in those that lasted until the time-out */
    XB_EXPIRY_UNDECIDED /* either may be */
};

struct xb_expired {
    enum xb_expiry_verdict verdict;
    double share; /* of the time, in waits that lasted until the time-out; NaN if unknown */
    double sure;  /* how likely it is that that is half of it or more; NaN if unknown */
};

/* Notes the age of a wait at a look. `again`: an earlier look was at the same wait. Returns false, and notes
 * nothing, where the time-out is too short, or the age is beyond it and the clock has to be wrong. */
bool xb_expiry_add(struct xb_expiry *expiry, uint64_t age_ns, uint64_t timeout_ns, bool again);

/* Forgets all but `share` of what was seen. */
void xb_expiry_forget(struct xb_expiry *expiry, double share);

/* What that says. Looks at the same wait are not independent, so all of them together count as much as the
 * waits are many. Pure.
 *
 * Bayes over three kinds of waits that are as likely before, each: all time out; a share of the time is
 * in those that do, and all others are over at the same age; or what ends them comes at random, at a constant
 * rate. Decided is what is likelier than 9 to 1. */
struct xb_expired xb_expiry_judge(const struct xb_expiry *expiry);

#endif
