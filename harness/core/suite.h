/* A suite of comparisons of two builds: which kernels, of what size, and the blocks of each. */
#ifndef XB_CORE_SUITE_H
#define XB_CORE_SUITE_H

#include "duel.h"
#include "gate.h"
#include "gate_rows.h"

struct xb_suite_spec {
    struct xb_build *old, *new;
    const char *const *patterns; /* names or globs, fnmatch(3); n_patterns 0: all of `classes` */
    size_t n_patterns;
    unsigned
        classes; /* bit (1u << enum xb_class); 0: cpu cache memory without patterns, else all */
    uint64_t bytes_most; /* no working set is larger: it is built anew for each process */
    uint64_t slice_ns;
    size_t quartets;
    int cpu;          /* that workers alone are bound to */
    uint32_t workers; /* of kernels that wait for each other */
    uint64_t seed;
    bool measure_unchanged; /* also what is the same machine code */
    double slowdown;        /* share that the new build's slices are stretched by */
};

struct xb_suite {
    struct xb_suite_spec spec;
    struct xb_contest *contests; /* n of each */
    struct xb_duel *duels;
    size_t n;
    uint64_t prng;
    struct xb_gate_files *files; /* the caller's; NULL: nothing is written */
};

/* Asks both builds what they have and makes a comparison of each kernel that fits; the old build's
 * sizes hold for both, and it calibrates. 0, or -errno with `why`: -ENOENT when a pattern fits nothing. The caller closes, also
 * after an error. */
int xb_suite_open(struct xb_suite *suite, const struct xb_suite_spec *spec,
                  const volatile sig_atomic_t *stop, struct xb_reason *why);
void xb_suite_close(struct xb_suite *suite);

/* For xb_gate.block: takes a block with fresh processes, and writes its rows. `context`: the suite. */
int xb_suite_block(void *context, size_t index, struct xb_reason *why);

/* Takes a block of suite->duels[index] and writes its rows as block `number` of its contest. 0 or
 * -errno with `why`. */
int xb_suite_take(struct xb_suite *suite, size_t index, size_t number, struct xb_block *block,
                  struct xb_reason *why);

/* What goes into a contest from a block: log ratios, times, switches. */
void xb_contest_take(struct xb_contest *contest, const struct xb_block *block);

#endif
