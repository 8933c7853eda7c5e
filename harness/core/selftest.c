/* SPDX-License-Identifier: BSD-3-Clause
 * Measures A against A, cuts the blocks into windows, and counts what the rule says of them. */
#include "selftest.h"

#include "../../kernels/prng.h"
#include "../base/clock.h"
#include "../stats/median.h"
#include "row.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

const double xb_powers[XB_POWERS] = { 0.01, 0.02, 0.05, 0.10 };
const double xb_injected[XB_INJECTED] = { 0.02, 0.05 };

enum { AA_BLOCKS = XB_AA_WINDOWS * XB_BLOCKS_LEAST, INJECTED_BLOCKS = 10 };

double xb_selftest_seconds(const char *class)
{
    return strcmp(class, "cpu") == 0 || strcmp(class, "cache") == 0 ? 3 : 10;
}

/* ---- measuring ---- */

static bool late(const struct xb_selftest *test, uint64_t begin_ns)
{
    return xb_now_ns() - begin_ns >= test->limit_ns;
}

static int take(struct xb_selftest *test, size_t index, size_t number, double *log_ratio,
                struct xb_reason *why)
{
    struct xb_suite *suite = test->suite;
    struct xb_block block;
    if (test->stop && *test->stop)
        return xb_because(why, -EINTR, "interrupted");
    int err = xb_suite_take(suite, index, number, &block, why);
    if (err)
        return err;
    *log_ratio = xb_block_log_ratio(&block, suite->contests[index].wall);
    if (!isfinite(*log_ratio))
        return xb_because(why, -EDOM, "%s: a slice took no time at all; make it longer",
                          suite->contests[index].name);
    return 0;
}

/* In the files these are the blocks behind those of A against A. */
static int inject(struct xb_selftest *test, size_t index, size_t which, struct xb_reason *why)
{
    struct xb_duel *duel = &test->suite->duels[index];
    double blocks[INJECTED_BLOCKS];
    int err = 0;
    duel->opening.stretch = (uint64_t)(xb_injected[which] * 1e5 + 0.5);
    for (size_t i = 0; i < INJECTED_BLOCKS && !err; i++)
        err = take(test, index, AA_BLOCKS + which * INJECTED_BLOCKS + i, &blocks[i], why);
    duel->opening.stretch = 0;
    test->rows[index].found[which] =
        err ? NAN : expm1(xb_hodges_lehmann(blocks, INJECTED_BLOCKS, 0.05).estimate);
    return err;
}

/* A block of each kernel, in an order of its own each round. */
static int take_round(struct xb_selftest *test, size_t number, size_t *order, uint64_t *prng,
                      struct xb_reason *why)
{
    size_t n = test->suite->n;
    for (size_t i = 0; i < n; i++)
        order[i] = i;
    for (size_t i = n; i > 1; i--) {
        size_t j = xb_prng_below(prng, i), kept = order[i - 1];
        order[i - 1] = order[j];
        order[j] = kept;
    }
    for (size_t i = 0; i < n; i++) {
        struct xb_selftest_row *row = &test->rows[order[i]];
        uint64_t begin_ns = xb_now_ns();
        int err = take(test, order[i], number, &row->blocks[number], why);
        if (err)
            return err;
        row->n = number + 1;
        row->block_ns += (double)(xb_now_ns() - begin_ns);
    }
    return 0;
}

/* ---- counting ---- */

static enum xb_verdict judge(const struct xb_rule *rule, const double *blocks, size_t n,
                             struct xb_effect *effect)
{
    *effect = (struct xb_effect){ .log_ratios = blocks, .n = n };
    return xb_judge(rule, effect, 1) == 0 ? effect->verdict : XB_INCONCLUSIVE;
}

static void count_false(const struct xb_selftest *test, struct xb_selftest_row *row)
{
    struct xb_rule rule = test->rule;
    struct xb_effect effect;
    rule.looks = xb_looks_plan(XB_BLOCKS_LEAST); /* spends all of alpha at once: the most liberal */
    for (size_t at = 0; at + XB_BLOCKS_LEAST <= row->n; at += XB_BLOCKS_LEAST) {
        enum xb_verdict verdict = judge(&rule, row->blocks + at, XB_BLOCKS_LEAST, &effect);
        row->windows++;
        row->regressed += verdict == XB_REGRESSED;
        row->improved += verdict == XB_IMPROVED;
        row->proven += verdict == XB_PROVEN;
        row->missed += effect.shift.lo > 0 || effect.shift.hi < 0;
    }
}

