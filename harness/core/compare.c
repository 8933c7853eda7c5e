/* SPDX-License-Identifier: BSD-3-Clause
 * Pairs the cells of two runs and says how each changed. */
#include "compare.h"

#include "../stats/ratio.h"
#include "metrics.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *word, *meaning;
    bool fails;
} changes[] = {
#define X(id, word, fails, meaning) { word, meaning, fails },
    XB_CHANGES(X)
#undef X
};

const char *xb_change_word(enum xb_change change)
{
    return changes[change].word;
}

const char *xb_change_meaning(enum xb_change change)
{
    return changes[change].meaning;
}

bool xb_change_fails(enum xb_change change)
{
    return changes[change].fails;
}

/* ---- cells ---- */

/* Fewer than these may come and go with what the program did before the region that is counted. */
static const double COUNTS_LEAST = 500;

/* How one simulated count changed; UNCLEAR where it is not in both. Where the work is not equal,
 * counts for each item are compared. */
static enum xb_change judge_count(struct xb_pair *pair, int index, double limit)
{
    const struct xb_stored_cell *base = pair->base, *new = pair->new;
    if (base->count[index] == XB_ABSENT || new->count[index] == XB_ABSENT)
        return XB_CHANGE_UNCLEAR;
    double items = (double)new->count_items / (double)base->count_items;
    double was = (double)base->count[index] * items, is = (double)new->count[index];
    double least = COUNTS_LEAST * (double)new->count_samples;
    pair->metric = index;
    pair->count_ratio = was > 0 ? is / was : is > 0 ? INFINITY : 1;
    if (fabs(is - was) <= least || fabs(is - was) <= limit * was)
        return XB_CHANGE_SAME;
    return is > was ? XB_CHANGE_MORE_COUNTS : XB_CHANGE_FEWER_COUNTS;
}

/* The worst of the counts. Simulated cells have no time worth comparing. */
static enum xb_change judge_counts(struct xb_pair *pair, const struct xb_limits *limits)
{
    enum xb_change worst = XB_CHANGE_NO_FIGURE;
    struct xb_pair shown = *pair;
    if (!limits->counts_comparable || !pair->base->count_items || !pair->new->count_items)
        return XB_CHANGE_UNCLEAR;
    for (int i = 0; i < XB_EXACT_COUNTS; i++) {
        struct xb_pair one = *pair;
        enum xb_change change = judge_count(&one, i, limits->counts);
        if (change < worst) {
            worst = change;
            shown = one;
        }
    }
    pair->metric = shown.metric;
    pair->count_ratio = shown.count_ratio;
    return worst;
}

static enum xb_change judge_time(struct xb_pair *pair, const struct xb_limits *limits)
{
    const struct xb_stored_cell *base = pair->base, *new = pair->new;
    if (isnan(base->item_ns.median) && isnan(new->item_ns.median))
        return XB_CHANGE_NO_FIGURE;
    pair->ratio = xb_median_ratio(base->item_ns, new->item_ns);
    if (base->suspect || new->suspect)
        return XB_CHANGE_UNCLEAR;
    switch (xb_ratio_shift(pair->ratio, limits->margin)) {
    case XB_SHIFT_UP:
        return XB_CHANGE_SLOWER;
    case XB_SHIFT_DOWN:
        return XB_CHANGE_FASTER;
    case XB_SHIFT_NONE:
        return XB_CHANGE_SAME;
    default:
        return XB_CHANGE_UNCLEAR;
    }
}

static enum xb_change judge(struct xb_pair *pair, const struct xb_limits *limits)
{
    const struct xb_stored_cell *base = pair->base, *new = pair->new;
    if (!new)
        return XB_CHANGE_MISSING;
    if (!base)
        return XB_CHANGE_ADDED;
    if (!base->measured && !new->measured)
        return XB_CHANGE_NO_FIGURE;
    if (base->measured != new->measured)
        return new->measured ? XB_CHANGE_MENDED : XB_CHANGE_BROKE;
    bool hashed = base->checksum != XB_ABSENT && new->checksum != XB_ABSENT;
    if (hashed && base->seed == new->seed && base->iters == new->iters &&
        base->checksum != new->checksum)
        return XB_CHANGE_OTHER_WORK;
    return base->count_samples || new->count_samples ? judge_counts(pair, limits)
                                                     : judge_time(pair, limits);
}

