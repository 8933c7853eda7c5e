/* SPDX-License-Identifier: BSD-3-Clause
 * Tests scripts/classify-programs.sh: its table and split, its command line, and what it makes of
 * answers. What `xbound classify` says of the programs is for a run to tell, not for a test. */
#include "spawn.h"
#include "xbtest.h"

#include <stdio.h>
#include <stdlib.h>

#define SCRIPT XB_SOURCE_DIR "/scripts/classify-programs.sh"
#define TABLE  XB_SOURCE_DIR "/scripts/classify-programs/programs.csv"
#define REPORT                                                                                   \
    "schema,name,half,origin,class,accept,level,got,got_level,confidence,share_cpu,share_cache," \
    "share_memory,share_io,share_sync,share_kernel,samples,overhead,verdict,reason,why\n"

/* What the script leaves for later calls stays in this test's folder. */
static int shell(const char *command)
{
    char line[8000];
    snprintf(line, sizeof line, "export TMPDIR=$PWD && %.7900s", command);
    return xb_shell(line);
}

XB_TEST(ClassifyPrograms, TheTableIsWellFormedAndItsSplitIsWhatTheSeedSays)
{
    XB_EXPECT_EQ(shell(SCRIPT " --check >out"), 0);
    XB_EXPECT_EQ(shell("awk '$1 == \"all\" && $3 >= 60 { found = 1 } END { exit !found }' out"), 0);
    XB_EXPECT_EQ(shell(SCRIPT " --split | cmp - " TABLE), 0);
}

XB_TEST(ClassifyPrograms, CheckFindsWhatIsWrongInATable)
{
    static const char *const due[] = {
        "sysbench-cpu: no class 'cpus'",
        "sng-cpu-pi: there twice",
        "sng-cpu-bitops: no argument why",
        "bash cannot read",
        "py-loop: accepts its own class",
        "lua-loop: needs 'lua', which",
        "spin: no level 'locks' of sync",
        "only 7 programs to report on",
        "sleep: in the half 'neither', and the seed says",
        "sng-str: its origin is none of prototype new round2 round3",
    };
    XB_EXPECT_EQ(
        shell("sed -nE '1p; /^sysbench-cpu,/s/,cpu,/,cpus,/p; /^sng-cpu-pi,/{p;p};"
              "  /^sng-cpu-bitops,/s/,[^,]*$/,/p; /^sha256sum,/s/,sha256sum [^,]*/,( true/p;"
              "  /^py-loop,/s/,cpu,/,cpu,cpu/p; /^lua-loop,/s/lua:lua5.4/lua/p;"
              "  /^spin,/s/,lock,/,locks,/p; /^sleep,/s/^sleep,[a-z]*/sleep,neither/p;"
              "  /^sng-str,/s/,prototype,/,nowhere,/p; /^dd-/p' <" TABLE " >changed.csv"),
        0);
    XB_EXPECT_EQ(shell("test $(wc -l <changed.csv) = 15"), 0);
    XB_EXPECT_EQ(shell(SCRIPT " --table changed.csv --check >out 2>err"), 1);
    XB_EXPECT_EQ(shell("test ! -s out"), 0);
    for (size_t i = 0; i < sizeof due / sizeof due[0]; i++) {
        char command[256];
        snprintf(command, sizeof command, "grep -qF \"%s\" err", due[i]);
        if (shell(command))
            XB_FAIL("not found: %s", due[i]);
    }
}

/* Otherwise programs that the classifier was tuned on would count as unseen ones. */
XB_TEST(ClassifyPrograms, ARowAddedAtTheEndMovesNothingToTheHalfThatIsReported)
{
    XB_EXPECT_EQ(shell("cp " TABLE
                       " more.csv; for class in cpu cache memory io sync kernel mixed; do"
                       "  echo \"new-$class,,$class,,,new,a:b,,true,an argument\" >>more.csv;"
                       "done"),
                 0);
    XB_EXPECT_EQ(shell(SCRIPT " --table more.csv --split >split.csv"), 0);
    XB_EXPECT_EQ(shell("awk -F , 'NR == FNR { half[$1] = $2; next }"
                       "  !($1 in half) { added++ }"
                       "  half[$1] == \"tune\" && $2 != \"tune\" { moved = 1 }"
                       "  END { exit moved || added != 7 }' " TABLE " split.csv"),
                 0);
}

