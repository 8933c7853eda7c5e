/* SPDX-License-Identifier: BSD-3-Clause
 * JUnit XML: each cell, or each verdict, is a test case that passed, failed or was skipped, with its
 * reason. */
#include "export.h"

#include "../core/verdicts.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Text of an element or attribute. XML 1.0 has no control characters (the reader of CSV lets no
 * others than these three pass), nor U+FFFE and U+FFFF. */
static void put_text(FILE *out, const char *text)
{
    for (; *text; text++) {
        if (strncmp(text, "\357\277\276", 3) == 0 || strncmp(text, "\357\277\277", 3) == 0) {
            putc('?', out);
            text += 2;
            continue;
        }
        switch (*text) {
        case '&':
            fputs("&amp;", out);
            break;
        case '<':
            fputs("&lt;", out);
            break;
        case '>':
            fputs("&gt;", out);
            break;
        case '"':
            fputs("&quot;", out);
            break;
        case '\t':
        case '\n':
        case '\r':
            fprintf(out, "&#%d;", *text);
            break;
        default:
            putc(*text, out);
        }
    }
}

struct cases {
    FILE *out;
    unsigned long tests, failures, skipped;
    double time_s;
};

static void put_outcome(FILE *out, const char *element, const char *reason)
{
    fprintf(out, "<%s message=\"", element);
    put_text(out, reason);
    fputs(strcmp(element, "failure") == 0 ? "\" type=\"failed\"/>" : "\"/>", out);
}

static void put_figures(FILE *out, const struct xb_summary_row *row)
{
    fputs("<system-out>", out);
    if (!isnan(row->ns_per_item))
        fprintf(out, "%.9g ns per item", row->ns_per_item);
    if (!isnan(row->ns_per_item_lo))
        fprintf(out, " [%.9g, %.9g]", row->ns_per_item_lo, row->ns_per_item_hi);
    if (row->reason[0]) {
        fprintf(out, "%s%s: ", isnan(row->ns_per_item) ? "" : "; ", row->status);
        put_text(out, row->reason);
    }
    fputs("</system-out>", out);
}

static int add(void *context, const struct xb_summary_row *row, struct xb_reason *why)
{
    struct cases *cases = context;
    char name[XB_CELL_NAME_BYTES];
    const struct xb_cell_key key = XB_CELL_KEY_OF(row);
    double time_s = row->samples == XB_ABSENT || isnan(row->wall_ns_median)
                        ? 0
                        : (double)row->samples * row->wall_ns_median / 1e9;
    (void)why;
    xb_cell_name(&key, name);
    fputs("  <testcase classname=\"", cases->out);
    put_text(cases->out, row->kernel);
    fputs("\" name=\"", cases->out);
    put_text(cases->out, name);
    fprintf(cases->out, "\" time=\"%.6f\">", time_s);
    cases->tests++;
    cases->time_s += time_s;
    if (strcmp(row->status, "failed") == 0) {
        cases->failures++;
        put_outcome(cases->out, "failure", row->reason);
    } else if (strcmp(row->status, "skipped") == 0) {
        cases->skipped++;
        put_outcome(cases->out, "skipped", row->reason);
    } else {
        put_figures(cases->out, row);
    }
    fputs("</testcase>\n", cases->out);
    return 0;
}

/* REGRESSED and MISSING fail, as they do the gate; what could not be told is skipped. */
static int add_verdict(void *context, const struct xb_verdict_row *row, struct xb_reason *why)
{
    struct cases *cases = context;
    char verdict[XB_VERDICT_ROW_TEXT], change[XB_VERDICT_ROW_TEXT];
    char message[2 * XB_VERDICT_ROW_TEXT + 32];
    double time_s = (double)row->spent_ns / 1e9;
    (void)why;
    xb_verdict_row_change(row, change);
    snprintf(message, sizeof message, "%s%s%s%s%s", xb_verdict_row_text(row, verdict),
             change[0] ? ": " : "", change, change[0] ? ", time: " : "",
             change[0] ? row->time : "");
    fputs("  <testcase classname=\"ab", cases->out);
    if (row->class[0])
        putc('.', cases->out);
    put_text(cases->out, row->class);
    fputs("\" name=\"", cases->out);
    put_text(cases->out, row->kernel);
    fprintf(cases->out, "\" time=\"%.6f\">", time_s);
    cases->tests++;
    cases->time_s += time_s;
    if (row->verdict == XB_REGRESSED || row->verdict == XB_MISSING) {
        cases->failures++;
        put_outcome(cases->out, "failure", message);
    } else if (row->verdict == XB_INCONCLUSIVE || row->verdict == XB_ADDED) {
        cases->skipped++;
        put_outcome(cases->out, "skipped", message);
    } else {
        fputs("<system-out>", cases->out);
        put_text(cases->out, message);
        fputs("</system-out>", cases->out);
    }
    fputs("</testcase>\n", cases->out);
    return 0;
}

static void put_suite(FILE *out, const struct cases *cases, const char *text, const char *name,
                      const struct xb_facts *facts)
{
    const char *started = xb_facts_get(facts, "started_utc");
    fprintf(out,
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n"
            " <testsuite name=\"%s\" tests=\"%lu\" failures=\"%lu\" errors=\"0\" "
            "skipped=\"%lu\" time=\"%.6f\"",
            name, cases->tests, cases->failures, cases->skipped, cases->time_s);
    if (started[0]) {
        fputs(" timestamp=\"", out);
        char stamp[40]; /* the schema's has no time zone: UTC */
        snprintf(stamp, sizeof stamp, "%.*s", (int)strcspn(started, "Z"), started);
        put_text(out, stamp);
        putc('"', out);
    }
    fprintf(out, ">\n%s </testsuite>\n</testsuites>\n", text ? text : "");
}

/* The suite says first how many cases it has, so they are written to memory before. */
static int write_suite(FILE *out, const char *folder, const struct xb_facts *facts, bool verdicts,
                       struct xb_reason *why)
{
    char *text = NULL;
    size_t bytes = 0;
    struct cases cases = { .out = open_memstream(&text, &bytes) };
    if (!cases.out)
        return xb_because(why, -ENOMEM, "out of memory");
    int err = verdicts ? xb_verdicts_each(folder, add_verdict, &cases, why)
                       : xb_rows_each_summary(folder, add, &cases, why);
    if (fclose(cases.out) != 0 && !err)
        err = xb_because(why, -ENOMEM, "out of memory");
    if (!err)
        put_suite(out, &cases, text, verdicts ? "xbound ab" : "xbound", facts);
    free(text);
    return err;
}

static int write(FILE *out, const char *folder, const struct xb_facts *facts, struct xb_reason *why)
{
    return write_suite(out, folder, facts, false, why);
}

static int write_verdicts(FILE *out, const char *folder, const struct xb_facts *facts,
                          struct xb_reason *why)
{
    return write_suite(out, folder, facts, true, why);
}

const struct xb_export xb_export_junit = {
    .name = "junit",
    .summary = "JUnit XML, a test case for each cell: Jenkins, GitLab",
    .write = write,
    .write_verdicts = write_verdicts,
};
