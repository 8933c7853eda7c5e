/* SPDX-License-Identifier: BSD-3-Clause
 * Walks the cells of a run. */
#include "experiment.h"

#include "about.h"
#include "audit.h"
#include "calibrate.h"
#include "observe.h"
#include "overhead.h"
#include "pace.h"
#include "provenance.h"
#include "runner.h"
#include "sink.h"
#include "summary.h"
#include "topdown.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct run {
    const struct xb_experiment *experiment;
    struct xb_tally *tally;
    struct xb_calibrator calibrator;
    struct xb_sink samples, summary, provenance;
    struct xb_audit audit;
    struct xb_events events; /* what is worth counting of what was asked for */
    struct xb_limit limit;
    struct xb_reason unaudited; /* why the counters could not be audited: then none counts */
    struct xb_reason unlimited; /* why a limit that was asked for cannot be had; code 0: it can */
    struct xb_observation *observation; /* NULL: nobody looks */
    double *item_ns;                    /* by cell: of a latency kernel on one worker, or NaN */
};

/* How a cell ended, and what its summary row points into. */
struct ending {
    /* "skipped", "failed", or "ok": it came to the outcome that it is there for; NULL: it was
     * measured. */
    const char *status;
    struct xb_reason why; /* of that status, or of a suspect cell */
    struct xb_arena arena;
    struct xb_result *result; /* in the arena; NULL: it did not come to measuring */
    char evidence[XB_EVIDENCE_BYTES];
    struct xb_summary_row row;
};

static bool stopped(const struct xb_experiment *experiment)
{
    return experiment->stop && *experiment->stop;
}

/* The limit that cells are under, or NULL. */
static const struct xb_limit *limit_of(const struct run *run)
{
    return run->experiment->spec->memory_limit && !run->unlimited.code ? &run->limit : NULL;
}

/* ---- cells ---- */

/* Counters are switched with the lane that they belong to. With the kernel's software events alone a
 * round trip through pipe_ring, two threads on one CPU, took 10.4 us instead of 8.0 (medians of
 * three), and nearly all that they count is in the kernel's accounts anyway. So work that waits,
 * whose figure is that switch, is timed without unless someone asked. */
static const struct xb_counter_source *source_of(const struct xb_experiment *experiment,
                                                 const struct xb_kernel *kernel)
{
    bool counts = kernel->bound <= XB_CLASS_MEMORY || experiment->counts_waiting;
    const struct xb_counter_source *none = xb_find_source(experiment->registry, "none");
    return counts || !none ? experiment->source : none;
}

/* What a cell's team is to do, but for how many iterations. */
static struct xb_plan plan_of(const struct run *run, const struct xb_cell *cell)
{
    const struct xb_experiment *experiment = run->experiment;
    const struct xb_spec *spec = experiment->spec;
    return (struct xb_plan){
        .kernel = cell->kernel,
        .model = cell->model,
        .engine = cell->engine,
        .source = source_of(experiment, cell->kernel),
        .topology = experiment->topology,
        .lanes = cell->lanes,
        .bind = spec->bind,
        .limit = limit_of(run),
        .params = { .bytes = cell->bytes ? cell->bytes : cell->kernel->own_bytes,
                    .workers = cell->workers,
                    .depth = cell->depth,
                    .isa = cell->isa,
                    .seed = spec->seed,
                    .file = spec->file,
                    .url = spec->url,
                    .scratch_dir = experiment->directory },
        .events = run->events,
        .budget_ns = spec->max_time_ns,
        .samples = spec->samples,
        .precision = spec->precision,
        .latency = cell->kernel->bound > XB_CLASS_MEMORY && xb_kernel_waits(cell->kernel),
    };
}

/* Fewer iterations where workers have to share CPUs, though one of them was calibrated alone. */
static void set_iters(struct xb_plan *plan, const struct xb_spec *spec,
                      const struct xb_calibration *calibration)
{
    if (spec->simulated) { /* nor slices, whose length would be a matter of time */
        plan->iters = calibration->iters;
        return;
    }
    uint32_t workers = plan->params.workers, pus = xb_topology_pus(plan->topology);
    uint32_t at_once = workers < pus ? workers : pus;
    plan->iters = calibration->iters;
    if (calibration->workers == 1)
        plan->iters = plan->iters * at_once / workers;
    if (plan->iters == 0)
        plan->iters = 1;
    /* Kernels that wait for I/O give way each time they do. */
    if (plan->model->slice_ns && plan->kernel->bound != XB_CLASS_IO)
        plan->slice_iters = xb_slice_iters(plan->model->slice_ns, calibration->ns_per_iter);
}

/* A deadlock is what some kernels are there to show; in all others it is a failure. */
static bool is_outcome(const struct xb_kernel *kernel, int code)
{
    return code == -EDEADLK && kernel->outcome && strcmp(kernel->outcome, "deadlocks") == 0;
}

/* See xb_kernel: what a kernel finds it cannot have here neither ran nor went wrong. */
static const char *status_of(const struct xb_kernel *kernel, int code)
{
    return is_outcome(kernel, code) ? "ok" : code == -ENOTSUP ? "skipped" : "failed";
}

