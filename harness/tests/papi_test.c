/* SPDX-License-Identifier: BSD-3-Clause
 * Tests the counters through the program, PAPI as it is, with a PMU of exact software events: see
 * preload/pmu.c. Instructions are page faults there, which the kernel's accounts count too. */
#include "fake_pmu.h"
#include "spawn.h"
#include "xbtest.h"

#include "../core/registry.h"
#include "../counters/source.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define FAULTS "INST_RETIRED:ANY_P"         /* page faults, with the PMU of software events */
#define MINOR  "MEM_INST_RETIRED:ALL_LOADS" /* those that read from no device: all of them here */

#define RUN   "run --quick --samples 2 --min-time 1ms -o out memory/first_touch "
#define BOTH  RUN "--counters papi --events page_faults," FAULTS "," MINOR " "
#define BRIEF "--model threads --workers 1 "

/* Environment of the next program: NAME, VALUE, ..., NULL. */
static const char *const *environment;
static bool on_first_cpu;

static int prepare(void)
{
    cpu_set_t first;
    CPU_ZERO(&first);
    CPU_SET(0, &first);
    if (on_first_cpu && sched_setaffinity(0, sizeof first, &first) != 0)
        return errno;
    xb_fake_pmu_set(environment);
    return 0;
}

/* The caller frees; NULL where PAPI or Skylake's events cannot be had, with the test skipped. */
static struct xb_ended *run_with_pmu(const char *args, const char *const *settings)
{
    if (!xb_fake_pmu_loads())
        return NULL;
    struct xb_reason why = { 0 };
    const struct xb_counter_source *papi = xb_find_source(&xb_builtin, "papi");
    if (papi->probe(&why) != 0 && strstr(why.text, "built without")) {
        XB_SKIP("%s", why.text);
        return NULL;
    }
    environment = settings;
    struct xb_spawn what = { .args = args, .prepare = prepare };
    struct xb_ended *ended = xb_spawn(&what);
    if (ended->code == XB_SPAWN_HUNG || ended->left)
        XB_FAIL("'%s' hung, or left a process behind", args);
    return ended;
}

static struct xb_table read_table(const char *name)
{
    struct xb_table table;
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", xb_test_folder(), name);
    if (xb_table_open(&table, path) != 0)
        XB_FAIL("%s is not there, or not whole", name);
    return table;
}

/* `columns`, NULL behind the last, are equal to page_faults in every row, and not 0. */
static void expect_exact(size_t least_rows, const char *const *columns)
{
    struct xb_table table = read_table("out/samples.csv");
    XB_EXPECT(table.rows >= least_rows);
    for (size_t row = 0; row < table.rows; row++) {
        const char *due = xb_table_get(&table, row, "page_faults");
        XB_EXPECT(due && strtol(due, NULL, 10) > 0);
        XB_EXPECT_STREQ(xb_table_get(&table, row, "counters"), "papi");
        for (size_t i = 0; columns[i] && due; i++)
            XB_EXPECT_STREQ(xb_table_get(&table, row, columns[i]), due);
    }
    xb_table_close(&table);
}

static void expect_empty(const char *column)
{
    struct xb_table table = read_table("out/samples.csv");
    XB_EXPECT(table.rows > 0);
    XB_EXPECT_EQ(xb_table_count(&table, column, ""), table.rows);
    xb_table_close(&table);
}

/* provenance.csv has `key` with a value that has `part`. */
static void expect_about(const char *key, const char *part)
{
    struct xb_table table = read_table("out/provenance.csv");
    bool found = false;
    for (size_t row = 0; row < table.rows; row++)
        if (strcmp(xb_table_get(&table, row, "key"), key) == 0) {
            XB_EXPECT_HAS(xb_table_get(&table, row, "value"), part);
            found = true;
        }
    if (!found)
        XB_FAIL("provenance.csv has no %s", key);
    xb_table_close(&table);
}

/* Whether the run came to its end; the result is released. */
static bool went_well(struct xb_ended *ended)
{
    if (!ended)
        return false;
    XB_EXPECT_EQ(ended->code, 0);
    XB_EXPECT_STREQ(ended->err, "");
    bool well = ended->code == 0;
    free(ended);
    return well;
}

static void expect_refusal(const char *args, const char *const *settings, const char *part)
{
    struct xb_ended *ended = run_with_pmu(args, settings);
    if (!ended)
        return;
    if (ended->code != 2 || ended->errors != 1 || !strstr(ended->err, part))
        XB_FAIL("'xbound %s' ends with %d and\n%swanted is 2 and one line with\n%s", args,
                ended->code, ended->err, part);
    free(ended);
}

