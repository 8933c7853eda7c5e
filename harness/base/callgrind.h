/* Valgrind's tool callgrind: where it is, which caches it can simulate, and what its files say. */
#ifndef XB_BASE_CALLGRIND_H
#define XB_BASE_CALLGRIND_H

#include "reason.h"

#include <limits.h>
#include <stdint.h>
#include <stdio.h>

/* What its events add up to. Fetches of instructions miss the last level like data. */
struct xb_callgrind_sums {
    uint64_t instructions, d1_misses, ll_misses;
};

/* The absolute path of a program that PATH leads to. 0 or -ENOENT. Any thread. */
int xb_program_find(const char *name, char path[static PATH_MAX]);

/* xb_program_find() of valgrind, with `why`: what to install. */
int xb_callgrind_find(char path[static PATH_MAX], struct xb_reason *why);

/* The bytes of the largest cache it can simulate that is no larger than `bytes`: it has a power of two of
 * sets of 64 bytes, and here 8 to 15 ways in the first level, 16 to 31 in the last. At least one set of
 * these. Pure. */
enum xb_callgrind_cache { XB_CALLGRIND_I1, XB_CALLGRIND_D1, XB_CALLGRIND_LL };
uint64_t xb_callgrind_fit(enum xb_callgrind_cache cache, double bytes);

/* Writes the option for a cache of exactly so many bytes: "--D1=49152,12,64". 0, or -EINVAL with `why`
 * where it cannot be simulated. Pure. */
enum { XB_CALLGRIND_OPTION = 96 };
int xb_callgrind_option(enum xb_callgrind_cache cache, uint64_t bytes,
                        char out[XB_CALLGRIND_OPTION], struct xb_reason *why);

/* Adds what a file says to `sums`: a line names events, and another, which leaves out zeros at its end,
 * has their totals; one for each time it was written. Reads to the end. 0, or -ENODATA where there is no
 * total. */
int xb_callgrind_read(FILE *in, struct xb_callgrind_sums *sums);

#endif
