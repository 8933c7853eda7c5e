/* SPDX-License-Identifier: BSD-3-Clause
 * Runs a command with several numbers of workers, in turn. */
#include "trial.h"

#include "../../kernels/prng.h"
#include "../base/child.h"
#include "../base/clock.h"
#include "../stats/ratio.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WORDS = 256, LOOK_MS = 50 };

int xb_trial_fill(const char *command, uint32_t workers, char *out)
{
    size_t at = 0;
    while (*command) {
        size_t room = XB_TRIAL_COMMAND - at;
        int n;
        if (strncmp(command, XB_TRIAL_PLACE, strlen(XB_TRIAL_PLACE)) == 0) {
            n = snprintf(out + at, room, "%u", workers);
            command += strlen(XB_TRIAL_PLACE);
        } else {
            n = snprintf(out + at, room, "%c", *command++);
        }
        if ((size_t)n >= room)
            return -E2BIG;
        at += (size_t)n;
    }
    out[at] = '\0';
    return 0;
}

int xb_trial_check(const char *command, struct xb_reason *why)
{
    char line[XB_TRIAL_COMMAND];
    if (!strstr(command, XB_TRIAL_PLACE))
        return xb_because(why, -EINVAL,
                          "'%.80s' has no %s, which is to stand for the number of workers", command,
                          XB_TRIAL_PLACE);
    if (xb_trial_fill(command, UINT32_MAX, line) != 0)
        return xb_because(why, -E2BIG, "a command of more than %d bytes", XB_TRIAL_COMMAND - 1);
    return 0;
}

uint32_t xb_trial_match(const char *command, const char *line)
{
    char filled[XB_TRIAL_COMMAND];
    const char *place = strstr(command, XB_TRIAL_PLACE);
    size_t before = place ? (size_t)(place - command) : 0;
    if (!place || strncmp(command, line, before) != 0)
        return 0;
    unsigned long number = 0;
    for (const char *at = line + before; *at >= '0' && *at <= '9' && number < 100000; at++)
        number = number * 10 + (unsigned long)(*at - '0');
    return xb_trial_fill(command, (uint32_t)number, filled) == 0 && strcmp(filled, line) == 0
               ? (uint32_t)number
               : 0;
}

/* Whether a shell would make something else of it than words between blanks. */
static bool needs_shell(const char *line)
{
    return line[strcspn(line, "|&;<>()$`\\\"'*?[]#~=%!{}\n\t")] != '\0';
}

static _Noreturn void live(char *line, int said, pid_t parent)
{
    xb_child_begin();
    if (getppid() != parent)
        _exit(EXIT_FAILURE);
    int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
    dup2(nothing, STDIN_FILENO);
    dup2(nothing, STDOUT_FILENO);
    dup2(said, STDERR_FILENO);
    if (needs_shell(line)) {
        execl("/bin/sh", "sh", "-c", line, (char *)NULL);
        _exit(127);
    }
    char *words[WORDS + 1] = { NULL };
    size_t n = 0;
    for (char *rest = line, *word; n < WORDS && (word = strtok_r(rest, " ", &rest));)
        words[n++] = word;
    if (n > 0 && n < WORDS)
        execvp(words[0], words);
    dprintf(STDERR_FILENO, "%s: %s\n", n ? words[0] : "an empty command",
            n == WORDS ? "too many words" : strerror(errno));
    _exit(127);
}

/* Whether it ended within the limit. Not woken by its end before Linux 5.3, so looked for then. */
static bool wait_for(pid_t pid, const struct xb_trial_ask *ask, int *status)
{
    uint64_t deadline_ns = xb_now_ns() + ask->limit_ns;
    int fd = (int)syscall(SYS_pidfd_open, pid, 0);
    struct pollfd wait = { .fd = fd, .events = POLLIN };
    pid_t gone = 0;
    while (gone == 0 && xb_now_ns() < deadline_ns && !(ask->stop && *ask->stop)) {
        poll(&wait, fd >= 0, fd >= 0 ? LOOK_MS : 1);
        gone = waitpid(pid, status, WNOHANG);
    }
    if (fd >= 0)
        close(fd);
    return gone == pid;
}

