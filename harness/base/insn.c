/* SPDX-License-Identifier: BSD-3-Clause
 * Decodes instructions through capstone, and keeps of them what insn.h asks for. */
/* xb-library: capstone>=4.0 (Debian: libcapstone-dev) */
#include "insn.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef XB_HAVE_LIBRARY

#    include "evex.h"

#    include <capstone/capstone.h>

/* Two handles: operands cost three quarters of the time, and to find an instruction's start takes
 * the lengths of a hundred. */
struct xb_decoder {
    enum xb_code isa;
    csh full, brief;
    cs_insn *room;
    cs_insn *brief_room;
};

int xb_decoder_open(enum xb_code isa, struct xb_decoder **out, struct xb_reason *why)
{
    cs_arch arch = isa == XB_CODE_X86_64 ? CS_ARCH_X86 : CS_ARCH_ARM64;
    cs_mode mode = isa == XB_CODE_X86_64 ? CS_MODE_64 : CS_MODE_LITTLE_ENDIAN;
    struct xb_decoder *decoder = calloc(1, sizeof *decoder);
    if (!decoder)
        return xb_because(why, -ENOMEM, "decoder: out of memory");
    decoder->isa = isa;
    cs_err err = cs_open(arch, mode, &decoder->full);
    if (err == CS_ERR_OK)
        err = cs_open(arch, mode, &decoder->brief);
    if (err == CS_ERR_OK)
        err = cs_option(decoder->full, CS_OPT_DETAIL, CS_OPT_ON);
    if (err != CS_ERR_OK) {
        xb_decoder_close(decoder);
        return xb_because(why, -ENOSYS, "capstone: %s", cs_strerror(err));
    }
    decoder->room = cs_malloc(decoder->full);
    decoder->brief_room = cs_malloc(decoder->brief);
    if (!decoder->room || !decoder->brief_room) {
        xb_decoder_close(decoder);
        return xb_because(why, -ENOMEM, "capstone: out of memory");
    }
    *out = decoder;
    return 0;
}

void xb_decoder_close(struct xb_decoder *decoder)
{
    if (!decoder)
        return;
    if (decoder->room)
        cs_free(decoder->room, 1);
    if (decoder->brief_room)
        cs_free(decoder->brief_room, 1);
    if (decoder->full)
        cs_close(&decoder->full);
    if (decoder->brief)
        cs_close(&decoder->brief);
    free(decoder);
}

enum xb_code xb_decoder_code(const struct xb_decoder *decoder)
{
    return decoder->isa;
}

size_t xb_decode_bytes(struct xb_decoder *decoder, const uint8_t *code, size_t n, uint64_t at)
{
    const uint8_t *rest = code;
    size_t left = n;
    uint64_t next = at;
    struct xb_insn insn;
    if (cs_disasm_iter(decoder->brief, &rest, &left, &next, decoder->brief_room))
        return decoder->brief_room->size;
    bool is_vector = decoder->isa == XB_CODE_X86_64 && xb_evex_decode(code, n, at, &insn);
    return is_vector ? insn.bytes : 0;
}

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

static bool is_one_of(const char *text, const char *const *names)
{
    for (; *names; names++)
        if (begins(text, *names))
            return true;
    return false;
}

static void set_outputs(struct xb_decoder *decoder, const cs_insn *from,
                        void (*add)(struct xb_register_set *, unsigned), struct xb_insn *out)
{
    cs_regs read, written;
    uint8_t n_read, n_written;
    if (cs_regs_access(decoder->full, from, read, &n_read, written, &n_written) != CS_ERR_OK)
        return;
    out->knows_registers = true;
    for (unsigned i = 0; i < n_written; i++)
        add(&out->outputs, written[i]);
    for (unsigned i = 0; i < from->detail->regs_read_count; i++)
        add(&out->inputs, from->detail->regs_read[i]);
}

static bool in_group(const cs_insn *insn, uint8_t group)
{
    for (unsigned i = 0; i < insn->detail->groups_count; i++)
        if (insn->detail->groups[i] == group)
            return true;
    return false;
}

/* ---- x86-64 ---------------------------------------------------------------------------------- */

