/* SPDX-License-Identifier: BSD-3-Clause
 * Limits the memory of a cell's processes.
 *
 * A control group is wanted because it counts what a process really occupies, its page cache too,
 * and makes the kernel reclaim that: so a working set can outgrow it and still be worked on.
 * RLIMIT_AS is for those who may not make groups. It counts addresses, so it is taken on top of
 * what the process already has: sanitizers reserve terabytes, and threads' stacks count in full.
 * RLIMIT_DATA was no way out, since it leaves out mapped files. */
#include "limit.h"

#include "../base/clock.h"
#include "../base/rooted.h"
#include "../base/units.h"
#include "cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* A killed process leaves its group when it is torn down, which takes as long as giving back its
 * memory, and longer where it waits for a device. */
#define LEAVE_NS UINT64_C(10000000000)

#define GROUP_PREFIX "xbound-"

const char *xb_limit_way_name(enum xb_limit_way way)
{
    static const char *const names[XB_LIMIT_WAYS] = { [XB_LIMIT_CGROUP2] = "cgroup2",
                                                      [XB_LIMIT_CGROUP1] = "cgroup1",
                                                      [XB_LIMIT_RLIMIT_AS] = "rlimit_as" };
    return names[way];
}

/* ---- control groups ---- */

/* A control file is written whole or not at all. 0 or -errno. */
static int put(const char *group, const char *file, const char *text)
{
    char path[PATH_MAX + 64];
    snprintf(path, sizeof path, "%s/%s", group, file);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    int err = write(fd, text, strlen(text)) < 0 ? -errno : 0;
    close(fd);
    return err;
}

static int put_bytes(const char *group, const char *file, uint64_t bytes)
{
    char text[32];
    snprintf(text, sizeof text, "%" PRIu64, bytes);
    return put(group, file, text);
}

/* Whether a control file of one line has that word. */
static bool has_word(const char *group, const char *file, const char *word)
{
    char path[PATH_MAX + 64], text[1024];
    snprintf(path, sizeof path, "%s/%s", group, file);
    xb_rooted_text("", path, text, sizeof text);
    for (char *save = NULL, *at = strtok_r(text, " ", &save); at; at = strtok_r(NULL, " ", &save))
        if (strcmp(at, word) == 0)
            return true;
    return false;
}

/* Whether a version 2 group holds its members to less than its parent does: to be put beside it
 * would free them. A missing file, as in the root, limits nothing. */
static bool restrains(const char *group)
{
    static const struct {
        const char *file, *free;
    } limits[] = { { "cpu.max", "max" }, { "memory.max", "max" }, { "cpuset.cpus", "" } };
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        char path[PATH_MAX + 64], text[256];
        snprintf(path, sizeof path, "%s/%s", group, limits[i].file);
        if (xb_rooted_text("", path, text, sizeof text) >= 0 &&
            strncmp(text, limits[i].free, strlen(limits[i].free) + !limits[i].free[0]) != 0)
            return true;
    }
    return false;
}

/* Where a version 2 group with a memory controller can be made: below our own group, or, as one
 * with processes in it gives its children no controllers (but for the root; cgroup-v2.rst, "No
 * Internal Process Constraint"), beside it. */
static int find_home2(char home[static PATH_MAX], struct xb_reason *why)
{
    if (xb_cgroup_memory_folder("", 2, home) != 0)
        return xb_because(why, -ENOENT, "no cgroup version 2");
    if (!has_word(home, "cgroup.controllers", "memory"))
        return xb_because(why, -ENOTSUP, "version 2 has no memory controller here");
    if (has_word(home, "cgroup.subtree_control", "memory"))
        return 0;
    char *slash = strrchr(home, '/');
    bool held = restrains(home);
    if (slash)
        *slash = '\0';
    if (!slash || !has_word(home, "cgroup.subtree_control", "memory"))
        return xb_because(why, -EBUSY, "version 2 gives groups below ours no memory controller");
    if (held)
        return xb_because(why, -EBUSY, "a version 2 group beside ours would escape its limits");
    return 0;
}

static int find_home1(char home[static PATH_MAX], struct xb_reason *why)
{
    if (xb_cgroup_memory_folder("", 1, home) != 0)
        return xb_because(why, -ENOENT, "no cgroup version 1 with a memory controller");
    return 0;
}

