/* Facts about this machine that decide whether it is fit to measure on, read from the kernel's
 * files and from no library. `doctor` judges them, provenance records them. */
#ifndef XB_CORE_MACHINE_H
#define XB_CORE_MACHINE_H

#include <stdint.h>

#define XB_FACT_BYTES 160

/* Each text is "" when this kernel or container does not say. Numbers: negative when unknown. */
struct xb_machine {
    char cpu_model[XB_FACT_BYTES];      /* /proc/cpuinfo */
    char microcode[XB_FACT_BYTES];      /* the same */
    char kernel[XB_FACT_BYTES];         /* uname -r and architecture */
    char libc[XB_FACT_BYTES];           /* gnu_get_libc_version() */
    char distribution[XB_FACT_BYTES];   /* PRETTY_NAME of /etc/os-release */
    char virtualisation[XB_FACT_BYTES]; /* "none", or the hypervisor's or container's name */
    char governor[XB_FACT_BYTES];       /* cpufreq policy of CPU 0 */
    char turbo[XB_FACT_BYTES];          /* "on", "off" */
    char smt[XB_FACT_BYTES];            /* /sys/devices/system/cpu/smt/control */
    char thp[XB_FACT_BYTES];            /* always, madvise or never */
    char cpuset[XB_FACT_BYTES];         /* CPUs this process may use, as a list: "0-1" */
    char cpus_online[XB_FACT_BYTES];    /* CPUs of the machine, the same way */
    char pmu[XB_FACT_BYTES];            /* the kernel's core PMU drivers: "cpu"; or "none" */
    char aslr[XB_FACT_BYTES];           /* randomize_va_space */
    char clocksource[XB_FACT_BYTES];    /* "tsc", "kvm-clock", ... */
    char boot_id[XB_FACT_BYTES];        /* drawn by chance at each boot, the same in containers */
    double cpu_quota;                   /* cores the cgroup grants; negative: no quota */
    int perf_event_paranoid;            /* -1 .. 4; INT_MIN when there is no such file */
    int io_uring_disabled;              /* sysctl: 0 open, 1 privileged, 2 off; -1: no sysctl */
    double load_1min;
    int64_t memory_limit_bytes; /* of the cgroup; negative: none */
    int64_t memory_total_bytes;
    int64_t open_files_limit; /* RLIMIT_NOFILE soft */
    int64_t processes_limit;  /* RLIMIT_NPROC soft; negative: unlimited */
};

/* Reads all that can be read. `root` is put before every absolute path ("" for this machine; a
 * folder with recorded files in tests). Never fails: what is missing stays unknown. */
void xb_machine_read(const char *root, struct xb_machine *out);

#endif
