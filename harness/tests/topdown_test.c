/* SPDX-License-Identifier: BSD-3-Clause
 * Tests how slots are divided, on counts that others published with their shares, and that the events
 * behind them exist. No PMU is needed. */
#include "xbtest.h"

#include "../core/registry.h"
#include "../core/topdown.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct xb_topdown_family *family_of(const char *pmu)
{
    for (size_t i = 0; i < xb_n_topdown_families; i++)
        if (strcmp(xb_topdown_families[i].pmu, pmu) == 0)
            return &xb_topdown_families[i];
    XB_FAIL("there is no family %s", pmu);
    return &xb_topdown_families[0];
}

/* `count`: `n` of the family's events, of which those of level 1 or all are counted; NaN: not. */
static void divide(const char *pmu, const double *count, unsigned n, double *share)
{
    const struct xb_topdown_family *family = family_of(pmu);
    struct xb_events events = { .set = XB_METRICS_ALL };
    struct xb_reading reading = { .present = 0 };
    XB_EXPECT_EQ(xb_topdown_add(family, n > family->level1 ? 2 : 1, &events), 0);
    XB_EXPECT_EQ(n, n > family->level1 ? family->n : family->level1);
    for (unsigned i = 0; i < n; i++) {
        if (isnan(count[i]))
            continue;
        reading.value[XB_METRIC_COUNT + i] = (uint64_t)count[i];
        reading.present |= 1u << (XB_METRIC_COUNT + i);
    }
    XB_EXPECT(xb_topdown_shares(&events, &reading, share) == family);
}

static double level1(const double *share)
{
    return share[XB_TOPDOWN_RETIRING] + share[XB_TOPDOWN_BAD_SPECULATION] +
           share[XB_TOPDOWN_FRONTEND] + share[XB_TOPDOWN_BACKEND];
}

/* Shares of counts of which one is missing; returns how many there are. */
static unsigned count_shares(const struct xb_topdown_family *family, unsigned missing,
                             double *share)
{
    double count[XB_TOPDOWN_EVENTS];
    unsigned n = 0;
    for (unsigned k = 0; k < XB_TOPDOWN_EVENTS; k++)
        count[k] = k == missing ? NAN : 1000 - k;
    for (int part = 0; part < XB_TOPDOWN_PARTS; part++)
        share[part] = NAN;
    family->divide(count, share);
    for (int part = 0; part < XB_TOPDOWN_PARTS; part++)
        n += !isnan(share[part]);
    return n;
}

/* I. Rogers, "perf metricgroup" patches for Linux 5.8: perf stat -a -M TopDownL1 sleep 1, which
 * prints Bad_Speculation 0.1, Backend_Bound 0.5, Frontend_Bound 0.3 and Retiring 0.1. */
XB_TEST(Topdown, SkylakeAsPerfPrintsIt)
{
    static const double count[] = { 1361628527, 1883830591, 765949145, 581798385, 48237080 };
    double share[XB_TOPDOWN_PARTS];
    divide("skx", count, 5, share);
    XB_EXPECT_NEAR(share[XB_TOPDOWN_BAD_SPECULATION], 0.1, 0.05);
    XB_EXPECT_NEAR(share[XB_TOPDOWN_BACKEND], 0.5, 0.05);
    XB_EXPECT_NEAR(share[XB_TOPDOWN_FRONTEND], 0.3, 0.05);
    XB_EXPECT_NEAR(share[XB_TOPDOWN_RETIRING], 0.1, 0.05);
    /* By hand: 4 x cycles = 5446514108 slots. */
    XB_EXPECT_NEAR(share[XB_TOPDOWN_FRONTEND], 1883830591 / 5446514108.0, 1e-12);
    XB_EXPECT_NEAR(share[XB_TOPDOWN_BAD_SPECULATION], (184150760 + 192948320) / 5446514108.0,
                   1e-12);
    XB_EXPECT_NEAR(level1(share), 1, 1e-12);
    XB_EXPECT(isnan(share[XB_TOPDOWN_MEMORY]));
    XB_EXPECT(isnan(share[XB_TOPDOWN_FETCH_LATENCY]));
}