/* Groups of runs that were killed outright, which nobody else removes. */
static void sweep(const char *home)
{
    DIR *dir = opendir(home);
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        char *end, path[PATH_MAX + 256 + 2];
        if (strncmp(entry->d_name, GROUP_PREFIX, strlen(GROUP_PREFIX)) != 0)
            continue;
        long pid = strtol(entry->d_name + strlen(GROUP_PREFIX), &end, 10);
        snprintf(path, sizeof path, "%s/%s", home, entry->d_name);
        if (pid > 0 && !*end && kill((pid_t)pid, 0) != 0 && errno == ESRCH)
            rmdir(path);
    }
    if (dir)
        closedir(dir);
}

/* Without swap, because what is swapped out would be worked on as slowly as what is reclaimed, but
 * for kernels that never asked for it; where swap is not accounted for there is no such file. */
static int set_group(const struct xb_limit *limit)
{
    if (limit->by == XB_LIMIT_CGROUP2) {
        put(limit->group, "memory.swap.max", "0");
        return put_bytes(limit->group, "memory.max", limit->bytes);
    }
    int err = put_bytes(limit->group, "memory.limit_in_bytes", limit->bytes);
    if (!err) /* memory and swap together */
        put_bytes(limit->group, "memory.memsw.limit_in_bytes", limit->bytes);
    return err;
}

static void kill_members(const char *group)
{
    char path[PATH_MAX + 64];
    snprintf(path, sizeof path, "%s/cgroup.procs", group);
    FILE *file = xb_rooted_open("", path);
    for (int pid; file && fscanf(file, "%d", &pid) == 1;)
        if (pid > 0 && pid != getpid()) /* 0: outside our pid namespace */
            kill(pid, SIGKILL);
    if (file)
        fclose(file);
}

bool xb_limit_killed(const struct xb_limit *limit)
{
    char path[PATH_MAX + 64], text[64] = "";
    if (limit->by == XB_LIMIT_RLIMIT_AS)
        return false;
    /* "oom_kill 1" in both files. */
    snprintf(path, sizeof path, "%s/%s", limit->group,
             limit->by == XB_LIMIT_CGROUP2 ? "memory.events" : "memory.oom_control");
    FILE *file = xb_rooted_open("", path);
    unsigned long killed = 0;
    while (file && fgets(text, sizeof text, file))
        if (sscanf(text, "oom_kill %lu", &killed) == 1)
            break;
    if (file)
        fclose(file);
    return killed > 0;
}

/* ---- around a cell ---- */

int xb_limit_begin(const struct xb_limit *limit, struct xb_reason *why)
{
    if (limit->by == XB_LIMIT_RLIMIT_AS)
        return 0;
    int err = mkdir(limit->group, 0755) ? -errno : 0;
    if (err)
        return xb_because(why, err, "making %s: %s", limit->group, strerror(-err));
    err = set_group(limit);
    if (err) {
        rmdir(limit->group);
        return xb_because(why, err, "limiting %s: %s", limit->group, strerror(-err));
    }
    return 0;
}

