/* SPDX-License-Identifier: BSD-3-Clause
 * Tests what a run says of what bounds its cells, when probes look at them. */
#include "cellrun.h"
#include "xbtest.h"

#include "../core/observe.h"
#include "../core/summary.h"
#include "../models/model.h"
#include "../stats/median.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- what was seen beside what a kernel claims ---- */

static struct xb_judgement seen(enum xb_bound bound, enum xb_level level, double confidence)
{
    return (struct xb_judgement){ .bound = bound, .level = level, .confidence = confidence };
}

XB_TEST(Observe, TheSameClassConfirmsAndAnotherContradicts)
{
    struct xb_judgement dram = seen(XB_BOUND_MEMORY, XB_LEVEL_DRAM, 0.9);
    XB_EXPECT_STREQ(xb_observe_compare(&dram, XB_CLASS_MEMORY, false), "confirmed");
    XB_EXPECT_STREQ(xb_observe_compare(&dram, XB_CLASS_CPU, false), "contradicted");
    struct xb_judgement lock = seen(XB_BOUND_SYNC, XB_LEVEL_LOCK, 0.9);
    XB_EXPECT_STREQ(xb_observe_compare(&lock, XB_CLASS_SYNC, false), "confirmed");
    XB_EXPECT_STREQ(xb_observe_compare(&lock, XB_CLASS_IO, false), "contradicted");
}

XB_TEST(Observe, WhatIsNotSureContradictsNobody)
{
    struct xb_judgement maybe = seen(XB_BOUND_MEMORY, XB_LEVEL_DRAM, 0.3);
    XB_EXPECT_STREQ(xb_observe_compare(&maybe, XB_CLASS_CPU, false), "untested");
    struct xb_judgement mixed = seen(XB_BOUND_MIXED, XB_LEVEL_NONE, 0.9);
    XB_EXPECT_STREQ(xb_observe_compare(&mixed, XB_CLASS_CPU, false), "untested");
    struct xb_judgement unknown = seen(XB_BOUND_UNKNOWN, XB_LEVEL_NONE, 0);
    XB_EXPECT_STREQ(xb_observe_compare(&unknown, XB_CLASS_CPU, false), "untested");
}

/* A set in the first cache is what a core computes from: both names are right. */
XB_TEST(Observe, TheFirstCacheIsPartOfComputing)
{
    struct xb_judgement first = seen(XB_BOUND_CPU, XB_LEVEL_L1, 0.9),
                        none = seen(XB_BOUND_CPU, XB_LEVEL_NONE, 0.9);
    XB_EXPECT_STREQ(xb_observe_compare(&first, XB_CLASS_CACHE, false), "confirmed");
    XB_EXPECT_STREQ(xb_observe_compare(&first, XB_CLASS_CPU, false), "confirmed");
    XB_EXPECT_STREQ(xb_observe_compare(&none, XB_CLASS_CACHE, false), "contradicted");
}

XB_TEST(Observe, WorkersOfOneLaneWaitWithoutAThreadThatDoes)
{
    struct xb_judgement computing = seen(XB_BOUND_CPU, XB_LEVEL_NONE, 0.9);
    XB_EXPECT_STREQ(xb_observe_compare(&computing, XB_CLASS_SYNC, true), "untested");
    XB_EXPECT_STREQ(xb_observe_compare(&computing, XB_CLASS_SYNC, false), "contradicted");
    XB_EXPECT_STREQ(xb_observe_compare(&computing, XB_CLASS_IO, true), "contradicted");
}

/* ---- the row ---- */

