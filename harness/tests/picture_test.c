/* SPDX-License-Identifier: BSD-3-Clause
 * Tests the memory picture: what is measured for it, what is read off it, and which sizes follow. */
#include "xbtest.h"

#include "../core/fitness.h"
#include "../core/picture.h"
#include "../core/registry.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

static const uint64_t MIB = 1 << 20;

/* ---- sizes to chase over ---- */

static void expect_sizes(uint64_t llc, uint64_t memory, bool quick, uint64_t last)
{
    uint64_t sizes[128];
    size_t n = xb_picture_sizes(llc, memory, quick, sizes, 128);
    XB_EXPECT(n > 8 && n < 128);
    XB_EXPECT_EQ(sizes[0], 8192);
    for (size_t i = 0; i < n; i++) {
        XB_EXPECT_EQ(sizes[i] % 1024, 0);
        if (i && (sizes[i] <= sizes[i - 1] || sizes[i] > 2 * sizes[i - 1] + 1024))
            XB_FAIL("%llu after %llu", (unsigned long long)sizes[i],
                    (unsigned long long)sizes[i - 1]);
    }
    XB_EXPECT_NEAR((double)sizes[n - 1], (double)last, 0.3 * (double)last);
}

XB_TEST(Picture, SizesEndAtFourTimesTheLastLevelWithinReason)
{
    expect_sizes(32 * MIB, 8192 * MIB, false, 128 * MIB);
    expect_sizes(32 * MIB, 8192 * MIB, true, 128 * MIB);
    expect_sizes(2 * MIB, 8192 * MIB, false, 64 * MIB);
    expect_sizes(0, 8192 * MIB, false, 64 * MIB);
    expect_sizes(768 * MIB, 65536 * MIB, false, 1024 * MIB);
    expect_sizes(768 * MIB, 0, false, 1024 * MIB);
}

XB_TEST(Picture, SizesFitTheMemory)
{
    uint64_t sizes[128];
    size_t n = xb_picture_sizes(32 * MIB, 64 * MIB, false, sizes, 128);
    XB_EXPECT(n > 8);
    XB_EXPECT(sizes[n - 1] + sizes[n - 1] / 16 <= 64 * MIB / 10 * 8);
    XB_EXPECT_EQ(xb_picture_sizes(32 * MIB, 4096, false, sizes, 128), 0);
    XB_EXPECT_EQ(xb_picture_sizes(32 * MIB, 0, false, sizes, 5), 5);
}

XB_TEST(Picture, QuickTakesFewerSizes)
{
    uint64_t sizes[128];
    XB_EXPECT(xb_picture_sizes(32 * MIB, 0, true, sizes, 128) <
              xb_picture_sizes(32 * MIB, 0, false, sizes, 128));
}

/* ---- reading ---- */

static size_t make_stairs(uint64_t llc, struct xb_stair *stairs)
{
    uint64_t sizes[128];
    size_t n = xb_picture_sizes(llc, 0, false, sizes, 128);
    for (size_t i = 0; i < n; i++) {
        double bytes = (double)sizes[i];
        double ns = bytes <= 49152 ? 1 : bytes <= 1048576 ? 3.5 : bytes <= 12e6 ? 13 : 140;
        stairs[i] = (struct xb_stair){ bytes, ns };
    }
    return n;
}

XB_TEST(Picture, LatencyOfALevelIsThatOfHalfOfIt)
{
    static const double claimed[] = { 49152, 1048576, 33554432 };
    struct xb_stair stairs[128];
    struct xb_picture picture;
    size_t n = make_stairs(32 * MIB, stairs);
    xb_picture_read(&picture, stairs, n, claimed);
    XB_EXPECT_NEAR(picture.capacity[XB_CACHE_L1D], 49152, 0.15 * 49152);
    XB_EXPECT_NEAR(picture.capacity[XB_CACHE_L2], 1048576, 0.15 * 1048576);
    XB_EXPECT_NEAR(picture.capacity[XB_CACHE_LLC], 12e6, 0.15 * 12e6);
    XB_EXPECT_NEAR(picture.latency_ns[XB_CACHE_L1D], 1, 0);
    XB_EXPECT_NEAR(picture.latency_ns[XB_CACHE_L2], 3.5, 0);
    XB_EXPECT_NEAR(picture.latency_ns[XB_CACHE_LLC], 13, 0);
    XB_EXPECT_NEAR(picture.latency_ns[XB_PICTURE_DRAM], 140, 0);
}

