/* SPDX-License-Identifier: BSD-3-Clause
 * xbound ab: two builds, interleaved; which kernels regressed? */
#include "command.h"

#include "../base/clock.h"
#include "../base/parse.h"
#include "../core/command.h"
#include "../core/gate_rows.h"
#include "../core/gate_text.h"
#include "../core/metrics.h"
#include "../core/provenance.h"
#include "../core/registry.h"
#include "../core/replay.h"
#include "../core/selftest.h"
#include "../core/serve.h"
#include "../core/sink.h"
#include "../core/spec.h"
#include "../core/suite.h"
#include "../core/topology.h"
#include "../counters/source.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
    interrupted = number;
}

static void print_help(void)
{
    puts(
        "Usage: xbound ab [OPTION...] OLD NEW [KERNEL...]\n"
        "       xbound ab [OPTION...] --plugin OLD.SO NEW.SO [KERNEL...]\n"
        "       xbound ab [OPTION...] --command OLD_COMMAND NEW_COMMAND\n"
        "       xbound ab [OPTION...] --replay SLICES.CSV...\n"
        "       xbound ab [OPTION...] --self-test [KERNEL...]\n"
        "Compares two builds of xbound on this machine, block by block with fresh processes, and\n"
        "gives a verdict on each kernel (names or globs; all of cpu, cache and memory when none "
        "is\n"
        "named):\n\n"
        "  REGRESSED     slower by more than --min-effect\n"
        "  IMPROVED      faster by more than --min-effect\n"
        "  PROVEN < m    slower by less than --margin, if at all\n"
        "  UNCHANGED     the same machine code: not measured\n"
        "  MISSING       only OLD has it, which fails; ADDED: only NEW has it\n"
        "  INCONCLUSIVE  none of these can be told; says how small an effect could be\n\n"
        "  --blocks N         at most N blocks, 10 to 48 (default); looks at 10, 15, 22, 32 and "
        "48\n"
        "  --margin PERCENT   what NEW is to be proven better than; default 2\n"
        "  --min-effect PERCENT  less is neither a regression nor an improvement; default 0.5\n"
        "  --class LIST       only kernels of these classes: cpu cache memory io sync\n"
        "  --strict           exit 3 where something is inconclusive and nothing regressed\n"
        "  --measure-unchanged  time the same machine code too\n"
        "  --bytes-most BYTES working sets are no larger, being made anew in each block; "
        "default 32M\n"
        "  --slice TIME       aim of one slice; default 4ms\n"
        "  --quartets N       of slices (ABBA or BAAB) in a block, 1 to 64; default 4\n"
        "  --cpu N            where single workers run; default the last CPU there is\n"
        "  --slowdown PERCENT spin so much longer in NEW's slices: to see what the gate does\n"
        "  --plugin           kernels of two shared objects instead of two builds: "
        "kernels/plugin.h\n"
        "  --command          any two commands instead: CPU time of the whole process. They are to "
        "be\n"
        "                     silent and to exit with 0. /bin/sh starts both where either has "
        "quotes\n"
        "                     or other characters for a shell, or is no program\n"
        "  --wall             wall time instead, for commands that wait or have threads\n"
        "  --limit TIME       after which a command hangs; default 60s\n"
        "  --replay           judges recorded slices instead (slices.csv of --out), in windows of "
        "--blocks\n"
        "                     blocks; --slowdown is then added to the ratios\n"
        "  --self-test        this build against itself: false alarms, power and the least effect "
        "seen\n"
        "                     on this machine; also selftest.csv\n"
        "  --time TIME        that the self-test takes at most; default 570s\n"
        "  --seed N           of coins and orders; default: the time\n"
        "  --out DIR          or -o: slices.csv, ab.csv, verdicts.csv and provenance.csv; a new "
        "or\n"
        "                     empty folder\n"
        "  --help             this text\n\n"
        "Exit codes: 0 nothing regressed; 1 a kernel regressed, or NEW lacks one; 3 see --strict;\n"
        "2 usage, or a build that crashes, hangs, prints, or does other work: no verdict then.");
}

struct command_line {
    struct xb_suite_spec suite;
    double min_effect, margin;
    uint64_t blocks, quartets, cpu; /* cpu: CPU_ANY: the last there is */
    const char *directory;
    bool strict, help, wall;
    bool serve, replay, self_test, command, plugin;
    uint64_t limit_ns; /* of a command */
    uint64_t time_ns;  /* of the self-test */
};

