/* SPDX-License-Identifier: BSD-3-Clause
 * Watches a program: one thread that sleeps, looks, and lets probes look.
 *
 * The command keeps our process group, terminal and descriptors, as under time(1): a shell's job control
 * and a pipe's other end notice no difference. What a terminal sends (Ctrl-C) reaches both of us, so it
 * is not sent on; what kill(1) sends to us alone is. */
#include "watch.h"

#include "../../kernels/prng.h"
#include "../base/clock.h"
#include "../base/rooted.h"
#include "eye.h"
#include "family.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SECOND_NS   UINT64_C(1000000000)
#define PHASE_NS    SECOND_NS
#define DEFAULT_NS  (5 * SECOND_NS)
#define PATIENCE_NS (2 * SECOND_NS) /* with a command that was told to end */

/* Looks are 5 to 15 ms apart, at random, lest they keep step with what they look at; and so far that
 * they take a hundredth of a CPU at most, where there are thousands of threads. That is their mean: a burst of
 * samples ends when it is looked at, and while the first looks into it take 10 ms each, as they come upon code
 * that nobody has decoded yet, the next one would be due when it had long been over. */
enum {
    LOOK_NS = 10 * 1000 * 1000,
    LOOK_MOST_NS = 100 * 1000 * 1000,
    LOOK_SHARE = 100,
    LOOKS_MEAN = 32
};

/* The end of a program leaves a stump of a phase, in which nobody can tell anything: it is counted to the phase
 * before. */
static const double STUMP = 0.2; /* of a phase */

/* A probe that looks in bursts speaks for this many phases after each, at half the weight each time:
 * sampling may be on for a fifth of the time only, and programs mostly go on as they did. */
enum { PHASES_TO_LAST = 3 };

struct eye {
    struct xb_eye eye;
    double said_s; /* what it says that it took of the program's CPU time */
    size_t age;    /* phases since it last divided user mode */
};

/* The best witness for a class: the phase of it that rests on most samples, and of those that rest on half as
 * many or more the last, as what it says of sizes is confirmed by all samples before. */
static const double NEARLY_AS_GOOD = 0.5;

struct witness {
    size_t phase;
    double score; /* negative: none yet */
    struct xb_findings *findings;
};

struct xb_watch {
    struct xb_watching asked;
    struct xb_family family;
    struct xb_scene scene;
    struct eye eye[XB_WATCH_PROBES];
    pid_t root;
    int go,
        said;  /* the child waits for a byte from `go`, and says into `said` why it cannot exec */
    int pidfd; /* of a process that is not ours */
    bool is_over, reaped;
    int status; /* as from wait() */
    int signals;
    uint64_t signalled_ns;
    uint64_t begin_ns, look_ns, next_look_ns;
    sigset_t blocked, mask_before;
    struct sigaction child_before, pipe_before;
    uint64_t prng;
    struct witness witness[XB_BOUND_UNKNOWN + 1];
    struct xb_findings *findings, *memory; /* of this phase; and with all of the witnesses' */
    struct xb_findings *lasting;           /* by probe, the latest that divide user mode */
    size_t room;                           /* for phases */
    struct xb_watched out;
};

__attribute__((format(printf, 2, 3))) static void note(struct xb_watch *watch, const char *format,
                                                       ...)
{
    struct xb_watched *out = &watch->out;
    if (out->n_notes == XB_WATCH_NOTES)
        return;
    va_list args;
    va_start(args, format);
    vsnprintf(out->note[out->n_notes++], sizeof out->note[0], format, args);
    va_end(args);
}

/* ---- starting ---- */

static _Noreturn void live(const struct xb_watch *watch, int go, int said)
{
    char word;
    sigaction(SIGCHLD, &watch->child_before, NULL);
    sigaction(SIGPIPE, &watch->pipe_before, NULL);
    sigprocmask(SIG_SETMASK, &watch->mask_before, NULL);
    close(watch->go); /* or we would wait for ourselves once our parent is dead */
    if (read(go, &word, 1) == 1)
        execvp(watch->asked.argv[0], (char *const *)(uintptr_t)watch->asked.argv);
    int err = errno;
    ssize_t ignored = write(said, &err, sizeof err);
    (void)ignored;
    _exit(err == ENOENT ? 127 : 126);
}

