/* SPDX-License-Identifier: BSD-3-Clause
 * Tests the arithmetic of the gate against published values, enumerations and its own error rates. */
#include "xbtest.h"

#include "../../kernels/prng.h"
#include "../stats/hodges_lehmann.h"
#include "../stats/multiplicity.h"
#include "../stats/quartets.h"
#include "../stats/signed_rank.h"
#include "../stats/verdict.h"

#include <math.h>
#include <stdio.h>

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* Uniform in (0, 1), from the number of the draw. */
static double draw(uint64_t number)
{
    uint64_t state = number;
    return ((double)(xb_prng_next(&state) >> 11) + 0.5) * 0x1p-53;
}

/* Hamilton's depression scale factor IV before and after: Hollander and Wolfe, 2nd ed., table 3.1;
 * the p, the estimate and the interval are those of examples 3.1, 3.3 and 3.4. */
static const double depression[] = { -0.952, 0.147,  -1.022, -0.430, -0.620,
                                     -0.590, -0.490, 0.080,  -0.010 };

XB_TEST(SignedRank, GivesThePublishedPOfAPublishedExample)
{
    double turned[COUNT_OF(depression)];
    for (size_t i = 0; i < COUNT_OF(depression); i++)
        turned[i] = -depression[i];
    XB_EXPECT_NEAR(xb_signed_rank_p(turned, COUNT_OF(turned), 0), 10. / 512, 1e-15);
    XB_EXPECT_NEAR(xb_signed_rank_p(depression, COUNT_OF(depression), 0), 1 - 7. / 512, 1e-15);
}

/* Critical values for two sides and 5 %, as in Siegel (1956) table G and wherever the test is taught:
 * the largest rank sum that rejects. */
XB_TEST(SignedRank, OrdersAreTheTabledCriticalValues)
{
    static const struct {
        size_t n, critical;
    } table[] = { { 6, 0 },   { 7, 2 },   { 8, 3 },   { 9, 5 },   { 10, 8 },
                  { 11, 10 }, { 12, 13 }, { 13, 17 }, { 14, 21 }, { 15, 25 },
                  { 16, 29 }, { 17, 34 }, { 18, 40 }, { 19, 46 }, { 20, 52 },
                  { 21, 58 }, { 22, 65 }, { 23, 73 }, { 24, 81 }, { 25, 89 } };
    for (size_t i = 0; i < COUNT_OF(table); i++)
        XB_EXPECT_EQ(xb_signed_rank_order(table[i].n, 0.05), table[i].critical + 1);
    XB_EXPECT_EQ(xb_signed_rank_order(5, 0.05), 0); /* 2 / 2^5 is more than 5 % */
    XB_EXPECT_EQ(xb_signed_rank_order(48, 2.5 / 281474976710656.), 1); /* 2 / 2^48 */
}

/* All deals of signs, by brute force. */
static double enumerate(const double *values, size_t n, double shift)
{
    double rank[16], seen = 0;
    unsigned many = 0, all = 1u << n;
    for (size_t i = 0; i < n; i++) {
        double mine = fabs(values[i] - shift), less = 0, same = 0;
        for (size_t j = 0; j < n; j++) {
            less += fabs(values[j] - shift) < mine;
            same += fabs(values[j] - shift) == mine;
        }
        rank[i] = mine > 0 ? less + (same + 1) / 2 : 0;
        seen += values[i] > shift ? rank[i] : 0;
    }
    for (unsigned deal = 0; deal < all; deal++) {
        double sum = 0;
        for (size_t i = 0; i < n; i++)
            sum += deal >> i & 1 ? rank[i] : 0;
        many += sum >= seen;
    }
    return (double)many / all;
}

XB_TEST(SignedRank, EqualsTheEnumerationWithTiesAndZeros)
{
    for (uint64_t round = 0; round < 300; round++) {
        double values[10];
        size_t n = 1 + round % 10;
        for (size_t i = 0; i < n; i++) /* whole numbers: many are equal, some are the shift */
            values[i] = (double)(xb_mix64(round * 64 + i) % 9) - 3;
        XB_EXPECT_NEAR(xb_signed_rank_p(values, n, 1), enumerate(values, n, 1), 1e-12);
    }
}

XB_TEST(SignedRank, IsSureOfNothingWithoutDifferences)
{
    const double same[] = { 0.5, 0.5, 0.5 };
    XB_EXPECT_NEAR(xb_signed_rank_p(same, 3, 0.5), 1, 0);
    XB_EXPECT_NEAR(xb_signed_rank_p(same, 0, 0), 1, 0);
    XB_EXPECT_NEAR(xb_signed_rank_p(same, 3, 0), 0.125, 0);
}