static void measure(struct run *run, const struct xb_cell *cell, struct ending *ending)
{
    const struct xb_experiment *experiment = run->experiment;
    struct xb_plan plan = plan_of(run, cell);
    struct xb_calibration calibration = { .iters = experiment->spec->iters };
    if (!calibration.iters)
        calibration = xb_calibrate(&run->calibrator, &plan);
    if (stopped(experiment))
        return;
    if (calibration.why.code && !is_outcome(cell->kernel, calibration.why.code)) {
        ending->why = calibration.why;
        ending->status = status_of(cell->kernel, ending->why.code);
        return;
    }
    set_iters(&plan, experiment->spec, &calibration);
    if (run->observation) {
        run->observation->looked = false;
        plan.observer = &run->observation->observer;
    }
    uint64_t limit_ns = xb_spec_cell_ns(experiment->spec, plan.params.bytes, plan.params.workers);
    int err = xb_runner_run(&plan, limit_ns, experiment->stop, &ending->arena, &ending->result);
    if (!err)
        return;
    if (ending->result)
        ending->why = ending->result->why;
    else
        xb_because(&ending->why, err, "no shared memory for the cell");
    ending->status = status_of(cell->kernel, ending->why.code);
}

/* Why a cell is not to be measured; code 0 if it is. */
static struct xb_reason why_skip(const struct run *run, const struct xb_cell *cell)
{
    struct xb_reason why = cell->skip;
    if (!why.code)
        why = run->unlimited;
    if (!why.code && cell->kernel->needs & XB_NEED_LIMIT)
        xb_limit_scratch(run->experiment->directory, &why);
    return why;
}

/* Puts together what a cell's result says: all its samples, then how it ended. */
static void fill_rows(FILE *out, const struct xb_identity *identity,
                      const struct xb_observation *seen, struct ending *ending)
{
    struct xb_result *result = ending->result;
    struct xb_sample_row row;
    uint32_t n = result ? atomic_load(&result->n_samples) : 0;
    /* A wrong answer is found after the last sample, and leaves none of them to be trusted. */
    if (ending->status && result && result->why.code == -EBADMSG)
        n = 0;
    for (uint32_t i = 0; i < n; i++) {
        struct xb_reason why;
        xb_sample_fill(&row, identity, result, i, &why);
        xb_sample_write(out, &row);
    }
    if (ending->status) {
        xb_sample_fill_without(&row, identity, ending->status, ending->why.text);
        xb_summary_fill_without(&ending->row, identity, ending->status, ending->why.text);
        if (strcmp(ending->status, "ok") == 0)
            xb_fill_deadlock(&row, &ending->row, identity);
        xb_sample_write(out, &row);
    } else {
        xb_summary_fill(&ending->row, identity, result, ending->evidence, &ending->why);
        if (seen && seen->looked)
            xb_summary_observe(&ending->row, xb_identity_bound(identity), seen, ending->evidence);
    }
}

static void count(struct xb_tally *tally, const char *status)
{
    tally->ok += strcmp(status, "ok") == 0;
    tally->suspect += strcmp(status, "suspect") == 0;
    tally->failed += strcmp(status, "failed") == 0;
    tally->skipped += strcmp(status, "skipped") == 0;
}

static int write_rows(struct run *run, const struct xb_identity *identity, struct ending *ending,
                      struct xb_reason *why)
{
    struct xb_draft draft;
    int err = xb_draft_open(&draft, why);
    if (err)
        return err;
    fill_rows(draft.out, identity, run->observation, ending);
    err = xb_draft_commit(&draft, &run->samples, why);
    if (err || (err = xb_draft_open(&draft, why)))
        return err;
    xb_summary_write(draft.out, &ending->row);
    err = xb_draft_commit(&draft, &run->summary, why);
    if (!err)
        count(run->tally, ending->row.status);
    return err;
}

static int run_cell(struct run *run, size_t index, struct xb_reason *why)
{
    const struct xb_experiment *experiment = run->experiment;
    const struct xb_cell *cell = &experiment->cells[index];
    const struct xb_counter_source *source = source_of(experiment, cell->kernel);
    struct xb_identity identity = {
        .run_id = experiment->run_id,
        .cell = cell,
        .spec = experiment->spec,
        .source = source,
        .events = &experiment->events,
        .audit = source == experiment->source ? &run->audit : NULL,
        .order = index,
        .pus = xb_topology_pus(experiment->topology),
    };
    struct ending ending = { .why = why_skip(run, cell) };
    if (ending.why.code)
        ending.status = "skipped";
    else
        measure(run, cell, &ending);
    int err = 0;
    /* An interrupted cell without a sample leaves no row: it neither failed nor was skipped. */
    if (stopped(experiment) && (!ending.result || atomic_load(&ending.result->n_samples) == 0)) {
        err = -EINTR;
    } else {
        err = write_rows(run, &identity, &ending, why);
        if (!err && !ending.status && cell->workers == 1 && cell->kernel->needs & XB_SHOWS_LATENCY)
            run->item_ns[index] = ending.row.ns_per_item;
        if (!err && experiment->progress)
            experiment->progress(experiment->context, index + 1, experiment->n_cells, &ending.row);
    }
    xb_arena_close(&ending.arena);
    return err;
}

