/* SPDX-License-Identifier: BSD-3-Clause
 * Judges a machine by the facts about it. */
#include "fitness.h"

#include "../base/units.h"
#include "picture.h"
#include "topology.h"

#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define NOTE XB_FITNESS_NOTE
#define WARN XB_FITNESS_WARN

#define CPU_FOLDER "/sys/devices/system/cpu"

struct xb_finding *xb_finding_add(struct xb_findings *findings, const char *group, const char *name,
                                  const char *format, ...)
{
    if (findings->n < sizeof findings->list / sizeof findings->list[0])
        findings->n++;
    struct xb_finding *finding = &findings->list[findings->n - 1];
    *finding = (struct xb_finding){ .group = group, .name = name };
    va_list args;
    va_start(args, format);
    vsnprintf(finding->value, sizeof finding->value, format, args);
    va_end(args);
    return finding;
}

void xb_finding_advise(struct xb_finding *finding, enum xb_fitness state, const char *format, ...)
{
    va_list args;
    finding->state = state;
    va_start(args, format);
    vsnprintf(finding->remedy, sizeof finding->remedy, format, args);
    va_end(args);
}

static const char *or_unseen(const char *fact)
{
    return fact[0] ? fact : "not visible";
}

/* Adds a fact as it is; one that cannot be seen is never fine. */
static struct xb_finding *add_fact(struct xb_findings *out, const char *group, const char *name,
                                   const char *fact)
{
    struct xb_finding *f = xb_finding_add(out, group, name, "%s", or_unseen(fact));
    if (!fact[0])
        xb_finding_advise(f, NOTE, "mount /proc and /sys; if they are, this kernel does not say");
    return f;
}

/* A container alone shares the real machine's kernel and counters. */
static bool is_virtual(const struct xb_machine *machine)
{
    const char *text = machine->virtualisation, *container = strstr(text, " container");
    return text[0] && strcmp(text, "none") != 0 && (!container || strstr(text, ", "));
}

static const char *show_cache(const struct xb_topology *topology, enum xb_cache_level level,
                              char text[static XB_BYTES_TEXT])
{
    size_t bytes = xb_topology_cache_bytes(topology, level);
    return bytes ? xb_bytes_text(bytes, text) : "unknown";
}

static void judge_processor(const struct xb_machine *machine, const struct xb_topology *topology,
                            struct xb_findings *out)
{
    static const char group[] = "processor";
    char l1d[XB_BYTES_TEXT], l2[XB_BYTES_TEXT], llc[XB_BYTES_TEXT];
    uint32_t pus = xb_topology_pus(topology), cores = xb_topology_cores(topology);
    add_fact(out, group, "model", machine->cpu_model);

    const char *summary = xb_topology_summary(topology);
    struct xb_finding *f = xb_finding_add(out, group, "topology", "%s", summary);
    if (strstr(summary, "built without hwloc"))
        xb_finding_advise(f, NOTE, "apt install libhwloc-dev, then configure and build again");
    else if (strstr(summary, "flat topology"))
        xb_finding_advise(f, NOTE, "mount /sys; every CPU counts as a core of its own until then");

    f = xb_finding_add(out, group, "caches claimed", "L1d %s, L2 %s, LLC %s",
                       show_cache(topology, XB_CACHE_L1D, l1d),
                       show_cache(topology, XB_CACHE_L2, l2),
                       show_cache(topology, XB_CACHE_LLC, llc));
    if (strstr(f->value, "unknown"))
        xb_finding_advise(f, NOTE, "sizes are unknown here: give them in bytes, not by cache name");
    else if (is_virtual(machine))
        xb_finding_advise(f, NOTE,
                          "a hypervisor may claim caches that other guests share: trust "
                          "the memory picture below more");

    f = add_fact(out, group, "virtualised", machine->virtualisation);
    if (is_virtual(machine))
        xb_finding_advise(f, NOTE,
                          "other guests take time unseen: watch steal_ns, interleave what "
                          "you compare, and take absolute figures on a real machine");

    f = xb_finding_add(out, group, "SMT", "%u CPUs on %u cores", (unsigned)pus, (unsigned)cores);
    if (pus > cores)
        xb_finding_advise(f, NOTE,
                          "two workers can share a core; use --bind scatter with at most %u "
                          "workers, or: echo off | sudo tee " CPU_FOLDER "/smt/control",
                          (unsigned)cores);
}

static void judge_frequency(const struct xb_machine *machine, struct xb_findings *out)
{
    static const char group[] = "frequency";
    const char *unseen = is_virtual(machine)
                             ? "the host decides: compare only what ran interleaved on this guest"
                             : "look at the power settings in the firmware";
    struct xb_finding *f =
        xb_finding_add(out, group, "governor", "%s", or_unseen(machine->governor));
    if (!machine->governor[0])
        xb_finding_advise(f, NOTE, "%s", unseen);
    else if (strcmp(machine->governor, "performance") != 0)
        xb_finding_advise(f, WARN, "sudo cpupower frequency-set -g performance");

    f = xb_finding_add(out, group, "turbo", "%s", or_unseen(machine->turbo));
    if (!machine->turbo[0])
        xb_finding_advise(f, NOTE, "%s", unseen);
    else if (strcmp(machine->turbo, "on") == 0)
        xb_finding_advise(
            f, NOTE,
            "speed depends on heat and on busy neighbours: echo 1 | sudo tee " CPU_FOLDER
            "/intel_pstate/no_turbo, or: echo 0 | sudo tee " CPU_FOLDER "/cpufreq/boost");
}