XB_TEST(Picture, WhatWasNotSeenIsAGap)
{
    static const double claimed[] = { 49152, 1048576, 33554432 };
    struct xb_stair stairs[128];
    struct xb_picture picture;
    size_t n = make_stairs(32 * MIB, stairs), seen = 0;
    while (seen < n && stairs[seen].bytes < 6e6)
        seen++;
    xb_picture_read(&picture, stairs, seen, claimed);
    XB_EXPECT_NEAR(picture.capacity[XB_CACHE_L2], 1048576, 0.15 * 1048576);
    XB_EXPECT(isnan(picture.capacity[XB_CACHE_LLC]));
    XB_EXPECT(isnan(picture.latency_ns[XB_CACHE_LLC]));
    XB_EXPECT(isnan(picture.latency_ns[XB_PICTURE_DRAM]));
    xb_picture_read(&picture, stairs, 0, claimed);
    for (int level = 0; level < XB_CACHE_LEVELS; level++)
        XB_EXPECT(isnan(picture.capacity[level]) && isnan(picture.latency_ns[level]));
    XB_EXPECT(isnan(picture.latency_ns[XB_PICTURE_DRAM]));
}

/* ---- sizes that follow ---- */

/* 48 KiB, 1 MiB for one PU, 32 MiB for four; or NULL, with the test skipped. */
static struct xb_topology *open_machine(void)
{
    static const char machine[] =
        "synthetic:package:1 l3:1(size=33554432) l2:4(size=1048576) l1d:1(size=49152) core:1 pu:1";
    struct xb_topology *topology = NULL;
    struct xb_reason why = { 0 };
    int err = xb_topology_open(machine, &topology, &why);
    if (err == -ENOTSUP)
        XB_SKIP("%s", why.text);
    else if (err)
        XB_FAIL("%s", why.text);
    return topology;
}

static struct xb_picture picture_of(double l1d, double l2, double llc)
{
    return (struct xb_picture){ .capacity = { l1d, l2, llc },
                                .latency_ns = { 1, 3.5, 13, 140 },
                                .load_gb_per_s = { 500, 150, 100, NAN } };
}

static uint64_t fit(const struct xb_topology *topology, const struct xb_caches *caches,
                    enum xb_fit fit)
{
    struct xb_kernel kernel = { .name = "any", .fit = fit, .own_bytes = 100 };
    struct xb_spec spec;
    xb_spec_init(&spec);
    spec.caches = *caches;
    struct xb_caches used = xb_caches_of(&spec, topology);
    return xb_fit_bytes(&kernel, &used);
}

XB_TEST(Picture, SizesAreTheClaimedWhereTheMeasuredAgree)
{
    struct xb_topology *topology = open_machine();
    if (!topology)
        return;
    struct xb_picture picture = picture_of(50000, 0.8 * (double)MIB, 40 * (double)MIB);
    struct xb_caches caches = xb_picture_caches(&picture, topology);
    XB_EXPECT_EQ(caches.bytes[XB_CACHE_L1D], 49152);
    XB_EXPECT_EQ(caches.bytes[XB_CACHE_L2], MIB);
    XB_EXPECT_EQ(caches.bytes[XB_CACHE_LLC], 32 * MIB);
    XB_EXPECT_EQ(fit(topology, &caches, XB_FIT_LLC), 4 * MIB);
    XB_EXPECT_EQ(fit(topology, &caches, XB_FIT_DRAM), 128 * MIB);
    xb_topology_close(topology);
}

