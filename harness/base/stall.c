/* SPDX-License-Identifier: BSD-3-Clause
 * What a sample stood at: the instruction before, through jumps, and how to compute its address. */
#include "stall.h"

#include <string.h>

enum {
    LOOP_INSNS = 300, /* within which a jump back to the sample is looked for */
    PAGE = 4096,      /* of adrp, whatever the kernel's are */
};

const char *xb_stall_kind_name(enum xb_stall_kind kind)
{
    static const char *const names[] = {
#define X(id, name) name,
        XB_STALL_KINDS(X)
#undef X
    };
    return names[kind];
}

/* Whether these bytes can begin a direct jump, as decoding all of them in full takes too long. */
static bool may_jump(enum xb_code isa, const uint8_t *code, size_t n)
{
    if (isa == XB_CODE_AARCH64)
        return n >= 4 && ((code[3] & 0x1c) == 0x14); /* the class of branches: bits 28-26 are 101 */
    size_t i = 0;
    while (i + 1 < n && (code[i] == 0xf2 || code[i] == 0x2e || code[i] == 0x3e))
        i++; /* bnd; hints to branch prediction */
    return (code[i] & 0xf0) == 0x70 || code[i] == 0xe9 || code[i] == 0xeb ||
           (code[i] >= 0xe0 && code[i] <= 0xe3) ||
           (i + 1 < n && code[i] == 0x0f && (code[i + 1] & 0xf0) == 0x80);
}

/* Looks ahead for a jump back to `ip`. True: there is one; `before` is the address of the instruction
 * before it, or 0. A sample at the top of a loop came from there, but for one in so many rounds. */
static bool find_back_edge(struct xb_decoder *decoder, const struct xb_window *window, uint64_t ip,
                           uint64_t *before)
{
    enum xb_code isa = xb_decoder_code(decoder);
    uint64_t at = ip;
    *before = 0;
    for (int i = 0; i < LOOP_INSNS && at - ip < XB_STALL_AHEAD; i++) {
        size_t offset = at - window->first;
        if (offset >= window->n)
            return false;
        const uint8_t *code = window->code + offset;
        struct xb_insn insn;
        if (may_jump(isa, code, window->n - offset) && xb_insn_at(decoder, window, at, &insn) &&
            insn.kind == XB_INSN_JUMP && insn.target == ip)
            return true;
        size_t bytes = xb_decode_bytes(decoder, code, window->n - offset, at);
        if (!bytes)
            return false;
        *before = at;
        at += bytes;
    }
    return false;
}

/* The instruction that was waited for, where samples point behind it. False: the sample came from
 * elsewhere, through a jump, a call or a return. */
static bool find_waited(struct xb_decoder *decoder, const struct xb_window *window, uint64_t ip,
                        struct xb_insn *out)
{
    uint64_t before;
    if (find_back_edge(decoder, window, ip, &before))
        /* A compare with memory and the jump after it are one operation, and a store waits for room
         * while what follows it retires. */
        return before && xb_insn_at(decoder, window, before, out) && out->has_memory;
    before = xb_insn_before(decoder, window, ip);
    if (!before || !xb_insn_at(decoder, window, before, out))
        return false;
    if (out->kind != XB_INSN_JUMP)
        return true;
    if (!out->is_conditional) /* nothing falls through it */
        return false;
    before = xb_insn_before(decoder, window, before);
    return before && xb_insn_at(decoder, window, before, out) && out->has_memory;
}

/* Whether the value that `insn` loads into `reg` is an address that the same instruction loads from
 * next: around the loop that it lies in, nothing else writes the register; or the next use of it is
 * just such a load, in an unrolled loop. */
