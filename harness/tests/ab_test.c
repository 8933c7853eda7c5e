/* SPDX-License-Identifier: BSD-3-Clause
 * Tests xbound ab as users run it: every verdict and exit code, and every way a build can misbehave. */
#include "../core/command.h"
#include "../core/gate_text.h"
#include "../core/topology.h"
#include "spawn.h"
#include "xbtest.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static struct xb_ended *run(const char *format, ...) __attribute__((format(printf, 1, 2)));

static struct xb_ended *run(const char *format, ...)
{
    char args[4096];
    va_list list;
    va_start(list, format);
    vsnprintf(args, sizeof args, format, list);
    va_end(list);
    return xb_spawn(&(struct xb_spawn){ .args = args });
}

/* Ends with the code, says `text` on the stream, and has no more than one line on standard error. */
static void expect(struct xb_ended *ended, int code, const char *out, const char *err)
{
    XB_EXPECT_EQ(ended->code, code);
    XB_EXPECT(!ended->left);
    if (out)
        XB_EXPECT_HAS(ended->out, out);
    if (err) {
        XB_EXPECT_HAS(ended->err, err);
        XB_EXPECT_EQ(ended->errors, 1);
        XB_EXPECT(!strstr(ended->out, "REGRESSED") && !strstr(ended->out, "PROVEN"));
    } else {
        XB_EXPECT_STREQ(ended->err, "");
    }
    free(ended);
}

/* ---- recorded pairs: every verdict, every exit code ---- */

/* From recordings of five C loops on a two-core guest; 12 blocks each. Both sides the same; the new
 * one 5 % slower; 5 % faster; a pointer chase with 1 % more work, drowned in noise. */
XB_TEST(Ab, RecordedPairOfTheSameCodeIsProven)
{
    expect(run("ab --blocks 12 --replay %s", xb_test_data("ab/int_2.csv")), 0, "PROVEN < 2 %",
           NULL);
}

XB_TEST(Ab, RecordedRegressionIsCalledAndTheExitCodeIs1)
{
    expect(run("ab --blocks 12 --replay %s", xb_test_data("ab/inj_2_50.csv")), 1, " REGRESSED",
           NULL);
}

XB_TEST(Ab, RecordedImprovementIsCalled)
{
    expect(run("ab --blocks 12 --replay %s", xb_test_data("ab/faster.csv")), 0, " IMPROVED", NULL);
}

XB_TEST(Ab, NoiseIsInconclusiveAndFailsOnlyWhereAsked)
{
    const char *noisy = xb_test_data("ab/inj_1_10.csv");
    expect(run("ab --margin 1 --blocks 12 --replay %s", noisy), 0, "INCONCLUSIVE: sees ", NULL);
    expect(run("ab --strict --margin 1 --blocks 12 --replay %s", xb_test_data("ab/inj_1_10.csv")),
           3, "INCONCLUSIVE: sees ", NULL);
}

XB_TEST(Ab, RegressionOutweighsTheInconclusive)
{
    char first[512];
    snprintf(first, sizeof first, "%s", xb_test_data("ab/inj_1_10.csv"));
    expect(run("ab --strict --margin 1 --blocks 12 --replay %s %s", first,
               xb_test_data("ab/inj_2_50.csv")),
           1, " REGRESSED", NULL);
}

XB_TEST(Ab, MinimumEffectAndMarginAreObeyed)
{
    expect(run("ab --blocks 12 --min-effect 6 --margin 8%% --replay %s",
               xb_test_data("ab/inj_2_50.csv")),
           0, "PROVEN < 8 %", NULL);
    expect(run("ab --blocks 12 --slowdown 3 --replay %s", xb_test_data("ab/int_2.csv")), 1,
           " REGRESSED", NULL);
}

/* ---- damaged recordings ---- */

/* Copies int_2.csv with `from` replaced by `to` in line `line`; NULL `to`: cut before it. */
static const char *damage(unsigned line, const char *from, const char *to)
{
    static char path[512];
    char text[4096];
    FILE *in = fopen(xb_test_data("ab/int_2.csv"), "r");
    snprintf(path, sizeof path, "%s/bad.csv", xb_test_folder());
    FILE *out = fopen(path, "w");
    for (unsigned at = 1; in && out && fgets(text, sizeof text, in); at++) {
        char *found = at == line ? strstr(text, from) : NULL;
        if (!found) {
            fputs(text, out);
            continue;
        }
        fprintf(out, "%.*s%s", (int)(found - text), text, to ? to : "");
        if (!to)
            break;
        fputs(found + strlen(from), out);
    }
    if (in)
        fclose(in);
    if (out)
        fclose(out);
    return path;
}

