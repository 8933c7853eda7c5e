/* SPDX-License-Identifier: BSD-3-Clause
 * Tests where steps are found in series of known steps and noise, and xbound compare --history. */
#include "spawn.h"
#include "xbtest.h"

#include "../stats/changes.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { LENGTH = 100, ROOM = 16 };

/* ---- noise of known kinds, the same in every run of the test ---- */

struct chance {
    uint64_t state;
    double last; /* of a correlated series */
};

static double uniform(struct chance *chance)
{
    chance->state ^= chance->state << 13;
    chance->state ^= chance->state >> 7;
    chance->state ^= chance->state << 17;
    return ((double)(chance->state >> 11) + 0.5) * 0x1p-53;
}

static double normal(struct chance *chance)
{
    double radius = sqrt(-2 * log(uniform(chance)));
    return radius * cos(2 * acos(-1.0) * uniform(chance));
}

static double skewed(struct chance *chance)
{
    return exp(normal(chance)) - exp(0.5);
}

static double drifting(struct chance *chance) /* AR(1), 0.6 from one value to the next */
{
    return chance->last = 0.6 * chance->last + 0.8 * normal(chance);
}

static double spiky(struct chance *chance)
{
    return uniform(chance) < 0.1 ? 10 * fabs(normal(chance)) : normal(chance);
}

static double bimodal(struct chance *chance)
{
    return (uniform(chance) < 0.3 ? 4 : 0) + 0.5 * normal(chance);
}

/* A hundred values around 100 with noise of 2 %, `factor` times that from `from` on. */
static void fill(double *values, double (*noise)(struct chance *), struct chance *chance,
                 size_t from, double factor)
{
    for (size_t i = 0; i < LENGTH; i++)
        values[i] = 100 * exp(0.02 * noise(chance)) * (i >= from ? factor : 1);
}

/* How many of 200 series without any step have one. */
static int false_alarms(double (*noise)(struct chance *))
{
    struct chance chance = { .state = 88172645463325252u };
    int alarms = 0;
    for (int i = 0; i < 200; i++) {
        double values[LENGTH];
        struct xb_step steps[ROOM];
        fill(values, noise, &chance, LENGTH, 1);
        alarms += xb_steps(values, LENGTH, 0.01, steps, ROOM) > 0;
    }
    return alarms;
}

/* How many of 100 series with one step have one, within 5 values of where it is. */
static int finds(double (*noise)(struct chance *), double factor)
{
    struct chance chance = { .state = 2463534242u };
    int found = 0;
    for (int i = 0; i < 100; i++) {
        double values[LENGTH];
        struct xb_step steps[ROOM];
        fill(values, noise, &chance, 60, factor);
        int n = xb_steps(values, LENGTH, 0.01, steps, ROOM);
        bool hit = false;
        for (int k = 0; k < n; k++)
            hit |= steps[k].at + 5 >= 60 && steps[k].at <= 65;
        found += hit;
    }
    return found;
}

