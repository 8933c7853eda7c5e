/* SPDX-License-Identifier: BSD-3-Clause
 * Tests the arithmetic on samples: medians, intervals, histograms. */
#include "spawn.h"
#include "xbtest.h"

#include "../stats/histogram.h"
#include "../stats/median.h"
#include "../stats/staircase.h"

#include <math.h>
#include <stdio.h>
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
    XB_EXPECT_NEAR(edge[0], 32768, 32768 * 0.15);
    XB_EXPECT_NEAR(edge[1], 1048576, 1048576 * 0.15);
    XB_EXPECT_NEAR(edge[2], 33554432, 33554432 * 0.15);
}

/* What a CPU might show: caches that begin to miss when full and miss always from a quarter more on,
 * as under a good imitation of LRU; translation that adds a share of `walk` from `reach` on. */
struct machine {
    const char *name;
    int levels;
    double capacity[3], ns[4], reach, walk;
};

static const struct machine machines[] = {
    { "desktop", 3, { 32 << 10, 256 << 10, 8 << 20 }, { 1.2, 3.6, 11, 75 }, 6 << 20, 4 },
    { "server", 3, { 48 << 10, 2 << 20, 260 << 20 }, { 1.4, 4.3, 32, 130 }, 3 << 20, 9 },
    { "phone without an L3", 2, { 64 << 10, 4 << 20 }, { 1.3, 5.5, 120 }, 2 << 20, 2 },
    { "large pages", 2, { 128 << 10, 12 << 20 }, { 0.9, 5.6, 100 }, 40 << 20, 10 },
    { "small L2", 2, { 16 << 10, 128 << 10 }, { 2, 9, 140 }, 1 << 20, 30 },
};

static double latency_of(const struct machine *machine, double bytes)
{
    double ns = machine->ns[0];
    for (int i = 0; i < machine->levels; i++) {
        double missing = (bytes / machine->capacity[i] - 1) / 0.25;
        missing = missing < 0 ? 0 : missing > 1 ? 1 : missing;
        ns += missing * (machine->ns[i + 1] - machine->ns[i]);
    }
    return bytes > machine->reach ? ns + machine->walk * (1 - machine->reach / bytes) : ns;
}

/* Spikes as of neighbours on two of five stairs, never on the last, which no later one corrects. */
static size_t measure_machine(const struct machine *machine, int per_doubling, bool noisy,
                              struct xb_stair *stairs)
{
    size_t n = 0;
    for (double bytes = 8192; bytes < 1.1 * (1 << 30); n++) {
        double spike = noisy && n % 5 < 2 ? 1 + 0.12 * (double)(n % 7) : 1;
        stairs[n] = (struct xb_stair){ bytes, latency_of(machine, bytes) * spike };
        bytes *= pow(2, 1.0 / per_doubling);
    }
    return n;
}

XB_TEST(Staircase, FindsTheCachesOfOtherMachinesWithin15Percent)
{
    for (size_t m = 0; m < sizeof machines / sizeof machines[0]; m++) {
        const struct machine *machine = &machines[m];
        for (int per_doubling = 4; per_doubling <= 8; per_doubling += 2) {
            struct xb_stair stairs[XB_STAIRS_MAX];
            double edge[XB_STAIRCASE_LEVELS];
            size_t n = measure_machine(machine, per_doubling, false, stairs);
            size_t found = xb_staircase(stairs, n, edge, XB_STAIRCASE_LEVELS);
            if ((int)found != machine->levels)
                XB_FAIL("%s, %d per doubling: %zu caches", machine->name, per_doubling, found);
            for (int i = 0; i < (int)found && i < machine->levels; i++)
                XB_EXPECT_NEAR(edge[i] / machine->capacity[i], 1, 0.15);
        }
    }
}

