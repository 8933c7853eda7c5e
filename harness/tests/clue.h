/* Looks into a probe's findings, for tests of them. */
#ifndef XB_TESTS_CLUE_H
#define XB_TESTS_CLUE_H

#include "harness/probes/probe.h"

#include <math.h>
#include <string.h>

/* The value of the clue of that name; NaN: there is none. */
static inline double clue_of(const struct xb_findings *findings, const char *name)
{
    for (size_t i = 0; i < findings->n_clues; i++)
        if (strcmp(findings->clue[i].name, name) == 0)
            return findings->clue[i].value;
    return NAN;
}

/* The part of that whole that is bound so. */
static inline double bound_share(const struct xb_findings *findings, enum xb_whole of,
                                 enum xb_bound bound)
{
    double share = 0;
    for (size_t i = 0; i < findings->n_parts; i++)
        if (findings->part[i].of == of && findings->part[i].bound == bound)
            share += findings->part[i].share;
    return share;
}

/* What the parts of that whole come to. */
static inline double sum_of_parts(const struct xb_findings *findings, enum xb_whole of)
{
    double share = 0;
    for (size_t i = 0; i < findings->n_parts; i++)
        share += findings->part[i].of == of ? findings->part[i].share : 0;
    return share;
}

#endif
