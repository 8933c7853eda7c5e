/* SPDX-License-Identifier: BSD-3-Clause
 * Tests which cells follow from what the user asked for, with plug-ins made up for the purpose. */
#include "xbtest.h"

#include "../core/isa.h"
#include "../core/registry.h"
#include "../core/spec.h"
#include "../models/model.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* ---- a small world ---- */

static const struct xb_kernel compute = { .name = "cpu/compute",
                                          .bound = XB_CLASS_CPU,
                                          .fit = XB_FIT_OWN,
                                          .own_bytes = 32,
                                          .needs = XB_NEED_BYTES };
static const struct xb_kernel chase = {
    .name = "memory/chase", .bound = XB_CLASS_MEMORY, .fit = XB_FIT_DRAM, .needs = XB_NEED_BYTES
};
static const struct xb_kernel socket_kernel = { .name = "io/socket",
                                                .bound = XB_CLASS_IO,
                                                .fit = XB_FIT_OWN,
                                                .own_bytes = 64,
                                                .needs = XB_NEED_BYTES };
static const struct xb_kernel file_kernel = { .name = "io/file",
                                              .bound = XB_CLASS_IO,
                                              .fit = XB_FIT_OWN,
                                              .own_bytes = 4096,
                                              .needs =
                                                  XB_NEED_BYTES | XB_NEED_FILES | XB_NEED_DEPTH };

static int works(struct xb_reason *why)
{
    (void)why;
    return 0;
}

static int works_with_a_remark(struct xb_reason *why)
{
    xb_because(why, 0, "only half of it");
    return 0;
}

static int is_missing(struct xb_reason *why)
{
    return xb_because(why, -ENOSYS, "built without it");
}

static const struct xb_model threads = { .name = "threads", .probe = works_with_a_remark };
static const struct xb_model loop = {
    .name = "loop", .parks = true, .shares_lanes = true, .probe = works
};
/* Ranks against the order of names: the plainest is not the first. */
static const struct xb_io_engine epoll = {
    .name = "epoll", .rank = 2, .parks = true, .probe = works
};
static const struct xb_io_engine plain = {
    .name = "plain", .rank = 1, .files = true, .probe = works
};
static const struct xb_io_engine ring = {
    .name = "ring", .rank = 3, .files = true, .parks = true, .probe = is_missing
};

static const struct xb_kernel *const kernels[] = { &compute, &file_kernel, &socket_kernel, &chase };
static const struct xb_model *const models[] = { &loop, &threads };
static const struct xb_io_engine *const engines[] = { &epoll, &plain, &ring };
static const struct xb_registry world = {
    .kernels = kernels,
    .models = models,
    .engines = engines,
    .n_kernels = COUNT_OF(kernels),
    .n_models = COUNT_OF(models),
    .n_engines = COUNT_OF(engines),
};

/* What a test looks at; close in any case. */
struct expansion {
    struct xb_topology *topology;
    struct xb_cell *cells;
    size_t n;
    int err;
    struct xb_reason why;
};

static struct xb_topology *this_machine(void)
{
    struct xb_topology *topology = NULL;
    struct xb_reason why = { 0 };
    if (xb_topology_open(NULL, &topology, &why) != 0)
        XB_FAIL("%s", why.text);
    return topology;
}

static struct expansion expand(const struct xb_spec *spec, const struct xb_registry *registry)
{
    struct expansion e = { .topology = this_machine() };
    e.err = xb_spec_cells(spec, registry, e.topology, &e.cells, &e.n, &e.why);
    return e;
}

static void close_expansion(struct expansion *e)
{
    free(e->cells);
    xb_topology_close(e->topology);
}

/* Everything about one worker, to keep tables short. */
static struct xb_spec spec_of(const char *pattern)
{
    struct xb_spec spec;
    xb_spec_init(&spec);
    spec.workers[0] = 1;
    spec.n_workers = 1;
    if (pattern)
        spec.kernels[spec.n_kernels++] = pattern;
    return spec;
}

static size_t count_kernel(const struct expansion *e, const struct xb_kernel *kernel)
{
    size_t n = 0;
    for (size_t i = 0; i < e->n; i++)
        n += e->cells[i].kernel == kernel;
    return n;
}

