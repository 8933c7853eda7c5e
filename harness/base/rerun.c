/* SPDX-License-Identifier: BSD-3-Clause
 * Runs a command again, below a keeper.
 *
 * The keeper is a process of ours between this one and the command. It adopts what loses its parent
 * (PR_SET_CHILD_SUBREAPER), so that the CPU time of daemons is counted and none outlives the run. Done in
 * this process it would meet children that are not the command's. */
#include "rerun.h"

#include "child.h"
#include "clock.h"
#include "procfs.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <time.h>

enum { LOOK_MS = 50 };

/* After end_signal callgrind writes what it has counted, for each process a file. */
#define GRACE_NS (UINT64_C(8) * 1000000000)
/* For what was killed to be dead: not at once where it is in the kernel. */
#define BURY_NS (UINT64_C(5) * 1000000000)

/* What the keeper says at its end. */
struct outcome {
    struct xb_rerun_use use;
    int error; /* errno of what could not be done, or 0 */
    enum { RAN, NOT_FORKED, NOT_PREPARED, NOT_EXECUTED, HUNG, STOPPED } how;
    int status; /* as from wait(2) */
};

/* The tree below a keeper. */
struct tree {
    pid_t command, helper;
    bool ended; /* the command has; there may be more */
    bool empty; /* nothing of it is left */
    struct outcome *outcome;
};

/* ---- below the keeper ---- */

static void bind_to(int cpu)
{
    cpu_set_t one;
    if (cpu < 0 || cpu >= CPU_SETSIZE)
        return;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    sched_setaffinity(0, sizeof one, &one);
}

static _Noreturn void live(const struct xb_rerun *ask, int failed)
{
    xb_child_begin();
    bind_to(ask->cpu);
    int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        dup2(nothing, fd);
    int err = ask->prepare ? ask->prepare(ask->context) : 0; /* negative */
    if (!err) {
        execvp(ask->argv[0], (char *const *)(uintptr_t)ask->argv);
        err = errno;
    }
    ssize_t ignored = write(failed, &err, sizeof err);
    (void)ignored;
    _exit(127);
}

static _Noreturn void live_beside(const struct xb_rerun *ask, int told)
{
    xb_child_begin();
    close(told);
    bind_to(ask->cpu);
    ask->beside(ask->context);
    _exit(EXIT_SUCCESS);
}

/* ---- the keeper ---- */

static double seconds(struct timeval time)
{
    return (double)time.tv_sec + 1e-6 * (double)time.tv_usec;
}

static void bury(struct tree *tree)
{
    struct xb_rerun_use *use = &tree->outcome->use;
    struct rusage usage;
    int status;
    pid_t pid;
    while ((pid = wait4(-1, &status, WNOHANG, &usage)) > 0) {
        if (pid == tree->helper)
            continue;
        use->user_s += seconds(usage.ru_utime);
        use->kernel_s += seconds(usage.ru_stime);
        use->faults += (uint64_t)(usage.ru_minflt + usage.ru_majflt);
        if (pid == tree->command) {
            tree->ended = true;
            tree->outcome->status = status;
        }
    }
    tree->empty = pid < 0 && errno == ECHILD;
}

/* Sleeps for a time at most. False: this process was told to end. */
static bool nap(uint64_t ns)
{
    sigset_t awaited;
    sigemptyset(&awaited);
    sigaddset(&awaited, SIGCHLD);
    sigaddset(&awaited, SIGTERM);
    struct timespec time = { .tv_sec = (time_t)(ns / 1000000000),
                             .tv_nsec = (long)(ns % 1000000000) };
    return sigtimedwait(&awaited, NULL, &time) != SIGTERM;
}

/* Kills our children, be they the command's group or adopted. */
static void kill_all(struct tree *tree)
{
    char text[4096];
    pid_t self = getpid();
    uint64_t begin_ns = xb_now_ns();
    if (tree->command > 0)
        kill(-tree->command, SIGKILL);
    for (bury(tree); !tree->empty && xb_now_ns() - begin_ns < BURY_NS; bury(tree)) {
        if (tree->helper > 0)
            kill(tree->helper, SIGKILL); /* whose number is its own until it is buried, once */
        if (xb_proc_text(self, self, "children", text, sizeof text) > 0)
            for (char *at = text, *next; *at; at = next) {
                pid_t pid = (pid_t)strtol(at, &next, 10);
                if (next == at)
                    break;
                kill(pid, SIGKILL);
            }
        nap(2000000);
    }
}