static void expect_row(const char *status, const char *claims, enum xb_bound bound,
                       const char *verdict)
{
    struct xb_observation observation = { .looked = true,
                                          .judgement = seen(bound, XB_LEVEL_DRAM, 0.8) };
    char evidence[XB_EVIDENCE_BYTES] = "ipc 2, claimed >= 1.5";
    struct xb_summary_row row;
    xb_summary_row_clear(&row);
    row.class = "memory";
    row.status = status;
    row.verdict = claims;
    strcpy(observation.judgement.reason, "as the test has it");
    xb_summary_observe(&row, XB_CLASS_MEMORY, &observation, evidence);
    XB_EXPECT_STREQ(row.verdict, verdict);
    XB_EXPECT_STREQ(row.verdict_level, "DRAM");
    XB_EXPECT_STREQ(row.bound, xb_bound_name(bound));
    XB_EXPECT_NEAR(row.bound_confidence, 0.8, 1e-12);
    XB_EXPECT_HAS(row.verdict_evidence, "ipc 2, claimed >= 1.5; seen: ");
    XB_EXPECT_HAS(row.verdict_evidence, "as the test has it");
}

XB_TEST(Observe, OneContradictionIsEnough)
{
    expect_row("ok", "untested", XB_BOUND_MEMORY, "confirmed");
    expect_row("ok", "confirmed", XB_BOUND_MEMORY, "confirmed");
    expect_row("ok", "contradicted", XB_BOUND_MEMORY, "contradicted");
    expect_row("ok", "confirmed", XB_BOUND_CPU, "contradicted");
    expect_row("ok", "confirmed", XB_BOUND_UNKNOWN, "confirmed");
}

/* A kernel may argue that such a cell is bound by something else than its class: then that counts. */
XB_TEST(Observe, WhatAKernelClaimsOfACellCountsNotItsClass)
{
    struct xb_observation observation = { .looked = true,
                                          .judgement = seen(XB_BOUND_KERNEL, XB_LEVEL_NONE, 0.8) };
    char evidence[XB_EVIDENCE_BYTES] = "";
    struct xb_summary_row row;
    xb_summary_row_clear(&row);
    row.class = "memory";
    row.status = "ok";
    row.verdict = "untested";
    xb_summary_observe(&row, XB_CLASS_KERNEL, &observation, evidence);
    XB_EXPECT_STREQ(row.verdict, "confirmed");
    XB_EXPECT_STREQ(row.verdict_evidence, "seen: kernel; claimed of such a cell: kernel");
    row.verdict = "untested";
    evidence[0] = 0;
    xb_summary_observe(&row, XB_CLASS_MEMORY, &observation, evidence);
    XB_EXPECT_STREQ(row.verdict, "contradicted");
}

extern const struct xb_kernel xb_kernel_sync_frame_clock, xb_kernel_sync_create_join,
    xb_kernel_sync_pass_pipe, xb_kernel_io_pipe_ring, xb_kernel_io_line_count,
    xb_kernel_io_file_seq;

/* Nobody waits for another worker alone. What waits for clocks and children does. */
XB_TEST(Observe, AKernelOfTheClassSyncThatIsAloneClaimsToCompute)
{
    static const struct xb_crowd one = { .workers = 1, .lanes = 1, .cpus = 1 },
                                 two = { .workers = 2, .lanes = 2, .cpus = 2 };
    struct xb_kernel kernel = { .bound = XB_CLASS_SYNC };
    XB_EXPECT_EQ(xb_kernel_bound(&kernel, &one), XB_CLASS_CPU);
    XB_EXPECT_EQ(xb_kernel_bound(&kernel, &two), XB_CLASS_SYNC);
    kernel.bound = XB_CLASS_IO;
    XB_EXPECT_EQ(xb_kernel_bound(&kernel, &one), XB_CLASS_IO);
    XB_EXPECT_EQ(xb_kernel_bound(&xb_kernel_sync_frame_clock, &one), XB_CLASS_SYNC);
    XB_EXPECT_EQ(xb_kernel_bound(&xb_kernel_sync_frame_clock, &two), XB_CLASS_CPU);
    static const struct xb_crowd forked = {
        .workers = 2, .lanes = 2, .cpus = 2, .processes = true
    };
    XB_EXPECT_EQ(xb_kernel_bound(&xb_kernel_sync_create_join, &two), XB_CLASS_SYNC);
    XB_EXPECT_EQ(xb_kernel_bound(&xb_kernel_sync_create_join, &forked), XB_CLASS_KERNEL);
    static const struct xb_crowd loops = {
        .workers = 2, .lanes = 2, .cpus = 2, .coroutines = true
    };
    XB_EXPECT_EQ(xb_kernel_bound(&xb_kernel_sync_pass_pipe, &forked), XB_CLASS_IO);
    XB_EXPECT_EQ(xb_kernel_bound(&xb_kernel_sync_pass_pipe, &loops), XB_CLASS_SYNC);
    XB_EXPECT_EQ(xb_kernel_bound(&xb_kernel_io_pipe_ring, &loops), XB_CLASS_SYNC);
    /* What is copied out of the page cache by another thread waits for that, and what is read from a disk for
     * the disk. */
    static const struct xb_crowd pool = {
        .workers = 1, .lanes = 1, .cpus = 1, .coroutines = true, .pools_files = true
    };
    XB_EXPECT_EQ(xb_kernel_bound(&xb_kernel_io_line_count, &one), XB_CLASS_IO);
    XB_EXPECT_EQ(xb_kernel_bound(&xb_kernel_io_line_count, &pool), XB_CLASS_SYNC);
    XB_EXPECT_EQ(xb_kernel_bound(&xb_kernel_io_file_seq, &pool), XB_CLASS_IO);
}

