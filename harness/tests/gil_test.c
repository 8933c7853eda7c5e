/* SPDX-License-Identifier: BSD-3-Clause
 * Holds the model gil to CPython's protocol: one at a time, dropped on request and around awaits.
 *
 * What is looked at is who came after whom, and how often. The plain variables that workers share
 * here are part of the proof: ThreadSanitizer sees a race if the lock does not order them. */
#include "cellrun.h"
#include "xbtest.h"

#include "../base/clock.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>

enum {
    TURNS = 7,        /* that are counted */
    NAPS = 10,        /* that a sleeper takes */
    STEPS = 20000,    /* most iterations of a worker that computes until something is seen */
    STEP_NS = 100000, /* of such an iteration */
    COUNTS = 300,     /* iterations of a worker that counts */
};
#define SWITCH_INTERVAL_NS UINT64_C(5000000)

/* What the workers of a cell share; in memory that outlives it. */
struct table {
    uint64_t counted; /* without any synchronisation but the lock */
    _Atomic uint32_t inside, overlaps;
    uint32_t n_turns;           /* up to TURNS */
    uint32_t last;              /* whose turn it is */
    uint64_t first_ns, last_ns; /* before the first window began, after the last turn did */
    uint32_t seen;              /* bit for each worker that had a turn */
    uint32_t done_early;        /* workers that came to their end before all were seen */
    atomic_bool begun;
    uint32_t naps;
    bool naps_seen; /* by the worker that computes, before its iterations were over */
};

static struct table *table;

static void lay_table(void)
{
    if (!table)
        table = xb_cell_shared(sizeof *table);
    memset(table, 0, sizeof *table);
}

/* Verifying what the lock is for is up to the tests: workers see nothing of each other's work. */
static int verify(const struct xb_params *params, void *team, void *state, uint64_t iters,
                  const struct xb_work *did)
{
    (void)params;
    (void)team;
    (void)state;
    return did->items == iters ? 0 : -EBADMSG;
}

static void compute(void)
{
    uint64_t until_ns = xb_now_ns() + STEP_NS;
    while (xb_now_ns() < until_ns)
        continue;
}

static struct xb_kernel kernel_of(const char *name, int (*run)(struct xb_run *run, void *state,
                                                               uint64_t iters, struct xb_work *did))
{
    return (struct xb_kernel){
        .name = name, .item = "step", .bound = XB_CLASS_CPU, .run = run, .verify = verify
    };
}

/* One window to warm up and one sample, with a checkpoint after each iteration. */
static void run_cell(const struct xb_kernel *kernel, const char *model, uint32_t workers,
                     uint64_t iters)
{
    struct xb_plan plan = xb_cell_plan(kernel, xb_find_model(&xb_builtin, model), workers);
    struct xb_cell_run ran;
    plan.iters = iters;
    plan.samples = 1;
    plan.slice_iters = 1;
    xb_cell_run(&plan, XB_CELL_LIMIT_NS, NULL, &ran);
    if (ran.code)
        XB_FAIL("%s: %d, %s", model, ran.code, ran.why);
    xb_cell_run_close(&ran);
}

/* ---- one at a time ---- */

static void stay(void)
{
    if (atomic_fetch_add(&table->inside, 1) != 0)
        atomic_fetch_add(&table->overlaps, 1);
    table->counted++;
    sched_yield(); /* an invitation to come in */
    atomic_fetch_sub(&table->inside, 1);
}

/* Inside between two awaits, and from one slice to the next. */
static int count(struct xb_run *run, void *state, uint64_t iters, struct xb_work *did)
{
    (void)state;
    for (uint64_t i = 0; i < iters; i++) {
        struct xb_io_op op = { .kind = XB_IO_YIELD };
        stay();
        int64_t result = xb_await(run->io, &op);
        if (result < 0)
            return (int)result;
        stay();
        did->items++;
    }
    return 0;
}

XB_TEST(Gil, OneWorkerAtATimeIsBetweenTwoAwaits)
{
    lay_table();
    const struct xb_kernel kernel = kernel_of("cpu/counting", count);
    run_cell(&kernel, "gil", 4, COUNTS);
    XB_EXPECT_EQ(atomic_load(&table->overlaps), 0);
    XB_EXPECT_EQ(table->counted, UINT64_C(2) /* windows */ * 4 * 2 * COUNTS);
}

