/* SPDX-License-Identifier: BSD-3-Clause
 * A plug-in that needs a function which nobody has. */
#include "kernels/plugin.h"

int xb_nowhere(struct xb_run *run, void *state, uint64_t iters, struct xb_work *did);

static const struct xb_kernel nowhere = { .run = xb_nowhere };

XB_PLUGIN(&nowhere);
