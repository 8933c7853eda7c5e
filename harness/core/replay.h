/* Recorded slices, judged by the gate as if they were taken now. */
#ifndef XB_CORE_REPLAY_H
#define XB_CORE_REPLAY_H

#include "gate.h"

/* A series of a recording, cut into windows of equally many blocks: each a comparison. */
struct xb_replay {
    struct xb_contest *contests;            /* n of each */
    double (*log_ratios)[2][XB_BLOCKS_MAX]; /* by CPU and by wall time */
    size_t *blocks;                         /* that there are */
    size_t n, room;
    double slowdown; /* share by which the new build's times are taken to be longer */
};

/* Reads slices from CSV files with a header: the columns block, quartet, pos, label (A: old, B: new),
 * wall_ns and cpu_ns, in any order and beside others; kernel, class and time where there are any, or
 * else the comparison has the name of its file and is about CPU time. Those of `xbound ab --out`
 * (slices.csv) are such. `window`: blocks of a comparison; what is left of a series counts where that
 * is XB_BLOCKS_LEAST at least. 0, or -errno with `why`: file, line, column and what is wrong. The caller
 * closes, also after an error. */
int xb_replay_open(struct xb_replay *replay, const char *const *files, size_t n_files,
                   size_t window, double slowdown, struct xb_reason *why);
void xb_replay_close(struct xb_replay *replay);

/* For xb_gate.block. `context`: the replay. -ENODATA at the end of a window. */
int xb_replay_block(void *context, size_t index, struct xb_reason *why);

#endif
