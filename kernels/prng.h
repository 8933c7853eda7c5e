/* One seeded generator for all kernels, so that equal seeds mean equal work.
 *
 * splitmix64: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014.
 * Its finaliser doubles as a mixing function: xb_mix64() of distinct inputs gives distinct
 * outputs. */
#ifndef XB_KERNELS_PRNG_H
#define XB_KERNELS_PRNG_H

#include <stdint.h>

/* A bijection on 64-bit values; pure. */
static inline uint64_t xb_mix64(uint64_t x)
{
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

/* Advances *state and returns 64 uniform bits. Any state is valid. */
static inline uint64_t xb_prng_next(uint64_t *state)
{
    *state += UINT64_C(0x9e3779b97f4a7c15);
    return xb_mix64(*state);
}

/* Uniform in [0, bound), bound >= 1; bias below 2^-32 for bound < 2^32.
 * Method: Lemire, "Fast random integer generation in an interval", 2019, without rejection. */
static inline uint64_t xb_prng_below(uint64_t *state, uint64_t bound)
{
    __extension__ typedef unsigned __int128 wide;
    return (uint64_t)(((wide)xb_prng_next(state) * bound) >> 64);
}

/* The stream of one worker: distinct workers of one seed draw unrelated numbers. */
static inline uint64_t xb_prng_of(uint64_t seed, uint32_t index)
{
    return xb_mix64(seed ^ xb_mix64(index + UINT64_C(1)));
}

#endif
