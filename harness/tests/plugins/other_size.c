/* SPDX-License-Identifier: BSD-3-Clause
 * A plug-in of this version whose struct xb_kernel is another one. */
#include "kernels/plugin.h"

extern const struct xb_plugin xb_plugin;
__attribute__((visibility("default"))) const struct xb_plugin xb_plugin = {
    .abi = XB_PLUGIN_ABI,
    .sizes = { 8 },
    .n_kernels = 1,
};
