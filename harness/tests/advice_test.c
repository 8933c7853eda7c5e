/* SPDX-License-Identifier: BSD-3-Clause
 * Tests the mimic, what advice assumes and says, and commands run at several numbers of workers. */
#include "xbtest.h"

#include "../core/advice.h"
#include "../core/advice_text.h"
#include "../core/registry.h"
#include "../core/standby.h"
#include "../core/trial.h"
#include "cellrun.h"
#include "spawn.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>

/* ---- shares ---- */

static struct xb_judgement judgement_of(enum xb_bound bound, enum xb_level level, double share)
{
    struct xb_judgement judgement = { .bound = bound, .level = level, .confidence = 1 };
    judgement.share[XB_BOUND_CPU] = 1 - share;
    judgement.share[bound] += share;
    judgement.level_share[level] += share;
    if (bound == XB_BOUND_IO || bound == XB_BOUND_SYNC) {
        judgement.waits = judgement.waiting[bound] = share;
        judgement.level_waiting[level] = share;
    }
    return judgement;
}

static struct xb_topology *open_topology(void)
{
    struct xb_topology *topology = NULL;
    struct xb_reason why;
    if (xb_topology_open(NULL, &topology, &why) != 0)
        XB_FAIL("topology: %s", why.text);
    return topology;
}

/* A machine of two CPUs, whatever this one has; NULL, and the test is skipped: without hwloc there is none. */
static struct xb_topology *two_cpus(void)
{
    struct xb_topology *topology = NULL;
    struct xb_reason why;
    if (xb_topology_open("synthetic:package:1 core:2 pu:1", &topology, &why) != 0)
        XB_SKIP("%s", why.text);
    return topology;
}

static struct xb_advice_ask ask_of(const struct xb_judgement *judgement,
                                   const struct xb_topology *topology)
{
    return (struct xb_advice_ask){ .judgement = judgement,
                                   .threads = NAN,
                                   .cpus = NAN,
                                   .wait_ns = NAN,
                                   .fsync_share = NAN,
                                   .far_cpus = NAN,
                                   .registry = &xb_builtin,
                                   .topology = topology,
                                   .scratch_dir = xb_test_folder() };
}

static double sum_of(const double share[XB_USES])
{
    double sum = 0;
    for (int use = 0; use < XB_USES; use++)
        sum += share[use];
    return sum;
}

XB_TEST(Advice, DividesALoneWorkersTimeAsTheJudgementDoes)
{
    struct xb_topology *topology = open_topology();
    struct xb_judgement judgement = { .bound = XB_BOUND_MIXED, .waits = NAN };
    struct xb_advice_shares lone;
    struct xb_reason why;
    judgement.share[XB_BOUND_CPU] = 0.3;
    judgement.share[XB_BOUND_CACHE] = 0.2;
    judgement.level_share[XB_LEVEL_LLC] = 0.15;
    judgement.share[XB_BOUND_IO] = 0.3;
    judgement.level_share[XB_LEVEL_DISK] = 0.2;
    judgement.level_share[XB_LEVEL_NETWORK] = 0.06;
    judgement.share[XB_BOUND_UNKNOWN] = 0.2;
    const struct xb_advice_ask ask = ask_of(&judgement, topology);
    XB_EXPECT_EQ(xb_advice_divide(&ask, &lone, &why), 0);
    XB_EXPECT_NEAR(sum_of(lone.share), 1, 1e-9);
    XB_EXPECT_NEAR(lone.share[XB_USE_COMPUTE], 0.3 / 0.8, 1e-9);
    XB_EXPECT_NEAR(lone.share[XB_USE_LLC], 0.15 / 0.8, 1e-9);
    XB_EXPECT_NEAR(lone.share[XB_USE_L2], 0.05 / 0.8, 1e-9);
    XB_EXPECT_NEAR(lone.share[XB_USE_DISK], 0.2 / 0.8, 1e-9);
    XB_EXPECT_NEAR(lone.share[XB_USE_WAIT], 0.06 / 0.8, 1e-9);
    XB_EXPECT_NEAR(lone.share[XB_USE_COPY], 0.04 / 0.8, 1e-9);
    xb_topology_close(topology);
}

XB_TEST(Advice, TakesTheKernelsWorkForADiskFromWhatIsWaited)
{
    struct xb_topology *topology = open_topology();
    struct xb_judgement judgement = judgement_of(XB_BOUND_IO, XB_LEVEL_DISK, 0.9);
    struct xb_advice_ask ask = ask_of(&judgement, topology);
    struct xb_advice_shares lone;
    struct xb_reason why;
    judgement.waits = judgement.waiting[XB_BOUND_IO] = 0.6;
    judgement.level_waiting[XB_LEVEL_DISK] = 0.6;
    XB_EXPECT_EQ(xb_advice_divide(&ask, &lone, &why), 0);
    XB_EXPECT_NEAR(lone.share[XB_USE_DISK], 0.6, 1e-9);
    XB_EXPECT_NEAR(lone.share[XB_USE_COPY], 0.3, 1e-9);
    ask.fsync_share = 0.75;
    XB_EXPECT_EQ(xb_advice_divide(&ask, &lone, &why), 0);
    XB_EXPECT_NEAR(lone.share[XB_USE_FSYNC], 0.45, 1e-9);
    XB_EXPECT_NEAR(lone.share[XB_USE_DISK], 0.15, 1e-9);
    XB_EXPECT_NEAR(lone.share[XB_USE_COMPUTE], 0.1, 1e-9);
    xb_topology_close(topology);
}