static void expect_refused(const char *path, const char *text)
{
    expect(run("ab --replay %s", path), 2, NULL, text);
}

XB_TEST(Ab, DamagedRecordingsAreRefusedByLineAndColumn)
{
    expect_refused(damage(3, ",1,B", ",1,C"), "bad.csv:3: column label: 'C' is not A or B");
    expect_refused(damage(3, ",1,B", ",1,A"),
                   "bad.csv:3: column label: the quartet is neither ABBA nor BAAB");
    expect_refused(damage(3, "0,0,1", "0,0,2"),
                   "bad.csv:3: column pos: quartet 0 pos 2 is out of order");
    expect_refused(damage(3, "0,0,1", "x,0,1"),
                   "bad.csv:3: column block: 'x' is not a whole number");
    expect_refused(damage(1, "cpu_ns", "cpu"),
                   "bad.csv:1: no column cpu_ns; this is no slices.csv");
    expect_refused(damage(2, ",0\n", "\n"), "bad.csv:2: 7 fields, but the header has 8");
    expect_refused(damage(3, ",1,B", ",1,\001"), "bad.csv:3: a control character");
    expect_refused(damage(100, ",", NULL), "bad.csv:100: the last line is not whole");
    expect_refused(damage(20, "0", NULL),
                   "bad.csv:20: column block: block 0 ends within a quartet");
    expect_refused("/nowhere/at.csv", "/nowhere/at.csv: No such file or directory");
}

XB_TEST(Ab, TooFewBlocksAreNoComparison)
{
    expect_refused(damage(34, "1", NULL), "fewer than 10 blocks");
    char path[512];
    snprintf(path, sizeof path, "%s/none.csv", xb_test_folder());
    fclose(fopen(path, "w"));
    expect_refused(path, "none.csv: the file is empty");
}

/* ---- builds that misbehave ---- */

/* A program in the test's folder that is a shell script. */
static const char *script(const char *body)
{
    static char path[512];
    snprintf(path, sizeof path, "%s/build.sh", xb_test_folder());
    FILE *out = fopen(path, "w");
    fprintf(out, "#!/bin/sh\n%s\n", body);
    fclose(out);
    chmod(path, 0755);
    return path;
}

static void expect_blamed(const char *body, const char *text)
{
    expect(run("ab %s %s cpu/mix64", xb_test_program(), script(body)), 2, NULL, text);
}

XB_TEST(Ab, BuildThatIsNotThereIsOneLine)
{
    expect(run("ab /nowhere/xbound %s", xb_test_program()), 2, NULL,
           "OLD (/nowhere/xbound): cannot be run: No such file or directory");
}

XB_TEST(Ab, BuildWithoutTheCommandIsOneLine)
{
    expect_blamed("echo \"xbound: unknown command 'ab'; see xbound --help\" >&2; exit 2",
                  "exited with 2 instead of speaking xbound-ab 1; it printed 'xbound: unknown");
}

XB_TEST(Ab, BuildThatCrashesIsOneLine)
{
    expect_blamed("kill -SEGV $$", "crashed: signal 11");
}

XB_TEST(Ab, BuildThatPrintsIsOneLine)
{
    expect_blamed("echo hello; sleep 100", "prints 'hello'");
    expect_blamed("while :; do echo y; done", "prints 'y'");
}

XB_TEST(Ab, BuildThatHangsIsEnded)
{
    expect_blamed("sleep 1000", "hangs: no answer in time; killed");
}

XB_TEST(Ab, BuildOfAnotherTimeIsRefused)
{
    expect_blamed("echo 'xbound-ab 2 alignment=64 commit=x' >&4; cat <&3",
                  "speaks xbound-ab 2, and this xbound 1");
    expect_blamed("echo 'good day' >&4; cat <&3", "answers 'good day' instead of speaking");
    expect_blamed("echo 'xbound-ab 1 x' >&4; cat <&3", "its greeting is cut short");
}

