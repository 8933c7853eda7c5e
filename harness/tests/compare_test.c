/* SPDX-License-Identifier: BSD-3-Clause
 * Tests xbound compare on stored pairs of runs: every change, every exit code, and what it refuses. */
#include "spawn.h"
#include "xbtest.h"

#include "../core/compare.h"
#include "../stats/ratio.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Runs `xbound compare <args>` among the stored runs; the caller frees. */
static struct xb_ended *compare(const char *args)
{
    char line[1024];
    char folder[4096];
    snprintf(folder, sizeof folder, "%s", xb_test_data("compare"));
    snprintf(line, sizeof line, "compare %s", args);
    return xb_spawn(&(struct xb_spawn){ .args = line, .folder = folder });
}

static void expect_end(const char *args, int code, const char *part)
{
    struct xb_ended *ended = compare(args);
    if (ended->code != code || !strstr(ended->out, part) || ended->errors)
        XB_FAIL("'compare %s' ends with %d and\n%s%swanted is %d and\n%s", args, ended->code,
                ended->out, ended->err, code, part);
    free(ended);
}

static void expect_refusal(const char *args, const char *part)
{
    struct xb_ended *ended = compare(args);
    if (ended->code != 2 || !strstr(ended->err, part) || ended->errors != 1 || ended->out[0])
        XB_FAIL("'compare %s' ends with %d and\n%s%swanted is 2 and one line with\n%s", args,
                ended->code, ended->out, ended->err, part);
    free(ended);
}

XB_TEST(Compare, EveryChangeIsCalledByItsName)
{
    struct xb_ended *ended = compare("--csv base new");
    static const struct {
        const char *kernel, *change;
    } should[] = {
        { "cpu/mix64", "same" },
        { "memory/triad", "same" },
        { "cpu/crc32c", "slower" },
        { "cpu/fma_peak", "faster" },
        { "cache/chase_l2", "unclear" },
        { "sync/yield", "unclear" },
        { "io/pipe_ring", "broke" },
        { "io/fsync_log", "no-figure" },
        { "cpu/sort_small", "other-work" },
        { "cpu/div_chain", "mended" },
        { "sync/philosophers_naive", "no-figure" },
    };
    XB_EXPECT_EQ(ended->code, 1);
    for (size_t i = 0; i < sizeof should / sizeof should[0]; i++) {
        char start[128], *at;
        snprintf(start, sizeof start, "\n%s/threads", should[i].kernel);
        at = strstr(ended->out, start);
        at = at ? strchr(at, ',') : NULL;
        if (!at || strncmp(at + 1, should[i].change, strlen(should[i].change)) != 0)
            XB_FAIL("%s is not '%s' in\n%s", should[i].kernel, should[i].change, ended->out);
    }
    XB_EXPECT_HAS(ended->out,
                  "sync/barrier/threads/blocking/isa:base/bytes:64/depth:1/bind:scatter/"
                  "lanes:2/workers:2,missing,yes,");
    XB_EXPECT_HAS(ended->out,
                  "sync/barrier/threads/blocking/isa:base/bytes:128/depth:1/bind:scatter/"
                  "lanes:2/workers:2,added,no,");
    free(ended);
}

XB_TEST(Compare, RatioAndIntervalFollowFromTheMedians)
{
    expect_end("--csv base new", 1, ",slower,yes,1.3,1.27722772,1.32323232,100,130,,,\n");
    struct xb_interval base = { 2, 1, 4 }, new = { 3, 2, 6 };
    struct xb_interval ratio = xb_median_ratio(base, new);
    XB_EXPECT_NEAR(ratio.median, 1.5, 0);
    XB_EXPECT_NEAR(ratio.lo, 0.5, 0);
    XB_EXPECT_NEAR(ratio.hi, 6, 0);
    XB_EXPECT(isnan(xb_median_ratio((struct xb_interval){ 0, 0, 0 }, new).median));
    XB_EXPECT(isnan(xb_median_ratio((struct xb_interval){ 2, NAN, NAN }, new).lo));
}