XB_TEST(Advice, TakesCpuTimeThatNobodyDividesForComputing)
{
    struct xb_topology *topology = open_topology();
    struct xb_judgement judgement = judgement_of(XB_BOUND_UNKNOWN, XB_LEVEL_NONE, 0.99);
    struct xb_advice_ask ask = ask_of(&judgement, topology);
    struct xb_advice_shares lone;
    struct xb_reason why;
    ask.cpus = 0.99;
    XB_EXPECT_EQ(xb_advice_divide(&ask, &lone, &why), 0);
    XB_EXPECT_NEAR(lone.share[XB_USE_COMPUTE], 1, 1e-9);
    XB_EXPECT_HAS(lone.note, "taken for computing");
    xb_topology_close(topology);
}

/* Short-lived processes make more threads in a second than there are workers. */
XB_TEST(Advice, GoesByTheCpuTimeOfWorkersWhereTheirNumberIsKnown)
{
    struct xb_topology *topology = open_topology();
    struct xb_judgement judgement = judgement_of(XB_BOUND_SYNC, XB_LEVEL_TIMER, 0.4);
    struct xb_advice_ask ask = ask_of(&judgement, topology);
    struct xb_advice_shares lone;
    struct xb_reason why;
    ask.watched_at = 1;
    ask.threads = 6;
    ask.cpus = 0.2;
    XB_EXPECT_EQ(xb_advice_divide(&ask, &lone, &why), 0);
    XB_EXPECT_NEAR(lone.share[XB_USE_COMPUTE], 0.2, 1e-9);
    XB_EXPECT_NEAR(lone.share[XB_USE_WAIT], 0.8, 1e-9);
    xb_topology_close(topology);
}

XB_TEST(Advice, RefusesSharesThatDoNotAddUp)
{
    struct xb_topology *topology = open_topology();
    struct xb_judgement judgement = judgement_of(XB_BOUND_CPU, XB_LEVEL_NONE, 0);
    const struct xb_advice_ask ask = ask_of(&judgement, topology);
    struct xb_advice_shares lone;
    struct xb_advice advice;
    struct xb_reason why;
    judgement.share[XB_BOUND_MEMORY] = 0.4;
    XB_EXPECT_EQ(xb_advice_divide(&ask, &lone, &why), -EINVAL);
    XB_EXPECT_HAS(why.text, "add up to 1.4");
    XB_EXPECT_EQ(xb_advice_measure(&ask, &advice, &why), -EINVAL);
    judgement.share[XB_BOUND_MEMORY] = NAN;
    XB_EXPECT_EQ(xb_advice_divide(&ask, &lone, &why), -EINVAL);
    judgement.share[XB_BOUND_MEMORY] = -0.1;
    XB_EXPECT_EQ(xb_advice_divide(&ask, &lone, &why), -EINVAL);
    judgement = judgement_of(XB_BOUND_UNKNOWN, XB_LEVEL_NONE, 1);
    XB_EXPECT_EQ(xb_advice_divide(&ask, &lone, &why), -ENODATA);
    xb_topology_close(topology);
}

/* ---- locks ---- */

/* By brute force instead of bisection; both of one worker's cycle of 1. */
XB_TEST(Advice, FindsTheLockThatMakesWorkersWaitSoLong)
{
    /* Two workers that do nothing but hold the lock each wait half of the time. */
    XB_EXPECT_NEAR(xb_mimic_lock_share(0.5, 2), 1, 1e-6);
    XB_EXPECT_NEAR(xb_mimic_lock_share(0, 2), 0, 1e-6);
    /* With 16 the queue is never empty: each has the lock for 1/16 of its time, holds it for h of
     * what is not waiting, (1 - 0.875): h = 0.5. */
    XB_EXPECT_NEAR(xb_mimic_lock_share(0.875, 16), 0.5, 0.01);
    XB_EXPECT_EQ(xb_mimic_lock_share(0.99, 4), 1);
}

XB_TEST(Advice, TakesHelpersAtRestForNoLock)
{
    struct xb_topology *topology = open_topology();
    struct xb_judgement judgement = judgement_of(XB_BOUND_SYNC, XB_LEVEL_LOCK, 0.5);
    struct xb_advice_ask ask = ask_of(&judgement, topology);
    struct xb_advice_shares lone;
    struct xb_reason why;
    /* One worker that has a CPU all the time, and a thread that waits for it. */
    ask.watched_at = 1;
    ask.threads = 2;
    ask.cpus = 1;
    XB_EXPECT_EQ(xb_advice_divide(&ask, &lone, &why), 0);
    XB_EXPECT_NEAR(lone.share[XB_USE_COMPUTE], 1, 1e-9);
    /* They take turns. */
    ask.cpus = 0.6;
    XB_EXPECT_EQ(xb_advice_divide(&ask, &lone, &why), 0);
    XB_EXPECT_NEAR(lone.share[XB_USE_LOCK], 0, 1e-9);
    XB_EXPECT_HAS(lone.note, "helpers at rest");

    /* Two workers and one thread that waits for both. */
    judgement = judgement_of(XB_BOUND_SYNC, XB_LEVEL_LOCK, 1.0 / 3);
    ask.watched_at = 2;
    ask.threads = 3;
    ask.cpus = 2;
    XB_EXPECT_EQ(xb_advice_divide(&ask, &lone, &why), 0);
    XB_EXPECT_NEAR(lone.share[XB_USE_LOCK], 0, 1e-6);

    /* Nobody knows how many are workers, but all CPUs are busy. */
    ask.watched_at = 0;
    ask.threads = 1e6;
    ask.cpus = 1e5;
    XB_EXPECT_EQ(xb_advice_divide(&ask, &lone, &why), 0);
    XB_EXPECT_NEAR(lone.share[XB_USE_LOCK], 0, 1e-9);
    XB_EXPECT_HAS(lone.note, "more threads than CPUs");
    xb_topology_close(topology);
}

