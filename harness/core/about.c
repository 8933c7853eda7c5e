/* SPDX-License-Identifier: BSD-3-Clause
 * Writes down how a run measures, and what its cells say together of the caches. */
#include "about.h"

#include "../counters/source.h"
#include "../models/model.h"
#include "../stats/staircase.h"
#include "experiment.h"
#include "limit.h"
#include "picture.h"
#include "provenance.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

/* What each counter source says of itself, used or not. */
static void write_sources(FILE *out, const struct xb_registry *registry)
{
    for (size_t i = 0; i < registry->n_sources; i++) {
        struct xb_reason said = { 0 };
        const struct xb_counter_source *source = registry->sources[i];
        int code = source->probe(&said);
        char key[64];
        snprintf(key, sizeof key, "counters_%s", source->name);
        xb_provenance_add(out, key, "%s%s%s", code ? "unavailable" : "available",
                          said.text[0] ? ": " : "", said.text);
    }
}

/* Empty where no limit was asked for, or none could be had. */
static void write_limit(FILE *out, uint64_t asked, const struct xb_limit *limit)
{
    if (asked)
        xb_provenance_add(out, "memory_limit_bytes_asked", "%llu", (unsigned long long)asked);
    else
        xb_provenance_add(out, "memory_limit_bytes_asked", "%s", "");
    xb_provenance_add(out, "memory_limit_by", "%s", limit ? xb_limit_way_name(limit->by) : "");
}

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

/* Of the models that cut long work. */
static void write_slices(FILE *out, const struct xb_registry *registry)
{
    for (size_t i = 0; i < registry->n_models; i++) {
        char key[64];
        snprintf(key, sizeof key, "%s_slice_ns", registry->models[i]->name);
        if (registry->models[i]->slice_ns)
            xb_provenance_add(out, key, "%" PRIu64, registry->models[i]->slice_ns);
    }
}

void xb_about_settings(FILE *out, const struct xb_experiment *experiment,
                       const struct xb_limit *limit)
{
    const struct xb_spec *spec = experiment->spec;
    write_sources(out, experiment->registry);
    xb_provenance_add(out, "counters_used", "%s", experiment->source->name);
    xb_provenance_add(out, "seed", "%llu", (unsigned long long)spec->seed);
    xb_provenance_add(out, "bind", "%s", xb_bind_name(spec->bind));
    xb_provenance_add(out, "sample_min_ns", "%llu", (unsigned long long)spec->min_time_ns);
    xb_provenance_add(out, "cell_max_ns", "%llu", (unsigned long long)spec->max_time_ns);
    xb_provenance_add(out, "observe_ns", "%llu",
                      (unsigned long long)(experiment->capacity ? spec->observe_ns : 0));
    xb_provenance_add(out, "precision_ratio", "%g", spec->precision);
    write_slices(out, experiment->registry);
    write_limit(out, spec->memory_limit, limit);
    xb_provenance_add(out, "quick", "%s", spec->quick ? "yes" : "no");
    xb_provenance_add(out, "cells", "%zu", experiment->n_cells);
    write_caches(out, experiment);
}

/* ---- a sweep of sizes ---- */

/* Takes the stairs of one variant of one kernel under one model; returns how many. */
static size_t collect_stairs(const struct xb_experiment *experiment, const double *item_ns,
                             struct xb_stair *stairs)
{
    const struct xb_cell *first = NULL;
    size_t n = 0;
    for (size_t i = 0; i < experiment->n_cells; i++) {
        const struct xb_cell *cell = &experiment->cells[i];
        if (isnan(item_ns[i]))
            continue;
        first = first ? first : cell;
        if (cell->kernel == first->kernel && cell->model == first->model &&
            cell->engine == first->engine && cell->isa == first->isa)
            stairs[n++] = (struct xb_stair){ .bytes = (double)cell->bytes, .ns = item_ns[i] };
    }
    return n;
}

/* Says which caches the edges belong to; all NaN unless the sweep starts well inside the L1. */
static void name_edges(const struct xb_topology *topology, const double *edge, size_t found,
                       double smallest, double named[XB_CACHE_LEVELS])
{
    double claimed[XB_CACHE_LEVELS];
    for (int level = 0; level < XB_CACHE_LEVELS; level++)
        claimed[level] = (double)xb_topology_cache_bytes(topology, (enum xb_cache_level)level);
    bool inside = claimed[XB_CACHE_L1D] <= 0 || smallest <= claimed[XB_CACHE_L1D] / 2;
    xb_staircase_name(edge, inside ? found : 0, claimed, named);
}

int xb_about_staircase(FILE *out, const struct xb_experiment *experiment, const double *item_ns,
                       struct xb_reason *why)
{
    struct xb_stair *stairs = calloc(experiment->n_cells, sizeof *stairs);
    if (!stairs)
        return xb_because(why, -ENOMEM, "out of memory for the staircase");
    double edge[XB_CACHE_LEVELS], named[XB_CACHE_LEVELS];
    size_t n = collect_stairs(experiment, item_ns, stairs);
    size_t found = xb_staircase(stairs, n, edge, XB_CACHE_LEVELS);
    if (found)
        name_edges(experiment->topology, edge, found, stairs[0].bytes, named);
    free(stairs);
    for (size_t i = 0; i < found; i++) {
        char key[64];
        snprintf(key, sizeof key, "staircase_edge_%zu_bytes", i + 1);
        xb_provenance_add(out, key, "%.0f", edge[i]);
    }
    for (int level = 0; found && !experiment->picture && level < XB_CACHE_LEVELS; level++) {
        char key[64];
        snprintf(key, sizeof key, "%s_measured_bytes", xb_level_key(level));
        if (named[level] > 0)
            xb_provenance_add(out, key, "%.0f", named[level]);
    }
    return 0;
}
