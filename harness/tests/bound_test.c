/* SPDX-License-Identifier: BSD-3-Clause
 * The verdict on findings made by hand: each class and level, each way to abstain, probes that are
 * missing, and probes that contradict each other. */
#include "../core/bound.h"
#include "xbtest.h"

#include <math.h>
#include <string.h>

static struct xb_findings weighing(enum xb_whole whole, double weight)
{
    struct xb_findings findings = { 0 };
    findings.weight[whole] = weight;
    return findings;
}

static void part(struct xb_findings *findings, enum xb_whole of, enum xb_bound bound,
                 enum xb_level level, double share)
{
    xb_add_part(
        findings,
        (struct xb_part){
            .of = of, .is = XB_WHOLE_TIME, .bound = bound, .level = level, .share = share });
}

/* All time: so much in user mode and in the kernel; the caller adds the rest. */
static struct xb_findings time_of(double user, double kernel)
{
    struct xb_findings findings = weighing(XB_WHOLE_TIME, 1);
    xb_add_part(&findings,
                (struct xb_part){ .of = XB_WHOLE_TIME, .is = XB_WHOLE_USER, .share = user });
    xb_add_part(&findings,
                (struct xb_part){ .of = XB_WHOLE_TIME, .is = XB_WHOLE_KERNEL, .share = kernel });
    return findings;
}

/* User mode: where the loads that it stalls on live. */
static struct xb_findings stalls(double l1, double l2, double llc, double dram, double unknown)
{
    struct xb_findings findings = weighing(XB_WHOLE_USER, 1);
    part(&findings, XB_WHOLE_USER, XB_BOUND_CPU, XB_LEVEL_L1, l1);
    part(&findings, XB_WHOLE_USER, XB_BOUND_CACHE, XB_LEVEL_L2, l2);
    part(&findings, XB_WHOLE_USER, XB_BOUND_CACHE, XB_LEVEL_LLC, llc);
    part(&findings, XB_WHOLE_USER, XB_BOUND_MEMORY, XB_LEVEL_DRAM, dram);
    part(&findings, XB_WHOLE_USER, XB_BOUND_UNKNOWN, XB_LEVEL_NONE, unknown);
    return findings;
}

static struct xb_judgement judge(const struct xb_findings *findings, size_t n)
{
    struct xb_judgement judged;
    xb_bound_judge(findings, n, &judged);
    double sum = 0, levels = 0;
    for (int b = 0; b <= XB_BOUND_UNKNOWN; b++)
        sum += judged.share[b];
    for (int l = 0; l < XB_LEVELS; l++)
        levels += judged.level_share[l];
    XB_EXPECT_NEAR(sum, 1, 1e-9);
    XB_EXPECT_NEAR(levels, 1, 1e-9);
    XB_EXPECT(judged.confidence >= 0 && judged.confidence <= 1);
    XB_EXPECT(judged.reason[0] != 0);
    return judged;
}

static struct xb_judgement judge_two(struct xb_findings a, struct xb_findings b)
{
    struct xb_findings both[] = { a, b };
    return judge(both, 2);
}

static void expect(struct xb_judgement judged, enum xb_bound bound, enum xb_level level)
{
    XB_EXPECT_STREQ(xb_bound_name(judged.bound), xb_bound_name(bound));
    XB_EXPECT_STREQ(xb_level_word(judged.level), xb_level_word(level));
}

XB_TEST(Bound, UserModeWithoutStallsIsCpu)
{
    struct xb_judgement judged = judge_two(time_of(0.95, 0.05), stalls(0.97, 0.02, 0, 0.01, 0));
    expect(judged, XB_BOUND_CPU, XB_LEVEL_L1);
    XB_EXPECT(judged.confidence > 0.8);
}

XB_TEST(Bound, FortyPercentOfStallsOnDramAreMemory)
{
    expect(judge_two(time_of(1, 0), stalls(0.58, 0.01, 0.01, 0.40, 0)), XB_BOUND_MEMORY,
           XB_LEVEL_DRAM);
}

XB_TEST(Bound, StallsOnTheSecondOrLastCacheAreCacheWithThatLevel)
{
    expect(judge_two(time_of(1, 0), stalls(0.3, 0.6, 0.1, 0, 0)), XB_BOUND_CACHE, XB_LEVEL_L2);
    expect(judge_two(time_of(1, 0), stalls(0.3, 0.1, 0.6, 0, 0)), XB_BOUND_CACHE, XB_LEVEL_LLC);
}