static const struct xb_cell *find_cell(const struct expansion *e, const struct xb_kernel *kernel,
                                       const struct xb_model *model,
                                       const struct xb_io_engine *engine)
{
    static const struct xb_cell none;
    for (size_t i = 0; i < e->n; i++)
        if (e->cells[i].kernel == kernel && e->cells[i].model == model &&
            e->cells[i].engine == engine)
            return &e->cells[i];
    XB_FAIL("no cell %s %s/%s", kernel->name, model->name, engine->name);
    return &none;
}

/* ---- which kernels ---- */

XB_TEST(Spec, WithoutPatternsEveryKernelIsMeant)
{
    struct xb_spec spec = spec_of(NULL);
    struct expansion e = expand(&spec, &world);
    XB_EXPECT_EQ(e.err, 0);
    for (size_t i = 0; i < COUNT_OF(kernels); i++)
        XB_EXPECT(count_kernel(&e, kernels[i]) > 0);
    close_expansion(&e);
}

XB_TEST(Spec, GlobsChooseKernelsAndOverlapDoublesNone)
{
    struct xb_spec spec = spec_of("io/*");
    spec.kernels[spec.n_kernels++] = "*/sock?t";
    spec.kernels[spec.n_kernels++] = "cpu/compute";
    struct expansion e = expand(&spec, &world);
    XB_EXPECT_EQ(e.err, 0);
    XB_EXPECT_EQ(count_kernel(&e, &compute), 2); /* two models */
    XB_EXPECT_EQ(count_kernel(&e, &socket_kernel),
                 4); /* three engines of the loop, one of threads */
    XB_EXPECT_EQ(count_kernel(&e, &file_kernel), 4);
    XB_EXPECT_EQ(count_kernel(&e, &chase), 0);
    close_expansion(&e);
}

XB_TEST(Spec, APatternThatFitsNothingIsAnErrorThatNamesIt)
{
    struct xb_spec spec = spec_of("io/*");
    spec.kernels[spec.n_kernels++] = "cpu/typo";
    struct expansion e = expand(&spec, &world);
    XB_EXPECT_EQ(e.err, -ENOENT);
    XB_EXPECT_HAS(e.why.text, "'cpu/typo'");
    close_expansion(&e);
}

XB_TEST(Spec, ClassesFilterAndAnEmptyRestIsAnError)
{
    struct xb_spec spec = spec_of(NULL);
    spec.classes = 1u << XB_CLASS_CPU | 1u << XB_CLASS_MEMORY;
    struct expansion e = expand(&spec, &world);
    XB_EXPECT_EQ(e.err, 0);
    XB_EXPECT_EQ(count_kernel(&e, &compute), 2);
    XB_EXPECT_EQ(count_kernel(&e, &chase), 2);
    XB_EXPECT_EQ(e.n, 4);
    close_expansion(&e);

    spec = spec_of("io/*");
    spec.classes = 1u << XB_CLASS_CPU;
    e = expand(&spec, &world);
    XB_EXPECT_EQ(e.err, -ENOENT);
    XB_EXPECT(e.why.text[0]);
    close_expansion(&e);
}

/* ---- workers, sizes and depths ---- */

static bool has_workers(const struct expansion *e, uint32_t workers)
{
    for (size_t i = 0; i < e->n; i++)
        if (e->cells[i].workers == workers)
            return true;
    return false;
}

static void expect_auto_workers(const char *pattern, bool io)
{
    struct xb_spec spec = spec_of(pattern);
    spec.n_workers = 0;
    spec.models[0] = &threads;
    spec.n_models = 1;
    spec.engines[0] = &plain;
    spec.n_engines = 1;
    struct expansion e = expand(&spec, &world);
    uint32_t cpus = xb_topology_pus(e.topology);
    XB_EXPECT(has_workers(&e, 1) && has_workers(&e, cpus) && has_workers(&e, 2 * cpus));
    XB_EXPECT_EQ(has_workers(&e, 64), io || cpus == 64 || cpus == 32);
    XB_EXPECT_EQ(has_workers(&e, 16), io || cpus == 16 || cpus == 8);
    for (size_t i = 0; i < e.n; i++)
        for (size_t j = 0; j < i; j++)
            XB_EXPECT(e.cells[i].workers != e.cells[j].workers);
    close_expansion(&e);
}

XB_TEST(Spec, AutoWorkersAreOneAndAllCpusAndTwiceThat)
{
    expect_auto_workers("cpu/compute", false);
    expect_auto_workers("memory/chase", false);
}