/* Passes everything on to the real build, but for what `body` does to its answers. */
static const char *meddler(const char *body)
{
    char text[2048];
    /* The real build's answers go through sed: its descriptor 4 is the pipe, ours is sed's. */
    snprintf(text, sizeof text,
             "exec 5>&4; { %s ab --serve 4>&1 >/dev/null 5>&-; } | sed -u '%s' >&5",
             xb_test_program(), body);
    return script(text);
}

XB_TEST(Ab, OtherWorkIsNoComparison)
{
    expect(run("ab --measure-unchanged --slice 50us --quartets 1 %s %s cpu/mix64",
               xb_test_program(), meddler("s/^\\(slice.*\\) [0-9a-f]*$/\\1 1/")),
           2, NULL, "OLD and NEW do different work");
}

XB_TEST(Ab, NonsenseInsteadOfASliceIsOneLine)
{
    expect(run("ab --measure-unchanged --slice 50us --quartets 1 %s %s cpu/mix64",
               xb_test_program(), meddler("s/^slice.*/slice -1/")),
           2, NULL, "answers 'slice -1' to go");
    expect(run("ab --measure-unchanged --slice 50us --quartets 1 %s %s cpu/mix64",
               xb_test_program(), meddler("s/^done/error verify: the answer is wrong/")),
           2, NULL, "verify: the answer is wrong");
}

XB_TEST(Ab, KernelThatNewLacksIsAFailureAndOneThatItAddsIsNot)
{
    expect(
        run("ab %s %s cpu/mix64 cpu/div_chain", xb_test_program(), meddler("/kernel cpu.mix64/d")),
        1, "cpu: 1 of 2 MISSING; 1 of 2 UNCHANGED", NULL);
    expect(
        run("ab %s %s cpu/mix64 cpu/div_chain", meddler("/kernel cpu.mix64/d"), xb_test_program()),
        0, "ADDED: OLD lacks it", NULL);
}

XB_TEST(Ab, BuildThatIsNotAlignedIsWarnedOf)
{
    struct xb_ended *ended =
        run("ab %s %s cpu/mix64", xb_test_program(), meddler("s/alignment=[^ ]*/alignment=none/"));
    XB_EXPECT_EQ(ended->code, 0);
    XB_EXPECT_HAS(ended->err, "is not built with -falign-functions=64 -falign-loops=64");
    free(ended);
}

/* ---- real builds ---- */

XB_TEST(Ab, SameCodeIsUnchangedWithoutTiming)
{
    expect(run("ab %s %s cpu/mix64 memory/copy", xb_test_program(), xb_test_program()), 0,
           "UNCHANGED: the same machine code", NULL);
}

/* No time is asserted: a stretch of a hundredfold is there on any machine. */
XB_TEST(Ab, LargeSlowdownIsCalledAndTheFilesSayIt)
{
    struct xb_ended *ended =
        run("ab --seed 7 --measure-unchanged --blocks 10 --slice 200us --quartets 2 --slowdown 900 "
            "-o out %s %s cpu/mix64",
            xb_test_program(), xb_test_program());
    XB_EXPECT_EQ(ended->code, 1);
    XB_EXPECT_HAS(ended->out, " REGRESSED");
    XB_EXPECT_HAS(ended->out, "cpu: 1 of 1 REGRESSED");
    free(ended);
    char path[512];
    struct xb_table table;
    snprintf(path, sizeof path, "%s/out/verdicts.csv", xb_test_folder());
    XB_EXPECT_EQ(xb_table_open(&table, path), 0);
    XB_EXPECT_EQ(table.rows, 1);
    XB_EXPECT_STREQ(xb_table_get(&table, 0, "verdict"), "REGRESSED");
    XB_EXPECT_STREQ(xb_table_get(&table, 0, "blocks"), "10");
    xb_table_close(&table);
    snprintf(path, sizeof path, "%s/out/ab.csv", xb_test_folder());
    XB_EXPECT_EQ(xb_table_open(&table, path), 0);
    XB_EXPECT_EQ(table.rows, 10);
    xb_table_close(&table);
    snprintf(path, sizeof path, "%s/out/slices.csv", xb_test_folder());
    XB_EXPECT_EQ(xb_table_open(&table, path), 0);
    XB_EXPECT_EQ(table.rows, 80);
    xb_table_close(&table);
    /* What it wrote it can judge again, to the same end. */
    expect(run("ab --blocks 10 --replay out/slices.csv"), 1, "cpu/mix64", NULL);
}

