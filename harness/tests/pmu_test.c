/* SPDX-License-Identifier: BSD-3-Clause
 * Tests counting in other programs' threads with events of the kernel, and the probe `pmu` with a PMU of
 * such events (preload/pmu.c): what it says then is known, and where there is none it says why. */
#include "fake_pmu.h"
#include "spawn.h"
#include "xbtest.h"

#include "../base/counts.h"
#include "../base/pfm.h"
#include "../core/registry.h"
#include "../probes/probe.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- counting ---- */

static const struct xb_event_code faults = { .type = PERF_TYPE_SOFTWARE,
                                             .config = PERF_COUNT_SW_PAGE_FAULTS },
                                  clock_ns = { .type = PERF_TYPE_SOFTWARE,
                                               .config = PERF_COUNT_SW_TASK_CLOCK },
                                  nonsense = { .type = 0x7fffffff };

/* Page faults in user mode, one each. */
static void touch_pages(size_t n)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *data = mmap(NULL, n * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (data == MAP_FAILED)
        _exit(1);
    madvise(data, n * page, MADV_NOHUGEPAGE);
    for (size_t i = 0; i < n; i++)
        *(volatile char *)(data + i * page) = 1;
}

static int go[2], told[2], go_on[2];

static void say(const int *pipe_ends, const char *bytes)
{
    if (write(pipe_ends[1], bytes, strlen(bytes)) != (ssize_t)strlen(bytes))
        _exit(1);
}

static void hear(const int *pipe_ends)
{
    char byte;
    if (read(pipe_ends[0], &byte, 1) != 1)
        _exit(1);
}

static void *touch_at_once(void *count)
{
    touch_pages(*(size_t *)count);
    return NULL;
}

static void *touch_when_told(void *count)
{
    say(told, "x");
    hear(go_on);
    return touch_at_once(count);
}

/* Two threads are there from the start, one begins later, and so does a child with a thread. No thread
 * is anywhere but in a read() when the child is forked: whoever held a lock of the allocator then
 * would hold it in the child for ever. */
static _Noreturn void live(void)
{
    size_t first = 1000, early = 500, late = 300, below = 200;
    pthread_t thread[2];
    int status;
    pthread_create(&thread[0], NULL, touch_when_told, &early);
    hear(go);
    touch_at_once(&first);
    if (fork() == 0) {
        pthread_create(&thread[1], NULL, touch_at_once, &below);
        pthread_join(thread[1], NULL);
        _exit(0);
    }
    wait(&status);
    pthread_create(&thread[1], NULL, touch_at_once, &late);
    say(go_on, "x");
    pthread_join(thread[0], NULL);
    pthread_join(thread[1], NULL);
    _exit(0);
}

XB_TEST(Counts, AllThreadsCountThoseThatComeLaterAndTheirChildrenToo)
{
    const struct xb_event_code code[] = { nonsense, faults, clock_ns };
    struct xb_counts *counts = NULL;
    struct xb_count before[3], after[3];
    struct xb_reason why = { 0 };
    XB_EXPECT(pipe(go) == 0 && pipe(told) == 0 && pipe(go_on) == 0);
    pid_t pid = fork();
    if (pid == 0)
        live();
    hear(told);
    int err = xb_counts_open(pid, code, 3, &counts, &why);
    if (err) {
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        XB_SKIP("%s", why.text);
        return;
    }
    XB_EXPECT_EQ(xb_counts_read(counts, before), 0);
    say(go, "x");
    waitpid(pid, NULL, 0);
    XB_EXPECT_EQ(xb_counts_read(counts, after), 0);
    double touched = xb_count_between(&before[1], &after[1]);
    XB_EXPECT(touched >= 2000); /* and some of their stacks */
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    XB_EXPECT(touched < 2500);
#endif
    XB_EXPECT(xb_count_between(&before[2], &after[2]) > 0);
    XB_EXPECT_EQ(after[1].enabled_ns, after[1].running_ns);
    XB_EXPECT(!after[0].is_open);
    XB_EXPECT(isnan(xb_count_between(&before[0], &after[0])));
    xb_counts_close(counts);
    XB_EXPECT_EQ(xb_counts_open(pid, code, 3, &counts, &why), -ESRCH);
    XB_EXPECT_EQ(xb_counts_open(0, &nonsense, 1, &counts, &why), -ENODEV);
    XB_EXPECT_HAS(why.text, "no hardware counters: ");
    xb_counts_close(NULL);
    for (int i = 0; i < 2; i++) {
        close(go[i]);
        close(told[i]);
        close(go_on[i]);
    }
}

XB_TEST(Counts, WhatTookTurnsIsScaledAndWhatNeverHadOneIsNotZero)
{
    struct xb_count before = { true, 100, 1000, 1000 }, after = { true, 130, 5000, 2000 };
    XB_EXPECT_NEAR(xb_count_between(&before, &after), 120, 1e-12);
    after = (struct xb_count){ true, 100, 5000, 1000 };
    XB_EXPECT(isnan(xb_count_between(&before, &after)));
    XB_EXPECT_NEAR(xb_count_between(&before, &before), 0, 1e-12); /* nothing ran */
}

/* ---- the probe ---- */

static const struct xb_probe *find_pmu(void)
{
    return xb_find_probe(&xb_builtin, "pmu");
}

