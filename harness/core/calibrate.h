/* Finds how many iterations of a kernel take a sample's time, once for all models and engines, so
 * that their work and checksums are equal. */
#ifndef XB_CORE_CALIBRATE_H
#define XB_CORE_CALIBRATE_H

#include "../../kernels/kernel.h"
#include "../base/reason.h"

#include <signal.h>
#include <stddef.h>
#include <stdint.h>

struct xb_plan;
struct xb_registry;
struct xb_spec;

/* Of a variant of a kernel at one size. */
struct xb_calibration {
    const struct xb_kernel *kernel;
    uint64_t bytes;
    uint32_t workers, depth; /* workers: that it was calibrated with */
    enum xb_isa isa;
    uint64_t iters; /* per worker, >= 1; they take spec.min_time_ns */
    double ns_per_iter;
    struct xb_reason why; /* code 0: it worked */
};

/* Those of a run, made as they are asked for. */
struct xb_calibrator {
    const struct xb_spec *spec;
    const struct xb_registry *registry;
    const volatile sig_atomic_t *stop; /* may be NULL */
    struct xb_calibration *known;
    size_t n;
};

/* Fills the caller's calibrator, which points to the arguments until it is closed. `cells`: how
 * many there are in the run. 0 or -ENOMEM; closing accepts one that is all zero. */
int xb_calibrator_open(struct xb_calibrator *calibrator, const struct xb_spec *spec,
                       const struct xb_registry *registry, const volatile sig_atomic_t *stop,
                       size_t cells);
void xb_calibrator_close(struct xb_calibrator *calibrator);

/* What is known of the kernel, size, depth and variant of `plan`, which is that of a cell; found
 * out first if nothing is, with processes of their own as in xb_runner_run(): under the plainest
 * model whose workers own their thread, or else the plan's. Not for more cells than were named.
 * If `stop` became non-zero meanwhile, iters are of no use, whatever `why` says. Not reentrant. */
struct xb_calibration xb_calibrate(struct xb_calibrator *calibrator, const struct xb_plan *plan);

#endif
