/* SPDX-License-Identifier: BSD-3-Clause
 * Reads the files of a run, row by row, from the tables that row.h defines. */
#include "rows.h"

#include "../base/parse.h"
#include "metrics.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* ---- headers ---- */

/* Without these there is nothing to say which cell a row is of, or how it went. */
static const char *const needed[] = {
    "schema", "kernel", "class", "model",  "engine", "workers", "lanes",
    "bind",   "isa",    "depth", "status", "reason", "seed",    "iters",
};
static const char *const needed_of_samples[] = { "wall_ns", "cpu_ns", "items", "counters" };
static const char *const needed_of_summary[] = { "ns_per_item",    "ns_per_item_lo",
                                                 "ns_per_item_hi", "cpu_ns_per_item",
                                                 "items_per_s",    "checksum" };

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static const struct xb_field *find_field(const struct xb_rows *rows, const char *name)
{
    bool samples = rows->of == XB_ROWS_SAMPLES;
    const struct xb_field *fields = samples ? xb_sample_fields : xb_summary_fields;
    size_t n = samples ? xb_n_sample_fields : xb_n_summary_fields;
    for (size_t i = 0; i < n; i++)
        if (strcmp(fields[i].column, name) == 0)
            return &fields[i];
    return NULL;
}

static int find_metric(const char *name)
{
    for (int metric = 0; metric < XB_METRIC_COUNT; metric++)
        if (strcmp(xb_metric_name((enum xb_metric)metric), name) == 0)
            return metric;
    return -1;
}

/* Texts that no column of this file gives are "", not NULL. */
static void empty_texts(const struct xb_field *fields, size_t n, void *row)
{
    for (size_t i = 0; i < n; i++)
        if (fields[i].kind == XB_FIELD_TEXT)
            *(const char **)((char *)row + fields[i].offset) = "";
}

/* Clearing field by field would take as long as reading them. */
static void make_blank(struct xb_rows *rows)
{
    if (rows->of == XB_ROWS_SAMPLES) {
        xb_sample_row_clear(&rows->blank.sample);
        rows->blank.sample.schema = XB_ABSENT;
        empty_texts(xb_sample_fields, xb_n_sample_fields, &rows->blank.sample);
    } else {
        xb_summary_row_clear(&rows->blank.summary);
        rows->blank.summary.schema = XB_ABSENT;
        empty_texts(xb_summary_fields, xb_n_summary_fields, &rows->blank.summary);
    }
}

static int take_header(struct xb_rows *rows, enum xb_rows_of of, struct xb_reason *why)
{
    bool samples = of == XB_ROWS_SAMPLES;
    rows->of = of;
    make_blank(rows);
    const char *file = samples ? "samples.csv of this xbound's" : "summary.csv of this xbound's";
    int err = xb_csv_need(&rows->csv, needed, COUNT_OF(needed), file, NULL, why);
    if (!err && samples)
        err = xb_csv_need(&rows->csv, needed_of_samples, COUNT_OF(needed_of_samples), file, NULL,
                          why);
    else if (!err)
        err = xb_csv_need(&rows->csv, needed_of_summary, COUNT_OF(needed_of_summary), file, NULL,
                          why);
    for (size_t i = 0; i < rows->csv.columns && !err; i++) {
        rows->field[i] = find_field(rows, rows->csv.name[i]);
        rows->metric[i] = samples && !rows->field[i] ? find_metric(rows->csv.name[i]) : -1;
    }
    return err;
}

int xb_rows_open(struct xb_rows *rows, const char *path, enum xb_rows_of of, struct xb_reason *why)
{
    int err = xb_csv_open(&rows->csv, path, why);
    return err ? err : take_header(rows, of, why);
}

int xb_rows_attach(struct xb_rows *rows, FILE *in, const char *path, enum xb_rows_of of,
                   struct xb_reason *why)
{
    int err = xb_csv_attach(&rows->csv, in, path, why);
    return err ? err : take_header(rows, of, why);
}

void xb_rows_close(struct xb_rows *rows)
{
    xb_csv_close(&rows->csv);
}

/* ---- fields ---- */

