/* SPDX-License-Identifier: BSD-3-Clause */
#include "stall_words.h"

#include "../base/symbol.h"
#include "stall_parts.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

enum { HOTTEST = 3 }; /* instructions that are named */

/* Of user time, what a set that is told of is waited for; and of all samples, those that touch it. */
static const double TOLD_SHARE = 0.05;
/* So many pairs may be due, and none be seen, by chance once in twenty. */
static const double PAIRS_MISSED = 3;

static const char *level_name(enum xb_level level)
{
    switch (level) {
    case XB_LEVEL_L1:
        return "L1";
    case XB_LEVEL_L2:
        return "L2";
    case XB_LEVEL_LLC:
        return "the last level";
    default:
        return "DRAM";
    }
}

/* Bytes as people write them: a number below 1024, and its unit. */
static double scale(double bytes, const char **unit)
{
    static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB" };
    size_t i = 0;
    for (; bytes >= 1024 && i + 1 < sizeof units / sizeof units[0]; i++)
        bytes /= 1024;
    *unit = units[i];
    return bytes;
}

/* Whether a set so large may have so many touches of which no two met, within the coarsest granule that was tried. */
static bool may_not_meet(const struct xb_pool *pool, double bytes)
{
    double touches = (double)pool->touches;
    return touches * (touches - 1) / 2 * pool->size.granule / bytes <= PAIRS_MISSED;
}

/* The size of a phase's pool as the phases before it confirm it: with more samples it is less in error. */
static struct xb_size confirm(const struct xb_pool *pool, const struct xb_stall_sums *longer)
{
    struct xb_size best = pool->size;
    for (size_t i = 0; i < longer->n_pools && !pool->is_hot; i++) {
        const struct xb_size *other = &longer->pool[i].size;
        double apart = fabs(log(other->bytes / pool->size.bytes));
        bool same = isfinite(pool->size.bytes)
                        ? apart < 0.1 + 3 * hypot(other->error, pool->size.error)
                        : isfinite(other->bytes) && may_not_meet(pool, other->bytes);
        if (!longer->pool[i].is_hot && other->error < best.error && same)
            best = *other;
    }
    return best;
}

/* Sets of which only offsets from a base are known. */
static void tell_least(const struct xb_capacity *capacity, const struct xb_stall_sums *sums,
                       struct xb_findings *out)
{
    const struct xb_pool *pool = &sums->least[0];
    double share = sums->n_least ? (double)pool->touches / (double)sums->n : 0;
    if (share < TOLD_SHARE || !isfinite(pool->size.bytes))
        return;
    const char *unit;
    double bytes = scale(pool->size.bytes, &unit);
    xb_add_clue(out, "least_set_bytes", pool->size.bytes,
                "%.0f %% of user time waits for a working set of %.3g %s at least, which %s holds: "
                "only offsets are known (%llu pairs of samples within %u bytes)",
                100 * share, bytes, unit, level_name(xb_level_of(capacity, pool->size.bytes)),
                (unsigned long long)pool->size.pairs, pool->size.granule);
}

/* Returns how many sets it told of. */
static size_t tell_pools(const struct xb_capacity *capacity, const struct xb_stall_sums *sums,
                         const struct xb_stall_sums *longer, struct xb_findings *out)
{
    size_t told = 0;
    for (size_t i = 0; i < sums->n_pools && told < 2; i++) {
        const struct xb_pool *pool = &sums->pool[i];
        double share = (double)pool->touches / (double)sums->n;
        const char *name = told ? "second_set_bytes" : "working_set_bytes", *unit;
        if (share < TOLD_SHARE)
            break;
        told++;
        struct xb_size size = confirm(pool, longer);
        double bytes = scale(size.bytes, &unit);
        const char *level = level_name(xb_level_of(capacity, size.bytes));
        if (pool->is_hot)
            xb_add_clue(out, name, size.bytes,
                        "%.0f %% of user time waits for %.0f %s of hot lines", 100 * share, bytes,
                        unit);
        else if (!isfinite(size.bytes))
            xb_add_clue(
                out, name, NAN,
                "%.0f %% of user time waits for addresses of which no two met in %zu samples",
                100 * share, pool->touches);
        else
            xb_add_clue(out, name, size.bytes,
                        "%.0f %% of user time waits for a working set of %.3g %s, which %s holds "
                        "(+-%.0f %%: %llu pairs of samples within %u bytes)",
                        100 * share, bytes, unit, level, 100 * size.error,
                        (unsigned long long)size.pairs, size.granule);
        if (pool->size.bytes_least > 0 && !pool->is_hot && told == 1) {
            bytes = scale(pool->size.bytes_least, &unit);
            xb_add_clue(out, "working_set_or_bytes", pool->size.bytes_least,
                        "that set may as well be %.3g %s, spread thinly over its pages: too few "
                        "pairs of samples to tell",
                        bytes, unit);
        }
    }
    return told;
}

