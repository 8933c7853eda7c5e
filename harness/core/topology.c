/* SPDX-License-Identifier: BSD-3-Clause
 * Learns the machine's processors and caches and decides which worker goes where. */
/* xb-library: hwloc (Debian: libhwloc-dev) */
#include "topology.h"

#include "../base/units.h"
#include "machine.h"

#include <errno.h>
#include <sched.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifdef XB_HAVE_LIBRARY
#    include <hwloc.h>
#endif

#define MOST_CPUS 8192 /* CONFIG_NR_CPUS at its largest */

/* A usable processing unit. Ordinals count usable things only, so they have no gaps. */
struct pu {
    int cpu;       /* the number the OS knows it by */
    uint32_t core; /* ordinals within the machine */
    uint32_t package;
    uint32_t domain;     /* what shares a package, a NUMA node and a last-level cache */
    int capability;      /* of its kind of core; higher computes faster */
    uint32_t sibling;    /* ordinal within the core */
    uint32_t in_domain;  /* ordinal of its core among those of its capability in the domain */
    uint32_t in_package; /* ordinal of its domain within the package */
};

struct cache {
    size_t bytes;
    uint32_t sharers;
};

struct xb_topology {
    struct pu *compact; /* n_pus each; compact is the machine's own order, neighbours together */
    struct pu *scatter;
    uint32_t n_pus, n_cores, n_packages, n_kinds;
    struct cache cache[XB_CACHE_LEVELS];
    uint64_t memory_bytes;
    char summary[XB_REASON_BYTES];
};

static const char *const bind_names[XB_BINDS] = { "none", "compact", "scatter" };

const char *xb_bind_name(enum xb_bind bind)
{
    return bind_names[bind];
}

int xb_bind_parse(const char *name)
{
    for (int i = 0; i < XB_BINDS; i++)
        if (strcmp(name, bind_names[i]) == 0)
            return i;
    return -1;
}

/* Makes room for n PUs. 0 or -ENOMEM. */
static int make_room(struct xb_topology *t, uint32_t n)
{
    free(t->compact);
    free(t->scatter);
    t->compact = calloc(n, sizeof *t->compact);
    t->scatter = calloc(n, sizeof *t->scatter);
    t->n_pus = n;
    return t->compact && t->scatter ? 0 : -ENOMEM;
}

/* One core per CPU this thread may use, all alike: what is left when nobody knows more. */
static int load_flat(struct xb_topology *t)
{
    cpu_set_t *set = CPU_ALLOC(MOST_CPUS);
    size_t bytes = CPU_ALLOC_SIZE(MOST_CPUS);
    if (!set)
        return -ENOMEM;
    CPU_ZERO_S(bytes, set);
    if (sched_getaffinity(0, bytes, set) || CPU_COUNT_S(bytes, set) == 0)
        CPU_SET_S(0, bytes, set);
    int rc = make_room(t, (uint32_t)CPU_COUNT_S(bytes, set));
    for (int cpu = 0, i = 0; cpu < MOST_CPUS && !rc; cpu++)
        if (CPU_ISSET_S((size_t)cpu, bytes, set)) {
            t->compact[i] = (struct pu){ .cpu = cpu, .core = (uint32_t)i };
            i++;
        }
    CPU_FREE(set);
    return rc;
}

#ifdef XB_HAVE_LIBRARY

/* Leaves only the CPUs this thread may use. hwloc also takes descriptions of other machines from
 * its environment variables; to those our affinity means nothing. */
static int restrict_to_affinity(hwloc_topology_t h)
{
    if (!hwloc_topology_is_thissystem(h))
        return 0;
    hwloc_bitmap_t set = hwloc_bitmap_alloc();
    if (!set)
        return -ENOMEM;
    int rc = 0;
    /* Fails where the binding names no CPU that hwloc has seen, as it can without /sys; the
     * caller then goes on with what sched_getaffinity(2) says. */
    if (hwloc_get_cpubind(h, set, HWLOC_CPUBIND_THREAD) || hwloc_topology_restrict(h, set, 0))
        rc = -errno;
    hwloc_bitmap_free(set);
    return rc;
}