XB_TEST(Advice, TakesWorkersThatWaitForEachOtherForOneLock)
{
    struct xb_topology *topology = two_cpus();
    if (!topology)
        return;
    struct xb_judgement judgement = judgement_of(XB_BOUND_SYNC, XB_LEVEL_LOCK, 0.5);
    struct xb_advice_ask ask = ask_of(&judgement, topology);
    struct xb_advice_shares lone;
    struct xb_reason why;
    ask.watched_at = 2;
    ask.threads = 2;
    ask.cpus = 0.5;
    XB_EXPECT_EQ(xb_advice_divide(&ask, &lone, &why), 0);
    XB_EXPECT_NEAR(lone.share[XB_USE_LOCK], 1, 0.01);
    XB_EXPECT_NEAR(sum_of(lone.share), 1, 1e-9);
    XB_EXPECT_HAS(lone.note, "watched with 2 workers");

    /* Such waits are too long for a lock: of two workers, half of whose time is idle, one has all the work. */
    ask.cpus = 1;
    ask.wait_ns = 50e6;
    XB_EXPECT_EQ(xb_advice_divide(&ask, &lone, &why), 0);
    XB_EXPECT_NEAR(lone.share[XB_USE_LOCK], 0, 1e-9);
    XB_EXPECT_NEAR(lone.serial, 1, 1e-9);
    xb_topology_close(topology);
}

/* Threads that are started for what can be shared out, and not there while the rest is done. */
XB_TEST(Advice, TakesWorkersThatAreNotThereForASerialPart)
{
    struct xb_topology *topology = two_cpus();
    if (!topology)
        return;
    struct xb_judgement judgement = judgement_of(XB_BOUND_CPU, XB_LEVEL_NONE, 0);
    struct xb_advice_ask ask = ask_of(&judgement, topology);
    struct xb_advice_shares lone;
    struct xb_reason why;
    ask.watched_at = 2;
    ask.wait_ns = 50e6;
    ask.cpus = 4.0 / 3; /* half of it alone: 2 / (1 + 1/2) */
    XB_EXPECT_EQ(xb_advice_divide(&ask, &lone, &why), 0);
    XB_EXPECT_NEAR(lone.serial, 0.5, 1e-9);
    XB_EXPECT_NEAR(lone.share[XB_USE_COMPUTE], 1, 1e-9);
    XB_EXPECT_HAS(lone.note, "50 % of a lone one's time");
    xb_topology_close(topology);
}

/* ---- the far end ---- */

XB_TEST(Advice, TakesTheFarEndsCpuTimeOutOfTheWaitingForIt)
{
    struct xb_topology *topology = open_topology();
    struct xb_judgement judgement = judgement_of(XB_BOUND_IO, XB_LEVEL_NETWORK, 0.9);
    struct xb_advice_ask ask = ask_of(&judgement, topology);
    struct xb_advice_shares lone;
    struct xb_reason why;
    ask.watched_at = 2;
    ask.cpus = 0.2;
    ask.far_cpus = NAN;
    XB_EXPECT_EQ(xb_advice_divide(&ask, &lone, &why), 0);
    XB_EXPECT_NEAR(lone.share[XB_USE_WAIT], 0.9, 1e-9);
    XB_EXPECT_NEAR(lone.far_unknown, 0.9, 1e-9);
    XB_EXPECT_HAS(lone.note, "nothing is known of whom it waits for");
    ask.far_cpus = 0.4;
    ask.far_lanes = 1;
    XB_EXPECT_EQ(xb_advice_divide(&ask, &lone, &why), 0);
    XB_EXPECT_NEAR(lone.far, 0.2, 1e-9);
    XB_EXPECT_NEAR(lone.share[XB_USE_WAIT], 0.7 / 0.8, 1e-9);
    XB_EXPECT_NEAR(sum_of(lone.share), 1, 1e-9);
    xb_topology_close(topology);
}

XB_TEST(Advice, TakesAThreadThatServesManyForALoop)
{
    struct xb_topology *topology = open_topology();
    struct xb_judgement judgement = judgement_of(XB_BOUND_SYNC, XB_LEVEL_TIMER, 0.9);
    struct xb_advice_ask ask = ask_of(&judgement, topology);
    struct xb_advice_shares lone;
    struct xb_reason why;
    ask.watched_at = 4;
    ask.cpus = 0.2;
    ask.one_lane = true;
    XB_EXPECT_EQ(xb_advice_divide(&ask, &lone, &why), 0);
    XB_EXPECT_NEAR(lone.share[XB_USE_WAIT], 0.95, 1e-9);
    XB_EXPECT_NEAR(lone.serial + lone.share[XB_USE_LOCK], 0, 1e-9);
    xb_topology_close(topology);
}

/* ---- reasons ---- */

/* Gains by count 1, 2, 4 of threads and of processes. */
static struct xb_advice advice_of(const double threads[3], const double processes[3])
{
    struct xb_advice advice = { .cpus = 2 };
    for (int i = 0; i < 6; i++) {
        double gain = i < 3 ? threads[i] : processes[i - 3];
        advice.row[advice.n_rows++] =
            (struct xb_advice_row){ .model = i < 3 ? "threads" : "processes",
                                    .workers = 1u << i % 3,
                                    .gain = { gain, gain * 0.98, gain * 1.02 } };
    }
    return advice;
}

