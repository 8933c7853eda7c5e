/* SPDX-License-Identifier: BSD-3-Clause
 * Finds the control groups of this process, and the tightest limits among them. */
#include "cgroup.h"

#include "../base/rooted.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define NO_LIMIT (-1.0)

/* Version 1 has no word for "unlimited": it shows LONG_MAX rounded down to pages. */
#define V1_UNLIMITED 0x1p62

/* Reads the limit that one group sets; NO_LIMIT when it sets none. */
typedef double read_limit(const char *root, const char *group);

/* Is `word` one of the comma-separated words of `list`? */
static bool lists(const char *list, const char *word)
{
    size_t length = strlen(word);
    for (const char *at = list; at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL)
        if (strncmp(at, word, length) == 0 && (at[length] == ',' || !at[length]))
            return true;
    return false;
}

/* Finds the group of this process as /proc/self/cgroup names it: in the version 1 hierarchy of
 * `controller`, or in the version 2 hierarchy when that is NULL. "/" when the file is silent. */
static void find_group(const char *root, const char *controller, char group[static PATH_MAX])
{
    char *line = NULL;
    size_t room = 0;
    strcpy(group, "/");
    FILE *file = xb_rooted_open(root, "/proc/self/cgroup");
    while (file && getline(&line, &room, file) > 0) {
        /* "4:cpu,cpuacct:/path", and "0::/path" for version 2. */
        char *controllers = strchr(line, ':'),
             *path = controllers ? strchr(controllers + 1, ':') : NULL;
        if (!path)
            continue;
        *path++ = 0;
        controllers++;
        path[strcspn(path, "\n")] = 0;
        if (controller ? !lists(controllers, controller) : strncmp(line, "0:", 2) != 0)
            continue;
        if (path[0] == '/' && strlen(path) < PATH_MAX)
            strcpy(group, path);
        break;
    }
    free(line);
    if (file)
        fclose(file);
}

/* Where a hierarchy is mounted, and which of its groups appears there: a container without a
 * cgroup namespace has its own group, not the hierarchy's top, at the mount point. */
struct mount {
    char point[PATH_MAX], top[PATH_MAX];
};

/* Takes a line of /proc/self/mountinfo apart if it is a mount of that hierarchy:
 * ID PARENT MAJOR:MINOR TOP POINT OPTIONS [OPTIONAL...] - TYPE SOURCE SUPER_OPTIONS */
static bool parse_mount(const char *line, const char *controller, struct mount *out)
{
    char type[16], options[256];
    const char *rest = strstr(line, " - ");
    _Static_assert(PATH_MAX > 4095, "the widths below");
    return rest && sscanf(rest, " - %15s %*s %255s", type, options) == 2 &&
           strcmp(type, controller ? "cgroup" : "cgroup2") == 0 &&
           (!controller || lists(options, controller)) &&
           sscanf(line, "%*s %*s %*s %4095s %4095s", out->top, out->point) == 2;
}

/* The part of `group` below `top`, with its slash; NULL when it does not lie there. */
static const char *below(const char *group, const char *top)
{
    size_t length = strcmp(top, "/") == 0 ? 0 : strlen(top);
    if (strncmp(group, top, length) != 0 || (group[length] != '/' && group[length]))
        return NULL;
    return group + length;
}

/* Finds the mount of a hierarchy; one that shows `group` is preferred. */
static bool find_mount(const char *root, const char *controller, const char *group,
                       struct mount *out)
{
    struct mount candidate;
    bool found = false;
    char *line = NULL;
    size_t room = 0;
    FILE *file = xb_rooted_open(root, "/proc/self/mountinfo");
    while (file && getline(&line, &room, file) > 0) {
        if (!parse_mount(line, controller, &candidate))
            continue;
        bool shows = below(group, candidate.top);
        if (!found || shows)
            *out = candidate;
        found = true;
        if (shows)
            break;
    }
    free(line);
    if (file)
        fclose(file);
    return found;
}

static double tighter(double a, double b)
{
    return a < 0 || (b >= 0 && b < a) ? b : a;
}

