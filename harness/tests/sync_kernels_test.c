/* SPDX-License-Identifier: BSD-3-Clause
 * Tests what the kernels of class sync are there to show, and that each notices when it goes wrong. */
#include "cellrun.h"
#include "xbtest.h"

#include "../../kernels/sync.h"

#include <errno.h>
#include <sched.h>
#include <string.h>

static const struct xb_kernel *find(const char *name)
{
    for (size_t i = 0; i < xb_builtin.n_kernels; i++)
        if (strcmp(xb_builtin.kernels[i]->name, name) == 0)
            return xb_builtin.kernels[i];
    XB_FAIL("there is no %s", name);
    return xb_builtin.kernels[0];
}

static int usable_cpus(void)
{
    cpu_set_t usable;
    CPU_ZERO(&usable);
    return sched_getaffinity(0, sizeof usable, &usable) == 0 ? CPU_COUNT(&usable) : 1;
}

/* One cell's code; `outcome`: of its samples, or NULL. */
static int run_cell(const struct xb_kernel *kernel, const struct xb_model *model, uint32_t workers,
                    uint64_t iters, uint64_t *outcome)
{
    struct xb_plan plan = xb_cell_plan(kernel, model, workers);
    struct xb_cell_run cell;
    plan.iters = iters;
    plan.slice_iters = iters / 7 + 1;
    xb_cell_run(&plan, XB_CELL_LIMIT_NS, NULL, &cell);
    for (uint32_t i = 0; i < cell.samples && outcome; i++)
        *outcome += cell.result->samples[i].work.outcome;
    int code = cell.code;
    xb_cell_run_close(&cell);
    return code;
}

/* ---- what they show ---- */

static bool runs_at_once(const struct xb_model *model)
{
    return strcmp(model->name, "threads") == 0 || strcmp(model->name, "processes") == 0;
}

/* Chance, so until it happens. */
static void race_loses_updates_where_workers_run_at_once(const void *argument)
{
    const struct xb_model *model = argument;
    const struct xb_kernel *race = find("sync/counter_race");
    uint64_t lost = 0;
    if (!runs_at_once(model)) {
        XB_EXPECT_EQ(run_cell(race, model, 4, 5000, &lost), 0);
        XB_EXPECT_EQ(lost, 0);
        return;
    }
    if (usable_cpus() < 2) {
        XB_SKIP("one CPU: workers do not run at once");
        return;
    }
    for (int i = 0; i < 100 && !lost && !xb_test_failed(); i++)
        XB_EXPECT_EQ(run_cell(race, model, 2, 20000, &lost), 0);
    XB_EXPECT(lost > 0);
}

static void nothing_is_lost_by_the_others(const void *argument)
{
    static const char *const names[] = { "sync/counter_atomic",  "sync/counter_mutex",
                                         "sync/counter_sharded", "sync/refcount_atomic",
                                         "sync/refcount_local",  "sync/refcount_biased" };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        XB_EXPECT_EQ(run_cell(find(names[i]), argument, 4, 500, NULL), 0);
}

static void naive_philosophers_deadlock(const void *argument)
{
    int code = 0;
    for (int i = 0; i < 20 && code == 0; i++)
        code = run_cell(find("sync/philosophers_naive"), argument, 3, 2000, NULL);
    XB_EXPECT_EQ(code, -EDEADLK);
}

static void other_philosophers_never_do(const void *argument)
{
    for (uint32_t workers = 2; workers <= 5 && !xb_test_failed(); workers++) {
        XB_EXPECT_EQ(run_cell(find("sync/philosophers_ordered"), argument, workers, 200, NULL), 0);
        XB_EXPECT_EQ(run_cell(find("sync/philosophers_trylock"), argument, workers, 200, NULL), 0);
    }
}

