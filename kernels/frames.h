/* The body of the kernels in which worker 0 draws frames by the clock while the others compute.
 *
 * A user interface, or a game, sound or control loop: what matters is not how much is drawn, but
 * that each frame comes in time. The others compute for longer than two frames before they give
 * way, as a handler does that nobody has cut into pieces. An iteration is one frame and one such
 * stretch, which the others take in turn, however many they are. Both are counted in steps and not
 * in time, so that equal iterations are equal work.
 *
 * The including file defines FRAME_NS and COMPUTE_STEPS. */
#ifndef XB_KERNELS_FRAMES_H
#define XB_KERNELS_FRAMES_H

#include "affine.h"
#include "keep.h"
#include "kernel.h"
#include "sync.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A step is a multiplication and an addition that wait for the last step: 4 cycles on most CPUs. */
enum { DRAW_STEPS = 20000 };

struct role {
    uint32_t index, others; /* workers that compute */
    struct affine step;
    uint64_t x, first, round;
    struct xb_io_op op;
};

static void begin(void *state)
{
    struct role *s = state;
    s->x = s->first;
    s->round = 0;
}

static int setup(const struct xb_params *params, void *team, void **state)
{
    (void)team;
    struct role *s = *state = calloc(1, sizeof *s);
    if (!s)
        return xb_explain(params, -ENOMEM, "no memory for the state of a worker");
    s->index = params->index;
    s->others = params->workers - 1;
    s->step = affine_of(params->seed, params->index);
    s->first = xb_prng_of(params->seed, params->index);
    s->op.sleep_ns = FRAME_NS;
    begin(s);
    return 0;
}

static uint64_t compute(struct affine step, uint64_t x, uint64_t steps)
{
    for (uint64_t i = 0; i < steps; i++) {
        x = apply(step, x);
        xb_keep(x);
    }
    return x;
}

static int64_t draw(struct xb_io *io, struct role *s)
{
    s->op.marks = XB_IO_BEGINS | XB_IO_ENDS;
    int64_t late_ns = xb_await_on(io, &s->op, XB_IO_TICK, NULL);
    s->x = compute(s->step, s->x, DRAW_STEPS);
    return late_ns;
}

static int64_t stretch(struct xb_io *io, struct role *s)
{
    int64_t err = xb_await_on(io, &s->op, XB_IO_YIELD, NULL);
    s->x = compute(s->step, s->x, COMPUTE_STEPS);
    return err;
}

static int run(struct xb_run *run, void *state, uint64_t iters, struct xb_work *did)
{
    struct role *s = state;
    for (uint64_t i = 0; i < iters; i++, s->round++) {
        if (s->index && s->round % s->others != s->index - 1)
            continue; /* another one's turn */
        int64_t late_ns = s->index ? stretch(run->io, s) : draw(run->io, s);
        if (late_ns < 0)
            return xb_explain(run->params, (int)late_ns, "waiting for a turn: %s",
                              strerror((int)-late_ns));
        did->checksum += s->x;
        if (s->index == 0) {
            did->items++;
            did->outcome += late_ns >= FRAME_NS;
        }
    }
    return 0;
}

/* The number of missed frames is what it is. */
static int verify(const struct xb_params *params, void *team, void *state, uint64_t iters,
                  const struct xb_work *did)
{
    (void)team;
    (void)state;
    uint32_t index = params->index, others = params->workers - 1;
    struct affine all = repeat(affine_of(params->seed, index), index ? COMPUTE_STEPS : DRAW_STEPS);
    uint64_t turns = index ? (iters + others - index) / others : iters;
    uint64_t x = apply(all, xb_prng_of(params->seed, index));
    const struct xb_work due = {
        .items = index == 0 ? iters : 0,
        .checksum = sum_of(all, x, turns),
        .outcome = index == 0 ? did->outcome : 0,
    };
    return memcmp(did, &due, sizeof due) != 0 || did->outcome > iters ? -EBADMSG : 0;
}

/* What an iteration takes longest for: the frame, which waits for the clock, or the stretch, which the
 * others share out as far as there are CPUs. One core does 3e9 / 4 steps a second, give or take half. */
static enum xb_class bound_of(const struct xb_crowd *crowd)
{
    uint32_t others = crowd->workers - 1;
    uint32_t at_once = others < crowd->cpus ? others : crowd->cpus;
    return COMPUTE_STEPS / 3.0 * 4 > (double)FRAME_NS * at_once && others ? XB_CLASS_CPU
                                                                          : XB_CLASS_SYNC;
}

static void teardown(void *state)
{
    free(state);
}

#endif
