/* Kernels out of a shared object (kernels/plugin.h), in place of this build's. */
#ifndef XB_CORE_PLUGIN_H
#define XB_CORE_PLUGIN_H

#include "../base/reason.h"
#include "registry.h"

#include <stdbool.h>

struct xb_plugin_file {
    void *handle;                /* dlopen(3)'s */
    struct xb_registry registry; /* the build's, with the file's kernels */
    char hash[20];               /* of the whole file: equal files hold equal code */
    bool aligned;                /* its functions begin on boundaries of 64 bytes */
};

/* Loads a file, which runs its constructors: in a process of its own. Its kernels have all that is
 * required of a descriptor, whether or not they work. 0, or -errno with `why`: -ENOEXEC where it is no
 * shared object that can be loaded, -EPROTO where it is none of ours or of another ABI, -EINVAL where
 * a descriptor lacks something. Close it in any case, when no kernel runs any more. */
int xb_plugin_open(struct xb_plugin_file *file, const char *path, const struct xb_registry *build,
                   struct xb_reason *why);
void xb_plugin_close(struct xb_plugin_file *file);

#endif
