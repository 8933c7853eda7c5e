/* SPDX-License-Identifier: BSD-3-Clause
 * Fills reasons. */
#include "reason.h"

#include <stdarg.h>
#include <stdio.h>

int xb_because(struct xb_reason *why, int code, const char *format, ...)
{
    if (!why)
        return code;
    va_list args;
    va_start(args, format);
    vsnprintf(why->text, sizeof why->text, format, args);
    va_end(args);
    why->code = code;
    return code;
}
