/* SPDX-License-Identifier: BSD-3-Clause
 * Reads the limits on processes, threads and memory. */
#include "room.h"

#include "../base/rooted.h"
#include "../models/model.h"
#include "cgroup.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

enum { USABLE_PERCENT = 80 };

/* Fewer than this every machine can have, and hundreds of cells ask. */
enum { FEW_LANES = 64, FEW_WORKERS = 1024 };

/* All there are, of all users: the second number behind the slash of /proc/loadavg. */
static int64_t tasks_now(const char *root)
{
    char text[128];
    int64_t now;
    if (xb_rooted_text(root, "/proc/loadavg", text, sizeof text) <= 0 ||
        sscanf(text, "%*f %*f %*f %*d/%" SCNd64, &now) != 1)
        return 0;
    return now;
}

static int check_tasks(const char *root, uint32_t lanes, struct xb_reason *why)
{
    static const struct {
        const char *path, *name;
    } limits[] = { { "/proc/sys/kernel/threads-max", "kernel.threads-max" },
                   { "/proc/sys/kernel/pid_max", "kernel.pid_max" } };
    int64_t now = tasks_now(root);
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        int64_t most = xb_rooted_integer(root, limits[i].path, INT64_MAX);
        if (lanes > most - now)
            return xb_because(why, -EAGAIN,
                              "%u OS threads or processes and the %" PRId64
                              " there are do not fit; sysctl %s is %" PRId64,
                              lanes, now, limits[i].name, most);
    }
    int64_t left = xb_cgroup_pids_left(root);
    if (left >= 0 && lanes > left)
        return xb_because(why, -EAGAIN,
                          "%u OS threads or processes do not fit: the cgroup's pids.max leaves "
                          "%" PRId64,
                          lanes, left);
    /* It holds for all but root, whose processes are not counted (setrlimit(2)). How many this
     * user has already is not told; where that matters, creating them fails. */
    struct rlimit user;
    if (getuid() != 0 && getrlimit(RLIMIT_NPROC, &user) == 0 && lanes > user.rlim_cur)
        return xb_because(why, -EAGAIN, "%u OS threads or processes do not fit: ulimit -u is %ju",
                          lanes, (uintmax_t)user.rlim_cur);
    return 0;
}

static int check_memory(const char *root, const struct xb_model *model, uint32_t workers,
                        struct xb_reason *why)
{
    char text[64];
    uint64_t available_kb, wanted = (uint64_t)workers * model->worker_bytes;
    if (!xb_rooted_value(root, "/proc/meminfo", "MemAvailable", ':', text, sizeof text) ||
        sscanf(text, "%" SCNu64, &available_kb) != 1)
        return 0;
    uint64_t available = available_kb << 10;
    int64_t granted = xb_cgroup_memory_bytes(root);
    if (granted >= 0 && (uint64_t)granted < available)
        available = (uint64_t)granted;
    if (wanted > available / 100 * USABLE_PERCENT)
        return xb_because(why, -ENOMEM,
                          "%u workers of %s take %zu KiB each, which do not fit %d %% of the "
                          "%" PRIu64 " MiB available",
                          workers, model->name, model->worker_bytes >> 10, USABLE_PERCENT,
                          available >> 20);
    return 0;
}

int xb_room_for(const char *root, const struct xb_model *model, uint32_t workers, uint32_t lanes,
                struct xb_reason *why)
{
    int err = lanes > FEW_LANES ? check_tasks(root, lanes, why) : 0;
    return err || workers <= FEW_WORKERS ? err : check_memory(root, model, workers, why);
}
