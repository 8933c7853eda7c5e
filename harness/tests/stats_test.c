/* SPDX-License-Identifier: BSD-3-Clause
 * Tests the arithmetic on samples: medians, intervals, histograms. */
#include "xbtest.h"

#include "../stats/histogram.h"
#include "../stats/median.h"
#include "../stats/staircase.h"

#include <math.h>
#include <stdlib.h>

XB_TEST(Median, OfAnOddAndAnEvenNumberOfValues)
{
    double odd[] = { 3, 1, 2 }, even[] = { 4, 1, 3, 2 };
    XB_EXPECT_NEAR(xb_median_interval(odd, 3).median, 2, 0);
    XB_EXPECT_NEAR(xb_median_interval(even, 4).median, 2.5, 0);
    XB_EXPECT(isnan(xb_median_interval(odd, 0).median));
}

/* Ranks from the table in Conover, Practical Nonparametric Statistics, 3rd ed., A3: for n = 6 the
 * extremes, for n = 10 the 2nd and 9th, for 20 the 6th and 15th, for 100 the 40th and 61st. */
XB_TEST(Median, IntervalIsTheTabledPairOfOrderStatistics)
{
    static const struct {
        size_t n, lo, hi;
    } table[] = { { 6, 1, 6 }, { 10, 2, 9 }, { 20, 6, 15 }, { 100, 40, 61 } };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        double values[100];
        for (size_t j = 0; j < table[i].n; j++)
            values[j] = (double)(table[i].n - j);
        struct xb_interval interval = xb_median_interval(values, table[i].n);
        XB_EXPECT_NEAR(interval.lo, (double)table[i].lo, 0);
        XB_EXPECT_NEAR(interval.hi, (double)table[i].hi, 0);
    }
}

XB_TEST(Median, FiveValuesGiveNoInterval)
{
    double values[] = { 1, 2, 3, 4, 5 };
    struct xb_interval interval = xb_median_interval(values, 5);
    XB_EXPECT(isnan(interval.lo) && isnan(interval.hi));
    XB_EXPECT(isnan(xb_interval_relative(interval)));
}

XB_TEST(Median, IntervalOfManyValuesDoesNotUnderflow)
{
    enum { N = 4096 };
    double *values = malloc(N * sizeof *values);
    for (int i = 0; i < N; i++)
        values[i] = i + 1;
    struct xb_interval interval = xb_median_interval(values, N);
    /* The normal approximation: n/2 -+ 1.96 sqrt(n)/2 = 2048 -+ 62.7. */
    XB_EXPECT_NEAR(interval.lo, 1985.5, 1.5);
    XB_EXPECT_NEAR(interval.hi, 2111.5, 1.5);
    free(values);
}

XB_TEST(Histogram, QuantilesAreWithinABucketOfTheTruth)
{
    struct xb_histogram *histogram = calloc(1, sizeof *histogram);
    for (uint64_t value = 1; value <= 100000; value++)
        xb_histogram_add(histogram, value * 10);
    XB_EXPECT_EQ(histogram->n, 100000);
    XB_EXPECT_EQ(histogram->max, 1000000);
    XB_EXPECT_NEAR(xb_histogram_quantile(histogram, 0.5), 500000, 500000 * 0.016);
    XB_EXPECT_NEAR(xb_histogram_quantile(histogram, 0.99), 990000, 990000 * 0.016);
    XB_EXPECT_NEAR(xb_histogram_quantile(histogram, 0.999), 999000, 999000 * 0.016);
    free(histogram);
}

XB_TEST(Histogram, SmallValuesAreExactAndTheLargestFits)
{
    struct xb_histogram *histogram = calloc(1, sizeof *histogram);
    XB_EXPECT(isnan(xb_histogram_quantile(histogram, 0.5)));
    xb_histogram_add(histogram, 37);
    XB_EXPECT_NEAR(xb_histogram_quantile(histogram, 0.5), 37, 0);
    xb_histogram_add(histogram, UINT64_MAX);
    XB_EXPECT_NEAR(xb_histogram_quantile(histogram, 1) / 0x1p64, 1, 0.016);
    free(histogram);
}

XB_TEST(Histogram, MergeIsTheSumOfBoth)
{
    struct xb_histogram *a = calloc(1, sizeof *a), *b = calloc(1, sizeof *b);
    xb_histogram_add(a, 10);
    xb_histogram_add(b, 20);
    xb_histogram_add(b, 30);
    xb_histogram_merge(a, b);
    XB_EXPECT_EQ(a->n, 3);
    XB_EXPECT_EQ(a->max, 30);
    XB_EXPECT_NEAR(xb_histogram_quantile(a, 0.5), 20, 0);
    free(a);
    free(b);
}

/* The latencies of a machine with 32 KiB, 1 MiB and 32 MiB, and what its TLB adds beyond. */
static size_t make_stairs(struct xb_stair *stairs)
{
    size_t n = 0;
    for (double bytes = 4096; bytes < 2e9; bytes *= 1.25, n++) {
        double ns = bytes <= 32768 ? 1.1 : bytes <= 1048576 ? 3.9 : bytes <= 33554432 ? 15 : 110;
        stairs[n] = (struct xb_stair){ bytes, bytes > 5e8 ? ns * 1.3 : ns };
    }
    return n;
}

XB_TEST(Staircase, EdgesAreWhereTheLatencyClimbs)
{
    struct xb_stair stairs[XB_STAIRS_MAX];
    size_t n = make_stairs(stairs);
    double edge[3];
    XB_EXPECT_EQ(xb_staircase(stairs, n, edge, 3), 3);
    XB_EXPECT_NEAR(edge[0], 32768, 32768 * 0.25);
    XB_EXPECT_NEAR(edge[1], 1048576, 1048576 * 0.25);
    XB_EXPECT_NEAR(edge[2], 33554432, 33554432 * 0.25);
}

XB_TEST(Staircase, OrderOfTheStairsDoesNotMatter)
{
    struct xb_stair up[XB_STAIRS_MAX], down[XB_STAIRS_MAX];
    size_t n = make_stairs(up);
    for (size_t i = 0; i < n; i++)
        down[i] = up[n - 1 - i];
    double of_up[3], of_down[3];
    XB_EXPECT_EQ(xb_staircase(up, n, of_up, 3), xb_staircase(down, n, of_down, 3));
    XB_EXPECT_EQ(memcmp(of_up, of_down, sizeof of_up), 0);
}

XB_TEST(Staircase, LevelGroundAndTooFewStairsHaveNoEdge)
{
    struct xb_stair stairs[64];
    double edge[3];
    for (size_t i = 0; i < 64; i++)
        stairs[i] = (struct xb_stair){ 4096.0 * (double)(i + 1), 4 + (double)(i % 3) / 10 };
    XB_EXPECT_EQ(xb_staircase(stairs, 64, edge, 3), 0);
    XB_EXPECT_EQ(make_stairs(stairs) > 7, true);
    XB_EXPECT_EQ(xb_staircase(stairs, 7, edge, 3), 0);
}

XB_TEST(Histogram, NoQuantileExceedsTheLargestValue)
{
    struct xb_histogram *histogram = calloc(1, sizeof *histogram);
    for (int i = 0; i < 10; i++)
        xb_histogram_add(histogram, 335725201);
    XB_EXPECT_NEAR(xb_histogram_quantile(histogram, 0.99), 335725201, 0);
    free(histogram);
}
