/* SPDX-License-Identifier: BSD-3-Clause
 * Holds every kernel in the tables to its contract; a new kernel needs no test file of its own.
 *
 * Equal work and equal checksums under all pairs of model and engine are the proof that the models
 * were compared on the same work; a verify that is shown to fail is the proof that it can. */
#include "xbtest.h"

#include "../base/memory.h"
#include "../commands/command.h"
#include "../core/isa.h"
#include "../core/metrics.h"
#include "../core/runner.h"
#include "../core/spec.h"
#include "../core/sync.h"
#include "../exports/export.h"
#include "../probes/probe.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define LIMIT_NS UINT64_C(60000000000)

/* About how long a sample is to take: long enough that threads overlap, short enough for a matrix
 * of a thousand cells. */
#define SAMPLE_NS UINT64_C(1000000)

/* At least this many, so that a kernel's state is carried from one iteration to another. */
enum { ITERS_MIN = 3, ITERS_MAX = 3000 };

enum { SAMPLES = 2 }; /* so that what happens between two is seen too */

static const uint64_t SIZES[] = { 4096, 65536, 1048576 };
static const uint32_t WORKERS[] = { 1, 2, 5 };

enum { N_SIZES = sizeof SIZES / sizeof SIZES[0], N_WORKERS = sizeof WORKERS / sizeof WORKERS[0] };

/* ---- every model and engine does the same work ---- */

struct point {
    const struct xb_kernel *kernel;
    uint64_t bytes;
    uint32_t workers;
};

static struct xb_plan plan_of(const struct xb_cell *cell)
{
    return (struct xb_plan){
        .kernel = cell->kernel,
        .model = cell->model,
        .engine = cell->engine,
        .source = xb_find_source(&xb_builtin, "none"),
        .lanes = cell->lanes,
        .params = { .bytes = cell->bytes,
                    .workers = cell->workers,
                    .depth = cell->depth,
                    .isa = cell->isa,
                    .seed = 42,
                    .scratch_dir = xb_test_folder() },
    };
}

/* What some kernels are there to show, where another one would have failed. */
static bool may_deadlock(const struct xb_kernel *kernel, int err)
{
    return err == -EDEADLK && kernel->outcome && strcmp(kernel->outcome, "deadlocks") == 0;
}

/* Found rather than listed, because a kernel's iteration may take a nanosecond or a millisecond,
 * and sanitizers multiply it. 0, and the test marked as skipped, where this machine cannot have it. */
static uint64_t find_iters(const struct point *point)
{
    const struct xb_cell cell = {
        .kernel = point->kernel,
        .model = xb_find_model(&xb_builtin, "threads"),
        .engine = xb_find_engine(&xb_builtin, "blocking"),
        .workers = point->workers,
        .depth = 1,
        .bytes = point->bytes,
        .isa = xb_isa_best(point->kernel->isas),
    };
    struct xb_plan plan = plan_of(&cell);
    plan.iters = 1;
    plan.calibrate_ns = SAMPLE_NS;
    struct xb_arena arena = { 0 };
    struct xb_result *result;
    uint64_t iters = 0;
    int err = xb_runner_run(&plan, LIMIT_NS, NULL, &arena, &result);
    if (err == 0 || may_deadlock(point->kernel, err))
        iters = result->iters;
    else if (err == -ENOTSUP) /* 0 iterations: there is nothing to compare */
        XB_SKIP("%s", result->why.text);
    else
        XB_FAIL("calibrating: %s", result ? result->why.text : "no memory");
    xb_arena_close(&arena);
    if (err == -ENOTSUP)
        return 0;
    return iters > ITERS_MAX ? ITERS_MAX : iters < ITERS_MIN ? ITERS_MIN : iters;
}

/* Measures one cell into `work`, one for each sample, as a sample may go on where the last one
 * ended. False, and reported, unless all is well with it. */
