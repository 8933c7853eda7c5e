/* SPDX-License-Identifier: BSD-3-Clause
 * Reference counts that any worker may change, so each change is atomic: what a GIL avoids. */
#include "../refcount.h"

#include <math.h>

static void create(struct object *object, uint32_t owner)
{
    (void)owner;
    atomic_store_explicit(&object->shared, 1, memory_order_relaxed);
}

static inline void take(struct object *object, uint32_t number)
{
    (void)number;
    atomic_fetch_add_explicit(&object->shared, 1, memory_order_relaxed);
}

/* Acquire and release, lest the object be freed before others have done with it. */
static inline bool give(struct object *object, uint32_t number)
{
    (void)number;
    return atomic_fetch_sub_explicit(&object->shared, 1, memory_order_acq_rel) == 1;
}

static uint32_t whose(uint32_t index)
{
    (void)index;
    return 0;
}

static const struct xb_claim claims[] = {
    { XB_RATIO_USER_SHARE, 0.7, INFINITY },
    { XB_RATIO_IPC, -INFINITY, 1 },
};

const struct xb_kernel xb_kernel_sync_refcount_atomic = {
    .name = "sync/refcount_atomic",
    .summary =
        "counts references atomically: to an object of its own, and some to one that all share",
    .source = "Collins, \"A method for overlapping and erasure of lists\", 1960; with atomics",
    .item = "reference",
    .bound = XB_CLASS_SYNC,
    .bound_of = bound_of_line,
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
