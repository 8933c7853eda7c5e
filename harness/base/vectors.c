/* SPDX-License-Identifier: BSD-3-Clause
 * Sets vector registers back to their initial state. */
#include "vectors.h"

#if defined(__x86_64__)
/* Intel SDM vol. 1, chapter 13: components of AVX-512. Without those of SSE and AVX, MXCSR and with it
 * the rounding mode stay as they are. */
enum { OPMASK = 1 << 5, ZMM_HIGH_256 = 1 << 6, HIGH_16_ZMM = 1 << 7 };

void xb_vectors_forget(void)
{
    /* The legacy region and the header, whose XSTATE_BV of 0 says that all is in its initial state; of
     * the components' own regions nothing is read then. */
    static const unsigned char initial[512 + 64] __attribute__((aligned(64)));
    /* As found out at the start of the program: CPUID traps into the hypervisor, which takes some
     * 10 us, and this is called once for each worker. */
    if (__builtin_cpu_supports("avx512f"))
        __asm__ volatile("xrstor64 %0"
                         :
                         : "m"(initial), "a"(OPMASK | ZMM_HIGH_256 | HIGH_16_ZMM), "d"(0)
                         : "memory");
}
#else
void xb_vectors_forget(void)
{
}
#endif