XB_TEST(Spec, AutoWorkersOfIoAreAlso16And64WithoutDuplicates)
{
    expect_auto_workers("io/socket", true);
}

XB_TEST(Spec, WorkersThatMeetAreAlsoAPair)
{
    static const struct xb_kernel meeting = {
        .name = "sync/meeting", .bound = XB_CLASS_SYNC, .fit = XB_FIT_OWN, .own_bytes = 8
    };
    static const struct xb_kernel *const only[] = { &meeting };
    struct xb_registry registry = world;
    registry.kernels = only;
    registry.n_kernels = 1;
    struct xb_spec spec = spec_of("sync/*");
    spec.n_workers = 0;
    spec.quick = true;
    struct expansion e = expand(&spec, &registry);
    XB_EXPECT_EQ(e.err, 0);
    XB_EXPECT(has_workers(&e, 1) && has_workers(&e, 2) &&
              has_workers(&e, xb_topology_pus(e.topology)));
    close_expansion(&e);
}

XB_TEST(Spec, OneCpuMeansOneAndTwoWorkers)
{
    struct xb_topology *topology = NULL;
    struct xb_reason why = { 0 };
    if (xb_topology_open("synthetic:package:1 core:1 pu:1", &topology, &why) != 0) {
        XB_SKIP("%s", why.text);
        return;
    }
    struct xb_spec spec = spec_of("cpu/compute");
    spec.n_workers = 0;
    spec.models[0] = &threads;
    spec.n_models = 1;
    struct expansion e = { .topology = topology };
    e.err = xb_spec_cells(&spec, &world, topology, &e.cells, &e.n, &e.why);
    XB_EXPECT_EQ(e.n, 2);
    XB_EXPECT(has_workers(&e, 1) && has_workers(&e, 2));
    close_expansion(&e);
}

XB_TEST(Spec, ListsMultiply)
{
    struct xb_spec spec = spec_of("io/file");
    spec.workers[0] = 3;
    spec.workers[1] = 5;
    spec.n_workers = 2;
    spec.bytes[0] = 4096;
    spec.bytes[1] = 8192;
    spec.bytes[2] = 12288;
    spec.n_bytes = 3;
    spec.depths[0] = 1;
    spec.depths[1] = 8;
    spec.n_depths = 2;
    spec.models[0] = &threads;
    spec.n_models = 1;
    spec.engines[0] = &plain;
    spec.n_engines = 1;
    struct expansion e = expand(&spec, &world);
    XB_EXPECT_EQ(e.n, 2 * 3 * 2);
    for (size_t i = 0; i < e.n; i++)
        XB_EXPECT_EQ(e.cells[i].skip.code, 0);
    close_expansion(&e);
}

/* ---- variants ---- */

static const struct xb_kernel vector = {
    .name = "cpu/vector",
    .bound = XB_CLASS_CPU,
    .fit = XB_FIT_OWN,
    .own_bytes = 32,
    .isas = 1u << XB_ISA_BASE | 1u << XB_ISA_AVX512,
};
static const struct xb_kernel *const one_of_each[] = { &compute, &vector };

static struct expansion expand_variants(size_t n, const enum xb_isa *isas)
{
    struct xb_registry registry = world;
    registry.kernels = one_of_each;
    registry.n_kernels = COUNT_OF(one_of_each);
    struct xb_spec spec = spec_of(NULL);
    spec.models[spec.n_models++] = &threads;
    for (; spec.n_isas < n; spec.n_isas++)
        spec.isas[spec.n_isas] = isas[spec.n_isas];
    return expand(&spec, &registry);
}

XB_TEST(Spec, WithoutAListOfVariantsEachKernelHasItsBest)
{
    struct expansion e = expand_variants(0, NULL);
    XB_EXPECT_EQ(e.n, 2);
    for (size_t i = 0; i < e.n; i++) {
        XB_EXPECT_EQ(e.cells[i].skip.code, 0);
        XB_EXPECT_EQ(e.cells[i].isa, xb_isa_best(e.cells[i].kernel->isas));
    }
    close_expansion(&e);
}