/* 1000 slots of 250 cycles, 200 retired: 500 belong to the back end. Of 100 + 20 + 0.2 x 50 + 30 = 160
 * cycles that are bound there, 90 + 30 wait for memory. */
XB_TEST(Topdown, SkylakesSecondLevel)
{
    static const double count[] = { 250, 240, 220, 200, 10, 40, 90, 100, 20, 50, 30 };
    double share[XB_TOPDOWN_PARTS];
    divide("skl", count, 11, share);
    XB_EXPECT_NEAR(share[XB_TOPDOWN_BAD_SPECULATION], 0.06, 1e-12);
    XB_EXPECT_NEAR(share[XB_TOPDOWN_BACKEND], 0.5, 1e-12);
    XB_EXPECT_NEAR(share[XB_TOPDOWN_FETCH_LATENCY], 0.16, 1e-12);
    XB_EXPECT_NEAR(share[XB_TOPDOWN_FETCH_BANDWIDTH], 0.08, 1e-12);
    XB_EXPECT_NEAR(share[XB_TOPDOWN_MEMORY], 0.375, 1e-12);
    XB_EXPECT_NEAR(share[XB_TOPDOWN_CORE], 0.125, 1e-12);
    XB_EXPECT(isnan(share[XB_TOPDOWN_MISPREDICTS])); /* not offered there */
}

XB_TEST(Topdown, IceLakeCountsSlotsItself)
{
    static const double count[] = { 1000, 400, 300, 200, 60, 30, 40, 60, 12, 20, 10 };
    double share[XB_TOPDOWN_PARTS];
    divide("icx", count, 11, share);
    XB_EXPECT_NEAR(share[XB_TOPDOWN_RETIRING], 0.4, 1e-12);
    XB_EXPECT_NEAR(share[XB_TOPDOWN_BACKEND], 0.3, 1e-12);
    XB_EXPECT_NEAR(share[XB_TOPDOWN_FRONTEND], 0.2, 1e-12);
    XB_EXPECT_NEAR(share[XB_TOPDOWN_BAD_SPECULATION], 0.1, 1e-12);
    XB_EXPECT_NEAR(share[XB_TOPDOWN_MISPREDICTS], 0.06, 1e-12);
    XB_EXPECT_NEAR(share[XB_TOPDOWN_CLEARS], 0.04, 1e-12);
    XB_EXPECT_NEAR(share[XB_TOPDOWN_FETCH_LATENCY], 0.15, 1e-12);   /* 5 x 30 */
    XB_EXPECT_NEAR(share[XB_TOPDOWN_MEMORY], 0.3 * 50 / 90, 1e-12); /* of 60 + 12 + 0.4 x 20 + 10 */
}

XB_TEST(Topdown, SapphireRapidsCountsMostOfTheSecondLevelItself)
{
    static const double count[] = { 1200, 480, 360, 120, 90, 20, 240, 48 };
    double share[XB_TOPDOWN_PARTS];
    divide("spr", count, 8, share);
    XB_EXPECT_NEAR(share[XB_TOPDOWN_FRONTEND], 0.2, 1e-12);
    XB_EXPECT_NEAR(share[XB_TOPDOWN_CLEARS], 0.025, 1e-12);
    XB_EXPECT_NEAR(share[XB_TOPDOWN_FETCH_LATENCY], 0.1, 1e-12); /* 6 x 20 */
    XB_EXPECT_NEAR(share[XB_TOPDOWN_MEMORY], 0.2, 1e-12);
    XB_EXPECT_NEAR(share[XB_TOPDOWN_CORE], 0.1, 1e-12);
    XB_EXPECT_NEAR(share[XB_TOPDOWN_HEAVY], 0.04, 1e-12);
    XB_EXPECT_NEAR(share[XB_TOPDOWN_LIGHT], 0.36, 1e-12);
}

/* A published listing of perf stat -M PipelineL2 on a Zen 4, by turns: it prints 75.9 % retiring,
 * 1.4 % + 1.5 % of the front end, 11.9 % + 7.8 % of the back end. */
