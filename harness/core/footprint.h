/* What workers cost in memory by existing: read before there is any, and when all are there. */
#ifndef XB_CORE_FOOTPRINT_H
#define XB_CORE_FOOTPRINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* In bytes; negative where it was not told. */
struct xb_footprint {
    int64_t resident; /* anonymous and shared pages, each divided by the processes that map it */
    int64_t kernel;   /* page tables of the processes; the machine's kernel stacks and slabs */
};

/* Adds up `n` >= 1 processes. `kernel`: whether to read that at all.
 *
 * resident: Pss_Anon + Pss_Shmem of /proc/PID/smaps_rollup (Linux 5.4). Pages of files are left out:
 * the page cache has them anyway. Where pages are shared with a process that is not among `pids`,
 * more workers take over more of its share: up to what a process of ours has at first (about 1 MB),
 * once for all workers.
 * kernel: VmPTE of /proc/PID/status, exact, and KernelStack and SUnreclaim of /proc/meminfo, since no
 * process is told its own slabs (task_struct, VMAs, descriptors). These are the whole machine's, and
 * late by up to 125 pages for each CPU (mm/vmstat.c, calculate_normal_threshold()).
 * Source: proc(5); filesystems/proc.rst of the kernel. */
void xb_footprint_read(const pid_t *pids, size_t n, bool kernel, struct xb_footprint *out);

/* Whether so many workers on so many lanes stand out of what is not exact above, by 16 KiB each of
 * resident memory at least, and by 1 KiB of the kernel's. */
bool xb_footprint_tells_resident(uint32_t workers);
bool xb_footprint_tells_kernel(uint32_t workers, uint32_t lanes, uint32_t pus);

#endif
