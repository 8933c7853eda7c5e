/* SPDX-License-Identifier: BSD-3-Clause
 * Tests scripts/readme-table.sh: who wins by how much, and when nobody can be said to. */
#include "spawn.h"
#include "xbtest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TABLE XB_SOURCE_DIR "/scripts/readme-table.sh"

static const char *const rows[] = {
    /* kernel, class, model, engine, workers, lanes, status, reason, rate, lo, hi */
    "sync/a,sync,threads,blocking,2,2,ok,,100,99,101",
    "sync/a,sync,processes,blocking,2,2,ok,,200,190,210",
    "sync/a,sync,loop,epoll,2,1,ok,,220,205,230",
    "sync/a,sync,loop,epoll,2,2,ok,,1000,990,1010",
    "sync/a,sync,threads,blocking,1,1,ok,,7,7,7",
    "sync/b,sync,threads,blocking,2,2,ok,,100,99,101",
    "sync/b,sync,processes,blocking,2,2,suspect,\"late, twice\",120,90,130",
    "sync/b,sync,loop,epoll,2,1,skipped,cannot,,,",
    "sync/c,sync,threads,blocking,2,2,ok,deadlock: P0 -> R1 -> P1 -> R0 -> P0,,,",
    "sync/c,sync,loop,epoll,2,1,failed,fell,,,",
    "io/d,io,threads,blocking,64,64,ok,,100,98,102",
    "io/d,io,loop,uring,64,1,ok,,50,49,51",
    "io/d,io,loop,epoll,64,1,ok,,300,290,310",
    "io/d,io,loop,epoll,2,1,ok,,9000,9000,9000",
};

/* Writes the run, and its table to "table". */
static void tell(const char *options)
{
    FILE *file = xb_create("provenance.csv");
    if (!file)
        return;
    fputs("schema,key,value\n1,pus,2\n", file);
    fclose(file);
    file = xb_create("summary.csv");
    if (!file)
        return;
    fputs("kernel,class,model,engine,workers,lanes,status,reason,items_per_s,items_per_s_lo,"
          "items_per_s_hi\n",
          file);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        fprintf(file, "%s\n", rows[i]);
    fclose(file);
    char command[1024];
    snprintf(command, sizeof command, TABLE " . %s >table", options);
    XB_EXPECT_EQ(xb_shell(command), 0);
}

static void expect_line(const char *line)
{
    char command[1024];
    snprintf(command, sizeof command, "grep -qxF -- '%s' table || { cat table; false; }", line);
    if (xb_shell(command) != 0)
        XB_FAIL("the table above lacks: %s", line);
}

XB_TEST(ReadmeTable, AWinnerIsBoldWhereItsIntervalLiesAboveAllOthers)
{
    tell("sync/a sync/b");
    expect_line("| work | workers | threads | processes | loop | loop×2 |");
    expect_line("| sync/a | 2 | 1.00 [0.99, 1.01] | 2.00 [1.90, 2.10] | 2.20 [2.05, 2.30] "
                "| **10.0** [9.90, 10.1] |");
    expect_line("| sync/b | 2 | 1.00 [0.99, 1.01] | 1.20 [0.90, 1.30] (suspect) | skipped "
                "| not run |");
}

XB_TEST(ReadmeTable, DeadlocksAndFailuresAreNoFigures)
{
    tell("sync/c sync/a");
    expect_line("| sync/c | 2 | deadlock | not run | failed | not run |");
    tell("sync/c"); /* and a model that no row was run under has no column */
    expect_line("| sync/c | 2 | deadlock | failed |");
}

XB_TEST(ReadmeTable, WorkOfIoIsComparedAtManyWorkersWithTheBestEngine)
{
    tell("io/d nothing/there");
    expect_line("| io/d | 64 | 1.00 [0.98, 1.02] blocking | **3.00** [2.90, 3.10] epoll |");
    XB_EXPECT_EQ(xb_shell("! grep -q there table"), 0);
}

XB_TEST(ReadmeTable, WrongUseIsRefused)
{
    XB_EXPECT_EQ(xb_shell(TABLE " 2>err"), 2);
    XB_EXPECT_EQ(xb_shell("grep -q 'want RUN' err"), 0);
    XB_EXPECT_EQ(xb_shell(TABLE " --frobnicate 2>err"), 2);
    XB_EXPECT_EQ(xb_shell(TABLE " nowhere 2>err"), 2);
    XB_EXPECT_EQ(xb_shell("grep -q 'nowhere/summary.csv: no such file' err"), 0);
    XB_EXPECT_EQ(xb_shell(TABLE " --help | grep -q Usage"), 0);
}
