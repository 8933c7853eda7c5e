/* SPDX-License-Identifier: BSD-3-Clause
 * Writes quantities for people. */
#include "units.h"

#include <stddef.h>
#include <stdio.h>

const char *xb_bytes_text(uint64_t bytes, char out[XB_BYTES_TEXT])
{
    static const char *const units[] = { "bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
    size_t unit = 0;
    double value = (double)bytes;
    for (; value >= 1024; unit++)
        value /= 1024;
    snprintf(out, XB_BYTES_TEXT, "%.4g %s", value, units[unit]);
    return out;
}
