/* SPDX-License-Identifier: BSD-3-Clause
 * Bencher Metric Format (https://bencher.dev/bmf.json): an object of benchmarks, each an object of
 * measures. `latency` (ns) and `throughput` (operations a second) are measures that Bencher has. */
#include "export.h"

#include "../core/json.h"

#include <errno.h>
#include <math.h>

/* Numbers have to be finite, and an interval is left out where there is none. */
static void put(struct xb_json *measures, const char *name, double value, double lo, double hi)
{
    if (!isfinite(value))
        return;
    struct xb_json *metric = xb_json_object();
    xb_json_put_real(metric, "value", value);
    xb_json_put_real(metric, "lower_value", lo);
    xb_json_put_real(metric, "upper_value", hi);
    xb_json_put(measures, name, metric);
}

static int add(void *context, const struct xb_summary_row *row, struct xb_reason *why)
{
    char name[XB_CELL_NAME_BYTES];
    const struct xb_cell_key key = XB_CELL_KEY_OF(row);
    struct xb_json *measures = xb_json_object();
    xb_cell_name(&key, name);
    put(measures, "latency", row->ns_per_item, row->ns_per_item_lo, row->ns_per_item_hi);
    put(measures, "throughput", row->items_per_s, row->items_per_s_lo, row->items_per_s_hi);
    put(measures, "cpu-time", row->cpu_ns_per_item, row->cpu_ns_per_item_lo,
        row->cpu_ns_per_item_hi);
    put(measures, "gb-per-s", row->gb_per_s, NAN, NAN);
    put(measures, "gflop-per-s", row->gflop_per_s, NAN, NAN);
    put(measures, "p99-latency", row->lat_p99_ns, NAN, NAN);
    put(measures, "ipc", row->ipc, NAN, NAN);
    if (xb_json_is_empty(measures)) {
        xb_json_free(measures);
        return 0;
    }
    if (xb_json_has(context, name)) {
        xb_json_free(measures);
        return xb_because(why, -EBADMSG, "summary.csv has %.150s twice", name);
    }
    xb_json_put(context, name, measures);
    return 0;
}

static int write(FILE *out, const char *folder, const struct xb_facts *facts, struct xb_reason *why)
{
    struct xb_json *all = xb_json_object();
    (void)facts;
    int err = xb_rows_each_summary(folder, add, all, why);
    if (!err && xb_json_is_empty(all))
        err = xb_because(why, -ENODATA, "no cell has a figure: nothing to export");
    if (!err)
        return xb_json_write(out, all, why);
    xb_json_free(all);
    return err;
}

const struct xb_export xb_export_bmf = {
    .name = "bmf",
    .summary = "Bencher Metric Format: bencher run --adapter json",
    .write = write,
};
