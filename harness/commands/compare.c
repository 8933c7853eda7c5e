/* SPDX-License-Identifier: BSD-3-Clause
 * xbound compare: two stored runs, what changed between them, and what that can show. */
#include "command.h"

#include "../base/parse.h"
#include "../core/compare.h"
#include "../core/history.h"
#include "../core/metrics.h"
#include "../core/sink.h"
#include "../stats/median.h"

#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void print_help(void)
{
    puts("Usage: xbound compare [OPTION...] BASE NEW\n"
         "       xbound compare [OPTION...] --history DIR\n"
         "Compares two stored runs (folders that xbound run wrote), cell by cell: the ratio of the "
         "time\n"
         "per item, new / base, with the interval that the two medians' intervals span.\n\n"
         "  --margin RATIO     a cell is slower where its whole interval lies beyond this; default "
         "0.1:\n"
         "                     a tenth. Compare two runs of one build to see what drifts here\n"
         "  --counts RATIO     the same of simulated counts, which are exact; default 0.001. They\n"
         "                     compare on equal CPU model, libc and simulated caches only\n"
         "  --across-machines  compare runs of different machines nevertheless\n"
         "  --strict           ends with 3 where a cell is unclear, unless one fails\n"
         "  --all              shows the cells that are the same, too\n"
         "  --csv              writes one row for each cell of either run, and nothing else\n"
         "  --history DIR      the runs that are folders in DIR, in order of time: where did the "
         "level of a\n"
         "                     cell change? For the report; nothing fails\n"
         "  --least RATIO      with --history: smaller steps are passed over; default 0.01\n"
         "  -o, --output OUT   with --history: a new folder for history.csv and provenance.csv of "
         "the last\n"
         "                     run, from which scripts/plot.sh draws the chart\n"
         "  --help             this text\n\n"
         "Cells, the worst first (*: fails the comparison):");
    for (int change = 0; change < XB_CHANGE_COUNT; change++)
        printf("  %-12s %c %s\n", xb_change_word((enum xb_change)change),
               xb_change_fails((enum xb_change)change) ? '*' : ' ',
               xb_change_meaning((enum xb_change)change));
    puts("\nExit codes: 0 nothing fails; 1 something does; 2 usage, unreadable runs, or runs of "
         "different\n"
         "machines; 3 see --strict; 77 no cell has a figure in both.");
}

struct command_line {
    const char *base, *new, *history, *output;
    struct xb_limits limits;
    double least;
    bool across, strict, all, csv, help;
};

static int read_ratio(const char *name, double least, double *out)
{
    double value;
    if (xb_parse_real(optarg, &value) != 0 || !(value >= least && value <= 10))
        return xb_usage("compare", "--%s: '%s' is no ratio from %g to 10; a tenth is 0.1", name,
                        optarg, least);
    *out = value;
    return 0;
}

/* 0 or an exit code. */
static int read_command_line(struct command_line *line, int argc, char **argv)
{
    static const struct option options[] = {
        { "margin", required_argument, NULL, 'm' },
        { "counts", required_argument, NULL, 'n' },
        { "across-machines", no_argument, NULL, 'x' },
        { "strict", no_argument, NULL, 's' },
        { "all", no_argument, NULL, 'a' },
        { "csv", no_argument, NULL, 'c' },
        { "history", required_argument, NULL, 'i' },
        { "least", required_argument, NULL, 'l' },
        { "output", required_argument, NULL, 'o' },
        { "help", no_argument, NULL, 'h' },
        { NULL, 0, NULL, 0 },
    };
    opterr = 0;
    for (int option, code; (option = getopt_long(argc, argv, ":ho:", options, NULL)) != -1;) {
        code = 0;
        switch (option) {
        case 'm':
            code = read_ratio("margin", 0.001, &line->limits.margin);
            break;
        case 'n':
            code = read_ratio("counts", 0, &line->limits.counts);
            break;
        case 'x':
            line->across = true;
            break;
        case 's':
            line->strict = true;
            break;
        case 'a':
            line->all = true;
            break;
        case 'c':
            line->csv = true;
            break;
        case 'i':
            line->history = optarg;
            break;
        case 'l':
            code = read_ratio("least", 0.0001, &line->least);
            break;
        case 'o':
            line->output = optarg;
            break;
        case 'h':
            line->help = true;
            return 0;
        case ':':
            return xb_usage("compare", "option '%s' needs a value; see xbound compare --help",
                            argv[optind - 1]);
        default:
            return xb_usage("compare", "unknown option '%s'; see xbound compare --help",
                            argv[optind - 1]);
        }
        if (code)
            return code;
    }
    if (line->history && argc > optind)
        return xb_usage("compare", "--history takes no runs beside it; see xbound compare --help");
    if (line->output && !line->history)
        return xb_usage("compare", "-o goes with --history; see xbound compare --help");
    if (line->history)
        return 0;
    if (argc - optind != 2)
        return xb_usage("compare", "want two folders, BASE and NEW; see xbound compare --help");
    line->base = argv[optind];
    line->new = argv[optind + 1];
    return 0;
}