XB_TEST(Topdown, Zen4AsPerfPrintsIt)
{
    static const double count[] = { 39437034984,  6767421338, 46610032477, 179626958478,
                                    180000000000, 584180124,  4493484288,  11233710720 };
    double share[XB_TOPDOWN_PARTS];
    divide("amd64_fam19h_zen4", count, 8, share);
    XB_EXPECT_NEAR(share[XB_TOPDOWN_RETIRING], 0.759, 0.0007);
    XB_EXPECT_NEAR(share[XB_TOPDOWN_BACKEND], 0.119 + 0.078, 0.0007);
    XB_EXPECT_NEAR(share[XB_TOPDOWN_FETCH_LATENCY], 0.015, 0.0007);
    XB_EXPECT_NEAR(share[XB_TOPDOWN_FETCH_BANDWIDTH], 0.014, 0.0007);
    /* Loads held 4493484288 of the 11233710720 cycles back: four tenths. */
    XB_EXPECT_NEAR(share[XB_TOPDOWN_MEMORY], 0.4 * share[XB_TOPDOWN_BACKEND], 1e-9);
    XB_EXPECT_NEAR(share[XB_TOPDOWN_CORE], 0.6 * share[XB_TOPDOWN_BACKEND], 1e-9);
    XB_EXPECT_NEAR(share[XB_TOPDOWN_BAD_SPECULATION], 373041522 / (6 * 39437034984.0), 1e-12);
}

/* J. Zhang, "Add metrics for neoverse-n2", Linux 6.3, by turns: perf prints 4.0 % retiring, 27.1 % for
 * the front end (one slot a cycle less than STALL_SLOT_FRONTEND) and 69.4 % for the back end. */
XB_TEST(Topdown, NeoverseN2AsPerfPrintsIt)
{
    static const double count[] = { 4316583673, 14979136808, 854335288, 855659327 };
    double share[XB_TOPDOWN_PARTS];
    divide("arm_n2", count, 4, share);
    XB_EXPECT_NEAR(share[XB_TOPDOWN_RETIRING], 0.04, 0.0005);
    XB_EXPECT_NEAR(share[XB_TOPDOWN_BACKEND], 0.694, 0.0005);
    XB_EXPECT_NEAR(share[XB_TOPDOWN_FRONTEND], 0.271, 0.006);
    XB_EXPECT_NEAR(level1(share), 1, 1e-12);
    divide("arm_v1", count, 4, share);
    XB_EXPECT_NEAR(share[XB_TOPDOWN_BACKEND], 14979136808 / (8 * 4316583673.0), 1e-12);
}

XB_TEST(Topdown, NothingFollowsFromACountThatIsMissing)
{
    for (size_t i = 0; i < xb_n_topdown_families; i++) {
        const struct xb_topdown_family *family = &xb_topdown_families[i];
        double share[XB_TOPDOWN_PARTS], count[XB_TOPDOWN_EVENTS];
        unsigned offered = count_shares(family, XB_TOPDOWN_EVENTS, share);
        for (unsigned missing = 0; missing < family->all; missing++) {
            unsigned left = count_shares(family, missing, share);
            for (int part = 0; part < XB_TOPDOWN_LIGHT && missing >= family->level1; part++)
                XB_EXPECT(!isnan(share[part]));
            for (int part = 0; part < XB_TOPDOWN_L1 && missing >= family->n; part++)
                XB_EXPECT(!isnan(share[part]) || part < XB_TOPDOWN_MEMORY);
            if (missing == 0)
                XB_EXPECT(isnan(share[XB_TOPDOWN_RETIRING]) && isnan(share[XB_TOPDOWN_BACKEND]));
            XB_EXPECT(left < offered);
        }
        for (unsigned k = 0; k < XB_TOPDOWN_EVENTS; k++)
            count[k] = 0;
        family->divide(count, share);
        XB_EXPECT(isnan(share[XB_TOPDOWN_RETIRING])); /* no slot, no share */
    }
}

