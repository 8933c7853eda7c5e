/* SPDX-License-Identifier: BSD-3-Clause
 * Reads verdicts.csv and refuses what is not whole or contradicts itself. */
#include "verdicts.h"

#include "../base/csv.h"
#include "../base/parse.h"
#include "gate_rows.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum column {
    SCHEMA,
    KERNEL,
    CLASS,
    VERDICT,
    TIME,
    BLOCKS,
    RATIO,
    RATIO_LO,
    RATIO_HI,
    DETECTABLE,
    MIN_EFFECT,
    MARGIN,
    SPENT,
    REASON,
    COLUMNS,
};

static const char *const names[COLUMNS] = {
    [SCHEMA] = "schema",     [KERNEL] = "kernel",
    [CLASS] = "class",       [VERDICT] = "verdict",
    [TIME] = "time",         [BLOCKS] = "blocks",
    [RATIO] = "ratio",       [RATIO_LO] = "ratio_lo",
    [RATIO_HI] = "ratio_hi", [DETECTABLE] = "detectable_ratio",
    [MARGIN] = "margin",     [MIN_EFFECT] = "min_effect",
    [SPENT] = "spent_ns",    [REASON] = "reason",
};

struct reader {
    struct xb_csv csv;
    size_t at[COLUMNS];
};

static const char *text(const struct reader *reader, enum column column)
{
    return reader->csv.field[reader->at[column]];
}

static int blame(const struct reader *reader, enum column column, struct xb_reason *why,
                 const char *what)
{
    return xb_csv_fault(&reader->csv, reader->at[column], why, "'%.40s' %s", text(reader, column),
                        what);
}

static int read_real(const struct reader *reader, enum column column, double *out,
                     struct xb_reason *why)
{
    *out = NAN;
    if (!text(reader, column)[0])
        return 0;
    if (xb_parse_real(text(reader, column), out) != 0 || signbit(*out))
        return blame(reader, column, why, "is no number of 0 or more");
    return 0;
}

static int read_count(const struct reader *reader, enum column column, uint64_t *out,
                      struct xb_reason *why)
{
    *out = 0;
    if (text(reader, column)[0] && xb_parse_count(text(reader, column), 0, UINT64_MAX - 1, out))
        return blame(reader, column, why, "is no whole number");
    return 0;
}

static int read_verdict(const struct reader *reader, struct xb_verdict_row *row,
                        struct xb_reason *why)
{
    const char *word = text(reader, VERDICT);
    row->verdict = 0;
    while (row->verdict < XB_VERDICTS && strcmp(xb_verdict_name(row->verdict), word) != 0)
        row->verdict++;
    return row->verdict < XB_VERDICTS ? 0 : blame(reader, VERDICT, why, "is no verdict");
}

/* A verdict that was measured has its figures, and one that was not has none. */
static int check(const struct reader *reader, const struct xb_verdict_row *row,
                 struct xb_reason *why)
{
    if (xb_verdict_measured(row->verdict) && row->verdict != XB_INCONCLUSIVE && !row->blocks)
        return blame(reader, VERDICT, why, "without a block that was measured");
    if (!xb_verdict_measured(row->verdict) && row->blocks)
        return blame(reader, VERDICT, why, "with blocks that were measured");
    if (row->blocks && !(row->lo <= row->ratio && row->ratio <= row->hi && row->lo > 0))
        return blame(reader, RATIO, why, "is not inside its interval");
    if ((row->verdict == XB_REGRESSED && row->ratio <= 1) ||
        (row->verdict == XB_IMPROVED && row->ratio >= 1))
        return blame(reader, RATIO, why, "contradicts the verdict: edited by hand?");
    if (isnan(row->margin) || isnan(row->min_effect))
        return blame(reader, MARGIN, why, "is empty, or min_effect is");
    return 0;
}

