/* What samples of stalls come to: how many of each kind, and the sets that they waited for. */
#ifndef XB_STATS_STALL_SUMS_H
#define XB_STATS_STALL_SUMS_H

#include "../base/stalls.h"
#include "working_set.h"

struct xb_stall_sums {
    size_t
        n; /* samples: those below, and those with a known address or offset, which are in pools */
    size_t kind[XB_STALL_KIND_COUNT]; /* of all samples, whatever became of their address */
    size_t lost;   /* addresses that are lost, and nothing is known of where they lie */
    size_t yields; /* of those at system calls: gave the CPU to other threads, and there are */
    size_t
        work[XB_WAITS]; /* of those at system calls: what these work for; yields are XB_WAIT_LOCK */
    size_t hidden;      /* at accesses, and not because these are waited for: see below */
    size_t streamed; /* at accesses of loops that do little else; the caller's to fill in, or 0 */
    /* On lines that threads take from each other: atomics, and stores and loads. */
    size_t contended;
    size_t n_within;      /* addresses that are lost, but for the mapping that they lie in: */
    double *within_bytes; /* its size, of each */
    size_t *of_site;      /* samples of each site, n_sites of them */
    size_t n_sites;
    struct xb_pool pool[XB_POOLS_MAX];
    size_t n_pools;
    /* Of addresses of which only the distance from their base is known. If that was one place, these are
     * their sets; if they were many, the sets are larger. */
    struct xb_pool least[XB_POOLS_MAX];
    size_t n_least;
};

/* Sums up `sample` (n of them, each thread's in order of time) whose sites are `site` (n_sites).
 * `hides`: of each site, the share of its samples that do not wait for its access (loop_wait.h); NULL: of
 * none. So many are left out, one here and one there.
 * `out`: what it holds is the caller's, back with xb_stall_sums_free() in any case. 0 or -ENOMEM. Pure. */
int xb_stall_sum(const struct xb_stalled *sample, size_t n, const struct xb_stall_site *site,
                 size_t n_sites, const double *hides, struct xb_stall_sums *out)
    __attribute__((warn_unused_result));

/* Accepts what is all zero. */
void xb_stall_sums_free(struct xb_stall_sums *sums);

#endif