/* Stays inside until another one is there too: for ever, if the lock is one. */
static int meet(struct xb_run *run, void *state, uint64_t iters, struct xb_work *did)
{
    (void)run;
    (void)state;
    for (uint64_t i = 0; i < iters; i++) {
        atomic_fetch_add(&table->inside, 1);
        for (uint32_t step = 0; step < STEPS && !atomic_load(&table->overlaps); step++) {
            if (atomic_load(&table->inside) == 2)
                atomic_store(&table->overlaps, 1);
            sched_yield();
        }
        atomic_fetch_sub(&table->inside, 1);
        did->items++;
    }
    return 0;
}

/* So the test above can fail. */
XB_TEST(Gil, WorkersMeetUnderThreadsButNotBehindTheLock)
{
    const struct xb_kernel kernel = kernel_of("cpu/meeting", meet);
    lay_table();
    run_cell(&kernel, "threads", 2, 2);
    XB_EXPECT_EQ(atomic_load(&table->overlaps), 1);
    lay_table();
    run_cell(&kernel, "gil", 2, 2);
    XB_EXPECT_EQ(atomic_load(&table->overlaps), 0);
}

/* ---- whose turn it is ---- */

static void begin(void *state)
{
    (void)state;
    if (!atomic_exchange(&table->begun, true))
        table->first_ns = xb_now_ns();
}

static void note_turn(uint32_t worker)
{
    if (table->n_turns == TURNS || (table->n_turns > 0 && table->last == worker))
        return;
    table->last = worker;
    table->last_ns = xb_now_ns();
    table->n_turns++;
}

static int take_turns(struct xb_run *run, void *state, uint64_t iters, struct xb_work *did)
{
    (void)state;
    for (uint64_t i = 0; i < iters && table->n_turns < TURNS; i++) {
        note_turn(run->params->index);
        compute();
    }
    did->items += iters;
    return 0;
}

/* Whoever waits asks for the lock after an interval and no sooner, and whoever dropped it on request
 * cannot have it back at once. So there are turns, and however slow the machine is, no more of them
 * than intervals. */
XB_TEST(Gil, WorkersThatComputeTakeTurnsNotOftenerThanOnceAnInterval)
{
    lay_table();
    struct xb_kernel kernel = kernel_of("cpu/turns", take_turns);
    kernel.begin = begin;
    run_cell(&kernel, "gil", 2, STEPS);
    XB_EXPECT_EQ(table->n_turns, TURNS);
    XB_EXPECT((table->last_ns - table->first_ns) / SWITCH_INTERVAL_NS >= TURNS - 1);
}

static int show_until_seen(struct xb_run *run, void *state, uint64_t iters, struct xb_work *did)
{
    (void)state;
    const uint32_t all = (1u << run->params->workers) - 1;
    for (uint64_t i = 0; i < iters && table->seen != all; i++) {
        table->seen |= 1u << run->params->index;
        compute();
    }
    did->items += iters;
    table->done_early += did->items == STEPS && table->seen != all;
    return 0;
}

/* A request made by one may serve another, but nobody is left out for good. Without requests the
 * first worker would come to the end of its iterations without having seen the others. */
XB_TEST(Gil, EveryWorkerThatComputesHasItsTurnBeforeAnyIsDone)
{
    lay_table();
    const struct xb_kernel kernel = kernel_of("cpu/shown", show_until_seen);
    run_cell(&kernel, "gil", 3, STEPS);
    XB_EXPECT_EQ(table->done_early, 0);
    XB_EXPECT_EQ(table->seen, 7);
}

/* ---- one sleeps ---- */

static int nap_or_compute(struct xb_run *run, void *state, uint64_t iters, struct xb_work *did)
{
    (void)state;
    for (uint64_t i = 0; i < iters && table->naps < NAPS; i++) {
        note_turn(run->params->index);
        if (run->params->index == 0) {
            compute();
            continue;
        }
        struct xb_io_op op = { .kind = XB_IO_SLEEP, .sleep_ns = STEP_NS };
        int64_t result = xb_await(run->io, &op);
        if (result < 0)
            return (int)result;
        table->naps++;
    }
    if (run->params->index == 0 && table->naps == NAPS)
        table->naps_seen = true;
    did->items += iters;
    return 0;
}

XB_TEST(Gil, ASleeperGetsInWhileAnotherComputesAndOutAgainWhileItSleeps)
{
    lay_table();
    const struct xb_kernel kernel = kernel_of("cpu/napping", nap_or_compute);
    run_cell(&kernel, "gil", 2, STEPS);
    XB_EXPECT_EQ(table->naps, NAPS);
    XB_EXPECT(table->naps_seen);
    /* One got in beside the other, who got in again: not at each nap, as a machine may be busy for longer
     * than a nap with something else. */
    XB_EXPECT(table->n_turns >= 3);
}
