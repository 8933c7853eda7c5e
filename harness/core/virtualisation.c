/* SPDX-License-Identifier: BSD-3-Clause
 * Finds out who runs below this system: a hypervisor, a container manager or nobody. */
#include "virtualisation.h"

#include "../base/rooted.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#if defined(__x86_64__) || defined(__i386__)
#    include <cpuid.h>
#endif

static void copy(char fact[static XB_FACT_BYTES], const char *text)
{
    snprintf(fact, XB_FACT_BYTES, "%s", text);
}

static void read_fact(const char *root, const char *path, char fact[static XB_FACT_BYTES])
{
    xb_rooted_text(root, path, fact, XB_FACT_BYTES);
}

/* Asks the processor. True when it answered, with "" in `name` when nobody is below us. */
static bool ask_cpuid(char name[static XB_FACT_BYTES])
{
#if defined(__x86_64__) || defined(__i386__)
    /* Signatures as in Linux's arch/x86/kernel/cpu and systemd's virt.c. */
    static const struct {
        char signature[13];
        const char *name;
    } known[] = {
        { "KVMKVMKVM", "KVM" },      { "VMwareVMware", "VMware" }, { "Microsoft Hv", "Hyper-V" },
        { "XenVMMXenVMM", "Xen" },   { "TCGTCGTCGTCG", "QEMU" },   { "VBoxVBoxVBox", "VirtualBox" },
        { "bhyve bhyve ", "bhyve" }, { "ACRNACRNACRN", "ACRN" },   { " lrpepyh vr", "Parallels" },
    };
    unsigned int a, b, c, d;
    if (!__get_cpuid(1, &a, &b, &c, &d))
        return false;
    name[0] = 0;
    if (!(c & (1u << 31)))
        return true;
    /* Leaves from 0x40000000 belong to the hypervisor; __get_cpuid would hold them against the
     * processor's own highest leaf. */
    __cpuid(0x40000000, a, b, c, d);
    char signature[13] = { 0 };
    memcpy(signature, &b, 4);
    memcpy(signature + 4, &c, 4);
    memcpy(signature + 8, &d, 4);
    for (char *at = signature; *at; at++)
        if (!isprint((unsigned char)*at))
            *at = '?';
    copy(name, signature[0] ? signature : "unnamed hypervisor");
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (strcmp(signature, known[i].signature) == 0)
            copy(name, known[i].name);
    return true;
#else
    (void)name;
    return false;
#endif
}

/* Looks for firmware that only virtual machines have. True when there was something to look at,
 * with "" in `name` when it is a real machine's. */
static bool ask_firmware(const char *root, char name[static XB_FACT_BYTES])
{
    static const struct {
        const char *vendor, *name;
    } known[] = {
        { "QEMU", "QEMU" },
        { "Amazon EC2", "Amazon EC2" },
        { "Google", "Google Compute Engine" },
        { "VMware", "VMware" },
        { "innotek", "VirtualBox" },
        { "Xen", "Xen" },
        { "Parallels", "Parallels" },
        { "DigitalOcean", "DigitalOcean" },
        { "OpenStack", "OpenStack" },
    };
    char vendor[XB_FACT_BYTES], product[XB_FACT_BYTES], type[XB_FACT_BYTES], flags[XB_FACT_BYTES];
    name[0] = 0;
    read_fact(root, "/sys/hypervisor/type", type);
    read_fact(root, "/sys/class/dmi/id/sys_vendor", vendor);
    read_fact(root, "/sys/class/dmi/id/product_name", product);
    if (type[0])
        copy(name, type);
    else if (strncmp(vendor, "Microsoft", 9) == 0 && strcmp(product, "Virtual Machine") == 0)
        copy(name, "Hyper-V");
    /* Amazon's bare-metal instances are named like "c6g.metal". */
    for (size_t i = 0; i < sizeof known / sizeof known[0] && !name[0]; i++)
        if (strncmp(vendor, known[i].vendor, strlen(known[i].vendor)) == 0 &&
            !strstr(product, ".metal"))
            copy(name, known[i].name);

    bool x86 = xb_rooted_value(root, "/proc/cpuinfo", "flags", ':', flags, XB_FACT_BYTES);
    return name[0] || vendor[0] || x86;
}

/* The flags line of /proc/cpuinfo is longer than a fact, so it is searched where it lies. */
static bool has_hypervisor_flag(const char *root)
{
    char *line = NULL;
    size_t room = 0;
    bool found = false;
    FILE *file = xb_rooted_open(root, "/proc/cpuinfo");
    while (file && !found && getline(&line, &room, file) > 0)
        found = strncmp(line, "flags", 5) == 0 && strstr(line, " hypervisor");
    free(line);
    if (file)
        fclose(file);
    return found;
}

/* Names the container manager; "" outside a container, as far as can be seen. */
static void find_container(const char *root, char name[static XB_FACT_BYTES])
{
    char environment[4096];
    read_fact(root, "/run/systemd/container", name);
    FILE *file = xb_rooted_open(root, "/proc/1/environ"); /* for root only */
    if (file) {
        size_t length = fread(environment, 1, sizeof environment - 1, file);
        environment[length] = 0;
        for (char *at = environment; at < environment + length; at += strlen(at) + 1)
            if (strncmp(at, "container=", 10) == 0 && at[10])
                copy(name, at + 10);
        fclose(file);
    }
    static const char *const marks[][2] = { { "/run/.containerenv", "podman" },
                                            { "/.dockerenv", "docker" } };
    for (size_t i = 0; i < sizeof marks / sizeof marks[0] && !name[0]; i++)
        if ((file = xb_rooted_open(root, marks[i][0]))) {
            copy(name, marks[i][1]);
            fclose(file);
        }
}

void xb_virtualisation(const char *root, char fact[static XB_FACT_BYTES])
{
    char machine[XB_FACT_BYTES] = "", container[XB_FACT_BYTES] = "";
    /* A recorded machine's processor cannot be asked any more. */
    bool known = !root[0] && ask_cpuid(machine);
    if (!known) {
        known = ask_firmware(root, machine);
        if (!machine[0] && has_hypervisor_flag(root))
            copy(machine, "unnamed hypervisor");
    }
    find_container(root, container);
    if (container[0])
        snprintf(fact, XB_FACT_BYTES, "%.70s%s%.60s container", machine, machine[0] ? ", " : "",
                 container);
    else
        copy(fact, machine[0] ? machine : known ? "none" : "");
}