XB_TEST(Spec, EachVariantIsACellAndThoseThatCannotBeHadSayWhy)
{
    static const enum xb_isa isas[] = { XB_ISA_AVX512, XB_ISA_BASE, XB_ISA_AVX2 };
    struct expansion e = expand_variants(COUNT_OF(isas), isas);
    XB_EXPECT_EQ(e.n, 2 * COUNT_OF(isas));
    for (size_t i = 0; i < e.n; i++) {
        const struct xb_cell *cell = &e.cells[i];
        if (cell->isa == XB_ISA_BASE) {
            XB_EXPECT_EQ(cell->skip.code, 0);
        } else if (cell->kernel == &compute) {
            XB_EXPECT_HAS(cell->skip.text, "variant of this kernel; it has base");
        } else if (cell->isa == XB_ISA_AVX2) {
            XB_EXPECT_HAS(cell->skip.text, "no avx2 variant of this kernel; it has base ");
            XB_EXPECT_HAS(cell->skip.text, "avx512");
        } else if (xb_isa_supported(XB_ISA_AVX512)) {
            XB_EXPECT_EQ(cell->skip.code, 0);
        } else {
            XB_EXPECT_STREQ(cell->skip.text, "this CPU has no AVX-512 (F, VL, DQ and BW)");
        }
    }
    close_expansion(&e);
}

XB_TEST(Isa, TheBestIsSupportedAndNoBetterOneIs)
{
    for (unsigned isas = 0; isas < 1u << XB_ISAS; isas++) {
        enum xb_isa best = xb_isa_best(isas);
        XB_EXPECT(best == XB_ISA_BASE || isas & (1u << best));
        XB_EXPECT(xb_isa_supported(best));
        for (int better = best + 1; better < XB_ISAS; better++)
            XB_EXPECT(!(isas & (1u << better)) || !xb_isa_supported((enum xb_isa)better));
    }
}

XB_TEST(Isa, AListHasTheBaseAndBracketsWhatTheCpuLacks)
{
    char text[XB_ISA_LIST_TEXT];
    XB_EXPECT_STREQ(xb_isa_list(0, text), "base");
    XB_EXPECT_STREQ(xb_isa_list(1u << XB_ISA_BASE, text), "base");
    XB_EXPECT_STREQ(xb_isa_list((1u << XB_ISAS) - 1, text),
                    xb_isa_supported(XB_ISA_AVX512) ? "base avx2 avx512"
                    : xb_isa_supported(XB_ISA_AVX2) ? "base avx2 (avx512)"
                                                    : "base (avx2) (avx512)");
}

/* ---- engines ---- */

XB_TEST(Spec, ComputeKernelsGetThePlainestEngineThatFitsTheModel)
{
    struct xb_spec spec = spec_of("cpu/compute");
    struct expansion e = expand(&spec, &world);
    XB_EXPECT_EQ(e.n, 2);
    XB_EXPECT_EQ(find_cell(&e, &compute, &threads, &plain)->skip.code, 0);
    XB_EXPECT_EQ(find_cell(&e, &compute, &loop, &epoll)->skip.code, 0);
    close_expansion(&e);
}

XB_TEST(Spec, IoKernelsGetEveryEngineAndImpossiblePairsSayWhy)
{
    struct xb_spec spec = spec_of("io/*");
    for (size_t i = 0; i < world.n_engines; i++)
        spec.engines[spec.n_engines++] = world.engines[i];
    struct expansion e = expand(&spec, &world);
    XB_EXPECT_EQ(e.n, 2 * 2 * 3);
    XB_EXPECT_EQ(find_cell(&e, &socket_kernel, &threads, &plain)->skip.code, 0);
    XB_EXPECT_EQ(find_cell(&e, &socket_kernel, &threads, &epoll)->skip.code, 0);
    XB_EXPECT_EQ(find_cell(&e, &socket_kernel, &loop, &epoll)->skip.code, 0);
    XB_EXPECT_EQ(find_cell(&e, &file_kernel, &threads, &plain)->skip.code, 0);
    XB_EXPECT_HAS(find_cell(&e, &socket_kernel, &loop, &plain)->skip.text,
                  "plain would stop every worker of the loop");
    XB_EXPECT_HAS(find_cell(&e, &file_kernel, &threads, &epoll)->skip.text,
                  "epoll refuses regular files");
    XB_EXPECT_STREQ(find_cell(&e, &socket_kernel, &threads, &ring)->skip.text, "built without it");
    close_expansion(&e);
}

XB_TEST(Spec, ThreadsBlockUnlessToldOtherwiseAndALoopGetsEveryEngine)
{
    struct xb_spec spec = spec_of("io/socket");
    struct expansion e = expand(&spec, &world);
    XB_EXPECT_EQ(e.n, 1 + 3);
    XB_EXPECT_EQ(find_cell(&e, &socket_kernel, &threads, &plain)->skip.code, 0);
    XB_EXPECT_EQ(find_cell(&e, &socket_kernel, &loop, &epoll)->skip.code, 0);
    close_expansion(&e);
}