#define CPU_ANY UINT64_MAX

/* ---- the command line ---- */

/* An option, and where its value goes: a bool, uint64_t, double (a share), unsigned or const char *. */
static const struct setting {
    const char *name;
    enum { FLAG, COUNT, SIZE, TIME, PERCENT, CLASSES, FOLDER } kind;
    size_t at;
    uint64_t least, most; /* of counts, sizes and times */
    const char *range;    /* sizes and times: the same in words */
} settings[] = {
#define AT(member) offsetof(struct command_line, member)
    { "blocks", COUNT, AT(blocks), XB_BLOCKS_LEAST, XB_BLOCKS_MAX, NULL },
    { "margin", PERCENT, AT(margin), 0, 0, NULL },
    { "min-effect", PERCENT, AT(min_effect), 0, 0, NULL },
    { "class", CLASSES, AT(suite.classes), 0, 0, NULL },
    { "strict", FLAG, AT(strict), 0, 0, NULL },
    { "measure-unchanged", FLAG, AT(suite.measure_unchanged), 0, 0, NULL },
    { "bytes-most", SIZE, AT(suite.bytes_most), 4096, UINT64_C(1) << 40,
      "a size from 4K to 1T, such as 32M" },
    { "slice", TIME, AT(suite.slice_ns), 10000, 1000000000, "a time from 10us to 1s, such as 4ms" },
    { "quartets", COUNT, AT(quartets), 1, XB_QUARTETS_MAX, NULL },
    { "cpu", COUNT, AT(cpu), 0, 1 << 20, NULL },
    { "slowdown", PERCENT, AT(suite.slowdown), 0, 0, NULL },
    { "seed", COUNT, AT(suite.seed), 0, UINT64_MAX - 1, NULL },
    { "command", FLAG, AT(command), 0, 0, NULL },
    { "plugin", FLAG, AT(plugin), 0, 0, NULL },
    { "replay", FLAG, AT(replay), 0, 0, NULL },
    { "self-test", FLAG, AT(self_test), 0, 0, NULL },
    { "serve", FLAG, AT(serve), 0, 0, NULL },
    { "wall", FLAG, AT(wall), 0, 0, NULL },
    { "limit", TIME, AT(limit_ns), 1000000, UINT64_C(3600000000000), "a time from 1ms to 3600s" },
    { "time", TIME, AT(time_ns), 1000000000, UINT64_C(86400000000000), "a time from 1s to 86400s" },
    { "out", FOLDER, AT(directory), 0, 0, NULL },
    { "help", FLAG, AT(help), 0, 0, NULL },
#undef AT
};

enum { SETTINGS = sizeof settings / sizeof settings[0] };

/* "2", "0.5" or "2%", as a share. 0 or an exit code. */
static int read_percent(const char *name, double *out)
{
    char *end;
    bool plain = optarg[0] && !optarg[strspn(optarg, "0123456789.%")];
    double value = strtod(optarg, &end);
    if (!plain || end == optarg || strcmp(*end == '%' ? end + 1 : end, "") != 0 || value > 1000)
        return xb_usage("ab", "--%s: '%s' is not a percentage from 0 to 1000, such as 0.5", name,
                        optarg);
    *out = value / 100;
    return 0;
}

static int read_classes(unsigned *classes)
{
    char text[128];
    const char *pieces[XB_CLASSES] = { 0 };
    int n = -E2BIG;
    *classes = 0;
    if (strlen(optarg) < sizeof text)
        n = xb_parse_list(strcpy(text, optarg), pieces, XB_CLASSES);
    for (int i = 0; i < n; i++) {
        unsigned bound = 0;
        while (bound < XB_CLASSES && strcmp(xb_class_name((enum xb_class)bound), pieces[i]) != 0)
            bound++;
        *classes |= 1u << bound;
    }
    if (n < 1 || *classes >> XB_CLASSES)
        return xb_usage("ab", "--class: '%.60s' is not a list of cpu cache memory io sync", optarg);
    return 0;
}

