/* Reads samples.csv, summary.csv and provenance.csv as strictly as they are written: what a verdict
 * is drawn from has to be a file of ours, whole and consistent with itself.
 *
 * Columns are found by name, so their order does not matter. Columns that this version does not know
 * are passed over, and optional ones that an earlier version did not write are absent: schema is
 * raised where one changes its meaning. */
#ifndef XB_CORE_ROWS_H
#define XB_CORE_ROWS_H

#include "../base/csv.h"
#include "facts.h"
#include "row.h"

#include <stdbool.h>

enum xb_rows_of { XB_ROWS_SAMPLES, XB_ROWS_SUMMARY };

struct xb_rows {
    struct xb_csv csv;
    enum xb_rows_of of;
    const struct xb_field *field[XB_CSV_FIELDS]; /* what each column is; NULL: see `metric` */
    int metric[XB_CSV_FIELDS];                   /* of samples: enum xb_metric, or -1 */
    union {
        struct xb_sample_row sample;
        struct xb_summary_row summary;
    } blank; /* what a row is before its fields are read */
};

/* Opens the file and checks its header. Close in any case. `path` must outlive it. 0, or -errno with
 * `why`, which names file, line and column at fault. */
int xb_rows_open(struct xb_rows *rows, const char *path, enum xb_rows_of of, struct xb_reason *why);

/* The same over a stream, which is closed with it. */
int xb_rows_attach(struct xb_rows *rows, FILE *in, const char *path, enum xb_rows_of of,
                   struct xb_reason *why);

void xb_rows_close(struct xb_rows *rows);

/* Reads the next row; its texts are good until the next call, and never NULL. 1; 0 behind the last;
 * or -errno with `why`: numbers that are none, are negative, contradict each other (an interval that
 * does not hold its median, items_per_s and ns_per_item that are not of one measurement), figures in
 * a cell that was not measured, another schema. */
int xb_rows_summary(struct xb_rows *rows, struct xb_summary_row *row, struct xb_reason *why);
int xb_rows_sample(struct xb_rows *rows, struct xb_sample_row *row, struct xb_reason *why);

/* Calls `visit` for each row of `folder`/summary.csv or samples.csv until it returns other than 0. 0,
 * what it returned, or -errno with `why`; -ENODATA where there is no row. */
int xb_rows_each_summary(const char *folder,
                         int (*visit)(void *context, const struct xb_summary_row *row,
                                      struct xb_reason *why),
                         void *context, struct xb_reason *why);
int xb_rows_each_sample(const char *folder,
                        int (*visit)(void *context, const struct xb_sample_row *row,
                                     struct xb_reason *why),
                        void *context, struct xb_reason *why);

/* Whether a row's status says that it has figures: ok or suspect. */
bool xb_rows_measured(const char *status);

/* ---- which cell a row is of ---- */

struct xb_cell_key {
    const char *kernel, *model, *engine, *isa, *bind;
    uint64_t workers, lanes, bytes, depth; /* bytes may be absent */
};

#define XB_CELL_KEY_OF(row)                                                                     \
    ((struct xb_cell_key){ (row)->kernel, (row)->model, (row)->engine, (row)->isa, (row)->bind, \
                           (row)->workers, (row)->lanes, (row)->bytes_per_worker, (row)->depth })

enum { XB_CELL_NAME_BYTES = 512 };

/* The name of a cell, the same in every run that has it, as Google Benchmark would spell it:
 * cpu/mix64/threads/blocking/isa:base/bytes:64/depth:1/bind:scatter/lanes:2/workers:2. Writes to
 * `out` of XB_CELL_NAME_BYTES and returns the length. */
size_t xb_cell_name(const struct xb_cell_key *key, char *out);

#endif
