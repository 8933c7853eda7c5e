/* SPDX-License-Identifier: BSD-3-Clause
 * Tests `xbound classify` on well and badly behaved programs, and the watch with probes that are made
 * for it. What verdicts are worth is tested where they are made. */
#include "spawn.h"
#include "xbtest.h"

#include "../base/clock.h"
#include "../core/json.h"
#include "../core/profile.h"
#include "../core/watch.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SOMEBODY = 65534 };

/* Path in the test's folder; static storage, four at a time. */
static const char *here(const char *name)
{
    static char paths[4][4096];
    static int next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", xb_test_folder(), name);
    return path;
}

/* All runs share one profile of the machine, which takes seconds to measure. */
static int keep_profile(void)
{
    char folder[4096];
    snprintf(folder, sizeof folder, "%s-profile", xb_test_program());
    return setenv("XDG_CACHE_HOME", folder, 1) ? errno : 0;
}

/* The words of a command come without quotes, so what is more than words is a script. */
static void write_script(const char *name, const char *text)
{
    FILE *file = fopen(here(name), "we");
    if (!file || fprintf(file, "#!/bin/sh\n%s\n", text) < 0 || fclose(file) ||
        chmod(here(name), 0755))
        XB_FAIL("%s: %s", here(name), strerror(errno));
}

static struct xb_ended *classify_as(const char *args, int (*prepare)(void))
{
    char text[1024];
    snprintf(text, sizeof text, "classify %s", args);
    struct xb_spawn what = { .args = text, .prepare = prepare };
    struct xb_ended *ended = xb_spawn(&what);
    XB_EXPECT(!ended->left);
    return ended;
}

static struct xb_ended *classify(const char *args)
{
    return classify_as(args, keep_profile);
}

/* The caller frees. "" where there is none, which is a failure. */
static char *read_file(const char *name)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *in = fopen(here(name), "re"), *copy = open_memstream(&text, &bytes);
    for (int c; in && copy && (c = getc(in)) != EOF;)
        putc(c, copy);
    if (!in)
        XB_FAIL("%s: %s", here(name), strerror(errno));
    if (in)
        fclose(in);
    if (copy)
        fclose(copy);
    return text;
}

/* One line, that exit code, nothing on standard output. */
static void expect_refusal(const char *args, int code, const char *part)
{
    struct xb_ended *ended = classify(args);
    if (ended->code != code || ended->errors != 1 || !strstr(ended->err, part) || ended->out[0])
        XB_FAIL("'xbound classify %s' ends with %d and\n%s%s\nwanted is %d and one line with\n%s",
                args, ended->code, ended->err, ended->out, code, part);
    free(ended);
}

/* ---- the command line ---- */

XB_TEST(Classify, RefusesAWrongCommandLineWithOneLine)
{
    expect_refusal("", 2, "want a command or -p PID");
    expect_refusal("--frobnicate true", 2, "unknown option '--frobnicate'");
    expect_refusal("--time", 2, "option '--time' needs a value");
    expect_refusal("--time soon true", 2, "--time: 'soon' is not a time");
    expect_refusal("--time 0 true", 2, "--time: '0' is not a time");
    expect_refusal("--probes nose true", 2, "there is no probe 'nose'");
    expect_refusal("--probes , true", 2, "is not a list of names");
    expect_refusal("-p 1 true", 2, "want one of them");
    expect_refusal("-p x", 2, "'x' is not the number of a process");
    expect_refusal("--kill true", 2, "--kill: ends a command whose --time is over");
    expect_refusal("-o /no/such/folder/x true", 2, "-o: /no/such/folder/x: No such file");
    expect_refusal("-- ''", 2, "the command is an empty word");
}

XB_TEST(Classify, TheHelpNamesEveryProbe)
{
    struct xb_ended *ended = classify("--help");
    XB_EXPECT_EQ(ended->code, 0);
    for (size_t i = 0; i < xb_builtin.n_probes; i++)
        XB_EXPECT_HAS(ended->out, xb_builtin.probes[i]->name);
    free(ended);
}

/* ---- commands ---- */