/* 0 or an exit code. */
static int read_setting(const struct setting *setting, struct command_line *line)
{
    void *at = (char *)line + setting->at;
    switch (setting->kind) {
    case FLAG:
        *(bool *)at = true;
        break;
    case COUNT:
        if (xb_parse_count(optarg, setting->least, setting->most, at) != 0)
            return xb_usage("ab", "--%s: '%s' is not a whole number from %" PRIu64 " to %" PRIu64,
                            setting->name, optarg, setting->least, setting->most);
        break;
    case SIZE:
    case TIME:
        if ((setting->kind == SIZE ? xb_parse_bytes : xb_parse_time)(optarg, setting->least,
                                                                     setting->most, at) != 0)
            return xb_usage("ab", "--%s: '%s' is not %s", setting->name, optarg, setting->range);
        break;
    case PERCENT:
        return read_percent(setting->name, at);
    case CLASSES:
        return read_classes(at);
    case FOLDER:
        *(const char **)at = optarg;
        return *optarg ? 0 : xb_usage("ab", "--%s: an empty path", setting->name);
    }
    return 0;
}

/* What excludes what. 0 or an exit code. */
static int check_command_line(const struct command_line *line)
{
    if (line->min_effect >= line->margin)
        return xb_usage("ab", "--min-effect is to be less than --margin");
    if (line->command + line->plugin + line->replay + line->self_test > 1)
        return xb_usage("ab", "--command, --plugin, --replay and --self-test exclude each other");
    if (line->wall && !line->command)
        return xb_usage("ab",
                        "--wall goes with --command; a kernel says itself which time is its own");
    return 0;
}

/* 0 or an exit code. What is left of argv from optind on are the operands. */
static int read_command_line(struct command_line *line, int argc, char **argv)
{
    struct option options[SETTINGS + 1] = { 0 };
    int code = 0;
    for (int i = 0; i < SETTINGS; i++)
        options[i] = (struct option){
            .name = settings[i].name,
            .has_arg = settings[i].kind == FLAG ? no_argument : required_argument,
            .val = strcmp(settings[i].name, "out") == 0    ? 'o'
                   : strcmp(settings[i].name, "help") == 0 ? 'h'
                                                           : 256 + i,
        };
    opterr = 0;
    while (!code && !line->help) {
        int option = getopt_long(argc, argv, ":o:h", options, NULL), at = 0;
        if (option == -1)
            break;
        if (option == ':')
            return xb_usage("ab", "option '%s' needs a value; see xbound ab --help",
                            argv[optind - 1]);
        while (at < SETTINGS && options[at].val != option)
            at++;
        if (at == SETTINGS)
            return xb_usage("ab", "unknown option '%s'; see xbound ab --help", argv[optind - 1]);
        code = read_setting(&settings[at], line);
    }
    line->suite.quartets = line->quartets;
    line->suite.cpu = line->cpu == CPU_ANY ? -1 : (int)line->cpu;
    line->suite.measure_unchanged |= line->self_test;
    return code || line->help ? code : check_command_line(line);
}

/* ---- doing it ---- */

static void take_signals(void)
{
    struct sigaction action = { .sa_handler = on_signal };
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    signal(SIGPIPE, SIG_IGN); /* a build that died is found by reading */
    signal(SIGCHLD, SIG_DFL);
    signal(SIGXFSZ, SIG_IGN);
}

static int write_provenance(const char *directory, const struct xb_topology *topology,
                            const struct command_line *line, struct xb_reason *why)
{
    const struct xb_suite_spec *suite = &line->suite;
    const struct xb_build *builds[] = { suite->old, suite->new };
    struct xb_sink sink = { .fd = -1 };
    struct xb_draft draft;
    const char *slash = strrchr(directory, '/');
    int err = xb_sink_open(&sink, directory, "provenance.csv", why);
    if (!err)
        err = xb_draft_open(&draft, why);
    if (err)
        return err;
    xb_provenance_begin(draft.out, slash && slash[1] ? slash + 1 : directory, topology);
    for (int i = 0; i < 2 && builds[i]; i++) {
        const char *side = i ? "new" : "old", *keys[] = { "name", "commit", "alignment" };
        const char *values[] = { builds[i]->name, builds[i]->commit, builds[i]->alignment };
        for (int j = 0; j < 3; j++) {
            if (!values[j][0] || strcmp(values[j], "-") == 0)
                continue; /* a command has no more than a name */
            fprintf(draft.out, "%s_", side);
            xb_provenance_add(draft.out, keys[j], "%s", values[j]);
        }
    }
    xb_provenance_add(draft.out, "seed", "%" PRIu64, suite->seed);
    xb_provenance_add(draft.out, "slice_ns", "%" PRIu64, suite->slice_ns);
    xb_provenance_add(draft.out, "quartets", "%zu", suite->quartets);
    xb_provenance_add(draft.out, "cpu", "%d", suite->cpu);
    err = xb_draft_commit(&draft, &sink, why);
    int closed = xb_sink_close(&sink, why);
    return err ? err : closed;
}

