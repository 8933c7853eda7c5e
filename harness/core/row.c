/* SPDX-License-Identifier: BSD-3-Clause
 * Writes rows as CSV, field by field from the tables that row.h defines. */
#include "row.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

const struct xb_field xb_sample_fields[] = {
#define X(kind, column, unit, meaning) \
    { XB_FIELD_##kind, #column, unit, meaning, offsetof(struct xb_sample_row, column) },
    XB_SAMPLE_COLUMNS(X)
#undef X
};

const struct xb_field xb_summary_fields[] = {
#define X(kind, column, unit, meaning) \
    { XB_FIELD_##kind, #column, unit, meaning, offsetof(struct xb_summary_row, column) },
    XB_SUMMARY_COLUMNS(X)
#undef X
};

static const struct {
    const char *column, *unit, *meaning;
} metric_fields[] = {
#define X(id, column, unit, meaning) { column, unit, meaning },
    XB_METRICS(X)
#undef X
};

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

const size_t xb_n_sample_fields = COUNT_OF(xb_sample_fields);
const size_t xb_n_summary_fields = COUNT_OF(xb_summary_fields);

static void clear(const struct xb_field *fields, size_t n, void *row)
{
    for (size_t i = 0; i < n; i++) {
        void *at = (char *)row + fields[i].offset;
        switch (fields[i].kind) {
        case XB_FIELD_TEXT:
            *(const char **)at = NULL;
            break;
        case XB_FIELD_COUNT:
        case XB_FIELD_HASH:
            *(uint64_t *)at = XB_ABSENT;
            break;
        case XB_FIELD_REAL:
            *(double *)at = NAN;
            break;
        }
    }
}

void xb_sample_row_clear(struct xb_sample_row *row)
{
    memset(row, 0, sizeof *row);
    clear(xb_sample_fields, COUNT_OF(xb_sample_fields), row);
    row->schema = XB_ROW_SCHEMA;
}

void xb_summary_row_clear(struct xb_summary_row *row)
{
    memset(row, 0, sizeof *row);
    clear(xb_summary_fields, COUNT_OF(xb_summary_fields), row);
    row->schema = XB_ROW_SCHEMA;
}

int xb_csv_text(FILE *out, const char *text)
{
    if (!text)
        return 0;
    if (!text[strcspn(text, ",\"\r\n")])
        return fputs(text, out) < 0 ? -errno : 0;
    putc('"', out);
    for (; *text; text++) {
        if (*text == '"')
            putc('"', out);
        putc(*text, out);
    }
    return putc('"', out) < 0 ? -errno : 0;
}

/* %.9g carries more digits than any clock here resolves. A locale with a decimal comma would
 * break the file, so the comma is put right whatever setlocale(3) was told. */
static void write_real(FILE *out, double value)
{
    if (isnan(value) || isinf(value))
        return;
    char text[40];
    snprintf(text, sizeof text, "%.9g", value);
    char *comma = strchr(text, ',');
    if (comma)
        *comma = '.';
    fputs(text, out);
}

static void write_field(FILE *out, const struct xb_field *field, const void *row)
{
    const void *at = (const char *)row + field->offset;
    switch (field->kind) {
    case XB_FIELD_TEXT:
        xb_csv_text(out, *(const char *const *)at);
        break;
    case XB_FIELD_COUNT:
        if (*(const uint64_t *)at != XB_ABSENT)
            fprintf(out, "%" PRIu64, *(const uint64_t *)at);
        break;
    case XB_FIELD_HASH:
        if (*(const uint64_t *)at != XB_ABSENT)
            fprintf(out, "%016" PRIx64, *(const uint64_t *)at);
        break;
    case XB_FIELD_REAL:
        write_real(out, *(const double *)at);
        break;
    }
}

static void write_fields(FILE *out, const struct xb_field *fields, size_t n, const void *row)
{
    for (size_t i = 0; i < n; i++) {
        if (i)
            putc(',', out);
        write_field(out, &fields[i], row);
    }
}

static void write_header(FILE *out, const struct xb_field *fields, size_t n)
{
    for (size_t i = 0; i < n; i++)
        fprintf(out, "%s%s", i ? "," : "", fields[i].column);
}

static int end_line(FILE *out)
{
    putc('\n', out);
    return ferror(out) ? (errno ? -errno : -EIO) : 0;
}

int xb_sample_header(FILE *out, const struct xb_events *events)
{
    write_header(out, xb_sample_fields, COUNT_OF(xb_sample_fields));
    for (size_t i = 0; i < COUNT_OF(metric_fields); i++)
        fprintf(out, ",%s", metric_fields[i].column);
    for (size_t i = 0; events && i < XB_NAMED_MAX && events->name[i]; i++) {
        putc(',', out);
        xb_csv_text(out, events->name[i]);
    }
    return end_line(out);
}

int xb_sample_write(FILE *out, const struct xb_sample_row *row)
{
    write_fields(out, xb_sample_fields, COUNT_OF(xb_sample_fields), row);
    size_t named = 0;
    while (row->events && named < XB_NAMED_MAX && row->events->name[named])
        named++;
    for (size_t i = 0; i < COUNT_OF(metric_fields) + named; i++) {
        putc(',', out);
        if (row->reading.present & (1u << i))
            fprintf(out, "%" PRIu64, row->reading.value[i]);
    }
    return end_line(out);
}

int xb_summary_header(FILE *out)
{
    write_header(out, xb_summary_fields, COUNT_OF(xb_summary_fields));
    return end_line(out);
}

int xb_summary_write(FILE *out, const struct xb_summary_row *row)
{
    write_fields(out, xb_summary_fields, COUNT_OF(xb_summary_fields), row);
    return end_line(out);
}

static void write_column(FILE *out, const char *file, const char *column, const char *unit,
                         const char *meaning)
{
    fprintf(out, "%s,%s,%s,", file, column, unit);
    xb_csv_text(out, meaning);
    putc('\n', out);
}

int xb_columns_write(FILE *out)
{
    fputs("file,column,unit,meaning\n", out);
    for (size_t i = 0; i < COUNT_OF(xb_sample_fields); i++)
        write_column(out, "samples.csv", xb_sample_fields[i].column, xb_sample_fields[i].unit,
                     xb_sample_fields[i].meaning);
    for (size_t i = 0; i < COUNT_OF(metric_fields); i++)
        write_column(out, "samples.csv", metric_fields[i].column, metric_fields[i].unit,
                     metric_fields[i].meaning);
    for (size_t i = 0; i < COUNT_OF(xb_summary_fields); i++)
        write_column(out, "summary.csv", xb_summary_fields[i].column, xb_summary_fields[i].unit,
                     xb_summary_fields[i].meaning);
    return ferror(out) ? -EIO : 0;
}