XB_TEST(Classify, ACommandThatIsNotThereIs127AndOneThatCannotRun126)
{
    expect_refusal("no-such-command-xyz", 127, "no-such-command-xyz: command not found");
    expect_refusal("./no-such-file", 127, "./no-such-file: no such file");
    write_script("plain", "true");
    chmod(here("plain"), 0644);
    expect_refusal("./plain", 126, "./plain: cannot be executed: Permission denied");
    expect_refusal("/", 126, "/: cannot be executed: Permission denied");
}

XB_TEST(Classify, InputOutputAndExitCodePassThrough)
{
    write_script("speak", "echo said; echo warned >&2; cat; exit 7");
    struct xb_ended *ended = classify("-o report -- ./speak");
    XB_EXPECT_EQ(ended->code, 7);
    XB_EXPECT_STREQ(ended->out, "said\n");
    XB_EXPECT_STREQ(ended->err, "warned\n");
    char *report = read_file("report");
    XB_EXPECT_HAS(report, "confidence");
    XB_EXPECT_HAS(report, "watched");
    free(report);
    free(ended);
}

XB_TEST(Classify, WithoutAFileTheReportGoesToStandardError)
{
    struct xb_ended *ended = classify("echo said");
    XB_EXPECT_EQ(ended->code, 0);
    XB_EXPECT_STREQ(ended->out, "said\n");
    XB_EXPECT_HAS(ended->err, "confidence");
    free(ended);
}

XB_TEST(Classify, ACommandThatIsKilledIs128AndTheSignal)
{
    write_script("die", "kill -SEGV $$");
    struct xb_ended *ended = classify("-o report ./die");
    XB_EXPECT_EQ(ended->code, 128 + SIGSEGV);
    free(ended);
}

XB_TEST(Classify, OneThatEndsAtOnceIsUnknownAndSaysWhy)
{
    struct xb_ended *ended = classify("--json -o report false");
    XB_EXPECT_EQ(ended->code, 1);
    char *report = read_file("report");
    XB_EXPECT(xb_json_valid(report, strlen(report)));
    XB_EXPECT_HAS(report, "\"class\": \"unknown\"");
    XB_EXPECT_HAS(report, "\"level\": null");
    XB_EXPECT_HAS(report, "\"reason\": \"");
    free(report);
    free(ended);
}

XB_TEST(Classify, ACommandThatPrintsMuchIsNotHeldUp)
{
    struct xb_ended *ended = classify("-o report head -c 16000000 /dev/zero");
    XB_EXPECT_EQ(ended->code, 0);
    XB_EXPECT_EQ(ended->errors, 0);
    free(ended);
}

XB_TEST(Classify, WhatForksAwayIsWatchedAndSoAreItsThreads)
{
    write_script("daemon", "setsid sleep 0.4 &\nexit 3");
    struct xb_ended *ended = classify("--json -o report ./daemon");
    XB_EXPECT_EQ(ended->code, 3);
    char *report = read_file("report");
    double seconds = 0;
    const char *at = strstr(report, "\n \"seconds\": ");
    if (!at || sscanf(at, " \"seconds\": %lf", &seconds) != 1 || seconds < 0.2)
        XB_FAIL("it was watched for %.3f s:\n%s", seconds, report);
    free(report);
    free(ended);
}

XB_TEST(Classify, WhatRunsOnAfterItsTimeRunsOn)
{
    write_script("slow", "sleep 0.4; echo done; exit 5");
    struct xb_ended *ended = classify("--time 100ms -o report ./slow");
    XB_EXPECT_EQ(ended->code, 5);
    XB_EXPECT_STREQ(ended->out, "done\n");
    free(ended);
}

XB_TEST(Classify, KillEndsWhatRunsOn)
{
    write_script("forever", "trap 'echo told; exit 9' TERM; sleep 60 & wait");
    struct xb_ended *ended = classify("--time 100ms --kill -o report ./forever");
    XB_EXPECT_EQ(ended->code, 9);
    XB_EXPECT_STREQ(ended->out, "told\n");
    free(ended);
    ended = classify("--time 100ms --kill -o report sleep 60");
    XB_EXPECT_EQ(ended->code, 0);
    free(ended);
}

/* Starts one that writes a line when it is ready, and waits for that line. */
static struct xb_ended *begin(const char *args)
{
    char word;
    struct xb_spawn what = { .args = args, .prepare = keep_profile, .background = true };
    struct xb_ended *ended = xb_spawn(&what);
    uint64_t begin_ns = xb_now_ns();
    while (read(ended->out_fd, &word, 1) != 1 && xb_now_ns() - begin_ns < UINT64_C(60000000000))
        usleep(2000);
    return ended;
}

