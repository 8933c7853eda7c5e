/* SPDX-License-Identifier: BSD-3-Clause
 * Tells for how long a thread has been asleep, by the scheduler's clocks. */
#include "asleep.h"

#include "clock.h"
#include "procfs.h"

#include <unistd.h>

enum {
    FRESH_NS =
        100000000, /* a comparison: of a CPU that is stolen for 1 % of the time, 1 ms goes amiss */
    CLOSE_NS = 100000, /* it took no longer than this, so nobody ran in between */
    TRIES = 3,
    TEXT = 512, /* what is wanted comes first */
};

/* Compares the clock of the CPU that we run on. */
static bool compare(struct xb_asleep *asleep)
{
    char text[TEXT];
    for (int i = 0; i < TRIES; i++) {
        int cpu = sched_getcpu();
        uint64_t exec_ns, begin_ns = xb_now_ns();
        /* Brings our own account up to now, and with it when we last ran. */
        xb_thread_cpu_ns();
        uint64_t middle_ns = xb_now_ns();
        if (xb_proc_text(getpid(), gettid(), "sched", text, sizeof text) <= 0 ||
            !xb_proc_parse_exec(text, &exec_ns))
            return false;
        uint64_t end_ns = xb_now_ns();
        if (cpu < 0 || cpu >= CPU_SETSIZE || cpu != sched_getcpu() || end_ns - begin_ns > CLOSE_NS)
            continue;
        asleep->cpu[cpu].at_ns = end_ns;
        asleep->cpu[cpu].behind_ns = (int64_t)(middle_ns - exec_ns);
        return true;
    }
    return false;
}

void xb_asleep_open(struct xb_asleep *asleep)
{
    char text[TEXT];
    uint64_t exec_ns;
    *asleep = (struct xb_asleep){ 0 };
    asleep->works = xb_proc_text(getpid(), gettid(), "sched", text, sizeof text) > 0 &&
                    xb_proc_parse_exec(text, &exec_ns);
}

/* Compares another CPU's, and comes back. */
static void visit(struct xb_asleep *asleep, int cpu)
{
    cpu_set_t may, there, back;
    int home = sched_getcpu();
    asleep->cpu[cpu].at_ns = xb_now_ns();
    asleep->cpu[cpu].behind_ns = INT64_MIN;
    if (sched_getaffinity(0, sizeof may, &may) != 0)
        return;
    CPU_ZERO(&there);
    CPU_SET(cpu, &there);
    if (sched_setaffinity(0, sizeof there, &there) != 0)
        return;
    compare(asleep);
    /* Or we would stay where those run that we look at. */
    if (home >= 0 && home < CPU_SETSIZE) {
        CPU_ZERO(&back);
        CPU_SET(home, &back);
        sched_setaffinity(0, sizeof back, &back);
    }
    sched_setaffinity(0, sizeof may, &may);
}

bool xb_asleep_ready(struct xb_asleep *asleep, int cpu)
{
    if (!asleep->works || cpu < 0 || cpu >= CPU_SETSIZE)
        return false;
    if (asleep->cpu[cpu].at_ns && xb_now_ns() - asleep->cpu[cpu].at_ns < FRESH_NS)
        return asleep->cpu[cpu].behind_ns != INT64_MIN;
    if (cpu != sched_getcpu() || !compare(asleep) ||
        xb_now_ns() - asleep->cpu[cpu].at_ns >= FRESH_NS)
        visit(asleep, cpu);
    return asleep->cpu[cpu].behind_ns != INT64_MIN;
}

bool xb_asleep_for(const struct xb_asleep *asleep, int cpu, const char *text, uint64_t *age_ns)
{
    uint64_t exec_ns;
    if (!xb_proc_parse_exec(text, &exec_ns))
        return false;
    int64_t age = (int64_t)(xb_now_ns() - exec_ns) - asleep->cpu[cpu].behind_ns;
    if (age < -(int64_t)CLOSE_NS)
        return false;
    *age_ns = age > 0 ? (uint64_t)age : 0;
    return true;
}

void xb_asleep_doubt(struct xb_asleep *asleep, int cpu)
{
    asleep->cpu[cpu].at_ns = 0;
}