static int read_hash(const char *text, uint64_t *out)
{
    uint64_t value = 0;
    size_t n = 0;
    for (; text[n]; n++) {
        unsigned digit = text[n] >= '0' && text[n] <= '9'   ? (unsigned)(text[n] - '0')
                         : text[n] >= 'a' && text[n] <= 'f' ? (unsigned)(text[n] - 'a' + 10)
                                                            : 16;
        if (digit == 16)
            return -EINVAL;
        value = value << 4 | digit;
    }
    *out = value;
    return n == 16 ? 0 : -EINVAL;
}

static int read_count(const struct xb_rows *rows, size_t column, uint64_t *out,
                      struct xb_reason *why)
{
    const char *text = rows->csv.field[column];
    int err = xb_parse_count(text, 0, XB_ABSENT - 1, out);
    return err ? xb_csv_fault(&rows->csv, column, why, "'%.40s' is %s", text,
                              err == -ERANGE ? "too large" : "no whole number")
               : 0;
}

static int read_real(const struct xb_rows *rows, size_t column, double *out, struct xb_reason *why)
{
    const char *text = rows->csv.field[column];
    int err = xb_parse_real(text, out);
    if (err)
        return xb_csv_fault(&rows->csv, column, why, "'%.40s' is %s", text,
                            err == -ERANGE ? "too large" : "no number");
    if (signbit(*out))
        return xb_csv_fault(&rows->csv, column, why, "'%.40s' is negative", text);
    return 0;
}

static int read_field(const struct xb_rows *rows, size_t column, void *row, struct xb_reason *why)
{
    const struct xb_field *field = rows->field[column];
    const char *text = rows->csv.field[column];
    void *at = (char *)row + field->offset;
    if (field->kind == XB_FIELD_TEXT)
        *(const char **)at = text;
    if (field->kind == XB_FIELD_TEXT || !text[0])
        return 0;
    switch (field->kind) {
    case XB_FIELD_COUNT:
        return read_count(rows, column, at, why);
    case XB_FIELD_REAL:
        return read_real(rows, column, at, why);
    default:
        return read_hash(text, at) == 0
                   ? 0
                   : xb_csv_fault(&rows->csv, column, why, "'%.40s' is not 16 hexadecimal digits",
                                  text);
    }
}

static int read_metric(const struct xb_rows *rows, size_t column, struct xb_reading *reading,
                       struct xb_reason *why)
{
    int metric = rows->metric[column];
    if (metric < 0 || !rows->csv.field[column][0])
        return 0;
    reading->present |= 1u << metric;
    return read_count(rows, column, &reading->value[metric], why);
}

/* ---- what has to fit together ---- */

/* Blames the column of that name. */
__attribute__((format(printf, 4, 5))) static int
blame(const struct xb_rows *rows, const char *name, struct xb_reason *why, const char *format, ...)
{
    char what[XB_REASON_BYTES];
    int column = xb_csv_find(&rows->csv, name);
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    return xb_csv_fault(&rows->csv, column < 0 ? 0 : (size_t)column, why, "%s", what);
}

bool xb_rows_measured(const char *status)
{
    return strcmp(status, "ok") == 0 || strcmp(status, "suspect") == 0;
}

static int check_cell(const struct xb_rows *rows, uint64_t schema, const struct xb_cell_key *key,
                      const char *class, const char *status, struct xb_reason *why)
{
    if (schema != XB_ROW_SCHEMA)
        return schema == XB_ABSENT
                   ? blame(rows, "schema", why, "empty; this is no file of xbound's")
                   : blame(rows, "schema", why,
                           "layout %llu, but this xbound knows only %d; use the one of its time",
                           (unsigned long long)schema, XB_ROW_SCHEMA);
    const struct {
        const char *name, *text;
    } words[] = { { "kernel", key->kernel }, { "model", key->model }, { "engine", key->engine },
                  { "isa", key->isa },       { "bind", key->bind },   { "class", class } };
    size_t length = 0;
    for (size_t i = 0; i < COUNT_OF(words); i++) {
        if (!words[i].text[0])
            return blame(rows, words[i].name, why, "empty");
        length += strlen(words[i].text);
    }
    if (length > 200)
        return blame(rows, "kernel", why, "names of %zu bytes; this is no file of xbound's",
                     length);
    size_t prefix = strlen(class);
    if (strncmp(key->kernel, class, prefix) != 0 || key->kernel[prefix] != '/')
        return blame(rows, "class", why, "'%.40s', but the kernel is %.80s", class, key->kernel);
    if (!xb_rows_measured(status) && strcmp(status, "skipped") != 0 &&
        strcmp(status, "failed") != 0)
        return blame(rows, "status", why, "'%.40s' is none of ok skipped failed suspect", status);
    const struct {
        const char *name;
        uint64_t value;
    } counts[] = { { "workers", key->workers }, { "lanes", key->lanes }, { "depth", key->depth } };
    for (size_t i = 0; i < COUNT_OF(counts); i++)
        if (counts[i].value == XB_ABSENT || !counts[i].value)
            return blame(rows, counts[i].name, why, "want 1 or more");
    return 0;
}