static bool measure(const struct xb_cell *cell, uint64_t iters, uint64_t slice_iters,
                    struct xb_work work[SAMPLES])
{
    bool io = cell->kernel->bound == XB_CLASS_IO;
    struct xb_plan plan = plan_of(cell);
    plan.iters = iters;
    plan.slice_iters = slice_iters;
    plan.samples = SAMPLES;
    plan.latency = io;
    struct xb_arena arena = { 0 };
    struct xb_result *result;
    int err = xb_runner_run(&plan, LIMIT_NS, NULL, &arena, &result);
    bool fine = err == 0 && atomic_load(&result->n_samples) == SAMPLES;
    if (may_deadlock(cell->kernel, err))
        XB_EXPECT(strncmp(result->why.text, "deadlock: P", 11) == 0);
    else if (!fine)
        XB_FAIL("%s under %s and %s, depth %u, %llu iterations in slices of %llu: %d, %s",
                cell->kernel->name, cell->model->name, cell->engine->name, cell->depth,
                (unsigned long long)iters, (unsigned long long)slice_iters, err,
                result ? result->why.text : "no memory");
    else if (io && result->latency.n == 0)
        XB_FAIL("%s under %s and %s: no operation is marked, so there is no latency",
                cell->kernel->name, cell->model->name, cell->engine->name);
    for (int i = 0; i < SAMPLES && fine; i++)
        work[i] = result->samples[i].work;
    xb_arena_close(&arena);
    return fine;
}

static void compare(const struct xb_cell *cell, uint64_t slice_iters, const struct xb_work *is,
                    const struct xb_work *should)
{
    if (is->items == should->items && is->bytes_read == should->bytes_read &&
        is->bytes_written == should->bytes_written && is->flops == should->flops &&
        is->checksum == should->checksum)
        return;
    XB_FAIL(
        "%s (%s) under %s and %s, depth %u, slices of %llu, did other work than the first cell:\n"
        "items %llu, read %llu, written %llu, flops %llu, checksum %016llx, not\n"
        "items %llu, read %llu, written %llu, flops %llu, checksum %016llx",
        cell->kernel->name, xb_isa_name(cell->isa), cell->model->name, cell->engine->name,
        cell->depth, (unsigned long long)slice_iters, (unsigned long long)is->items,
        (unsigned long long)is->bytes_read, (unsigned long long)is->bytes_written,
        (unsigned long long)is->flops, (unsigned long long)is->checksum,
        (unsigned long long)should->items, (unsigned long long)should->bytes_read,
        (unsigned long long)should->bytes_written, (unsigned long long)should->flops,
        (unsigned long long)should->checksum);
}

static void all_pairs_agree(const void *argument)
{
    const struct point *point = argument;
    struct xb_spec spec;
    xb_spec_init(&spec);
    spec.kernels[spec.n_kernels++] = point->kernel->name;
    for (size_t i = 0; i < xb_builtin.n_models; i++)
        spec.models[spec.n_models++] = xb_builtin.models[i];
    /* To work that awaits no I/O engines are alike: the plainest of each model will do. */
    bool io = point->kernel->bound == XB_CLASS_IO || point->kernel->needs & XB_NEED_FILES;
    for (size_t i = 0; i < xb_builtin.n_engines && io; i++)
        spec.engines[spec.n_engines++] = xb_builtin.engines[i];
    spec.workers[spec.n_workers++] = point->workers;
    if (point->kernel->needs & XB_NEED_BYTES)
        spec.bytes[spec.n_bytes++] = point->bytes;
    spec.depths[spec.n_depths++] = 1;
    if (point->kernel->needs & XB_NEED_DEPTH)
        spec.depths[spec.n_depths++] = 4;
    if (point->kernel->needs & XB_NEED_LIMIT) /* its plans have none: only the spec asks for it */
        spec.memory_limit = UINT64_C(1) << 40;
    struct xb_topology *topology = NULL;
    struct xb_cell *cells = NULL;
    struct xb_reason why = { 0 };
    size_t n = 0, ran = 0;
    uint64_t iters = find_iters(point);
    if (iters == 0)
        return;
    if (xb_topology_open(NULL, &topology, &why) != 0 ||
        xb_spec_cells(&spec, &xb_builtin, topology, &cells, &n, &why) != 0)
        XB_FAIL("%s", why.text);
    struct xb_work first[SAMPLES];
    for (size_t i = 0; i < n && !xb_test_failed(); i++) {
        /* An odd slice that does not divide the iterations; only models with checkpoints take
         * notice, and cells of work that waits for I/O are not cut. Of those there are some with
         * several lanes already. */
        uint64_t slices[] = { 0, 3, 3 };
        size_t ways = !cells[i].model->checkpoint || io ? 1
                      : cells[i].model->shares_lanes && cells[i].lanes == 1 && cells[i].workers > 1
                          ? 3
                          : 2;
        for (size_t j = 0; j < ways && !cells[i].skip.code; j++) {
            struct xb_work work[SAMPLES];
            cells[i].lanes = j == 2 ? 2 : cells[i].lanes; /* however few CPUs there are */
            if (!measure(&cells[i], iters, slices[j], work))
                continue;
            if (ran++ == 0)
                memcpy(first, work, sizeof first);
            for (int k = 0; k < SAMPLES; k++)
                compare(&cells[i], slices[j], &work[k], &first[k]);
        }
    }
    if (!xb_test_failed() && ran < 2 && !may_deadlock(point->kernel, -EDEADLK))
        XB_FAIL("%zu of %zu cells could run, so nothing was compared", ran, n);
    free(cells);
    xb_topology_close(topology);
}

