/* SPDX-License-Identifier: BSD-3-Clause
 * Finds workers that wait for each other's locks in a circle, from outside and while they run. */
#include "sync.h"

#include <stdio.h>
#include <stdlib.h>

/* What was seen of one worker of a circle. */
struct seen {
    uint32_t worker, waits;
    const struct xb_mutex *mutex;
};

/* Who holds the lock that `worker` waits for: index, or `none`. */
static uint32_t follow(const struct xb_sync_slot *slots, uint32_t n, uint32_t worker,
                       struct seen *seen)
{
    const struct xb_sync_slot *slot = &slots[worker];
    seen->worker = worker;
    seen->waits = atomic_load(&slot->waits);
    seen->mutex = atomic_load(&slot->mutex);
    if (!seen->mutex)
        return n;
    uint32_t holder = atomic_load(&seen->mutex->word) & ~XB_MUTEX_WAITED;
    return holder && holder <= n ? holder - 1 : n;
}

/* A walk from `start` along who waits for whom, until it ends or comes to a worker of this walk or
 * of an earlier one. `walk_of`: by worker, 0 if no walk came there. Returns a worker of a circle, or `n`. */
static uint32_t walk(const struct xb_sync_slot *slots, uint32_t n, uint32_t start,
                     uint32_t *walk_of)
{
    struct seen seen;
    uint32_t at = start;
    while (at < n && !walk_of[at]) {
        walk_of[at] = start + 1;
        at = follow(slots, n, at, &seen);
    }
    return at < n && walk_of[at] == start + 1 ? at : n;
}

/* Notes the circle through `start`. Returns its length, or 0 if it is none any more. */
static uint32_t note(const struct xb_sync_slot *slots, uint32_t n, uint32_t start,
                     struct seen *seen)
{
    uint32_t length = 0, at = start;
    do {
        at = follow(slots, n, at, &seen[length++]);
    } while (at < n && at != start && length < n);
    return at == start ? length : 0;
}

/* Whether each of them still waits as it did: then there was a moment at which all of them waited,
 * and a lock whose holder waits changes hands no more. */
static bool stands(const struct xb_sync_slot *slots, uint32_t n, const struct seen *seen,
                   uint32_t length)
{
    for (uint32_t i = 0; i < length; i++) {
        struct seen again;
        uint32_t holder = follow(slots, n, seen[i].worker, &again);
        if (holder != seen[(i + 1) % length].worker || again.waits != seen[i].waits ||
            again.mutex != seen[i].mutex)
            return false;
    }
    return true;
}

enum { SHOWN = 8 }; /* workers of a long circle */

static void describe(const struct seen *seen, uint32_t length, char *text, size_t bytes)
{
    size_t used = (size_t)snprintf(text, bytes, "deadlock: ");
    for (uint32_t i = 0; i < length && i < SHOWN && used < bytes; i++)
        used += (size_t)snprintf(text + used, bytes - used, "P%u -> %.*s -> ", seen[i].worker,
                                 XB_MUTEX_NAME, seen[i].mutex->name);
    if (used < bytes && length > SHOWN)
        used += (size_t)snprintf(text + used, bytes - used, "... (%u in all) -> ", length);
    if (used < bytes)
        snprintf(text + used, bytes - used, "P%u", seen[0].worker);
}

bool xb_sync_deadlock(const struct xb_sync_slot *slots, uint32_t n, char *text, size_t bytes)
{
    uint32_t *walk_of = calloc(n, sizeof *walk_of);
    struct seen *seen = calloc(n, sizeof *seen);
    bool found = false;
    for (uint32_t start = 0; walk_of && seen && start < n && !found; start++) {
        uint32_t member = walk(slots, n, start, walk_of);
        uint32_t length = member < n ? note(slots, n, member, seen) : 0;
        found = length && stands(slots, n, seen, length);
        if (found)
            describe(seen, length, text, bytes);
    }
    free(walk_of);
    free(seen);
    return found;
}
