/* SPDX-License-Identifier: BSD-3-Clause
 * Peak single-precision arithmetic: as fma_peak, with twice the numbers in a register. */
#define XB_REAL float
#include "../fma.h"

#include <math.h>

/* The least is one 512-bit multiply-add per cycle, as on Zen 4, which splits each in two. */
static const struct xb_claim claims[] = {
    { XB_RATIO_USER_SHARE, 0.7, INFINITY },
    { XB_RATIO_IPC, 1, INFINITY },
    { XB_RATIO_L1D_MPKI, -INFINITY, 1 },
    { XB_RATIO_BRANCH_MPKI, -INFINITY, 1 },
};

const struct xb_kernel xb_kernel_cpu_fma_peak_sp = {
    .name = "cpu/fma_peak_sp",
    .summary =
        "independent single-precision multiply-adds in registers, every pipe busy in every cycle",
    .source = "likwid-bench peakflops_sp; latencies and ports from uops.info",
    .item = "multiply-add",
    .bound = XB_CLASS_CPU,
    .fit = XB_FIT_OWN,
    .own_bytes = sizeof(struct cells),
    .isas = XB_ISAS_TO_512,
    .claims = claims,
    .n_claims = sizeof claims / sizeof *claims,
    .setup = setup,
    .begin = begin,
    .run = run,
    .verify = verify,
    .teardown = teardown,
};