static bool is_chase(struct xb_decoder *decoder, const struct xb_window *window,
                     const struct xb_insn *insn, uint8_t reg)
{
    uint64_t at = insn->at + insn->bytes;
    bool is_around = false; /* back at the top of the loop, on the way down to `insn` */
    if (insn->kind != XB_INSN_LOAD || insn->memory.bytes < sizeof(void *))
        return false;
    for (int i = 0; i < LOOP_INSNS; i++) {
        struct xb_insn next;
        if (is_around && at == insn->at)
            return true;
        if (!xb_insn_at(decoder, window, at, &next))
            return is_around; /* the loop is longer than what could be read */
        at += next.bytes;
        bool uses = next.has_memory && (next.memory.base == reg || next.memory.index == reg);
        if (uses && next.written >> reg & 1 &&
            next.memory.displacement == insn->memory.displacement)
            return true;
        if (next.kind == XB_INSN_JUMP && next.target && next.target <= insn->at && !is_around) {
            is_around = true;
            at = next.target;
            continue;
        }
        if (next.kind == XB_INSN_CALL && !next.target)
            return false;
        if (!uses && next.written >> reg & 1)
            return false;
    }
    return false;
}

static void find_address(struct xb_decoder *decoder, const struct xb_window *window,
                         const struct xb_insn *insn, struct xb_stall *out)
{
    const struct xb_operand *memory = &insn->memory;
    out->memory = *memory;
    out->from = XB_ADDRESS_LOST;
    out->keeps_base = memory->base < XB_REGISTERS && !(insn->written >> memory->base & 1);
    if (memory->base == XB_REG_OTHER || memory->index == XB_REG_OTHER)
        return;
    out->from = XB_ADDRESS_REGISTERS;
    uint32_t written = insn->written;
    if (memory->writeback && memory->base < XB_REGISTERS) {
        /* Write-back moved the base by a known step: undone, or done already. */
        written &= ~(1u << memory->base);
        out->memory.displacement = memory->is_post_indexed ? -memory->writeback : 0;
    }
    bool base = memory->base < XB_REGISTERS && written >> memory->base & 1;
    bool index = memory->index < XB_REGISTERS && written >> memory->index & 1;
    if (!base && !index)
        return;
    out->keeps_index = !index && memory->index < XB_REGISTERS;
    uint8_t lost = base ? memory->base : memory->index;
    out->from = XB_ADDRESS_LOST;
    if (base && index && memory->base != memory->index)
        return;
    if (xb_slice_find(decoder, window, insn, lost, &out->slice))
        out->from = XB_ADDRESS_SLICE;
    else if (is_chase(decoder, window, insn, lost))
        out->from = XB_ADDRESS_CHASE;
}

/* The number that is loaded ahead of a system call. */
static int find_syscall(struct xb_decoder *decoder, const struct xb_window *window, uint64_t at)
{
    uint8_t reg = xb_decoder_code(decoder) == XB_CODE_X86_64 ? XB_X86_AX : 8;
    for (int i = 0; i < 8; i++) {
        struct xb_insn insn;
        at = xb_insn_before(decoder, window, at);
        if (!at || !xb_insn_at(decoder, window, at, &insn) || insn.kind == XB_INSN_CALL)
            return -1;
        const struct xb_step *step = &insn.step;
        if (!(insn.written >> reg & 1))
            continue;
        if (step->op == XB_STEP_MOVE && step->right == XB_REG_NONE)
            return (int)step->immediate;
        return step->op == XB_STEP_XOR && step->right == step->to ? 0 : -1;
    }
    return -1;
}

static enum xb_stall_kind kind_of(const struct xb_insn *insn)
{
    if (insn->kind == XB_INSN_STACK)
        return XB_STALL_STACK;
    if (insn->has_memory && insn->memory.is_thread_local)
        return XB_STALL_THREAD_LOCAL;
    switch (insn->kind) {
    case XB_INSN_ATOMIC:
        return XB_STALL_ATOMIC;
    case XB_INSN_STRING:
        return XB_STALL_STRING;
    case XB_INSN_CALL:
        return XB_STALL_STACK;
    case XB_INSN_JUMP:
        return XB_STALL_JUMP;
    case XB_INSN_SYSCALL:
        return XB_STALL_SYSCALL;
    case XB_INSN_PAUSE:
        return XB_STALL_PAUSE;
    case XB_INSN_FENCE:
        return XB_STALL_FENCE;
    default:
        break;
    }
    if (insn->has_memory)
        return insn->reads ? XB_STALL_LOAD : XB_STALL_STORE;
    return insn->kind == XB_INSN_DIVIDE ? XB_STALL_DIVIDE : XB_STALL_ALU;
}

