/* Reading a file in blocks past the page cache, several at a time: what kernels share whose subject
 * is the device. They differ in how large a block is and in which one comes next. */
#ifndef XB_KERNELS_BLOCKS_H
#define XB_KERNELS_BLOCKS_H

#include "kernel.h"

#include <stdbool.h>

/* Callbacks of struct xb_kernel, see there; the team is the file. */
int xb_blocks_team_setup(const struct xb_params *params, struct xb_memory *memory, void **team);
void xb_blocks_begin(void *state);
int xb_blocks_run(struct xb_run *run, void *state, uint64_t iters, struct xb_work *did);
int xb_blocks_verify(const struct xb_params *params, void *team, void *state, uint64_t iters,
                     const struct xb_work *did);
void xb_blocks_teardown(void *state);
void xb_blocks_team_teardown(void *team);

/* What a kernel's setup() calls. `block_bytes`: a power of two, >= XB_INPUT_SECTOR. `random`: blocks
 * come in seeded random order rather than one after the other. */
int xb_blocks_setup(const struct xb_params *params, void *team, size_t block_bytes, bool random,
                    void **state);

#endif
