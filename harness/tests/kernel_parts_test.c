/* SPDX-License-Identifier: BSD-3-Clause
 * Tests how the kernel's time divides, on counts made by hand. */
#include "xbtest.h"

#include "../stats/kernel_parts.h"
#include "clue.h"

#include <math.h>

static const struct xb_kernel_costs costs = { .fault = 1000, .call = 500, .byte = 0.1 };
static const double nothing[XB_WAITS];

static struct xb_findings divide(const struct xb_kernel_work *work)
{
    struct xb_findings found = { 0 };
    xb_kernel_divide(work, &costs, &found);
    for (size_t i = 0; i < found.n_parts; i++)
        XB_EXPECT_EQ(found.part[i].of, XB_WHOLE_KERNEL);
    XB_EXPECT_NEAR(sum_of_parts(&found, XB_WHOLE_KERNEL), 1, 1e-9);
    return found;
}

XB_TEST(KernelParts, CountsDivideItByWhatTheyCost)
{
    struct xb_findings found = divide(&(struct xb_kernel_work){
        .ns = 1e9, .faults = 3e5, .has_io = true, .calls = 1e6, .bytes = 2e9, .waited = nothing });
    XB_EXPECT_NEAR(bound_share(&found, XB_WHOLE_KERNEL, XB_BOUND_KERNEL), 0.3, 1e-9);
    XB_EXPECT_NEAR(bound_share(&found, XB_WHOLE_KERNEL, XB_BOUND_IO), 0.7, 1e-9);
    XB_EXPECT(clue_of(&found, "io_calls_per_kernel_second") == 1e6);
}

XB_TEST(KernelParts, WhatCountsLeaveDividesAsTheyDo)
{
    struct xb_findings found = divide(&(struct xb_kernel_work){
        .ns = 1e9, .faults = 1e5, .has_io = true, .calls = 6e5, .waited = nothing });
    XB_EXPECT_NEAR(bound_share(&found, XB_WHOLE_KERNEL, XB_BOUND_KERNEL), 0.25, 1e-9);
    XB_EXPECT_NEAR(bound_share(&found, XB_WHOLE_KERNEL, XB_BOUND_IO), 0.75, 1e-9);
}

XB_TEST(KernelParts, WhatNobodyCanNameStaysUnknown)
{
    struct xb_findings found = divide(&(struct xb_kernel_work){ .ns = 1e9, .waited = nothing });
    XB_EXPECT_NEAR(bound_share(&found, XB_WHOLE_KERNEL, XB_BOUND_UNKNOWN), 1, 1e-9);
    XB_EXPECT(found.weight[XB_WHOLE_KERNEL] == 0);
}

XB_TEST(KernelParts, NoTimeHasNoParts)
{
    struct xb_findings found = { 0 };
    xb_kernel_divide(&(struct xb_kernel_work){ .waited = nothing }, &costs, &found);
    XB_EXPECT(found.n_parts == 0 && found.n_clues == 0);
}

XB_TEST(KernelParts, WhoWaitsForTheNetworkAlsoWorksForIt)
{
    const double waited[XB_WAITS] = { [XB_WAIT_NETWORK] = 0.3 };
    struct xb_findings found = divide(
        &(struct xb_kernel_work){ .ns = 1e9, .wakes = 1000, .waited = waited, .waits = 0.3 });
    XB_EXPECT_NEAR(bound_share(&found, XB_WHOLE_KERNEL, XB_BOUND_IO), 1, 1e-9);
    XB_EXPECT(found.weight[XB_WHOLE_KERNEL] > 0);
}

/* A second of the kernel's is not the work of three naps. */
XB_TEST(KernelParts, LocksExplainNoMoreThanTheirSleepersCanHaveCost)
{
    const double waited[XB_WAITS] = { [XB_WAIT_LOCK] = 0.3 };
    struct xb_kernel_work work = { .ns = 1e9, .wakes = 3, .waited = waited, .waits = 0.3 };
    struct xb_findings few = divide(&work);
    XB_EXPECT(bound_share(&few, XB_WHOLE_KERNEL, XB_BOUND_SYNC) < 1e-3);
    XB_EXPECT(bound_share(&few, XB_WHOLE_KERNEL, XB_BOUND_UNKNOWN) > 0.99);
    work.wakes = 100000;
    struct xb_findings many = divide(&work);
    XB_EXPECT_NEAR(bound_share(&many, XB_WHOLE_KERNEL, XB_BOUND_SYNC), 1, 1e-9);
}

XB_TEST(KernelParts, PipesExplainLittleBesideTheReadsThatAreCounted)
{
    const double waited[XB_WAITS] = { [XB_WAIT_PIPE] = 0.1 };
    struct xb_kernel_work work = {
        .ns = 1e9, .has_io = true, .calls = 2000, .wakes = 100, .waited = waited, .waits = 0.1
    };
    struct xb_findings counted = divide(&work);
    XB_EXPECT(bound_share(&counted, XB_WHOLE_KERNEL, XB_BOUND_IO) < 0.01);
    XB_EXPECT(bound_share(&counted, XB_WHOLE_KERNEL, XB_BOUND_UNKNOWN) > 0.99);
    work.has_io = false;
    struct xb_findings uncounted = divide(&work);
    XB_EXPECT_NEAR(bound_share(&uncounted, XB_WHOLE_KERNEL, XB_BOUND_IO), 1, 1e-9);
}

XB_TEST(KernelParts, RingsAreIoByTheirOperationsOrWhereTheyAreAlwaysAtWork)
{
    const double waited[XB_WAITS] = { [XB_WAIT_LOCK] = 0.01 };
    struct xb_kernel_work work = { .ns = 1e9, .wakes = 3, .waited = waited, .waits = 0.01 };
    work.in_rings = 20000;
    struct xb_findings counted = divide(&work);
    XB_EXPECT(bound_share(&counted, XB_WHOLE_KERNEL, XB_BOUND_IO) > 0.99);
    work.in_rings = 0;
    work.rings_ns = 0.8e9;
    struct xb_findings met = divide(&work);
    XB_EXPECT(bound_share(&met, XB_WHOLE_KERNEL, XB_BOUND_IO) > 0.79);
    XB_EXPECT(clue_of(&met, "ring_share_of_kernel") > 0.79);
    work.rings_ns = 0;
    struct xb_findings idle = divide(&work);
    XB_EXPECT(bound_share(&idle, XB_WHOLE_KERNEL, XB_BOUND_IO) == 0);
}

/* Who sleeps in a ring until a time is over has the kernel work for timers. */
XB_TEST(KernelParts, WhatAProgramMostlyWaitsForComesBeforeItsRings)
{
    const double waited[XB_WAITS] = { [XB_WAIT_TIMER] = 0.9 };
    struct xb_findings found = divide(&(struct xb_kernel_work){
        .ns = 1e7, .wakes = 1000, .in_rings = 1000, .waited = waited, .waits = 0.9 });
    XB_EXPECT(bound_share(&found, XB_WHOLE_KERNEL, XB_BOUND_SYNC) > 0.9);
}

XB_TEST(KernelParts, SectorsOfEachOperationAreADisks)
{
    struct xb_findings found = divide(&(struct xb_kernel_work){ .ns = 1e9,
                                                                .has_io = true,
                                                                .storage_bytes = 4096 * 10000.0,
                                                                .in_rings = 10000,
                                                                .waited = nothing });
    double disk = 0;
    for (size_t i = 0; i < found.n_parts; i++)
        disk += found.part[i].level == XB_LEVEL_DISK ? found.part[i].share : 0;
    XB_EXPECT(disk > 0.9);
}
