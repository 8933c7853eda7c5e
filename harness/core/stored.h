/* A run that is read back from its folder: what comparing needs of it. */
#ifndef XB_CORE_STORED_H
#define XB_CORE_STORED_H

#include "../stats/median.h"
#include "rows.h"

#include <stdbool.h>

/* Counts that a simulator takes, which are the same in every run. */
enum { XB_EXACT_COUNTS = 3 };
extern const enum xb_metric xb_exact_metric[XB_EXACT_COUNTS];

struct xb_stored_cell {
    size_t name, reason;    /* offsets: see xb_stored_text */
    uint64_t hash;          /* of the name */
    uint64_t line;          /* in summary.csv, 1-based */
    bool measured, suspect; /* status ok or suspect; suspect */
    uint64_t seed, iters, checksum;
    struct xb_interval item_ns;          /* ns_per_item; NaN where absent */
    uint64_t count[XB_EXACT_COUNTS];     /* of all samples, XB_ABSENT where not simulated */
    uint64_t count_items, count_samples; /* items and samples that they are of */
};

struct xb_stored {
    char folder[4096];
    struct xb_facts facts;
    struct xb_stored_cell *cell; /* in the order of the file */
    size_t n;
    char *text; /* all names and reasons */
    uint32_t *slot;
    size_t used, bytes, room, n_slots; /* of text, of cell, of slot: a power of two */
};

/* Reads summary.csv and provenance.csv of a run's folder, and the counts in its samples.csv if
 * `counters_used` is callgrind. Close in any case. 0, or -errno with `why`: what is not readable as
 * such, a cell that is there twice, no cell at all. */
int xb_stored_open(struct xb_stored *run, const char *folder, struct xb_reason *why);
void xb_stored_close(struct xb_stored *run);

static inline const char *xb_stored_text(const struct xb_stored *run, size_t offset)
{
    return run->text + offset;
}

/* The cell of that name, or NULL. */
struct xb_stored_cell *xb_stored_find(const struct xb_stored *run, const char *name);

/* Name of the simulator among counter sources. */
#define XB_SIMULATOR "callgrind"

#endif
