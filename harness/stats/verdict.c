/* SPDX-License-Identifier: BSD-3-Clause
 * Judges a suite: tests at each look, correction for looks, correction for the suite. */
#include "verdict.h"

#include "multiplicity.h"
#include "signed_rank.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#define FALSE_DISCOVERIES 0.05

const char *xb_verdict_name(enum xb_verdict verdict)
{
    static const char *const names[XB_VERDICTS] = {
        [XB_INCONCLUSIVE] = "INCONCLUSIVE",
        [XB_REGRESSED] = "REGRESSED",
        [XB_IMPROVED] = "IMPROVED",
        [XB_PROVEN] = "PROVEN",
        [XB_UNCHANGED] = "UNCHANGED",
        [XB_MISSING] = "MISSING",
        [XB_ADDED] = "ADDED",
    };
    return names[verdict];
}

const char *xb_verdict_reason(enum xb_verdict verdict)
{
    return verdict == XB_UNCHANGED ? "the same machine code"
           : verdict == XB_MISSING ? "NEW lacks it"
           : verdict == XB_ADDED   ? "OLD lacks it"
                                   : "";
}

static double deviation(const double *values, size_t n)
{
    double mean = 0, squares = 0;
    for (size_t i = 0; i < n; i++)
        mean += values[i] / (double)n;
    for (size_t i = 0; i < n; i++)
        squares += (values[i] - mean) * (values[i] - mean);
    return n > 1 ? sqrt(squares / (double)(n - 1)) : NAN;
}

static double lesser(double a, double b)
{
    return a < b ? a : b;
}

static void test(const struct xb_rule *rule, struct xb_effect *effect)
{
    const double least = log1p(rule->min_effect), margin = log1p(rule->margin);
    double turned[XB_BLOCKS_MAX];
    size_t n = effect->n < XB_BLOCKS_MAX ? effect->n : XB_BLOCKS_MAX;
    for (size_t i = 0; i < n; i++)
        turned[i] = -effect->log_ratios[i];
    effect->p_regressed = effect->p_improved = effect->p_proven = 1;
    for (size_t i = 0; i < rule->looks.n && rule->looks.look[i].blocks <= n; i++) {
        const struct xb_look *look = &rule->looks.look[i];
        double moved = XB_ALPHA_MOVED / look->moved, proven = XB_ALPHA_PROVEN / look->proven;
        effect->p_regressed = lesser(
            effect->p_regressed, moved * xb_signed_rank_p(effect->log_ratios, look->blocks, least));
        effect->p_improved =
            lesser(effect->p_improved, moved * xb_signed_rank_p(turned, look->blocks, least));
        effect->p_proven =
            lesser(effect->p_proven, proven * xb_signed_rank_p(turned, look->blocks, -margin));
    }
    effect->shift = xb_hodges_lehmann(effect->log_ratios, n, 0.05);
    effect->sd = deviation(effect->log_ratios, n);
    effect->detectable = xb_least_detectable(effect->sd, n ? n : 1,
                                             rule->looks.look[rule->looks.n - 1].moved, least);
}

/* A family of hypotheses: the p of each comparison that was measured, and what became of it. */
struct family {
    double *p;
    bool *rejected;
    size_t n;
};

static double p_of(const struct xb_effect *effect, enum xb_verdict kind)
{
    return kind == XB_REGRESSED  ? effect->p_regressed
           : kind == XB_IMPROVED ? effect->p_improved
                                 : effect->p_proven;
}

/* Gives `kind` to those that have no verdict yet and deserve it. */
static void judge_family(struct family *family, enum xb_verdict kind, struct xb_effect *effects,
                         size_t n)
{
    family->n = 0;
    for (size_t i = 0; i < n; i++)
        if (xb_verdict_measured(effects[i].verdict))
            family->p[family->n++] = p_of(&effects[i], kind);
    if (kind == XB_PROVEN)
        xb_holm(family->p, family->n, XB_ALPHA_PROVEN, family->rejected);
    else
        xb_benjamini_hochberg(family->p, family->n, FALSE_DISCOVERIES, family->rejected);
    for (size_t i = 0, at = 0; i < n; i++) {
        if (!xb_verdict_measured(effects[i].verdict))
            continue;
        bool sure = kind == XB_PROVEN || family->p[at] <= XB_ALPHA_MOVED * (1 + 1e-9);
        if (family->rejected[at++] && sure && effects[i].verdict == XB_INCONCLUSIVE)
            effects[i].verdict = kind;
    }
}

int xb_judge(const struct xb_rule *rule, struct xb_effect *effects, size_t n)
{
    struct family family = {
        .p = malloc((n + 1) * sizeof *family.p),
        .rejected = malloc((n + 1) * sizeof *family.rejected),
    };
    int err = family.p && family.rejected ? 0 : -ENOMEM;
    for (size_t i = 0; i < n && !err; i++) {
        if (!xb_verdict_measured(effects[i].verdict))
            continue;
        effects[i].verdict = XB_INCONCLUSIVE;
        test(rule, &effects[i]);
    }
    for (int kind = XB_REGRESSED; kind <= XB_PROVEN && !err; kind++)
        judge_family(&family, (enum xb_verdict)kind, effects, n);
    free(family.p);
    free(family.rejected);
    return err;
}