static int start(struct xb_watch *watch, struct xb_reason *why)
{
    int go[2], said[2];
    if (pipe2(go, O_CLOEXEC) != 0)
        return xb_because(why, -errno, "pipe: %s", strerror(errno));
    watch->go = go[1];
    if (pipe2(said, O_CLOEXEC) != 0) {
        close(go[0]);
        return xb_because(why, -errno, "pipe: %s", strerror(errno));
    }
    watch->said = said[0];
    prctl(PR_SET_CHILD_SUBREAPER, 1); /* what forks away becomes our child */
    watch->root = fork();
    int err = watch->root < 0 ? xb_because(why, -errno, "fork: %s", strerror(errno)) : 0;
    if (watch->root == 0)
        live(watch, go[0], said[1]);
    close(go[0]);
    close(said[1]);
    return err;
}

static bool status_of(pid_t pid, const char *key, char *out, size_t bytes)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    return xb_rooted_value("", path, key, ':', out, bytes);
}

/* Says what makes a process special. */
static void note_status(struct xb_watch *watch)
{
    char text[64], name[32] = "?";
    long tracer =
        status_of(watch->root, "TracerPid", text, sizeof text) ? strtol(text, NULL, 10) : 0;
    if (tracer > 0) {
        status_of((pid_t)tracer, "Name", name, sizeof name);
        note(watch, "process %ld (%s) traces it, and waiting for that counts as its own", tracer,
             name);
    }
    char *save;
    if (!status_of(watch->root, "Uid", text, sizeof text) || !strtok_r(text, " \t", &save))
        return;
    const char *effective = strtok_r(NULL, " \t", &save);
    uid_t uid = effective ? (uid_t)strtoul(effective, NULL, 10) : geteuid();
    if (uid != geteuid() && geteuid() != 0)
        note(watch, "it runs as another user (uid %u), so only what all may read of it was read",
             (unsigned)uid);
}

static int attach(struct xb_watch *watch, struct xb_reason *why)
{
    pid_t pid = watch->root = watch->asked.pid;
    char text[64];
    if (pid == getpid())
        return xb_because(why, -EINVAL, "process %d is xbound itself", (int)pid);
    if (pid <= 0 || !status_of(pid, "Tgid", text, sizeof text))
        return xb_because(why, -ESRCH, "there is no process %d%s", (int)pid,
                          pid > 0 && kill(pid, 0) != 0 && errno == EPERM
                              ? " that this user may see in /proc"
                              : "");
    if (strtol(text, NULL, 10) != pid)
        return xb_because(why, -EINVAL, "%d is a thread of process %.12s: give that", (int)pid,
                          text);
    if (status_of(pid, "State", text, sizeof text) && text[0] == 'Z')
        return xb_because(
            why, -ESRCH, "process %d has ended; its parent has not asked for its status", (int)pid);
    watch->pidfd = (int)syscall(SYS_pidfd_open, pid, 0); /* before Linux 5.3: see root_gone() */
    return 0;
}

static void block_signals(struct xb_watch *watch)
{
    static const int numbers[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGCHLD };
    sigemptyset(&watch->blocked);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        sigaddset(&watch->blocked, numbers[i]);
    /* A parent may have left it ignored, and the command's status would be lost. */
    struct sigaction by_default = { .sa_handler = SIG_DFL }, ignore = { .sa_handler = SIG_IGN };
    sigaction(SIGCHLD, &by_default, &watch->child_before);
    sigaction(SIGPIPE, &ignore, &watch->pipe_before); /* its reader may leave before we write */
    sigprocmask(SIG_BLOCK, &watch->blocked, &watch->mask_before);
}

static bool root_gone(struct xb_watch *watch);

static void look(struct xb_watch *watch)
{
    uint64_t begin_ns = xb_now_ns();
    watch->family.root_gone = !watch->asked.argv && root_gone(watch);
    xb_family_look(&watch->family);
    watch->scene.tasks = watch->family.tasks;
    watch->scene.n_tasks = watch->family.n_tasks;
    watch->next_look_ns = begin_ns + LOOK_SHARE * (xb_now_ns() - begin_ns);
}

static void open_probes(struct xb_watch *watch)
{
    for (size_t i = 0; i < watch->asked.n_probes; i++)
        xb_eye_open(&watch->eye[i].eye, watch->asked.probes[i], &watch->scene,
                    &watch->out.without[i]);
}

