/* Comparing two commands of any kind: a slice is one run of one of them, from fork to its end. */
#ifndef XB_CORE_COMMAND_H
#define XB_CORE_COMMAND_H

#include "gate.h"
#include "gate_rows.h"

enum { XB_COMMAND_WORDS = 64, XB_COMMAND_QUARTETS = 16 };

struct xb_commands {
    const char *line[2]; /* old, new; as typed */
    struct xb_contest
        contest;       /* for xb_gate.contests: the only one; `wall` says which time counts */
    uint64_t limit_ns; /* a run that takes longer hangs */
    int cpu;           /* that runs are bound to; negative: to none */
    uint64_t prng;
    struct xb_gate_files *files; /* NULL: nothing is written */
    /* Filled by xb_commands_open(). */
    size_t quartets;
    bool shell;                          /* /bin/sh -c starts them all */
    char *argv[3][XB_COMMAND_WORDS + 1]; /* old, new, and one that does nothing */
    char *text[2];                       /* that argv points into */
    double start_shares[XB_BLOCKS_MAX];  /* by block: the median time of the last one over OLD's */
};

/* Runs each once, which warms up, shows what is wrong, and tells how many quartets make a block of
 * a fair length. Both are started alike: without a shell, words cut at blanks, where neither has
 * anything for a shell to do and both name programs. 0, or -errno with `why`: a command that exits
 * with anything but 0, is killed, hangs or prints. Its time would be that of something else, or
 * depend on who reads what it prints. The caller closes, also after an error. */
int xb_commands_open(struct xb_commands *commands, struct xb_reason *why);
void xb_commands_close(struct xb_commands *commands);

/* For xb_gate.block. `context`: the commands. With each quartet an empty command is started the same
 * way, for contest.start_share. */
int xb_commands_block(void *context, size_t index, struct xb_reason *why);

#endif
