/* SPDX-License-Identifier: BSD-3-Clause
 * The same work, and four times the time. */
#include "steps.h"

static int run(struct xb_run *run, void *state, uint64_t iters, struct xb_work *did)
{
    (void)run;
    return run_steps(state, iters, 3 * STEPS, did);
}

static const struct xb_kernel steps = {
    .name = "cpu/steps",
    .summary = "steps of an affine map",
    .source = "a test",
    .item = "step",
    .bound = XB_CLASS_CPU,
    .fit = XB_FIT_OWN,
    .own_bytes = sizeof(struct steps),
    .setup = setup_steps,
    .begin = begin_steps,
    .run = run,
    .verify = verify_steps,
    .teardown = free,
};

XB_PLUGIN(&steps);
