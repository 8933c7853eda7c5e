/* Files that kernels generate: nameless, in the run's own folder. */
#ifndef XB_KERNELS_SCRATCH_H
#define XB_KERNELS_SCRATCH_H

#include "kernel.h"

#include <stdbool.h>

/* Creates an empty file in params->scratch_dir, open for reading and writing. It has no name from
 * then on, so that not even a kill leaves it behind.
 * Returns the caller's descriptor, or -errno with params->why filled. */
int xb_scratch_open(const struct xb_params *params);

/* Writes all of `n` bytes where the file stands. 0 or -errno. */
int xb_scratch_write(int fd, const void *bytes, size_t n);

/* Whether the file lies in memory, on tmpfs or ramfs, so that there is no device to wait for. */
bool xb_scratch_in_memory(int fd);

#endif
