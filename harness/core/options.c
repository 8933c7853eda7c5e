/* SPDX-License-Identifier: BSD-3-Clause
 * Reads options into a request. */
#include "options.h"

#include "../base/parse.h"
#include "../counters/source.h"
#include "../models/model.h"
#include "isa.h"
#include "metrics.h"
#include "pace.h"
#include "topdown.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define BYTES_MOST (UINT64_C(1) << 44)

/* Less than this does not even hold what the harness shares with a cell. */
#define LIMIT_LEAST (UINT64_C(8) << 20)

/* Kernels take sizes in whole cache lines, pointer chases in sixteen of them. */
#define SWEEP_GRAIN 1024

/* ---- lists ---- */

/* A copy of a list, cut at its commas. */
struct list {
    char text[XB_OPTION_BYTES];
    const char *pieces[XB_LIST_MAX];
    int n;
};

static int cut(struct list *list, const char *option, const char *text, struct xb_reason *why)
{
    list->n = -E2BIG;
    if (strlen(text) < sizeof list->text) {
        strcpy(list->text, text);
        list->n = xb_parse_list(list->text, list->pieces, XB_LIST_MAX);
    }
    if (list->n < 0)
        return xb_because(why, -EINVAL,
                          "--%s: '%.60s' is not a list of 1 to %d values with "
                          "commas between",
                          option, text, XB_LIST_MAX);
    return 0;
}

/* Drops all but the first of equal elements: a cell measured twice would weigh twice. Returns how
 * many are left. */
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

static int read_class(struct xb_request *request, const char *text, struct xb_reason *why)
{
    struct list list;
    int err = cut(&list, "class", text, why);
    request->spec.classes = 0;
    for (int i = 0; i < list.n && !err; i++) {
        int bound = 0;
        while (bound < XB_CLASSES &&
               strcmp(xb_class_name((enum xb_class)bound), list.pieces[i]) != 0)
            bound++;
        if (bound == XB_CLASSES)
            return xb_because(why, -EINVAL,
                              "--class: unknown class '%s'; there are cpu cache memory io sync",
                              list.pieces[i]);
        request->spec.classes |= 1u << bound;
    }
    return err;
}

static int read_model(struct xb_request *request, const char *text, struct xb_reason *why)
{
    struct xb_spec *spec = &request->spec;
    struct list list;
    int err = cut(&list, "model", text, why);
    for (int i = 0; i < list.n && !err; i++) {
        spec->models[i] = xb_find_model(request->registry, list.pieces[i]);
        if (!spec->models[i])
            return xb_because(why, -EINVAL, "--model: unknown model '%s'; see xbound list",
                              list.pieces[i]);
    }
    spec->n_models = unique(spec->models, list.n, sizeof *spec->models);
    return err;
}

static int read_engine(struct xb_request *request, const char *text, struct xb_reason *why)
{
    struct xb_spec *spec = &request->spec;
    struct list list;
    int err = cut(&list, "engine", text, why);
    for (int i = 0; i < list.n && !err; i++) {
        spec->engines[i] = xb_find_engine(request->registry, list.pieces[i]);
        if (!spec->engines[i])
            return xb_because(why, -EINVAL, "--engine: unknown engine '%s'; see xbound list",
                              list.pieces[i]);
    }
    spec->n_engines = unique(spec->engines, list.n, sizeof *spec->engines);
    return err;
}

static int read_isa(struct xb_request *request, const char *text, struct xb_reason *why)
{
    struct xb_spec *spec = &request->spec;
    struct list list;
    enum xb_isa isas[XB_LIST_MAX];
    spec->n_isas = 0;
    if (strcmp(text, "best") == 0)
        return 0;
    int err = cut(&list, "isa", text, why);
    for (int i = 0; i < list.n && !err; i++) {
        int isa = 0;
        while (isa < XB_ISAS && strcmp(xb_isa_name((enum xb_isa)isa), list.pieces[i]) != 0)
            isa++;
        if (isa == XB_ISAS)
            return xb_because(why, -EINVAL,
                              "--isa: unknown variant '%s'; there are base avx2 avx512, or best",
                              list.pieces[i]);
        isas[i] = (enum xb_isa)isa;
    }
    /* As many as there are different ones, at most. */
    spec->n_isas = unique(isas, list.n, sizeof *isas);
    memcpy(spec->isas, isas, spec->n_isas * sizeof *isas);
    return err;
}

