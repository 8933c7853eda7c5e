/* SPDX-License-Identifier: BSD-3-Clause
 * Tests how many iterations make a sample, and when samples are enough. */
#include "xbtest.h"

#include "../core/pace.h"

#include <stdlib.h>

/* ---- calibrating ---- */

/* A window, and where the search stands after it. */
struct window {
    uint64_t wall_ns, cpu_ns;
    bool over;
    uint64_t iters;
};

#define WANTED_NS UINT64_C(1000000)

/* `n` windows of a search that begins with `iters`; those behind the last are all zero. */
static struct xb_search search_through(struct xb_search search, const struct window *windows,
                                       size_t n)
{
    search.wanted_ns = WANTED_NS;
    for (size_t i = 0; i < n && windows[i].wall_ns; i++) {
        struct xb_sample sample = { .wall_ns = windows[i].wall_ns, .cpu_ns = windows[i].cpu_ns };
        bool over = xb_search_step(&search, &sample);
        if (over != windows[i].over || search.iters != windows[i].iters)
            XB_FAIL("window %zu: %s with %llu iterations, should be %s with %llu", i,
                    over ? "over" : "going on", (unsigned long long)search.iters,
                    windows[i].over ? "over" : "going on", (unsigned long long)windows[i].iters);
    }
    return search;
}

XB_TEST(Pace, ForInstructionsThereIsTheLeastPowerOfTenThatExecutesAsMany)
{
    struct xb_search search = {
        .wanted_ns = 1, .wanted_instructions = 2000, .lanes = 1, .iters = 1
    };
    struct xb_sample window = { .wall_ns = 5 };
    window.reading.present = XB_METRIC_BIT(INSTRUCTIONS);
    for (uint64_t executed = 1; executed < 2000; executed *= 12) {
        window.reading.value[XB_METRIC_INSTRUCTIONS] = executed;
        XB_EXPECT(!xb_search_step(&search, &window));
    }
    XB_EXPECT_EQ(search.iters, 10000);
    window.reading.value[XB_METRIC_INSTRUCTIONS] = 2000;
    XB_EXPECT(xb_search_step(&search, &window));
    XB_EXPECT_EQ(search.iters, 10000);
    XB_EXPECT_EQ(search.took_ns, 5);
    window.reading.present = 0; /* none are counted: nothing would ever be enough */
    XB_EXPECT(xb_search_step(&search, &window));
}

XB_TEST(Pace, CalibrationFollowsItsRules)
{
    static const struct {
        struct xb_search begin;
        struct window windows[5];
        uint64_t took_ns;
    } table[] = {
        /* From far away it grows sixteenfold, from nearer by what is missing. Long enough must be
         * seen twice. */
        { { .lanes = 1, .iters = 1 },
          { { 100, 100, false, 16 },
            { 40000, 40000, false, 400 },
            { 1000000, 1000000, false, 400 },
            { 1000000, 1000000, true, 400 } },
          1000000 },
        /* Half of what is wanted is long enough to compute the rest, less is not. */
        { { .lanes = 1, .iters = 100 },
          { { 500000, 500000, false, 100 }, { 500000, 500000, true, 200 } },
          1000000 },
        { { .lanes = 1, .iters = 100 },
          { { 400000, 400000, false, 250 },
            { 1000000, 1000000, false, 250 },
            { 1000000, 1000000, true, 250 } },
          1000000 },
        /* The faster counts, whichever comes first. */
        { { .lanes = 1, .iters = 1000 },
          { { 4000000, 4000000, false, 1000 }, { 800000, 800000, true, 1250 } },
          1000000 },
        { { .lanes = 1, .iters = 1000 },
          { { 800000, 800000, false, 1000 }, { 4000000, 4000000, true, 1250 } },
          1000000 },
        /* A stall that passed for work is found out, and twice begins anew. */
        { { .lanes = 1, .iters = 1000 },
          { { 4000000, 4000000, false, 1000 },
            { 100000, 100000, false, 10000 },
            { 1000000, 1000000, false, 10000 },
            { 1000000, 1000000, true, 10000 } },
          1000000 },
        /* Work that does not wait was preempted: its CPU time tells. */
        { { .lanes = 1, .iters = 50 },
          { { 1000000, 250000, false, 200 },
            { 4000000, 1000000, false, 200 },
            { 4000000, 1000000, true, 200 } },
          1000000 },
        /* The CPU time of a team is that of all its lanes. */
        { { .lanes = 4, .iters = 50 },
          { { 1000000, 4000000, false, 50 }, { 1000000, 4000000, true, 50 } },
          1000000 },
        /* Work that waits needs no CPU for it. */
        { { .lanes = 1, .waits = true, .iters = 50 },
          { { 1000000, 10, false, 50 }, { 1000000, 10, true, 50 } },
          1000000 },
        /* Work that should not wait, but does, ends too: at eight times the wall time. */
        { { .lanes = 1, .iters = 50 },
          { { 1000000, 10, false, 400 }, { 8000000, 80, false, 400 }, { 8000000, 80, true, 400 } },
          1000000 },
        /* One iteration that takes too long is still one. */
        { { .lanes = 1, .iters = 1 },
          { { 5000000, 5000000, false, 1 }, { 5000000, 5000000, true, 1 } },
          5000000 },
        { { .lanes = 1, .iters = 10 },
          { { 20000000, 20000000, false, 10 }, { 20000000, 20000000, true, 1 } },
          2000000 },
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        bool before = xb_test_failed();
        struct xb_search search = search_through(table[i].begin, table[i].windows, 5);
        XB_EXPECT_EQ(search.took_ns, table[i].took_ns);
        if (!before && xb_test_failed())
            XB_FAIL("in line %zu of the table", i);
    }
}

