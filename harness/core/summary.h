/* From what a team measured to the rows of samples.csv and summary.csv. Pure. */
#ifndef XB_CORE_SUMMARY_H
#define XB_CORE_SUMMARY_H

#include "audit.h"
#include "observe.h"
#include "row.h"
#include "spec.h"
#include "team.h"

/* What stands at the start of every row of a cell, and what judging its samples needs. */
struct xb_identity {
    const char *run_id;
    const struct xb_cell *cell;
    const struct xb_spec *spec;
    const struct xb_counter_source *source;
    const struct xb_events *events; /* that the run's rows have columns for; NULL: metrics only */
    const struct xb_audit *audit;   /* of the source, which says what to trust; NULL: all */
    uint64_t order;                 /* position of the cell in the run */
    uint32_t pus;                   /* CPUs there are */
};

enum { XB_EVIDENCE_BYTES = 400 };

/* What the cell should be bound by: as the kernel claims, or the lock of a model under which lanes that
 * compute take turns. */
enum xb_class xb_identity_bound(const struct xb_identity *identity);

/* Why a sample should not be trusted: too short beside what measuring costs, CPU time withheld by
 * the hypervisor, lanes that began far apart or a lane that did not get its CPU, although there
 * were CPUs for all. 0 when it can be trusted. */
int xb_sample_suspect(const struct xb_identity *identity, const struct xb_sample *sample,
                      struct xb_reason *why);

/* One row per sample. `why`: storage for the reason, must live as long as the row is used. */
void xb_sample_fill(struct xb_sample_row *row, const struct xb_identity *identity,
                    const struct xb_result *result, uint32_t repetition, struct xb_reason *why);

/* The row of a cell that has no sample to show for it: skipped, or failed before the first or
 * at a later one. Numbers stay absent. */
void xb_sample_fill_without(struct xb_sample_row *row, const struct xb_identity *identity,
                            const char *status, const char *reason);
void xb_summary_fill_without(struct xb_summary_row *row, const struct xb_identity *identity,
                             const char *status, const char *reason);

/* Of a cell that ended in the deadlock it is there to show: outcome, verdict and evidence, for two
 * rows without samples. */
void xb_fill_deadlock(struct xb_sample_row *sample, struct xb_summary_row *summary,
                      const struct xb_identity *identity);

/* Adds to a row of xb_summary_fill() what probes saw of the cell: whether that fits what the kernel
 * claims of it, `claimed`, joins what its other claims came to. `evidence` is that of the row, XB_EVIDENCE_BYTES. */
void xb_summary_observe(struct xb_summary_row *row, enum xb_class claimed,
                        const struct xb_observation *seen, char *evidence);

/* The row of a cell that was measured. Samples that are not suspect make the figures, as long as
 * they are at least half; otherwise all do and the cell is suspect. Uses result->scratch.
 * `evidence`: XB_EVIDENCE_BYTES, `why`: storage; both must live as long as the row is used. */
void xb_summary_fill(struct xb_summary_row *row, const struct xb_identity *identity,
                     struct xb_result *result, char *evidence, struct xb_reason *why);

#endif