/* A median with its interval, which may be absent. */
static int check_interval(const struct xb_rows *rows, const char *name, double median, double lo,
                          double hi, struct xb_reason *why)
{
    if (isnan(lo) != isnan(hi) || (isnan(median) && !isnan(lo)))
        return blame(rows, name, why, "a median and interval that are only there in part");
    if (lo > median || median > hi)
        return blame(rows, name, why, "%.9g lies outside its own interval, %.9g to %.9g", median,
                     lo, hi);
    return 0;
}

/* Both are of one median: the writer's nine digits are all that may lie between them. */
static int check_rates(const struct xb_rows *rows, double ns, double per_s, uint64_t workers,
                       struct xb_reason *why)
{
    if (isnan(ns) && isnan(per_s))
        return 0;
    double off = ns * per_s / (1e9 * (double)workers) - 1;
    if (!(fabs(off) < 1e-6))
        return blame(rows, "ns_per_item", why,
                     "%.9g ns and %.9g items/s are not of one measurement: edited by hand?", ns,
                     per_s);
    return 0;
}

static int check_summary(const struct xb_rows *rows, const struct xb_summary_row *row,
                         struct xb_reason *why)
{
    const struct xb_cell_key key = XB_CELL_KEY_OF(row);
    int err = check_cell(rows, row->schema, &key, row->class, row->status, why);
    if (!err && !xb_rows_measured(row->status) && !isnan(row->ns_per_item))
        err = blame(rows, "ns_per_item", why, "a figure, but the cell is %s", row->status);
    if (!err)
        err = check_interval(rows, "wall_ns_median", row->wall_ns_median, row->wall_ns_lo,
                             row->wall_ns_hi, why);
    if (!err)
        err = check_interval(rows, "ns_per_item", row->ns_per_item, row->ns_per_item_lo,
                             row->ns_per_item_hi, why);
    if (!err)
        err = check_interval(rows, "cpu_ns_per_item", row->cpu_ns_per_item, row->cpu_ns_per_item_lo,
                             row->cpu_ns_per_item_hi, why);
    if (!err)
        err = check_interval(rows, "items_per_s", row->items_per_s, row->items_per_s_lo,
                             row->items_per_s_hi, why);
    if (!err)
        err = check_rates(rows, row->ns_per_item, row->items_per_s, row->workers, why);
    return err;
}

static int check_sample(const struct xb_rows *rows, const struct xb_sample_row *row,
                        struct xb_reason *why)
{
    const struct xb_cell_key key = XB_CELL_KEY_OF(row);
    int err = check_cell(rows, row->schema, &key, row->class, row->status, why);
    if (!err && !xb_rows_measured(row->status) && row->wall_ns != XB_ABSENT)
        err = blame(rows, "wall_ns", why, "a figure, but the sample is %s", row->status);
    return err;
}

/* ---- rows ---- */

static int read_fields(struct xb_rows *rows, void *row, struct xb_reading *reading,
                       struct xb_reason *why)
{
    int one = xb_csv_next(&rows->csv, why);
    for (size_t i = 0; i < rows->csv.columns && one == 1; i++) {
        int err = rows->field[i] ? read_field(rows, i, row, why)
                  : reading      ? read_metric(rows, i, reading, why)
                                 : 0;
        one = err ? err : 1;
    }
    return one;
}

