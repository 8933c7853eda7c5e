/* SPDX-License-Identifier: BSD-3-Clause
 * Store bandwidth of memory: fills an array far larger than any cache, with plain stores. */
enum { READS = 0, NON_TEMPORAL = 0 };

/* xb-loop: fill_base: 4 (mov[au]p[sd]|movdq[au]) %xmm[0-9]+,.*\(%r; 0 \(%rsp\); 0 call.* */
/* xb-loop: fill_avx2: 4 vmov([au]p[sd]|dq[au](64)?) %ymm[0-9]+,.*\(%r; 0 \(%rsp\); 0 call.* */
#include "../arrays.h"

#include <math.h>

/* A line comes with two to seven instructions; prefetchers hide most of those misses from the
 * counters, but not all. */
static const struct xb_claim claims[] = {
    { XB_RATIO_USER_SHARE, 0.7, INFINITY },
    { XB_RATIO_IPC, -INFINITY, 1.5 },
    { XB_RATIO_LLC_MPKI, 1, INFINITY },
};

const struct xb_kernel xb_kernel_memory_store = {
    .name = "memory/store",
    .summary = "a[i] = s, plain stores, far larger than any cache",
    .source =
        "likwid-bench store; STREAM: McCalpin, \"Memory Bandwidth and Machine Balance\", 1995",
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
