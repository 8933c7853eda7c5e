/* The rule of the gate: from the blocks of a suite of comparisons to a verdict on each. */
#ifndef XB_STATS_VERDICT_H
#define XB_STATS_VERDICT_H

#include "hodges_lehmann.h"
#include "looks.h"

#include <stdbool.h>
#include <stddef.h>

enum xb_verdict {
    XB_INCONCLUSIVE, /* neither: more blocks, or less noise, would tell */
    XB_REGRESSED,    /* slower by more than the minimum effect */
    XB_IMPROVED,     /* faster by more than the minimum effect */
    XB_PROVEN,       /* not slower by the margin or more */
    /* From here on not measured. */
    XB_UNCHANGED, /* the same machine code */
    XB_MISSING,   /* the old side has it and the new one lacks it */
    XB_ADDED,     /* the other way round */
    XB_VERDICTS
};

/* Whether it is drawn from blocks, be they enough or not. */
static inline bool xb_verdict_measured(enum xb_verdict verdict)
{
    return verdict < XB_UNCHANGED;
}

/* "REGRESSED" and so on. */
const char *xb_verdict_name(enum xb_verdict verdict);

/* Why it was not measured, or "". */
const char *xb_verdict_reason(enum xb_verdict verdict);

struct xb_rule {
    double min_effect, margin; /* as shares: 0.005 is 0.5 %; 0 <= min_effect < margin */
    struct xb_looks looks;
};

/* One comparison: logarithms of new / old, one per block. */
struct xb_effect {
    const double *log_ratios;
    size_t n; /* of blocks so far; the looks that are not beyond it have been taken */
    /* Out. p over all looks taken: see xb_judge(). In logarithms: shift, sd, detectable. */
    enum xb_verdict verdict;
    double p_regressed, p_improved, p_proven;
    struct xb_shift shift; /* all blocks, 95 % */
    double sd;             /* of one block; NaN below two */
    double detectable;     /* see xb_least_detectable(), at the alpha of the plan's last look */
};

/* Judges `n` comparisons together. The p of a comparison is the least over the looks taken of p / the
 * share of its alpha that this look may spend: valid whenever one stops (Bonferroni over looks).
 * REGRESSED: the shift is above ln(1 + min_effect), with p <= XB_ALPHA_MOVED and by
 * Benjamini-Hochberg over the suite with q = 5 %. IMPROVED: the same below -ln(1 + min_effect), a
 * family of its own. PROVEN: the shift is below ln(1 + margin), by Holm over the suite with 5 %:
 * BH would do wrong here, as its errors are hidden among many that are truly unchanged. The first
 * of these that fits; where more blocks come, what was rejected stays so, as no p ever rises.
 * `n`: of the whole suite, those decided at an earlier look included.
 * Comparisons that are not measured are left alone and count for nothing. 0 or -ENOMEM. */
int xb_judge(const struct xb_rule *rule, struct xb_effect *effects, size_t n);

#endif