XB_TEST(ClassifyPrograms, WrongOptionsAreRefusedBeforeAnythingIsDone)
{
    static const char *const wrong[] = {
        "--frobnicate", "--half most",
        "--time 1",     "--time many",
        "--only",       "anything",
        "-o /etc",      "-o /etc/passwd",
        "-o",           "--only none --list",
        "--origin",     "--origin old",
        "--report x",   "--table " XB_SOURCE_DIR "/README.md --check",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        char command[1024];
        snprintf(
            command, sizeof command,
            "{ " SCRIPT " %s >out 2>err; test $? = 2 && ! test -s out && read -r first <err &&"
            "  test \"${first#classify-programs.sh: }\" != \"$first\" && test $(wc -l <err) = 1; }",
            wrong[i]);
        if (shell(command))
            XB_FAIL("'classify-programs.sh %s' is not refused with 2 and one line", wrong[i]);
    }
}

XB_TEST(ClassifyPrograms, AnswersBecomeFiguresAndEveryMissIsListed)
{
    FILE *file = xb_create("programs.csv");
    if (!file)
        return;
    fputs(REPORT, file);
    for (int i = 0; i < 8; i++)
        fprintf(file, "1,right-%d,report,new,cpu,,,cpu,,0.9,1,,,,,,9,0.01,ok,,because\n", i);
    fputs("1,nearly,report,new,cache,cpu,L2,cpu,,0.5,0.6,0.4,,,,,9,0.01,accept,,because\n"
          "1,far-off,report,prototype,cpu,,,memory,DRAM,0.95,0.2,,0.8,,,,9,0.01,gross,,because\n"
          "1,absent,report,new,io,,,,,,,,,,,,,,skipped,fio is not here,because\n"
          "1,tuned,tune,new,io,,disk,io,disk,0.9,,,,1,,,9,0.01,ok,,because\n"
          "1,later,report,round2,io,,disk,sync,timer,0.9,,,,,1,,9,0.01,wrong,,because\n",
          file);
    fclose(file);
    XB_EXPECT_EQ(shell(SCRIPT " --report programs.csv >out"), 0);
    XB_EXPECT_EQ(shell("grep -q \"^half 'report': 11 programs run, 1 skipped\" out"), 0);
    XB_EXPECT_EQ(shell("grep -q '^  later *wrong ' out && grep -q 'of round2 programs' out"), 0);
    XB_EXPECT_EQ(shell(SCRIPT " --report programs.csv --origin new --origin prototype >out"), 0);
    XB_EXPECT_EQ(shell("! grep -Eq 'later|round2' out"), 0);
    /* Wilson, 8 of 10: (0.8 + 1.9207 / 10 -+ 1.96 sqrt(0.016 + 0.9604 / 100)) / 1.38415. */
    XB_EXPECT_EQ(shell("grep -Eq 'class expected +8 of +10 = +80.0 % .49.0, 94.3.' out"), 0);
    XB_EXPECT_EQ(shell("grep -Eq 'can be argued +9 of +10 = ' out"), 0);
    XB_EXPECT_EQ(shell("grep -Eq 'gross .* 1 of +10 = ' out"), 0);
    XB_EXPECT_EQ(shell("grep -Eq 'expected, of new programs +8 of +9 = ' out"), 0);
    XB_EXPECT_EQ(shell("grep -Eq 'when sure .* 8 of +9 = ' out"), 0);
    XB_EXPECT_EQ(shell("grep -Eq '^  cpu +8 +[.] +1 ' out && grep -Eq '^  cache +1 ' out"), 0);
    XB_EXPECT_EQ(shell("grep -q '^  far-off *gross  memory, not cpu, confidence 0.95' out"), 0);
    XB_EXPECT_EQ(shell("grep -q '^  absent *fio is not here' out && ! grep -q '^  right-' out"), 0);
    XB_EXPECT_EQ(shell("grep -q \"^half 'tune': 1 program run, 0 skipped\" out"), 0);
}