static void close_probes(struct xb_watch *watch)
{
    for (size_t i = 0; i < watch->asked.n_probes; i++)
        xb_eye_close(&watch->eye[i].eye);
}

int xb_watch_open(const struct xb_watching *asked, struct xb_watch **out, struct xb_reason *why)
{
    struct xb_watch *watch = calloc(1, sizeof *watch);
    if (!watch)
        return xb_because(why, -ENOMEM, "out of memory");
    watch->asked = *asked;
    watch->go = watch->said = watch->pidfd = -1;
    watch->prng = xb_now_ns();
    watch->memory = calloc(asked->n_probes * (XB_BOUND_UNKNOWN + 3) + 1, sizeof *watch->memory);
    block_signals(watch);
    int err = watch->memory ? 0 : xb_because(why, -ENOMEM, "out of memory");
    watch->findings = watch->memory;
    watch->lasting =
        watch->memory ? watch->memory + (XB_BOUND_UNKNOWN + 2) * asked->n_probes : NULL;
    for (size_t i = 0; i <= XB_BOUND_UNKNOWN && !err; i++)
        watch->witness[i] =
            (struct witness){ .score = -1, .findings = watch->memory + (i + 1) * asked->n_probes };
    if (!err)
        err = asked->argv ? start(watch, why) : attach(watch, why);
    if (!err)
        err = xb_family_open(&watch->family, watch->root, asked->argv != NULL, why);
    if (err) {
        xb_watch_close(watch);
        return err;
    }
    watch->scene = (struct xb_scene){ .root = watch->root,
                                      .started = asked->argv != NULL,
                                      .argv = asked->argv,
                                      .capacity = asked->capacity,
                                      .tell = asked->tell };
    look(watch);
    open_probes(watch);
    *out = watch;
    return 0;
}

/* ---- signals and deaths ---- */

static void take_signal(struct xb_watch *watch, const siginfo_t *info)
{
    if (!watch->signals++)
        watch->signalled_ns = xb_now_ns();
    if (watch->asked.argv && !watch->reaped && info->si_code <= 0) /* from a process */
        kill(watch->root, info->si_signo);
}

/* Whether the root is dead, though perhaps not buried. */
static bool root_gone(struct xb_watch *watch)
{
    if (watch->is_over)
        return true;
    if (watch->asked.argv) {
        siginfo_t info = { .si_pid = 0 };
        watch->is_over =
            waitid(P_PID, (id_t)watch->root, &info, WEXITED | WNOHANG | WNOWAIT) != 0 ||
            info.si_pid == watch->root;
    } else if (watch->pidfd >= 0) {
        struct pollfd wait = { .fd = watch->pidfd, .events = POLLIN };
        watch->is_over = poll(&wait, 1, 0) > 0;
    } else {
        watch->is_over = kill(watch->root, 0) != 0 && errno == ESRCH;
    }
    return watch->is_over;
}

/* Buries who died of our children. */
static void reap(struct xb_watch *watch)
{
    int status;
    if (!watch->asked.argv)
        return;
    for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;)
        if (pid == watch->root) {
            watch->status = status;
            watch->reaped = watch->is_over = true;
        }
}

/* Sleeps until `until_ns`, or the root dies, or a signal comes that is ours to know. Orphans that die
 * by the hundred do not make us look more often. */
static void nap(struct xb_watch *watch, uint64_t until_ns)
{
    for (uint64_t now_ns; (now_ns = xb_now_ns()) < until_ns;) {
        struct timespec left = { .tv_sec = (time_t)((until_ns - now_ns) / SECOND_NS),
                                 .tv_nsec = (long)((until_ns - now_ns) % SECOND_NS) };
        siginfo_t info;
        int number = sigtimedwait(&watch->blocked, &info, &left);
        if (number > 0 && number != SIGCHLD) {
            take_signal(watch, &info);
            return;
        }
        if (number == SIGCHLD) {
            bool gone = watch->is_over;
            if (!gone && root_gone(watch))
                return;
            reap(watch);
        }
    }
}

/* ---- watching ---- */

static void call_probes(struct xb_watch *watch, enum xb_eye_step step, uint64_t now_ns)
{
    for (size_t i = 0; i < watch->asked.n_probes; i++)
        xb_eye_call(&watch->eye[i].eye, step, now_ns, &watch->findings[i], &watch->out.without[i]);
}

