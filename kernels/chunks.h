/* SPDX-License-Identifier: BSD-3-Clause
 * Going through an array chunk by chunk, round and round, and knowing afterwards what was done. */
#ifndef XB_KERNELS_CHUNKS_H
#define XB_KERNELS_CHUNKS_H

#include <stddef.h>
#include <stdint.h>

/* Elements of eight bytes per iteration, at most: 32 KiB of an array. */
enum { CHUNK = 4096 };

/* In an array of n elements, n >= 1. All are of equal size but the last. */
static inline size_t chunks_in(size_t n)
{
    return (n + CHUNK - 1) / CHUNK;
}

/* Moves *chunk on by `iters` chunks; returns the elements in those. */
static inline uint64_t pass_chunks(size_t n, uint64_t iters, size_t *chunk)
{
    uint64_t chunks = chunks_in(n), laps = iters / chunks, rest = iters % chunks;
    size_t missing = chunks * CHUNK - n, end = *chunk + rest;
    *chunk = end % chunks;
    return iters * CHUNK - (laps + (end >= chunks && rest > 0)) * missing;
}

/* How many of `iters` chunks, beginning with `start`, were this one. */
static inline uint64_t visits_of(size_t chunk, size_t n, uint64_t iters, size_t start)
{
    uint64_t chunks = chunks_in(n);
    return iters / chunks + ((chunk + chunks - start) % chunks < iters % chunks);
}

#endif