struct display {
    struct xb_gate *gate;
    uint64_t begin_ns;
    bool terminal;
};

/* On a terminal one line that is rewritten; nothing in a pipe. */
static void show(void *context, size_t index)
{
    const struct display *display = context;
    const struct xb_gate *gate = display->gate;
    if (!display->terminal)
        return;
    fprintf(stderr, "\r\033[K%zu of %zu undecided  %.0f s  %s, block %zu",
            xb_gate_count(gate, XB_INCONCLUSIVE, NULL), gate->n,
            (double)(xb_now_ns() - display->begin_ns) / 1e9, gate->contests[index].name,
            gate->contests[index].effect.n);
    fflush(stderr);
}

static void warn_of_alignment(const struct xb_build *build)
{
    if (strcmp(build->alignment, "64") != 0)
        fprintf(stderr,
                "xbound ab: warning: %s (%s) is not built with -falign-functions=64 "
                "-falign-loops=64: where the linker puts its code may move figures by some "
                "percent\n",
                build->label, build->name);
}

static int exit_code(const struct command_line *line, const struct xb_gate *gate)
{
    if (xb_gate_count(gate, XB_MISSING, NULL) || xb_gate_count(gate, XB_REGRESSED, NULL))
        return XB_EXIT_FAILED;
    if (line->strict && xb_gate_count(gate, XB_INCONCLUSIVE, NULL))
        return XB_EXIT_INCONCLUSIVE;
    return XB_EXIT_OK;
}

/* Runs the gate, prints and writes verdicts. An exit code. */
static int decide(const struct command_line *line, struct xb_gate *gate,
                  struct xb_gate_files *files)
{
    struct xb_reason why = { 0 };
    struct display display = { gate, xb_now_ns(), isatty(STDERR_FILENO) };
    gate->progress = show;
    /* cppcheck-suppress autoVariables ; the gate calls back within xb_gate_run() only */
    gate->progress_context = &display;
    int err = xb_gate_run(gate, &why);
    if (display.terminal)
        fputs("\r\033[K", stderr);
    if (!err && files)
        err = xb_gate_write_verdicts(files, gate, &why);
    if (err == -EINTR) {
        fputs("xbound ab: interrupted; no verdict\n", stderr);
        return XB_EXIT_INTERRUPTED;
    }
    if (err)
        return xb_usage("ab", "%s", why.text);
    xb_gate_print(stdout, gate);
    return exit_code(line, gate);
}

static int compare_builds(struct command_line *line, const struct xb_topology *topology,
                          struct xb_gate_files *files)
{
    struct xb_suite suite;
    struct xb_reason why = { 0 };
    int code, err = xb_suite_open(&suite, &line->suite, &interrupted, &why);
    if (err == -EINTR) {
        code = XB_EXIT_INTERRUPTED;
    } else if (err) {
        code = xb_usage("ab", "%s", why.text);
    } else if (files && write_provenance(line->directory, topology, line, &why) != 0) {
        code = xb_usage("ab", "%s", why.text);
    } else {
        warn_of_alignment(line->suite.old);
        warn_of_alignment(line->suite.new);
        suite.files = files;
        struct xb_gate gate = {
            .rule = { line->min_effect, line->margin, xb_looks_plan(line->blocks) },
            .contests = suite.contests,
            .n = suite.n,
            .seed = line->suite.seed,
            .stop = &interrupted,
            .block = xb_suite_block,
            .context = &suite,
        };
        code = decide(line, &gate, files);
    }
    xb_suite_close(&suite);
    return code;
}

