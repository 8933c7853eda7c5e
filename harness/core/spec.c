/* SPDX-License-Identifier: BSD-3-Clause
 * Turns a spec into cells. */
#include "spec.h"

#include "../../kernels/prng.h"
#include "../models/model.h"
#include "isa.h"
#include "room.h"

#include <errno.h>
#include <fnmatch.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

void xb_spec_init(struct xb_spec *spec)
{
    *spec = (struct xb_spec){
        .bind = XB_BIND_SCATTER,
        .min_time_ns = 10 * 1000 * 1000,
        .max_time_ns = 1000 * 1000 * 1000,
        .precision = 0.02,
        .seed = 1,
    };
}

/* A year: a deadline of that has room in 64 bits. */
#define CELL_NS_MOST 3.15e16

/* The samples' time several times over, what setting up so many bytes may take at 50 MB/s (a
 * random chain over DRAM is that slow), 1 ms for each worker that is created and joined, and a
 * generous rest. A fixed number of samples takes what
 * it takes: under a model of one lane, workers wait for each other. */
uint64_t xb_spec_cell_ns(const struct xb_spec *spec, uint64_t bytes, uint32_t workers)
{
    /* In floating point, which does not wrap around for a million workers. */
    double samples_ns = (double)spec->samples * (double)spec->min_time_ns * workers;
    double ns = 15e9 + 8 * fmax(samples_ns, (double)spec->max_time_ns) +
                (20 * (double)bytes + 1e6) * workers;
    /* A simulated sample took up to 6 s (first_touch) where many others wanted both CPUs. */
    if (spec->simulated)
        ns *= 5;
    return ns < CELL_NS_MOST ? (uint64_t)ns : (uint64_t)CELL_NS_MOST;
}

/* ---- sizes ---- */

/* Stand-ins where the machine does not tell its caches: common to x86 servers since 2017. */
static const uint64_t otherwise[XB_CACHE_LEVELS] = { 32 << 10, 1 << 20, 32 << 20 };

/* Of the L1d and the last level of common CPUs the first is taken as it is, and the other made as small
 * as it may be between sets that fit it and sets that do not: simulating takes some 50 ns for each
 * instruction. There are but two levels; an L2 between them only says how large sets are. */
const struct xb_caches xb_simulated_caches = {
    .bytes = { [XB_CACHE_L1D] = 32 << 10, [XB_CACHE_L2] = 256 << 10, [XB_CACHE_LLC] = 1 << 20 },
    .llc_sharers = 1,
};

struct xb_caches xb_caches_of(const struct xb_spec *spec, const struct xb_topology *topology)
{
    struct xb_caches caches = spec->caches;
    for (int level = 0; level < XB_CACHE_LEVELS; level++) {
        if (!caches.bytes[level])
            caches.bytes[level] = xb_topology_cache_bytes(topology, (enum xb_cache_level)level);
        if (!caches.bytes[level])
            caches.bytes[level] = otherwise[level];
    }
    if (caches.beyond < caches.bytes[XB_CACHE_LLC])
        caches.beyond = caches.bytes[XB_CACHE_LLC];
    if (!caches.llc_sharers)
        caches.llc_sharers = xb_topology_cache_sharers(topology, XB_CACHE_LLC);
    return caches;
}

/* Four times the last-level cache leaves at most a quarter of the set in it, twice leaves half.
 * Guests are told of caches they share with a whole host, and four of those would take minutes to
 * fill, so from 128 MiB of cache on it is 512 MiB or twice the cache, whichever is more. */
static uint64_t dram_bytes(uint64_t llc)
{
    uint64_t cap = UINT64_C(512) << 20;
    uint64_t bytes = 4 * llc < cap ? 4 * llc : cap;
    return bytes < 2 * llc ? 2 * llc : bytes;
}