static void count_power(const struct xb_selftest *test, struct xb_selftest_row *row)
{
    double fits = xb_selftest_seconds(row->contest->class) * 1e9 / row->block_ns;
    double added[XB_BLOCKS_MAX];
    struct xb_effect effect;
    row->power_blocks = fits < XB_BLOCKS_LEAST ? XB_BLOCKS_LEAST
                        : fits > XB_BLOCKS_MAX ? XB_BLOCKS_MAX
                                               : (size_t)fits;
    for (size_t at = 0; at + row->power_blocks <= row->n; at += row->power_blocks) {
        row->power_windows++;
        for (size_t i = 0; i < XB_POWERS; i++) {
            for (size_t j = 0; j < row->power_blocks; j++)
                added[j] = row->blocks[at + j] + log1p(xb_powers[i]);
            row->powered[i] +=
                judge(&test->rule, added, row->power_blocks, &effect) == XB_REGRESSED;
        }
    }
}

/* Robust: the middle half of a normal distribution is 1.349 deviations wide. */
static double spread(const double *blocks, size_t n)
{
    double *sorted = malloc((n + 1) * sizeof *sorted);
    if (!sorted || n < 4) {
        free(sorted);
        return NAN;
    }
    memcpy(sorted, blocks, n * sizeof *sorted);
    xb_sort(sorted, n);
    double width = sorted[3 * n / 4] - sorted[n / 4];
    free(sorted);
    return width / 1.349;
}

int xb_selftest_run(struct xb_selftest *test, struct xb_reason *why)
{
    size_t n = test->suite->n;
    uint64_t begin_ns = xb_now_ns(), prng = test->suite->spec.seed;
    size_t *order = calloc(n + 1, sizeof *order);
    test->rows = calloc(n + 1, sizeof *test->rows);
    int err = order && test->rows ? 0 : xb_because(why, -ENOMEM, "out of memory for the self-test");
    for (size_t i = 0; i < n && !err; i++) {
        test->rows[i].contest = &test->suite->contests[i];
        test->rows[i].blocks = calloc(AA_BLOCKS, sizeof *test->rows[i].blocks);
        if (!test->rows[i].blocks)
            err = xb_because(why, -ENOMEM, "out of memory for the self-test");
    }
    for (size_t i = 0; i < n * XB_INJECTED && !err; i++)
        err = inject(test, i / XB_INJECTED, i % XB_INJECTED, why);
    for (size_t number = 0; number < AA_BLOCKS && !err && !late(test, begin_ns); number++) {
        err = take_round(test, number, order, &prng, why);
        if (!err && test->progress)
            test->progress(test->context, number + 1, AA_BLOCKS,
                           (double)(xb_now_ns() - begin_ns) / 1e9);
    }
    for (size_t i = 0; i < n && !err; i++) {
        struct xb_selftest_row *row = &test->rows[i];
        row->block_ns /= (double)(row->n ? row->n : 1);
        row->sd = spread(row->blocks, row->n);
        count_false(test, row);
        count_power(test, row);
    }
    test->spent_ns = xb_now_ns() - begin_ns;
    free(order);
    return err;
}

void xb_selftest_close(struct xb_selftest *test)
{
    for (size_t i = 0; test->rows && i < test->suite->n; i++)
        free(test->rows[i].blocks);
    free(test->rows);
    test->rows = NULL;
}

/* ---- telling ---- */

struct sums {
    size_t windows, regressed, improved, proven, missed;
};

static struct sums add_up(const struct xb_selftest *test)
{
    struct sums sums = { 0 };
    for (size_t i = 0; i < test->suite->n; i++) {
        const struct xb_selftest_row *row = &test->rows[i];
        sums.windows += row->windows;
        sums.regressed += row->regressed;
        sums.improved += row->improved;
        sums.proven += row->proven;
        sums.missed += row->missed;
    }
    return sums;
}

/* P(at most k of n | rate); in logarithms, term by term. */
static double at_most(size_t k, size_t n, double rate)
{
    double sum = 0;
    for (size_t i = 0; i <= k; i++)
        sum += exp(lgamma((double)n + 1) - lgamma((double)i + 1) - lgamma((double)(n - i) + 1) +
                   (double)i * log(rate) + (double)(n - i) * log1p(-rate));
    return sum;
}

/* The one-sided 95 % bound of Clopper and Pearson (Biometrika 26 (1934)). */
static double upper_bound(size_t k, size_t n)
{
    double lo = 0, hi = 1;
    if (k >= n)
        return 1;
    for (int i = 0; i < 60; i++) {
        double middle = (lo + hi) / 2;
        if (at_most(k, n, middle) > 0.05)
            lo = middle;
        else
            hi = middle;
    }
    return hi;
}