static uint8_t x86_number(unsigned reg)
{
    switch (reg) {
#    define NAMED(id, low, word, dword, qword) \
    case X86_REG_##low:                        \
    case X86_REG_##word:                       \
    case X86_REG_##dword:                      \
    case X86_REG_##qword:                      \
        return id
        NAMED(XB_X86_AX, AL, AX, EAX, RAX);
        NAMED(XB_X86_BX, BL, BX, EBX, RBX);
        NAMED(XB_X86_CX, CL, CX, ECX, RCX);
        NAMED(XB_X86_DX, DL, DX, EDX, RDX);
        NAMED(XB_X86_SI, SIL, SI, ESI, RSI);
        NAMED(XB_X86_DI, DIL, DI, EDI, RDI);
        NAMED(XB_X86_BP, BPL, BP, EBP, RBP);
        NAMED(XB_X86_SP, SPL, SP, ESP, RSP);
#    undef NAMED
#    define NUMBERED(n)   \
    case X86_REG_R##n##B: \
    case X86_REG_R##n##W: \
    case X86_REG_R##n##D: \
    case X86_REG_R##n:    \
        return XB_X86_R8 + n - 8
        NUMBERED(8);
        NUMBERED(9);
        NUMBERED(10);
        NUMBERED(11);
        NUMBERED(12);
        NUMBERED(13);
        NUMBERED(14);
        NUMBERED(15);
#    undef NUMBERED
    case X86_REG_RIP:
    case X86_REG_EIP:
        return XB_REG_PC;
    case X86_REG_INVALID:
    case X86_REG_RIZ:
    case X86_REG_EIZ:
        return XB_REG_NONE;
    default: /* vectors; ah and its like, which nobody addresses with */
        return XB_REG_OTHER;
    }
}

static void x86_add(struct xb_register_set *set, unsigned reg)
{
    uint8_t is = x86_number(reg);
    if (is < XB_REGISTERS)
        set->general |= 1u << is;
    else if (reg == X86_REG_EFLAGS)
        set->other |= XB_SET_FLAGS;
    else if (reg >= X86_REG_XMM0 && reg <= X86_REG_XMM31)
        set->vector |= 1u << (reg - X86_REG_XMM0);
    else if (reg >= X86_REG_YMM0 && reg <= X86_REG_YMM31)
        set->vector |= 1u << (reg - X86_REG_YMM0);
    else if (reg >= X86_REG_ZMM0 && reg <= X86_REG_ZMM31)
        set->vector |= 1u << (reg - X86_REG_ZMM0);
    else if (reg >= X86_REG_K0 && reg <= X86_REG_K7)
        set->other |= XB_SET_MASK_0 << (reg - X86_REG_K0);
}

/* Whether it makes a register zero whatever that held: no CPU waits for what it reads (Intel's optimization
 * manual, 3.5.1.7). */
static bool x86_clears(const cs_insn *from)
{
    static const char *const names[] = { "xor", "pxor", "vpxor", "vxorp", NULL };
    const cs_x86 *x86 = &from->detail->x86;
    const cs_x86_op *op = x86->operands;
    unsigned n = x86->op_count;
    bool by_name = from->id == X86_INS_SUB || is_one_of(from->mnemonic, names);
    return by_name && n >= 2 && op[n - 1].type == X86_OP_REG && op[n - 2].type == X86_OP_REG &&
           op[n - 1].reg == op[n - 2].reg;
}

static void x86_inputs(const cs_insn *from, struct xb_insn *out)
{
    const cs_x86 *x86 = &from->detail->x86;
    if (x86_clears(from))
        return;
    for (unsigned i = 0; i < x86->op_count; i++) {
        const cs_x86_op *op = &x86->operands[i];
        if (op->type == X86_OP_REG && (op->access & CS_AC_READ))
            x86_add(&out->inputs, op->reg);
        if (op->type == X86_OP_MEM && from->id == X86_INS_LEA) {
            x86_add(&out->inputs, op->mem.base);
            x86_add(&out->inputs, op->mem.index);
        }
    }
}

static void x86_memory(const cs_x86 *x86, const cs_x86_op *op, struct xb_operand *out)
{
    *out = (struct xb_operand){
        .base = x86_number(op->mem.base),
        .index = x86_number(op->mem.index),
        .scale = (uint8_t)op->mem.scale,
        .index_bytes = x86->addr_size,
        .is_thread_local = op->mem.segment == X86_REG_FS || op->mem.segment == X86_REG_GS,
        .displacement = op->mem.disp,
        .bytes = op->size,
    };
}