/* Whole cells of --isa base,avx2,avx512, with equal iterations: what the option's rows compare. */
static void all_variants_agree(const void *argument)
{
    const struct point *point = argument;
    const struct xb_kernel *kernel = point->kernel;
    struct xb_spec spec;
    xb_spec_init(&spec);
    spec.kernels[spec.n_kernels++] = kernel->name;
    spec.models[spec.n_models++] = xb_find_model(&xb_builtin, "threads");
    spec.engines[spec.n_engines++] = xb_find_engine(&xb_builtin, "blocking");
    spec.workers[spec.n_workers++] = point->workers;
    if (kernel->needs & XB_NEED_BYTES)
        spec.bytes[spec.n_bytes++] = point->bytes;
    for (int isa = XB_ISA_BASE; isa < XB_ISAS; isa++)
        spec.isas[spec.n_isas++] = (enum xb_isa)isa;
    struct xb_topology *topology = NULL;
    struct xb_cell *cells = NULL;
    struct xb_reason why = { 0 };
    size_t n = 0, ran = 0;
    uint64_t iters = find_iters(point);
    if (iters == 0)
        return;
    if (xb_topology_open(NULL, &topology, &why) != 0 ||
        xb_spec_cells(&spec, &xb_builtin, topology, &cells, &n, &why) != 0)
        XB_FAIL("%s", why.text);
    struct xb_work first[SAMPLES], work[SAMPLES];
    for (size_t i = 0; i < n && !xb_test_failed(); i++) {
        bool there = kernel->isas & (1u << cells[i].isa) && xb_isa_supported(cells[i].isa);
        XB_EXPECT_EQ(cells[i].skip.code == 0, there);
        if (!there || !measure(&cells[i], iters, 0, ran ? work : first))
            continue;
        for (int k = 0; k < SAMPLES && ran; k++)
            compare(&cells[i], 0, &work[k], &first[k]);
        ran++;
    }
    XB_EXPECT_EQ(n, XB_ISAS);
    XB_EXPECT(ran > 0);
    free(cells);
    xb_topology_close(topology);
}

/* ---- one worker by hand: callbacks called directly ---- */

struct memory {
    struct xb_memory memory; /* first: the kernel's view */
    struct xb_arena arena;
};

static void *take(struct xb_memory *memory, size_t bytes, size_t align)
{
    return xb_arena_take(&((struct memory *)memory)->arena, bytes, align);
}

struct solo {
    const struct xb_kernel *kernel;
    struct xb_params params;
    struct memory memory;
    struct xb_io *engine, *io;
    /* For kernels that await the team: one worker of it, at most the second one. */
    struct xb_team crew;
    struct xb_worker workers[2];
    struct xb_sync_slot slots[2];
    struct xb_sync_io sync;
    void *team, *state;
    char why[XB_WHY_BYTES];
};