/* A stand-in for xbound answers what the set-up wrote. */
XB_TEST(ClassifyPrograms, ARunWritesARowForEachProgramAndLeavesNothingRunning)
{
    if (shell("command -v jq >/dev/null"))
        XB_SKIP("jq is not here");
    FILE *file = xb_create("xbound");
    if (!file)
        return;
    fputs("#!/bin/sh\n"
          "[ \"$2\" = --help ] && exit\n"
          "while [ \"$1\" != -o ]; do shift; done\n"
          "out=$2\n"
          "shift 3\n"
          "\"$@\" &\n"
          "sleep 0.1\n"
          "[ \"$(cat answer)\" != none ] || exit\n"
          "echo '{\"class\":\"'$(cat answer)'\",\"level\":null,\"confidence\":0.5,' >\"$out\"\n"
          "echo '\"shares\":{\"cpu\":0.25,\"io\":0.75},\"samples\":9,' >>\"$out\"\n"
          "echo '\"overhead\":0.01,\"seconds\":'$(cat seconds || echo 2)'}' >>\"$out\"\n",
          file);
    fclose(file);
    file = xb_create("table.csv");
    if (!file)
        return;
    fputs("name,half,class,accept,level,origin,needs,setup,command,why\n"
          "one,report,cpu,cache,,new,sh:x,echo cpu >answer && behind sleep 300 && echo $! "
          ">>../../pids,"
          "echo $$ >>../../pids; sleep 300,because of one\n"
          "two,report,cpu,cache,,new,sh:x,echo cache >answer,true,\"because, of two\"\n"
          "three,tune,cpu,,,new,sh:x,echo memory >answer,true,because of three\n"
          "four,tune,cpu,,,new,sh:x,echo unknown >answer,true,because of four\n"
          "five,tune,cpu,,,new,sh:x,echo none >answer,true,because of five\n"
          "six,tune,cpu,,,new,sh:x,echo sync >answer,true,because of six\n"
          "seven,tune,cpu,,,new,xb-no-such:xb-package,,true,because of seven\n"
          "eight,tune,cpu,,,new,sh:x,echo no way >&2; false,true,because of eight\n"
          "nine,tune,cpu,,,new,sh:x,echo cpu >answer; echo 1.5 >seconds,echo too old >&2,because "
          "of nine\n",
          file);
    fclose(file);
    XB_EXPECT_EQ(shell("chmod +x xbound && XBOUND=$PWD/xbound " SCRIPT
                       " --table table.csv --half all --time 2 -o results >out"),
                 0);
    XB_EXPECT_EQ(shell("cut -d , -f 2,19 results/programs.csv | tail -n +2 | tr "
                       "'\\n' ' ' >got &&"
                       "grep -qx 'one,ok two,accept three,gross four,mixed five,failed six,wrong"
                       " seven,skipped eight,skipped nine,skipped ' got"),
                 0);
    XB_EXPECT_EQ(
        shell("grep -q '^1,one,.*,cpu,,0.5,0.25,,,0.75,,,9,0.01,ok,' results/programs.csv"), 0);
    XB_EXPECT_EQ(
        shell("grep -q 'xb-no-such is not here; Debian package xb-package' results/programs.csv"),
        0);
    XB_EXPECT_EQ(shell("grep -q 'set-up: no way' results/programs.csv"), 0);
    XB_EXPECT_EQ(shell("grep -q 'it ended after 1.5 s: too old' results/programs.csv"), 0);
    XB_EXPECT_EQ(shell("grep -Eq 'class expected +1 of +2 = ' results/report.txt"), 0);
    /* Dead, if not yet reaped by whoever has inherited it: that may be a container's first process. */
    XB_EXPECT_EQ(shell("test $(wc -l <pids) = 2 && for pid in $(cat pids); do"
                       "  ! grep -qs '^State:.[^ZX]' /proc/$pid/status || exit 1; done"),
                 0);
    XB_EXPECT_EQ(shell("! ls -d xbound-programs.*"), 0);
}