static int judge_end(const char *line, int status, int said, struct xb_reason *why)
{
    char words[100];
    xb_child_said(said, words, sizeof words);
    const char *and = words[0] ? "; it printed: " : "";
    int killed = xb_child_killed(status);
    if (killed)
        return xb_because(why, -ECHILD, "'%.60s' was killed by signal %d (%s)%s%s", line, killed,
                          strsignal(killed), and, words);
    if (WEXITSTATUS(status) != 0)
        return xb_because(why, -ECHILD, "'%.60s' exited with %d%s%s", line, WEXITSTATUS(status),
                          and, words);
    return 0;
}

static int run_once(const struct xb_trial_ask *ask, uint32_t workers, double *seconds,
                    struct xb_reason *why)
{
    char line[XB_TRIAL_COMMAND], words[XB_TRIAL_COMMAND];
    int status = 0, said = memfd_create("said", MFD_CLOEXEC);
    if (said < 0)
        return xb_because(why, -errno, "memfd_create: %s", strerror(errno));
    xb_trial_fill(ask->command, workers, line);
    memcpy(words, line, sizeof words);
    uint64_t begin_ns = xb_now_ns();
    pid_t parent = getpid(), pid = fork();
    if (pid == 0)
        live(words, said, parent);
    int err = pid < 0 ? xb_because(why, -errno, "fork: %s", strerror(errno)) : 0;
    if (!err) {
        setpgid(pid, pid);
        bool ended = wait_for(pid, ask, &status);
        *seconds = (double)(xb_now_ns() - begin_ns) / 1e9;
        kill(-pid, SIGKILL); /* what it left behind, too */
        if (ended)
            err = judge_end(line, status, said, why);
        else if (ask->stop && *ask->stop)
            err = xb_because(why, -EINTR, "interrupted");
        else
            err = xb_because(why, -ETIMEDOUT, "'%.80s' hangs: not over after %.3g s; killed", line,
                             (double)ask->limit_ns / 1e9);
        while (!ended && waitpid(pid, &status, 0) < 0 && errno == EINTR)
            continue;
    }
    close(said);
    return err;
}

static void sum_up(struct xb_trial *out, double seconds[XB_TRIAL_COUNTS][XB_TRIAL_ROUNDS])
{
    for (size_t i = 0; i < out->n; i++) {
        double time[XB_TRIAL_ROUNDS];
        struct xb_trial_row *row = &out->row[i];
        if (row->why.code || out->rounds == 0)
            continue;
        memcpy(time, seconds[i], out->rounds * sizeof *time);
        row->seconds = xb_median(time, out->rounds);
        row->gain = xb_paired_ratio(seconds[i], seconds[0], out->rounds);
    }
}

int xb_trial_run(const struct xb_trial_ask *ask, struct xb_trial *out, struct xb_reason *why)
{
    double seconds[XB_TRIAL_COUNTS][XB_TRIAL_ROUNDS];
    uint64_t random = 1, begin_ns = xb_now_ns();
    *out = (struct xb_trial){ .n = ask->n };
    int err = xb_trial_check(ask->command, why);
    if (err)
        return err;
    for (size_t i = 0; i < ask->n; i++)
        out->row[i] = (struct xb_trial_row){ .workers = ask->workers[i],
                                             .seconds = NAN,
                                             .gain = { NAN, NAN, NAN } };
    for (size_t round = 0; round < XB_TRIAL_ROUNDS && !out->row[0].why.code; round++) {
        /* Begins somewhere else each time, so that what drifts meets all alike. */
        size_t first = xb_prng_below(&random, ask->n);
        for (size_t i = 0; i < ask->n; i++) {
            size_t at = (first + i) % ask->n;
            struct xb_trial_row *row = &out->row[at];
            if (!row->why.code)
                run_once(ask, row->workers, &seconds[at][round], &row->why);
            if (row->why.code == -EINTR)
                return xb_because(why, -EINTR, "interrupted");
        }
        out->rounds = round + 1;
        uint64_t took_ns = xb_now_ns() - begin_ns;
        if (out->rounds >= ask->least && took_ns + took_ns / out->rounds > ask->budget_ns)
            break;
    }
    for (size_t i = 1; i < ask->n && out->row[0].why.code; i++)
        if (!out->row[i].why.code)
            xb_because(&out->row[i].why, -ECANCELED, "nothing to compare it with");
    sum_up(out, seconds);
    return 0;
}