static const struct xb_io_engine *blocking(void)
{
    return xb_find_engine(&xb_builtin, "blocking");
}

static void part(struct solo *solo)
{
    if (solo->kernel->teardown)
        solo->kernel->teardown(solo->state);
    if (solo->kernel->team_teardown)
        solo->kernel->team_teardown(solo->team);
    blocking()->close(solo->engine);
    xb_arena_close(&solo->memory.arena);
}

/* `index`: which worker of a team that ends with it. */
static bool meet(struct solo *solo, const struct xb_kernel *kernel, enum xb_isa isa, uint64_t seed,
                 uint32_t index)
{
    *solo = (struct solo){ .kernel = kernel, .memory.memory.take = take };
    solo->params = (struct xb_params){ .bytes = 4096,
                                       .workers = index + 1,
                                       .depth = 1,
                                       .isa = isa,
                                       .seed = seed,
                                       .scratch_dir = xb_test_folder(),
                                       .why = solo->why };
    struct xb_reason why = { 0 };
    int err = xb_arena_open(&solo->memory.arena, 1 << 20);
    if (!err)
        err = blocking()->open(NULL, 1, &solo->engine, &why);
    solo->crew = (struct xb_team){ .model = xb_find_model(&xb_builtin, "threads"),
                                   .workers = solo->workers };
    solo->workers[index] = (struct xb_worker){ .team = &solo->crew, .index = index };
    xb_sync_wrap(&solo->sync, solo->engine, &solo->workers[index], solo->slots);
    solo->io = kernel->needs & XB_NEED_TEAM ? &solo->sync.io : solo->engine;
    if (!err && kernel->team_setup)
        err = kernel->team_setup(&solo->params, &solo->memory.memory, &solo->team);
    solo->params.index = index;
    if (!err && kernel->setup)
        err = kernel->setup(&solo->params, solo->team, &solo->state);
    if (!err)
        return true;
    if (err == -ENOTSUP)
        XB_SKIP("%s", solo->why);
    else
        XB_FAIL("%s: set-up: %d, %s", kernel->name, err, solo->why);
    part(solo);
    return false;
}

/* A sample of `n` iterations, cut into slices of `slice`. */
static struct xb_work sample(struct solo *solo, uint64_t n, uint64_t slice)
{
    struct xb_run run = { .params = &solo->params, .io = solo->io, .team = solo->team };
    struct xb_work did = { 0 };
    if (solo->kernel->begin)
        solo->kernel->begin(solo->state);
    for (uint64_t left = n; left;) {
        uint64_t now = left < slice ? left : slice;
        XB_EXPECT_EQ(solo->kernel->run(&run, solo->state, now, &did), 0);
        left -= now;
    }
    if (solo->kernel->settle && solo->params.index == 0)
        solo->kernel->settle(solo->team, solo->state, &did);
    return did;
}

static int verify(struct solo *solo, uint64_t iters, const struct xb_work *did)
{
    return solo->kernel->verify(&solo->params, solo->team, solo->state, iters, did);
}

enum { ITERS = 37 };

/* -ENOTSUP if they could not meet, or what verify says of a worker's sample with `add` added to the field at `*field`, or to the number
 * of iterations where `field` is NULL. */
static int judge(const struct xb_kernel *kernel, uint32_t index, const size_t *field, int add)
{
    struct solo solo;
    if (!meet(&solo, kernel, xb_isa_best(kernel->isas), 42, index))
        return -ENOTSUP;
    struct xb_work did = sample(&solo, ITERS, ITERS);
    uint64_t iters = ITERS;
    *(field ? (uint64_t *)(void *)((char *)&did + *field) : &iters) += (uint64_t)add;
    int err = verify(&solo, iters, &did);
    part(&solo);
    return err;
}

