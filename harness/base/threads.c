/* SPDX-License-Identifier: BSD-3-Clause
 * Visits threads by /proc. */
#include "threads.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

enum { ROUNDS = 8 }; /* of looking for new ones */

static int visit_tree(pid_t pid, int (*visit)(void *context, pid_t tid), void *context)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
    DIR *tasks = opendir(path);
    if (!tasks)
        return errno == ENOENT ? -ESRCH : -errno;
    int err = 0, found = 0;
    for (struct dirent *entry; !err && (entry = readdir(tasks));) {
        pid_t tid = (pid_t)strtol(entry->d_name, NULL, 10);
        if (tid <= 0)
            continue;
        int got = visit(context, tid);
        found += got > 0;
        err = got < 0 && (got != -ESRCH || tid == pid) ? got : 0;
        snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)pid, (int)tid);
        FILE *children = fopen(path, "re");
        int child;
        while (!err && children && fscanf(children, "%d", &child) == 1) {
            got = visit_tree(child, visit, context);
            found += got > 0 ? got : 0;
            if (got < 0 && got != -ESRCH && got != -EACCES) /* gone; or setuid, and not ours */
                err = got;
        }
        if (children)
            fclose(children);
    }
    closedir(tasks);
    return err ? err : found;
}

int xb_threads_visit(pid_t pid, int (*visit)(void *context, pid_t tid), void *context)
{
    int found = 0;
    for (int round = 0; round < ROUNDS; round++) {
        int got = visit_tree(pid, visit, context);
        if (got < 0)
            return got;
        found += got;
        if (!got)
            break;
    }
    return found;
}

void xb_threads_raise_file_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}