/* A list of counts in [1, most]. */
static int read_counts(const char *option, const char *text, uint32_t most, uint32_t *out,
                       size_t *n_out, struct xb_reason *why)
{
    struct list list;
    int err = cut(&list, option, text, why);
    for (int i = 0; i < list.n && !err; i++) {
        uint64_t value;
        if (xb_parse_count(list.pieces[i], 1, most, &value) != 0)
            return xb_because(why, -EINVAL, "--%s: '%s' is not a whole number from 1 to %u", option,
                              list.pieces[i], most);
        out[i] = (uint32_t)value;
    }
    *n_out = unique(out, list.n, sizeof *out);
    return err;
}

static int read_workers(struct xb_request *request, const char *text, struct xb_reason *why)
{
    struct xb_spec *spec = &request->spec;
    spec->n_workers = 0;
    if (strcmp(text, "auto") == 0)
        return 0;
    return read_counts("workers", text, XB_WORKERS_MAX, spec->workers, &spec->n_workers, why);
}

static int read_lanes(struct xb_request *request, const char *text, struct xb_reason *why)
{
    struct xb_spec *spec = &request->spec;
    spec->n_lanes = 0;
    if (strcmp(text, "auto") == 0)
        return 0;
    return read_counts("lanes", text, XB_WORKERS_MAX, spec->lanes, &spec->n_lanes, why);
}

static int read_depth(struct xb_request *request, const char *text, struct xb_reason *why)
{
    struct xb_spec *spec = &request->spec;
    return read_counts("depth", text, XB_DEPTH_MAX, spec->depths, &spec->n_depths, why);
}

static int read_bytes(struct xb_request *request, const char *text, struct xb_reason *why)
{
    struct xb_spec *spec = &request->spec;
    struct list list;
    int err = cut(&list, "bytes", text, why);
    for (int i = 0; i < list.n && !err; i++)
        if (xb_parse_bytes(list.pieces[i], 1, BYTES_MOST, &spec->bytes[i]) != 0)
            return xb_because(why, -EINVAL,
                              "--bytes: '%s' is not a size from 1 to 16T, such as 64K",
                              list.pieces[i]);
    spec->n_bytes = unique(spec->bytes, list.n, sizeof *spec->bytes);
    return err;
}

/* Sizes in equal ratios, rounded to the grain. */
static int read_sweep(struct xb_request *request, const char *text, struct xb_reason *why)
{
    static const char shape[] = "bytes=FROM:TO[:PER_DOUBLING], such as bytes=4K:1G";
    struct xb_spec *spec = &request->spec;
    char copy[128];
    uint64_t first, last, per_doubling = 2;
    if (strncmp(text, "bytes=", 6) != 0 || strlen(text) >= sizeof copy)
        return xb_because(why, -EINVAL, "--sweep: '%.60s' is not %s", text, shape);
    strcpy(copy, text + 6);
    char *rest = copy, *from = strsep(&rest, ":"), *to = strsep(&rest, ":");
    if (!to || xb_parse_bytes(from, SWEEP_GRAIN, BYTES_MOST, &first) != 0 ||
        xb_parse_bytes(to, SWEEP_GRAIN, BYTES_MOST, &last) != 0 || last < first ||
        (rest && xb_parse_count(rest, 1, 16, &per_doubling) != 0))
        return xb_because(why, -EINVAL, "--sweep: '%.60s' is not %s", text, shape);
    size_t room = sizeof spec->bytes / sizeof spec->bytes[0];
    spec->n_bytes = 0;
    for (size_t i = 0;; i++) {
        double bytes = (double)first * pow(2, (double)i / (double)per_doubling);
        if (bytes > (double)last * 1.001)
            return 0;
        if (spec->n_bytes == room)
            return xb_because(why, -EINVAL, "--sweep: more than %zu sizes", room);
        uint64_t rounded = (uint64_t)(bytes / SWEEP_GRAIN + 0.5) * SWEEP_GRAIN;
        /* Small sizes in small steps round to the same. */
        if (spec->n_bytes == 0 || spec->bytes[spec->n_bytes - 1] != rounded)
            spec->bytes[spec->n_bytes++] = rounded;
    }
}

