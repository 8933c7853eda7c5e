/* Reads verdicts.csv, what an `xbound ab` came to, as strictly as rows.h reads a run. */
#ifndef XB_CORE_VERDICTS_H
#define XB_CORE_VERDICTS_H

#include "../base/reason.h"
#include "../stats/verdict.h"

#include <stdint.h>

/* One comparison. Texts are good until the next row, and never NULL. */
struct xb_verdict_row {
    const char *kernel, *class, *time; /* class: "" for commands; time: cpu, wall, "" */
    const char *reason;
    enum xb_verdict verdict;
    uint64_t blocks, spent_ns;
    double ratio, lo, hi, detectable; /* new / old; NaN where not measured */
    double min_effect, margin;        /* as shares */
};

/* Whether the folder is one of `xbound ab --out`. */
bool xb_verdicts_here(const char *folder);

/* Calls `visit` for each row of `folder`/verdicts.csv until it returns other than 0. 0, what it
 * returned, or -errno with `why`, which names file, line and column; -ENODATA where there is no row,
 * as in the folder of an ab that was interrupted. */
int xb_verdicts_each(const char *folder,
                     int (*visit)(void *context, const struct xb_verdict_row *row,
                                  struct xb_reason *why),
                     void *context, struct xb_reason *why);

struct xb_verdict_counts {
    unsigned long all, of[XB_VERDICTS];
};

/* A visitor whose context is a struct xb_verdict_counts. */
int xb_verdicts_count(void *context, const struct xb_verdict_row *row, struct xb_reason *why);

enum { XB_VERDICT_ROW_TEXT = 400 };

/* "REGRESSED", "PROVEN < 2 %", "INCONCLUSIVE: sees 3.1 % or more", "MISSING: NEW lacks it". */
const char *xb_verdict_row_text(const struct xb_verdict_row *row, char out[XB_VERDICT_ROW_TEXT]);

/* "+5.12 % [+4.98, +5.30]", or "" where nothing was measured. */
const char *xb_verdict_row_change(const struct xb_verdict_row *row, char out[XB_VERDICT_ROW_TEXT]);

#endif