XB_TEST(Spec, AQuickLookTakesFewerWorkers)
{
    struct xb_spec spec = spec_of("*/*");
    size_t n[2];
    for (int quick = 0; quick < 2; quick++) {
        spec.quick = quick;
        spec.n_workers = 0;
        struct expansion e = expand(&spec, &world);
        n[quick] = e.n;
        XB_EXPECT(has_workers(&e, 1) && has_workers(&e, 64));
        XB_EXPECT_EQ(has_workers(&e, 16), !quick || xb_topology_pus(e.topology) == 16);
        close_expansion(&e);
    }
    XB_EXPECT(n[1] < n[0]);
}

XB_TEST(Spec, ARemarkOfAProbeThatPassesIsNoReasonToSkip)
{
    struct xb_spec spec = spec_of("cpu/compute");
    struct expansion e = expand(&spec, &world);
    XB_EXPECT_STREQ(find_cell(&e, &compute, &threads, &plain)->skip.text, "");
    close_expansion(&e);
}

XB_TEST(Spec, WithoutAnyEngineForAModelItsCellsAreSkippedNotLost)
{
    static const struct xb_io_engine *const only_plain[] = { &plain };
    struct xb_registry poor = world;
    poor.engines = only_plain;
    poor.n_engines = 1;
    struct xb_reason why = { 0 };
    XB_EXPECT(!xb_plain_engine(&poor, &loop, &why));
    XB_EXPECT_HAS(why.text, "loop");
    XB_EXPECT(xb_plain_engine(&poor, &threads, &why) == &plain);
    XB_EXPECT_EQ(why.code, 0);

    struct xb_spec spec = spec_of("cpu/compute");
    struct expansion e = expand(&spec, &poor);
    XB_EXPECT_EQ(e.n, 2);
    XB_EXPECT(find_cell(&e, &compute, &loop, &plain)->skip.code != 0);
    close_expansion(&e);
}

XB_TEST(Spec, SimulatedCellsThatWaitOrShareACacheAreSkippedWithTheReason)
{
    struct xb_spec spec = spec_of("cpu/compute");
    spec.kernels[spec.n_kernels++] = "io/socket";
    spec.workers[spec.n_workers++] = 2;
    spec.simulated = true;
    struct expansion e = expand(&spec, &world);
    size_t ran = 0;
    for (size_t i = 0; i < e.n; i++) {
        const struct xb_cell *cell = &e.cells[i];
        ran += !cell->skip.code;
        if (cell->kernel == &socket_kernel)
            XB_EXPECT_HAS(cell->skip.text, "how long it waits decides what it executes");
        else if (cell->workers == 2)
            XB_EXPECT_HAS(cell->skip.text, "give --workers 1");
        else
            XB_EXPECT_EQ(cell->skip.code, 0);
    }
    XB_EXPECT_EQ(ran, 2); /* under either model */
    close_expansion(&e);
}

XB_TEST(Spec, SizesOfASimulatedRunDoNotFollowTheMachine)
{
    struct xb_spec spec = spec_of("memory/chase");
    struct xb_topology *topology = this_machine();
    spec.caches = xb_simulated_caches;
    struct xb_caches caches = xb_caches_of(&spec, topology);
    XB_EXPECT_EQ(caches.llc_sharers, 1);
    XB_EXPECT_EQ(xb_fit_bytes(&chase, &caches), 4 << 20);
    xb_topology_close(topology);
}

XB_TEST(Spec, DepthOfAKernelThatHasNoneSaysSo)
{
    struct xb_spec spec = spec_of("io/*");
    spec.depths[0] = 8;
    spec.n_depths = 1;
    struct expansion e = expand(&spec, &world);
    XB_EXPECT_HAS(find_cell(&e, &socket_kernel, &threads, &plain)->skip.text, "--depth");
    XB_EXPECT_EQ(find_cell(&e, &file_kernel, &threads, &plain)->skip.code, 0);
    close_expansion(&e);
}