/* measured, claimed, or a size for each level. */
static int read_caches(struct xb_request *request, const char *text, struct xb_reason *why)
{
    struct xb_spec *spec = &request->spec;
    spec->caches = (struct xb_caches){ .beyond = 0 };
    spec->caches_from = XB_CACHES_MEASURED;
    request->caches_measured = strcmp(text, "measured") == 0;
    if (request->caches_measured)
        return 0;
    spec->caches_from = XB_CACHES_CLAIMED;
    if (strcmp(text, "claimed") == 0)
        return 0;
    struct list list;
    uint64_t least = 1024;
    int err = cut(&list, "caches", text, why);
    bool good = !err && list.n == XB_CACHE_LEVELS;
    for (int i = 0; i < XB_CACHE_LEVELS && good; i++) {
        good = xb_parse_bytes(list.pieces[i], least, BYTES_MOST, &spec->caches.bytes[i]) == 0;
        least = spec->caches.bytes[i]; /* no level is smaller than the one before */
    }
    spec->caches_from = XB_CACHES_GIVEN;
    if (!good)
        return xb_because(why, -EINVAL,
                          "--caches: '%.60s' is neither measured nor claimed nor rising sizes of "
                          "L1d, L2 and LLC, such as 48K,1M,32M",
                          text);
    return 0;
}

/* Metrics by their columns, and events by the names that the source's library knows. Those are looked
 * up when it is known which source it is. */
static int read_events(struct xb_request *request, const char *text, struct xb_reason *why)
{
    struct xb_events *events = &request->events;
    struct list list;
    int err = cut(&list, "events", text, why);
    size_t named = 0;
    *events = (struct xb_events){ .set = 0 };
    request->topdown = 0;
    if (!err)
        memcpy(request->names, list.text, sizeof list.text);
    for (int i = 0; i < list.n && !err; i++) {
        int metric = 0;
        if (strcmp(list.pieces[i], "topdown") == 0 || strcmp(list.pieces[i], "topdown2") == 0) {
            request->topdown = list.pieces[i][strlen("topdown")] ? 2 : 1;
            continue;
        }
        while (metric < XB_METRIC_COUNT &&
               strcmp(xb_metric_name((enum xb_metric)metric), list.pieces[i]) != 0)
            metric++;
        if (metric == XB_METRIC_COUNT) {
            size_t at = 0;
            while (at < named && strcmp(events->name[at], list.pieces[i]) != 0)
                at++;
            if (at == XB_NAMED_MAX)
                return xb_because(why, -EINVAL, "--events: '%s' is one too many: %d beside metrics",
                                  list.pieces[i], XB_NAMED_MAX);
            if (at == named)
                events->name[named++] = request->names + (list.pieces[i] - list.text);
            metric += (int)at;
        }
        events->set |= 1u << metric;
    }
    return err;
}

/* ---- one value ---- */

static int read_counters(struct xb_request *request, const char *text, struct xb_reason *why)
{
    struct xb_reason said = { 0 };
    request->source = NULL;
    if (strcmp(text, "auto") == 0)
        return 0;
    request->source = xb_find_source(request->registry, text);
    if (!request->source)
        return xb_because(why, -EINVAL, "--counters: unknown source '%s'; see xbound list", text);
    if (request->source->probe(&said) != 0)
        return xb_because(why, -EINVAL, "--counters: %s cannot count here: %s", text, said.text);
    return 0;
}

