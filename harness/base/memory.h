/* Zeroed memory that forked processes share, handed out in pieces and given back as a whole. */
#ifndef XB_BASE_MEMORY_H
#define XB_BASE_MEMORY_H

#include <stddef.h>

struct xb_arena {
    char *base;
    size_t bytes, used;
};

/* Maps `bytes` that every process forked later sees at the same address. Pages cost nothing
 * until touched. 0 or -errno. */
int xb_arena_open(struct xb_arena *arena, size_t bytes);

/* Aligned to `align`, a power of two; NULL when exhausted. One thread at a time. */
void *xb_arena_take(struct xb_arena *arena, size_t bytes, size_t align);

/* Unmaps; accepts an arena that was never opened (all zero). */
void xb_arena_close(struct xb_arena *arena);

#endif