XB_TEST(Bound, FewDramStallsAmongManyInCachesAreCache)
{
    expect(judge_two(time_of(1, 0), stalls(0.3, 0, 0.5, 0.2, 0)), XB_BOUND_CACHE, XB_LEVEL_LLC);
}

XB_TEST(Bound, BlockedTimeHasTheClassAndLevelOfWhatItWaitsFor)
{
    static const struct {
        enum xb_bound bound;
        enum xb_level level;
    } waits[] = {
        { XB_BOUND_IO, XB_LEVEL_DISK },    { XB_BOUND_IO, XB_LEVEL_NETWORK },
        { XB_BOUND_IO, XB_LEVEL_NONE },    { XB_BOUND_SYNC, XB_LEVEL_LOCK },
        { XB_BOUND_SYNC, XB_LEVEL_TIMER }, { XB_BOUND_SYNC, XB_LEVEL_NONE },
    };
    for (size_t i = 0; i < sizeof waits / sizeof waits[0]; i++) {
        struct xb_findings time = time_of(0.1, 0.05);
        part(&time, XB_WHOLE_TIME, waits[i].bound, waits[i].level, 0.85);
        struct xb_judgement judged = judge(&time, 1);
        expect(judged, waits[i].bound, waits[i].level);
        XB_EXPECT_NEAR(judged.share[waits[i].bound], 0.85, 1e-9);
        XB_EXPECT_NEAR(judged.waits, 0.85, 1e-9);
        XB_EXPECT_NEAR(judged.level_waiting[waits[i].level], 0.85, 1e-9);
        XB_EXPECT(judged.confidence > 0.7);
    }
}

/* Counts explain a tenth of the kernel's time, and samples say what its calls are for. */
XB_TEST(Bound, WhatOneProbeCannotNameOfTheKernelDividesAsTheOtherHasIt)
{
    struct xb_findings all[3] = { time_of(0.1, 0.9), weighing(XB_WHOLE_KERNEL, 0.05),
                                  weighing(XB_WHOLE_KERNEL, 0.5) };
    part(&all[1], XB_WHOLE_KERNEL, XB_BOUND_KERNEL, XB_LEVEL_NONE, 0.1);
    part(&all[1], XB_WHOLE_KERNEL, XB_BOUND_UNKNOWN, XB_LEVEL_NONE, 0.9);
    part(&all[2], XB_WHOLE_KERNEL, XB_BOUND_IO, XB_LEVEL_NETWORK, 1);
    struct xb_judgement judged = judge(all, 3);
    expect(judged, XB_BOUND_IO, XB_LEVEL_NETWORK);
    XB_EXPECT_NEAR(judged.share[XB_BOUND_KERNEL], 0.9 * 0.1 * 0.05 / 0.55, 1e-9);
    expect(judge(all, 2), XB_BOUND_KERNEL, XB_LEVEL_NONE);
}

/* The kernel's work for a disk is bound by the disk, and is no waiting. */
XB_TEST(Bound, CpuTimeIsNoWaitingWhateverItIsSpentOn)
{
    struct xb_findings time = time_of(0.2, 0.3), kernel = weighing(XB_WHOLE_KERNEL, 1);
    part(&time, XB_WHOLE_TIME, XB_BOUND_IO, XB_LEVEL_DISK, 0.4);
    part(&time, XB_WHOLE_TIME, XB_BOUND_UNKNOWN, XB_LEVEL_NONE, 0.1);
    part(&kernel, XB_WHOLE_KERNEL, XB_BOUND_IO, XB_LEVEL_DISK, 1);
    struct xb_judgement judged = judge_two(time, kernel), all;
    XB_EXPECT_NEAR(judged.share[XB_BOUND_IO], 0.7, 1e-9);
    XB_EXPECT_NEAR(judged.waiting[XB_BOUND_IO], 0.4, 1e-9);
    XB_EXPECT_NEAR(judged.level_waiting[XB_LEVEL_DISK], 0.4, 1e-9);
    XB_EXPECT_NEAR(judged.waiting[XB_BOUND_UNKNOWN], 0.1, 1e-9);
    XB_EXPECT_NEAR(judged.waits, 0.5, 1e-9);

    /* Of phases, those that know: without a probe for all time, nobody does. */
    struct xb_judgement phases[] = { judged, judged };
    const double seconds[] = { 3, 1 };
    struct xb_findings user = stalls(1, 0, 0, 0, 0);
    phases[0] = judge(&user, 1);
    XB_EXPECT(isnan(phases[0].waits));
    xb_bound_judge_phases(phases, seconds, 2, 0, &all);
    XB_EXPECT_NEAR(all.waits, 0.5, 1e-9);
    xb_bound_judge_phases(phases, seconds, 1, 0, &all);
    XB_EXPECT(isnan(all.waits));
}

