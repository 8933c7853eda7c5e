/* Advice for a program that was watched, held against the program itself where that is asked for. */
#ifndef XB_CORE_ADVISE_H
#define XB_CORE_ADVISE_H

#include "advice.h"
#include "json.h"
#include "watch.h"

#include <stdio.h>

struct xb_advised {
    struct xb_reason why; /* code 0: there is advice */
    struct xb_advice advice;
    struct xb_reason unverified; /* code 0: `trial` is there, if it was asked for */
    struct xb_trial trial;
    bool verified;
    const char *model; /* what the program seems to be: "threads", "processes" or "loop" */
};

/* Predicts, from the verdict and evidence of a watch that is over, and runs `verify` at each number of
 * workers (NULL: does not). What ends programs does so again meanwhile. Takes 4 to 8 s, and with
 * `verify` 10 s or as long as three runs of each. */
void xb_advise(const struct xb_watching *asked, const struct xb_watched *watched,
               const struct xb_registry *registry, const struct xb_topology *topology,
               const char *verify, struct xb_advised *out);

/* As lines behind those of the watch, and as the member "advice". */
void xb_advised_print(FILE *out, const struct xb_advised *advised);
struct xb_json *xb_advised_json(const struct xb_advised *advised);

/* Whether all that was asked for worked. */
bool xb_advised_well(const struct xb_advised *advised);

#endif