XB_TEST(Classify, ASignalGoesOnToTheCommandAndThereIsAReport)
{
    write_script("wait", "trap 'kill $!; exit 4' TERM; echo ready; sleep 60 & wait");
    struct xb_ended *ended = begin("classify -o report ./wait");
    kill(ended->pid, SIGTERM);
    xb_spawn_finish(ended);
    XB_EXPECT_EQ(ended->code, 4);
    char *report = read_file("report");
    XB_EXPECT_HAS(report, "confidence");
    free(report);
    free(ended);
}

XB_TEST(Classify, ACommandThatIgnoresSignalsIsLeftToItselfAtTheSecond)
{
    write_script("deaf", "trap '' INT TERM; echo ready; sleep 1; exit 6");
    struct xb_ended *ended = begin("classify --time 50ms -o report ./deaf");
    usleep(200000);
    kill(ended->pid, SIGTERM);
    usleep(100000);
    kill(ended->pid, SIGTERM);
    xb_spawn_finish(ended);
    XB_EXPECT_EQ(ended->code, 130);
    free(ended);
}

static int become_somebody(void)
{
    return setgroups(0, NULL) || setgid(SOMEBODY) || setuid(SOMEBODY) ? errno : keep_profile();
}

XB_TEST(Classify, ASetuidCommandKeepsItsRightsAndIsWatchedFromOutside)
{
    if (geteuid() != 0) {
        XB_SKIP("only root can make a file that runs as another");
        return;
    }
    char command[9000];
    snprintf(command, sizeof command, "cp /bin/sleep %s && chmod 4755 %s && chmod 755 %s",
             here("sleep"), here("sleep"), xb_test_folder());
    XB_EXPECT_EQ(system(command), 0);
    snprintf(command, sizeof command, "%s/sleep 0.2", xb_test_folder());
    char args[9100];
    snprintf(args, sizeof args, "--json %s", command);
    struct xb_ended *ended = classify_as(args, become_somebody);
    XB_EXPECT_EQ(ended->code, 0);
    XB_EXPECT_HAS(ended->err, "it runs as another user (uid 0)");
    free(ended);
}

/* ---- running processes ---- */

/* A process that sleeps for a minute, or for `ms`, and is no child of ours: xb_spawn() takes those for
 * what the program has left behind. If `traced`, by its parent. */
static pid_t start_sleeper(unsigned ms, bool traced)
{
    int pair[2];
    pid_t pid = -1;
    if (pipe2(pair, O_CLOEXEC))
        XB_FAIL("pipe: %s", strerror(errno));
    pid_t between = fork();
    if (between == 0) {
        if (traced && fork())
            _exit(0);
        pid = fork();
        if (pid) {
            bool good = !traced || ptrace(PTRACE_SEIZE, pid, NULL, NULL) == 0;
            pid_t said = good ? pid : -1;
            ssize_t n = write(pair[1], &said, sizeof said);
            if (traced)
                waitpid(pid, NULL, 0);
            _exit(n != sizeof said);
        }
        for (unsigned slept = 0; slept < (ms ? ms : 60000); slept += 10)
            usleep(10000);
        _exit(0);
    }
    waitpid(between, NULL, 0);
    if (read(pair[0], &pid, sizeof pid) != sizeof pid)
        XB_FAIL("no process to watch");
    close(pair[0]);
    close(pair[1]);
    return pid;
}

static void end_sleeper(pid_t pid)
{
    if (pid > 0)
        kill(pid, SIGKILL);
}

static struct xb_ended *attach_as(pid_t pid, const char *options, int (*prepare)(void))
{
    char args[128];
    snprintf(args, sizeof args, "-p %d --time 100ms %s", (int)pid, options);
    return classify_as(args, prepare);
}

XB_TEST(Classify, ARunningProcessIsWatchedAndLeftAlone)
{
    pid_t pid = start_sleeper(0, false);
    struct xb_ended *ended = attach_as(pid, "", keep_profile);
    XB_EXPECT_EQ(ended->code, 0);
    XB_EXPECT_EQ(ended->errors, 0);
    XB_EXPECT_HAS(ended->out, "confidence");
    XB_EXPECT_EQ(kill(pid, 0), 0);
    end_sleeper(pid);
    free(ended);
}

