/* Puts a cell's processes under a memory limit: a control group of their own, or RLIMIT_AS. */
#ifndef XB_CORE_LIMIT_H
#define XB_CORE_LIMIT_H

#include "../base/reason.h"

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

/* In the order in which they are tried. */
enum xb_limit_way {
    XB_LIMIT_CGROUP2,   /* memory.max: all processes of the cell together, page cache included */
    XB_LIMIT_CGROUP1,   /* memory.limit_in_bytes: the same */
    XB_LIMIT_RLIMIT_AS, /* address space that each process adds to what it was born with */
    XB_LIMIT_WAYS
};

#define XB_LIMIT_ANY ((1u << XB_LIMIT_WAYS) - 1)

struct xb_limit {
    enum xb_limit_way by;
    uint64_t bytes;
    char group[PATH_MAX]; /* the folder of the cell's group; there while a cell runs */
};

/* Finds the first of `ways` (bits over enum xb_limit_way) that works here, by trying it out with a
 * process of its own. Changes nothing that stays. `bytes`: >= 1 MiB. One thread must exist.
 * 0, or -errno with `why`: what stands against each way; -ERANGE where less is granted anyway. */
int xb_limit_open(struct xb_limit *limit, uint64_t bytes, unsigned ways, struct xb_reason *why);

/* "cgroup2", "cgroup1" or "rlimit_as". */
const char *xb_limit_way_name(enum xb_limit_way way);

/* Around one cell: begin() makes its group, enter() is called by its first process before anything
 * else, and end(), when all of it should be dead, removes the group and kills who is still in it.
 * 0, or -errno with `why`. */
int xb_limit_begin(const struct xb_limit *limit, struct xb_reason *why);
int xb_limit_enter(const struct xb_limit *limit, struct xb_reason *why);
int xb_limit_end(const struct xb_limit *limit, struct xb_reason *why);

/* Whether the kernel killed a process of the group for want of memory; between begin and end. Under
 * RLIMIT_AS nobody is killed, requests are refused. */
bool xb_limit_killed(const struct xb_limit *limit);

/* Whether files in `directory` lie outside memory, so that work can outgrow it there. 0, or
 * -ENOTSUP with `why`. */
int xb_limit_scratch(const char *directory, struct xb_reason *why);

#endif
