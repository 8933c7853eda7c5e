/* Carrying out what workers await of each other: the operations of kernels/sync.h.
 *
 * An xb_io around the engine's, one per worker: it needs to know who asks. Everything is built on
 * the model's suspend() and resume(), so each object exists once and not once per model. */
#ifndef XB_CORE_SYNC_H
#define XB_CORE_SYNC_H

#include "../../kernels/sync.h"
#include "../models/model.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What others may see of one worker that waits. In memory that the whole cell and the harness's
 * process share; an array of these is indexed by worker. All zero at first. */
struct xb_sync_slot {
    _Atomic(struct xb_mutex *) mutex; /* that it waits for; NULL: for none */
    _Atomic uint32_t waits;           /* how often it began to */
    uint32_t next;                    /* behind it in a waitlist; index + 1, or 0 */
} __attribute__((aligned(64)));

struct xb_sync_io {
    struct xb_io io; /* first: the kernel's view */
    struct xb_io *inner;
    struct xb_worker *worker;
    uint32_t number; /* worker->index + 1 */
    struct xb_sync_slot *slots;
    uint64_t first_ns, ticks; /* of TICK: when the first one was awaited, and how many there were */
};

/* `inner`: the lane's engine; `slots`: one for each worker of the team. All stay the caller's. */
void xb_sync_wrap(struct xb_sync_io *sync, struct xb_io *inner, struct xb_worker *worker,
                  struct xb_sync_slot *slots);

/* Before each sample: ticks are counted from the first one of a sample. */
void xb_sync_begin(struct xb_sync_io *sync);

/* Looks for workers that wait for each other's locks in a circle. While all run it may be called
 * from any thread or process; what it finds is certain, because the workers of the circle were all seen
 * to wait twice, and none of them had gone on in between.
 * `text`: "deadlock: P0 -> R1 -> P1 -> R0 -> P0", workers and locks in turn, cut at `bytes`.
 * Returns whether there is such a circle; false when out of memory.
 * Source: the wait-for graph of Holt, "Some Deadlock Properties of Computer Systems", ACM Computing
 * Surveys 4 (1972); a worker waits for one lock at a time, so a walk finds each circle. */
bool xb_sync_deadlock(const struct xb_sync_slot *slots, uint32_t n, char *text, size_t bytes);

#endif
