/* SPDX-License-Identifier: BSD-3-Clause
 * Tests the program as people run it: what it prints, how it ends, what it leaves behind. */
#include "spawn.h"
#include "xbtest.h"

#include "../../kernels/kernel.h"
#include "../base/clock.h"
#include "../core/cgroup.h"
#include "../core/registry.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

/* A sanitizer reserves more addresses than any limit grants. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { SANITIZED = true };
#else
enum { SANITIZED = false };
#endif

/* Enough to have rows to look at; nothing here looks at how fast anything is. */
#define QUICK "run --quick --samples 2 --min-time 1ms -o out "

/* A user with no processes and no rights here; it needs no entry in /etc/passwd. */
#define SOMEBODY 54321

/* ---- help ---- */

/* The caller frees. */
static struct xb_ended *run_prepared(const char *args, int (*prepare)(void))
{
    struct xb_spawn what = { .args = args, .prepare = prepare };
    struct xb_ended *ended = xb_spawn(&what);
    if (ended->code == XB_SPAWN_HUNG)
        XB_FAIL("'%s' hung", args);
    if (ended->left)
        XB_FAIL("'%s' left a process behind", args);
    return ended;
}

static struct xb_ended *run_program(const char *args)
{
    return run_prepared(args, NULL);
}

/* True, with the test skipped, where the machine did not let us prepare the case. */
static bool unprepared(const struct xb_ended *ended)
{
    if (ended->code == XB_SPAWN_UNPREPARED)
        XB_SKIP("cannot be set up here: %s", strerror(ended->unprepared));
    return ended->code == XB_SPAWN_UNPREPARED;
}

/* Runs to that exit code with exactly one line on standard error, which has `part`. */
static void expect_error(const char *args, int code, const char *part)
{
    struct xb_ended *ended = run_program(args);
    if (ended->code != code || ended->errors != 1 || !strstr(ended->err, part))
        XB_FAIL("'xbound %s' ends with %d and\n%swanted is %d and one line with\n%s", args,
                ended->code, ended->err, code, part);
    XB_EXPECT_STREQ(ended->out, "");
    free(ended);
}

/* Path in the test's folder; static storage, two at a time. */
static const char *here(const char *name)
{
    static char paths[2][4096];
    static int next;
    char *path = paths[next++ % 2];
    snprintf(path, sizeof paths[0], "%s/%s", xb_test_folder(), name);
    return path;
}

static void write_file(const char *name, const char *line, size_t lines)
{
    FILE *file = fopen(here(name), "we");
    for (size_t i = 0; file && i < lines; i++)
        fputs(line, file);
    if (!file || fclose(file))
        XB_FAIL("%s: %s", here(name), strerror(errno));
}

static size_t count_entries(const char *name)
{
    DIR *dir = opendir(here(name));
    size_t n = 0;
    while (dir && readdir(dir))
        n++;
    if (dir)
        closedir(dir);
    return n ? n - 2 : 0; /* . and .. */
}

/* Reads DIR/NAME, which must be whole. The caller closes. */
static struct xb_table read_table(const char *name)
{
    struct xb_table table;
    int err = xb_table_open(&table, here(name));
    if (err)
        XB_FAIL("%s: %s", name, err == -EBADMSG ? "has a line that is not whole" : strerror(-err));
    return table;
}

static size_t count_status(const char *status)
{
    struct xb_table table = read_table("out/summary.csv");
    size_t n = xb_table_count(&table, "status", status);
    xb_table_close(&table);
    return n;
}

/* Every row of summary.csv has that status and a reason with `part`; there is at least one. */
static void expect_all_rows(const char *status, const char *part)
{
    struct xb_table table = read_table("out/summary.csv");
    XB_EXPECT(table.rows > 0);
    for (size_t row = 0; row < table.rows; row++) {
        XB_EXPECT_STREQ(xb_table_get(&table, row, "status"), status);
        XB_EXPECT_HAS(xb_table_get(&table, row, "reason"), part);
        XB_EXPECT_STREQ(xb_table_get(&table, row, "wall_ns_median"), "");
    }
    xb_table_close(&table);
}

/* Each row has a status we know; whatever is not ok says why. */
static void expect_reasons(const char *name)
{
    struct xb_table table = read_table(name);
    for (size_t row = 0; row < table.rows; row++) {
        const char *status = xb_table_get(&table, row, "status");
        bool ok = strcmp(status, "ok") == 0;
        if (!ok && strcmp(status, "suspect") != 0 && strcmp(status, "failed") != 0 &&
            strcmp(status, "skipped") != 0)
            XB_FAIL("status '%s'", status);
        XB_EXPECT_EQ(xb_table_get(&table, row, "reason")[0] == '\0', ok);
    }
    xb_table_close(&table);
}

static int become_somebody(void)
{
    if (geteuid() != 0)
        return 0; /* we are somebody already */
    return setgroups(0, NULL) || setgid(SOMEBODY) || setuid(SOMEBODY) ? errno : 0;
}

/* ---- usage ---- */

XB_TEST(Cli, NoCommandOrAnUnknownOneIsOneLine)
{
    expect_error("", 2, "no command; see xbound --help");
    expect_error("frobnicate", 2, "unknown command 'frobnicate'; see xbound --help");
    expect_error("--frobnicate", 2, "'--frobnicate'");
    expect_error("''", 2, "unknown command ''");
    expect_error("RUN", 2, "unknown command 'RUN'");
}

XB_TEST(Cli, HelpAndVersionGoToStandardOutput)
{
    static const char *const asks[] = { "--help",     "-h",          "--version",
                                        "run --help", "list --help", "doctor --help" };
    for (size_t i = 0; i < sizeof asks / sizeof asks[0]; i++) {
        struct xb_ended *ended = run_program(asks[i]);
        XB_EXPECT_EQ(ended->code, 0);
        XB_EXPECT_STREQ(ended->err, "");
        XB_EXPECT(ended->out[0]);
        free(ended);
    }
}