static int open_hwloc(const char *description, hwloc_topology_t *out)
{
    int rc = hwloc_topology_init(out) ? -ENOMEM : 0;
    if (rc)
        return rc;
    if (description && strncmp(description, "synthetic:", 10) == 0)
        rc = hwloc_topology_set_synthetic(*out, description + 10);
    else if (description && strncmp(description, "xml:", 4) == 0)
        rc = hwloc_topology_set_xml(*out, description + 4);
    else if (description)
        rc = (errno = EINVAL, -1);
    if (rc || hwloc_topology_load(*out))
        rc = errno ? -errno : -EINVAL;
    if (!rc && !description)
        rc = restrict_to_affinity(*out);
    if (!rc && hwloc_get_nbobjs_by_type(*out, HWLOC_OBJ_PU) < 1)
        rc = -ENODEV;
    if (rc)
        hwloc_topology_destroy(*out);
    return rc;
}

/* The largest-level data cache above `pu`, from level 2 up; NULL when there is none. */
static hwloc_obj_t find_last_level(hwloc_obj_t pu)
{
    hwloc_obj_t last = NULL;
    for (hwloc_obj_t at = pu->parent; at; at = at->parent)
        if (hwloc_obj_type_is_dcache(at->type) && at->attr->cache.depth >= 2)
            last = at;
    return last;
}

/* Higher is faster; 0 for all where hwloc cannot rank them. */
static int rank_kind(hwloc_topology_t h, hwloc_obj_t pu)
{
    int efficiency = 0;
    int kind = hwloc_cpukinds_get_by_cpuset(h, pu->cpuset, 0);
    if (kind < 0 || hwloc_cpukinds_get_info(h, (unsigned)kind, NULL, &efficiency, NULL, NULL, 0))
        return 0;
    return efficiency > 0 ? efficiency : 0;
}

static bool share_domain(hwloc_obj_t a, hwloc_obj_t b)
{
    return find_last_level(a) == find_last_level(b) &&
           hwloc_bitmap_first(a->nodeset) == hwloc_bitmap_first(b->nodeset);
}

static void take_pus(hwloc_topology_t h, struct xb_topology *t)
{
    hwloc_obj_t before = NULL, core_before = NULL, package_before = NULL;
    uint32_t cores = 0, packages = 0, domains = 0;
    /* hwloc's order is depth first: what shares a core, a cache or a package is in one run. */
    for (uint32_t i = 0; i < t->n_pus; i++) {
        hwloc_obj_t pu = hwloc_get_obj_by_type(h, HWLOC_OBJ_PU, i);
        hwloc_obj_t core = hwloc_get_ancestor_obj_by_type(h, HWLOC_OBJ_CORE, pu);
        hwloc_obj_t package = hwloc_get_ancestor_obj_by_type(h, HWLOC_OBJ_PACKAGE, pu);
        bool new_package = !before || package != package_before;
        packages += new_package;
        cores += !core || core != core_before;
        domains += new_package || !share_domain(pu, before);
        t->compact[i] = (struct pu){ .cpu = (int)pu->os_index,
                                     .core = cores - 1,
                                     .package = packages - 1,
                                     .domain = domains - 1,
                                     .capability = rank_kind(h, pu) };
        before = pu, core_before = core, package_before = package;
    }
}

/* Caches are those of the most capable core; on hybrid machines the others' differ. */
static void take_caches(hwloc_topology_t h, struct xb_topology *t)
{
    uint32_t best = 0;
    for (uint32_t i = 1; i < t->n_pus; i++)
        if (t->compact[i].capability > t->compact[best].capability)
            best = i;
    hwloc_obj_t pu = hwloc_get_obj_by_type(h, HWLOC_OBJ_PU, best), last = find_last_level(pu);
    for (hwloc_obj_t at = pu->parent; at; at = at->parent) {
        if (!hwloc_obj_type_is_dcache(at->type))
            continue;
        struct cache cache = { at->attr->cache.size, (uint32_t)hwloc_bitmap_weight(at->cpuset) };
        if (at->attr->cache.depth == 1)
            t->cache[XB_CACHE_L1D] = cache;
        if (at->attr->cache.depth == 2)
            t->cache[XB_CACHE_L2] = cache;
        if (at == last)
            t->cache[XB_CACHE_LLC] = cache;
    }
}

