/* What a watch came to, as people read it. */
#ifndef XB_CORE_WATCH_TEXT_H
#define XB_CORE_WATCH_TEXT_H

#include "watch.h"

#include <stdbool.h>
#include <stdio.h>

/* `all_phases`: a line for each, not for each run of equal ones. `bold`: the verdict, for terminals. */
void xb_watch_print(FILE *out, const struct xb_watching *asked, const struct xb_watched *watched,
                    bool all_phases, bool bold);

#endif