XB_TEST(Cli, UnknownNamesAreRefusedByName)
{
    expect_error(QUICK "cpu/typo", 2, "no kernel fits 'cpu/typo'");
    expect_error(QUICK "cpu/mix64 nothing/*", 2, "'nothing/*'");
    expect_error(QUICK "''", 2, "no kernel fits ''");
    expect_error(QUICK "--model fibres", 2, "unknown model 'fibres'");
    expect_error(QUICK "--model threads,fibres", 2, "unknown model 'fibres'");
    expect_error(QUICK "--engine kqueue", 2, "unknown engine 'kqueue'");
    expect_error(QUICK "--counters vtune", 2, "unknown source 'vtune'");
    expect_error(QUICK "--events cycles,unicorns", 2, "unknown event 'unicorns'");
    expect_error(QUICK "--class gpu", 2, "unknown class 'gpu'");
    expect_error(QUICK "--bind everywhere", 2, "unknown policy 'everywhere'");
    expect_error(QUICK "--isa sse9", 2, "unknown variant 'sse9'; there are base avx2 avx512");
    expect_error(QUICK "--isa base,best", 2, "unknown variant 'best'");
    expect_error(QUICK "--isa base,", 2, "--isa: 'base,' is not a list");
    expect_error(QUICK "--frobnicate", 2, "unknown option '--frobnicate'");
    expect_error(QUICK "--frobnicate=3", 2, "unknown option '--frobnicate=3'");
    expect_error(QUICK "-x", 2, "unknown option '-x'");
    expect_error(QUICK "-xyz", 2, "unknown option '-x'");
    expect_error(QUICK "--m threads", 2, "unknown option '--m'"); /* which one of several? */
    expect_error(QUICK "--class io cpu/mix64", 2, "no kernel of the named class");
    expect_error("list --frobnicate", 2, "unknown option '--frobnicate'");
    expect_error("list --names -xy", 2, "unknown option '-xy'");
    expect_error("list cpu/mix64", 2, "'cpu/mix64'");
    expect_error("doctor --frobnicate", 2, "unknown option '--frobnicate'");
    expect_error("doctor now", 2, "unexpected argument 'now'");
    XB_EXPECT_EQ(count_entries(""), 0);
}

XB_TEST(Cli, NumbersOutOfRangeOrNoneAtAllAreRefusedWithTheRange)
{
    static const char *const wrong[] = { "0",    "-1",  "99999999999999999999",
                                         "many", "1.5", "1e3",
                                         "''",   "+1",  "0x10",
                                         "1,,2", ",",   "1,x" };
    static const char *const options[] = { "workers", "lanes", "depth", "samples" };
    char args[256], option[32];
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        for (size_t k = 0; k < sizeof options / sizeof options[0]; k++) {
            snprintf(args, sizeof args, QUICK "cpu/mix64 --%s %s", options[k], wrong[i]);
            snprintf(option, sizeof option, "--%s: ", options[k]);
            expect_error(args, 2, option);
        }
        if (strcmp(wrong[i], "0") == 0)
            continue; /* a seed like any other */
        snprintf(args, sizeof args, QUICK "cpu/mix64 --seed %s", wrong[i]);
        expect_error(args, 2, "--seed: ");
    }
    expect_error(QUICK "--workers 2000000", 2, "from 1 to 1048576");
    expect_error(QUICK "--lanes 2000000", 2, "from 1 to 1048576");
    expect_error(QUICK "--depth 4097", 2, "from 1 to 4096");
    expect_error(QUICK "--samples 4097", 2, "from 1 to 4096");
    expect_error(QUICK "--seed 18446744073709551616", 2, "--seed");
    XB_EXPECT_EQ(count_entries(""), 0);
}

XB_TEST(Cli, SizesAndTimesOutOfRangeAreRefusedWithAnExample)
{
    static const char *const sizes[] = { "0", "-1", "17T", "1X", "1.5K", "K", "''", "64K,", "1KB" };
    static const char *const limits[] = { "0", "7M", "17T", "-1", "many", "''", "64M,128M" };
    static const char *const times[] = {
        "0", "-1ms", "10", "1h", "1ns", "3601", "ms", "''", "1,5ms"
    };
    static const char *const sweeps[] = {
        "bytes=",         "bytes=4K",      "bytes=4K:",   "bytes=1M:4K", "bytes=0:4K",
        "bytes=4K:1M:0",  "bytes=4K:1M:x", "workers=1:4", "4K:1M",       "''",
        "bytes=4K:1M:2:2"
    };
    static const char *const caches[] = { "''",          "guessed",       "48K,1M",
                                          "48K,1M,x",    "48K,1M,32M,1G", "1M,48K,32M",
                                          "48K,1M,512K", "0,1M,32M" };
    char args[256];
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        snprintf(args, sizeof args, QUICK "cpu/mix64 --bytes %s", sizes[i]);
        expect_error(args, 2, "--bytes: ");
    }
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        snprintf(args, sizeof args, QUICK "cpu/mix64 --memory-limit %s", limits[i]);
        expect_error(args, 2, "is not a size from 8M to 16T");
    }
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        if (strcmp(times[i], "10") == 0)
            continue; /* seconds */
        snprintf(args, sizeof args, QUICK "cpu/mix64 --min-time %s", times[i]);
        expect_error(args, 2, "--min-time: ");
        snprintf(args, sizeof args, QUICK "cpu/mix64 --max-time %s", times[i]);
        expect_error(args, 2, "--max-time: ");
    }
    for (size_t i = 0; i < sizeof sweeps / sizeof sweeps[0]; i++) {
        snprintf(args, sizeof args, QUICK "cpu/mix64 --sweep %s", sweeps[i]);
        expect_error(args, 2, "--sweep: ");
    }
    for (size_t i = 0; i < sizeof caches / sizeof caches[0]; i++) {
        snprintf(args, sizeof args, QUICK "--caches %s", caches[i]);
        expect_error(args, 2, "--caches: ");
    }
    expect_error(QUICK "--sweep bytes=4K:16T:16", 2, "more than 256 sizes");
    expect_error(QUICK "--max-time 100us", 2, "--max-time is less than --min-time");
    XB_EXPECT_EQ(count_entries(""), 0);
}

XB_TEST(Cli, AnOptionWithoutItsValueIsNamed)
{
    static const char *const options[] = {
        "--class",    "--model",    "--engine", "--workers", "--bind",
        "--bytes",    "--sweep",    "--depth",  "--isa",     "--memory-limit",
        "--file",     "--url",      "--seed",   "--samples", "--min-time",
        "--max-time", "--counters", "--events", "--output",  "-o"
    };
    char args[128], part[128];
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++) {
        snprintf(args, sizeof args, "run cpu/mix64 %s", options[i]);
        snprintf(part, sizeof part, "option '%s' needs a value", options[i]);
        expect_error(args, 2, part);
    }
}

XB_TEST(Cli, AnOptionThatNoChosenKernelObeysIsRefused)
{
    expect_error(QUICK "cpu/mix64 --file /etc/passwd", 2, "--file");
    expect_error(QUICK "io/fsync_log --file /etc/passwd", 2, "none of these kernels reads a file");
    expect_error(QUICK "cpu/mix64 --url http://127.0.0.1/", 2, "--url");
}

/* ---- what it shows ---- */

XB_TEST(Cli, DryRunShowsCellsAndWritesNothing)
{
    struct xb_ended *ended = run_program("run --dry-run -o out cpu/mix64 io/line_count");
    XB_EXPECT_EQ(ended->code, 0);
    XB_EXPECT_STREQ(ended->err, "");
    XB_EXPECT_HAS(ended->out,
                  "kernel,model,engine,workers,lanes,bytes_per_worker,depth,isa,skipped\n");
    XB_EXPECT_HAS(ended->out, "cpu/mix64,threads,blocking,1,");
    XB_EXPECT_HAS(ended->out, "io/line_count,loop,epoll,1,1,16777216,1,base,epoll refuses");
    XB_EXPECT_EQ(count_entries(""), 0);
    free(ended);
}

