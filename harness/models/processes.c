/* SPDX-License-Identifier: BSD-3-Clause
 * Processes: each worker is a forked process, scheduled preemptively, its memory its own. */
#include "preemptive.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static int probe(struct xb_reason *why)
{
    (void)why;
    return 0;
}

static _Noreturn void live(struct xb_worker *worker, pid_t parent)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) /* it died before the request above */
        _exit(EXIT_FAILURE);
    worker->team->enter(worker->lane, NULL);
    worker->team->body(worker);
    worker->team->leave(worker->lane);
    _exit(EXIT_SUCCESS);
}

struct forked {
    pid_t pid;
    uint32_t index;
    bool gone;
};

static void kill_all(const struct forked *forked, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        if (!forked[i].gone)
            kill(forked[i].pid, SIGKILL);
}

static int by_pid(const void *a, const void *b)
{
    pid_t left = ((const struct forked *)a)->pid, right = ((const struct forked *)b)->pid;
    return (left > right) - (left < right);
}

/* Reaps all; the first abnormal end kills the rest, who would wait for it forever. */
static int join(struct xb_team *team, struct forked *forked, uint32_t created)
{
    int err = 0;
    /* To look through thousands for each of thousands would take longer than their work. */
    qsort(forked, created, sizeof *forked, by_pid);
    for (uint32_t alive = created; alive;) {
        int status;
        pid_t pid = waitpid(-1, &status, 0);
        if (pid < 0 && errno == EINTR)
            continue;
        if (pid < 0)
            return err ? err : team->fail(team, -errno, "waitpid: %s", strerror(errno));
        struct forked *worker =
            bsearch(&(struct forked){ .pid = pid }, forked, created, sizeof *forked, by_pid);
        if (!worker || worker->gone) /* a child of the kernel's, such as a server: not a worker */
            continue;
        worker->gone = true;
        alive--;
        if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SUCCESS)
            continue;
        if (!err)
            err = WIFSIGNALED(status)
                      ? team->fail(team, -ECHILD, "worker %u was killed by signal %d (%s)",
                                   worker->index, WTERMSIG(status), strsignal(WTERMSIG(status)))
                      : team->fail(team, -ECHILD, "worker %u exited with status %d", worker->index,
                                   WEXITSTATUS(status));
        kill_all(forked, created);
    }
    return err;
}

static int run_team(struct xb_team *team, void *shared)
{
    xb_preemptive_begin(team, shared, false);
    struct forked *forked = calloc(team->n_workers, sizeof *forked);
    if (!forked)
        return team->fail(team, -ENOMEM, "processes: out of memory");
    int err = 0;
    uint32_t created = 0;
    pid_t parent = getpid();
    for (; created < team->n_workers; created++) {
        forked[created] = (struct forked){ .pid = fork(), .index = created };
        if (forked[created].pid == 0)
            live(&team->workers[created], parent);
        if (forked[created].pid < 0) {
            err = team->fail(team, -errno, "fork of worker %u: %s%s", created, strerror(errno),
                             errno == EAGAIN ? "; raise ulimit -u or the cgroup's pids.max" : "");
            kill_all(forked, created);
            break;
        }
    }
    int join_err = join(team, forked, created);
    free(forked);
    return err ? err : join_err;
}

static int spawn(struct xb_worker *by, void (*entry)(void *argument), void *argument, void **child)
{
    (void)by;
    pid_t pid = fork();
    if (pid < 0)
        return -errno;
    if (pid == 0) {
        entry(argument);
        _exit(EXIT_SUCCESS);
    }
    *child = (void *)(intptr_t)pid;
    return 0;
}

static int join_child(struct xb_worker *by, void *child)
{
    (void)by;
    int status;
    while (waitpid((pid_t)(intptr_t)child, &status, 0) < 0)
        if (errno != EINTR)
            return -errno;
    return WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SUCCESS ? 0 : -ECHILD;
}

const struct xb_model xb_model_processes = {
    .name = "processes",
    .summary = "one forked process per worker: preemptive, isolated",
    .rank = 1,
    .parks = false,
    .isolates = true,
    .worker_bytes = 256 << 10,
    .state_bytes = sizeof(struct xb_preemptive),
    .probe = probe,
    .run_team = run_team,
    .rendezvous = xb_preemptive_rendezvous,
    .suspend = xb_preemptive_suspend,
    .resume = xb_preemptive_resume,
    .wait_at = xb_preemptive_wait_at,
    .open_gate = xb_preemptive_open_gate,
    .spawn = spawn,
    .join = join_child,
};
