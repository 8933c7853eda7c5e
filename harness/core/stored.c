/* SPDX-License-Identifier: BSD-3-Clause
 * Reads a run back, and finds its cells by name. */
#include "stored.h"

#include "../base/fnv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

const enum xb_metric xb_exact_metric[XB_EXACT_COUNTS] = { XB_METRIC_INSTRUCTIONS,
                                                          XB_METRIC_L1D_MISSES,
                                                          XB_METRIC_LLC_MISSES };

static uint64_t hash_text(const char *text)
{
    uint64_t hash = xb_fnv(XB_FNV_BASIS, text, strlen(text));
    return hash ^ hash >> 32;
}

/* The slot that holds the name, or the free one where it belongs. Slots hold index + 1. */
static uint32_t *find_slot(const struct xb_stored *run, const char *name, uint64_t hash)
{
    size_t at = hash & (run->n_slots - 1);
    for (; run->slot[at]; at = (at + 1) & (run->n_slots - 1)) {
        const struct xb_stored_cell *cell = &run->cell[run->slot[at] - 1];
        if (cell->hash == hash && strcmp(run->text + cell->name, name) == 0)
            break;
    }
    return &run->slot[at];
}

struct xb_stored_cell *xb_stored_find(const struct xb_stored *run, const char *name)
{
    uint32_t slot = run->n_slots ? *find_slot(run, name, hash_text(name)) : 0;
    return slot ? &run->cell[slot - 1] : NULL;
}

static int out_of_memory(const struct xb_stored *run, struct xb_reason *why)
{
    return xb_because(why, -ENOMEM, "%.100s: out of memory", run->folder);
}

/* Room for one more cell, with at least as many free slots as taken ones. */
static int grow(struct xb_stored *run, struct xb_reason *why)
{
    if (run->n < run->room)
        return 0;
    size_t room = run->room ? 2 * run->room : 256;
    if (room > UINT32_MAX / 4)
        return xb_because(why, -E2BIG, "%.100s: too many cells", run->folder);
    struct xb_stored_cell *cells = realloc(run->cell, room * sizeof *cells);
    if (!cells)
        return out_of_memory(run, why);
    run->cell = cells;
    uint32_t *slots = calloc(2 * room, sizeof *slots);
    if (!slots)
        return out_of_memory(run, why);
    free(run->slot);
    run->slot = slots;
    run->n_slots = 2 * room;
    run->room = room;
    for (size_t i = 0; i < run->n; i++)
        *find_slot(run, run->text + run->cell[i].name, run->cell[i].hash) = (uint32_t)(i + 1);
    return 0;
}

/* 0 or -ENOMEM. */
static int add_text(struct xb_stored *run, const char *text, size_t *offset, struct xb_reason *why)
{
    size_t length = strlen(text) + 1;
    if (run->used + length > run->bytes) {
        size_t bytes = 2 * run->bytes + length;
        char *bigger = realloc(run->text, bytes);
        if (!bigger)
            return out_of_memory(run, why);
        run->text = bigger;
        run->bytes = bytes;
    }
    *offset = run->used;
    memcpy(run->text + run->used, text, length);
    run->used += length;
    return 0;
}

static int add_cell(struct xb_stored *run, const struct xb_rows *rows,
                    const struct xb_summary_row *row, struct xb_reason *why)
{
    char name[XB_CELL_NAME_BYTES];
    const struct xb_cell_key key = XB_CELL_KEY_OF(row);
    xb_cell_name(&key, name);
    int err = grow(run, why);
    if (err)
        return err;
    uint64_t hash = hash_text(name);
    uint32_t *slot = find_slot(run, name, hash);
    if (*slot)
        return xb_because(why, -EBADMSG, "%s:%llu: column kernel: the same cell as in line %llu",
                          rows->csv.path, (unsigned long long)rows->csv.line,
                          (unsigned long long)run->cell[*slot - 1].line);
    struct xb_stored_cell *cell = &run->cell[run->n];
    *cell = (struct xb_stored_cell){
        .hash = hash,
        .line = rows->csv.line,
        .measured = row->status[0] == 'o' || strcmp(row->status, "suspect") == 0,
        .suspect = strcmp(row->status, "suspect") == 0,
        .seed = row->seed,
        .iters = row->iters,
        .checksum = row->checksum,
        .item_ns = { row->ns_per_item, row->ns_per_item_lo, row->ns_per_item_hi },
    };
    for (int i = 0; i < XB_EXACT_COUNTS; i++)
        cell->count[i] = XB_ABSENT;
    err = add_text(run, name, &cell->name, why);
    if (!err)
        err = add_text(run, row->reason, &cell->reason, why);
    if (!err)
        *slot = (uint32_t)++run->n;
    return err;
}

