/* SPDX-License-Identifier: BSD-3-Clause
 * Reference counts in two parts: the owner's without atomics, and all others' with.
 *
 * The rules are those of Choi, Shull and Torrellas as PEP 703 has them: an object whose owner has
 * given back its last reference is merged, and from then on the shared part alone decides. What is
 * left out is the queue for an object whose shared part falls below zero before that, which takes a
 * worker that gives back what another one took: here nobody does.
 *
 * Owners are workers. Under `loop` all of them are one thread, which would own everything. */
#include "../refcount.h"

#include <math.h>

/* In `shared`: a flag below the count. */
enum { MERGED = 1, ONE = 2 };

static void create(struct object *object, uint32_t owner)
{
    object->local = 1;
    atomic_store_explicit(&object->shared, 0, memory_order_relaxed);
    atomic_store_explicit(&object->owner, owner, memory_order_relaxed);
}

static inline bool owns(struct object *object, uint32_t number)
{
    return atomic_load_explicit(&object->owner, memory_order_relaxed) == number;
}

static inline void take(struct object *object, uint32_t number)
{
    if (owns(object, number))
        object->local++;
    else
        atomic_fetch_add_explicit(&object->shared, ONE, memory_order_relaxed);
}

/* The owner has none any more. */
__attribute__((noinline)) static bool merge(struct object *object)
{
    atomic_store_explicit(&object->owner, 0, memory_order_relaxed);
    return atomic_fetch_or_explicit(&object->shared, MERGED, memory_order_acq_rel) == 0;
}

static inline bool give(struct object *object, uint32_t number)
{
    if (owns(object, number))
        return --object->local == 0 && merge(object);
    return atomic_fetch_sub_explicit(&object->shared, ONE, memory_order_acq_rel) == ONE + MERGED;
}

static uint32_t whose(uint32_t index)
{
    (void)index;
    return 0;
}

static const struct xb_claim claims[] = {
    { XB_RATIO_USER_SHARE, 0.7, INFINITY },
};

const struct xb_kernel xb_kernel_sync_refcount_biased = {
    .name = "sync/refcount_biased",
    .summary = "as refcount_atomic, but an object's owner counts without atomics",
    .source = "Choi, Shull, Torrellas, \"Biased reference counting\", PACT 2018; PEP 703",
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
