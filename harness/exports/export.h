/* What an export is: one format of others that a stored run can be written in. */
#ifndef XB_EXPORTS_EXPORT_H
#define XB_EXPORTS_EXPORT_H

#include "../core/rows.h"

#include <stdio.h>

/* A file defines one of these, const, named xb_export_<file stem>. */
struct xb_export {
    const char *name;    /* as on the command line; - where the stem has _ */
    const char *summary; /* who reads it */
    /* Writes the run in `folder`, whose provenance.csv is in `facts`. What was written counts only
     * if it returns 0; else -errno with `why`. */
    int (*write)(FILE *out, const char *folder, const struct xb_facts *facts,
                 struct xb_reason *why);
    /* The same for a folder of `xbound ab --out`; NULL where the format is none for verdicts. */
    int (*write_verdicts)(FILE *out, const char *folder, const struct xb_facts *facts,
                          struct xb_reason *why);
};

#endif
