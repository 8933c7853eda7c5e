/* SPDX-License-Identifier: BSD-3-Clause
 * Copy bandwidth of the L2 cache: a[i] = b[i], both in half of it, over and over. */
enum { READS = 1, NON_TEMPORAL = 0 };

/* xb-loop: fill_base: 4 (mov[au]p[sd]|movdq[au]) %xmm[0-9]+,.*\(%r; 0 \(%rsp\); 0 call.* */
/* xb-loop: fill_avx2: 4 vmov([au]p[sd]|dq[au](64)?) %ymm[0-9]+,.*\(%r; 0 \(%rsp\); 0 call.* */
/* xb-loop: fill_avx512: 4 vmov([au]p[sd]|dq[au](64)?) %zmm[0-9]+,.*\(%r; 0 \(%rsp\); 0 call.* */
#include "../arrays.h"

#include <math.h>

/* A line comes with four to twelve instructions, so a hundred of 1000 touch a new one; prefetchers
 * bring some of them in before they are asked for. */
static const struct xb_claim claims[] = {
    { XB_RATIO_USER_SHARE, 0.7, INFINITY },
    { XB_RATIO_L1D_MPKI, 10, INFINITY },
    { XB_RATIO_LLC_MPKI, -INFINITY, 5 },
};

const struct xb_kernel xb_kernel_cache_copy_l2 = {
    .name = "cache/copy_l2",
    .summary = "a[i] = b[i] within half of the L2 cache",
    .source = "likwid-bench copy; STREAM: McCalpin, \"Memory Bandwidth and Machine Balance\", 1995",
    .item = "element",
    .bound = XB_CLASS_CACHE,
    .fit = XB_FIT_L2,
    .needs = XB_NEED_BYTES,
    .isas = XB_ISAS_TO_512,
    .claims = claims,
    .n_claims = sizeof claims / sizeof *claims,
    .setup = setup,
    .begin = begin,
    .run = run,
    .verify = verify,
    .teardown = teardown,
};
