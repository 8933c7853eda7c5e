/* SPDX-License-Identifier: BSD-3-Clause
 * Forks a team and waits for it, whatever comes of it. */
#include "runner.h"

#include "../base/clock.h"
#include "../base/units.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    LOOK_NS = 50 * 1000 * 1000,           /* how often to look for a failure or an interruption */
    AFTER_FAILURE_NS = 500 * 1000 * 1000, /* for the workers that have not failed to notice */
};
#define AFTER_STOP_NS UINT64_C(2000000000)

static _Noreturn void live(const struct xb_plan *plan, struct xb_arena *arena,
                           struct xb_result *result, const sigset_t *mask, pid_t parent)
{
    struct xb_reason why;
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (plan->limit && xb_limit_enter(plan->limit, &why) != 0) {
        xb_result_fail(result, why.code, "%s", why.text);
        _exit(EXIT_FAILURE);
    }
    signal(SIGINT, SIG_DFL);
    signal(SIGPIPE, SIG_IGN); /* an operation says so in its own result: io.h */
    sigprocmask(SIG_SETMASK, mask, NULL);
    if (getppid() != parent) /* it died before the request above */
        _exit(EXIT_FAILURE);
    _exit(xb_team_run(plan, arena, result) == 0 ? EXIT_SUCCESS : EXIT_FAILURE);
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* Workers that wait for each other's locks will not end by themselves. */
static bool deadlocked(struct xb_result *result, uint32_t workers)
{
    char text[XB_REASON_BYTES];
    const struct xb_sync_slot *slots = atomic_load(&result->slots);
    if (!slots || !xb_sync_deadlock(slots, workers, text, sizeof text))
        return false;
    xb_result_fail(result, -EDEADLK, "%s", text);
    return true;
}

/* Waits until the process is gone or has to go. Returns whether it went by itself. */
static bool wait_for(pid_t pid, const struct xb_plan *plan, uint64_t limit_ns,
                     const volatile sig_atomic_t *stop, struct xb_result *result, int *status)
{
    sigset_t child;
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    uint64_t deadline_ns = xb_now_ns() + limit_ns;
    bool failure_seen = false;
    for (;;) {
        pid_t gone = waitpid(pid, status, WNOHANG);
        if (gone == pid)
            return true;
        if (gone < 0 && errno != EINTR) { /* somebody else reaped it: SIGCHLD is ignored */
            xb_result_fail(result, -errno, "waitpid: %s; do not ignore SIGCHLD", strerror(errno));
            *status = 0;
            return true;
        }
        uint64_t now_ns = xb_now_ns();
        if (now_ns >= deadline_ns || deadlocked(result, plan->params.workers))
            return false;
        if (stop && *stop && !atomic_exchange(&result->interrupted, true))
            deadline_ns = earlier(deadline_ns, now_ns + AFTER_STOP_NS);
        if (!failure_seen && atomic_load(&result->failed)) {
            failure_seen = true;
            deadline_ns = earlier(deadline_ns, now_ns + AFTER_FAILURE_NS);
        }
        if (atomic_load(&result->observed) == XB_OBSERVED_NOW) {
            plan->observer->look(plan->observer, pid, &result->aside);
            atomic_store(&result->observed, XB_OBSERVED_ENOUGH);
        }
        uint64_t nap_ns = earlier(LOOK_NS, deadline_ns - now_ns);
        struct timespec nap = { .tv_sec = 0, .tv_nsec = (long)nap_ns };
        sigtimedwait(&child, NULL, &nap);
    }
}

static void judge_end(struct xb_result *result, int status)
{
    if (WIFSIGNALED(status)) {
        int number = WTERMSIG(status);
        xb_result_fail(result, -ECHILD, "killed by signal %d (%s)%s", number, strsignal(number),
                       number == SIGKILL ? "; out of memory, or by hand" : "");
    } else if (WEXITSTATUS(status) != EXIT_SUCCESS) {
        xb_result_fail(result, -ECHILD, "the cell's process exited with status %d",
                       WEXITSTATUS(status));
    } else if (!result->ended) {
        xb_result_fail(result, -ECHILD, "a worker ended the cell's process before its time");
    }
}

/* All are dead, so whatever they said of it can be replaced by what is known better. */
static void end_limit(struct xb_result *result, const struct xb_limit *limit)
{
    struct xb_reason why;
    char text[XB_BYTES_TEXT];
    if (xb_limit_killed(limit)) {
        xb_because(&result->why, -ENOMEM,
                   "out of memory: the cell outgrew its --memory-limit of %s and was killed",
                   xb_bytes_text(limit->bytes, text));
        atomic_store(&result->failed, 2);
    }
    if (xb_limit_end(limit, &why) != 0)
        xb_result_fail(result, why.code, "%s", why.text);
}

int xb_runner_run(const struct xb_plan *plan, uint64_t limit_ns, const volatile sig_atomic_t *stop,
                  struct xb_arena *arena, struct xb_result **result)
{
    *result = NULL;
    int err = xb_arena_open(arena, sizeof **result + xb_team_bytes(plan));
    if (err)
        return err;
    *result = xb_arena_take(arena, sizeof **result, 128);
    struct xb_reason why;
    if (plan->limit && xb_limit_begin(plan->limit, &why) != 0)
        return xb_result_fail(*result, why.code, "%s", why.text);

    /* Blocked, so that a child that ends between waitpid() and sigtimedwait() is not missed. */
    sigset_t child, mask;
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    sigprocmask(SIG_BLOCK, &child, &mask);
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid == 0)
        live(plan, arena, *result, &mask, parent);
    if (pid < 0) {
        xb_result_fail(*result, -errno, "fork: %s%s", strerror(errno),
                       errno == EAGAIN ? "; raise ulimit -u or the cgroup's pids.max" : "");
    } else {
        setpgid(pid, pid); /* here too: whoever comes first */
        int status;
        bool ended = wait_for(pid, plan, limit_ns, stop, *result, &status);
        if (!ended && !atomic_load(&(*result)->interrupted))
            xb_result_fail(*result, -ETIMEDOUT, "no end after %.1f s; killed",
                           (double)limit_ns / 1e9);
        kill(-pid, SIGKILL); /* servers and workers that are left */
        if (!ended) {
            while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
                continue;
        } else {
            judge_end(*result, status);
        }
    }
    sigprocmask(SIG_SETMASK, &mask, NULL);
    if (plan->limit)
        end_limit(*result, plan->limit);
    if (atomic_load(&(*result)->failed) == 1) /* all are dead, so nobody is filling it any more */
        (*result)->why = (struct xb_reason){ -ECHILD, "died while it reported a failure" };
    return atomic_load(&(*result)->failed) ? (*result)->why.code : 0;
}
