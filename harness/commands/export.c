/* SPDX-License-Identifier: BSD-3-Clause
 * xbound export: a stored run in a format that other programs read. */
#include "command.h"

#include "../core/registry.h"
#include "../core/verdicts.h"
#include "../exports/export.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void print_help(void)
{
    puts("Usage: xbound export [OPTION...] FORMAT RUN\n"
         "Writes a stored run (a folder that xbound run wrote) to standard output, all of it or "
         "nothing.\n"
         "junit and markdown also take a folder that xbound ab wrote: its verdicts.\n"
         "Cells are named "
         "kernel/model/engine/isa:.../bytes:.../depth:.../bind:.../lanes:.../workers:...;\n"
         "times are wall time that one worker spends on an item.\n");
    for (size_t i = 0; i < xb_builtin.n_exports; i++)
        printf("  %-12s %s\n", xb_builtin.exports[i]->name, xb_builtin.exports[i]->summary);
    puts("\n  --help       this text\n\n"
         "Cells without a figure are left out, except by junit, openmetrics and markdown.\n"
         "Exit codes: 0 written; 2 usage, or a run that cannot be read or has nothing to export.");
}

static const struct xb_export *find(const char *name)
{
    for (size_t i = 0; i < xb_builtin.n_exports; i++)
        if (strcmp(xb_builtin.exports[i]->name, name) == 0)
            return xb_builtin.exports[i];
    return NULL;
}

/* To memory first: a reader must not take half a file for a whole one. */
static int write_out(const struct xb_export *export, const char *folder, struct xb_reason *why)
{
    char *text = NULL;
    size_t bytes = 0;
    char path[4200];
    struct xb_facts facts = { 0 };
    if (strlen(folder) > 4096)
        return xb_because(why, -ENAMETOOLONG, "the path of the run is too long");
    FILE *draft = open_memstream(&text, &bytes);
    if (!draft)
        return xb_because(why, -ENOMEM, "out of memory");
    snprintf(path, sizeof path, "%s/provenance.csv", folder);
    int err = xb_facts_open(&facts, path, why);
    if (!err && !xb_verdicts_here(folder))
        err = export->write(draft, folder, &facts, why);
    else if (!err && export->write_verdicts)
        err = export->write_verdicts(draft, folder, &facts, why);
    else if (!err)
        err =
            xb_because(why, -ENOTSUP,
                       "%.200s: of xbound ab, whose verdicts only junit and markdown show", folder);
    xb_facts_close(&facts);
    if (fclose(draft) != 0 && !err)
        err = xb_because(why, -ENOMEM, "out of memory");
    if (!err)
        fwrite(text, 1, bytes, stdout); /* main() sees what did not reach the file */
    free(text);
    return err;
}

static int run(int argc, char **argv)
{
    static const struct option options[] = {
        { "help", no_argument, NULL, 'h' },
        { NULL, 0, NULL, 0 },
    };
    opterr = 0;
    int option = getopt_long(argc, argv, "h", options, NULL);
    if (option == 'h') {
        print_help();
        return XB_EXIT_OK;
    }
    if (option != -1)
        return xb_usage("export", "unknown option '%s'; see xbound export --help",
                        argv[optind - 1]);
    if (argc - optind != 2)
        return xb_usage("export", "want %s; see xbound export --help", "FORMAT RUN");
    const struct xb_export *export = find(argv[optind]);
    struct xb_reason why = { 0 };
    if (!export)
        return xb_usage("export", "no format '%.40s'; see xbound export --help", argv[optind]);
    return write_out(export, argv[optind + 1], &why) == 0 ? XB_EXIT_OK
                                                          : xb_usage("export", "%s", why.text);
}

const struct xb_command xb_command_export = {
    .name = "export",
    .arguments = "FORMAT RUN",
    .summary = "a stored run in a format that other programs read",
    .run = run,
};
