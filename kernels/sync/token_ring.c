/* SPDX-License-Identifier: BSD-3-Clause
 * Workers in a ring of queues pass one token: io/pipe_ring without the kernel's pipes. */
#include "../kernel.h"
#include "../sync.h"
#include "../token.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* What leads to one worker. */
struct hop {
    struct xb_queue queue;
    uint64_t slot;
};

struct state {
    struct hop *from, *to;
    bool starts; /* worker 0: sends first, receives last */
    struct affine change;
    uint64_t token, first; /* worker 0 holds the token between iterations */
    struct xb_io_op op;
};

static int team_setup(const struct xb_params *params, struct xb_memory *memory, void **team)
{
    struct hop *hops = memory->take(memory, params->workers * sizeof *hops, _Alignof(struct hop));
    if (!hops)
        return xb_explain(params, -ENOMEM, "no team memory for %u queues", params->workers);
    *team = hops;
    for (uint32_t i = 0; i < params->workers; i++)
        xb_queue_init(&hops[i].queue, (char *)&hops[i].slot, 1, sizeof hops[i].slot);
    return 0;
}

static void begin(void *state)
{
    struct state *s = state;
    s->token = s->first;
}

static int setup(const struct xb_params *params, void *team, void **state)
{
    struct hop *hops = team;
    struct state *s = *state = calloc(1, sizeof *s);
    if (!s)
        return xb_explain(params, -ENOMEM, "no memory for the state of a worker");
    s->from = &hops[params->index];
    s->to = &hops[(params->index + 1) % params->workers];
    s->starts = params->index == 0;
    s->change = affine_of(params->seed, params->index);
    s->first = token_first(params);
    s->op.buf = &s->token;
    begin(s);
    return 0;
}

static int64_t move(struct xb_io *io, struct state *s, enum xb_io_kind kind, unsigned marks)
{
    s->op.marks = marks;
    return xb_await_on(io, &s->op, kind, kind == XB_IO_PUT ? &s->to->queue : &s->from->queue);
}

static int run(struct xb_run *run, void *state, uint64_t iters, struct xb_work *did)
{
    struct state *s = state;
    for (uint64_t i = 0; i < iters; i++) {
        int64_t err = 0;
        if (s->starts)
            err = move(run->io, s, XB_IO_PUT, XB_IO_BEGINS);
        if (!err)
            err = move(run->io, s, XB_IO_GET, s->starts ? XB_IO_ENDS : XB_IO_BEGINS);
        did->checksum += s->token;
        s->token = apply(s->change, s->token);
        if (!err && !s->starts)
            err = move(run->io, s, XB_IO_PUT, XB_IO_ENDS);
        if (err)
            return xb_explain(run->params, (int)err, "ring of queues: %s", strerror((int)-err));
        did->items++;
    }
    return 0;
}

static int verify(const struct xb_params *params, void *team, void *state, uint64_t iters,
                  const struct xb_work *did)
{
    (void)team;
    (void)state;
    const struct xb_work due = { .items = iters, .checksum = token_seen(params, iters) };
    return memcmp(did, &due, sizeof due) != 0 ? -EBADMSG : 0;
}

static void teardown(void *state)
{
    free(state);
}

const struct xb_kernel xb_kernel_sync_token_ring = {
    .name = "sync/token_ring",
    .summary = "workers pass one token around a ring of queues in memory",
    .source = "Armstrong, \"Programming Erlang\": the ring benchmark",
    .item = "hop",
    .latency_of = "a lap",
    .bound = XB_CLASS_SYNC,
    .fit = XB_FIT_OWN,
    .own_bytes = sizeof(struct hop),
    .needs = XB_NEED_TEAM,
    .team_setup = team_setup,
    .setup = setup,
    .begin = begin,
    .run = run,
    .verify = verify,
    .teardown = teardown,
};
