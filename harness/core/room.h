/* Whether a machine has room for a team, asked before it is created: to find out by trying would
 * drive the machine into its limits, and take other programs along. */
#ifndef XB_CORE_ROOM_H
#define XB_CORE_ROOM_H

#include "../base/reason.h"

#include <stdint.h>

struct xb_model;

/* `root`: see base/rooted.h. `lanes` are the OS threads or processes that the team needs. 0, or
 * with `why`, which names the limit: -EAGAIN where there may not be so many, -ENOMEM where they
 * would fill more than 80 % of the memory that is available. What cannot be read is no limit.
 * Main thread. Sources: clone(2), EAGAIN; proc(5) and sysctl/kernel.rst of the kernel. */
int xb_room_for(const char *root, const struct xb_model *model, uint32_t workers, uint32_t lanes,
                struct xb_reason *why);

#endif
