/* The control groups of this process: where they are, what CPU time, memory and tasks they grant. */
#ifndef XB_CORE_CGROUP_H
#define XB_CORE_CGROUP_H

#include <limits.h>
#include <stdint.h>

/* All look at version 1, version 2 and hybrid hierarchies, and at every group from the process's
 * own up to the topmost that can be seen, since the tightest limit on the way is the one that
 * holds. `root`: see base/rooted.h. Limits set above a container's own view stay unseen.
 * Sources: the kernel's admin-guide/cgroup-v2.rst, admin-guide/cgroup-v1, cgroups(7). */

/* Cores of CPU time per second of wall time; negative when there is no quota. */
double xb_cgroup_cpu_cores(const char *root);

/* Bytes; negative when there is no limit. */
int64_t xb_cgroup_memory_bytes(const char *root);

/* Processes and threads that may still be created; negative when there is no limit. */
int64_t xb_cgroup_pids_left(const char *root);

/* Writes the folder, below `root`, of the process's own group to `folder`: in the hierarchy of the
 * version 1 memory controller, or in the version 2 hierarchy, whatever its controllers.
 * `version`: 1 or 2. 0, or -ENOENT when there is none or it cannot be seen from here. */
int xb_cgroup_memory_folder(const char *root, int version, char folder[PATH_MAX]);

#endif