/* Half an L2 fits badly on some processes' pages: see serve.c. */
XB_TEST(Ab, SetsForTheL2AreAQuarterOfIt)
{
    struct xb_topology *topology = NULL;
    struct xb_reason why;
    char path[512], due[32];
    struct xb_table table;
    XB_EXPECT_EQ(xb_topology_open(NULL, &topology, &why), 0);
    uint64_t l1d = xb_topology_cache_bytes(topology, XB_CACHE_L1D);
    uint64_t l2 = xb_topology_cache_bytes(topology, XB_CACHE_L2);
    xb_topology_close(topology);
    if (!l1d || l2 < 8 * l1d) {
        XB_SKIP("an L1 of %llu bytes and an L2 of %llu", (unsigned long long)l1d,
                (unsigned long long)l2);
        return;
    }
    struct xb_ended *ended =
        run("ab --measure-unchanged --blocks 10 --slice 50us --quartets 1 --slowdown 900 -o out "
            "%s %s cache/chase_l2",
            xb_test_program(), xb_test_program());
    XB_EXPECT_EQ(ended->code, 1);
    free(ended);
    snprintf(path, sizeof path, "%s/out/ab.csv", xb_test_folder());
    snprintf(due, sizeof due, "%llu", (unsigned long long)l2 / 4);
    XB_EXPECT_EQ(xb_table_open(&table, path), 0);
    XB_EXPECT_EQ(xb_table_count(&table, "bytes_per_worker", due), 10);
    xb_table_close(&table);
}

/* ---- plug-ins ---- */

static void expect_plugin(const char *new, const char *text)
{
    expect(run("ab --plugin " XB_TEST_PLUGINS "/plain.so %s", new), 2, NULL, text);
}

/* The verdict is asserted and no time: one of them takes four times the steps on any machine. */
XB_TEST(Ab, PluginThatTakesMoreStepsRegressesAndBackAgainImproves)
{
    const char *quick = "ab --plugin --blocks 10 --slice 200us --quartets 2";
    expect(run("%s -o out %s/plain.so %s/slow.so", quick, XB_TEST_PLUGINS, XB_TEST_PLUGINS), 1,
           "cpu: 1 of 1 REGRESSED", NULL);
    expect(run("%s %s/slow.so %s/plain.so cpu/*", quick, XB_TEST_PLUGINS, XB_TEST_PLUGINS), 0,
           "cpu: 1 of 1 IMPROVED", NULL);
    char path[512];
    struct xb_table table;
    snprintf(path, sizeof path, "%s/out/provenance.csv", xb_test_folder());
    XB_EXPECT_EQ(xb_table_open(&table, path), 0);
    XB_EXPECT_EQ(xb_table_count(&table, "value", XB_TEST_PLUGINS "/slow.so"), 1);
    XB_EXPECT_EQ(xb_table_count(&table, "key", "new_commit"), 0);
    xb_table_close(&table);
}

XB_TEST(Ab, PluginOfTheSameBytesIsUnchangedUnlessAskedFor)
{
    char copy[600];
    snprintf(copy, sizeof copy, "cp %s/plain.so %s/copy.so", XB_TEST_PLUGINS, xb_test_folder());
    XB_EXPECT_EQ(system(copy), 0);
    expect(run("ab --plugin %s/plain.so copy.so", XB_TEST_PLUGINS), 0,
           "UNCHANGED: the same machine code", NULL);
    expect(run("ab --plugin --measure-unchanged --margin 50 --blocks 10 --slice 200us --quartets 2 "
               "%s/plain.so copy.so",
               XB_TEST_PLUGINS),
           0, "PROVEN < 50 %", NULL);
}

XB_TEST(Ab, PluginThatCannotBeUsedIsOneLine)
{
    expect_plugin("/nowhere.so", "NEW (/nowhere.so): No such file or directory");
    expect_plugin("/dev/null", "is not a file");
    expect_plugin(script("exit 0"), "is not a shared object that can be loaded: ");
    expect_plugin(XB_TEST_PLUGINS "/no_symbol.so", "no_symbol.so): has no symbol xb_plugin");
    expect_plugin(XB_TEST_PLUGINS "/other_abi.so", "has kernel ABI 999, and this xbound 1");
    expect_plugin(XB_TEST_PLUGINS "/other_size.so", "has structs of other sizes than this xbound");
    expect_plugin(XB_TEST_PLUGINS "/no_verify.so", "kernel 1 (cpu/nothing) lacks verify");
    expect_plugin(XB_TEST_PLUGINS "/undefined.so", "undefined symbol: xb_nowhere");
    expect_plugin(XB_TEST_PLUGINS "/crash.so", "crashed: signal 9");
    expect(run("ab --plugin " XB_TEST_PLUGINS "/plain.so"), 2, NULL, "needs two shared objects");
}