static int by_change(const void *a, const void *b)
{
    const struct xb_pair *left = a, *right = b;
    if (left->change != right->change)
        return left->change < right->change ? -1 : 1;
    const struct xb_stored_cell *one = left->base ? left->base : left->new;
    const struct xb_stored_cell *other = right->base ? right->base : right->new;
    return one->line < other->line ? -1 : one->line > other->line;
}

int xb_compare(const struct xb_stored *base, const struct xb_stored *new,
               const struct xb_limits *limits, struct xb_pair **pairs, size_t *n)
{
    *n = 0;
    *pairs = calloc(base->n + new->n + 1, sizeof **pairs);
    if (!*pairs)
        return -ENOMEM;
    for (size_t i = 0; i < base->n; i++)
        (*pairs)[(*n)++].base = &base->cell[i];
    for (size_t i = 0; i < base->n; i++)
        (*pairs)[i].new = xb_stored_find(new, xb_stored_text(base, base->cell[i].name));
    for (size_t i = 0; i < new->n; i++)
        if (!xb_stored_find(base, xb_stored_text(new, new->cell[i].name)))
            (*pairs)[(*n)++].new = &new->cell[i];
    for (size_t i = 0; i < *n; i++) {
        struct xb_pair *pair = &(*pairs)[i];
        pair->metric = -1;
        pair->ratio = (struct xb_interval){ NAN, NAN, NAN };
        pair->count_ratio = NAN;
        pair->change = judge(pair, limits);
    }
    qsort(*pairs, *n, sizeof **pairs, by_change);
    return 0;
}

/* ---- rows ---- */

const char *xb_pair_name(const struct xb_stored *base, const struct xb_stored *new,
                         const struct xb_pair *pair)
{
    return pair->base ? xb_stored_text(base, pair->base->name)
                      : xb_stored_text(new, pair->new->name);
}

const char *xb_pair_reason(const struct xb_stored *base, const struct xb_stored *new,
                           const struct xb_pair *pair)
{
    const char *was = pair->base ? xb_stored_text(base, pair->base->reason) : "";
    const char *is = pair->new ? xb_stored_text(new, pair->new->reason) : "";
    return is[0] ? is : was;
}

static void write_real(FILE *out, double value)
{
    if (isfinite(value))
        fprintf(out, "%.9g", value);
    putc(',', out);
}

void xb_pairs_write(FILE *out, const struct xb_stored *base, const struct xb_stored *new,
                    const struct xb_pair *pairs, size_t n)
{
    fputs("cell,change,fails,ratio,ratio_lo,ratio_hi,base_ns_per_item,new_ns_per_item,metric,"
          "count_ratio,reason\n",
          out);
    for (size_t i = 0; i < n; i++) {
        const struct xb_pair *pair = &pairs[i];
        xb_csv_text(out, xb_pair_name(base, new, pair));
        fprintf(out, ",%s,%s,", xb_change_word(pair->change),
                xb_change_fails(pair->change) ? "yes" : "no");
        write_real(out, pair->ratio.median);
        write_real(out, pair->ratio.lo);
        write_real(out, pair->ratio.hi);
        write_real(out, pair->base ? pair->base->item_ns.median : NAN);
        write_real(out, pair->new ? pair->new->item_ns.median : NAN);
        fprintf(out, "%s,", pair->metric < 0 ? "" : xb_metric_name(xb_exact_metric[pair->metric]));
        write_real(out, pair->count_ratio);
        xb_csv_text(out, xb_pair_reason(base, new, pair));
        putc('\n', out);
    }
}

/* ---- provenance ---- */

