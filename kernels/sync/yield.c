/* SPDX-License-Identifier: BSD-3-Clause
 * Lets another worker go first, over and over: what handing on the CPU costs.
 *
 * A yield costs what a switch costs only where somebody is there to take over: under loop always;
 * under threads and processes where they share a CPU (taskset -c 0 ... --bind none), else
 * sched_yield(2) comes back at once. The column context_switches tells them apart. */
#include "../kernel.h"
#include "../prng.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* A Weyl sequence, which is a step per yield that costs an addition and sums up in closed form. */
struct state {
    uint64_t first, step;
    uint64_t value;
};

static struct state start_of(const struct xb_params *params)
{
    uint64_t stream = xb_prng_of(params->seed, params->index);
    struct state start = { .first = xb_prng_next(&stream), .step = xb_prng_next(&stream) | 1 };
    start.value = start.first;
    return start;
}

static int setup(const struct xb_params *params, void *team, void **state)
{
    (void)team;
    struct state *s = *state = malloc(sizeof *s);
    if (!s)
        return -ENOMEM;
    *s = start_of(params);
    return 0;
}

static void begin(void *state)
{
    struct state *s = state;
    s->value = s->first;
}

static int run(struct xb_run *run, void *state, uint64_t iters, struct xb_work *did)
{
    struct state *s = state;
    struct xb_io_op op = { .kind = XB_IO_YIELD, .fd = -1 };
    uint64_t value = s->value, sum = 0;
    for (uint64_t k = 0; k < iters; k++) {
        int64_t err = xb_await(run->io, &op);
        if (err)
            return xb_explain(run->params, (int)err, "yield: %s", strerror((int)-err));
        value += s->step;
        sum += value;
    }
    s->value = value;
    did->checksum += sum;
    did->items += iters;
    return 0;
}

/* The sum of first + k * step for k = 1 .. iters, without the steps between. */
static int verify(const struct xb_params *params, void *team, void *state, uint64_t iters,
                  const struct xb_work *did)
{
    (void)team;
    (void)state;
    struct state start = start_of(params);
    /* iters * (iters + 1) / 2 modulo 2^64: the even one of the two is halved before they meet. */
    uint64_t steps = iters % 2 ? (iters + 1) / 2 * iters : iters / 2 * (iters + 1);
    bool same = did->items == iters && did->bytes_read == 0 && did->bytes_written == 0 &&
                did->flops == 0 && did->outcome == 0 &&
                did->checksum == iters * start.first + steps * start.step;
    return same ? 0 : -EBADMSG;
}

/* A coroutine switches to the next one, or back to itself where it is alone on its lane, without entering the
 * kernel: nobody sleeps, and each switch is computing. A thread enters it also where there is nobody to take over. */
static enum xb_class bound_of(const struct xb_crowd *crowd)
{
    if (crowd->coroutines)
        return XB_CLASS_CPU;
    return crowd->workers == 1 ? XB_CLASS_KERNEL : XB_CLASS_SYNC;
}

static void teardown(void *state)
{
    free(state);
}

const struct xb_kernel xb_kernel_sync_yield = {
    .name = "sync/yield",
    .summary = "lets another worker of the same CPU go first: a switch, where there is another",
    .source = "sched_yield(2); perf bench sched; lmbench lat_ctx",
    .item = "yield",
    .bound = XB_CLASS_SYNC,
    .bound_of = bound_of,
    .fit = XB_FIT_OWN,
    .own_bytes = 64,
    .setup = setup,
    .begin = begin,
    .run = run,
    .verify = verify,
    .teardown = teardown,
};
