/* A permit to go on: one worker sleeps until somebody gives it, whoever comes first. */
#ifndef XB_BASE_PERMIT_H
#define XB_BASE_PERMIT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* All zero: not given, and waiting is sleeping. In shared memory if processes are to use it. */
struct xb_permit {
    _Atomic uint32_t state; /* futex word */
    uint32_t looks;         /* before it sleeps */
    bool one_process;       /* all who use it are threads of one process */
};

/* For one of so many threads that wait for each other. If each can have a CPU, they look for a
 * moment before they sleep; else whoever looks keeps the CPU from the one that would give. Call it
 * before they are bound. `one_process`: of one process, which spares the kernel to look for the page
 * behind the address (futex(2), FUTEX_PRIVATE_FLAG). */
void xb_permit_init(struct xb_permit *permit, uint32_t threads, bool one_process);

/* Takes the permit, and waits until it is given if it is not there. One thread only.
 * The protocol is that of park and unpark (java.util.concurrent.locks.LockSupport). */
void xb_permit_wait(struct xb_permit *permit);

/* Gives it; giving twice before it is taken is giving once. Any thread or process. */
void xb_permit_give(struct xb_permit *permit);

#endif
