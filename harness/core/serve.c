/* SPDX-License-Identifier: BSD-3-Clause
 * Serves slices of one kernel to whoever holds the other end of the pipes. */
#include "serve.h"

#include "../counters/source.h"
#include "../models/model.h"
#include "build.h"
#include "isa.h"
#include "metrics.h"
#include "plugin.h"
#include "spec.h"
#include "team.h"
#include "wire.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What is done of a slice before it is timed: the other process has had the caches since. */
enum { TOUCH_SHARE = 8 };

struct server {
    struct xb_pacer pacer; /* first: the team's view */
    FILE *in, *out;
    const struct xb_registry *registry;
    const struct xb_plugin_file *plugin; /* that the kernels are of, or NULL */
    enum { SEARCH, WARM_UP, TOUCH, SLICE } phase;
    struct xb_search search;
    uint64_t iters;
};

__attribute__((format(printf, 2, 3))) static void answer(struct server *server, const char *format,
                                                         ...)
{
    va_list args;
    va_start(args, format);
    vfprintf(server->out, format, args);
    va_end(args);
    putc('\n', server->out);
    fflush(server->out); /* nobody there: the next request will not come either */
}

/* Whether there is another request; its line without the end. */
static bool receive(struct server *server, char line[XB_WIRE_BYTES])
{
    if (!fgets(line, XB_WIRE_BYTES, server->in))
        return false;
    line[strcspn(line, "\n")] = '\0';
    return true;
}

/* Waits for the word to go. Iterations of the window that follows; 0: it is over. */
static uint64_t wait_for_go(struct server *server)
{
    char line[XB_WIRE_BYTES];
    if (!receive(server, line) || strcmp(line, "go") != 0)
        return 0;
    server->phase = server->iters < TOUCH_SHARE ? SLICE : TOUCH;
    return server->phase == TOUCH ? server->iters / TOUCH_SHARE : server->iters;
}

static void answer_slice(struct server *server, const struct xb_sample *window)
{
    const struct xb_work *work = &window->work;
    uint64_t switches = window->reading.value[XB_METRIC_INVOLUNTARY_SWITCHES];
    answer(server, XB_WIRE_SLICE, window->wall_ns, window->cpu_ns, switches, work->items,
           work->bytes_read, work->bytes_written, work->flops, work->checksum);
}

static uint64_t next(struct xb_pacer *pacer, const struct xb_sample *window)
{
    struct server *server = (struct server *)pacer;
    switch (server->phase) {
    case SEARCH:
        if (!xb_search_step(&server->search, window))
            return server->search.iters;
        server->iters = server->search.iters;
        answer(server, "ready %" PRIu64 " %" PRIu64, server->iters, server->search.took_ns);
        break;
    case WARM_UP:
        answer(server, "ready %" PRIu64 " %" PRIu64, server->iters, window->wall_ns);
        break;
    case TOUCH:
        server->phase = SLICE;
        return server->iters;
    case SLICE:
        answer_slice(server, window);
        break;
    }
    return wait_for_go(server);
}

/* An L2 is indexed by physical addresses, and a working set lies on pages as they come. With 1 MiB of
 * 16 ways a page goes to one of 16 places; half the L2 puts more pages there than there are ways in 4 %
 * of processes by chance alone, three eighths in 0.15 %, a quarter never. Such a process is slower for
 * life. A/A with load_l2, 160 blocks each: more than 10 % off were 6.2 % of the blocks with half (at most
 * 38 %), 0.6 % with three eighths, none with a quarter (8 %). Huge pages were no remedy in a guest: pairs
 * of processes on them differed more than on base pages (7.8 % against 1.4 %). */
static struct xb_caches caches_for_pairs(const struct xb_topology *topology)
{
    struct xb_spec spec;
    xb_spec_init(&spec);
    struct xb_caches caches = xb_caches_of(&spec, topology);
    uint64_t *l2 = &caches.bytes[XB_CACHE_L2], least = 4 * caches.bytes[XB_CACHE_L1D];
    *l2 = *l2 / 2 > least ? *l2 / 2 : *l2 < least ? *l2 : least; /* a set outgrows the L1 twice */
    return caches;
}

static void list(struct server *server)
{
    const struct xb_registry *registry = server->registry;
    struct xb_topology *topology = NULL;
    struct xb_reason why;
    if (xb_topology_open(NULL, &topology, &why) != 0) {
        answer(server, "error topology: %s", why.text);
        return;
    }
    const struct xb_caches caches = caches_for_pairs(topology);
    for (size_t i = 0; i < registry->n_kernels; i++) {
        const struct xb_kernel *kernel = registry->kernels[i];
        /* That it may never end is its subject. */
        if (kernel->outcome && strcmp(kernel->outcome, "deadlocks") == 0)
            continue;
        answer(server, "kernel %s %s %" PRIu64 " %s %s %s", kernel->name,
               xb_class_name(kernel->bound), xb_fit_bytes(kernel, &caches),
               xb_kernel_waits(kernel) ? "wall" : "cpu",
               server->plugin ? server->plugin->hash : xb_build_code_hash(kernel->name),
               xb_isa_name(xb_isa_best(kernel->isas)));
    }
    xb_topology_close(topology);
    answer(server, "end");
}