/* Address space of this process, in bytes; 0 where /proc does not tell. */
static uint64_t address_space(void)
{
    char text[256];
    uint64_t pages;
    if (xb_rooted_text("", "/proc/self/statm", text, sizeof text) <= 0 ||
        sscanf(text, "%" SCNu64, &pages) != 1)
        return 0;
    return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

int xb_limit_enter(const struct xb_limit *limit, struct xb_reason *why)
{
    if (limit->by != XB_LIMIT_RLIMIT_AS) {
        int err = put(limit->group, "cgroup.procs", "0");
        if (err)
            return xb_because(why, err, "entering %s: %s", limit->group, strerror(-err));
        return 0;
    }
    uint64_t born_with = address_space();
    struct rlimit space;
    if (!born_with)
        return xb_because(why, -ENOENT, "/proc does not tell the address space in use");
    if (getrlimit(RLIMIT_AS, &space) != 0)
        return xb_because(why, -errno, "RLIMIT_AS: %s", strerror(errno));
    if (space.rlim_cur < born_with + limit->bytes)
        return xb_because(why, -ERANGE, "ulimit -v leaves less than the limit");
    space.rlim_cur = born_with + limit->bytes;
    if (setrlimit(RLIMIT_AS, &space) != 0)
        return xb_because(why, -errno, "RLIMIT_AS: %s", strerror(errno));
    return 0;
}

int xb_limit_end(const struct xb_limit *limit, struct xb_reason *why)
{
    uint64_t deadline_ns = xb_now_ns() + LEAVE_NS;
    if (limit->by == XB_LIMIT_RLIMIT_AS)
        return 0;
    while (rmdir(limit->group) != 0) {
        int err = -errno;
        if (err == -ENOENT)
            return 0;
        if (err != -EBUSY || xb_now_ns() >= deadline_ns)
            return xb_because(why, err, "removing %s: %s", limit->group, strerror(-err));
        kill_members(limit->group);
        nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
    }
    return 0;
}

/* ---- finding a way ---- */

/* Only doing it tells: moving a process needs rights over groups that hold neither. */
static int try_out(const struct xb_limit *limit, struct xb_reason *why)
{
    int err = xb_limit_begin(limit, why);
    if (err)
        return err;
    pid_t pid = fork();
    if (pid == 0) /* _exit() takes errors below 256, which these are */
        _exit(-xb_limit_enter(limit, NULL));
    int status = 0;
    if (pid < 0)
        err = xb_because(why, -errno, "fork: %s", strerror(errno));
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    if (pid > 0 && status != 0) {
        err = WIFEXITED(status) ? -WEXITSTATUS(status) : -ECHILD;
        xb_because(why, err, "%s: %s", xb_limit_way_name(limit->by),
                   err == -ERANGE ? "ulimit -v leaves less than the limit" : strerror(-err));
    }
    int end_err = xb_limit_end(limit, err ? NULL : why);
    return err ? err : end_err;
}

static int find(struct xb_limit *limit, enum xb_limit_way way, struct xb_reason *why)
{
    char home[PATH_MAX];
    limit->by = way;
    limit->group[0] = '\0';
    if (way != XB_LIMIT_RLIMIT_AS) {
        int err = way == XB_LIMIT_CGROUP2 ? find_home2(home, why) : find_home1(home, why);
        if (err)
            return err;
        /* One cell runs at a time, so one name for each run is enough. */
        if (snprintf(limit->group, sizeof limit->group, "%s/" GROUP_PREFIX "%ld", home,
                     (long)getpid()) >= (int)sizeof limit->group)
            return xb_because(why, -ENAMETOOLONG, "the name of our cgroup is too long");
        sweep(home);
    }
    return try_out(limit, why);
}

int xb_limit_open(struct xb_limit *limit, uint64_t bytes, unsigned ways, struct xb_reason *why)
{
    char granted[XB_BYTES_TEXT];
    int64_t above = xb_cgroup_memory_bytes("");
    char said[XB_REASON_BYTES] = "";
    int err = -ENOTSUP;
    *limit = (struct xb_limit){ .bytes = bytes };
    if (above >= 0 && (uint64_t)above < bytes)
        return xb_because(why, -ERANGE, "the cgroup of this process has a limit of %s already",
                          xb_bytes_text((uint64_t)above, granted));
    for (int way = 0; way < XB_LIMIT_WAYS; way++) {
        if (!(ways & (1u << way)))
            continue;
        struct xb_reason against = { 0 };
        err = find(limit, (enum xb_limit_way)way, &against);
        if (!err)
            return 0;
        size_t at = strlen(said);
        snprintf(said + at, sizeof said - at, "%s %.64s", at ? ";" : ":", against.text);
    }
    return xb_because(why, err, "no memory limit can be set here%.200s", said);
}

int xb_limit_scratch(const char *directory, struct xb_reason *why)
{
    struct statfs about;
    if (statfs(directory, &about) != 0)
        return xb_because(why, -errno, "%.100s: %s", directory, strerror(errno));
    if (about.f_type == TMPFS_MAGIC || about.f_type == RAMFS_MAGIC)
        return xb_because(why, -ENOTSUP,
                          "%.100s is on a file system in memory, which nothing can outgrow; name a "
                          "folder on a disk with -o",
                          directory);
    return 0;
}
