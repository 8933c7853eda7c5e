/* The verdicts of a suite as people read them. */
#ifndef XB_CORE_GATE_TEXT_H
#define XB_CORE_GATE_TEXT_H

#include "gate.h"

#include <stdio.h>

/* A line for each comparison, then one for each class, which says what moved in it. */
void xb_gate_print(FILE *out, const struct xb_gate *gate);

enum { XB_VERDICT_TEXT = 160 };

/* "REGRESSED", "PROVEN < 2 %", "INCONCLUSIVE: sees 3.1 % or more; 40 blocks would see 2 %"; returns
 * `out`. */
const char *xb_verdict_text(const struct xb_rule *rule, const struct xb_effect *effect,
                            char out[XB_VERDICT_TEXT]);

#endif
