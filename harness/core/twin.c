/* SPDX-License-Identifier: BSD-3-Clause
 * Starts builds under test, and mistrusts them. */
#include "twin.h"

#include "../base/child.h"
#include "../base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define GREETING_NS UINT64_C(10000000000)

enum { LAST_MS = 500 }; /* for the last words and the end of who has closed its pipe */

/* ---- the child ---- */

struct ends {
    int in[2], out[2], said[2], failed[2];
};

/* Above the descriptors of the protocol, lest a dup2() closes what is still to be dealt. */
static int lift(int fd)
{
    return fcntl(fd, F_DUPFD_CLOEXEC, 16);
}

static _Noreturn void live(const struct xb_build *build, const struct ends *ends, size_t env_bytes)
{
    xb_child_begin();
    char *pad = malloc(env_bytes + 1);
    if (pad) {
        memset(pad, 'x', env_bytes);
        pad[env_bytes] = '\0';
        setenv("XB_PAD", pad, 1);
    }
    int null = lift(open("/dev/null", O_RDONLY)), in = lift(ends->in[0]), out = lift(ends->out[1]);
    int said = lift(ends->said[1]), failed = lift(ends->failed[1]);
    dup2(null, STDIN_FILENO);
    dup2(said, STDOUT_FILENO);
    dup2(said, STDERR_FILENO);
    dup2(in, XB_WIRE_IN);
    dup2(out, XB_WIRE_OUT);
    execvp(build->argv[0], (char *const *)(uintptr_t)build->argv);
    int err = errno;
    ssize_t ignored = write(failed, &err, sizeof err);
    (void)ignored;
    _exit(127);
}

/* ---- what it says ---- */

/* Whether the words are new; of all that is printed the first line is kept. */
static bool listen(struct xb_twin *twin)
{
    char text[4096];
    ssize_t n = read(twin->said, text, sizeof text - 1);
    if (n <= 0) {
        close(twin->said);
        twin->said = -1;
        return false;
    }
    text[n] = '\0';
    if (!twin->words[0])
        snprintf(twin->words, sizeof twin->words, "%.*s", (int)strcspn(text, "\r\n"), text);
    for (char *at = twin->words; *at; at++)
        if ((unsigned char)*at < ' ')
            *at = '?';
    return true;
}

