/* SPDX-License-Identifier: BSD-3-Clause
 * Runs commands to their end, and takes the time of the whole process. */
#include "command.h"

#include "../../kernels/prng.h"
#include "../base/child.h"
#include "../base/clock.h"
#include "../stats/median.h"
#include "suite.h"
#include "topology.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ENVIRONMENT = 4096, BLOCK_NS = 100 * 1000 * 1000 };

enum which { OLD, NEW, EMPTY };

__attribute__((format(printf, 5, 6))) static int blame(const struct xb_commands *commands,
                                                       enum which which, int code,
                                                       struct xb_reason *why, const char *format,
                                                       ...)
{
    char text[XB_REASON_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return xb_because(why, code, "%s (%.80s): %s",
                      which == OLD   ? "OLD"
                      : which == NEW ? "NEW"
                                     : "empty",
                      which == EMPTY ? "true" : commands->line[which], text);
}

/* ---- how to start it ---- */

static bool find_program(const char *name)
{
    const char *path = getenv("PATH");
    char whole[4200];
    if (strchr(name, '/'))
        return access(name, X_OK) == 0;
    for (size_t length; path && *path; path += length + (path[length] == ':')) {
        length = strcspn(path, ":");
        snprintf(whole, sizeof whole, "%.*s/%s", (int)(length < 4096 ? length : 0), path, name);
        if (access(whole, X_OK) == 0)
            return true;
    }
    return false;
}

/* Cuts at blanks. Whether the first word is a program, and no word has what a shell would change:
 * POSIX.1-2017, Shell Command Language, 2.2, and the characters of patterns, tildes and comments. */
static bool cut(char *text, char *argv[XB_COMMAND_WORDS + 1])
{
    size_t n = 0;
    if (text[strcspn(text, "|&;<>()$`\\\"'\n*?[]#~!{}")])
        return false;
    for (char *rest = text, *word; (word = strsep(&rest, " \t"));)
        if (*word && n < XB_COMMAND_WORDS)
            argv[n++] = word;
        else if (*word)
            return false;
    return n > 0 && !strchr(argv[0], '=') && find_program(argv[0]);
}

static int find_start(struct xb_commands *commands, struct xb_reason *why)
{
    static char sh[] = "/bin/sh", c[] = "-c", nothing[] = "true", nothing_too[] = "exec true";
    commands->shell = !find_program(nothing);
    for (int i = 0; i < 2; i++) {
        commands->text[i] = strdup(commands->line[i]);
        if (!commands->text[i])
            return xb_because(why, -ENOMEM, "out of memory for a command");
        commands->shell |= !cut(commands->text[i], commands->argv[i]);
    }
    commands->argv[EMPTY][0] = nothing;
    for (int i = 0; i < 3 && commands->shell; i++) {
        if (i < 2)
            strcpy(commands->text[i], commands->line[i]); /* as long as before */
        char *const argv[] = { sh, c, i < 2 ? commands->text[i] : nothing_too, NULL };
        memcpy(commands->argv[i], argv, sizeof argv);
    }
    return 0;
}

/* ---- one run ---- */

static _Noreturn void live(const struct xb_commands *commands, enum which which, int said,
                           size_t env_bytes)
{
    char pad[ENVIRONMENT + 1];
    xb_child_begin();
    memset(pad, 'x', env_bytes);
    pad[env_bytes] = '\0';
    setenv("XB_PAD", pad, 1);
    xb_topology_bind(commands->cpu);
    dup2(open("/dev/null", O_RDONLY | O_CLOEXEC), STDIN_FILENO);
    dup2(said, STDOUT_FILENO);
    dup2(said, STDERR_FILENO);
    execvp(commands->argv[which][0], commands->argv[which]);
    fprintf(stderr, "%s: %s\n", commands->argv[which][0], strerror(errno));
    fflush(stderr);
    _exit(127);
}

/* Whether it ended in time. A signal that we catch does not end the wait. */
static bool wait_for(pid_t pid, uint64_t limit_ns)
{
    uint64_t now_ns = xb_now_ns(), deadline_ns = now_ns + limit_ns;
    int fd = (int)syscall(SYS_pidfd_open, pid, 0);
    bool ended = fd < 0; /* before Linux 5.3: without a limit */
    for (; !ended && now_ns < deadline_ns; now_ns = xb_now_ns()) {
        struct pollfd wait = { .fd = fd, .events = POLLIN };
        ended = poll(&wait, 1, (int)((deadline_ns - now_ns) / 1000000) + 1) > 0;
    }
    if (fd >= 0)
        close(fd);
    return ended;
}

static int judge_end(const struct xb_commands *commands, enum which which, int status, int said,
                     struct xb_reason *why)
{
    char words[120];
    ssize_t n = xb_child_said(said, words, sizeof words);
    const char *and = words[0] ? "; it printed: " : "";
    int killed = xb_child_killed(status);
    if (killed)
        return blame(commands, which, -ECHILD, why, "crashed: signal %d (%s)%s%s", killed,
                     strsignal(killed), and, words);
    if (WEXITSTATUS(status) != 0)
        return blame(commands, which, -ECHILD, why, "exited with %d%s%s", WEXITSTATUS(status), and,
                     words);
    if (n > 0)
        return blame(commands, which, -EPROTO, why,
                     "prints '%s'; what that costs depends on who reads it: add >/dev/null", words);
    return 0;
}

static int run_command(const struct xb_commands *commands, enum which which, uint64_t *prng,
                       struct xb_slice *slice, struct xb_reason *why)
{
    struct rusage usage = { 0 };
    int status = 0, said = memfd_create("said", MFD_CLOEXEC);
    if (said < 0)
        return xb_because(why, -errno, "memfd_create: %s", strerror(errno));
    size_t env_bytes = xb_prng_below(prng, ENVIRONMENT);
    uint64_t begin_ns = xb_now_ns();
    pid_t pid = fork();
    if (pid == 0)
        live(commands, which, said, env_bytes);
    int err = pid < 0 ? xb_because(why, -errno, "fork: %s", strerror(errno)) : 0;
    if (!err) {
        setpgid(pid, pid);
        bool ended = wait_for(pid, commands->limit_ns);
        uint64_t end_ns = xb_now_ns();
        if (!ended)
            err = blame(commands, which, -ETIMEDOUT, why, "hangs: not over after %.3g s; killed",
                        (double)commands->limit_ns / 1e9);
        kill(-pid, SIGKILL); /* what it left behind, too */
        while (wait4(pid, &status, 0, &usage) < 0 && errno == EINTR)
            continue;
        *slice = (struct xb_slice){ .wall_ns = end_ns - begin_ns,
                                    .cpu_ns = xb_usage_cpu_ns(&usage),
                                    .switches = (uint64_t)usage.ru_nivcsw };
    }
    if (!err)
        err = judge_end(commands, which, status, said, why);
    close(said);
    return err;
}

int xb_commands_open(struct xb_commands *commands, struct xb_reason *why)
{
    struct xb_slice slice = { 0 };
    uint64_t longest_ns = 1;
    int err = find_start(commands, why);
    for (int i = 0; i < 4 && !err; i++) {
        err = run_command(commands, i % 2 ? NEW : OLD, &commands->prng, &slice, why);
        if (i >= 2 && slice.wall_ns > longest_ns)
            longest_ns = slice.wall_ns;
    }
    commands->quartets = BLOCK_NS / (XB_SLICES * longest_ns);
    if (commands->quartets < 1)
        commands->quartets = 1;
    if (commands->quartets > XB_COMMAND_QUARTETS)
        commands->quartets = XB_COMMAND_QUARTETS;
    snprintf(commands->contest.name, sizeof commands->contest.name, "command");
    return err;
}

void xb_commands_close(struct xb_commands *commands)
{
    free(commands->text[0]);
    free(commands->text[1]);
    commands->text[0] = commands->text[1] = NULL;
}

struct taking {
    struct xb_commands *commands;
    double starts[XB_COMMAND_QUARTETS]; /* times of the empty command, n of them */
    size_t n, slices;
};

static int take(void *context, bool of_new, struct xb_slice *slice, struct xb_reason *why)
{
    struct taking *taking = context;
    struct xb_commands *commands = taking->commands;
    int err = 0;
    if (taking->slices++ % XB_SLICES == 0) {
        err = run_command(commands, EMPTY, &commands->prng, slice, why);
        taking->starts[taking->n++] =
            (double)(commands->contest.wall ? slice->wall_ns : slice->cpu_ns);
    }
    return err ? err : run_command(commands, of_new ? NEW : OLD, &commands->prng, slice, why);
}

int xb_commands_block(void *context, size_t index, struct xb_reason *why)
{
    struct xb_commands *commands = context;
    struct xb_contest *contest = &commands->contest;
    struct taking taking = { .commands = commands };
    struct xb_block block = { .quartets = 0 };
    double shares[XB_BLOCKS_MAX];
    size_t n = contest->effect.n;
    uint64_t coin = xb_prng_next(&commands->prng);
    (void)index;
    int err = xb_block_take(&block, commands->quartets, &coin, take, &taking, why);
    if (!err && commands->files)
        err = xb_gate_write_block(commands->files, contest, n, &block, 0, 0, why);
    if (err)
        return err;
    xb_contest_take(contest, &block);
    /* Within the block, as the machine's speed drifts. */
    commands->start_shares[n] = xb_median(taking.starts, taking.n) / contest->old_ns;
    memcpy(shares, commands->start_shares, sizeof shares);
    contest->start_share = xb_median(shares, n + 1);
    return 0;
}
