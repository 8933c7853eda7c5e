/* SPDX-License-Identifier: BSD-3-Clause
 * Keeps teams waiting between windows, at the other end of a socket.
 *
 * A socket rather than pipes: it keeps messages whole, and sending to a team that died gives an error
 * instead of SIGPIPE. */
#include "standby.h"

#include "../base/child.h"
#include "../base/clock.h"
#include "runner.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* A team's life in all; what a user waits for is bounded by the limit of each turn. */
#define LIFE_NS UINT64_C(600000000000)

struct said {
    struct xb_turn turn;
    struct xb_reason why; /* code 0: a window's end */
};

struct pacer {
    struct xb_pacer pacer; /* first: the team's view */
    int line;
};

/* In worker 0, while the others wait at the rendezvous. The first window warms up; its answer tells
 * that the team is ready. */
static uint64_t next(struct xb_pacer *base, const struct xb_sample *window)
{
    const struct pacer *pacer = (const struct pacer *)base;
    struct said said = { .turn = { .wall_ns = window->wall_ns,
                                   .cpu_ns = window->cpu_ns,
                                   .items = window->work.items,
                                   .outcome = window->work.outcome } };
    uint64_t iters = 0;
    if (send(pacer->line, &said, sizeof said, MSG_NOSIGNAL) < 0)
        return 0;
    ssize_t n;
    do
        n = recv(pacer->line, &iters, sizeof iters, 0);
    while (n < 0 && errno == EINTR);
    return n == (ssize_t)sizeof iters ? iters : 0;
}

static _Noreturn void live(const struct xb_plan *plan, int line, pid_t parent)
{
    xb_child_begin();
    if (getppid() != parent) /* it died before the request in xb_child_begin() */
        _exit(EXIT_FAILURE);
    struct pacer pacer = { .pacer = { .next = next }, .line = line };
    struct xb_plan own = *plan;
    own.pacer = &pacer.pacer;
    struct xb_arena arena = { 0 };
    struct xb_result *result;
    struct said said = { .why = { 0 } };
    int err = xb_runner_run(&own, LIFE_NS, NULL, &arena, &result);
    if (err) {
        if (result)
            said.why = result->why;
        else
            xb_because(&said.why, err, "no memory for a cell");
        send(line, &said, sizeof said, MSG_NOSIGNAL);
    }
    xb_arena_close(&arena);
    _exit(err ? EXIT_FAILURE : EXIT_SUCCESS);
}

int xb_standby_open(struct xb_standby *standby, const struct xb_plan *plan, uint64_t limit_ns,
                    struct xb_reason *why)
{
    int pair[2];
    *standby = (struct xb_standby){ .limit_ns = limit_ns };
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
        return xb_because(why, -errno, "socketpair: %s", strerror(errno));
    pid_t parent = getpid(), pid = fork();
    if (pid == 0) {
        close(pair[0]);
        live(plan, pair[1], parent);
    }
    int err = pid < 0 ? xb_because(why, -errno, "fork: %s", strerror(errno)) : 0;
    close(pair[1]);
    if (err) {
        close(pair[0]);
        return err;
    }
    standby->pid = pid;
    standby->line = pair[0];
    return 0;
}

/* Waits until there is something to read, or everybody at the other end is gone. */
static bool waits_for_word(const struct xb_standby *standby)
{
    uint64_t now_ns = xb_now_ns(), deadline_ns = now_ns + standby->limit_ns;
    struct pollfd wait = { .fd = standby->line, .events = POLLIN };
    int n = 0;
    for (; now_ns < deadline_ns && n <= 0; now_ns = xb_now_ns())
        n = poll(&wait, 1, (int)((deadline_ns - now_ns) / 1000000) + 1);
    return n > 0;
}

static int hear(const struct xb_standby *standby, struct xb_turn *turn, struct xb_reason *why)
{
    struct said said;
    if (!waits_for_word(standby))
        return xb_because(why, -ETIMEDOUT, "a team did not answer within %.3g s",
                          (double)standby->limit_ns / 1e9);
    if (recv(standby->line, &said, sizeof said, 0) != (ssize_t)sizeof said)
        return xb_because(why, -ECHILD, "a team died without a word");
    if (said.why.code)
        return xb_because(why, said.why.code, "%s", said.why.text);
    if (turn)
        *turn = said.turn;
    return 0;
}

int xb_standby_turn(struct xb_standby *standby, uint64_t iters, struct xb_turn *turn,
                    struct xb_reason *why)
{
    int err = standby->ready ? 0 : hear(standby, NULL, why);
    if (!err) { /* where sending fails, what is heard then tells why */
        send(standby->line, &iters, sizeof iters, MSG_NOSIGNAL);
        err = hear(standby, turn, why);
    }
    standby->ready = err == 0;
    return err;
}

int xb_standby_close(struct xb_standby *standby, struct xb_reason *why)
{
    if (!standby->pid)
        return 0;
    const uint64_t stop = 0;
    struct said said = { .why = { 0 } };
    int status = 0, err = 0;
    bool hangs = !standby->ready;
    if (!hangs) {
        send(standby->line, &stop, sizeof stop, MSG_NOSIGNAL);
        hangs = !waits_for_word(standby);
        /* Nothing but the end of file, unless its last answer was wrong. */
        if (!hangs && recv(standby->line, &said, sizeof said, 0) == (ssize_t)sizeof said)
            err = xb_because(why, said.why.code, "%s", said.why.text);
    }
    if (hangs) {
        kill(standby->pid, SIGKILL); /* its cell dies with it: PR_SET_PDEATHSIG */
        err = xb_because(why, -ECANCELED, "a team was ended before it was ready");
    }
    close(standby->line);
    while (waitpid(standby->pid, &status, 0) < 0 && errno == EINTR)
        continue;
    if (!err && !(WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SUCCESS))
        err = xb_because(why, -ECHILD, "a team ended badly");
    *standby = (struct xb_standby){ 0 };
    return err;
}
