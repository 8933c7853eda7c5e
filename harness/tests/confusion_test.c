/* SPDX-License-Identifier: BSD-3-Clause
 * Tests how what probes saw of kernels is counted. */
#include "spawn.h"
#include "xbtest.h"

#include "../core/confusion.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void add(struct xb_confusion *confusion, const char *class, const char *bound,
                const char *level)
{
    struct xb_summary_row row;
    xb_summary_row_clear(&row);
    row.kernel = "cache/of_a_test";
    row.model = "threads";
    row.engine = "blocking";
    row.workers = 1;
    row.class = "cache";
    row.bound_claimed = class;
    row.bound = bound;
    row.verdict_level = level;
    row.bound_confidence = 0.9;
    row.verdict_evidence = "ipc 1; seen: as the test has it";
    xb_confusion_add(confusion, &row);
}

XB_TEST(Confusion, CountsByClassAndWhatWasSeen)
{
    char *misses = NULL, *text = NULL;
    size_t bytes;
    struct xb_confusion confusion = { .misses = open_memstream(&misses, &bytes) };
    add(&confusion, "cache", "cache", "L2");
    add(&confusion, "cache", "cpu", "L1"); /* the first cache is part of computing */
    add(&confusion, "cache", "cpu", NULL);
    add(&confusion, "io", "unknown", NULL);
    add(&confusion, "sync", "mixed", NULL);
    add(&confusion, "kernel", "kernel", NULL);
    add(&confusion, "sync", NULL, NULL); /* failed, or skipped */
    fclose(confusion.misses);
    XB_EXPECT_EQ(confusion.cells[XB_CLASS_CACHE][XB_BOUND_CACHE], 2);
    XB_EXPECT_EQ(confusion.cells[XB_CLASS_CACHE][XB_BOUND_CPU], 1);
    XB_EXPECT_EQ(confusion.cells[XB_CLASS_IO][XB_BOUND_UNKNOWN], 1);
    XB_EXPECT_EQ(confusion.cells[XB_CLASS_SYNC][XB_BOUND_MIXED], 1);
    XB_EXPECT_EQ(confusion.cells[XB_CLASS_KERNEL][XB_BOUND_KERNEL], 1);
    XB_EXPECT_EQ(confusion.unmeasured, 1);
    XB_EXPECT_HAS(misses, "cache/of_a_test");
    XB_EXPECT_HAS(misses, "claimed: cache, 90 % sure");
    XB_EXPECT_HAS(misses, "seen: as the test has it");
    XB_EXPECT(strchr(misses, '\n') == strrchr(misses, '\n')); /* one line: the rest is no miss */

    FILE *out = open_memstream(&text, &bytes);
    xb_confusion_print(out, &confusion);
    fclose(out);
    XB_EXPECT_HAS(text,
                  "6 cells: 50.0 % seen as claimed, 33.3 % mixed or unknown, 16.7 % as another "
                  "class; 1 could not be measured, in 0 workers");
    free(text);
    free(misses);
}

/* Under a loop they are coroutines of one thread. */
XB_TEST(Confusion, WorkersThatWaitOnOneThreadAreNotHeldAgainstProbes)
{
    struct xb_confusion confusion = { .misses = NULL };
    struct xb_summary_row row;
    xb_summary_row_clear(&row);
    row.bound_claimed = "sync";
    row.bound = "cpu";
    row.workers = 2;
    row.lanes = 1;
    xb_confusion_add(&confusion, &row);
    XB_EXPECT_EQ(confusion.unseen, 1);
    XB_EXPECT_EQ(confusion.cells[XB_CLASS_SYNC][XB_BOUND_CPU], 0);
    row.lanes = 2;
    xb_confusion_add(&confusion, &row);
    XB_EXPECT_EQ(confusion.cells[XB_CLASS_SYNC][XB_BOUND_CPU], 1);
}

XB_TEST(Confusion, NothingMeasuredIsNoPercentage)
{
    char *text = NULL;
    size_t bytes;
    struct xb_confusion confusion = { .unmeasured = 3 };
    FILE *out = open_memstream(&text, &bytes);
    xb_confusion_print(out, &confusion);
    fclose(out);
    XB_EXPECT_HAS(text, "0 cells: 0.0 % seen as claimed");
    free(text);
}

XB_TEST(Confusion, CalibratingTakesNoCommand)
{
    static const char *const refused[] = { "classify --calibrate -p 1",
                                           "classify --calibrate --json",
                                           "classify --calibrate -- true" };
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        struct xb_ended *ended = xb_spawn(&(struct xb_spawn){ .args = refused[i] });
        XB_EXPECT_EQ(ended->code, 2);
        XB_EXPECT_HAS(ended->err, "--calibrate: takes no command");
        XB_EXPECT_EQ(ended->errors, 1);
        free(ended);
    }
}