static uint8_t x86_step_op(unsigned id)
{
    switch (id) {
    case X86_INS_MOV:
    case X86_INS_MOVABS:
    case X86_INS_MOVZX:
    case X86_INS_MOVSX:
    case X86_INS_MOVSXD:
        return XB_STEP_MOVE;
    case X86_INS_LEA:
        return XB_STEP_LEA;
    case X86_INS_ADD:
    case X86_INS_INC:
        return XB_STEP_ADD;
    case X86_INS_SUB:
    case X86_INS_DEC:
        return XB_STEP_SUBTRACT;
    case X86_INS_AND:
        return XB_STEP_AND;
    case X86_INS_OR:
        return XB_STEP_OR;
    case X86_INS_XOR:
        return XB_STEP_XOR;
    case X86_INS_SHL:
    case X86_INS_SAL:
        return XB_STEP_SHIFT_LEFT;
    case X86_INS_SHR:
        return XB_STEP_SHIFT_RIGHT;
    case X86_INS_SAR:
        return XB_STEP_SHIFT_SIGNED;
    case X86_INS_CMP:
    case X86_INS_TEST:
        return XB_STEP_COMPARE;
    default:
        return XB_STEP_NONE;
    }
}

static void x86_step(const cs_insn *from, struct xb_insn *out)
{
    const cs_x86 *x86 = &from->detail->x86;
    const cs_x86_op *to = &x86->operands[0], *source = &x86->operands[1];
    uint8_t op = x86_step_op(from->id);
    if (!op || x86->op_count < 1 || x86->op_count > 2 || to->type != X86_OP_REG)
        return;
    struct xb_step step = {
        .op = op,
        .to = x86_number(to->reg),
        .left = x86_number(to->reg),
        .right = XB_REG_NONE,
        .bytes = to->size,
        .source_bytes = to->size,
        .is_signed = from->id == X86_INS_MOVSX || from->id == X86_INS_MOVSXD,
    };
    if (x86->op_count == 1) /* inc, dec; a shift by one */
        step.immediate = 1;
    else if (source->type == X86_OP_IMM)
        step.immediate = source->imm;
    else if (source->type == X86_OP_REG) {
        step.right = x86_number(source->reg);
        step.source_bytes = source->size;
    } else if (op != XB_STEP_LEA)
        return;
    bool shifts = op >= XB_STEP_SHIFT_LEFT && op <= XB_STEP_SHIFT_SIGNED;
    /* A part of a register that leaves the rest as it was is not followed. */
    if (step.to >= XB_REGISTERS || step.bytes < 4 || (shifts && step.right != XB_REG_NONE) ||
        (step.right != XB_REG_NONE && step.right >= XB_REGISTERS))
        return;
    if (from->id == X86_INS_TEST && step.right != step.left)
        return;
    if (from->id == X86_INS_TEST) /* with itself: with zero */
        step.right = XB_REG_NONE;
    if (op == XB_STEP_COMPARE)
        step.to = XB_REG_NONE;
    out->step = step;
    if (op == XB_STEP_LEA)
        x86_memory(x86, source, &out->memory);
}

