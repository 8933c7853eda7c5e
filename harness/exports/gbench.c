/* SPDX-License-Identifier: BSD-3-Clause
 * Google Benchmark's JSON with every repetition, for its compare.py: rows of one name are samples of
 * one cell. */
#include "export.h"

#include "../core/gbench.h"
#include "../core/metrics.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct building {
    struct xb_json *benchmarks;
    struct xb_json **rows; /* of the current cell, which learn at its end how many they are */
    size_t n, room;
    uint64_t order;
};

static void finish_cell(struct building *building)
{
    for (size_t i = 0; i < building->n; i++)
        xb_json_put_count(building->rows[i], "repetitions", building->n);
    building->n = 0;
}

static int remember(struct building *building, struct xb_json *row, struct xb_reason *why)
{
    if (building->n == building->room) {
        size_t room = building->room ? 2 * building->room : 64;
        struct xb_json **bigger = realloc(building->rows, room * sizeof *bigger);
        if (!bigger)
            return xb_because(why, -ENOMEM, "out of memory");
        building->rows = bigger;
        building->room = room;
    }
    building->rows[building->n++] = row;
    return 0;
}

static int add(void *context, const struct xb_sample_row *row, struct xb_reason *why)
{
    struct building *building = context;
    char name[XB_CELL_NAME_BYTES];
    const struct xb_cell_key key = XB_CELL_KEY_OF(row);
    /* compare.py dies of rows without times: what was not measured is left out. */
    if (!xb_rows_measured(row->status) || row->wall_ns == XB_ABSENT || row->cpu_ns == XB_ABSENT ||
        row->items == XB_ABSENT || !row->items)
        return 0;
    if (row->order != building->order)
        finish_cell(building);
    building->order = row->order;
    xb_cell_name(&key, name);
    double items = (double)row->items, wall_ns = (double)row->wall_ns;
    struct xb_json *one =
        xb_gbench_row(name, row->workers, row->iters, wall_ns * (double)row->workers / items,
                      (double)row->cpu_ns / items);
    xb_json_put_count(one, "family_index", row->order);
    xb_json_put_count(one, "per_family_instance_index", row->order == XB_ABSENT ? XB_ABSENT : 0);
    xb_json_put_count(one, "repetition_index", row->repetition);
    /* real_time is that of one worker's item; this is the clock's. */
    xb_json_put_real(one, "wall_s", wall_ns / 1e9);
    if (wall_ns > 0)
        xb_json_put_real(one, "items_per_second", items / wall_ns * 1e9);
    double bytes = (row->bytes_read == XB_ABSENT ? 0 : (double)row->bytes_read) +
                   (row->bytes_written == XB_ABSENT ? 0 : (double)row->bytes_written);
    if (wall_ns > 0 && bytes > 0)
        xb_json_put_real(one, "bytes_per_second", bytes / wall_ns * 1e9);
    for (int metric = 0; metric < XB_METRIC_COUNT; metric++)
        if (row->reading.present & (1u << metric))
            xb_json_put_count(one, xb_metric_name((enum xb_metric)metric),
                              row->reading.value[metric]);
    xb_json_put_text(one, "label", row->reason);
    xb_json_append(building->benchmarks, one);
    return remember(building, one, why);
}

static int write(FILE *out, const char *folder, const struct xb_facts *facts, struct xb_reason *why)
{
    struct building building = { .benchmarks = xb_json_array(), .order = XB_ABSENT };
    int err = xb_rows_each_sample(folder, add, &building, why);
    finish_cell(&building);
    free(building.rows);
    if (!err)
        return xb_gbench_write(out, facts, building.benchmarks, why);
    xb_json_free(building.benchmarks);
    return err;
}

const struct xb_export xb_export_gbench = {
    .name = "gbench",
    .summary = "Google Benchmark's JSON, all samples: for its compare.py",
    .write = write,
};