/* Amdahl's law, by his own numbers. */
XB_TEST(Advice, AddsWhatCannotBeSharedOut)
{
    struct xb_advice advice = advice_of((const double[]){ 1, 2, 4 }, (const double[]){ 1, 2, NAN });
    advice.lone.serial = 0.25;
    advice.cpus = 4;
    advice.lone.share[XB_USE_COMPUTE] = 1;
    xb_advice_complete(&advice);
    XB_EXPECT_NEAR(advice.row[0].gain.median, 1, 1e-9);
    XB_EXPECT_NEAR(advice.row[1].gain.median, 1.6, 1e-9);
    XB_EXPECT_NEAR(advice.row[2].gain.median, 16.0 / 7, 1e-9);
    XB_EXPECT(advice.row[2].gain.lo < 16.0 / 7 && advice.row[2].gain.hi > 16.0 / 7);
    XB_EXPECT_NEAR(advice.row[4].gain.median, 1.6, 1e-9);
    XB_EXPECT(isnan(advice.row[5].gain.median));
    xb_advice_conclude(&advice);
    XB_EXPECT_HAS(advice.reason, "25 % of a lone worker's time is work that cannot be shared out: "
                                 "4.0 times as fast at most");
}

/* Of waits that all overlap, and one queue, mean value analysis knows the answer by another way: with two
 * workers (1 + 1) / (1 + far * far). */
XB_TEST(Advice, AddsAFarEndThatAnswersOneAtATime)
{
    struct xb_advice advice =
        advice_of((const double[]){ 1, 2, 4 }, (const double[]){ NAN, NAN, NAN });
    advice.lone.share[XB_USE_WAIT] = 1;
    advice.lone.far = 0.5;
    advice.lone.far_lanes = 1;
    xb_advice_complete(&advice);
    XB_EXPECT_NEAR(advice.row[0].gain.median, 1, 1e-9);
    XB_EXPECT_NEAR(advice.row[1].gain.median, 2 / 1.25, 1e-9);
    XB_EXPECT(advice.row[2].gain.median > 1.8 && advice.row[2].gain.median < 2);
    xb_advice_conclude(&advice);
    XB_EXPECT_HAS(advice.reason, "the far end, on this machine, is busy");

    /* As many at a time as there are workers: nobody waits, until its CPUs are full. */
    advice = advice_of((const double[]){ 1, 2, 4 }, (const double[]){ NAN, NAN, NAN });
    advice.lone.share[XB_USE_WAIT] = 1;
    advice.lone.far = 0.4;
    advice.lone.far_lanes = 4;
    advice.cpus = 1;
    xb_advice_complete(&advice);
    XB_EXPECT_NEAR(advice.row[1].gain.median, 2, 1e-9);
    XB_EXPECT_NEAR(advice.row[2].gain.median, 2.5, 1e-9);
}

/* What neighbours let one row have and not another. */
XB_TEST(Advice, KnowsThatWorkersDoNoMoreThanEachOfThem)
{
    struct xb_advice advice =
        advice_of((const double[]){ 1, 2.2, 2.4 }, (const double[]){ 1, 1.9, 2 });
    advice.lone.share[XB_USE_COMPUTE] = 1;
    xb_advice_complete(&advice);
    XB_EXPECT_NEAR(advice.row[1].gain.median, 2, 1e-9);
    XB_EXPECT_NEAR(advice.row[2].gain.median, 2, 1e-9);
    XB_EXPECT_NEAR(advice.row[5].gain.median, 1.9, 1e-9); /* without a CPU for each */
}

XB_TEST(Advice, SaysThatNothingIsKnownOfTheFarEnd)
{
    struct xb_advice advice =
        advice_of((const double[]){ 1, 2, 4 }, (const double[]){ NAN, NAN, NAN });
    advice.lone.share[XB_USE_WAIT] = 0.9;
    advice.lone.share[XB_USE_COMPUTE] = 0.1;
    advice.lone.far_unknown = 0.9;
    xb_advice_complete(&advice);
    XB_EXPECT_NEAR(advice.row[2].gain.median, 4, 1e-9);
    XB_EXPECT(advice.row[2].gain.lo > 1 && advice.row[2].gain.lo < 1 / 0.9);
    xb_advice_conclude(&advice);
    XB_EXPECT_HAS(advice.reason, "4 workers overlap it, as far as the far end scales");
}

XB_TEST(Advice, RecommendsFewestWorkersWithinFivePercent)
{
    struct xb_advice advice =
        advice_of((const double[]){ 1, 1.93, 1.97 }, (const double[]){ 1, 1.95, 1.98 });
    advice.lone.share[XB_USE_COMPUTE] = 1;
    xb_advice_conclude(&advice);
    XB_EXPECT_EQ(advice.best, 5);
    XB_EXPECT_EQ(advice.row[advice.enough].workers, 2);
    XB_EXPECT_STREQ(advice.row[advice.enough].model, "processes");
    XB_EXPECT_STREQ(advice.reason, "it only computes: one worker for each of 2 CPUs; threads and "
                                   "processes differ by less than 3 %");
}

XB_TEST(Advice, SaysWhereMemoryEnds)
{
    struct xb_advice advice =
        advice_of((const double[]){ 1, 1.2, 1.21 }, (const double[]){ 1, 1.19, 1.2 });
    advice.lone.share[XB_USE_STREAM] = 0.9;
    advice.lone.share[XB_USE_COMPUTE] = 0.1;
    xb_advice_conclude(&advice);
    XB_EXPECT_HAS(advice.reason, "memory bandwidth ends at 2 workers");
}

XB_TEST(Advice, SaysThatALockIsTheEnd)
{
    struct xb_advice advice =
        advice_of((const double[]){ 1, 0.98, 0.9 }, (const double[]){ 1, 0.97, 0.9 });
    advice.lone.share[XB_USE_LOCK] = 0.87;
    advice.lone.share[XB_USE_COMPUTE] = 0.13;
    xb_advice_conclude(&advice);
    XB_EXPECT_EQ(advice.row[advice.enough].workers, 1);
    XB_EXPECT_STREQ(advice.reason,
                    "87 % of a worker's time is under one lock: more workers cannot help");

    advice = advice_of((const double[]){ 1, 1.5, 1.9 }, (const double[]){ 1, 1.5, 1.9 });
    advice.lone.share[XB_USE_LOCK] = 0.5;
    advice.lone.share[XB_USE_COMPUTE] = 0.5;
    xb_advice_conclude(&advice);
    XB_EXPECT_HAS(advice.reason, "2.0 times as fast at most");
}