static int compare_commands(struct command_line *line, const struct xb_topology *topology,
                            struct xb_gate_files *files)
{
    struct xb_reason why = { 0 };
    struct xb_commands commands = {
        .line = { line->suite.old->name, line->suite.new->name },
        .contest = { .wall = line->wall },
        .limit_ns = line->limit_ns,
        .cpu = line->wall ? -1 : line->suite.cpu,
        .prng = line->suite.seed,
        .files = files,
    };
    int err = xb_commands_open(&commands, &why);
    if (!err && files)
        err = write_provenance(line->directory, topology, line, &why);
    struct xb_gate gate = {
        .rule = { line->min_effect, line->margin, xb_looks_plan(line->blocks) },
        .contests = &commands.contest,
        .n = 1,
        .seed = line->suite.seed,
        .stop = &interrupted,
        .block = xb_commands_block,
        .context = &commands,
    };
    int code = err ? xb_usage("ab", "%s", why.text) : decide(line, &gate, files);
    xb_commands_close(&commands);
    return code;
}

static void show_self_test(void *context, size_t done, size_t all, double seconds)
{
    (void)context;
    if (isatty(STDERR_FILENO))
        fprintf(stderr, "\r\033[K%zu of %zu rounds  %.0f s", done, all, seconds);
}

static int write_self_test(const char *directory, const struct xb_selftest *test,
                           struct xb_reason *why)
{
    struct xb_sink sink = { .fd = -1 };
    struct xb_draft draft;
    int err = xb_sink_open(&sink, directory, "selftest.csv", why);
    if (!err)
        err = xb_draft_open(&draft, why);
    if (err)
        return err;
    xb_selftest_write(draft.out, test);
    err = xb_draft_commit(&draft, &sink, why);
    int closed = xb_sink_close(&sink, why);
    return err ? err : closed;
}

static int test_self(struct command_line *line, const struct xb_topology *topology,
                     struct xb_gate_files *files)
{
    struct xb_suite suite;
    struct xb_reason why = { 0 };
    struct xb_selftest test = {
        .suite = &suite,
        .rule = { line->min_effect, line->margin, xb_looks_plan(line->blocks) },
        .limit_ns = line->time_ns,
        .stop = &interrupted,
        .progress = show_self_test,
    };
    int err = xb_suite_open(&suite, &line->suite, &interrupted, &why);
    if (!err && files)
        err = write_provenance(line->directory, topology, line, &why);
    suite.files = files;
    if (!err)
        err = xb_selftest_run(&test, &why);
    if (isatty(STDERR_FILENO))
        fputs("\r\033[K", stderr);
    if (!err && files)
        err = write_self_test(line->directory, &test, &why);
    int code = XB_EXIT_INTERRUPTED;
    if (!err) {
        xb_selftest_print(stdout, &test);
        code = xb_selftest_failed(&test) ? XB_EXIT_FAILED : XB_EXIT_OK;
    } else if (err != -EINTR) {
        code = xb_usage("ab", "%s", why.text);
    }
    xb_selftest_close(&test);
    xb_suite_close(&suite);
    return code;
}

/* Opens what every comparison needs, and closes it. An exit code. */
static int with_files(struct command_line *line,
                      int (*compare)(struct command_line *, const struct xb_topology *,
                                     struct xb_gate_files *))
{
    struct xb_topology *topology = NULL;
    struct xb_gate_files files = { .slices = { .fd = -1 } };
    struct xb_reason why = { 0 };
    if (xb_topology_open(NULL, &topology, &why) != 0)
        return xb_usage("ab", "topology: %s", why.text);
    if (line->suite.cpu < 0) {
        int cpus[XB_LIST_MAX];
        uint32_t pus = xb_topology_pus(topology);
        uint32_t n = pus < 1 ? 1 : pus < XB_LIST_MAX ? pus : XB_LIST_MAX;
        xb_topology_place(topology, XB_BIND_COMPACT, n, cpus);
        line->suite.cpu = cpus[n - 1]; /* interrupts like the first one */
    }
    int code = XB_EXIT_OK;
    if (line->directory &&
        (xb_sink_prepare(line->directory, &why) != 0 ||
         xb_gate_files_open(&files, line->directory, !line->self_test, &why) != 0))
        code = xb_usage("ab", "--out: %s", why.text);
    if (!code)
        code = compare(line, topology, line->directory ? &files : NULL);
    if (line->directory && xb_gate_files_close(&files, &why) != 0 && !code)
        code = xb_usage("ab", "%s", why.text);
    xb_topology_close(topology);
    return code;
}