static int read_summary(struct xb_stored *run, const char *path, struct xb_reason *why)
{
    struct xb_rows rows;
    struct xb_summary_row row;
    int one = xb_rows_open(&rows, path, XB_ROWS_SUMMARY, why);
    if (one == 0)
        while ((one = xb_rows_summary(&rows, &row, why)) == 1 &&
               (one = add_cell(run, &rows, &row, why)) == 0)
            ;
    if (one == 0 && !run->n)
        one = xb_because(why, -ENODATA, "%s: no rows: nothing was measured", rows.csv.path);
    xb_rows_close(&rows);
    return one;
}

/* Where a count is absent once it is absent of the cell. */
static void add_counts(struct xb_stored_cell *cell, const struct xb_sample_row *row)
{
    for (int i = 0; i < XB_EXACT_COUNTS; i++) {
        bool there = row->reading.present & (1u << xb_exact_metric[i]);
        if (!cell->count_samples)
            cell->count[i] = there ? 0 : XB_ABSENT;
        if (!there)
            cell->count[i] = XB_ABSENT;
        else if (cell->count[i] != XB_ABSENT)
            cell->count[i] += row->reading.value[xb_exact_metric[i]];
    }
    cell->count_samples++;
    cell->count_items += row->items == XB_ABSENT ? 0 : row->items;
}

static int read_counts(struct xb_stored *run, const char *path, struct xb_reason *why)
{
    struct xb_rows rows;
    struct xb_sample_row row;
    int one = xb_rows_open(&rows, path, XB_ROWS_SAMPLES, why);
    while (one >= 0 && (one = xb_rows_sample(&rows, &row, why)) == 1) {
        char name[XB_CELL_NAME_BYTES];
        const struct xb_cell_key key = XB_CELL_KEY_OF(&row);
        xb_cell_name(&key, name);
        struct xb_stored_cell *cell = xb_stored_find(run, name);
        if (!cell)
            one = xb_because(why, -EBADMSG, "%s:%llu: column kernel: a cell that summary.csv lacks",
                             rows.csv.path, (unsigned long long)rows.csv.line);
        else if (strcmp(row.counters, XB_SIMULATOR) == 0)
            add_counts(cell, &row);
    }
    xb_rows_close(&rows);
    return one;
}

int xb_stored_open(struct xb_stored *run, const char *folder, struct xb_reason *why)
{
    char path[4200];
    *run = (struct xb_stored){ 0 };
    if (snprintf(run->folder, sizeof run->folder, "%s", folder) >= (int)sizeof run->folder)
        return xb_because(why, -ENAMETOOLONG, "the path of a run is too long");
    for (size_t n = strlen(run->folder); n > 1 && run->folder[n - 1] == '/'; n--)
        run->folder[n - 1] = '\0';
    snprintf(path, sizeof path, "%s/provenance.csv", run->folder);
    int err = xb_facts_open(&run->facts, path, why);
    snprintf(path, sizeof path, "%s/summary.csv", run->folder);
    if (!err)
        err = read_summary(run, path, why);
    snprintf(path, sizeof path, "%s/samples.csv", run->folder);
    if (!err && strcmp(xb_facts_get(&run->facts, "counters_used"), XB_SIMULATOR) == 0)
        err = read_counts(run, path, why);
    return err;
}

void xb_stored_close(struct xb_stored *run)
{
    xb_facts_close(&run->facts);
    free(run->cell);
    free(run->text);
    free(run->slot);
    *run = (struct xb_stored){ 0 };
}