/* Until the command has ended; once its time was cut, until all have. */
static void stay(const struct xb_rerun *ask, struct tree *tree)
{
    struct outcome *outcome = tree->outcome;
    uint64_t deadline_ns = xb_now_ns() + ask->limit_ns;
    for (bury(tree); !tree->ended || (outcome->use.cut && !tree->empty); bury(tree)) {
        uint64_t now_ns = xb_now_ns();
        if (now_ns >= deadline_ns && outcome->use.cut)
            return;
        if (now_ns >= deadline_ns && !ask->end_signal) {
            outcome->how = HUNG;
            return;
        }
        if (now_ns >= deadline_ns) {
            kill(-tree->command, ask->end_signal);
            if (tree->helper > 0)
                kill(tree->helper, SIGKILL); /* or the tree would not be empty */
            outcome->use.cut = true;
            deadline_ns = now_ns + GRACE_NS;
            continue;
        }
        if (!nap(deadline_ns - now_ns)) {
            outcome->how = STOPPED;
            return;
        }
    }
}

static void keep(const struct xb_rerun *ask, struct outcome *outcome, int told)
{
    struct tree tree = { .outcome = outcome };
    int failed[2], err;
    /* Before there is the pipe, whose end it would keep open. */
    if (ask->beside && (tree.helper = fork()) == 0)
        live_beside(ask, told);
    if (tree.helper < 0 || pipe2(failed, O_CLOEXEC) != 0) {
        *outcome = (struct outcome){ .how = NOT_FORKED, .error = errno };
        kill_all(&tree);
        return;
    }
    uint64_t begin_ns = xb_now_ns();
    if ((tree.command = fork()) == 0)
        live(ask, failed[1]);
    if (tree.command < 0)
        *outcome = (struct outcome){ .how = NOT_FORKED, .error = errno };
    close(failed[1]);
    if (outcome->how == RAN) {
        setpgid(tree.command, tree.command);
        if (read(failed[0], &err, sizeof err) == sizeof err) {
            outcome->how = err < 0 ? NOT_PREPARED : NOT_EXECUTED;
            outcome->error = abs(err);
        } else {
            stay(ask, &tree);
        }
    }
    outcome->use.wall_s = (double)(xb_now_ns() - begin_ns) / 1e9;
    kill_all(&tree);
}

static _Noreturn void live_keeper(const struct xb_rerun *ask, int told, pid_t parent)
{
    struct outcome outcome = { .how = RAN };
    sigset_t blocked;
    xb_child_begin();
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGCHLD);
    sigaddset(&blocked, SIGTERM);
    sigprocmask(SIG_BLOCK, &blocked, NULL);
    prctl(PR_SET_PDEATHSIG, SIGTERM); /* there is something to clear up */
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    if (getppid() == parent)
        keep(ask, &outcome, told);
    _exit(write(told, &outcome, sizeof outcome) != sizeof outcome);
}

/* ---- above it ---- */

/* Whether a signal that is to end us waits for somebody to take it. */
static bool is_stopped(void)
{
    sigset_t pending;
    return sigpending(&pending) == 0 &&
           (sigismember(&pending, SIGINT) > 0 || sigismember(&pending, SIGTERM) > 0 ||
            sigismember(&pending, SIGHUP) > 0 || sigismember(&pending, SIGQUIT) > 0);
}

