/* SPDX-License-Identifier: BSD-3-Clause
 * Opens the user's file, or generates a text. */
#include "input.h"
#include "prng.h"

#include <errno.h>
#include <fcntl.h>
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
        for (size_t at = 0; at < n;) {
            ssize_t moved = write(fd, text + at, n - at);
            if (moved < 0 && errno != EINTR)
                return -errno;
            at += moved > 0 ? (size_t)moved : 0;
        }
        done += n;
    }
    return 0;
}

static int generate(struct xb_input *input, const struct xb_params *params)
{
    char path[4096];
    input->name = "generated text";
    int n = snprintf(path, sizeof path, "%s/xbound-text-XXXXXX", params->scratch_dir);
    if ((size_t)n >= sizeof path)
        return xb_explain(params, -ENAMETOOLONG, "the name of the scratch directory is too long");
    input->fd = mkostemp(path, O_CLOEXEC);
    int err = input->fd < 0 ? -errno : 0;
    if (err)
        return xb_explain(params, err, "creating a file in %.100s: %s", params->scratch_dir,
                          strerror(-err));
    /* Nameless from here on: not even a kill leaves it behind. */
    unlink(path);
    input->bytes = params->bytes;
    err = write_text(input->fd, params->bytes, params->seed);
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

int xb_input_reopen(const struct xb_input *input, const struct xb_params *params)
{
    /* Through /proc, because a generated file has no name and the user's may have been replaced
     * meanwhile. */
    char path[32];
    snprintf(path, sizeof path, "/proc/self/fd/%d", input->fd);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    int err = fd < 0 ? -errno : 0;
    if (err)
        return xb_explain(params, err, "%.70s: opening it for one more worker: %s%s", input->name,
                          strerror(-err), err == -EMFILE ? "; raise ulimit -n" : "");
    return fd;
}

void xb_input_close(struct xb_input *input)
{
    if (input->fd >= 0)
        close(input->fd);
    input->fd = -1;
}
