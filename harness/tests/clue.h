/* Finds a clue among a probe's findings, for tests of probes. */
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

#endif
