/* Decodes one machine instruction into what finding a stalled access needs to know of it.
 *
 * x86-64 and aarch64, each on either machine: the code of a program is bytes. Registers are numbered
 * in an order of our own, the same for samples: ax bx cx dx si di bp sp r8 ... r15 on x86-64, x0 ...
 * x30 sp on aarch64. */
#ifndef XB_BASE_INSN_H
#define XB_BASE_INSN_H

#include "reason.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum xb_code { XB_CODE_X86_64, XB_CODE_AARCH64 };

#if defined(__aarch64__)
#    define XB_CODE_HERE XB_CODE_AARCH64
#else
#    define XB_CODE_HERE XB_CODE_X86_64
#endif

enum {
    XB_INSN_BYTES_MAX = 15, /* of an x86-64 instruction */
    XB_REGISTERS = 32,
    XB_REG_NONE = 0xff,
    XB_REG_PC = 0xfe,    /* x86-64: relative to the end of the instruction */
    XB_REG_OTHER = 0xfd, /* a vector register, or whatever else no sample holds */
};

enum {
    XB_X86_AX,
    XB_X86_BX,
    XB_X86_CX,
    XB_X86_DX,
    XB_X86_SI,
    XB_X86_DI,
    XB_X86_BP,
    XB_X86_SP,
    XB_X86_R8,
    XB_ARM_SP = 31,
};

struct xb_registers {
    uint64_t value[XB_REGISTERS];
};

enum xb_insn_kind {
    XB_INSN_ALU,    /* all that is none of the others; may not touch memory */
    XB_INSN_LOAD,   /* reads memory, and may write it: add %rax,(%rbx) */
    XB_INSN_STORE,  /* only writes it */
    XB_INSN_ATOMIC, /* a locked read-modify-write; exclusive loads and stores */
    XB_INSN_STRING, /* rep movs and its like: from (%rsi), to (%rdi), or both */
    XB_INSN_STACK,  /* push and pop; stp and ldp through sp */
    XB_INSN_JUMP,
    XB_INSN_CALL, /* and return: where the next one is, the code does not say */
    XB_INSN_SYSCALL,
    XB_INSN_PAUSE,  /* pause, yield, wfe: it waits for others, awake */
    XB_INSN_DIVIDE, /* and square root */
    XB_INSN_FENCE,  /* and others that drain the pipeline: cpuid, rdtscp, isb */
};

/* An operand in memory: base + (index extended) * scale + displacement. */
struct xb_operand {
    uint8_t base, index;  /* a register, or XB_REG_NONE, _PC, _OTHER */
    uint8_t scale;        /* 1, 2, 4, 8 or 16 */
    uint8_t index_bytes;  /* 8; 4: only the low half counts, */
    bool index_is_signed; /* with its sign */
    bool is_thread_local; /* relative to fs or gs: the sample does not hold that base */
    int64_t displacement;
    /* aarch64: the base is changed by so much as the instruction ends (write-back), before the access
     * (and then it is in the displacement as well) or after it. */
    int64_t writeback;
    bool is_post_indexed;
    uint16_t bytes; /* that are accessed; 0: not known */
};

/* What an instruction does to one register, for those that can be followed backwards and done again. */
enum xb_step_op {
    XB_STEP_NONE, /* it writes no register, or in a way that is not followed */
    XB_STEP_MOVE, /* extended from source_bytes */
    XB_STEP_LEA,  /* the address of the operand in memory */
    XB_STEP_ADD,
    XB_STEP_SUBTRACT,
    XB_STEP_AND,
    XB_STEP_OR,
    XB_STEP_XOR,
    XB_STEP_SHIFT_LEFT,
    XB_STEP_SHIFT_RIGHT,
    XB_STEP_SHIFT_SIGNED,
    XB_STEP_COMPARE, /* left with right, for the flags; `to` is XB_REG_NONE */
};

/* to = left op (right << shift, or the immediate). On x86-64 `left` is `to`. */
struct xb_step {
    enum xb_step_op op;
    uint8_t to, left, right; /* right: XB_REG_NONE for an immediate; for a move the source */
    uint8_t shift;
    uint8_t bytes, source_bytes; /* 1, 2, 4 or 8 */
    bool is_signed;              /* the source is extended with its sign */
    int64_t immediate;
};

/* Registers of all kinds as bits: vector registers under whatever name, so that xmm1 is zmm1. */
struct xb_register_set {
    uint32_t general, vector, other; /* other: XB_SET_FLAGS, and mask registers above it */
};

enum { XB_SET_FLAGS = 1, XB_SET_MASK_0 = 2 };

struct xb_insn {
    uint64_t at;
    uint8_t bytes; /* its length */
    enum xb_insn_kind kind;
    bool has_memory; /* an operand in memory that is accessed: lea and prefetches have none */
    bool reads, writes;
    bool is_conditional; /* a jump */
    bool is_compare;     /* sets flags from memory and no register: fused with the jump after it */
    uint64_t target;     /* of a direct jump; 0: none */
    uint32_t written;    /* bit set over registers */
    /* What the result depends on, but for the address of the operand in memory; nothing of an instruction
     * that only clears a register (xor %eax,%eax). And all that is written. */
    struct xb_register_set inputs, outputs;
    bool knows_registers; /* those two; not so where evex.h decoded it */
    struct xb_operand memory;
    struct xb_step step;
    char text[64]; /* Intel's order on x86-64 */
};

struct xb_decoder;

/* Opens a decoder. `out`: the caller's, back with xb_decoder_close(). 0, -ENOSYS when xbound was built
 * without capstone, or -ENOMEM; `why` (may be NULL) says so. One thread at a time. */
int xb_decoder_open(enum xb_code isa, struct xb_decoder **out, struct xb_reason *why)
    __attribute__((warn_unused_result));

/* Accepts NULL. */
void xb_decoder_close(struct xb_decoder *decoder);

enum xb_code xb_decoder_code(const struct xb_decoder *decoder);

/* Decodes the instruction that `code` (n bytes) begins with, which lies at address `at`. False: that is
 * none, or none that this capstone knows, or it is cut off. Vector instructions that it does not know (4.0
 * lacks some of AVX-512) are taken by their encoding: see evex.h. */
bool xb_decode(struct xb_decoder *decoder, const uint8_t *code, size_t n, uint64_t at,
               struct xb_insn *out) __attribute__((warn_unused_result));

/* The same, and only how long it is, in bytes, which takes a quarter of the time; 0 for false. */
size_t xb_decode_bytes(struct xb_decoder *decoder, const uint8_t *code, size_t n, uint64_t at);

#endif