static enum xb_insn_kind x86_kind(const cs_insn *from, const struct xb_insn *insn)
{
    static const char *const divides[] = { "div",    "idiv",  "vdiv",  "sqrt", "vsqrt", "fdiv",
                                           "fidiv",  "fsqrt", "fprem", "fsin", "fcos",  "fptan",
                                           "fpatan", "fyl2",  "f2xm1", NULL };
    static const char *const fences[] = { "mfence", "lfence", "sfence",    "cpuid",
                                          "rdtsc",  "xgetbv", "serialize", NULL };
    bool repeats = from->detail->x86.prefix[0] == X86_PREFIX_REP ||
                   from->detail->x86.prefix[0] == X86_PREFIX_REPNE;
    const char *name = strncmp(from->mnemonic, "rep", 3) == 0 && strchr(from->mnemonic, ' ')
                           ? strchr(from->mnemonic, ' ') + 1
                           : from->mnemonic;
    static const char *const strings[] = { "movsb", "movsw", "movsd", "movsq", "stos",
                                           "cmps",  "scas",  "lods",  NULL };
    if (from->id == X86_INS_PAUSE)
        return XB_INSN_PAUSE;
    /* movsd is also a move of a double, which takes no rep: there that byte is part of the opcode. */
    if (repeats && is_one_of(name, strings) && from->detail->x86.opcode[0] >= 0xa4 &&
        from->detail->x86.opcode[0] <= 0xaf)
        return XB_INSN_STRING;
    if (from->id == X86_INS_SYSCALL || from->id == X86_INS_SYSENTER || from->id == X86_INS_INT)
        return XB_INSN_SYSCALL;
    if (in_group(from, CS_GRP_CALL) || in_group(from, CS_GRP_RET) || in_group(from, CS_GRP_IRET))
        return XB_INSN_CALL;
    if (in_group(from, CS_GRP_JUMP))
        return XB_INSN_JUMP;
    if (begins(name, "push") || begins(name, "pop")) {
        if (!begins(name, "popcnt"))
            return XB_INSN_STACK;
    }
    if (from->id == X86_INS_LEAVE || from->id == X86_INS_ENTER)
        return XB_INSN_STACK;
    if (is_one_of(name, divides))
        return XB_INSN_DIVIDE;
    if (is_one_of(name, fences))
        return XB_INSN_FENCE;
    if (!insn->has_memory)
        return XB_INSN_ALU;
    /* xchg with memory locks without the prefix: Intel SDM 2, XCHG. */
    if (from->detail->x86.prefix[0] == X86_PREFIX_LOCK || begins(name, "xchg"))
        return XB_INSN_ATOMIC;
    return insn->reads ? XB_INSN_LOAD : XB_INSN_STORE;
}

static void translate_x86(const cs_insn *from, struct xb_insn *out)
{
    /* What names memory and stalls on none. */
    static const char *const touchless[] = { "lea",     "nop",  "prefetch", "endbr",
                                             "clflush", "clwb", NULL };
    /* What only writes its first operand. */
    static const char *const moves[] = { "mov",      "vmov",      "vextract",  "pextr",
                                         "vpextr",   "set",       "vcompress", "vpcompress",
                                         "vscatter", "vpscatter", "vmaskmov",  "vpmaskmov",
                                         "fst",      "fist",      NULL };
    const cs_x86 *x86 = &from->detail->x86;
    for (unsigned i = 0; i < x86->op_count && !is_one_of(from->mnemonic, touchless); i++) {
        const cs_x86_op *op = &x86->operands[i];
        if (op->type != X86_OP_MEM)
            continue;
        x86_memory(x86, op, &out->memory);
        out->has_memory = true;
        /* capstone 4.0.2 has it that vmovntdq reads, and of some does not know how they access. */
        bool moves_out = i == 0 && is_one_of(from->mnemonic, moves);
        out->reads = op->access ? op->access & CS_AC_READ && !moves_out : i > 0;
        out->writes = op->access ? op->access & CS_AC_WRITE || moves_out : i == 0;
        break;
    }
    out->kind = x86_kind(from, out);
    out->is_conditional =
        out->kind == XB_INSN_JUMP && from->id != X86_INS_JMP && from->id != X86_INS_LJMP;
    if ((out->kind == XB_INSN_JUMP || out->kind == XB_INSN_CALL) && x86->op_count == 1 &&
        x86->operands[0].type == X86_OP_IMM)
        out->target = (uint64_t)x86->operands[0].imm;
    out->is_compare = from->id == X86_INS_CMP || from->id == X86_INS_TEST;
    x86_inputs(from, out);
    x86_step(from, out);
}

/* ---- aarch64 --------------------------------------------------------------------------------- */

static uint8_t arm_number(unsigned reg)
{
    if (reg >= ARM64_REG_X0 && reg <= ARM64_REG_X28)
        return (uint8_t)(reg - ARM64_REG_X0);
    if (reg >= ARM64_REG_W0 && reg <= ARM64_REG_W30)
        return (uint8_t)(reg - ARM64_REG_W0);
    switch (reg) {
    case ARM64_REG_X29:
        return 29;
    case ARM64_REG_X30:
        return 30;
    case ARM64_REG_SP:
    case ARM64_REG_WSP:
        return XB_ARM_SP;
    case ARM64_REG_INVALID:
        return XB_REG_NONE;
    default: /* also the zero register, which is no root to follow to */
        return XB_REG_OTHER;
    }
}