XB_TEST(Advice, SaysWhenItIsUncertain)
{
    struct xb_advice advice =
        advice_of((const double[]){ 1, 1.9, 1.9 }, (const double[]){ 1, 1.8, 1.8 });
    advice.lone.share[XB_USE_COMPUTE] = 1;
    xb_advice_conclude(&advice);
    XB_EXPECT_STREQ(advice.doubt, "");
    advice.row[1].gain.lo = 1.2;
    xb_advice_conclude(&advice);
    XB_EXPECT_HAS(advice.doubt, "uncertain by");
}

XB_TEST(Advice, SaysWhatWorkersOverlap)
{
    struct xb_advice advice =
        advice_of((const double[]){ 1, 1.98, 2.0 }, (const double[]){ 1, 1.98, 2.0 });
    advice.lone.share[XB_USE_DISK] = 0.7;
    advice.lone.share[XB_USE_COMPUTE] = 0.3;
    xb_advice_conclude(&advice);
    XB_EXPECT_STREQ(advice.reason, "70 % of its time waits for the disk: 2 workers overlap it; the "
                                   "disk takes no more at a time");
    advice = advice_of((const double[]){ 1, 1.98, 3.9 }, (const double[]){ 1, 1.98, 3.9 });
    advice.lone.share[XB_USE_WAIT] = 0.7;
    advice.lone.share[XB_USE_COMPUTE] = 0.3;
    xb_advice_conclude(&advice);
    XB_EXPECT_STREQ(advice.reason,
                    "70 % of its time waits for network or timers: 4 workers overlap it; and more "
                    "than 4, which were not tried, may help");
    advice = advice_of((const double[]){ 1, 1.9, 1.95 }, (const double[]){ 1, 1.9, 1.94 });
    advice.lone.share[XB_USE_WAIT] = 0.2;
    advice.lone.share[XB_USE_COMPUTE] = 0.8;
    xb_advice_conclude(&advice);
    XB_EXPECT_HAS(advice.reason, "2 workers overlap it; 2 CPUs are full beyond that");
}

XB_TEST(Advice, SaysWhenThreadsQueueForTheirAddressSpace)
{
    struct xb_advice advice =
        advice_of((const double[]){ 1, 1.4, 1.4 }, (const double[]){ 1, 1.9, 1.9 });
    advice.lone.share[XB_USE_FAULT] = 0.7;
    advice.lone.share[XB_USE_COMPUTE] = 0.3;
    xb_advice_conclude(&advice);
    XB_EXPECT_HAS(advice.reason, "processes do 1.36 times as much");
}

XB_TEST(Advice, ComparesWithTheTruth)
{
    struct xb_advice advice =
        advice_of((const double[]){ 1, 1.9, 1.92 }, (const double[]){ 1, 1.9, 1.9 });
    struct xb_trial trial = { .n = 3, .rounds = 3 };
    struct xb_advice_check check;
    trial.row[0] = (struct xb_trial_row){ .workers = 1, .seconds = 2, .gain = { 1, 1, 1 } };
    trial.row[1] = (struct xb_trial_row){ .workers = 2, .seconds = 1.02, .gain = { 1.96, 1, 2 } };
    trial.row[2] = (struct xb_trial_row){ .workers = 4, .seconds = 1, .gain = { 2, 2, 2 } };
    XB_EXPECT_EQ(xb_advice_compare(&advice, &trial, "threads", &check), 0);
    XB_EXPECT_EQ(check.workers, 2);
    XB_EXPECT_EQ(check.fastest, 4);
    XB_EXPECT_NEAR(check.behind, 0.02, 1e-9);
    XB_EXPECT_NEAR(check.off, 1.9 / 1.96 - 1, 1e-9);
    XB_EXPECT_NEAR(check.worst, -0.04, 1e-9);
    XB_EXPECT_EQ(check.worst_at, 4);
    XB_EXPECT(isnan(xb_advice_predict(&advice, "loop", 2).median));
    XB_EXPECT_EQ(xb_advice_compare(&advice, &trial, "loop", &check), -ENODATA);
}

XB_TEST(Advice, PrintsWhatItKnowsAndJsonThatIsJson)
{
    struct xb_advice advice =
        advice_of((const double[]){ 1, 1.9, 1.92 }, (const double[]){ 1, NAN, NAN });
    struct xb_trial trial = { .n = 2, .rounds = 3 };
    trial.row[0] = (struct xb_trial_row){ .workers = 1, .seconds = 2, .gain = { 1, 1, 1 } };
    trial.row[1] = (struct xb_trial_row){ .workers = 2,
                                          .seconds = NAN,
                                          .gain = { NAN, NAN, NAN },
                                          .why = { -ECHILD, "'x 2' exited with 3" } };
    xb_because(&advice.row[4].why, -EAGAIN, "no more processes");
    xb_because(&advice.row[5].why, -EAGAIN, "no more processes");
    advice.lone.share[XB_USE_COMPUTE] = 1;
    xb_advice_conclude(&advice);
    char *text = NULL;
    size_t bytes;
    FILE *out = open_memstream(&text, &bytes);
    xb_advice_print(out, &advice, &trial, "threads");
    fclose(out);
    XB_EXPECT_HAS(text, "2 workers under threads: 1.90 (1.86 - 1.94) times one");
    XB_EXPECT_HAS(text, "processes, from 2 workers on: no more processes");
    XB_EXPECT_HAS(text, "'x 2' exited with 3");
    free(text);
    struct xb_reason why;
    out = open_memstream(&text, &bytes);
    XB_EXPECT_EQ(xb_json_write(out, xb_advice_json(&advice, &trial, "threads"), &why), 0);
    fclose(out);
    XB_EXPECT(xb_json_valid(text, bytes));
    XB_EXPECT_HAS(text, "\"reason\"");
    free(text);
}

