/* Runs the xbound program as a user would, and reads the CSV it leaves behind.
 *
 * A test says what to prepare between fork and exec (limits, another user, hidden file systems), so
 * that nothing of it reaches the test program itself. */
#ifndef XB_TESTS_SPAWN_H
#define XB_TESTS_SPAWN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/types.h>

struct xb_spawn {
    const char *args; /* what follows "xbound", blanks between; '' stands for an empty word */
    /* Runs in the child before the program does; 0, or an errno value where this machine does
     * not let us: the child then ends as XB_SPAWN_UNPREPARED. May be NULL. */
    int (*prepare)(void);
    const char *folder; /* working directory; NULL: xb_test_folder() */
    bool terminal;      /* standard output is a terminal instead of a pipe */
    /* The caller waits for output first and then calls xb_spawn_finish(). */
    bool background;
};

/* Not codes of the program's own. */
enum { XB_SPAWN_UNPREPARED = 125, XB_SPAWN_HUNG = -1 };

struct xb_ended {
    int code;   /* exit code, 128 + signal, or XB_SPAWN_HUNG after a minute, which ends it */
    bool left;  /* some process of it outlived it by seconds (and was ended) */
    int errors; /* lines on standard error */
    char out[1 << 18], err[1 << 14]; /* what it wrote, cut, 0-terminated */
    int unprepared;                  /* what prepare() returned */
    /* While it runs. */
    pid_t pid;
    int out_fd, err_fd, why_fd;
};

/* Runs the program to its end. Reports a test failure where that cannot be tried. The result is
 * malloc'ed; give it to free(). One at a time. */
struct xb_ended *xb_spawn(const struct xb_spawn *what);

/* Waits for one that was started with `background`. */
void xb_spawn_finish(struct xb_ended *ended);

/* The exit code of a shell command in xb_test_folder(); -1 if it was killed. */
int xb_shell(const char *command);

/* A file of that name in xb_test_folder(), to write; NULL, and a test failure, where it cannot be made. */
FILE *xb_create(const char *name);

/* A CSV file with a header, in memory. */
struct xb_table {
    size_t rows, columns; /* rows without the header */
    char **cell;          /* (rows + 1) x columns, the header first; point into text */
    char *text;
};

/* Reads a whole file. 0 or -errno; -EBADMSG when a line has not as many fields as the header, has
 * a stray quote, or is not ended. `table` is cleared first; close it in any case. */
int xb_table_open(struct xb_table *table, const char *path);
void xb_table_close(struct xb_table *table);

/* The field of a row by column name; NULL when there is no such column. Empty is "". */
const char *xb_table_get(const struct xb_table *table, size_t row, const char *column);

/* How many rows have `text` in `column`. */
size_t xb_table_count(const struct xb_table *table, const char *column, const char *text);

#endif
