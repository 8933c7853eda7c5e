/* SPDX-License-Identifier: BSD-3-Clause
 * Tests the arithmetic on recorded readings, and how claims are judged. No PMU is needed. */
#include "xbtest.h"

#include "../core/metrics.h"

#include <math.h>
#include <stdio.h>

#define CYCLES       XB_METRIC_BIT(CYCLES)
#define INSTRUCTIONS XB_METRIC_BIT(INSTRUCTIONS)
#define L1D          XB_METRIC_BIT(L1D_MISSES)
#define LLC          XB_METRIC_BIT(LLC_MISSES)
#define BRANCH       XB_METRIC_BIT(BRANCH_MISSES)
#define USER         XB_METRIC_BIT(USER_TIME)

/* 2000 cycles, 1000 instructions and so on: values whose ratios are easy to see. */
static struct xb_reading recorded(uint32_t present)
{
    struct xb_reading reading = { .present = present };
    reading.value[XB_METRIC_CYCLES] = 2000;
    reading.value[XB_METRIC_INSTRUCTIONS] = 1000;
    reading.value[XB_METRIC_L1D_MISSES] = 50;
    reading.value[XB_METRIC_LLC_MISSES] = 7;
    reading.value[XB_METRIC_BRANCH_MISSES] = 3;
    reading.value[XB_METRIC_USER_TIME] = 900;
    return reading;
}

static struct xb_reading counted_for(uint64_t enabled_ns, uint64_t running_ns)
{
    struct xb_reading reading = recorded(CYCLES);
    reading.enabled_ns = enabled_ns;
    reading.running_ns = running_ns;
    return reading;
}

/* ---- merging ---- */

XB_TEST(Metrics, MergeAddsValues)
{
    struct xb_reading lanes[3] = { recorded(CYCLES), recorded(CYCLES), recorded(CYCLES) }, out;
    lanes[2].value[XB_METRIC_CYCLES] = 1;
    xb_metrics_merge(lanes, 3, &out);
    XB_EXPECT_EQ(out.value[XB_METRIC_CYCLES], 4001);
}

XB_TEST(Metrics, MergeOfOneLaneIsThatLane)
{
    struct xb_reading lane = counted_for(100, 60), out;
    xb_metrics_merge(&lane, 1, &out);
    XB_EXPECT_EQ(memcmp(&out, &lane, sizeof lane), 0);
}

XB_TEST(Metrics, MergeKeepsAMetricOnlyIfEveryLaneHasIt)
{
    struct xb_reading lanes[3] = { recorded(CYCLES | INSTRUCTIONS | LLC),
                                   recorded(CYCLES | INSTRUCTIONS),
                                   recorded(CYCLES | LLC | BRANCH) };
    struct xb_reading out;
    xb_metrics_merge(lanes, 3, &out);
    XB_EXPECT_EQ(out.present, CYCLES);
}

XB_TEST(Metrics, MergeMayWriteOverItsInput)
{
    struct xb_reading lanes[2] = { recorded(CYCLES), recorded(CYCLES) };
    xb_metrics_merge(lanes, 2, &lanes[0]);
    XB_EXPECT_EQ(lanes[0].value[XB_METRIC_CYCLES], 4000);
}

XB_TEST(Metrics, CoverageIsTheShareOfTheTimeThatWasCounted)
{
    struct xb_reading reading = counted_for(200, 50);
    XB_EXPECT_NEAR(xb_metrics_coverage(&reading), 0.25, 0);
    reading = counted_for(200, 0);
    XB_EXPECT_NEAR(xb_metrics_coverage(&reading), 0, 0);
    reading = counted_for(0, 0);
    XB_EXPECT(isnan(xb_metrics_coverage(&reading)));
}

XB_TEST(Metrics, MergeTakesTheCoverageOfTheWorstLaneWhereverItStands)
{
    for (size_t worst = 0; worst < 3; worst++) {
        struct xb_reading lanes[3] = { counted_for(100, 90), counted_for(200, 190),
                                       counted_for(50, 50) };
        struct xb_reading out;
        lanes[worst] = counted_for(400, 100);
        xb_metrics_merge(lanes, 3, &out);
        XB_EXPECT_NEAR(xb_metrics_coverage(&out), 0.25, 0);
    }
}

