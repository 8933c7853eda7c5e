/* SPDX-License-Identifier: BSD-3-Clause
 * Locks, barriers, queues, ticks and children, for workers of any model.
 *
 * Each object has a guard for its own few words. Nobody waits for another worker while he has a
 * guard: whoever must wait puts himself into the object's waitlist, gives the guard back, and is
 * suspended until he was taken out of the list again. */
#include "sync.h"

#include "../base/clock.h"
#include "../base/gate.h"
#include "../base/guard.h"
#include "../base/relax.h"

#include <errno.h>
#include <string.h>

/* ---- who waits ---- */

static void append(const struct xb_sync_io *sync, struct xb_waitlist *list)
{
    uint32_t number = sync->number;
    sync->slots[number - 1].next = 0;
    if (list->last)
        sync->slots[list->last - 1].next = number;
    else
        list->first = number;
    list->last = number;
}

/* 0: nobody waits. */
static uint32_t take_first(const struct xb_sync_io *sync, struct xb_waitlist *list)
{
    uint32_t number = list->first;
    if (!number)
        return 0;
    list->first = sync->slots[number - 1].next;
    if (!list->first)
        list->last = 0;
    return number;
}

static void suspend(const struct xb_sync_io *sync)
{
    struct xb_worker *self = sync->worker;
    self->team->model->suspend(self);
}

/* Accepts 0. */
static void resume(const struct xb_sync_io *sync, uint32_t number)
{
    struct xb_team *team = sync->worker->team;
    if (number)
        team->model->resume(&team->workers[number - 1]);
}

/* ---- locks ---- */

enum { LOOKS = 10, PAUSES = 30 }; /* some microseconds in all: less than waking a sleeper takes */

static uint32_t holder_of(uint32_t word)
{
    return word & ~XB_MUTEX_WAITED;
}

/* Sets it if it is as expected. */
static bool swap_word(struct xb_mutex *mutex, uint32_t from, uint32_t to, memory_order order)
{
    return atomic_compare_exchange_strong_explicit(&mutex->word, &from, to, order,
                                                   memory_order_relaxed);
}

/* Takes it if it is free, whoever may be waiting for it. */
static bool try_lock(struct xb_mutex *mutex, uint32_t number)
{
    uint32_t word = atomic_load_explicit(&mutex->word, memory_order_relaxed);
    while (!holder_of(word))
        if (atomic_compare_exchange_weak_explicit(&mutex->word, &word, word | number,
                                                  memory_order_acquire, memory_order_relaxed))
            return true;
    return false;
}

/* Makes whoever unlocks look at the waitlist. False if it has become free. */
static bool mark_waited(struct xb_mutex *mutex)
{
    uint32_t word = atomic_load_explicit(&mutex->word, memory_order_relaxed);
    while (holder_of(word))
        if (word & XB_MUTEX_WAITED ||
            atomic_compare_exchange_weak_explicit(&mutex->word, &word, word | XB_MUTEX_WAITED,
                                                  memory_order_relaxed, memory_order_relaxed))
            return true;
    return false;
}

/* Looks now and then whether it is free, where each worker can have a CPU. The pauses between matter
 * more than the looks: each look takes the line from the holder, who would do better to have
 * it (Anderson, "The performance of spin lock alternatives", 1990). */
static bool look_for_lock(const struct xb_sync_io *sync, struct xb_mutex *mutex)
{
    if (!sync->worker->permit.looks)
        return false;
    for (int look = 0; look < LOOKS; look++) {
        for (int pause = 0; pause < PAUSES; pause++)
            xb_relax();
        if (try_lock(mutex, sync->number))
            return true;
    }
    return false;
}

static void wait_for_lock(const struct xb_sync_io *sync, struct xb_mutex *mutex)
{
    struct xb_sync_slot *slot = &sync->slots[sync->worker->index];
    if (look_for_lock(sync, mutex))
        return;
    while (!try_lock(mutex, sync->number)) {
        xb_guard_take(&mutex->guard);
        bool waits = mark_waited(mutex);
        if (waits) {
            append(sync, &mutex->waiting);
            atomic_fetch_add(&slot->waits, 1);
            atomic_store(&slot->mutex, mutex);
        }
        xb_guard_give(&mutex->guard);
        if (waits) {
            suspend(sync);
            atomic_store(&slot->mutex, NULL);
        }
    }
}

