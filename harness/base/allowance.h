/* For how long something that slows a program down may be on, if it may take so much of its time. */
#ifndef XB_BASE_ALLOWANCE_H
#define XB_BASE_ALLOWANCE_H

#include <stdbool.h>

/* All times in ns. The first four are whoever's who owns it; the rest starts as 0. */
struct xb_allowance {
    double share;                 /* of the program's time that may be taken, 0 to 1 */
    double rate;                  /* of its time that is taken while it is on, above 0 */
    double duty_most, duty_least; /* of the time that it may be on, whatever that takes */
    double most_ns;               /* of being on, that can be saved up or owed */
    double left_ns;               /* of the program's time that may be taken now; negative: owed */
};

/* `passed_ns` went by, in which it was `on` or not. The program lost `extra_ns` of its time beside what `rate`
 * says, and the CPUs were kept from it for `others_ns` by what is no part of this but goes into the same share:
 * of that at most half can be lost, as what is never on finds nothing out. Returns what the program lost
 * to what was on. Pure but for `allowance`. */
double xb_allowance_settle(struct xb_allowance *allowance, double passed_ns, bool on,
                           double extra_ns, double others_ns);

/* For how long it may be on from now on; negative: it should have been off for as long. */
double xb_allowance_on_ns(const struct xb_allowance *allowance);

#endif
