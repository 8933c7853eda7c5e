/* Maps x -> factor * x + addend, modulo 2^64, which compose in closed form.
 *
 * So a chain of many can be checked without walking it: the work is done step by step, and verify()
 * gets to the same value in 64 steps. They do not commute, so a value tells the order too. */
#ifndef XB_KERNELS_AFFINE_H
#define XB_KERNELS_AFFINE_H

#include "prng.h"

#include <stdint.h>

struct affine {
    uint64_t factor, addend;
};

/* That of one worker, with the longest period: the factor is 5 modulo 8, the addend odd (Knuth,
 * TAOCP volume 2, 3.2.1.2, theorem A). */
static inline struct affine affine_of(uint64_t seed, uint32_t index)
{
    uint64_t stream = xb_prng_of(seed, index);
    uint64_t factor = xb_prng_next(&stream);
    return (struct affine){ (factor & ~UINT64_C(7)) | 5, xb_prng_next(&stream) | 1 };
}

static inline uint64_t apply(struct affine map, uint64_t x)
{
    return map.factor * x + map.addend;
}

/* First `inner`, then `outer`. */
static inline struct affine compose(struct affine outer, struct affine inner)
{
    return (struct affine){ outer.factor * inner.factor, apply(outer, inner.addend) };
}

/* `map`, n times. */
static inline struct affine repeat(struct affine map, uint64_t n)
{
    struct affine power = { 1, 0 };
    for (; n; n /= 2, map = compose(map, map))
        if (n % 2)
            power = compose(map, power);
    return power;
}

/* x + map(x) + map(map(x)) + ..., n terms. What a sum over 2^j terms adds up to is affine in x, so
 * doubling gives any sum. */
static inline uint64_t sum_of(struct affine map, uint64_t x, uint64_t n)
{
    uint64_t total = 0;
    struct affine sum = { 1, 0 };
    for (; n; n /= 2) {
        if (n % 2) {
            total += apply(sum, x);
            x = apply(map, x);
        }
        struct affine later = compose(sum, map);
        sum.factor += later.factor;
        sum.addend += later.addend;
        map = compose(map, map);
    }
    return total;
}

#endif
