/* SPDX-License-Identifier: BSD-3-Clause
 * Sleeps a millisecond at a time: what does it take to have many workers wait at once?
 *
 * Nothing is done in between, so workers hide each other's waiting completely: n of them sleep n
 * times as often, until waking them takes all of a CPU. From there on they oversleep. Each sleep is
 * drawn from the uniform distribution over [0.5 ms, 1.5 ms), so that deadlines lie apart and timers
 * are set in another order than they expire; of its mean, 1 ms, and median, 1 ms, the latency of a
 * sleep exceeds what it overslept. An exponential distribution, as of arrivals from many clients,
 * would need a logarithm, and its sums would hang on the machine's libm. */
#include "../kernel.h"
#include "../prng.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define LEAST_NS  UINT64_C(500000)
#define SPREAD_NS UINT64_C(1000000)

struct state {
    uint64_t first, stream; /* of the generator: at the beginning of a sample, and now */
};

static int setup(const struct xb_params *params, void *team, void **state)
{
    (void)team;
    struct state *s = malloc(sizeof *s);
    if (!s)
        return -ENOMEM;
    s->first = s->stream = xb_prng_of(params->seed, params->index);
    *state = s;
    return 0;
}

static void begin(void *state)
{
    struct state *s = state;
    s->stream = s->first;
}

static int run(struct xb_run *run, void *state, uint64_t iters, struct xb_work *did)
{
    struct state *s = state;
    struct xb_io_op op = { .kind = XB_IO_SLEEP, .marks = XB_IO_BEGINS | XB_IO_ENDS };
    for (uint64_t i = 0; i < iters; i++) {
        op.sleep_ns = LEAST_NS + xb_prng_below(&s->stream, SPREAD_NS);
        int64_t result = xb_await(run->io, &op);
        if (result < 0)
            return xb_explain(run->params, (int)result, "sleep: %s", strerror((int)-result));
        did->checksum += op.sleep_ns;
        did->items++;
    }
    return 0;
}

/* From the last sleep to the first: the generator's k-th number is that of its k-th state, which is
 * known without those before. The interval is drawn in halves of a word instead of a wide product. */
static int verify(const struct xb_params *params, void *team, void *state, uint64_t iters,
                  const struct xb_work *did)
{
    (void)team;
    (void)state;
    uint64_t first = xb_prng_of(params->seed, params->index), slept_ns = 0;
    for (uint64_t k = iters; k; k--) {
        uint64_t word = xb_mix64(first + k * UINT64_C(0x9e3779b97f4a7c15));
        uint64_t low = (word & UINT32_MAX) * SPREAD_NS >> 32;
        slept_ns += LEAST_NS + (((word >> 32) * SPREAD_NS + low) >> 32);
    }
    bool same = did->items == iters && did->checksum == slept_ns && did->bytes_read == 0 &&
                did->bytes_written == 0 && did->flops == 0 && did->outcome == 0;
    return same ? 0 : -EBADMSG;
}

static void teardown(void *state)
{
    free(state);
}

static const struct xb_claim claims[] = {
    { .ratio = XB_RATIO_USER_SHARE, .at_least = 0, .at_most = 0.6 },
};

/* Nothing comes from a device or a peer: what a worker waits for is a timer, which is sync. It stands here
 * because engines carry sleeps out as they do I/O, and hide them as well. Some hundreds of workers for
 * each CPU would keep that busy with waking them; no cell that is run unasked has so many. */
static enum xb_class bound_of(const struct xb_crowd *crowd)
{
    (void)crowd;
    return XB_CLASS_SYNC;
}

const struct xb_kernel xb_kernel_io_sleep_many = {
    .name = "io/sleep_many",
    .summary = "sleeps of a millisecond: how many workers can wait at once, and how late they wake",
    .source = "the million sleeping tasks of runtimes' benchmarks; cyclictest for the overshoot",
    .item = "sleep",
    .bound = XB_CLASS_IO,
    .bound_of = bound_of,
    .fit = XB_FIT_OWN,
    .own_bytes = sizeof(struct state),
    .claims = claims,
    .n_claims = sizeof claims / sizeof claims[0],
    .setup = setup,
    .begin = begin,
    .run = run,
    .verify = verify,
    .teardown = teardown,
};
