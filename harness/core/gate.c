/* SPDX-License-Identifier: BSD-3-Clause
 * Walks the plan of looks. */
#include "gate.h"

#include "../../kernels/prng.h"
#include "../base/clock.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool open_to(const struct xb_contest *contest, size_t blocks)
{
    return !contest->ended && contest->effect.verdict == XB_INCONCLUSIVE &&
           contest->effect.n < blocks;
}

static int take_block(struct xb_gate *gate, size_t index, struct xb_reason *why)
{
    struct xb_contest *contest = &gate->contests[index];
    uint64_t begin_ns = xb_now_ns();
    size_t n = contest->effect.n;
    int err = gate->block(gate->context, index, why);
    contest->spent_ns += xb_now_ns() - begin_ns;
    if (err == -ENODATA) {
        contest->ended = true;
        return 0;
    }
    if (err)
        return err;
    if (!isfinite(contest->log_ratios[n]))
        return xb_because(why, -EDOM, "%s: a slice took no time at all; make it longer",
                          contest->name);
    contest->effect.n++;
    if (gate->progress)
        gate->progress(gate->progress_context, index);
    return 0;
}

/* All that are open get a block each, in an order of its own each round, so that what changes on the
 * machine meanwhile meets none of them more than the others. */
static int take_round(struct xb_gate *gate, size_t blocks, size_t *order, uint64_t *prng, bool *any,
                      struct xb_reason *why)
{
    size_t n = 0;
    for (size_t i = 0; i < gate->n; i++)
        if (open_to(&gate->contests[i], blocks))
            order[n++] = i;
    for (size_t i = n; i > 1; i--) {
        size_t j = xb_prng_below(prng, i), kept = order[i - 1];
        order[i - 1] = order[j];
        order[j] = kept;
    }
    *any = n > 0;
    for (size_t i = 0; i < n; i++) {
        if (gate->stop && *gate->stop)
            return xb_because(why, -EINTR, "interrupted");
        int err = take_block(gate, order[i], why);
        if (err)
            return err;
    }
    return 0;
}

static int judge(struct xb_gate *gate, struct xb_effect *effects, struct xb_reason *why)
{
    for (size_t i = 0; i < gate->n; i++) {
        struct xb_contest *contest = &gate->contests[i];
        contest->effect.log_ratios = contest->log_ratios;
        effects[i] = contest->effect;
    }
    if (xb_judge(&gate->rule, effects, gate->n) != 0)
        return xb_because(why, -ENOMEM, "out of memory for the verdicts");
    for (size_t i = 0; i < gate->n; i++)
        gate->contests[i].effect = effects[i];
    return 0;
}

int xb_gate_run(struct xb_gate *gate, struct xb_reason *why)
{
    uint64_t prng = gate->seed;
    size_t *order = calloc(gate->n + 1, sizeof *order);
    struct xb_effect *effects = calloc(gate->n + 1, sizeof *effects);
    int err = order && effects ? 0 : xb_because(why, -ENOMEM, "out of memory for the suite");
    for (size_t i = 0; i < gate->rule.looks.n && !err; i++) {
        for (bool any = true; any && !err;)
            err = take_round(gate, gate->rule.looks.look[i].blocks, order, &prng, &any, why);
        if (!err)
            err = judge(gate, effects, why);
    }
    free(order);
    free(effects);
    return err;
}

size_t xb_gate_count(const struct xb_gate *gate, enum xb_verdict verdict, const char *class)
{
    size_t many = 0;
    for (size_t i = 0; i < gate->n; i++) {
        const struct xb_contest *contest = &gate->contests[i];
        many +=
            contest->effect.verdict == verdict && (!class || strcmp(class, contest->class) == 0);
    }
    return many;
}
