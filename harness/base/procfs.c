/* SPDX-License-Identifier: BSD-3-Clause
 * Reads files of /proc, and takes the text of some apart. */
#include "procfs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

int xb_proc_open(pid_t pid, pid_t tid, const char *name)
{
    char path[96];
    if (tid)
        snprintf(path, sizeof path, "/proc/%d/task/%d/%s", (int)pid, (int)tid, name);
    else
        snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    return file >= 0 ? file : -errno;
}

ssize_t xb_proc_read(int file, char *text, size_t room)
{
    ssize_t length = pread(file, text, room - 1, 0);
    if (length < 0)
        return -errno;
    text[length] = 0;
    return length;
}

ssize_t xb_proc_text(pid_t pid, pid_t tid, const char *name, char *text, size_t room)
{
    int file = xb_proc_open(pid, tid, name);
    if (file < 0)
        return file;
    ssize_t length = xb_proc_read(file, text, room);
    close(file);
    return length;
}

uint64_t xb_proc_cpu_ns(pid_t pid)
{
    clockid_t clock;
    struct timespec used;
    if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &used) != 0)
        return 0;
    return (uint64_t)used.tv_sec * 1000000000 + (uint64_t)used.tv_nsec;
}

bool xb_proc_parse_stat(const char *text, struct xb_proc_stat *out)
{
    enum {
        STATE = 3,
        PPID = 4,
        MINFLT = 10,
        UTIME = 14,
        START = 22,
        VSIZE = 23,
        RSS = 24,
        CPU = 39
    };
    const char *at = strrchr(text, ')');
    if (!at || at[1] != ' ' || !at[2])
        return false;
    uint64_t field[CPU + 1] = { 0 };
    out->state = at[2];
    out->cpu = -1;
    at += 3;
    for (int i = STATE + 1; i <= CPU; i++) {
        char *end;
        /* Some are negative; none of those is wanted. */
        field[i] = strtoull(at, &end, 10);
        if (end == at && i <= RSS)
            return false;
        if (end != at && i == CPU)
            out->cpu = (int)field[CPU];
        at = end;
    }
    out->parent = (pid_t)field[PPID];
    out->minor_faults = field[MINFLT];
    out->child_minor_faults = field[MINFLT + 1];
    out->major_faults = field[MINFLT + 2];
    out->child_major_faults = field[MINFLT + 3];
    out->user_ticks = field[UTIME];
    out->kernel_ticks = field[UTIME + 1];
    out->child_user_ticks = field[UTIME + 2];
    out->child_kernel_ticks = field[UTIME + 3];
    out->start_ticks = field[START];
    out->mapped_bytes = field[VSIZE];
    out->rss_pages = field[RSS];
    return true;
}

bool xb_proc_parse_waits(const char *text, uint64_t *out)
{
    static const char name[] = "\nvoluntary_ctxt_switches:"; /* there are nonvoluntary ones, too */
    const char *at = strstr(text, name);
    unsigned long long n;
    if (!at || sscanf(at + sizeof name - 1, "%llu", &n) != 1)
        return false;
    *out = n;
    return true;
}

bool xb_proc_parse_sched(const char *text, struct xb_proc_sched *out)
{
    uint64_t *const field[] = { &out->run_ns, &out->delay_ns, &out->runs };
    for (int i = 0; i < 3; i++) {
        char *end;
        *field[i] = strtoull(text, &end, 10);
        if (end == text)
            return false;
        text = end;
    }
    return true;
}

bool xb_proc_parse_exec(const char *text, uint64_t *out)
{
    static const char name[] = "\nse.exec_start";
    const char *at = strstr(text, name);
    unsigned long long ms;
    unsigned ns; /* six digits: of a ms */
    if (!at || sscanf(at + sizeof name - 1, " : %llu.%6u", &ms, &ns) != 2)
        return false;
    *out = ms * 1000000 + ns;
    return true;
}

/* The number behind `name` at the beginning of a line; 0 without. */
static uint64_t value_of(const char *text, const char *name)
{
    size_t length = strlen(name);
    for (const char *line = text; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, name, length) == 0)
            return strtoull(line + length, NULL, 10);
    }
    return 0;
}

bool xb_proc_parse_io(const char *text, struct xb_proc_io *out)
{
    if (strncmp(text, "rchar: ", 7) != 0)
        return false;
    out->bytes = value_of(text, "rchar: ") + value_of(text, "wchar: ");
    out->calls = value_of(text, "syscr: ") + value_of(text, "syscw: ");
    out->storage_bytes = value_of(text, "read_bytes: ") + value_of(text, "write_bytes: ");
    return true;
}