static void judge_share(const struct xb_machine *machine, const struct xb_topology *topology,
                        struct xb_findings *out)
{
    static const char group[] = "share of the machine";
    unsigned pus = xb_topology_pus(topology);
    struct xb_finding *f;
    if (machine->cpu_quota < 0)
        xb_finding_add(out, group, "CPU quota", "none");
    else {
        f = xb_finding_add(out, group, "CPU quota", "%.2f cores for %u CPUs", machine->cpu_quota,
                           pus);
        if (machine->cpu_quota < 1)
            xb_finding_advise(f, WARN,
                              "even one busy worker is stopped in every period: raise it "
                              "(docker run --cpus=%u, systemd CPUQuota=%u00%%)",
                              pus, pus);
        else if (machine->cpu_quota < pus)
            xb_finding_advise(f, WARN,
                              "keep %u of them busy at most, or raise it (docker run --cpus=%u, "
                              "systemd CPUQuota=%u00%%)",
                              (unsigned)machine->cpu_quota, pus, pus);
    }

    f = add_fact(out, group, "CPUs allowed", machine->cpuset);
    if (machine->cpuset[0] && machine->cpus_online[0] &&
        strcmp(machine->cpuset, machine->cpus_online) != 0)
        xb_finding_advise(f, NOTE,
                          "others may run on the rest of %s and share caches and memory: to use "
                          "all, drop taskset or --cpuset-cpus",
                          machine->cpus_online);

    if (machine->load_1min < 0)
        xb_finding_advise(xb_finding_add(out, group, "load", "not visible"), NOTE,
                          "mount /proc, and see that nothing else runs");
    else {
        f = xb_finding_add(out, group, "load", "%.2f on %u CPUs", machine->load_1min, pus);
        /* The load average counts waiters too; a quarter of the CPUs is cron and a shell. */
        if (machine->load_1min > 0.25 * pus)
            xb_finding_advise(f, machine->load_1min > 0.75 * pus ? WARN : NOTE,
                              "find what else runs (top -o %%CPU) and stop it, or wait");
    }

    char have[XB_BYTES_TEXT], total[XB_BYTES_TEXT];
    uint64_t memory = xb_topology_memory_bytes(topology);
    if (machine->memory_limit_bytes >= 0 && (uint64_t)machine->memory_limit_bytes < memory)
        memory = (uint64_t)machine->memory_limit_bytes;
    if (machine->memory_limit_bytes >= 0)
        f = xb_finding_add(out, group, "memory", "%s (cgroup limit) of %s",
                           xb_bytes_text((uint64_t)machine->memory_limit_bytes, have),
                           machine->memory_total_bytes < 0
                               ? "unknown"
                               : xb_bytes_text((uint64_t)machine->memory_total_bytes, total));
    else
        f = xb_finding_add(out, group, "memory", "%s", xb_bytes_text(memory, have));
    /* Working sets that must miss the last-level cache are several times its size. */
    if (memory && memory < 8 * (uint64_t)xb_topology_cache_bytes(topology, XB_CACHE_LLC))
        xb_finding_advise(f, WARN,
                          "less than 8 times the last-level cache: DRAM-sized working "
                          "sets may not fit; raise the limit (docker run --memory=)");

    f = xb_finding_add(out, group, "open files", "%lld", (long long)machine->open_files_limit);
    if (machine->open_files_limit < 0)
        snprintf(f->value, sizeof f->value, "unlimited");
    else if (machine->open_files_limit < 4096)
        xb_finding_advise(f, NOTE, "ulimit -n $(ulimit -Hn); a worker with sockets needs several");
    f = xb_finding_add(out, group, "processes", "%lld", (long long)machine->processes_limit);
    if (machine->processes_limit < 0)
        snprintf(f->value, sizeof f->value, "unlimited");
    else if (machine->processes_limit < 4096)
        xb_finding_advise(f, NOTE, "ulimit -u $(ulimit -Hu); each thread and process counts");
}

static void judge_kernel(const struct xb_machine *machine, struct xb_findings *out)
{
    static const char group[] = "kernel";
    struct xb_finding *f = add_fact(out, group, "huge pages", machine->thp);
    if (strcmp(machine->thp, "always") == 0)
        xb_finding_advise(f, NOTE,
                          "memory figures depend on how fragmented memory is: echo madvise"
                          " | sudo tee /sys/kernel/mm/transparent_hugepage/enabled");

    f = add_fact(out, group, "clock source", machine->clocksource);
    static const char *const slow[] = { "hpet", "acpi_pm", "jiffies", "refined-jiffies", "xen" };
    for (size_t i = 0; i < sizeof slow / sizeof slow[0]; i++)
        if (strcmp(machine->clocksource, slow[i]) == 0)
            xb_finding_advise(f, WARN,
                              "each reading is a system call: echo tsc | sudo tee /sys/"
                              "devices/system/clocksource/clocksource0/"
                              "current_clocksource");

    static const char *const uring[] = { "open to all", "for privileged users", "switched off" };
    int disabled = machine->io_uring_disabled;
    f = xb_finding_add(out, group, "io_uring", "%s",
                       disabled >= 0 && disabled <= 2 ? uring[disabled] : "no sysctl restricts it");
    if (disabled > 0)
        xb_finding_advise(f, disabled > 1 ? WARN : NOTE, "sudo sysctl kernel.io_uring_disabled=0");
}

