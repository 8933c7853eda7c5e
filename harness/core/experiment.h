/* All cells of a run: calibrating, measuring, and writing each one's rows as soon as it ends. */
#ifndef XB_CORE_EXPERIMENT_H
#define XB_CORE_EXPERIMENT_H

#include "../counters/source.h"
#include "spec.h"

#include <signal.h>
#include <stdbool.h>

struct xb_capacity;
struct xb_picture;
struct xb_summary_row;

struct xb_tally {
    size_t ok, suspect, failed, skipped;
};

struct xb_experiment {
    const struct xb_spec *spec;
    const struct xb_registry *registry;
    const struct xb_topology *topology;
    const struct xb_counter_source *source;
    struct xb_events events; /* what the user wants counted */
    bool counts_waiting;     /* also where the kernel's class is io or sync; see experiment.c */
    const struct xb_picture *picture; /* NULL: not measured */
    /* Of this machine: probes look at each cell, for spec->observe_ns. NULL: none does. */
    const struct xb_capacity *capacity;
    const struct xb_cell *cells;
    size_t n_cells;
    const char *directory; /* made by xb_sink_prepare() */
    const char *run_id;
    const volatile sig_atomic_t *stop;
    /* Called after each cell with the row just written; for people who wait. */
    void (*progress)(void *context, size_t done, size_t n, const struct xb_summary_row *row);
    void *context;
};

/* Measures all cells and writes samples.csv, summary.csv and provenance.csv. Each cell's rows are
 * on disk before the next begins; a row that did not fit the disk is taken back whole.
 * Returns 0 when all cells have a row, -EINTR when `stop` ended it early, or -errno with `why`
 * when results could not be written. */
int xb_experiment_run(const struct xb_experiment *experiment, struct xb_tally *tally,
                      struct xb_reason *why);

#endif