/* The tightest limit from `group` up to the mount point. */
static double climb(const char *root, const struct mount *mount, const char *group,
                    read_limit *read)
{
    char folder[2 * PATH_MAX];
    const char *rest = below(group, mount->top);
    /* "/../x" is a group outside this cgroup namespace: it has no folder here. */
    if (!rest || strstr(rest, "/.."))
        rest = "";
    size_t top = strlen(mount->point);
    snprintf(folder, sizeof folder, "%s%s", mount->point, rest);
    double limit = NO_LIMIT;
    for (;;) {
        limit = tighter(limit, read(root, folder));
        char *slash = strrchr(folder + top, '/');
        if (!slash)
            return limit;
        *slash = 0;
    }
}

/* Without mountinfo the places where every distribution mounts the hierarchies are tried. */
static double tightest(const char *root, const char *controller, const char *usual_mount,
                       read_limit *read)
{
    char group[PATH_MAX];
    struct mount mount = { .top = "/" };
    find_group(root, controller, group);
    if (!find_mount(root, controller, group, &mount))
        strcpy(mount.point, usual_mount);
    return climb(root, &mount, group, read);
}

static double read_number(const char *root, const char *group, const char *file)
{
    char path[3 * PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", group, file);
    return (double)xb_rooted_integer(root, path, -1);
}

static double read_cpu_v1(const char *root, const char *group)
{
    double quota_us = read_number(root, group, "cpu.cfs_quota_us");
    double period_us = read_number(root, group, "cpu.cfs_period_us");
    return quota_us > 0 && period_us > 0 ? quota_us / period_us : NO_LIMIT;
}

static double read_cpu_v2(const char *root, const char *group)
{
    char path[3 * PATH_MAX], text[64];
    long quota_us, period_us;
    snprintf(path, sizeof path, "%s/cpu.max", group);
    xb_rooted_text(root, path, text, sizeof text);
    /* "max 100000" does not match, and that is no quota. */
    if (sscanf(text, "%ld %ld", &quota_us, &period_us) != 2 || quota_us <= 0 || period_us <= 0)
        return NO_LIMIT;
    return (double)quota_us / (double)period_us;
}

static double read_memory_v1(const char *root, const char *group)
{
    double bytes = read_number(root, group, "memory.limit_in_bytes");
    return bytes < V1_UNLIMITED ? bytes : NO_LIMIT;
}

static double read_memory_v2(const char *root, const char *group)
{
    return read_number(root, group, "memory.max"); /* "max" is not a number: no limit */
}

/* The same files in both versions; "max" is not a number. */
static double read_pids(const char *root, const char *group)
{
    double most = read_number(root, group, "pids.max");
    double left = most - read_number(root, group, "pids.current");
    return most < 0 ? NO_LIMIT : left > 0 ? left : 0;
}

double xb_cgroup_cpu_cores(const char *root)
{
    return tighter(tightest(root, NULL, "/sys/fs/cgroup", read_cpu_v2),
                   tightest(root, "cpu", "/sys/fs/cgroup/cpu", read_cpu_v1));
}

int64_t xb_cgroup_memory_bytes(const char *root)
{
    /* Limits are whole pages, so a double holds them exactly. */
    return (int64_t)tighter(tightest(root, NULL, "/sys/fs/cgroup", read_memory_v2),
                            tightest(root, "memory", "/sys/fs/cgroup/memory", read_memory_v1));
}

int64_t xb_cgroup_pids_left(const char *root)
{
    return (int64_t)tighter(tightest(root, NULL, "/sys/fs/cgroup", read_pids),
                            tightest(root, "pids", "/sys/fs/cgroup/pids", read_pids));
}

int xb_cgroup_memory_folder(const char *root, int version, char folder[static PATH_MAX])
{
    const char *controller = version == 1 ? "memory" : NULL;
    char group[PATH_MAX];
    struct mount mount;
    find_group(root, controller, group);
    const char *rest = find_mount(root, controller, group, &mount) ? below(group, mount.top) : NULL;
    if (!rest || strstr(rest, "/.."))
        return -ENOENT;
    if (strcmp(rest, "/") == 0)
        rest = "";
    if (snprintf(folder, PATH_MAX, "%s%s", mount.point, rest) >= PATH_MAX)
        return -ENOENT;
    return 0;
}
