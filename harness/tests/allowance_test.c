/* SPDX-License-Identifier: BSD-3-Clause
 * The account of what sampling takes of a program's time, with figures made up. */
#include "harness/base/allowance.h"
#include "harness/tests/xbtest.h"

/* A fiftieth of the time, of which being on takes a quarter. */
static const struct xb_allowance fresh = {
    .share = 0.02, .rate = 0.25, .duty_most = 0.2, .duty_least = 0.01, .most_ns = 1000
};

/* The share of the time that it is on, and in `lost` of the program's that this takes. */
static double duty(struct xb_allowance allowance, double extra_ns, double others_ns, double *lost)
{
    enum { STEPS = 100000 };
    double steps_on = 0;
    bool on = false;
    *lost = 0;
    for (int i = 0; i < STEPS; i++) {
        *lost += xb_allowance_settle(&allowance, 10, on, on ? extra_ns : 0, others_ns) / 10;
        on = xb_allowance_on_ns(&allowance) > (on ? 0 : 100);
        steps_on += on;
    }
    *lost /= STEPS;
    return steps_on / STEPS;
}

XB_TEST(Allowance, WhatIsDoneToTheProgramTakesItsShareAndNoMore)
{
    double lost;
    XB_EXPECT_NEAR(duty(fresh, 0, 0, &lost), 0.08, 0.001);
    XB_EXPECT_NEAR(lost, 0.02, 0.0005);
    /* What else it loses meanwhile makes it be on for less. */
    XB_EXPECT_NEAR(duty(fresh, 2.5, 0, &lost), 0.04, 0.001);
    XB_EXPECT_NEAR(lost, 0.02, 0.0005);
    /* As does what others take, by half at most. */
    XB_EXPECT_NEAR(duty(fresh, 0, 0.05, &lost), 0.06, 0.001);
    XB_EXPECT_NEAR(duty(fresh, 0, 1, &lost), 0.04, 0.001);
}

XB_TEST(Allowance, WhateverItTakesItIsNeverOnForLessOrMore)
{
    double lost;
    struct xb_allowance allowance = fresh;
    allowance.rate = 10;
    XB_EXPECT_NEAR(duty(allowance, 0, 0, &lost), 0.01, 0.001);
    allowance.rate = 0.01;
    XB_EXPECT_NEAR(duty(allowance, 0, 0, &lost), 0.2, 0.002);
}

XB_TEST(Allowance, WhatIsSavedUpAndOwedIsBounded)
{
    struct xb_allowance allowance = fresh;
    xb_allowance_settle(&allowance, 1e9, false, 0, 0);
    XB_EXPECT_NEAR(xb_allowance_on_ns(&allowance), 1000, 1e-6);
    xb_allowance_settle(&allowance, 1e9, true, 0, 0);
    XB_EXPECT_NEAR(xb_allowance_on_ns(&allowance), -1000, 1e-6);
}