XB_TEST(Cli, ASweepHasEachSizeOnce)
{
    struct xb_ended *ended = run_program(
        "run --dry-run --sweep bytes=1K:8K:4 --workers 1 --model threads cache/load_l1");
    XB_EXPECT_EQ(ended->code, 0);
    size_t lines = 0;
    for (const char *at = ended->out; (at = strchr(at, '\n')); at++)
        lines++;
    /* 1 to 8 KiB in whole KiB, less those that the steps leave out, and the header. */
    XB_EXPECT(lines <= 1 + 8);
    XB_EXPECT_HAS(ended->out, ",1024,1,");
    XB_EXPECT_HAS(ended->out, ",8192,1,");
    free(ended);
}

/* mix64 is plain C: of the variants that are asked for, however often, it has one. */
XB_TEST(Cli, VariantsMultiplyCellsAndADoubledOneDoesNot)
{
    struct xb_ended *ended = run_program("run --dry-run --isa avx2,base,avx512,base,avx2 "
                                         "--workers 1 --model threads cpu/mix64");
    XB_EXPECT_EQ(ended->code, 0);
    size_t lines = 0;
    for (const char *at = ended->out; (at = strchr(at, '\n')); at++)
        lines++;
    XB_EXPECT_EQ(lines, 1 + 3);
    XB_EXPECT_HAS(ended->out, ",base,\n");
    XB_EXPECT_HAS(ended->out, ",avx2,no avx2 variant of this kernel; it has base\n");
    XB_EXPECT_HAS(ended->out, ",avx512,no avx512 variant of this kernel; it has base\n");
    free(ended);
    ended =
        run_program("run --dry-run --isa avx2 --isa best --workers 1 --model threads cpu/mix64");
    XB_EXPECT_HAS(ended->out, ",base,\n");
    free(ended);
}

XB_TEST(Cli, RowsNameTheVariantThatRan)
{
    struct xb_ended *ended =
        run_program(QUICK "--isa base,avx2 --workers 1 --model threads cpu/fma_peak cpu/mix64");
    XB_EXPECT_EQ(ended->code, 0);
    struct xb_table table = read_table("out/summary.csv");
    XB_EXPECT_EQ(table.rows, 4);
    XB_EXPECT_EQ(xb_table_count(&table, "isa", "base"), 2);
    XB_EXPECT_EQ(xb_table_count(&table, "isa", "avx2"), 2);
    for (size_t row = 0; row < table.rows; row++)
        if (strcmp(xb_table_get(&table, row, "isa"), "base") == 0)
            XB_EXPECT(strcmp(xb_table_get(&table, row, "status"), "skipped") != 0);
    xb_table_close(&table);
    expect_reasons("out/summary.csv");
    free(ended);
}

static int without_colour(void)
{
    return setenv("TERM", "xterm", 1) || setenv("NO_COLOR", "1", 1) ? errno : 0;
}

static int with_colour(void)
{
    return setenv("TERM", "xterm", 1) || unsetenv("NO_COLOR") ? errno : 0;
}

XB_TEST(Cli, DoctorAndListWorkInAPipeWithoutColour)
{
    static const char *const commands[] = { "doctor", "doctor --csv", "list", "list --names",
                                            "list --columns" };
    int (*const prepare[])(void) = { NULL, without_colour, with_colour };
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        for (size_t k = 0; k < sizeof prepare / sizeof prepare[0]; k++) {
            struct xb_ended *ended = run_prepared(commands[i], prepare[k]);
            XB_EXPECT_EQ(ended->code, 0);
            XB_EXPECT_STREQ(ended->err, "");
            XB_EXPECT(ended->out[0]);
            XB_EXPECT(!strchr(ended->out, '\033'));
            free(ended);
        }
}

XB_TEST(Cli, DoctorColoursATerminalUnlessNoColorSaysNot)
{
    struct xb_spawn what = { .args = "doctor", .terminal = true, .prepare = with_colour };
    struct xb_ended *ended = xb_spawn(&what);
    XB_EXPECT_EQ(ended->code, 0);
    XB_EXPECT(strchr(ended->out, '\033') != NULL);
    free(ended);
    what.prepare = without_colour;
    ended = xb_spawn(&what);
    XB_EXPECT_EQ(ended->code, 0);
    XB_EXPECT(!strchr(ended->out, '\033'));
    free(ended);
}

/* hwloc finds no CPU then, and everything read from /sys is unknown. */
static int hide_sys(void)
{
    if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
        mount("none", "/sys", "tmpfs", 0, NULL))
        return errno;
    return 0;
}

XB_TEST(Cli, DoctorListAndRunWorkWithoutSys)
{
    static const char *const commands[] = { "doctor", "list",
                                            QUICK "cpu/mix64 --model threads --workers 1" };
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        struct xb_ended *ended = run_prepared(commands[i], hide_sys);
        if (!unprepared(ended))
            XB_EXPECT_EQ(ended->code, 0);
        free(ended);
    }
}

static int close_output(void)
{
    int fd = open("/dev/full", O_WRONLY);
    return fd < 0 || dup2(fd, STDOUT_FILENO) < 0 ? errno : 0;
}

XB_TEST(Cli, OutputThatIsLostIsAFailure)
{
    static const char *const commands[] = { "--help",         "--version", "list",
                                            "list --columns", "doctor",    "run --help",
                                            "run --dry-run" };
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        struct xb_ended *ended = run_prepared(commands[i], close_output);
        if (unprepared(ended)) {
            free(ended);
            return;
        }
        if (ended->code != 1 || ended->errors != 1)
            XB_FAIL("%s into a full device ends with %d and '%s'", commands[i], ended->code,
                    ended->err);
        free(ended);
    }
}

/* ---- where results go ---- */

XB_TEST(Cli, OutputBelowAFileIsRefused)
{
    write_file("file", "", 0);
    expect_error("run cpu/mix64 -o file", 2, "file");
    expect_error("run cpu/mix64 -o file/out", 2, "file/out: Not a directory");
    expect_error("run cpu/mix64 -o ''", 2, "empty path");
}

XB_TEST(Cli, OutputThatIsNotEmptyIsRefusedAndLeftAlone)
{
    XB_EXPECT_EQ(mkdir(here("out"), 0777), 0);
    write_file("out/precious", "kept\n", 1);
    expect_error(QUICK "cpu/mix64", 2, "out exists and is not empty");
    XB_EXPECT_EQ(count_entries("out"), 1);
}

XB_TEST(Cli, OutputThatIsEmptyOrDeepIsTaken)
{
    static const char rest[] = "cpu/mix64 --model threads --workers 1 --samples 1 --min-time 1ms";
    char args[256];
    XB_EXPECT_EQ(mkdir(here("empty"), 0777), 0);
    snprintf(args, sizeof args, "run -o empty %s", rest);
    struct xb_ended *ended = run_program(args);
    XB_EXPECT_EQ(ended->code, 0);
    XB_EXPECT_EQ(count_entries("empty"), 3);
    free(ended);
    snprintf(args, sizeof args, "run -o a/b/c// %s", rest);
    ended = run_program(args);
    XB_EXPECT_EQ(ended->code, 0);
    XB_EXPECT_EQ(count_entries("a/b/c"), 3);
    struct xb_table table = read_table("a/b/c/summary.csv");
    XB_EXPECT_STREQ(xb_table_get(&table, 0, "run_id"), "c");
    xb_table_close(&table);
    free(ended);
}

