/* Meeting other workers: locks, barriers, queues, ticks and new workers, awaited like I/O.
 *
 * Kernels put these objects into the team's shared memory (xb_memory) and await operations on them
 * through the same xb_io. How a worker waits is its model's affair: a thread or process sleeps in
 * the kernel, after a moment's look if each can have a CPU, and a coroutine is parked, so no kernel
 * can stop the loop it runs in by accident. Locks record who holds and who waits for them, which is
 * how the harness finds a deadlock.
 *
 * A kernel that awaits any of these says XB_NEED_TEAM. They are awaited alone (n = 1). An operation
 * that is the caller's mistake has the result -EINVAL; releasing what one does not hold -EPERM. */
#ifndef XB_KERNELS_SYNC_H
#define XB_KERNELS_SYNC_H

#include "io.h"

#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>

/* Workers in the order in which they came, by index + 1; 0: none. */
struct xb_waitlist {
    uint32_t first, last;
};

enum { XB_MUTEX_NAME = 12 };

/* Held by one worker at a time. Whoever comes first when it is free has it: one that was woken
 * competes with those that come along, as with pthread_mutex_lock(3). Not recursive.
 * Each in cache lines of its own, lest two locks disturb each other. */
struct xb_mutex {
    _Atomic uint32_t word; /* who holds it: worker index + 1, or 0; and XB_MUTEX_WAITED */
    _Atomic uint32_t guard;
    struct xb_waitlist waiting;
    char name[XB_MUTEX_NAME]; /* in reports of deadlocks */
} __attribute__((aligned(128)));

#define XB_MUTEX_WAITED (UINT32_C(1) << 31)

/* `number`: below 10^10. */
static inline void xb_mutex_init(struct xb_mutex *mutex, char letter, uint32_t number)
{
    *mutex = (struct xb_mutex){ .word = 0 };
    snprintf(mutex->name, sizeof mutex->name, "%c%u", letter, number);
}

/* Where `parties` workers wait until all have come. */
struct xb_barrier_point {
    uint32_t parties;
    _Atomic uint32_t arrived;
    _Atomic uint32_t gate; /* where workers wait whom the kernel wakes all at once */
    /* Where others wait, who are resumed one by one. */
    _Atomic uint32_t guard;
    struct xb_waitlist waiting;
} __attribute__((aligned(128)));

static inline void xb_barrier_point_init(struct xb_barrier_point *barrier, uint32_t parties)
{
    *barrier = (struct xb_barrier_point){ .parties = parties };
}

/* Messages of equal size between any number of workers, first in, first out. */
struct xb_queue {
    _Atomic uint32_t guard;
    uint32_t capacity; /* messages, >= 1 */
    uint32_t head, n;  /* the oldest one, and how many there are */
    size_t bytes;      /* of a message */
    char *slots;       /* capacity * bytes, in shared memory like the queue itself */
    struct xb_waitlist getters, putters;
} __attribute__((aligned(128)));

static inline void xb_queue_init(struct xb_queue *queue, char *slots, uint32_t capacity,
                                 size_t bytes)
{
    *queue = (struct xb_queue){ .capacity = capacity, .bytes = bytes, .slots = slots };
}

/* Awaits one operation on `on`. `op`: kept by the caller from call to call, all zero at first; only what the
 * kind needs has to be set. Returns its result (>= 0) or -errno.
 *
 * kind    on                  result
 * LOCK    xb_mutex            0; -EDEADLK if the caller has it already
 * TRYLOCK xb_mutex            0, or -EBUSY: never waits
 * UNLOCK  xb_mutex            0, or -EPERM
 * BARRIER xb_barrier_point    1 in the worker that came last, 0 in the others
 * PUT     xb_queue            0; copies queue->bytes from buf, waits while the queue is full
 * GET     xb_queue            0; copies queue->bytes to buf, waits while it is empty
 * TICK    -                   ns that it is late. Waits for the next multiple of sleep_ns, counted from the
 *                             worker's first TICK of the sample; a tick that has passed is not
 *                             left out. With XB_IO_BEGINS, an item's latency counts from the
 *                             moment the tick was due, not from when the worker came to it.
 * SPAWN   out: the child      0; a further worker of the same kind (thread, process, coroutine)
 *                             calls entry(buf) and ends. What it writes is seen by others in
 *                             shared memory only, as it may be a process.
 * JOIN    the child           0 once it has ended; each child is joined once, by its parent */
static inline int64_t xb_await_on(struct xb_io *io, struct xb_io_op *op, enum xb_io_kind kind,
                                  void *on)
{
    op->kind = kind;
    op->on = on;
    return xb_await(io, op);
}

#endif