/* A lane that cannot tell is worse than one that counted a tenth, and no later lane may mend it. */
XB_TEST(Metrics, MergeWithALaneOfUnknownCoverageIsUnknownWhereverItStands)
{
    for (size_t unknown = 0; unknown < 3; unknown++) {
        struct xb_reading lanes[3] = { counted_for(100, 90), counted_for(100, 10),
                                       counted_for(100, 100) };
        struct xb_reading out;
        lanes[unknown] = counted_for(0, 0);
        xb_metrics_merge(lanes, 3, &out);
        XB_EXPECT(isnan(xb_metrics_coverage(&out)));
    }
}

XB_TEST(Metrics, FillTakesAccountsOnlyWhereNothingWasCounted)
{
    struct xb_reading reading = recorded(CYCLES), accounts = recorded(CYCLES | USER);
    reading.value[XB_METRIC_USER_TIME] = 1; /* absent, so of no meaning */
    accounts.value[XB_METRIC_CYCLES] = 5;
    xb_metrics_fill(&reading, &accounts);
    XB_EXPECT_EQ(reading.present, CYCLES | USER);
    XB_EXPECT_EQ(reading.value[XB_METRIC_CYCLES], 2000);
    XB_EXPECT_EQ(reading.value[XB_METRIC_USER_TIME], 900);
}

/* ---- ratios ---- */

static double ratio_of(enum xb_ratio ratio, struct xb_reading reading)
{
    struct xb_evidence evidence = { .reading = reading, .cpu_wall_ns = 1000 };
    return xb_ratio(ratio, &evidence);
}

XB_TEST(Metrics, RatiosAreWhatTheirNamesSay)
{
    XB_EXPECT_NEAR(ratio_of(XB_RATIO_IPC, recorded(CYCLES | INSTRUCTIONS)), 0.5, 1e-12);
    XB_EXPECT_NEAR(ratio_of(XB_RATIO_L1D_MPKI, recorded(L1D | INSTRUCTIONS)), 50, 1e-12);
    XB_EXPECT_NEAR(ratio_of(XB_RATIO_LLC_MPKI, recorded(LLC | INSTRUCTIONS)), 7, 1e-12);
    XB_EXPECT_NEAR(ratio_of(XB_RATIO_BRANCH_MPKI, recorded(BRANCH | INSTRUCTIONS)), 3, 1e-12);
    XB_EXPECT_NEAR(ratio_of(XB_RATIO_USER_SHARE, recorded(USER)), 0.9, 1e-12);
}

XB_TEST(Metrics, OutcomesAreHeldAgainstItems)
{
    struct xb_evidence evidence = { .items = 300, .outcomes = 150 };
    XB_EXPECT_NEAR(xb_ratio(XB_RATIO_OUTCOME, &evidence), 0.5, 1e-12);
    evidence.outcomes = 0;
    XB_EXPECT_NEAR(xb_ratio(XB_RATIO_OUTCOME, &evidence), 0, 0);
    evidence.items = 0;
    XB_EXPECT(isnan(xb_ratio(XB_RATIO_OUTCOME, &evidence)));
}

XB_TEST(Metrics, ARatioWithoutOneOfItsInputsIsUnknown)
{
    XB_EXPECT(isnan(ratio_of(XB_RATIO_IPC, recorded(CYCLES))));
    XB_EXPECT(isnan(ratio_of(XB_RATIO_IPC, recorded(INSTRUCTIONS))));
    XB_EXPECT(isnan(ratio_of(XB_RATIO_L1D_MPKI, recorded(INSTRUCTIONS))));
    XB_EXPECT(isnan(ratio_of(XB_RATIO_L1D_MPKI, recorded(L1D))));
    XB_EXPECT(isnan(ratio_of(XB_RATIO_LLC_MPKI, recorded(INSTRUCTIONS | L1D))));
    XB_EXPECT(isnan(ratio_of(XB_RATIO_BRANCH_MPKI, recorded(INSTRUCTIONS | CYCLES))));
    XB_EXPECT(isnan(ratio_of(XB_RATIO_USER_SHARE, recorded(XB_METRICS_ALL & ~USER))));
}

