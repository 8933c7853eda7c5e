/* What samples of stalls say in words that a person can check: the sets that are waited for, the hottest
 * instructions, and what samples stood at. */
#ifndef XB_STATS_STALL_WORDS_H
#define XB_STATS_STALL_WORDS_H

#include "findings.h"
#include "stall_sums.h"

/* Adds clues to `out` on `sums` of a phase, at least one sample of `stalls`. Sizes of sets are those of `longer`,
 * the phases before it too, where they agree. Uses up sums->of_site. */
void xb_stall_tell(const struct xb_capacity *capacity, const struct xb_stalls *stalls,
                   struct xb_stall_sums *sums, const struct xb_stall_sums *longer,
                   struct xb_findings *out);

#endif
