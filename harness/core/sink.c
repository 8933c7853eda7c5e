/* SPDX-License-Identifier: BSD-3-Clause
 * Appends whole rows to files. */
#include "sink.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int xb_sink_open(struct xb_sink *sink, const char *directory, const char *name,
                 struct xb_reason *why)
{
    sink->good = 0;
    sink->fd = -1;
    if (snprintf(sink->path, sizeof sink->path, "%s/%s", directory, name) >= (int)sizeof sink->path)
        return xb_because(why, -ENAMETOOLONG, "the output path is too long");
    sink->fd = open(sink->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    return sink->fd >= 0 ? 0 : xb_because(why, -errno, "%s: %s", sink->path, strerror(errno));
}

int xb_sink_close(struct xb_sink *sink, struct xb_reason *why)
{
    if (sink->fd < 0 || close(sink->fd) == 0)
        return 0;
    return xb_because(why, -errno, "%s: %s", sink->path, strerror(errno));
}

static int append(struct xb_sink *sink, const char *text, size_t bytes, struct xb_reason *why)
{
    for (size_t done = 0; done < bytes;) {
        ssize_t n = write(sink->fd, text + done, bytes - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            int err = n < 0 ? -errno : -EIO;
            if (ftruncate(sink->fd, sink->good) != 0)
                err = -errno;
            return xb_because(why, err, "%s: %s; all rows before this one are kept", sink->path,
                              strerror(-err));
        }
        done += (size_t)n;
    }
    sink->good += (off_t)bytes;
    return 0;
}

int xb_draft_open(struct xb_draft *draft, struct xb_reason *why)
{
    *draft = (struct xb_draft){ 0 };
    draft->out = open_memstream(&draft->text, &draft->bytes);
    return draft->out ? 0 : xb_because(why, -ENOMEM, "out of memory for a row");
}

int xb_draft_commit(struct xb_draft *draft, struct xb_sink *sink, struct xb_reason *why)
{
    int err = fclose(draft->out) == 0 ? append(sink, draft->text, draft->bytes, why)
                                      : xb_because(why, -ENOMEM, "out of memory for a row");
    free(draft->text);
    return err;
}