/* ---- commands ---- */

/* One line on standard error; `old` and `new` are scripts' bodies. xb_spawn() cuts arguments at
 * blanks, so each command is the path of a script. */
static struct xb_ended *run_commands(const char *options, const char *old, const char *new)
{
    char first[512];
    snprintf(first, sizeof first, "%s.old", script(old));
    rename(script(old), first);
    return run("ab --command --blocks 10 %s %s %s", options, first, script(new));
}

XB_TEST(Ab, CommandsOfWhichOneComputesMuchLongerRegress)
{
    expect(run_commands("", "exit 0", "i=0; while [ $i -lt 20000 ]; do i=$((i + 1)); done"), 1,
           " REGRESSED", NULL);
}

XB_TEST(Ab, WallTimeSeesACommandThatSleeps)
{
    expect(run_commands("--wall", "sleep 0.1", "exit 0"), 0, " IMPROVED", NULL);
}

XB_TEST(Ab, CommandThatMisbehavesIsOneLine)
{
    expect(run_commands("", "exit 0", "exit 3"), 2, NULL, "build.sh): exited with 3");
    expect(run_commands("", "exit 0", "kill -SEGV $$"), 2, NULL, "crashed: signal 11");
    expect(run_commands("", "echo hello", "exit 0"), 2, NULL, "OLD (");
    expect(run_commands("", "exit 0", "echo hello"), 2, NULL, "prints 'hello'");
    expect(run_commands("--limit 100ms", "exit 0", "sleep 100"), 2, NULL,
           "hangs: not over after 0.1 s; killed");
    expect(run("ab --command /nowhere/program true"), 2, NULL,
           "OLD (/nowhere/program): exited with 127; it printed: ");
    expect(run("ab --command true"), 2, NULL, "needs two commands");
    expect(run("ab --command true true true"), 2, NULL, "--command takes two commands");
    expect(run("ab --wall true true"), 2, NULL, "--wall goes with --command");
}

static bool starts_by_shell(const char *old, const char *new, struct xb_commands *commands)
{
    struct xb_reason why = { 0 };
    *commands = (struct xb_commands){ .line = { old, new }, .limit_ns = 60000000000, .cpu = -1 };
    XB_EXPECT_EQ(xb_commands_open(commands, &why), 0);
    XB_EXPECT_STREQ(why.text, "");
    return commands->shell;
}

XB_TEST(Ab, CommandsAreStartedAlikeAndByAShellOnlyWhereItHasSomethingToDo)
{
    struct xb_commands commands;
    XB_EXPECT(!starts_by_shell("true", " true  -n\t1 ", &commands));
    XB_EXPECT_STREQ(commands.argv[1][0], "true");
    XB_EXPECT_STREQ(commands.argv[1][1], "-n");
    XB_EXPECT_STREQ(commands.argv[1][2], "1");
    XB_EXPECT(!commands.argv[1][3]);
    xb_commands_close(&commands);
    static const char *const wants[] = { "true | true", "true '1'", "A=1 true", "exit 0",
                                         ":",           "true *",   "" };
    for (size_t i = 0; i < sizeof wants / sizeof wants[0]; i++) {
        XB_EXPECT(starts_by_shell("true", wants[i], &commands));
        XB_EXPECT_STREQ(commands.argv[0][0], "/bin/sh");
        XB_EXPECT_STREQ(commands.argv[0][2], "true");
        XB_EXPECT_STREQ(commands.argv[1][2], wants[i]);
        xb_commands_close(&commands);
    }
}

XB_TEST(Ab, AnEmptyCommandIsTimedInTheSameBlocks)
{
    struct xb_commands commands;
    struct xb_reason why = { 0 };
    starts_by_shell("true", "true", &commands);
    for (size_t i = 0; i < 2; i++, commands.contest.effect.n++)
        XB_EXPECT_EQ(xb_commands_block(&commands, 0, &why), 0);
    XB_EXPECT(commands.start_shares[0] > 0 && commands.start_shares[1] > 0);
    XB_EXPECT(commands.contest.start_share > 0);
    xb_commands_close(&commands);
}

