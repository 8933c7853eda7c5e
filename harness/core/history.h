/* A folder of runs as a history: each cell's figures in order of time, and where they changed. */
#ifndef XB_CORE_HISTORY_H
#define XB_CORE_HISTORY_H

#include "../stats/changes.h"
#include "stored.h"

struct xb_history {
    struct xb_stored *run; /* in order of started_utc, then of their folders' names */
    size_t n, left_out;    /* runs; those of other machines than the last, or simulated */
};

/* Reads every folder in `folder` that holds a summary.csv. Close in any case. 0, or -errno with `why`:
 * one that cannot be read, or none. */
int xb_history_open(struct xb_history *history, const char *folder, struct xb_reason *why);
void xb_history_close(struct xb_history *history);

struct xb_series {
    const char *name;     /* of the cell */
    size_t n;             /* runs in which it has a figure and is not suspect */
    const size_t *run;    /* which ones, ascending */
    const double *value;  /* ns_per_item */
    const double *level;  /* median of the stretch between two steps */
    struct xb_step *step; /* `at` indexes run[] */
    size_t n_steps;
};

/* Calls `visit` for each cell of the history with at least one figure, in the order of first
 * appearance; the series is good until it returns. Steps below `least` (0.01: 1 %) are passed over. 0,
 * what `visit` returned, or -ENOMEM. */
int xb_history_each(const struct xb_history *history, double least,
                    int (*visit)(void *context, const struct xb_series *series), void *context);

/* Writes history.csv: a row for each figure of each cell, with its level, and with the ratio to the
 * level before where a step is. 0 or -ENOMEM. */
int xb_history_write(FILE *out, const struct xb_history *history, double least);

/* Writes history.csv, and provenance.csv of the last run, into a folder that has neither. 0, or -errno
 * with `why`. */
int xb_history_store(const char *folder, const struct xb_history *history, double least,
                     struct xb_reason *why);

#endif