XB_TEST(Classify, AProcessThatIsNotThereOrNotAProcessIsOneLine)
{
    char args[64];
    expect_refusal("-p 4194303", 2, "there is no process 4194303");
    expect_refusal("-p 99999999", 2, "there is no process 99999999");
    pid_t pid = fork();
    if (pid == 0)
        _exit(0);
    siginfo_t info;
    waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT);
    snprintf(args, sizeof args, "classify -p %d", (int)pid);
    /* The harness buries all it finds, so this one runs beside it. */
    struct xb_spawn what = { .args = args, .prepare = keep_profile, .background = true };
    struct xb_ended *ended = xb_spawn(&what);
    usleep(100000);
    xb_spawn_finish(ended);
    XB_EXPECT_EQ(ended->code, 2);
    XB_EXPECT_HAS(ended->err, "has ended");
    free(ended);
}

XB_TEST(Classify, AProcessThatEndsMeanwhileEndsTheWatch)
{
    char args[64];
    snprintf(args, sizeof args, "-p %d --time 50", (int)start_sleeper(300, false));
    struct xb_ended *ended = classify(args);
    XB_EXPECT_EQ(ended->code, 0);
    XB_EXPECT_HAS(ended->out, "confidence");
    free(ended);
}

/* Its parent is this test, which asks for its status only at the end. */
XB_TEST(Watch, AProcessThatStaysAZombieEndsTheWatch)
{
    pid_t pid = fork();
    if (pid == 0) {
        usleep(100000);
        _exit(0);
    }
    struct xb_capacity capacity = { .skid = NAN };
    struct xb_watching asked = { .pid = pid,
                                 .time_ns = UINT64_C(50000000000),
                                 .capacity = &capacity };
    struct xb_watched watched = { .seconds = 0 };
    struct xb_reason why = { 0 };
    struct xb_watch *one = NULL;
    XB_EXPECT_EQ(xb_watch_open(&asked, &one, &why), 0);
    XB_EXPECT_EQ(xb_watch_run(one, &watched, &why), 0);
    XB_EXPECT(watched.seconds < 40);
    XB_EXPECT_EQ(xb_watch_wait(one), 0);
    xb_watch_close(one);
    XB_EXPECT_EQ(waitpid(pid, NULL, 0), pid);
}

XB_TEST(Classify, ATracedProcessIsWatchedAndSaidToBeTraced)
{
    pid_t pid = start_sleeper(0, true);
    if (pid < 0) {
        XB_SKIP("ptrace is refused here");
        return;
    }
    struct xb_ended *ended = attach_as(pid, "", keep_profile);
    XB_EXPECT_EQ(ended->code, 0);
    XB_EXPECT_HAS(ended->out, "traces it");
    free(ended);
    end_sleeper(pid);
}

XB_TEST(Classify, AnotherUsersProcessIsWatchedAsFarAsAnyoneMay)
{
    if (geteuid() != 0) {
        XB_SKIP("only root can become another user");
        return;
    }
    pid_t pid = start_sleeper(0, false);
    struct xb_ended *ended = attach_as(pid, "--json", become_somebody);
    XB_EXPECT_EQ(ended->code, 0);
    XB_EXPECT(xb_json_valid(ended->out, strlen(ended->out)));
    XB_EXPECT_HAS(ended->out, "it runs as another user (uid 0)");
    end_sleeper(pid);
    free(ended);
}

XB_TEST(Classify, AnInterruptEndsTheWatchOfAProcess)
{
    pid_t pid = start_sleeper(0, false);
    char args[64];
    snprintf(args, sizeof args, "classify --time 50 -p %d", (int)pid);
    struct xb_spawn what = { .args = args, .prepare = keep_profile, .background = true };
    struct xb_ended *ended = xb_spawn(&what);
    usleep(300000);
    kill(ended->pid, SIGINT);
    xb_spawn_finish(ended);
    XB_EXPECT_EQ(ended->code, 130);
    end_sleeper(pid);
    free(ended);
}

/* ---- where perf is refused ---- */

static int refuse_perf(void)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0), /* the number of the system call */
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_perf_event_open, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = { sizeof code / sizeof code[0], code };
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
        return errno;
    return keep_profile();
}

