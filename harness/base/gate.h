/* A gate where any number wait, threads and processes alike, and all are let through by one call. */
#ifndef XB_BASE_GATE_H
#define XB_BASE_GATE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* The gate is one futex word, 0 at first: twice the number of times that it was opened, and a bit
 * that says that somebody may sleep, so that opening it for those who only look is no system call.
 * In shared memory if processes are to use it. */
enum { XB_GATE_SLEEPERS = 1, XB_GATE_STEP = 2 };

/* What a gate is now: for the two below. */
static inline uint32_t xb_gate_seen(_Atomic uint32_t *gate)
{
    return atomic_load_explicit(gate, memory_order_acquire) & ~(uint32_t)XB_GATE_SLEEPERS;
}

/* Returns once the gate is no longer as it was `seen`; whatever was written before it was opened is
 * then visible. `looks`: before it sleeps. `one_process`: all who use it are threads of one, which
 * spares the kernel to look for the page behind the address (futex(2), FUTEX_PRIVATE_FLAG). */
void xb_gate_wait(_Atomic uint32_t *gate, uint32_t seen, uint32_t looks, bool one_process);

/* Lets all through who have `seen` it so. One at a time. */
void xb_gate_open(_Atomic uint32_t *gate, uint32_t seen, bool one_process);

#endif