XB_TEST(SignedRank, KeepsAllDigitsWith48Blocks)
{
    double values[48];
    for (size_t i = 0; i < 48; i++)
        values[i] = (double)i + 1;
    XB_EXPECT_NEAR(xb_signed_rank_p(values, 48, 0) * 281474976710656., 1, 0);
    XB_EXPECT_NEAR(xb_signed_rank_p(values, 48, 48.5), 1, 0);
}

XB_TEST(HodgesLehmann, IsTheMedianOfTheWalshAverages)
{
    const double three[] = { 4, 1, 2 }; /* 1 1.5 2 2.5 3 4 */
    XB_EXPECT_NEAR(xb_hodges_lehmann(three, 3, 0.05).estimate, 2.25, 0);
    XB_EXPECT(isinf(xb_hodges_lehmann(three, 3, 0.05).lo));
    XB_EXPECT(isnan(xb_hodges_lehmann(three, 0, 0.05).estimate));
    struct xb_shift shift = xb_hodges_lehmann(depression, COUNT_OF(depression), 0.04);
    XB_EXPECT_NEAR(shift.estimate, -0.46, 1e-9);
    XB_EXPECT_NEAR(shift.lo, -0.786, 1e-9);
    XB_EXPECT_NEAR(shift.hi, -0.010, 1e-9);
}

/* An end of the interval is where the test begins to reject, so each can be had from the other. */
XB_TEST(HodgesLehmann, IntervalHoldsWhatTheTestDoesNotReject)
{
    for (uint64_t round = 0; round < 50; round++) {
        double values[22], turned[22];
        for (size_t i = 0; i < 22; i++) {
            values[i] = draw(round * 64 + i) - 0.3;
            turned[i] = -values[i];
        }
        struct xb_shift shift = xb_hodges_lehmann(values, 22, 0.05);
        XB_EXPECT(xb_signed_rank_p(values, 22, shift.lo - 1e-9) <= 0.025);
        XB_EXPECT(xb_signed_rank_p(values, 22, shift.lo + 1e-9) > 0.025);
        XB_EXPECT(xb_signed_rank_p(turned, 22, -shift.hi - 1e-9) <= 0.025);
        XB_EXPECT(xb_signed_rank_p(turned, 22, -shift.hi + 1e-9) > 0.025);
    }
}

/* Benjamini and Hochberg (1995), section 3.2: four rejected, where Bonferroni and Holm have three. */
XB_TEST(Multiplicity, GivesThePublishedRejections)
{
    static const double p[] = { 0.3240, 0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298,
                                0.0344, 0.0459, 0.4262, 0.5719, 0.6528, 0.7590, 1.0000 };
    bool bh[COUNT_OF(p)], holm[COUNT_OF(p)];
    xb_benjamini_hochberg(p, COUNT_OF(p), 0.05, bh);
    xb_holm(p, COUNT_OF(p), 0.05, holm);
    for (size_t i = 0; i < COUNT_OF(p); i++) {
        XB_EXPECT_EQ(bh[i], p[i] <= 0.0095);
        XB_EXPECT_EQ(holm[i], p[i] <= 0.0019);
    }
}

XB_TEST(Multiplicity, HolmStopsAtTheFirstThatFails)
{
    static const double p[] = { 0.04, 0.01, 0.03, 0.005 }; /* 0.005 * 4, 0.01 * 3, 0.03 * 2 > 5 % */
    bool rejected[4];
    xb_holm(p, 4, 0.05, rejected);
    XB_EXPECT(!rejected[0] && rejected[1] && !rejected[2] && rejected[3]);
    static const double ties[] = { 0.02, 0.02 };
    xb_holm(ties, 2, 0.05, rejected);
    XB_EXPECT(rejected[0] && rejected[1]);
    xb_holm(ties, 0, 0.05, rejected);
    xb_benjamini_hochberg(ties, 0, 0.05, rejected);
}

XB_TEST(Looks, SpendTheWholeRiskWhateverTheEnd)
{
    static const size_t ends[] = { 0, 10, 12, 15, 16, 22, 30, 40, 48, 999 };
    for (size_t i = 0; i < COUNT_OF(ends); i++) {
        struct xb_looks looks = xb_looks_plan(ends[i]);
        double moved = 0, proven = 0;
        for (size_t j = 0; j < looks.n; j++) {
            moved += looks.look[j].moved;
            proven += looks.look[j].proven;
            XB_EXPECT(j == 0 || looks.look[j].blocks > looks.look[j - 1].blocks);
        }
        XB_EXPECT_NEAR(moved, XB_ALPHA_MOVED, 1e-12);
        XB_EXPECT_NEAR(proven, XB_ALPHA_PROVEN, 1e-12);
        size_t last = ends[i] < 10 ? 10 : ends[i] > 48 ? 48 : ends[i];
        XB_EXPECT_EQ(looks.look[looks.n - 1].blocks, last);
    }
}

