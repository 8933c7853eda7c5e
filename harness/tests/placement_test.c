/* SPDX-License-Identifier: BSD-3-Clause
 * Tests which CPU a lane is given, on machines that nobody here has. */
#include "xbtest.h"

#include "../core/topology.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { MOST = 64 };

/* 2 packages x 2 last-level caches x 2 cores x 2 siblings; CPU numbers in hwloc's order, so that
 * CPUs 2c and 2c+1 are core c, cores 2d and 2d+1 domain d, domains 0 and 1 package 0. */
#define TWO_PACKAGES "synthetic:package:2 l3:2(size=8388608) core:2 pu:2"

/* NULL after a skip, where there is no hwloc to understand descriptions. The caller closes. */
static struct xb_topology *open_topology(const char *description)
{
    struct xb_topology *topology = NULL;
    struct xb_reason why = { 0 };
    int err = xb_topology_open(description, &topology, &why);
    if (err == -ENOTSUP)
        XB_SKIP("%s", why.text);
    else if (err)
        XB_FAIL("%s", why.text);
    return topology;
}

/* Compares where n lanes go with a list like "0 4 8". Closes nothing. */
static void expect_places(const struct xb_topology *topology, enum xb_bind bind, uint32_t n,
                          const char *should)
{
    int cpus[MOST];
    char is[512] = "";
    for (uint32_t i = 0; i < MOST; i++)
        cpus[i] = -7;
    xb_topology_place(topology, bind, n, cpus);
    for (uint32_t i = 0; i < n; i++)
        snprintf(is + strlen(is), sizeof is - strlen(is), "%s%d", i ? " " : "", cpus[i]);
    XB_EXPECT_STREQ(is, should);
    XB_EXPECT_EQ(cpus[n], -7);
}

static void expect_placement(const char *description, enum xb_bind bind, uint32_t n,
                             const char *should)
{
    struct xb_topology *topology = open_topology(description);
    if (topology)
        expect_places(topology, bind, n, should);
    xb_topology_close(topology);
}

static const char *hybrid(void)
{
    static char description[4096];
    snprintf(description, sizeof description, "xml:%s", xb_test_data("hybrid.xml"));
    return description;
}

XB_TEST(Placement, OneCpuTakesEveryLane)
{
    static const char one[] = "synthetic:package:1 core:1 pu:1";
    expect_placement(one, XB_BIND_COMPACT, 3, "0 0 0");
    expect_placement(one, XB_BIND_SCATTER, 3, "0 0 0");
    expect_placement(one, XB_BIND_NONE, 3, "-1 -1 -1");
}

XB_TEST(Placement, CompactFillsCoresThenCachesThenPackages)
{
    expect_placement(TWO_PACKAGES, XB_BIND_COMPACT, 16, "0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15");
    expect_placement(TWO_PACKAGES, XB_BIND_COMPACT, 3, "0 1 2");
}

/* Package, then cache, then core, and siblings last: what shares least comes first. */
XB_TEST(Placement, ScatterTakesPackagesThenCachesThenCoresThenSiblings)
{
    expect_placement(TWO_PACKAGES, XB_BIND_SCATTER, 16, "0 8 4 12 2 10 6 14 1 9 5 13 3 11 7 15");
    expect_placement(TWO_PACKAGES, XB_BIND_SCATTER, 2, "0 8");
}

XB_TEST(Placement, NoneLeavesItToTheScheduler)
{
    expect_placement(TWO_PACKAGES, XB_BIND_NONE, 4, "-1 -1 -1 -1");
    expect_placement(TWO_PACKAGES, XB_BIND_NONE, 0, "");
}

XB_TEST(Placement, MoreLanesThanCpusWrapAround)
{
    static const char four[] = "synthetic:package:1 core:2 pu:2";
    expect_placement(four, XB_BIND_COMPACT, 10, "0 1 2 3 0 1 2 3 0 1");
    expect_placement(four, XB_BIND_SCATTER, 10, "0 2 1 3 0 2 1 3 0 2");
}

/* CPUs 0-3 are slow cores, 4-5 and 6-7 are two fast ones. A sibling of a fast core still comes
 * after a slow core of its own. */
XB_TEST(Placement, ScatterUsesFastCoresFirstAndSiblingsLast)
{
    expect_placement(hybrid(), XB_BIND_SCATTER, 8, "4 6 0 1 2 3 5 7");
    expect_placement(hybrid(), XB_BIND_COMPACT, 8, "0 1 2 3 4 5 6 7");
}

XB_TEST(Placement, EveryCpuIsUsedOnceBeforeAnyIsUsedTwice)
{
    static const char *const machines[] = {
        "synthetic:package:1 core:3 pu:1",
        "synthetic:package:4 l3:1 core:4 pu:2",
        "synthetic:numa:2 l3:3 core:5 pu:2",
        "synthetic:package:1 l3:1 l2:4 core:2 pu:1",
    };
    for (size_t i = 0; i < sizeof machines / sizeof machines[0]; i++) {
        struct xb_topology *topology = open_topology(machines[i]);
        if (!topology)
            return;
        uint32_t n = xb_topology_pus(topology);
        for (int bind = XB_BIND_COMPACT; bind < XB_BINDS; bind++) {
            int cpus[MOST], seen[MOST] = { 0 };
            xb_topology_place(topology, (enum xb_bind)bind, n, cpus);
            for (uint32_t lane = 0; lane < n; lane++)
                XB_EXPECT_EQ(seen[cpus[lane]]++, 0);
        }
        xb_topology_close(topology);
    }
}