static void arm_add(struct xb_register_set *set, unsigned reg)
{
    static const unsigned first[] = { ARM64_REG_B0, ARM64_REG_D0, ARM64_REG_H0,
                                      ARM64_REG_Q0, ARM64_REG_S0, ARM64_REG_V0 };
    uint8_t is = arm_number(reg);
    if (is < XB_REGISTERS)
        set->general |= 1u << is;
    if (reg == ARM64_REG_NZCV)
        set->other |= XB_SET_FLAGS;
    for (size_t i = 0; i < sizeof first / sizeof first[0]; i++)
        if (reg >= first[i] && reg < first[i] + 32)
            set->vector |= 1u << (reg - first[i]);
}

/* Says of what only compares that it writes no register: capstone 4.0.2 takes the first operand of these
 * names for others' result. And it has many read their result that do not: those are listed that do. */
static void arm_inputs(const cs_insn *from, struct xb_insn *out)
{
    static const char *const compares[] = { "cmp", "cmn", "tst", NULL };
    static const char *const adds_to[] = { "fmla", "fmls",  "mla",   "mls",  "ins",  "movk", "bf",
                                           "bsl",  "smlal", "umlal", "sdot", "udot", NULL };
    const cs_arm64 *arm = &from->detail->arm64;
    bool compares_only = is_one_of(from->mnemonic, compares);
    for (unsigned i = 0; i < arm->op_count; i++) {
        const cs_arm64_op *op = &arm->operands[i];
        bool is_result = i == 0 && op->access & CS_AC_WRITE;
        if (op->type == ARM64_OP_REG &&
            (is_result ? compares_only || is_one_of(from->mnemonic, adds_to)
                       : op->access & CS_AC_READ))
            arm_add(&out->inputs, op->reg);
    }
    if (compares_only)
        out->outputs.general = 0;
}

static bool is_wide(unsigned reg)
{
    return (reg >= ARM64_REG_X0 && reg <= ARM64_REG_X28) || reg == ARM64_REG_X29 ||
           reg == ARM64_REG_X30 || reg == ARM64_REG_SP;
}

static void arm_memory(const cs_arm64 *arm, unsigned i, struct xb_operand *out)
{
    const cs_arm64_op *op = &arm->operands[i];
    *out = (struct xb_operand){
        .base = arm_number(op->mem.base),
        .index = arm_number(op->mem.index),
        .scale = (uint8_t)(1u << (op->shift.value & 7)),
        .index_bytes = op->ext == ARM64_EXT_UXTW || op->ext == ARM64_EXT_SXTW ? 4 : 8,
        .index_is_signed = op->ext == ARM64_EXT_SXTW,
        .displacement = op->mem.disp,
    };
    if (!arm->writeback)
        return;
    /* `ldr x0, [x1], #8` has the 8 as an operand of its own; `ldr x0, [x1, #8]!` has it inside. */
    out->is_post_indexed = i + 1 < arm->op_count && arm->operands[i + 1].type == ARM64_OP_IMM;
    out->writeback = out->is_post_indexed ? arm->operands[i + 1].imm : op->mem.disp;
}

/* cmp x0, x1; cmp x0, #4; and with zero: cbz x0. */
static void arm_compare(const cs_arm64 *arm, bool with_zero, struct xb_insn *out)
{
    const cs_arm64_op *left = &arm->operands[0], *right = &arm->operands[1];
    if (arm->op_count != 2 || left->type != ARM64_OP_REG)
        return;
    struct xb_step step = { .op = XB_STEP_COMPARE,
                            .to = XB_REG_NONE,
                            .left = arm_number(left->reg),
                            .right = XB_REG_NONE,
                            .bytes = is_wide(left->reg) ? 8 : 4,
                            .source_bytes = is_wide(left->reg) ? 8 : 4 };
    if (!with_zero && right->type == ARM64_OP_IMM && right->shift.type == ARM64_SFT_INVALID)
        step.immediate = right->imm;
    else if (!with_zero && right->type == ARM64_OP_REG && right->shift.type == ARM64_SFT_INVALID &&
             right->ext == ARM64_EXT_INVALID)
        step.right = arm_number(right->reg);
    else if (!with_zero)
        return;
    if (step.left < XB_REGISTERS && (step.right == XB_REG_NONE || step.right < XB_REGISTERS))
        out->step = step;
}