static int replay_files(const struct command_line *line, const char *const *files, size_t n)
{
    struct xb_replay replay;
    struct xb_reason why = { 0 };
    int code = XB_EXIT_OK;
    if (n == 0)
        return xb_usage("ab", "--replay: no files; see xbound ab --help");
    if (line->directory)
        return xb_usage("ab", "--replay measures nothing, so there is nothing to put into --out");
    if (xb_replay_open(&replay, files, n, line->blocks, line->suite.slowdown, &why) != 0)
        code = xb_usage("ab", "%s", why.text);
    struct xb_gate gate = {
        .rule = { line->min_effect, line->margin, xb_looks_plan(line->blocks) },
        .contests = replay.contests,
        .n = replay.n,
        .seed = line->suite.seed,
        .stop = &interrupted,
        .block = xb_replay_block,
        .context = &replay,
    };
    if (!code)
        code = decide(line, &gate, NULL);
    xb_replay_close(&replay);
    return code;
}

static int serve(const char *plugin)
{
    struct xb_reason why;
    signal(SIGPIPE, SIG_IGN);
    if (xb_serve(&xb_builtin, plugin, &why) == 0)
        return XB_EXIT_OK;
    return why.code == -EBADF ? xb_usage("ab", "%s", why.text) : XB_EXIT_FAILED;
}

/* How to start the build that the user calls `name`. */
static struct xb_build build_of(const struct command_line *line, const char *label,
                                const char *name)
{
    bool own = line->plugin || line->self_test;
    return (struct xb_build){
        .label = label,
        .name = name,
        .argv = { own ? "/proc/self/exe" : name, "ab", "--serve", line->plugin ? "--plugin" : NULL,
                  line->plugin ? name : NULL },
    };
}

static int compare(struct command_line *line, char **operands, size_t n)
{
    /* Two processor-bound, two of caches, two of memory. */
    static const char *const typical[] = { "cpu/mix64",     "cpu/sort_small", "cache/chase_l2",
                                           "cache/load_l2", "memory/copy",    "memory/chase_dram" };
    size_t builds = line->self_test ? 0 : 2;
    if (n < builds)
        return xb_usage("ab", "needs two %s, OLD and NEW; see xbound ab --help",
                        line->plugin    ? "shared objects"
                        : line->command ? "commands"
                                        : "builds");
    if (line->command && n != 2)
        return xb_usage("ab",
                        "--command takes two commands, each quoted as one word, and nothing else");
    struct xb_build old = build_of(line, "OLD", builds ? operands[0] : "/proc/self/exe");
    struct xb_build new = build_of(line, "NEW", builds ? operands[1] : "/proc/self/exe");
    line->suite.old = &old;
    line->suite.new = &new;
    line->suite.patterns = (const char *const *)operands + builds;
    line->suite.n_patterns = n - builds;
    if (line->self_test && n == 0 && !line->suite.classes) {
        line->suite.patterns = typical;
        line->suite.n_patterns = sizeof typical / sizeof typical[0];
    }
    return with_files(line, line->command     ? compare_commands
                            : line->self_test ? test_self
                                              : compare_builds);
}

static int run(int argc, char **argv)
{
    struct command_line line = {
        .suite = { .bytes_most = 32 << 20,
                   .slice_ns = 4000000,
                   .workers = 2,
                   .seed = xb_now_ns() ^ (uint64_t)time(NULL) << 32 },
        .min_effect = 0.005,
        .margin = 0.02,
        .blocks = XB_BLOCKS_MAX,
        .quartets = 4,
        .cpu = CPU_ANY,
        .time_ns = UINT64_C(570000000000),
        .limit_ns = UINT64_C(60000000000),
    };
    int code = read_command_line(&line, argc, argv);
    if (code)
        return code;
    if (line.help) {
        print_help();
        return XB_EXIT_OK;
    }
    char **operands = argv + optind;
    size_t n = (size_t)(argc - optind);
    if (line.serve)
        return serve(line.plugin && n ? operands[0] : NULL);
    take_signals();
    return line.replay ? replay_files(&line, (const char *const *)operands, n)
                       : compare(&line, operands, n);
}

const struct xb_command xb_command_ab = {
    .name = "ab",
    .arguments = "OLD NEW",
    .summary = "compare two builds, interleaved: regressed, improved, proven, inconclusive?",
    .run = run,
};