/* ---- the mimic ---- */

static struct xb_mimic *shared_mimic(void)
{
    static struct xb_mimic *mimic;
    if (!mimic)
        mimic = xb_cell_shared(sizeof *mimic);
    return mimic;
}

XB_TEST(Mimic, RefusesSharesThatAreNone)
{
    struct xb_mimic *mimic = shared_mimic();
    struct xb_mimic_ask ask = { .scratch_dir = xb_test_folder() };
    struct xb_reason why;
    ask.share[XB_USE_COMPUTE] = 0.5;
    XB_EXPECT_EQ(xb_mimic_make(&ask, &xb_builtin, mimic, &why), -EINVAL);
    XB_EXPECT_HAS(why.text, "add up to 0.5");
    ask.share[XB_USE_WAIT] = 1.5;
    XB_EXPECT_EQ(xb_mimic_make(&ask, &xb_builtin, mimic, &why), -EINVAL);
    ask.share[XB_USE_WAIT] = NAN;
    XB_EXPECT_EQ(xb_mimic_make(&ask, &xb_builtin, mimic, &why), -EINVAL);
}

XB_TEST(Mimic, SaysWhichKernelABuildLacks)
{
    struct xb_mimic *mimic = shared_mimic();
    struct xb_mimic_ask ask = { .scratch_dir = xb_test_folder() };
    struct xb_registry none = xb_builtin;
    struct xb_reason why;
    none.n_kernels = 0;
    ask.share[XB_USE_COMPUTE] = 1;
    XB_EXPECT_EQ(xb_mimic_make(&ask, &none, mimic, &why), -ENOENT);
    XB_EXPECT_HAS(why.text, "cpu/mix64");
}

XB_TEST(Mimic, LeavesOutWhatIsNotWorthIt)
{
    struct xb_mimic *mimic = shared_mimic();
    struct xb_mimic_ask ask = { .scratch_dir = xb_test_folder() };
    struct xb_reason why;
    ask.share[XB_USE_COMPUTE] = 0.99;
    ask.share[XB_USE_STREAM] = 0.01;
    XB_EXPECT_EQ(xb_mimic_make(&ask, &xb_builtin, mimic, &why), 0);
    XB_EXPECT_EQ(mimic->n_parts, 1);
    XB_EXPECT_NEAR(mimic->part[0].share, 1, 1e-9);
}

/* Every kind of part, small sets. Its own verify() says whether each did what it should. */
static void run_all_parts(const void *model)
{
    struct xb_mimic *mimic = shared_mimic();
    struct xb_mimic_ask ask = { .scratch_dir = xb_test_folder() };
    struct xb_reason why;
    for (int use = 0; use < XB_USES; use++) {
        ask.share[use] =
            use == XB_USE_DISK || use == XB_USE_FSYNC ? 0 : 1.0 / (XB_USES - 2); /* want a disk */
        ask.bytes[use] = 65536;
    }
    XB_EXPECT_EQ(xb_mimic_make(&ask, &xb_builtin, mimic, &why), 0);
    for (size_t i = 0; i < mimic->n_parts; i++)
        mimic->part[i].per_item = mimic->part[i].kernel ? 1.5 : 1000;
    struct xb_plan plan = xb_cell_plan(&mimic->kernel, model, 3);
    plan.params.recipe = mimic;
    struct xb_cell_run run;
    xb_cell_run(&plan, XB_CELL_LIMIT_NS, NULL, &run);
    XB_EXPECT_EQ(run.code, 0);
    if (run.code)
        XB_FAIL("%s", run.why);
    XB_EXPECT_EQ(run.samples, 2);
    /* 3 workers' 10 items, whoever did them. */
    for (uint32_t i = 0; i < run.samples; i++)
        XB_EXPECT_EQ(run.result->samples[i].work.items, 30);
    xb_cell_run_close(&run);
}

XB_TESTS(mimic)
{
    xb_cell_each_model("Mimic", "DoesItsPartsUnderEachModel", __FILE__, __LINE__, run_all_parts);
}

/* ---- teams that stand by ---- */

XB_TEST(Standby, MeasuresAWindowWhenToldTo)
{
    struct xb_mimic *mimic = shared_mimic();
    struct xb_mimic_ask ask = { .scratch_dir = xb_test_folder() };
    struct xb_standby standby[2];
    struct xb_turn turn;
    struct xb_reason why = { 0 };
    ask.share[XB_USE_COMPUTE] = 1;
    XB_EXPECT_EQ(xb_mimic_make(&ask, &xb_builtin, mimic, &why), 0);
    struct xb_plan plan = xb_cell_plan(&mimic->kernel, xb_find_model(&xb_builtin, "threads"), 2);
    plan.params.recipe = mimic;
    for (int i = 0; i < 2; i++)
        XB_EXPECT_EQ(xb_standby_open(&standby[i], &plan, XB_CELL_LIMIT_NS, &why), 0);
    for (int i = 0; i < 6; i++) {
        XB_EXPECT_EQ(xb_standby_turn(&standby[i % 2], 10 + (uint64_t)i, &turn, &why), 0);
        XB_EXPECT_EQ(turn.items, 2 * (10 + i));
        XB_EXPECT(turn.wall_ns > 0 && turn.outcome <= turn.wall_ns);
    }
    for (int i = 0; i < 2; i++)
        XB_EXPECT_EQ(xb_standby_close(&standby[i], &why), 0);
    XB_EXPECT_EQ(xb_standby_close(&standby[0], &why), 0);
    XB_EXPECT(!xb_cell_leftovers());
}