static uint64_t bytes_of_level(const struct xb_kernel *kernel, const struct xb_caches *caches)
{
    switch (kernel->fit) {
    case XB_FIT_OWN:
        return kernel->own_bytes;
    case XB_FIT_L1:
        return caches->bytes[XB_CACHE_L1D] / 2;
    case XB_FIT_L2:
        return caches->bytes[XB_CACHE_L2] / 2;
    case XB_FIT_LLC:
        return caches->bytes[XB_CACHE_LLC] / 2 / caches->llc_sharers;
    case XB_FIT_DRAM:
        return dram_bytes(caches->beyond);
    }
    return kernel->own_bytes;
}

uint64_t xb_fit_bytes(const struct xb_kernel *kernel, const struct xb_caches *caches)
{
    uint64_t bytes = bytes_of_level(kernel, caches);
    /* Less than a page would hold no chain worth following; only tiny or much shared caches get
     * there. */
    return kernel->fit == XB_FIT_OWN || bytes >= 4096 ? bytes : 4096;
}

/* ---- why not ---- */

static bool fits(const struct xb_model *model, const struct xb_io_engine *engine)
{
    return engine->parks || !model->parks;
}

const struct xb_io_engine *xb_plain_engine(const struct xb_registry *registry,
                                           const struct xb_model *model, struct xb_reason *why)
{
    const struct xb_io_engine *best = NULL;
    xb_because(why, -ENOTSUP, "no engine can park the coroutines of %s", model->name);
    for (size_t i = 0; i < registry->n_engines; i++) {
        const struct xb_io_engine *engine = registry->engines[i];
        if (fits(model, engine) && (!best || engine->rank < best->rank) && engine->probe(why) == 0)
            best = engine;
    }
    if (best && why)
        *why = (struct xb_reason){ 0 };
    return best;
}

const struct xb_model *xb_plain_model(const struct xb_registry *registry)
{
    const struct xb_model *best = NULL;
    for (size_t i = 0; i < registry->n_models; i++) {
        const struct xb_model *model = registry->models[i];
        if (!model->parks && (!best || model->rank < best->rank) &&
            xb_plain_engine(registry, model, NULL))
            best = model;
    }
    return best;
}

/* What of memory, or of a limit on it, working sets may take; the rest is for the program, its
 * stacks and what a kernel keeps beside its set. */
enum { USABLE_PERCENT = 80 };

/* No product may wrap around to something that fits. */
static bool fits_memory(const struct xb_cell *cell, uint64_t memory)
{
    return cell->bytes <= memory / 100 * USABLE_PERCENT / cell->workers;
}

/* Why the cell's counts could not be had from a simulator, or would not be the same in each run. */
static int judge_simulated(const struct xb_cell *cell, struct xb_reason *why)
{
    if (xb_kernel_waits(cell->kernel))
        return xb_because(why, -ENOTSUP,
                          "how long it waits decides what it executes: its counts differ by run");
    if (cell->workers > 1)
        return xb_because(
            why, -ENOTSUP,
            "simulated workers take turns by chance and share one cache: their counts "
            "differ by run; give --workers 1");
    if (strcmp(cell->engine->name, "uring") == 0)
        return xb_because(
            why, -ENOTSUP,
            "valgrind does not see what io_uring writes to memory; use another engine");
    if (cell->isa == XB_ISA_AVX512 && cell->kernel->isas & (1u << XB_ISA_AVX512))
        return xb_because(why, -ENOTSUP, "valgrind executes no AVX-512");
    return 0;
}

