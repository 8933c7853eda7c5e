/* Tells the CPU that this is a loop that waits for another CPU. */
#ifndef XB_BASE_RELAX_H
#define XB_BASE_RELAX_H

static inline void xb_relax(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

#endif