XB_TEST(Classify, WithoutPerfThereIsAVerdictFromWhatIsLeft)
{
    struct xb_ended *ended = classify_as("--json sleep 0.3", refuse_perf);
    XB_EXPECT_EQ(ended->code, 0);
    XB_EXPECT(xb_json_valid(ended->err, strlen(ended->err)));
    XB_EXPECT_HAS(ended->err, "\"class\": \"sync\"");
    XB_EXPECT_HAS(ended->err, "\"level\": \"timer\"");
    free(ended);
}

/* ---- files ---- */

XB_TEST(Classify, JsonHoldsEveryMember)
{
    static const char *const members[] = {
        "schema",  "command", "class",     "level",        "confidence", "reason",
        "shares",  "seconds", "samples",   "overhead",     "phases",     "evidence",
        "probes",  "notes",   "processes", "threads",      "cpu_s",      "watch_cpu_s",
        "counted", "start_s", "unknown",   "level_shares", "kernel",     "cache",
    };
    struct xb_ended *ended = classify("--json -o report sleep 0.2");
    char *report = read_file("report"), member[64];
    XB_EXPECT_EQ(ended->code, 0);
    XB_EXPECT(xb_json_valid(report, strlen(report)));
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
        snprintf(member, sizeof member, "\"%s\": ", members[i]);
        XB_EXPECT_HAS(report, member);
    }
    for (size_t i = 0; i < xb_builtin.n_probes; i++) {
        snprintf(member, sizeof member, "\"%s\": \"", xb_builtin.probes[i]->name);
        if (!xb_builtin.probes[i]->on_request)
            XB_EXPECT_HAS(report, member);
    }
    free(report);
    free(ended);
}

XB_TEST(Classify, ArgumentsThatAreNoTextAreStillJson)
{
    struct xb_ended *ended = classify("--json -o report echo caf\xe9 \x01");
    char *report = read_file("report");
    XB_EXPECT(xb_json_valid(report, strlen(report)));
    XB_EXPECT_HAS(report, "caf?");
    free(report);
    free(ended);
}

XB_TEST(Classify, TheFolderHoldsPhasesEvidenceAndProvenance)
{
    struct xb_ended *ended = classify("--csv out -o report sleep 0.2");
    struct xb_table phases, evidence, provenance;
    XB_EXPECT_EQ(ended->code, 0);
    XB_EXPECT_EQ(xb_table_open(&phases, here("out/phases.csv")), 0);
    XB_EXPECT_EQ(xb_table_open(&evidence, here("out/evidence.csv")), 0);
    XB_EXPECT_EQ(xb_table_open(&provenance, here("out/provenance.csv")), 0);
    XB_EXPECT_EQ(phases.rows, 1);
    XB_EXPECT(evidence.rows >= 1);
    XB_EXPECT_EQ(xb_table_count(&provenance, "key", "verdict"), 1);
    if (phases.rows == 1) {
        XB_EXPECT_STREQ(xb_table_get(&phases, 0, "schema"), "1");
        XB_EXPECT_STREQ(xb_table_get(&phases, 0, "class"), "sync");
    }
    xb_table_close(&phases);
    xb_table_close(&evidence);
    xb_table_close(&provenance);
    free(ended);
    expect_refusal("--csv out -o report true", 2, "--csv: ");
}

/* ---- the watch, with probes made for it ---- */

static struct {
    int opened, closed, begun, polled, ended;
    size_t most_tasks;
    bool started;
} seen;

static const struct xb_scene *scene_seen;

static int works(struct xb_reason *why)
{
    (void)why;
    return 0;
}

static int open_one(const struct xb_scene *scene, void **out, struct xb_reason *why)
{
    (void)why;
    *out = &seen;
    scene_seen = scene;
    seen.opened++;
    /* A sanitizer may add a thread of its own. */
    seen.started = scene->started && scene->n_tasks >= 1;
    for (size_t i = 0; i < scene->n_tasks; i++)
        seen.started &= scene->tasks[i].pid == scene->root;
    return 0;
}

static int begin_one(void *probe, uint64_t now_ns)
{
    (void)probe;
    (void)now_ns;
    seen.begun++;
    return 0;
}

