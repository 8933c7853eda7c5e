/* SPDX-License-Identifier: BSD-3-Clause
 * Finds loops: ahead to the jump back, then all of it from where that leads to. */
#include "loop.h"

/* Where the loop around `ip` begins and ends. */
static bool find_jump_back(struct xb_decoder *decoder, const struct xb_window *window, uint64_t ip,
                           struct xb_loop *out)
{
    struct xb_insn insn;
    uint64_t at = ip;
    for (int i = 0; i < XB_LOOP_INSNS && xb_insn_at(decoder, window, at, &insn); i++) {
        at += insn.bytes;
        if (insn.kind == XB_INSN_CALL || insn.kind == XB_INSN_SYSCALL)
            return false;
        if (insn.kind == XB_INSN_JUMP && insn.target && insn.target <= ip) {
            out->start = insn.target;
            out->end = at;
            return insn.target >= window->first;
        }
        if (insn.kind == XB_INSN_JUMP && !insn.is_conditional)
            return false; /* what follows is reached from elsewhere */
    }
    return false;
}

bool xb_loop_find(struct xb_decoder *decoder, const struct xb_window *window, uint64_t ip,
                  struct xb_loop *out)
{
    *out = (struct xb_loop){ 0 };
    if (!find_jump_back(decoder, window, ip, out))
        return false;
    uint64_t at = out->start;
    while (at < out->end) {
        struct xb_insn insn;
        if (out->n == XB_LOOP_INSNS || !xb_insn_at(decoder, window, at, &insn) ||
            insn.kind == XB_INSN_CALL || insn.kind == XB_INSN_SYSCALL)
            return false;
        bool back = insn.kind == XB_INSN_JUMP && insn.target > out->start && insn.target <= at;
        if (back)
            return false; /* a loop inside, which `ip` is not in */
        out->at[out->n++] = (uint16_t)(at - out->start);
        out->accesses += insn.has_memory;
        at += insn.bytes;
    }
    return at == out->end && xb_loop_index(out, ip) < out->n;
}

uint32_t xb_loop_index(const struct xb_loop *loop, uint64_t ip)
{
    uint32_t i = 0;
    if (ip < loop->start || ip >= loop->end)
        return loop->n;
    while (i < loop->n && loop->at[i] != ip - loop->start)
        i++;
    return i;
}
