/* Tells which streams come in slower than memory could bring them: nobody waits for those. */
#ifndef XB_STATS_STREAM_RATE_H
#define XB_STATS_STREAM_RATE_H

#include "../base/stalls.h"

/* Hides all samples at loads that go through memory in order, up or down, and so slowly that DRAM could bring
 * more than twice as much in that time. An out-of-order core retires in order and issues ahead: behind a load
 * that takes 14 cycles from L2, where the prefetcher has put it, retirement stands for most of each round though
 * none takes longer than with everything in L1. So samples stand at such loads whether they are waited for or
 * not: a scalar sum of 512 MiB takes 1.04 times as long as one of 16 KiB, and nine of ten samples stand at its
 * load. What tells is how far it gets.
 *
 * `sample`: n of them, each thread's in order of time; `site`: n_sites, theirs. `period_ns`: of CPU time from
 * one sample of a thread to the next; `dram_gb_per_s`: what one core loads from DRAM; NaN hides nothing.
 * `hides`: as xb_pieces_hide() has it; to be called before that.
 * A load counts as a stream if of its samples nine of ten lie ahead of the one before, so that sets which are
 * passed between two samples do not: those in L2, and smaller ones in the last level. Every access of the
 * same straight piece of code is taken for as fast a stream, and all but one to be written back; threads
 * share what one core could load alone. Not hidden are stores and chains of pointers, where each load waits for the
 * last one: in order they are slow because they wait.
 * 0 or -ENOMEM. Pure. */
int xb_streams_hide(const struct xb_stalled *sample, size_t n, const struct xb_stall_site *site,
                    size_t n_sites, double period_ns, double dram_gb_per_s, double *hides)
    __attribute__((warn_unused_result));

#endif
