/* SPDX-License-Identifier: BSD-3-Clause
 * Tests memory limits: each way of setting one that works here, what becomes of cells that need
 * more, and that no group is left. Ways that this machine refuses are skipped. */
#include "cellrun.h"
#include "xbtest.h"

#include "../core/cgroup.h"
#include "../core/limit.h"
#include "../models/model.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define MIB ((size_t)1 << 20)

enum { LIMIT_MIB = 64 };

/* ---- kernels ---- */

/* Takes params->bytes and writes to each page of it. */
static int devour(const struct xb_params *params, void *team, void **state)
{
    (void)team;
    char *food =
        mmap(NULL, params->bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (food == MAP_FAILED)
        return xb_explain(params, -ENOMEM, "no memory to devour");
    *state = food;
    for (size_t at = 0; at < params->bytes; at += 4096)
        food[at] = 1;
    return 0;
}

static int run(struct xb_run *run, void *state, uint64_t iters, struct xb_work *did)
{
    (void)run;
    (void)state;
    did->items += iters;
    return 0;
}

static int run_forever(struct xb_run *run, void *state, uint64_t iters, struct xb_work *did)
{
    (void)run;
    (void)state;
    (void)iters;
    (void)did;
    while (pause() < 0)
        continue;
    return -EINTR;
}

static int verify(const struct xb_params *params, void *team, void *state, uint64_t iters,
                  const struct xb_work *did)
{
    (void)params;
    (void)team;
    (void)state;
    return did->items == iters ? 0 : -EBADMSG;
}

static const struct xb_kernel glutton = {
    .name = "memory/glutton",
    .item = "bite",
    .bound = XB_CLASS_MEMORY,
    .setup = devour,
    .run = run,
    .verify = verify,
};
static const struct xb_kernel sleeper = {
    .name = "memory/sleeper",
    .item = "nap",
    .bound = XB_CLASS_MEMORY,
    .run = run_forever,
    .verify = verify,
};

extern const struct xb_kernel xb_kernel_memory_capacity;

/* ---- each way ---- */

struct trial {
    enum xb_limit_way way;
    const struct xb_model *model;
};

/* False, with the test skipped, where that way is closed. */
static bool open_limit(struct xb_limit *limit, enum xb_limit_way way)
{
    struct xb_reason why = { 0 };
    if (xb_limit_open(limit, LIMIT_MIB * MIB, 1u << way, &why) == 0) {
        XB_EXPECT_EQ(limit->by, way);
        return true;
    }
    XB_EXPECT(why.code != 0 && why.text[0]);
    XB_SKIP("%s", why.text);
    return false;
}

static bool is_group(const struct xb_limit *limit)
{
    return limit->by != XB_LIMIT_RLIMIT_AS && access(limit->group, F_OK) == 0;
}

static void what_fits_runs_and_what_does_not_fails(const void *argument)
{
    const struct trial *trial = argument;
    static struct xb_limit limit;
    if (!open_limit(&limit, trial->way))
        return;
    bool group = trial->way != XB_LIMIT_RLIMIT_AS;
    for (int fits = 1; fits >= 0; fits--) {
        struct xb_plan plan = xb_cell_plan(&glutton, trial->model, 2);
        plan.limit = &limit;
        plan.params.bytes = fits ? 8 * MIB : (size_t)LIMIT_MIB * 2 * MIB;
        struct xb_cell_run cell;
        xb_cell_run(&plan, XB_CELL_LIMIT_NS, NULL, &cell);
        XB_EXPECT_EQ(cell.code, fits ? 0 : -ENOMEM);
        XB_EXPECT_EQ(cell.samples, fits ? 2 : 0);
        if (!fits)
            XB_EXPECT_HAS(cell.why, group ? "outgrew its --memory-limit of 64 MiB" : "no memory");
        XB_EXPECT(!is_group(&limit));
        xb_cell_run_close(&cell);
    }
}

static void a_cell_that_hangs_leaves_no_group(const void *argument)
{
    const struct trial *trial = argument;
    static struct xb_limit limit;
    if (!open_limit(&limit, trial->way))
        return;
    struct xb_plan plan = xb_cell_plan(&sleeper, trial->model, 2);
    plan.limit = &limit;
    struct xb_cell_run cell;
    xb_cell_run(&plan, 200 * 1000 * 1000, NULL, &cell);
    XB_EXPECT_EQ(cell.code, -ETIMEDOUT);
    XB_EXPECT(!is_group(&limit));
    xb_cell_run_close(&cell);
}

static void a_group_that_is_in_the_way_fails_the_cell(const void *argument)
{
    const struct trial *trial = argument;
    static struct xb_limit limit;
    struct xb_reason why = { 0 };
    if (!open_limit(&limit, trial->way) || limit.by == XB_LIMIT_RLIMIT_AS)
        return;
    XB_EXPECT_EQ(xb_limit_begin(&limit, &why), 0);
    XB_EXPECT(is_group(&limit));
    XB_EXPECT(!xb_limit_killed(&limit));
    struct xb_plan plan = xb_cell_plan(&glutton, trial->model, 1);
    plan.limit = &limit;
    struct xb_cell_run cell;
    xb_cell_run(&plan, XB_CELL_LIMIT_NS, NULL, &cell);
    XB_EXPECT_EQ(cell.code, -EEXIST);
    XB_EXPECT_HAS(cell.why, "File exists");
    XB_EXPECT_EQ(xb_limit_end(&limit, &why), 0);
    XB_EXPECT(!is_group(&limit));
    XB_EXPECT_EQ(xb_limit_end(&limit, &why), 0); /* nothing to remove is fine */
    xb_cell_run_close(&cell);
}

/* A process that left the cell's process group is still in its control group. */
static void ending_kills_who_is_still_inside(const void *argument)
{
    const struct trial *trial = argument;
    static struct xb_limit limit;
    struct xb_reason why = { 0 };
    if (!open_limit(&limit, trial->way) || limit.by == XB_LIMIT_RLIMIT_AS)
        return;
    XB_EXPECT_EQ(xb_limit_begin(&limit, &why), 0);
    int ready[2], status = 0;
    char byte;
    XB_EXPECT_EQ(pipe(ready), 0);
    pid_t pid = fork();
    if (pid == 0) {
        setsid();
        byte = xb_limit_enter(&limit, NULL) == 0;
        while (write(ready[1], &byte, 1) == 1)
            pause();
        _exit(1);
    }
    XB_EXPECT_EQ(read(ready[0], &byte, 1), 1);
    XB_EXPECT_EQ(byte, 1);
    XB_EXPECT_EQ(xb_limit_end(&limit, &why), 0);
    XB_EXPECT_EQ(waitpid(pid, &status, 0), pid);
    XB_EXPECT(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    XB_EXPECT(!is_group(&limit));
    close(ready[0]);
    close(ready[1]);
}

static void groups_of_the_dead_are_removed(const void *argument)
{
    const struct trial *trial = argument;
    static struct xb_limit limit;
    if (!open_limit(&limit, trial->way) || limit.by == XB_LIMIT_RLIMIT_AS)
        return;
    char dead[PATH_MAX + 32], living[PATH_MAX + 32];
    char *slash = strrchr(limit.group, '/');
    *slash = '\0';
    /* No process has a number above 2^22: PID_MAX_LIMIT. */
    snprintf(dead, sizeof dead, "%s/xbound-4194305", limit.group);
    snprintf(living, sizeof living, "%s/xbound-1", limit.group);
    XB_EXPECT(mkdir(dead, 0755) == 0 && mkdir(living, 0755) == 0);
    XB_EXPECT(open_limit(&limit, trial->way));
    XB_EXPECT(access(dead, F_OK) != 0);
    XB_EXPECT_EQ(rmdir(living), 0);
}

/* Inside a group that grants less, more would be a figure under another limit than the row says. */
static void more_than_is_granted_anyway_is_refused(const void *argument)
{
    const struct trial *trial = argument;
    static struct xb_limit limit;
    struct xb_reason why = { 0 };
    if (!open_limit(&limit, trial->way) || limit.by == XB_LIMIT_RLIMIT_AS)
        return;
    XB_EXPECT_EQ(xb_limit_begin(&limit, &why), 0);
    pid_t pid = fork();
    if (pid == 0) {
        static struct xb_limit more;
        bool entered = xb_limit_enter(&limit, NULL) == 0;
        int err = xb_limit_open(&more, 2 * limit.bytes, XB_LIMIT_ANY, &why);
        _exit(entered && err == -ERANGE && strstr(why.text, "has a limit of 64 MiB") ? 0 : 1);
    }
    int status = -1;
    XB_EXPECT_EQ(waitpid(pid, &status, 0), pid);
    XB_EXPECT_EQ(status, 0);
    XB_EXPECT_EQ(xb_limit_end(&limit, &why), 0);
}

/* The same blocks by another way in: mapped, reclaimed and faulted in, or fetched. */
/* For each byte of the file that is read it keeps four of its own, which no kernel can reclaim. */
#if defined(__SANITIZE_THREAD__)
enum { SHADOWED = true };
#else
enum { SHADOWED = false };
#endif

static void outgrowing_changes_no_answer(const void *argument)
{
    const struct trial *trial = argument;
    static struct xb_limit limit;
    struct xb_reason why = { 0 };
    if (SHADOWED) {
        XB_SKIP("the thread sanitizer's memory outgrows the limit before the kernel does");
        return;
    }
    if (!open_limit(&limit, trial->way))
        return;
    if (xb_limit_scratch(xb_test_folder(), &why) != 0) {
        XB_SKIP("%s", why.text);
        return;
    }
    struct xb_work work[2];
    for (int limited = 0; limited < 2; limited++) {
        struct xb_plan plan = xb_cell_plan(&xb_kernel_memory_capacity, trial->model, 2);
        plan.limit = limited ? &limit : NULL;
        plan.params.bytes = (size_t)LIMIT_MIB * 2 * MIB;
        plan.iters = 200;
        struct xb_cell_run cell;
        xb_cell_run(&plan, XB_CELL_LIMIT_NS, NULL, &cell);
        XB_EXPECT_STREQ(cell.why, "");
        XB_EXPECT_EQ(cell.samples, 2);
        work[limited] = cell.result->samples[1].work;
        xb_cell_run_close(&cell);
    }
    XB_EXPECT_EQ(work[0].items, 400);
    XB_EXPECT_EQ(work[1].items, 400);
    XB_EXPECT_EQ(work[0].checksum, work[1].checksum);
    /* Of 400 random blocks, half of which at most can be there, no fewer than these are not but
     * once in many lives of the universe. */
    XB_EXPECT(work[1].outcome >= 100);
}

/* Needed as long as the tests are. */
__attribute__((used)) static struct trial *trials;

XB_TESTS(of_each_way)
{
    trials = calloc(XB_LIMIT_WAYS * xb_builtin.n_models, sizeof *trials);
    struct trial *trial = trials;
    char name[128];
    for (int way = 0; way < XB_LIMIT_WAYS && trials; way++) {
        const char *by = xb_limit_way_name((enum xb_limit_way)way);
        for (size_t i = 0; i < xb_builtin.n_models; i++, trial++) {
            *trial = (struct trial){ (enum xb_limit_way)way, xb_builtin.models[i] };
            if (trial->model->probe(NULL) != 0)
                continue;
            snprintf(name, sizeof name, "WhatFitsRunsAndWhatDoesNotFails__%s__%s", by,
                     trial->model->name);
            xb_test_add("Limit", name, __FILE__, __LINE__, what_fits_runs_and_what_does_not_fails,
                        trial);
            snprintf(name, sizeof name, "OutgrowingChangesNoAnswer__%s__%s", by,
                     trial->model->name);
            xb_test_add("Limit", name, __FILE__, __LINE__, outgrowing_changes_no_answer, trial);
        }
        snprintf(name, sizeof name, "ACellThatHangsLeavesNoGroup__%s", by);
        xb_test_add("Limit", name, __FILE__, __LINE__, a_cell_that_hangs_leaves_no_group,
                    trial - 1);
        snprintf(name, sizeof name, "AGroupThatIsInTheWayFailsTheCell__%s", by);
        xb_test_add("Limit", name, __FILE__, __LINE__, a_group_that_is_in_the_way_fails_the_cell,
                    trial - 1);
        snprintf(name, sizeof name, "EndingKillsWhoIsStillInside__%s", by);
        xb_test_add("Limit", name, __FILE__, __LINE__, ending_kills_who_is_still_inside, trial - 1);
        snprintf(name, sizeof name, "MoreThanIsGrantedAnywayIsRefused__%s", by);
        xb_test_add("Limit", name, __FILE__, __LINE__, more_than_is_granted_anyway_is_refused,
                    trial - 1);
        snprintf(name, sizeof name, "GroupsOfTheDeadAreRemoved__%s", by);
        xb_test_add("Limit", name, __FILE__, __LINE__, groups_of_the_dead_are_removed, trial - 1);
    }
}

/* ---- refusals ---- */

XB_TEST(Limit, WithoutAnyWayItSaysWhatStandsAgainstEach)
{
    struct xb_limit limit;
    struct xb_reason why = { 0 };
    XB_EXPECT_EQ(xb_limit_open(&limit, LIMIT_MIB * MIB, 0, &why), -ENOTSUP);
    XB_EXPECT_HAS(why.text, "no memory limit can be set here");
}

/* In a process of its own: a hard limit cannot be raised again. */
XB_TEST(Limit, AnUlimitThatGrantsLessIsNotPassedOffAsTheLimit)
{
    pid_t pid = fork();
    if (pid == 0) {
        char text[64] = "";
        FILE *file = fopen("/proc/self/statm", "re");
        uint64_t pages = file && fgets(text, sizeof text, file) ? strtoull(text, NULL, 10) : 0;
        struct rlimit space = { .rlim_cur = pages * (uint64_t)sysconf(_SC_PAGESIZE) + 32 * MIB };
        space.rlim_max = space.rlim_cur;
        struct xb_limit limit;
        struct xb_reason why = { 0 };
        setrlimit(RLIMIT_AS, &space);
        int err = xb_limit_open(&limit, LIMIT_MIB * MIB, 1u << XB_LIMIT_RLIMIT_AS, &why);
        _exit(err == -ERANGE && strstr(why.text, "ulimit -v") ? 0 : 1);
    }
    int status = -1;
    XB_EXPECT_EQ(waitpid(pid, &status, 0), pid);
    XB_EXPECT_EQ(status, 0);
}

/* ---- where groups and files lie ---- */

XB_TEST(Limit, FindsTheProcesssOwnGroupInEachHierarchy)
{
    char folder[PATH_MAX];
    XB_EXPECT_EQ(xb_cgroup_memory_folder(xb_test_data("machine_cgroup2"), 2, folder), 0);
    XB_EXPECT_HAS(folder, "/sys/fs/cgroup/system.slice");
    XB_EXPECT_EQ(xb_cgroup_memory_folder(xb_test_data("machine_cgroup2"), 1, folder), -ENOENT);
    XB_EXPECT_EQ(xb_cgroup_memory_folder(xb_test_data("machine_cgroup1"), 1, folder), 0);
    XB_EXPECT_HAS(folder, "/sys/fs/cgroup/memory");
    XB_EXPECT_EQ(xb_cgroup_memory_folder(xb_test_data("machine_cgroup1"), 2, folder), -ENOENT);
}

XB_TEST(Limit, AFileSystemInMemoryIsNoPlaceToOutgrowIt)
{
    struct xb_reason why = { 0 };
    XB_EXPECT_EQ(xb_limit_scratch("/proc/no/such/folder", &why), -ENOENT);
    XB_EXPECT(why.text[0]);
    if (access("/dev/shm", F_OK) != 0) {
        XB_SKIP("there is no /dev/shm");
        return;
    }
    XB_EXPECT_EQ(xb_limit_scratch("/dev/shm", &why), -ENOTSUP);
    XB_EXPECT_HAS(why.text, "/dev/shm is on a file system in memory");
}
