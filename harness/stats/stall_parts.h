/* How samples of stalls divide a program's time: user mode's among computing and the levels that it waits for,
 * the kernel's by what it is called for. */
#ifndef XB_STATS_STALL_PARTS_H
#define XB_STATS_STALL_PARTS_H

#include "findings.h"
#include "stall_sums.h"

/* The first level that holds so many bytes. Pure. */
enum xb_level xb_level_of(const struct xb_capacity *capacity, double bytes);

/* Adds the parts of user time to `out`, its weight, and whether the threads take turns: `cpus` of them were in
 * user mode on average, 0 where that is not known. At least one sample. Pure. */
void xb_stall_divide_user(const struct xb_capacity *capacity, const struct xb_stall_sums *sums,
                          double cpus, struct xb_findings *out);

/* Divides the kernel's time by what it is called for. In the kernel itself no sample is permitted without
 * privilege; but the interrupts that are due when a call is about to return, which it does with interrupts
 * off, are taken behind it. That is as likely for any call: so these samples count calls, also of those
 * that no account counts (sockets, futexes, yields), and not how long each of them took. Adds parts, their weight and a
 * clue to `out`. Pure. */
void xb_stall_divide_kernel(const struct xb_stall_sums *sums, struct xb_findings *out);

/* Says in `out` whether of the threads of these samples (n, of any threads, each one's in order of time) two that
 * run much are unlike each other. 0 or -ENOMEM. Pure. */
int xb_stall_compare_threads(const struct xb_capacity *capacity, const struct xb_stalled *sample,
                             size_t n, const struct xb_stall_site *site, size_t n_sites,
                             struct xb_findings *out) __attribute__((warn_unused_result));

#endif
