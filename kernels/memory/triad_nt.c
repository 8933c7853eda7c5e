/* SPDX-License-Identifier: BSD-3-Clause
 * The control for triad: a[i] = b[i] + s * c[i] with stores that go past the caches. */
enum { READS = 2, NON_TEMPORAL = 1 };

/* xb-loop: fill_base: 4 movntpd %xmm[0-9]+,.*\(%r; 0 \(%rsp\); 0 call.* */
/* xb-loop: fill_avx2: 4 vmovntpd %ymm[0-9]+,.*\(%r; 0 \(%rsp\); 0 call.* */
#include "../arrays.h"

#include <math.h>

/* The lines of b and c are read as ever; prefetchers hide most of those misses, but not all. */
static const struct xb_claim claims[] = {
    { XB_RATIO_USER_SHARE, 0.7, INFINITY },
    { XB_RATIO_IPC, -INFINITY, 1.5 },
    { XB_RATIO_LLC_MPKI, 1, INFINITY },
};

const struct xb_kernel xb_kernel_memory_triad_nt = {
    .name = "memory/triad_nt",
    .summary = "control for triad: a[i] = b[i] + s * c[i], non-temporal stores",
    .source =
        "likwid-bench stream_mem; STREAM: McCalpin, \"Memory Bandwidth and Machine Balance\", 1995",
    .item = "element",
    .bound = XB_CLASS_MEMORY,
    .fit = XB_FIT_DRAM,
    .needs = XB_NEED_BYTES,
    .isas = XB_ISAS_TO_256,
    .claims = claims,
    .n_claims = sizeof claims / sizeof *claims,
    .setup = setup,
    .begin = begin,
    .run = run,
    .verify = verify,
    .teardown = teardown,
};