XB_TEST(Cli, OutputInAFolderWithoutRightsIsRefused)
{
    chmod(xb_test_folder(), 0755);
    XB_EXPECT_EQ(mkdir(here("locked"), 0555), 0);
    static const char *const commands[] = { "run cpu/mix64 -o locked",
                                            "run cpu/mix64 -o locked/out" };
    for (size_t i = 0; i < 2; i++) {
        struct xb_ended *ended = run_prepared(commands[i], become_somebody);
        if (!unprepared(ended)) {
            XB_EXPECT_EQ(ended->code, 2);
            XB_EXPECT_EQ(ended->errors, 1);
            XB_EXPECT_HAS(ended->err, "locked");
            XB_EXPECT_HAS(ended->err, "Permission denied");
        }
        free(ended);
    }
}

/* ---- a full disk ---- */

enum { MANY = 100 }; /* samples of a cell: some 20 KB of rows */
#define FILL_DISK \
    "run cpu/branch_random --workers 1 --bytes 1K,2K,3K --samples 100 --min-time 20us -o "

/* What is there is whole: every line, and all samples of each cell that has a summary. */
static void expect_whole_cells(const char *folder)
{
    char name[64];
    snprintf(name, sizeof name, "%s/samples.csv", folder);
    struct xb_table samples = read_table(name);
    snprintf(name, sizeof name, "%s/summary.csv", folder);
    struct xb_table summary = read_table(name);
    XB_EXPECT_EQ(samples.rows % MANY, 0);
    XB_EXPECT(samples.rows >= MANY * summary.rows);
    XB_EXPECT(summary.rows < 9); /* otherwise the disk was not full, and this shows nothing */
    xb_table_close(&samples);
    xb_table_close(&summary);
}

static int limit_file_size(void)
{
    struct rlimit limit = { 50000, 50000 };
    return setrlimit(RLIMIT_FSIZE, &limit) ? errno : 0;
}

XB_TEST(Cli, AFileSizeLimitEndsTheRunAndKeepsWholeRows)
{
    struct xb_ended *ended = run_prepared(FILL_DISK "out", limit_file_size);
    XB_EXPECT_EQ(ended->code, 1);
    XB_EXPECT_EQ(ended->errors, 1);
    XB_EXPECT_HAS(ended->err, "out/samples.csv: File too large");
    expect_whole_cells("out");
    struct xb_table samples = read_table("out/samples.csv");
    XB_EXPECT(samples.rows > 0);
    xb_table_close(&samples);
    free(ended);
}

XB_TEST(Cli, AFullDiskEndsTheRunAndKeepsWholeRows)
{
    char disk[4096];
    snprintf(disk, sizeof disk, "%s", here("disk"));
    XB_EXPECT_EQ(mkdir(disk, 0777), 0);
    if (mount("none", disk, "tmpfs", 0, "size=64k")) {
        XB_SKIP("cannot mount a small disk: %s", strerror(errno));
        return;
    }
    struct xb_ended *ended = run_program(FILL_DISK "disk/out");
    XB_EXPECT_EQ(ended->code, 1);
    XB_EXPECT_EQ(ended->errors, 1);
    XB_EXPECT_HAS(ended->err, "disk/out/samples.csv: No space left on device");
    expect_whole_cells("disk/out");
    free(ended);

    /* Too full for a first row, and for the text that this kernel would read. */
    ended = run_program("run io/line_count --workers 1 --samples 1 --model threads "
                        "--engine blocking -o disk/next");
    XB_EXPECT_EQ(ended->code, 1);
    XB_EXPECT_HAS(ended->err, "No space left on device");
    umount2(disk, MNT_DETACH);
    free(ended);
}

/* ---- files ---- */

#define READ_FILE QUICK "io/line_count --workers 1,2 --engine blocking --model threads --file "

static void expect_bad_file(const char *name, int (*prepare)(void), const char *part)
{
    char args[512];
    snprintf(args, sizeof args, READ_FILE "%s", name);
    struct xb_ended *ended = run_prepared(args, prepare);
    if (!unprepared(ended)) {
        XB_EXPECT_EQ(ended->code, 1);
        XB_EXPECT_HAS(ended->err, name);
        XB_EXPECT_HAS(ended->err, part);
        expect_all_rows("failed", part);
    }
    free(ended);
}

XB_TEST(Cli, AFileThatIsAFolderFails)
{
    expect_bad_file("/tmp", NULL, "is a directory");
}

XB_TEST(Cli, AFileThatIsMissingFails)
{
    expect_bad_file("no_such_file", NULL, "No such file or directory");
}

XB_TEST(Cli, AFileThatIsEmptyFails)
{
    write_file("empty", "", 0);
    expect_bad_file("empty", NULL, "is empty");
}

XB_TEST(Cli, AFileThatMayNotBeReadFails)
{
    write_file("secret", "line\n", 1);
    chmod(here("secret"), 0);
    chmod(xb_test_folder(), 0777);
    expect_bad_file("secret", become_somebody, "Permission denied");
}

XB_TEST(Cli, AFileThatIsADeviceOrAPipeFails)
{
    expect_bad_file("/dev/zero", NULL, "not a regular file");
}

XB_TEST(Cli, AFileOnAnEngineThatRefusesFilesIsSkipped)
{
    write_file("lines", "line\n", 10);
    struct xb_ended *ended = run_program(QUICK "io/line_count --engine epoll --file lines");
    XB_EXPECT_EQ(ended->code, 77);
    XB_EXPECT_STREQ(ended->err, "");
    expect_all_rows("skipped", "epoll refuses regular files");
    free(ended);
}

XB_TEST(Cli, AFileIsForTheKernelsThatReadOneAndLeavesTheOthersTheirSize)
{
    write_file("lines", "line\n", 10);
    struct xb_ended *ended =
        run_program("run io/line_count io/fsync_log --model threads --engine blocking --workers 1 "
                    "--file lines --dry-run");
    XB_EXPECT_EQ(ended->code, 0);
    XB_EXPECT_HAS(ended->out, "io/line_count,threads,blocking,1,1,50,");
    XB_EXPECT_HAS(ended->out, "io/fsync_log,threads,blocking,1,1,1048576,");
    free(ended);
}

