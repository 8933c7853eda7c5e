/* Kernels in a shared object, for `xbound ab --plugin OLD.so NEW.so`: what such a file exports.
 *
 * A plug-in is one C file that defines kernels, or includes those that do, and ends in XB_PLUGIN. It
 * is compiled against this folder alone:
 *
 *     #include "kernels/cpu/mix64.c"
 *     #include "kernels/plugin.h"
 *     XB_PLUGIN(&xb_kernel_cpu_mix64);
 *
 *     cc -O3 -falign-functions=64 -falign-loops=64 -D_GNU_SOURCE -I. -fPIC -shared -o new.so new.c */
#ifndef XB_KERNELS_PLUGIN_H
#define XB_KERNELS_PLUGIN_H

#include "kernel.h"
#include "sync.h"

/* Rises when anything in kernel.h, io.h or sync.h comes to mean something else. What only grows or
 * shrinks is seen by its size. */
#define XB_PLUGIN_ABI 1

/* All that harness and kernel hand each other, in bytes. */
#define XB_PLUGIN_SIZES                                                                \
    {                                                                                  \
        sizeof(struct xb_kernel), sizeof(struct xb_params), sizeof(struct xb_run),     \
            sizeof(struct xb_work), sizeof(struct xb_claim), sizeof(struct xb_memory), \
            sizeof(struct xb_io), sizeof(struct xb_io_op), sizeof(struct xb_mutex),    \
            sizeof(struct xb_barrier_point), sizeof(struct xb_queue)                   \
    }

/* The symbol `xb_plugin` of a shared object. `abi` stays in front whatever changes: with another one
 * nothing behind it is read. */
struct xb_plugin {
    uint32_t abi;
    uint32_t sizes[11]; /* XB_PLUGIN_SIZES */
    size_t n_kernels;
    const struct xb_kernel *const *kernels;
};

#define XB_PLUGIN_SYMBOL "xb_plugin"

/* Exports one kernel or more: XB_PLUGIN(&xb_kernel_cpu_mine, &xb_kernel_cpu_other); */
#define XB_PLUGIN(...)                                                          \
    static const struct xb_kernel *const xb_plugin_kernels[] = { __VA_ARGS__ }; \
    extern const struct xb_plugin xb_plugin;                                    \
    __attribute__((visibility("default"))) const struct xb_plugin xb_plugin = { \
        .abi = XB_PLUGIN_ABI,                                                   \
        .sizes = XB_PLUGIN_SIZES,                                               \
        .n_kernels = sizeof xb_plugin_kernels / sizeof *xb_plugin_kernels,      \
        .kernels = xb_plugin_kernels,                                           \
    }

#endif
