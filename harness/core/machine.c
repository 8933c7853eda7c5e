/* SPDX-License-Identifier: BSD-3-Clause
 * Reads what the kernel says of this machine. */
#include "machine.h"

#include "../base/rooted.h"
#include "cgroup.h"
#include "virtualisation.h"

#include <dirent.h>
#include <limits.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <unistd.h>

#if defined(__x86_64__) || defined(__i386__)
#    include <cpuid.h>
#endif
#ifdef __GLIBC__
#    include <gnu/libc-version.h>
#endif

#define CPU_FOLDER "/sys/devices/system/cpu"

static void copy(char fact[static XB_FACT_BYTES], const char *text)
{
    snprintf(fact, XB_FACT_BYTES, "%s", text);
}

/* Takes a file's first line. */
static void read_fact(const char *root, const char *path, char fact[static XB_FACT_BYTES])
{
    xb_rooted_text(root, path, fact, XB_FACT_BYTES);
    fact[strcspn(fact, "\n")] = 0;
}

static void read_processor(const char *root, struct xb_machine *out)
{
    char implementer[XB_FACT_BYTES], part[XB_FACT_BYTES];
    xb_rooted_value(root, "/proc/cpuinfo", "microcode", ':', out->microcode, XB_FACT_BYTES);
    if (xb_rooted_value(root, "/proc/cpuinfo", "model name", ':', out->cpu_model, XB_FACT_BYTES))
        return;
    /* Arm kernels give numbers only; util-linux's lscpu-arm.c has the names. */
    if (xb_rooted_value(root, "/proc/cpuinfo", "CPU implementer", ':', implementer,
                        XB_FACT_BYTES) &&
        xb_rooted_value(root, "/proc/cpuinfo", "CPU part", ':', part, XB_FACT_BYTES))
        snprintf(out->cpu_model, sizeof out->cpu_model, "implementer %.32s part %.32s", implementer,
                 part);
}

static void read_system(const char *root, struct xb_machine *out)
{
    struct utsname names;
    read_fact(root, "/proc/sys/kernel/osrelease", out->kernel);
    /* The architecture is not among the files, so a recorded machine has none. */
    if (!root[0] && uname(&names) == 0)
        snprintf(out->kernel, sizeof out->kernel, "%.90s %.60s", names.release, names.machine);
#ifdef __GLIBC__
    snprintf(out->libc, sizeof out->libc, "glibc %s", gnu_get_libc_version());
#endif
    if (!xb_rooted_value(root, "/etc/os-release", "PRETTY_NAME", '=', out->distribution,
                         XB_FACT_BYTES))
        xb_rooted_value(root, "/usr/lib/os-release", "PRETTY_NAME", '=', out->distribution,
                        XB_FACT_BYTES);
}

/* Writes the CPUs of `set` the way the kernel writes lists: "0-3,8". */
static void print_list(const cpu_set_t *set, int n, size_t bytes, char out[static XB_FACT_BYTES])
{
    size_t used = 0;
    for (int first = 0; first < n && used < XB_FACT_BYTES; first++) {
        if (!CPU_ISSET_S((size_t)first, bytes, set))
            continue;
        int last = first;
        while (last + 1 < n && CPU_ISSET_S((size_t)last + 1, bytes, set))
            last++;
        const char *comma = used ? "," : "";
        used +=
            (size_t)(last > first
                         ? snprintf(out + used, XB_FACT_BYTES - used, "%s%d-%d", comma, first, last)
                         : snprintf(out + used, XB_FACT_BYTES - used, "%s%d", comma, first));
        first = last;
    }
}

