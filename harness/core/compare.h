/* Two stored runs, cell by cell, and what they have in common. Pure. */
#ifndef XB_CORE_COMPARE_H
#define XB_CORE_COMPARE_H

#include "stored.h"

/* X(enumerator, word, fails, what it means). From the worst to the least: the order to show them in. */
#define XB_CHANGES(X)                                                                             \
    X(MISSING, "missing", true, "in base, not in new")                                            \
    X(BROKE, "broke", true, "measured in base, failed or skipped in new")                         \
    X(OTHER_WORK, "other-work", true, "another checksum from the same seed and iterations")       \
    X(MORE_COUNTS, "more-counts", true, "a simulated count rose by more than the limit")          \
    X(SLOWER, "slower", true, "the whole interval of the ratio lies beyond the margin")           \
    X(UNCLEAR, "unclear", false, "the interval reaches across the margin, is missing or suspect") \
    X(FEWER_COUNTS, "fewer-counts", false, "a simulated count fell by more than the limit")       \
    X(FASTER, "faster", false, "the whole interval lies below the margin")                        \
    X(MENDED, "mended", false, "failed or skipped in base, measured in new")                      \
    X(ADDED, "added", false, "in new, not in base")                                               \
    X(SAME, "same", false, "the whole interval, or every count, lies within the margin")          \
    X(NO_FIGURE, "no-figure", false, "nothing to compare in either")

enum xb_change {
#define X(id, word, fails, meaning) XB_CHANGE_##id,
    XB_CHANGES(X)
#undef X
        XB_CHANGE_COUNT
};

const char *xb_change_word(enum xb_change change);
const char *xb_change_meaning(enum xb_change change);

/* Whether one such cell fails the comparison. */
bool xb_change_fails(enum xb_change change);

struct xb_limits {
    double margin;          /* of ratios of time: 0.1 is a tenth */
    double counts;          /* of simulated counts: 0.001 is a thousandth */
    bool counts_comparable; /* otherwise counts are left alone */
};

struct xb_pair {
    const struct xb_stored_cell *base, *new; /* one of them may be NULL */
    enum xb_change change;
    struct xb_interval ratio; /* of ns_per_item, new / base; NaN where there is none */
    int metric;               /* which exact count decided, or -1 */
    double count_ratio;       /* of that, per item */
};

/* Pairs the cells up, the worst changes first, each kind in the order of base's file. The caller
 * frees. 0 or -ENOMEM. */
int xb_compare(const struct xb_stored *base, const struct xb_stored *new,
               const struct xb_limits *limits, struct xb_pair **pairs, size_t *n);

/* The cell's name, and why it has no figure (new's reason before base's; ""). */
const char *xb_pair_name(const struct xb_stored *base, const struct xb_stored *new,
                         const struct xb_pair *pair);
const char *xb_pair_reason(const struct xb_stored *base, const struct xb_stored *new,
                           const struct xb_pair *pair);

/* Writes them as CSV, one row each. */
void xb_pairs_write(FILE *out, const struct xb_stored *base, const struct xb_stored *new,
                    const struct xb_pair *pairs, size_t n);

/* ---- provenance ---- */

/* What a key of provenance.csv is about. */
enum xb_fact_kind {
    XB_FACT_MACHINE,
    XB_FACT_SYSTEM,
    XB_FACT_BUILD,
    XB_FACT_SETTING,
    XB_FACT_KINDS
};

struct xb_difference {
    enum xb_fact_kind kind;
    const char *key, *base, *new; /* of the runs' facts */
};

enum { XB_DIFFERENCES = 64 };

/* Writes the keys whose values differ, kind by kind, and returns how many. What differs between any
 * two runs (times, load, what was measured) is left out. */
size_t xb_facts_differ(const struct xb_facts *base, const struct xb_facts *new,
                       struct xb_difference differences[XB_DIFFERENCES]);

enum xb_kinship {
    XB_KIN_SAME_BOOT, /* one machine for sure: the same boot of the same kernel */
    XB_KIN_SAME_HOST, /* its name and hardware agree */
    XB_KIN_SAME_KIND, /* equal hardware, but another host's name */
    XB_KIN_STRANGERS  /* other hardware */
};

enum xb_kinship xb_facts_kinship(const struct xb_facts *base, const struct xb_facts *new);

#endif