XB_TEST(Topology, CountsCpusAndCores)
{
    struct xb_topology *topology = open_topology(TWO_PACKAGES);
    if (!topology)
        return;
    XB_EXPECT_EQ(xb_topology_pus(topology), 16);
    XB_EXPECT_EQ(xb_topology_cores(topology), 8);
    XB_EXPECT_HAS(xb_topology_summary(topology), "2 packages, 8 cores, 16 PUs");
    xb_topology_close(topology);
}

XB_TEST(Topology, KnowsCacheSizesAndWhoSharesThem)
{
    struct xb_topology *topology = open_topology(
        "synthetic:package:1 l3:2(size=12582912) l2:2(size=1048576) l1d:1(size=49152) core:1 pu:2");
    if (!topology)
        return;
    XB_EXPECT_EQ(xb_topology_cache_bytes(topology, XB_CACHE_L1D), 48 << 10);
    XB_EXPECT_EQ(xb_topology_cache_bytes(topology, XB_CACHE_L2), 1 << 20);
    XB_EXPECT_EQ(xb_topology_cache_bytes(topology, XB_CACHE_LLC), 12 << 20);
    XB_EXPECT_EQ(xb_topology_cache_sharers(topology, XB_CACHE_L1D), 2);
    XB_EXPECT_EQ(xb_topology_cache_sharers(topology, XB_CACHE_L2), 2);
    XB_EXPECT_EQ(xb_topology_cache_sharers(topology, XB_CACHE_LLC), 4);
    xb_topology_close(topology);
}

XB_TEST(Topology, AnL2WithNothingBelowItIsTheLastLevel)
{
    struct xb_topology *topology =
        open_topology("synthetic:package:1 l2:2(size=2097152) l1d:2(size=32768) core:1 pu:1");
    if (!topology)
        return;
    XB_EXPECT_EQ(xb_topology_cache_bytes(topology, XB_CACHE_L2), 2 << 20);
    XB_EXPECT_EQ(xb_topology_cache_bytes(topology, XB_CACHE_LLC), 2 << 20);
    XB_EXPECT_EQ(xb_topology_cache_sharers(topology, XB_CACHE_LLC), 2);
    xb_topology_close(topology);
}

XB_TEST(Topology, UnknownCachesAreZeroBytesForOne)
{
    struct xb_topology *topology = open_topology("synthetic:package:1 core:2 pu:1");
    if (!topology)
        return;
    for (int level = 0; level < XB_CACHE_LEVELS; level++) {
        XB_EXPECT_EQ(xb_topology_cache_bytes(topology, (enum xb_cache_level)level), 0);
        XB_EXPECT_EQ(xb_topology_cache_sharers(topology, (enum xb_cache_level)level), 1);
    }
    xb_topology_close(topology);
}

XB_TEST(Topology, CachesOfAHybridAreThoseOfItsFastCores)
{
    struct xb_topology *topology = open_topology(hybrid());
    if (!topology)
        return;
    XB_EXPECT_EQ(xb_topology_cache_bytes(topology, XB_CACHE_L1D), 48 << 10);
    XB_EXPECT_EQ(xb_topology_cache_bytes(topology, XB_CACHE_L2), 1280 << 10);
    XB_EXPECT_EQ(xb_topology_cache_bytes(topology, XB_CACHE_LLC), 12 << 20);
    XB_EXPECT_EQ(xb_topology_cache_sharers(topology, XB_CACHE_LLC), 8);
    XB_EXPECT_EQ(xb_topology_memory_bytes(topology), 1 << 30);
    XB_EXPECT_HAS(xb_topology_summary(topology), "6 cores of 2 kinds, 8 PUs");
    xb_topology_close(topology);
}

XB_TEST(Topology, AnUnknownDescriptionIsAnErrorThatSaysWhatIsWanted)
{
    static const char *const descriptions[] = { "",
                                                "nonsense",
                                                "synthetic:",
                                                "synthetic:pony:3",
                                                "xml:",
                                                "xml:/no/such/file.xml",
                                                "xml:/dev/null" };
    for (size_t i = 0; i < sizeof descriptions / sizeof descriptions[0]; i++) {
        struct xb_topology *topology = (void *)&topology;
        struct xb_reason why = { 0 };
        int err = xb_topology_open(descriptions[i], &topology, &why);
        if (err >= 0)
            XB_FAIL("'%s' is taken", descriptions[i]);
        XB_EXPECT(!topology);
        XB_EXPECT_EQ(why.code, err);
        XB_EXPECT_HAS(why.text, err == -ENOTSUP ? "built without hwloc" : "synthetic:... or xml:");
    }
}

XB_TEST(Topology, ThisMachineHasACpuAndSaysHowItWasRead)
{
    struct xb_topology *topology = open_topology(NULL);
    if (!topology)
        return;
    int cpu = -1;
    XB_EXPECT(xb_topology_pus(topology) >= 1);
    XB_EXPECT(xb_topology_cores(topology) >= 1);
    XB_EXPECT(xb_topology_cores(topology) <= xb_topology_pus(topology));
    XB_EXPECT(xb_topology_memory_bytes(topology) > 0);
    XB_EXPECT_HAS(xb_topology_summary(topology), "hwloc");
    xb_topology_place(topology, XB_BIND_SCATTER, 1, &cpu);
    XB_EXPECT(cpu >= 0);
    xb_topology_close(topology);
    xb_topology_close(NULL);
}

XB_TEST(Topology, PoliciesHaveNamesThatReadBack)
{
    for (int bind = 0; bind < XB_BINDS; bind++)
        XB_EXPECT_EQ(xb_bind_parse(xb_bind_name((enum xb_bind)bind)), bind);
    XB_EXPECT_EQ(xb_bind_parse("Scatter"), -1);
    XB_EXPECT_EQ(xb_bind_parse(""), -1);
}
