/* SPDX-License-Identifier: BSD-3-Clause
 * xbound run: measures kernels under models and writes CSV. */
#include "command.h"

#include "../base/clock.h"
#include "../base/parse.h"
#include "../core/experiment.h"
#include "../core/machine.h"
#include "../core/metrics.h"
#include "../core/row.h"
#include "../core/team.h"
#include "../counters/source.h"
#include "../models/model.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
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

static void print_help(void)
{
    puts(
        "Usage: xbound run [OPTION...] [KERNEL...]\n"
        "Measures kernels (names or globs such as 'memory/*'; all when none is named) and writes\n"
        "samples.csv, summary.csv and provenance.csv.\n\n"
        "What to measure; LIST is values with commas between:\n"
        "  --class LIST       only kernels of these classes: cpu cache memory io sync\n"
        "  --model LIST       execution models; all when not given\n"
        "  --engine LIST      I/O engines; all for I/O kernels, the plainest for others\n"
        "  --workers LIST     or auto: 1, CPUs, 2 x CPUs, and for I/O also 16 and 64\n"
        "  --bind POLICY      scatter (default), compact or none\n"
        "  --bytes LIST       working set of a worker, as 64K or 1G; what fits the level "
        "otherwise\n"
        "  --sweep bytes=A:B[:N]  sizes from A to B, N for each doubling (default 2)\n"
        "  --depth LIST       I/O operations kept in flight per worker; default 1\n"
        "  --file PATH        the file that io kernels read, instead of a generated one\n"
        "  --url URL          the server that io/http_get asks, instead of one of our own\n"
        "  --seed N           seed of inputs and of the order of cells; default 1\n\n"
        "How long:\n"
        "  --samples N        exactly N samples a cell, however long they take\n"
        "  --min-time TIME    aim of one sample; default 10ms (also us, s)\n"
        "  --max-time TIME    for all samples of a cell; default 1s. It ends before that once the\n"
        "                     95 % interval of the median is within 2 %\n"
        "  --quick            --min-time 4ms --max-time 120ms, where these are not given\n\n"
        "Counters:\n"
        "  --counters SOURCE  papi, perf or none; auto takes the first that works\n"
        "  --events LIST      only these metrics (see xbound list)\n\n"
        "Output:\n"
        "  -o, --output DIR   a new or empty folder; default results/runs/<time>\n"
        "  --dry-run          shows the cells and measures nothing\n"
        "  --help             this text");
}

enum {
    OPT_CLASS = 256,
    OPT_MODEL,
    OPT_ENGINE,
    OPT_WORKERS,
    OPT_BIND,
    OPT_BYTES,
    OPT_SWEEP,
    OPT_DEPTH,
    OPT_FILE,
    OPT_URL,
    OPT_SEED,
    OPT_SAMPLES,
    OPT_MIN_TIME,
    OPT_MAX_TIME,
    OPT_QUICK,
    OPT_COUNTERS,
    OPT_EVENTS,
    OPT_DRY_RUN,
};

/* clang-format off */
static const struct option options[] = {
    { "class", required_argument, NULL, OPT_CLASS },
    { "model", required_argument, NULL, OPT_MODEL },
    { "engine", required_argument, NULL, OPT_ENGINE },
    { "workers", required_argument, NULL, OPT_WORKERS },
    { "bind", required_argument, NULL, OPT_BIND },
    { "bytes", required_argument, NULL, OPT_BYTES },
    { "sweep", required_argument, NULL, OPT_SWEEP },
    { "depth", required_argument, NULL, OPT_DEPTH },
    { "file", required_argument, NULL, OPT_FILE },
    { "url", required_argument, NULL, OPT_URL },
    { "seed", required_argument, NULL, OPT_SEED },
    { "samples", required_argument, NULL, OPT_SAMPLES },
    { "min-time", required_argument, NULL, OPT_MIN_TIME },
    { "max-time", required_argument, NULL, OPT_MAX_TIME },
    { "quick", no_argument, NULL, OPT_QUICK },
    { "counters", required_argument, NULL, OPT_COUNTERS },
    { "events", required_argument, NULL, OPT_EVENTS },
    { "output", required_argument, NULL, 'o' },
    { "dry-run", no_argument, NULL, OPT_DRY_RUN },
    { "help", no_argument, NULL, 'h' },
    { NULL, 0, NULL, 0 },
};
/* clang-format on */

