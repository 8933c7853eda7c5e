/* Which instruction set variant of a kernel this CPU can run. */
#ifndef XB_CORE_ISA_H
#define XB_CORE_ISA_H

#include "../../kernels/kernel.h"

#include <stdbool.h>

/* The best variant of those in `isas` (xb_kernel.isas) that this CPU and its operating system
 * support. Asks CPUID, so emulators that hide AVX-512 are obeyed. */
enum xb_isa xb_isa_best(unsigned isas);

/* Whether this CPU and its operating system support `isa`. The same source. */
bool xb_isa_supported(enum xb_isa isa);

const char *xb_isa_name(enum xb_isa isa);

/* What a CPU must have for `isa`, for people: "AVX2 and FMA". "" for the base. */
const char *xb_isa_needs(enum xb_isa isa);

enum { XB_ISA_LIST_TEXT = 32 };

/* Writes the names of the variants in `isas` (bits, as in xb_kernel.isas; none means base), with
 * those that this CPU lacks in brackets, to `out` and returns it: "base avx2 (avx512)". */
const char *xb_isa_list(unsigned isas, char out[XB_ISA_LIST_TEXT]);

#endif
