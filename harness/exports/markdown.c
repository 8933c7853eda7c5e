/* SPDX-License-Identifier: BSD-3-Clause
 * A table in GitHub's Markdown, for a job summary or a comment. */
#include "export.h"

#include "../core/verdicts.h"

#include <math.h>
#include <string.h>

/* Text of a table's cell: no line end, no bar, no markup, no HTML. */
static void put_text(FILE *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '\n' || *text == '\r' || *text == '\t')
            putc(' ', out);
        else if (*text == '<')
            fputs("&lt;", out);
        else if (*text == '&')
            fputs("&amp;", out);
        else if (strchr("\\`*_[]|~#", *text))
            fprintf(out, "\\%c", *text);
        else
            putc(*text, out);
    }
}

static void put_interval(FILE *out, double median, double lo, double hi)
{
    fputs(" | ", out);
    if (!isnan(median))
        fprintf(out, "%.4g", median);
    if (!isnan(lo))
        fprintf(out, " [%.4g, %.4g]", lo, hi);
}

static int add(void *context, const struct xb_summary_row *row, struct xb_reason *why)
{
    FILE *out = context;
    (void)why;
    fputs("| ", out);
    put_text(out, row->kernel);
    fputs(" | ", out);
    put_text(out, row->model);
    putc('/', out);
    put_text(out, row->engine);
    fputs(" | ", out);
    put_text(out, row->isa);
    fprintf(out, " | %llu on %llu | ", (unsigned long long)row->workers,
            (unsigned long long)row->lanes);
    if (row->bytes_per_worker != XB_ABSENT)
        fprintf(out, "%llu", (unsigned long long)row->bytes_per_worker);
    fprintf(out, " | %llu", (unsigned long long)row->depth);
    put_interval(out, row->ns_per_item, row->ns_per_item_lo, row->ns_per_item_hi);
    put_interval(out, row->items_per_s, row->items_per_s_lo, row->items_per_s_hi);
    fputs(" | ", out);
    put_text(out, row->status);
    if (row->reason[0]) {
        fputs(": ", out);
        put_text(out, row->reason);
    }
    fputs(" |\n", out);
    return 0;
}

static int write(FILE *out, const char *folder, const struct xb_facts *facts, struct xb_reason *why)
{
    static const char *const keys[] = { "run_id",    "started_utc", "git_commit", "compiler",
                                        "cpu_model", "kernel",      "libc" };
    fputs("### xbound\n\n", out);
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        const char *value = xb_facts_get(facts, keys[i]);
        if (i && value[0])
            fputs(", ", out);
        put_text(out, value);
    }
    fputs(
        "\n\n| kernel | model/engine | isa | workers on lanes | bytes per worker | depth | ns per "
        "item [95 %] | items/s [95 %] | status |\n"
        "|---|---|---|---|---:|---:|---:|---:|---|\n",
        out);
    return xb_rows_each_summary(folder, add, out, why);
}

/* ---- of xbound ab ---- */

static int add_verdict(void *context, const struct xb_verdict_row *row, struct xb_reason *why)
{
    FILE *out = context;
    char text[XB_VERDICT_ROW_TEXT];
    const char *mark = row->verdict == XB_REGRESSED || row->verdict == XB_MISSING ? "**" : "";
    (void)why;
    fputs("| ", out);
    put_text(out, row->kernel);
    fprintf(out, " | %s", mark);
    put_text(out, xb_verdict_row_text(row, text));
    fprintf(out, "%s | ", mark);
    put_text(out, xb_verdict_row_change(row, text));
    fputs(" | ", out);
    put_text(out, row->time);
    fprintf(out, " | %llu |\n", (unsigned long long)row->blocks);
    return 0;
}

static int write_verdicts(FILE *out, const char *folder, const struct xb_facts *facts,
                          struct xb_reason *why)
{
    struct xb_verdict_counts counts = { 0 };
    int err = xb_verdicts_each(folder, xb_verdicts_count, &counts, why);
    if (err)
        return err;
    const char *text = "### xbound ab: ";
    for (int i = XB_REGRESSED; i != XB_VERDICTS; i++) {
        if (counts.of[i] || i == XB_REGRESSED)
            fprintf(out, "%s%lu of %lu %s", text, counts.of[i], counts.all,
                    xb_verdict_name((enum xb_verdict)i));
        text = ", ";
    }
    if (counts.of[XB_INCONCLUSIVE])
        fprintf(out, ", %lu of %lu %s", counts.of[XB_INCONCLUSIVE], counts.all,
                xb_verdict_name(XB_INCONCLUSIVE));
    fputs("\n\n", out);
    const char *keys[] = { "old_commit", "new_commit", "compiler", "cpu_model", "kernel" };
    const char *between[] = { "OLD ", "; NEW ", "; ", "; ", "; " };
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        if (!xb_facts_get(facts, keys[i])[0])
            continue;
        fputs(between[i], out);
        put_text(out, xb_facts_get(facts, keys[i]));
    }
    fputs("\n\n| kernel | verdict | change in time [95 %] | time | blocks |\n"
          "|---|---|---:|---|---:|\n",
          out);
    return xb_verdicts_each(folder, add_verdict, out, why);
}

const struct xb_export xb_export_markdown = {
    .name = "markdown",
    .summary = "a table in GitHub's Markdown: $GITHUB_STEP_SUMMARY",
    .write = write,
    .write_verdicts = write_verdicts,
};