static const char *const both[] = { FAULTS, MINOR, NULL };
static const char *const minor_only[] = { MINOR, NULL };

XB_TEST(Papi, EachLaneCountsItsOwnEventsInThreadsForksAndLoops)
{
    if (!went_well(run_with_pmu(BOTH "--model threads,processes,loop --workers 1,3", NULL)))
        return;
    expect_exact(12, both);
    struct xb_table table = read_table("out/samples.csv");
    XB_EXPECT_EQ(xb_table_count(&table, "counter_coverage", "1"), table.rows);
    xb_table_close(&table);
}

/* Each event is refused with another error, but for the last. */
XB_TEST(Papi, ARefusedEventIsAnEmptyColumnWithPapisReasonAndTheOthersCount)
{
    static const struct {
        const char *event, *reason;
    } refusals[] = {
        { FAULTS, "Permission level does not permit operation (lower kernel.perf_event_paranoid)" },
        { "BR_INST_RETIRED:CONDITIONAL", "Permission level does not permit operation" },
        { "UOPS_ISSUED:ANY", "Too many events or attributes (raise ulimit -n)" },
        { "UOPS_RETIRED:RETIRE_SLOTS", "A System/C library call failed (Device or resource busy)" },
        { "INT_MISC:RECOVERY_CYCLES", "Invalid argument" },
        { "CYCLE_ACTIVITY:STALLS_TOTAL", "Event does not exist" },
    };
    char errors[256], events[512] = "";
    const char *const settings[] = { "XB_PMU_REFUSE", errors, NULL };
    snprintf(errors, sizeof errors, "0xc0=%d,0x1c4=%d,0x10e=%d,0x2c2=%d,0x10d=%d,0x4a3=%d", EPERM,
             EACCES, EMFILE, EBUSY, EINVAL, ENOENT);
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++)
        snprintf(events + strlen(events), sizeof events - strlen(events), "%s,", refusals[i].event);
    char args[1024];
    snprintf(args, sizeof args, RUN BRIEF "--counters papi --events page_faults,%s" MINOR, events);
    if (!went_well(run_with_pmu(args, settings)))
        return;
    expect_exact(2, minor_only);
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
        char key[128];
        expect_empty(refusals[i].event);
        snprintf(key, sizeof key, "audit_%s", refusals[i].event);
        expect_about(key, refusals[i].reason);
        expect_about(key, "absent: ");
    }
}

XB_TEST(Papi, WhereEveryEventIsRefusedItIsOneLineAndAutoGoesOnWithout)
{
    static const char *const settings[] = { "XB_PMU_ERRNO", "1", NULL };
    expect_refusal(RUN "--counters papi", settings,
                   "papi cannot count here: PAPI: PAPI_TOT_INS: Permission level");
    expect_refusal(RUN "--events " FAULTS, settings, "papi cannot look it up: PAPI: PAPI_TOT_INS");
    if (!went_well(run_with_pmu(RUN BRIEF, settings)))
        return;
    expect_about("counters_papi", "unavailable: PAPI: PAPI_TOT_INS: Permission level");
    expect_empty("instructions");
}

XB_TEST(Papi, WhatDoesNotFitAGroupIsMultiplexedAndItsCoverageMeasured)
{
    static const char *const settings[] = { "XB_PMU_COUNTERS", "1", NULL };
    if (!went_well(run_with_pmu(BOTH "--model threads,processes --workers 2", settings)))
        return;
    expect_exact(4, both);
}

XB_TEST(Papi, AnEventThatIsNeverScheduledIsEmptyAndNotZero)
{
    static const char *const settings[] = { "XB_PMU_COUNTERS", "1", "XB_PMU_STARVE", "0xc0", NULL };
    if (sysconf(_SC_NPROCESSORS_CONF) < 2) {
        XB_SKIP("there is no second CPU to open it for");
        return;
    }
    on_first_cpu = true;
    bool well = went_well(run_with_pmu(BOTH BRIEF, settings));
    on_first_cpu = false;
    if (!well)
        return;
    expect_empty(FAULTS);
    expect_exact(2, minor_only);
    expect_about("audit_" FAULTS, "starved: ");
}

