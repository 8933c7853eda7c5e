/* SPDX-License-Identifier: BSD-3-Clause
 * Walks the cells of a run. */
#include "experiment.h"

#include "../stats/staircase.h"
#include "overhead.h"
#include "picture.h"
#include "provenance.h"
#include "runner.h"
#include "sink.h"
#include "summary.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Under a model that parks, a worker gives way after about this long. Shorter slices would
 * measure switching, longer ones would not interleave within a sample. */
#define SLICE_NS 1000000.0

/* How many iterations of a variant of a kernel at one size take spec.min_time_ns. One number for all models and
 * engines, so that their work and checksums are equal. */
struct calibration {
    const struct xb_kernel *kernel;
    uint64_t bytes;
    uint32_t workers, depth;
    enum xb_isa isa;
    uint64_t iters;
    double ns_per_iter;
    struct xb_reason why; /* code 0: it worked */
};

struct run {
    const struct xb_experiment *experiment;
    struct calibration *calibrations;
    size_t n_calibrations;
    struct xb_sink samples, summary, provenance;
    struct xb_limit limit;
    struct xb_reason unlimited; /* why a limit that was asked for cannot be had; code 0: it can */
    double *stair_ns;           /* by cell: ns per item of a latency kernel on one worker, or NaN */
};

/* ---- cells ---- */

static struct xb_params params_of(const struct xb_experiment *experiment,
                                  const struct xb_cell *cell, uint32_t workers)
{
    return (struct xb_params){
        .bytes = cell->bytes ? cell->bytes : cell->kernel->own_bytes,
        .workers = workers,
        .depth = cell->depth,
        .isa = cell->isa,
        .seed = experiment->spec->seed,
        .file = experiment->spec->file,
        .url = experiment->spec->url,
        .scratch_dir = experiment->directory,
    };
}

/* The samples' time several times over, what setting up so many bytes may take at 50 MB/s (a
 * random chain over DRAM is that slow), and a generous rest. A fixed number of samples takes what
 * it takes: under a model of one lane, workers wait for each other. */
static uint64_t limit_ns(const struct xb_experiment *experiment, const struct xb_plan *plan)
{
    const struct xb_spec *spec = experiment->spec;
    uint64_t samples_ns = spec->samples * spec->min_time_ns * plan->params.workers;
    return UINT64_C(15000000000) +
           8 * (samples_ns > spec->max_time_ns ? samples_ns : spec->max_time_ns) +
           20 * (uint64_t)plan->params.bytes * plan->params.workers;
}

static const struct xb_limit *limit_of(const struct run *run)
{
    return run->experiment->spec->memory_limit ? &run->limit : NULL;
}

static void calibrate(const struct run *run, const struct xb_cell *cell,
                      const struct xb_model *model, struct calibration *calibration)
{
    const struct xb_experiment *experiment = run->experiment;
    const struct xb_registry *registry = experiment->registry;
    const struct xb_io_engine *engine = cell->engine;
    if (model != cell->model)
        engine = xb_plain_engine(registry, model, NULL);
    struct xb_plan plan = {
        .kernel = cell->kernel,
        .model = model,
        .engine = engine,
        .source = xb_find_source(registry, "none"),
        .topology = experiment->topology,
        .bind = experiment->spec->bind,
        .limit = limit_of(run),
        .params = params_of(experiment, cell, calibration->workers),
        .iters = 1,
        .calibrate_ns = experiment->spec->min_time_ns,
    };
    struct xb_arena arena = { 0 };
    struct xb_result *result;
    int err = xb_runner_run(&plan, limit_ns(experiment, &plan), experiment->stop, &arena, &result);
    if (err) {
        calibration->why = result ? result->why : (struct xb_reason){ .code = err };
        calibration->iters = 1;
    } else {
        calibration->iters = result->iters;
        calibration->ns_per_iter = (double)result->calibrated_ns / (double)result->iters;
    }
    xb_arena_close(&arena);
}

