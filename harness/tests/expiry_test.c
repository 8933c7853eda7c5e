/* SPDX-License-Identifier: BSD-3-Clause
 * Tests of what ages of waits say of their time-outs, on ages that are drawn, and of how such an age is read. */
#include "../../kernels/prng.h"
#include "../base/asleep.h"
#include "../base/clock.h"
#include "../base/expiry.h"
#include "../base/procfs.h"
#include "xbtest.h"

#include <math.h>
#include <stdio.h>

enum { ROUNDS = 400 };

static const uint64_t timeout_ns = 20000000;

/* In [0, 1). */
static double draw(uint64_t *prng)
{
    return (double)xb_prng_below(prng, 1 << 30) / (1 << 30);
}

/* Ages as fractions of the time-out, for each kind of waits. */
static double of_timeouts(uint64_t *prng)
{
    return draw(prng);
}

static double of_random_replies(uint64_t *prng)
{
    double age;
    do
        age = -0.3 * log(1 - draw(prng));
    while (age >= 1);
    return age;
}

static double of_regular_replies(uint64_t *prng)
{
    return 0.8 * draw(prng);
}

static double of_quick_replies(uint64_t *prng)
{
    return 0.2 * draw(prng);
}

/* Of the time, half is in waits that time out. */
static double of_both(uint64_t *prng)
{
    return draw(prng) < 0.5 ? draw(prng) : 0.1 * draw(prng);
}

struct tally {
    double verdict[XB_EXPIRY_UNDECIDED + 1]; /* their shares */
    double share;                            /* on average */
};

static struct tally judge(double (*age)(uint64_t *prng), int looks)
{
    struct tally tally = { 0 };
    uint64_t prng = 7;
    for (int round = 0; round < ROUNDS; round++) {
        struct xb_expiry expiry = { 0 };
        for (int i = 0; i < looks; i++)
            XB_EXPECT(xb_expiry_add(&expiry, (uint64_t)(age(&prng) * (double)timeout_ns),
                                    timeout_ns, false));
        struct xb_expired expired = xb_expiry_judge(&expiry);
        tally.verdict[expired.verdict] += 1.0 / ROUNDS;
        tally.share += expired.share / ROUNDS;
    }
    return tally;
}

XB_TEST(Expiry, UniformAgesAreThoseOfWaitsThatTimeOut)
{
    struct tally few = judge(of_timeouts, 20), many = judge(of_timeouts, 100);
    XB_EXPECT(few.verdict[XB_EXPIRY_TIMER] > 0.7);
    XB_EXPECT(few.verdict[XB_EXPIRY_FILES] < 0.01);
    XB_EXPECT(few.share > 0.8);
    XB_EXPECT(many.verdict[XB_EXPIRY_TIMER] > 0.95);
    XB_EXPECT(many.share > 0.9);
}

/* A 28th of the waits time out, which are an eighth of the time, as they are the longest. */
XB_TEST(Expiry, RepliesAtRandomAreWaitedForWhereTheyMostlyCome)
{
    struct tally few = judge(of_random_replies, 20), many = judge(of_random_replies, 100);
    double part = exp(-1 / 0.3), truth = part / (0.3 * (1 - part));
    XB_EXPECT(few.verdict[XB_EXPIRY_TIMER] < 0.01);
    XB_EXPECT(few.verdict[XB_EXPIRY_FILES] > 0.3);
    XB_EXPECT(few.share < 0.35);
    XB_EXPECT(many.verdict[XB_EXPIRY_FILES] > 0.9);
    XB_EXPECT_NEAR(many.share, truth, 0.05);
}

XB_TEST(Expiry, QuickRepliesNeedFewLooks)
{
    struct tally tally = judge(of_quick_replies, XB_EXPIRY_LEAST);
    XB_EXPECT_NEAR(tally.verdict[XB_EXPIRY_FILES], 1, 1e-9);
    XB_EXPECT(tally.share < 0.1);
}

XB_TEST(Expiry, RegularRepliesAtFourFifthsAreNeverTakenForTimeOuts)
{
    struct tally least = judge(of_regular_replies, XB_EXPIRY_LEAST),
                 few = judge(of_regular_replies, 20), many = judge(of_regular_replies, 100);
    XB_EXPECT(least.verdict[XB_EXPIRY_TIMER] < 0.01);
    XB_EXPECT(few.verdict[XB_EXPIRY_TIMER] < 0.01);
    XB_EXPECT(few.verdict[XB_EXPIRY_UNDECIDED] > 0.9);
    XB_EXPECT(few.share < 0.5);
    XB_EXPECT(many.verdict[XB_EXPIRY_FILES] > 0.95);
}

XB_TEST(Expiry, WhereHalfOfTheTimeIsInTimeOutsHalfIsSaid)
{
    struct tally tally = judge(of_both, 100);
    XB_EXPECT_NEAR(tally.share, 0.5, 0.05);
    XB_EXPECT(tally.verdict[XB_EXPIRY_UNDECIDED] > 0.5);
}