static enum xb_class bound_by_faults(const struct xb_crowd *crowd)
{
    (void)crowd;
    return XB_CLASS_KERNEL;
}

/* Whatever the kernel: of two threads that compute under one interpreter lock one waits. */
XB_TEST(Observe, LanesThatTakeTurnsToComputeAreHeldToWaiting)
{
    const struct xb_kernel computes = { .bound = XB_CLASS_CPU }, io = { .bound = XB_CLASS_IO },
                           faults = { .bound = XB_CLASS_MEMORY, .bound_of = bound_by_faults };
    const struct xb_model turns = { .one_at_a_time = true };
    const struct xb_io_engine engine = { .pools_files = false };
    struct xb_cell cell = {
        .kernel = &computes, .model = &turns, .engine = &engine, .workers = 2, .lanes = 2
    };
    const struct xb_identity identity = { .cell = &cell, .pus = 2 };
    XB_EXPECT_EQ(xb_identity_bound(&identity), XB_CLASS_SYNC);
    cell.kernel = &faults; /* which no lock is dropped for */
    XB_EXPECT_EQ(xb_identity_bound(&identity), XB_CLASS_SYNC);
    cell.kernel = &io;
    XB_EXPECT_EQ(xb_identity_bound(&identity), XB_CLASS_IO);
    cell.kernel = &xb_kernel_sync_frame_clock; /* one sleeps meanwhile */
    XB_EXPECT_EQ(xb_identity_bound(&identity), XB_CLASS_CPU);
    cell.kernel = &computes;
    cell.workers = cell.lanes = 1;
    XB_EXPECT_EQ(xb_identity_bound(&identity), XB_CLASS_CPU);
}

XB_TEST(Observe, FiguresOfABusyMachineContradictNothing)
{
    expect_row("suspect", "contradicted", XB_BOUND_MEMORY, "confirmed");
    expect_row("suspect", "contradicted", XB_BOUND_UNKNOWN, "untested");
    expect_row("suspect", "contradicted", XB_BOUND_CPU, "contradicted");
}

/* ---- looking at a cell ---- */

/* A probe of the test's own: it counts what it is asked, and divides time as it is told. */
struct spy {
    int opened, begun, polled, ended, closed;
    size_t tasks;
    const void *meeting;
    bool fails;
};

static struct spy spy;

static int can(struct xb_reason *why)
{
    (void)why;
    return 0;
}

static int spy_open(const struct xb_scene *scene, void **out, struct xb_reason *why)
{
    (void)why;
    spy.opened++;
    spy.meeting = scene->meeting;
    XB_EXPECT(scene->free_to_look);
    *out = (void *)(uintptr_t)scene;
    return 0;
}

