/* What was measured of this machine once and holds until the machine changes, kept in a file.
 *
 * A line is a fact, key,value; whoever measures more of a machine adds a field and its key here. */
#ifndef XB_CORE_PROFILE_H
#define XB_CORE_PROFILE_H

#include "../base/reason.h"
#include "../probes/probe.h"
#include "registry.h"
#include "topology.h"

#include <limits.h>
#include <signal.h>
#include <stdbool.h>

struct xb_profile {
    /* As measured. The last-level cache is what a stream finds of it (xb_picture_reach()): in a guest
     * a chase slows down for the pages it walks long before the cache is full. */
    struct xb_capacity capacity;
    double took_s;
    double
        others_cpus; /* that others kept busy meanwhile: above XB_PROFILE_QUIET it may be wrong */
};

#define XB_PROFILE_QUIET 0.25

/* All that is unknown: NaN. */
void xb_profile_clear(struct xb_profile *profile);

/* Where the profile of this machine lies: ${XDG_CACHE_HOME:-~/.cache}/xbound/ and a name made of
 * the host's, the CPU's, and the caches that it claims. 0; -ENOENT with `why` where there is neither
 * XDG_CACHE_HOME nor HOME. */
int xb_profile_path(const struct xb_topology *topology, char path[PATH_MAX], struct xb_reason *why);

/* 0, or -errno with `why`: -ENOENT; -EBADMSG where it is not whole. `profile` is then cleared. */
int xb_profile_load(const char *path, struct xb_profile *profile, struct xb_reason *why);

/* Replaces the file as a whole, and makes its folder. 0, or -errno with `why`. */
int xb_profile_save(const char *path, const struct xb_profile *profile, struct xb_reason *why);

/* Measures in about 4 s what this machine's memory is like. What could not be measured is NaN, and
 * `why` has the first reason. 0, -EINTR, -ENOTSUP: as xb_picture_measure(). Not reentrant. */
int xb_profile_measure(const struct xb_registry *registry, const struct xb_topology *topology,
                       const volatile sig_atomic_t *stop, struct xb_profile *profile,
                       struct xb_reason *why);

enum xb_profile_use {
    XB_PROFILE_KEPT,  /* the one that is kept, where there is one */
    XB_PROFILE_ANEW,  /* measured, and kept from now on */
    XB_PROFILE_APART, /* measured, and not kept */
};

/* The profile of this machine: from its file, or else measured. `measuring` (may be NULL) is called
 * before that, as it takes seconds. `why`: code 0, or what is missing: a level that could not be
 * measured, or why it is not kept; what is known stands in `profile` all the same. Not reentrant. */
void xb_profile_get(enum xb_profile_use use, const struct xb_registry *registry,
                    const struct xb_topology *topology, const volatile sig_atomic_t *stop,
                    void (*measuring)(void), struct xb_profile *profile, struct xb_reason *why);

#endif
