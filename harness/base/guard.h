/* A lock for a few instructions, which threads and processes can share and which needs no clean-up.
 *
 * pthread_mutex_t was rejected: shared between processes it has to be set up and destroyed, and a
 * kernel that may only use libc's plain functions could not put one into its memory. */
#ifndef XB_BASE_GUARD_H
#define XB_BASE_GUARD_H

#include <stdatomic.h>
#include <stdint.h>

/* The guard is a futex word: 0 free, 1 taken, 2 taken and somebody may sleep. In shared memory if
 * processes are to use it. Source: Drepper, "Futexes Are Tricky" (2011), mutex 3. */
void xb_guard_wait(_Atomic uint32_t *guard);
void xb_guard_wake(_Atomic uint32_t *guard);

static inline void xb_guard_take(_Atomic uint32_t *guard)
{
    uint32_t none = 0;
    if (!atomic_compare_exchange_strong_explicit(guard, &none, 1, memory_order_acquire,
                                                 memory_order_relaxed))
        xb_guard_wait(guard);
}

static inline void xb_guard_give(_Atomic uint32_t *guard)
{
    if (atomic_exchange_explicit(guard, 0, memory_order_release) == 2)
        xb_guard_wake(guard);
}

#endif