static void read_cpus(const char *root, struct xb_machine *out)
{
    char boost[XB_FACT_BYTES];
    read_fact(root, CPU_FOLDER "/online", out->cpus_online);
    read_fact(root, CPU_FOLDER "/smt/control", out->smt);
    read_fact(root, CPU_FOLDER "/cpu0/cpufreq/scaling_governor", out->governor);

    /* intel_pstate says "no turbo", every other driver says "boost". */
    read_fact(root, CPU_FOLDER "/intel_pstate/no_turbo", boost);
    if (boost[0])
        copy(out->turbo, boost[0] == '1' ? "off" : "on");
    else
        read_fact(root, CPU_FOLDER "/cpufreq/boost", boost);
    if (boost[0] && !out->turbo[0])
        copy(out->turbo, boost[0] == '1' ? "on" : "off");

    if (!xb_rooted_value(root, "/proc/self/status", "Cpus_allowed_list", ':', out->cpuset,
                         XB_FACT_BYTES) &&
        !root[0]) {
        enum { MOST = 8192 }; /* CONFIG_NR_CPUS at its largest */
        cpu_set_t *set = CPU_ALLOC(MOST);
        if (set && sched_getaffinity(0, CPU_ALLOC_SIZE(MOST), set) == 0)
            print_list(set, MOST, CPU_ALLOC_SIZE(MOST), out->cpuset);
        CPU_FREE(set);
    }
}

/* The kernel registers one event source for each kind of core whose PMU it can drive: "cpu", on
 * hybrid machines "cpu_core" and "cpu_atom", on Arm "armv8_pmuv3_0" and the like. */
static void read_pmu(const char *root, char fact[static XB_FACT_BYTES])
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/sys/bus/event_source/devices", root);
    DIR *folder = opendir(path);
    if (!folder)
        return;
    size_t used = 0;
    struct dirent *entry;
    while ((entry = readdir(folder)))
        if ((strncmp(entry->d_name, "cpu", 3) == 0 || strncmp(entry->d_name, "armv", 4) == 0) &&
            used + strlen(entry->d_name) + 2 < XB_FACT_BYTES)
            used += (size_t)snprintf(fact + used, XB_FACT_BYTES - used, "%s%s", used ? " " : "",
                                     entry->d_name);
    closedir(folder);
    if (!used)
        copy(fact, "none");
}

static void read_limits(const char *root, struct xb_machine *out)
{
    struct rlimit limit;
    out->open_files_limit = out->processes_limit = -1;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY)
        out->open_files_limit = (int64_t)limit.rlim_cur;
    if (getrlimit(RLIMIT_NPROC, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY)
        out->processes_limit = (int64_t)limit.rlim_cur;
    out->cpu_quota = xb_cgroup_cpu_cores(root);
    out->memory_limit_bytes = xb_cgroup_memory_bytes(root);
}

static void read_load_and_memory(const char *root, struct xb_machine *out)
{
    char text[XB_FACT_BYTES], *end;
    struct sysinfo info;
    bool asked = !root[0] && sysinfo(&info) == 0; /* works without /proc */
    out->load_1min = asked ? (double)info.loads[0] / (1 << SI_LOAD_SHIFT) : -1;
    out->memory_total_bytes = asked ? (int64_t)info.totalram * info.mem_unit : -1;

    read_fact(root, "/proc/loadavg", text);
    double load = strtod(text, &end);
    if (end != text)
        out->load_1min = load;
    if (xb_rooted_value(root, "/proc/meminfo", "MemTotal", ':', text, XB_FACT_BYTES))
        out->memory_total_bytes = strtoll(text, NULL, 10) * 1024;
}

void xb_machine_read(const char *root, struct xb_machine *out)
{
    memset(out, 0, sizeof *out);
    read_processor(root, out);
    read_system(root, out);
    read_cpus(root, out);
    read_pmu(root, out->pmu);
    xb_virtualisation(root, out->virtualisation);
    read_limits(root, out);
    read_load_and_memory(root, out);

    /* "always [madvise] never": the brackets mark the one in force. */
    char modes[XB_FACT_BYTES];
    read_fact(root, "/sys/kernel/mm/transparent_hugepage/enabled", modes);
    char *mode = strchr(modes, '[');
    if (mode) {
        mode[strcspn(mode, "]")] = 0;
        copy(out->thp, mode + 1);
    }
    read_fact(root, "/proc/sys/kernel/randomize_va_space", out->aslr);
    read_fact(root, "/sys/devices/system/clocksource/clocksource0/current_clocksource",
              out->clocksource);
    read_fact(root, "/proc/sys/kernel/random/boot_id", out->boot_id);
    out->perf_event_paranoid =
        (int)xb_rooted_integer(root, "/proc/sys/kernel/perf_event_paranoid", INT_MIN);
    out->io_uring_disabled = (int)xb_rooted_integer(root, "/proc/sys/kernel/io_uring_disabled", -1);
}