static void arm_step(const cs_insn *from, struct xb_insn *out)
{
    static const struct {
        unsigned id;
        enum xb_step_op op;
    } ops[] = {
        { ARM64_INS_MOV, XB_STEP_MOVE },        { ARM64_INS_MOVZ, XB_STEP_MOVE },
        { ARM64_INS_UXTW, XB_STEP_MOVE },       { ARM64_INS_SXTW, XB_STEP_MOVE },
        { ARM64_INS_ADD, XB_STEP_ADD },         { ARM64_INS_SUB, XB_STEP_SUBTRACT },
        { ARM64_INS_AND, XB_STEP_AND },         { ARM64_INS_ORR, XB_STEP_OR },
        { ARM64_INS_EOR, XB_STEP_XOR },         { ARM64_INS_LSL, XB_STEP_SHIFT_LEFT },
        { ARM64_INS_LSR, XB_STEP_SHIFT_RIGHT }, { ARM64_INS_ASR, XB_STEP_SHIFT_SIGNED },
    };
    const cs_arm64 *arm = &from->detail->arm64;
    enum xb_step_op op = XB_STEP_NONE;
    if (from->id == ARM64_INS_CMP || from->id == ARM64_INS_CBZ || from->id == ARM64_INS_CBNZ) {
        arm_compare(arm, from->id != ARM64_INS_CMP, out);
        return;
    }
    for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++)
        if (ops[i].id == from->id)
            op = ops[i].op;
    unsigned n = arm->op_count;
    if (!op || n != (op == XB_STEP_MOVE ? 2u : 3u) || arm->operands[0].type != ARM64_OP_REG)
        return;
    const cs_arm64_op *last = &arm->operands[n - 1];
    struct xb_step step = {
        .op = op,
        .to = arm_number(arm->operands[0].reg),
        .right = XB_REG_NONE,
        .bytes = is_wide(arm->operands[0].reg) ? 8 : 4,
        .source_bytes = 8,
        .is_signed = from->id == ARM64_INS_SXTW,
    };
    if (n == 3) {
        if (arm->operands[1].type != ARM64_OP_REG)
            return;
        step.left = arm_number(arm->operands[1].reg);
    } else
        step.left = step.to;
    if (last->type == ARM64_OP_IMM)
        step.immediate = (int64_t)((uint64_t)last->imm
                                   << (last->shift.type == ARM64_SFT_LSL ? last->shift.value : 0));
    else if (last->type == ARM64_OP_REG) {
        step.right = arm_number(last->reg);
        bool low = last->ext == ARM64_EXT_UXTW || last->ext == ARM64_EXT_SXTW;
        step.source_bytes = low || !is_wide(last->reg) ? 4 : 8;
        step.is_signed |= last->ext == ARM64_EXT_SXTW;
        bool shifts_left =
            last->shift.type == ARM64_SFT_LSL || last->shift.type == ARM64_SFT_INVALID;
        if (!shifts_left || op >= XB_STEP_SHIFT_LEFT || (last->ext != ARM64_EXT_INVALID && !low))
            return;
        step.shift = (uint8_t)last->shift.value;
    } else
        return;
    if (step.to < XB_REGISTERS && step.left < XB_REGISTERS &&
        (step.right == XB_REG_NONE || step.right < XB_REGISTERS))
        out->step = step;
}

static enum xb_insn_kind arm_kind(const cs_insn *from, const struct xb_insn *insn)
{
    static const char *const atomics[] = { "ldx",  "stx",   "ldax",   "stlx",   "cas",
                                           "swp",  "ldadd", "ldclr",  "ldeor",  "ldset",
                                           "ldsm", "ldumx", "ldumin", "staddl", NULL };
    static const char *const divides[] = { "sdiv", "udiv", "fdiv", "fsqrt", NULL };
    static const char *const fences[] = { "dmb", "dsb", "isb", NULL };
    static const char *const waits[] = { "yield", "wfe", "wfi", NULL };
    const char *name = from->mnemonic;
    if (from->id == ARM64_INS_SVC)
        return XB_INSN_SYSCALL;
    if (begins(name, "bl") || from->id == ARM64_INS_RET)
        return XB_INSN_CALL;
    if (in_group(from, CS_GRP_JUMP) || from->id == ARM64_INS_BR)
        return XB_INSN_JUMP;
    if (is_one_of(name, divides))
        return XB_INSN_DIVIDE;
    if (is_one_of(name, fences))
        return XB_INSN_FENCE;
    if (is_one_of(name, waits))
        return XB_INSN_PAUSE;
    if (!insn->has_memory)
        return XB_INSN_ALU;
    if (is_one_of(name, atomics))
        return XB_INSN_ATOMIC;
    if (insn->memory.base == XB_ARM_SP && insn->memory.index == XB_REG_NONE)
        return XB_INSN_STACK;
    return insn->reads ? XB_INSN_LOAD : XB_INSN_STORE;
}