XB_TEST(Bound, SpinningInUserModeIsSync)
{
    struct xb_findings user = weighing(XB_WHOLE_USER, 1);
    part(&user, XB_WHOLE_USER, XB_BOUND_SYNC, XB_LEVEL_LOCK, 0.8);
    part(&user, XB_WHOLE_USER, XB_BOUND_CPU, XB_LEVEL_L1, 0.2);
    expect(judge_two(time_of(1, 0), user), XB_BOUND_SYNC, XB_LEVEL_LOCK);
}

/* Two threads and a lock that is always held: one of them always spins, which is no more than half. */
XB_TEST(Bound, ThreadsThatTakeTurnsAreSyncHoweverFewTheyAre)
{
    struct xb_findings user = weighing(XB_WHOLE_USER, 1);
    part(&user, XB_WHOLE_USER, XB_BOUND_SYNC, XB_LEVEL_LOCK, 0.48);
    part(&user, XB_WHOLE_USER, XB_BOUND_CPU, XB_LEVEL_L1, 0.52);
    expect(judge_two(time_of(1, 0), user), XB_BOUND_MIXED, XB_LEVEL_NONE);
    user.turns = 1;
    struct xb_judgement judged = judge_two(time_of(1, 0), user), all;
    expect(judged, XB_BOUND_SYNC, XB_LEVEL_LOCK);
    const double seconds[] = { 1, 1 };
    xb_bound_judge_phases((struct xb_judgement[]){ judged, judged }, seconds, 2, 0, &all);
    expect(all, XB_BOUND_SYNC, XB_LEVEL_LOCK);
}

/* A process that follows a list beside one that is half in the kernel. */
XB_TEST(Bound, WaitingThatTheKernelEqualsIsMixed)
{
    struct xb_judgement judged = judge_two(time_of(0.69, 0.31), stalls(0.43, 0, 0, 0.57, 0));
    expect(judged, XB_BOUND_MIXED, XB_LEVEL_NONE);
    XB_EXPECT_HAS(judged.reason, "39 % of the time waits for caches or DRAM, 31 % is the kernel");
    expect(judge_two(time_of(0.9, 0.1), stalls(0.43, 0, 0, 0.57, 0)), XB_BOUND_MEMORY,
           XB_LEVEL_DRAM);
}

XB_TEST(Bound, OfThreadsThatAreUnlikeAClassNeedsMostOfAllTime)
{
    struct xb_findings user = stalls(0.45, 0, 0, 0.55, 0);
    expect(judge_two(time_of(1, 0), user), XB_BOUND_MEMORY, XB_LEVEL_DRAM);
    user.unlike = 1;
    struct xb_judgement judged = judge_two(time_of(1, 0), user), all;
    expect(judged, XB_BOUND_MIXED, XB_LEVEL_NONE);
    XB_EXPECT_HAS(judged.reason, "55 % of all time, and another does not");
    xb_bound_judge_phases(&judged, (double[]){ 1 }, 1, 0, &all);
    expect(all, XB_BOUND_MIXED, XB_LEVEL_NONE);
    user = stalls(0.35, 0, 0, 0.65, 0);
    user.unlike = 1;
    expect(judge_two(time_of(1, 0), user), XB_BOUND_MEMORY, XB_LEVEL_DRAM);
}

XB_TEST(Bound, TheKernelsWorkForDisksIsIo)
{
    struct xb_findings kernel = weighing(XB_WHOLE_KERNEL, 0.8);
    part(&kernel, XB_WHOLE_KERNEL, XB_BOUND_IO, XB_LEVEL_DISK, 0.9);
    part(&kernel, XB_WHOLE_KERNEL, XB_BOUND_KERNEL, XB_LEVEL_NONE, 0.1);
    expect(judge_two(time_of(0.1, 0.9), kernel), XB_BOUND_IO, XB_LEVEL_DISK);
}