/* Environment of the next program, as in papi_test.c. */
static const char *const *environment;

static int prepare(void)
{
    char folder[4096];
    snprintf(folder, sizeof folder, "%s-profile", xb_test_program());
    setenv("XDG_CACHE_HOME", folder, 1); /* of the machine, shared with classify_test.c */
    xb_fake_pmu_set(environment);
    return 0;
}

/* The caller frees; NULL where it cannot be, with the test skipped. */
static struct xb_ended *run_with_pmu(const char *args, const char *const *settings)
{
    if (!xb_fake_pmu_loads())
        return NULL;
    struct xb_reason why = { 0 };
    struct xb_event_code code;
    if (xb_pfm_encode("none", &code, &why) == -ENOTSUP && strstr(why.text, "built without")) {
        XB_SKIP("%s", why.text);
        return NULL;
    }
    environment = settings;
    struct xb_spawn what = { .args = args, .prepare = prepare };
    struct xb_ended *ended = xb_spawn(&what);
    XB_EXPECT(ended->code != XB_SPAWN_HUNG && !ended->left);
    return ended;
}

/* One clause, in the list of probes. */
static void expect_reason(const char *setting, const char *value, const char *part)
{
    const char *const settings[] = { setting, value, NULL };
    struct xb_ended *ended = run_with_pmu("classify --help", settings);
    if (!ended)
        return;
    const char *pmu = strstr(ended->out, "\n  pmu "), *end = pmu ? strstr(pmu + 1, "\n  st") : NULL;
    const char *reason = pmu ? strstr(pmu, "not here: ") : NULL, *said = strstr(ended->out, part);
    if (!reason || !said || said < reason || (end && said > end))
        XB_FAIL("with %s=%s wanted is '%s' in\n%s", setting, value, part, pmu ? pmu : ended->out);
    free(ended);
}

XB_TEST(PmuProbe, SaysInOneClauseWhyItCannotCount)
{
    struct xb_reason why = { 0 };
    if (find_pmu()->probe(&why) != 0)
        XB_EXPECT(why.code < 0 && why.text[0] && !strchr(why.text, '\n'));
    expect_reason("XB_PMU_ERRNO", "2", "no hardware counters: ");
    expect_reason("XB_PMU_ERRNO", "38", "hidden, by a seccomp filter");
    expect_reason("XB_PMU_ERRNO", "13", "perm"); /* or, above 2: perf_event_paranoid */
    expect_reason("LIBPFM_FORCE_PMU", "wsm", "events for top-down: none is known for this CPU");
    /* Cycles pass, and nothing else moves. */
    expect_reason("XB_PMU_CLOCK", "0", "the PMU lies or is shown in part");
    find_pmu()->close(NULL);
}

static void write_script(char *path, size_t room)
{
    snprintf(path, room, "%s/spin", xb_test_folder());
    FILE *file = fopen(path, "we");
    if (!file || fputs("#!/bin/sh\nwhile :; do :; done &\nwhile :; do :; done\n", file) < 0 ||
        fclose(file) || chmod(path, 0755))
        XB_FAIL("%s: %s", path, strerror(errno));
}

/* Of Skylake's events these pass with the clock: cycles; issued and retired, so a fourth of the slots; all
 * cycles stall on a load that has missed the last level. The command's child is in it. */
XB_TEST(PmuProbe, SlotsOfAProgramAndItsChildrenBecomeAVerdict)
{
    static const char *const settings[] = { "XB_PMU_CLOCK",
                                            "0x010e,0x02c2,0x14a3,0x04a3,0x0ca3,0x05a3,0x06a3",
                                            NULL };
    char args[4200], path[4096];
    write_script(path, sizeof path);
    snprintf(args, sizeof args, "classify --probes pmu --time 200ms --kill %s", path);
    struct xb_ended *ended = run_with_pmu(args, settings);
    if (!ended)
        return;
    XB_EXPECT_EQ(ended->code, 0);
    XB_EXPECT_HAS(ended->err, "memory (DRAM)");
    XB_EXPECT_HAS(ended->err, "25 % retired an operation, 0 % were lost");
    XB_EXPECT_HAS(ended->err, "75 % wait for memory");
    XB_EXPECT_HAS(ended->err, "0 % the last level, 75 %"); /* and DRAM, in the next line */
    XB_EXPECT_HAS(ended->err, "counters of skx in user mode: 17 events, each counted for at least");
    XB_EXPECT(!strstr(ended->err, "without"));
    free(ended);
}

/* Without the misses there is no level; without any stall it is not even known that memory is waited for. */
XB_TEST(PmuProbe, WhatTheKernelRefusesIsNotPlacedOrNotSeen)
{
    static const char *const settings[] = { "XB_PMU_CLOCK", "0x010e,0x02c2,0x14a3,0x04a3",
                                            "XB_PMU_REFUSE", "0x0ca3=2", NULL };
    char args[4200], path[4096];
    write_script(path, sizeof path);
    snprintf(args, sizeof args, "classify --probes pmu --time 200ms --kill %s", path);
    struct xb_ended *ended = run_with_pmu(args, settings);
    if (!ended)
        return;
    XB_EXPECT_HAS(ended->err, "unknown, confidence");
    XB_EXPECT_HAS(ended->err, "75 % wait for caches or DRAM; no event that was counted tells");
    free(ended);
}
