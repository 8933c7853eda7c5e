/* SPDX-License-Identifier: BSD-3-Clause
 * Tests how lanes and workers add up to a sample. */
#include "xbtest.h"

#include "../base/clock.h"
#include "../core/sample.h"

static const struct xb_lane_part lanes[] = {
    { .begin_ns = 110,
      .end_ns = 900,
      .cpu_ns = 700,
      .reading = { .value = { [XB_METRIC_CYCLES] = 5, [XB_METRIC_PAGE_FAULTS] = 1 },
                   .present = XB_METRIC_BIT(CYCLES) | XB_METRIC_BIT(PAGE_FAULTS) } },
    { .begin_ns = 100,
      .end_ns = 800,
      .cpu_ns = 600,
      .reading = { .value = { [XB_METRIC_CYCLES] = 6, [XB_METRIC_BRANCHES] = 9 },
                   .present = XB_METRIC_BIT(CYCLES) | XB_METRIC_BIT(BRANCHES) } },
    { .begin_ns = 130,
      .end_ns = 850,
      .cpu_ns = 500,
      .reading = { .value = { [XB_METRIC_CYCLES] = 7 }, .present = XB_METRIC_BIT(CYCLES) } },
};

static const struct xb_worker_part workers[] = {
    { .begin_ns = 120,
      .end_ns = 850,
      .did = { .items = 1,
               .bytes_read = 10,
               .bytes_written = 100,
               .flops = 1000,
               .checksum = 77,
               .outcome = 3 } },
    { .begin_ns = 140,
      .end_ns = 780,
      .did = { .items = 2,
               .bytes_read = 20,
               .bytes_written = 200,
               .flops = 2000,
               .checksum = 88,
               .outcome = 4 } },
};

XB_TEST(Sample, LastsFromTheFirstBeginToTheLastEnd)
{
    struct xb_sample sample = { .steal_ns = 1 };
    xb_sample_sum(lanes, 3, workers, 2, &sample);
    XB_EXPECT_EQ(sample.wall_ns, 800);
    XB_EXPECT_EQ(sample.skew_ns, 30);
    XB_EXPECT_EQ(sample.cpu_ns, 1800);
    XB_EXPECT_EQ(sample.in_flight_ns, 730 + 640);
    XB_EXPECT_EQ(sample.steal_ns, 0);
    xb_sample_sum(lanes, 1, workers, 1, &sample);
    XB_EXPECT_EQ(sample.wall_ns, 790);
    XB_EXPECT_EQ(sample.skew_ns, 0);
}

XB_TEST(Sample, CountsWhatAllWorkersDid)
{
    struct xb_sample sample;
    xb_sample_sum(lanes, 3, workers, 2, &sample);
    XB_EXPECT_EQ(sample.work.items, 3);
    XB_EXPECT_EQ(sample.work.bytes_read, 30);
    XB_EXPECT_EQ(sample.work.bytes_written, 300);
    XB_EXPECT_EQ(sample.work.flops, 3000);
    XB_EXPECT_EQ(sample.work.outcome, 7);
    XB_EXPECT_NEAR(xb_sample_item_ns(&sample), 800.0 / 3, 1e-9);
    sample.work.items = 0;
    XB_EXPECT_NEAR(xb_sample_item_ns(&sample), 800, 0);
}

/* A metric that one lane lacks is not known of the team. */
XB_TEST(Sample, HasTheMetricsOfEveryLane)
{
    struct xb_sample sample;
    xb_sample_sum(lanes, 3, workers, 2, &sample);
    XB_EXPECT_EQ(sample.reading.present, XB_METRIC_BIT(CYCLES));
    XB_EXPECT_EQ(sample.reading.value[XB_METRIC_CYCLES], 18);
}

/* Or two wrong answers, or two workers that swapped theirs, could go unnoticed. */
XB_TEST(Sample, ChecksumTellsWhoseAnswerIsWhose)
{
    struct xb_worker_part swapped[] = { workers[1], workers[0] };
    struct xb_worker_part shifted[] = { workers[0], workers[1] };
    shifted[0].did.checksum++;
    shifted[1].did.checksum--;
    struct xb_sample right, wrong;
    xb_sample_sum(lanes, 3, workers, 2, &right);
    xb_sample_sum(lanes, 3, swapped, 2, &wrong);
    XB_EXPECT(wrong.work.checksum != right.work.checksum);
    xb_sample_sum(lanes, 3, shifted, 2, &wrong);
    XB_EXPECT(wrong.work.checksum != right.work.checksum);
}

XB_TEST(Sample, WhatThisMachineIsBusyGrowsWhileWeCompute)
{
    uint64_t before = xb_busy_ns(), begin_ns = xb_now_ns();
    XB_EXPECT(before > 0);
    while (xb_busy_ns() == before && xb_now_ns() - begin_ns < 10 * UINT64_C(1000000000))
        continue;
    XB_EXPECT(xb_busy_ns() > before);
    XB_EXPECT(xb_busy_ns() >= xb_steal_ns());
}
