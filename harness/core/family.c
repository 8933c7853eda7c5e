/* SPDX-License-Identifier: BSD-3-Clause
 * Walks down from a process over /proc/PID/task/TID/children. */
#include "family.h"

#include "../base/procfs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A walk over processes is over in the order it began with, mostly that of the walk before: `hint`
 * is where to look first. Returns its index, or n. */
static size_t find(const struct xb_process *processes, size_t n, pid_t pid, size_t hint)
{
    for (size_t i = 0; i < n; i++) {
        size_t at = (hint + i) % n;
        if (processes[at].pid == pid)
            return at;
    }
    return n;
}

static void add_process(struct xb_family *family, pid_t pid)
{
    /* Down from the root each is met once, as each has one parent; from orphans some are not. */
    if (family->adrift &&
        find(family->processes, family->n_processes, pid, 0) < family->n_processes)
        return;
    if (family->n_processes == XB_FAMILY_THREADS) {
        family->left_out = true;
        return;
    }
    struct xb_process *process = &family->processes[family->n_processes++];
    size_t at = find(family->last, family->n_last, pid, family->n_processes - 1);
    process->pid = pid;
    process->cpu_ns = xb_proc_cpu_ns(pid);
    if (at < family->n_last && process->cpu_ns < family->last[at].cpu_ns)
        process->cpu_ns = family->last[at].cpu_ns; /* a zombie's clock is gone */
}

/* Adds the children that a thread has, whatever their number. */
static void add_children(struct xb_family *family, int task_dir, const char *tid)
{
    char path[32], text[4096];
    pid_t pid = 0, self = getpid();
    ssize_t n;
    snprintf(path, sizeof path, "%.16s/children", tid);
    int fd = openat(task_dir, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    while ((n = read(fd, text, sizeof text)) > 0)
        for (ssize_t i = 0; i < n; i++) {
            if (text[i] >= '0' && text[i] <= '9') {
                pid = 10 * pid + (text[i] - '0');
                continue;
            }
            if (pid > 0 && pid != self) /* we may be a child of the shell that we watch */
                add_process(family, pid);
            pid = 0;
        }
    close(fd);
}

/* Adds its threads, if `pid` is to be watched, and its children. */
static void visit(struct xb_family *family, pid_t pid, bool watched)
{
    char path[32];
    snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
    DIR *dir = opendir(path);
    if (!dir)
        return;
    for (struct dirent *entry; (entry = readdir(dir));) {
        pid_t tid = (pid_t)strtol(entry->d_name, NULL, 10);
        if (tid <= 0)
            continue;
        if (watched && family->n_tasks < XB_FAMILY_THREADS)
            family->tasks[family->n_tasks++] = (struct xb_task){ pid, tid };
        else if (watched)
            family->left_out = true;
        add_children(family, dirfd(dir), entry->d_name);
    }
    closedir(dir);
}

/* Those that the walk from the root did not come by: their parents have died, or they are dead. */
static void add_orphans(struct xb_family *family)
{
    size_t found = family->n_processes;
    for (size_t i = 0; i < family->n_last; i++) {
        const struct xb_process *one = &family->last[i];
        if (find(family->processes, family->n_processes, one->pid, i) < family->n_processes)
            continue;
        bool dead = family->root_gone && one->pid == family->root;
        if (!dead && (kill(one->pid, 0) == 0 || errno == EPERM))
            add_process(family, one->pid);
        else
            family->gone_ns += one->cpu_ns;
    }
    family->adrift = true;
    for (size_t i = found; i < family->n_processes; i++)
        visit(family, family->processes[i].pid, true);
    family->adrift = false;
}

void xb_family_look(struct xb_family *family)
{
    struct xb_process *swap = family->last;
    family->last = family->processes;
    family->n_last = family->n_processes;
    family->processes = swap;
    family->n_processes = family->n_tasks = 0;
    if (family->ours)
        visit(family, getpid(), false);
    else if (!family->root_gone && (kill(family->root, 0) == 0 || errno == EPERM))
        add_process(family, family->root);
    for (size_t i = 0; i < family->n_processes; i++) /* which grows meanwhile */
        visit(family, family->processes[i].pid, true);
    add_orphans(family);
    if (family->n_tasks > family->most_tasks)
        family->most_tasks = family->n_tasks;
    if (family->n_processes > family->most_processes)
        family->most_processes = family->n_processes;
}

uint64_t xb_family_cpu_ns(const struct xb_family *family)
{
    uint64_t all_ns = family->gone_ns;
    for (size_t i = 0; i < family->n_processes; i++)
        all_ns += family->processes[i].cpu_ns;
    return all_ns - family->before_ns;
}

void xb_family_kill(const struct xb_family *family, int number)
{
    for (size_t i = 0; i < family->n_processes; i++)
        kill(family->processes[i].pid, number);
}

int xb_family_open(struct xb_family *family, pid_t root, bool ours, struct xb_reason *why)
{
    *family = (struct xb_family){ .root = root, .ours = ours };
    family->tasks = calloc(XB_FAMILY_THREADS, sizeof *family->tasks);
    family->processes = calloc(XB_FAMILY_THREADS, sizeof *family->processes);
    family->last = calloc(XB_FAMILY_THREADS, sizeof *family->last);
    if (!family->tasks || !family->processes || !family->last)
        return xb_because(why, -ENOMEM, "out of memory");
    char path[64];
    snprintf(path, sizeof path, "/proc/self/task/%d/children", (int)getpid());
    if (access(path, R_OK) != 0)
        return xb_because(
            why, -ENOTSUP,
            "this kernel does not tell of children (%s): it needs CONFIG_PROC_CHILDREN "
            "and a mounted /proc",
            path);
    xb_family_look(family);
    for (size_t i = 0; i < family->n_processes; i++)
        family->before_ns += family->processes[i].cpu_ns;
    return 0;
}

void xb_family_close(struct xb_family *family)
{
    free(family->tasks);
    free(family->processes);
    free(family->last);
    *family = (struct xb_family){ 0 };
}
