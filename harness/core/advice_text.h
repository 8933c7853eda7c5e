/* Advice as people and programs read it. */
#ifndef XB_CORE_ADVICE_TEXT_H
#define XB_CORE_ADVICE_TEXT_H

#include "advice.h"
#include "json.h"

#include <stdio.h>

/* `trial`: the truth beside it; NULL: none. `model`: what the program is taken to be where the two are
 * compared. */
void xb_advice_print(FILE *out, const struct xb_advice *advice, const struct xb_trial *trial,
                     const char *model);

/* One object, for the member "advice". */
struct xb_json *xb_advice_json(const struct xb_advice *advice, const struct xb_trial *trial,
                               const char *model);

#endif
