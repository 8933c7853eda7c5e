/* SPDX-License-Identifier: BSD-3-Clause
 * Tests what is read of recorded machines (data/machine_*), and how they are judged. */
#include "xbtest.h"

#include "../core/fitness.h"
#include "../core/machine.h"
#include "../core/topology.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>

static struct xb_machine read_machine(const char *name)
{
    struct xb_machine machine;
    xb_machine_read(xb_test_data(name), &machine);
    return machine;
}

XB_TEST(Machine, AVirtualMachineWithCgroups2AndEverythingVisible)
{
    struct xb_machine m = read_machine("machine_cgroup2");
    XB_EXPECT_STREQ(m.cpu_model, "Intel(R) Xeon(R) Gold 6338 CPU @ 2.00GHz");
    XB_EXPECT_STREQ(m.microcode, "0xd0003b9");
    XB_EXPECT_STREQ(m.kernel, "6.1.0-18-amd64");
    XB_EXPECT_STREQ(m.distribution, "Debian GNU/Linux 12 (bookworm)");
    XB_EXPECT_STREQ(m.virtualisation, "unnamed hypervisor, podman container");
    XB_EXPECT_STREQ(m.governor, "powersave");
    XB_EXPECT_STREQ(m.turbo, "on");
    XB_EXPECT_STREQ(m.smt, "on");
    XB_EXPECT_STREQ(m.thp, "madvise");
    XB_EXPECT_STREQ(m.cpuset, "2-3");
    XB_EXPECT_STREQ(m.cpus_online, "0-7");
    XB_EXPECT_STREQ(m.pmu, "none");
    XB_EXPECT_STREQ(m.aslr, "2");
    XB_EXPECT_STREQ(m.clocksource, "hpet");
    XB_EXPECT_EQ(m.perf_event_paranoid, 3);
    XB_EXPECT_EQ(m.io_uring_disabled, 2);
    XB_EXPECT_NEAR(m.load_1min, 3.5, 1e-9);
    XB_EXPECT_EQ(m.memory_total_bytes, INT64_C(8000000) * 1024);
}

/* Its own group says max, the one above half a core, the one above that four. */
XB_TEST(Machine, TheTightestLimitOnTheWayUpHolds)
{
    struct xb_machine m = read_machine("machine_cgroup2");
    XB_EXPECT_NEAR(m.cpu_quota, 0.5, 1e-9);
    XB_EXPECT_EQ(m.memory_limit_bytes, 1 << 30);
}

XB_TEST(Machine, AContainerOnABareMetalArmMachineWithCgroups1)
{
    struct xb_machine m = read_machine("machine_cgroup1");
    XB_EXPECT_STREQ(m.cpu_model, "implementer 0x41 part 0xd0c");
    XB_EXPECT_STREQ(m.virtualisation, "docker container");
    XB_EXPECT_STREQ(m.turbo, "on");
    XB_EXPECT_STREQ(m.pmu, "armv8_pmuv3_0");
    XB_EXPECT_NEAR(m.cpu_quota, 1.5, 1e-9);
    XB_EXPECT(m.memory_limit_bytes < 0); /* LONG_MAX in pages is its word for unlimited */
}

XB_TEST(Machine, CgroupsOfBothVersionsAtOnce)
{
    struct xb_machine m = read_machine("machine_cgroup_hybrid");
    XB_EXPECT_NEAR(m.cpu_quota, 0.25, 1e-9); /* /a/b says -1, /a a quarter */
    XB_EXPECT_EQ(m.memory_limit_bytes, 512 << 20);
}

XB_TEST(Machine, WhatIsMissingStaysUnknown)
{
    struct xb_machine m = read_machine("no_such_machine");
    const char *const facts[] = { m.cpu_model,  m.microcode,      m.kernel,      m.distribution,
                                  m.governor,   m.virtualisation, m.turbo,       m.smt,
                                  m.thp,        m.cpuset,         m.cpus_online, m.aslr,
                                  m.clocksource };
    for (size_t i = 0; i < sizeof facts / sizeof facts[0]; i++)
        XB_EXPECT_STREQ(facts[i], "");
    XB_EXPECT(m.cpu_quota < 0);
    XB_EXPECT(m.memory_limit_bytes < 0);
    XB_EXPECT(m.memory_total_bytes < 0);
    XB_EXPECT(m.load_1min < 0);
    XB_EXPECT_EQ(m.perf_event_paranoid, INT_MIN);
    XB_EXPECT_EQ(m.io_uring_disabled, -1);
}