static void describe(struct xb_decoder *decoder, const struct xb_window *window,
                     const struct xb_insn *insn, enum xb_skid skid, struct xb_stall *out)
{
    out->kind = kind_of(insn);
    out->at = insn->at;
    out->end = insn->at + insn->bytes;
    if (!xb_piece_find(decoder, window, insn->at, skid == XB_SKID_NEXT, &out->piece))
        out->piece = (struct xb_piece){ 0 };
    memcpy(out->text, insn->text, sizeof out->text);
    out->writes = insn->has_memory && insn->writes;
    out->is_alternating =
        insn->kind == XB_INSN_STRING && (strstr(insn->text, "movs") || strstr(insn->text, "cmps"));
    if (out->kind == XB_STALL_SYSCALL)
        out->syscall = find_syscall(decoder, window, insn->at);
    if (out->kind > XB_STALL_STRING)
        return;
    if (skid == XB_SKID_SAME || insn->kind == XB_INSN_STRING) {
        /* It has not run yet; and string operations count their registers up as they go. */
        bool known = insn->memory.base != XB_REG_OTHER && insn->memory.index != XB_REG_OTHER;
        out->memory = insn->memory;
        out->from = known ? XB_ADDRESS_REGISTERS : XB_ADDRESS_LOST;
        out->keeps_base = insn->memory.base < XB_REGISTERS;
        if (out->memory.is_post_indexed)
            out->memory.displacement = 0;
    } else
        find_address(decoder, window, insn, out);
}

void xb_stall_find(struct xb_decoder *decoder, const struct xb_window *window, uint64_t ip,
                   enum xb_skid skid, struct xb_stall *out)
{
    struct xb_insn here, waited;
    *out = (struct xb_stall){ .kind = XB_STALL_NO_CODE, .at = ip, .end = ip, .syscall = -1 };
    if (ip < window->first || ip - window->first >= window->n)
        return;
    out->kind = XB_STALL_UNDECODABLE;
    if (!xb_insn_at(decoder, window, ip, &here))
        return;
    if (skid == XB_SKID_SAME || here.kind == XB_INSN_STRING) {
        describe(decoder, window, &here, XB_SKID_SAME, out);
        return;
    }
    bool found = find_waited(decoder, window, ip, &waited);
    /* Stores retire at once and wait behind that. When there is no room for more of them it is the next
     * one that is not taken in, and nothing is before it: the sample points at the store. */
    bool touches = found && (waited.has_memory || waited.kind >= XB_INSN_STRING);
    if (!touches && here.kind == XB_INSN_STORE)
        describe(decoder, window, &here, XB_SKID_SAME, out);
    else if (found)
        describe(decoder, window, &waited, skid, out);
    else
        out->kind = XB_STALL_JUMP;
}

bool xb_stall_move(struct xb_stall *stall, uint64_t by)
{
    bool names_target = stall->kind == XB_STALL_JUMP || stall->kind == XB_STALL_STACK;
    if (by && (names_target || by % PAGE))
        return false;
    stall->at += by;
    stall->end += by;
    stall->slice.lea_end += by;
    if (stall->piece.end)
        stall->piece.end += by;
    return true;
}

bool xb_stall_address(const struct xb_stall *stall, const struct xb_registers *registers,
                      unsigned turn, uint64_t *out)
{
    struct xb_operand memory = stall->memory;
    struct xb_registers then;
    if (stall->from == XB_ADDRESS_NONE || stall->from == XB_ADDRESS_LOST)
        return false;
    if (stall->from == XB_ADDRESS_SLICE) {
        then = *registers;
        then.value[stall->slice.recovers] = xb_slice_run(&stall->slice, registers);
        registers = &then;
    }
    if (stall->is_alternating && turn % 2)
        memory.base = memory.base == XB_X86_SI ? XB_X86_DI : XB_X86_SI;
    *out = xb_memory_address(&memory, stall->end, registers);
    /* User space on both architectures, with up to 5 levels of page tables; nothing is mapped low. */
    return *out >= 65536 && *out < 1ull << 56;
}

uint64_t xb_stall_offset(const struct xb_stall *stall, const struct xb_registers *registers)
{
    struct xb_operand rest = stall->memory;
    rest.base = XB_REG_NONE;
    return xb_memory_address(&rest, stall->end, registers);
}
