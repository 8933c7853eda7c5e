/* SPDX-License-Identifier: BSD-3-Clause
 * Reads /proc. */
#include "footprint.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* For the errors of footprint.h: 1 MB over 16 KiB; 125 pages of 4 KiB over 1 KiB. */
enum { RESIDENT_WORKERS = 64, KERNEL_WORKERS_PER_CPU = 500 };

/* smaps_rollup, status and meminfo all fit. */
enum { TEXT_BYTES = 8192 };

/* One read, as the kernel makes the whole text anew for each. */
static bool slurp(const char *path, char text[static TEXT_BYTES])
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t n = read(fd, text, TEXT_BYTES - 1);
    close(fd);
    text[n > 0 ? n : 0] = '\0';
    return n > 0;
}

/* The value of a line "KEY:   123 kB", in bytes; negative when there is none. `key`: with the line end
 * before it and the colon. */
static int64_t bytes_of(const char *text, const char *key)
{
    int64_t kib;
    const char *at = strstr(text, key);
    if (!at || sscanf(at + strlen(key), "%" SCNd64, &kib) != 1)
        return -1;
    return kib * 1024;
}

/* Negative if either is. */
static int64_t sum(int64_t a, int64_t b)
{
    return a < 0 || b < 0 ? -1 : a + b;
}

void xb_footprint_read(const pid_t *pids, size_t n, bool kernel, struct xb_footprint *out)
{
    char path[64], text[TEXT_BYTES];
    *out = (struct xb_footprint){ .resident = 0, .kernel = kernel ? 0 : -1 };
    for (size_t i = 0; i < n; i++) {
        snprintf(path, sizeof path, "/proc/%ld/smaps_rollup", (long)pids[i]);
        int64_t resident = -1, tables = -1;
        if (slurp(path, text))
            resident = sum(bytes_of(text, "\nPss_Anon:"), bytes_of(text, "\nPss_Shmem:"));
        out->resident = sum(out->resident, resident);
        snprintf(path, sizeof path, "/proc/%ld/status", (long)pids[i]);
        if (kernel && slurp(path, text))
            tables = bytes_of(text, "\nVmPTE:");
        out->kernel = sum(out->kernel, tables);
    }
    if (!kernel || !slurp("/proc/meminfo", text))
        out->kernel = -1;
    else
        out->kernel = sum(out->kernel,
                          sum(bytes_of(text, "\nKernelStack:"), bytes_of(text, "\nSUnreclaim:")));
}

bool xb_footprint_tells_resident(uint32_t workers)
{
    return workers >= RESIDENT_WORKERS;
}

bool xb_footprint_tells_kernel(uint32_t workers, uint32_t lanes, uint32_t pus)
{
    return workers / (lanes < pus ? lanes : pus) >= KERNEL_WORKERS_PER_CPU;
}