__attribute__((format(printf, 4, 5))) static int
blame(const struct xb_twin *twin, int code, struct xb_reason *why, const char *format, ...)
{
    char text[XB_REASON_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return xb_because(why, code, "%s (%s): %s", twin->build->label, twin->build->name, text);
}

/* It closed its end: how did it die, and with which last words? */
static int bury(struct xb_twin *twin, struct xb_reason *why)
{
    int status = 0;
    uint64_t deadline_ns = xb_now_ns() + LAST_MS * UINT64_C(1000000);
    while (twin->said >= 0 && xb_now_ns() < deadline_ns) {
        struct pollfd wait = { .fd = twin->said, .events = POLLIN };
        if (poll(&wait, 1, 100) > 0)
            listen(twin);
    }
    pid_t gone;
    while ((gone = waitpid(twin->pid, &status, WNOHANG)) == 0 && xb_now_ns() < deadline_ns)
        poll(NULL, 0, 5); /* its pipe is closed before it can be buried */
    if (gone == twin->pid)
        twin->pid = 0;
    char said[sizeof twin->words + 32] = "";
    if (twin->words[0])
        snprintf(said, sizeof said, "; it printed '%.150s'", twin->words);
    if (gone <= 0)
        return blame(twin, -EPIPE, why, "closed the pipe to xbound ab%s", said);
    if (WIFSIGNALED(status))
        return blame(twin, -ECHILD, why, "crashed: signal %d (%s)%s", WTERMSIG(status),
                     strsignal(WTERMSIG(status)), said);
    return blame(twin, -ECHILD, why, "exited with %d instead of speaking %s %d%s",
                 WEXITSTATUS(status), XB_WIRE_HELLO, XB_WIRE_VERSION, said);
}

/* Takes a whole line out of the buffer, if there is one. */
static bool take_line(struct xb_twin *twin, char line[XB_WIRE_BYTES])
{
    char *end = memchr(twin->buffer, '\n', twin->have);
    if (!end)
        return false;
    size_t length = (size_t)(end - twin->buffer);
    memcpy(line, twin->buffer, length);
    line[length] = '\0';
    twin->have -= length + 1;
    memmove(twin->buffer, end + 1, twin->have);
    return true;
}

static int send_line(struct xb_twin *twin, const char *request)
{
    char line[XB_WIRE_BYTES];
    int n = snprintf(line, sizeof line, "%s\n", request);
    return write(twin->in, line, (size_t)n) == n ? 0 : -errno;
}

static int blame_words(const struct xb_twin *twin, struct xb_reason *why)
{
    return blame(twin, -EPROTO, why, "prints '%.150s'; a build under test is to be silent",
                 twin->words);
}

/* Waits for answers or words. 0 with more in the buffer, or -errno with `why`. */
static int wait_for_more(struct xb_twin *twin, uint64_t deadline_ns, struct xb_reason *why)
{
    struct pollfd wait[2] = { { .fd = twin->out, .events = POLLIN },
                              { .fd = twin->said, .events = POLLIN } };
    uint64_t now_ns = xb_now_ns();
    if (now_ns >= deadline_ns)
        return blame(twin, -ETIMEDOUT, why, "hangs: no answer in time; killed");
    int ready = poll(wait, 2, (int)((deadline_ns - now_ns) / 1000000) + 1);
    if (ready < 0 && errno != EINTR)
        return blame(twin, -errno, why, "poll: %s", strerror(errno));
    if (ready <= 0)
        return 0;
    if (wait[0].revents) {
        if (twin->have == sizeof twin->buffer)
            return blame(twin, -EPROTO, why, "does not speak %s: a line without end",
                         XB_WIRE_HELLO);
        ssize_t n = read(twin->out, twin->buffer + twin->have, sizeof twin->buffer - twin->have);
        if (n <= 0)
            return bury(twin, why);
        twin->have += (size_t)n;
        return 0;
    }
    if (wait[1].revents && listen(twin)) {
        /* Who prints and ends has said why; its end is the better news. */
        struct pollfd end = { .fd = twin->out, .events = POLLIN };
        if (poll(&end, 1, LAST_MS) == 0)
            return blame_words(twin, why);
    }
    return 0;
}

int xb_twin_ask(struct xb_twin *twin, const char *request, uint64_t limit_ns,
                char line[XB_WIRE_BYTES], struct xb_reason *why)
{
    uint64_t deadline_ns = xb_now_ns() + limit_ns;
    if (request && send_line(twin, request) != 0)
        return bury(twin, why);
    while (!take_line(twin, line)) {
        int err = wait_for_more(twin, deadline_ns, why);
        if (err)
            return err;
    }
    if (twin->words[0])
        return blame_words(twin, why);
    if (strncmp(line, "error ", 6) == 0)
        return blame(twin, -EREMOTEIO, why, "%.180s", line + 6);
    return 0;
}

/* ---- beginning and end ---- */

static int greet(struct xb_twin *twin, struct xb_build *build, struct xb_reason *why)
{
    char line[XB_WIRE_BYTES];
    int version = 0;
    int err = xb_twin_ask(twin, NULL, GREETING_NS, line, why);
    if (err)
        return err;
    if (sscanf(line, XB_WIRE_HELLO " %d", &version) != 1)
        return blame(twin, -EPROTO, why, "answers '%.60s' instead of speaking %s", line,
                     XB_WIRE_HELLO);
    if (version != XB_WIRE_VERSION)
        return blame(twin, -EPROTO, why,
                     "speaks %s %d, and this xbound %d; compare builds of one time", XB_WIRE_HELLO,
                     version, XB_WIRE_VERSION);
    if (sscanf(line, XB_WIRE_HELLO " %*d alignment=%31s commit=%63s", build->alignment,
               build->commit) != 2)
        return blame(twin, -EPROTO, why, "its greeting is cut short: '%.60s'", line);
    return 0;
}

static void close_pair(int pair[2])
{
    for (int i = 0; i < 2; i++)
        if (pair[i] > 0)
            close(pair[i]);
}

int xb_twin_start(struct xb_twin *twin, struct xb_build *build, size_t env_bytes,
                  struct xb_reason *why)
{
    struct ends ends = { { 0 }, { 0 }, { 0 }, { 0 } };
    int err = 0;
    *twin = (struct xb_twin){ .build = build, .in = -1, .out = -1, .said = -1 };
    if (pipe2(ends.in, O_CLOEXEC) || pipe2(ends.out, O_CLOEXEC) || pipe2(ends.said, O_CLOEXEC) ||
        pipe2(ends.failed, O_CLOEXEC)) {
        err = blame(twin, -errno, why, "pipe: %s", strerror(errno));
        close_pair(ends.in), close_pair(ends.out), close_pair(ends.said), close_pair(ends.failed);
        return err;
    }
    twin->pid = fork();
    if (twin->pid == 0)
        live(build, &ends, env_bytes);
    int forked = twin->pid < 0 ? errno : 0, exec = 0;
    if (twin->pid > 0)
        setpgid(twin->pid, twin->pid); /* here too: whoever comes first */
    close(ends.in[0]), close(ends.out[1]), close(ends.said[1]), close(ends.failed[1]);
    twin->in = ends.in[1];
    twin->out = ends.out[0];
    twin->said = ends.said[0];
    ssize_t n = forked ? 0 : read(ends.failed[0], &exec, sizeof exec);
    close(ends.failed[0]);
    if (forked) {
        twin->pid = 0;
        return blame(twin, -forked, why, "fork: %s", strerror(forked));
    }
    if (n > 0)
        return blame(twin, -exec, why, "cannot be run: %s", strerror(exec));
    return greet(twin, build, why);
}

void xb_twin_end(struct xb_twin *twin)
{
    if (!twin->build)
        return;
    if (twin->pid > 0) {
        kill(-twin->pid, SIGKILL);
        while (waitpid(twin->pid, NULL, 0) < 0 && errno == EINTR)
            continue;
    }
    if (twin->in >= 0)
        close(twin->in);
    if (twin->out >= 0)
        close(twin->out);
    if (twin->said >= 0)
        close(twin->said);
    *twin = (struct xb_twin){ .build = NULL };
}
