/* Running one team in a process of its own, so that whatever happens to it ends in a result. */
#ifndef XB_CORE_RUNNER_H
#define XB_CORE_RUNNER_H

#include "team.h"

#include <signal.h>

/* Forks a process (with a process group of its own) that runs the team, waits for it at most
 * `limit_ns`, and ends all that is left of the group. A worker that dies, hangs, or is refused
 * by a limit fails the team; samples taken before stay valid.
 * `stop` (may be NULL): when it becomes non-zero the team finishes its sample and ends.
 * `result` lives in `arena`, which this opens and the caller closes, also after an error.
 * Returns 0, or -errno with (*result)->why filled; -ENOMEM with *result NULL. Not reentrant:
 * uses SIGCHLD. One thread must exist in the calling process. */
int xb_runner_run(const struct xb_plan *plan, uint64_t limit_ns, const volatile sig_atomic_t *stop,
                  struct xb_arena *arena, struct xb_result **result);

#endif