static int read_bind(struct xb_request *request, const char *text, struct xb_reason *why)
{
    int bind = xb_bind_parse(text);
    if (bind < 0)
        return xb_because(why, -EINVAL,
                          "--bind: unknown policy '%s'; there are scatter compact none", text);
    request->spec.bind = (enum xb_bind)bind;
    return 0;
}

static int read_time(const char *option, const char *text, uint64_t *out_ns, struct xb_reason *why)
{
    const uint64_t hour_ns = UINT64_C(3600000000000);
    if (xb_parse_time(text, 1000, hour_ns, out_ns) != 0)
        return xb_because(why, -EINVAL, "--%s: '%s' is not a time from 1us to 3600s, such as 10ms",
                          option, text);
    return 0;
}

static int read_min_time(struct xb_request *request, const char *text, struct xb_reason *why)
{
    request->min_time_given = true;
    return read_time("min-time", text, &request->spec.min_time_ns, why);
}

static int read_max_time(struct xb_request *request, const char *text, struct xb_reason *why)
{
    request->max_time_given = true;
    return read_time("max-time", text, &request->spec.max_time_ns, why);
}

static int read_observe(struct xb_request *request, const char *text, struct xb_reason *why)
{
    return read_time("observe", text, &request->spec.observe_ns, why);
}

static int read_count(const char *option, const char *text, uint64_t least, uint64_t most,
                      uint64_t *out, struct xb_reason *why)
{
    if (xb_parse_count(text, least, most, out) != 0)
        return xb_because(why, -EINVAL,
                          "--%s: '%s' is not a whole number from %" PRIu64 " to %" PRIu64, option,
                          text, least, most);
    return 0;
}

static int read_seed(struct xb_request *request, const char *text, struct xb_reason *why)
{
    /* The largest number stands for an absent one in the rows. */
    return read_count("seed", text, 0, UINT64_MAX - 1, &request->spec.seed, why);
}

static int read_samples(struct xb_request *request, const char *text, struct xb_reason *why)
{
    uint64_t samples = 0;
    int err = read_count("samples", text, 1, XB_SAMPLES_MAX, &samples, why);
    request->spec.samples = (uint32_t)samples;
    return err;
}

static int read_iters(struct xb_request *request, const char *text, struct xb_reason *why)
{
    return read_count("iters", text, 1, UINT64_C(1) << 40, &request->spec.iters, why);
}

static int read_memory_limit(struct xb_request *request, const char *text, struct xb_reason *why)
{
    if (xb_parse_bytes(text, LIMIT_LEAST, BYTES_MOST, &request->spec.memory_limit) != 0)
        return xb_because(why, -EINVAL, "--memory-limit: '%s' is not a size from 8M to 16T", text);
    return 0;
}

static int read_file(struct xb_request *request, const char *text, struct xb_reason *why)
{
    (void)why;
    request->spec.file = text;
    return 0;
}

static int read_url(struct xb_request *request, const char *text, struct xb_reason *why)
{
    (void)why;
    request->spec.url = text;
    return 0;
}

static int read_quick(struct xb_request *request, const char *text, struct xb_reason *why)
{
    (void)text;
    (void)why;
    request->spec.quick = true;
    return 0;
}

#define WHAT  "What to measure; LIST is values with commas between:"
#define LONG  "How long:"
#define COUNT "Counters:"

