/* SPDX-License-Identifier: BSD-3-Clause
 * xbound classify: tells what bounds a program, while it runs. */
#include "command.h"

#include "../base/parse.h"
#include "../core/advise.h"
#include "../core/confusion.h"
#include "../core/json.h"
#include "../core/profile.h"
#include "../core/registry.h"
#include "../core/sink.h"
#include "../core/topology.h"
#include "../core/watch.h"
#include "../core/watch_rows.h"
#include "../core/watch_text.h"
#include "../probes/probe.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char usage[] =
    "Usage: xbound classify [OPTION...] [--] COMMAND [ARGUMENT...]\n"
    "       xbound classify [OPTION...] -p PID\n"
    "       xbound classify --calibrate [--csv DIR]\n"
    "Tells what bounds a program: cpu, a cache, memory, io, sync (waiting for other workers or a\n"
    "timer) or kernel; mixed where no class has most of its time, unknown where that cannot be "
    "told.\n"
    "Children and threads are watched too. The command keeps its input, output and exit code; the\n"
    "report goes to standard error, or with -p to standard output.\n\n"
    "  -p, --pid PID     watch a running process, 5 s unless --time says otherwise\n"
    "      --time S      watch so long (such as 10 or 500ms) and report; the command then runs "
    "on.\n"
    "                    Without it a command is watched to its end, and what it leaves running 5 "
    "s\n"
    "      --kill        end the command when --time is over: SIGTERM, SIGKILL 2 s later\n"
    "      --probes LIST only these kinds of evidence, see below\n"
    "      --phases      a line for each second, not for each run of equal ones\n"
    "      --json        the report as one JSON object\n"
    "  -o, --output FILE where the report goes\n"
    "      --csv DIR     also phases.csv, evidence.csv and provenance.csv, in a new or empty "
    "folder;\n"
    "                    scripts/plot.sh DIR draws them\n"
    "      --advice      predict what 1, 2, 4 ... workers would gain under threads, processes and "
    "a "
    "loop,\n"
    "                    from a mimic whose time divides alike; 4 to 8 s once the command has "
    "ended\n"
    "      --verify 'CMD {N}'  advice, and then CMD with each number of workers in place of {N}, "
    "its\n"
    "                    output thrown away; 10 s, or three runs of each. Without COMMAND, it "
    "is\n"
    "                    watched with two workers\n"
    "      --refresh     measure this machine's caches again (4 s); they are kept below\n"
    "                    ${XDG_CACHE_HOME:-~/.cache}/xbound\n"
    "      --no-cache    measure them, and keep nothing\n"
    "      --calibrate   measure them, and have the probes look at the suite's own kernels, whose "
    "class is\n"
    "                    known, under each model: how often they are right here; some 7 minutes\n"
    "      --help        this text\n";

static const char exits[] =
    "\nExit codes: the command's own, 128 and the number of the signal that killed it, 126 if it\n"
    "cannot be executed, 127 if it is not there; 1 the report could not be written; 2 usage, or "
    "no\n"
    "such process; 130 interrupted. NO_COLOR switches colour off.";

struct command_line {
    struct xb_watching asked;
    const struct xb_probe *probes[XB_WATCH_PROBES];
    const char *output, *csv, *list;
    const char *verify;            /* a command with {N} in it */
    const char *shell[4];          /* it, as what is watched */
    char filled[XB_TRIAL_COMMAND]; /* with two workers */
    bool json, phases, refresh, no_cache, calibrate, help, advice;
};

enum {
    OPT_TIME = 256,
    OPT_KILL,
    OPT_PROBES,
    OPT_PHASES,
    OPT_JSON,
    OPT_CSV,
    OPT_REFRESH,
    OPT_NO_CACHE,
    OPT_CALIBRATE,
    OPT_ADVICE,
    OPT_VERIFY
};

static void print_help(void)
{
    struct xb_reason why;
    fputs(usage, stdout);
    puts("\nProbes:");
    for (size_t i = 0; i < xb_builtin.n_probes; i++) {
        const struct xb_probe *probe = xb_builtin.probes[i];
        bool works = probe->probe(&why) == 0;
        printf("  %-16s %s%s\n", probe->name, probe->summary,
               probe->on_request ? " (only with --probes)" : "");
        if (!works)
            printf("  %-16s not here: %s\n", "", why.text);
    }
    puts(exits);
}

/* ---- the command line ---- */