/* Workers that share something take another time together than alone; from the others, one tells
 * of all. */
static uint32_t workers_to_calibrate(const struct xb_cell *cell)
{
    return cell->kernel->team_setup ? cell->workers : 1;
}

static const struct calibration *calibration_of(struct run *run, const struct xb_cell *cell)
{
    uint32_t workers = workers_to_calibrate(cell);
    for (size_t i = 0; i < run->n_calibrations; i++) {
        struct calibration *known = &run->calibrations[i];
        if (known->kernel == cell->kernel && known->bytes == cell->bytes &&
            known->workers == workers && known->depth == cell->depth && known->isa == cell->isa)
            return known;
    }
    const struct xb_model *model = xb_plain_model(run->experiment->registry);
    struct calibration *calibration = &run->calibrations[run->n_calibrations++];
    *calibration = (struct calibration){
        .kernel = cell->kernel,
        .bytes = cell->bytes,
        .workers = workers,
        .depth = cell->depth,
        .isa = cell->isa,
    };
    calibrate(run, cell, model ? model : cell->model, calibration);
    return calibration;
}

/* A limit on processes or threads may refuse the model that calibrates and yet allow this one. */
static void calibrate_alone(const struct run *run, const struct xb_cell *cell,
                            struct calibration *calibration)
{
    if (calibration->why.code == -ETIMEDOUT)
        return; /* each of many cells would wait as long again */
    calibration->why = (struct xb_reason){ 0 };
    calibrate(run, cell, cell->model, calibration);
}

static struct xb_plan plan_of(const struct run *run, const struct xb_cell *cell,
                              const struct calibration *calibration)
{
    const struct xb_experiment *experiment = run->experiment;
    const struct xb_spec *spec = experiment->spec;
    uint32_t pus = xb_topology_pus(experiment->topology);
    uint32_t at_once = cell->workers < pus ? cell->workers : pus;
    uint64_t iters = calibration->iters;
    if (calibration->workers == 1)
        iters = iters * at_once / cell->workers;
    double slice = SLICE_NS / (calibration->ns_per_iter > 0 ? calibration->ns_per_iter : 1);
    return (struct xb_plan){
        .kernel = cell->kernel,
        .model = cell->model,
        .engine = cell->engine,
        .source = experiment->source,
        .topology = experiment->topology,
        .bind = spec->bind,
        .limit = limit_of(run),
        .params = params_of(experiment, cell, cell->workers),
        .metrics = experiment->metrics,
        .iters = iters ? iters : 1,
        /* Kernels that wait give way each time they do. */
        .slice_iters = cell->kernel->bound == XB_CLASS_IO ? 0
                       : slice < 1                        ? 1
                                                          : (uint64_t)slice,
        .budget_ns = spec->max_time_ns,
        .samples = spec->samples,
        .precision = spec->precision,
        .latency = cell->kernel->bound == XB_CLASS_IO,
    };
}

/* Writes what a result says: all its samples, then how the cell ended. */
static int write_rows(struct run *run, const struct xb_identity *identity, struct xb_result *result,
                      const char *status, const char *reason, struct xb_summary_row *summary,
                      struct xb_tally *tally, char *evidence, struct xb_reason *cell_why,
                      struct xb_reason *why)
{
    struct xb_draft draft;
    struct xb_sample_row row;
    uint32_t n = result ? atomic_load(&result->n_samples) : 0;
    /* A wrong answer is found after the last sample, and leaves none of them to be trusted. */
    if (status && result && result->why.code == -EBADMSG)
        n = 0;
    int err = xb_draft_open(&draft, why);
    if (err)
        return err;
    for (uint32_t i = 0; i < n; i++) {
        struct xb_reason sample_why;
        xb_sample_fill(&row, identity, result, i, &sample_why);
        xb_sample_write(draft.out, &row);
    }
    if (status) {
        xb_sample_fill_without(&row, identity, status, reason);
        xb_sample_write(draft.out, &row);
        xb_summary_fill_without(summary, identity, status, reason);
    } else {
        xb_summary_fill(summary, identity, result, evidence, cell_why);
    }
    err = xb_draft_commit(&draft, &run->samples, why);
    if (err || (err = xb_draft_open(&draft, why)))
        return err;
    xb_summary_write(draft.out, summary);
    err = xb_draft_commit(&draft, &run->summary, why);
    if (err)
        return err;
    tally->ok += strcmp(summary->status, "ok") == 0;
    tally->suspect += strcmp(summary->status, "suspect") == 0;
    tally->failed += strcmp(summary->status, "failed") == 0;
    tally->skipped += strcmp(summary->status, "skipped") == 0;
    return 0;
}

