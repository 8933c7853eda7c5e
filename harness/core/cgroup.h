/* What the control groups of this process grant it: CPU time and memory. */
#ifndef XB_CORE_CGROUP_H
#define XB_CORE_CGROUP_H

#include <stdint.h>

/* Both look at version 1, version 2 and hybrid hierarchies, and at every group from the process's
 * own up to the topmost that can be seen, since the tightest limit on the way is the one that
 * holds. `root`: see base/rooted.h. Limits set above a container's own view stay unseen.
 * Sources: the kernel's admin-guide/cgroup-v2.rst, admin-guide/cgroup-v1, cgroups(7). */

/* Cores of CPU time per second of wall time; negative when there is no quota. */
double xb_cgroup_cpu_cores(const char *root);

/* Bytes; negative when there is no limit. */
int64_t xb_cgroup_memory_bytes(const char *root);

#endif