/* 0 or an exit code. */
static int choose_probes(struct command_line *line)
{
    struct xb_watching *asked = &line->asked;
    asked->probes = line->probes;
    if (!line->list) {
        for (size_t i = 0; i < xb_builtin.n_probes && asked->n_probes < XB_WATCH_PROBES; i++)
            if (!xb_builtin.probes[i]->on_request ||
                (line->advice && strcmp(xb_builtin.probes[i]->name, "far_end") == 0))
                line->probes[asked->n_probes++] = xb_builtin.probes[i];
        return 0;
    }
    char text[512];
    const char *names[XB_WATCH_PROBES];
    snprintf(text, sizeof text, "%s", line->list);
    int n = xb_parse_list(text, names, XB_WATCH_PROBES);
    if (n <= 0)
        return xb_usage("classify",
                        "--probes: '%.60s' is not a list of names, such as offcpu,stall",
                        line->list);
    for (int i = 0; i < n; i++) {
        const struct xb_probe *probe = xb_find_probe(&xb_builtin, names[i]);
        if (!probe)
            return xb_usage("classify",
                            "--probes: there is no probe '%.40s'; see xbound classify --help",
                            names[i]);
        bool twice = false;
        for (size_t j = 0; j < asked->n_probes; j++)
            twice |= line->probes[j] == probe;
        if (!twice)
            line->probes[asked->n_probes++] = probe;
    }
    return 0;
}

/* 0 or an exit code. */
static int read_option(struct command_line *line, int option, char **argv)
{
    struct xb_reason why;
    uint64_t pid;
    switch (option) {
    case 'h':
        line->help = true;
        return 0;
    case 'p':
        if (xb_parse_count(optarg, 1, INT32_MAX, &pid) != 0)
            return xb_usage("classify", "-p: '%.40s' is not the number of a process", optarg);
        line->asked.pid = (pid_t)pid;
        return 0;
    case 'o':
        line->output = optarg;
        return *optarg ? 0 : xb_usage("classify", "-o: an empty path");
    case OPT_TIME:
        if (xb_parse_time(optarg, 50 * 1000 * 1000, UINT64_C(1000000000) * 86400 * 30,
                          &line->asked.time_ns) != 0)
            return xb_usage("classify",
                            "--time: '%.40s' is not a time of 50ms or more, such as 10 or 500ms",
                            optarg);
        return 0;
    case OPT_KILL:
        line->asked.end_after = true;
        return 0;
    case OPT_PROBES:
        line->list = optarg;
        return 0;
    case OPT_PHASES:
        line->phases = true;
        return 0;
    case OPT_JSON:
        line->json = true;
        return 0;
    case OPT_CSV:
        line->csv = optarg;
        return *optarg ? 0 : xb_usage("classify", "--csv: an empty path");
    case OPT_REFRESH:
        line->refresh = true;
        return 0;
    case OPT_NO_CACHE:
        line->no_cache = true;
        return 0;
    case OPT_CALIBRATE:
        line->calibrate = line->refresh = true;
        return 0;
    case OPT_ADVICE:
        line->advice = true;
        return 0;
    case OPT_VERIFY:
        line->advice = true;
        line->verify = optarg;
        return xb_trial_check(optarg, &why) == 0 ? 0
                                                 : xb_usage("classify", "--verify: %s", why.text);
    case ':':
        return xb_usage("classify", "option '%s' needs a value; see xbound classify --help",
                        argv[optind - 1]);
    default:
        return xb_usage("classify",
                        "unknown option '%s'; see xbound classify --help; a command's own "
                        "options go behind it, or behind --",
                        argv[optind - 1]);
    }
}

/* With two workers: what one cannot show is whether they hold each other up. */
static void watch_verified(struct command_line *line)
{
    xb_trial_fill(line->verify, 2, line->filled); /* it fits: xb_trial_check() */
    line->shell[0] = "/bin/sh";
    line->shell[1] = "-c";
    line->shell[2] = line->filled;
    line->asked.argv = line->shell;
}

