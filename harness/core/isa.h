/* Which instruction set variant of a kernel this CPU can run. */
#ifndef XB_CORE_ISA_H
#define XB_CORE_ISA_H

#include "../../kernels/kernel.h"

/* The best variant of those in `isas` (xb_kernel.isas) that this CPU and its operating system
 * support. Asks CPUID, so emulators that hide AVX-512 are obeyed. */
enum xb_isa xb_isa_best(unsigned isas);

const char *xb_isa_name(enum xb_isa isa);

#endif