static void expect_bites(const struct xb_kernel *kernel, uint32_t index)
{
    static const struct {
        const char *name;
        size_t offset;
    } fields[] = {
        { "items", offsetof(struct xb_work, items) },
        { "bytes_read", offsetof(struct xb_work, bytes_read) },
        { "bytes_written", offsetof(struct xb_work, bytes_written) },
        { "flops", offsetof(struct xb_work, flops) },
        { "checksum", offsetof(struct xb_work, checksum) },
        { "outcome", offsetof(struct xb_work, outcome) },
    };
    /* What a kernel that counts an outcome finds there is its own affair. */
    size_t n = sizeof fields / sizeof fields[0] - (kernel->outcome != NULL);
    int err = judge(kernel, index, NULL, 0);
    if (err == -ENOTSUP)
        return;
    if (err)
        XB_FAIL("%s: verify refuses the right answer of worker %u", kernel->name, index);
    for (size_t i = 0; i < n; i++)
        if (judge(kernel, index, &fields[i].offset, 1) != -EBADMSG)
            XB_FAIL("%s: verify accepts a wrong %s of worker %u", kernel->name, fields[i].name,
                    index);
    for (int off = -1; off <= 1; off += 2)
        if (judge(kernel, index, NULL, off) != -EBADMSG)
            XB_FAIL("%s: verify accepts worker %u's work of %d iterations for that of %d",
                    kernel->name, index, ITERS, ITERS + off);
}

/* Workers of a team may have roles; those that wait for each other cannot be met alone. */
static void verify_bites(const void *argument)
{
    const struct xb_kernel *kernel = argument;
    expect_bites(kernel, 0);
    if (!xb_kernel_waits(kernel))
        expect_bites(kernel, 1);
}

static void slices_add_up(const void *argument)
{
    const struct xb_kernel *kernel = argument;
    struct xb_work did[2][SAMPLES];
    for (int cut = 0; cut < 2; cut++) {
        struct solo solo;
        if (!meet(&solo, kernel, xb_isa_best(kernel->isas), 42, 0))
            return;
        for (int k = 0; k < SAMPLES; k++)
            did[cut][k] = sample(&solo, ITERS, cut ? 5 : ITERS);
        XB_EXPECT_EQ(verify(&solo, ITERS, &did[cut][SAMPLES - 1]), 0);
        for (int k = 0; k < SAMPLES && kernel->outcome; k++)
            did[cut][k].outcome = 0; /* may be chance */
        part(&solo);
    }
    XB_EXPECT(memcmp(did[0], did[1], sizeof did[0]) == 0);
}

static void seed_decides_the_checksum(const void *argument)
{
    const struct xb_kernel *kernel = argument;
    struct xb_work did[3];
    static const uint64_t seeds[3] = { 42, 42, 43 };
    for (int i = 0; i < 3; i++) {
        struct solo solo;
        if (!meet(&solo, kernel, xb_isa_best(kernel->isas), seeds[i], 0))
            return;
        did[i] = sample(&solo, ITERS, ITERS);
        part(&solo);
    }
    XB_EXPECT(did[0].checksum == did[1].checksum);
    XB_EXPECT(did[0].checksum != did[2].checksum);
}

static void variants_do_the_same_work(const void *argument)
{
    const struct xb_kernel *kernel = argument;
    struct xb_work first = { 0 };
    for (int isa = XB_ISA_BASE; isa < XB_ISAS; isa++) {
        unsigned bit = 1u << isa;
        if (isa != XB_ISA_BASE && (!(kernel->isas & bit) || xb_isa_best(bit) != (enum xb_isa)isa))
            continue; /* not in the file, or not on this CPU */
        struct solo solo;
        if (!meet(&solo, kernel, (enum xb_isa)isa, 42, 0))
            return;
        struct xb_work did = sample(&solo, ITERS, ITERS);
        XB_EXPECT_EQ(verify(&solo, ITERS, &did), 0);
        if (isa == XB_ISA_BASE)
            first = did;
        if (memcmp(&did, &first, sizeof did) != 0)
            XB_FAIL("%s: variant %s did other work than the base", kernel->name,
                    xb_isa_name((enum xb_isa)isa));
        part(&solo);
    }
}