static int load_library(const char *description, struct xb_topology *t)
{
    hwloc_topology_t h;
    int rc = open_hwloc(description, &h);
    if (rc)
        return rc;
    rc = make_room(t, (uint32_t)hwloc_get_nbobjs_by_type(h, HWLOC_OBJ_PU));
    if (!rc) {
        take_pus(h, t);
        take_caches(h, t);
        t->memory_bytes = hwloc_get_root_obj(h)->total_memory;
        snprintf(t->summary, sizeof t->summary, "hwloc %s", HWLOC_VERSION);
    }
    hwloc_topology_destroy(h);
    return rc;
}

#else

static int load_library(const char *description, struct xb_topology *t)
{
    (void)description, (void)t;
    return -ENOTSUP;
}

#endif

/* Loads this machine with the library or, failing that, without it. */
static int load_machine(struct xb_topology *t)
{
    int rc = load_library(NULL, t);
    if (rc) {
        snprintf(t->summary, sizeof t->summary,
                 rc == -ENOTSUP ? "built without hwloc: flat topology"
                                : "hwloc gave up (%s): flat topology",
                 strerror(-rc));
        rc = load_flat(t);
    }

    static const int names[XB_CACHE_LEVELS] = { _SC_LEVEL1_DCACHE_SIZE, _SC_LEVEL2_CACHE_SIZE,
                                                _SC_LEVEL3_CACHE_SIZE };
    for (int level = 0; level < XB_CACHE_LEVELS; level++)
        if (!t->cache[level].bytes) {
            long bytes = sysconf(names[level]);
            t->cache[level].bytes = bytes > 0 ? (size_t)bytes : 0;
        }
    if (!t->cache[XB_CACHE_LLC].bytes)
        t->cache[XB_CACHE_LLC] = t->cache[XB_CACHE_L2];
    /* Whom sysconf's caches belong to is unknown; a last level for all is the careful guess. */
    if (!t->cache[XB_CACHE_LLC].sharers)
        t->cache[XB_CACHE_LLC].sharers = t->n_pus;

    struct xb_machine machine;
    xb_machine_read("", &machine);
    if (machine.memory_total_bytes > 0)
        t->memory_bytes = (uint64_t)machine.memory_total_bytes;
    if (machine.memory_limit_bytes >= 0 && (uint64_t)machine.memory_limit_bytes < t->memory_bytes)
        t->memory_bytes = (uint64_t)machine.memory_limit_bytes;
    return rc;
}

/* Orders PUs so that each next one shares as little as possible with those before it: siblings
 * of a core last, slow kinds of core after fast ones; among equals another package before
 * another domain before another core of the same domain. */
static int compare_scatter(const void *left, const void *right)
{
    const struct pu *a = left, *b = right;
    if (a->sibling != b->sibling)
        return a->sibling < b->sibling ? -1 : 1;
    if (a->capability != b->capability)
        return a->capability > b->capability ? -1 : 1;
    if (a->in_domain != b->in_domain)
        return a->in_domain < b->in_domain ? -1 : 1;
    if (a->in_package != b->in_package)
        return a->in_package < b->in_package ? -1 : 1;
    if (a->package != b->package)
        return a->package < b->package ? -1 : 1;
    return a->core < b->core ? -1 : 1;
}

/* Fills in what follows from the machine's order, and sorts. */
static void arrange(struct xb_topology *t)
{
    for (uint32_t i = 0; i < t->n_pus; i++) {
        struct pu *pu = &t->compact[i];
        bool new_kind = true;
        for (uint32_t j = 0; j < i; j++) {
            const struct pu *other = &t->compact[j];
            bool first_of_domain = j == 0 || other->domain != other[-1].domain;
            pu->sibling += other->core == pu->core;
            /* Each core is counted once, at its first PU. */
            pu->in_domain += other->domain == pu->domain && other->core != pu->core &&
                             other->capability == pu->capability && other->sibling == 0;
            pu->in_package +=
                first_of_domain && other->package == pu->package && other->domain != pu->domain;
            new_kind = new_kind && other->capability != pu->capability;
        }
        t->n_kinds += new_kind;
    }
    memcpy(t->scatter, t->compact, t->n_pus * sizeof *t->scatter);
    qsort(t->scatter, t->n_pus, sizeof *t->scatter, compare_scatter);
    t->n_cores = t->compact[t->n_pus - 1].core + 1;
    t->n_packages = t->compact[t->n_pus - 1].package + 1;
    for (int level = 0; level < XB_CACHE_LEVELS; level++)
        if (!t->cache[level].sharers)
            t->cache[level].sharers = 1;
}

