/* The file that file kernels read: the user's, or a generated text. */
#ifndef XB_KERNELS_INPUT_H
#define XB_KERNELS_INPUT_H

#include "kernel.h"

#include <stdint.h>

struct xb_input {
    int fd;           /* open for reading at offsets; -1: none */
    const char *name; /* for messages; lives as long as params->file */
    uint64_t bytes;   /* >= 1 */
};

/* Opens params->file, which must be a regular file with something in it; if that is NULL, writes
 * params->bytes bytes of seeded text to a nameless file in params->scratch_dir.
 * `input`: overwritten, even on failure; give back with xb_input_close().
 * Returns 0, or -errno with params->why filled. */
int xb_input_open(struct xb_input *input, const struct xb_params *params);

/* Opens the same file once more, as an open file of its own: the system keeps read-ahead state
 * per open file, and workers at different places would spoil it for each other.
 * Returns the caller's descriptor, or -errno with params->why filled. */
int xb_input_reopen(const struct xb_input *input, const struct xb_params *params);

/* The same for O_DIRECT: what is read with it comes from the device, into memory and from places
 * that are multiples of XB_INPUT_SECTOR. A generated file is written out and put out of the page
 * cache first. -ENOTSUP where the file system knows no such reading, or only feigns it. */
#define XB_INPUT_SECTOR 4096 /* what O_DIRECT asks for at most, on file systems of local disks */
int xb_input_reopen_direct(const struct xb_input *input, const struct xb_params *params);

void xb_input_close(struct xb_input *input);

#endif