const struct xb_option xb_options[] = {
    { WHAT, "class", "LIST", "only kernels of these classes: cpu cache memory io sync",
      read_class },
    { WHAT, "model", "LIST", "execution models; all when not given", read_model },
    { WHAT, "engine", "LIST", "I/O engines; all for the I/O of a loop, the plainest otherwise",
      read_engine },
    { WHAT, "workers", "LIST",
      "or auto: 1, CPUs, 2 x CPUs, for I/O also 16 and 64, for sync\nalso 2; fewer with --quick",
      read_workers },
    { WHAT, "lanes", "LIST",
      "OS threads that host the workers of a loop; auto: 1, and where\n"
      "workers wait also one per CPU",
      read_lanes },
    { WHAT, "bind", "POLICY", "scatter (default), compact or none", read_bind },
    { WHAT, "bytes", "LIST", "working set of a worker, as 64K or 1G; what fits the level otherwise",
      read_bytes },
    { WHAT, "caches", "MODE",
      "what sizes follow: measured (default; as claimed where half\n"
      "of that is seen at least), claimed, or L1d,L2,LLC as 48K,1M,32M",
      read_caches },
    { WHAT, "sweep", "bytes=A:B[:N]", "sizes from A to B, N for each doubling (default 2)",
      read_sweep },
    { WHAT, "memory-limit", "BYTES",
      "every cell gets so much memory: a cgroup of its own, or RLIMIT_AS", read_memory_limit },
    { WHAT, "depth", "LIST", "I/O operations kept in flight per worker; default 1", read_depth },
    { WHAT, "isa", "LIST", "variants of a kernel: base avx2 avx512; best is the default",
      read_isa },
    { WHAT, "file", "PATH", "the file that io kernels read, instead of a generated one",
      read_file },
    { WHAT, "url", "URL", "the server that io/http_get asks, instead of one of our own", read_url },
    { WHAT, "seed", "N", "seed of inputs and of the order of cells; default 1", read_seed },
    { LONG, "samples", "N", "exactly N samples a cell, however long they take", read_samples },
    { LONG, "min-time", "TIME", "aim of one sample; default 10ms (also us, s)", read_min_time },
    { LONG, "max-time", "TIME",
      "for all samples of a cell; default 1s. It ends before that once\n"
      "the 95 % interval of the median is within 2 %",
      read_max_time },
    { LONG, "quick", NULL, "--min-time 4ms --max-time 120ms, where these are not given",
      read_quick },
    { LONG, "observe", "TIME",
      "that probes look at each cell besides, once it is measured, to say\n"
      "what bounds it, after half as long from outside: 400ms will do;\n"
      "the first time 5 s more",
      read_observe },
    { COUNT, "counters", "SOURCE",
      "papi, perf or none; auto takes the first that works, but for\nwork that waits none: "
      "counting lengthens every switch.\n"
      "callgrind: exact counts of a CPU that valgrind simulates, with\n"
      "--caches 32K,256K,1M (its L1 and LLC) and --samples 2 by default",
      read_counters },
    { COUNT, "iters", "N",
      "with callgrind: iterations of a sample; otherwise the least power\n"
      "of ten that executes 200000 instructions",
      read_iters },
    { COUNT, "events", "LIST",
      "only these metrics (see xbound list); with papi also up to 12 of\n"
      "PAPI's events by name, such as PAPI_FP_OPS, in columns of their own;\n"
      "topdown: those that say where a core's slots went; topdown2: why",
      read_events },
};

const size_t xb_n_options = sizeof xb_options / sizeof xb_options[0];

void xb_request_init(struct xb_request *request, const struct xb_registry *registry)
{
    *request = (struct xb_request){ .registry = registry, .events = { .set = XB_METRICS_ALL } };
    xb_spec_init(&request->spec);
}

/* Events by name are a matter for one kind of source, so where there are any it is named. */
static int check_names(struct xb_request *request, struct xb_reason *why)
{
    struct xb_events *events = &request->events;
    if (events->set <= XB_METRICS_ALL && !request->topdown)
        return 0;
    const struct xb_counter_source *source = xb_request_source(request);
    struct xb_reason said = { 0 };
    char what[160] = "topdown:";
    if (events->name[0])
        snprintf(what, sizeof what, "unknown event '%.60s': no metric of xbound list, and",
                 events->name[0]);
    for (size_t i = 0; i < request->registry->n_sources && !source->find; i++) {
        const struct xb_counter_source *other = request->registry->sources[i];
        if (other->find && (other->probe(&said) != 0))
            return xb_because(why, -EINVAL, "--events: %s %s cannot look it up: %s", what,
                              other->name, said.text);
    }
    if (!source->find)
        return xb_because(why, -EINVAL, "--events: %s the source %s has no events by name", what,
                          source->name);
    for (size_t i = 0; i < XB_NAMED_MAX && events->name[i]; i++)
        if (source->find(events->name[i], &said) != 0)
            return xb_because(why, -EINVAL,
                              "--events: unknown event '%.60s': %s; papi_avail and "
                              "papi_native_avail list them",
                              events->name[i], said.text);
    if (!request->topdown)
        return 0;
    const struct xb_topdown_family *family = xb_topdown_find(source, &said);
    if (!family)
        return xb_because(why, -EINVAL, "--events: topdown: %s", said.text);
    if (xb_topdown_add(family, request->topdown, events) != 0)
        return xb_because(why, -EINVAL, "--events: topdown takes %u of the %d names there may be",
                          request->topdown > 1 ? family->n : family->level1, XB_NAMED_MAX);
    return 0;
}

