/* Which of many tests may be called significant, given that there are many. */
#ifndef XB_STATS_MULTIPLICITY_H
#define XB_STATS_MULTIPLICITY_H

#include <stdbool.h>
#include <stddef.h>

/* Each takes n p-values, none NaN, and says of each hypothesis whether it is rejected.
 *
 * Of those rejected, a share of at most `q` is rejected wrongly, on average; independent tests.
 * Source: Benjamini and Hochberg, J. R. Statist. Soc. B 57 (1995), 289-300. Pure. */
void xb_benjamini_hochberg(const double *p, size_t n, double q, bool *rejected);

/* With probability 1 - alpha none is rejected wrongly, whatever the tests have in common.
 * Source: Holm, Scand. J. Statist. 6 (1979), 65-70. Pure. */
void xb_holm(const double *p, size_t n, double alpha, bool *rejected);

#endif
