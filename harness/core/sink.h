/* Where a run's results go: a folder of its own, and files in it that only ever grow by whole rows,
 * even on a full disk. */
#ifndef XB_CORE_SINK_H
#define XB_CORE_SINK_H

#include "../base/reason.h"

#include <stdio.h>
#include <sys/types.h>

struct xb_sink {
    int fd;     /* -1: not open */
    off_t good; /* bytes that are whole rows */
    char path[4096];
};

/* Rows are put together in memory first, so that what did not fit can be taken back whole. */
struct xb_draft {
    FILE *out;
    char *text;
    size_t bytes;
};

/* Makes the folder, and its parents. An existing one must be empty. 0, or -errno with `why`. */
int xb_sink_prepare(const char *directory, struct xb_reason *why);

/* Makes a new file in `directory`. 0, or -errno with `why`. */
int xb_sink_open(struct xb_sink *sink, const char *directory, const char *name,
                 struct xb_reason *why);

/* Accepts one that is not open. 0, or -errno with `why`. */
int xb_sink_close(struct xb_sink *sink, struct xb_reason *why);

/* Write rows to draft->out, then commit. 0, or -ENOMEM with `why`. */
int xb_draft_open(struct xb_draft *draft, struct xb_reason *why);

/* Appends the draft to the file, all of it or nothing, and releases it in any case. 0, or -errno
 * with `why`; the file then ends with the row before. */
int xb_draft_commit(struct xb_draft *draft, struct xb_sink *sink, struct xb_reason *why);

#endif