void xb_fitness_judge_counters(const struct xb_machine *machine, struct xb_findings *out)
{
    static const char group[] = "counters";
    struct xb_finding *f = add_fact(out, group, "PMU", machine->pmu);
    if (strcmp(machine->pmu, "none") == 0)
        xb_finding_advise(f, NOTE,
                          is_virtual(machine)
                              ? "ask for a PMU in the guest (QEMU: -cpu host,pmu=on; in a "
                                "cloud a bare-metal size); times and switches are counted "
                                "without it"
                              : "enable it in the firmware, and CONFIG_PERF_EVENTS in the "
                                "kernel; times and switches are counted without it");

    if (machine->perf_event_paranoid == INT_MIN) {
        f = xb_finding_add(out, group, "perf_event_paranoid", "not visible");
        xb_finding_advise(f, NOTE, "mount /proc; if it is mounted, this kernel has no perf events");
        return;
    }
    f = xb_finding_add(out, group, "perf_event_paranoid", "%d", machine->perf_event_paranoid);
    /* 2 still allows a process to count its own user mode, which is what xbound counts. */
    if (machine->perf_event_paranoid > 2)
        xb_finding_advise(f, WARN, "sudo sysctl kernel.perf_event_paranoid=2");
}

void xb_fitness_judge(const struct xb_machine *machine, const struct xb_topology *topology,
                      struct xb_findings *out)
{
    judge_processor(machine, topology, out);
    judge_frequency(machine, out);
    judge_share(machine, topology, out);
    judge_kernel(machine, out);
    xb_fitness_judge_counters(machine, out);
}

/* Appends what is known of how fast a level is. */
static void tell_speed(const struct xb_picture *picture, int level, struct xb_finding *f)
{
    size_t n = strlen(f->value);
    if (picture->latency_ns[level] > 0)
        n += (size_t)snprintf(f->value + n, sizeof f->value - n, "%s%.3g ns a load", n ? "; " : "",
                              picture->latency_ns[level]);
    if (picture->load_gb_per_s[level] > 0)
        snprintf(f->value + n, sizeof f->value - n, ", %.3g GB/s by one core",
                 picture->load_gb_per_s[level]);
}

static void judge_level(const struct xb_picture *picture, const struct xb_caches *used,
                        const struct xb_topology *topology, enum xb_cache_level level,
                        struct xb_finding *f)
{
    char claimed[XB_BYTES_TEXT], measured[XB_BYTES_TEXT] = "nothing", sizes[XB_BYTES_TEXT];
    bool seen = picture->capacity[level] > 0;
    if (seen)
        xb_bytes_text((uint64_t)picture->capacity[level], measured);
    snprintf(f->value, sizeof f->value, "claimed %s, measured %s, used %s",
             show_cache(topology, level, claimed), measured,
             xb_bytes_text(used->bytes[level], sizes));
    tell_speed(picture, level, f);
    if (!seen)
        xb_finding_advise(f, NOTE,
                          "its end was not seen: sizes follow the claim; try again when the "
                          "machine is quiet, or set them with run --caches");
    else if (!xb_topology_cache_bytes(topology, level))
        xb_finding_advise(f, NOTE, "no claim to compare with: sizes follow the measured");
    else if (xb_picture_contradicts(picture, topology, level))
        xb_finding_advise(f, NOTE,
                          "claimed %s, measured %s, as neighbours may hold the rest: sizes follow "
                          "the %s; run --caches overrides",
                          claimed, measured,
                          used->bytes[level] == xb_topology_cache_bytes(topology, level)
                              ? "claim, since they take half of it at most"
                              : "measured");
}

void xb_fitness_judge_picture(const struct xb_picture *picture, const struct xb_caches *used,
                              const struct xb_topology *topology, struct xb_findings *out)
{
    static const char group[] = "memory picture";
    for (int level = 0; level < XB_CACHE_LEVELS; level++)
        judge_level(picture, used, topology, (enum xb_cache_level)level,
                    xb_finding_add(out, group, xb_level_name(level), "%s", ""));
    struct xb_finding *dram = xb_finding_add(out, group, xb_level_name(XB_PICTURE_DRAM), "%s", "");
    tell_speed(picture, XB_PICTURE_DRAM, dram);
    if (!dram->value[0]) {
        snprintf(dram->value, sizeof dram->value, "not reached");
        xb_finding_advise(dram, NOTE,
                          "no set was seen to be larger than the caches; try again when the "
                          "machine is quiet");
    }
}
