/* SPDX-License-Identifier: BSD-3-Clause
 * The class of an instruction's latency, by name. */
#include "latency.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct family {
    const char *begins;
    enum xb_latency is;
    bool is_float; /* only with one of the endings ss, sd, ps, pd, sh, ph */
};

/* In this order: the first that fits. */
static const struct family families[] = {
    { "cmov", XB_LATENCY_ONE, false },          { "movmsk", XB_LATENCY_ONE, false },
    { "movk", XB_LATENCY_ONE, false },          { "mov", XB_LATENCY_MOVE, false },
    { "fmov", XB_LATENCY_MOVE, false },         { "ld", XB_LATENCY_MOVE, false },
    { "div", XB_LATENCY_DIVIDE, false },        { "idiv", XB_LATENCY_DIVIDE, false },
    { "sqrt", XB_LATENCY_DIVIDE, false },       { "sdiv", XB_LATENCY_DIVIDE, false },
    { "udiv", XB_LATENCY_DIVIDE, false },       { "fdiv", XB_LATENCY_DIVIDE, false },
    { "fsqrt", XB_LATENCY_DIVIDE, false },      { "fmadd", XB_LATENCY_FP_FUSED, false },
    { "fmsub", XB_LATENCY_FP_FUSED, false },    { "fnmadd", XB_LATENCY_FP_FUSED, false },
    { "fnmsub", XB_LATENCY_FP_FUSED, false },   { "fmla", XB_LATENCY_FP_FUSED, false },
    { "fmls", XB_LATENCY_FP_FUSED, false },     { "fadd", XB_LATENCY_FP_ADD, false },
    { "fsub", XB_LATENCY_FP_ADD, false },       { "fmul", XB_LATENCY_FP_MULTIPLY, false },
    { "fnmul", XB_LATENCY_FP_MULTIPLY, false }, { "add", XB_LATENCY_FP_ADD, true },
    { "sub", XB_LATENCY_FP_ADD, true },         { "mul", XB_LATENCY_FP_MULTIPLY, true },
    { "max", XB_LATENCY_FP_SELECT, true },      { "min", XB_LATENCY_FP_SELECT, true },
    { "imul", XB_LATENCY_MULTIPLY, false },     { "mul", XB_LATENCY_MULTIPLY, false },
    { "umul", XB_LATENCY_MULTIPLY, false },     { "smul", XB_LATENCY_MULTIPLY, false },
    { "pmul", XB_LATENCY_MULTIPLY, false },     { "pmadd", XB_LATENCY_MULTIPLY, false },
    { "crc32", XB_LATENCY_MULTIPLY, false },
};

static bool is_float(const char *name, size_t n)
{
    if (n < 2)
        return false;
    char kind = name[n - 2], width = name[n - 1];
    return (kind == 's' || kind == 'p') && (width == 's' || width == 'd' || width == 'h');
}

enum xb_latency xb_latency_of(const char *text)
{
    size_t n = strcspn(text, " ");
    if (n > 1 && text[0] == 'v') { /* AVX's names for the same */
        text++;
        n--;
    }
    for (size_t i = 0; i < sizeof families / sizeof families[0]; i++) {
        const struct family *family = &families[i];
        size_t length = strlen(family->begins);
        if (n >= length && memcmp(text, family->begins, length) == 0 &&
            (!family->is_float || is_float(text, n)))
            return family->is;
    }
    return XB_LATENCY_ONE;
}
