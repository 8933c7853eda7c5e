/* SPDX-License-Identifier: BSD-3-Clause
 * Tests how samples divide time, on samples made by hand. */
#include "xbtest.h"

#include "../stats/stall_parts.h"
#include "clue.h"

#include <math.h>
#include <string.h>

static const double MIB = 1 << 20;

/* No machine's: each level takes ten times as long as the one before. */
static const struct xb_capacity capacity = {
    .bytes = { [XB_LEVEL_L1] = 32 << 10, [XB_LEVEL_L2] = 1 << 20, [XB_LEVEL_LLC] = 32 << 20 },
    .latency_ns = { [XB_LEVEL_L1] = 1,
                    [XB_LEVEL_L2] = 10,
                    [XB_LEVEL_LLC] = 100,
                    [XB_LEVEL_DRAM] = 1000 },
};

/* So many samples at loads of a set of so many bytes, and as many at additions. */
static struct xb_stall_sums half_in(double bytes, size_t touches)
{
    struct xb_stall_sums sums = { .n = 2 * touches, .n_pools = 1 };
    sums.kind[XB_STALL_ALU] = sums.kind[XB_STALL_LOAD] = touches;
    sums.pool[0] = (struct xb_pool){ .touches = touches, .size = { bytes, 0.1, 100, 64, 0 } };
    return sums;
}

XB_TEST(StallParts, ALevelIsTheFirstThatHolds)
{
    XB_EXPECT_EQ(xb_level_of(&capacity, 1), XB_LEVEL_L1);
    XB_EXPECT_EQ(xb_level_of(&capacity, 32 << 10), XB_LEVEL_L1);
    XB_EXPECT_EQ(xb_level_of(&capacity, (32 << 10) + 1), XB_LEVEL_L2);
    XB_EXPECT_EQ(xb_level_of(&capacity, 32 * MIB), XB_LEVEL_LLC);
    XB_EXPECT_EQ(xb_level_of(&capacity, INFINITY), XB_LEVEL_DRAM);
}

XB_TEST(StallParts, TimeGoesToTheLevelThatASetIsIn)
{
    static const struct {
        double bytes;
        enum xb_bound bound;
        double least; /* of the half that touches it */
    } sets[] = {
        { 16 << 10, XB_BOUND_CPU, 1 },
        { MIB / 2, XB_BOUND_CACHE, 0.85 }, /* a tenth of each load the first cache takes too */
        { 16 * MIB, XB_BOUND_CACHE, 0.95 },
        { 4096 * MIB, XB_BOUND_MEMORY, 0.95 },
        { INFINITY, XB_BOUND_MEMORY, 0.95 },
    };
    for (size_t i = 0; i < sizeof sets / sizeof sets[0]; i++) {
        struct xb_stall_sums sums = half_in(sets[i].bytes, 500);
        struct xb_findings found = { 0 };
        xb_stall_divide_user(&capacity, &sums, 1, &found);
        double share = bound_share(&found, XB_WHOLE_USER, sets[i].bound);
        if (sets[i].bound == XB_BOUND_CPU)
            share -= 0.5;
        XB_EXPECT(share >= 0.5 * sets[i].least - 1e-9 && share <= 0.5 + 1e-9);
        XB_EXPECT(fabs(sum_of_parts(&found, XB_WHOLE_USER) - 1) < 1e-9);
        XB_EXPECT(found.weight[XB_WHOLE_USER] == 1);
    }
}

XB_TEST(StallParts, ASetTwiceAsLargeAsACacheIsPartlyInIt)
{
    struct xb_stall_sums sums = half_in(64 * MIB, 500);
    struct xb_findings found = { 0 };
    xb_stall_divide_user(&capacity, &sums, 1, &found);
    double cache = bound_share(&found, XB_WHOLE_USER, XB_BOUND_CACHE),
           memory = bound_share(&found, XB_WHOLE_USER, XB_BOUND_MEMORY);
    /* Half of the touches end in DRAM, at ten times the time. */
    XB_EXPECT(fabs(memory / cache - 10) < 1);
}

XB_TEST(StallParts, FewScatteredTouchesAreNoSet)
{
    struct xb_stall_sums sums = half_in(INFINITY, 40);
    struct xb_findings found = { 0 };
    xb_stall_divide_user(&capacity, &sums, 1, &found);
    XB_EXPECT(bound_share(&found, XB_WHOLE_USER, XB_BOUND_MEMORY) == 0);
    XB_EXPECT(fabs(bound_share(&found, XB_WHOLE_USER, XB_BOUND_UNKNOWN) - 0.5) < 1e-9);
    XB_EXPECT(found.weight[XB_WHOLE_USER] < 0.1);
}

