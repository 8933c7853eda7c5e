/* SPDX-License-Identifier: BSD-3-Clause
 * Makes the folder of a run, and appends whole rows to files in it. */
#include "sink.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int xb_sink_prepare(const char *directory, struct xb_reason *why)
{
    char path[4096];
    if (!directory[0])
        return xb_because(why, -EINVAL, "the output path is empty");
    if (snprintf(path, sizeof path, "%s", directory) >= (int)sizeof path)
        return xb_because(why, -ENAMETOOLONG, "the output path is too long");
    for (char *at = path + 1; *at; at++) {
        if (*at != '/')
            continue;
        *at = '\0';
        if (mkdir(path, 0777) != 0 && errno != EEXIST)
            return xb_because(why, -errno, "mkdir %s: %s", path, strerror(errno));
        *at = '/';
    }
    if (mkdir(path, 0777) == 0)
        return 0;
    if (errno != EEXIST)
        return xb_because(why, -errno, "mkdir %s: %s", path, strerror(errno));
    DIR *dir = opendir(path);
    if (!dir)
        return xb_because(why, -errno, "%s: %s", path, strerror(errno));
    bool empty = true;
    for (struct dirent *entry; (entry = readdir(dir));)
        empty &= strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
    closedir(dir);
    if (!empty)
        return xb_because(why, -EEXIST,
                          "%s exists and is not empty; name another with -o, or remove it", path);
    return access(path, W_OK) == 0 ? 0 : xb_because(why, -errno, "%s: %s", path, strerror(errno));
}

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
