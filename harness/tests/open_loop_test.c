/* SPDX-License-Identifier: BSD-3-Clause
 * Tests that io/idle_connections is an open loop: a stall delays every request that is due in it. */
#include "cellrun.h"
#include "xbtest.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

enum {
    ITERS = 5, /* of eight requests each, one every 5 ms: 200 ms */
    STALLS_AT = 4,
    STALL_NS = 300000000, /* longer than all that is to come */
};

/* The blocking engine, which stands still once in each window. */
struct stalling {
    struct xb_io io; /* first: the kernel's view */
    struct xb_io *inner;
    uint32_t received;
};

static int await(struct xb_io *io, struct xb_io_op *ops, size_t n, size_t at_least)
{
    struct stalling *stalling = (struct stalling *)io;
    if (ops->kind == XB_IO_RECV && stalling->received++ % (ITERS * 8) == STALLS_AT)
        nanosleep(&(struct timespec){ .tv_nsec = STALL_NS }, NULL);
    return stalling->inner->await(stalling->inner, ops, n, at_least);
}

static int open_stalling(struct xb_parker *parker, uint32_t in_flight, struct xb_io **out,
                         struct xb_reason *why)
{
    struct stalling *stalling = calloc(1, sizeof *stalling);
    if (!stalling)
        return xb_because(why, -ENOMEM, "no memory");
    int err =
        xb_find_engine(&xb_builtin, "blocking")->open(parker, in_flight, &stalling->inner, why);
    if (err) {
        free(stalling);
        return err;
    }
    stalling->io.await = await;
    *out = &stalling->io;
    return 0;
}

static void close_stalling(struct xb_io *io)
{
    if (io)
        xb_find_engine(&xb_builtin, "blocking")->close(((struct stalling *)io)->inner);
    free(io);
}

static const struct xb_kernel *find_kernel(void)
{
    for (size_t i = 0; i < xb_builtin.n_kernels; i++)
        if (strcmp(xb_builtin.kernels[i]->name, "io/idle_connections") == 0)
            return xb_builtin.kernels[i];
    XB_FAIL("there is no io/idle_connections");
    return xb_builtin.kernels[0];
}

/* Of 40 requests that are due within 200 ms, the 5th takes 300 ms. So the 6th ends 270 ms after it was
 * due, and the 40th 100 ms. A client that waited for the 5th with the others would find one slow. */
XB_TEST(OpenLoop, EveryRequestThatIsDueInAStallIsLate)
{
    const struct xb_io_engine engine = { .name = "stalling",
                                         .open = open_stalling,
                                         .close = close_stalling };
    struct xb_plan plan = xb_cell_plan(find_kernel(), xb_find_model(&xb_builtin, "threads"), 1);
    plan.params.bytes = 64;
    plan.engine = &engine;
    plan.iters = ITERS;
    plan.samples = 1;
    plan.latency = true;
    struct xb_cell_run run;
    xb_cell_run(&plan, XB_CELL_LIMIT_NS, NULL, &run);
    XB_EXPECT_STREQ(run.why, "");
    const struct xb_histogram *latency = &run.result->latency;
    XB_EXPECT(latency->n > 0);
    XB_EXPECT_EQ(latency->n % (ITERS * 8), 0);
    XB_EXPECT(xb_histogram_quantile(latency, 0.2) >= 50000000);
    xb_cell_run_close(&run);
}

/* All have a turn at the edges of a sample, and only one in 256 speaks: the account says so. */
XB_TEST(OpenLoop, OneWorkerIn256Speaks)
{
    struct xb_plan plan = xb_cell_plan(find_kernel(), xb_find_model(&xb_builtin, "loop"), 600);
    plan.params.bytes = 64;
    plan.iters = 1;
    struct xb_cell_run run;
    xb_cell_run(&plan, XB_CELL_LIMIT_NS, NULL, &run);
    XB_EXPECT_STREQ(run.why, "");
    XB_EXPECT_EQ(run.samples, 2);
    XB_EXPECT_EQ(run.result->samples[0].work.items, 3 * 8);
    XB_EXPECT_EQ(run.result->samples[1].work.items, 3 * 8);
    xb_cell_run_close(&run);
}
