/* SPDX-License-Identifier: BSD-3-Clause
 * An account of a program's time: so much goes in as time passes, and what is done to the program goes off. */
#include "allowance.h"

#include <math.h>

double xb_allowance_settle(struct xb_allowance *allowance, double passed_ns, bool on,
                           double extra_ns, double others_ns)
{
    double rate = allowance->rate, limit_ns = allowance->most_ns * rate;
    double in_ns = fmax(allowance->share * passed_ns - others_ns, allowance->share * passed_ns / 2);
    in_ns = fmax(fmin(in_ns, allowance->duty_most * rate * passed_ns),
                 allowance->duty_least * rate * passed_ns);
    double lost_ns = (on ? rate * passed_ns : 0) + extra_ns;
    /* A hiccup of ours, in which nobody switched it off, is not made good for ever. */
    allowance->left_ns = fmax(-limit_ns, fmin(allowance->left_ns + in_ns - lost_ns, limit_ns));
    return lost_ns;
}

double xb_allowance_on_ns(const struct xb_allowance *allowance)
{
    return allowance->left_ns / allowance->rate;
}
