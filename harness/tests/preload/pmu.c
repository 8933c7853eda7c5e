/* SPDX-License-Identifier: BSD-3-Clause
 * A CPU without a PMU gets one, for tests: loaded before libpapi (LD_PRELOAD), it opens exact software
 * events of the kernel in place of the CPU's, and refuses what it is told to.
 *
 * PAPI calls perf_event_open(2) through libc's syscall(). All else of it runs as it is against the
 * real kernel: presets, encoding, a set for each thread, groups, multiplexing, errors. Instructions
 * become page faults, loads minor page faults, cycles the task clock in ns; any other event stands
 * still.
 * Told through the environment, numbers in C's notation:
 *   XB_PMU_ERRNO     the kernel refuses events of the CPU with it
 *   XB_PMU_REFUSE    it refuses some, each with another: EVENT=ERRNO,EVENT=ERRNO (an event is the
 *                    low 16 bits of a raw one: umask and number)
 *   XB_PMU_STARVE    this event is opened for a CPU that the thread is not on
 *   XB_PMU_CLOCK     these count ns too, EVENT,EVENT: what PAPI subtracts one from is then less
 *                    than 0; 0xffff: all that would stand still do
 *   XB_PMU_COUNTERS  as many as one group may have: one more is EINVAL, as from a real PMU */
#include <dlfcn.h>
#include <errno.h>
#include <linux/perf_event.h>
#include <sched.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Raw events of Skylake-X, which LIBPFM_FORCE_PMU=skx makes PAPI believe in. */
enum { INSTRUCTIONS = 0x00c0, LOADS = 0x81d0, CYCLES = 0x003c };

enum { GROUPS = 256 };

/* -1 when it is not set. */
static long setting(const char *name)
{
    const char *text = getenv(name);
    return text ? strtol(text, NULL, 0) : -1;
}

static bool is_cpu_event(const struct perf_event_attr *attributes)
{
    return attributes->type == PERF_TYPE_HARDWARE || attributes->type == PERF_TYPE_HW_CACHE ||
           attributes->type == PERF_TYPE_RAW;
}

static unsigned number_of(const struct perf_event_attr *attributes)
{
    if (attributes->type == PERF_TYPE_HARDWARE)
        return attributes->config == PERF_COUNT_HW_INSTRUCTIONS ? INSTRUCTIONS
               : attributes->config == PERF_COUNT_HW_CPU_CYCLES ? CYCLES
                                                                : 0xffff;
    return attributes->type == PERF_TYPE_RAW ? attributes->config & 0xffff : 0xffff;
}

/* With which errno an event is refused, or 0. */
static int refusal_of(unsigned event)
{
    const char *list = getenv("XB_PMU_REFUSE");
    long all = setting("XB_PMU_ERRNO");
    while (list && *list) {
        char *end;
        bool this_one = strtol(list, &end, 0) == (long)event;
        long err = *end == '=' ? strtol(end + 1, &end, 0) : 0;
        if (this_one)
            return (int)err;
        list = *end ? end + 1 : end;
    }
    return all > 0 ? (int)all : 0;
}

/* Whether an event that would stand still is to count ns. */
static bool is_clock(unsigned event)
{
    const char *list = getenv("XB_PMU_CLOCK");
    for (char *end; list && *list; list = *end ? end + 1 : end) {
        long one = strtol(list, &end, 0);
        if (one == (long)event || one == 0xffff)
            return true;
    }
    return false;
}

/* Whether a group has no room left; counts members by their leader's descriptor. */
static bool is_full(int leader)
{
    static unsigned char members[GROUPS];
    long room = setting("XB_PMU_COUNTERS");
    if (room < 0 || leader >= GROUPS)
        return false;
    if (leader < 0)
        return room == 0;
    if (members[leader] + 1 >= room)
        return true;
    members[leader]++;
    return false;
}

long syscall(long number, ...)
{
    long (*next)(long, ...);
    *(void **)&next = dlsym(RTLD_NEXT, "syscall");
    long argument[6];
    va_list args;
    va_start(args, number);
    for (int i = 0; i < 6; i++)
        argument[i] = va_arg(args, long);
    va_end(args);
    const struct perf_event_attr *asked = (const struct perf_event_attr *)argument[0];
    if (number != SYS_perf_event_open || !is_cpu_event(asked))
        return next(number, argument[0], argument[1], argument[2], argument[3], argument[4],
                    argument[5]);
    unsigned event = number_of(asked);
    int leader = (int)argument[3]; /* passed as one: the upper half of the register is anyone's */
    int refusal = refusal_of(event);
    if (refusal) {
        errno = refusal;
        return -1;
    }
    if (is_full(leader)) {
        errno = EINVAL;
        return -1;
    }
    struct perf_event_attr given = *asked;
    given.type = PERF_TYPE_SOFTWARE;
    given.config = event == INSTRUCTIONS ? PERF_COUNT_SW_PAGE_FAULTS
                   : event == LOADS      ? PERF_COUNT_SW_PAGE_FAULTS_MIN
                   : event == CYCLES     ? PERF_COUNT_SW_TASK_CLOCK
                   : is_clock(event)     ? PERF_COUNT_SW_TASK_CLOCK
                                         : PERF_COUNT_SW_DUMMY;
    given.config1 = given.config2 = 0;
    given.precise_ip = 0;
    /* Only where it is a group of its own: members have to be on their leader's CPU. */
    if (setting("XB_PMU_STARVE") == event && leader < 0)
        argument[2] = sched_getcpu() ? 0 : 1;
    return next(number, &given, argument[1], argument[2], argument[3], argument[4], argument[5]);
}
