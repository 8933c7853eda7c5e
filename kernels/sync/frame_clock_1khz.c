/* SPDX-License-Identifier: BSD-3-Clause
 * Worker 0 draws a frame every millisecond while the others compute for 4 ms at a time. */
#define FRAME_NS      1000000
#define COMPUTE_STEPS 3000000 /* 4 ms at 3 GHz */

#include "../frames.h"

const struct xb_kernel xb_kernel_sync_frame_clock_1khz = {
    .name = "sync/frame_clock_1khz",
    .summary = "worker 0 draws 1000 frames a second while the others compute 4 ms at a time",
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
