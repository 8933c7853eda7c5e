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
    /* Of the user's text, which the reason may repeat: a line end would make two lines of one message, an
     * escape would command the terminal. */
    for (char *at = why->text; *at; at++)
        if ((unsigned char)*at < 0x20 || *at == 0x7F)
            *at = '?';
    why->code = code;
    return code;
}
