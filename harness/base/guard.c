/* SPDX-License-Identifier: BSD-3-Clause
 * The slow sides of a guard. */
#include "guard.h"

#include "relax.h"

#include <linux/futex.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

/* What a guard protects takes less time than a sleep: a look or two first. */
enum { SPINS = 100 };

void xb_guard_wait(_Atomic uint32_t *guard)
{
    for (int i = 0; i < SPINS; i++) {
        uint32_t none = 0;
        if (atomic_load_explicit(guard, memory_order_relaxed) == 0 &&
            atomic_compare_exchange_strong_explicit(guard, &none, 1, memory_order_acquire,
                                                    memory_order_relaxed))
            return;
        xb_relax();
    }
    while (atomic_exchange_explicit(guard, 2, memory_order_acquire) != 0)
        syscall(SYS_futex, guard, FUTEX_WAIT, 2, NULL, NULL, 0);
}

void xb_guard_wake(_Atomic uint32_t *guard)
{
    syscall(SYS_futex, guard, FUTEX_WAKE, 1, NULL, NULL, 0);
}
