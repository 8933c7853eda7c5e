/* The verdict on what bounds a phase, from what all probes say of it; pure. */
#ifndef XB_CORE_BOUND_H
#define XB_CORE_BOUND_H

#include "../probes/probe.h"

/* What bounds one phase, or a whole run. */
struct xb_judgement {
    enum xb_bound bound; /* XB_BOUND_MIXED and _UNKNOWN too */
    enum xb_level level; /* the one that most of that class's time goes to */
    double confidence;   /* 0 to 1 */
    /* Of the phase's time, by what bounds it: all that probes could name, the rest under
     * XB_BOUND_UNKNOWN; they add up to 1. XB_BOUND_MIXED stays 0. */
    double share[XB_BOUND_UNKNOWN + 1];
    double level_share[XB_LEVELS];
    /* Of that under XB_BOUND_UNKNOWN: waits for a cache or DRAM, not known which. */
    double unplaced;
    double turns;  /* how much of the time its threads took turns: see struct xb_findings */
    double unlike; /* the same, that they were unlike each other */
    /* Of the phase's time, what was spent off a CPU, by the same: never more than `share`, which counts
     * the kernel's work for a wait to what is waited for. `waits`: all of it; NaN where no probe
     * divides the time of threads. */
    double waiting[XB_BOUND_UNKNOWN + 1];
    double level_waiting[XB_LEVELS];
    double waits;
    char reason[160]; /* why it is this one, in one clause; for mixed and unknown too */
};

const char *xb_bound_name(enum xb_bound bound);
const char *xb_level_word(enum xb_level level); /* "" for XB_LEVEL_NONE */

/* Judges a phase by `n` probes' findings. Where several divide the same whole, they count by their
 * weight; what one of them cannot place (XB_BOUND_MIXED) lies where others place more than it does, and
 * what one cannot name of the kernel's time (XB_BOUND_UNKNOWN) divides as others have it.
 * Pure; cannot fail: without evidence the verdict is XB_BOUND_UNKNOWN. */
void xb_bound_judge(const struct xb_findings *findings, size_t n, struct xb_judgement *out);

/* How many of a command's first phases are its starting up: of four or more the first; and if it
 * `goes_on` after the last, all until it changed once and for good, which it has if it then was as it
 * never was before for half of its phases, three at least. Pure. */
size_t xb_bound_starting(const struct xb_judgement *phases, size_t n, bool goes_on);

/* One verdict for phases of `seconds` each; the first `skip` of them (starting up) do not count,
 * unless they are all. */
void xb_bound_judge_phases(const struct xb_judgement *phases, const double *seconds, size_t n,
                           size_t skip, struct xb_judgement *out);

#endif
