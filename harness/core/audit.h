/* Whether counters can be believed: work of known counts is counted, before a run and never during
 * it. A guest's counters may stand still, or count something else than they are called after. */
#ifndef XB_CORE_AUDIT_H
#define XB_CORE_AUDIT_H

#include "../counters/source.h"

#include <stdio.h>

enum xb_trust {
    XB_TRUST_ABSENT,   /* cannot be had here */
    XB_TRUST_OK,       /* counted what was known, or where that is not known, moved with the work */
    XB_TRUST_SCALED,   /* the same, by turns with others: figures are extrapolated */
    XB_TRUST_UNPROVEN, /* nothing the audit does must move it, and it did not move */
    XB_TRUST_STARVED,  /* fine alone, never counted beside the others */
    XB_TRUST_LIES      /* zero, constant, or not what was to be counted */
};

struct xb_audited {
    enum xb_trust trust;
    struct xb_reason why; /* what was counted against what was known; why it is absent */
};

struct xb_audit {
    uint32_t wanted;  /* bit set over the numbers of counters: what was looked at */
    uint32_t counted; /* of these: worth a column (ok, scaled, unproven); nothing else is counted */
    uint32_t doubtful; /* of those: nothing may follow from them (unproven) */
    double cost_ns;    /* to start and read all that are counted, once: median */
    struct xb_audited counter[XB_COUNTERS];
};

/* "ok", "lies" ... */
const char *xb_trust_name(enum xb_trust trust);

/* Audits `events` as `source` counts them: each alone, then all together. Takes some ms for each,
 * in a process of its own, so that it leaves nothing behind and a crash or hang of a library ends
 * the audit only. Returns 0, or -errno with `why`: then nothing is counted. Main thread. */
int xb_audit_run(const struct xb_counter_source *source, const struct xb_events *events,
                 struct xb_audit *out, struct xb_reason *why);

/* Writes provenance lines: audit_<column>, and counters_cost_ns. Leaves out what is absent without
 * a reason: the kernel's accounts fill those columns. */
void xb_audit_write(FILE *out, const struct xb_audit *audit, const struct xb_events *events);

/* What a counter is called in the columns. */
const char *xb_audit_column(unsigned number, const struct xb_events *events);

#endif