XB_TEST(Compare, MarginIsTheSameUpAndDown)
{
    XB_EXPECT_EQ(xb_ratio_shift((struct xb_interval){ 1.2, 1.11, 1.3 }, 0.1), XB_SHIFT_UP);
    XB_EXPECT_EQ(xb_ratio_shift((struct xb_interval){ 1.2, 1.09, 1.3 }, 0.1), XB_SHIFT_UNCLEAR);
    XB_EXPECT_EQ(xb_ratio_shift((struct xb_interval){ 1, 0.92, 1.09 }, 0.1), XB_SHIFT_NONE);
    XB_EXPECT_EQ(xb_ratio_shift((struct xb_interval){ 1, 0.90, 1.09 }, 0.1), XB_SHIFT_UNCLEAR);
    XB_EXPECT_EQ(xb_ratio_shift((struct xb_interval){ 0.8, 0.7, 0.90 }, 0.1), XB_SHIFT_DOWN);
    XB_EXPECT_EQ(xb_ratio_shift((struct xb_interval){ 9, NAN, NAN }, 0.1), XB_SHIFT_UNCLEAR);
}

XB_TEST(Compare, ExitCodesSayHowItWent)
{
    expect_end("two two", 0, "2 same of 2 cells.");
    expect_end("two slower", 1, "1 slower, 1 same of 2 cells.");
    expect_end("slower two", 0, "1 faster, 1 same of 2 cells.");
    expect_end("two unclear", 0, "1 unclear, 1 same of 2 cells.");
    expect_end("--strict two unclear", 3, "1 unclear, 1 same of 2 cells.");
    expect_end("--strict two slower", 1, "1 slower");
    expect_end("skipped skipped", 77, "2 no-figure of 2 cells.");
    expect_end("--margin 0.2 two slower", 0, "2 same of 2 cells.");
    expect_end("--margin 0.05 two unclear", 0, "1 unclear");
}

XB_TEST(Compare, MissingOrBrokenCellFails)
{
    expect_end("two fewer", 1, "1 missing, 1 same of 2 cells.");
    expect_end("fewer two", 0, "1 added, 1 same of 2 cells.");
    expect_end("two skipped", 1, "2 broke of 2 cells.");
    expect_end("base new", 1, "1 cells are missing by their size only");
}

XB_TEST(Compare, SaysWhatDiffersAndWhatThatMeans)
{
    expect_end("base new", 1,
               "The build differs:\n  git_commit: '111111111111' -> '222222222222'\n");
    expect_end("base new", 1, "One machine, not rebooted in between.");
    expect_end("two rebooted", 0, "One machine, as far as its name and hardware tell.");
    expect_end("two rebooted", 0, "Times may have moved because of the system or the settings");
    expect_end("base again", 0, "the same: what differs is chance and drift");
    expect_end("base again", 0, "An interval holds the noise within a run, not\nthe drift");
}

XB_TEST(Compare, RefusesOtherMachinesUnlessTold)
{
    expect_refusal("two other_machine", "two machines (cpu_model 'AMD EPYC' and 'Intel Xeon')");
    expect_refusal("two other_host", "two machines (hostname 'bench' and 'other')");
    expect_refusal("--csv two other_machine", "give --across-machines");
    expect_end("--across-machines two other_machine", 0, "Two machines: a ratio here is one of");
    expect_end("--across-machines two other_host", 0, "Two machines of one kind");
}

XB_TEST(Compare, SimulatedCountsDecideExactlyAndTimesDoNot)
{
    expect_end("counted counted", 0, "2 same of 2 cells.");
    expect_end("counted counted_same", 0, "2 same of 2 cells.");
    expect_end("--counts 0.0001 counted counted_same", 1, "more-counts  1.00090 instructions");
    expect_end("counted counted_more", 1, "more-counts  1.00200 instructions");
    expect_end("counted counted_misses", 1, "more-counts  1.33333 l1d_misses");
    expect_end("counted counted_fewer", 0, "fewer-counts 0.90000 instructions");
    expect_refusal("counted counted_libc", "simulated counts compare only on equal libc");
    expect_end("--across-machines --strict counted counted_libc", 77, "2 unclear of 2 cells.");
    /* Nothing else of a machine is in them; but the caches that were simulated are. */
    expect_end("counted counted_host", 0, "2 same of 2 cells.");
    expect_end("counted counted_host", 0, "Counts are those of one simulated CPU");
    expect_refusal("counted counted_caches",
                   "simulated counts compare only on equal llc_used_bytes");
}

