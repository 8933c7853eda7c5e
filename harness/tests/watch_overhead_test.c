/* SPDX-License-Identifier: BSD-3-Clause
 * Tests scripts/watch-overhead.sh and scripts/working-sets.sh: their command lines, and what the one makes of
 * programs that were timed. How much watching costs and how near an estimate is are for a run to tell. */
#include "spawn.h"
#include "xbtest.h"

#define SCRIPT XB_SOURCE_DIR "/scripts/watch-overhead.sh"
#define SETS   XB_SOURCE_DIR "/scripts/working-sets.sh"

/* Status 2, one line on standard error and nothing on standard output. */
static void expect_refusals(const char *script, const char *const *wrong, size_t n)
{
    XB_EXPECT_EQ(xb_shell("touch here"), 0);
    for (size_t i = 0; i < n; i++) {
        char command[512];
        snprintf(command, sizeof command,
                 "%s %s >out.txt 2>err; test $? = 2 && test $(wc -l <err) = 1 && test ! -s out.txt",
                 script, wrong[i]);
        if (xb_shell(command))
            XB_FAIL("not one line and 2: %s", wrong[i]);
    }
}

XB_TEST(Peers, WatchOverheadRefusesWhatItCannotUseInOneLine)
{
    static const char *const wrong[] = { "",
                                         "--pairs 5 true out",
                                         "--pairs x true out",
                                         "--pairs",
                                         "--nonsense true out",
                                         "./absent out",
                                         "/bin/true .",
                                         "--report absent.csv" };
    expect_refusals(SCRIPT, wrong, sizeof wrong / sizeof wrong[0]);
}

XB_TEST(Peers, WorkingSetsRefusesWhatItCannotUseInOneLine)
{
    static const char *const wrong[] = { "",
                                         "--time 1 /bin/true out",
                                         "--time",
                                         "--sizes 3 /bin/true out",
                                         "--nonsense /bin/true out",
                                         "./absent out",
                                         "/bin out",
                                         "/bin/true ." };
    expect_refusals(SETS, wrong, sizeof wrong / sizeof wrong[0]);
}

XB_TEST(Peers, WatchOverheadPrintsTheMedianOfPairsAndItsInterval)
{
    /* Ratios 1.01 to 1.15: the median is the 8th, and 95 % lie between the 4th and the 12th. */
    XB_EXPECT_EQ(
        xb_shell("echo program,pair,how,works,mean_ms >pairs.csv\n"
                 "for i in 7 3 11 1 15 9 5 13 2 14 4 12 6 10 8; do n=$((n + 1))\n"
                 "echo p,$n,alone,80,2.00; printf 'p,%d,watched,70,2.%02d\\n' $n $((2 * i))\n"
                 "done >>pairs.csv"),
        0);
    XB_EXPECT_EQ(xb_shell(SCRIPT " --report pairs.csv >table"), 0);
    XB_EXPECT_EQ(xb_shell("grep -qx 'p  *15  *2.0   1.080 .1.040, 1.120.' table"), 0);
    XB_EXPECT_EQ(xb_shell(SCRIPT " --report " XB_SOURCE_DIR "/README.md 2>err"), 2);
}