/* iters of this kernel are blocks of 128 KiB, of which each has 1024 lines of 128 bytes. */
XB_TEST(Cli, ARealFileHasAsManyLinesAsItHas)
{
    static const struct {
        size_t lines, lines_a_block;
    } files[] = { { 1000, 1000 }, { 3072, 1024 } };
    char line[129];
    memset(line, 'x', 127);
    strcpy(line + 127, "\n");
    for (size_t i = 0; i < 2; i++) {
        char args[512];
        write_file("lines", line, files[i].lines);
        snprintf(args, sizeof args,
                 "run io/line_count --quick --samples 2 --min-time 1ms --workers 1,3 "
                 "--file lines -o out%zu",
                 i);
        struct xb_ended *ended = run_program(args);
        XB_EXPECT_EQ(ended->code, 0);
        snprintf(args, sizeof args, "out%zu/samples.csv", i);
        struct xb_table table = read_table(args);
        size_t measured = 0;
        for (size_t row = 0; row < table.rows; row++) {
            if (strcmp(xb_table_get(&table, row, "status"), "skipped") == 0)
                continue;
            uint64_t iters = strtoull(xb_table_get(&table, row, "iters"), NULL, 10);
            uint64_t workers = strtoull(xb_table_get(&table, row, "workers"), NULL, 10);
            uint64_t items = strtoull(xb_table_get(&table, row, "items"), NULL, 10);
            uint64_t bytes = strtoull(xb_table_get(&table, row, "bytes_read"), NULL, 10);
            XB_EXPECT(iters > 0);
            XB_EXPECT_EQ(items, iters * workers * files[i].lines_a_block);
            XB_EXPECT_EQ(bytes, items * 128);
            measured++;
        }
        XB_EXPECT(measured >= 2 * 2 * 2); /* two models with threads of their own, at the least */
        xb_table_close(&table);
        free(ended);
    }
}

/* ---- URLs ---- */

static void expect_bad_url(const char *url, const char *part)
{
    char args[512];
    snprintf(args, sizeof args,
             "run --quick --samples 1 io/http_get --workers 1 --engine blocking --model threads "
             "-o out --url %s",
             url);
    struct xb_ended *ended = run_program(args);
    XB_EXPECT_EQ(ended->code, 1);
    XB_EXPECT_EQ(ended->errors, 1);
    XB_EXPECT_HAS(ended->err, part);
    expect_all_rows("failed", part);
    free(ended);
}

XB_TEST(Cli, AUrlThatRefusesFails)
{
    /* Bound, so that nobody else gets it, and not listening. */
    struct sockaddr_in address = { .sin_family = AF_INET };
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(fd, (struct sockaddr *)&address, length) ||
        getsockname(fd, (struct sockaddr *)&address, &length))
        XB_FAIL("%s", strerror(errno));
    char url[64];
    snprintf(url, sizeof url, "http://127.0.0.1:%u/", (unsigned)ntohs(address.sin_port));
    expect_bad_url(url, "Connection refused");
    close(fd);
}

XB_TEST(Cli, AUrlThatIsHttpsFails)
{
    expect_bad_url("https://127.0.0.1/", "https");
}

XB_TEST(Cli, AUrlThatIsGarbageFails)
{
    expect_bad_url("garbage", "garbage");
}

XB_TEST(Cli, AUrlWithAnImpossiblePortFails)
{
    expect_bad_url("http://127.0.0.1:99999/", "99999");
}

/* ---- limits ---- */

static int limit_open_files(void)
{
    struct rlimit limit = { 64, 64 };
    return setrlimit(RLIMIT_NOFILE, &limit) ? errno : 0;
}

XB_TEST(Cli, TooFewOpenFilesEndInRowsWithReasons)
{
    struct xb_ended *dry = run_program("run --dry-run io/* --workers 64");
    size_t cells = 0;
    for (const char *at = dry->out; (at = strchr(at, '\n')); at++)
        cells++;
    free(dry);
    struct xb_ended *ended = run_prepared(QUICK "io/* --workers 64", limit_open_files);
    XB_EXPECT_EQ(ended->code, 1);
    expect_reasons("out/summary.csv");
    expect_reasons("out/samples.csv");
    XB_EXPECT(count_status("failed") > 0);
    XB_EXPECT_HAS(ended->err, "Too many open files");
    struct xb_table table = read_table("out/summary.csv");
    XB_EXPECT_EQ(table.rows + 1, cells); /* the header is a line too */
    xb_table_close(&table);
    free(ended);
}

/* As somebody who may not lift the hard limit. */
static int limit_open_files_for_good(void)
{
    int err = limit_open_files();
    return err ? err : become_somebody();
}

XB_TEST(Cli, MoreConnectionsThanAProcessMayHaveFilesAreSkippedAndTheRowSaysWhatToDo)
{
    chmod(xb_test_folder(), 0777);
    /* For 60 the server has files enough, and the client does not. */
    struct xb_ended *ended = run_prepared(
        QUICK "io/idle_connections --model loop --engine epoll --workers 60,64,20000 --lanes 1",
        limit_open_files_for_good);
    if (!unprepared(ended)) {
        XB_EXPECT_EQ(ended->code, 77);
        expect_all_rows("skipped",
                        " connections exceed the 64 files of a process; raise ulimit -Hn, "
                        "or take fewer workers");
    }
    free(ended);
}

static int limit_processes_to(rlim_t most)
{
    struct rlimit limit = { most, most };
    int err = become_somebody();
    return err ? err : setrlimit(RLIMIT_NPROC, &limit) ? errno : 0;
}

static int limit_processes(void)
{
    return limit_processes_to(16);
}

static int allow_no_process(void)
{
    return limit_processes_to(1);
}

XB_TEST(Cli, TooFewProcessesEndInRowsWithReasons)
{
    chmod(xb_test_folder(), 0777);
    struct xb_ended *ended =
        run_prepared(QUICK "cpu/mix64 --workers 64 --model threads,processes", limit_processes);
    if (!unprepared(ended)) {
        XB_EXPECT_EQ(ended->code, 1);
        expect_all_rows("failed", "Resource temporarily unavailable");
    }
    free(ended);
}

XB_TEST(Cli, NotOneProcessEndsInRowsWithReasons)
{
    chmod(xb_test_folder(), 0777);
    struct xb_ended *ended =
        run_prepared(QUICK "cpu/mix64 --workers 2 --model threads,processes", allow_no_process);
    if (!unprepared(ended)) {
        XB_EXPECT_EQ(ended->code, 1);
        expect_all_rows("failed", "Resource temporarily unavailable");
    }
    free(ended);
}

static int allow_one_cpu(void)
{
    cpu_set_t all, one;
    CPU_ZERO(&one);
    if (sched_getaffinity(0, sizeof all, &all))
        return errno;
    for (int cpu = 0; cpu < CPU_SETSIZE && !CPU_COUNT(&one); cpu++)
        if (CPU_ISSET(cpu, &all))
            CPU_SET(cpu, &one);
    return sched_setaffinity(0, sizeof one, &one) ? errno : 0;
}