static int fail_to_set_up(const struct xb_params *params, void *team, void **state)
{
    (void)team;
    (void)state;
    return xb_explain(params, -ENOMEM, "no room for it");
}

static int die(struct xb_run *run, void *state, uint64_t iters, struct xb_work *did)
{
    (void)state;
    (void)did;
    if (iters > 1)
        abort();
    (void)run;
    return 0;
}

static int stand(struct xb_run *run, void *state, uint64_t iters, struct xb_work *did)
{
    struct xb_io_op op = { .kind = XB_IO_SLEEP, .sleep_ns = UINT64_C(100000000000) };
    (void)state;
    (void)did;
    return iters > 1 ? (int)xb_await(run->io, &op) : 0;
}

static int agree(const struct xb_params *params, void *team, void *state, uint64_t iters,
                 const struct xb_work *did)
{
    (void)params, (void)team, (void)state, (void)iters, (void)did;
    return 0;
}

static int disagree(const struct xb_params *params, void *team, void *state, uint64_t iters,
                    const struct xb_work *did)
{
    (void)params, (void)team, (void)state, (void)iters, (void)did;
    return -EBADMSG;
}

XB_TEST(Standby, SaysWhatATeamFailedOf)
{
    struct xb_kernel kernel = {
        .name = "bad", .item = "item", .setup = fail_to_set_up, .run = die, .verify = agree
    };
    struct xb_standby standby;
    struct xb_turn turn;
    struct xb_reason why = { 0 };
    struct xb_plan plan = xb_cell_plan(&kernel, xb_find_model(&xb_builtin, "processes"), 2);
    plan.iters = 1;
    XB_EXPECT_EQ(xb_standby_open(&standby, &plan, XB_CELL_LIMIT_NS, &why), 0);
    XB_EXPECT_EQ(xb_standby_turn(&standby, 2, &turn, &why), -ENOMEM);
    XB_EXPECT_HAS(why.text, "no room for it");
    XB_EXPECT(xb_standby_close(&standby, &why) != 0);

    kernel.setup = NULL;
    XB_EXPECT_EQ(xb_standby_open(&standby, &plan, XB_CELL_LIMIT_NS, &why), 0);
    XB_EXPECT(xb_standby_turn(&standby, 2, &turn, &why) != 0);
    XB_EXPECT_HAS(why.text, "signal 6");
    xb_standby_close(&standby, &why);

    kernel.run = stand;
    XB_EXPECT_EQ(xb_standby_open(&standby, &plan, UINT64_C(300000000), &why), 0);
    XB_EXPECT_EQ(xb_standby_turn(&standby, 2, &turn, &why), -ETIMEDOUT);
    xb_standby_close(&standby, &why);

    kernel.verify = disagree;
    XB_EXPECT_EQ(xb_standby_open(&standby, &plan, XB_CELL_LIMIT_NS, &why), 0);
    XB_EXPECT_EQ(xb_standby_turn(&standby, 1, &turn, &why), 0);
    XB_EXPECT_EQ(xb_standby_close(&standby, &why), -EBADMSG);
    XB_EXPECT(!xb_cell_leftovers());
}

/* ---- commands ---- */

static struct xb_trial_ask trial_of(const char *command)
{
    return (struct xb_trial_ask){ .command = command,
                                  .workers = { 1, 2 },
                                  .n = 2,
                                  .least = 1,
                                  .limit_ns = UINT64_C(30000000000) };
}

XB_TEST(Trial, WantsAPlaceForTheNumber)
{
    const struct xb_trial_ask ask = trial_of("true 4");
    struct xb_trial trial;
    struct xb_reason why;
    XB_EXPECT_EQ(xb_trial_check("true 4", &why), -EINVAL);
    XB_EXPECT_HAS(why.text, "has no {N}");
    XB_EXPECT_EQ(xb_trial_run(&ask, &trial, &why), -EINVAL);
    XB_EXPECT_EQ(xb_trial_check("", &why), -EINVAL);
    XB_EXPECT_EQ(xb_trial_check("xz -T{N}", &why), 0);
    char *wide = malloc(XB_TRIAL_COMMAND + 8);
    memset(wide, 'x', XB_TRIAL_COMMAND);
    memcpy(wide + XB_TRIAL_COMMAND, "{N}", 4);
    XB_EXPECT_EQ(xb_trial_check(wide, &why), -E2BIG);
    free(wide);
}

XB_TEST(Trial, FillsInEachPlaceAndFindsTheNumberAgain)
{
    char line[XB_TRIAL_COMMAND];
    XB_EXPECT_EQ(xb_trial_fill("sort --parallel={N} -T {N} {M}", 16, line), 0);
    XB_EXPECT_STREQ(line, "sort --parallel=16 -T 16 {M}");
    XB_EXPECT_EQ(xb_trial_match("sort --parallel={N} -T {N} {M}", line), 16);
    XB_EXPECT_EQ(xb_trial_match("xz -T{N} file", "xz -T2 file"), 2);
    XB_EXPECT_EQ(xb_trial_match("xz -T{N} file", "xz -T2 other"), 0);
    XB_EXPECT_EQ(xb_trial_match("xz -T{N} file", "xz -T file"), 0);
    XB_EXPECT_EQ(xb_trial_match("xz -T{N} {N}", "xz -T2 3"), 0);
    XB_EXPECT_EQ(xb_trial_match("xz", "xz"), 0);
}

