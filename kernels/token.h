/* A token that workers pass around in a ring: what each does to it, and what each must have seen.
 *
 * Each worker applies a map of its own, and the maps do not commute: the token's value tells in
 * which order workers had it. */
#ifndef XB_KERNELS_TOKEN_H
#define XB_KERNELS_TOKEN_H

#include "affine.h"
#include "kernel.h"

/* As worker 0 sends it off at the start of a sample. */
static inline uint64_t token_first(const struct xb_params *params)
{
    return xb_mix64(params->seed);
}

/* The sum of what this worker sees come in during `laps`, if worker 0 sends first and changes the
 * token when it is back, and the others change it as it passes. No token is passed to find it. */
static inline uint64_t token_seen(const struct xb_params *params, uint64_t laps)
{
    uint32_t n = params->workers, before = params->index ? params->index : n;
    uint64_t seen = token_first(params);
    for (uint32_t i = 1; i < before; i++)
        seen = apply(affine_of(params->seed, i), seen);
    struct affine lap = { 1, 0 };
    for (uint32_t i = 0; i < n; i++)
        lap = compose(affine_of(params->seed, (uint32_t)(((uint64_t)params->index + i) % n)), lap);
    return sum_of(lap, seen, laps);
}

#endif
