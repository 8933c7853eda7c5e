/* What the user asked for, and the cells that follow from it. */
#ifndef XB_CORE_SPEC_H
#define XB_CORE_SPEC_H

#include "../../kernels/kernel.h"
#include "../base/reason.h"
#include "registry.h"
#include "topology.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    XB_LIST_MAX = 64,
    XB_WORKERS_MAX = 1 << 20,
    XB_DEPTH_MAX = 4096,
};

/* Where the sizes of caches come from. */
enum xb_caches_from {
    XB_CACHES_MEASURED, /* as claimed where a measurement agrees, or else as measured */
    XB_CACHES_CLAIMED,  /* by the machine */
    XB_CACHES_GIVEN,    /* by the user */
};

/* The caches that working sets are fitted to, in bytes of one instance. */
struct xb_caches {
    uint64_t bytes[XB_CACHE_LEVELS]; /* by enum xb_cache_level */
    uint64_t beyond;                 /* of last-level cache that a set in DRAM must leave behind */
    uint32_t llc_sharers;            /* processing units that share the last level */
};

/* All zero, with defaults set by xb_spec_init(), is a valid spec that means "everything". */
struct xb_spec {
    const char *kernels[XB_LIST_MAX]; /* globs, fnmatch(3); none: all */
    size_t n_kernels;
    unsigned classes; /* bit (1u << enum xb_class); 0: all */
    const struct xb_model *models[XB_LIST_MAX];
    size_t n_models; /* 0: all */
    const struct xb_io_engine *engines[XB_LIST_MAX];
    size_t n_engines; /* 0: all for the I/O of coroutines, the plainest otherwise */
    uint32_t workers[XB_LIST_MAX];
    size_t n_workers; /* 0: auto */
    uint32_t lanes[XB_LIST_MAX];
    size_t n_lanes; /* 0: what a model does by itself; one that shares them also a lane per CPU */
    uint64_t bytes[256];
    size_t n_bytes; /* 0: each kernel's fit */
    uint32_t depths[XB_LIST_MAX];
    size_t n_depths; /* 0: 1 */
    enum xb_isa isas[XB_ISAS];
    size_t n_isas; /* 0: the best variant of each kernel that this CPU runs */
    enum xb_bind bind;
    uint32_t samples;
    uint64_t min_time_ns, max_time_ns; /* of a sample, of a cell */
    uint64_t observe_ns;               /* that probes look at a cell, besides; 0: not */
    double precision;
    uint64_t seed;
    const char *file, *url;
    uint64_t memory_limit; /* bytes that each cell may use; 0: all there are */
    bool quick;
    bool simulated; /* counts are those of a simulator, which not every cell can be run under */
    uint64_t iters; /* of each worker and sample, where simulated; 0: until enough is executed */
    enum xb_caches_from caches_from;
    /* 0 bytes: as the machine claims them; 0 sharers: its claim */
    struct xb_caches caches;
};

/* One point of the experiment. */
struct xb_cell {
    const struct xb_kernel *kernel;
    const struct xb_model *model;
    const struct xb_io_engine *engine;
    uint32_t workers, lanes, depth;
    uint64_t bytes;
    enum xb_isa isa;
    struct xb_reason skip; /* code 0: can run */
};

void xb_spec_init(struct xb_spec *spec);

/* Expands the spec into cells, in seeded random order; pairs that cannot work carry a reason in
 * `skip`. *cells is malloc'ed, the caller frees it. 0, or -errno with `why`: -ENOENT when a
 * pattern fits no kernel, -ENOMEM. */
int xb_spec_cells(const struct xb_spec *spec, const struct xb_registry *registry,
                  const struct xb_topology *topology, struct xb_cell **cells, size_t *n,
                  struct xb_reason *why);

/* The caches of a simulated CPU where the user gives none. All of a simulated run follows them and not
 * the machine, so that its counts are the same on every machine of one CPU model. */
extern const struct xb_caches xb_simulated_caches;

/* spec->caches with what it leaves open as the machine claims it, and common sizes where that does
 * not either. */
struct xb_caches xb_caches_of(const struct xb_spec *spec, const struct xb_topology *topology);

/* Time in ns after which a cell of `workers` with `bytes` each is taken to hang. */
uint64_t xb_spec_cell_ns(const struct xb_spec *spec, uint64_t bytes, uint32_t workers);

/* Bytes per worker that `kernel` wants with these caches; >= 4096 unless the kernel's own. */
uint64_t xb_fit_bytes(const struct xb_kernel *kernel, const struct xb_caches *caches);

/* The plainest model whose workers own their thread, where slices cannot matter; NULL if none. */
const struct xb_model *xb_plain_model(const struct xb_registry *registry);

/* The plainest engine that works with the model here, or NULL with `why`. */
const struct xb_io_engine *xb_plain_engine(const struct xb_registry *registry,
                                           const struct xb_model *model, struct xb_reason *why);

#endif