XB_TEST(Bound, TimeInTheKernelThatNobodyDividesIsTheKernelsWithLessConfidence)
{
    struct xb_findings faults = weighing(XB_WHOLE_KERNEL, 0.9), time = time_of(0.1, 0.9);
    part(&faults, XB_WHOLE_KERNEL, XB_BOUND_KERNEL, XB_LEVEL_NONE, 1);
    struct xb_judgement undivided = judge(&time, 1), divided = judge_two(time, faults);
    expect(undivided, XB_BOUND_KERNEL, XB_LEVEL_NONE);
    expect(divided, XB_BOUND_KERNEL, XB_LEVEL_NONE);
    XB_EXPECT(undivided.confidence < divided.confidence);
}

XB_TEST(Bound, StallsBetweenTheTwoEdgesAreMixed)
{
    struct xb_judgement judged = judge_two(time_of(1, 0), stalls(0.67, 0, 0, 0.33, 0));
    expect(judged, XB_BOUND_MIXED, XB_LEVEL_NONE);
    XB_EXPECT_HAS(judged.reason, "33 %");
}

XB_TEST(Bound, ComputingAndDiskOfEqualSharesAreMixed)
{
    struct xb_findings time = time_of(0.5, 0);
    part(&time, XB_WHOLE_TIME, XB_BOUND_IO, XB_LEVEL_DISK, 0.5);
    struct xb_judgement judged = judge_two(time, stalls(1, 0, 0, 0, 0));
    expect(judged, XB_BOUND_MIXED, XB_LEVEL_NONE);
    XB_EXPECT_HAS(judged.reason, "computing");
    XB_EXPECT_HAS(judged.reason, "I/O");
}

XB_TEST(Bound, ThreeGroupsOfWhichNoneIsLargeAreMixed)
{
    struct xb_findings time = time_of(0.4, 0);
    part(&time, XB_WHOLE_TIME, XB_BOUND_IO, XB_LEVEL_DISK, 0.2);
    part(&time, XB_WHOLE_TIME, XB_BOUND_SYNC, XB_LEVEL_LOCK, 0.2);
    part(&time, XB_WHOLE_TIME, XB_BOUND_KERNEL, XB_LEVEL_NONE, 0.2);
    expect(judge_two(time, stalls(1, 0, 0, 0, 0)), XB_BOUND_MIXED, XB_LEVEL_NONE);
}

XB_TEST(Bound, NothingIsUnknown)
{
    struct xb_judgement judged = judge(NULL, 0);
    expect(judged, XB_BOUND_UNKNOWN, XB_LEVEL_NONE);
    XB_EXPECT_NEAR(judged.confidence, 0, 0);
}

XB_TEST(Bound, UserModeThatNobodyLookedIntoIsUnknownAndSaysSo)
{
    struct xb_findings time = time_of(0.9, 0.1);
    struct xb_judgement judged = judge(&time, 1);
    expect(judged, XB_BOUND_UNKNOWN, XB_LEVEL_NONE);
    XB_EXPECT_HAS(judged.reason, "user mode");
}

XB_TEST(Bound, WaitsThatNobodyCouldSeeAreUnknown)
{
    struct xb_findings time = time_of(0.1, 0);
    part(&time, XB_WHOLE_TIME, XB_BOUND_UNKNOWN, XB_LEVEL_NONE, 0.9);
    expect(judge_two(time, stalls(1, 0, 0, 0, 0)), XB_BOUND_UNKNOWN, XB_LEVEL_NONE);
}

XB_TEST(Bound, UnseenAddressesMatterOnlyWhereTheyCouldTurnTheVerdict)
{
    expect(judge_two(time_of(1, 0), stalls(0.3, 0, 0, 0.45, 0.25)), XB_BOUND_MEMORY, XB_LEVEL_DRAM);
    expect(judge_two(time_of(1, 0), stalls(0.55, 0, 0, 0.20, 0.25)), XB_BOUND_UNKNOWN,
           XB_LEVEL_NONE);
    expect(judge_two(time_of(1, 0), stalls(0.85, 0, 0, 0.05, 0.10)), XB_BOUND_CPU, XB_LEVEL_L1);
}

XB_TEST(Bound, StallsAloneGiveAVerdictOfLittleConfidence)
{
    struct xb_findings user = stalls(0.1, 0, 0, 0.9, 0);
    struct xb_judgement judged = judge(&user, 1);
    expect(judged, XB_BOUND_MEMORY, XB_LEVEL_DRAM);
    XB_EXPECT(judged.confidence <= 0.5);
    XB_EXPECT_HAS(judged.reason, "waits is not known");
}

