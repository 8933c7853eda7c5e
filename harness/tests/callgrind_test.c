/* SPDX-License-Identifier: BSD-3-Clause
 * Tests simulated counts through the program: equal in each run, in their columns, and refused or
 * skipped with a reason where they cannot be had. scripts/test-callgrind.sh plants an instruction. */
#include "spawn.h"
#include "xbtest.h"

#include "../core/registry.h"
#include "../counters/source.h"

#include <stdio.h>
#include <stdlib.h>

#define RUN   "run --counters callgrind "
#define BRIEF RUN "--model threads --iters 20 --samples 1 cpu/mix64 cpu/sort_small memory/triad "

static int lose_valgrind(void)
{
    return setenv("PATH", "/nowhere:", 1);
}

static int fill_environment(void)
{
    return setenv("XB_NOISE", "a word more than the other run has", 1) ||
           setenv("VALGRIND_OPTS", "--tool=none", 1) || setenv("LC_ALL", "en_US.UTF-8", 1);
}

/* The caller frees. NULL where nothing can be simulated here, with the test skipped. */
static struct xb_ended *simulate(const char *args, int (*prepare)(void))
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    XB_SKIP("valgrind runs no program with a sanitizer in it");
    return NULL;
#endif
    struct xb_reason why = { 0 };
    if (xb_find_source(&xb_builtin, "callgrind")->probe(&why) != 0) {
        XB_SKIP("%s", why.text);
        return NULL;
    }
    return xb_spawn(&(struct xb_spawn){ .args = args, .prepare = prepare });
}

