/* SPDX-License-Identifier: BSD-3-Clause
 * Messages between two workers through queues of the team: the including file says what is queued.
 *
 * A queue lies in memory that both workers see. Under threads and processes the receiver sleeps on a
 * futex and the sender wakes him; under loop he is parked, and handing over is a switch of stacks
 * within one thread, without any system call. */
#ifndef XB_KERNELS_PASS_QUEUE_H
#define XB_KERNELS_PASS_QUEUE_H

#include "pass.h"

/* To worker i leads queue[i], of one slot: nobody sends again before he was answered. */
struct lines {
    size_t bytes; /* of all this */
    struct xb_queue *queue;
    char *slots;
    size_t slot_bytes;
    char *shared; /* beside the queues, for each pair, or NULL */
    size_t shared_bytes;
};

/* Slots and what is shared begin on lines, or pages, of their own. */
static size_t whole(size_t bytes, size_t of)
{
    return (bytes + of - 1) / of * of;
}

/* Queues whose messages have `queued` bytes, and `shared` bytes for each pair. */
static int open_lines(const struct xb_params *params, size_t queued, size_t shared, void **team)
{
    size_t n = params->workers, pairs = (n + 1) / 2, page = 4096;
    size_t head = whole(sizeof(struct lines), 128), queues = n * sizeof(struct xb_queue);
    size_t slot = whole(queued, 128), per_pair = whole(shared, page);
    size_t ahead = whole(head + queues + n * slot, page), bytes = ahead + pairs * per_pair;
    char *at = take_shared(bytes);
    if (!at)
        return xb_explain(params, -ENOMEM, "no shared memory for the messages of %zu workers", n);
    struct lines *lines = *team = at;
    *lines = (struct lines){ .bytes = bytes,
                             .queue = (void *)(at + head),
                             .slots = at + head + queues,
                             .slot_bytes = slot,
                             .shared = shared ? at + ahead : NULL,
                             .shared_bytes = per_pair };
    memset(lines->slots, 0, n * slot);
    for (size_t i = 0; i < n; i++)
        xb_queue_init(&lines->queue[i], lines->slots + i * slot, 1, queued);
    return 0;
}

static void close_channels(void *team)
{
    struct lines *lines = team;
    if (lines)
        munmap(lines, lines->bytes);
}

static size_t alone_most(size_t message_bytes)
{
    return message_bytes;
}

static void connect_ends(void *team, struct passer *s)
{
    struct lines *lines = team;
    s->to = &lines->queue[s->partner];
    s->from = &lines->queue[s->index];
    if (lines->shared)
        s->out = s->in = (void *)(lines->shared + s->index / 2 * lines->shared_bytes);
}

static int put(struct xb_io *io, struct passer *s, void *message, unsigned marks)
{
    s->op.buf = message;
    s->op.marks = marks;
    return (int)xb_await_on(io, &s->op, XB_IO_PUT, s->to);
}

static int get(struct xb_io *io, struct passer *s, void *message, unsigned marks)
{
    s->op.buf = message;
    s->op.marks = marks;
    return (int)xb_await_on(io, &s->op, XB_IO_GET, s->from);
}

#endif