/* ---- level 3, and what it says of time ---- */

/* Skylake, 10000 cycles of a chase through DRAM, 200 of them a load: 4 operations of each retire, and all
 * the other cycles wait for it. */
static const double chase[18] = { 10000, 200, 900,  880,  5,    40, 9500, 9600, 20,
                                  10,    0,   9450, 9400, 9300, 1,  0,    100,  0 };

/* What a family does not offer is NaN. */
static void divide_all(const struct xb_topdown_family *family, const double *count, double *share)
{
    for (int part = 0; part < XB_TOPDOWN_PARTS; part++)
        share[part] = NAN;
    family->divide(count, share);
}

XB_TEST(Topdown, AChaseThroughDramWaitsForDram)
{
    double share[XB_TOPDOWN_PARTS];
    struct xb_topdown_time time;
    divide_all(family_of("skx"), chase, share);
    XB_EXPECT(xb_topdown_spend(share, &time));
    double behind = 1 - 200 / 40000.0 - 880 / 40000.0 - (20 + 20) / 40000.0;
    double memory = behind * 9500 / (9600 + 20 + 880 / 40000.0 * 10);
    XB_EXPECT_NEAR(time.dram, memory * 9300 / 9500, 1e-12);
    XB_EXPECT_NEAR(time.llc, memory * 100 / 9500, 1e-12);
    XB_EXPECT_NEAR(time.l2, memory * 50 / 9500, 1e-12); /* no buffer was full */
    XB_EXPECT_NEAR(time.l1, memory * 50 / 9500, 1e-12);
    XB_EXPECT_NEAR(time.unplaced + time.unseen, 0, 1e-12);
    XB_EXPECT_NEAR(time.cpu, 1 - memory, 1e-12);
}

/* A stream of loads finds its lines in the L2 or on their way, and mostly waits for a fill buffer: what
 * waits for that waits for DRAM. Stores that fill their buffer could be waiting for anything. */
XB_TEST(Topdown, WaitingForAFillBufferIsDramAndAFullStoreBufferHasNoLevel)
{
    static const double count[18] = { 10000, 1000, 8000, 8000, 0,    0,   5000, 6000, 500,
                                      500,   2000, 4800, 1800, 1500, 100, 300,  400,  825 };
    double share[XB_TOPDOWN_PARTS];
    struct xb_topdown_time time;
    divide_all(family_of("icx"), count, share);
    XB_EXPECT(!xb_topdown_spend(share, &time)); /* 10000 slots there are not enough for these */
    divide_all(family_of("skx"), count, share);
    XB_EXPECT(xb_topdown_spend(share, &time));
    double memory = share[XB_TOPDOWN_MEMORY], of_l2 = 175 / 1000.0; /* 100 x (1 + 3/4), and 825 */
    XB_EXPECT_NEAR(time.l2, memory * of_l2 * 3000 / 7000, 1e-12);
    XB_EXPECT_NEAR(time.dram, memory * (1500 + (1 - of_l2) * 3000) / 7000, 1e-12);
    XB_EXPECT_NEAR(time.unplaced, memory * 2000 / 7000, 1e-12);
}

XB_TEST(Topdown, SapphireRapidsHasEventsForEachLevel)
{
    static const double count[13] = { 60000, 6000, 48000, 600,  0,    0,  45000,
                                      0,     8000, 1000,  7000, 6500, 500 };
    double share[XB_TOPDOWN_PARTS];
    struct xb_topdown_time time;
    divide_all(family_of("spr"), count, share);
    XB_EXPECT(xb_topdown_spend(share, &time));
    XB_EXPECT_NEAR(time.llc, 0.75 * 6000 / 9000, 1e-12);
    XB_EXPECT_NEAR(time.dram, 0.75 * 500 / 9000, 1e-12);
    XB_EXPECT_NEAR(time.unplaced, 0.75 * 1000 / 9000, 1e-12);
    XB_EXPECT_NEAR(time.cpu, 0.25, 1e-12);
}