#define EXPECT_AT_MOST(is, most)                               \
    do {                                                       \
        int xb_is = (is);                                      \
        if (xb_is > (most))                                    \
            XB_FAIL("%s: %d, at most %d", #is, xb_is, (most)); \
    } while (0)

XB_TEST(Changes, NoiseWithoutStepsHasHardlyAny)
{
    EXPECT_AT_MOST(false_alarms(normal), 1);
    EXPECT_AT_MOST(false_alarms(skewed), 3);
    EXPECT_AT_MOST(false_alarms(spiky), 1);
    EXPECT_AT_MOST(false_alarms(bimodal), 8);
    EXPECT_AT_MOST(false_alarms(drifting), 12);
}

XB_TEST(Changes, StepsBeyondTheNoiseAreFoundWhereTheyAre)
{
    EXPECT_AT_MOST(100 - finds(normal, 1.10), 3);
    EXPECT_AT_MOST(100 - finds(skewed, 1.10), 7);
    EXPECT_AT_MOST(100 - finds(spiky, 1.10), 7);
    EXPECT_AT_MOST(100 - finds(normal, 1 / 1.10), 3);
}

XB_TEST(Changes, SeveralStepsAreToldInOrderWithTheirRatios)
{
    double values[120];
    struct chance chance = { .state = 1 };
    struct xb_step steps[ROOM];
    for (size_t i = 0; i < 120; i++)
        values[i] = (i < 40 ? 100 : i < 80 ? 110 : 95) * exp(0.01 * normal(&chance));
    XB_EXPECT_EQ(xb_steps(values, 120, 0.01, steps, ROOM), 2);
    XB_EXPECT_NEAR((double)steps[0].at, 40, 1);
    XB_EXPECT_NEAR(steps[0].ratio, 1.10, 0.01);
    XB_EXPECT_NEAR((double)steps[1].at, 80, 1);
    XB_EXPECT_NEAR(steps[1].ratio, 95 / 110.0, 0.01);
}

XB_TEST(Changes, ExactSeriesStepWhereTheyStep)
{
    double values[50];
    struct xb_step steps[ROOM];
    for (size_t i = 0; i < 50; i++)
        values[i] = i < 44 ? 100 : 102;
    XB_EXPECT_EQ(xb_steps(values, 50, 0.01, steps, ROOM), 1);
    XB_EXPECT_EQ(steps[0].at, 44);
    XB_EXPECT_EQ(xb_steps(values, 50, 0.03, steps, ROOM), 0); /* less than was asked for */
    values[20] = 1000;                                        /* one outlier */
    XB_EXPECT_EQ(xb_steps(values, 50, 0.01, steps, ROOM), 1);
    XB_EXPECT_EQ(steps[0].at, 44);
}

XB_TEST(Changes, TooFewValuesHaveNoSteps)
{
    double values[] = { 1, 1, 1, 1, 1, 9, 9, 9, 9, 9 };
    struct xb_step steps[ROOM];
    for (size_t n = 0; n <= 10; n++)
        XB_EXPECT_EQ(xb_steps(values, n, 0.01, steps, ROOM), 0);
}

/* ---- a folder of runs ---- */

static void write_text(const char *folder, const char *name, const char *text)
{
    char path[4300];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *out = fopen(path, "we");
    if (!out || fputs(text, out) == EOF || fclose(out))
        XB_FAIL("%s cannot be written", path);
}

/* Forty runs, whose folders are not in the order of time: a cell gets 10 % slower with the commit of
 * the 31st, another never changes. One run is of another machine. */
static void write_history(void)
{
    struct chance chance = { .state = 7 };
    for (int i = 0; i < 41; i++) {
        char folder[4200], text[2048];
        bool stranger = i == 40;
        snprintf(folder, sizeof folder, "%s/h", xb_test_folder());
        mkdir(folder, 0700);
        snprintf(folder, sizeof folder, "%s/h/%d", xb_test_folder(), 99 - i);
        mkdir(folder, 0700);
        snprintf(
            text, sizeof text,
            "key,value\nschema,1\nrun_id,r%d\nstarted_utc,2026-11-%02dT%02d:00:00Z\ngit_commit,%s\n"
            "cpu_model,%s\nhostname,bench\n",
            i, 1 + i / 24, stranger ? 0 : i % 24, i < 30 ? "old" : "new",
            stranger ? "other" : "this");
        write_text(folder, "provenance.csv", text);
        double a = (i < 30 ? 100 : 110) * exp(0.01 * normal(&chance));
        double b = 50 * exp(0.01 * normal(&chance));
        snprintf(
            text, sizeof text,
            "schema,kernel,class,model,engine,workers,lanes,bind,bytes_per_worker,depth,isa,status,"
            "reason,seed,iters,checksum,ns_per_item,ns_per_item_lo,ns_per_item_hi,cpu_ns_per_item,"
            "items_per_s\n"
            "1,cpu/mix64,cpu,threads,blocking,1,1,none,64,1,base,ok,,1,10,,%.9g,,,,%.9g\n"
            "1,cpu/crc32c,cpu,threads,blocking,1,1,none,64,1,base,%s,,1,10,,%.9g,,,,%.9g\n",
            a, 1e9 / a, i == 3 ? "suspect" : "ok", i == 3 ? 5000 : b, 1e9 / (i == 3 ? 5000 : b));
        write_text(folder, "summary.csv", text);
    }
}

static struct xb_ended *run_program(const char *args)
{
    return xb_spawn(&(struct xb_spawn){ .args = args });
}

XB_TEST(History, StepIsToldWithWhatElseChanged)
{
    write_history();
    struct xb_ended *ended = run_program("compare --history h");
    XB_EXPECT_EQ(ended->code, 0);
    XB_EXPECT_STREQ(ended->err, "");
    XB_EXPECT_HAS(ended->out,
                  "40 runs, 2026-11-01T00:00:00Z to 2026-11-02T15:00:00Z; those of other "
                  "machines than the last, or simulated, are left out");
    XB_EXPECT_HAS(ended->out,
                  "cpu/mix64/threads/blocking/isa:base/bytes:64/depth:1/bind:none/lanes:1/"
                  "workers:1\n");
    XB_EXPECT_HAS(ended->out,
                  "from r30 on (2026-11-02T06:00:00Z)\n    git_commit: 'old' -> 'new'\n");
    XB_EXPECT_HAS(ended->out, "1 steps of 2 cells.");
    free(ended);
}

XB_TEST(History, CsvHasEachFigureWithItsLevel)
{
    struct xb_table table;
    char path[4200];
    write_history();
    struct xb_ended *ended = run_program("compare --history h -o out");
    XB_EXPECT_EQ(ended->code, 0);
    free(ended);
    snprintf(path, sizeof path, "%s/out/history.csv", xb_test_folder());
    XB_EXPECT_EQ(xb_table_open(&table, path), 0);
    XB_EXPECT_EQ(table.rows, 79); /* a suspect one is left out */
    XB_EXPECT_EQ(xb_table_count(&table, "step", ""), 78);
    XB_EXPECT_STREQ(xb_table_get(&table, 30, "run_id"), "r30");
    XB_EXPECT_NEAR(atof(xb_table_get(&table, 30, "step")), 1.1, 0.01);
    XB_EXPECT_NEAR(atof(xb_table_get(&table, 29, "level")), 100, 1);
    XB_EXPECT_NEAR(atof(xb_table_get(&table, 30, "level")), 110, 1);
    xb_table_close(&table);
    snprintf(path, sizeof path, "%s/out/provenance.csv", xb_test_folder());
    XB_EXPECT_EQ(xb_table_open(&table, path), 0);
    XB_EXPECT_EQ(xb_table_count(&table, "value", "r39"), 1);
    xb_table_close(&table);
}

XB_TEST(History, WhatCannotBeReadIsOneLine)
{
    static const struct {
        const char *args, *part;
    } cases[] = {
        { "compare --history nowhere", "nowhere: No such file or directory" },
        { "compare --history h/99/provenance.csv", "Not a directory" },
        { "compare --history h/99", "no folder in it holds a summary.csv" },
        { "compare --history h extra", "--history takes no runs beside it" },
        { "compare -o out h h", "-o goes with --history" },
        { "compare --history h -o h", "h exists and is not empty" },
        { "compare --history h --least x", "--least: 'x' is no ratio" },
        { "compare --history bad", "bad/1/summary.csv: the file is empty" },
    };
    char folder[4200];
    write_history();
    snprintf(folder, sizeof folder, "%s/bad", xb_test_folder());
    mkdir(folder, 0700);
    strcat(folder, "/1");
    mkdir(folder, 0700);
    write_text(folder, "summary.csv", "");
    write_text(folder, "provenance.csv", "key,value\nschema,1\n");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct xb_ended *ended = run_program(cases[i].args);
        if (ended->code != 2 || ended->errors != 1 || !strstr(ended->err, cases[i].part))
            XB_FAIL("'%s' ends with %d and\n%swanted is one line with\n%s", cases[i].args,
                    ended->code, ended->err, cases[i].part);
        free(ended);
    }
}
