/* SPDX-License-Identifier: BSD-3-Clause
 * Counts through perf_event_open(2): one descriptor for each event and thread.
 *
 * What a thread creates inherits its events, and the kernel adds what was counted there when the
 * descriptor is read, of the dead as well; so threads that come later need none of their own. Nothing
 * is grouped: a group that does not fit is never counted, and of one that is too large by one event
 * nobody would say so (perf_event_open(2)). */
#include "counts.h"

#include "threads.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

struct thread {
    pid_t tid;
    int fd[XB_COUNTS_MAX]; /* -1: refused */
};

struct xb_counts {
    size_t n;
    struct xb_event_code code[XB_COUNTS_MAX];
    bool inherit;
    int refusal[XB_COUNTS_MAX]; /* -errno of those that the kernel does not know; 0 */
    struct thread *thread;
    size_t n_threads, room;
};

/* The machine's word for what is missing: x86 says whether somebody else rations it. */
static const char *who_has_none(void)
{
    char line[8192];
    bool guest = false;
    FILE *file = fopen("/proc/cpuinfo", "re");
    while (file && !guest && fgets(line, sizeof line, file))
        guest = strncmp(line, "flags", 5) == 0 && strstr(line, " hypervisor");
    if (file)
        fclose(file);
    return guest
               ? "the hypervisor exposes no PMU"
               : "the kernel has no PMU to offer (a guest without one, or a CPU it does not know)";
}

static int paranoia(void)
{
    int level = -1;
    FILE *file = fopen("/proc/sys/kernel/perf_event_paranoid", "re");
    if (!file || fscanf(file, "%d", &level) != 1)
        level = -1;
    if (file)
        fclose(file);
    return level;
}

static int explain(int err, pid_t pid, struct xb_reason *why)
{
    switch (-err) {
    case ENOENT:
    case ENODEV:
    case ENXIO:
    case EINVAL:
    case EOPNOTSUPP:
        return xb_because(why, -ENODEV, "no hardware counters: %s", who_has_none());
    case EACCES:
    case EPERM:
        if (paranoia() > 2)
            return xb_because(why, -EACCES,
                              "kernel.perf_event_paranoid is %d, and counting needs 2 or less, or "
                              "CAP_PERFMON",
                              paranoia());
        return xb_because(why, -EACCES,
                          "counting is not permitted: process %d is another user's, or a seccomp "
                          "filter forbids it",
                          (int)(pid ? pid : getpid()));
    case ENOSYS:
        return xb_because(why, err,
                          "perf_event_open is hidden, by a seccomp filter or by the kernel");
    case ESRCH:
        return xb_because(why, err, "there is no process %d", (int)pid);
    case EMFILE:
        return xb_because(why, err,
                          "counting takes a file for each event of each thread; raise ulimit -n");
    default:
        return xb_because(why, err, "counting: %s", strerror(-err));
    }
}

static int open_event(const struct xb_counts *counts, size_t i, pid_t tid)
{
    struct perf_event_attr attributes = {
        .size = sizeof attributes,
        .type = counts->code[i].type,
        .config = counts->code[i].config,
        .config1 = counts->code[i].config1,
        .config2 = counts->code[i].config2,
        .inherit = counts->inherit,
        .exclude_kernel = 1,
        .exclude_hv = 1,
        .read_format = PERF_FORMAT_TOTAL_TIME_ENABLED | PERF_FORMAT_TOTAL_TIME_RUNNING,
    };
    long fd = syscall(SYS_perf_event_open, &attributes, tid, -1, -1, PERF_FLAG_FD_CLOEXEC);
    return fd < 0 ? -errno : (int)fd;
}

static bool is_unknown(int err)
{
    return err == -ENOENT || err == -EINVAL || err == -EOPNOTSUPP || err == -ENODEV ||
           err == -ENXIO;
}

static void close_thread(const struct xb_counts *counts, struct thread *thread)
{
    for (size_t i = 0; i < counts->n; i++)
        if (thread->fd[i] >= 0)
            close(thread->fd[i]);
}

/* Opens on one thread. 1, 0 if that was done already, or -errno. */
static int watch(void *context, pid_t tid)
{
    struct xb_counts *counts = context;
    for (size_t k = 0; k < counts->n_threads; k++)
        if (counts->thread[k].tid == tid)
            return 0;
    if (counts->n_threads == counts->room) {
        size_t room = counts->room ? 2 * counts->room : 16;
        struct thread *more = realloc(counts->thread, room * sizeof *more);
        if (!more)
            return -ENOMEM;
        counts->thread = more;
        counts->room = room;
    }
    struct thread *thread = &counts->thread[counts->n_threads];
    size_t opened = 0;
    int err = 0;
    thread->tid = tid;
    for (size_t i = 0; i < counts->n; i++)
        thread->fd[i] = -1;
    for (size_t i = 0; i < counts->n && !err; i++) {
        if (counts->refusal[i])
            continue;
        int fd = open_event(counts, i, tid);
        if (is_unknown(fd))
            counts->refusal[i] = fd;
        else if (fd < 0)
            err = fd;
        else
            thread->fd[i] = fd;
        opened += fd >= 0;
    }
    if (!err && !opened)
        err = counts->refusal[0];
    if (err) {
        close_thread(counts, thread);
        return err;
    }
    counts->n_threads++;
    return 1;
}

int xb_counts_open(pid_t pid, const struct xb_event_code *code, size_t n, struct xb_counts **out,
                   struct xb_reason *why)
{
    struct xb_counts *counts = calloc(1, sizeof *counts);
    if (!counts)
        return xb_because(why, -ENOMEM, "counting: out of memory");
    counts->n = n;
    counts->inherit = pid != 0;
    memcpy(counts->code, code, n * sizeof *code);
    if (pid)
        xb_threads_raise_file_limit();
    int found = pid ? xb_threads_visit(pid, watch, counts) : watch(counts, 0);
    if (found <= 0) {
        xb_counts_close(counts);
        return explain(found < 0 ? found : -ESRCH, pid, why);
    }
    *out = counts;
    return 0;
}

int xb_counts_read(const struct xb_counts *counts, struct xb_count *out)
{
    for (size_t i = 0; i < counts->n; i++)
        out[i] = (struct xb_count){ .is_open = !counts->refusal[i] };
    for (size_t k = 0; k < counts->n_threads; k++)
        for (size_t i = 0; i < counts->n; i++) {
            uint64_t value[3]; /* count, enabled, running: as `read_format` has it */
            if (counts->thread[k].fd[i] < 0)
                continue;
            if (read(counts->thread[k].fd[i], value, sizeof value) != sizeof value)
                return -EIO;
            out[i].value += value[0];
            out[i].enabled_ns += value[1];
            out[i].running_ns += value[2];
        }
    return 0;
}

double xb_count_between(const struct xb_count *before, const struct xb_count *after)
{
    double value = (double)(after->value - before->value);
    double enabled = (double)(after->enabled_ns - before->enabled_ns);
    double running = (double)(after->running_ns - before->running_ns);
    if (!after->is_open)
        return NAN;
    if (!(running > 0))
        return enabled > 0 ? NAN : 0;
    return value * enabled / running;
}

void xb_counts_close(struct xb_counts *counts)
{
    if (!counts)
        return;
    for (size_t k = 0; k < counts->n_threads; k++)
        close_thread(counts, &counts->thread[k]);
    free(counts->thread);
    free(counts);
}
