/* SPDX-License-Identifier: BSD-3-Clause
 * Counts through perf_event_open(2) alone: hardware events where the kernel has a PMU, and the
 * kernel's software events.
 *
 * Hardware events count user mode only, which perf_event_paranoid 2 still allows, so that their
 * figures mean the same for root and for others. Software events are taken only with the kernel
 * included: without it the kernel counts no context switch at all. */
#include "source.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CACHE(cache, result)                                            \
    (PERF_COUNT_HW_CACHE_##cache | (PERF_COUNT_HW_CACHE_OP_READ << 8) | \
     (PERF_COUNT_HW_CACHE_RESULT_##result << 16))

static const struct {
    enum xb_metric metric;
    uint32_t type;
    uint64_t config;
} events[] = {
    { XB_METRIC_CYCLES, PERF_TYPE_HARDWARE, PERF_COUNT_HW_CPU_CYCLES },
    { XB_METRIC_INSTRUCTIONS, PERF_TYPE_HARDWARE, PERF_COUNT_HW_INSTRUCTIONS },
    { XB_METRIC_L1D_MISSES, PERF_TYPE_HW_CACHE, CACHE(L1D, MISS) },
    { XB_METRIC_LLC_MISSES, PERF_TYPE_HARDWARE, PERF_COUNT_HW_CACHE_MISSES },
    { XB_METRIC_BRANCHES, PERF_TYPE_HARDWARE, PERF_COUNT_HW_BRANCH_INSTRUCTIONS },
    { XB_METRIC_BRANCH_MISSES, PERF_TYPE_HARDWARE, PERF_COUNT_HW_BRANCH_MISSES },
    { XB_METRIC_TASK_CLOCK, PERF_TYPE_SOFTWARE, PERF_COUNT_SW_TASK_CLOCK },
    { XB_METRIC_CONTEXT_SWITCHES, PERF_TYPE_SOFTWARE, PERF_COUNT_SW_CONTEXT_SWITCHES },
    { XB_METRIC_PAGE_FAULTS, PERF_TYPE_SOFTWARE, PERF_COUNT_SW_PAGE_FAULTS },
    { XB_METRIC_MAJOR_FAULTS, PERF_TYPE_SOFTWARE, PERF_COUNT_SW_PAGE_FAULTS_MAJ },
    { XB_METRIC_MIGRATIONS, PERF_TYPE_SOFTWARE, PERF_COUNT_SW_CPU_MIGRATIONS },
};

enum { EVENTS = sizeof events / sizeof events[0] };

struct value {
    uint64_t count, enabled_ns, running_ns;
};

/* Software events are one group, which a call starts, stops or reads as a whole: five events took 20
 * calls and some 30 us otherwise. Hardware events are each their own, so that the kernel can take
 * turns where the PMU has too few counters for all. */
struct xb_counters {
    int fd[EVENTS];              /* -1: not granted */
    int leader;                  /* the group's first, an index; -1: there is none */
    struct value before[EVENTS]; /* at start: PERF_EVENT_IOC_RESET leaves the times as they are */
};

static bool is_member(size_t i)
{
    return events[i].type == PERF_TYPE_SOFTWARE;
}

/* `group`: the leader's descriptor, or -1. */
static int open_event(size_t i, int group)
{
    struct perf_event_attr attributes = {
        .size = sizeof attributes,
        .type = events[i].type,
        .config = events[i].config,
        .disabled = 1,
        .exclude_kernel = events[i].type != PERF_TYPE_SOFTWARE,
        .exclude_hv = 1,
        .read_format = PERF_FORMAT_TOTAL_TIME_ENABLED | PERF_FORMAT_TOTAL_TIME_RUNNING |
                       (is_member(i) ? PERF_FORMAT_GROUP : 0),
    };
    long fd = syscall(SYS_perf_event_open, &attributes, 0, -1, group, PERF_FLAG_FD_CLOEXEC);
    return fd < 0 ? -errno : (int)fd;
}

static const char *explain(int err)
{
    switch (-err) {
    case ENOENT:
    case EOPNOTSUPP:
        return "no such event here: there is no PMU, or it lacks this one";
    case EACCES:
    case EPERM:
        return "not permitted; lower kernel.perf_event_paranoid or run with CAP_PERFMON";
    case ENOSYS:
        return "perf_event_open is hidden, by a seccomp filter or by the kernel";
    case EMFILE:
        return "out of file descriptors; raise ulimit -n";
    default:
        return strerror(-err);
    }
}

static int read_group(const struct xb_counters *counters, struct value *values)
{
    struct {
        uint64_t n, enabled_ns, running_ns, count[EVENTS];
    } group;
    if (read(counters->fd[counters->leader], &group, sizeof group) <= 0)
        return -EIO;
    for (size_t i = 0, member = 0; i < EVENTS && member < group.n; i++)
        if (is_member(i) && counters->fd[i] >= 0)
            values[i] = (struct value){ group.count[member++], group.enabled_ns, group.running_ns };
    return 0;
}

static int read_all(const struct xb_counters *counters, struct value *values)
{
    for (size_t i = 0; i < EVENTS; i++)
        if (counters->fd[i] >= 0 && !is_member(i) &&
            read(counters->fd[i], &values[i], sizeof values[i]) != sizeof values[i])
            return -EIO;
    return counters->leader < 0 ? 0 : read_group(counters, values);
}

/* `request`: PERF_EVENT_IOC_ENABLE or _DISABLE. */
static int switch_all(const struct xb_counters *counters, unsigned long request)
{
    int err = 0;
    for (size_t i = 0; i < EVENTS; i++)
        if (counters->fd[i] >= 0 && !is_member(i) && ioctl(counters->fd[i], request, 0) != 0)
            err = -errno;
    if (counters->leader >= 0 &&
        ioctl(counters->fd[counters->leader], request, PERF_IOC_FLAG_GROUP) != 0)
        err = -errno;
    return err;
}

static int start(struct xb_counters *counters)
{
    int err = read_all(counters, counters->before);
    return err ? err : switch_all(counters, PERF_EVENT_IOC_ENABLE);
}

static int stop(struct xb_counters *counters, struct xb_reading *out)
{
    struct value values[EVENTS];
    switch_all(counters, PERF_EVENT_IOC_DISABLE);
    if (read_all(counters, values) != 0)
        return -EIO;
    for (size_t i = 0; i < EVENTS; i++) {
        struct value value = values[i];
        if (counters->fd[i] < 0)
            continue;
        value.count -= counters->before[i].count;
        value.enabled_ns -= counters->before[i].enabled_ns;
        value.running_ns -= counters->before[i].running_ns;
        if (!value.running_ns) { /* never scheduled: absent, not zero */
            out->starved |= 1u << events[i].metric;
            continue;
        }
        double scale = (double)value.enabled_ns / (double)value.running_ns;
        out->value[events[i].metric] = (uint64_t)((double)value.count * scale + 0.5);
        out->present |= 1u << events[i].metric;
        /* The coverage of the worst event is the coverage of the reading. */
        if (!out->enabled_ns || (double)value.running_ns * (double)out->enabled_ns <
                                    (double)out->running_ns * (double)value.enabled_ns) {
            out->enabled_ns = value.enabled_ns;
            out->running_ns = value.running_ns;
        }
    }
    return 0;
}

static void close_event(struct xb_counters *counters, size_t i)
{
    if (counters->fd[i] >= 0)
        close(counters->fd[i]);
    counters->fd[i] = -1;
}

static void close_all(struct xb_counters *counters)
{
    if (!counters)
        return;
    for (size_t i = 0; i < EVENTS; i++)
        close_event(counters, i);
    free(counters);
}

static int open_all(const struct xb_events *wanted, uint32_t *granted, struct xb_counters **out,
                    struct xb_reason *why)
{
    struct xb_counters *counters = malloc(sizeof *counters);
    if (!counters)
        return xb_because(why, -ENOMEM, "perf: out of memory");
    *granted = 0;
    counters->leader = -1;
    for (size_t i = 0; i < EVENTS; i++) {
        counters->fd[i] = -1;
        if (!(wanted->set & (1u << events[i].metric)))
            continue;
        bool grouped = is_member(i) && counters->leader >= 0;
        int fd = open_event(i, grouped ? counters->fd[counters->leader] : -1);
        counters->fd[i] = fd >= 0 ? fd : -1;
        if (fd < 0) {
            xb_because(why, fd, "perf: %s", explain(fd));
            continue;
        }
        *granted |= 1u << events[i].metric;
        if (is_member(i) && !grouped)
            counters->leader = (int)i;
    }
    *out = counters;
    return 0;
}

/* Software events are enough: they count switches and migrations per lane. */
static int probe(struct xb_reason *why)
{
    int hardware = 0, err = 0;
    for (size_t i = 0; i < EVENTS; i++) {
        int fd = open_event(i, -1);
        if (fd >= 0) {
            close(fd);
            if (hardware)
                xb_because(why, 0, "software events only: %s", explain(hardware));
            return 0;
        }
        err = fd;
        if (events[i].type != PERF_TYPE_SOFTWARE)
            hardware = fd;
    }
    return xb_because(why, err, "perf_event_open: %s", explain(err));
}

const struct xb_counter_source xb_source_perf = {
    .name = "perf",
    .summary = "kernel events through perf_event_open(2), without PAPI",
    .rank = 1,
    .probe = probe,
    .open = open_all,
    .start = start,
    .stop = stop,
    .close = close_all,
};