static void releases_accept_null(const void *argument)
{
    const struct xb_kernel *kernel = argument;
    if (kernel->teardown)
        kernel->teardown(NULL);
    if (kernel->team_teardown)
        kernel->team_teardown(NULL);
}

/* ---- descriptors ---- */

static void expect_file(const char *folder, const char *name)
{
    char path[512];
    /* The symbol follows the file's name, or linking fails; only the text can differ from it. */
    snprintf(path, sizeof path, "%s/%s/%s.c", xb_test_data("../../.."), folder, name);
    if (access(path, F_OK) != 0)
        XB_FAIL("'%s' is not named after its file: there is no %s", name, path);
}

static void expect_text(const struct xb_kernel *kernel, const char *what, const char *text)
{
    if (!text || !text[0])
        XB_FAIL("%s has no %s", kernel->name, what);
}

static void describes_itself(const void *argument)
{
    const struct xb_kernel *kernel = argument;
    expect_file("kernels", kernel->name);
    expect_text(kernel, "summary", kernel->summary);
    expect_text(kernel, "source", kernel->source);
    expect_text(kernel, "item", kernel->item);
    const char *class = xb_class_name(kernel->bound);
    if (strncmp(kernel->name, class, strlen(class)) != 0 || kernel->name[strlen(class)] != '/')
        XB_FAIL("%s claims to be bound by %s", kernel->name, class);
    XB_EXPECT(kernel->run && kernel->verify);
    XB_EXPECT(!kernel->outcome || kernel->outcome[0]);
    XB_EXPECT_EQ(kernel->fit == XB_FIT_OWN, kernel->own_bytes != 0);
    XB_EXPECT(kernel->isas == 0 || kernel->isas & (1u << XB_ISA_BASE));
    XB_EXPECT(kernel->isas < 1u << XB_ISAS);
    for (size_t i = 0; i < kernel->n_claims; i++) {
        XB_EXPECT(kernel->claims[i].ratio < XB_RATIOS);
        XB_EXPECT(kernel->claims[i].at_least <= kernel->claims[i].at_most);
    }
    for (size_t i = 0; i < xb_builtin.n_kernels; i++)
        XB_EXPECT(xb_builtin.kernels[i] == kernel ||
                  strcmp(xb_builtin.kernels[i]->name, kernel->name) != 0);
}

XB_TEST(Registry, EveryPluginIsNamedAfterItsFile)
{
    for (size_t i = 0; i < xb_builtin.n_models; i++)
        expect_file("harness/models", xb_builtin.models[i]->name);
    for (size_t i = 0; i < xb_builtin.n_engines; i++)
        expect_file("harness/engines", xb_builtin.engines[i]->name);
    for (size_t i = 0; i < xb_builtin.n_sources; i++)
        expect_file("harness/counters", xb_builtin.sources[i]->name);
    for (size_t i = 0; i < xb_builtin.n_commands; i++)
        expect_file("harness/commands", xb_builtin.commands[i]->name);
    for (size_t i = 0; i < xb_builtin.n_probes; i++)
        expect_file("harness/probes", xb_builtin.probes[i]->name);
    for (size_t i = 0; i < xb_builtin.n_exports; i++) {
        char stem[64];
        snprintf(stem, sizeof stem, "%s", xb_builtin.exports[i]->name);
        for (char *at = stem; (at = strchr(at, '-'));)
            *at = '_';
        expect_file("harness/exports", stem);
    }
}

XB_TEST(Registry, FindsByTheWholeNameOnly)
{
    XB_EXPECT(xb_find_model(&xb_builtin, "threads") != NULL);
    XB_EXPECT(xb_find_model(&xb_builtin, "thread") == NULL);
    XB_EXPECT(xb_find_engine(&xb_builtin, "blocking") != NULL);
    XB_EXPECT(xb_find_engine(&xb_builtin, "") == NULL);
    XB_EXPECT(xb_find_source(&xb_builtin, "none") != NULL);
}