XB_TEST(Machine, ThisOneHasAKernelAndMemory)
{
    struct xb_machine m;
    xb_machine_read("", &m);
    XB_EXPECT(m.kernel[0]);
    XB_EXPECT(m.cpuset[0]);
    XB_EXPECT(m.memory_total_bytes > 0);
}

/* ---- fitness ---- */

/* Judges a machine on this topology; without hwloc on that of the machine the test runs on. The
 * caller frees. */
static struct xb_findings *judge(const struct xb_machine *machine, const char *description)
{
    struct xb_findings *findings = calloc(1, sizeof *findings);
    struct xb_topology *topology;
    struct xb_reason why;
    if (xb_topology_open(description, &topology, &why) != 0 &&
        xb_topology_open(NULL, &topology, &why) != 0)
        XB_FAIL("%s", why.text);
    xb_fitness_judge(machine, topology, findings);
    xb_topology_close(topology);
    return findings;
}

static const struct xb_finding *find(const struct xb_findings *findings, const char *name)
{
    static const struct xb_finding none;
    for (size_t i = 0; i < findings->n; i++)
        if (strcmp(findings->list[i].name, name) == 0)
            return &findings->list[i];
    XB_FAIL("no finding '%s'", name);
    return &none;
}

static void expect_finding(const struct xb_findings *findings, const char *name,
                           enum xb_fitness state, const char *value, const char *remedy)
{
    const struct xb_finding *finding = find(findings, name);
    if (finding->state != state)
        XB_FAIL("%s has state %d, should have %d", name, (int)finding->state, (int)state);
    XB_EXPECT_HAS(finding->value, value);
    XB_EXPECT_HAS(finding->remedy, remedy);
}

#define EIGHT "synthetic:package:1 l3:1(size=8388608) core:8 pu:1"

XB_TEST(Fitness, OfABadlyTunedGuestNamesEveryFaultWithItsRemedy)
{
    struct xb_machine m = read_machine("machine_cgroup2");
    struct xb_findings *f = judge(&m, EIGHT);
    expect_finding(f, "model", XB_FITNESS_OK, "Gold 6338", "");
    expect_finding(f, "virtualised", XB_FITNESS_NOTE, "unnamed hypervisor", "steal_ns");
    expect_finding(f, "governor", XB_FITNESS_WARN, "powersave", "cpupower");
    expect_finding(f, "turbo", XB_FITNESS_NOTE, "on", "no_turbo");
    expect_finding(f, "CPU quota", XB_FITNESS_WARN, "0.50 cores", "even one busy worker");
    expect_finding(f, "CPUs allowed", XB_FITNESS_NOTE, "2-3", "0-7");
    expect_finding(f, "clock source", XB_FITNESS_WARN, "hpet", "echo tsc");
    expect_finding(f, "io_uring", XB_FITNESS_WARN, "switched off", "io_uring_disabled=0");
    expect_finding(f, "huge pages", XB_FITNESS_OK, "madvise", "");
    expect_finding(f, "PMU", XB_FITNESS_NOTE, "none", "pmu=on");
    expect_finding(f, "perf_event_paranoid", XB_FITNESS_WARN, "3", "perf_event_paranoid=2");
    XB_EXPECT_HAS(find(f, "memory")->value, "1 GiB (cgroup limit) of 7.629 GiB");
    free(f);
}

XB_TEST(Fitness, OfAContainerOnARealMachineKnowsThatThePmuIsReal)
{
    struct xb_machine m = read_machine("machine_cgroup1");
    struct xb_findings *f = judge(&m, EIGHT);
    expect_finding(f, "virtualised", XB_FITNESS_OK, "docker container", "");
    expect_finding(f, "PMU", XB_FITNESS_OK, "armv8_pmuv3_0", "");
    expect_finding(f, "CPU quota", find(f, "CPU quota")->state, "1.50 cores", "");
    expect_finding(f, "governor", XB_FITNESS_NOTE, "not visible", "firmware");
    free(f);
}