XB_TEST(Spec, MoreMemoryThanTheMachineHasIsSkippedNotTried)
{
    struct xb_spec spec = spec_of("cpu/compute");
    struct xb_topology *topology = this_machine();
    uint64_t memory = xb_topology_memory_bytes(topology);
    xb_topology_close(topology);
    spec.models[0] = &threads;
    spec.n_models = 1;
    spec.workers[0] = 2;
    spec.bytes[0] = memory / 2;
    spec.bytes[1] = memory / 4;
    spec.bytes[2] = UINT64_MAX; /* no product may wrap around to something that fits */
    spec.n_bytes = 3;
    struct expansion e = expand(&spec, &world);
    XB_EXPECT_EQ(e.n, 3);
    for (size_t i = 0; i < e.n; i++) {
        bool fits = e.cells[i].bytes == memory / 4;
        XB_EXPECT_EQ(e.cells[i].skip.code, fits ? 0 : -ENOMEM);
        if (!fits)
            XB_EXPECT_HAS(e.cells[i].skip.text, "do not fit 80 %");
    }
    close_expansion(&e);
}

/* ---- a limit on memory ---- */

static const struct xb_kernel outgrows = {
    .name = "memory/outgrows",
    .bound = XB_CLASS_MEMORY,
    .fit = XB_FIT_OWN,
    .own_bytes = 4096,
    .needs = XB_NEED_BYTES | XB_NEED_LIMIT,
};
static const struct xb_kernel *const limited[] = { &compute, &outgrows };

static struct expansion expand_limited(uint64_t limit, uint64_t bytes, uint32_t workers)
{
    struct xb_registry registry = world;
    registry.kernels = limited;
    registry.n_kernels = COUNT_OF(limited);
    struct xb_spec spec = spec_of(NULL);
    spec.models[spec.n_models++] = &threads;
    spec.workers[0] = workers;
    spec.memory_limit = limit;
    if (bytes)
        spec.bytes[spec.n_bytes++] = bytes;
    return expand(&spec, &registry);
}

XB_TEST(Spec, WorkThatOutgrowsALimitNeedsOneAndIsTwiceAsLarge)
{
    const uint64_t limit = UINT64_C(128) << 20;
    struct expansion e = expand_limited(0, 0, 1);
    XB_EXPECT_HAS(find_cell(&e, &outgrows, &threads, &plain)->skip.text, "give --memory-limit");
    XB_EXPECT_EQ(find_cell(&e, &compute, &threads, &plain)->skip.code, 0);
    close_expansion(&e);

    e = expand_limited(limit, 0, 1);
    XB_EXPECT_EQ(find_cell(&e, &outgrows, &threads, &plain)->skip.code, 0);
    XB_EXPECT_EQ(find_cell(&e, &outgrows, &threads, &plain)->bytes, 2 * limit);
    XB_EXPECT_EQ(find_cell(&e, &compute, &threads, &plain)->skip.code, 0);
    XB_EXPECT_EQ(find_cell(&e, &compute, &threads, &plain)->bytes, 32);
    close_expansion(&e);
}

XB_TEST(Spec, WhatDoesNotFitTheLimitIsSkippedUnlessItOutgrowsIt)
{
    const uint64_t limit = UINT64_C(128) << 20, mib = 1 << 20;
    static const struct {
        uint64_t mib;
        uint32_t workers;
        bool fits;
    } table[] = { { 102, 1, true }, { 103, 1, false }, { 51, 2, true }, { 52, 2, false } };
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        struct expansion e = expand_limited(limit, table[i].mib * mib, table[i].workers);
        const struct xb_cell *cell = find_cell(&e, &compute, &threads, &plain);
        XB_EXPECT_EQ(cell->skip.code, table[i].fits ? 0 : -ENOMEM);
        if (!table[i].fits)
            XB_EXPECT_HAS(cell->skip.text, "do not fit 80 % of the --memory-limit of 128 MiB");
        XB_EXPECT_EQ(find_cell(&e, &outgrows, &threads, &plain)->skip.code, 0);
        close_expansion(&e);
    }
}

/* ---- order ---- */

static bool same_cell(const struct xb_cell *a, const struct xb_cell *b)
{
    return a->kernel == b->kernel && a->model == b->model && a->engine == b->engine &&
           a->workers == b->workers && a->lanes == b->lanes && a->depth == b->depth &&
           a->bytes == b->bytes && a->isa == b->isa;
}

static struct expansion expand_seeded(uint64_t seed)
{
    struct xb_spec spec;
    xb_spec_init(&spec);
    spec.seed = seed;
    return expand(&spec, &xb_builtin);
}

