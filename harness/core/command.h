/* Comparing two commands of any kind: a slice is one run of one of them, from fork to its end. */
#ifndef XB_CORE_COMMAND_H
#define XB_CORE_COMMAND_H

#include "gate.h"
#include "gate_rows.h"

struct xb_commands {
    const char *line[2]; /* old, new; for /bin/sh -c */
    struct xb_contest
        contest;       /* for xb_gate.contests: the only one; `wall` says which time counts */
    uint64_t limit_ns; /* a run that takes longer hangs */
    int cpu;           /* that runs are bound to; negative: to none */
    uint64_t prng;
    size_t quartets;             /* filled by xb_commands_open() */
    struct xb_gate_files *files; /* NULL: nothing is written */
};

/* Runs each once, which warms up, shows what is wrong, and tells how many quartets make a block of
 * a fair length. 0, or -errno with `why`: a command that exits with anything but 0, is killed, hangs
 * or prints. Its time would be that of something else, or depend on who reads what it prints. */
int xb_commands_open(struct xb_commands *commands, struct xb_reason *why);

/* For xb_gate.block. `context`: the commands. */
int xb_commands_block(void *context, size_t index, struct xb_reason *why);

#endif
