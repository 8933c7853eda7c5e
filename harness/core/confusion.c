/* SPDX-License-Identifier: BSD-3-Clause
 * Tells how well probes do on the suite's own kernels. */
#include "confusion.h"

#include "experiment.h"
#include "metrics.h"
#include "observe.h"
#include "picture.h"
#include "sink.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define OBSERVE_NS  UINT64_C(400000000)
#define MIN_TIME_NS UINT64_C(4000000)
#define MAX_TIME_NS UINT64_C(40000000)

static int find_class(const char *name)
{
    for (int class = 0; class < XB_CLASS_NAMES; class ++)
        if (strcmp(xb_class_name((enum xb_class) class), name) == 0)
            return class;
    return -1;
}

static int find_bound(const char *name)
{
    for (int bound = 0; bound <= XB_BOUND_UNKNOWN; bound++)
        if (strcmp(xb_bound_name((enum xb_bound)bound), name) == 0)
            return bound;
    return -1;
}

/* A set in the first cache is what a core computes from: xb_observe_compare(). */
static enum xb_bound as_claimed(int class, int bound, const char *level)
{
    bool first = bound == XB_BOUND_CPU && level && strcmp(level, "L1") == 0;
    return first && class == XB_CLASS_CACHE ? XB_BOUND_CACHE : (enum xb_bound)bound;
}

void xb_confusion_add(struct xb_confusion *confusion, const struct xb_summary_row *row)
{
    int class = row->bound_claimed ? find_class(row->bound_claimed) : -1;
    int bound = row->bound ? find_bound(row->bound) : -1;
    if (class < 0 || bound < 0) {
        confusion->unmeasured++;
        return;
    }
    if (class == XB_CLASS_SYNC && row->lanes < row->workers) {
        confusion->unseen++;
        return;
    }
    bound = as_claimed(class, bound, row->verdict_level);
    confusion->cells[class][bound]++;
    _Static_assert((int)XB_CLASS_CPU == (int)XB_BOUND_CPU &&
                       (int)XB_CLASS_KERNEL == (int)XB_BOUND_KERNEL,
                   "classes are the first bounds, in the same order");
    if (!confusion->misses || bound == class || bound >= XB_BOUNDS)
        return;
    const char *seen = row->verdict_evidence ? strstr(row->verdict_evidence, "seen: ") : NULL;
    fprintf(confusion->misses, "  %-24s %-9s %-8s x%llu  claimed: %s, %.0f %% sure  %s\n",
            row->kernel, row->model, row->engine, (unsigned long long)row->workers,
            row->bound_claimed, 100 * row->bound_confidence, seen ? seen : "");
}

struct counting {
    struct xb_confusion *confusion;
    void (*progress)(size_t done, size_t n);
};

static void count(void *context, size_t done, size_t n, const struct xb_summary_row *row)
{
    const struct counting *counting = context;
    xb_confusion_add(counting->confusion, row);
    if (counting->progress)
        counting->progress(done, n);
}

/* Caches as measured where a claim is far from it: what a guest claims can be the whole host's. */
static struct xb_caches caches_of(const struct xb_capacity *capacity,
                                  const struct xb_topology *topology)
{
    struct xb_picture picture;
    for (int level = 0; level < XB_CACHE_LEVELS; level++)
        picture.capacity[level] = capacity->bytes[XB_LEVEL_L1 + level];
    return xb_picture_caches(&picture, topology);
}

int xb_confusion_measure(struct xb_confusion *confusion, const struct xb_registry *registry,
                         const struct xb_topology *topology, const struct xb_capacity *capacity,
                         const char *directory, const volatile sig_atomic_t *stop,
                         void (*progress)(size_t done, size_t n), struct xb_reason *why)
{
    static const struct {
        const char *name;
        unsigned classes;
        uint32_t workers;
    } parts[] = {
        { "computing", 1u << XB_CLASS_CPU | 1u << XB_CLASS_CACHE | 1u << XB_CLASS_MEMORY, 1 },
        { "waiting", 1u << XB_CLASS_IO | 1u << XB_CLASS_SYNC, 2 },
    };
    struct counting counting = { confusion, progress };
    int err = 0;
    for (size_t i = 0; i < sizeof parts / sizeof parts[0] && !err; i++) {
        char path[PATH_MAX];
        struct xb_spec spec;
        struct xb_cell *cells = NULL;
        size_t n = 0;
        struct xb_tally tally;
        xb_spec_init(&spec);
        spec.quick = true;
        spec.caches = caches_of(capacity, topology);
        spec.classes = parts[i].classes;
        spec.workers[spec.n_workers++] = parts[i].workers;
        spec.min_time_ns = MIN_TIME_NS;
        spec.max_time_ns = MAX_TIME_NS;
        spec.observe_ns = OBSERVE_NS;
        if (snprintf(path, sizeof path, "%s/%s", directory, parts[i].name) >= (int)sizeof path)
            return xb_because(why, -ENAMETOOLONG, "the path of the folder is too long");
        err = xb_sink_prepare(path, why);
        if (!err)
            err = xb_spec_cells(&spec, registry, topology, &cells, &n, why);
        const struct xb_experiment experiment = {
            .spec = &spec,
            .registry = registry,
            .topology = topology,
            .source = xb_find_source(registry, "none"),
            .capacity = capacity,
            .cells = cells,
            .n_cells = n,
            .directory = path,
            .run_id = parts[i].name,
            .stop = stop,
            .progress = count,
            .context = &counting,
        };
        if (!err)
            err = xb_experiment_run(&experiment, &tally, why);
        free(cells);
    }
    return err;
}

void xb_confusion_print(FILE *out, const struct xb_confusion *confusion)
{
    size_t right = 0, open = 0, wrong = 0;
    fputs("claimed  seen as:", out);
    for (int bound = 0; bound <= XB_BOUND_UNKNOWN; bound++)
        fprintf(out, "%8s", xb_bound_name((enum xb_bound)bound));
    fputc('\n', out);
    for (int class = 0; class < XB_CLASS_NAMES; class ++) {
        fprintf(out, "%-17s", xb_class_name((enum xb_class) class));
        for (int bound = 0; bound <= XB_BOUND_UNKNOWN; bound++) {
            size_t cells = confusion->cells[class][bound];
            right += bound == class ? cells : 0;
            open += bound >= XB_BOUNDS ? cells : 0;
            wrong += bound != class && bound < XB_BOUNDS ? cells : 0;
            if (cells)
                fprintf(out, "%8zu", cells);
            else
                fprintf(out, "%8s", ".");
        }
        fputc('\n', out);
    }
    size_t all = right + open + wrong;
    double percent = all ? 100 / (double)all : 0;
    fprintf(out,
            "%zu cells: %.1f %% seen as claimed, %.1f %% mixed or unknown, %.1f %% as another class"
            "; %zu could not be measured, in %zu workers wait on one thread, which shows nothing\n",
            all, percent * (double)right, percent * (double)open, percent * (double)wrong,
            confusion->unmeasured, confusion->unseen);
}