/* How often `lanes` occur among the cells of a loop or of threads that are not skipped. */
static size_t count_lanes(const struct expansion *e, const struct xb_model *model, uint32_t lanes)
{
    size_t n = 0;
    for (size_t i = 0; i < e->n; i++)
        n += e->cells[i].model == model && e->cells[i].lanes == lanes && !e->cells[i].skip.code;
    return n;
}

XB_TEST(Spec, LanesMultiplyTheCellsOfAModelThatSharesThem)
{
    struct xb_spec spec = spec_of("cpu/compute");
    spec.workers[0] = 4;
    spec.n_workers = 1;
    struct expansion e = expand(&spec, &world);
    XB_EXPECT_EQ(count_lanes(&e, &loop, 1), 1); /* one, and it does not wait: no other */
    XB_EXPECT_EQ(count_lanes(&e, &threads, 4), 1);
    close_expansion(&e);
    spec.lanes[spec.n_lanes++] = 2;
    spec.lanes[spec.n_lanes++] = 4;
    spec.lanes[spec.n_lanes++] = 5;
    e = expand(&spec, &world);
    XB_EXPECT_EQ(e.n, 6);
    XB_EXPECT_EQ(count_lanes(&e, &loop, 2), 1);
    XB_EXPECT_EQ(count_lanes(&e, &loop, 4), 1);
    XB_EXPECT_EQ(count_lanes(&e, &threads, 4), 1);
    for (size_t i = 0; i < e.n; i++) {
        const struct xb_cell *cell = &e.cells[i];
        if (cell->lanes == 5)
            XB_EXPECT_HAS(cell->skip.text, "5 lanes for 4 workers");
        else if (cell->model == &threads && cell->lanes == 2)
            XB_EXPECT_HAS(cell->skip.text, "each worker of threads is a lane of its own");
        else
            XB_EXPECT_EQ(cell->skip.code, 0);
    }
    close_expansion(&e);
}

XB_TEST(Spec, ACellsTimeLimitDoesNotWrapAround)
{
    struct xb_spec spec = spec_of(NULL);
    spec.samples = 4096;
    spec.min_time_ns = spec.max_time_ns = UINT64_C(1000000000);
    uint64_t few = xb_spec_cell_ns(&spec, 64, 1), many = xb_spec_cell_ns(&spec, 64, XB_WORKERS_MAX);
    XB_EXPECT(many > few);
    XB_EXPECT(many < UINT64_MAX / 2); /* so that a deadline can be made of it */
}

XB_TEST(Spec, OrderFollowsTheSeed)
{
    struct expansion a = expand_seeded(1), same = expand_seeded(1), other = expand_seeded(2);
    XB_EXPECT_EQ(a.n, same.n);
    XB_EXPECT_EQ(a.n, other.n);
    size_t moved = 0;
    for (size_t i = 0; i < a.n && i < same.n && i < other.n; i++) {
        XB_EXPECT(same_cell(&a.cells[i], &same.cells[i]));
        moved += !same_cell(&a.cells[i], &other.cells[i]);
    }
    XB_EXPECT(moved > a.n / 2);
    close_expansion(&a);
    close_expansion(&same);
    close_expansion(&other);
}

XB_TEST(Spec, OrderLosesAndDoublesNothing)
{
    struct expansion a = expand_seeded(1), b = expand_seeded(99);
    for (size_t i = 0; i < a.n; i++) {
        size_t in_a = 0, in_b = 0;
        for (size_t j = 0; j < a.n; j++) {
            in_a += same_cell(&a.cells[i], &a.cells[j]);
            in_b += same_cell(&a.cells[i], &b.cells[j]);
        }
        XB_EXPECT_EQ(in_a, 1);
        XB_EXPECT_EQ(in_b, 1);
    }
    close_expansion(&a);
    close_expansion(&b);
}

/* Neighbours must not stay neighbours: a slow minute would then fall on one kernel alone. */
XB_TEST(Spec, OrderMixesKernels)
{
    struct expansion e = expand_seeded(1);
    size_t alike = 0;
    for (size_t i = 1; i < e.n; i++)
        alike += e.cells[i].kernel == e.cells[i - 1].kernel;
    XB_EXPECT(alike < e.n / 2);
    close_expansion(&e);
}

/* ---- the plug-ins that were built in ---- */