static void judge(struct xb_cell *cell, const struct xb_spec *spec,
                  const struct xb_topology *topology)
{
    const struct xb_kernel *kernel = cell->kernel;
    struct xb_reason *why = &cell->skip;
    uint64_t memory = xb_topology_memory_bytes(topology);
    if ((spec->simulated && judge_simulated(cell, why) != 0) || cell->model->probe(why) != 0 ||
        cell->engine->probe(why) != 0)
        return;
    *why = (struct xb_reason){ 0 };
    if (!fits(cell->model, cell->engine))
        xb_because(why, -ENOTSUP, "%s would stop every worker of the %s at each wait",
                   cell->engine->name, cell->model->name);
    else if (cell->lanes > cell->workers)
        xb_because(why, -EINVAL, "%u lanes for %u workers: some would have none", cell->lanes,
                   cell->workers);
    else if (!cell->model->shares_lanes && cell->lanes != cell->workers)
        xb_because(why, -EINVAL, "each worker of %s is a lane of its own, whatever --lanes",
                   cell->model->name);
    else if (xb_room_for("", cell->model, cell->workers, cell->lanes, why) != 0)
        return;
    else if (kernel->needs & XB_NEED_FILES && !cell->engine->files)
        xb_because(why, -EPERM, "%s refuses regular files (epoll_ctl(2): EPERM)",
                   cell->engine->name);
    else if (cell->depth > 1 && !(kernel->needs & XB_NEED_DEPTH))
        xb_because(why, -EINVAL, "this kernel keeps one operation in flight, whatever --depth");
    else if (cell->isa != XB_ISA_BASE && !(kernel->isas & (1u << cell->isa)))
        xb_because(why, -ENOTSUP, "no %s variant of this kernel; it has %s", xb_isa_name(cell->isa),
                   xb_isa_list(kernel->isas, (char[XB_ISA_LIST_TEXT]){ 0 }));
    else if (!xb_isa_supported(cell->isa))
        xb_because(why, -ENOTSUP, "this CPU has no %s", xb_isa_needs(cell->isa));
    else if (kernel->needs & XB_NEED_LIMIT && !spec->memory_limit)
        xb_because(why, -EINVAL, "needs a limit to outgrow: give --memory-limit, such as 256M");
    else if (kernel->needs & XB_NEED_LIMIT)
        return; /* what does not fit is the subject */
    else if (spec->memory_limit && !fits_memory(cell, spec->memory_limit))
        xb_because(why, -ENOMEM,
                   "%u x %" PRIu64 " MiB do not fit %d %% of the --memory-limit of %" PRIu64 " MiB",
                   cell->workers, cell->bytes >> 20, USABLE_PERCENT, spec->memory_limit >> 20);
    else if (memory && !fits_memory(cell, memory))
        xb_because(why, -ENOMEM, "%u x %" PRIu64 " MiB do not fit %d %% of %" PRIu64 " MiB memory",
                   cell->workers, cell->bytes >> 20, USABLE_PERCENT, memory >> 20);
}

/* ---- cells ---- */

struct list {
    struct xb_cell *cells;
    size_t n, room;
};

static int append(struct list *list, const struct xb_cell *cell)
{
    if (list->n == list->room) {
        size_t room = list->room ? 2 * list->room : 64;
        struct xb_cell *bigger = realloc(list->cells, room * sizeof *bigger);
        if (!bigger)
            return -ENOMEM;
        list->cells = bigger;
        list->room = room;
    }
    list->cells[list->n++] = *cell;
    return 0;
}

static size_t add_once(uint32_t value, uint32_t *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (list[i] == value)
            return n;
    list[n] = value;
    return n + 1;
}

/* 1, as many as CPUs, twice that. Workers that meet also as a pair, whose figures are the price of one
 * meeting; those of I/O, which mostly wait, also many more. A quick look takes one number of each kind. */
static size_t workers_auto(enum xb_class bound, bool quick, uint32_t cpus, uint32_t *out)
{
    size_t n = add_once(1, out, 0);
    if (bound == XB_CLASS_SYNC)
        n = add_once(2, out, n);
    n = add_once(cpus, out, n);
    if (!quick)
        n = add_once(2 * cpus, out, n);
    if (bound == XB_CLASS_IO && !quick)
        n = add_once(16, out, n);
    return bound == XB_CLASS_IO ? add_once(64, out, n) : n;
}

/* A model that shares lanes has one, and where workers wait also one for each CPU: whether a loop on
 * every core is worth it is then a row beside the other. */
static size_t lanes_auto(const struct xb_kernel *kernel, const struct xb_model *model,
                         uint32_t workers, uint32_t cpus, uint32_t *out)
{
    uint32_t all = workers < cpus ? workers : cpus;
    out[0] = xb_model_lanes(model, workers);
    out[1] = all;
    bool waits = kernel->bound == XB_CLASS_IO || kernel->bound == XB_CLASS_SYNC;
    return model->shares_lanes && waits && out[1] > 1 ? 2 : 1;
}