XB_TEST(Picture, SizesAreTheClaimedWhereHalfOfThatIsThere)
{
    struct xb_topology *topology = open_machine();
    if (!topology)
        return;
    struct xb_picture picture = picture_of(49152, (double)MIB, 18 * (double)MIB);
    XB_EXPECT(xb_picture_contradicts(&picture, topology, XB_CACHE_LLC));
    struct xb_caches caches = xb_picture_caches(&picture, topology);
    XB_EXPECT_EQ(caches.bytes[XB_CACHE_LLC], 32 * MIB);
    struct xb_findings findings = { 0 };
    xb_fitness_judge_picture(&picture, &caches, topology, &findings);
    XB_EXPECT_EQ(findings.list[2].state, XB_FITNESS_NOTE);
    XB_EXPECT_HAS(findings.list[2].remedy, "sizes follow the claim");
    xb_topology_close(topology);
}

XB_TEST(Picture, SizesFollowTheMeasuredWhereLessThanHalfIsThere)
{
    struct xb_topology *topology = open_machine();
    if (!topology)
        return;
    struct xb_picture picture = picture_of(NAN, 0.49 * (double)MIB, 13 * (double)MIB);
    XB_EXPECT(!xb_picture_contradicts(&picture, topology, XB_CACHE_L1D));
    XB_EXPECT(xb_picture_contradicts(&picture, topology, XB_CACHE_L2));
    XB_EXPECT(xb_picture_contradicts(&picture, topology, XB_CACHE_LLC));
    struct xb_caches caches = xb_picture_caches(&picture, topology);
    XB_EXPECT_EQ(fit(topology, &caches, XB_FIT_OWN), 100);
    XB_EXPECT_EQ(fit(topology, &caches, XB_FIT_L1), 24 << 10);
    XB_EXPECT_EQ(fit(topology, &caches, XB_FIT_L2), 256 << 10);
    XB_EXPECT_EQ(fit(topology, &caches, XB_FIT_LLC), MIB);
    /* A neighbour may leave us all of the 32 MiB at any time. */
    XB_EXPECT_EQ(fit(topology, &caches, XB_FIT_DRAM), 128 * MIB);
    picture = picture_of(49152, (double)MIB, 100 * (double)MIB);
    caches = xb_picture_caches(&picture, topology);
    XB_EXPECT_EQ(fit(topology, &caches, XB_FIT_LLC), 8 * MIB);
    XB_EXPECT_EQ(fit(topology, &caches, XB_FIT_DRAM), 256 * MIB);
    xb_topology_close(topology);
}

XB_TEST(Picture, IsWantedOnlyWhereASizeFollowsIt)
{
    struct xb_kernel own = { .fit = XB_FIT_OWN }, dram = { .fit = XB_FIT_DRAM };
    struct xb_cell cells[] = { { .kernel = &own }, { .kernel = &dram } };
    struct xb_spec spec;
    xb_spec_init(&spec);
    XB_EXPECT(xb_picture_wanted(&spec, cells, 2));
    XB_EXPECT(!xb_picture_wanted(&spec, cells, 1));
    spec.bytes[spec.n_bytes++] = 4096;
    XB_EXPECT(!xb_picture_wanted(&spec, cells, 2));
}

/* ---- telling ---- */

XB_TEST(Picture, AContradictionStandsInBothFindings)
{
    struct xb_topology *topology = open_machine();
    if (!topology)
        return;
    struct xb_picture picture = picture_of(49152, NAN, 13 * (double)MIB);
    struct xb_caches used = xb_picture_caches(&picture, topology);
    struct xb_findings findings = { 0 };
    xb_fitness_judge_picture(&picture, &used, topology, &findings);
    XB_EXPECT_EQ(findings.n, 4);
    XB_EXPECT_EQ(findings.list[0].state, XB_FITNESS_OK);
    XB_EXPECT_STREQ(findings.list[0].value,
                    "claimed 48 KiB, measured 48 KiB, used 48 KiB; 1 ns a load, "
                    "500 GB/s by one core");
    XB_EXPECT_EQ(findings.list[1].state, XB_FITNESS_NOTE);
    XB_EXPECT_HAS(findings.list[1].value, "measured nothing, used 1 MiB");
    XB_EXPECT_EQ(findings.list[2].state, XB_FITNESS_NOTE);
    XB_EXPECT_HAS(findings.list[2].value, "claimed 32 MiB, measured 13 MiB, used 8 MiB");
    XB_EXPECT_HAS(findings.list[2].remedy, "claimed 32 MiB, measured 13 MiB");
    XB_EXPECT_HAS(findings.list[2].remedy, "sizes follow the measured; run --caches");
    XB_EXPECT_STREQ(findings.list[3].value, "140 ns a load"); /* and no bandwidth */
    xb_topology_close(topology);
}