static void add(struct xb_topology *t, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void add(struct xb_topology *t, const char *format, ...)
{
    size_t used = strlen(t->summary);
    va_list args;
    va_start(args, format);
    vsnprintf(t->summary + used, sizeof t->summary - used, format, args);
    va_end(args);
}

static void add_count(struct xb_topology *t, const char *before, uint32_t n, const char *thing)
{
    add(t, "%s%u %s%s", before, (unsigned)n, thing, n == 1 ? "" : "s");
}

static void add_bytes(struct xb_topology *t, const char *name, uint64_t bytes)
{
    char text[XB_BYTES_TEXT];
    if (bytes)
        add(t, ", %s %s", name, xb_bytes_text(bytes, text));
}

static void summarise(struct xb_topology *t)
{
    static const char *const names[XB_CACHE_LEVELS] = { "L1d", "L2", "LLC" };
    add_count(t, ": ", t->n_packages, "package");
    add_count(t, ", ", t->n_cores, "core");
    if (t->n_kinds > 1)
        add(t, " of %u kinds", (unsigned)t->n_kinds);
    add_count(t, ", ", t->n_pus, "PU");
    for (int level = 0; level < XB_CACHE_LEVELS; level++) {
        add_bytes(t, names[level], t->cache[level].bytes);
        if (t->cache[level].bytes && t->cache[level].sharers > 1)
            add(t, " for %u PUs", (unsigned)t->cache[level].sharers);
    }
    add_bytes(t, "memory", t->memory_bytes);
}

int xb_topology_open(const char *description, struct xb_topology **out, struct xb_reason *why)
{
    struct xb_topology *t = calloc(1, sizeof *t);
    *out = NULL;
    if (!t)
        return xb_because(why, -ENOMEM, "no memory for the topology");
    int rc = description ? load_library(description, t) : load_machine(t);
    if (rc) {
        xb_topology_close(t);
        if (rc == -ENOTSUP)
            return xb_because(why, rc, "built without hwloc: it cannot read topology '%s'",
                              description);
        return xb_because(why, rc, "topology '%s': %s; wanted is synthetic:... or xml:PATH",
                          description ? description : "this machine", strerror(-rc));
    }
    arrange(t);
    summarise(t);
    *out = t;
    return 0;
}

void xb_topology_close(struct xb_topology *topology)
{
    if (!topology)
        return;
    free(topology->compact);
    free(topology->scatter);
    free(topology);
}

uint32_t xb_topology_pus(const struct xb_topology *topology)
{
    return topology->n_pus;
}

uint32_t xb_topology_cores(const struct xb_topology *topology)
{
    return topology->n_cores;
}

size_t xb_topology_cache_bytes(const struct xb_topology *topology, enum xb_cache_level level)
{
    return topology->cache[level].bytes;
}

uint32_t xb_topology_cache_sharers(const struct xb_topology *topology, enum xb_cache_level level)
{
    return topology->cache[level].sharers;
}

uint64_t xb_topology_memory_bytes(const struct xb_topology *topology)
{
    return topology->memory_bytes;
}

const char *xb_topology_summary(const struct xb_topology *topology)
{
    return topology->summary;
}

void xb_topology_place(const struct xb_topology *topology, enum xb_bind bind, uint32_t n, int *cpus)
{
    const struct pu *order = bind == XB_BIND_COMPACT ? topology->compact : topology->scatter;
    for (uint32_t i = 0; i < n; i++)
        cpus[i] = bind == XB_BIND_NONE ? -1 : order[i % topology->n_pus].cpu;
}

int xb_topology_bind(int cpu)
{
    if (cpu < 0)
        return 0;
    /* Not hwloc_set_cpubind(): it needs a topology in every process, and on Linux it ends in
     * this call. */
    cpu_set_t *set = CPU_ALLOC((size_t)cpu + 1);
    size_t bytes = CPU_ALLOC_SIZE((size_t)cpu + 1);
    if (!set)
        return -ENOMEM;
    CPU_ZERO_S(bytes, set);
    CPU_SET_S((size_t)cpu, bytes, set);
    int rc = sched_setaffinity(0, bytes, set) ? -errno : 0;
    CPU_FREE(set);
    return rc;
}