/* 1000 cycles of 5 slots: 3000 empty ones behind, in half of the stalled cycles for memory. */
XB_TEST(Topdown, WhereNoEventTellsTheLevelItIsNotPlaced)
{
    static const double neoverse[6] = { 1000, 3000, 1500, 1600, 400, 200 };
    static const double zen[8] = { 1000, 300, 3000, 1200, 1300, 10, 400, 500 };
    double share[XB_TOPDOWN_PARTS];
    struct xb_topdown_time time;
    divide_all(family_of("arm_n2"), neoverse, share);
    XB_EXPECT(xb_topdown_spend(share, &time));
    XB_EXPECT_NEAR(time.unplaced, 0.3, 1e-12);
    XB_EXPECT_NEAR(time.cpu, 0.7, 1e-12);
    /* 4600 of 6000 slots, the others were the other thread's; four of five back-end slots. */
    divide_all(family_of("amd64_fam19h_zen4"), zen, share);
    XB_EXPECT(xb_topdown_spend(share, &time));
    XB_EXPECT_NEAR(time.unplaced, 2400 / 4600.0, 1e-12);
    XB_EXPECT_NEAR(time.cpu, 2200 / 4600.0, 1e-12);
    XB_EXPECT_NEAR(time.l1 + time.l2 + time.llc + time.dram + time.unseen, 0, 1e-12);
}

XB_TEST(Topdown, WhatIsNotCountedIsUnseenAndWhatCannotBeIsNoDivision)
{
    double share[XB_TOPDOWN_PARTS], count[18];
    struct xb_topdown_time time;
    memcpy(count, chase, sizeof count);
    count[6] = NAN; /* no stalls: what waits behind may wait for anything */
    divide_all(family_of("skx"), count, share);
    XB_EXPECT(xb_topdown_spend(share, &time));
    XB_EXPECT_NEAR(time.unseen, share[XB_TOPDOWN_BACKEND], 1e-12);
    XB_EXPECT_NEAR(time.cpu + time.unseen, 1, 1e-12);
    memcpy(count, chase, sizeof count);
    count[11] =
        0; /* nothing ever missed the L1, and yet all waits for memory: that one stands still */
    divide_all(family_of("skx"), count, share);
    XB_EXPECT(xb_topdown_spend(share, &time));
    XB_EXPECT(time.unplaced > 0.9);
    /* Cycles, and nothing else moves: of guests that are shown a part of a PMU. */
    for (size_t i = 0; i < xb_n_topdown_families; i++) {
        memset(count, 0, sizeof count);
        count[0] = 1e9;
        divide_all(&xb_topdown_families[i], count, share);
        XB_EXPECT(!xb_topdown_spend(share, &time));
        for (int k = 1; k < 18; k++) /* or all do, as one clock */
            count[k] = 1e9;
        count[0] = 1;
        divide_all(&xb_topdown_families[i], count, share);
        XB_EXPECT(!xb_topdown_spend(share, &time));
    }
}

/* What only divides the front end, retiring and bad speculation is not counted for it. */
XB_TEST(Topdown, EventsThatDoNotDivideTimeAreNotNeededForIt)
{
    XB_EXPECT_EQ(xb_topdown_needed(family_of("skx")), 0x3ffff & ~(1u << 5));
    XB_EXPECT_EQ(xb_topdown_needed(family_of("icx")), 0x3ffff & ~(3u << 4));
    XB_EXPECT_EQ(xb_topdown_needed(family_of("spr")), 0x1fff & ~(1u << 4 | 1u << 5 | 1u << 7));
    XB_EXPECT_EQ(xb_topdown_needed(family_of("amd64_fam19h_zen4")), 0xff & ~(1u << 5));
    XB_EXPECT_EQ(xb_topdown_needed(family_of("arm_v2")), 0x3f);
}

