/* SPDX-License-Identifier: BSD-3-Clause
 * Tests when an engine looks again before it sleeps. */
#include "xbtest.h"

#include "../base/look.h"

/* Of so many sleeps with `waiting` operations, how many had a look; every `pays`-th finds something
 * (0: none does). */
static uint32_t looks_of(struct xb_look *look, uint32_t sleeps, size_t waiting, uint32_t pays)
{
    uint32_t looks = 0;
    for (uint32_t i = 0; i < sleeps; i++) {
        if (!xb_look_is_due(look, waiting))
            continue;
        looks++;
        xb_look_ended(look, pays && looks % pays == 0);
    }
    return looks;
}

XB_TEST(Look, WhereFewWaitThereIsNone)
{
    struct xb_look look = { 0 };
    XB_EXPECT_EQ(looks_of(&look, 1000, XB_LOOK_FROM - 1, 1), 0);
    XB_EXPECT_EQ(looks_of(&look, 1000, 0, 1), 0);
}

XB_TEST(Look, AsLongAsItPaysThereIsOneBeforeEachSleep)
{
    struct xb_look look = { 0 };
    XB_EXPECT_EQ(looks_of(&look, 1000, XB_LOOK_FROM, 1), 1000);
}

/* 1, 3, 7, ... 1023 sleeps lie between those of the beginning. */
XB_TEST(Look, WhatFindsNothingIsTriedOnceInAThousandSleeps)
{
    struct xb_look look = { 0 };
    XB_EXPECT_EQ(looks_of(&look, 2048, 64, 0), 11);
    XB_EXPECT_EQ(looks_of(&look, 10240, 64, 0), 10);
    XB_EXPECT_EQ(look.between, XB_LOOK_SELDOM);
}

XB_TEST(Look, WhereLessThanHalfPayTheyGetSeldom)
{
    struct xb_look look = { 0 };
    looks_of(&look, 100000, 64, 3);
    XB_EXPECT(looks_of(&look, 102400, 64, 3) < 1024);
}

XB_TEST(Look, WhatPaysAgainIsSoonTriedEachTime)
{
    struct xb_look look = { 0 };
    looks_of(&look, 100000, 64, 0);
    looks_of(&look, 2048 + 1024, 64, 1);
    XB_EXPECT_EQ(looks_of(&look, 100, 64, 1), 100);
}