/* Where each gives way to the next, philosophers who all begin with the same hand stay in step forever. */
static void trylock_philosophers_of_one_cpu_end(const void *argument)
{
    cpu_set_t usable, one;
    CPU_ZERO(&usable);
    XB_EXPECT_EQ(sched_getaffinity(0, sizeof usable, &usable), 0);
    CPU_ZERO(&one);
    for (int cpu = 0; cpu < CPU_SETSIZE && CPU_COUNT(&one) == 0; cpu++)
        if (CPU_ISSET(cpu, &usable))
            CPU_SET(cpu, &one);
    XB_EXPECT_EQ(sched_setaffinity(0, sizeof one, &one), 0);
    XB_EXPECT_EQ(run_cell(find("sync/philosophers_trylock"), argument, 3, 200, NULL), 0);
    XB_EXPECT_EQ(sched_setaffinity(0, sizeof usable, &usable), 0);
}

XB_TESTS(of_each_model)
{
    static const struct {
        const char *name;
        void (*body)(const void *model);
    } all[] = {
        { "RaceLosesUpdatesWhereWorkersRunAtOnce", race_loses_updates_where_workers_run_at_once },
        { "NothingIsLostByTheOthers", nothing_is_lost_by_the_others },
        { "NaivePhilosophersDeadlock", naive_philosophers_deadlock },
        { "OtherPhilosophersNeverDo", other_philosophers_never_do },
        { "TrylockPhilosophersOfOneCpuEnd", trylock_philosophers_of_one_cpu_end },
    };
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        xb_cell_each_model("SyncKernels", all[i].name, __FILE__, __LINE__, all[i].body);
}

/* A stretch of computing is longer than two frames, and a loop cannot be interrupted. */
XB_TEST(SyncKernels, FramesAreMissedWhereNobodyIsPreempted)
{
    uint64_t missed = 0;
    const struct xb_model *loop = xb_find_model(&xb_builtin, "loop");
    XB_EXPECT_EQ(run_cell(find("sync/frame_clock_1khz"), loop, 2, 10, &missed), 0);
    XB_EXPECT(missed > 0);
}

/* ---- that they notice ---- */

static const struct xb_kernel *original;

static int run_broken(const struct xb_kernel *kernel, const char *model, uint32_t workers)
{
    return run_cell(kernel, xb_find_model(&xb_builtin, model), workers, 2000, NULL);
}

static void keep_still(void *team, void *state, struct xb_work *did)
{
    original->settle(team, state, did);
    did->outcome = 0;
}

XB_TEST(SyncKernels, LostUpdatesThatNobodyTellsAreNoticed)
{
    if (usable_cpus() < 2) {
        XB_SKIP("one CPU: workers do not run at once");
        return;
    }
    original = find("sync/counter_race");
    struct xb_kernel kernel = *original;
    kernel.settle = keep_still;
    int code = 0;
    for (int i = 0; i < 100 && code == 0; i++)
        code = run_cell(&kernel, xb_find_model(&xb_builtin, "threads"), 2, 20000, NULL);
    XB_EXPECT_EQ(code, -EBADMSG);
}

/* All did one iteration less, it says: then there is one increment too many, or an object lives on that
 * should be dead. */
static void tell_less(void *team, void *state, struct xb_work *did)
{
    struct xb_work less = *did;
    less.items -= 64;
    original->settle(team, state, &less);
}

XB_TEST(SyncKernels, IncrementsAndReferencesTooManyAreNoticed)
{
    static const char *const names[] = { "sync/counter_atomic",  "sync/counter_mutex",
                                         "sync/counter_sharded", "sync/refcount_atomic",
                                         "sync/refcount_local",  "sync/refcount_biased" };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        original = find(names[i]);
        struct xb_kernel kernel = *original;
        kernel.settle = tell_less;
        XB_EXPECT_EQ(run_broken(&kernel, "threads", 2), -EBADMSG);
    }
}

/* The point where they meet comes first in the kernel's memory. */
static int for_one(const struct xb_params *params, struct xb_memory *memory, void **team)
{
    int err = original->team_setup(params, memory, team);
    if (!err)
        xb_barrier_point_init(*team, 1);
    return err;
}

/* A loop's workers come one after another, so that nobody finds what is left for him later. */
XB_TEST(SyncKernels, BarrierThatHoldsNobodyIsNoticed)
{
    original = find("sync/barrier");
    struct xb_kernel kernel = *original;
    kernel.team_setup = for_one;
    XB_EXPECT_EQ(run_broken(&kernel, "loop", 3), -EBADMSG);
}