/* What is gone through and not waited for has a size too. */
static void tell_hidden(const struct xb_capacity *capacity, const struct xb_stall_sums *longer,
                        struct xb_findings *out)
{
    const struct xb_pool *pool = longer->pool, *end = pool + longer->n_pools;
    while (pool < end && (pool->is_hot || !isfinite(pool->size.bytes)))
        pool++;
    if (pool == end || (double)pool->touches < TOLD_SHARE * (double)longer->n)
        return;
    const char *unit;
    double bytes = scale(pool->size.bytes, &unit);
    xb_add_clue(out, "working_set_bytes", pool->size.bytes,
                "its working set is %.3g %s, which %s holds, and hardly waited for "
                "(+-%.0f %%: %llu pairs of samples within %u bytes)",
                bytes, unit, level_name(xb_level_of(capacity, pool->size.bytes)),
                100 * pool->size.error, (unsigned long long)pool->size.pairs, pool->size.granule);
}

/* "libc.so.6 memcpy+0x1c", or how far into the file where no symbol says more. */
static void name_place(const struct xb_stalls *stalls, const struct xb_stall_site *site, char *text,
                       size_t n)
{
    const struct xb_mapping *mapping =
        xb_maps_find(xb_stalls_maps(stalls), site->pid, site->stall.at);
    const char *slash = mapping ? strrchr(mapping->name, '/') : NULL;
    char symbol[72];
    if (!slash) {
        snprintf(text, n, "%s 0x%llx",
                 mapping && mapping->name[0] ? mapping->name : "generated code",
                 (unsigned long long)site->stall.at);
        return;
    }
    uint64_t offset = site->stall.at - mapping->start + mapping->offset;
    if (xb_symbol_find(mapping->name, offset, symbol, sizeof symbol) == 0)
        snprintf(text, n, "%.40s %s", slash + 1, symbol);
    else
        snprintf(text, n, "%.40s+0x%llx", slash + 1, (unsigned long long)offset);
}

/* Names the instructions that most samples stood at. Several samples' places can be one instruction. */
static void tell_hottest(const struct xb_stalls *stalls, struct xb_stall_sums *sums,
                         struct xb_findings *out)
{
    static const char *const names[HOTTEST] = { "hottest_share", "second_share", "third_share" };
    for (int rank = 0; rank < HOTTEST; rank++) {
        size_t best = 0, n_sites;
        const struct xb_stall_site *sites = xb_stalls_sites(stalls, &n_sites);
        for (size_t i = 0; i < sums->n_sites; i++)
            if (sums->of_site[i] > sums->of_site[best])
                best = i;
        size_t samples = 0;
        const struct xb_stall_site *site = &sites[best];
        for (size_t i = 0; i < sums->n_sites; i++)
            if (sites[i].stall.at == site->stall.at && sites[i].pid == site->pid) {
                samples += sums->of_site[i];
                sums->of_site[i] = 0;
            }
        double share = (double)samples / (double)sums->n;
        if (!samples || share < 0.02)
            return;
        char place[128];
        name_place(stalls, site, place, sizeof place);
        xb_add_clue(out, names[rank], share, "%.0f %% at %s: %s (%s)", 100 * share, place,
                    site->stall.text[0] ? site->stall.text : "?",
                    xb_stall_kind_name(site->stall.kind));
    }
}

static void tell_kinds(const struct xb_stall_sums *sums, struct xb_findings *out)
{
    double n = (double)sums->n;
    const size_t *kind = sums->kind;
    size_t touches =
        kind[XB_STALL_LOAD] + kind[XB_STALL_STORE] + kind[XB_STALL_ATOMIC] + kind[XB_STALL_STRING];
    xb_add_clue(out, "access_share", (double)touches / n,
                "of %zu samples of user time %.0f %% stood at loads and stores, %.0f %% at "
                "atomics, %.0f %% at "
                "divisions, %.0f %% at pauses",
                sums->n, 100 * (double)(touches - kind[XB_STALL_ATOMIC]) / n,
                100 * (double)kind[XB_STALL_ATOMIC] / n, 100 * (double)kind[XB_STALL_DIVIDE] / n,
                100 * (double)kind[XB_STALL_PAUSE] / n);
    size_t blind = kind[XB_STALL_UNDECODABLE] + kind[XB_STALL_NO_CODE];
    if (sums->contended > sums->n / 50)
        xb_add_clue(
            out, "contended_share", (double)sums->contended / n,
            "%.0f %% stood at lines that several threads write to, or one while others read",
            100 * (double)sums->contended / n);
    if (sums->lost + blind > sums->n / 50)
        xb_add_clue(
            out, "unknown_share", (double)(sums->lost + blind) / n,
            "%.0f %% of samples say nothing: the address was overwritten (%zu), the instruction "
            "could not be decoded (%zu), or its code not be read (%zu)",
            100 * (double)(sums->lost + blind) / n, sums->lost, kind[XB_STALL_UNDECODABLE],
            kind[XB_STALL_NO_CODE]);
    if (sums->hidden > sums->n / 50)
        xb_add_clue(out, "hidden_share", (double)sums->hidden / n,
                    "%.0f %% stood at loads and stores that nobody waits for: no more than beside "
                    "them, in step with the pipeline, or in a loop that takes as long without",
                    100 * (double)sums->hidden / n);
}

void xb_stall_tell(const struct xb_capacity *capacity, const struct xb_stalls *stalls,
                   struct xb_stall_sums *sums, const struct xb_stall_sums *longer,
                   struct xb_findings *out)
{
    if (!tell_pools(capacity, sums, longer, out))
        tell_hidden(capacity, longer, out);
    tell_least(capacity, sums, out);
    tell_hottest(stalls, sums, out);
    tell_kinds(sums, out);
}
