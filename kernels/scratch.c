/* SPDX-License-Identifier: BSD-3-Clause
 * Creates and fills files that nobody else can see. */
#include "scratch.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

int xb_scratch_open(const struct xb_params *params)
{
    char path[4096];
    int n = snprintf(path, sizeof path, "%s/xbound-XXXXXX", params->scratch_dir);
    if ((size_t)n >= sizeof path)
        return xb_explain(params, -ENAMETOOLONG, "the name of the scratch directory is too long");
    int fd = mkostemp(path, O_CLOEXEC);
    int err = fd < 0 ? -errno : 0;
    if (err)
        return xb_explain(params, err, "creating a file in %.100s: %s", params->scratch_dir,
                          strerror(-err));
    unlink(path);
    return fd;
}

int xb_scratch_write(int fd, const void *bytes, size_t n)
{
    for (size_t at = 0; at < n;) {
        ssize_t moved = write(fd, (const char *)bytes + at, n - at);
        if (moved < 0 && errno != EINTR)
            return -errno;
        at += moved > 0 ? (size_t)moved : 0;
    }
    return 0;
}

bool xb_scratch_in_memory(int fd)
{
    struct statfs about;
    return fstatfs(fd, &about) == 0 && (about.f_type == TMPFS_MAGIC || about.f_type == RAMFS_MAGIC);
}
