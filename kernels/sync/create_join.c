/* SPDX-License-Identifier: BSD-3-Clause
 * Has one more worker made, waits for its end, and makes the next: a thread, a process, a coroutine.
 *
 * The child does next to nothing: it answers one question in shared memory, so that it is certain to
 * have run. Under processes a child is a fork of a worker, whose pages are copied when written to, and
 * whose page tables are copied at once: with PAPI linked in, 1 of 1.4 MiB of them are tables that
 * libpfm's relocations have written to, so that xbound is a larger program than it looks. */
#include "../kernel.h"
#include "../prng.h"
#include "../sync.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* In shared memory: a child may be a process. */
struct errand {
    uint64_t question, answer;
} __attribute__((
    aligned(128))); /* no two workers' in one line, nor in two that are fetched together */

struct state {
    struct errand *errand;
    uint64_t first, stream;
    struct xb_io_op op;
};

static int team_setup(const struct xb_params *params, struct xb_memory *memory, void **team)
{
    *team = memory->take(memory, params->workers * sizeof(struct errand), _Alignof(struct errand));
    return *team ? 0 : -ENOMEM;
}

static void begin(void *state)
{
    struct state *s = state;
    s->stream = s->first;
}

static int setup(const struct xb_params *params, void *team, void **state)
{
    struct state *s = calloc(1, sizeof *s);
    if (!s)
        return -ENOMEM;
    *state = s;
    s->errand = (struct errand *)team + params->index;
    s->first = xb_prng_of(params->seed, params->index);
    s->op.fd = -1;
    begin(s);
    return 0;
}

static void run_errand(void *buf)
{
    struct errand *errand = buf;
    errand->answer = xb_mix64(errand->question);
}

static int have_answered(struct xb_io *io, struct state *s)
{
    s->op.entry = run_errand;
    s->op.buf = s->errand;
    s->op.marks = XB_IO_BEGINS;
    int64_t err = xb_await_on(io, &s->op, XB_IO_SPAWN, NULL);
    if (err)
        return (int)err;
    s->op.marks = XB_IO_ENDS;
    return (int)xb_await_on(io, &s->op, XB_IO_JOIN, s->op.on);
}

static int run(struct xb_run *run, void *state, uint64_t iters, struct xb_work *did)
{
    struct state *s = state;
    for (uint64_t k = 0; k < iters; k++) {
        s->errand->question = xb_prng_next(&s->stream);
        s->errand->answer = s->errand->question; /* which no answer is, but for one in 2^64 */
        int err = have_answered(run->io, s);
        if (err)
            return xb_explain(run->params, err, "making one more worker: %s%s", strerror(-err),
                              err == -EAGAIN ? "; raise ulimit -u or the cgroup's pids.max" : "");
        did->checksum += s->errand->answer;
        did->items++;
    }
    return 0;
}

/* Answers the questions itself, without any child. */
static int verify(const struct xb_params *params, void *team, void *state, uint64_t iters,
                  const struct xb_work *did)
{
    (void)team;
    (void)state;
    struct xb_work due = { .items = iters };
    uint64_t stream = xb_prng_of(params->seed, params->index);
    for (uint64_t k = 0; k < iters; k++)
        due.checksum += xb_mix64(xb_prng_next(&stream));
    return memcmp(did, &due, sizeof due) != 0 ? -EBADMSG : 0;
}

/* It waits for the one that it has made, alone too. To make a process is more than the child then does: page
 * tables are copied, and pages as soon as either of the two writes to them, which is the kernel's work.
 * A coroutine is made and switched to by computing. */
static enum xb_class bound_of(const struct xb_crowd *crowd)
{
    return crowd->processes ? XB_CLASS_KERNEL : crowd->coroutines ? XB_CLASS_CPU : XB_CLASS_SYNC;
}

static void teardown(void *state)
{
    free(state);
}

const struct xb_kernel xb_kernel_sync_create_join = {
    .name = "sync/create_join",
    .summary = "makes one more worker of the model's kind and waits for its end, over and over",
    .source = "lmbench lat_proc fork (McVoy, Staelin, USENIX 1996); pthread_create(3)",
    .item = "worker",
    .bound = XB_CLASS_SYNC,
    .bound_of = bound_of,
    .fit = XB_FIT_OWN,
    .own_bytes = sizeof(struct errand),
    .needs = XB_NEED_TEAM,
    .team_setup = team_setup,
    .setup = setup,
    .begin = begin,
    .run = run,
    .verify = verify,
    .teardown = teardown,
};
