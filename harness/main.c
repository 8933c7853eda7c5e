/* SPDX-License-Identifier: BSD-3-Clause
 * Dispatches to a command and turns its result into an exit code; nothing else. */
#include "commands/command.h"
#include "core/registry.h"

#include <stdio.h>
#include <string.h>

static void print_help(void)
{
    printf("Usage: xbound COMMAND [OPTION...]\n"
           "What bounds a piece of work on this machine, and which execution model suits it.\n\n");
    for (size_t i = 0; i < xb_builtin.n_commands; i++)
        printf("  %-8s %-12s %s\n", xb_builtin.commands[i]->name, xb_builtin.commands[i]->arguments,
               xb_builtin.commands[i]->summary);
    printf("\n  --help     this text; also after each command\n"
           "  --version  the version\n\n"
           "Exit codes: 0 fine; 1 a measurement failed or regressed; 2 usage or unreadable input;\n"
           "3 unclear, where asked for; 77 everything was skipped; 130 interrupted, and what was\n"
           "finished is kept.\n");
}

static const struct xb_command *find(const char *name)
{
    for (size_t i = 0; i < xb_builtin.n_commands; i++)
        if (strcmp(xb_builtin.commands[i]->name, name) == 0)
            return xb_builtin.commands[i];
    return NULL;
}

int main(int argc, char **argv)
{
    const char *word = argc > 1 ? argv[1] : NULL;
    int code;
    if (!word) {
        fputs("xbound: no command; see xbound --help\n", stderr);
        return XB_EXIT_USAGE;
    }
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) {
        print_help();
        code = XB_EXIT_OK;
    } else if (strcmp(word, "--version") == 0) {
        puts("xbound " XB_VERSION);
        code = XB_EXIT_OK;
    } else {
        const struct xb_command *command = find(word);
        if (!command) {
            fprintf(stderr, "xbound: unknown command '%s'; see xbound --help\n", word);
            return XB_EXIT_USAGE;
        }
        code = command->run(argc - 1, argv + 1);
    }
    /* Output that did not reach its file is a failure like any other. */
    if ((fflush(stdout) != 0 || ferror(stdout)) && code == XB_EXIT_OK) {
        perror("xbound: standard output");
        code = XB_EXIT_FAILED;
    }
    return code;
}