XB_TEST(Cli, OneCpuIsEnough)
{
    struct xb_ended *ended = run_prepared(QUICK "cpu/mix64", allow_one_cpu);
    if (unprepared(ended)) {
        free(ended);
        return;
    }
    XB_EXPECT_EQ(ended->code, 0);
    struct xb_table table = read_table("out/summary.csv");
    XB_EXPECT_EQ(xb_table_count(&table, "workers", "1") + xb_table_count(&table, "workers", "2"),
                 table.rows);
    XB_EXPECT(table.rows > 0);
    xb_table_close(&table);
    table = read_table("out/provenance.csv");
    XB_EXPECT_EQ(xb_table_count(&table, "key", "pus"), 1);
    for (size_t row = 0; row < table.rows; row++)
        if (strcmp(xb_table_get(&table, row, "key"), "pus") == 0)
            XB_EXPECT_STREQ(xb_table_get(&table, row, "value"), "1");
    xb_table_close(&table);
    free(ended);
}

/* ---- interruption ---- */

static size_t count_lines(const char *name)
{
    FILE *file = fopen(here(name), "re");
    size_t lines = 0;
    for (int c; file && (c = getc(file)) != EOF;)
        lines += c == '\n';
    if (file)
        fclose(file);
    return lines;
}

/* Sends a signal to a run that would take minutes, as soon as two cells are done. */
static struct xb_ended *interrupt(int number)
{
    struct xb_spawn what = {
        .args = "run cpu/mix64 io/pipe_ring --workers 1,2,3,4,5,6,7,8 --samples 20 -o out",
        .background = true,
    };
    struct xb_ended *ended = xb_spawn(&what);
    uint64_t begin = xb_now_ns();
    while (count_lines("out/summary.csv") < 3 && xb_now_ns() - begin < UINT64_C(60000000000))
        usleep(5000);
    kill(ended->pid, number);
    xb_spawn_finish(ended);
    XB_EXPECT(!ended->left);
    return ended;
}

static void expect_finished_rows(void)
{
    struct xb_table summary = read_table("out/summary.csv");
    struct xb_table samples = read_table("out/samples.csv");
    XB_EXPECT(summary.rows >= 2);
    XB_EXPECT(samples.rows >= summary.rows);
    expect_reasons("out/summary.csv");
    xb_table_close(&summary);
    xb_table_close(&samples);
}

XB_TEST(Cli, AnInterruptKeepsWhatIsFinishedAndLeavesNoProcess)
{
    struct xb_ended *ended = interrupt(SIGINT);
    XB_EXPECT_EQ(ended->code, 130);
    XB_EXPECT_EQ(ended->errors, 1);
    XB_EXPECT_HAS(ended->err, "interrupted;");
    expect_finished_rows();
    free(ended);
}

XB_TEST(Cli, ARequestToEndIsAnInterruptToo)
{
    struct xb_ended *ended = interrupt(SIGTERM);
    XB_EXPECT_EQ(ended->code, 130);
    expect_finished_rows();
    free(ended);
}

XB_TEST(Cli, AKillKeepsWhatIsFinishedAndLeavesNoProcess)
{
    struct xb_ended *ended = interrupt(SIGKILL);
    XB_EXPECT_EQ(ended->code, 128 + SIGKILL);
    expect_finished_rows();
    free(ended);
}

/* A run of one cell has nothing left to do after it, and yet it was cut short. */
XB_TEST(Cli, AnInterruptInTheLastCellKeepsItsSamplesAndSaysSo)
{
    struct xb_spawn what = {
        .args = "run cpu/mix64 --model threads --workers 1 --samples 4000 --min-time 5ms -o out",
        .background = true,
    };
    struct xb_ended *ended = xb_spawn(&what);
    uint64_t begin = xb_now_ns();
    /* provenance.csv is written when the cells begin; then some samples' time. */
    while (count_lines("out/provenance.csv") < 3 && xb_now_ns() - begin < UINT64_C(60000000000))
        usleep(5000);
    usleep(500000);
    kill(ended->pid, SIGINT);
    xb_spawn_finish(ended);
    XB_EXPECT_EQ(ended->code, 130);
    XB_EXPECT_HAS(ended->err, "interrupted;");
    struct xb_table summary = read_table("out/summary.csv");
    XB_EXPECT_EQ(summary.rows, 1);
    if (summary.rows == 1) {
        XB_EXPECT_STREQ(xb_table_get(&summary, 0, "stop"), "interrupted");
        XB_EXPECT(strcmp(xb_table_get(&summary, 0, "samples"), "4000") != 0);
    }
    xb_table_close(&summary);
    free(ended);
}

/* ---- a limit on memory ---- */

#define LIMITED "--model threads --workers 1 --memory-limit "

/* Whether the control group of a run's cells is there. */
static bool has_group(pid_t pid)
{
    char folder[PATH_MAX], path[PATH_MAX + 32];
    bool found = false;
    for (int version = 1; version <= 2; version++) {
        found |= xb_cgroup_memory_folder("", version, folder) == 0 &&
                 snprintf(path, sizeof path, "%s/xbound-%d", folder, (int)pid) > 0 &&
                 access(path, F_OK) == 0;
    }
    return found;
}

static void expect_provenance(const char *key, const char *value)
{
    struct xb_table table = read_table("out/provenance.csv");
    size_t found = 0;
    for (size_t row = 0; row < table.rows; row++)
        if (strcmp(xb_table_get(&table, row, "key"), key) == 0) {
            XB_EXPECT_STREQ(xb_table_get(&table, row, "value"), value);
            found++;
        }
    XB_EXPECT_EQ(found, 1);
    xb_table_close(&table);
}

XB_TEST(Cli, WithoutALimitWorkThatOutgrowsItIsSkippedAndSaysWhatToGive)
{
    struct xb_ended *ended = run_program(QUICK "memory/capacity --model threads --workers 1");
    XB_EXPECT_EQ(ended->code, 77);
    expect_all_rows("skipped", "give --memory-limit");
    expect_provenance("memory_limit_bytes_asked", "");
    expect_provenance("memory_limit_by", "");
    free(ended);
}

/* Nobody in particular may make no control group, but may hold himself to less. */
XB_TEST(Cli, WhoMayNotMakeGroupsGetsALimitOnAddresses)
{
    XB_EXPECT_EQ(chmod(xb_test_folder(), 0777), 0);
    struct xb_ended *ended =
        run_prepared(QUICK "memory/triad --bytes 8M,60M " LIMITED "64M", become_somebody);
    if (!unprepared(ended)) {
        XB_EXPECT_EQ(ended->code, 0);
        XB_EXPECT_EQ(count_status("skipped"), 1);
        expect_provenance("memory_limit_bytes_asked", "67108864");
        struct xb_table table = read_table("out/provenance.csv");
        XB_EXPECT_EQ(xb_table_count(&table, "value", "rlimit_as") +
                         xb_table_count(&table, "value", "cgroup2"), /* delegated to him */
                     1);
        xb_table_close(&table);
    }
    free(ended);
}

/* No group can be made where /sys is hidden, and no address space be had beyond the hard limit. */
static int allow_no_limit(void)
{
    struct rlimit space = { (rlim_t)1 << 40, (rlim_t)1 << 40 };
    int err = hide_sys();
    return err ? err : setrlimit(RLIMIT_AS, &space) ? errno : 0;
}

