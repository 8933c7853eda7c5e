/* SPDX-License-Identifier: BSD-3-Clause
 * Weighs a loop's samples against its instructions. */
#include "loop_wait.h"

enum {
    ENOUGH = 50, /* samples of a loop */
    FEWEST = 3,  /* places, for a pattern */
    CLOSEST = 4, /* instructions between two: cores retire 4 to 8 at a time, and more */
    SCARCE = 50, /* a place has one sample of a loop in so many, or is none */
};

/* By how much more than their part accesses may have, and be no more than the rest. */
static const double ALIKE = 1.5;

/* Whether all places that have samples lie equally far apart, around the loop. */
static bool is_in_step(const size_t *samples, uint32_t n, size_t all, uint32_t *places)
{
    uint32_t first = n, last = n, least = UINT32_MAX, most = 0;
    *places = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (samples[i] * SCARCE < all)
            continue;
        uint32_t gap = i - last;
        if (*places && gap < least)
            least = gap;
        if (*places && gap > most)
            most = gap;
        first = *places ? first : i;
        last = i;
        ++*places;
    }
    if (*places < FEWEST)
        return false;
    uint32_t around = n - last + first;
    least = around < least ? around : least;
    most = around > most ? around : most;
    /* One more or less: a compare and its jump may be one. */
    return least >= CLOSEST && most - least <= 1;
}

bool xb_loop_waits(const struct xb_loop *loop, pid_t pid, const struct xb_stall_site *site,
                   const size_t *of_site, size_t n)
{
    size_t samples[XB_LOOP_INSNS] = { 0 }, all = 0, touches = 0;
    bool is_touch[XB_LOOP_INSNS] = { false };
    uint32_t touched = 0, places;
    if (2 * loop->accesses >= loop->n)
        return true;
    for (size_t i = 0; i < n; i++) {
        uint32_t at = of_site[i] && site[i].pid == pid ? xb_loop_index(loop, site[i].ip) : loop->n;
        if (at == loop->n)
            continue;
        is_touch[at] = site[i].stall.kind <= XB_STALL_STRING;
        samples[at] += of_site[i];
        all += of_site[i];
        touches += is_touch[at] ? of_site[i] : 0;
    }
    if (all < ENOUGH)
        return true;
    if ((double)touches / (double)all <= ALIKE * loop->accesses / loop->n)
        return false;
    for (uint32_t i = 0; i < loop->n; i++)
        touched += is_touch[i] && samples[i] * SCARCE >= all;
    /* Were it waiting for them, it would for all that are alike. */
    return !is_in_step(samples, loop->n, all, &places) || 2 * touched > loop->accesses;
}
