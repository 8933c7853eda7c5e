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

void xb_permit_init(struct xb_permit *permit, uint32_t threads, bool one_process)
{
    cpu_set_t usable;
    CPU_ZERO(&usable);
    int cpus = sched_getaffinity(0, sizeof usable, &usable) == 0 ? CPU_COUNT(&usable) : 1;
    *permit = (struct xb_permit){ .looks = threads <= (uint32_t)cpus ? LOOKS : 0,
                                  .one_process = one_process };
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
    int wait = permit->one_process ? FUTEX_WAIT_PRIVATE : FUTEX_WAIT;
    while (atomic_load(&permit->state) == SLEEPING)
        syscall(SYS_futex, &permit->state, wait, SLEEPING, NULL, NULL, 0);
    atomic_store(&permit->state, NONE);
}

void xb_permit_give(struct xb_permit *permit)
{
    int wake = permit->one_process ? FUTEX_WAKE_PRIVATE : FUTEX_WAKE;
    if (atomic_exchange(&permit->state, GIVEN) == SLEEPING)
        syscall(SYS_futex, &permit->state, wake, 1, NULL, NULL, 0);
}