XB_TEST(Bound, OfTwoThatContradictEachOtherTheHeavierPrevailsWithLessConfidence)
{
    struct xb_findings heavy = stalls(0.1, 0, 0, 0.9, 0), light = stalls(1, 0, 0, 0, 0);
    light.weight[XB_WHOLE_USER] = 0.1;
    struct xb_findings all[] = { time_of(1, 0), heavy, light };
    struct xb_judgement contradicted = judge(all, 3), alone = judge(all, 2);
    expect(contradicted, XB_BOUND_MEMORY, XB_LEVEL_DRAM);
    XB_EXPECT(contradicted.confidence < alone.confidence);

    all[1].weight[XB_WHOLE_USER] = 0.1;
    all[2].weight[XB_WHOLE_USER] = 1;
    expect(judge(all, 3), XB_BOUND_CPU, XB_LEVEL_L1);
}

XB_TEST(Bound, PartsThatDoNotAddUpAreScaledAndNonsenseIsPassedOver)
{
    struct xb_findings double_time = time_of(2, 0), broken = stalls(NAN, 0, -3, 0, 0);
    expect(judge_two(double_time, stalls(0.2, 0, 0, 0.6, 0)), XB_BOUND_MEMORY, XB_LEVEL_DRAM);
    expect(judge_two(double_time, broken), XB_BOUND_UNKNOWN, XB_LEVEL_NONE);
}

/* User mode as a probe sees it that cannot tell caches from DRAM. */
static struct xb_findings unplaced(double cpu, double dram, double waits)
{
    struct xb_findings findings = weighing(XB_WHOLE_USER, 1);
    part(&findings, XB_WHOLE_USER, XB_BOUND_CPU, XB_LEVEL_NONE, cpu);
    part(&findings, XB_WHOLE_USER, XB_BOUND_MEMORY, XB_LEVEL_DRAM, dram);
    part(&findings, XB_WHOLE_USER, XB_BOUND_MIXED, XB_LEVEL_NONE, waits);
    return findings;
}

XB_TEST(Bound, WaitingThatNobodyCanPlaceIsNeitherCacheNorMemory)
{
    struct xb_judgement judged = judge_two(time_of(1, 0), unplaced(0.2, 0, 0.8));
    expect(judged, XB_BOUND_UNKNOWN, XB_LEVEL_NONE);
    XB_EXPECT_HAS(judged.reason, "80 % of user mode waits for caches or DRAM");
    XB_EXPECT_HAS(judged.reason, "for which");
    XB_EXPECT_NEAR(judged.share[XB_BOUND_UNKNOWN], 0.8, 1e-9);
    XB_EXPECT_NEAR(judged.unplaced, 0.8, 1e-9);
    /* Little of it is none of the program's bounds, wherever it lies. */
    judged = judge_two(time_of(1, 0), unplaced(0.9, 0, 0.1));
    expect(judged, XB_BOUND_CPU, XB_LEVEL_NONE);
    XB_EXPECT(judged.confidence > 0.7);
    expect(judge_two(time_of(1, 0), unplaced(0.7, 0, 0.3)), XB_BOUND_MIXED, XB_LEVEL_NONE);
    /* Enough is known to lie in DRAM, whatever the rest does; too little is. */
    expect(judge_two(time_of(1, 0), unplaced(0.2, 0.5, 0.3)), XB_BOUND_MEMORY, XB_LEVEL_DRAM);
    expect(judge_two(time_of(1, 0), unplaced(0.2, 0.2, 0.6)), XB_BOUND_UNKNOWN, XB_LEVEL_NONE);
    struct xb_judgement all, phases[] = { judged, judge_two(time_of(1, 0), unplaced(0, 0, 1)) };
    xb_bound_judge_phases(phases, (double[]){ 1, 9 }, 2, 0, &all);
    expect(all, XB_BOUND_UNKNOWN, XB_LEVEL_NONE);
    XB_EXPECT_NEAR(all.unplaced, 0.91, 1e-9);
}