XB_TEST(Trial, TakesTheTimeOfEachCount)
{
    struct xb_trial_ask ask = trial_of("sleep 0.0{N}");
    struct xb_trial trial;
    struct xb_reason why;
    XB_EXPECT_EQ(xb_trial_run(&ask, &trial, &why), 0);
    XB_EXPECT_EQ(trial.rounds, 1);
    for (size_t i = 0; i < trial.n; i++) {
        XB_EXPECT_EQ(trial.row[i].why.code, 0);
        XB_EXPECT(trial.row[i].seconds >= 0.01 * (double)ask.workers[i]);
    }
    XB_EXPECT_NEAR(trial.row[0].gain.median, 1, 1e-9);
}

XB_TEST(Trial, SaysWhichCountFailed)
{
    struct xb_trial_ask ask = trial_of("test {N} -lt 2 || { echo no more than one >&2; exit 3; }");
    struct xb_trial trial;
    struct xb_reason why;
    XB_EXPECT_EQ(xb_trial_run(&ask, &trial, &why), 0);
    XB_EXPECT_EQ(trial.row[0].why.code, 0);
    XB_EXPECT_EQ(trial.row[1].why.code, -ECHILD);
    XB_EXPECT_HAS(trial.row[1].why.text, "exited with 3; it printed: no more than one");
    XB_EXPECT(isnan(trial.row[1].seconds));

    ask = trial_of("/nonexistent/program {N}");
    XB_EXPECT_EQ(xb_trial_run(&ask, &trial, &why), 0);
    XB_EXPECT_HAS(trial.row[0].why.text, "exited with 127");
    XB_EXPECT(trial.row[1].why.code != 0);

    ask = trial_of("kill -SEGV $$; {N}");
    XB_EXPECT_EQ(xb_trial_run(&ask, &trial, &why), 0);
    XB_EXPECT_HAS(trial.row[0].why.text, "signal 11");

    ask = trial_of(" {N}");
    XB_EXPECT_EQ(xb_trial_run(&ask, &trial, &why), 0);
    XB_EXPECT(trial.row[0].why.code != 0);
}

XB_TEST(Trial, EndsWhatHangsWithAllItStarted)
{
    struct xb_trial_ask ask = trial_of("sleep 6{N} & sleep 7{N}");
    struct xb_trial trial;
    struct xb_reason why;
    ask.limit_ns = UINT64_C(200000000);
    ask.n = 1;
    XB_EXPECT_EQ(xb_trial_run(&ask, &trial, &why), 0);
    XB_EXPECT_EQ(trial.row[0].why.code, -ETIMEDOUT);
    XB_EXPECT_HAS(trial.row[0].why.text, "hangs");
    XB_EXPECT(!xb_cell_leftovers());
}

XB_TEST(Trial, StopsWhenToldTo)
{
    const volatile sig_atomic_t stop = 1;
    struct xb_trial_ask ask = trial_of("sleep 6{N}");
    struct xb_trial trial;
    struct xb_reason why;
    ask.stop = &stop;
    XB_EXPECT_EQ(xb_trial_run(&ask, &trial, &why), -EINTR);
}

static void expect_refused(const char *args, const char *words)
{
    struct xb_ended *ended = xb_spawn(&(struct xb_spawn){ .args = args });
    XB_EXPECT_EQ(ended->code, 2);
    XB_EXPECT_EQ(ended->errors, 1);
    XB_EXPECT_HAS(ended->err, words);
    free(ended);
}

XB_TEST(Advice, IsRefusedInOneLineWhereItIsAskedForBadly)
{
    expect_refused("classify --verify true", "--verify: 'true' has no {N}");
    expect_refused("classify --verify", "needs a value");
    expect_refused("classify --advice", "want a command");
}

/* ---- all of it ---- */

/* The least budget; bounds that hold on a busy machine under a sanitizer. */
XB_TEST(Advice, MimicsAProgramThatWaits)
{
    struct xb_topology *topology = open_topology();
    struct xb_judgement judgement = judgement_of(XB_BOUND_SYNC, XB_LEVEL_TIMER, 0.8);
    struct xb_advice_ask ask = ask_of(&judgement, topology);
    struct xb_advice advice;
    struct xb_reason why = { 0 };
    ask.budget_ns = 1;
    ask.most_workers = 2;
    XB_EXPECT_EQ(xb_advice_measure(&ask, &advice, &why), 0);
    if (why.code)
        XB_FAIL("%s", why.text);
    XB_EXPECT_NEAR(advice.got[XB_USE_WAIT], 0.8, 0.15);
    XB_EXPECT(advice.user_share < 0.5);
    XB_EXPECT_EQ(advice.n_rows, 6);
    for (size_t i = 0; i < advice.n_rows; i++)
        if (advice.row[i].why.code)
            XB_FAIL("%s: %s", advice.row[i].model, advice.row[i].why.text);
    XB_EXPECT_HAS(advice.reason, "80 % of its time waits for network or timers");
    XB_EXPECT(!xb_cell_leftovers());
    xb_topology_close(topology);
}

XB_TEST(Advice, StopsWhenToldTo)
{
    static const volatile sig_atomic_t stop = 1;
    struct xb_topology *topology = open_topology();
    struct xb_judgement judgement = judgement_of(XB_BOUND_CPU, XB_LEVEL_NONE, 0);
    struct xb_advice_ask ask = ask_of(&judgement, topology);
    struct xb_advice advice;
    struct xb_reason why;
    ask.stop = &stop;
    XB_EXPECT_EQ(xb_advice_measure(&ask, &advice, &why), -EINTR);
    XB_EXPECT(!xb_cell_leftovers());
    xb_topology_close(topology);
}