/* 0 or an exit code. */
static int read_command_line(struct command_line *line, int argc, char **argv)
{
    static const struct option options[] = {
        { "pid", required_argument, NULL, 'p' },
        { "time", required_argument, NULL, OPT_TIME },
        { "kill", no_argument, NULL, OPT_KILL },
        { "probes", required_argument, NULL, OPT_PROBES },
        { "phases", no_argument, NULL, OPT_PHASES },
        { "json", no_argument, NULL, OPT_JSON },
        { "output", required_argument, NULL, 'o' },
        { "csv", required_argument, NULL, OPT_CSV },
        { "refresh", no_argument, NULL, OPT_REFRESH },
        { "no-cache", no_argument, NULL, OPT_NO_CACHE },
        { "calibrate", no_argument, NULL, OPT_CALIBRATE },
        { "advice", no_argument, NULL, OPT_ADVICE },
        { "verify", required_argument, NULL, OPT_VERIFY },
        { "help", no_argument, NULL, 'h' },
        { NULL, 0, NULL, 0 },
    };
    int code = 0;
    opterr = 0;
    /* +: what stands behind the command belongs to it. */
    for (int option; !code && !line->help &&
                     (option = getopt_long(argc, argv, "+:p:o:h", options, NULL)) != -1;)
        code = read_option(line, option, argv);
    if (code || line->help)
        return code;
    if (optind < argc)
        line->asked.argv = (const char *const *)argv + optind;
    else if (line->verify && !line->asked.pid)
        watch_verified(line);
    if (line->asked.argv && line->asked.pid)
        return xb_usage("classify", "-p and a command: want one of them");
    if (line->calibrate &&
        (line->asked.argv || line->asked.pid || line->json || line->list || line->advice))
        return xb_usage("classify",
                        "--calibrate: takes no command, -p, --json, --probes or --advice");
    if (line->calibrate)
        return 0;
    if (!line->asked.argv && !line->asked.pid)
        return xb_usage("classify", "want a command or -p PID; see xbound classify --help");
    if (line->asked.argv && !line->asked.argv[0][0])
        return xb_usage("classify", "the command is an empty word");
    if (line->asked.end_after && (!line->asked.time_ns || !line->asked.argv))
        return xb_usage("classify", "--kill: ends a command whose --time is over; want both");
    if (line->no_cache && line->refresh)
        return xb_usage("classify", "--refresh keeps what --no-cache does not; want one of them");
    return choose_probes(line);
}

/* ---- what is measured of the machine ---- */

static void say_measuring(void)
{
    if (isatty(STDERR_FILENO))
        fputs("xbound classify: measuring this machine's caches, once (4 s)\n", stderr);
}

/* Of probes that were asked for by name and run the command several times before it is watched. */
static void tell(const char *text)
{
    fprintf(stderr, "xbound classify: %s\n", text);
}

static void know_machine(const struct command_line *line, const struct xb_topology *topology,
                         struct xb_profile *profile)
{
    struct xb_reason why;
    enum xb_profile_use use = line->no_cache  ? XB_PROFILE_APART
                              : line->refresh ? XB_PROFILE_ANEW
                                              : XB_PROFILE_KEPT;
    xb_profile_get(use, &xb_builtin, topology, NULL, say_measuring, profile, &why);
    if (why.code)
        fprintf(stderr, "xbound classify: the profile of this machine: %s\n", why.text);
}

/* ---- the report ---- */

/* Whether all of it reached its files. `advised`: NULL without --advice. */
static bool report(const struct command_line *line, const struct xb_topology *topology,
                   const struct xb_watched *watched, const struct xb_advised *advised, FILE *out)
{
    struct xb_reason why = { 0 };
    bool good = true;
    if (line->json) {
        struct xb_json *object = xb_watch_json(&line->asked, watched);
        if (advised)
            xb_json_put(object, "advice", xb_advised_json(advised));
        good = xb_json_write(out, object, &why) == 0;
    } else {
        xb_watch_print(out, &line->asked, watched, line->phases, xb_wants_colour(out));
        if (advised)
            xb_advised_print(out, advised);
    }
    if (good && (fflush(out) != 0 || ferror(out)))
        good = xb_because(&why, -EIO, "%s: %s", line->output ? line->output : "the report",
                          strerror(errno)) == 0;
    if (line->csv && xb_watch_write(line->csv, topology, &line->asked, watched, &why) != 0)
        good = false;
    if (!good)
        fprintf(stderr, "xbound classify: %s\n", why.text);
    return good;
}

/* The exit code for a command or process that could not be watched. */
static int refuse(const struct command_line *line, const struct xb_reason *why, bool started)
{
    fprintf(stderr, "xbound classify: %s\n", why->text);
    if (started)
        return why->code == -ENOENT ? 127 : 126;
    return line->asked.pid ? XB_EXIT_USAGE : XB_EXIT_FAILED;
}

/* In the report, since whoever reads that from standard error wants nothing else there. */
static void note_busy(const struct xb_profile *profile, struct xb_watched *watched)
{
    if (profile->others_cpus > XB_PROFILE_QUIET && watched->n_notes < XB_WATCH_NOTES)
        snprintf(
            watched->note[watched->n_notes++], sizeof watched->note[0],
            "this machine was measured while others kept %.1f CPUs busy, so its caches may seem "
            "small and slow: --refresh when it is quiet",
            profile->others_cpus);
}