/* ---- what the runs have in common ---- */

static void print_run(const char *label, const struct xb_stored *run)
{
    printf("%-5s %s  (%s, git %s, %s; %zu cells)\n", label, run->folder,
           xb_facts_get(&run->facts, "started_utc"), xb_facts_get(&run->facts, "git_commit"),
           xb_facts_get(&run->facts, "compiler"), run->n);
}

static void print_differences(const struct xb_difference *difference, size_t n)
{
    static const char *const titles[XB_FACT_KINDS] = { "machine", "system", "build", "settings" };
    for (size_t i = 0; i < n; i++) {
        if (i == 0 || difference[i].kind != difference[i - 1].kind)
            printf("The %s differ%s:\n", titles[difference[i].kind],
                   difference[i].kind == XB_FACT_SETTING ? "" : "s");
        printf("  %s: '%s' -> '%s'\n", difference[i].key, difference[i].base, difference[i].new);
    }
}

static bool any_of(const struct xb_difference *difference, size_t n, enum xb_fact_kind kind)
{
    for (size_t i = 0; i < n; i++)
        if (difference[i].kind == kind)
            return true;
    return false;
}

static const char *kinship_text(enum xb_kinship kinship)
{
    switch (kinship) {
    case XB_KIN_SAME_BOOT:
        return "One machine, not rebooted in between.";
    case XB_KIN_SAME_HOST:
        return "One machine, as far as its name and hardware tell.";
    case XB_KIN_SAME_KIND:
        return "Two machines of one kind, whose speed may differ by more than a change of code "
               "does.";
    default:
        return "Two machines: a ratio here is one of machines as much as of builds.";
    }
}

static bool simulated(const struct xb_stored *run)
{
    return strcmp(xb_facts_get(&run->facts, "counters_used"), XB_SIMULATOR) == 0;
}

static void print_preamble(const struct xb_stored *base, const struct xb_stored *new,
                           enum xb_kinship kinship)
{
    struct xb_difference difference[XB_DIFFERENCES];
    size_t n = xb_facts_differ(&base->facts, &new->facts, difference);
    print_run("base", base);
    print_run("new", new);
    if (simulated(base) && simulated(new)) {
        print_differences(difference, n);
        puts("Counts are those of one simulated CPU, which is exact: what differs is the build's "
             "doing,\n"
             "unless its inputs or settings differ.\n");
        return;
    }
    puts(kinship_text(kinship));
    print_differences(difference, n);
    if (!n)
        puts("Machine, system, build and settings are the same: what differs is chance and drift.");
    if (any_of(difference, n, XB_FACT_SYSTEM) || any_of(difference, n, XB_FACT_SETTING))
        puts("Times may have moved because of the system or the settings, not of the build.");
    puts("Each run was taken once, one after the other. An interval holds the noise within a run, "
         "not\n"
         "the drift between the two, so a ratio tells that the runs differ, not that the builds "
         "do.\n");
}

static void print_pair(const struct xb_stored *base, const struct xb_stored *new,
                       const struct xb_pair *pair)
{
    char figure[64] = "";
    if (pair->metric >= 0)
        snprintf(figure, sizeof figure, "%.5f %s", pair->count_ratio,
                 xb_metric_name(xb_exact_metric[pair->metric]));
    else if (!isnan(pair->ratio.lo))
        snprintf(figure, sizeof figure, "%.3f [%.3f, %.3f]", pair->ratio.median, pair->ratio.lo,
                 pair->ratio.hi);
    else if (!isnan(pair->ratio.median))
        snprintf(figure, sizeof figure, "%.3f", pair->ratio.median);
    const char *reason = xb_pair_reason(base, new, pair);
    printf("%-12s %-22s %s%s%s\n", xb_change_word(pair->change), figure,
           xb_pair_name(base, new, pair), reason[0] ? "  -- " : "", reason);
}

/* ---- what all cells say together ---- */

/* How far cells are apart, whatever the reason: of two runs of one build, that is the drift. */
static void print_spread(const struct xb_pair *pairs, size_t n)
{
    double *shift = calloc(n ? n : 1, sizeof *shift);
    size_t used = 0;
    for (size_t i = 0; i < n && shift; i++)
        if (!isnan(pairs[i].ratio.median))
            shift[used++] = fabs(log(pairs[i].ratio.median));
    if (used >= 10) {
        xb_sort(shift, used);
        printf(
            "Of %zu medians half moved by less than %.1f %%, nine of ten by less than %.1f %%.\n",
            used, 100 * expm1(shift[used / 2]), 100 * expm1(shift[used * 9 / 10]));
    }
    free(shift);
}