int xb_rows_summary(struct xb_rows *rows, struct xb_summary_row *row, struct xb_reason *why)
{
    *row = rows->blank.summary;
    int one = read_fields(rows, row, NULL, why);
    int err = one == 1 ? check_summary(rows, row, why) : 0;
    return err ? err : one;
}

int xb_rows_sample(struct xb_rows *rows, struct xb_sample_row *row, struct xb_reason *why)
{
    *row = rows->blank.sample;
    int one = read_fields(rows, row, &row->reading, why);
    int err = one == 1 ? check_sample(rows, row, why) : 0;
    return err ? err : one;
}

/* What each row is given to: of the two the one for the file's rows. */
struct visitor {
    int (*summary)(void *context, const struct xb_summary_row *row, struct xb_reason *why);
    int (*sample)(void *context, const struct xb_sample_row *row, struct xb_reason *why);
    void *context;
};

/* Reads a row and shows it. 1: there was one, and `result` is what the visitor said; 0: the end; or
 * -errno. */
static int show_row(struct xb_rows *rows, const struct visitor *visitor, int *result,
                    struct xb_reason *why)
{
    struct xb_summary_row summary;
    struct xb_sample_row sample;
    int one = visitor->summary ? xb_rows_summary(rows, &summary, why)
                               : xb_rows_sample(rows, &sample, why);
    if (one == 1)
        *result = visitor->summary ? visitor->summary(visitor->context, &summary, why)
                                   : visitor->sample(visitor->context, &sample, why);
    return one;
}

static int each(const char *folder, const char *file, const struct visitor *visitor,
                struct xb_reason *why)
{
    char path[4200];
    struct xb_rows rows;
    bool any = false;
    int result = 0;
    snprintf(path, sizeof path, "%s/%s", folder, file);
    int one = xb_rows_open(&rows, path, visitor->summary ? XB_ROWS_SUMMARY : XB_ROWS_SAMPLES, why);
    if (one == 0)
        while ((one = show_row(&rows, visitor, &result, why)) == 1 && result == 0)
            any = true;
    if (one == 0 && !any)
        one = xb_because(why, -ENODATA, "%s: no rows: nothing was measured", rows.csv.path);
    xb_rows_close(&rows);
    return one < 0 ? one : result;
}

int xb_rows_each_summary(const char *folder,
                         int (*visit)(void *context, const struct xb_summary_row *row,
                                      struct xb_reason *why),
                         void *context, struct xb_reason *why)
{
    return each(folder, "summary.csv", &(struct visitor){ .summary = visit, .context = context },
                why);
}

int xb_rows_each_sample(const char *folder,
                        int (*visit)(void *context, const struct xb_sample_row *row,
                                     struct xb_reason *why),
                        void *context, struct xb_reason *why)
{
    return each(folder, "samples.csv", &(struct visitor){ .sample = visit, .context = context },
                why);
}

/* ---- names ---- */

static char *put_count(char *to, const char *label, uint64_t value)
{
    char digits[20];
    int n = 0;
    do {
        digits[n++] = (char)('0' + value % 10);
        value /= 10;
    } while (value);
    to = stpcpy(to, label);
    while (n)
        *to++ = digits[--n];
    return to;
}

/* By hand: with snprintf, names would be most of the time that reading a million rows takes. */
size_t xb_cell_name(const struct xb_cell_key *key, char *out)
{
    char *to = stpcpy(out, key->kernel);
    *to++ = '/';
    to = stpcpy(to, key->model);
    *to++ = '/';
    to = stpcpy(to, key->engine);
    to = stpcpy(stpcpy(to, "/isa:"), key->isa);
    if (key->bytes != XB_ABSENT)
        to = put_count(to, "/bytes:", key->bytes);
    to = put_count(to, "/depth:", key->depth);
    to = stpcpy(stpcpy(to, "/bind:"), key->bind);
    to = put_count(to, "/lanes:", key->lanes);
    to = put_count(to, "/workers:", key->workers);
    *to = '\0';
    return (size_t)(to - out);
}