XB_TEST(Metrics, DivisionByZeroIsUnknown)
{
    /* Something over zero, which would be infinite, and zero over zero. */
    struct xb_evidence evidence[2] = { { .reading = recorded(XB_METRICS_ALL) },
                                       { .reading = { .present = XB_METRICS_ALL } } };
    for (size_t i = 0; i < 2; i++)
        for (int ratio = 0; ratio < XB_RATIOS; ratio++) {
            evidence[i].reading.value[XB_METRIC_CYCLES] = 0;
            evidence[i].reading.value[XB_METRIC_INSTRUCTIONS] = ratio == XB_RATIO_IPC && i == 0;
            XB_EXPECT(isnan(xb_ratio((enum xb_ratio)ratio, &evidence[i])));
        }
}

XB_TEST(Metrics, NothingOverSomethingIsZeroAndKnown)
{
    struct xb_reading reading = recorded(XB_METRICS_ALL);
    reading.value[XB_METRIC_LLC_MISSES] = 0;
    XB_EXPECT_NEAR(ratio_of(XB_RATIO_LLC_MPKI, reading), 0, 0);
}

XB_TEST(Metrics, NamesAreDistinctAndFitForColumns)
{
    for (int i = 0; i < XB_METRIC_COUNT; i++) {
        const char *name = xb_metric_name((enum xb_metric)i);
        XB_EXPECT_EQ(strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_"), strlen(name));
        for (int j = 0; j < i; j++)
            XB_EXPECT(strcmp(name, xb_metric_name((enum xb_metric)j)) != 0);
    }
    for (int i = 0; i < XB_RATIOS; i++)
        for (int j = 0; j < i; j++)
            XB_EXPECT(strcmp(xb_ratio_name((enum xb_ratio)i), xb_ratio_name((enum xb_ratio)j)));
    XB_EXPECT_STREQ(xb_class_name(XB_CLASS_CPU), "cpu");
    XB_EXPECT_STREQ(xb_class_name(XB_CLASS_SYNC), "sync");
}

/* ---- claims ---- */

/* Judges one claim against recorded readings, and compares verdict and evidence. */
static void expect_verdict(struct xb_claim claim, uint32_t present, const char *verdict,
                           const char *clause)
{
    struct xb_evidence evidence = { .reading = recorded(present), .cpu_wall_ns = 1000 };
    char text[200];
    XB_EXPECT_STREQ(xb_claims_judge(&claim, 1, &evidence, text, sizeof text), verdict);
    XB_EXPECT_STREQ(text, clause);
}

XB_TEST(Claims, AOneSidedClaimFromBelow)
{
    struct xb_claim most_user = { XB_RATIO_USER_SHARE, 0.8, INFINITY };
    struct xb_claim all_user = { XB_RATIO_USER_SHARE, 0.95, INFINITY };
    expect_verdict(most_user, USER, "confirmed", "user_share 0.9, claimed >= 0.8");
    expect_verdict(all_user, USER, "contradicted", "user_share 0.9, claimed >= 0.95");
    expect_verdict(most_user, 0, "untested", "user_share not counted, claimed >= 0.8");
}

XB_TEST(Claims, AOneSidedClaimFromAbove)
{
    struct xb_claim slow = { XB_RATIO_IPC, -INFINITY, 0.6 };
    struct xb_claim slower = { XB_RATIO_IPC, 0, 0.4 }; /* no ratio is negative: one-sided too */
    expect_verdict(slow, CYCLES | INSTRUCTIONS, "confirmed", "ipc 0.5, claimed <= 0.6");
    expect_verdict(slower, CYCLES | INSTRUCTIONS, "contradicted", "ipc 0.5, claimed <= 0.4");
    expect_verdict(slow, CYCLES, "untested", "ipc not counted, claimed <= 0.6");
}

XB_TEST(Claims, ATwoSidedClaim)
{
    struct xb_claim inside = { XB_RATIO_LLC_MPKI, 5, 10 }, above = { XB_RATIO_LLC_MPKI, 8, 10 },
                    below = { XB_RATIO_LLC_MPKI, 1, 6.5 };
    expect_verdict(inside, LLC | INSTRUCTIONS, "confirmed", "llc_mpki 7, claimed 5 to 10");
    expect_verdict(above, LLC | INSTRUCTIONS, "contradicted", "llc_mpki 7, claimed 8 to 10");
    expect_verdict(below, LLC | INSTRUCTIONS, "contradicted", "llc_mpki 7, claimed 1 to 6.5");
}

XB_TEST(Claims, BothEndsBelongToTheRange)
{
    struct xb_claim least = { XB_RATIO_LLC_MPKI, 7, 10 }, most = { XB_RATIO_LLC_MPKI, 5, 7 };
    expect_verdict(least, LLC | INSTRUCTIONS, "confirmed", "llc_mpki 7, claimed 7 to 10");
    expect_verdict(most, LLC | INSTRUCTIONS, "confirmed", "llc_mpki 7, claimed 5 to 7");
}

XB_TEST(Claims, OneFailureContradictsAndOneUnknownLeavesUntested)
{
    struct xb_claim claims[] = {
        { XB_RATIO_USER_SHARE, 0.8, INFINITY }, /* holds */
        { XB_RATIO_IPC, 0.1, INFINITY },        /* not counted */
        { XB_RATIO_LLC_MPKI, 8, INFINITY },     /* fails */
    };
    struct xb_evidence evidence = { .reading = recorded(USER | LLC | INSTRUCTIONS),
                                    .cpu_wall_ns = 1000 };
    char text[200];
    XB_EXPECT_STREQ(xb_claims_judge(claims, 3, &evidence, text, sizeof text), "contradicted");
    XB_EXPECT_STREQ(text, "user_share 0.9, claimed >= 0.8; ipc not counted, claimed >= 0.1; "
                          "llc_mpki 7, claimed >= 8");
    XB_EXPECT_STREQ(xb_claims_judge(claims, 2, &evidence, text, sizeof text), "untested");
    XB_EXPECT_STREQ(xb_claims_judge(claims, 1, &evidence, text, sizeof text), "confirmed");
}

XB_TEST(Claims, NoClaimIsUntestedWithNothingToSay)
{
    struct xb_evidence evidence = { .reading = recorded(XB_METRICS_ALL), .cpu_wall_ns = 1000 };
    char text[8] = "stale";
    XB_EXPECT_STREQ(xb_claims_judge(NULL, 0, &evidence, text, sizeof text), "untested");
    XB_EXPECT_STREQ(text, "");
}

XB_TEST(Claims, TheTextIsCutAtItsBufferAndTheVerdictIsNot)
{
    static const char whole[] = "user_share 0.9, claimed >= 0.8; ipc 0.5, claimed 0.1 to 0.2";
    struct xb_claim claims[] = { { XB_RATIO_USER_SHARE, 0.8, INFINITY },
                                 { XB_RATIO_IPC, 0.1, 0.2 } };
    struct xb_evidence evidence = { .reading = recorded(XB_METRICS_ALL), .cpu_wall_ns = 1000 };
    for (size_t room = 0; room <= sizeof whole + 1; room++) {
        char text[sizeof whole + 8];
        memset(text, '#', sizeof text);
        XB_EXPECT_STREQ(xb_claims_judge(claims, 2, &evidence, text, room), "contradicted");
        for (size_t i = room; i < sizeof text; i++)
            XB_EXPECT_EQ(text[i], '#');
        if (!room)
            continue;
        char should[sizeof whole + 8];
        snprintf(should, room < sizeof should ? room : sizeof should, "%s", whole);
        XB_EXPECT_STREQ(text, should);
    }
}