/* A name without its size. */
static void cut_size(char *name)
{
    char *at = strstr(name, "/bytes:");
    if (at)
        memmove(at, at + 1 + strcspn(at + 1, "/"), strlen(at + 1 + strcspn(at + 1, "/")) + 1);
}

/* How many missing cells have a twin of another size among those that were added. */
static size_t count_resized(const struct xb_stored *base, const struct xb_stored *new,
                            const struct xb_pair *pairs, size_t n)
{
    enum { MOST = 1000 }; /* it takes the square of their number, and is but a hint */
    size_t resized = 0, looked = 0;
    for (size_t i = 0; i < n && pairs[i].change == XB_CHANGE_MISSING && looked++ < MOST; i++) {
        char was[XB_CELL_NAME_BYTES], is[XB_CELL_NAME_BYTES];
        strcpy(was, xb_pair_name(base, new, &pairs[i]));
        cut_size(was);
        for (size_t j = i + 1, added = 0; j < n && added < MOST; j++) {
            if (pairs[j].change != XB_CHANGE_ADDED)
                continue;
            added++;
            strcpy(is, xb_pair_name(base, new, &pairs[j]));
            cut_size(is);
            if (strcmp(was, is) == 0) {
                resized++;
                break;
            }
        }
    }
    return resized;
}

struct tally {
    size_t of[XB_CHANGE_COUNT], failing, compared;
};

static struct tally count(const struct xb_pair *pairs, size_t n)
{
    struct tally tally = { .failing = 0 };
    for (size_t i = 0; i < n; i++) {
        tally.of[pairs[i].change]++;
        tally.failing += xb_change_fails(pairs[i].change);
        tally.compared += !isnan(pairs[i].ratio.median) || pairs[i].metric >= 0;
    }
    return tally;
}

static void print_summary(const struct xb_stored *base, const struct xb_stored *new,
                          const struct xb_pair *pairs, size_t n, const struct tally *tally)
{
    const char *between = "\n";
    for (int change = 0; change < XB_CHANGE_COUNT; change++) {
        if (!tally->of[change])
            continue;
        printf("%s%zu %s", between, tally->of[change], xb_change_word((enum xb_change)change));
        between = ", ";
    }
    printf(" of %zu cells.\n", n);
    print_spread(pairs, n);
    size_t resized = count_resized(base, new, pairs, n);
    if (resized)
        printf(
            "%zu cells are missing by their size only, which follows the caches as measured: give "
            "xbound run --caches.\n",
            resized);
}

/* ---- history ---- */

struct telling {
    const struct xb_history *history;
    size_t cells, steps;
};

/* What was changed between the run before the step and the one at it may be why. */
static void print_causes(const struct xb_stored *before, const struct xb_stored *at)
{
    struct xb_difference difference[XB_DIFFERENCES];
    size_t n = xb_facts_differ(&before->facts, &at->facts, difference);
    for (size_t i = 0; i < n; i++)
        printf("    %s: '%s' -> '%s'\n", difference[i].key, difference[i].base, difference[i].new);
    if (!n)
        puts("    nothing else that provenance.csv tells changed");
}

static int tell(void *context, const struct xb_series *series)
{
    struct telling *telling = context;
    const struct xb_stored *run = telling->history->run;
    telling->cells++;
    telling->steps += series->n_steps;
    for (size_t i = 0; i < series->n_steps; i++) {
        size_t at = series->step[i].at;
        const struct xb_stored *is = &run[series->run[at]], *was = &run[series->run[at - 1]];
        printf("%+.1f %%  %s\n    %.4g -> %.4g ns per item, from %s on (%s)\n",
               100 * (series->step[i].ratio - 1), series->name, series->level[at - 1],
               series->level[at], xb_facts_get(&is->facts, "run_id"),
               xb_facts_get(&is->facts, "started_utc"));
        print_causes(was, is);
    }
    return 0;
}

