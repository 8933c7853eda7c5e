/* Keeping a result alive, and memory ordered, for the optimiser. No instruction is emitted.
 *
 * The technique is Google Benchmark's DoNotOptimize/ClobberMemory: an empty asm statement that
 * claims to read its operand. `volatile` data would be rejected here: it adds real loads. */
#ifndef XB_KERNELS_KEEP_H
#define XB_KERNELS_KEEP_H

/* The compiler must have the value ready, and may assume nothing about it afterwards. */
#define xb_keep(variable) __asm__ volatile("" : "+r"(variable))

/* Everything in memory counts as read and written here. */
#define xb_keep_memory() __asm__ volatile("" ::: "memory")

#endif
