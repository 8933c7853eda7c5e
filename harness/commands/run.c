/* SPDX-License-Identifier: BSD-3-Clause
 * xbound run: measures kernels under models and writes CSV. */
#include "command.h"

#include "../base/clock.h"
#include "../core/experiment.h"
#include "../core/isa.h"
#include "../core/machine.h"
#include "../core/options.h"
#include "../core/picture.h"
#include "../core/profile.h"
#include "../core/row.h"
#include "../core/sink.h"
#include "../counters/source.h"
#include "../models/model.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
    interrupted = number;
}

enum { OPT_DRY_RUN = 256, OPT_SPEC /* and those behind it: entries of xb_options */ };

/* Two columns: the option, and what it does from HELP_COLUMN on. */
enum { HELP_COLUMN = 25 };

static void print_option(const char *name, const char *value, const char *help)
{
    int width = printf("  --%s%s%s ", name, value ? " " : "", value ? value : "");
    for (bool first = true; help; first = false) {
        const char *end = strchrnul(help, '\n');
        printf("%*s%.*s\n", HELP_COLUMN - (first ? width : 0), "", (int)(end - help), help);
        help = *end ? end + 1 : NULL;
    }
}

static void print_help(void)
{
    puts("Usage: xbound run [OPTION...] [KERNEL...]\n"
         "Measures kernels (names or globs such as 'memory/*'; all when none is named) and writes\n"
         "samples.csv, summary.csv and provenance.csv.");
    for (size_t i = 0; i < xb_n_options; i++) {
        if (i == 0 || strcmp(xb_options[i].group, xb_options[i - 1].group) != 0)
            printf("\n%s\n", xb_options[i].group);
        print_option(xb_options[i].name, xb_options[i].value, xb_options[i].help);
    }
    puts("\nOutput:");
    print_option("output", "DIR", "or -o: a new or empty folder; default results/runs/<time>");
    print_option("dry-run", NULL, "shows the cells and measures nothing: sizes as claimed");
    print_option("help", NULL, "this text");
}

struct command_line {
    struct xb_request request;
    const char *directory;
    bool dry_run, help;
};

/* getopt_long's table: the options of every command that measures, and this one's own. The caller
 * frees; NULL when out of memory. */
static struct option *make_options(void)
{
    static const struct option own[] = {
        { "output", required_argument, NULL, 'o' },
        { "dry-run", no_argument, NULL, OPT_DRY_RUN },
        { "help", no_argument, NULL, 'h' },
        { NULL, 0, NULL, 0 },
    };
    struct option *all = calloc(xb_n_options + sizeof own / sizeof own[0], sizeof *all);
    for (size_t i = 0; i < xb_n_options && all; i++)
        all[i] = (struct option){ xb_options[i].name,
                                  xb_options[i].value ? required_argument : no_argument, NULL,
                                  OPT_SPEC + (int)i };
    if (all)
        memcpy(all + xb_n_options, own, sizeof own);
    return all;
}

/* 0 or an exit code. */
static int read_option(struct command_line *line, int option, char **argv)
{
    struct xb_reason why;
    /* getopt moves on from the word only with its last letter, so a letter is named itself. */
    const char letter[] = { '-', (char)optopt, '\0' };
    switch (option) {
    case 'h':
        line->help = true;
        return 0;
    case 'o':
        line->directory = optarg;
        return *optarg ? 0 : xb_usage("run", "-o: an empty path");
    case OPT_DRY_RUN:
        line->dry_run = true;
        return 0;
    case ':':
        return xb_usage("run", "option '%s' needs a value; see xbound run --help",
                        argv[optind - 1]);
    case '?':
        return xb_usage("run", "unknown option '%s'; see xbound run --help",
                        optopt > 0 && optopt < 128 && optopt != 'o' && optopt != 'h'
                            ? letter
                            : argv[optind - 1]);
    default:
        if (xb_options[option - OPT_SPEC].read(&line->request, optarg, &why) != 0)
            return xb_usage("run", "%s", why.text);
        return 0;
    }
}

/* 0 or an exit code. */
static int read_command_line(struct command_line *line, int argc, char **argv)
{
    struct xb_spec *spec = &line->request.spec;
    struct xb_reason why;
    struct option *options = make_options();
    int code = options ? 0 : xb_usage("run", "out of memory");
    opterr = 0;
    for (int option = 0; !code && !line->help;) {
        option = getopt_long(argc, argv, ":o:h", options, NULL);
        if (option == -1)
            break;
        code = read_option(line, option, argv);
    }
    free(options);
    for (; optind < argc && !code && !line->help; optind++) {
        if (spec->n_kernels == XB_LIST_MAX)
            return xb_usage("run", "more than %d kernel patterns", XB_LIST_MAX);
        spec->kernels[spec->n_kernels++] = argv[optind];
    }
    if (!code && xb_request_finish(&line->request, &why) != 0)
        return xb_usage("run", "%s", why.text);
    return code;
}