static int classify(const struct command_line *line, const struct xb_topology *topology,
                    const struct xb_profile *profile, FILE *out)
{
    struct xb_watch *watch = NULL;
    struct xb_watched watched;
    struct xb_reason why = { 0 };
    if (xb_watch_open(&line->asked, &watch, &why) != 0)
        return refuse(line, &why, false);
    int code;
    if (xb_watch_run(watch, &watched, &why) != 0) {
        code = refuse(line, &why, line->asked.argv && why.code != -ENOMEM);
    } else {
        bool good = true;
        struct xb_advised advised;
        note_busy(profile, &watched);
        if (!line->advice)
            good = report(line, topology, &watched, NULL, out);
        code = xb_watch_wait(watch);
        /* Once it has ended, lest it disturbs what is measured; and not for one that was killed. */
        if (line->advice && code < 128)
            xb_advise(&line->asked, &watched, &xb_builtin, topology, line->verify, &advised);
        if (line->advice)
            good = report(line, topology, &watched, code < 128 ? &advised : NULL, out) &&
                   (code >= 128 || xb_advised_well(&advised));
        if (!good && code == XB_EXIT_OK)
            code = XB_EXIT_FAILED;
    }
    xb_watch_close(watch);
    return code;
}

/* ---- how well it does here ---- */

static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
    interrupted = number;
}

static void show_progress(size_t done, size_t n)
{
    if (isatty(STDERR_FILENO))
        fprintf(stderr, "\r\033[K%zu/%zu%s", done, n, done == n ? "\r\033[K" : "");
}

/* A folder for rows that nobody asked for. */
static void remove_rows(const char *folder)
{
    static const char *const names[] = { "computing/samples.csv",
                                         "computing/summary.csv",
                                         "computing/provenance.csv",
                                         "waiting/samples.csv",
                                         "waiting/summary.csv",
                                         "waiting/provenance.csv",
                                         "computing",
                                         "waiting",
                                         "" };
    char path[PATH_MAX];
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (snprintf(path, sizeof path, "%s/%s", folder, names[i]) < (int)sizeof path)
            remove(path);
}

static int calibrate(const struct command_line *line, const struct xb_topology *topology,
                     const struct xb_capacity *capacity)
{
    struct xb_reason why = { 0 };
    char folder[PATH_MAX], *misses = NULL;
    size_t bytes;
    const char *temporary = getenv("TMPDIR");
    if (!line->csv) {
        snprintf(folder, sizeof folder, "%.4000s/xbound-XXXXXX",
                 temporary && temporary[0] ? temporary : "/tmp");
        if (!mkdtemp(folder))
            return xb_usage("classify", "%.200s: %s", folder, strerror(errno));
    }
    struct sigaction action = { .sa_handler = on_signal };
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    signal(SIGCHLD, SIG_DFL); /* where it is ignored, no cell could be reaped */
    signal(SIGPIPE, SIG_IGN);
    struct xb_confusion confusion = { .misses = open_memstream(&misses, &bytes) };
    int err =
        xb_confusion_measure(&confusion, &xb_builtin, topology, capacity,
                             line->csv ? line->csv : folder, &interrupted, show_progress, &why);
    if (confusion.misses)
        fclose(confusion.misses);
    if (!line->csv)
        remove_rows(folder);
    xb_confusion_print(stdout, &confusion);
    if (misses && misses[0])
        printf("\nSurely seen as another class:\n%s", misses);
    free(misses);
    if (err == -EINTR)
        return XB_EXIT_INTERRUPTED;
    if (err)
        fprintf(stderr, "xbound classify: %s\n", why.text);
    return err ? XB_EXIT_FAILED : XB_EXIT_OK;
}

static int run(int argc, char **argv)
{
    struct command_line line = { .output = NULL };
    struct xb_reason why = { 0 };
    int code = read_command_line(&line, argc, argv);
    if (code)
        return code;
    if (line.help) {
        print_help();
        return XB_EXIT_OK;
    }
    FILE *out = line.output ? fopen(line.output, "we") : line.asked.pid ? stdout : stderr;
    if (!out)
        return xb_usage("classify", "-o: %.200s: %s", line.output, strerror(errno));
    struct xb_topology *topology = NULL;
    struct xb_profile profile;
    if (line.csv && xb_sink_prepare(line.csv, &why) != 0) {
        code = xb_usage("classify", "--csv: %s", why.text);
    } else if (xb_topology_open(NULL, &topology, &why) != 0) {
        fprintf(stderr, "xbound classify: topology: %s\n", why.text);
        code = XB_EXIT_FAILED;
    } else {
        know_machine(&line, topology, &profile);
        line.asked.capacity = &profile.capacity;
        line.asked.tell = tell;
        code = line.calibrate ? calibrate(&line, topology, &profile.capacity)
                              : classify(&line, topology, &profile, out);
    }
    xb_topology_close(topology);
    if (line.output && fclose(out) != 0 && code == XB_EXIT_OK) {
        fprintf(stderr, "xbound classify: %s: %s\n", line.output, strerror(errno));
        code = XB_EXIT_FAILED;
    }
    return code;
}

const struct xb_command xb_command_classify = {
    .name = "classify",
    .arguments = "COMMAND...",
    .summary = "what bounds a program, while it runs (also -p PID)",
    .run = run,
};
