/* SPDX-License-Identifier: BSD-3-Clause
 * Calibrates kernels, and remembers what was found. */
#include "calibrate.h"

#include "../models/model.h"
#include "room.h"
#include "runner.h"
#include "spec.h"

#include <errno.h>
#include <stdlib.h>

int xb_calibrator_open(struct xb_calibrator *calibrator, const struct xb_spec *spec,
                       const struct xb_registry *registry, const volatile sig_atomic_t *stop,
                       size_t cells)
{
    *calibrator = (struct xb_calibrator){
        .spec = spec,
        .registry = registry,
        .stop = stop,
        .known = calloc(cells, sizeof *calibrator->known),
    };
    return calibrator->known ? 0 : -ENOMEM;
}

void xb_calibrator_close(struct xb_calibrator *calibrator)
{
    free(calibrator->known);
    calibrator->known = NULL;
}

/* Some hundreds around the work are then a thousandth of it, and a sample takes some 10 ms. */
enum { SIMULATED_INSTRUCTIONS = 200000 };

static void calibrate(const struct xb_calibrator *calibrator, const struct xb_plan *cell,
                      const struct xb_model *model, struct xb_calibration *calibration)
{
    const struct xb_spec *spec = calibrator->spec;
    const struct xb_io_engine *engine = cell->engine;
    if (model != cell->model)
        engine = xb_plain_engine(calibrator->registry, model, NULL);
    struct xb_plan plan = {
        .kernel = cell->kernel,
        .model = model,
        .engine = engine,
        .source = xb_find_source(calibrator->registry, "none"),
        .topology = cell->topology,
        .lanes =
            model == cell->model && calibration->workers == cell->params.workers ? cell->lanes : 0,
        .bind = cell->bind,
        .limit = cell->limit,
        .params = cell->params,
        .iters = 1,
        .calibrate_ns = spec->min_time_ns,
    };
    plan.params.workers = calibration->workers;
    if (spec->simulated) {
        plan.source = cell->source;
        plan.events = (struct xb_events){ .set = XB_METRIC_BIT(INSTRUCTIONS) };
        plan.calibrate_instructions = SIMULATED_INSTRUCTIONS;
    }
    struct xb_arena arena = { 0 };
    struct xb_result *result;
    int err = xb_runner_run(&plan, xb_spec_cell_ns(spec, plan.params.bytes, plan.params.workers),
                            calibrator->stop, &arena, &result);
    if (err) {
        calibration->why = result ? result->why : (struct xb_reason){ .code = err };
        /* How far it came: a deadlock may have been what ended it. */
        calibration->iters = result && result->iters ? result->iters : 1;
    } else {
        calibration->iters = result->iters;
        calibration->ns_per_iter = (double)result->calibrated_ns / (double)result->iters;
    }
    xb_arena_close(&arena);
}

/* See xb_kernel.team_setup. */
static uint32_t workers_to_calibrate(const struct xb_plan *cell)
{
    return cell->kernel->team_setup ? cell->params.workers : 1;
}

static const struct xb_calibration *look_up(struct xb_calibrator *calibrator,
                                            const struct xb_plan *cell)
{
    const struct xb_params *params = &cell->params;
    uint32_t workers = workers_to_calibrate(cell);
    for (size_t i = 0; i < calibrator->n; i++) {
        const struct xb_calibration *known = &calibrator->known[i];
        if (known->kernel == cell->kernel && known->bytes == params->bytes &&
            known->workers == workers && known->depth == params->depth && known->isa == params->isa)
            return known;
    }
    const struct xb_model *model = xb_plain_model(calibrator->registry);
    /* A million workers of a loop are no reason to try a million threads. */
    if (model && xb_room_for("", model, workers, xb_model_lanes(model, workers), NULL) != 0)
        model = NULL;
    struct xb_calibration *anew = &calibrator->known[calibrator->n++];
    *anew = (struct xb_calibration){
        .kernel = cell->kernel,
        .bytes = params->bytes,
        .workers = workers,
        .depth = params->depth,
        .isa = params->isa,
    };
    calibrate(calibrator, cell, model ? model : cell->model, anew);
    return anew;
}

struct xb_calibration xb_calibrate(struct xb_calibrator *calibrator, const struct xb_plan *plan)
{
    struct xb_calibration calibration = *look_up(calibrator, plan);
    bool stopped = calibrator->stop && *calibrator->stop;
    /* A limit on processes or threads may refuse the model that calibrates and yet allow this one.
     * Not after a hang: each of many cells would wait as long again. */
    if (calibration.why.code && calibration.why.code != -ETIMEDOUT &&
        calibration.why.code != -EDEADLK && !stopped) {
        calibration.why = (struct xb_reason){ 0 };
        calibrate(calibrator, plan, plan->model, &calibration);
    }
    return calibration;
}