/* ---- doing it ---- */

static void print_cells(const struct xb_cell *cells, size_t n)
{
    puts("kernel,model,engine,workers,lanes,bytes_per_worker,depth,isa,skipped");
    for (size_t i = 0; i < n; i++) {
        printf("%s,%s,%s,%u,%u,%" PRIu64 ",%u,%s,", cells[i].kernel->name, cells[i].model->name,
               cells[i].engine->name, cells[i].workers, cells[i].lanes, cells[i].bytes,
               cells[i].depth, xb_isa_name(cells[i].isa));
        xb_csv_text(stdout, cells[i].skip.text);
        puts("");
    }
}

struct display {
    uint64_t begin_ns;
    bool terminal;
};

/* On a terminal one line that is rewritten, with the time that is left; nothing in a pipe but
 * what went wrong. */
static void show(void *context, size_t done, size_t n, const struct xb_summary_row *row)
{
    const struct display *display = context;
    if (display->terminal)
        fputs("\r\033[K", stderr);
    if (strcmp(row->status, "failed") == 0)
        fprintf(stderr, "xbound run: failed: %s %s/%s/%s, %" PRIu64 " at once: %s\n", row->kernel,
                row->model, row->engine, row->isa, row->workers, row->reason);
    if (!display->terminal)
        return;
    double spent = (double)(xb_now_ns() - display->begin_ns) / 1e9;
    double left = spent / (double)done * (double)(n - done);
    fprintf(stderr, "%zu/%zu  %.0f s left  %s %s/%s/%s x%" PRIu64, done, n, left, row->kernel,
            row->model, row->engine, row->isa, row->workers);
    if (done == n)
        fputs("\r\033[K", stderr);
    fflush(stderr);
}

/* results/runs/<UTC time>, with a number behind it if that is taken. */
static const char *default_directory(char *path, size_t bytes)
{
    char stamp[32];
    time_t now = time(NULL);
    struct tm utc;
    struct stat status;
    strftime(stamp, sizeof stamp, "%Y%m%dT%H%M%SZ", gmtime_r(&now, &utc));
    snprintf(path, bytes, "results/runs/%s", stamp);
    for (int i = 2; stat(path, &status) == 0; i++)
        snprintf(path, bytes, "results/runs/%s-%d", stamp, i);
    return path;
}

static void trim_slashes(char *path)
{
    for (size_t n = strlen(path); n > 1 && path[n - 1] == '/'; n--)
        path[n - 1] = '\0';
}

/* A quota below one CPU stops every lane for parts of each period: all figures are of that. */
static void warn_of_quota(void)
{
    struct xb_machine machine;
    xb_machine_read("", &machine);
    if (machine.cpu_quota >= 0 && machine.cpu_quota < 1)
        fprintf(stderr,
                "xbound run: the cgroup grants %.2f CPUs, so times measure its throttling; raise "
                "cpu.max or use whole CPUs (cpuset)\n",
                machine.cpu_quota);
}

static void take_signals(void)
{
    struct sigaction action = { .sa_handler = on_signal };
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGCHLD, SIG_DFL); /* a parent may have left it ignored; then no cell could be reaped */
    signal(SIGXFSZ, SIG_IGN); /* a file size limit is then an error like a full disk */
}

/* Measures the caches if a cell's size follows them, and expands the spec anew. Where it cannot, or
 * is interrupted, the sizes claimed stay. Returns whether there is a picture. */
static bool measure_caches(struct xb_spec *spec, const struct xb_topology *topology,
                           struct xb_picture *picture, struct xb_cell **cells, size_t *n)
{
    struct xb_reason why;
    if (spec->caches_from != XB_CACHES_MEASURED || !xb_picture_wanted(spec, *cells, *n))
        return false;
    int err = xb_picture_measure(&xb_builtin, topology, spec->bind, spec->quick, &interrupted,
                                 picture, &why);
    if (why.code && !interrupted)
        fprintf(stderr, "xbound run: the picture of the caches is not complete: %s\n", why.text);
    if (err)
        return false;
    struct xb_cell *anew;
    struct xb_caches claimed = spec->caches;
    spec->caches = xb_picture_caches(picture, topology);
    if (xb_spec_cells(spec, &xb_builtin, topology, &anew, n, &why) == 0) {
        free(*cells);
        *cells = anew;
    } else {
        spec->caches = claimed;
    }
    return true;
}

/* What this machine's memory is like, for probes: as measured before, or now and kept. NULL where no
 * cell is looked at. */
