/* Recovers what an address register held before the instruction that used it wrote over it: follows it
 * backwards to registers that still hold what they held, and computes it again. */
#ifndef XB_BASE_SLICE_H
#define XB_BASE_SLICE_H

#include "before.h"

enum { XB_SLICE_STEPS = 10 };

struct xb_slice {
    uint8_t recovers; /* the register */
    uint8_t root;     /* whose value it starts with; XB_REG_NONE: from nothing, or from `lea` */
    uint8_t n_steps;
    struct xb_step steps[XB_SLICE_STEPS]; /* in the order they ran */
    struct xb_operand lea;                /* of the first step, where that is one */
    uint64_t lea_end;                     /* where that instruction ends: what pc is to it */
};

/* `insn`: which used `reg` and wrote it. The slice goes back over at most XB_SLICE_STEPS instructions,
 * and not over a jump or a call, as one may come from elsewhere. True: it ends in registers that none of
 * the instructions on the way nor `insn` writes, or in one that got a copy on the way.
 * Source: Weiser, "Program slicing", ICSE 1981; here of one basic block. */
bool xb_slice_find(struct xb_decoder *decoder, const struct xb_window *window,
                   const struct xb_insn *insn, uint8_t reg, struct xb_slice *out)
    __attribute__((warn_unused_result));

/* What the register held. `now`: registers after `insn`. Pure. */
uint64_t xb_slice_run(const struct xb_slice *slice, const struct xb_registers *now);

/* The address of an operand. `end`: where its instruction ends, which pc stands for. `memory` has no
 * XB_REG_OTHER. Pure. */
uint64_t xb_memory_address(const struct xb_operand *memory, uint64_t end,
                           const struct xb_registers *registers);

#endif