XB_TEST(Expiry, FewWaitsSayNothing)
{
    struct xb_expiry expiry = { 0 };
    XB_EXPECT_EQ(xb_expiry_judge(&expiry).verdict, XB_EXPIRY_UNKNOWN);
    for (int i = 0; i < XB_EXPIRY_LEAST - 1; i++)
        XB_EXPECT(xb_expiry_add(&expiry, 1000000, timeout_ns, false));
    /* However often it is looked at. */
    for (int i = 0; i < 1000; i++)
        XB_EXPECT(xb_expiry_add(&expiry, 1000000, timeout_ns, true));
    struct xb_expired expired = xb_expiry_judge(&expiry);
    XB_EXPECT_EQ(expired.verdict, XB_EXPIRY_UNKNOWN);
    XB_EXPECT(isnan(expired.share) && isnan(expired.sure));
    XB_EXPECT(xb_expiry_add(&expiry, 1000000, timeout_ns, false));
    XB_EXPECT_EQ(xb_expiry_judge(&expiry).verdict, XB_EXPIRY_FILES);
    xb_expiry_forget(&expiry, 0.5);
    XB_EXPECT_EQ(xb_expiry_judge(&expiry).verdict, XB_EXPIRY_UNKNOWN);
}

/* Thousands of looks are no more than the model is worth, and no number overflows. */
XB_TEST(Expiry, ManyLooksStayWithinNumbers)
{
    struct xb_expiry expiry = { 0 };
    for (int i = 0; i < 100000; i++)
        XB_EXPECT(xb_expiry_add(&expiry, 10, timeout_ns, false));
    struct xb_expired expired = xb_expiry_judge(&expiry);
    XB_EXPECT_EQ(expired.verdict, XB_EXPIRY_FILES);
    XB_EXPECT(expired.share >= 0 && expired.share < 0.05);
}

XB_TEST(Expiry, AgesThatCannotBeAreRefused)
{
    struct xb_expiry expiry = { 0 };
    XB_EXPECT(!xb_expiry_add(&expiry, 2 * timeout_ns, timeout_ns, false));
    XB_EXPECT(!xb_expiry_add(&expiry, 0, XB_EXPIRY_LEAST_NS - 1, false));
    XB_EXPECT(!xb_expiry_add(&expiry, 0, 0, false));
    XB_EXPECT_NEAR(expiry.waits, 0, 1e-9);
    /* Timers fire late. */
    XB_EXPECT(xb_expiry_add(&expiry, timeout_ns + 100000, timeout_ns, false));
    XB_EXPECT_NEAR(expiry.age[XB_EXPIRY_BINS - 1], 1, 1e-9);
}

XB_TEST(Expiry, AWaitIsTheSameWhileTheAccountsStandStill)
{
    const struct xb_proc_sched before = { .run_ns = 100, .delay_ns = 5, .runs = 7 };
    struct xb_proc_sched after = before;
    XB_EXPECT(xb_proc_same_wait(&before, &after));
    after.runs++;
    XB_EXPECT(!xb_proc_same_wait(&before, &after));
    after = before;
    after.run_ns++;
    XB_EXPECT(!xb_proc_same_wait(&before, &after));
}

XB_TEST(Expiry, WhenAThreadLastRanIsTakenApart)
{
    uint64_t ns = 0;
    XB_EXPECT(xb_proc_parse_exec("a (1, #threads: 1)\n---\n"
                                 "se.exec_start                 :       1974535.030402\n"
                                 "se.vruntime                   :         15593.321695\n",
                                 &ns));
    XB_EXPECT_EQ(ns, UINT64_C(1974535030402));
    XB_EXPECT(!xb_proc_parse_exec("se.vruntime : 1.000000\n", &ns));
    XB_EXPECT(!xb_proc_parse_exec("", &ns));
}

/* We run, so our age by our own file is what reading it takes; on each CPU that we may run on. */
XB_TEST(Expiry, WhoRunsHasNotBeenAsleepOnAnyCpu)
{
    static struct xb_asleep asleep;
    cpu_set_t may, after;
    xb_asleep_open(&asleep);
    XB_EXPECT(!xb_asleep_ready(&asleep, -1));
    XB_EXPECT(!xb_asleep_ready(&asleep, CPU_SETSIZE));
    if (!asleep.works) {
        XB_SKIP("no /proc/PID/task/TID/sched here");
        return;
    }
    XB_EXPECT_EQ(sched_getaffinity(0, sizeof may, &may), 0);
    int told = 0;
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (!CPU_ISSET(cpu, &may))
            continue;
        if (!xb_asleep_ready(&asleep, cpu))
            continue;
        told++;
        /* 1 s behind what was compared: so old. */
        char text[64];
        uint64_t age_ns = 0, then_ns = (uint64_t)((int64_t)xb_now_ns() - asleep.cpu[cpu].behind_ns);
        then_ns -= 1000000000;
        snprintf(text, sizeof text, "a\nse.exec_start : %llu.%06u\n",
                 (unsigned long long)(then_ns / 1000000), (unsigned)(then_ns % 1000000));
        XB_EXPECT(xb_asleep_for(&asleep, cpu, text, &age_ns));
        XB_EXPECT(age_ns >= 1000000000);
    }
    XB_EXPECT(told > 0);
    XB_EXPECT_EQ(sched_getaffinity(0, sizeof after, &after), 0);
    XB_EXPECT(CPU_EQUAL(&may, &after));
    /* What has not been yet is no age. */
    uint64_t age_ns;
    XB_EXPECT(!xb_asleep_for(&asleep, sched_getcpu(), "a\nse.exec_start : 999999999999.000000\n",
                             &age_ns));
}