XB_TEST(Bound, WhatOneProbeCannotPlaceLiesWhereOthersSeeIt)
{
    struct xb_findings waits = unplaced(0.3, 0, 0.7), chase = stalls(0.3, 0, 0, 0.7, 0),
                       llc = stalls(0.3, 0, 0.7, 0, 0), none = stalls(1, 0, 0, 0, 0);
    struct xb_findings all[] = { time_of(1, 0), waits, chase };
    struct xb_judgement judged = judge(all, 3);
    expect(judged, XB_BOUND_MEMORY, XB_LEVEL_DRAM);
    XB_EXPECT_NEAR(judged.share[XB_BOUND_MEMORY], 0.7, 1e-9);
    XB_EXPECT_NEAR(judged.unplaced, 0, 1e-9);
    XB_EXPECT(judged.confidence > 0.7);
    all[2] = llc;
    expect(judge(all, 3), XB_BOUND_CACHE, XB_LEVEL_LLC);
    /* No more than they saw; and what it placed itself is not placed again. */
    all[2] = none;
    XB_EXPECT_NEAR(judge(all, 3).unplaced, 0.35, 1e-9);
    all[1] = unplaced(0.3, 0.5, 0.2);
    all[2] = stalls(0.5, 0, 0, 0.5, 0);
    judged = judge(all, 3);
    XB_EXPECT_NEAR(judged.unplaced, 0.1, 1e-9);
    XB_EXPECT_NEAR(judged.share[XB_BOUND_MEMORY], 0.5, 1e-9);
}

XB_TEST(Bound, StartingUpDoesNotCountUnlessThereIsNothingElse)
{
    struct xb_judgement phase[3], all;
    struct xb_findings time = time_of(0.2, 0);
    part(&time, XB_WHOLE_TIME, XB_BOUND_IO, XB_LEVEL_DISK, 0.8);
    phase[0] = judge(&time, 1);
    phase[1] = phase[2] = judge_two(time_of(1, 0), stalls(0.1, 0, 0, 0.9, 0));
    xb_bound_judge_phases(phase, (double[]){ 5, 1, 1 }, 3, 1, &all);
    expect(all, XB_BOUND_MEMORY, XB_LEVEL_DRAM);
    XB_EXPECT_NEAR(all.share[XB_BOUND_IO], 0, 1e-9);
    xb_bound_judge_phases(phase, (double[]){ 5, 1, 1 }, 1, 1, &all);
    expect(all, XB_BOUND_IO, XB_LEVEL_DISK);
}

/* Of phases that each letter stands for: c computing, m memory, i I/O. */
static size_t starting(const char *classes, bool goes_on)
{
    struct xb_judgement phases[16];
    size_t n = strlen(classes);
    for (size_t i = 0; i < n; i++) {
        enum xb_bound bound = classes[i] == 'c'   ? XB_BOUND_CPU
                              : classes[i] == 'm' ? XB_BOUND_MEMORY
                                                  : XB_BOUND_IO;
        phases[i] = (struct xb_judgement){ .bound = bound };
        phases[i].share[bound] = 1;
    }
    return xb_bound_starting(phases, n, goes_on);
}

XB_TEST(Bound, StartingUpIsAllUntilAProgramThatGoesOnHasSettled)
{
    XB_EXPECT_EQ(starting("", true), 0);
    XB_EXPECT_EQ(starting("icc", true), 0);
    XB_EXPECT_EQ(starting("cccc", true), 1);
    XB_EXPECT_EQ(starting("imccc", true), 2);
    XB_EXPECT_EQ(starting("iimccc", true), 3);
    XB_EXPECT_EQ(starting("iimccc", false), 1); /* that was all it did */
    XB_EXPECT_EQ(starting("iiimmcc", true), 1); /* not long enough to say it has settled */
    XB_EXPECT_EQ(starting("imcmccc", true), 1); /* it comes and goes */
}

XB_TEST(Bound, PhasesOfTwoClassesInEqualPartsAreMixedAndSaySo)
{
    struct xb_judgement phase[2], all;
    struct xb_findings time = time_of(0.05, 0);
    part(&time, XB_WHOLE_TIME, XB_BOUND_IO, XB_LEVEL_NETWORK, 0.95);
    phase[0] = judge(&time, 1);
    phase[1] = judge_two(time_of(1, 0), stalls(1, 0, 0, 0, 0));
    xb_bound_judge_phases(phase, (double[]){ 1, 1 }, 2, 0, &all);
    expect(all, XB_BOUND_MIXED, XB_LEVEL_NONE);
    XB_EXPECT_HAS(all.reason, "of it was");
}

XB_TEST(Bound, NoPhaseOrOneWithoutTimeIsUnknown)
{
    struct xb_judgement phase = { .bound = XB_BOUND_CPU, .share = { [XB_BOUND_CPU] = 1 } }, all;
    xb_bound_judge_phases(NULL, NULL, 0, 0, &all);
    expect(all, XB_BOUND_UNKNOWN, XB_LEVEL_NONE);
    xb_bound_judge_phases(&phase, (double[]){ 0 }, 1, 0, &all);
    expect(all, XB_BOUND_UNKNOWN, XB_LEVEL_NONE);
}
