/* SPDX-License-Identifier: BSD-3-Clause
 * A plug-in of a time to come, whose kernels are somewhere else. */
#include <stdint.h>

extern const uint32_t xb_plugin[];
__attribute__((visibility("default"))) const uint32_t xb_plugin[] = { 999 };
