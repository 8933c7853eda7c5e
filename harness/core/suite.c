/* SPDX-License-Identifier: BSD-3-Clause
 * Matches what two builds have, and takes blocks of what they share. */
#include "suite.h"

#include "../counters/source.h"
#include "metrics.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

struct offers {
    struct xb_offer *offer;
    size_t n;
};

static const struct xb_offer *find(const struct offers *offers, const char *name)
{
    for (size_t i = 0; i < offers->n; i++)
        if (strcmp(offers->offer[i].name, name) == 0)
            return &offers->offer[i];
    return NULL;
}

static unsigned class_bit(const char *name)
{
    unsigned bound = 0;
    while (bound < XB_CLASSES && strcmp(xb_class_name((enum xb_class)bound), name) != 0)
        bound++;
    return 1u << bound;
}

static bool wanted(const struct xb_suite_spec *spec, const struct xb_offer *offer)
{
    unsigned classes = spec->classes;
    if (!classes && spec->n_patterns == 0)
        classes = 1u << XB_CLASS_CPU | 1u << XB_CLASS_CACHE | 1u << XB_CLASS_MEMORY;
    if (classes && !(classes & class_bit(offer->class)))
        return false;
    for (size_t i = 0; i < spec->n_patterns; i++)
        if (fnmatch(spec->patterns[i], offer->name, 0) == 0)
            return true;
    return spec->n_patterns == 0 && (spec->classes || !offer->wall);
}

static int check_patterns(const struct xb_suite_spec *spec, const struct offers *all,
                          struct xb_reason *why)
{
    for (size_t i = 0; i < spec->n_patterns; i++) {
        bool any = false;
        for (size_t j = 0; j < all[0].n + all[1].n; j++) {
            const struct xb_offer *offer =
                j < all[0].n ? &all[0].offer[j] : &all[1].offer[j - all[0].n];
            any |= fnmatch(spec->patterns[i], offer->name, 0) == 0;
        }
        if (!any)
            return xb_because(why, -ENOENT, "no kernel of OLD or NEW fits '%.80s'; see xbound list",
                              spec->patterns[i]);
    }
    return 0;
}

static void add(struct xb_suite *suite, const struct xb_offer *old, const struct xb_offer *new)
{
    const struct xb_suite_spec *spec = &suite->spec;
    const struct xb_offer *any = old ? old : new;
    if (!any)
        return;
    struct xb_contest *contest = &suite->contests[suite->n];
    struct xb_duel *duel = &suite->duels[suite->n];
    suite->n++;
    *contest = (struct xb_contest){ .wall = any->wall };
    memcpy(contest->name, any->name, sizeof contest->name);
    memcpy(contest->class, any->class, sizeof contest->class);
    if (!old || !new) {
        contest->effect.verdict = new ? XB_ADDED : XB_MISSING;
        return;
    }
    bool same = strcmp(old->hash, "-") != 0 && strcmp(old->hash, new->hash) == 0;
    /* Where it waits, engines and models are part of the work, and they are in no kernel's hash. */
    if (same && !any->wall && !spec->measure_unchanged)
        contest->effect.verdict = XB_UNCHANGED;
    bool together = strcmp(any->class, "sync") == 0;
    contest->wall |= together;
    *duel = (struct xb_duel){
        .old = spec->old,
        .new = spec->new,
        .kernel = contest->name,
        .quartets = spec->quartets,
        .opening = { .bytes = any->bytes < spec->bytes_most ? any->bytes : spec->bytes_most,
                     .workers = together ? spec->workers : 1,
                     .seed = spec->seed,
                     .slice_ns = spec->slice_ns,
                     .stretch = (uint64_t)(spec->slowdown * 1e5 + 0.5),
                     .cpu = together ? -1 : spec->cpu },
    };
}

int xb_suite_open(struct xb_suite *suite, const struct xb_suite_spec *spec,
                  const volatile sig_atomic_t *stop, struct xb_reason *why)
{
    struct offers all[2] = { { NULL, 0 }, { NULL, 0 } };
    *suite = (struct xb_suite){ .spec = *spec, .prng = spec->seed };
    int err = xb_duel_offers(spec->old, &all[0].offer, &all[0].n, why);
    if (!err)
        err = xb_duel_offers(spec->new, &all[1].offer, &all[1].n, why);
    if (!err)
        err = check_patterns(spec, all, why);
    suite->contests = calloc(all[0].n + all[1].n + 1, sizeof *suite->contests);
    suite->duels = calloc(all[0].n + all[1].n + 1, sizeof *suite->duels);
    if (!err && (!suite->contests || !suite->duels))
        err = xb_because(why, -ENOMEM, "out of memory for the suite");
    for (size_t i = 0; i < all[0].n && !err; i++)
        if (wanted(spec, &all[0].offer[i]))
            add(suite, &all[0].offer[i], find(&all[1], all[0].offer[i].name));
    for (size_t i = 0; i < all[1].n && !err; i++)
        if (wanted(spec, &all[1].offer[i]) && !find(&all[0], all[1].offer[i].name))
            add(suite, NULL, &all[1].offer[i]);
    free(all[0].offer);
    free(all[1].offer);
    for (size_t i = 0; i < suite->n && !err; i++) {
        const struct xb_contest *contest = &suite->contests[i];
        if (stop && *stop)
            return xb_because(why, -EINTR, "interrupted");
        if (contest->effect.verdict == XB_INCONCLUSIVE)
            err = xb_duel_calibrate(&suite->duels[i], why);
    }
    return err;
}

void xb_suite_close(struct xb_suite *suite)
{
    free(suite->contests);
    free(suite->duels);
    *suite = (struct xb_suite){ .n = 0 };
}

void xb_contest_take(struct xb_contest *contest, const struct xb_block *block)
{
    size_t n = contest->effect.n;
    contest->log_ratios[n] = xb_block_log_ratio(block, contest->wall);
    contest->log_ratios_wall[n] = xb_block_log_ratio(block, true);
    contest->old_ns = xb_block_ns(block, false, contest->wall);
    contest->new_ns = xb_block_ns(block, true, contest->wall);
    contest->switches += xb_block_switches(block, false) + xb_block_switches(block, true);
}

int xb_suite_take(struct xb_suite *suite, size_t index, size_t number, struct xb_block *block,
                  struct xb_reason *why)
{
    const struct xb_duel *duel = &suite->duels[index];
    int err = xb_duel_block(duel, &suite->prng, block, why);
    if (!err && suite->files)
        err = xb_gate_write_block(suite->files, &suite->contests[index], number, block,
                                  duel->opening.iters, duel->opening.bytes, why);
    return err;
}

int xb_suite_block(void *context, size_t index, struct xb_reason *why)
{
    struct xb_suite *suite = context;
    struct xb_contest *contest = &suite->contests[index];
    struct xb_block block;
    int err = xb_suite_take(suite, index, contest->effect.n, &block, why);
    if (!err)
        xb_contest_take(contest, &block);
    return err;
}
