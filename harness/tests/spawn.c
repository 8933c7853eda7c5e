/* SPDX-License-Identifier: BSD-3-Clause
 * Starts the program under test and watches it to its end. */
#include "spawn.h"

#include "../base/clock.h"
#include "xbtest.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* No assertion on speed: a sanitized build on a busy machine takes seconds, a hang for ever. */
#define LIMIT_NS    UINT64_C(120000000000)
#define LEFTOVER_NS UINT64_C(5000000000)
#define ROOM        64

/* ---- starting ---- */

struct ends {
    int out[2], err[2], why[2]; /* 0: ours, 1: the child's */
};

static int open_terminal(int pair[2])
{
    char name[64];
    pair[0] = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (pair[0] < 0 || grantpt(pair[0]) || unlockpt(pair[0]) ||
        ptsname_r(pair[0], name, sizeof name))
        return -1;
    pair[1] = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
    return pair[1] < 0 ? -1 : 0;
}

/* Never returns. What fails before the program runs is told through the last pipe. */
static _Noreturn void live(const struct xb_spawn *what, const struct ends *ends)
{
    char text[4096], *argv[ROOM], *save = NULL;
    int argc = 0, why = 0;
    argv[argc++] = (char *)(uintptr_t)xb_test_program();
    snprintf(text, sizeof text, "%s", what->args);
    for (char *word = strtok_r(text, " ", &save); word && argc < ROOM - 1;
         word = strtok_r(NULL, " ", &save))
        argv[argc++] = strcmp(word, "''") == 0 ? word + 2 : word;
    argv[argc] = NULL;

    /* Opened before prepare(), after which this user may not reach it any more. */
    int program = open(argv[0], O_RDONLY | O_CLOEXEC);
    int input = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (program < 0 || input < 0 || chdir(what->folder ? what->folder : xb_test_folder()))
        why = errno;
    signal(SIGPIPE, SIG_DFL);
    dup2(input, STDIN_FILENO);
    dup2(ends->out[1], STDOUT_FILENO);
    dup2(ends->err[1], STDERR_FILENO);
    if (!why && what->prepare)
        why = what->prepare();
    if (!why) {
        fexecve(program, argv, environ);
        why = errno;
    }
    ssize_t ignored = write(ends->why[1], &why, sizeof why);
    (void)ignored;
    _exit(XB_SPAWN_UNPREPARED);
}

struct xb_ended *xb_spawn(const struct xb_spawn *what)
{
    struct ends ends;
    struct xb_ended *ended = calloc(1, sizeof *ended);
    const char *folder = xb_test_folder(); /* made here, for the child would make its own */
    (void)folder;
    if (!ended || pipe2(ends.err, O_CLOEXEC) || pipe2(ends.why, O_CLOEXEC) ||
        (what->terminal ? open_terminal(ends.out) : pipe2(ends.out, O_CLOEXEC))) {
        XB_FAIL("cannot start a program: %s", strerror(errno));
        abort();
    }
    /* Orphans become ours, so that none goes unseen. */
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    fflush(NULL);
    ended->pid = fork();
    if (ended->pid == 0)
        live(what, &ends);
    close(ends.out[1]);
    close(ends.err[1]);
    close(ends.why[1]);
    ended->out_fd = ends.out[0];
    ended->err_fd = ends.err[0];
    ended->why_fd = ends.why[0];
    fcntl(ended->out_fd, F_SETFL, O_NONBLOCK);
    fcntl(ended->err_fd, F_SETFL, O_NONBLOCK);
    if (!what->background)
        xb_spawn_finish(ended);
    return ended;
}

/* ---- waiting ---- */

/* Takes what is there; what does not fit is dropped, so that the program never waits for us. */
static void drain(int fd, char *text, size_t room)
{
    char rest[4096];
    for (;;) {
        size_t have = strlen(text), left = room - 1 - have;
        ssize_t n = left ? read(fd, text + have, left) : read(fd, rest, sizeof rest);
        if (n <= 0)
            return; /* nothing there, the end, or EIO: a terminal whose program is gone */
    }
}

static void drain_both(struct xb_ended *ended)
{
    drain(ended->out_fd, ended->out, sizeof ended->out);
    drain(ended->err_fd, ended->err, sizeof ended->err);
}

/* Whether a process of the program is still there; those that are gone are buried. */
static bool any_left(void)
{
    for (;;) {
        pid_t pid = waitpid(-1, NULL, WNOHANG);
        if (pid <= 0)
            return pid == 0;
    }
}

/* Ends our children, one by one as /proc names them. */
static void end_children(void)
{
    char path[64], text[4096];
    snprintf(path, sizeof path, "/proc/self/task/%d/children", (int)getpid());
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    text[n > 0 ? n : 0] = '\0';
    for (char *at = text, *end; *at; at = end) {
        long pid = strtol(at, &end, 10);
        if (end == at)
            break;
        kill((pid_t)pid, SIGKILL);
        waitpid((pid_t)pid, NULL, 0);
    }
    if (fd >= 0)
        close(fd);
}