XB_TEST(Staircase, SpikesBelowALaterStairDoNotMoveAnEdge)
{
    struct xb_stair stairs[XB_STAIRS_MAX];
    double edge[XB_STAIRCASE_LEVELS];
    size_t n = measure_machine(&machines[0], 6, true, stairs);
    XB_EXPECT_EQ(xb_staircase(stairs, n, edge, XB_STAIRCASE_LEVELS), 3);
    XB_EXPECT_NEAR(edge[0], 32 << 10, 0.15 * (32 << 10));
    XB_EXPECT_NEAR(edge[1], 256 << 10, 0.15 * (256 << 10));
}

/* Curves of a Zen 5 guest with 48 KiB, 1 MiB and a part of 32 MiB, alone and beside work that kept
 * both CPUs busy. */
XB_TEST(Staircase, FindsTheCachesInRecordedCurvesWithin15Percent)
{
    static const char *const names[] = { "quiet", "busy", "quick_quiet", "quick_busy", "sweep" };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char name[128];
        struct xb_table table;
        struct xb_stair stairs[XB_STAIRS_MAX];
        double edge[XB_STAIRCASE_LEVELS] = { 0 };
        snprintf(name, sizeof name, "staircase/guest_48k_1m_%s.csv", names[i]);
        if (xb_table_open(&table, xb_test_data(name)) != 0) {
            XB_FAIL("%s cannot be read", name);
            continue;
        }
        for (size_t row = 0; row < table.rows && row < XB_STAIRS_MAX; row++)
            stairs[row] = (struct xb_stair){ strtod(xb_table_get(&table, row, "bytes"), NULL),
                                             strtod(xb_table_get(&table, row, "ns"), NULL) };
        XB_EXPECT_EQ(xb_staircase(stairs, table.rows, edge, XB_STAIRCASE_LEVELS), 3);
        XB_EXPECT_NEAR(edge[0], 49152, 0.15 * 49152);
        XB_EXPECT_NEAR(edge[1], 1048576, 0.15 * 1048576);
        XB_EXPECT(edge[2] > 4e6 && edge[2] < 5e7);
        xb_table_close(&table);
    }
}

static void expect_names(double first, double second, double third, const double *claimed,
                         double l1d, double l2, double llc)
{
    const double edge[] = { first, second, third };
    const double should[] = { l1d, l2, llc };
    double named[XB_STAIRCASE_LEVELS];
    size_t n = 0;
    while (n < 3 && edge[n] > 0)
        n++;
    xb_staircase_name(edge, n, claimed, named);
    for (int i = 0; i < 3; i++)
        if (should[i] > 0)
            XB_EXPECT_NEAR(named[i], should[i], 0);
        else
            XB_EXPECT(isnan(named[i]));
}

XB_TEST(Staircase, AnEdgeIsNamedAfterTheCacheItCanBe)
{
    static const double three[] = { 49152, 1 << 20, 32 << 20 }, unknown[] = { 0, 0, 0 };
    static const double two[] = { 65536, 4 << 20, 4 << 20 }; /* no last level of its own */
    expect_names(5e4, 9e5, 2e7, three, 5e4, 9e5, 2e7);
    expect_names(5e4, 9e5, 2e7, unknown, 5e4, 9e5, 2e7);
    expect_names(5e4, 9e5, 2e7, two, 5e4, 9e5, 2e7);
    expect_names(5e4, 9e5, 0, three, 5e4, 9e5, 0);
    expect_names(5e4, 2e7, 0, three, 5e4, 0, 2e7);
    expect_names(6e4, 5e6, 0, two, 6e4, 5e6, 5e6);
    expect_names(6e4, 5e6, 0, unknown, 6e4, 5e6, 5e6);
    expect_names(5e4, 0, 0, three, 5e4, 0, 0);
    expect_names(1e6, 0, 0, three, 0, 1e6, 0);
    expect_names(5e6, 0, 0, two, 0, 0, 5e6);
    expect_names(5e4, 0, 0, unknown, 0, 0, 0);
    expect_names(0, 0, 0, three, 0, 0, 0);
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
