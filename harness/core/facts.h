/* Reads provenance.csv: keys and values. */
#ifndef XB_CORE_FACTS_H
#define XB_CORE_FACTS_H

#include "../base/reason.h"

#include <stddef.h>
#include <stdio.h>

struct xb_fact {
    const char *key, *value;
};

struct xb_facts {
    struct xb_fact *fact;
    size_t n;
    char *text; /* what they point into */
};

/* Reads a provenance.csv. Close in any case. 0, or -errno with `why`: no schema, another schema, a
 * key that is there twice. */
int xb_facts_open(struct xb_facts *facts, const char *path, struct xb_reason *why);
int xb_facts_attach(struct xb_facts *facts, FILE *in, const char *path, struct xb_reason *why);
void xb_facts_close(struct xb_facts *facts);

/* The value, or "" where there is no such key. */
const char *xb_facts_get(const struct xb_facts *facts, const char *key);

#endif