static bool stopped(const struct xb_experiment *experiment)
{
    return experiment->stop && *experiment->stop;
}

static int run_cell(struct run *run, size_t index, struct xb_tally *tally, struct xb_reason *why)
{
    const struct xb_experiment *experiment = run->experiment;
    const struct xb_cell *cell = &experiment->cells[index];
    struct xb_identity identity = {
        .run_id = experiment->run_id,
        .cell = cell,
        .spec = experiment->spec,
        .source = experiment->source,
        .order = index,
        .pus = xb_topology_pus(experiment->topology),
    };
    const char *status = NULL, *reason = NULL;
    struct xb_arena arena = { 0 };
    struct xb_result *result = NULL;
    struct calibration calibration;
    struct xb_plan plan; /* the runner's child reads it until the end */
    struct xb_reason skip = cell->skip;
    if (!skip.code && run->unlimited.code)
        skip = run->unlimited;
    if (!skip.code && cell->kernel->needs & XB_NEED_LIMIT)
        xb_limit_scratch(experiment->directory, &skip);
    if (skip.code) {
        status = "skipped";
        reason = skip.text;
    } else {
        calibration = *calibration_of(run, cell);
        if (calibration.why.code && !stopped(experiment))
            calibrate_alone(run, cell, &calibration);
        if (stopped(experiment))
            return -EINTR;
        if (calibration.why.code) {
            status = "failed";
            reason = calibration.why.text;
        } else {
            plan = plan_of(run, cell, &calibration);
            int err = xb_runner_run(&plan, limit_ns(experiment, &plan), experiment->stop, &arena,
                                    &result);
            if (err) {
                status = "failed";
                reason = result ? result->why.text : "no shared memory for the cell";
            }
        }
    }
    int err = 0;
    /* An interrupted cell without a sample leaves no row: it neither failed nor was skipped. */
    if (stopped(experiment) && (!result || atomic_load(&result->n_samples) == 0)) {
        err = -EINTR;
    } else {
        struct xb_summary_row row;
        char evidence[XB_EVIDENCE_BYTES];
        struct xb_reason cell_why;
        err = write_rows(run, &identity, result, status, reason, &row, tally, evidence, &cell_why,
                         why);
        if (!err && !status && cell->workers == 1 && cell->kernel->needs & XB_SHOWS_LATENCY)
            run->stair_ns[index] = row.ns_per_item;
        if (!err && experiment->progress)
            experiment->progress(experiment->context, index + 1, experiment->n_cells, &row);
    }
    xb_arena_close(&arena);
    return err;
}

/* ---- the run ---- */

/* The caches that sizes followed, and what they were measured to be. */
static void write_caches(FILE *out, const struct xb_experiment *experiment)
{
    struct xb_caches caches = xb_caches_of(experiment->spec, experiment->topology);
    for (int level = 0; level < XB_CACHE_LEVELS; level++) {
        char key[64];
        snprintf(key, sizeof key, "%s_used_bytes", xb_level_key(level));
        xb_provenance_add(out, key, "%llu", (unsigned long long)caches.bytes[level]);
    }
    xb_provenance_add(out, "caches", "%s",
                      experiment->picture                                ? "measured"
                      : experiment->spec->caches_from == XB_CACHES_GIVEN ? "given"
                                                                         : "claimed");
    if (experiment->picture)
        xb_picture_write(out, experiment->picture);
}