static int lock(const struct xb_sync_io *sync, struct xb_mutex *mutex)
{
    uint32_t number = sync->number;
    if (try_lock(mutex, number))
        return 0;
    if (holder_of(atomic_load_explicit(&mutex->word, memory_order_relaxed)) == number)
        return -EDEADLK;
    wait_for_lock(sync, mutex);
    return 0;
}

static int unlock(const struct xb_sync_io *sync, struct xb_mutex *mutex)
{
    uint32_t number = sync->number;
    if (swap_word(mutex, number, 0, memory_order_release))
        return 0;
    if (holder_of(atomic_load_explicit(&mutex->word, memory_order_relaxed)) != number)
        return -EPERM;
    xb_guard_take(&mutex->guard);
    uint32_t next = take_first(sync, &mutex->waiting);
    atomic_store_explicit(&mutex->word, mutex->waiting.first ? XB_MUTEX_WAITED : 0,
                          memory_order_release);
    xb_guard_give(&mutex->guard);
    resume(sync, next);
    return 0;
}

/* ---- barriers and queues ---- */

static int meet_at_gate(const struct xb_sync_io *sync, struct xb_barrier_point *barrier)
{
    struct xb_worker *self = sync->worker;
    const struct xb_model *model = self->team->model;
    uint32_t seen = xb_gate_seen(&barrier->gate);
    if (atomic_fetch_add(&barrier->arrived, 1) + 1 < barrier->parties) {
        model->wait_at(self, &barrier->gate, seen);
        return 0;
    }
    /* Nobody of the next round can arrive before the gate opens. */
    atomic_store_explicit(&barrier->arrived, 0, memory_order_relaxed);
    model->open_gate(self, &barrier->gate, seen);
    return 1;
}

static int meet_in_list(const struct xb_sync_io *sync, struct xb_barrier_point *barrier)
{
    xb_guard_take(&barrier->guard);
    uint32_t arrived = atomic_load_explicit(&barrier->arrived, memory_order_relaxed) + 1;
    bool last = arrived >= barrier->parties;
    atomic_store_explicit(&barrier->arrived, last ? 0 : arrived, memory_order_relaxed);
    uint32_t next = 0;
    if (last) {
        next = barrier->waiting.first;
        barrier->waiting = (struct xb_waitlist){ 0 };
    } else {
        append(sync, &barrier->waiting);
    }
    xb_guard_give(&barrier->guard);
    if (!last)
        suspend(sync);
    while (next) {
        uint32_t number = next;
        next = sync->slots[number - 1].next; /* before it runs, and waits somewhere else */
        resume(sync, number);
    }
    return last;
}

static int meet(const struct xb_sync_io *sync, struct xb_barrier_point *barrier)
{
    return sync->worker->team->model->wait_at ? meet_at_gate(sync, barrier)
                                              : meet_in_list(sync, barrier);
}

static char *slot_of(const struct xb_queue *queue, uint32_t position)
{
    return queue->slots + (size_t)(position % queue->capacity) * queue->bytes;
}

static int put(const struct xb_sync_io *sync, struct xb_queue *queue, const void *message)
{
    for (;;) {
        xb_guard_take(&queue->guard);
        bool room = queue->n < queue->capacity;
        uint32_t getter = 0;
        if (room) {
            memcpy(slot_of(queue, queue->head + queue->n++), message, queue->bytes);
            getter = take_first(sync, &queue->getters);
        } else {
            append(sync, &queue->putters);
        }
        xb_guard_give(&queue->guard);
        if (room) {
            resume(sync, getter);
            return 0;
        }
        suspend(sync);
    }
}

static int get(const struct xb_sync_io *sync, struct xb_queue *queue, void *message)
{
    for (;;) {
        xb_guard_take(&queue->guard);
        bool filled = queue->n > 0;
        uint32_t putter = 0;
        if (filled) {
            memcpy(message, slot_of(queue, queue->head), queue->bytes);
            queue->head = (queue->head + 1) % queue->capacity;
            queue->n--;
            putter = take_first(sync, &queue->putters);
        } else {
            append(sync, &queue->getters);
        }
        xb_guard_give(&queue->guard);
        if (filled) {
            resume(sync, putter);
            return 0;
        }
        suspend(sync);
    }
}

/* ---- time and children ---- */