/* A pair of the table that can never run must say why, and one that can must not be lost. */
XB_TEST(Registry, ImpossiblePairsCarryAReason)
{
    struct xb_spec spec;
    xb_spec_init(&spec);
    for (size_t i = 0; i < xb_builtin.n_engines; i++)
        spec.engines[spec.n_engines++] = xb_builtin.engines[i];
    spec.workers[spec.n_workers++] = 1;
    struct xb_topology *topology = NULL;
    struct xb_cell *cells = NULL;
    struct xb_reason why = { 0 };
    size_t n = 0;
    XB_EXPECT_EQ(xb_topology_open(NULL, &topology, &why), 0);
    XB_EXPECT_EQ(xb_spec_cells(&spec, &xb_builtin, topology, &cells, &n, &why), 0);
    XB_EXPECT_EQ(n, xb_builtin.n_kernels * xb_builtin.n_models * xb_builtin.n_engines);
    for (size_t i = 0; i < n; i++) {
        bool impossible = (cells[i].model->parks && !cells[i].engine->parks) ||
                          (cells[i].kernel->needs & XB_NEED_FILES && !cells[i].engine->files) ||
                          cells[i].kernel->needs & XB_NEED_LIMIT ||
                          cells[i].engine->probe(NULL) != 0 || cells[i].model->probe(NULL) != 0;
        if (impossible != (cells[i].skip.code != 0))
            XB_FAIL("%s under %s and %s: %s", cells[i].kernel->name, cells[i].model->name,
                    cells[i].engine->name, impossible ? "not skipped" : cells[i].skip.text);
        XB_EXPECT_EQ(cells[i].skip.code != 0, cells[i].skip.text[0] != '\0');
    }
    free(cells);
    xb_topology_close(topology);
}

/* ---- one test for each kernel and question ---- */

/* "cpu/mix64" and "Describes" become cpu_mix64__Describes: a slash has a meaning of its own in
 * GoogleTest's names. */
static void add(const struct xb_kernel *kernel, const char *question, void (*body)(const void *),
                const void *argument)
{
    char name[256];
    snprintf(name, sizeof name, "%s__%s", kernel->name, question);
    for (char *at = name; *at; at++)
        if (*at == '/')
            *at = '_';
    xb_test_add("Contract", name, __FILE__, __LINE__, body, argument);
}

/* Needed as long as the tests are: for good, and so that a leak checker can see it. */
__attribute__((used)) static struct point *points;

XB_TESTS(of_all_kernels)
{
    points = calloc(xb_builtin.n_kernels * N_SIZES * N_WORKERS, sizeof *points);
    struct point *point = points;
    for (size_t i = 0; i < xb_builtin.n_kernels && points; i++) {
        const struct xb_kernel *kernel = xb_builtin.kernels[i];
        add(kernel, "DescribesItself", describes_itself, kernel);
        add(kernel, "VerifyBites", verify_bites, kernel);
        add(kernel, "SlicesAddUp", slices_add_up, kernel);
        add(kernel, "SeedDecidesTheChecksum", seed_decides_the_checksum, kernel);
        add(kernel, "VariantsDoTheSameWork", variants_do_the_same_work, kernel);
        add(kernel, "ReleasesAcceptNull", releases_accept_null, kernel);
        for (int s = 0; s < (kernel->needs & XB_NEED_BYTES ? N_SIZES : 1); s++) {
            for (int w = 0; w < N_WORKERS; w++, point++) {
                char question[64];
                snprintf(question, sizeof question, "AllPairsAgree__%llu_KiB_%u_workers",
                         (unsigned long long)SIZES[s] >> 10, WORKERS[w]);
                *point = (struct point){ kernel, SIZES[s], WORKERS[w] };
                add(kernel, question, all_pairs_agree, point);
            }
            if (!kernel->isas)
                continue;
            char question[64];
            snprintf(question, sizeof question, "AllVariantsAgree__%llu_KiB",
                     (unsigned long long)SIZES[s] >> 10);
            add(kernel, question, all_variants_agree, point - 1);
        }
    }
}