static int write_start(struct run *run, struct xb_reason *why)
{
    const struct xb_experiment *experiment = run->experiment;
    struct xb_draft draft;
    int err = xb_draft_open(&draft, why);
    if (err)
        return err;
    xb_sample_header(draft.out);
    err = xb_draft_commit(&draft, &run->samples, why);
    if (err || (err = xb_draft_open(&draft, why)))
        return err;
    xb_summary_header(draft.out);
    err = xb_draft_commit(&draft, &run->summary, why);
    if (err || (err = xb_draft_open(&draft, why)))
        return err;
    xb_provenance_begin(draft.out, experiment->run_id, experiment->topology);
    for (size_t i = 0; i < experiment->registry->n_sources; i++) {
        struct xb_reason said = { 0 };
        const struct xb_counter_source *source = experiment->registry->sources[i];
        int code = source->probe(&said);
        char key[64];
        snprintf(key, sizeof key, "counters_%s", source->name);
        xb_provenance_add(draft.out, key, "%s%s%s", code ? "unavailable" : "available",
                          said.text[0] ? ": " : "", said.text);
    }
    const struct xb_spec *spec = experiment->spec;
    xb_provenance_add(draft.out, "counters_used", "%s", experiment->source->name);
    xb_provenance_add(draft.out, "seed", "%llu", (unsigned long long)spec->seed);
    xb_provenance_add(draft.out, "bind", "%s", xb_bind_name(spec->bind));
    xb_provenance_add(draft.out, "sample_min_ns", "%llu", (unsigned long long)spec->min_time_ns);
    xb_provenance_add(draft.out, "cell_max_ns", "%llu", (unsigned long long)spec->max_time_ns);
    xb_provenance_add(draft.out, "precision_ratio", "%g", spec->precision);
    xb_provenance_add(draft.out, "loop_slice_ns", "%.0f", SLICE_NS);
    /* Empty where no limit was asked for, or none could be had. */
    bool limited = spec->memory_limit && !run->unlimited.code;
    if (spec->memory_limit)
        xb_provenance_add(draft.out, "memory_limit_bytes_asked", "%llu",
                          (unsigned long long)spec->memory_limit);
    else
        xb_provenance_add(draft.out, "memory_limit_bytes_asked", "%s", "");
    xb_provenance_add(draft.out, "memory_limit_by", "%s",
                      limited ? xb_limit_way_name(run->limit.by) : "");
    xb_provenance_add(draft.out, "quick", "%s", spec->quick ? "yes" : "no");
    xb_provenance_add(draft.out, "cells", "%zu", experiment->n_cells);
    write_caches(draft.out, experiment);
    xb_overhead_write(draft.out, experiment->registry, experiment->topology, experiment->source,
                      experiment->metrics, spec->bind, experiment->stop);
    return xb_draft_commit(&draft, &run->provenance, why);
}

/* Takes the stairs of one variant of one kernel under one model; returns how many. */
static size_t collect_stairs(const struct run *run, struct xb_stair *stairs)
{
    const struct xb_experiment *experiment = run->experiment;
    const struct xb_cell *first = NULL;
    size_t n = 0;
    for (size_t i = 0; i < experiment->n_cells; i++) {
        const struct xb_cell *cell = &experiment->cells[i];
        if (isnan(run->stair_ns[i]))
            continue;
        first = first ? first : cell;
        if (cell->kernel == first->kernel && cell->model == first->model &&
            cell->engine == first->engine && cell->isa == first->isa)
            stairs[n++] = (struct xb_stair){ .bytes = (double)cell->bytes, .ns = run->stair_ns[i] };
    }
    return n;
}

