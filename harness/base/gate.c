/* SPDX-License-Identifier: BSD-3-Clause
 * Waits at gates and opens them. */
#include "gate.h"

#include "relax.h"

#include <limits.h>
#include <linux/futex.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

void xb_gate_wait(_Atomic uint32_t *gate, uint32_t seen, uint32_t looks, bool one_process)
{
    int wait = one_process ? FUTEX_WAIT_PRIVATE : FUTEX_WAIT;
    for (uint32_t i = 0; i < looks; i++) {
        if (xb_gate_seen(gate) != seen)
            return;
        xb_relax();
    }
    /* Should it have been opened meanwhile, the bit wakes nobody the next time: no harm. */
    atomic_fetch_or(gate, XB_GATE_SLEEPERS);
    while (xb_gate_seen(gate) == seen)
        syscall(SYS_futex, gate, wait, seen | XB_GATE_SLEEPERS, NULL, NULL, 0);
}

void xb_gate_open(_Atomic uint32_t *gate, uint32_t seen, bool one_process)
{
    int wake = one_process ? FUTEX_WAKE_PRIVATE : FUTEX_WAKE;
    if (atomic_exchange(gate, seen + XB_GATE_STEP) & XB_GATE_SLEEPERS)
        syscall(SYS_futex, gate, wake, INT_MAX, NULL, NULL, 0);
}
