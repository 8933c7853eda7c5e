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

/* The verdict on a counter of which it is known exactly what it has to count. Least counts of two
 * windows of which one does twice the work of the other: `due` is what the shorter one has to count
 * at least, and the difference exactly. `spread`: how far counts of a window lay apart. Fewer than
 * were due are named as such, and are a lie from 1/1000 on, as is such a difference. Pure. */
void xb_audit_judge_exact(double due, double once, double twice, double spread,
                          struct xb_audited *out);

/* The verdict on an event of which only its name is known: `once` and `twice` counted over `rounds`
 * and 2 x `rounds` of the mixture (core/exercise.h). Where PAPI's preset of that name is due, less is
 * a lie; where none is, 0 may be true and proves nothing. Pure. */
void xb_audit_judge_named(const char *name, double rounds, double once, double twice,
                          struct xb_audited *out);

/* Writes provenance lines: audit_<column>, and counters_cost_ns. Leaves out what is absent without
 * a reason: the kernel's accounts fill those columns. */
void xb_audit_write(FILE *out, const struct xb_audit *audit, const struct xb_events *events);

/* What a counter is called in the columns. */
const char *xb_audit_column(unsigned number, const struct xb_events *events);

#endif
