/* SPDX-License-Identifier: BSD-3-Clause
 * Tests which streams are slower than DRAM could bring them. */
#include "xbtest.h"

#include "../stats/stream_rate.h"

#include <math.h>

enum { SAMPLES = 200, AT = 0x401000 };

#define PERIOD_NS     200000.0
#define DRAM_GB_PER_S 20.0

/* A loop's load, and its addition: of three samples two stand at the load. */
struct looped {
    struct xb_stall_site site[2];
    struct xb_stalled sample[SAMPLES];
};

static void lay(struct looped *looped, uint16_t accesses)
{
    struct xb_piece piece = { .end = AT + 16, .accesses = accesses, .others = 3, .is_loop = true };
    *looped =
        (struct looped){ .site = {
                             { .pid = 7,
                               .ip = AT + 4,
                               .stall = { .kind = XB_STALL_LOAD, .at = AT, .piece = piece } },
                             { .pid = 7,
                               .ip = AT + 8,
                               .stall = { .kind = XB_STALL_ALU, .at = AT + 4, .piece = piece } },
                         } };
    looped->site[0].stall.from = XB_ADDRESS_REGISTERS;
    for (size_t i = 0; i < SAMPLES; i++)
        looped->sample[i] =
            (struct xb_stalled){ .site = i % 3 == 2,
                                 .tid = 7,
                                 .burst = 1,
                                 .fate = i % 3 == 2 ? XB_FATE_NONE : XB_FATE_KNOWN };
}

/* It reads so many bytes a nanosecond, round and round through a set. */
static void read_on(struct looped *looped, double gb_per_s, double set_bytes)
{
    for (size_t i = 0; i < SAMPLES; i++) {
        double bytes = gb_per_s * PERIOD_NS * (double)i;
        uint64_t rounds = (uint64_t)(bytes / set_bytes);
        looped->sample[i].address = 0x10000000 + (uint64_t)(bytes - (double)rounds * set_bytes);
    }
}

static double hidden(const struct looped *looped)
{
    double hides[2] = { 0 };
    XB_EXPECT_EQ(
        xb_streams_hide(looped->sample, SAMPLES, looped->site, 2, PERIOD_NS, DRAM_GB_PER_S, hides),
        0);
    XB_EXPECT_NEAR(hides[1], 0, 0);
    return hides[0];
}

XB_TEST(StreamsHide, WhatComesInAtLessThanHalfOfWhatDramCouldBring)
{
    struct looped looped;
    lay(&looped, 1);
    read_on(&looped, 9, 100e6);
    XB_EXPECT_NEAR(hidden(&looped), 1, 0);
    for (size_t i = 0; i < SAMPLES; i++) /* the other way */
        looped.sample[i].address = 0x20000000 - looped.sample[i].address;
    XB_EXPECT_NEAR(hidden(&looped), 1, 0);
    read_on(&looped, 11, 100e6);
    XB_EXPECT_NEAR(hidden(&looped), 0, 0);
    /* Beside it one more may stream, and be written back. */
    lay(&looped, 2);
    read_on(&looped, 9, 100e6);
    XB_EXPECT_NEAR(hidden(&looped), 0, 0);
    read_on(&looped, 3, 100e6);
    XB_EXPECT_NEAR(hidden(&looped), 1, 0);
    /* Two threads share what one could have. */
    lay(&looped, 1);
    read_on(&looped, 9, 100e6);
    for (size_t i = 0; i < SAMPLES; i++)
        looped.sample[i].tid += i >= SAMPLES / 2;
    XB_EXPECT_NEAR(hidden(&looped), 0, 0);
    read_on(&looped, 4, 100e6);
    XB_EXPECT_NEAR(hidden(&looped), 1, 0);
}

XB_TEST(StreamsHide, NothingThatIsNoStreamOrMayWaitForItself)
{
    struct looped looped;
    lay(&looped, 1);
    read_on(&looped, 9, 2e6); /* round it within a sample or two: no direction */
    XB_EXPECT_NEAR(hidden(&looped), 0, 0);
    uint32_t at = 1; /* at random */
    for (size_t i = 0; i < SAMPLES; i++)
        looped.sample[i].address = 0x10000000 + (at = at * 1664525 + 1013904223) / 4096;
    XB_EXPECT_NEAR(hidden(&looped), 0, 0);
    read_on(&looped, 9, 100e6);
    looped.site[0].stall.from = XB_ADDRESS_CHASE; /* a list in order */
    XB_EXPECT_NEAR(hidden(&looped), 0, 0);
    looped.site[0].stall.from = XB_ADDRESS_REGISTERS;
    looped.site[0].stall.kind = XB_STALL_STORE;
    XB_EXPECT_NEAR(hidden(&looped), 0, 0);
    looped.site[0].stall.kind = XB_STALL_LOAD;
    for (size_t i = 0; i < SAMPLES; i++) /* bursts of ten samples: too few follow each other */
        looped.sample[i].burst = (uint32_t)(i % 3 == 2 ? 0 : i);
    XB_EXPECT_NEAR(hidden(&looped), 0, 0);
    double hides[2] = { 0 };
    lay(&looped, 1);
    read_on(&looped, 1, 100e6);
    XB_EXPECT_EQ(xb_streams_hide(looped.sample, SAMPLES, looped.site, 2, PERIOD_NS, NAN, hides), 0);
    XB_EXPECT_NEAR(hides[0], 0, 0);
    XB_EXPECT_EQ(xb_streams_hide(NULL, 0, NULL, 0, PERIOD_NS, DRAM_GB_PER_S, NULL), 0);
}
