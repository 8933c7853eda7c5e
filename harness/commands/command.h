/* What a command is: one word of the command line, one file. */
#ifndef XB_COMMANDS_COMMAND_H
#define XB_COMMANDS_COMMAND_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Exit codes of every command; documented in README.md. */
enum xb_exit {
    XB_EXIT_OK = 0,
    XB_EXIT_FAILED = 1,       /* a measurement failed or regressed, or output was lost */
    XB_EXIT_USAGE = 2,        /* usage or unreadable input */
    XB_EXIT_INCONCLUSIVE = 3, /* only where asked for */
    XB_EXIT_SKIPPED = 77,     /* everything was skipped */
    XB_EXIT_INTERRUPTED = 130 /* SIGINT or SIGTERM; what was finished is kept */
};

/* A command file defines one of these, const, named xb_command_<file stem>. */
struct xb_command {
    const char *name;
    const char *arguments; /* "[KERNEL...]", for the usage line */
    const char *summary;   /* one clause for `xbound --help` */
    /* argv[0] is the command's name, ready for getopt_long. Prints to stdout and stderr;
     * returns an enum xb_exit. Main thread. */
    int (*run)(int argc, char **argv);
};

/* Prints "xbound COMMAND: ..." as one line on standard error and returns the exit code for wrong usage
 * and unreadable input. */
__attribute__((format(printf, 2, 3))) static inline int xb_usage(const char *command,
                                                                 const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fprintf(stderr, "xbound %s: ", command);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    return XB_EXIT_USAGE;
}

/* Whether `out` is a terminal that shows colours, and the user wants them: https://no-color.org */
static inline bool xb_wants_colour(FILE *out)
{
    const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");
    return isatty(fileno(out)) && (!no_color || !no_color[0]) && term && strcmp(term, "dumb") != 0;
}

#endif