XB_TEST(Topdown, OtherEventsAreOfNoFamily)
{
    struct xb_events events = { .name = { "PAPI_TOT_INS", "skx::INST_RETIRED:ANY_P" } };
    struct xb_reading reading = { .present = UINT32_MAX };
    double share[XB_TOPDOWN_PARTS];
    XB_EXPECT(!xb_topdown_shares(&events, &reading, share));
    XB_EXPECT(isnan(share[XB_TOPDOWN_BACKEND]));
    XB_EXPECT(!xb_topdown_shares(NULL, &reading, share));
    XB_EXPECT(isnan(share[XB_TOPDOWN_BACKEND]));
}

XB_TEST(Topdown, EventsThatWereNamedAlreadyAreNotTakenTwice)
{
    const struct xb_topdown_family *family = family_of("skx");
    struct xb_events events = { .name = { "A", family->events[2] } };
    events.set = 3u << XB_METRIC_COUNT;
    XB_EXPECT_EQ(xb_topdown_add(family, 2, &events), 0);
    XB_EXPECT_EQ(__builtin_popcount(events.set), family->n + 1);
    XB_EXPECT_STREQ(events.name[1], family->events[2]);
    struct xb_events full = { .name = { "A", "B" } };
    XB_EXPECT_EQ(xb_topdown_add(family, 2, &full), -ENOSPC);
    XB_EXPECT_EQ(xb_topdown_add(family, 1, &full), 0);
}

static int find_those_of(const void *pmu, const char *event, struct xb_reason *why)
{
    if (!pmu)
        return xb_because(why, -ENOTSUP, "nobody to ask");
    return strncmp(event, pmu, strlen(pmu)) == 0 ? 0 : xb_because(why, -ENOENT, "not that one");
}

XB_TEST(Topdown, TheFamilyIsTheOneWhoseEventsAreKnown)
{
    struct xb_reason why = { 0 };
    XB_EXPECT(xb_topdown_pick(find_those_of, "icx::", &why) == family_of("icx"));
    XB_EXPECT(!xb_topdown_pick(find_those_of, "wsm::", &why));
    XB_EXPECT_HAS(why.text, "none is known for this CPU");
    XB_EXPECT(!xb_topdown_pick(find_those_of, "skx::U", &why)); /* only some of them */
    XB_EXPECT_STREQ(why.text, "not that one");
    XB_EXPECT(!xb_topdown_pick(find_those_of, NULL, &why));
    XB_EXPECT_STREQ(why.text, "nobody to ask");
}

/* libpfm4 takes the PMU as given and encodes each event, as it would on that CPU. */
static void expect_known(const struct xb_topdown_family *family)
{
    const struct xb_counter_source *papi = xb_find_source(&xb_builtin, "papi");
    struct xb_reason why = { 0 };
    for (unsigned i = 0; i < family->all; i++)
        if (papi->find(family->events[i], &why) != 0)
            XB_FAIL("%s: %s", family->events[i], why.text);
    XB_EXPECT(xb_topdown_find(papi, &why) == family);
}

/* Each in a program of its own, this one: libpfm4 looks for PMUs once. */
XB_TEST(Topdown, PapiKnowsEachEvent)
{
    const char *forced = getenv("LIBPFM_FORCE_PMU");
    if (forced) {
        expect_known(family_of(forced));
        return;
    }
    struct xb_reason why = { 0 };
    if (xb_find_source(&xb_builtin, "papi")->probe(&why) != 0 &&
        strstr(why.text, "built without")) {
        XB_SKIP("%s", why.text);
        return;
    }
    for (size_t i = 0; i < xb_n_topdown_families; i++) {
        const char *pmu = xb_topdown_families[i].pmu;
        char command[512];
        bool arm = strncmp(pmu, "arm_", 4) == 0;
#if defined(__x86_64__)
        if (arm) /* libpfm4 is built with the tables of one architecture */
            continue;
#else
        if (!arm)
            continue;
#endif
        snprintf(command, sizeof command,
                 "LIBPFM_FORCE_PMU=%s /proc/%d/exe --gtest_brief=1 "
                 "--gtest_filter=Topdown.PapiKnowsEachEvent",
                 pmu, (int)getpid());
        if (system(command) != 0)
            XB_FAIL("not all events of %s are known", pmu);
    }
}