void xb_spawn_finish(struct xb_ended *ended)
{
    int status = 0;
    uint64_t begin = xb_now_ns();
    for (;;) {
        drain_both(ended);
        pid_t pid = waitpid(ended->pid, &status, WNOHANG);
        if (pid == ended->pid) {
            ended->code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
            break;
        }
        if (xb_now_ns() - begin > LIMIT_NS) {
            kill(ended->pid, SIGKILL);
            waitpid(ended->pid, NULL, 0);
            ended->code = XB_SPAWN_HUNG;
            break;
        }
        struct pollfd wait[2] = { { .fd = ended->out_fd, .events = POLLIN },
                                  { .fd = ended->err_fd, .events = POLLIN } };
        poll(wait, 2, 20);
        usleep(1000); /* a closed end would make poll() return at once, for ever */
    }
    drain_both(ended);
    begin = xb_now_ns();
    while ((ended->left = any_left()) && xb_now_ns() - begin < LEFTOVER_NS)
        usleep(2000);
    if (ended->left)
        end_children();
    prctl(PR_SET_CHILD_SUBREAPER, 0);
    if (read(ended->why_fd, &ended->unprepared, sizeof ended->unprepared) <= 0)
        ended->unprepared = 0;
    for (const char *at = ended->err; (at = strchr(at, '\n')); at++)
        ended->errors++;
    close(ended->out_fd);
    close(ended->err_fd);
    close(ended->why_fd);
}

/* ---- CSV ---- */

/* Cuts one record at `at` into fields, in place. Returns where the next one begins, or NULL where
 * it is not RFC 4180 or not ended. */
static char *cut_record(char *at, char **fields, size_t room, size_t *n)
{
    for (*n = 0;;) {
        char *to = at, *begin = at;
        if (*at == '"') {
            for (at++; *at && !(at[0] == '"' && at[1] != '"'); at++) {
                at += *at == '"';
                *to++ = *at;
            }
            if (!*at)
                return NULL;
            at++;
        } else {
            at += strcspn(at, ",\"\r\n");
            to = at;
        }
        char end = *at;
        *to = '\0';
        if (*n == room || (end != ',' && end != '\n'))
            return NULL;
        fields[(*n)++] = begin;
        at++;
        if (end == '\n')
            return at;
    }
}

static char *read_all(const char *path)
{
    FILE *file = fopen(path, "re");
    char *text = NULL;
    size_t bytes = 0;
    if (!file)
        return NULL;
    FILE *copy = open_memstream(&text, &bytes);
    for (int c; copy && (c = getc(file)) != EOF;)
        putc(c, copy);
    fclose(file);
    if (copy)
        fclose(copy);
    return text;
}

int xb_table_open(struct xb_table *table, const char *path)
{
    enum { MOST = 128 };
    char *fields[MOST];
    *table = (struct xb_table){ 0 };
    errno = ENOMEM;
    table->text = read_all(path);
    if (!table->text)
        return -errno;
    size_t records = 0;
    for (char *at = table->text; *at;) {
        size_t n;
        at = cut_record(at, fields, MOST, &n);
        if (!at || (records && n != table->columns))
            return -EBADMSG;
        table->columns = n;
        char **bigger = realloc(table->cell, (records + 1) * n * sizeof *bigger);
        if (!bigger)
            return -ENOMEM;
        table->cell = bigger;
        memcpy(table->cell + records++ * n, fields, n * sizeof *fields);
    }
    table->rows = records ? records - 1 : 0;
    return 0;
}

void xb_table_close(struct xb_table *table)
{
    free(table->cell);
    free(table->text);
    *table = (struct xb_table){ 0 };
}

const char *xb_table_get(const struct xb_table *table, size_t row, const char *column)
{
    for (size_t i = 0; i < table->columns; i++)
        if (strcmp(table->cell[i], column) == 0 && row < table->rows)
            return table->cell[(row + 1) * table->columns + i];
    return NULL;
}

size_t xb_table_count(const struct xb_table *table, const char *column, const char *text)
{
    size_t n = 0;
    for (size_t row = 0; row < table->rows; row++) {
        const char *field = xb_table_get(table, row, column);
        n += field && strcmp(field, text) == 0;
    }
    return n;
}

int xb_shell(const char *command)
{
    char line[16384];
    snprintf(line, sizeof line, "cd '%s' && %.8000s", xb_test_folder(), command);
    int status = system(line);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

FILE *xb_create(const char *name)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", xb_test_folder(), name);
    FILE *file = fopen(path, "w");
    if (!file)
        XB_FAIL("%s: cannot be written", path);
    return file;
}