static void translate_arm(const cs_insn *from, struct xb_insn *out)
{
    const cs_arm64 *arm = &from->detail->arm64;
    for (unsigned i = 0; i < arm->op_count && !begins(from->mnemonic, "prf"); i++)
        if (arm->operands[i].type == ARM64_OP_MEM) {
            arm_memory(arm, i, &out->memory);
            out->has_memory = true;
            /* By name: 4.0 says of some stores that they read. */
            out->reads = !begins(from->mnemonic, "st");
            out->writes = !out->reads;
        }
    out->kind = arm_kind(from, out);
    /* b.eq, cbz, tbnz: all but b and br. */
    out->is_conditional =
        out->kind == XB_INSN_JUMP && from->id != ARM64_INS_BR &&
        !(from->id == ARM64_INS_B && (arm->cc == ARM64_CC_INVALID || arm->cc == ARM64_CC_AL));
    bool goes = out->kind == XB_INSN_JUMP || out->kind == XB_INSN_CALL;
    if (goes && arm->op_count && arm->operands[arm->op_count - 1].type == ARM64_OP_IMM)
        out->target = (uint64_t)arm->operands[arm->op_count - 1].imm;
    arm_inputs(from, out);
    arm_step(from, out);
}

bool xb_decode(struct xb_decoder *decoder, const uint8_t *code, size_t n, uint64_t at,
               struct xb_insn *out)
{
    const cs_insn *from = decoder->room;
    memset(out, 0, sizeof *out);
    out->at = at;
    out->memory.base = out->memory.index = XB_REG_NONE;
    const uint8_t *rest = code;
    size_t left = n;
    uint64_t next = at;
    if (!cs_disasm_iter(decoder->full, &rest, &left, &next, decoder->room))
        return decoder->isa == XB_CODE_X86_64 && xb_evex_decode(code, n, at, out);
    out->bytes = (uint8_t)from->size;
    /* Cut where it is long: for people. */
    int used = snprintf(out->text, sizeof out->text, "%.31s", from->mnemonic);
    if (from->op_str[0])
        snprintf(out->text + used, sizeof out->text - (size_t)used, " %.*s",
                 (int)sizeof out->text - used - 2, from->op_str);
    if (decoder->isa == XB_CODE_X86_64) {
        set_outputs(decoder, from, x86_add, out);
        translate_x86(from, out);
    } else {
        set_outputs(decoder, from, arm_add, out);
        translate_arm(from, out);
    }
    out->written = out->outputs.general;
    return true;
}

#else

int xb_decoder_open(enum xb_code isa, struct xb_decoder **out, struct xb_reason *why)
{
    (void)isa;
    *out = NULL;
    return xb_because(why, -ENOSYS, "built without capstone, which decodes instructions");
}

void xb_decoder_close(struct xb_decoder *decoder)
{
    (void)decoder;
}

enum xb_code xb_decoder_code(const struct xb_decoder *decoder)
{
    (void)decoder;
    return XB_CODE_HERE;
}

bool xb_decode(struct xb_decoder *decoder, const uint8_t *code, size_t n, uint64_t at,
               struct xb_insn *out)
{
    (void)decoder;
    (void)code;
    (void)n;
    memset(out, 0, sizeof *out);
    out->at = at;
    return false;
}

size_t xb_decode_bytes(struct xb_decoder *decoder, const uint8_t *code, size_t n, uint64_t at)
{
    (void)decoder;
    (void)code;
    (void)n;
    (void)at;
    return 0;
}

#endif