static int poll_one(void *probe, uint64_t now_ns)
{
    (void)probe;
    (void)now_ns;
    seen.polled++;
    if (scene_seen->n_tasks > seen.most_tasks)
        seen.most_tasks = scene_seen->n_tasks;
    return 0;
}

static int end_one(void *probe, uint64_t now_ns, struct xb_findings *out, struct xb_reason *why)
{
    (void)probe;
    (void)now_ns;
    (void)why;
    seen.ended++;
    out->samples = 10;
    out->overhead = 0.01;
    xb_add_clue(out, "looks", seen.polled, "looked %d times", seen.polled);
    return 0;
}

static void close_one(void *probe)
{
    seen.closed += probe != NULL;
}

/* All user mode, of which it says that it is computing in the first phase only. */
static int end_once(void *probe, uint64_t now_ns, struct xb_findings *out, struct xb_reason *why)
{
    (void)probe;
    (void)now_ns;
    (void)why;
    xb_add_part(out, (struct xb_part){ .of = XB_WHOLE_TIME, .is = XB_WHOLE_USER, .share = 1 });
    out->weight[XB_WHOLE_TIME] = 1;
    if (seen.ended++ == 0) {
        xb_add_part(
            out, (struct xb_part){
                     .of = XB_WHOLE_USER, .is = XB_WHOLE_TIME, .bound = XB_BOUND_CPU, .share = 1 });
        out->weight[XB_WHOLE_USER] = 1;
    }
    return 0;
}

static int refuse(struct xb_reason *why)
{
    return xb_because(why, -ENOTSUP, "this machine has no nose");
}

static int fail_to_open(const struct xb_scene *scene, void **out, struct xb_reason *why)
{
    (void)scene;
    (void)out;
    return xb_because(why, -EACCES, "the nose is blocked");
}

static int fail_to_poll(void *probe, uint64_t now_ns)
{
    (void)probe;
    (void)now_ns;
    return -EIO;
}

static int fail_to_end(void *probe, uint64_t now_ns, struct xb_findings *out, struct xb_reason *why)
{
    (void)probe;
    (void)now_ns;
    (void)out;
    return xb_because(why, -EIO, "it ran out of breath");
}

#define PROBE(...)                                                                               \
    {                                                                                            \
        .name = "made", .summary = "made", .probe = works, .open = open_one, .begin = begin_one, \
        .poll = poll_one, .end = end_one, .close = close_one, __VA_ARGS__                        \
    }

#pragma GCC diagnostic ignored "-Woverride-init"
static const struct xb_probe good = PROBE(), refused = PROBE(.probe = refuse),
                             unopened = PROBE(.open = fail_to_open),
                             unpolled = PROBE(.poll = fail_to_poll),
                             unended = PROBE(.end = fail_to_end), once = PROBE(.end = end_once);

/* Watches a command with these probes in phases of 50 ms. The caller closes. */
static struct xb_watch *watch(const char *const *argv, const struct xb_probe *const *probes,
                              size_t n_probes, struct xb_watched *watched)
{
    static struct xb_capacity capacity;
    struct xb_watching asked = { .argv = argv,
                                 .probes = probes,
                                 .n_probes = n_probes,
                                 .phase_ns = 50000000,
                                 .capacity = &capacity };
    struct xb_reason why = { 0 };
    struct xb_watch *one = NULL;
    memset(&seen, 0, sizeof seen);
    if (xb_watch_open(&asked, &one, &why) != 0 || xb_watch_run(one, watched, &why) != 0)
        XB_FAIL("%s", why.text);
    return one;
}

XB_TEST(Watch, PhasesAddUpWithoutAGap)
{
    const char *const argv[] = { "sleep", "0.23", NULL };
    const struct xb_probe *probes[] = { &good };
    struct xb_watched watched = { .n_phases = 0 };
    struct xb_watch *one = watch(argv, probes, 1, &watched);
    double end_s = 0;
    for (size_t i = 0; i < watched.n_phases; i++) {
        XB_EXPECT_NEAR(watched.phases[i].start_s, end_s, 1e-9);
        end_s += watched.phases[i].seconds;
    }
    XB_EXPECT_NEAR(watched.seconds, end_s, 1e-9);
    XB_EXPECT(watched.n_phases >= 2);
    XB_EXPECT_EQ(watched.skipped, watched.n_phases >= 4);
    XB_EXPECT_EQ(xb_watch_wait(one), 0);
    xb_watch_close(one);
}

