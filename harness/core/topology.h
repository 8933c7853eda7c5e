/* The machine's processors and caches, and which worker goes where. The only user of hwloc.
 *
 * Built without hwloc it answers with a flat topology (one core per CPU the process may use,
 * cache sizes from sysconf(3)) and says so in xb_topology_summary(). */
#ifndef XB_CORE_TOPOLOGY_H
#define XB_CORE_TOPOLOGY_H

#include "../base/reason.h"

#include <stddef.h>
#include <stdint.h>

struct xb_topology;

enum xb_cache_level { XB_CACHE_L1D, XB_CACHE_L2, XB_CACHE_LLC, XB_CACHE_LEVELS };

enum xb_bind {
    XB_BIND_NONE,    /* the scheduler decides */
    XB_BIND_COMPACT, /* neighbours first: SMT siblings, then the next core */
    XB_BIND_SCATTER, /* far apart first: packages, then cores, SMT siblings last */
    XB_BINDS
};

/* Text of a policy, and back; -1 when unknown. */
const char *xb_bind_name(enum xb_bind bind);
int xb_bind_parse(const char *name);

/* Loads the topology of this machine, restricted to the CPUs this process may use; or, for
 * tests, of a description: "synthetic:..." (hwloc-info's syntax) or "xml:PATH".
 * Caller closes. 0 or -errno with `why`; -ENOTSUP for a description without hwloc. */
int xb_topology_open(const char *description, struct xb_topology **out, struct xb_reason *why);
void xb_topology_close(struct xb_topology *topology); /* accepts NULL */

/* Usable processing units and physical cores, >= 1. */
uint32_t xb_topology_pus(const struct xb_topology *topology);
uint32_t xb_topology_cores(const struct xb_topology *topology);

/* Bytes of one instance of a cache as the machine claims it, 0 if unknown; and how many PUs
 * share that instance (>= 1). */
size_t xb_topology_cache_bytes(const struct xb_topology *topology, enum xb_cache_level level);
uint32_t xb_topology_cache_sharers(const struct xb_topology *topology, enum xb_cache_level level);

/* Bytes of memory of the machine, or of the cgroup when that is less. */
uint64_t xb_topology_memory_bytes(const struct xb_topology *topology);

/* One line for people and provenance: "hwloc 2.9.0: 1 package, 2 cores, 2 PUs, ...". */
const char *xb_topology_summary(const struct xb_topology *topology);

/* Chooses an OS CPU number for each of `n` lanes under `bind`; more lanes than PUs wrap around.
 * On hybrid machines scatter uses the most capable cores first. `cpus`: n ints, the caller's;
 * all -1 under XB_BIND_NONE. Pure. */
void xb_topology_place(const struct xb_topology *topology, enum xb_bind bind, uint32_t n,
                       int *cpus);

/* Binds the calling thread; cpu < 0 does nothing. 0 or -errno. */
int xb_topology_bind(int cpu);

#endif
