/* Finds the innermost loop that an instruction lies in, and the straight piece of code. */
#ifndef XB_BASE_LOOP_H
#define XB_BASE_LOOP_H

#include "before.h"

enum {
    XB_LOOP_INSNS = 256,
    XB_LOOP_BYTES = 2048, /* of code on either side of a sample that are looked at */
};

/* A loop without calls, all in one piece. */
struct xb_loop {
    uint64_t start, end;        /* of its code; at `end` goes on what follows its jump back */
    uint32_t n;                 /* instructions */
    uint32_t accesses;          /* of those, that load or store */
    uint16_t at[XB_LOOP_INSNS]; /* where each begins, bytes from `start` */
};

/* The loop around `ip`, if the code from there on comes to a jump back over it. False: there is none
 * within the window, it is longer than XB_LOOP_INSNS, another loop lies inside, or it calls. */
bool xb_loop_find(struct xb_decoder *decoder, const struct xb_window *window, uint64_t ip,
                  struct xb_loop *out) __attribute__((warn_unused_result));

/* The straight piece of code that an instruction lies in: from one jump, call or system call to the next.
 * Whoever runs one of its instructions runs them all, but for jumps into its middle. */
struct xb_piece {
    uint64_t end; /* behind what ends it; 0: not known */
    /* Places that samples can stand for: loads and stores that may be waited for, and what takes no longer
     * than an instruction takes. Neither: divisions, fences and what ends it. */
    uint16_t accesses, others;
    bool is_loop; /* what ends it is a jump back into it */
};

/* The piece around the instruction at `at`, as far as the window goes. `behind`: samples point behind what
 * they waited for, so that one ahead of a store stands for that store (see xb_stall_find()). False: it
 * cannot be decoded, or has more than XB_LOOP_INSNS instructions. */
bool xb_piece_find(struct xb_decoder *decoder, const struct xb_window *window, uint64_t at,
                   bool behind, struct xb_piece *out) __attribute__((warn_unused_result));

/* The number of the instruction at `ip`, or loop->n: none begins there. */
uint32_t xb_loop_index(const struct xb_loop *loop, uint64_t ip);

#endif
