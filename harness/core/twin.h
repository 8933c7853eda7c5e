/* A process of a build under test, seen from xbound ab: started anew for each block, asked for slices,
 * and ended whatever it does. */
#ifndef XB_CORE_TWIN_H
#define XB_CORE_TWIN_H

#include "../base/reason.h"
#include "wire.h"

#include <stdbool.h>
#include <sys/types.h>

/* One of the two builds that are compared. */
struct xb_build {
    const char *label;              /* "OLD" or "NEW", which begins what is said of it */
    const char *name;               /* what the user called it, for messages */
    const char *argv[8];            /* NULL behind the last; argv[0] as in execvp(3) */
    char alignment[32], commit[64]; /* from its greeting */
};

struct xb_twin {
    const struct xb_build *build;
    pid_t pid;
    int in, out, said; /* ours: requests, answers, and what it prints though it should not */
    size_t have;       /* of buffer */
    char buffer[XB_WIRE_BYTES], words[200];
};

/* Starts the build as a process of a group of its own, with `env_bytes` more of environment, and waits
 * for its greeting, which goes into `build`. 0, or -errno with `why`: one line that begins with
 * the label and the path. The caller ends it, also after an error; one that is all zero too. */
int xb_twin_start(struct xb_twin *twin, struct xb_build *build, size_t env_bytes,
                  struct xb_reason *why);

/* Sends a request (NULL: none, for one answer more) and waits for a line, at most `limit_ns`. 0 with
 * the answer in `line`, without its end, or -errno with `why` where the process died, hung, printed
 * or reported an error. A signal that this process catches does not end the wait. */
int xb_twin_ask(struct xb_twin *twin, const char *request, uint64_t limit_ns,
                char line[XB_WIRE_BYTES], struct xb_reason *why);

/* Kills what is left of its group, and closes all. */
void xb_twin_end(struct xb_twin *twin);

#endif