struct request {
    struct xb_spec spec;
    const struct xb_counter_source *source; /* NULL: auto */
    uint32_t metrics;
    const char *directory;
    char *list; /* a copy of the list being read, whose pieces are looked at */
    bool dry_run, min_time_given, max_time_given;
};

/* Prints one line and returns the exit code for wrong usage. */
__attribute__((format(printf, 1, 2))) static int usage(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("xbound run: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    return XB_EXIT_USAGE;
}

/* ---- options with lists ---- */

/* Cuts a copy of `text` at commas; the pieces live until the next call. */
static int cut(struct request *request, const char *option, const char *text, const char **pieces,
               size_t room)
{
    free(request->list);
    request->list = strdup(text);
    int n = request->list ? xb_parse_list(request->list, pieces, room) : -ENOMEM;
    if (n < 0)
        usage("--%s: '%s' is not a list of 1 to %zu values with commas between", option, text,
              room);
    return n;
}

/* Drops all but the first of equal elements: a cell measured twice would weigh twice. Returns how
 * many are left; n < 0 leaves none. */
static size_t unique(void *array, int n, size_t bytes)
{
    char *at = array;
    size_t kept = 0;
    for (int i = 0; i < n; i++) {
        size_t same = 0;
        while (same < kept && memcmp(at + same * bytes, at + (size_t)i * bytes, bytes) != 0)
            same++;
        if (same == kept)
            memmove(at + kept++ * bytes, at + (size_t)i * bytes, bytes);
    }
    return kept;
}

static int read_classes(struct request *request, const char *text)
{
    const char *pieces[XB_LIST_MAX];
    int n = cut(request, "class", text, pieces, XB_LIST_MAX);
    request->spec.classes = 0;
    for (int i = 0; i < n; i++) {
        int bound = 0;
        while (bound < XB_CLASSES && strcmp(xb_class_name((enum xb_class)bound), pieces[i]) != 0)
            bound++;
        if (bound == XB_CLASSES)
            return usage("--class: unknown class '%s'; there are cpu cache memory io sync",
                         pieces[i]);
        request->spec.classes |= 1u << bound;
    }
    return n < 0 ? XB_EXIT_USAGE : 0;
}

static int read_models(struct request *request, const char *text)
{
    const char *pieces[XB_LIST_MAX];
    int n = cut(request, "model", text, pieces, XB_LIST_MAX);
    for (int i = 0; i < n; i++) {
        request->spec.models[i] = xb_find_model(&xb_builtin, pieces[i]);
        if (!request->spec.models[i])
            return usage("--model: unknown model '%s'; see xbound list", pieces[i]);
    }
    request->spec.n_models = unique(request->spec.models, n, sizeof *request->spec.models);
    return n < 0 ? XB_EXIT_USAGE : 0;
}

static int read_engines(struct request *request, const char *text)
{
    const char *pieces[XB_LIST_MAX];
    int n = cut(request, "engine", text, pieces, XB_LIST_MAX);
    for (int i = 0; i < n; i++) {
        request->spec.engines[i] = xb_find_engine(&xb_builtin, pieces[i]);
        if (!request->spec.engines[i])
            return usage("--engine: unknown engine '%s'; see xbound list", pieces[i]);
    }
    request->spec.n_engines = unique(request->spec.engines, n, sizeof *request->spec.engines);
    return n < 0 ? XB_EXIT_USAGE : 0;
}

/* A list of counts in [1, most]. */
static int read_counts(struct request *request, const char *option, const char *text, uint32_t most,
                       uint32_t *out, size_t *n_out)
{
    const char *pieces[XB_LIST_MAX];
    int n = cut(request, option, text, pieces, XB_LIST_MAX);
    for (int i = 0; i < n; i++) {
        uint64_t value;
        if (xb_parse_count(pieces[i], 1, most, &value) != 0)
            return usage("--%s: '%s' is not a whole number from 1 to %u", option, pieces[i], most);
        out[i] = (uint32_t)value;
    }
    *n_out = unique(out, n, sizeof *out);
    return n < 0 ? XB_EXIT_USAGE : 0;
}

#define BYTES_MOST (UINT64_C(1) << 44)

/* Kernels take sizes in whole cache lines, pointer chases in sixteen of them. */
#define SWEEP_GRAIN 1024

static int read_bytes(struct request *request, const char *text)
{
    const char *pieces[XB_LIST_MAX];
    int n = cut(request, "bytes", text, pieces, XB_LIST_MAX);
    for (int i = 0; i < n; i++)
        if (xb_parse_bytes(pieces[i], 1, BYTES_MOST, &request->spec.bytes[i]) != 0)
            return usage("--bytes: '%s' is not a size from 1 to 16T, such as 64K", pieces[i]);
    request->spec.n_bytes = unique(request->spec.bytes, n, sizeof *request->spec.bytes);
    return n < 0 ? XB_EXIT_USAGE : 0;
}

/* Sizes in equal ratios, rounded to the grain. */
static int read_sweep(struct request *request, const char *text)
{
    static const char shape[] = "bytes=FROM:TO[:PER_DOUBLING], such as bytes=4K:1G";
    char copy[128];
    const char *from = copy, *to = NULL, *steps = "2";
    uint64_t first, last, per_doubling;
    if (strncmp(text, "bytes=", 6) != 0 || strlen(text) >= sizeof copy)
        return usage("--sweep: '%s' is not %s", text, shape);
    strcpy(copy, text + 6);
    char *colon = strchr(copy, ':');
    if (colon) {
        *colon = '\0';
        to = colon + 1;
        colon = strchr(to, ':');
        if (colon) {
            *colon = '\0';
            steps = colon + 1;
        }
    }
    if (!to || xb_parse_bytes(from, SWEEP_GRAIN, BYTES_MOST, &first) != 0 ||
        xb_parse_bytes(to, SWEEP_GRAIN, BYTES_MOST, &last) != 0 || last < first ||
        xb_parse_count(steps, 1, 16, &per_doubling) != 0)
        return usage("--sweep: '%s' is not %s", text, shape);
    size_t room = sizeof request->spec.bytes / sizeof request->spec.bytes[0];
    request->spec.n_bytes = 0;
    for (size_t i = 0; i < room; i++) {
        double bytes = (double)first * pow(2, (double)i / (double)per_doubling);
        if (bytes > (double)last * 1.001)
            return 0;
        uint64_t rounded = (uint64_t)(bytes / SWEEP_GRAIN + 0.5) * SWEEP_GRAIN;
        /* Small sizes in small steps round to the same. */
        size_t n = request->spec.n_bytes;
        if (n == 0 || request->spec.bytes[n - 1] != rounded)
            request->spec.bytes[request->spec.n_bytes++] = rounded;
    }
    return usage("--sweep: more than %zu sizes", room);
}

static int read_events(struct request *request, const char *text)
{
    const char *pieces[XB_METRIC_COUNT];
    int n = cut(request, "events", text, pieces, XB_METRIC_COUNT);
    request->metrics = 0;
    for (int i = 0; i < n; i++) {
        int metric = 0;
        while (metric < XB_METRIC_COUNT &&
               strcmp(xb_metric_name((enum xb_metric)metric), pieces[i]) != 0)
            metric++;
        if (metric == XB_METRIC_COUNT)
            return usage("--events: unknown event '%s'; see the metrics in xbound list", pieces[i]);
        request->metrics |= 1u << metric;
    }
    return n < 0 ? XB_EXIT_USAGE : 0;
}

/* ---- options with one value ---- */

static int read_source(struct request *request, const char *text)
{
    struct xb_reason why = { 0 };
    request->source = NULL;
    if (strcmp(text, "auto") == 0)
        return 0;
    request->source = xb_find_source(&xb_builtin, text);
    if (!request->source)
        return usage("--counters: unknown source '%s'; see xbound list", text);
    if (request->source->probe(&why) != 0)
        return usage("--counters: %s cannot count here: %s", text, why.text);
    return 0;
}

static int read_bind(struct request *request, const char *text)
{
    int bind = xb_bind_parse(text);
    if (bind < 0)
        return usage("--bind: unknown policy '%s'; there are scatter compact none", text);
    request->spec.bind = (enum xb_bind)bind;
    return 0;
}

static int read_time(const char *option, const char *text, uint64_t *out_ns)
{
    const uint64_t hour_ns = UINT64_C(3600000000000);
    if (xb_parse_time(text, 1000, hour_ns, out_ns) != 0)
        return usage("--%s: '%s' is not a time from 1us to 3600s, such as 10ms", option, text);
    return 0;
}

static int read_count(const char *option, const char *text, uint64_t least, uint64_t most,
                      uint64_t *out)
{
    if (xb_parse_count(text, least, most, out) != 0)
        return usage("--%s: '%s' is not a whole number from %" PRIu64 " to %" PRIu64, option, text,
                     least, most);
    return 0;
}

static int read_option(struct request *request, int option, const char *text)
{
    struct xb_spec *spec = &request->spec;
    uint64_t value = 0;
    int code;
    switch (option) {
    case OPT_CLASS:
        return read_classes(request, text);
    case OPT_MODEL:
        return read_models(request, text);
    case OPT_ENGINE:
        return read_engines(request, text);
    case OPT_WORKERS:
        spec->n_workers = 0;
        if (strcmp(text, "auto") == 0)
            return 0;
        return read_counts(request, "workers", text, XB_WORKERS_MAX, spec->workers,
                           &spec->n_workers);
    case OPT_BIND:
        return read_bind(request, text);
    case OPT_BYTES:
        return read_bytes(request, text);
    case OPT_SWEEP:
        return read_sweep(request, text);
    case OPT_DEPTH:
        return read_counts(request, "depth", text, XB_DEPTH_MAX, spec->depths, &spec->n_depths);
    case OPT_FILE:
        spec->file = text;
        return 0;
    case OPT_URL:
        spec->url = text;
        return 0;
    case OPT_SEED:
        return read_count("seed", text, 0, UINT64_MAX - 1, &spec->seed);
    case OPT_SAMPLES:
        code = read_count("samples", text, 1, XB_SAMPLES_MAX, &value);
        spec->samples = (uint32_t)value;
        return code;
    case OPT_MIN_TIME:
        request->min_time_given = true;
        return read_time("min-time", text, &spec->min_time_ns);
    case OPT_MAX_TIME:
        request->max_time_given = true;
        return read_time("max-time", text, &spec->max_time_ns);
    case OPT_QUICK:
        spec->quick = true;
        return 0;
    case OPT_COUNTERS:
        return read_source(request, text);
    case OPT_EVENTS:
        return read_events(request, text);
    case 'o':
        request->directory = text;
        return *text ? 0 : usage("-o: an empty path");
    case OPT_DRY_RUN:
        request->dry_run = true;
        return 0;
    }
    return XB_EXIT_USAGE;
}

/* 0, -1 when only help was asked for, or an exit code. */
static int read_command_line(struct request *request, int argc, char **argv)
{
    opterr = 0;
    for (int option; (option = getopt_long(argc, argv, ":o:h", options, NULL)) != -1;) {
        if (option == 'h') {
            print_help();
            return -1;
        }
        if (option == ':')
            return usage("option '%s' needs a value; see xbound run --help", argv[optind - 1]);
        /* getopt moves on from the word only with its last letter, so a letter is named itself. */
        const char letter[] = { '-', (char)optopt, '\0' };
        if (option == '?')
            return usage("unknown option '%s'; see xbound run --help",
                         optopt > 0 && optopt < 128 && optopt != 'o' && optopt != 'h'
                             ? letter
                             : argv[optind - 1]);
        int code = read_option(request, option, optarg);
        if (code)
            return code;
    }
    for (; optind < argc; optind++) {
        if (request->spec.n_kernels == XB_LIST_MAX)
            return usage("more than %d kernel patterns", XB_LIST_MAX);
        request->spec.kernels[request->spec.n_kernels++] = argv[optind];
    }
    if (request->spec.quick && !request->min_time_given)
        request->spec.min_time_ns = 4 * 1000 * 1000;
    if (request->spec.quick && !request->max_time_given)
        request->spec.max_time_ns = 120 * 1000 * 1000;
    if (request->spec.max_time_ns < request->spec.min_time_ns)
        return usage("--max-time is less than --min-time: no sample would fit");
    return 0;
}

/* ---- doing it ---- */

static const struct xb_counter_source *best_source(void)
{
    const struct xb_counter_source *best = NULL;
    struct xb_reason why;
    for (size_t i = 0; i < xb_builtin.n_sources; i++) {
        const struct xb_counter_source *source = xb_builtin.sources[i];
        if ((!best || source->rank > best->rank) && source->probe(&why) == 0)
            best = source;
    }
    return best;
}

static void print_cells(const struct xb_cell *cells, size_t n)
{
    puts("kernel,model,engine,workers,bytes_per_worker,depth,skipped");
    for (size_t i = 0; i < n; i++) {
        printf("%s,%s,%s,%u,%" PRIu64 ",%u,", cells[i].kernel->name, cells[i].model->name,
               cells[i].engine->name, cells[i].workers, cells[i].bytes, cells[i].depth);
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
        fprintf(stderr, "xbound run: failed: %s %s/%s, %" PRIu64 " workers: %s\n", row->kernel,
                row->model, row->engine, row->workers, row->reason);
    if (!display->terminal)
        return;
    double spent = (double)(xb_now_ns() - display->begin_ns) / 1e9;
    double left = spent / (double)done * (double)(n - done);
    fprintf(stderr, "%zu/%zu  %.0f s left  %s %s/%s x%" PRIu64, done, n, left, row->kernel,
            row->model, row->engine, row->workers);
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

/* An option that no chosen kernel obeys is a mistake, not a wish. */
static int check_obeyed(const struct xb_spec *spec, const struct xb_cell *cells, size_t n)
{
    unsigned needs = 0;
    for (size_t i = 0; i < n; i++)
        needs |= cells[i].kernel->needs;
    if (spec->url && !(needs & XB_NEED_URL))
        return usage("--url: none of these kernels asks a server");
    if (spec->file && !(needs & XB_NEED_FILES))
        return usage("--file: none of these kernels reads a file");
    return 0;
}

static int measure(const struct request *request, const struct xb_topology *topology,
                   const struct xb_cell *cells, size_t n)
{
    char path[4096];
    struct xb_reason why = { 0 };
    if (request->directory && strlen(request->directory) >= sizeof path)
        return usage("-o: the path is too long");
    if (request->directory)
        strcpy(path, request->directory);
    else
        default_directory(path, sizeof path);
    trim_slashes(path);
    if (xb_experiment_prepare(path, &why) != 0)
        return usage("%s", why.text);

    warn_of_quota();
    struct sigaction action = { .sa_handler = on_signal };
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGCHLD, SIG_DFL); /* a parent may have left it ignored; then no cell could be reaped */
    signal(SIGXFSZ, SIG_IGN); /* a file size limit is then an error like a full disk */
    struct display display = { .begin_ns = xb_now_ns(), .terminal = isatty(STDERR_FILENO) };
    const char *slash = strrchr(path, '/');
    struct xb_experiment experiment = {
        .spec = &request->spec,
        .registry = &xb_builtin,
        .topology = topology,
        .source = request->source ? request->source : best_source(),
        .metrics = request->metrics,
        .cells = cells,
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
    struct request request = { .metrics = XB_METRICS_ALL };
    struct xb_reason why = { 0 };
    xb_spec_init(&request.spec);
    int code = read_command_line(&request, argc, argv);
    free(request.list);
    if (code)
        return code < 0 ? XB_EXIT_OK : code;
    struct xb_topology *topology = NULL;
    if (xb_topology_open(NULL, &topology, &why) != 0) {
        fprintf(stderr, "xbound run: topology: %s\n", why.text);
        return XB_EXIT_FAILED;
    }
    struct xb_cell *cells = NULL;
    size_t n = 0;
    if (xb_spec_cells(&request.spec, &xb_builtin, topology, &cells, &n, &why) != 0) {
        code = usage("%s", why.text);
    } else if ((code = check_obeyed(&request.spec, cells, n)) != 0) {
        ; /* said why */
    } else if (request.dry_run) {
        print_cells(cells, n);
        code = XB_EXIT_OK;
    } else {
        code = measure(&request, topology, cells, n);
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
