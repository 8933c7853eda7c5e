/* SPDX-License-Identifier: BSD-3-Clause
 * Worker 0 draws 60 frames a second while the others compute for 40 ms at a time. */
#define FRAME_NS      (1000000000 / 60)
#define COMPUTE_STEPS 30000000 /* 40 ms at 3 GHz */

#include "../frames.h"

const struct xb_kernel xb_kernel_sync_frame_clock = {
    .name = "sync/frame_clock",
    .summary = "worker 0 draws 60 frames a second while the others compute 40 ms at a time",
    .source = "Liu, Layland, \"Scheduling algorithms for multiprogramming\", JACM 20 (1973)",
    .item = "frame",
    .latency_of = "lateness of a frame",
    .outcome = "frame_misses",
    .remark = "a frame is missed if it begins when the next one is due: where workers cannot be "
              "preempted, whoever computes on decides when",
    .bound = XB_CLASS_SYNC,
    .bound_of = bound_of,
    .fit = XB_FIT_OWN,
    .own_bytes = sizeof(struct role),
    .needs = XB_NEED_TEAM,
    .setup = setup,
    .begin = begin,
    .run = run,
    .verify = verify,
    .teardown = teardown,
};
