/* SPDX-License-Identifier: BSD-3-Clause
 * Tests taking latencies: one for each item of work, however many operations an item has. */
#include "xbtest.h"

#include "../core/latency.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

/* An engine that completes exactly as many operations as it must, the last ones first. */
struct lazy_io {
    struct xb_io io; /* first: the kernel's view */
    long nap_ns;     /* in each await */
    int broken;
};

static int await(struct xb_io *io, struct xb_io_op *ops, size_t n, size_t at_least)
{
    const struct lazy_io *lazy = (const struct lazy_io *)io;
    size_t done = 0;
    for (size_t i = 0; i < n; i++) {
        done += ops[i].state == XB_IO_DONE;
        if (ops[i].state == XB_IO_NEW)
            ops[i].state = XB_IO_IN_FLIGHT;
    }
    if (lazy->nap_ns)
        nanosleep(&(struct timespec){ .tv_nsec = lazy->nap_ns }, NULL);
    for (size_t i = n; i-- > 0 && done < at_least;) {
        if (ops[i].state != XB_IO_IN_FLIGHT)
            continue;
        ops[i].state = XB_IO_DONE;
        ops[i].result = 0;
        done++;
    }
    return lazy->broken;
}

struct stand {
    struct lazy_io lazy;
    struct xb_latency latency;
    struct xb_histogram *histogram;
};

static void open_stand(struct stand *stand)
{
    *stand = (struct stand){ .lazy.io.await = await };
    stand->histogram = calloc(1, sizeof *stand->histogram);
    xb_latency_wrap(&stand->latency, &stand->lazy.io, stand->histogram);
}

static void one(struct stand *stand, unsigned marks)
{
    struct xb_io_op op = { .kind = XB_IO_YIELD, .marks = marks };
    XB_EXPECT_EQ(xb_await(&stand->latency.io, &op), 0);
}

static uint32_t keep(struct xb_io *io, void *buf, size_t len)
{
    (void)io;
    return *(char *)buf == 'k' && len == 3 ? 7 : 0;
}

XB_TEST(Latency, APromiseIsPassedOn)
{
    struct stand stand;
    char bytes[3] = "ke";
    open_stand(&stand);
    XB_EXPECT_EQ(xb_io_keep(&stand.latency.io, bytes, sizeof bytes),
                 0); /* to who has no use for it */
    stand.lazy.io.keep = keep;
    XB_EXPECT_EQ(xb_io_keep(&stand.latency.io, bytes, sizeof bytes), 7);
    free(stand.histogram);
}

XB_TEST(Latency, OfAnItemOfOneOperation)
{
    struct stand stand;
    open_stand(&stand);
    for (int i = 0; i < 7; i++)
        one(&stand, XB_IO_BEGINS | XB_IO_ENDS);
    xb_latency_finish(&stand.latency);
    XB_EXPECT_EQ(stand.histogram->n, 7);
    free(stand.histogram);
}

XB_TEST(Latency, OfAnItemThatMayEndWithAnyOfSeveralOperations)
{
    struct stand stand;
    open_stand(&stand);
    for (int i = 0; i < 5; i++) {
        one(&stand, XB_IO_BEGINS);
        one(&stand, 0);
        for (int piece = 0; piece <= i; piece++)
            one(&stand, XB_IO_ENDS);
        XB_EXPECT_EQ(stand.histogram->n, i); /* known only when the next one begins */
    }
    xb_latency_finish(&stand.latency);
    XB_EXPECT_EQ(stand.histogram->n, 5);
    xb_latency_finish(&stand.latency);
    XB_EXPECT_EQ(stand.histogram->n, 5);
    free(stand.histogram);
}

XB_TEST(Latency, OperationsWithoutMarksAreNoItems)
{
    struct stand stand;
    open_stand(&stand);
    for (int i = 0; i < 5; i++)
        one(&stand, 0);
    one(&stand, XB_IO_ENDS);
    one(&stand, XB_IO_BEGINS); /* and an item that never ended is not one either */
    xb_latency_finish(&stand.latency);
    XB_EXPECT_EQ(stand.histogram->n, 0);
    free(stand.histogram);
}

XB_TEST(Latency, OfItemsInFlightTogetherIsTakenOnceEach)
{
    enum { DEPTH = 4, ITEMS = 11 };
    struct stand stand;
    open_stand(&stand);
    struct xb_io_op ops[DEPTH];
    int started = 0, idle = 0;
    for (; started < DEPTH; started++)
        ops[started] = (struct xb_io_op){ .kind = XB_IO_YIELD, .marks = XB_IO_BEGINS | XB_IO_ENDS };
    bool busy[DEPTH] = { true, true, true, true };
    while (idle < DEPTH) {
        XB_EXPECT_EQ(stand.latency.io.await(&stand.latency.io, ops, DEPTH, (size_t)idle + 1), 0);
        for (int i = 0; i < DEPTH; i++) {
            if (!busy[i] || ops[i].state != XB_IO_DONE)
                continue;
            if (started < ITEMS) {
                ops[i].state = XB_IO_NEW;
                started++;
            } else {
                busy[i] = false; /* stays in the array, done */
                idle++;
            }
        }
    }
    XB_EXPECT_EQ(stand.histogram->n, ITEMS);
    free(stand.histogram);
}

XB_TEST(Latency, IsAtLeastTheTimeThatPassed)
{
    struct stand stand;
    open_stand(&stand);
    stand.lazy.nap_ns = 2000000;
    one(&stand, XB_IO_BEGINS);
    one(&stand, XB_IO_ENDS);
    one(&stand, XB_IO_ENDS);
    xb_latency_finish(&stand.latency);
    XB_EXPECT(stand.histogram->max >= 3 * 2000000);
    free(stand.histogram);
}

XB_TEST(Latency, WhatFollowsTheLastOperationOfAnItemIsNotPartOfIt)
{
    struct stand stand;
    open_stand(&stand);
    one(&stand, XB_IO_BEGINS);
    one(&stand, XB_IO_ENDS);
    stand.lazy.nap_ns = 500000000;
    one(&stand, 0);
    xb_latency_finish(&stand.latency);
    XB_EXPECT_EQ(stand.histogram->n, 1);
    XB_EXPECT(stand.histogram->max < 500000000);
    free(stand.histogram);
}

XB_TEST(Latency, ABrokenEngineIsPassedOnAndNotMeasured)
{
    struct stand stand;
    open_stand(&stand);
    stand.lazy.broken = -EIO;
    struct xb_io_op op = { .kind = XB_IO_YIELD, .marks = XB_IO_BEGINS | XB_IO_ENDS };
    XB_EXPECT_EQ(xb_await(&stand.latency.io, &op), -EIO);
    xb_latency_finish(&stand.latency);
    XB_EXPECT_EQ(stand.histogram->n, 0);
    free(stand.histogram);
}
