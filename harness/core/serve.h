/* The build under test's end of `xbound ab`: answers requests until told to quit. */
#ifndef XB_CORE_SERVE_H
#define XB_CORE_SERVE_H

#include "../base/reason.h"

struct xb_registry;

/* Speaks the protocol of wire.h on its two descriptors. `plugin`: a shared object whose kernels stand
 * for the registry's; NULL: none. Returns 0, or -errno with `why`, which has been answered too as far
 * as anybody listened. Once per process; the process should end then. */
int xb_serve(const struct xb_registry *registry, const char *plugin, struct xb_reason *why);

#endif