XB_TEST(Picture, ProvenanceHasAnEmptyValueForAGap)
{
    struct xb_picture picture = picture_of(49152, NAN, 13 * (double)MIB);
    char *text = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&text, &bytes);
    XB_EXPECT_EQ(xb_picture_write(out, &picture), 0);
    fclose(out);
    XB_EXPECT_HAS(text, "l1d_measured_bytes,49152\n");
    XB_EXPECT_HAS(text, "l2_measured_bytes,\n");
    XB_EXPECT_HAS(text, "llc_measured_bytes,13631488\n");
    XB_EXPECT_HAS(text, "dram_latency_ns,140\n");
    XB_EXPECT_HAS(text, "l2_load_gb_per_s,150\n");
    XB_EXPECT_HAS(text, "dram_load_gb_per_s,\n");
    free(text);
}

/* ---- measuring ---- */

/* How fast or large is not looked at, nor how many levels a busy machine let show themselves: what is
 * there is in order and whole, what is not is a gap. */
XB_TEST(Picture, OfThisMachineRisesFromLevelToLevel)
{
    struct xb_topology *topology = NULL;
    struct xb_picture picture;
    struct xb_reason why = { 0 };
    XB_EXPECT_EQ(xb_topology_open(NULL, &topology, &why), 0);
    XB_EXPECT_EQ(
        xb_picture_measure(&xb_builtin, topology, XB_BIND_SCATTER, true, NULL, &picture, &why), 0);
    XB_EXPECT_STREQ(why.text, "");
    double before = 0;
    for (int level = 0; level < XB_CACHE_LEVELS; level++)
        if (picture.capacity[level] > 0) {
            XB_EXPECT(picture.capacity[level] >= before);
            XB_EXPECT(picture.latency_ns[level] > 0);
            XB_EXPECT(picture.load_gb_per_s[level] > 0);
            before = picture.capacity[level];
        } else {
            XB_EXPECT(isnan(picture.capacity[level]));
            XB_EXPECT(isnan(picture.latency_ns[level]));
            XB_EXPECT(isnan(picture.load_gb_per_s[level]));
        }
    XB_EXPECT(picture.took_s > 0);
    xb_topology_close(topology);
}

XB_TEST(Picture, StopsWhenAskedTo)
{
    static const volatile sig_atomic_t stop = 1;
    struct xb_topology *topology = NULL;
    struct xb_picture picture;
    struct xb_reason why = { 0 };
    XB_EXPECT_EQ(xb_topology_open(NULL, &topology, &why), 0);
    XB_EXPECT_EQ(
        xb_picture_measure(&xb_builtin, topology, XB_BIND_SCATTER, true, &stop, &picture, &why),
        -EINTR);
    xb_topology_close(topology);
}

XB_TEST(Picture, NeedsAKernelThatShowsLatency)
{
    static const struct xb_registry nothing = { .n_kernels = 0 };
    struct xb_topology *topology = NULL;
    struct xb_picture picture;
    struct xb_reason why = { 0 };
    XB_EXPECT_EQ(xb_topology_open(NULL, &topology, &why), 0);
    XB_EXPECT_EQ(
        xb_picture_measure(&nothing, topology, XB_BIND_SCATTER, true, NULL, &picture, &why),
        -ENOTSUP);
    XB_EXPECT_HAS(why.text, "shows latency");
    XB_EXPECT(isnan(picture.capacity[XB_CACHE_L1D]));
    xb_topology_close(topology);
}