/* Cache capacities from a sweep of sizes, when this run was one. An edge gets a cache's name only
 * where the sweep starts well inside the L1. */
static int write_staircase(struct run *run, struct xb_reason *why)
{
    const struct xb_experiment *experiment = run->experiment;
    struct xb_stair *stairs = calloc(experiment->n_cells, sizeof *stairs);
    if (!stairs)
        return xb_because(why, -ENOMEM, "out of memory for the staircase");
    size_t n = collect_stairs(run, stairs);
    double edge[XB_CACHE_LEVELS], claimed[XB_CACHE_LEVELS], named[XB_CACHE_LEVELS];
    size_t found = xb_staircase(stairs, n, edge, XB_CACHE_LEVELS);
    for (int level = 0; level < XB_CACHE_LEVELS; level++)
        claimed[level] =
            (double)xb_topology_cache_bytes(experiment->topology, (enum xb_cache_level)level);
    bool inside = claimed[XB_CACHE_L1D] <= 0 || stairs[0].bytes <= claimed[XB_CACHE_L1D] / 2;
    xb_staircase_name(edge, inside ? found : 0, claimed, named);
    free(stairs);
    if (!found)
        return 0;
    struct xb_draft draft;
    int err = xb_draft_open(&draft, why);
    if (err)
        return err;
    for (size_t i = 0; i < found; i++) {
        char key[64];
        snprintf(key, sizeof key, "staircase_edge_%zu_bytes", i + 1);
        xb_provenance_add(draft.out, key, "%.0f", edge[i]);
    }
    for (int level = 0; level < XB_CACHE_LEVELS && !experiment->picture; level++) {
        char key[64];
        snprintf(key, sizeof key, "%s_measured_bytes", xb_level_key(level));
        if (named[level] > 0)
            xb_provenance_add(draft.out, key, "%.0f", named[level]);
    }
    return xb_draft_commit(&draft, &run->provenance, why);
}

int xb_experiment_run(const struct xb_experiment *experiment, struct xb_tally *tally,
                      struct xb_reason *why)
{
    struct run run = { .experiment = experiment };
    run.samples.fd = run.summary.fd = run.provenance.fd = -1;
    *tally = (struct xb_tally){ 0 };
    run.calibrations = calloc(experiment->n_cells, sizeof *run.calibrations);
    run.stair_ns = malloc(experiment->n_cells * sizeof *run.stair_ns);
    int err = run.calibrations && run.stair_ns
                  ? 0
                  : xb_because(why, -ENOMEM, "out of memory for the list of cells");
    if (!err)
        err = xb_sink_open(&run.samples, experiment->directory, "samples.csv", why);
    if (!err)
        err = xb_sink_open(&run.summary, experiment->directory, "summary.csv", why);
    if (!err)
        err = xb_sink_open(&run.provenance, experiment->directory, "provenance.csv", why);
    if (!err && experiment->spec->memory_limit)
        xb_limit_open(&run.limit, experiment->spec->memory_limit, XB_LIMIT_ANY, &run.unlimited);
    if (!err)
        err = write_start(&run, why);
    for (size_t i = 0; run.stair_ns && i < experiment->n_cells; i++)
        run.stair_ns[i] = NAN;
    for (size_t i = 0; i < experiment->n_cells && !err; i++)
        err = stopped(experiment) ? -EINTR : run_cell(&run, i, tally, why);
    if (!err && stopped(experiment)) /* in the last cell, which then has fewer samples */
        err = -EINTR;
    if (!err)
        err = write_staircase(&run, why);
    struct xb_sink *sinks[] = { &run.samples, &run.summary, &run.provenance };
    for (size_t i = 0; i < sizeof sinks / sizeof sinks[0]; i++) {
        int close_err = xb_sink_close(sinks[i], err ? NULL : why);
        err = err ? err : close_err;
    }
    free(run.calibrations);
    free(run.stair_ns);
    return err;
}
