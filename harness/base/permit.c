/* SPDX-License-Identifier: BSD-3-Clause
 * Gives and takes permits. */
#include "permit.h"

#include <linux/futex.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { NONE, GIVEN, SLEEPING };

void xb_permit_wait(struct xb_permit *permit)
{
    uint32_t given = GIVEN, none = NONE;
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