static bool ends_with(struct xb_ended *ended, int code)
{
    if (!ended)
        return false;
    if (ended->code != code || ended->errors || ended->left)
        XB_FAIL("ends with %d instead of %d, and\n%s%s", ended->code, code, ended->out, ended->err);
    free(ended);
    return !xb_test_failed();
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

static long count_in(const struct xb_table *table, size_t row, const char *column)
{
    const char *text = xb_table_get(table, row, column);
    return text && *text ? strtol(text, NULL, 10) : -1;
}

XB_TEST(Callgrind, CountsAreTheSameInTwoRunsWhateverPathAndEnvironment)
{
    static const char *const columns[] = { "iters", "items", "instructions", "l1d_misses",
                                           "llc_misses" };
    if (!ends_with(simulate(BRIEF "-o a", NULL), 0) ||
        !ends_with(simulate(BRIEF "-o another-and-longer-name", fill_environment), 0))
        return;
    struct xb_table one = read_table("a/samples.csv");
    struct xb_table other = read_table("another-and-longer-name/samples.csv");
    XB_EXPECT_EQ(one.rows, 3);
    XB_EXPECT_EQ(other.rows, 3);
    for (size_t row = 0; row < one.rows && row < other.rows; row++) {
        XB_EXPECT_STREQ(xb_table_get(&one, row, "counters"), "callgrind");
        XB_EXPECT_STREQ(xb_table_get(&one, row, "status"), "ok");
        XB_EXPECT_STREQ(xb_table_get(&one, row, "iters"), "20");
        for (size_t i = 0; i < sizeof columns / sizeof columns[0]; i++)
            XB_EXPECT_EQ(count_in(&one, row, columns[i]), count_in(&other, row, columns[i]));
        /* No kernel does an item in less than a quarter of an instruction. */
        XB_EXPECT(4 * count_in(&one, row, "instructions") > count_in(&one, row, "items"));
        XB_EXPECT(count_in(&one, row, "llc_misses") > 0);
        /* Two loads and a store of eight bytes for each item, and lines of 64. */
        if (strcmp(xb_table_get(&one, row, "kernel"), "memory/triad") == 0)
            XB_EXPECT(count_in(&one, row, "l1d_misses") >= count_in(&one, row, "items") * 3 / 8);
    }
    xb_table_close(&one);
    xb_table_close(&other);
    ends_with(xb_spawn(&(struct xb_spawn){ .args = "compare a another-and-longer-name" }), 0);
}

XB_TEST(Callgrind, ARunSaysWhatWasSimulatedAndTellsNoTimes)
{
    static const char *const facts[][2] = {
        { "counters_used", "callgrind" },
        { "caches", "given" },
        { "l1d_used_bytes", "49152" },
        { "llc_used_bytes", "2097152" },
        { "audit_instructions", "ok: exact: 1000000 counted, 1000000 due" },
        { "audit_l1d_misses", "ok: 1 per load from a flushed line" },
    };
    if (!ends_with(
            simulate(RUN "--model threads --samples 1 --caches 48K,1M,2M cpu/mix64 -o out", NULL),
            0))
        return;
    struct xb_table about = read_table("out/provenance.csv"), table = read_table("out/summary.csv");
    for (size_t i = 0; i < sizeof facts / sizeof facts[0]; i++) {
        const char *value = NULL;
        for (size_t row = 0; row < about.rows; row++)
            if (strcmp(xb_table_get(&about, row, "key"), facts[i][0]) == 0)
                value = xb_table_get(&about, row, "value");
        XB_EXPECT_STREQ(value, facts[i][1]);
    }
    XB_EXPECT_EQ(table.rows, 1);
    XB_EXPECT_EQ(xb_table_count(&table, "ns_per_item", ""), table.rows);
    XB_EXPECT_EQ(xb_table_count(&table, "status", "ok"), table.rows);
    XB_EXPECT_EQ(xb_table_count(&table, "iters", "1000"), table.rows);
    xb_table_close(&about);
    xb_table_close(&table);
}

XB_TEST(Callgrind, WhatCannotBeSimulatedIsASkippedRowWithItsReason)
{
    static const struct {
        const char *kernel, *isa, *workers, *engine, *reason;
    } due[] = {
        { "cpu/fma_peak", "avx512", "1", "blocking", "valgrind executes no AVX-512" },
        { "cpu/fma_peak", "base", "2", "blocking", "differ by run; give --workers 1" },
        { "cpu/fma_peak", "base", "1", "uring", "valgrind does not see what io_uring writes" },
        { "io/pipe_ring", "base", "1", "blocking", "how long it waits decides what it executes" },
        { "sync/barrier", "base", "1", "blocking", "how long it waits decides what it executes" },
    };
    if (!ends_with(simulate(RUN "--isa base,avx512 --workers 1,2 --engine blocking,uring "
                                "--model threads cpu/fma_peak io/pipe_ring sync/barrier "
                                "--samples 1 --iters 1 -o out",
                            NULL),
                   0))
        return;
    struct xb_table table = read_table("out/samples.csv");
    XB_EXPECT_EQ(xb_table_count(&table, "status", "ok"), 1);
    for (size_t i = 0; i < sizeof due / sizeof due[0]; i++) {
        size_t found = 0;
        for (size_t row = 0; row < table.rows; row++)
            if (strcmp(xb_table_get(&table, row, "kernel"), due[i].kernel) == 0 &&
                strcmp(xb_table_get(&table, row, "isa"), due[i].isa) == 0 &&
                strcmp(xb_table_get(&table, row, "workers"), due[i].workers) == 0 &&
                strcmp(xb_table_get(&table, row, "engine"), due[i].engine) == 0) {
                found++;
                XB_EXPECT_STREQ(xb_table_get(&table, row, "status"), "skipped");
                XB_EXPECT_STREQ(xb_table_get(&table, row, "instructions"), "");
                XB_EXPECT_HAS(xb_table_get(&table, row, "reason"), due[i].reason);
            }
        XB_EXPECT_EQ(found, 1);
    }
    xb_table_close(&table);
}

XB_TEST(Callgrind, WhereNothingCanBeSimulatedTheRunEndsAsAllSkipped)
{
    ends_with(simulate(RUN "sync/barrier --model threads,loop -o out", NULL), 77);
}

static void expect_refusal(const char *args, int (*prepare)(void), const char *part)
{
    struct xb_ended *ended = xb_spawn(&(struct xb_spawn){ .args = args, .prepare = prepare });
    if (ended->code != 2 || ended->errors != 1 || ended->out[0] || !strstr(ended->err, part))
        XB_FAIL("'xbound %s' ends with %d and\n%swanted is 2 and one line with\n%s", args,
                ended->code, ended->err, part);
    free(ended);
}

XB_TEST(Callgrind, WithoutValgrindItIsOneLineThatSaysWhatToInstall)
{
    struct xb_reason why = { 0 };
    xb_find_source(&xb_builtin, "callgrind")->probe(&why);
    expect_refusal(RUN "cpu/mix64 -o out", lose_valgrind,
                   strstr(why.text, "built without")
                       ? "callgrind cannot count here: built without valgrind's headers"
                       : "callgrind cannot count here: no valgrind in PATH; install it (Debian: ");
}

XB_TEST(Callgrind, WrongOptionsAreOneLineAndStartNothing)
{
    struct xb_reason why = { 0 };
    expect_refusal("run --iters 5 cpu/mix64", NULL, "--iters goes with --counters callgrind");
    expect_refusal("run --iters 0 cpu/mix64", NULL, "--iters: '0' is not a whole number from 1");
    if (xb_find_source(&xb_builtin, "callgrind")->probe(&why) != 0) {
        XB_SKIP("%s", why.text);
        return;
    }
    expect_refusal(RUN "--min-time 1ms cpu/mix64", NULL, "--min-time: cells under callgrind have");
    expect_refusal(RUN "--max-time 1s cpu/mix64", NULL, "--max-time: cells under callgrind have");
    expect_refusal(RUN "--memory-limit 64M cpu/mix64", NULL, "--memory-limit: callgrind itself");
    expect_refusal(RUN "--caches claimed cpu/mix64", NULL, "--caches: callgrind simulates caches");
    expect_refusal(RUN "--caches measured cpu/mix64", NULL, "--caches: callgrind simulates caches");
    expect_refusal(RUN "--caches 32K,1M,2000001 cpu/mix64", NULL,
                   "valgrind cannot simulate a cache of 2000001 bytes");
    expect_refusal(RUN "--caches 6500K,7M,8M cpu/mix64", NULL,
                   "valgrind cannot simulate a cache of 6656000 bytes");
    expect_refusal(RUN "--events topdown cpu/mix64", NULL, "--events: topdown:");
}
