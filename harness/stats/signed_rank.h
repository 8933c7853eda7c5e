/* The exact signed-rank test: are values symmetric about something larger than a given shift? */
#ifndef XB_STATS_SIGNED_RANK_H
#define XB_STATS_SIGNED_RANK_H

#include <stddef.h>

enum { XB_SIGNED_RANK_MAX = 64 };

/* One-sided p of the hypothesis that the centre of symmetry of `values` is at most `shift`, against
 * its being larger: P(rank sum of the positive ones >= what was seen), over all ways to deal signs
 * to the |values - shift| that there are. `values`: n of them, 0 <= n <= XB_SIGNED_RANK_MAX, none
 * NaN. In (0, 1]; at least 2^-n, and 1 where nothing differs from `shift`. Pure.
 *
 * Exact for any symmetric distribution: no normal approximation. Equal magnitudes share their mean
 * rank, and zeros take the lowest ranks without a sign (Pratt, JASA 54 (1959), 655-667); the
 * distribution is that of the ranks as they then are. Source: Wilcoxon, Biometrics Bulletin 1
 * (1945), 80-83. */
double xb_signed_rank_p(const double *values, size_t n, double shift);

/* The largest k with P(rank sum < k) <= alpha / 2 for n values without ties; 0 when not even the
 * whole range of n values is that sure. 1 <= n <= XB_SIGNED_RANK_MAX; `alpha` in (0, 1). Pure. */
size_t xb_signed_rank_order(size_t n, double alpha);

#endif
