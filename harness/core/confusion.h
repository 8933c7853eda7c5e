/* How well probes do on this machine: the suite's own kernels, whose class is known, under each model,
 * and what was seen of them. */
#ifndef XB_CORE_CONFUSION_H
#define XB_CORE_CONFUSION_H

#include "../../kernels/kernel.h"
#include "bound.h"
#include "registry.h"
#include "row.h"
#include "topology.h"

#include <signal.h>
#include <stdio.h>

struct xb_confusion {
    /* Cells by what the kernel claims of them (xb_kernel_bound()) and what was seen. */
    size_t cells[XB_CLASS_NAMES][XB_BOUND_UNKNOWN + 1];
    size_t unmeasured; /* failed or skipped */
    size_t unseen;     /* workers that wait for each other on one lane: its thread does not wait */
    FILE *misses;      /* a line for each cell that was surely seen as another class; may be NULL */
};

/* Adds one cell: the row as xb_summary_observe() left it. */
void xb_confusion_add(struct xb_confusion *confusion, const struct xb_summary_row *row);

/* Runs all kernels under all models, those that compute with one worker and those that wait with two,
 * and has probes look at each for 0.4 s: some 5 minutes. The rows go to two folders in `directory`,
 * which exists. `progress` may be NULL. 0; -EINTR if `stop` became non-zero, what was seen until then
 * counts; or -errno with `why`. Not reentrant: see xb_runner_run(). */
int xb_confusion_measure(struct xb_confusion *confusion, const struct xb_registry *registry,
                         const struct xb_topology *topology, const struct xb_capacity *capacity,
                         const char *directory, const volatile sig_atomic_t *stop,
                         void (*progress)(size_t done, size_t n), struct xb_reason *why);

/* The matrix as a table for people, and what it comes to in a line: seen as claimed, mixed or unknown,
 * and as another class. */
void xb_confusion_print(FILE *out, const struct xb_confusion *confusion);

#endif
