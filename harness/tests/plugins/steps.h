/* A kernel that the test plug-ins share, and how much longer one of them takes for the same work. */
#ifndef XB_TESTS_PLUGINS_STEPS_H
#define XB_TESTS_PLUGINS_STEPS_H

#include "kernels/affine.h"
#include "kernels/keep.h"
#include "kernels/plugin.h"

#include <errno.h>
#include <stdlib.h>

enum { STEPS = 1000 };

struct steps {
    struct affine map;
    uint64_t x;
};

static inline void begin_steps(void *state)
{
    ((struct steps *)state)->x = 0;
}

static inline int setup_steps(const struct xb_params *params, void *team, void **state)
{
    struct steps *s = *state = calloc(1, sizeof *s);
    (void)team;
    if (!s)
        return xb_explain(params, -ENOMEM, "no memory");
    s->map = affine_of(params->seed, params->index);
    return 0;
}

static inline uint64_t walk(struct affine map, uint64_t x, unsigned steps)
{
    for (unsigned i = 0; i < steps; i++) {
        x = apply(map, x);
        xb_keep(x);
    }
    return x;
}

/* `idle`: steps beyond the STEPS of an iteration, which lead nowhere. */
static inline int run_steps(void *state, uint64_t iters, unsigned idle, struct xb_work *did)
{
    struct steps *s = state;
    for (uint64_t i = 0; i < iters; i++) {
        s->x = walk(s->map, s->x, STEPS);
        walk(s->map, s->x, idle);
    }
    did->items += iters * STEPS;
    did->checksum = s->x;
    return 0;
}

static inline int verify_steps(const struct xb_params *params, void *team, void *state,
                               uint64_t iters, const struct xb_work *did)
{
    const struct affine map = affine_of(params->seed, params->index);
    (void)team, (void)state;
    return did->items == iters * STEPS && did->checksum == apply(repeat(map, iters * STEPS), 0)
               ? 0
               : -EBADMSG;
}

#endif
