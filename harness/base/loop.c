/* SPDX-License-Identifier: BSD-3-Clause
 * Finds loops: ahead to the jump back, then all of it from where that leads to. And straight pieces: ahead
 * to what ends them, and back along a chain of instructions that leads here. */
#include "loop.h"

enum { PIECE_BEHIND = 128 }; /* bytes, of some 30 instructions: chains fall in step after a few */

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

static bool ends_piece(const struct xb_insn *insn)
{
    return insn->kind == XB_INSN_JUMP || insn->kind == XB_INSN_CALL ||
           insn->kind == XB_INSN_SYSCALL;
}

static bool is_access(const struct xb_insn *insn)
{
    return insn->has_memory && !insn->memory.is_thread_local && insn->kind != XB_INSN_STACK &&
           !ends_piece(insn);
}

/* Counts one instruction of a piece, of which `next` is the next. */
static void count_place(const struct xb_insn *insn, const struct xb_insn *next, bool behind,
                        struct xb_piece *piece)
{
    bool before_store = behind && !insn->has_memory && insn->kind < XB_INSN_STRING && next &&
                        next->kind == XB_INSN_STORE;
    if (is_access(insn) || before_store)
        piece->accesses++;
    else if (insn->kind == XB_INSN_ALU || insn->kind == XB_INSN_STACK || insn->has_memory)
        piece->others++;
}

/* Counts what lies between the last end of a piece and `at`, on the chain from `from`. False: that does
 * not lead there. */
static bool count_before(struct xb_decoder *decoder, const struct xb_window *window, uint64_t from,
                         uint64_t at, bool behind, struct xb_piece *out)
{
    struct xb_insn insn, next;
    if (!xb_insn_at(decoder, window, from, &insn))
        return false;
    *out = (struct xb_piece){ 0 };
    for (;; insn = next) {
        uint64_t then = insn.at + insn.bytes;
        if (then > at || !xb_insn_at(decoder, window, then, &next))
            return false;
        if (ends_piece(&insn))
            *out = (struct xb_piece){ 0 };
        else
            count_place(&insn, &next, behind, out);
        if (then == at)
            return true;
    }
}

/* A piece that ends with a jump back into it is a loop, and what lies ahead of that runs once. False: what
 * is jumped to does not lead here without a jump. */
static bool start_at(struct xb_decoder *decoder, const struct xb_window *window, uint64_t target,
                     uint64_t at, bool behind, struct xb_piece *before)
{
    struct xb_piece inside = { 0 };
    if (target != at && !count_before(decoder, window, target, at, behind, &inside))
        return false;
    bool all = inside.accesses + inside.others <= before->accesses + before->others;
    if (all)
        *before = inside;
    return all;
}

bool xb_piece_find(struct xb_decoder *decoder, const struct xb_window *window, uint64_t at,
                   bool behind, struct xb_piece *out)
{
    struct xb_insn insn, next;
    *out = (struct xb_piece){ 0 };
    if (!xb_insn_at(decoder, window, at, &insn))
        return false;
    uint64_t step = xb_decoder_code(decoder) == XB_CODE_AARCH64 ? 4 : 1;
    uint64_t room = at - window->first < PIECE_BEHIND ? at - window->first : PIECE_BEHIND;
    bool leads = false;
    struct xb_piece before = { 0 };
    for (uint64_t from = at - room / step * step; from < at && !leads; from += step)
        leads = count_before(decoder, window, from, at, behind, &before);
    if (!leads)
        before = (struct xb_piece){ 0 };
    for (int i = 0; i < XB_LOOP_INSNS; i++, insn = next) {
        out->end = insn.at + insn.bytes;
        if (ends_piece(&insn)) {
            if (insn.kind == XB_INSN_JUMP && insn.target >= window->first && insn.target <= at)
                out->is_loop = start_at(decoder, window, insn.target, at, behind, &before);
            out->accesses += before.accesses;
            out->others += before.others;
            return true;
        }
        if (!xb_insn_at(decoder, window, out->end, &next))
            break;
        count_place(&insn, &next, behind, out);
    }
    *out = (struct xb_piece){ 0 };
    return false;
}