/* With a fifth of the time for starting, 0.5 % of all is 0.625 % of the rest. */
XB_TEST(Ab, WhatStartingDoesToTheMinimumEffectIsSaid)
{
    static const struct {
        double share;
        const char *says;
    } cases[] = {
        { 0.05, NULL },
        { 0.2, "warning: 20 % of OLD's time is what it takes to start any command: of the rest the "
               "minimum effect is 0.62 % and the margin 2.5 %" },
        { 1.1, "warning: OLD takes hardly longer than it takes to start any command" },
    };
    for (size_t i = 0; i < 3; i++) {
        struct xb_contest contest = { .name = "command", .start_share = cases[i].share };
        struct xb_gate gate = { .rule = { 0.005, 0.02, xb_looks_plan(10) },
                                .contests = &contest,
                                .n = 1 };
        char *text = NULL;
        size_t bytes = 0;
        FILE *out = open_memstream(&text, &bytes);
        xb_gate_print(out, &gate);
        fclose(out);
        if (cases[i].says)
            XB_EXPECT_HAS(text, cases[i].says);
        else
            XB_EXPECT(!strstr(text, "warning"));
        free(text);
    }
}

/* ---- the self-test ---- */

XB_TEST(Ab, SelfTestCountsItsWindowsAndWritesThem)
{
    struct xb_ended *ended =
        run("ab --self-test --time 3s --slice 50us --quartets 1 --seed 5 -o out "
            "cpu/mix64");
    XB_EXPECT(ended->code == 0 || ended->code == 1);
    XB_EXPECT_STREQ(ended->err, "");
    XB_EXPECT_HAS(ended->out, "cpu/mix64");
    free(ended);
    char path[512];
    struct xb_table table;
    snprintf(path, sizeof path, "%s/out/selftest.csv", xb_test_folder());
    XB_EXPECT_EQ(xb_table_open(&table, path), 0);
    XB_EXPECT_EQ(table.rows, 7);
    XB_EXPECT_EQ(xb_table_count(&table, "what", "added"), 4);
    XB_EXPECT_EQ(xb_table_count(&table, "what", "injected"), 2);
    xb_table_close(&table);
    snprintf(path, sizeof path, "%s/out/verdicts.csv", xb_test_folder());
    XB_EXPECT(access(path, F_OK) !=
              0); /* charts and exports would take it for an ab that did not end */
}

/* ---- usage ---- */

XB_TEST(Ab, WrongUsageIsOneLine)
{
    static const struct {
        const char *args, *says;
    } wrong[] = {
        { "ab", "needs two builds" },
        { "ab one", "needs two builds" },
        { "ab --blocks 9 a b", "--blocks: '9' is not a whole number from 10 to 48" },
        { "ab --margin -1 a b", "--margin: '-1' is not a percentage" },
        { "ab --margin 1e1 a b", "--margin: '1e1' is not a percentage" },
        { "ab --margin % a b", "--margin: '%' is not a percentage" },
        { "ab --min-effect 3 a b", "--min-effect is to be less than --margin" },
        { "ab --class gpu a b", "--class: 'gpu' is not a list" },
        { "ab --slice 1ns a b", "--slice: '1ns' is not a time" },
        { "ab --frobnicate a b", "unknown option '--frobnicate'" },
        { "ab --plugin --command a b", "exclude each other" },
        { "ab --seed", "option '--seed' needs a value" },
        { "ab --replay", "--replay: no files" },
        { "ab --serve", "--serve is for xbound ab" },
        { "ab -o '' a b", "--out: an empty path" },
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        expect(run("%s", wrong[i].args), 2, NULL, wrong[i].says);
    expect(run("ab %s %s gpu/*", xb_test_program(), xb_test_program()), 2, NULL,
           "no kernel of OLD or NEW fits 'gpu/*'");
}

XB_TEST(Ab, HelpNamesEveryVerdictAndExitCode)
{
    struct xb_ended *ended = run("ab --help");
    static const char *const words[] = { "REGRESSED",    "IMPROVED", "PROVEN",        "UNCHANGED",
                                         "INCONCLUSIVE", "--strict", "Exit codes: 0", "--replay" };
    XB_EXPECT_EQ(ended->code, 0);
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        XB_EXPECT_HAS(ended->out, words[i]);
    free(ended);
}