XB_TEST(Cli, ALimitThatCannotBeHadSkipsEveryRow)
{
    if (SANITIZED) {
        XB_SKIP("it could not even start");
        return;
    }
    struct xb_ended *ended = run_prepared(QUICK "cpu/mix64 " LIMITED "1T", allow_no_limit);
    if (!unprepared(ended)) {
        XB_EXPECT_EQ(ended->code, 77);
        expect_all_rows("skipped", "no memory limit can be set here: ");
        expect_all_rows("skipped", "ulimit -v leaves less");
        expect_provenance("memory_limit_by", "");
    }
    free(ended);
}

XB_TEST(Cli, AFolderInMemoryIsNoPlaceForWorkThatOutgrowsIt)
{
    if (access("/dev/shm", W_OK) != 0) {
        XB_SKIP("there is no /dev/shm");
        return;
    }
    char args[256], path[64];
    snprintf(path, sizeof path, "/dev/shm/xbound-test-%d", (int)getpid());
    snprintf(args, sizeof args, "run --quick memory/capacity " LIMITED "64M -o %s", path);
    struct xb_ended *ended = run_program(args);
    XB_EXPECT_EQ(ended->code, 77);
    XB_EXPECT_HAS(ended->out, "1 skipped of 1 cells");
    free(ended);
    static const char *const names[] = { "samples.csv", "summary.csv", "provenance.csv" };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        snprintf(args, sizeof args, "%s/%s", path, names[i]);
        XB_EXPECT_EQ(unlink(args), 0);
    }
    XB_EXPECT_EQ(rmdir(path), 0);
}

XB_TEST(Cli, AnInterruptedRunLeavesNoGroupBehind)
{
    struct xb_spawn what = {
        .args = "run cpu/mix64 --samples 4000 --min-time 5ms -o out " LIMITED "64M",
        .background = true,
    };
    struct xb_ended *ended = xb_spawn(&what);
    uint64_t begin = xb_now_ns();
    while (count_lines("out/provenance.csv") < 3 && xb_now_ns() - begin < UINT64_C(60000000000))
        usleep(5000);
    usleep(500000);
    kill(ended->pid, SIGINT);
    xb_spawn_finish(ended);
    XB_EXPECT_EQ(ended->code, 130);
    XB_EXPECT(!has_group(ended->pid));
    free(ended);
}

static int ignore_children(void)
{
    return signal(SIGCHLD, SIG_IGN) == SIG_ERR ? errno : 0;
}

XB_TEST(Cli, AParentThatIgnoresItsChildrenDoesNotMakeUsLoseOurs)
{
    struct xb_ended *ended = run_prepared(QUICK "cpu/mix64 --workers 1", ignore_children);
    if (!unprepared(ended)) {
        XB_EXPECT_EQ(ended->code, 0);
        XB_EXPECT(count_status("failed") == 0);
    }
    free(ended);
}

/* The cell would go on for most of a minute, far longer than xb_spawn_finish() looks for what is
 * left. */
XB_TEST(Cli, AKillInTheMiddleOfACellLeavesNoProcess)
{
    static const char *const models[] = { "threads", "processes", "loop" };
    for (size_t i = 0; i < sizeof models / sizeof models[0]; i++) {
        char args[256];
        snprintf(args, sizeof args, "run cpu/mix64 --workers 2 --samples 4000 --model %s -o %s",
                 models[i], models[i]);
        struct xb_spawn what = { .args = args, .background = true };
        struct xb_ended *ended = xb_spawn(&what);
        usleep(700000); /* past the calibration; a kill within that is a test too */
        kill(ended->pid, SIGKILL);
        xb_spawn_finish(ended);
        if (ended->left)
            XB_FAIL("%s left a process behind", models[i]);
        free(ended);
    }
}

/* ---- whole runs ---- */

/* A sample under the loop takes as many times longer as it has workers. */
XB_TEST(Cli, AFixedNumberOfSamplesHasTheTimeItNeeds)
{
    struct xb_ended *ended = run_program("run cpu/mix64 --model loop --workers 8 --samples 40 "
                                         "--min-time 10ms --max-time 10ms -o out");
    XB_EXPECT_EQ(ended->code, 0);
    struct xb_table summary = read_table("out/summary.csv");
    XB_EXPECT_EQ(xb_table_count(&summary, "samples", "40"), 1);
    XB_EXPECT_EQ(xb_table_count(&summary, "stop", "count"), 1);
    xb_table_close(&summary);
    free(ended);
}

XB_TEST(Cli, ASizeThatAKernelDoesNotObeyIsSkippedAndNotClaimed)
{
    struct xb_ended *ended = run_program(QUICK "cpu/mix64 --bytes 64K --model threads");
    XB_EXPECT_EQ(ended->code, 77);
    expect_all_rows("skipped", "its size is its own");
    free(ended);
}

XB_TEST(Cli, AValueNamedTwiceIsMeasuredOnceAndTheLastListCounts)
{
    struct xb_ended *ended =
        run_program("run --dry-run cpu/mix64 --model loop --model threads,threads --workers 3 "
                    "--workers 2,2,1");
    XB_EXPECT_EQ(ended->code, 0);
    size_t lines = 0;
    for (const char *at = ended->out; (at = strchr(at, '\n')); at++)
        lines++;
    XB_EXPECT_EQ(lines, 1 + 2);
    XB_EXPECT(!strstr(ended->out, "loop"));
    free(ended);
}

static void expect_value(const struct xb_table *table, const char *key, const char *value)
{
    for (size_t row = 0; row < table->rows; row++)
        if (strcmp(xb_table_get(table, row, "key"), key) == 0)
            XB_EXPECT_STREQ(xb_table_get(table, row, "value"), value);
    XB_EXPECT_EQ(xb_table_count(table, "key", key), 1);
}

XB_TEST(Cli, GivenCachesDecideTheSizesAndNothingIsMeasuredForThem)
{
    struct xb_ended *ended = run_program(QUICK "cache/load_l1 cache/chase_l2 --caches 40K,2M,8M "
                                               "--model threads --workers 1");
    XB_EXPECT_EQ(ended->code, 0);
    struct xb_table table = read_table("out/summary.csv");
    XB_EXPECT_EQ(xb_table_count(&table, "bytes_per_worker", "20480"), 1);
    XB_EXPECT_EQ(xb_table_count(&table, "bytes_per_worker", "1048576"), 1);
    xb_table_close(&table);
    table = read_table("out/provenance.csv");
    expect_value(&table, "caches", "given");
    expect_value(&table, "l1d_used_bytes", "40960");
    expect_value(&table, "l2_used_bytes", "2097152");
    expect_value(&table, "llc_used_bytes", "8388608");
    XB_EXPECT_EQ(xb_table_count(&table, "key", "l1d_measured_bytes"), 0);
    xb_table_close(&table);
    free(ended);
}