XB_TEST(Spec, BuiltInPairsThatCannotWorkAreTheKnownOnes)
{
    struct xb_spec spec;
    xb_spec_init(&spec);
    struct expansion e = expand(&spec, &xb_builtin);
    XB_EXPECT_EQ(e.err, 0);
    for (size_t i = 0; i < e.n; i++) {
        const struct xb_cell *cell = &e.cells[i];
        bool parks = cell->model->parks && !cell->engine->parks;
        bool files = cell->kernel->needs & XB_NEED_FILES && !cell->engine->files;
        if (parks || files)
            XB_EXPECT(cell->skip.code != 0 && cell->skip.text[0]);
        XB_EXPECT_EQ(cell->skip.code != 0, cell->skip.text[0] != '\0');
        if (cell->kernel->bound != XB_CLASS_IO && !cell->model->parks)
            XB_EXPECT_STREQ(cell->engine->name, "blocking");
    }
    close_expansion(&e);
}

XB_TEST(Registry, FindsByExactNameOnly)
{
    XB_EXPECT(xb_find_model(&xb_builtin, "threads") != NULL);
    XB_EXPECT(xb_find_engine(&xb_builtin, "blocking") != NULL);
    XB_EXPECT(xb_find_source(&xb_builtin, "none") != NULL);
    XB_EXPECT(!xb_find_model(&xb_builtin, "thread"));
    XB_EXPECT(!xb_find_model(&xb_builtin, "Threads"));
    XB_EXPECT(!xb_find_engine(&xb_builtin, ""));
}

/* ---- sizes ---- */

static void expect_fit(const char *description, enum xb_fit fit, uint64_t bytes)
{
    struct xb_topology *topology = NULL;
    struct xb_reason why = { 0 };
    struct xb_kernel kernel = { .name = "any", .fit = fit, .own_bytes = 100 };
    int err = xb_topology_open(description, &topology, &why);
    if (err == -ENOTSUP)
        XB_SKIP("%s", why.text);
    else if (err)
        XB_FAIL("%s", why.text);
    if (err) {
        xb_topology_close(topology);
        return;
    }
    struct xb_spec spec = spec_of(NULL);
    struct xb_caches caches = xb_caches_of(&spec, topology);
    XB_EXPECT_EQ(xb_fit_bytes(&kernel, &caches), bytes);
    xb_topology_close(topology);
}

XB_TEST(Fit, IsHalfOfTheCacheOrAShareOfIt)
{
    static const char machine[] =
        "synthetic:package:1 l3:1(size=16777216) l2:2(size=1048576) l1d:1(size=49152) core:1 pu:2";
    expect_fit(machine, XB_FIT_OWN, 100);
    expect_fit(machine, XB_FIT_L1, 24 << 10);
    expect_fit(machine, XB_FIT_L2, 512 << 10);
    expect_fit(machine, XB_FIT_LLC, 2 << 20); /* half of 16 MiB for each of 4 CPUs */
    expect_fit(machine, XB_FIT_DRAM, 64 << 20);
}

XB_TEST(Fit, ForDramIsCappedWhereGuestsAreToldOfHugeCaches)
{
    expect_fit("synthetic:package:1 l3:1(size=134217728) core:4 pu:1", XB_FIT_DRAM,
               UINT64_C(512) << 20);
    expect_fit("synthetic:package:1 l3:1(size=201326592) core:4 pu:1", XB_FIT_DRAM,
               UINT64_C(512) << 20);
    expect_fit("synthetic:package:1 l3:1(size=536870912) core:4 pu:1", XB_FIT_DRAM,
               UINT64_C(1) << 30);
}

XB_TEST(Fit, WithoutKnownCachesUsesCommonSizes)
{
    static const char machine[] = "synthetic:package:1 core:2 pu:1";
    expect_fit(machine, XB_FIT_L1, 16 << 10);
    expect_fit(machine, XB_FIT_L2, 512 << 10);
    expect_fit(machine, XB_FIT_LLC, 16 << 20);
    expect_fit(machine, XB_FIT_DRAM, 128 << 20);
}

XB_TEST(Fit, IsNeverLessThanAPageForTinyCaches)
{
    expect_fit("synthetic:package:1 l2:1(size=65536) l1d:1(size=4096) core:1 pu:1", XB_FIT_L1,
               4096);
    expect_fit("synthetic:package:1 l3:1(size=65536) core:16 pu:2", XB_FIT_LLC, 4096);
}
