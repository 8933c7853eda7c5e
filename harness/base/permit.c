/* SPDX-License-Identifier: BSD-3-Clause
 * Gives and takes permits. */
#include "permit.h"

#include "relax.h"

#include <linux/futex.h>
#include <sched.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { NONE, GIVEN, SLEEPING };

enum { LOOKS = 100 };

void xb_permit_init(struct xb_permit *permit, uint32_t threads)
{
    cpu_set_t usable;
    CPU_ZERO(&usable);
    int cpus = sched_getaffinity(0, sizeof usable, &usable) == 0 ? CPU_COUNT(&usable) : 1;
    *permit = (struct xb_permit){ .looks = threads <= (uint32_t)cpus ? LOOKS : 0 };
}

void xb_permit_wait(struct xb_permit *permit)
{
    uint32_t given = GIVEN, none = NONE;
    for (uint32_t i = 0;
         i < permit->looks && atomic_load_explicit(&permit->state, memory_order_relaxed) == NONE;
         i++)
        xb_relax();
    if (atomic_compare_exchange_strong(&permit->state, &given, NONE))
        return;
    if (!atomic_compare_exchange_strong(&permit->state, &none, SLEEPING)) {
        atomic_store(&permit->state, NONE); /* given in between */
        return;
    }
    while (atomic_load(&permit->state) == SLEEPING)
        syscall(SYS_futex, &permit->state, FUTEX_WAIT, SLEEPING, NULL, NULL, 0);
    atomic_store(&permit->state, NONE);
}

void xb_permit_give(struct xb_permit *permit)
{
    if (atomic_exchange(&permit->state, GIVEN) == SLEEPING)
        syscall(SYS_futex, &permit->state, FUTEX_WAKE, 1, NULL, NULL, 0);
}
