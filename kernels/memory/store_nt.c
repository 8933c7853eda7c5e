/* SPDX-License-Identifier: BSD-3-Clause
 * The control for store: fills an array with stores that go past the caches. */
enum { READS = 0, NON_TEMPORAL = 1 };

/* xb-loop: fill_base: 4 movntpd %xmm[0-9]+,.*\(%r; 0 \(%rsp\); 0 call.* */
/* xb-loop: fill_avx2: 4 vmovntpd %ymm[0-9]+,.*\(%r; 0 \(%rsp\); 0 call.* */
#include "../arrays.h"

#include <math.h>

/* No claim about misses: a store past the caches is none. */
static const struct xb_claim claims[] = {
    { XB_RATIO_USER_SHARE, 0.7, INFINITY },
    { XB_RATIO_IPC, -INFINITY, 1.5 },
};

const struct xb_kernel xb_kernel_memory_store_nt = {
    .name = "memory/store_nt",
    .summary = "control for store: a[i] = s, non-temporal stores",
    .source = "likwid-bench store_mem; Intel 64 and IA-32 Architectures SDM, MOVNTPD",
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