XB_TEST(Fitness, WhatCannotBeSeenIsNeverFine)
{
    struct xb_machine m = read_machine("no_such_machine");
    static const char *const unseen[] = { "model",      "virtualised",  "governor",
                                          "turbo",      "CPUs allowed", "load",
                                          "huge pages", "clock source", "perf_event_paranoid" };
    struct xb_findings *f = judge(&m, EIGHT);
    for (size_t i = 0; i < sizeof unseen / sizeof unseen[0]; i++)
        expect_finding(f, unseen[i], XB_FITNESS_NOTE, "not visible", "");
    free(f);
}

XB_TEST(Fitness, EveryFindingThatIsNotFineHasARemedyAndTheOthersNone)
{
    static const char *const names[] = { "machine_cgroup1", "machine_cgroup2",
                                         "machine_cgroup_hybrid", "no_such_machine" };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct xb_machine m = read_machine(names[i]);
        struct xb_findings *f = judge(&m, EIGHT);
        for (size_t k = 0; k < f->n; k++) {
            const struct xb_finding *finding = &f->list[k];
            if ((finding->state == XB_FITNESS_OK) != !finding->remedy[0])
                XB_FAIL("%s: %s is %d and advises '%s'", names[i], finding->name,
                        (int)finding->state, finding->remedy);
            XB_EXPECT(finding->group[0] && finding->value[0]);
        }
        free(f);
    }
}

/* All that a tuned machine of one's own says. */
static struct xb_machine tuned(void)
{
    struct xb_machine m = {
        .cpu_model = "Quick One",
        .virtualisation = "none",
        .governor = "performance",
        .turbo = "off",
        .thp = "madvise",
        .cpuset = "0-7",
        .cpus_online = "0-7",
        .pmu = "cpu",
        .clocksource = "tsc",
        .cpu_quota = -1,
        .perf_event_paranoid = 2,
        .io_uring_disabled = -1,
        .load_1min = 0.1,
        .memory_limit_bytes = -1,
        .memory_total_bytes = INT64_C(64) << 30,
        .open_files_limit = 65536,
        .processes_limit = -1,
    };
    return m;
}

XB_TEST(Fitness, ATunedMachineHasNothingToDoButItsTopology)
{
    struct xb_machine m = tuned();
    struct xb_findings *f = judge(&m, EIGHT);
    for (size_t i = 0; i < f->n; i++) {
        const char *name = f->list[i].name;
        /* These are read from the topology, which a build without hwloc takes from this machine. */
        if (strcmp(name, "topology") == 0 || strcmp(name, "caches claimed") == 0 ||
            strcmp(name, "SMT") == 0 || strcmp(name, "memory") == 0)
            continue;
        expect_finding(f, name, XB_FITNESS_OK, "", "");
    }
    free(f);
}

XB_TEST(Fitness, LoadIsJudgedByTheNumberOfCpus)
{
    static const struct {
        double share;
        enum xb_fitness state;
    } table[] = { { 0.2, XB_FITNESS_OK }, { 0.5, XB_FITNESS_NOTE }, { 0.9, XB_FITNESS_WARN } };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct xb_topology *topology;
        struct xb_reason why;
        struct xb_findings f = { 0 };
        struct xb_machine m = tuned();
        XB_EXPECT_EQ(xb_topology_open(NULL, &topology, &why), 0);
        m.load_1min = table[i].share * xb_topology_pus(topology);
        xb_fitness_judge(&m, topology, &f);
        XB_EXPECT_EQ(find(&f, "load")->state, table[i].state);
        xb_topology_close(topology);
    }
}

XB_TEST(Fitness, LimitsOnFilesAndProcessesAreNoted)
{
    struct xb_machine m = tuned();
    m.open_files_limit = 1024;
    m.processes_limit = 100;
    struct xb_findings *f = judge(&m, EIGHT);
    expect_finding(f, "open files", XB_FITNESS_NOTE, "1024", "ulimit -n");
    expect_finding(f, "processes", XB_FITNESS_NOTE, "100", "ulimit -u");
    free(f);
}

XB_TEST(Fitness, MoreFindingsThanPlacesOverwriteTheLast)
{
    struct xb_findings f = { 0 };
    size_t room = sizeof f.list / sizeof f.list[0];
    for (size_t i = 0; i < room + 3; i++)
        xb_finding_add(&f, "group", "name", "%zu", i);
    XB_EXPECT_EQ(f.n, room);
    XB_EXPECT_STREQ(f.list[0].value, "0");
    XB_EXPECT_EQ(strtoul(f.list[room - 1].value, NULL, 10), room + 2);
}
