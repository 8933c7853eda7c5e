/* SPDX-License-Identifier: BSD-3-Clause
 * Google Benchmark's JSON with one row for each cell, its median: for readers that take every row, or
 * only the first of a name, as github-action-benchmark (googlecpp) and Bencher (cpp_google) do. */
#include "export.h"

#include "../core/gbench.h"

#include <math.h>

static int add(void *context, const struct xb_summary_row *row, struct xb_reason *why)
{
    char name[XB_CELL_NAME_BYTES];
    const struct xb_cell_key key = XB_CELL_KEY_OF(row);
    (void)why;
    if (isnan(row->ns_per_item) || isnan(row->cpu_ns_per_item))
        return 0;
    xb_cell_name(&key, name);
    struct xb_json *one =
        xb_gbench_row(name, row->workers, row->iters, row->ns_per_item, row->cpu_ns_per_item);
    xb_json_put_count(one, "repetitions", 1);
    xb_json_put_count(one, "repetition_index", 0);
    xb_json_put_real(one, "wall_s", row->wall_ns_median / 1e9);
    xb_json_put_real(one, "items_per_second", row->items_per_s);
    xb_json_put_real(one, "bytes_per_second", row->gb_per_s * 1e9);
    xb_json_put_real(one, "ipc", row->ipc);
    xb_json_put_text(one, "label", row->reason);
    xb_json_append(context, one);
    return 0;
}

static int write(FILE *out, const char *folder, const struct xb_facts *facts, struct xb_reason *why)
{
    struct xb_json *benchmarks = xb_json_array();
    int err = xb_rows_each_summary(folder, add, benchmarks, why);
    if (!err)
        return xb_gbench_write(out, facts, benchmarks, why);
    xb_json_free(benchmarks);
    return err;
}

const struct xb_export xb_export_gbench_ci = {
    .name = "gbench-ci",
    .summary = "the same, one row for each cell: github-action-benchmark, Bencher",
    .write = write,
};
