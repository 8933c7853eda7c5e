/* provenance.csv: key,value pairs that describe the machine and the build behind a run. */
#ifndef XB_CORE_PROVENANCE_H
#define XB_CORE_PROVENANCE_H

#include <stdio.h>

/* Writes one line "key,value" with the value formatted as by printf and quoted by RFC 4180.
 * Keys are lower_case with their unit last (l2_claimed_bytes). 0 or -errno. */
int xb_provenance_add(FILE *out, const char *key, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

struct xb_topology;

/* Writes the header and all that is known before the first measurement. 0 or -errno. */
int xb_provenance_begin(FILE *out, const char *run_id, const struct xb_topology *topology);

#endif
