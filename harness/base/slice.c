/* SPDX-License-Identifier: BSD-3-Clause
 * Follows a register backwards through a basic block, and runs what was found. */
#include "slice.h"

#include <string.h>

static uint64_t extend(uint64_t value, unsigned bytes, bool is_signed)
{
    if (bytes >= 8)
        return value;
    uint64_t sign = 1ull << (8 * bytes - 1);
    value &= 2 * sign - 1;
    return is_signed ? (value ^ sign) - sign : value;
}

uint64_t xb_memory_address(const struct xb_operand *memory, uint64_t end,
                           const struct xb_registers *registers)
{
    uint64_t address = (uint64_t)memory->displacement;
    if (memory->base == XB_REG_PC)
        address += end;
    else if (memory->base < XB_REGISTERS)
        address += registers->value[memory->base];
    if (memory->index < XB_REGISTERS)
        address +=
            extend(registers->value[memory->index], memory->index_bytes, memory->index_is_signed) *
            memory->scale;
    return address;
}

/* Whether the register still holds at the end what it held before `written` were. */
static bool is_live(uint8_t reg, uint32_t written)
{
    return reg < XB_REGISTERS && !(written >> reg & 1);
}

/* A part of the operand that is gone, or that no sample holds. */
static bool is_lost(uint8_t reg, uint32_t written)
{
    return reg == XB_REG_OTHER || (reg < XB_REGISTERS && (written >> reg & 1));
}

bool xb_slice_find(struct xb_decoder *decoder, const struct xb_window *window,
                   const struct xb_insn *insn, uint8_t reg, struct xb_slice *out)
{
    uint32_t written = insn->written;
    uint64_t at = insn->at;
    struct xb_step back[XB_SLICE_STEPS];
    *out = (struct xb_slice){ .recovers = reg, .root = XB_REG_NONE };
    bool found = false;
    for (int i = 0; i < XB_SLICE_STEPS && !found; i++) {
        struct xb_insn before;
        at = xb_insn_before(decoder, window, at);
        if (!at || !xb_insn_at(decoder, window, at, &before) || before.kind == XB_INSN_JUMP ||
            before.kind == XB_INSN_CALL || before.kind == XB_INSN_SYSCALL)
            return false;
        const struct xb_step *step = &before.step;
        bool is_copied = step->op == XB_STEP_MOVE && step->right == reg && step->bytes == 8 &&
                         step->source_bytes == 8 && is_live(step->to, written);
        written |= before.written;
        if (is_copied && !(before.written >> reg & 1)) {
            /* A compiler keeps a pointer that it needs again. */
            out->root = step->to;
            found = true;
        }
        if (!(before.written >> reg & 1))
            continue;
        if (step->op == XB_STEP_NONE || step->to != reg)
            return false;
        back[out->n_steps++] = *step;
        if (step->op == XB_STEP_LEA) {
            out->lea = before.memory;
            out->lea_end = at + before.bytes;
            found = !before.memory.is_thread_local && !is_lost(out->lea.base, written) &&
                    !is_lost(out->lea.index, written);
            if (!found)
                return false;
        } else if (step->op == XB_STEP_MOVE) {
            found = step->right == XB_REG_NONE || is_live(step->right, written);
            reg = step->right;
        } else if (step->right != XB_REG_NONE && !is_live(step->right, written)) {
            return false;
        } else {
            reg = step->left;
            found = is_live(reg, written);
        }
        if (found && step->op != XB_STEP_LEA)
            out->root = reg;
    }
    for (int i = 0; i < out->n_steps; i++)
        out->steps[i] = back[out->n_steps - 1 - i];
    return found;
}

static uint64_t apply(const struct xb_slice *slice, const struct xb_step *step, uint64_t left,
                      const struct xb_registers *now)
{
    uint64_t right = (uint64_t)step->immediate;
    if (step->op == XB_STEP_LEA)
        return xb_memory_address(&slice->lea, slice->lea_end, now);
    if (step->op == XB_STEP_MOVE)
        return step->right == XB_REG_NONE ? right
                                          : extend(left, step->source_bytes, step->is_signed);
    if (step->right != XB_REG_NONE)
        right = extend(now->value[step->right], step->source_bytes, step->is_signed) << step->shift;
    unsigned places = right & (8u * step->bytes - 1);
    switch (step->op) {
    case XB_STEP_ADD:
        return left + right;
    case XB_STEP_SUBTRACT:
        return left - right;
    case XB_STEP_AND:
        return left & right;
    case XB_STEP_OR:
        return left | right;
    case XB_STEP_XOR:
        return left ^ right;
    case XB_STEP_SHIFT_LEFT:
        return left << places;
    case XB_STEP_SHIFT_RIGHT:
        return extend(left, step->bytes, false) >> places;
    default: /* XB_STEP_SHIFT_SIGNED; >> of a negative number is arithmetic in gcc and clang */
        return (uint64_t)((int64_t)extend(left, step->bytes, true) >> places);
    }
}

uint64_t xb_slice_run(const struct xb_slice *slice, const struct xb_registers *now)
{
    uint64_t value = slice->root < XB_REGISTERS ? now->value[slice->root] : 0;
    for (int i = 0; i < slice->n_steps; i++)
        /* A write of the low half clears the high one, on both architectures. */
        value = extend(apply(slice, &slice->steps[i], value, now), slice->steps[i].bytes, false);
    return value;
}
