/* SPDX-License-Identifier: BSD-3-Clause
 * Hands out pieces of a shared mapping. */
#include "memory.h"

#include <errno.h>
#include <stdint.h>
#include <sys/mman.h>

int xb_arena_open(struct xb_arena *arena, size_t bytes)
{
    /* NORESERVE: the upper bound is generous and most of it is never touched. */
    void *base = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (base == MAP_FAILED)
        return -errno;
    *arena = (struct xb_arena){ .base = base, .bytes = bytes };
    return 0;
}

void *xb_arena_take(struct xb_arena *arena, size_t bytes, size_t align)
{
    size_t at = (arena->used + align - 1) & ~(align - 1);
    if (at > arena->bytes || bytes > arena->bytes - at)
        return NULL;
    arena->used = at + bytes;
    return arena->base + at;
}

void xb_arena_close(struct xb_arena *arena)
{
    if (arena->base)
        munmap(arena->base, arena->bytes);
    *arena = (struct xb_arena){ 0 };
}
