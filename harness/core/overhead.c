/* SPDX-License-Identifier: BSD-3-Clause
 * Measures an empty kernel the way all others are measured. */
#include "overhead.h"

#include "../../kernels/keep.h"
#include "../base/coro.h"
#include "../stats/median.h"
#include "provenance.h"
#include "runner.h"
#include "spec.h"

#include <errno.h>
#include <math.h>

enum { SAMPLES = 101, SAMPLES_QUICK = 11, MANY = 1000000, SLICES = 10 };
#define LIMIT_NS UINT64_C(20000000000)

static int run(struct xb_run *run, void *state, uint64_t iters, struct xb_work *did)
{
    (void)run;
    (void)state;
    for (uint64_t i = 0; i < iters; i++)
        xb_keep(i);
    did->items += iters;
    return 0;
}

static int verify(const struct xb_params *params, void *team, void *state, uint64_t iters,
                  const struct xb_work *did)
{
    (void)params;
    (void)team;
    (void)state;
    return did->items == iters ? 0 : -EBADMSG;
}

/* Not in the tables: it is the harness's own yardstick and of no class. */
static const struct xb_kernel empty = {
    .name = "empty",
    .summary = "nothing",
    .item = "iteration",
    .bound = XB_CLASS_CPU,
    .fit = XB_FIT_OWN,
    .own_bytes = 1,
    .run = run,
    .verify = verify,
};

/* Median wall time of a sample, or NaN. */
static double measure(struct xb_plan *plan, uint32_t workers, uint64_t iters,
                      const volatile sig_atomic_t *stop)
{
    struct xb_arena arena = { 0 };
    struct xb_result *result;
    plan->params.workers = workers;
    plan->iters = iters;
    plan->slice_iters = iters < SLICES ? 0 : iters / SLICES;
    double median = NAN;
    if (stop && *stop)
        return median;
    if (xb_runner_run(plan, LIMIT_NS, stop, &arena, &result) == 0) {
        uint32_t n = atomic_load(&result->n_samples);
        for (uint32_t i = 0; i < n; i++)
            result->scratch[i] = (double)result->samples[i].wall_ns;
        median = xb_median(result->scratch, n);
    }
    xb_arena_close(&arena);
    return median;
}

static void add(FILE *out, const char *what, const char *model, const char *suffix, double ns)
{
    char key[96];
    snprintf(key, sizeof key, "overhead_%s_ns_%s%s", what, model, suffix);
    if (isnan(ns))
        xb_provenance_add(out, key, "%s", "");
    else
        xb_provenance_add(out, key, "%.4g", ns);
}

int xb_overhead_write(FILE *out, const struct xb_registry *registry,
                      const struct xb_topology *topology, const struct xb_counter_source *source,
                      const struct xb_events *events, enum xb_bind bind, bool quick,
                      const volatile sig_atomic_t *stop)
{
    for (size_t i = 0; i < registry->n_models; i++) {
        const struct xb_model *model = registry->models[i];
        const struct xb_io_engine *engine = xb_plain_engine(registry, model, NULL);
        if (!engine)
            continue;
        struct xb_plan plan = {
            .kernel = &empty,
            .model = model,
            .engine = engine,
            .source = source,
            .topology = topology,
            .bind = bind,
            .events = *events,
            .params = { .bytes = 1, .depth = 1, .seed = 1 },
            .samples = quick ? SAMPLES_QUICK : SAMPLES,
        };
        double one = measure(&plan, 1, 1, stop);
        double all = measure(&plan, xb_topology_pus(topology), 1, stop);
        double many = measure(&plan, 1, MANY, stop);
        add(out, "sample", model->name, "", one);
        add(out, "sample", model->name, "_all", all);
        add(out, "iteration", model->name, "", (many - one) / (MANY - 1));
    }
    xb_provenance_add(out, "coro_switch", "%s", xb_coro_switch_name());
    return xb_provenance_add(out, "coro_switch_ns", "%.3g", xb_coro_switch_ns());
}
