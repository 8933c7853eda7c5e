/* SPDX-License-Identifier: BSD-3-Clause
 * Reads what a window took, and adds up its lanes and workers. */
#include "sample.h"

#include "../../kernels/prng.h"
#include "metrics.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void xb_sample_sum(const struct xb_lane_part *lanes, uint32_t n_lanes,
                   const struct xb_worker_part *workers, uint32_t n_workers,
                   struct xb_sample *sample)
{
    uint64_t first = UINT64_MAX, last_begin = 0, last_end = 0;
    *sample = (struct xb_sample){ .reading = lanes[0].reading };
    for (uint32_t i = 0; i < n_lanes; i++) {
        const struct xb_lane_part *lane = &lanes[i];
        first = lane->begin_ns < first ? lane->begin_ns : first;
        last_begin = lane->begin_ns > last_begin ? lane->begin_ns : last_begin;
        last_end = lane->end_ns > last_end ? lane->end_ns : last_end;
        sample->cpu_ns += lane->cpu_ns;
        if (i > 0) {
            struct xb_reading pair[2] = { sample->reading, lane->reading };
            xb_metrics_merge(pair, 2, &sample->reading);
        }
    }
    sample->wall_ns = last_end - first;
    sample->skew_ns = last_begin - first;
    for (uint32_t i = 0; i < n_workers; i++) {
        const struct xb_worker_part *worker = &workers[i];
        sample->in_flight_ns += worker->end_ns - worker->begin_ns;
        sample->work.items += worker->did.items;
        sample->work.bytes_read += worker->did.bytes_read;
        sample->work.bytes_written += worker->did.bytes_written;
        sample->work.flops += worker->did.flops;
        sample->work.outcome += worker->did.outcome;
        /* A plain sum or XOR would let the workers' errors cancel. */
        sample->work.checksum += xb_mix64(worker->did.checksum ^ xb_mix64(i + UINT64_C(1)));
    }
}

double xb_sample_item_ns(const struct xb_sample *sample)
{
    double items = sample->work.items ? (double)sample->work.items : 1;
    return (double)sample->wall_ns / items;
}

static uint64_t timeval_ns(struct timeval t)
{
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_usec * 1000u;
}

void xb_accounts_read(const struct rusage *before, uint64_t cpu_ns, struct xb_reading *out)
{
    struct rusage after;
    getrusage(RUSAGE_THREAD, &after);
    *out = (struct xb_reading){ .present = 0 };
    uint64_t *value = out->value;
    uint64_t major = (uint64_t)(after.ru_majflt - before->ru_majflt);
    uint64_t forced = (uint64_t)(after.ru_nivcsw - before->ru_nivcsw);
    value[XB_METRIC_TASK_CLOCK] = cpu_ns;
    value[XB_METRIC_INVOLUNTARY_SWITCHES] = forced;
    value[XB_METRIC_CONTEXT_SWITCHES] = forced + (uint64_t)(after.ru_nvcsw - before->ru_nvcsw);
    value[XB_METRIC_MAJOR_FAULTS] = major;
    value[XB_METRIC_PAGE_FAULTS] = major + (uint64_t)(after.ru_minflt - before->ru_minflt);
    value[XB_METRIC_USER_TIME] = timeval_ns(after.ru_utime) - timeval_ns(before->ru_utime);
    value[XB_METRIC_SYSTEM_TIME] = timeval_ns(after.ru_stime) - timeval_ns(before->ru_stime);
    out->present = XB_METRIC_BIT(TASK_CLOCK) | XB_METRIC_BIT(INVOLUNTARY_SWITCHES) |
                   XB_METRIC_BIT(CONTEXT_SWITCHES) | XB_METRIC_BIT(MAJOR_FAULTS) |
                   XB_METRIC_BIT(PAGE_FAULTS) | XB_METRIC_BIT(USER_TIME) |
                   XB_METRIC_BIT(SYSTEM_TIME);
}

enum account { USER, NICE, SYSTEM, IDLE, IO_WAIT, IRQ, SOFT_IRQ, STEAL, ACCOUNTS };

/* Of all CPUs together. */
static bool read_accounts(uint64_t ticks[ACCOUNTS])
{
    char text[256];
    int fd = open("/proc/stat", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    if (n <= 0 || strncmp(text, "cpu ", 4) != 0)
        return false;
    text[n] = '\0';
    char *at = text + 4, *end;
    for (int i = 0; i < ACCOUNTS; i++, at = end) {
        ticks[i] = strtoull(at, &end, 10);
        if (end == at)
            return false;
    }
    return true;
}

static uint64_t ticks_ns(uint64_t ticks)
{
    return ticks * (1000000000u / (uint64_t)sysconf(_SC_CLK_TCK));
}

uint64_t xb_steal_ns(void)
{
    uint64_t ticks[ACCOUNTS];
    return read_accounts(ticks) ? ticks_ns(ticks[STEAL]) : 0;
}

uint64_t xb_busy_ns(void)
{
    uint64_t ticks[ACCOUNTS], busy = 0;
    if (!read_accounts(ticks))
        return 0;
    for (int i = 0; i < ACCOUNTS; i++)
        busy += i == IDLE || i == IO_WAIT ? 0 : ticks[i];
    return ticks_ns(busy);
}