XB_TEST(Looks, LeastDetectableEffectIsThatOfTheFormula)
{
    /* z of 0.001 is 3.0902: 0.005 + 1.05 (3.0902 + 0.84) 0.004 / sqrt(16). */
    XB_EXPECT_NEAR(xb_least_detectable(0.004, 16, 0.001, 0.005), 0.00912672, 1e-7);
    XB_EXPECT_EQ(xb_blocks_to_detect(0.004, 0.001, 0.005, 0.0091268), 16);
    XB_EXPECT_EQ(xb_blocks_to_detect(0.004, 0.001, 0.005, 0.005), SIZE_MAX);
}

XB_TEST(Quartet, CancelsDriftAndKeepsTheSign)
{
    /* Every slice takes e^0.1 times the one before, the new build's e^0.02 longer. */
    for (int new_first = 0; new_first < 2; new_first++) {
        double ns[XB_SLICES];
        for (size_t i = 0; i < XB_SLICES; i++)
            ns[i] = 1e6 * exp(0.1 * (double)i + (xb_quartet_is_new(new_first, i) ? 0.02 : 0));
        XB_EXPECT_NEAR(xb_quartet_log_ratio(ns, new_first), 0.02, 1e-12);
    }
    double odd[] = { 3, -1, 1 };
    XB_EXPECT_NEAR(xb_quartets_middle(odd, 3), 1, 0);
}

/* ---- the rule ---- */

static struct xb_rule usual(size_t blocks)
{
    return (struct xb_rule){ 0.005, 0.02, xb_looks_plan(blocks) };
}

/* Noise of +-0.3 % about `centre`, without ties. */
static void fill(double *values, size_t n, double centre)
{
    for (size_t i = 0; i < n; i++)
        values[i] = centre + (i % 2 ? 1 : -1) * 0.003 * (double)(i + 1) / (double)n;
}

static enum xb_verdict judge_one(double centre, size_t n)
{
    double values[XB_BLOCKS_MAX];
    struct xb_rule rule = usual(48);
    fill(values, n, centre);
    struct xb_effect effect = { .log_ratios = values, .n = n };
    XB_EXPECT_EQ(xb_judge(&rule, &effect, 1), 0);
    return effect.verdict;
}

XB_TEST(Verdict, EachIsReached)
{
    XB_EXPECT_EQ(judge_one(0.05, 10), XB_REGRESSED);
    XB_EXPECT_EQ(judge_one(-0.05, 10), XB_IMPROVED);
    XB_EXPECT_EQ(judge_one(0, 10), XB_PROVEN);
    XB_EXPECT_EQ(judge_one(0.02, 48), XB_REGRESSED); /* beyond the minimum effect: not proven */
    XB_EXPECT_EQ(judge_one(0.0198, 9), XB_INCONCLUSIVE);
    XB_EXPECT_STREQ(xb_verdict_name(XB_INCONCLUSIVE), "INCONCLUSIVE");
}

XB_TEST(Verdict, NothingIsDecidedBeforeTheFirstLook)
{
    XB_EXPECT_EQ(judge_one(1, 9), XB_INCONCLUSIVE);
    XB_EXPECT_EQ(judge_one(1, 10), XB_REGRESSED);
    XB_EXPECT_EQ(judge_one(0, 0), XB_INCONCLUSIVE);
}

XB_TEST(Verdict, BlocksBetweenLooksDoNotCount)
{
    double values[14];
    struct xb_rule rule = usual(48);
    fill(values, 14, 0.05);
    values[0] = -0.05; /* 10 blocks are not unanimous; 14 would be enough, but are no look */
    struct xb_effect effect = { .log_ratios = values, .n = 14 };
    XB_EXPECT_EQ(xb_judge(&rule, &effect, 1), 0);
    XB_EXPECT_EQ(effect.verdict, XB_INCONCLUSIVE);
    effect.n = 10;
    double p = effect.p_regressed;
    XB_EXPECT_EQ(xb_judge(&rule, &effect, 1), 0);
    XB_EXPECT_NEAR(effect.p_regressed, p, 0);
}