static int judge(const struct xb_rerun *ask, const struct outcome *outcome, struct xb_reason *why)
{
    const char *name = ask->argv[0];
    int status = outcome->status, killed = xb_child_killed(status), error = outcome->error;
    switch (outcome->how) {
    case NOT_FORKED:
        return xb_because(why, -error, "the command cannot be run again: %s", strerror(error));
    case NOT_PREPARED:
        return xb_because(why, -error, "a run cannot be prepared: %s", strerror(error));
    case NOT_EXECUTED:
        return xb_because(why, -error, "%.100s cannot be run again: %s", name, strerror(error));
    case STOPPED:
        return xb_because(why, -EINTR, "interrupted while the command ran again");
    case HUNG:
        return xb_because(
            why, -ETIMEDOUT,
            "a run did not end in %.3g s, as it has to here: give the command less to do",
            (double)ask->limit_ns / 1e9);
    case RAN:
        break;
    }
    if (ask->end_signal)
        return 0;
    if (killed)
        return xb_because(why, -ECHILD, "run again the command was killed by signal %d (%s)",
                          killed, strsignal(killed));
    if (WEXITSTATUS(status) != 0)
        return xb_because(
            why, -ECHILD,
            "run again, without input and output, the command exited with %d: its time "
            "would be that of a failure",
            WEXITSTATUS(status));
    return 0;
}

int xb_rerun_check(const char *const *argv, struct xb_reason *why)
{
    return argv && argv[0] ? 0
                           : xb_because(why, -ENOTSUP,
                                        "it runs the command again: give the command instead of a "
                                        "process that runs already");
}

int xb_rerun(const struct xb_rerun *ask, struct xb_rerun_use *use, struct xb_reason *why)
{
    struct outcome outcome = { .how = RAN };
    int told[2];
    if (is_stopped())
        return xb_because(why, -EINTR, "interrupted before the command ran again");
    if (pipe2(told, O_CLOEXEC) != 0)
        return xb_because(why, -errno, "pipe: %s", strerror(errno));
    pid_t parent = getpid(), keeper = fork();
    if (keeper == 0)
        live_keeper(ask, told[1], parent);
    int err = keeper < 0 ? xb_because(why, -errno, "fork: %s", strerror(errno)) : 0;
    close(told[1]);
    struct pollfd wait = { .fd = told[0], .events = POLLIN };
    for (bool stopped = false; !err && poll(&wait, 1, LOOK_MS) <= 0;)
        if (!stopped && is_stopped()) {
            kill(keeper, SIGTERM);
            stopped = true;
        }
    if (!err && read(told[0], &outcome, sizeof outcome) != sizeof outcome)
        err = xb_because(why, -ECHILD, "the process that looks after a run was killed");
    close(told[0]);
    while (keeper > 0 && waitpid(keeper, NULL, 0) < 0 && errno == EINTR)
        continue;
    if (err)
        return err;
    outcome.use.code = xb_child_killed(outcome.status) ? 128 + xb_child_killed(outcome.status)
                                                       : WEXITSTATUS(outcome.status);
    *use = outcome.use;
    return judge(ask, &outcome, why);
}

int xb_rerun_compare(const struct xb_rerun ask[2], uint64_t budget_ns, double least_user_s,
                     struct xb_rerun_pairs *out, struct xb_reason *why)
{
    uint64_t coins = 0;
    struct xb_rerun plain = ask[0];
    plain.prepare = NULL;
    plain.beside = NULL;
    *out = (struct xb_rerun_pairs){ .n = 0 };
    if (getrandom(&coins, sizeof coins, GRND_NONBLOCK) != sizeof coins)
        coins = xb_now_ns();
    int err = xb_rerun(&plain, &out->first, why);
    if (!err && out->first.user_s < least_user_s)
        return xb_because(
            why, -ENODATA,
            "a run used %.3g s of CPU time in user mode, too little to compare: give the "
            "command more to do",
            out->first.user_s);
    uint64_t begin_ns = xb_now_ns();
    while (!err && out->n < XB_RERUN_PAIRS) {
        uint64_t took_ns = xb_now_ns() - begin_ns;
        if (out->n >= XB_RERUN_PAIRS_LEAST && took_ns + took_ns / out->n > budget_ns)
            break;
        int one = coins >> out->n & 1;
        err = xb_rerun(&ask[one], &out->use[one][out->n], why);
        if (!err)
            err = xb_rerun(&ask[!one], &out->use[!one][out->n], why);
        out->n += !err;
    }
    return err;
}