XB_TEST(Watch, WhatABurstFoundHoldsForThreePhasesMore)
{
    const char *const argv[] = { "sleep", "0.4", NULL };
    const struct xb_probe *probes[] = { &once };
    struct xb_watched watched = { .n_phases = 0 };
    struct xb_watch *one = watch(argv, probes, 1, &watched);
    XB_EXPECT(watched.n_phases >= 5);
    for (size_t i = 0; i < watched.n_phases; i++) {
        const double *share = watched.phases[i].judgement.share;
        XB_EXPECT_NEAR(share[i <= 3 ? XB_BOUND_CPU : XB_BOUND_UNKNOWN], 1, 1e-9);
    }
    XB_EXPECT_EQ(xb_watch_wait(one), 0);
    xb_watch_close(one);
}

XB_TEST(Watch, AProbeSeesTheCommandBeforeExecAndIsClosedOnce)
{
    const char *const argv[] = { "sleep", "0.1", NULL };
    const struct xb_probe *probes[] = { &good };
    struct xb_watched watched = { .n_phases = 0 };
    struct xb_watch *one = watch(argv, probes, 1, &watched);
    XB_EXPECT(seen.started);
    XB_EXPECT_EQ(seen.opened, 1);
    XB_EXPECT_EQ(seen.begun, seen.ended);
    XB_EXPECT(seen.polled >= 1);
    XB_EXPECT(watched.evidence && watched.evidence[0].n_clues == 1);
    XB_EXPECT_EQ(xb_watch_wait(one), 0);
    xb_watch_close(one);
    XB_EXPECT_EQ(seen.closed, 1);
}

XB_TEST(Watch, AProbeThatFailsIsClosedAndSaidAndTheOthersGoOn)
{
    const char *const argv[] = { "sleep", "0.1", NULL };
    const struct xb_probe *probes[] = { &refused, &unopened, &unpolled, &unended, &good };
    struct xb_watched watched = { .n_phases = 0 };
    struct xb_watch *one = watch(argv, probes, 5, &watched);
    XB_EXPECT_STREQ(watched.without[0].text, "this machine has no nose");
    XB_EXPECT_STREQ(watched.without[1].text, "the nose is blocked");
    XB_EXPECT_HAS(watched.without[2].text, "it failed while watching");
    XB_EXPECT_STREQ(watched.without[3].text, "it ran out of breath");
    XB_EXPECT_EQ(watched.without[4].code, 0);
    XB_EXPECT_EQ(seen.opened, 3);
    XB_EXPECT_EQ(seen.closed, 3);
    XB_EXPECT(watched.samples >= 10);
    XB_EXPECT_EQ(xb_watch_wait(one), 0);
    xb_watch_close(one);
    XB_EXPECT_EQ(seen.closed, 3);
}

XB_TEST(Watch, ProcessesBelowAreFoundAndNoneIsLeftAZombie)
{
    const char *const argv[] = { "sh", "-c",
                                 "(sleep 0.15 & sleep 0.15 & wait) & sleep 0.15 & exit 2", NULL };
    const struct xb_probe *probes[] = { &good };
    struct xb_watched watched = { .n_phases = 0 };
    struct xb_watch *one = watch(argv, probes, 1, &watched);
    XB_EXPECT(watched.most_processes >= 4);
    XB_EXPECT(seen.most_tasks >= 4);
    XB_EXPECT_EQ(xb_watch_wait(one), 2);
    xb_watch_close(one);
    XB_EXPECT_EQ(waitpid(-1, NULL, WNOHANG), -1);
}

static size_t count_descriptors(void)
{
    DIR *dir = opendir("/proc/self/fd");
    size_t n = 0;
    while (dir && readdir(dir))
        n++;
    if (dir)
        closedir(dir);
    return n;
}

