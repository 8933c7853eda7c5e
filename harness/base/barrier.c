/* SPDX-License-Identifier: BSD-3-Clause
 * Waits for all parties: first looking, then sleeping.
 *
 * pthread_barrier_t was rejected: it always sleeps, so its wake-up latency (tens of us in a
 * guest) would spread the lanes' begins by more than a short sample lasts. */
#include "barrier.h"

#include "relax.h"

#include <limits.h>
#include <linux/futex.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { SPINS = 20000 }; /* about 0.5 ms; longer than lanes take to finish their edges */

void xb_barrier_init(struct xb_barrier *barrier, uint32_t parties)
{
    cpu_set_t usable;
    CPU_ZERO(&usable);
    int cpus = sched_getaffinity(0, sizeof usable, &usable) == 0 ? CPU_COUNT(&usable) : 1;
    *barrier =
        (struct xb_barrier){ .parties = parties, .spins = parties <= (uint32_t)cpus ? SPINS : 0 };
}

void xb_barrier_wait(struct xb_barrier *barrier)
{
    uint32_t round = atomic_load_explicit(&barrier->round, memory_order_acquire);
    if (atomic_fetch_add(&barrier->arrived, 1) + 1 == barrier->parties) {
        /* Nobody of the next round can arrive before `round` moves, so this reset is safe. */
        atomic_store_explicit(&barrier->arrived, 0, memory_order_relaxed);
        atomic_store(&barrier->round, round + 1);
        if (atomic_load(&barrier->sleepers))
            syscall(SYS_futex, &barrier->round, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
        return;
    }
    for (uint32_t i = 0; i < barrier->spins; i++) {
        if (atomic_load_explicit(&barrier->round, memory_order_acquire) != round)
            return;
        xb_relax();
    }
    atomic_fetch_add(&barrier->sleepers, 1);
    while (atomic_load(&barrier->round) == round)
        syscall(SYS_futex, &barrier->round, FUTEX_WAIT, round, NULL, NULL, 0);
    atomic_fetch_sub(&barrier->sleepers, 1);
}