/* For the I/O of coroutines all engines. A thread or process waits by blocking unless it is told
 * otherwise, and to work that awaits no I/O engines are alike: there the plainest. */
static size_t engines_auto(const struct xb_registry *registry, const struct xb_model *model,
                           bool io, const struct xb_io_engine **out)
{
    const struct xb_io_engine *plain =
        io && model->parks ? NULL : xb_plain_engine(registry, model, NULL);
    if (plain) {
        out[0] = plain;
        return 1;
    }
    for (size_t i = 0; i < registry->n_engines && i < XB_LIST_MAX; i++)
        out[i] = registry->engines[i];
    return registry->n_engines < XB_LIST_MAX ? registry->n_engines : XB_LIST_MAX;
}

/* Bytes where --bytes does not say: the user's file as it is, 0 where his server decides, twice the
 * limit that is to be outgrown. */
static uint64_t own_size(const struct xb_kernel *kernel, const struct xb_spec *spec,
                         const struct xb_topology *topology)
{
    struct stat status;
    if (spec->url && kernel->needs & XB_NEED_URL)
        return 0;
    if (spec->file && kernel->needs & XB_TAKES_FILE && stat(spec->file, &status) == 0)
        return (uint64_t)status.st_size;
    if (spec->memory_limit && kernel->needs & XB_NEED_LIMIT)
        return 2 * spec->memory_limit;
    struct xb_caches caches = xb_caches_of(spec, topology);
    return xb_fit_bytes(kernel, &caches);
}

/* A size that the kernel would not take. */
static bool size_is_fixed(const struct xb_kernel *kernel, const struct xb_spec *spec)
{
    return !(kernel->needs & XB_NEED_BYTES) || (spec->url && kernel->needs & XB_NEED_URL) ||
           (spec->file && kernel->needs & XB_TAKES_FILE);
}

static int expand_isas(struct list *list, struct xb_cell *cell, const struct xb_spec *spec,
                       const struct xb_topology *topology)
{
    size_t n_isas = spec->n_isas ? spec->n_isas : 1;
    int err = 0;
    for (size_t i = 0; i < n_isas && !err; i++) {
        cell->isa = spec->n_isas ? spec->isas[i] : xb_isa_best(cell->kernel->isas);
        cell->skip = (struct xb_reason){ 0 };
        judge(cell, spec, topology);
        if (!cell->skip.code && spec->n_bytes && size_is_fixed(cell->kernel, spec))
            xb_because(&cell->skip, -EINVAL, "its size is its own, whatever --bytes");
        err = append(list, cell);
    }
    return err;
}

static int expand_sizes(struct list *list, struct xb_cell *cell, const struct xb_spec *spec,
                        const struct xb_topology *topology)
{
    uint64_t fit = own_size(cell->kernel, spec, topology);
    size_t n_bytes = spec->n_bytes ? spec->n_bytes : 1;
    size_t n_depths = spec->n_depths ? spec->n_depths : 1;
    int err = 0;
    for (size_t i = 0; i < n_bytes; i++) {
        for (size_t j = 0; j < n_depths && !err; j++) {
            cell->bytes = spec->n_bytes ? spec->bytes[i] : fit;
            cell->depth = spec->n_depths ? spec->depths[j] : 1;
            err = expand_isas(list, cell, spec, topology);
        }
    }
    return err;
}

static int expand_lanes(struct list *list, struct xb_cell *cell, const struct xb_spec *spec,
                        const struct xb_topology *topology)
{
    uint32_t found[2];
    const uint32_t *lanes = spec->lanes;
    size_t n_lanes = spec->n_lanes;
    int err = 0;
    if (!n_lanes) {
        n_lanes =
            lanes_auto(cell->kernel, cell->model, cell->workers, xb_topology_pus(topology), found);
        lanes = found;
    }
    for (size_t i = 0; i < n_lanes && !err; i++) {
        cell->lanes = lanes[i];
        err = expand_sizes(list, cell, spec, topology);
    }
    return err;
}

