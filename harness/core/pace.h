/* How many iterations make a sample or a slice of it, and how many samples are enough. Pure. */
#ifndef XB_CORE_PACE_H
#define XB_CORE_PACE_H

#include "sample.h"

#include <stdbool.h>
#include <stdint.h>

enum { XB_SAMPLES_MAX = 4096 };

/* The search for the iterations that take about wanted_ns. Begins with the upper five fields. */
struct xb_search {
    uint64_t wanted_ns; /* >= 1 */
    /* Not 0: how many instructions are wanted instead; needs a source that counts them exactly. */
    uint64_t wanted_instructions;
    uint32_t lanes;   /* of the team, >= 1 */
    bool waits;       /* the work waits for other things than a CPU: see xb_kernel_waits() */
    uint64_t iters;   /* >= 1, to do in the next window; once found: what takes wanted_ns */
    double seen_ns;   /* what the last window took, if that was long enough; else 0 */
    uint64_t took_ns; /* once found: of `iters`, CPU time of a lane, or wall time if it waits */
};

/* Goes on with what a window of search->iters took. Returns whether the search is over. Grows iters
 * until they take half of wanted_ns in two windows running, or are 2^40; the faster of the two
 * says how many are right, one at least.
 * For instructions: the least power of ten times the first iters that executes as many, so that a build
 * of somewhat longer code nearly always finds the same; one where none are counted. */
bool xb_search_step(struct xb_search *search, const struct xb_sample *window);

/* Iterations that take about slice_ns, >= 1. `slice_ns`: of a model that cuts work into slices, >= 1.
 * `ns_per_iter`: 0 where it is not known, which is taken for 1 ns. */
uint64_t xb_slice_iters(uint64_t slice_ns, double ns_per_iter);

enum xb_stop { XB_STOP_INTERRUPTED, XB_STOP_PRECISE, XB_STOP_TIME, XB_STOP_COUNT };

/* Why `n` samples are enough, or XB_STOP_INTERRUPTED when they are not; n in [1, XB_SAMPLES_MAX].
 * `exactly`: not 0: so many, whatever else. `precision`: half width of the interval of the median
 * of wall time per item, over the median, that is good enough. `late`: no time is left.
 * `scratch`: room for n, overwritten. */
enum xb_stop xb_stop_why(const struct xb_sample *samples, uint32_t n, uint32_t exactly,
                         double precision, bool late, double *scratch);

#endif