static const struct xb_capacity *capacity_of(const struct xb_spec *spec,
                                             const struct xb_topology *topology,
                                             struct xb_profile *profile)
{
    struct xb_reason why;
    if (!spec->observe_ns)
        return NULL;
    xb_profile_get(XB_PROFILE_KEPT, &xb_builtin, topology, &interrupted, NULL, profile, &why);
    if (why.code && !interrupted)
        fprintf(stderr, "xbound run: the profile of this machine: %s\n", why.text);
    return &profile->capacity;
}

static int measure(struct command_line *line, const struct xb_topology *topology,
                   struct xb_cell **cells, size_t n)
{
    char path[4096];
    struct xb_reason why = { 0 };
    if (line->directory && strlen(line->directory) >= sizeof path)
        return xb_usage("run", "-o: the path is too long");
    if (line->directory)
        strcpy(path, line->directory);
    else
        default_directory(path, sizeof path);
    trim_slashes(path);
    if (xb_sink_prepare(path, &why) != 0)
        return xb_usage("run", "%s", why.text);

    warn_of_quota();
    take_signals();
    struct display display = { .begin_ns = xb_now_ns(), .terminal = isatty(STDERR_FILENO) };
    const char *slash = strrchr(path, '/');
    struct xb_picture picture;
    bool has_picture = measure_caches(&line->request.spec, topology, &picture, cells, &n);
    struct xb_profile profile;
    struct xb_experiment experiment = {
        .spec = &line->request.spec,
        .registry = &xb_builtin,
        .topology = topology,
        .source = xb_request_source(&line->request),
        .events = line->request.events,
        .counts_waiting = line->request.source || line->request.events.set != XB_METRICS_ALL,
        .picture = has_picture ? &picture : NULL,
        .capacity = capacity_of(&line->request.spec, topology, &profile),
        .cells = *cells,
        .n_cells = n,
        .directory = path,
        .run_id = slash && slash[1] ? slash + 1 : path,
        .stop = &interrupted,
        .progress = show,
        .context = &display,
    };
    struct xb_tally tally;
    int err = xb_experiment_run(&experiment, &tally, &why);
    if (display.terminal)
        fputs("\r\033[K", stderr);
    printf("%s: %zu ok, %zu suspect, %zu failed, %zu skipped of %zu cells in %.1f s\n", path,
           tally.ok, tally.suspect, tally.failed, tally.skipped, n,
           (double)(xb_now_ns() - display.begin_ns) / 1e9);
    if (err == -EINTR) {
        fprintf(stderr, "xbound run: interrupted; %zu finished cells are in %s\n",
                tally.ok + tally.suspect + tally.failed + tally.skipped, path);
        return XB_EXIT_INTERRUPTED;
    }
    if (err) {
        fprintf(stderr, "xbound run: %s\n", why.text);
        return XB_EXIT_FAILED;
    }
    if (tally.failed)
        return XB_EXIT_FAILED;
    return tally.ok + tally.suspect ? XB_EXIT_OK : XB_EXIT_SKIPPED;
}

static int run(int argc, char **argv)
{
    struct command_line line = { .dry_run = false };
    struct xb_request *request = &line.request;
    struct xb_reason why = { 0 };
    xb_request_init(request, &xb_builtin);
    int code = read_command_line(&line, argc, argv);
    if (code)
        return code;
    if (line.help) {
        print_help();
        return XB_EXIT_OK;
    }
    const struct xb_counter_source *source = request->source;
    if (source && source->simulate) {
        const uint64_t *bytes = request->spec.caches.bytes;
        if (source->simulate(bytes[XB_CACHE_L1D], bytes[XB_CACHE_LLC], argv, &why) != 0)
            return xb_usage("run", "--counters %s: %s", source->name, why.text);
    }
    struct xb_topology *topology = NULL;
    if (xb_topology_open(NULL, &topology, &why) != 0) {
        fprintf(stderr, "xbound run: topology: %s\n", why.text);
        return XB_EXIT_FAILED;
    }
    struct xb_cell *cells = NULL;
    size_t n = 0;
    if (xb_spec_cells(&request->spec, &xb_builtin, topology, &cells, &n, &why) != 0 ||
        xb_request_check(request, cells, n, &why) != 0) {
        code = xb_usage("run", "%s", why.text);
    } else if (line.dry_run) {
        print_cells(cells, n);
        code = XB_EXIT_OK;
    } else {
        code = measure(&line, topology, &cells, n);
    }
    free(cells);
    xb_topology_close(topology);
    return code;
}

const struct xb_command xb_command_run = {
    .name = "run",
    .arguments = "[KERNEL...]",
    .summary = "measure kernels under execution models, and write CSV",
    .run = run,
};
