/* FNV-1a in 64 bits (Fowler, Noll, Vo; RFC 9923): names for bytes that nobody makes collide. */
#ifndef XB_BASE_FNV_H
#define XB_BASE_FNV_H

#include <stddef.h>
#include <stdint.h>

/* The hash of nothing. */
#define XB_FNV_BASIS UINT64_C(0xcbf29ce484222325)

/* The hash of what `hash` is that of, followed by n bytes. Pure. */
static inline uint64_t xb_fnv(uint64_t hash, const void *bytes, size_t n)
{
    const unsigned char *at = (const unsigned char *)bytes;
    for (size_t i = 0; i < n; i++)
        hash = (hash ^ at[i]) * UINT64_C(0x100000001b3);
    return hash;
}

#endif