XB_TEST(Papi, CountersThatStandStillAreCalledLiesAndNothingFollowsFromThem)
{
    struct xb_ended *ended = run_with_pmu("doctor --counters --csv", NULL);
    if (!ended)
        return;
    XB_EXPECT_EQ(ended->code, 0);
    XB_EXPECT_HAS(ended->out,
                  "papi: instructions,note,lies: reads 0 where at least 2000000 were due");
    XB_EXPECT_HAS(ended->out,
                  "papi: branch_misses,note,lies: reads 0 where at least 40000 were due");
    XB_EXPECT_HAS(ended->out, "papi: PAPI_LD_INS,note,lies: reads 0 where at least 5000 were due");
    free(ended);
    if (!went_well(run_with_pmu(RUN BRIEF "--counters papi --events "
                                          "cycles,instructions,l1d_misses,topdown",
                                NULL)))
        return;
    expect_empty("instructions");
    expect_empty("l1d_misses");
    expect_about("audit_instructions", "lies: reads 0 where ");
    expect_about("topdown", "level 1 of skx; what needs it is empty: skx::");
    struct xb_table table = read_table("out/summary.csv");
    XB_EXPECT_EQ(xb_table_count(&table, "ipc", ""), table.rows);
    XB_EXPECT_EQ(xb_table_count(&table, "topdown_retiring", ""), table.rows);
    XB_EXPECT_EQ(xb_table_count(&table, "topdown_backend", ""), table.rows);
    xb_table_close(&table);
}

/* PAPI_BR_UCN is all branches less the conditional ones, which alone are counted here. */
XB_TEST(Papi, APresetThatReadsLessThanNothingIsAnEmptyColumnAndAReason)
{
    static const char *const settings[] = { "XB_PMU_CLOCK", "0x01c4", NULL };
    if (!went_well(
            run_with_pmu(RUN BRIEF "--counters papi --events PAPI_BR_UCN,page_faults", settings)))
        return;
    expect_empty("PAPI_BR_UCN");
    expect_about("audit_PAPI_BR_UCN", "absent: it opens and runs, but cannot be counted");
}

/* All of Skylake's events count ns of one clock: a fourth of the slots retires, and so on. */
XB_TEST(Papi, SlotsAreDividedWhereTheCpuHasTheEvents)
{
    static const char *const settings[] = { "XB_PMU_CLOCK", "0xffff", NULL };
    if (!went_well(run_with_pmu(RUN BRIEF "--counters papi --events topdown2", settings)))
        return;
    expect_about("topdown", "level 2 of skx");
    struct xb_table table = read_table("out/summary.csv");
    XB_EXPECT_EQ(table.rows, 1);
    double sum = 0;
    static const char *const parts[] = { "topdown_retiring", "topdown_bad_speculation",
                                         "topdown_frontend", "topdown_backend" };
    for (size_t i = 0; i < 4; i++) {
        XB_EXPECT(xb_table_get(&table, 0, parts[i])[0]);
        sum += strtod(xb_table_get(&table, 0, parts[i]), NULL);
    }
    XB_EXPECT_NEAR(sum, 1, 1e-6);
    XB_EXPECT(xb_table_get(&table, 0, "topdown_memory")[0]);
    XB_EXPECT_STREQ(xb_table_get(&table, 0, "topdown_clears"), "");
    xb_table_close(&table);
}

XB_TEST(Papi, EventsThatCannotBeCountedByLaneAreRefusedInOneLine)
{
    expect_refusal(RUN "--counters papi --events NOSUCH", NULL, "unknown event 'NOSUCH': PAPI: ");
    expect_refusal(RUN "--counters papi --events PAPI_NOSUCH", NULL, "unknown event 'PAPI_NOSUCH'");
    expect_refusal(RUN "--counters papi --events sde:::any::NOPE", NULL, "'sde:::any::NOPE'");
    expect_refusal(RUN "--counters papi --events cycles," FAULTS ",sde:::any::NOPE", NULL,
                   "'sde:::any::NOPE'");
    expect_refusal(RUN "--counters papi --events \"cycles\"", NULL, "unknown event '\"cycles\"'");
    expect_refusal(RUN "--counters papi --events " FAULTS ",", NULL, "is not a list");
    expect_refusal(RUN "--counters papi --events A,B,C,D,E,F,G,H,I,J,K,L,M", NULL,
                   "'M' is one too many: 12 beside metrics");
    expect_refusal(RUN "--counters papi --events topdown2,A,B", NULL, "unknown event 'A'");
    expect_refusal(RUN "--counters papi --events topdown2," FAULTS "," MINOR, NULL,
                   "topdown takes 11 of the 12 names there may be");
    expect_refusal(RUN "--counters perf --events topdown", NULL,
                   "topdown: the source perf has no events by name");
    expect_refusal(RUN "--counters perf --events " FAULTS, NULL,
                   "the source perf has no events by name");
    expect_refusal(RUN "--counters none --events " FAULTS, NULL,
                   "the source none has no events by name");
}
