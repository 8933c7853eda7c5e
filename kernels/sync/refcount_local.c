/* SPDX-License-Identifier: BSD-3-Clause
 * Reference counts that only one worker changes, without atomics: the best that counting can be. */
#include "../refcount.h"

#include <math.h>

static void create(struct object *object, uint32_t owner)
{
    (void)owner;
    object->local = 1;
}

static inline void take(struct object *object, uint32_t number)
{
    (void)number;
    object->local++;
}

static inline bool give(struct object *object, uint32_t number)
{
    (void)number;
    return --object->local == 0;
}

/* Nothing can be shared in this way, so all references are to a worker's own. */
static uint32_t whose(uint32_t index)
{
    return index;
}

static const struct xb_claim claims[] = {
    { XB_RATIO_USER_SHARE, 0.7, INFINITY },
    { XB_RATIO_L1D_MPKI, -INFINITY, 1 },
};

/* What the other two pay more than this is their synchronisation: here no object is another worker's,
 * so what is left is computing. */
static enum xb_class bound_of(const struct xb_crowd *crowd)
{
    (void)crowd;
    return XB_CLASS_CPU;
}

const struct xb_kernel xb_kernel_sync_refcount_local = {
    .name = "sync/refcount_local",
    .summary = "counts references without atomics, to objects that nobody shares",
    .source = "Collins, \"A method for overlapping and erasure of lists\", 1960",
    .item = "reference",
    .bound = XB_CLASS_SYNC,
    .bound_of = bound_of,
    .fit = XB_FIT_OWN,
    .own_bytes = sizeof(struct object),
    .claims = claims,
    .n_claims = sizeof claims / sizeof *claims,
    .team_setup = team_setup,
    .setup = setup,
    .begin = begin,
    .run = run,
    .settle = settle,
    .verify = verify,
    .teardown = teardown,
};
