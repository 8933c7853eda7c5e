/* SPDX-License-Identifier: BSD-3-Clause
 * OpenMetrics 1.0 text, which Prometheus's older text format takes as well: a gauge for each figure,
 * in base units, a sample for each cell. */
#include "export.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

/* A family's samples stand together, so the file is read once for each. */
struct family {
    const char *name, *unit, *help;
    size_t figure, lo, hi; /* offsets in struct xb_summary_row; lo = hi = figure: no interval */
    double scale;
};

#define ONE(name, unit, help, field, scale)                                                       \
    {                                                                                             \
        name, unit, help, offsetof(struct xb_summary_row, field),                                 \
            offsetof(struct xb_summary_row, field), offsetof(struct xb_summary_row, field), scale \
    }
#define INTERVAL(name, unit, help, field, scale)                  \
    {                                                             \
        name, unit, help, offsetof(struct xb_summary_row, field), \
            offsetof(struct xb_summary_row, field##_lo),          \
            offsetof(struct xb_summary_row, field##_hi), scale    \
    }

static const struct family families[] = {
    INTERVAL("xbound_item_seconds", "seconds", "Wall time one worker spends on an item.",
             ns_per_item, 1e-9),
    INTERVAL("xbound_item_cpu_seconds", "seconds", "CPU time of all lanes for an item.",
             cpu_ns_per_item, 1e-9),
    INTERVAL("xbound_items_per_second", NULL, "Items of all workers in a second.", items_per_s, 1),
    ONE("xbound_bytes_per_second", NULL, "Payload read and written in a second.", gb_per_s, 1e9),
    ONE("xbound_flops_per_second", NULL, "Floating-point operations in a second.", gflop_per_s,
        1e9),
    ONE("xbound_latency_p50_seconds", "seconds", "Median latency.", lat_p50_ns, 1e-9),
    ONE("xbound_latency_p99_seconds", "seconds", "99th percentile of latency.", lat_p99_ns, 1e-9),
    ONE("xbound_parallelism", NULL, "CPUs at work on average.", parallelism, 1),
    ONE("xbound_concurrency", NULL, "Workers in flight on average.", concurrency, 1),
};

static void put_label(FILE *out, const char *name, const char *text)
{
    fprintf(out, "%s=\"", name);
    for (; *text; text++) {
        if (*text == '\n')
            fputs("\\n", out);
        else if (*text == '\\' || *text == '"')
            fprintf(out, "\\%c", *text);
        else
            putc(*text == '\r' ? ' ' : *text, out);
    }
    putc('"', out);
}

static void put_cell(FILE *out, const struct xb_summary_row *row)
{
    put_label(out, "kernel", row->kernel);
    put_label(out, ",class", row->class);
    put_label(out, ",model", row->model);
    put_label(out, ",engine", row->engine);
    put_label(out, ",isa", row->isa);
    put_label(out, ",bind", row->bind);
    fprintf(out, ",workers=\"%llu\",lanes=\"%llu\",depth=\"%llu\"",
            (unsigned long long)row->workers, (unsigned long long)row->lanes,
            (unsigned long long)row->depth);
    if (row->bytes_per_worker != XB_ABSENT)
        fprintf(out, ",bytes_per_worker=\"%llu\"", (unsigned long long)row->bytes_per_worker);
}

struct pass {
    FILE *out;
    const struct family *family;
};

static void put_sample(const struct pass *pass, const struct xb_summary_row *row, size_t offset,
                       const char *estimate)
{
    double value;
    memcpy(&value, (const char *)row + offset, sizeof value);
    if (isnan(value))
        return;
    fprintf(pass->out, "%s{", pass->family->name);
    put_cell(pass->out, row);
    if (estimate)
        put_label(pass->out, ",estimate", estimate);
    fprintf(pass->out, "} %.9g\n", value * pass->family->scale);
}

static int add_figure(void *context, const struct xb_summary_row *row, struct xb_reason *why)
{
    const struct pass *pass = context;
    const struct family *family = pass->family;
    bool interval = family->lo != family->figure;
    (void)why;
    put_sample(pass, row, family->figure, interval ? "median" : NULL);
    if (interval) {
        put_sample(pass, row, family->lo, "low");
        put_sample(pass, row, family->hi, "high");
    }
    return 0;
}

static int add_status(void *context, const struct xb_summary_row *row, struct xb_reason *why)
{
    const struct pass *pass = context;
    (void)why;
    fputs("xbound_cell_ok{", pass->out);
    put_cell(pass->out, row);
    put_label(pass->out, ",status", row->status);
    fprintf(pass->out, "} %d\n", strcmp(row->status, "ok") == 0);
    return 0;
}

static void put_run(FILE *out, const struct xb_facts *facts)
{
    static const char *const keys[] = { "run_id",   "started_utc", "xbound_version", "git_commit",
                                        "compiler", "hostname",    "cpu_model",      "kernel" };
    fputs("# TYPE xbound_run gauge\n# HELP xbound_run What was measured, where; always 1.\n"
          "xbound_run{",
          out);
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        if (i)
            putc(',', out);
        put_label(out, keys[i], xb_facts_get(facts, keys[i]));
    }
    fputs("} 1\n", out);
}

static int write(FILE *out, const char *folder, const struct xb_facts *facts, struct xb_reason *why)
{
    struct pass pass = { .out = out };
    put_run(out, facts);
    fputs("# TYPE xbound_cell_ok gauge\n# HELP xbound_cell_ok Whether the cell's status is ok.\n",
          out);
    int err = xb_rows_each_summary(folder, add_status, &pass, why);
    for (size_t i = 0; i < sizeof families / sizeof families[0] && !err; i++) {
        pass.family = &families[i];
        fprintf(out, "# TYPE %s gauge\n", pass.family->name);
        if (pass.family->unit)
            fprintf(out, "# UNIT %s %s\n", pass.family->name, pass.family->unit);
        fprintf(out, "# HELP %s %s\n", pass.family->name, pass.family->help);
        err = xb_rows_each_summary(folder, add_figure, &pass, why);
    }
    fputs("# EOF\n", out);
    return err;
}

const struct xb_export xb_export_openmetrics = {
    .name = "openmetrics",
    .summary = "OpenMetrics text: Prometheus's textfile collector and Pushgateway",
    .write = write,
};