static int tell_history(const struct command_line *line)
{
    struct xb_history history;
    struct xb_reason why = { 0 };
    struct telling telling = { .history = &history };
    int err = xb_history_open(&history, line->history, &why);
    if (!err && line->output)
        err = xb_sink_prepare(line->output, &why);
    if (err) {
        xb_history_close(&history);
        return xb_usage("compare", "%s", why.text);
    }
    if (line->csv) {
        err = xb_history_write(stdout, &history, line->least);
    } else {
        printf("%zu runs, %s to %s%s\n\n", history.n,
               xb_facts_get(&history.run[0].facts, "started_utc"),
               xb_facts_get(&history.run[history.n - 1].facts, "started_utc"),
               history.left_out
                   ? "; those of other machines than the last, or simulated, are left out"
                   : "");
        err = xb_history_each(&history, line->least, tell, &telling);
        printf("%s%zu steps of %zu cells. A step says that the level changed, give or take a few "
               "runs, not why.\n",
               telling.steps ? "\n" : "", telling.steps, telling.cells);
    }
    if (!err && line->output)
        err = xb_history_store(line->output, &history, line->least, &why);
    xb_history_close(&history);
    if (!err)
        return XB_EXIT_OK;
    fprintf(stderr, "xbound compare: %s\n", why.text[0] ? why.text : "out of memory");
    return XB_EXIT_FAILED;
}

/* ---- doing it ---- */

static int refuse_machines(const struct xb_stored *base, const struct xb_stored *new)
{
    struct xb_difference difference[XB_DIFFERENCES];
    size_t n = xb_facts_differ(&base->facts, &new->facts, difference), at = 0;
    while (at < n && difference[at].kind != XB_FACT_MACHINE &&
           strcmp(difference[at].key, "hostname") != 0)
        at++;
    return xb_usage(
        "compare",
        "the runs are of two machines (%s '%s' and '%s'), which no verdict can bridge; run both "
        "builds on one, or give --across-machines",
        difference[at].key, difference[at].base, difference[at].new);
}

/* The fact that keeps simulated counts from being compared, or NULL. They follow the CPU's features
 * (programs and glibc choose other code by them), libc, and the caches that were simulated. */
static const char *find_obstacle(const struct xb_stored *base, const struct xb_stored *new)
{
    static const char *const keys[] = { "cpu_model", "libc", "l1d_used_bytes", "llc_used_bytes" };
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        if (strcmp(xb_facts_get(&base->facts, keys[i]), xb_facts_get(&new->facts, keys[i])) != 0)
            return keys[i];
    return NULL;
}

static int judge(struct command_line *line, const struct xb_stored *base,
                 const struct xb_stored *new)
{
    enum xb_kinship kinship = xb_facts_kinship(&base->facts, &new->facts);
    const char *obstacle = find_obstacle(base, new);
    bool both = simulated(base) && simulated(new); /* then nothing else of a machine matters */
    line->limits.counts_comparable = !obstacle;
    if (both && obstacle && !line->across)
        return xb_usage("compare", "simulated counts compare only on equal %s: '%s' and '%s'",
                        obstacle, xb_facts_get(&base->facts, obstacle),
                        xb_facts_get(&new->facts, obstacle));
    if (!both && kinship >= XB_KIN_SAME_KIND && !line->across)
        return refuse_machines(base, new);
    struct xb_pair *pairs;
    size_t n;
    if (xb_compare(base, new, &line->limits, &pairs, &n) != 0)
        return xb_usage("compare", "out of memory");
    struct tally tally = count(pairs, n);
    if (line->csv) {
        xb_pairs_write(stdout, base, new, pairs, n);
    } else {
        print_preamble(base, new, kinship);
        for (size_t i = 0; i < n; i++)
            if (line->all || pairs[i].change < XB_CHANGE_SAME)
                print_pair(base, new, &pairs[i]);
        print_summary(base, new, pairs, n, &tally);
    }
    free(pairs);
    if (tally.failing)
        return XB_EXIT_FAILED;
    if (!tally.compared)
        return XB_EXIT_SKIPPED;
    return line->strict && tally.of[XB_CHANGE_UNCLEAR] ? XB_EXIT_INCONCLUSIVE : XB_EXIT_OK;
}

static int run(int argc, char **argv)
{
    struct command_line line = { .limits = { .margin = 0.1, .counts = 0.001 }, .least = 0.01 };
    int code = read_command_line(&line, argc, argv);
    if (code)
        return code;
    if (line.help) {
        print_help();
        return XB_EXIT_OK;
    }
    if (line.history)
        return tell_history(&line);
    struct xb_stored base = { 0 }, new = { 0 };
    struct xb_reason why;
    if (xb_stored_open(&base, line.base, &why) != 0 || xb_stored_open(&new, line.new, &why) != 0)
        code = xb_usage("compare", "%s", why.text);
    else
        code = judge(&line, &base, &new);
    xb_stored_close(&base);
    xb_stored_close(&new);
    return code;
}

const struct xb_command xb_command_compare = {
    .name = "compare",
    .arguments = "BASE NEW",
    .summary = "what changed between two stored runs, or in a folder of them (--history)",
    .run = run,
};