bool xb_selftest_failed(const struct xb_selftest *test)
{
    struct sums sums = add_up(test);
    return sums.regressed > 0 &&
           1 - at_most(sums.regressed - 1, sums.windows, XB_ALPHA_MOVED) < 0.01;
}

static double share(size_t part, size_t all)
{
    return all ? 100 * (double)part / (double)all : NAN;
}

/* What a comparison of 22 blocks sees with 80 % probability. */
static double detectable(const struct xb_selftest *test, const struct xb_selftest_row *row)
{
    return 100 * expm1(xb_least_detectable(row->sd, 22, 0.001, log1p(test->rule.min_effect)));
}

void xb_selftest_print(FILE *out, const struct xb_selftest *test)
{
    struct sums sums = add_up(test);
    fprintf(out,
            "%-20s  A against A, 10 blocks each     injected    sees in   power: REGRESSED in "
            "time with\n",
            "");
    fprintf(out, "%-20s  n  REGR IMPR  proven  missed   +2 %%  +5 %%  22 blocks  time blocks n",
            "kernel");
    for (size_t i = 0; i < XB_POWERS; i++)
        fprintf(out, "  +%g %%", 100 * xb_powers[i]);
    putc('\n', out);
    for (size_t i = 0; i < test->suite->n; i++) {
        const struct xb_selftest_row *row = &test->rows[i];
        fprintf(
            out,
            "%-20s %3zu %4zu %4zu  %4.0f %%  %4.1f %%   %+.2f %+.2f  %6.2f %%   %4.1f s %3zu %3zu",
            row->contest->name, row->windows, row->regressed, row->improved,
            share(row->proven, row->windows), share(row->missed, row->windows), 100 * row->found[0],
            100 * row->found[1], detectable(test, row),
            (double)row->power_blocks * row->block_ns / 1e9, row->power_blocks, row->power_windows);
        for (size_t j = 0; j < XB_POWERS; j++)
            fprintf(out, " %4.0f %%", share(row->powered[j], row->power_windows));
        putc('\n', out);
    }
    if (!sums.windows) {
        fputs("no window of A against A was full: give it more --time\n", out);
        return;
    }
    fprintf(out,
            "false REGRESSED: %zu of %zu (95 %% bound %.2g %%; planned at most %.2g %%)\n"
            "false IMPROVED:  %zu of %zu\n"
            "95 %% intervals that miss 0: %zu of %zu, %.1f %% (exact: 4.9 %% with 10 blocks)\n"
            "%.0f s in all\n",
            sums.regressed, sums.windows, 100 * upper_bound(sums.regressed, sums.windows),
            100 * XB_ALPHA_MOVED, sums.improved, sums.windows, sums.missed, sums.windows,
            share(sums.missed, sums.windows), (double)test->spent_ns / 1e9);
}

static void write_row(FILE *out, const struct xb_selftest_row *row, const char *what, double added,
                      size_t windows, size_t blocks)
{
    fprintf(out, "%d,", XB_GATE_SCHEMA);
    xb_csv_text(out, row->contest->name);
    fprintf(out, ",%s,%s,%.9g,%zu,%zu,", row->contest->class, what, added, windows, blocks);
}

static void write_share(FILE *out, double value, const char *end)
{
    if (isfinite(value))
        fprintf(out, "%.9g", value);
    fputs(end, out);
}

int xb_selftest_write(FILE *out, const struct xb_selftest *test)
{
    fputs("schema,kernel,class,what,slowdown,windows,blocks,regressed,improved,proven,"
          "interval_misses,estimate,sd_log_ratio,block_ns\n",
          out);
    for (size_t i = 0; i < test->suite->n; i++) {
        const struct xb_selftest_row *row = &test->rows[i];
        write_row(out, row, "aa", 0, row->windows, XB_BLOCKS_LEAST);
        fprintf(out, "%zu,%zu,%zu,%zu,,", row->regressed, row->improved, row->proven, row->missed);
        write_share(out, row->sd, ",");
        write_share(out, row->block_ns, "\n");
        for (size_t j = 0; j < XB_INJECTED; j++) {
            write_row(out, row, "injected", xb_injected[j], 1, INJECTED_BLOCKS);
            fputs(",,,,", out);
            write_share(out, row->found[j], ",,\n");
        }
        for (size_t j = 0; j < XB_POWERS; j++) {
            write_row(out, row, "added", xb_powers[j], row->power_windows, row->power_blocks);
            fprintf(out, "%zu,,,,,,\n", row->powered[j]);
        }
    }
    return ferror(out) ? -EIO : 0;
}
