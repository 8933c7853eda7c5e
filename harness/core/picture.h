/* The measured memory picture: how large each cache is, how long a dependent load takes from it,
 * and how fast one core loads from it. */
#ifndef XB_CORE_PICTURE_H
#define XB_CORE_PICTURE_H

#include "../stats/staircase.h"
#include "spec.h"

#include <signal.h>
#include <stdio.h>

enum { XB_PICTURE_DRAM = XB_CACHE_LEVELS, XB_PICTURE_LEVELS };

/* By level: enum xb_cache_level, then XB_PICTURE_DRAM. What was not seen is NaN. */
struct xb_picture {
    double capacity[XB_CACHE_LEVELS];        /* bytes */
    double latency_ns[XB_PICTURE_LEVELS];    /* per dependent load, over half of the level */
    double load_gb_per_s[XB_PICTURE_LEVELS]; /* of one core, over half of the level */
    double took_s;
};

/* Text for people and for keys: "L1d" and "l1d". */
const char *xb_level_name(int level);
const char *xb_level_key(int level);

/* Working sets to chase over: rising, in whole KiB, from well inside any L1d to a few times an LLC
 * of `llc` bytes (0: unknown), none that does not fit 80 % of `memory` bytes (0: unknown). `quick`:
 * fewer. Returns how many of `room` were written. Pure. */
size_t xb_picture_sizes(uint64_t llc, uint64_t memory, bool quick, uint64_t *sizes, size_t room);

/* What stairs say of capacities and latencies; bandwidths are left alone. Sorts `stairs` in place.
 * `claimed`: bytes by level, 0 where unknown; they name an edge where fewer than three are seen.
 * Pure. */
void xb_picture_read(struct xb_picture *picture, struct xb_stair *stairs, size_t n,
                     const double claimed[XB_CACHE_LEVELS]);

/* Measures the picture with the registry's first kernels that show latency and bandwidth, each cell
 * with one worker of the plainest model in a process of its own; about 2 s, 1 s if `quick`. Gaps
 * stay NaN, and `why` then gives the first reason. `stop` may be NULL. 0; -EINTR if `stop` became
 * non-zero; -ENOTSUP with `why` if there is no such kernel or no model. Not reentrant: see
 * xb_runner_run(). */
int xb_picture_measure(const struct xb_registry *registry, const struct xb_topology *topology,
                       enum xb_bind bind, bool quick, const volatile sig_atomic_t *stop,
                       struct xb_picture *picture, struct xb_reason *why);

/* The last-level cache as a stream of loads by one core finds it: the bytes at which its bandwidth has
 * fallen to two thirds of its best beyond the L2. In a guest whose pages the hypervisor keeps small a
 * chase slows down at a tenth of that, for the walks of the page tables. `picture` tells where the L2
 * ends, and gets what it lacks of DRAM. 2 s. NaN, with `why` and -ERANGE, if bandwidth does not fall up
 * to 1 GiB or a quarter of the memory; else as xb_picture_measure(). */
int xb_picture_reach(const struct xb_registry *registry, const struct xb_topology *topology,
                     const volatile sig_atomic_t *stop, struct xb_picture *picture, double *bytes,
                     struct xb_reason *why);

/* Whether the claim of a cache's size (0: none) and its measurement differ by more than a quarter of
 * the claim. False where there is no measurement. */
bool xb_picture_contradicts(const struct xb_picture *picture, const struct xb_topology *topology,
                            enum xb_cache_level level);

/* The caches to fit working sets to: the claimed size, so that it is the same from run to run, or
 * the power of two below the measured where that is less than half, or more than 1.25 times the
 * claim. Working sets take half of a cache at most. A set in DRAM must leave the
 * larger of claimed and used last-level cache, as a guest's share of it may grow at any time. */
struct xb_caches xb_picture_caches(const struct xb_picture *picture,
                                   const struct xb_topology *topology);

/* Whether one of the cells has a size that follows the caches. */
bool xb_picture_wanted(const struct xb_spec *spec, const struct xb_cell *cells, size_t n);

/* Writes provenance lines: <level>_measured_bytes, <level>_latency_ns, <level>_load_gb_per_s, empty
 * where not seen. 0 or -errno. */
int xb_picture_write(FILE *out, const struct xb_picture *picture);

#endif
