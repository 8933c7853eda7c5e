/* Judges whether a machine is fit to measure on, and says what would make it fitter. */
#ifndef XB_CORE_FITNESS_H
#define XB_CORE_FITNESS_H

#include "machine.h"

#include <stddef.h>

struct xb_caches;
struct xb_picture;
struct xb_topology;

enum xb_fitness {
    XB_FITNESS_OK,
    XB_FITNESS_NOTE, /* know this when you read the figures */
    XB_FITNESS_WARN  /* figures taken now mislead */
};

struct xb_finding {
    const char *group, *name; /* static text */
    enum xb_fitness state;
    char value[256];
    char remedy[256]; /* a command or an action; "" when state is XB_FITNESS_OK */
};

struct xb_findings {
    size_t n;
    struct xb_finding list[192];
};

/* Adds a finding that is fine so far; `format` gives its value. The last place is overwritten
 * when all are taken, so the result is always valid. It belongs to `findings`. */
struct xb_finding *xb_finding_add(struct xb_findings *findings, const char *group, const char *name,
                                  const char *format, ...) __attribute__((format(printf, 4, 5)));

/* Says that a finding is not fine, and what to do about it. */
void xb_finding_advise(struct xb_finding *finding, enum xb_fitness state, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Appends a finding for every fact. Pure: looks at nothing but its arguments. */
void xb_fitness_judge(const struct xb_machine *machine, const struct xb_topology *topology,
                      struct xb_findings *out);

/* The part of it that is about counters. */
void xb_fitness_judge_counters(const struct xb_machine *machine, struct xb_findings *out);

/* Appends a finding for each level of memory: what is claimed, was measured, and is used for sizes.
 * Pure as above. */
void xb_fitness_judge_picture(const struct xb_picture *picture, const struct xb_caches *used,
                              const struct xb_topology *topology, struct xb_findings *out);

#endif
