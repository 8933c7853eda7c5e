/* The gate's own error rates on this machine: A against A, and slowdowns of known size. */
#ifndef XB_CORE_SELFTEST_H
#define XB_CORE_SELFTEST_H

#include "gate.h"
#include "suite.h"

#include <stdio.h>

/* Slowdowns whose power is told, as shares. Power costs no machine time: ln(1 + s) is added to blocks of
 * A against A. Some are also injected, by spinning, to see that what is found is what was put in. */
enum { XB_POWERS = 4, XB_INJECTED = 2, XB_AA_WINDOWS = 50 };
extern const double xb_powers[XB_POWERS];
extern const double xb_injected[XB_INJECTED];

/* What came of one kernel. */
struct xb_selftest_row {
    const struct xb_contest *contest;
    /* Windows of XB_BLOCKS_LEAST blocks of A against A, judged as if that were all there is. */
    size_t windows, regressed, improved, proven,
        missed; /* missed: 0 is outside the 95 % interval */
    /* Windows of as many blocks as fit into the class's time: of them, REGRESSED with each added. */
    size_t power_blocks, power_windows, powered[XB_POWERS];
    double found[XB_INJECTED]; /* estimate, as a share, with so much injected */
    double sd, block_ns;       /* of one block: log ratio, wall time */
    double *blocks;            /* A against A, n of them */
    size_t n;
};

struct xb_selftest {
    struct xb_suite *suite; /* OLD and NEW are the same program; all contests measured */
    struct xb_rule rule;
    uint64_t limit_ns; /* ends when it is over, or all windows are full */
    const volatile sig_atomic_t *stop;
    void (*progress)(void *context, size_t done, size_t all, double seconds);
    void *context;
    struct xb_selftest_row *rows; /* out: suite->n of them */
    uint64_t spent_ns;            /* out */
};

/* Seconds that a comparison of this class may take: what the power is told for. */
double xb_selftest_seconds(const char *class);

/* Measures. 0, or -EINTR, or -errno with `why`. The caller closes, also after an error. */
int xb_selftest_run(struct xb_selftest *test, struct xb_reason *why);
void xb_selftest_close(struct xb_selftest *test);

/* A line for each kernel, and the sums. */
void xb_selftest_print(FILE *out, const struct xb_selftest *test);

/* selftest.csv, header included. 0 or -errno. */
int xb_selftest_write(FILE *out, const struct xb_selftest *test);

/* Whether there were more false REGRESSED than the plan's alpha explains (p < 1 %). */
bool xb_selftest_failed(const struct xb_selftest *test);

#endif
