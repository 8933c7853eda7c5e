/* SPDX-License-Identifier: BSD-3-Clause
 * Opens the user's file, or generates a text. */
#include "input.h"
#include "prng.h"
#include "scratch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Writes lines of 0 to 119 letters: 60 on average, about as prose and logs have. */
static int write_text(int fd, size_t bytes, uint64_t seed)
{
    char text[16384];
    uint64_t letters = xb_prng_below(&seed, 120);
    for (size_t done = 0; done < bytes;) {
        size_t n = bytes - done < sizeof text ? bytes - done : sizeof text;
        uint64_t word = 0;
        for (size_t i = 0; i < n; i++) {
            word = i % 16 ? word >> 4 : xb_prng_next(&seed);
            if (letters) {
                text[i] = (char)('a' + (word & 15));
                letters--;
            } else {
                text[i] = '\n';
                letters = xb_prng_below(&seed, 120);
            }
        }
        int err = xb_scratch_write(fd, text, n);
        if (err)
            return err;
        done += n;
    }
    return 0;
}

static int generate(struct xb_input *input, const struct xb_params *params)
{
    input->name = "generated text";
    input->fd = xb_scratch_open(params);
    if (input->fd < 0)
        return input->fd;
    input->bytes = params->bytes;
    int err = write_text(input->fd, params->bytes, params->seed);
    if (err)
        return xb_explain(params, err, "writing %zu bytes of text to %.60s: %s", params->bytes,
                          params->scratch_dir, strerror(-err));
    return 0;
}

int xb_input_open(struct xb_input *input, const struct xb_params *params)
{
    *input = (struct xb_input){ .fd = -1, .name = params->file };
    if (!params->file)
        return generate(input, params);
    struct stat about;
    /* Without O_NONBLOCK opening a named pipe would wait for a writer. */
    input->fd = open(params->file, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    int err = input->fd < 0 || fstat(input->fd, &about) ? -errno : 0;
    if (err)
        return xb_explain(params, err, "%.100s: %s", params->file, strerror(-err));
    if (S_ISDIR(about.st_mode))
        return xb_explain(params, -EISDIR, "%.100s: is a directory; give a file", params->file);
    if (!S_ISREG(about.st_mode))
        return xb_explain(params, -EINVAL, "%.90s: is not a regular file; copy it into one",
                          params->file);
    /* Files of /proc and /sys end up here too: they say 0 whatever is in them. */
    if (about.st_size == 0)
        return xb_explain(params, -EINVAL, "%.90s: is empty; give a file with lines in it",
                          params->file);
    input->bytes = (uint64_t)about.st_size;
    return 0;
}

/* Through /proc, because a generated file has no name and the user's may have been replaced
 * meanwhile. */
static int open_again(const struct xb_input *input, int flags)
{
    char path[32];
    snprintf(path, sizeof path, "/proc/self/fd/%d", input->fd);
    int fd = open(path, O_RDONLY | O_CLOEXEC | flags);
    return fd < 0 ? -errno : fd;
}

static int complain(const struct xb_input *input, const struct xb_params *params, int err)
{
    return xb_explain(params, err, "%.70s: opening it for one more worker: %s%s", input->name,
                      strerror(-err), err == -EMFILE ? "; raise ulimit -n" : "");
}

int xb_input_reopen(const struct xb_input *input, const struct xb_params *params)
{
    int fd = open_again(input, 0);
    return fd < 0 ? complain(input, params, fd) : fd;
}

int xb_input_reopen_direct(const struct xb_input *input, const struct xb_params *params)
{
    int fd = open_again(input, O_DIRECT);
    /* tmpfs accepts the flag since Linux 6.6, and reads from memory as before. */
    bool feigned = fd >= 0 && xb_scratch_in_memory(fd);
    if (feigned)
        close(fd);
    if (feigned || fd == -EINVAL)
        return xb_explain(params, -ENOTSUP,
                          "%.60s: its file system reads from memory only; name a %s on a disk",
                          params->file ? params->file : params->scratch_dir,
                          params->file ? "--file" : "folder with -o");
    if (fd < 0)
        return complain(input, params, fd);
    /* Pages in memory would be looked for before each read. The user's file is left as it is. */
    if (!params->file && fdatasync(input->fd) == 0)
        posix_fadvise(input->fd, 0, 0, POSIX_FADV_DONTNEED);
    return fd;
}

void xb_input_close(struct xb_input *input)
{
    if (input->fd >= 0)
        close(input->fd);
    input->fd = -1;
}
