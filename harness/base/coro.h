/* Stackful coroutines on one OS thread: a stack each, and a switch between them.
 *
 * On x86-64 and aarch64 the switch is a dozen instructions of our own. glibc's swapcontext() is
 * the fallback elsewhere; it makes a system call per switch to save the signal mask, which would
 * be measured too. Sanitizers are told of every switch. */
#ifndef XB_BASE_CORO_H
#define XB_BASE_CORO_H

#include <stdbool.h>
#include <stddef.h>

struct xb_coro;

/* A coroutine that will run entry(argument) when first resumed. `stack_bytes` is rounded up to
 * whole pages, below which lies a guard page: an overflow dies at once instead of corrupting a
 * neighbour. NULL when out of memory. The caller gives it back, after it has finished. */
struct xb_coro *xb_coro_create(void (*entry)(void *argument), void *argument, size_t stack_bytes);

/* Accepts NULL. Not from within the coroutine itself: nobody can free the stack he stands on. */
void xb_coro_destroy(struct xb_coro *coro);

/* Runs it on this OS thread until it suspends or finishes. Not from another coroutine. */
void xb_coro_resume(struct xb_coro *coro);

/* Back to whoever resumed; returns at the next resume. Only from within `coro`. */
void xb_coro_suspend(struct xb_coro *coro);

/* Makes one that has finished ready to run entry(argument) again from the start, on the stack it
 * has: a fresh stack is two system calls and a page fault. Not from within `coro`. */
void xb_coro_restart(struct xb_coro *coro);

bool xb_coro_finished(const struct xb_coro *coro);

/* "x86-64", "aarch64" or "ucontext". */
const char *xb_coro_switch_name(void);

/* Cost in ns of one switch in one direction: the fastest of several batches. Negative when out
 * of memory. */
double xb_coro_switch_ns(void);

#endif
