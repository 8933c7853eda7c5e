/* SPDX-License-Identifier: BSD-3-Clause
 * Tests scripts/peers.sh: its command line, and the arithmetic from pairs to verdicts. What the
 * specialists' programs say here is for a run to tell, not for a test. */
#include "spawn.h"
#include "xbtest.h"

#include <stdio.h>
#include <stdlib.h>

#define SCRIPTS XB_SOURCE_DIR "/scripts"

XB_TEST(Peers, ListShowsFiguresAndHelpTheOptions)
{
    XB_EXPECT_EQ(xb_shell(SCRIPTS "/peers.sh --list >list && grep -q '^flops_dp_1 ' list"), 0);
    XB_EXPECT_EQ(xb_shell(SCRIPTS "/peers.sh --list --only 'latency_*' >list"), 0);
    XB_EXPECT_EQ(xb_shell("grep -q '^latency_24kib ' list && ! grep -qv '^latency_' list"), 0);
    XB_EXPECT_EQ(xb_shell(SCRIPTS "/peers.sh --help | grep -q -- --pairs"), 0);
}

XB_TEST(Peers, WrongOptionsAreRefusedBeforeAnythingIsDone)
{
    static const char *const wrong[] = {
        "--frobnicate",
        "--pairs",
        "--pairs 4 --list",
        "--pairs many --list",
        "--pairs 100",
        "--only",
        "-o",
        "--only nothing --list",
        "figure_by_itself",
        "--pairs '' -o x",
        "-o /etc/passwd",
        "-o /etc",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        char command[256];
        snprintf(command, sizeof command, SCRIPTS "/peers.sh %s >out 2>err", wrong[i]);
        int code = xb_shell(command);
        if (code != 2)
            XB_FAIL("'peers.sh %s' ends with %d", wrong[i], code);
        XB_EXPECT_EQ(xb_shell("test ! -s out && grep -q '^peers.sh: ' err && test ! -e x"), 0);
        XB_EXPECT_EQ(xb_shell("test $(wc -l <err) = 1"), 0);
    }
}

/* A peer is one file: what it needs is named there, and installed for it. */
XB_TEST(Peers, WhatAPeerNeedsIsInstalledBecauseItsFileSaysSo)
{
    XB_EXPECT_EQ(xb_shell("cp -r " SCRIPTS " scripts && ln -s " XB_SOURCE_DIR "/harness harness"),
                 0);
    XB_EXPECT_EQ(xb_shell("scripts/install-deps.sh --peers --print >before"), 0);
    XB_EXPECT_EQ(xb_shell("printf '# xb-peer: xb-no-such (Debian: xb-package)\\n"
                          "# xb-peer: xb/no-such.h (Debian: xb-headers)\\n"
                          "# xb-peer: sh (Debian: xb-is-there)\\n' >scripts/peers/new.sh"),
                 0);
    XB_EXPECT_EQ(xb_shell("scripts/install-deps.sh --peers --print >after"), 0);
    XB_EXPECT_EQ(xb_shell("! grep -q ' xb-' before && test $(grep -c ' xb-' after) = 2"), 0);
    XB_EXPECT_EQ(xb_shell("grep -q ' xb-package$' after && grep -q ' xb-headers$' after"), 0);
}

XB_TEST(Peers, EveryFigureNamesWhatItNeedsInItsFile)
{
    XB_EXPECT_EQ(
        xb_shell("for file in " SCRIPTS "/peers/*.sh; do"
                 "  for what in $(sed -nE 's/^ *needs ([^ ]+) [^ ]+$/\\1/p' $file); do"
                 "    grep -qE \"^# xb-peer: $what \\(Debian: [a-z0-9.+-]+\\)\\$\" $file ||"
                 "      { echo \"$file: $what\"; exit 1; }"
                 "  done;"
                 "done"),
        0);
}

static double number(const struct xb_table *table, size_t row, const char *column)
{
    const char *text = xb_table_get(table, row, column);
    return text ? strtod(text, NULL) : 0;
}

XB_TEST(Peers, PairsBecomeRatiosWithTheirIntervalAndAVerdict)
{
    char command[8192], path[4096];
    snprintf(command, sizeof command,
             "awk -f " SCRIPTS "/csv.awk -f " SCRIPTS "/peers/ratio.awk '%s' >peers.csv",
             xb_test_data("peers_pairs.csv"));
    XB_EXPECT_EQ(xb_shell(command), 0);
    snprintf(path, sizeof path, "%s/peers.csv", xb_test_folder());
    struct xb_table table;
    XB_EXPECT_EQ(xb_table_open(&table, path), 0);
    XB_EXPECT_EQ(table.rows, 3);
    if (xb_test_failed()) {
        xb_table_close(&table);
        return;
    }
    static const struct {
        const char *figure, *verdict;
        int pairs;
        double ours, peer, ratio, lo, hi, level;
    } due[] = {
        { "seven", "met", 7, 99, 100, 0.99, 0.90, 1.10, 98.44 },
        /* Its interval reaches 0.99, above the floor of 0.98. */
        { "five", "unclear", 5, 100, 96, 0.96, 0.90, 0.99, 93.75 },
        /* Nine values: the second and the eighth enclose the median. */
        { "nine", "missed", 9, 100, 106, 1.06, 1.03, 1.09, 96.09 },
    };
    for (size_t row = 0; row < 3; row++) {
        XB_EXPECT_STREQ(xb_table_get(&table, row, "figure"), due[row].figure);
        XB_EXPECT_STREQ(xb_table_get(&table, row, "verdict"), due[row].verdict);
        XB_EXPECT_EQ(number(&table, row, "pairs"), due[row].pairs);
        XB_EXPECT_NEAR(number(&table, row, "ours"), due[row].ours, 1e-9);
        XB_EXPECT_NEAR(number(&table, row, "peer"), due[row].peer, 1e-9);
        XB_EXPECT_NEAR(number(&table, row, "ratio"), due[row].ratio, 1e-6);
        XB_EXPECT_NEAR(number(&table, row, "ratio_lo"), due[row].lo, 1e-6);
        XB_EXPECT_NEAR(number(&table, row, "ratio_hi"), due[row].hi, 1e-6);
        XB_EXPECT_NEAR(number(&table, row, "level"), due[row].level, 1e-9);
    }
    XB_EXPECT_STREQ(xb_table_get(&table, 0, "peer_what"), "one, two");
    XB_EXPECT_STREQ(xb_table_get(&table, 1, "bytes"), "");
    XB_EXPECT_NEAR(number(&table, 0, "steal"), 0.04 / 7, 1e-4);
    xb_table_close(&table);
}
