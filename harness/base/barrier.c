/* SPDX-License-Identifier: BSD-3-Clause
 * Waits for all parties: first looking, then sleeping.
 *
 * pthread_barrier_t was rejected: it always sleeps, so its wake-up latency (tens of us in a
 * guest) would spread the lanes' begins by more than a short sample lasts. */
#include "barrier.h"

#include "gate.h"

#include <sched.h>

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
    uint32_t seen = xb_gate_seen(&barrier->gate);
    if (atomic_fetch_add(&barrier->arrived, 1) + 1 < barrier->parties) {
        uint32_t looks = atomic_load_explicit(&barrier->spins, memory_order_relaxed);
        xb_gate_wait(&barrier->gate, seen, looks, false);
        return;
    }
    /* Nobody of the next round can arrive before the gate opens, so this reset is safe. */
    atomic_store_explicit(&barrier->arrived, 0, memory_order_relaxed);
    xb_gate_open(&barrier->gate, seen, false);
}

void xb_barrier_sleep(struct xb_barrier *barrier)
{
    atomic_store_explicit(&barrier->spins, 0, memory_order_relaxed);
}