XB_TEST(StallParts, OfTwoSizesThatAreBoundAlikeOneIsAsGood)
{
    struct xb_stall_sums sums = half_in(16 * MIB, 500);
    struct xb_findings alike = { 0 }, unlike = { 0 };
    sums.pool[0].size.bytes_least = 2 * MIB;
    xb_stall_divide_user(&capacity, &sums, 1, &alike);
    sums.pool[0].size.bytes_least = 4096;
    xb_stall_divide_user(&capacity, &sums, 1, &unlike);
    XB_EXPECT(alike.weight[XB_WHOLE_USER] == 1);
    XB_EXPECT(fabs(unlike.weight[XB_WHOLE_USER] - 0.75) < 1e-9);
}

XB_TEST(StallParts, ThreadsThatSpinForEachOtherTakeTurns)
{
    struct xb_stall_sums sums = { .n = 1000 };
    sums.kind[XB_STALL_ALU] = sums.kind[XB_STALL_PAUSE] = 500;
    struct xb_findings two = { 0 }, one = { 0 }, four = { 0 };
    xb_stall_divide_user(&capacity, &sums, 2, &two);
    xb_stall_divide_user(&capacity, &sums, 1, &one);
    xb_stall_divide_user(&capacity, &sums, 4, &four);
    XB_EXPECT(two.turns == 1);
    XB_EXPECT(one.turns == 0);  /* nobody to take turns with */
    XB_EXPECT(four.turns == 0); /* two of them get something done */
    XB_EXPECT(fabs(bound_share(&two, XB_WHOLE_USER, XB_BOUND_SYNC) - 0.5) < 1e-9);
}

XB_TEST(StallParts, CallsDivideTheKernelByNumber)
{
    struct xb_stall_sums sums = { .n = 100 };
    struct xb_findings found = { 0 }, few = { 0 };
    sums.kind[XB_STALL_SYSCALL] = 40;
    sums.work[XB_WAIT_NETWORK] = 30;
    sums.work[XB_WAIT_LOCK] = 10;
    xb_stall_divide_kernel(&sums, &found);
    XB_EXPECT(fabs(bound_share(&found, XB_WHOLE_KERNEL, XB_BOUND_IO) - 0.75) < 1e-9);
    XB_EXPECT(fabs(bound_share(&found, XB_WHOLE_KERNEL, XB_BOUND_SYNC) - 0.25) < 1e-9);
    XB_EXPECT(fabs(clue_of(&found, "io_call_share") - 0.75) < 1e-9);
    XB_EXPECT(found.weight[XB_WHOLE_KERNEL] > 0 && found.weight[XB_WHOLE_KERNEL] < 1);
    sums.kind[XB_STALL_SYSCALL] = 5;
    xb_stall_divide_kernel(&sums, &few);
    XB_EXPECT(few.n_parts == 0 && few.weight[XB_WHOLE_KERNEL] == 0);
}

enum { EACH = 400 };

/* Two threads, one after the other: samples of the first at site 0, of the second at `second`. */
static void two_threads(struct xb_stalled *sample, uint32_t second)
{
    uint64_t random = 1;
    memset(sample, 0, 2 * EACH * sizeof *sample);
    for (size_t i = 0; i < 2 * EACH; i++) {
        random = random * UINT64_C(6364136223846793005) + 1442695040888963407;
        sample[i].tid = i < EACH ? 1 : 2;
        sample[i].time_ns = i;
        sample[i].site = i < EACH ? 0 : second;
        sample[i].fate = sample[i].site == 0 ? XB_FATE_KNOWN : XB_FATE_NONE;
        sample[i].address = sample[i].fate == XB_FATE_KNOWN ? (random >> 32) << 6 : 0;
    }
}

XB_TEST(StallParts, AThreadThatWaitsIsUnlikeOneThatDoesNot)
{
    struct xb_stall_site site[2] = { { .stall.kind = XB_STALL_LOAD },
                                     { .stall.kind = XB_STALL_ALU } };
    static struct xb_stalled sample[2 * EACH];
    struct xb_findings alike = { 0 }, unlike = { 0 }, none = { 0 };
    two_threads(sample, 0);
    XB_EXPECT_EQ(xb_stall_compare_threads(&capacity, sample, 2 * EACH, site, 2, &alike), 0);
    XB_EXPECT(alike.unlike == 0);
    two_threads(sample, 1);
    XB_EXPECT_EQ(xb_stall_compare_threads(&capacity, sample, 2 * EACH, site, 2, &unlike), 0);
    XB_EXPECT(unlike.unlike == 1);
    /* One alone, and nobody. */
    XB_EXPECT_EQ(xb_stall_compare_threads(&capacity, sample, EACH, site, 2, &none), 0);
    XB_EXPECT_EQ(xb_stall_compare_threads(&capacity, sample, 0, site, 2, &none), 0);
    XB_EXPECT(none.unlike == 0);
}
