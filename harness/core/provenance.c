/* SPDX-License-Identifier: BSD-3-Clause
 * Writes down which machine and which build a run's figures belong to. */
#include "provenance.h"

#include "../base/clock.h"
#include "machine.h"
#include "row.h"
#include "topology.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

/* The build defines these for this file. */
#ifndef XB_VERSION
#    define XB_VERSION "unknown"
#endif
#ifndef XB_GIT
#    define XB_GIT "unknown"
#endif
#ifndef XB_COMPILER
#    define XB_COMPILER "unknown"
#endif
#ifndef XB_CFLAGS
#    define XB_CFLAGS "unknown"
#endif
#ifndef XB_LIBRARIES
#    define XB_LIBRARIES "unknown"
#endif

int xb_provenance_add(FILE *out, const char *key, const char *format, ...)
{
    char *value;
    va_list args;
    va_start(args, format);
    int length = vasprintf(&value, format, args);
    va_end(args);
    if (length < 0)
        return -ENOMEM;
    int rc = fprintf(out, "%s,", key) < 0 ? -EIO : xb_csv_text(out, value);
    if (!rc && putc('\n', out) == EOF)
        rc = -EIO;
    free(value);
    return rc;
}

struct text {
    const char *key, *value;
};

static int add_texts(FILE *out, const struct text *texts, size_t n)
{
    int rc = 0;
    for (size_t i = 0; i < n && !rc; i++)
        rc = xb_provenance_add(out, texts[i].key, "%s", texts[i].value);
    return rc;
}

struct number {
    const char *key;
    bool known; /* otherwise the value is left empty */
    double value;
};

static int add_numbers(FILE *out, const struct number *numbers, size_t n)
{
    int rc = 0;
    for (size_t i = 0; i < n && !rc; i++)
        rc = numbers[i].known ? xb_provenance_add(out, numbers[i].key, "%.15g", numbers[i].value)
                              : xb_provenance_add(out, numbers[i].key, "%s", "");
    return rc;
}

#define ADD(add_all, array) add_all(out, array, sizeof(array) / sizeof(array)[0])

static int add_build(FILE *out, const char *run_id)
{
    char started[32] = "", hostname[HOST_NAME_MAX + 1] = "";
    time_t now = time(NULL);
    struct tm utc;
    if (gmtime_r(&now, &utc))
        strftime(started, sizeof started, "%Y-%m-%dT%H:%M:%SZ", &utc);
    gethostname(hostname, sizeof hostname - 1);

    const struct text texts[] = {
        { "run_id", run_id },
        { "started_utc", started },
        { "xbound_version", XB_VERSION },
        { "git_commit", XB_GIT },
        { "compiler", XB_COMPILER },
        { "compiler_flags", XB_CFLAGS },
        { "libraries", XB_LIBRARIES },
        { "hostname", hostname },
    };
    const struct number schema[] = { { "schema", true, XB_ROW_SCHEMA } };
    int rc = ADD(add_numbers, schema);
    return rc ? rc : ADD(add_texts, texts);
}

static int add_machine(FILE *out, const struct xb_machine *machine)
{
    const struct text texts[] = {
        { "cpu_model", machine->cpu_model },
        { "microcode", machine->microcode },
        { "kernel", machine->kernel },
        { "libc", machine->libc },
        { "distribution", machine->distribution },
        { "virtualisation", machine->virtualisation },
        { "governor", machine->governor },
        { "turbo", machine->turbo },
        { "smt", machine->smt },
        { "thp", machine->thp },
        { "aslr", machine->aslr },
        { "cpuset", machine->cpuset },
        { "cpus_online", machine->cpus_online },
        { "pmu", machine->pmu },
        { "clocksource", machine->clocksource },
        { "boot_id", machine->boot_id },
    };
    const struct number numbers[] = {
        { "cpu_quota_cores", machine->cpu_quota >= 0, machine->cpu_quota },
        { "perf_event_paranoid", machine->perf_event_paranoid != INT_MIN,
          machine->perf_event_paranoid },
        { "io_uring_disabled", machine->io_uring_disabled >= 0, machine->io_uring_disabled },
        { "load_1min", machine->load_1min >= 0, machine->load_1min },
        { "memory_total_bytes", machine->memory_total_bytes >= 0,
          (double)machine->memory_total_bytes },
        { "memory_limit_bytes", machine->memory_limit_bytes >= 0,
          (double)machine->memory_limit_bytes },
    };
    int rc = ADD(add_texts, texts);
    return rc ? rc : ADD(add_numbers, numbers);
}

static int add_topology(FILE *out, const struct xb_topology *topology)
{
    size_t l1d = xb_topology_cache_bytes(topology, XB_CACHE_L1D);
    size_t l2 = xb_topology_cache_bytes(topology, XB_CACHE_L2);
    size_t llc = xb_topology_cache_bytes(topology, XB_CACHE_LLC);
    const struct text texts[] = { { "topology", xb_topology_summary(topology) } };
    const struct number numbers[] = {
        { "pus", true, xb_topology_pus(topology) },
        { "cores", true, xb_topology_cores(topology) },
        { "l1d_claimed_bytes", l1d > 0, (double)l1d },
        { "l2_claimed_bytes", l2 > 0, (double)l2 },
        { "llc_claimed_bytes", llc > 0, (double)llc },
    };
    int rc = ADD(add_texts, texts);
    return rc ? rc : ADD(add_numbers, numbers);
}

int xb_provenance_begin(FILE *out, const char *run_id, const struct xb_topology *topology)
{
    struct xb_machine machine;
    xb_machine_read("", &machine);
    const struct number clock[] = {
        { "clock_cost_ns", true, xb_clock_cost_ns() },
        { "clock_step_ns", true, (double)xb_clock_step_ns() },
    };
    int rc = fputs("key,value\n", out) == EOF ? -EIO : 0;
    if (!rc)
        rc = add_build(out, run_id);
    if (!rc)
        rc = add_machine(out, &machine);
    if (!rc)
        rc = add_topology(out, topology);
    if (!rc)
        rc = ADD(add_numbers, clock);
    return rc;
}
