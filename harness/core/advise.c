/* SPDX-License-Identifier: BSD-3-Clause
 * Goes from what was watched to advice, and on to the truth. */
#include "advise.h"

#include "advice_text.h"

#include <math.h>
#include <signal.h>
#include <string.h>

#define MEASURE_NS UINT64_C(3500000000)
#define VERIFY_NS  UINT64_C(10000000000)
#define HANG_NS    UINT64_C(300000000000)

/* Of a second's running, waiting for a CPU behind others from which on its own waiting hardly shows. */
#define KEPT_MUCH 0.2

/* A figure that a probe found, or NaN. */
static double clue_of(const struct xb_watching *asked, const struct xb_watched *watched,
                      const char *name)
{
    for (size_t i = 0; watched->evidence && i < asked->n_probes; i++)
        for (size_t k = 0; k < watched->evidence[i].n_clues; k++)
            if (strcmp(watched->evidence[i].clue[k].name, name) == 0)
                return watched->evidence[i].clue[k].value;
    return NAN;
}

/* CPUs that it used, from its start to its end, and those that it would have used if others had not: its
 * witness, one phase, says how long it waited for a CPU behind them. */
static double cpus_of(const struct xb_watching *asked, const struct xb_watched *watched)
{
    double cpus = watched->seconds > 0 ? watched->cpu_s / watched->seconds : NAN;
    double kept = clue_of(asked, watched, "runnable_behind_others_per_run");
    return kept > 0 ? cpus * (1 + kept) : cpus;
}

/* The number of workers that the watched command was given, where it is one that is verified. */
static uint32_t count_in(const struct xb_watching *asked, const char *verify)
{
    char line[XB_TRIAL_COMMAND];
    size_t at = 0;
    if (!verify || !asked->argv)
        return 0;
    bool shell = strcmp(asked->argv[0], "/bin/sh") == 0 && asked->argv[1] && asked->argv[2] &&
                 !asked->argv[3] && strcmp(asked->argv[1], "-c") == 0;
    for (size_t i = shell ? 2 : 0; asked->argv[i] && at < sizeof line; i++)
        at += (size_t)snprintf(line + at, sizeof line - at, "%s%s", at ? " " : "", asked->argv[i]);
    return at < sizeof line ? xb_trial_match(verify, line) : 0;
}

/* A mean wait: what its threads did not run, over how often they began to again. */
static double wait_of(const struct xb_advice_ask *ask, double wakes_per_s)
{
    double among = ask->watched_at ? ask->watched_at : ask->threads, waiting = among - ask->cpus;
    return waiting > 0 && wakes_per_s > 0 ? waiting / wakes_per_s * 1e9 : NAN;
}

/* Whether all of its workers are one thread, beside a shell that started it, and take turns in waiting. */
static bool is_loop(const struct xb_watched *watched, uint32_t workers)
{
    const struct xb_judgement *verdict = &watched->verdict;
    return workers >= 2 && watched->most_processes <= 2 &&
           watched->most_threads == watched->most_processes &&
           verdict->waiting[XB_BOUND_IO] + verdict->level_waiting[XB_LEVEL_TIMER] >= 0.3;
}

static void verify_at(const char *command, struct xb_advised *out)
{
    struct xb_trial_ask ask = {
        .command = command, .least = 3, .budget_ns = VERIFY_NS, .limit_ns = HANG_NS
    };
    const struct xb_advice *advice = &out->advice;
    for (size_t i = 0; i < advice->n_rows && ask.n < XB_TRIAL_COUNTS; i++)
        if (strcmp(advice->row[i].model, advice->row[0].model) == 0)
            ask.workers[ask.n++] = advice->row[i].workers;
    out->verified = xb_trial_run(&ask, &out->trial, &out->unverified) == 0;
}

void xb_advise(const struct xb_watching *asked, const struct xb_watched *watched,
               const struct xb_registry *registry, const struct xb_topology *topology,
               const char *verify, struct xb_advised *out)
{
    struct xb_advice_ask ask = {
        .judgement = &watched->verdict,
        .watched_at = count_in(asked, verify),
        .threads = clue_of(asked, watched, "threads_taking_part"),
        .cpus = cpus_of(asked, watched),
        .capacity = asked->capacity,
        .registry = registry,
        .topology = topology,
        .scratch_dir = ".",
        .budget_ns = MEASURE_NS,
    };
    double far_lanes = clue_of(asked, watched, "far_end_threads");
    *out = (struct xb_advised){ .model = "threads" };
    ask.one_lane = is_loop(watched, ask.watched_at);
    ask.fsync_share = clue_of(asked, watched, "fsync_share_of_disk");
    ask.far_cpus = clue_of(asked, watched, "far_end_cpus");
    ask.far_lanes = far_lanes >= 1 ? (uint32_t)far_lanes : 0;
    ask.wait_ns = wait_of(&ask, clue_of(asked, watched, "wakes_per_s"));
    /* One that has more processes than threads beside them does its work in processes. */
    if (ask.one_lane)
        out->model = "loop";
    else if (watched->most_processes > 1 && watched->most_threads < 2 * watched->most_processes)
        out->model = "processes";

    /* The watch has them blocked until it is closed; here nothing is lost by them. */
    struct sigaction by_default = { .sa_handler = SIG_DFL }, before;
    sigset_t none, mask;
    sigemptyset(&none);
    sigaction(SIGCHLD, &by_default, &before);
    sigprocmask(SIG_SETMASK, &none, &mask);
    if (xb_advice_measure(&ask, &out->advice, &out->why) != 0) {
        if (!out->why.code)
            out->why.code = -1;
    } else {
        out->why = (struct xb_reason){ 0 };
        double kept = clue_of(asked, watched, "runnable_behind_others_per_run");
        if (kept > KEPT_MUCH)
            snprintf(
                out->advice.doubt, sizeof out->advice.doubt,
                "while it was watched, others kept a CPU from it for %.1f s in each second that "
                "it ran: how its time divides is a guess",
                kept);
        if (asked->pid && !out->advice.doubt[0])
            snprintf(out->advice.doubt, sizeof out->advice.doubt,
                     "the process ran on beside what was measured");
        if (verify)
            verify_at(verify, out);
    }
    sigprocmask(SIG_SETMASK, &mask, NULL);
    sigaction(SIGCHLD, &before, NULL);
}

void xb_advised_print(FILE *out, const struct xb_advised *advised)
{
    if (advised->why.code)
        fprintf(out, "advice     none: %s\n", advised->why.text);
    else
        xb_advice_print(out, &advised->advice, advised->verified ? &advised->trial : NULL,
                        advised->model);
    if (advised->unverified.code)
        fprintf(out, "verified   not: %s\n", advised->unverified.text);
}

struct xb_json *xb_advised_json(const struct xb_advised *advised)
{
    if (!advised->why.code)
        return xb_advice_json(&advised->advice, advised->verified ? &advised->trial : NULL,
                              advised->model);
    struct xb_json *object = xb_json_object();
    xb_json_put_text(object, "reason", advised->why.text);
    return object;
}

bool xb_advised_well(const struct xb_advised *advised)
{
    bool good = !advised->why.code && !advised->unverified.code;
    for (size_t i = 0; advised->verified && i < advised->trial.n; i++)
        good &= !advised->trial.row[i].why.code;
    return good;
}
