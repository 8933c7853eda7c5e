/* Stackful coroutines on one OS thread: a stack each, and a switch between them.
 *
 * On x86-64 and aarch64 the switch is a dozen instructions of our own. glibc's swapcontext() is
 * the fallback elsewhere; it makes a system call per switch to save the signal mask, which would
 * be measured too. Sanitizers are told of every switch. */
#ifndef XB_BASE_CORO_H
#define XB_BASE_CORO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct xb_coro;

/* A coroutine that will run entry(argument) when first resumed. `stack_bytes` is rounded up to
 * whole pages, below which lies a guard page: an overflow dies at once instead of corrupting a
 * neighbour. NULL when out of memory. The caller gives it back, after it has finished. */
struct xb_coro *xb_coro_create(void (*entry)(void *argument), void *argument, size_t stack_bytes);

/* Stacks for as many coroutines as memory holds, in one mapping: two mappings each, as above, end at
 * vm.max_map_count. One that was only ever a page deep takes that one page, xb_coro included. */
struct xb_coro_slab;

/* `n` >= 1 stacks of `stack_bytes`, rounded up to whole pages. `guards`: have the lowest page of each
 * made a guard where Linux can do that within a mapping (6.13, MADV_GUARD_INSTALL); see
 * xb_coro_slab_overflowed() for the rest. NULL when out of memory. The caller destroys it, after the
 * coroutines in it; accepts NULL. Threads: one at a time. */
struct xb_coro_slab *xb_coro_slab_create(uint32_t n, size_t stack_bytes, bool guards);
void xb_coro_slab_destroy(struct xb_coro_slab *slab);

/* The coroutine on stack `index` < n, once for each; like xb_coro_create(). NULL, with a NULL slab
 * too, when out of memory. */
struct xb_coro *xb_coro_slab_begin(struct xb_coro_slab *slab, uint32_t index,
                                   void (*entry)(void *argument), void *argument);

/* Whether a stack without a guard was ever used down to its lowest page, so that it may have gone on
 * into its neighbour. Looks at all: a microsecond for each. Accepts NULL. Source: mincore(2). */
bool xb_coro_slab_overflowed(const struct xb_coro_slab *slab);

/* Accepts NULL. Not from within the coroutine itself: nobody can free the stack he stands on. */
void xb_coro_destroy(struct xb_coro *coro);

/* Runs it on this OS thread until it suspends or finishes. Not from another coroutine. */
void xb_coro_resume(struct xb_coro *coro);

/* Back to whoever resumed; returns at the next resume. Only from within `coro`. */
void xb_coro_suspend(struct xb_coro *coro);

bool xb_coro_finished(const struct xb_coro *coro);

/* "x86-64", "aarch64" or "ucontext". */
const char *xb_coro_switch_name(void);

/* Cost in ns of one switch in one direction: the fastest of several batches. Negative when out
 * of memory. */
double xb_coro_switch_ns(void);

#endif