/* ---- the run ---- */

static int write_start(struct run *run, struct xb_reason *why)
{
    const struct xb_experiment *experiment = run->experiment;
    struct xb_draft draft;
    int err = xb_draft_open(&draft, why);
    if (err)
        return err;
    xb_sample_header(draft.out, &experiment->events);
    err = xb_draft_commit(&draft, &run->samples, why);
    if (err || (err = xb_draft_open(&draft, why)))
        return err;
    xb_summary_header(draft.out);
    err = xb_draft_commit(&draft, &run->summary, why);
    if (err || (err = xb_draft_open(&draft, why)))
        return err;
    xb_provenance_begin(draft.out, experiment->run_id, experiment->topology);
    xb_about_settings(draft.out, experiment, limit_of(run));
    xb_audit_write(draft.out, &run->audit, &experiment->events);
    xb_topdown_write(draft.out, experiment->source, &experiment->events, &run->audit);
    if (run->unaudited.code)
        xb_provenance_add(draft.out, "audit", "%s", run->unaudited.text);
    if (!experiment->spec->simulated) /* where time means nothing */
        xb_overhead_write(draft.out, experiment->registry, experiment->topology, experiment->source,
                          &run->events, experiment->spec->bind, experiment->spec->quick,
                          experiment->stop);
    return xb_draft_commit(&draft, &run->provenance, why);
}

static int write_end(struct run *run, struct xb_reason *why)
{
    struct xb_draft draft;
    int err = xb_draft_open(&draft, why);
    if (err)
        return err;
    err = xb_about_staircase(draft.out, run->experiment, run->item_ns, why);
    int commit_err = xb_draft_commit(&draft, &run->provenance, err ? NULL : why);
    return err ? err : commit_err;
}

/* A simulated run is there for its counts. */
static int uncounted(const struct run *run, struct xb_reason *why)
{
    const struct xb_audited *audited = &run->audit.counter[XB_METRIC_INSTRUCTIONS];
    return xb_because(why, -ENODATA, "%s counts no instructions: %.180s",
                      run->experiment->source->name,
                      run->unaudited.code ? run->unaudited.text : audited->why.text);
}

int xb_experiment_run(const struct xb_experiment *experiment, struct xb_tally *tally,
                      struct xb_reason *why)
{
    struct run run = { .experiment = experiment, .tally = tally };
    run.samples.fd = run.summary.fd = run.provenance.fd = -1;
    *tally = (struct xb_tally){ 0 };
    if (experiment->capacity && experiment->spec->observe_ns)
        run.observation = calloc(1, sizeof *run.observation);
    if (run.observation)
        xb_observe_init(run.observation, experiment->registry, experiment->capacity,
                        experiment->spec->observe_ns);
    run.item_ns = malloc(experiment->n_cells * sizeof *run.item_ns);
    int err = xb_calibrator_open(&run.calibrator, experiment->spec, experiment->registry,
                                 experiment->stop, experiment->n_cells);
    if (err || !run.item_ns)
        err = xb_because(why, -ENOMEM, "out of memory for the list of cells");
    if (!err)
        err = xb_sink_open(&run.samples, experiment->directory, "samples.csv", why);
    if (!err)
        err = xb_sink_open(&run.summary, experiment->directory, "summary.csv", why);
    if (!err)
        err = xb_sink_open(&run.provenance, experiment->directory, "provenance.csv", why);
    if (!err && experiment->spec->memory_limit)
        xb_limit_open(&run.limit, experiment->spec->memory_limit, XB_LIMIT_ANY, &run.unlimited);
    if (!err) {
        run.events = experiment->events;
        xb_audit_run(experiment->source, &run.events, &run.audit, &run.unaudited);
        run.events.set &= run.audit.counted;
        if (experiment->spec->simulated && !(run.events.set & XB_METRIC_BIT(INSTRUCTIONS)))
            err = uncounted(&run, why);
    }
    if (!err) {
        err = write_start(&run, why);
    }
    for (size_t i = 0; run.item_ns && i < experiment->n_cells; i++)
        run.item_ns[i] = NAN;
    for (size_t i = 0; i < experiment->n_cells && !err; i++)
        err = stopped(experiment) ? -EINTR : run_cell(&run, i, why);
    if (!err && stopped(experiment)) /* in the last cell, which then has fewer samples */
        err = -EINTR;
    if (!err)
        err = write_end(&run, why);
    struct xb_sink *sinks[] = { &run.samples, &run.summary, &run.provenance };
    for (size_t i = 0; i < sizeof sinks / sizeof sinks[0]; i++) {
        int close_err = xb_sink_close(sinks[i], err ? NULL : why);
        err = err ? err : close_err;
    }
    xb_calibrator_close(&run.calibrator);
    free(run.item_ns);
    free(run.observation);
    return err;
}