/* What makes no sense where counts are simulated is refused; what is not said is fixed, so that counts
 * are the same in each run and on each machine of one kind. */
static int finish_simulated(struct xb_request *request, struct xb_reason *why)
{
    struct xb_spec *spec = &request->spec;
    const char *name = request->source->name;
    if (request->min_time_given || request->max_time_given)
        return xb_because(why, -EINVAL,
                          "--%s-time: cells under %s have a number of iterations, not a time; give "
                          "--iters",
                          request->min_time_given ? "min" : "max", name);
    if (spec->observe_ns)
        return xb_because(why, -EINVAL, "--observe: probes would see %s, not the cell", name);
    if (spec->memory_limit)
        return xb_because(why, -EINVAL, "--memory-limit: %s itself would need most of it", name);
    if (request->caches_measured || spec->caches_from == XB_CACHES_CLAIMED)
        return xb_because(why, -EINVAL,
                          "--caches: %s simulates caches and does not look at this machine's; give "
                          "their sizes, such as 32K,256K,1M",
                          name);
    if (spec->caches_from != XB_CACHES_GIVEN)
        spec->caches = xb_simulated_caches;
    spec->caches_from = XB_CACHES_GIVEN;
    spec->caches.llc_sharers = 1;
    spec->simulated = true;
    if (!spec->n_workers)
        spec->workers[spec->n_workers++] = 1;
    if (!spec->samples)
        spec->samples = 2; /* they are equal, and say so */
    return 0;
}

int xb_request_finish(struct xb_request *request, struct xb_reason *why)
{
    struct xb_spec *spec = &request->spec;
    int err = 0;
    if (request->source && request->source->simulate)
        err = finish_simulated(request, why);
    else if (spec->iters)
        err = xb_because(why, -EINVAL,
                         "--iters goes with --counters callgrind; where time is taken, --min-time "
                         "says how long");
    if (err)
        return err;
    if (spec->quick && !request->min_time_given)
        spec->min_time_ns = 4 * 1000 * 1000;
    if (spec->quick && !request->max_time_given)
        spec->max_time_ns = 120 * 1000 * 1000;
    if (spec->max_time_ns < spec->min_time_ns)
        return xb_because(why, -EINVAL, "--max-time is less than --min-time: no sample would fit");
    return check_names(request, why);
}

int xb_request_check(const struct xb_request *request, const struct xb_cell *cells, size_t n,
                     struct xb_reason *why)
{
    unsigned needs = 0;
    for (size_t i = 0; i < n; i++)
        needs |= cells[i].kernel->needs;
    if (request->spec.url && !(needs & XB_NEED_URL))
        return xb_because(why, -EINVAL, "--url: none of these kernels asks a server");
    if (request->spec.file && !(needs & XB_TAKES_FILE))
        return xb_because(why, -EINVAL, "--file: none of these kernels reads a file");
    return 0;
}

const struct xb_counter_source *xb_request_source(const struct xb_request *request)
{
    const struct xb_counter_source *best = request->source;
    for (size_t i = 0; i < request->registry->n_sources && !request->source; i++) {
        const struct xb_counter_source *source = request->registry->sources[i];
        struct xb_reason why;
        if ((!best || source->rank > best->rank) && source->probe(&why) == 0)
            best = source;
    }
    return best;
}