XB_TEST(Watch, GivesBackDescriptorsSignalsAndChildren)
{
    const char *const argv[] = { "true", NULL }, *const absent[] = { "no-such-command-xyz", NULL };
    const struct xb_probe *probes[] = { &good };
    struct xb_watched watched = { .n_phases = 0 };
    struct xb_capacity capacity = { .skid = NAN };
    struct xb_watching asked = {
        .argv = absent, .probes = probes, .n_probes = 1, .capacity = &capacity
    };
    struct xb_reason why = { 0 };
    struct xb_watch *one;
    sigset_t before, after;
    size_t descriptors = count_descriptors();
    sigprocmask(SIG_BLOCK, NULL, &before);
    XB_EXPECT_EQ(xb_watch_open(&asked, &one, &why), 0);
    XB_EXPECT_EQ(xb_watch_run(one, &watched, &why), -ENOENT);
    xb_watch_close(one);
    XB_EXPECT_EQ(xb_watch_open(&asked, &one, &why), 0);
    xb_watch_close(one); /* without having let it go */
    one = watch(argv, probes, 1, &watched);
    XB_EXPECT_EQ(xb_watch_wait(one), 0);
    xb_watch_close(one);
    sigprocmask(SIG_BLOCK, NULL, &after);
    XB_EXPECT_EQ(count_descriptors(), descriptors);
    XB_EXPECT_EQ(sigismember(&after, SIGINT), sigismember(&before, SIGINT));
    XB_EXPECT_EQ(waitpid(-1, NULL, WNOHANG), -1);
}

/* ---- the machine's profile ---- */

XB_TEST(Profile, WhatIsSavedIsReadAgainAndWhatIsUnknownStaysSo)
{
    struct xb_profile profile, again;
    struct xb_reason why = { 0 };
    xb_profile_clear(&profile);
    profile.capacity.bytes[XB_LEVEL_L2] = 1048576;
    profile.capacity.latency_ns[XB_LEVEL_DRAM] = 123.5;
    profile.took_s = 2;
    profile.others_cpus = 0.5;
    XB_EXPECT_EQ(xb_profile_save(here("a/b/machine.csv"), &profile, &why), 0);
    XB_EXPECT_EQ(xb_profile_load(here("a/b/machine.csv"), &again, &why), 0);
    XB_EXPECT_NEAR(again.capacity.bytes[XB_LEVEL_L2], 1048576, 1);
    XB_EXPECT_NEAR(again.capacity.latency_ns[XB_LEVEL_DRAM], 123.5, 0.01);
    XB_EXPECT_NEAR(again.others_cpus, 0.5, 1e-9);
    XB_EXPECT(isnan(again.capacity.bytes[XB_LEVEL_L1]));
    XB_EXPECT(isnan(again.capacity.load_gb_per_s[XB_LEVEL_DRAM]));
}

/* An own cache of profiles, in the test's folder. */
static int keep_here(void)
{
    return setenv("XDG_CACHE_HOME", xb_test_folder(), 1) ? errno : 0;
}

XB_TEST(Profile, OneOfABusyMachineIsToldEachTime)
{
    struct xb_topology *topology = NULL;
    struct xb_profile profile;
    struct xb_reason why = { 0 };
    char path[PATH_MAX];
    XB_EXPECT_EQ(xb_topology_open(NULL, &topology, &why), 0);
    XB_EXPECT_EQ(keep_here(), 0);
    XB_EXPECT_EQ(xb_profile_path(topology, path, &why), 0);
    xb_topology_close(topology);
    xb_profile_clear(&profile);
    profile.others_cpus = 1.5;
    XB_EXPECT_EQ(xb_profile_save(path, &profile, &why), 0);
    struct xb_ended *ended = classify_as("--probes offcpu true", keep_here);
    XB_EXPECT_EQ(ended->code, 0);
    XB_EXPECT_HAS(ended->err, "while others kept 1.5 CPUs busy");
    free(ended);
}

XB_TEST(Profile, AFileThatIsNotWholeIsRefused)
{
    struct xb_profile profile;
    struct xb_reason why = { 0 };
    XB_EXPECT_EQ(xb_profile_load(here("absent.csv"), &profile, &why), -ENOENT);
    FILE *file = fopen(here("broken.csv"), "we");
    fputs("key,value\nschema,1\nl2_bytes,-4\n", file);
    fclose(file);
    XB_EXPECT_EQ(xb_profile_load(here("broken.csv"), &profile, &why), -EBADMSG);
    XB_EXPECT_HAS(why.text, "l2_bytes");
    XB_EXPECT(isnan(profile.capacity.bytes[XB_LEVEL_L2]));
}
