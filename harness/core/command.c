/* SPDX-License-Identifier: BSD-3-Clause
 * Runs commands to their end, and takes the time of the whole process. */
#include "command.h"

#include "../../kernels/prng.h"
#include "../base/child.h"
#include "../base/clock.h"
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

enum { ENVIRONMENT = 4096, QUARTETS_MOST = 4, BLOCK_NS = 100 * 1000 * 1000 };

__attribute__((format(printf, 5, 6))) static int blame(const struct xb_commands *commands,
                                                       bool of_new, int code, struct xb_reason *why,
                                                       const char *format, ...)
{
    char text[XB_REASON_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return xb_because(why, code, "%s (%.80s): %s", of_new ? "NEW" : "OLD", commands->line[of_new],
                      text);
}

static _Noreturn void live(const struct xb_commands *commands, bool of_new, int said,
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
    execl("/bin/sh", "sh", "-c", commands->line[of_new], (char *)NULL);
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

static uint64_t cpu_ns(const struct rusage *usage)
{
    return ((uint64_t)usage->ru_utime.tv_sec + (uint64_t)usage->ru_stime.tv_sec) * 1000000000 +
           ((uint64_t)usage->ru_utime.tv_usec + (uint64_t)usage->ru_stime.tv_usec) * 1000;
}

static int judge_end(const struct xb_commands *commands, bool of_new, int status, int said,
                     struct xb_reason *why)
{
    char words[120] = "";
    ssize_t n = pread(said, words, sizeof words - 1, 0);
    words[n > 0 ? n : 0] = '\0';
    words[strcspn(words, "\r\n")] = '\0';
    for (char *at = words; *at; at++)
        if ((unsigned char)*at < ' ')
            *at = '?';
    const char *and = words[0] ? "; it printed: " : "";
    /* A shell that did not become the command tells of its death by 128 and the signal. */
    int killed = WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status) - 128;
    if (killed > 0 && killed < NSIG)
        return blame(commands, of_new, -ECHILD, why, "crashed: signal %d (%s)%s%s", killed,
                     strsignal(killed), and, words);
    if (WEXITSTATUS(status) != 0)
        return blame(commands, of_new, -ECHILD, why, "exited with %d%s%s", WEXITSTATUS(status), and,
                     words);
    if (n > 0)
        return blame(commands, of_new, -EPROTO, why,
                     "prints '%s'; what that costs depends on who reads it: add >/dev/null", words);
    return 0;
}

static int run_command(const struct xb_commands *commands, bool of_new, uint64_t *prng,
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
        live(commands, of_new, said, env_bytes);
    int err = pid < 0 ? xb_because(why, -errno, "fork: %s", strerror(errno)) : 0;
    if (!err) {
        setpgid(pid, pid);
        bool ended = wait_for(pid, commands->limit_ns);
        uint64_t end_ns = xb_now_ns();
        if (!ended)
            err = blame(commands, of_new, -ETIMEDOUT, why, "hangs: not over after %.3g s; killed",
                        (double)commands->limit_ns / 1e9);
        kill(-pid, SIGKILL); /* what it left behind, too */
        while (wait4(pid, &status, 0, &usage) < 0 && errno == EINTR)
            continue;
        *slice = (struct xb_slice){ .wall_ns = end_ns - begin_ns,
                                    .cpu_ns = cpu_ns(&usage),
                                    .switches = (uint64_t)usage.ru_nivcsw };
    }
    if (!err)
        err = judge_end(commands, of_new, status, said, why);
    close(said);
    return err;
}

int xb_commands_open(struct xb_commands *commands, struct xb_reason *why)
{
    struct xb_slice slice = { 0 };
    uint64_t longest_ns = 1;
    for (int i = 0; i < 4; i++) {
        int err = run_command(commands, i % 2, &commands->prng, &slice, why);
        if (err)
            return err;
        if (i >= 2 && slice.wall_ns > longest_ns)
            longest_ns = slice.wall_ns;
    }
    commands->quartets = BLOCK_NS / (XB_SLICES * longest_ns);
    if (commands->quartets < 1)
        commands->quartets = 1;
    if (commands->quartets > QUARTETS_MOST)
        commands->quartets = QUARTETS_MOST;
    snprintf(commands->contest.name, sizeof commands->contest.name, "command");
    return 0;
}

static int take(void *context, bool of_new, struct xb_slice *slice, struct xb_reason *why)
{
    struct xb_commands *commands = context;
    return run_command(commands, of_new, &commands->prng, slice, why);
}

int xb_commands_block(void *context, size_t index, struct xb_reason *why)
{
    struct xb_commands *commands = context;
    struct xb_contest *contest = &commands->contest;
    struct xb_block block = { .quartets = 0 };
    uint64_t coin = xb_prng_next(&commands->prng);
    (void)index;
    int err = xb_block_take(&block, commands->quartets, &coin, take, commands, why);
    if (!err && commands->files)
        err = xb_gate_write_block(commands->files, contest, contest->effect.n, &block, 0, 0, why);
    if (!err)
        xb_contest_take(contest, &block);
    return err;
}