XB_TEST(Compare, WrongUsageIsOneLine)
{
    expect_refusal("base", "want two folders, BASE and NEW");
    expect_refusal("base new more", "want two folders");
    expect_refusal("--margin base new", "--margin: 'base' is no ratio");
    expect_refusal("--margin nan base new", "'nan' is no ratio");
    expect_refusal("--margin -1 base new", "'-1' is no ratio");
    expect_refusal("--wrong base new", "unknown option '--wrong'");
    expect_refusal("base nowhere", "nowhere/provenance.csv: No such file or directory");
    expect_refusal("base base/summary.csv", "base/summary.csv/provenance.csv: Not a directory");
}

/* ---- bad files ---- */

/* Copies stored run `name` to the test's folder with the summary changed; the caller frees. */
static void write_run(const char *summary)
{
    char path[4200], line[4096];
    snprintf(path, sizeof path, "%s/bad", xb_test_folder());
    mkdir(path, 0700);
    snprintf(path, sizeof path, "%s/bad/provenance.csv", xb_test_folder());
    FILE *in = fopen(xb_test_data("compare/two/provenance.csv"), "re"), *out = fopen(path, "we");
    while (in && out && fgets(line, sizeof line, in))
        fputs(line, out);
    if (!in || !out || fclose(out))
        XB_FAIL("%s: %s", path, strerror(errno));
    if (in)
        fclose(in);
    snprintf(path, sizeof path, "%s/bad/summary.csv", xb_test_folder());
    out = fopen(path, "we");
    if (!out || fputs(summary, out) == EOF || fclose(out))
        XB_FAIL("%s: %s", path, strerror(errno));
}

#define HEADER                                                                               \
    "schema,run_id,kernel,class,model,engine,workers,lanes,bind,bytes_per_worker,depth,isa," \
    "status,"                                                                                \
    "reason,seed,iters,checksum,ns_per_item,ns_per_item_lo,ns_per_item_hi,cpu_ns_per_item,"  \
    "items_per_s\n"
#define ROW                                                                                     \
    "1,r,cpu/mix64,cpu,threads,blocking,2,2,scatter,64,1,base,ok,,1,1000,00000000000000aa,2.5," \
    "2.49,2.51,2.45,800000000\n"

XB_TEST(Compare, BadFilesEndWithOneLineAndNoVerdict)
{
    static const struct {
        const char *summary, *message;
    } cases[] = {
        { "", "bad/summary.csv: the file is empty" },
        { HEADER, "bad/summary.csv: no rows: nothing was measured" },
        { HEADER ROW ROW, "bad/summary.csv:3: column kernel: the same cell as in line 2" },
        { HEADER "1,r,cpu/mix64", "bad/summary.csv:2: the last line is not whole" },
        { HEADER "2,r,cpu/mix64,cpu,threads,blocking,2,2,scatter,64,1,base,ok,,1,1000,"
                 "00000000000000aa,2.5,2.49,2.51,2.45,800000000\n",
          "bad/summary.csv:2: column schema: layout 2" },
        { "kernel,time\ncpu/mix64,1\n", "bad/summary.csv:1: no column schema" },
    };
    char folder[4096], args[4200];
    snprintf(folder, sizeof folder, "%s", xb_test_folder());
    snprintf(args, sizeof args, "two %s/bad", folder);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        write_run(cases[i].summary);
        expect_refusal(args, cases[i].message);
    }
}

XB_TEST(Compare, SamplesOfACellThatTheSummaryLacksAreRefused)
{
    char path[4200], args[4200];
    write_run(HEADER ROW);
    snprintf(path, sizeof path, "%s/bad/provenance.csv", xb_test_folder());
    FILE *out = fopen(path, "we");
    fputs("key,value\nschema,1\ncounters_used,callgrind\n", out);
    fclose(out);
    snprintf(args, sizeof args, "two %s/bad", xb_test_folder());
    expect_refusal(args, "bad/samples.csv: No such file or directory");
    snprintf(path, sizeof path, "%s/bad/samples.csv", xb_test_folder());
    out = fopen(path, "we");
    fputs("schema,kernel,class,model,engine,workers,lanes,bind,bytes_per_worker,depth,isa,status,"
          "reason,seed,iters,wall_ns,cpu_ns,items,counters,instructions\n"
          "1,cpu/mix64,cpu,threads,blocking,2,2,scatter,65,1,base,ok,,1,1000,1,1,1,callgrind,7\n",
          out);
    fclose(out);
    expect_refusal(args, "bad/samples.csv:2: column kernel: a cell that summary.csv lacks");
}