static const struct xb_kernel *find_kernel(const struct xb_registry *registry, const char *name)
{
    for (size_t i = 0; i < registry->n_kernels; i++)
        if (strcmp(registry->kernels[i]->name, name) == 0)
            return registry->kernels[i];
    return NULL;
}

static int run_kernel(struct server *server, const struct xb_kernel *kernel,
                      const struct xb_opening *opening, struct xb_reason *why)
{
    const struct xb_registry *registry = server->registry;
    const struct xb_model *model = xb_plain_model(registry);
    const struct xb_io_engine *engine = model ? xb_plain_engine(registry, model, why) : NULL;
    const char *folder = getenv("TMPDIR");
    if (!engine)
        return xb_because(why, -ENOTSUP, "no model and engine for it in this build");
    int err = xb_topology_bind((int)opening->cpu);
    if (err)
        return xb_because(why, err, "bind to CPU %d: %s", (int)opening->cpu, strerror(-err));
    server->pacer = (struct xb_pacer){ .next = next,
                                       .stack_pad = opening->stack,
                                       .heap_pad = opening->heap,
                                       .stretch = (double)opening->stretch / 1e5 };
    server->phase = opening->iters ? WARM_UP : SEARCH;
    server->iters = opening->iters;
    server->search = (struct xb_search){ .wanted_ns = opening->slice_ns,
                                         .lanes = (uint32_t)opening->workers,
                                         .waits = xb_kernel_waits(kernel),
                                         .iters = 1 };
    struct xb_plan plan = {
        .kernel = kernel,
        .model = model,
        .engine = engine,
        .source = xb_find_source(registry, "none"),
        .params = { .bytes = opening->bytes,
                    .workers = (uint32_t)opening->workers,
                    .depth = 1,
                    .isa = xb_isa_best(kernel->isas),
                    .seed = opening->seed,
                    .scratch_dir = folder ? folder : "/tmp" },
        .iters = opening->iters ? opening->iters : 1,
        .pacer = &server->pacer,
    };
    struct xb_arena arena = { 0 };
    struct xb_result *result;
    err = xb_arena_open(&arena, sizeof *result + xb_team_bytes(&plan));
    if (err)
        return xb_because(why, err, "no shared memory for %u workers", plan.params.workers);
    result = xb_arena_take(&arena, sizeof *result, 128);
    err = xb_team_run(&plan, &arena, result);
    if (err)
        *why = result->why;
    xb_arena_close(&arena);
    return err;
}

static int open_kernel(struct server *server, const char *line, struct xb_reason *why)
{
    char name[XB_NAME_BYTES];
    struct xb_opening opening;
    int at = 0;
    if (sscanf(line, "open %63s %n", name, &at) != 1 ||
        sscanf(line + at, XB_WIRE_OPEN_SCAN, &opening.bytes, &opening.workers, &opening.seed,
               &opening.iters, &opening.slice_ns, &opening.stack, &opening.heap, &opening.stretch,
               &opening.cpu) != 9 ||
        opening.workers < 1 || opening.workers > XB_WORKERS_MAX || opening.bytes < 1 ||
        opening.slice_ns < 1 || opening.stack > 1 << 16 || opening.heap > 1 << 24)
        return xb_because(why, -EINVAL, "a request that this build does not know: %.120s", line);
    const struct xb_kernel *kernel = find_kernel(server->registry, name);
    if (!kernel)
        return xb_because(why, -ENOENT, "no kernel %s", name);
    return run_kernel(server, kernel, &opening, why);
}

/* Answers requests to the end of them. */
static int answer_all(struct server *server, struct xb_reason *why)
{
    const struct xb_plugin_file *plugin = server->plugin;
    const char *alignment = plugin ? plugin->aligned ? "64" : "none" : xb_build_alignment();
    char line[XB_WIRE_BYTES];
    answer(server, "%s %d alignment=%s commit=%s", XB_WIRE_HELLO, XB_WIRE_VERSION, alignment,
           plugin ? "-" : xb_build_commit());
    while (receive(server, line)) {
        if (strcmp(line, "quit") == 0)
            break;
        if (strcmp(line, "list") != 0)
            return open_kernel(server, line, why);
        list(server);
    }
    return 0;
}

int xb_serve(const struct xb_registry *registry, const char *plugin, struct xb_reason *why)
{
    struct server server = { .in = fdopen(XB_WIRE_IN, "r"),
                             .out = fdopen(XB_WIRE_OUT, "w"),
                             .registry = registry };
    struct xb_plugin_file file = { .handle = NULL };
    int err = 0;
    if (!server.in || !server.out)
        return xb_because(why, -EBADF,
                          "--serve is for xbound ab, which holds the other end of "
                          "descriptors 3 and 4");
    if (plugin) {
        err = xb_plugin_open(&file, plugin, registry, why);
        server.plugin = &file;
        server.registry = &file.registry;
    }
    if (!err)
        err = answer_all(&server, why);
    if (err)
        answer(&server, "error %s", why->text);
    else
        answer(&server, "done");
    xb_plugin_close(&file);
    return err;
}
