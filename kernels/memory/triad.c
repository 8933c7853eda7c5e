/* SPDX-License-Identifier: BSD-3-Clause
 * Memory bandwidth: a[i] = b[i] + s * c[i] over arrays far larger than any cache. */
enum { READS = 2, NON_TEMPORAL = 0 };

/* xb-loop: fill_base: 4 (mov[au]p[sd]|movdq[au]) %xmm[0-9]+,.*\(%r; 0 \(%rsp\); 0 call.* */
/* xb-loop: fill_avx2: 4 vmov([au]p[sd]|dq[au](64)?) %ymm[0-9]+,.*\(%r; 0 \(%rsp\); 0 call.* */
#include "../arrays.h"

#include <math.h>

/* A line of each array comes with about twelve instructions; prefetchers hide most of
 * those misses from the counters, but not all. */
static const struct xb_claim claims[] = {
    { XB_RATIO_USER_SHARE, 0.7, INFINITY },
    { XB_RATIO_IPC, -INFINITY, 1.5 },
    { XB_RATIO_LLC_MPKI, 1, INFINITY },
};

const struct xb_kernel xb_kernel_memory_triad = {
    .name = "memory/triad",
    .summary = "a[i] = b[i] + s * c[i], plain stores, far larger than any cache",
    .source = "STREAM: McCalpin, \"Memory Bandwidth and Machine Balance\", 1995",
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