XB_TEST(Verdict, SmallEffectsAreNeitherRegressedNorImproved)
{
    XB_EXPECT_EQ(judge_one(0.004, 48), XB_PROVEN);
    XB_EXPECT_EQ(judge_one(-0.004, 48), XB_PROVEN);
}

XB_TEST(Verdict, NoiseIsInconclusiveAndSaysWhatItCouldSee)
{
    double values[48];
    struct xb_rule rule = usual(48);
    for (size_t i = 0; i < 48; i++)
        values[i] = 0.4 * (draw(i) - 0.5);
    struct xb_effect effect = { .log_ratios = values, .n = 48 };
    XB_EXPECT_EQ(xb_judge(&rule, &effect, 1), 0);
    XB_EXPECT_EQ(effect.verdict, XB_INCONCLUSIVE);
    XB_EXPECT(effect.detectable > 0.05 && effect.detectable < 0.1);
    XB_EXPECT(effect.shift.lo < 0 && effect.shift.hi > 0);
}

XB_TEST(Verdict, UnchangedIsLeftAloneAndCountsForNothing)
{
    double values[10];
    struct xb_rule rule = usual(48);
    struct xb_effect effects[40] = { { .n = 0 } };
    fill(values, 10, 0.05);
    for (size_t i = 0; i < 40; i++)
        effects[i].verdict = XB_UNCHANGED;
    effects[7] = (struct xb_effect){ .log_ratios = values, .n = 10 };
    XB_EXPECT_EQ(xb_judge(&rule, effects, 40), 0);
    XB_EXPECT_EQ(effects[7].verdict, XB_REGRESSED); /* one of one, not one of forty */
    XB_EXPECT_EQ(effects[8].verdict, XB_UNCHANGED);
}

/* One regression among forty has to be surer than one alone: 10 blocks cannot be as sure. */
XB_TEST(Verdict, ASuiteIsCorrectedForItsSize)
{
    double bad[48], good[48];
    struct xb_rule rule = usual(48);
    struct xb_effect effects[40] = { { .n = 0 } };
    fill(bad, 48, 0.05);
    fill(good, 48, 0);
    for (size_t n = 10; n <= 15; n += 5) {
        for (size_t i = 0; i < 40; i++)
            effects[i] = (struct xb_effect){ .log_ratios = i == 7 ? bad : good, .n = n };
        XB_EXPECT_EQ(xb_judge(&rule, effects, 40), 0);
        XB_EXPECT_EQ(effects[7].verdict, n == 10 ? XB_INCONCLUSIVE : XB_REGRESSED);
        XB_EXPECT_EQ(effects[8].verdict, n == 10 ? XB_INCONCLUSIVE : XB_PROVEN);
    }
}

/* The claim that matters: with any noise that is symmetric, at the edge of the null, and all five
 * looks taken, no more than the alpha is called. 4000 suites of one with fixed seeds; the noise has
 * such heavy tails that it has no mean. */
XB_TEST(Verdict, ErrorRatesAreThoseOfThePlan)
{
    enum { SUITES = 4000 };
    struct xb_rule rule = usual(48);
    unsigned regressed = 0, proven = 0, missed = 0;
    for (uint64_t suite = 0; suite < SUITES; suite++) {
        double edge[48], margin[48];
        for (size_t i = 0; i < 48; i++) {
            double noise = 0.01 * tan(3.14159265358979 * (draw(suite * 64 + i) - 0.5));
            edge[i] = log1p(0.005) + noise;
            margin[i] = log1p(0.02) + noise;
        }
        struct xb_effect effect = { .log_ratios = edge, .n = 48 };
        XB_EXPECT_EQ(xb_judge(&rule, &effect, 1), 0);
        regressed += effect.verdict == XB_REGRESSED;
        missed += effect.shift.lo > log1p(0.005) || effect.shift.hi < log1p(0.005);
        effect = (struct xb_effect){ .log_ratios = margin, .n = 48 };
        XB_EXPECT_EQ(xb_judge(&rule, &effect, 1), 0);
        proven += effect.verdict == XB_PROVEN;
    }
    /* Looks are correlated, so what is spent is less than the sum, and not by much. Upper bounds: two
     * standard errors above the sum. */
    printf("regressed %u, proven %u, missed %u of %d\n", regressed, proven, missed, SUITES);
    XB_EXPECT(regressed <= 29 && regressed >= 6);
    XB_EXPECT(proven <= 228 && proven >= 60);
    XB_EXPECT_NEAR((double)missed / SUITES, 0.049, 0.01);
}