XB_TEST(Pace, CalibrationEndsForWorkThatTakesNoTime)
{
    struct xb_search search = { .wanted_ns = WANTED_NS, .lanes = 1, .iters = 1 };
    int windows = 1;
    while (!xb_search_step(&search, &(struct xb_sample){ 0 }) && windows < 100)
        windows++;
    XB_EXPECT_EQ(windows, 12); /* ten times sixteenfold, and the two that are the last */
}

XB_TEST(Pace, ASliceTakesAsLongAsAskedForAndIsOneIterationAtLeast)
{
    XB_EXPECT_EQ(xb_slice_iters(1000000, 1000), 1000);
    XB_EXPECT_EQ(xb_slice_iters(1000000, 0.25), 4000000);
    XB_EXPECT_EQ(xb_slice_iters(50000, 0.25), 200000);
    XB_EXPECT_EQ(xb_slice_iters(1000000, 5e6), 1);
    XB_EXPECT_EQ(xb_slice_iters(1000000, 0), 1000000);
}

/* ---- stopping ---- */

/* Of the first n of samples that take 90 and 110 in turn. */
static enum xb_stop stop_of(uint32_t n, uint32_t exactly, double precision, bool late)
{
    struct xb_sample *samples = calloc(n, sizeof *samples);
    double *scratch = calloc(n, sizeof *scratch);
    for (uint32_t i = 0; i < n; i++)
        samples[i].wall_ns = i % 2 ? 110 : 90;
    enum xb_stop stop = xb_stop_why(samples, n, exactly, precision, late, scratch);
    free(samples);
    free(scratch);
    return stop;
}

XB_TEST(Pace, SamplingStopsForOneReasonAtATime)
{
    static const struct {
        uint32_t n, exactly;
        double precision;
        bool late;
        enum xb_stop stop;
    } table[] = {
        { 1, 0, 1, false, XB_STOP_INTERRUPTED },
        { 5, 0, 1, false, XB_STOP_INTERRUPTED }, /* there is no interval of five */
        { 6, 0, 0.101, false, XB_STOP_PRECISE }, /* half of 90 to 110, over 100 */
        { 6, 0, 0.099, false, XB_STOP_INTERRUPTED },
        { 6, 0, 0.099, true, XB_STOP_TIME },
        { 6, 0, 0.101, true, XB_STOP_PRECISE },
        { 1, 0, 1, true, XB_STOP_TIME }, /* one there always is */
        { XB_SAMPLES_MAX - 1, 0, 0, false, XB_STOP_INTERRUPTED },
        { XB_SAMPLES_MAX, 0, 0, false, XB_STOP_TIME },
        { 6, 7, 1, true, XB_STOP_INTERRUPTED }, /* exactly as many, precise and late or not */
        { 7, 7, 0, false, XB_STOP_COUNT },
        { 1, 1, 0, false, XB_STOP_COUNT },
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        enum xb_stop stop =
            stop_of(table[i].n, table[i].exactly, table[i].precision, table[i].late);
        if (stop != table[i].stop)
            XB_FAIL("line %zu of the table: %d, should be %d", i, (int)stop, (int)table[i].stop);
    }
}

XB_TEST(Pace, TheIntervalIsLookedAtInGrowingSteps)
{
    static const uint32_t looks[] = { 6, 9, 13, 19, 28, 42, 63, 94 };
    size_t seen = 0;
    for (uint32_t n = 1; n <= 100; n++) {
        if (stop_of(n, 0, 1, false) != XB_STOP_PRECISE)
            continue;
        if (seen < sizeof looks / sizeof looks[0])
            XB_EXPECT_EQ(n, looks[seen]);
        seen++;
    }
    XB_EXPECT_EQ(seen, sizeof looks / sizeof looks[0]);
}

/* Samples of a team whose members divide the work as it comes need not be of equal size. */
XB_TEST(Pace, PrecisionIsThatOfTheTimePerItem)
{
    struct xb_sample samples[6];
    double scratch[6];
    for (uint64_t i = 0; i < 6; i++)
        samples[i] = (struct xb_sample){ .wall_ns = 100 * (i + 1), .work.items = i + 1 };
    XB_EXPECT_EQ(xb_stop_why(samples, 6, 0, 0.001, false, scratch), XB_STOP_PRECISE);
    samples[5].work.items = 3;
    XB_EXPECT_EQ(xb_stop_why(samples, 6, 0, 0.001, false, scratch), XB_STOP_INTERRUPTED);
}
