/* SPDX-License-Identifier: BSD-3-Clause
 * xbound list: what can run here, and why the rest cannot. */
#include "command.h"

#include "../../kernels/kernel.h"
#include "../core/isa.h"
#include "../core/metrics.h"
#include "../core/registry.h"
#include "../core/row.h"
#include "../core/spec.h"
#include "../counters/source.h"
#include "../models/model.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void print_help(void)
{
    puts("Usage: xbound list [OPTION]\n"
         "Shows kernels, models, engines and counter sources: what can run here, and why the\n"
         "rest cannot.\n\n"
         "  --names    kernel names only, one a line\n"
         "  --columns  the columns of samples.csv and summary.csv, as CSV (results/COLUMNS.csv)\n"
         "  --help     this text");
}

static void print_plugin(const char *name, const char *summary, int err,
                         const struct xb_reason *why)
{
    printf("  %-22s %s\n", name, summary);
    if (err || why->text[0])
        printf("  %-22s %s%s\n", "", err ? "not here: " : "", why->text);
}

static void print_models(void)
{
    puts("\nMODELS (how workers exist)");
    for (size_t i = 0; i < xb_builtin.n_models; i++) {
        const struct xb_model *model = xb_builtin.models[i];
        struct xb_reason why = { 0 };
        print_plugin(model->name, model->summary, model->probe(&why), &why);
    }
    puts("\nENGINES (how a worker waits)");
    for (size_t i = 0; i < xb_builtin.n_engines; i++) {
        const struct xb_io_engine *engine = xb_builtin.engines[i];
        struct xb_reason why = { 0 };
        print_plugin(engine->name, engine->summary, engine->probe(&why), &why);
    }
    puts("\nCOUNTERS (where counts come from)");
    for (size_t i = 0; i < xb_builtin.n_sources; i++) {
        const struct xb_counter_source *source = xb_builtin.sources[i];
        struct xb_reason why = { 0 };
        print_plugin(source->name, source->summary, source->probe(&why), &why);
    }
    printf("  metrics:");
    for (int metric = 0; metric < XB_METRIC_COUNT; metric++)
        printf(" %s", xb_metric_name((enum xb_metric)metric));
    puts("");
}

static int print_all(void)
{
    struct xb_topology *topology = NULL;
    struct xb_reason why = { 0 };
    int err = xb_topology_open(NULL, &topology, &why);
    if (err) {
        fprintf(stderr, "xbound list: topology: %s\n", why.text);
        return XB_EXIT_FAILED;
    }
    struct xb_spec spec;
    xb_spec_init(&spec);
    const struct xb_caches caches = xb_caches_of(&spec, topology);
    printf("MACHINE\n  %s\n\n", xb_topology_summary(topology));
    puts("KERNELS (KiB per worker with the caches claimed; variants, in brackets those that this "
         "CPU cannot run)");
    for (size_t i = 0; i < xb_builtin.n_kernels; i++) {
        const struct xb_kernel *kernel = xb_builtin.kernels[i];
        double kib = (double)xb_fit_bytes(kernel, &caches) / 1024;
        printf("  %-22s %9.*f  %-16s  %s\n", kernel->name, kib < 1 ? 3 : 0, kib,
               xb_isa_list(kernel->isas, (char[XB_ISA_LIST_TEXT]){ 0 }), kernel->summary);
    }
    print_models();
    xb_topology_close(topology);
    return XB_EXIT_OK;
}

static int run(int argc, char **argv)
{
    static const struct option options[] = {
        { "names", no_argument, NULL, 'n' },
        { "columns", no_argument, NULL, 'c' },
        { "help", no_argument, NULL, 'h' },
        { NULL, 0, NULL, 0 },
    };
    int what = 0;
    opterr = 0;
    for (int option, at = 1; (option = getopt_long(argc, argv, "+h", options, NULL)) != -1;
         at = optind) {
        if (option == '?') {
            fprintf(stderr, "xbound list: unknown option '%s'; see xbound list --help\n", argv[at]);
            return XB_EXIT_USAGE;
        }
        what = option;
    }
    if (optind < argc) {
        fprintf(stderr, "xbound list: takes no '%s'; see xbound list --help\n", argv[optind]);
        return XB_EXIT_USAGE;
    }
    switch (what) {
    case 'h':
        print_help();
        return XB_EXIT_OK;
    case 'n':
        for (size_t i = 0; i < xb_builtin.n_kernels; i++)
            puts(xb_builtin.kernels[i]->name);
        return XB_EXIT_OK;
    case 'c':
        xb_columns_write(stdout); /* main() sees what did not reach the file */
        return XB_EXIT_OK;
    default:
        return print_all();
    }
}

const struct xb_command xb_command_list = {
    .name = "list",
    .arguments = "",
    .summary = "what can run here, and why the rest cannot",
    .run = run,
};