static const struct {
    enum xb_fact_kind kind;
    const char *key;
} keys[] = {
    { XB_FACT_MACHINE, "cpu_model" },
    { XB_FACT_MACHINE, "virtualisation" },
    { XB_FACT_MACHINE, "pus" },
    { XB_FACT_MACHINE, "cores" },
    { XB_FACT_MACHINE, "memory_total_bytes" },
    { XB_FACT_MACHINE, "l1d_claimed_bytes" },
    { XB_FACT_MACHINE, "l2_claimed_bytes" },
    { XB_FACT_MACHINE, "llc_claimed_bytes" },
    { XB_FACT_SYSTEM, "hostname" },
    { XB_FACT_SYSTEM, "kernel" },
    { XB_FACT_SYSTEM, "libc" },
    { XB_FACT_SYSTEM, "microcode" },
    { XB_FACT_SYSTEM, "distribution" },
    { XB_FACT_SYSTEM, "governor" },
    { XB_FACT_SYSTEM, "turbo" },
    { XB_FACT_SYSTEM, "smt" },
    { XB_FACT_SYSTEM, "thp" },
    { XB_FACT_SYSTEM, "aslr" },
    { XB_FACT_SYSTEM, "cpuset" },
    { XB_FACT_SYSTEM, "cpus_online" },
    { XB_FACT_SYSTEM, "cpu_quota_cores" },
    { XB_FACT_SYSTEM, "memory_limit_bytes" },
    { XB_FACT_SYSTEM, "clocksource" },
    { XB_FACT_BUILD, "xbound_version" },
    { XB_FACT_BUILD, "git_commit" },
    { XB_FACT_BUILD, "compiler" },
    { XB_FACT_BUILD, "compiler_flags" },
    { XB_FACT_BUILD, "libraries" },
    { XB_FACT_SETTING, "counters_used" },
    { XB_FACT_SETTING, "seed" },
    { XB_FACT_SETTING, "bind" },
    { XB_FACT_SETTING, "sample_min_ns" },
    { XB_FACT_SETTING, "cell_max_ns" },
    { XB_FACT_SETTING, "precision_ratio" },
    { XB_FACT_SETTING, "gil_slice_ns" },
    { XB_FACT_SETTING, "loop_slice_ns" },
    { XB_FACT_SETTING, "memory_limit_bytes_asked" },
    { XB_FACT_SETTING, "memory_limit_by" },
    { XB_FACT_SETTING, "quick" },
    { XB_FACT_SETTING, "caches" },
    { XB_FACT_SETTING, "l1d_used_bytes" },
    { XB_FACT_SETTING, "l2_used_bytes" },
    { XB_FACT_SETTING, "llc_used_bytes" },
};
_Static_assert(sizeof keys / sizeof keys[0] <= XB_DIFFERENCES, "room for all");

/* What the kernel keeps of memory for itself differs from version to version. */
static bool differs(const char *key, const char *base, const char *new)
{
    if (strcmp(key, "memory_total_bytes") == 0) {
        double was = strtod(base, NULL), is = strtod(new, NULL);
        return !(fabs(is - was) <= 0.05 * was);
    }
    return strcmp(base, new) != 0;
}

size_t xb_facts_differ(const struct xb_facts *base, const struct xb_facts *new,
                       struct xb_difference differences[XB_DIFFERENCES])
{
    size_t n = 0;
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        const char *was = xb_facts_get(base, keys[i].key), *is = xb_facts_get(new, keys[i].key);
        if (differs(keys[i].key, was, is))
            differences[n++] = (struct xb_difference){ keys[i].kind, keys[i].key, was, is };
    }
    return n;
}

enum xb_kinship xb_facts_kinship(const struct xb_facts *base, const struct xb_facts *new)
{
    struct xb_difference differences[XB_DIFFERENCES];
    size_t n = xb_facts_differ(base, new, differences);
    bool same_name = true;
    for (size_t i = 0; i < n; i++) {
        if (differences[i].kind == XB_FACT_MACHINE)
            return XB_KIN_STRANGERS;
        same_name &= strcmp(differences[i].key, "hostname") != 0;
    }
    const char *boot = xb_facts_get(base, "boot_id");
    if (boot[0] && strcmp(boot, xb_facts_get(new, "boot_id")) == 0)
        return XB_KIN_SAME_BOOT;
    return same_name ? XB_KIN_SAME_HOST : XB_KIN_SAME_KIND;
}