XB_TEST(Cli, ARunThatFitsSizesMeasuresTheCachesFirst)
{
    static const char *const keys[] = { "l1d_measured_bytes", "l2_measured_bytes",
                                        "llc_measured_bytes", "l1d_latency_ns",
                                        "dram_latency_ns",    "l1d_load_gb_per_s",
                                        "dram_load_gb_per_s", "l2_used_bytes" };
    struct xb_ended *ended = run_program(QUICK "cache/load_l1 --model threads --workers 1");
    XB_EXPECT_EQ(ended->code, 0);
    struct xb_table table = read_table("out/provenance.csv");
    expect_value(&table, "caches", "measured");
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        XB_EXPECT_EQ(xb_table_count(&table, "key", keys[i]), 1);
    xb_table_close(&table);
    free(ended);
}

XB_TEST(Cli, ClaimedCachesNeedNoPicture)
{
    struct xb_ended *ended =
        run_program(QUICK "cache/load_l1 --model threads --workers 1 --caches claimed");
    XB_EXPECT_EQ(ended->code, 0);
    struct xb_table table = read_table("out/provenance.csv");
    expect_value(&table, "caches", "claimed");
    XB_EXPECT_EQ(xb_table_count(&table, "key", "l1d_measured_bytes"), 0);
    xb_table_close(&table);
    free(ended);
}

XB_TEST(Cli, DoctorTellsWhatWasMeasuredBesideWhatIsClaimed)
{
    static const char *const levels[] = { "L1d", "L2", "LLC", "DRAM" };
    struct xb_ended *ended = run_program("doctor --csv");
    XB_EXPECT_EQ(ended->code, 0);
    for (size_t i = 0; i < sizeof levels / sizeof levels[0]; i++) {
        char finding[64];
        snprintf(finding, sizeof finding, "memory picture: %s,", levels[i]);
        XB_EXPECT_HAS(ended->out, finding);
    }
    XB_EXPECT_HAS(ended->out, ", measured ");
    free(ended);
}

/* A sweep that starts beyond the L1 cannot tell which cache its first edge belongs to. */
XB_TEST(Cli, ASweepFromBeyondTheFirstCacheNamesNoCache)
{
    struct xb_ended *ended =
        run_program("run cache/chase_l2 --model threads --workers 1 --sweep bytes=128K:8M:2 "
                    "--samples 6 --min-time 1ms -o out");
    XB_EXPECT_EQ(ended->code, 0);
    struct xb_table table = read_table("out/provenance.csv");
    XB_EXPECT_EQ(xb_table_count(&table, "key", "l1d_measured_bytes"), 0);
    xb_table_close(&table);
    free(ended);
}

XB_TEST(Cli, NothingThatCanRunIsItsOwnExitCode)
{
    struct xb_ended *ended = run_program(QUICK "cpu/mix64 --model loop --engine blocking");
    XB_EXPECT_EQ(ended->code, 77);
    XB_EXPECT_STREQ(ended->err, "");
    expect_all_rows("skipped", "blocking would stop every worker of the loop");
    free(ended);
}

XB_TEST(Cli, ARunNotesWhatItRanOn)
{
    static const char *const keys[] = {
        "schema",   "run_id", "started_utc",   "compiler", "compiler_flags", "kernel", "cpu_model",
        "topology", "pus",    "clock_cost_ns", "seed",     "counters_used",  "cells"
    };
    struct xb_ended *ended =
        run_program(QUICK "cpu/mix64 --model threads --workers 1 --seed 7 --counters none");
    XB_EXPECT_EQ(ended->code, 0);
    struct xb_table table = read_table("out/provenance.csv");
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        if (xb_table_count(&table, "key", keys[i]) != 1)
            XB_FAIL("provenance.csv has no single '%s'", keys[i]);
    xb_table_close(&table);
    table = read_table("out/samples.csv");
    XB_EXPECT_EQ(table.rows, 2);
    XB_EXPECT_EQ(xb_table_count(&table, "seed", "7"), 2);
    XB_EXPECT_EQ(xb_table_count(&table, "counters", "none"), 2);
    XB_EXPECT_EQ(xb_table_count(&table, "instructions", ""), 2);
    XB_EXPECT_EQ(xb_table_count(&table, "counter_coverage", ""), 2);
    xb_table_close(&table);
    free(ended);
}

/* Rows of equal kernel, workers and bytes did the same work, whatever the model and engine. */
static void expect_equal_checksums(const struct xb_table *table)
{
    static const char *const keys[] = { "kernel", "workers", "bytes_per_worker" };
    for (size_t i = 0; i < table->rows; i++)
        for (size_t j = 0; j < i; j++) {
            bool same = true;
            const char *a = xb_table_get(table, i, "checksum");
            const char *b = xb_table_get(table, j, "checksum");
            for (size_t k = 0; k < 3; k++)
                same &=
                    strcmp(xb_table_get(table, i, keys[k]), xb_table_get(table, j, keys[k])) == 0;
            if (same && a[0] && b[0])
                XB_EXPECT_STREQ(a, b);
        }
}

/* Its size made small where it follows the machine. */
static void run_class(const void *argument)
{
    const struct xb_kernel *kernel = argument;
    char args[256];
    snprintf(args, sizeof args, QUICK "%s --workers 1,3 %s", kernel->name,
             kernel->fit == XB_FIT_OWN ? "" : "--bytes 64K");
    struct xb_ended *ended = run_program(args);
    XB_EXPECT_EQ(ended->code, 0);
    XB_EXPECT_STREQ(ended->err, "");
    XB_EXPECT_HAS(ended->out, " 0 failed");
    static const char *const models[] = { "threads", "processes", "loop" };
    struct xb_table table = read_table("out/summary.csv");
    for (size_t i = 0; i < 3; i++) {
        size_t measured = 0;
        for (size_t row = 0; row < table.rows; row++)
            measured += strcmp(xb_table_get(&table, row, "model"), models[i]) == 0 &&
                        xb_table_get(&table, row, "checksum")[0];
        if (measured < 2)
            XB_FAIL("%s did not run under %s with 1 and 3 workers", kernel->name, models[i]);
    }
    XB_EXPECT_EQ(xb_table_count(&table, "status", "failed"), 0);
    expect_equal_checksums(&table);
    expect_reasons("out/samples.csv");
    xb_table_close(&table);
    free(ended);
}

/* The first kernel of each class that runs without a limit, and without regular files: a loop has
 * no engine for those where neither io_uring nor libuv was built in. */
XB_TESTS(cli_classes)
{
    for (int bound = 0; bound < XB_CLASSES; bound++)
        for (size_t i = 0; i < xb_builtin.n_kernels; i++)
            if ((int)xb_builtin.kernels[i]->bound == bound &&
                !(xb_builtin.kernels[i]->needs & (XB_NEED_LIMIT | XB_NEED_FILES))) {
                char name[64];
                static const char *const names[] = { "Cpu", "Cache", "Memory", "Io", "Sync" };
                snprintf(name, sizeof name, "%sKernelRunsUnderEveryModel", names[bound]);
                xb_test_add("Cli", name, __FILE__, __LINE__, run_class, xb_builtin.kernels[i]);
                break;
            }
}
