/* SPDX-License-Identifier: BSD-3-Clause
 * Asks the CPU what it can run. */
#include "isa.h"

#include <stdio.h>

bool xb_isa_supported(enum xb_isa isa)
{
#if defined(__x86_64__)
    /* The compiler's runtime also checks XCR0: that the kernel saves the wide registers. */
    switch (isa) {
    case XB_ISA_AVX512:
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
               __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw");
    case XB_ISA_AVX2:
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    default:
        break;
    }
#endif
    return isa == XB_ISA_BASE;
}

enum xb_isa xb_isa_best(unsigned isas)
{
    for (int isa = XB_ISAS - 1; isa > XB_ISA_BASE; isa--)
        if (isas & (1u << isa) && xb_isa_supported((enum xb_isa)isa))
            return (enum xb_isa)isa;
    return XB_ISA_BASE;
}

const char *xb_isa_name(enum xb_isa isa)
{
    static const char *const names[XB_ISAS] = {
        [XB_ISA_BASE] = "base", [XB_ISA_AVX2] = "avx2", [XB_ISA_AVX512] = "avx512"
    };
    return names[isa];
}

const char *xb_isa_needs(enum xb_isa isa)
{
    static const char *const needs[XB_ISAS] = { [XB_ISA_BASE] = "",
                                                [XB_ISA_AVX2] = "AVX2 and FMA",
                                                [XB_ISA_AVX512] = "AVX-512 (F, VL, DQ and BW)" };
    return needs[isa];
}

const char *xb_isa_list(unsigned isas, char out[XB_ISA_LIST_TEXT])
{
    int at = snprintf(out, XB_ISA_LIST_TEXT, "%s", xb_isa_name(XB_ISA_BASE));
    for (int isa = XB_ISA_BASE + 1; isa < XB_ISAS; isa++) {
        bool here = xb_isa_supported((enum xb_isa)isa);
        if (isas & (1u << isa))
            at += snprintf(out + at, (size_t)(XB_ISA_LIST_TEXT - at), " %s%s%s", here ? "" : "(",
                           xb_isa_name((enum xb_isa)isa), here ? "" : ")");
    }
    return out;
}