static int expand_kernel(struct list *list, const struct xb_kernel *kernel,
                         const struct xb_spec *spec, const struct xb_registry *registry,
                         const struct xb_topology *topology)
{
    bool io = kernel->bound == XB_CLASS_IO;
    uint32_t workers[XB_LIST_MAX];
    size_t n_workers = workers_auto(kernel->bound, spec->quick, xb_topology_pus(topology), workers);
    if (spec->n_workers) {
        memcpy(workers, spec->workers, spec->n_workers * sizeof *workers);
        n_workers = spec->n_workers;
    }
    size_t n_models = spec->n_models ? spec->n_models : registry->n_models;
    int err = 0;
    for (size_t m = 0; m < n_models && !err; m++) {
        const struct xb_io_engine *engines[XB_LIST_MAX];
        struct xb_cell cell = {
            .kernel = kernel,
            .model = spec->n_models ? spec->models[m] : registry->models[m],
        };
        size_t n_engines = spec->n_engines;
        if (n_engines)
            memcpy(engines, spec->engines, n_engines * sizeof(const struct xb_io_engine *));
        else
            n_engines = engines_auto(registry, cell.model, io, engines);
        for (size_t e = 0; e < n_engines; e++) {
            for (size_t w = 0; w < n_workers && !err; w++) {
                cell.engine = engines[e];
                cell.workers = workers[w];
                err = expand_lanes(list, &cell, spec, topology);
            }
        }
    }
    return err;
}

static bool wanted(const struct xb_kernel *kernel, const struct xb_spec *spec)
{
    if (spec->classes && !(spec->classes & (1u << kernel->bound)))
        return false;
    for (size_t i = 0; i < spec->n_kernels; i++)
        if (fnmatch(spec->kernels[i], kernel->name, 0) == 0)
            return true;
    return spec->n_kernels == 0;
}

/* Every pattern must fit something: a typo must not shrink a run unseen. */
static int check_patterns(const struct xb_spec *spec, const struct xb_registry *registry,
                          struct xb_reason *why)
{
    for (size_t i = 0; i < spec->n_kernels; i++) {
        bool found = false;
        for (size_t k = 0; k < registry->n_kernels; k++)
            found |= fnmatch(spec->kernels[i], registry->kernels[k]->name, 0) == 0;
        if (!found)
            return xb_because(why, -ENOENT, "no kernel fits '%s'; see xbound list",
                              spec->kernels[i]);
    }
    return 0;
}

/* Fisher and Yates; order effects (a warm machine, a busy neighbour) then fall on all alike. */
static void shuffle(struct xb_cell *cells, size_t n, uint64_t seed)
{
    uint64_t state = xb_mix64(seed);
    for (size_t i = n; i > 1; i--) {
        size_t j = (size_t)xb_prng_below(&state, i);
        struct xb_cell cell = cells[i - 1];
        cells[i - 1] = cells[j];
        cells[j] = cell;
    }
}

int xb_spec_cells(const struct xb_spec *spec, const struct xb_registry *registry,
                  const struct xb_topology *topology, struct xb_cell **cells, size_t *n,
                  struct xb_reason *why)
{
    struct list list = { 0 };
    int err = check_patterns(spec, registry, why);
    for (size_t i = 0; i < registry->n_kernels && !err; i++) {
        if (!wanted(registry->kernels[i], spec))
            continue;
        err = expand_kernel(&list, registry->kernels[i], spec, registry, topology);
        if (err)
            xb_because(why, err, "out of memory for the list of cells");
    }
    if (!err && list.n == 0)
        err = xb_because(why, -ENOENT, "no kernel of the named class fits the named patterns");
    if (err) {
        free(list.cells);
        return err;
    }
    shuffle(list.cells, list.n, spec->seed);
    *cells = list.cells;
    *n = list.n;
    return 0;
}
