/* The body of the kernels that count references to objects; a kernel file says how, by defining
 * what it takes to create an object, to take a reference and to give one back.
 *
 * As in an interpreter most references are to a worker's own object and some to one that all share.
 * Of 64 taken, one is kept, so that the counts grow and in the end tell whether each was counted:
 * settle() gives all of them back, and an object has to die with its last one, not earlier. */
#ifndef XB_KERNELS_REFCOUNT_H
#define XB_KERNELS_REFCOUNT_H

#include "keep.h"
#include "kernel.h"
#include "prng.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { REFERENCES = 64, ONE_SHARED_IN = 16 };

/* The header of an object, in one line as an interpreter has it. */
struct object {
    uint64_t local;         /* references that are counted without an atomic, by the owner only */
    _Atomic int64_t shared; /* the others */
    _Atomic uint32_t owner; /* worker index + 1; 0: none */
    uint64_t left;          /* settle(): references not given back yet */
} __attribute__((aligned(128)));

struct heap {
    uint32_t workers;
    uint64_t wrong;         /* references after which an object died too early, or did not die */
    struct object object[]; /* one of each worker */
};

struct holder {
    struct object *own, *common;
    uint32_t number;      /* worker index + 1 */
    uint64_t next, first; /* of the stream that the checksum is made of: one number an iteration */
};

/* Of those that count references to a common object in its line, too: one in 16 takes it from another CPU.
 * On two cores of a Zen 5 that made 0.9 ns for each reference 4.5 with biased counts, and 12 ns 26 with
 * atomic ones. Where only one runs at a time, the line stays with its CPU. */
static inline enum xb_class bound_of_line(const struct xb_crowd *crowd)
{
    return crowd->cpus > 1 ? XB_CLASS_SYNC : XB_CLASS_CPU;
}

/* With one reference, its owner's. */
static void create(struct object *object, uint32_t owner);
/* `number`: who does it; worker index + 1. */
static inline void take(struct object *object, uint32_t number);
/* Whether it was the last one. */
static inline bool give(struct object *object, uint32_t number);
/* Whose object the worker uses beside its own; worker indexes. */
static uint32_t whose(uint32_t index);

static int team_setup(const struct xb_params *params, struct xb_memory *memory, void **team)
{
    size_t bytes = sizeof(struct heap) + params->workers * sizeof(struct object);
    struct heap *heap = memory->take(memory, bytes, _Alignof(struct heap));
    if (!heap)
        return xb_explain(params, -ENOMEM, "no team memory for %u objects", params->workers);
    *team = heap;
    heap->workers = params->workers;
    for (uint32_t i = 0; i < heap->workers; i++)
        create(&heap->object[i], i + 1);
    return 0;
}

static void begin(void *state)
{
    struct holder *s = state;
    s->next = s->first;
    create(s->own, s->number);
}

static int setup(const struct xb_params *params, void *team, void **state)
{
    struct heap *heap = team;
    struct holder *s = *state = calloc(1, sizeof *s);
    if (!s)
        return xb_explain(params, -ENOMEM, "no memory for the state of a worker");
    s->own = &heap->object[params->index];
    s->common = &heap->object[whose(params->index)];
    s->number = params->index + 1;
    s->first = xb_prng_of(params->seed, params->index);
    begin(s);
    return 0;
}

static int run(struct xb_run *run, void *state, uint64_t iters, struct xb_work *did)
{
    (void)run;
    struct holder *s = state;
    uint64_t died = 0;
    for (uint64_t i = 0; i < iters; i++) {
        for (int reference = 1; reference < REFERENCES; reference++) {
            struct object *object = reference % ONE_SHARED_IN ? s->own : s->common;
            take(object, s->number);
            xb_keep_memory(); /* the object is used here, by code that may look at its count */
            died += give(object, s->number);
            xb_keep_memory();
        }
        take(s->common, s->number); /* and kept */
        did->checksum += xb_prng_next(&s->next);
        did->items += REFERENCES;
    }
    did->checksum += died; /* nobody may, while their owners have them */
    return 0;
}

static void give_back(struct heap *heap, struct object *object, uint32_t number)
{
    bool died = give(object, number);
    heap->wrong += died != (--object->left == 0);
}

static void settle(void *team, void *state, struct xb_work *did)
{
    (void)state;
    struct heap *heap = team;
    uint64_t kept = did->items / REFERENCES; /* by each worker */
    heap->wrong = 0;
    for (uint32_t i = 0; i < heap->workers; i++)
        heap->object[i].left = 1;
    for (uint32_t i = 0; i < heap->workers; i++)
        heap->object[whose(i)].left += kept;
    for (uint32_t i = 0; i < heap->workers; i++) {
        give_back(heap, &heap->object[i], i + 1);
        for (uint64_t k = 0; k < kept; k++)
            give_back(heap, &heap->object[whose(i)], i + 1);
    }
}

static int verify(const struct xb_params *params, void *team, void *state, uint64_t iters,
                  const struct xb_work *did)
{
    (void)state;
    const struct heap *heap = team;
    struct xb_work due = { .items = iters * REFERENCES };
    uint64_t next = xb_prng_of(params->seed, params->index);
    for (uint64_t i = 0; i < iters; i++)
        due.checksum += xb_prng_next(&next);
    return heap->wrong || memcmp(did, &due, sizeof due) != 0 ? -EBADMSG : 0;
}

static void teardown(void *state)
{
    free(state);
}

#endif
