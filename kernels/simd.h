/* SPDX-License-Identifier: BSD-3-Clause
 * One function body compiled once per instruction set, and the table to choose from.
 *
 * The choice is the harness's, through params->isa. Neither ifunc nor target_clones is used: both
 * choose behind our back, and pull in libgcc's CPU detection. */
#ifndef XB_KERNELS_SIMD_H
#define XB_KERNELS_SIMD_H

/* XB_EACH_ISA(X) expands X(suffix, attribute, doubles per register) for each variant,
 * XB_OF_EACH_ISA(f) to a table indexed by params->isa, and XB_ISAS_TO_512 is the descriptor's
 * `isas`; the forms with TO_256 leave out 512-bit registers. The body is a macro because gcc 12.2
 * lowers wide vectors in an always_inline function to narrow ones before it inlines that into a
 * function with a wider target. */
#if defined(__x86_64__)
#    define XB_EACH_ISA_TO_256(X)     \
        X(base, __attribute__(()), 2) \
        X(avx2, __attribute__((target("avx2,fma"))), 4)
#    define XB_EACH_ISA(X)    \
        XB_EACH_ISA_TO_256(X) \
        X(avx512, __attribute__((target("avx512f"))), 8)
#    define XB_OF_EACH_ISA_TO_256(f)     \
        {                                \
            f##_base, f##_avx2, f##_avx2 \
        }
#    define XB_OF_EACH_ISA(f)              \
        {                                  \
            f##_base, f##_avx2, f##_avx512 \
        }
#    define XB_ISAS_TO_256      (1u << XB_ISA_BASE | 1u << XB_ISA_AVX2)
#    define XB_ISAS_TO_512      (1u << XB_ISA_BASE | 1u << XB_ISA_AVX2 | 1u << XB_ISA_AVX512)
#    define XB_VECTOR_REGISTERS 16 /* the fewest of any variant */
#else
/* 128-bit registers: NEON on aarch64. */
#    define XB_EACH_ISA_TO_256(X) X(base, __attribute__(()), 2)
#    define XB_EACH_ISA(X)        XB_EACH_ISA_TO_256(X)
#    define XB_OF_EACH_ISA_TO_256(f)     \
        {                                \
            f##_base, f##_base, f##_base \
        }
#    define XB_OF_EACH_ISA(f)   XB_OF_EACH_ISA_TO_256(f)
#    define XB_ISAS_TO_256      (1u << XB_ISA_BASE)
#    define XB_ISAS_TO_512      XB_ISAS_TO_256
#    define XB_VECTOR_REGISTERS 32
#endif

#endif