static int64_t tick(struct xb_sync_io *sync, uint64_t period_ns)
{
    uint64_t now_ns = xb_now_ns();
    if (sync->ticks++ == 0)
        sync->first_ns = now_ns;
    uint64_t due_ns = sync->first_ns + sync->ticks * period_ns;
    /* Late already: the others still get their turn, or a loop that cannot keep up would run
     * this worker alone. */
    struct xb_io_op op = { .kind = XB_IO_YIELD };
    if (now_ns < due_ns) {
        op.kind = XB_IO_SLEEP;
        op.sleep_ns = due_ns - now_ns;
    }
    int64_t err = xb_await(sync->inner, &op);
    now_ns = xb_now_ns();
    return err < 0 ? err : now_ns < due_ns ? 0 : (int64_t)(now_ns - due_ns);
}

static int spawn(const struct xb_sync_io *sync, struct xb_io_op *op)
{
    struct xb_worker *self = sync->worker;
    return op->entry ? self->team->model->spawn(self, op->entry, op->buf, &op->on) : -EINVAL;
}

static int join(const struct xb_sync_io *sync, struct xb_io_op *op)
{
    struct xb_worker *self = sync->worker;
    int err = self->team->model->join(self, op->on);
    op->on = NULL;
    return err;
}

/* ---- the wrapper ---- */

static int64_t perform(struct xb_sync_io *sync, struct xb_io_op *op)
{
    if (op->kind == XB_IO_TICK)
        return tick(sync, op->sleep_ns);
    if (op->kind == XB_IO_SPAWN)
        return spawn(sync, op);
    if (!op->on)
        return -EINVAL;
    switch (op->kind) {
    case XB_IO_LOCK:
        return lock(sync, op->on);
    case XB_IO_TRYLOCK:
        return try_lock(op->on, sync->number) ? 0 : -EBUSY;
    case XB_IO_UNLOCK:
        return unlock(sync, op->on);
    case XB_IO_BARRIER:
        return meet(sync, op->on);
    case XB_IO_PUT:
        return put(sync, op->on, op->buf);
    case XB_IO_GET:
        return get(sync, op->on, op->buf);
    case XB_IO_JOIN:
        return join(sync, op);
    default:
        return -EINVAL;
    }
}

static __attribute__((noinline)) int await_any(struct xb_sync_io *sync, struct xb_io_op *ops,
                                               size_t n, size_t at_least)
{
    if (n == 1 && ops->kind >= XB_IO_TICK) {
        if (ops->state == XB_IO_NEW) {
            ops->result = perform(sync, ops);
            ops->state = XB_IO_DONE;
        }
        return 0;
    }
    for (size_t i = 0; i < n; i++) {
        if (ops[i].kind >= XB_IO_TICK && ops[i].state == XB_IO_NEW) {
            ops[i].result = -EINVAL; /* these are awaited alone: sync.h */
            ops[i].state = XB_IO_DONE;
        }
    }
    return sync->inner->await(sync->inner, ops, n, at_least);
}

/* A lock that nobody else wants is taken and given back here, in a function that saves no
 * registers: a locked instruction waits until all stores before it have left the store buffer, those of
 * saved registers too. */
static __attribute__((aligned(64))) int await(struct xb_io *io, struct xb_io_op *ops, size_t n,
                                              size_t at_least)
{
    struct xb_sync_io *sync = (struct xb_sync_io *)io;
    struct xb_mutex *mutex = n == 1 && ops->state == XB_IO_NEW ? ops->on : NULL;
    if (!mutex)
        return await_any(sync, ops, n, at_least);
    if (ops->kind == XB_IO_LOCK) {
        if (!swap_word(mutex, 0, sync->number, memory_order_acquire))
            return await_any(sync, ops, n, at_least);
    } else if (ops->kind == XB_IO_UNLOCK) {
        if (!swap_word(mutex, sync->number, 0, memory_order_release))
            return await_any(sync, ops, n, at_least);
    } else {
        return await_any(sync, ops, n, at_least);
    }
    ops->result = 0;
    ops->state = XB_IO_DONE;
    return 0;
}

void xb_sync_wrap(struct xb_sync_io *sync, struct xb_io *inner, struct xb_worker *worker,
                  struct xb_sync_slot *slots)
{
    *sync = (struct xb_sync_io){
        .inner = inner, .worker = worker, .number = worker->index + 1, .slots = slots
    };
    sync->io.await = await;
}

void xb_sync_begin(struct xb_sync_io *sync)
{
    sync->ticks = 0;
}