static int read_row(const struct reader *reader, struct xb_verdict_row *row, struct xb_reason *why)
{
    uint64_t schema;
    if (xb_parse_count(text(reader, SCHEMA), 0, UINT64_MAX - 1, &schema) != 0 ||
        schema != XB_GATE_SCHEMA)
        return blame(reader, SCHEMA, why, "is no layout that this xbound knows");
    *row = (struct xb_verdict_row){ .kernel = text(reader, KERNEL),
                                    .class = text(reader, CLASS),
                                    .time = text(reader, TIME),
                                    .reason = text(reader, REASON) };
    if (!row->kernel[0])
        return blame(reader, KERNEL, why, "is empty");
    const struct {
        enum column column;
        double *out;
    } reals[] = { { RATIO, &row->ratio },           { RATIO_LO, &row->lo },
                  { RATIO_HI, &row->hi },           { DETECTABLE, &row->detectable },
                  { MIN_EFFECT, &row->min_effect }, { MARGIN, &row->margin } };
    int err = read_verdict(reader, row, why);
    for (size_t i = 0; i < sizeof reals / sizeof reals[0] && !err; i++)
        err = read_real(reader, reals[i].column, reals[i].out, why);
    if (!err)
        err = read_count(reader, BLOCKS, &row->blocks, why);
    if (!err)
        err = read_count(reader, SPENT, &row->spent_ns, why);
    return err ? err : check(reader, row, why);
}

bool xb_verdicts_here(const char *folder)
{
    char path[4200];
    return strlen(folder) <= 4096 &&
           access((snprintf(path, sizeof path, "%s/verdicts.csv", folder), path), F_OK) == 0;
}

int xb_verdicts_each(const char *folder,
                     int (*visit)(void *context, const struct xb_verdict_row *row,
                                  struct xb_reason *why),
                     void *context, struct xb_reason *why)
{
    char path[4200];
    struct reader reader;
    struct xb_verdict_row row;
    size_t n = 0;
    int more = 0;
    if (strlen(folder) > 4096)
        return xb_because(why, -ENAMETOOLONG, "the path of the folder is too long");
    snprintf(path, sizeof path, "%s/verdicts.csv", folder);
    int err = xb_csv_open(&reader.csv, path, why);
    if (!err)
        err = xb_csv_need(&reader.csv, names, COLUMNS, "verdicts.csv", reader.at, why);
    while (!err && (more = xb_csv_next(&reader.csv, why)) == 1) {
        err = read_row(&reader, &row, why);
        if (!err)
            err = visit(context, &row, why);
        n++;
    }
    xb_csv_close(&reader.csv);
    if (err || more < 0)
        return err ? err : more;
    return n ? 0 : xb_because(why, -ENODATA, "%s: no verdict; xbound ab did not end", path);
}

int xb_verdicts_count(void *context, const struct xb_verdict_row *row, struct xb_reason *why)
{
    struct xb_verdict_counts *counts = context;
    (void)why;
    counts->all++;
    counts->of[row->verdict]++;
    return 0;
}

const char *xb_verdict_row_text(const struct xb_verdict_row *row, char out[XB_VERDICT_ROW_TEXT])
{
    if (row->verdict == XB_PROVEN)
        snprintf(out, XB_VERDICT_ROW_TEXT, "PROVEN < %.3g %%", 100 * row->margin);
    else if (row->verdict == XB_INCONCLUSIVE && !isnan(row->detectable))
        snprintf(out, XB_VERDICT_ROW_TEXT, "INCONCLUSIVE: sees %.2g %% or more",
                 100 * (row->detectable - 1));
    else
        snprintf(out, XB_VERDICT_ROW_TEXT, "%s%s%.380s", xb_verdict_name(row->verdict),
                 row->reason[0] ? ": " : "", row->reason);
    return out;
}

const char *xb_verdict_row_change(const struct xb_verdict_row *row, char out[XB_VERDICT_ROW_TEXT])
{
    out[0] = '\0';
    if (row->blocks)
        snprintf(out, XB_VERDICT_ROW_TEXT, "%+.2f %% [%+.2f, %+.2f]", 100 * (row->ratio - 1),
                 100 * (row->lo - 1), 100 * (row->hi - 1));
    return out;
}
