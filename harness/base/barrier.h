/* A barrier for threads and processes alike: it lives in shared memory and needs no clean-up. */
#ifndef XB_BASE_BARRIER_H
#define XB_BASE_BARRIER_H

#include <stdatomic.h>
#include <stdint.h>

/* Begin with xb_barrier_init(). */
struct xb_barrier {
    uint32_t parties;         /* >= 1 */
    _Atomic uint32_t spins;   /* how often to look before sleeping; 0 where CPUs are short */
    _Atomic uint32_t arrived; /* of this round */
    _Atomic uint32_t gate;    /* opened once all have arrived: gate.h */
};

/* `parties` >= 1. They look before they sleep only where each can have a CPU of its own: with more
 * parties than CPUs, one that looks keeps another from arriving. Before any of them waits. */
void xb_barrier_init(struct xb_barrier *barrier, uint32_t parties);

/* Returns when all parties have called it; reusable at once. Everything written before by any
 * party is visible after. Waits forever for a party that died: its model must end the others. */
void xb_barrier_wait(struct xb_barrier *barrier);

/* From the next round on nobody looks before he sleeps, so that whoever watches the parties from outside sees
 * who waits here (/proc/PID/syscall) and takes none for computing. Any party. */
void xb_barrier_sleep(struct xb_barrier *barrier);

#endif