/* Whether watching is over at `now_ns`. */
static bool is_enough(struct xb_watch *watch, uint64_t now_ns)
{
    const struct xb_watching *asked = &watch->asked;
    uint64_t time_ns = asked->time_ns ? asked->time_ns : DEFAULT_NS;
    bool patient = asked->argv && !watch->is_over && now_ns < watch->signalled_ns + PATIENCE_NS;
    if (watch->signals && !patient)
        return true;
    if (root_gone(watch) && watch->family.n_tasks == 0)
        return true;
    bool bounded = asked->time_ns || !asked->argv || watch->is_over;
    return bounded && now_ns >= watch->begin_ns + time_ns;
}

static uint64_t lesser(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* Looks and polls until the phase or the watch is over; whether the watch is. */
static bool look_on(struct xb_watch *watch, uint64_t until_ns)
{
    const struct xb_watching *asked = &watch->asked;
    uint64_t end_ns = watch->begin_ns + (asked->time_ns ? asked->time_ns : DEFAULT_NS);
    for (;;) {
        uint64_t now_ns = xb_now_ns(), step_ns = LOOK_NS / 2 + xb_prng_below(&watch->prng, LOOK_NS);
        step_ns = lesser(step_ns > watch->look_ns ? step_ns : watch->look_ns, LOOK_MOST_NS);
        uint64_t wake_ns = lesser(now_ns + step_ns, until_ns);
        if (asked->time_ns || !asked->argv)
            wake_ns = lesser(wake_ns, end_ns);
        nap(watch, wake_ns);
        uint64_t begin_ns = xb_now_ns();
        bool was_over = watch->is_over && !watch->reaped;
        if (begin_ns >= watch->next_look_ns || was_over)
            look(watch);
        call_probes(watch, XB_EYE_POLL, begin_ns);
        reap(watch); /* after probes had a last look at the dead */
        if (watch->is_over)
            look(watch);
        now_ns = xb_now_ns();
        watch->look_ns =
            ((LOOKS_MEAN - 1) * watch->look_ns + LOOK_SHARE * (now_ns - begin_ns)) / LOOKS_MEAN;
        if (is_enough(watch, now_ns))
            return true;
        if (now_ns >= until_ns)
            return false;
    }
}

static uint64_t phase_ns(const struct xb_watch *watch)
{
    return watch->asked.phase_ns ? watch->asked.phase_ns : PHASE_NS;
}

/* Has `now` divide user mode as `last` does, so far as that can be trusted now. */
static void repeat(const struct xb_findings *last, double weight, struct xb_findings *now)
{
    size_t kept = 0;
    for (size_t i = 0; i < now->n_parts; i++)
        if (now->part[i].of != XB_WHOLE_USER)
            now->part[kept++] = now->part[i];
    now->n_parts = kept;
    now->weight[XB_WHOLE_USER] = weight;
    for (size_t i = 0; i < last->n_parts; i++)
        if (last->part[i].of == XB_WHOLE_USER)
            xb_add_part(now, last->part[i]);
}

/* Has probes that hardly looked in this phase repeat what they found of user mode in the last: of a single sample
 * all stands at one place. What they found counts half as much with each phase. */
static void carry_on(struct xb_watch *watch)
{
    for (size_t i = 0; i < watch->asked.n_probes; i++) {
        struct xb_findings *now = &watch->findings[i], *last = &watch->lasting[i];
        struct eye *eye = &watch->eye[i];
        double lasts = eye->eye.is_open && eye->age < PHASES_TO_LAST
                           ? ldexp(last->weight[XB_WHOLE_USER], -(int)eye->age - 1)
                           : 0;
        if (now->weight[XB_WHOLE_USER] < lasts) {
            eye->age++;
            repeat(last, lasts, now);
        } else if (now->weight[XB_WHOLE_USER] > 0) {
            *last = *now;
            eye->age = 0;
        }
    }
}

static int keep_phase(struct xb_watch *watch, double start_s, double seconds, uint64_t cpu_ns,
                      struct xb_reason *why)
{
    struct xb_watched *out = &watch->out;
    size_t n_probes = watch->asked.n_probes;
    out->seconds = start_s + seconds;
    double whole_s = (double)phase_ns(watch) / 1e9;
    if (seconds < STUMP * whole_s && out->n_phases) {
        out->phases[out->n_phases - 1].seconds += seconds;
        return 0;
    }
    if (out->n_phases == watch->room) {
        size_t room = watch->room ? 2 * watch->room : 64;
        struct xb_phase *bigger = realloc(out->phases, room * sizeof *bigger);
        if (!bigger)
            return xb_because(why, -ENOMEM, "out of memory");
        out->phases = bigger;
        watch->room = room;
    }
    struct xb_phase *phase = &out->phases[out->n_phases];
    *phase = (struct xb_phase){ .start_s = start_s, .seconds = seconds };
    carry_on(watch);
    xb_bound_judge(watch->findings, n_probes, &phase->judgement);
    for (size_t i = 0; i < n_probes; i++) {
        phase->samples += watch->findings[i].samples;
        if (isfinite(watch->findings[i].overhead))
            watch->eye[i].said_s += watch->findings[i].overhead * (double)cpu_ns / 1e9;
    }
    out->samples += phase->samples;
    struct witness *witness = &watch->witness[phase->judgement.bound];
    double score = phase->judgement.confidence * (1 + (double)phase->samples);
    if (score > NEARLY_AS_GOOD * witness->score) {
        witness->score = fmax(score, witness->score);
        witness->phase = out->n_phases;
        memcpy(witness->findings, watch->findings, n_probes * sizeof *watch->findings);
    }
    out->n_phases++;
    return 0;
}

/* A signal that came while probes were opened, which may have taken long, ends the command before it
 * has begun. */
static void take_early_signals(struct xb_watch *watch)
{
    static const struct timespec at_once = { .tv_sec = 0 };
    siginfo_t info;
    for (int number; (number = sigtimedwait(&watch->blocked, &info, &at_once)) > 0;)
        if (number != SIGCHLD)
            take_signal(watch, &info);
}

static int release(struct xb_watch *watch, struct xb_reason *why)
{
    int err = 0;
    if (!watch->asked.argv)
        return 0;
    ssize_t sent = write(watch->go, "x", 1);
    close(watch->go);
    watch->go = -1;
    if (sent != 1 || read(watch->said, &err, sizeof err) != sizeof err)
        return 0; /* exec closed it; or it was killed meanwhile, and its status says so */
    watch->reaped = waitpid(watch->root, &watch->status, 0) == watch->root;
    const char *name = watch->asked.argv[0];
    if (err == ENOENT)
        return xb_because(why, -err, "%.180s: %s", name,
                          strchr(name, '/') ? "no such file, or its interpreter is missing"
                                            : "command not found");
    return xb_because(why, -err, "%.180s: cannot be executed: %s", name, strerror(err));
}

/* CPU time of children that were waited for, and of theirs. */
static double children_cpu_s(void)
{
    struct rusage used;
    if (getrusage(RUSAGE_CHILDREN, &used) != 0)
        return 0;
    return (double)xb_usage_cpu_ns(&used) / 1e9;
}

static void sum_up(struct xb_watch *watch, uint64_t own_cpu_ns, double children_s)
{
    struct xb_watched *out = &watch->out;
    struct xb_judgement *phases = calloc(out->n_phases + 1, sizeof *phases);
    double *seconds = calloc(out->n_phases + 1, sizeof *seconds);
    size_t n = phases && seconds ? out->n_phases : 0;
    for (size_t i = 0; i < n; i++) {
        phases[i] = out->phases[i].judgement;
        seconds[i] = out->phases[i].seconds;
    }
    out->skipped = watch->asked.argv ? xb_bound_starting(phases, n, !watch->reaped) : 0;
    xb_bound_judge_phases(phases, seconds, n, out->skipped, &out->verdict);
    free(phases);
    free(seconds);

    /* Of a mixture of phases none may be mixed: then whoever knows most speaks. */
    const struct witness *best = &watch->witness[out->verdict.bound];
    for (size_t i = 0; i <= XB_BOUND_UNKNOWN && best->score < 0; i++)
        for (size_t j = 0; j <= XB_BOUND_UNKNOWN; j++)
            if (watch->witness[j].score > best->score)
                best = &watch->witness[j];
    out->evidence = best->score < 0 ? NULL : best->findings;
    out->evidence_phase = best->phase;
    out->watch_cpu_s = (double)own_cpu_ns / 1e9;
    out->cpu_s = (double)xb_family_cpu_ns(&watch->family) / 1e9;
    /* With those that lived between two looks; without what somebody ended and did not wait for. */
    if (watch->reaped)
        out->cpu_s = fmax(out->cpu_s, children_s);
    double paid_s = out->watch_cpu_s;
    for (size_t i = 0; i < watch->asked.n_probes; i++)
        paid_s += watch->eye[i].said_s;
    /* What sleeps is not slowed down by what we do meanwhile. */
    double base_s = fmax(out->cpu_s, out->seconds);
    out->overhead = base_s > 0 ? paid_s / base_s : NAN;
    out->most_processes = watch->family.most_processes;
    out->most_threads = watch->family.most_tasks;
    if (watch->family.left_out)
        note(watch, "it had more than %d threads; the others were not looked at",
             XB_FAMILY_THREADS);
    if (watch->asked.argv && watch->reaped && watch->family.n_tasks)
        note(watch, "the command ended and left %zu processes, which run on",
             watch->family.n_processes);
}

int xb_watch_run(struct xb_watch *watch, struct xb_watched *out, struct xb_reason *why)
{
    uint64_t cpu_before_ns = xb_thread_cpu_ns();
    double children_before_s = children_cpu_s();
    watch->begin_ns = xb_now_ns();
    call_probes(watch, XB_EYE_BEGIN, watch->begin_ns);
    take_early_signals(watch);
    int err = release(watch, why);
    if (!err)
        note_status(watch);
    uint64_t begin_ns = watch->begin_ns;
    for (bool over = false; !err && !over;) {
        uint64_t cpu_ns = xb_family_cpu_ns(&watch->family);
        over = look_on(watch, begin_ns + phase_ns(watch));
        uint64_t end_ns = xb_now_ns();
        call_probes(watch, XB_EYE_END, end_ns);
        err = keep_phase(watch, (double)(begin_ns - watch->begin_ns) / 1e9,
                         (double)(end_ns - begin_ns) / 1e9,
                         xb_family_cpu_ns(&watch->family) - cpu_ns, why);
        begin_ns = end_ns;
        if (!over)
            call_probes(watch, XB_EYE_BEGIN, end_ns);
    }
    sum_up(watch, xb_thread_cpu_ns() - cpu_before_ns, children_cpu_s() - children_before_s);
    close_probes(watch); /* the command pays no more while it runs on */
    *out = watch->out;
    return err;
}

/* ---- the end ---- */

int xb_watch_wait(struct xb_watch *watch)
{
    if (!watch->asked.argv)
        return watch->signals ? 128 + SIGINT : 0;
    uint64_t patience_ns = UINT64_MAX;
    int signals = watch->signals;
    bool told = false;
    if (watch->asked.end_after) {
        xb_family_look(&watch->family);
        xb_family_kill(&watch->family, SIGTERM);
        told = !watch->reaped;
        patience_ns = xb_now_ns() + PATIENCE_NS;
    }
    for (reap(watch); !watch->reaped; reap(watch)) {
        if (watch->signals > (signals ? signals : 1))
            return 128 + SIGINT; /* it does not care, and the user has had enough */
        if (xb_now_ns() >= patience_ns) {
            xb_family_look(&watch->family);
            xb_family_kill(&watch->family, SIGKILL);
        }
        nap(watch, xb_now_ns() + SECOND_NS / 2);
    }
    if (told && WIFSIGNALED(watch->status))
        return 0; /* as it was asked to */
    return WIFEXITED(watch->status) ? WEXITSTATUS(watch->status) : 128 + WTERMSIG(watch->status);
}

void xb_watch_close(struct xb_watch *watch)
{
    if (!watch)
        return;
    close_probes(watch);
    if (watch->go >= 0) { /* a child that still waits ends now */
        close(watch->go);
        if (watch->root > 0)
            waitpid(watch->root, NULL, 0);
    }
    if (watch->said >= 0)
        close(watch->said);
    if (watch->pidfd >= 0)
        close(watch->pidfd);
    reap(watch);
    xb_family_close(&watch->family);
    prctl(PR_SET_CHILD_SUBREAPER, 0);
    sigaction(SIGPIPE, &watch->pipe_before, NULL);
    sigaction(SIGCHLD, &watch->child_before, NULL);
    sigprocmask(SIG_SETMASK, &watch->mask_before, NULL);
    free(watch->out.phases);
    free(watch->memory);
    free(watch);
}
