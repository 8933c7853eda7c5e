/* A system call in place, without a call of libc. */
#ifndef XB_BASE_CALL_H
#define XB_BASE_CALL_H

#include <errno.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Makes a system call of three arguments. `number`: SYS_read and its like. Returns its result, or -errno,
 * which it leaves alone. syscall(2), "Architecture calling conventions". */
static inline int64_t xb_call3(long number, long a, long b, long c)
{
#if defined(__x86_64__)
    __asm__ volatile("syscall" : "+a"(number) : "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
    return number;
#elif defined(__aarch64__)
    register long x8 __asm__("x8") = number;
    register long x0 __asm__("x0") = a;
    register long x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c;
    __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2) : "memory");
    return x0;
#else
    long result = syscall(number, a, b, c);
    return result < 0 ? -errno : result;
#endif
}

#endif