static int spy_begin(void *probe, uint64_t now_ns)
{
    (void)probe;
    (void)now_ns;
    spy.begun++;
    return 0;
}

static int spy_poll(void *probe, uint64_t now_ns)
{
    const struct xb_scene *scene = probe;
    (void)now_ns;
    spy.polled++;
    if (scene->n_tasks > spy.tasks)
        spy.tasks = scene->n_tasks;
    return spy.fails ? -EIO : 0;
}

static int spy_end(void *probe, uint64_t now_ns, struct xb_findings *out, struct xb_reason *why)
{
    (void)probe;
    (void)now_ns;
    (void)why;
    spy.ended++;
    xb_add_part(out, (struct xb_part){ .of = XB_WHOLE_TIME,
                                       .bound = XB_BOUND_SYNC,
                                       .level = XB_LEVEL_TIMER,
                                       .share = 1 });
    out->weight[XB_WHOLE_TIME] = 1;
    return 0;
}

static void spy_close(void *probe)
{
    (void)probe;
    spy.closed++;
}

static const struct xb_probe spying = { .name = "spy",
                                        .summary = "a test's",
                                        .probe = can,
                                        .open = spy_open,
                                        .begin = spy_begin,
                                        .poll = spy_poll,
                                        .end = spy_end,
                                        .close = spy_close };
static const struct xb_probe *const spies[] = { &spying };

static void run_observed(const struct xb_model *model, uint32_t workers,
                         struct xb_observation *observation, struct xb_cell_run *run)
{
    static const struct xb_capacity capacity = { .skid = NAN };
    struct xb_registry registry = xb_builtin;
    registry.probes = spies;
    registry.n_probes = 1;
    struct xb_plan plan = xb_cell_plan(xb_builtin.kernels[0], model, workers);
    for (size_t i = 0; i < xb_builtin.n_kernels; i++)
        if (strcmp(xb_builtin.kernels[i]->name, "cpu/mix64") == 0)
            plan.kernel = xb_builtin.kernels[i];
    xb_observe_init(observation, &registry, &capacity, 30000000);
    plan.observer = &observation->observer;
    plan.iters = 100000;
    xb_cell_run(&plan, XB_CELL_LIMIT_NS, NULL, run);
}

static void sees_workers(const void *model)
{
    struct xb_observation observation;
    struct xb_cell_run run;
    spy = (struct spy){ 0 };
    run_observed(model, 2, &observation, &run);
    XB_EXPECT_EQ(run.code, 0);
    XB_EXPECT_EQ(run.samples, 2); /* windows that are looked at are no samples */
    XB_EXPECT(observation.looked);
    XB_EXPECT_EQ(spy.opened, 1);
    XB_EXPECT_EQ(spy.begun, 1);
    XB_EXPECT(spy.polled >= 1);
    XB_EXPECT_EQ(spy.ended, 1);
    XB_EXPECT_EQ(spy.closed, 1);
    XB_EXPECT(spy.tasks >= 1);
    XB_EXPECT_EQ(spy.meeting != NULL, xb_model_lanes(model, 2) > 1);
    XB_EXPECT_EQ(observation.judgement.bound, XB_BOUND_SYNC);
    xb_cell_run_close(&run);
}

XB_TESTS(of_each_model)
{
    xb_cell_each_model("Observe", "LooksAtWorkersOnceTheyAreMeasured", __FILE__, __LINE__,
                       sees_workers);
}

XB_TEST(Observe, AProbeThatFailsEndsNothing)
{
    struct xb_observation observation;
    struct xb_cell_run run;
    spy = (struct spy){ .fails = true };
    run_observed(xb_plain_model(&xb_builtin), 1, &observation, &run);
    XB_EXPECT_EQ(run.code, 0);
    XB_EXPECT_EQ(spy.closed, 1);
    XB_EXPECT_EQ(spy.ended, 0);
    XB_EXPECT(observation.looked);
    XB_EXPECT_EQ(observation.judgement.bound, XB_BOUND_UNKNOWN);
    xb_cell_run_close(&run);
}
