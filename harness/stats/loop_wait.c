/* SPDX-License-Identifier: BSD-3-Clause
 * Weighs a loop's samples, or those of a straight piece of code, against its instructions. */
#include "loop_wait.h"

#include <errno.h>
#include <stdlib.h>

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

/* A site that has samples, in the order of its piece and its place there. */
struct member {
    const struct xb_stall_site *site;
    size_t samples, index;
};

/* What the sites of one piece have in common: their process and where it ends; else, alone. */
static int by_piece(const void *a, const void *b)
{
    const struct xb_stall_site *x = ((const struct member *)a)->site,
                               *y = ((const struct member *)b)->site;
    if (x->pid != y->pid)
        return (x->pid > y->pid) - (x->pid < y->pid);
    uint64_t p = x->stall.piece.end, q = y->stall.piece.end;
    if (p != q)
        return (p > q) - (p < q);
    return (x->stall.at > y->stall.at) - (x->stall.at < y->stall.at);
}

/* One piece: samples at its accesses, and at those of its other places that cost what any does. */
struct weighed {
    size_t touches, others;
    double expected; /* samples that each access has without being waited for */
    struct xb_piece code;
};

static struct weighed weigh(const struct member *member, size_t n)
{
    struct weighed out = { 0 };
    for (size_t i = 0; i < n; i++) {
        const struct xb_stall *stall = &member[i].site->stall;
        if (stall->kind <= XB_STALL_STRING)
            out.touches += member[i].samples;
        else if (stall->kind == XB_STALL_ALU || stall->kind == XB_STALL_STACK ||
                 stall->kind == XB_STALL_THREAD_LOCAL)
            out.others += member[i].samples;
        /* Of a long piece each site knows what lies ahead, and not all of what lies behind. */
        if (stall->piece.accesses + stall->piece.others > out.code.accesses + out.code.others)
            out.code = stall->piece;
    }
    out.expected = out.code.others ? (double)out.others / out.code.others : 0;
    return out;
}

bool xb_may_hide(const struct xb_stall *stall)
{
    return stall->kind <= XB_STALL_STRING && stall->kind != XB_STALL_STORE;
}

/* Hides `expected` samples of each access of a piece. */
static void hide_each(const struct member *member, size_t n, double expected, double *hides)
{
    for (size_t i = 0, next; i < n; i = next) {
        size_t samples = 0;
        for (next = i; next < n && member[next].site->stall.at == member[i].site->stall.at; next++)
            samples += member[next].samples;
        for (size_t k = i; k < next; k++)
            if (xb_may_hide(&member[k].site->stall) && hides[member[k].index] < 1)
                hides[member[k].index] =
                    expected < (double)samples ? expected / (double)samples : 1;
    }
}

int xb_pieces_hide(const struct xb_stall_site *site, const size_t *of_site, size_t n, double *hides,
                   size_t *streamed)
{
    struct member *member = calloc(n + 1, sizeof *member);
    bool *is_sparse = calloc(n + 1, sizeof *is_sparse);
    size_t members = 0, touches = 0;
    double expected = 0;
    *streamed = 0;
    if (!member || !is_sparse) {
        free(member);
        free(is_sparse);
        return -ENOMEM;
    }
    for (size_t i = 0; i < n; i++)
        if (of_site[i] && hides[i] < 1)
            member[members++] = (struct member){ &site[i], of_site[i], i };
    qsort(member, members, sizeof *member, by_piece);
    for (size_t i = 0, next; i < members; i = next) {
        const struct xb_stall_site *first = member[i].site;
        for (next = i + 1; next < members && first->stall.piece.end &&
                           member[next].site->pid == first->pid &&
                           member[next].site->stall.piece.end == first->stall.piece.end;)
            next++;
        struct weighed piece = weigh(&member[i], next - i);
        if (piece.touches + piece.others >= ENOUGH) {
            if (!piece.code.is_loop || piece.code.accesses < piece.code.others)
                hide_each(&member[i], next - i, piece.expected, hides);
            else
                *streamed += piece.touches;
            continue;
        }
        touches += piece.touches;
        expected += piece.expected * piece.code.accesses;
        for (size_t k = i; k < next; k++)
            is_sparse[member[k].index] = xb_may_hide(&member[k].site->stall);
    }
    for (size_t i = 0; i < n && touches; i++)
        if (is_sparse[i])
            hides[i] = expected < (double)touches ? expected / (double)touches : 1;
    free(is_sparse);
    free(member);
    return 0;
}
