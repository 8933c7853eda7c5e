/* Decoding, the instruction before, backward slices and stalled accesses, on bytes whose meaning is known. */
#include "harness/base/slice.h"
#include "harness/base/stall.h"
#include "harness/tests/xbtest.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { AT = 0x401000 };

/* Opens a decoder, or has the test skipped. */
static struct xb_decoder *open_decoder(enum xb_code isa)
{
    struct xb_decoder *decoder = NULL;
    struct xb_reason why;
    if (xb_decoder_open(isa, &decoder, &why) != 0)
        XB_SKIP("%s", why.text);
    return decoder;
}

#define BYTES(...) (const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ })

static struct xb_insn decode(struct xb_decoder *decoder, const uint8_t *code, size_t n)
{
    struct xb_insn insn;
    XB_EXPECT(xb_decode(decoder, code, n, AT, &insn));
    XB_EXPECT_EQ(xb_decode_bytes(decoder, code, n, AT), insn.bytes);
    return insn;
}

XB_TEST(Insn, KindsOnX86)
{
    struct xb_decoder *decoder = open_decoder(XB_CODE_X86_64);
    if (!decoder)
        return;
    static const struct {
        enum xb_insn_kind kind;
        uint8_t n, code[12];
    } cases[] = {
        { XB_INSN_LOAD, 3, { 0x48, 0x8b, 0x07 } },                   /* mov (%rdi),%rax */
        { XB_INSN_LOAD, 3, { 0x48, 0x01, 0x07 } },                   /* add %rax,(%rdi) */
        { XB_INSN_LOAD, 3, { 0x48, 0x39, 0x07 } },                   /* cmp %rax,(%rdi) */
        { XB_INSN_LOAD, 4, { 0xc5, 0xfd, 0x6f, 0x07 } },             /* vmovdqa (%rdi),%ymm0 */
        { XB_INSN_LOAD, 6, { 0x62, 0xf1, 0xfd, 0x48, 0xd4, 0x07 } }, /* vpaddq (%rdi),%zmm0,%zmm0 */
        { XB_INSN_STORE, 3, { 0x48, 0x89, 0x07 } },                  /* mov %rax,(%rdi) */
        { XB_INSN_STORE, 4, { 0xc5, 0xfd, 0xe7, 0x07 } },            /* vmovntdq %ymm0,(%rdi) */
        { XB_INSN_STORE, 7, { 0xc7, 0x07, 1, 0, 0, 0 } },            /* movl $1,(%rdi) */
        { XB_INSN_ATOMIC, 5, { 0xf0, 0x48, 0x0f, 0xc1, 0x07 } },     /* lock xadd %rax,(%rdi) */
        { XB_INSN_ATOMIC, 3, { 0x48, 0x87, 0x07 } },                 /* xchg %rax,(%rdi) */
        { XB_INSN_STRING, 3, { 0xf3, 0x48, 0xa5 } },                 /* rep movsq */
        { XB_INSN_STRING, 2, { 0xf3, 0xaa } },                       /* rep stosb */
        { XB_INSN_LOAD, 4, { 0xf2, 0x0f, 0x10, 0x07 } },             /* movsd (%rdi),%xmm0 */
        { XB_INSN_STACK, 1, { 0x55 } },                              /* push %rbp */
        { XB_INSN_STACK, 1, { 0x5d } },                              /* pop %rbp */
        { XB_INSN_JUMP, 2, { 0x75, 0xf0 } },                         /* jne */
        { XB_INSN_CALL, 5, { 0xe8, 0, 0, 0, 0 } },                   /* call */
        { XB_INSN_CALL, 1, { 0xc3 } },                               /* ret */
        { XB_INSN_SYSCALL, 2, { 0x0f, 0x05 } },                      /* syscall */
        { XB_INSN_PAUSE, 2, { 0xf3, 0x90 } },                        /* pause */
        { XB_INSN_DIVIDE, 3, { 0x48, 0xf7, 0xf1 } },                 /* div %rcx */
        { XB_INSN_DIVIDE, 4, { 0xc5, 0xfb, 0x51, 0xc0 } },           /* vsqrtsd */
        { XB_INSN_FENCE, 3, { 0x0f, 0xae, 0xf0 } },                  /* mfence */
        { XB_INSN_ALU, 4, { 0x48, 0x8d, 0x04, 0x17 } },              /* lea (%rdi,%rdx),%rax */
        { XB_INSN_ALU, 3, { 0x0f, 0x18, 0x0f } },                    /* prefetcht0 (%rdi) */
        { XB_INSN_ALU, 5, { 0x0f, 0x1f, 0x44, 0, 0 } },              /* nopl 0(%rax,%rax) */
        { XB_INSN_ALU, 5, { 0xf3, 0x48, 0x0f, 0xb8, 0xc0 } },        /* popcnt %rax,%rax */
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct xb_insn insn;
        if (!xb_decode(decoder, cases[i].code, cases[i].n, AT, &insn))
            XB_FAIL("case %zu is not decoded", i);
        else if (insn.kind != cases[i].kind)
            XB_FAIL("'%s' is of kind %d, should be %d", insn.text, insn.kind, cases[i].kind);
    }
    xb_decoder_close(decoder);
}

XB_TEST(Insn, OperandsOnX86)
{
    struct xb_decoder *decoder = open_decoder(XB_CODE_X86_64);
    if (!decoder)
        return;
    /* mov -0x10(%rbx,%r9,8),%r10d */
    struct xb_insn insn = decode(decoder, BYTES(0x46, 0x8b, 0x54, 0xcb, 0xf0));
    XB_EXPECT_EQ(insn.bytes, 5);
    XB_EXPECT_EQ(insn.memory.base, XB_X86_BX);
    XB_EXPECT_EQ(insn.memory.index, XB_X86_R8 + 1);
    XB_EXPECT_EQ(insn.memory.scale, 8);
    XB_EXPECT_EQ(insn.memory.displacement, -16);
    XB_EXPECT_EQ(insn.memory.bytes, 4);
    XB_EXPECT_EQ(insn.written, 1u << (XB_X86_R8 + 2));
    /* mov %fs:0x28,%rax */
    insn = decode(decoder, BYTES(0x64, 0x48, 0x8b, 0x04, 0x25, 0x28, 0, 0, 0));
    XB_EXPECT(insn.memory.is_thread_local);
    /* mov 0x10(%rip),%rax */
    insn = decode(decoder, BYTES(0x48, 0x8b, 0x05, 0x10, 0, 0, 0));
    struct xb_registers none = { { 0 } };
    XB_EXPECT_EQ(insn.memory.base, XB_REG_PC);
    XB_EXPECT_EQ(xb_memory_address(&insn.memory, insn.at + insn.bytes, &none), AT + 7 + 0x10);
    /* vpgatherqq (%rax,%ymm1,8),... has a vector of indices. */
    insn = decode(decoder, BYTES(0xc4, 0xe2, 0xed, 0x91, 0x04, 0xc8));
    XB_EXPECT_EQ(insn.memory.index, XB_REG_OTHER);
    /* jne -14 */
    insn = decode(decoder, BYTES(0x75, 0xf0));
    XB_EXPECT(insn.is_conditional);
    XB_EXPECT_EQ(insn.target, AT + 2 - 16);
    insn = decode(decoder, BYTES(0xeb, 0xf0));
    XB_EXPECT(!insn.is_conditional);
    xb_decoder_close(decoder);
}

XB_TEST(Insn, KindsAndOperandsOnAarch64)
{
    struct xb_decoder *decoder = open_decoder(XB_CODE_AARCH64);
    if (!decoder)
        return;
    /* ldr x0, [x1, x2, lsl #3] */
    struct xb_insn insn = decode(decoder, BYTES(0x20, 0x78, 0x62, 0xf8));
    XB_EXPECT_EQ(insn.kind, XB_INSN_LOAD);
    XB_EXPECT_EQ(insn.memory.base, 1);
    XB_EXPECT_EQ(insn.memory.index, 2);
    XB_EXPECT_EQ(insn.memory.scale, 8);
    XB_EXPECT_EQ(insn.written, 1u);
    /* ldr x0, [x1, w2, sxtw #3] */
    insn = decode(decoder, BYTES(0x20, 0xd8, 0x62, 0xf8));
    XB_EXPECT_EQ(insn.memory.index_bytes, 4);
    XB_EXPECT(insn.memory.index_is_signed);
    /* ldr x2, [x0], #64 */
    insn = decode(decoder, BYTES(0x02, 0x04, 0x44, 0xf8));
    XB_EXPECT_EQ(insn.kind, XB_INSN_LOAD);
    XB_EXPECT(insn.memory.is_post_indexed);
    XB_EXPECT_EQ(insn.memory.writeback, 64);
    /* str x2, [x0, #64]! */
    insn = decode(decoder, BYTES(0x02, 0x0c, 0x04, 0xf8));
    XB_EXPECT_EQ(insn.kind, XB_INSN_STORE);
    XB_EXPECT(!insn.memory.is_post_indexed);
    XB_EXPECT_EQ(insn.memory.writeback, 64);
    static const struct {
        enum xb_insn_kind kind;
        uint8_t code[4];
    } cases[] = {
        { XB_INSN_JUMP, { 0x61, 0xff, 0xff, 0x54 } },    /* b.ne */
        { XB_INSN_JUMP, { 0xe0, 0xff, 0xff, 0xb5 } },    /* cbnz x0 */
        { XB_INSN_CALL, { 0x00, 0x00, 0x00, 0x94 } },    /* bl */
        { XB_INSN_CALL, { 0xc0, 0x03, 0x5f, 0xd6 } },    /* ret */
        { XB_INSN_SYSCALL, { 0x01, 0x00, 0x00, 0xd4 } }, /* svc #0 */
        { XB_INSN_PAUSE, { 0x3f, 0x20, 0x03, 0xd5 } },   /* yield */
        { XB_INSN_FENCE, { 0xbf, 0x3b, 0x03, 0xd5 } },   /* dmb ish */
        { XB_INSN_DIVIDE, { 0x20, 0x08, 0xc2, 0x9a } },  /* udiv x0, x1, x2 */
        { XB_INSN_ATOMIC, { 0x20, 0xfc, 0x5f, 0xc8 } },  /* ldaxr x0, [x1] */
        { XB_INSN_STACK, { 0xfd, 0x7b, 0xbf, 0xa9 } },   /* stp x29, x30, [sp, #-16]! */
        { XB_INSN_ALU, { 0x20, 0x00, 0x02, 0x8b } },     /* add x0, x1, x2 */
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        insn = decode(decoder, cases[i].code, 4);
        if (insn.kind != cases[i].kind)
            XB_FAIL("'%s' is of kind %d, should be %d", insn.text, insn.kind, cases[i].kind);
    }
    xb_decoder_close(decoder);
}

/* Which registers a result depends on, and which are written. */
struct used {
    struct xb_register_set in, out;
    uint8_t n, code[8];
};

static void expect_used(struct xb_decoder *decoder, const struct used *cases, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct xb_insn insn;
        if (!xb_decode(decoder, cases[i].code, cases[i].n, AT, &insn))
            XB_FAIL("case %zu is not decoded", i);
        else if (!insn.knows_registers ||
                 memcmp(&insn.inputs, &cases[i].in, sizeof insn.inputs) != 0 ||
                 memcmp(&insn.outputs, &cases[i].out, sizeof insn.outputs) != 0 ||
                 insn.written != insn.outputs.general)
            XB_FAIL("'%s' reads %x %x %x and writes %x %x %x", insn.text, insn.inputs.general,
                    insn.inputs.vector, insn.inputs.other, insn.outputs.general,
                    insn.outputs.vector, insn.outputs.other);
    }
}

XB_TEST(Insn, RegistersThatX86ReadsAndWrites)
{
    struct xb_decoder *decoder = open_decoder(XB_CODE_X86_64);
    if (!decoder)
        return;
    const uint32_t ax = 1 << XB_X86_AX, cx = 1 << XB_X86_CX, dx = 1 << XB_X86_DX,
                   di = 1 << XB_X86_DI;
    const struct used cases[] = {
        /* addsd (%rdi),%xmm0: not the address */
        { { 0, 1, 0 }, { 0, 1, 0 }, 4, { 0xf2, 0x0f, 0x58, 0x07 } },
        /* movsd (%rdi),%xmm1 */
        { { 0, 0, 0 }, { 0, 2, 0 }, 4, { 0xf2, 0x0f, 0x10, 0x0f } },
        /* vaddpd (%rdi),%ymm2,%ymm2 */
        { { 0, 4, 0 }, { 0, 4, 0 }, 4, { 0xc5, 0xed, 0x58, 0x17 } },
        /* cmp %rdx,%rax and cmovl %rdx,%rax: through the flags */
        { { ax | dx, 0, 0 }, { 0, 0, XB_SET_FLAGS }, 3, { 0x48, 0x39, 0xd0 } },
        { { ax | dx, 0, XB_SET_FLAGS }, { ax, 0, 0 }, 4, { 0x48, 0x0f, 0x4c, 0xc2 } },
        /* xor %eax,%eax and pxor %xmm1,%xmm1 clear; xor %ecx,%eax does not */
        { { 0, 0, 0 }, { ax, 0, XB_SET_FLAGS }, 2, { 0x31, 0xc0 } },
        { { 0, 0, 0 }, { 0, 2, 0 }, 4, { 0x66, 0x0f, 0xef, 0xc9 } },
        { { ax | cx, 0, 0 }, { ax, 0, XB_SET_FLAGS }, 2, { 0x31, 0xc8 } },
        /* lea 8(%rdi,%rax,8),%rcx: its address is its result */
        { { di | ax, 0, 0 }, { cx, 0, 0 }, 5, { 0x48, 0x8d, 0x4c, 0xc7, 0x08 } },
        /* div %rcx */
        { { ax | dx | cx, 0, 0 }, { ax | dx, 0, XB_SET_FLAGS }, 3, { 0x48, 0xf7, 0xf1 } },
        /* vpcmpgtd %zmm1,%zmm2,%k1 */
        { { 0, 6, 0 }, { 0, 0, XB_SET_MASK_0 << 1 }, 6, { 0x62, 0xf1, 0x6d, 0x48, 0x66, 0xc9 } },
    };
    expect_used(decoder, cases, sizeof cases / sizeof cases[0]);
    /* vpternlogd $0x96,(%rdi),%zmm2,%zmm3: only its operand in memory is known */
    struct xb_insn insn = decode(decoder, BYTES(0x62, 0xf3, 0x6d, 0x48, 0x25, 0x1f, 0x96));
    XB_EXPECT(!insn.knows_registers);
    xb_decoder_close(decoder);
}

XB_TEST(Insn, RegistersThatAarch64ReadsAndWrites)
{
    struct xb_decoder *decoder = open_decoder(XB_CODE_AARCH64);
    if (!decoder)
        return;
    static const struct used cases[] = {
        /* cmp x1, x2; cmn x1, #1; tst x1, x2: no register but the flags */
        { { 6, 0, 0 }, { 0, 0, XB_SET_FLAGS }, 4, { 0x3f, 0x00, 0x02, 0xeb } },
        { { 2, 0, 0 }, { 0, 0, XB_SET_FLAGS }, 4, { 0x3f, 0x04, 0x00, 0xb1 } },
        { { 6, 0, 0 }, { 0, 0, XB_SET_FLAGS }, 4, { 0x3f, 0x00, 0x02, 0xea } },
        /* cbnz x0 */
        { { 1, 0, 0 }, { 0, 0, 0 }, 4, { 0xe0, 0xff, 0xff, 0xb5 } },
        /* mov x0, #5 and lsl x0, x1, #3 do not read x0 */
        { { 0, 0, 0 }, { 1, 0, 0 }, 4, { 0xa0, 0x00, 0x80, 0xd2 } },
        { { 2, 0, 0 }, { 1, 0, 0 }, 4, { 0x20, 0xf0, 0x7d, 0xd3 } },
        /* ldr d1, [x1], #8 */
        { { 0, 0, 0 }, { 2, 2, 0 }, 4, { 0x21, 0x84, 0x40, 0xfc } },
        /* fmla v0.2d, v1.2d, v2.2d reads its result; fadd d0, d1, d2 does not */
        { { 0, 7, 0 }, { 0, 1, 0 }, 4, { 0x20, 0xcc, 0x62, 0x4e } },
        { { 0, 6, 0 }, { 0, 1, 0 }, 4, { 0x20, 0x28, 0x62, 0x1e } },
    };
    expect_used(decoder, cases, sizeof cases / sizeof cases[0]);
    xb_decoder_close(decoder);
}

XB_TEST(Insn, WhatIsNoneOrCutOffIsNotDecoded)
{
    struct xb_decoder *decoder = open_decoder(XB_CODE_X86_64);
    if (!decoder)
        return;
    struct xb_insn insn;
    XB_EXPECT(!xb_decode(decoder, BYTES(0x06), AT, &insn));       /* push %es: not in 64 bits */
    XB_EXPECT(!xb_decode(decoder, BYTES(0x48, 0x8b), AT, &insn)); /* no ModRM */
    XB_EXPECT(!xb_decode(decoder, (const uint8_t *)"", 0, AT, &insn));
    XB_EXPECT_EQ(xb_decode_bytes(decoder, BYTES(0x06), AT), 0);
    xb_decoder_close(decoder);
}

/* vpmadd52luq 0x40(%rsi,%r9,8),%zmm1,%zmm0, which capstone 4.0.2 does not know, and its like, as GNU as
 * encodes them. */
XB_TEST(Insn, VectorInstructionsAreKnownByTheirEncoding)
{
    struct xb_decoder *decoder = open_decoder(XB_CODE_X86_64);
    if (!decoder)
        return;
    struct xb_insn insn = decode(decoder, BYTES(0x62, 0xb2, 0xf5, 0x48, 0xb4, 0x44, 0xce, 0x01));
    XB_EXPECT_EQ(insn.bytes, 8);
    XB_EXPECT_EQ(insn.kind, XB_INSN_LOAD);
    XB_EXPECT_EQ(insn.memory.base, XB_X86_SI);
    XB_EXPECT_EQ(insn.memory.index, XB_X86_R8 + 1);
    XB_EXPECT_EQ(insn.memory.scale, 8);
    XB_EXPECT_EQ(insn.memory.displacement, 64);
    /* vpmadd52huq %zmm2,%zmm1,%zmm0 */
    insn = decode(decoder, BYTES(0x62, 0xf2, 0xf5, 0x48, 0xb5, 0xc2));
    XB_EXPECT_EQ(insn.bytes, 6);
    XB_EXPECT_EQ(insn.kind, XB_INSN_ALU);
    /* {vex} vpdpbusd 0x11223344(%rip),%ymm1,%ymm0 */
    insn = decode(decoder, BYTES(0xc4, 0xe2, 0x75, 0x50, 0x05, 0x44, 0x33, 0x22, 0x11));
    XB_EXPECT_EQ(insn.bytes, 9);
    XB_EXPECT_EQ(insn.memory.base, XB_REG_PC);
    XB_EXPECT_EQ(insn.memory.displacement, 0x11223344);
    /* Cut off, or with a field that is reserved. */
    XB_EXPECT(!xb_decode(decoder, BYTES(0x62, 0xb2, 0xf5, 0x48, 0xb4, 0x44, 0xce), AT, &insn));
    XB_EXPECT(!xb_decode(decoder, BYTES(0x62, 0xf2, 0xf5, 0x68, 0xb5, 0xc2), AT, &insn));
    xb_decoder_close(decoder);
}

/* mov $7,%edx; mov %rdx,%rcx; add $16,%rcx; shl $2,%rcx; mov (%rdi,%rcx,8),%rcx */
static const uint8_t sliced[] = {
    0xba, 0x07, 0,    0,    0,    0x48, 0x89, 0xd1, 0x48, 0x83, 0xc1,
    0x10, 0x48, 0xc1, 0xe1, 0x02, 0x48, 0x8b, 0x0c, 0xcf, 0x90, 0x90
};
enum { SLICED_LOAD = 16, SLICED_AFTER = 20 };

XB_TEST(Before, FindsTheStartsOfWhatWasEncoded)
{
    struct xb_decoder *decoder = open_decoder(XB_CODE_X86_64);
    if (!decoder)
        return;
    struct xb_window window = { sliced, AT, sizeof sliced };
    static const uint8_t starts[] = { 0, 5, 8, 12, 16, 20, 21 };
    for (size_t i = 1; i < sizeof starts; i++)
        XB_EXPECT_EQ(xb_insn_before(decoder, &window, AT + starts[i]) - AT, starts[i - 1]);
    XB_EXPECT_EQ(xb_insn_before(decoder, &window, AT), 0);                     /* nothing before */
    XB_EXPECT_EQ(xb_insn_before(decoder, &window, AT + sizeof sliced + 1), 0); /* outside */
    XB_EXPECT_EQ(xb_insn_before(decoder, &window, AT - 1), 0);
    xb_decoder_close(decoder);
}

XB_TEST(Before, AgreesWithObjdumpOnTheShell)
{
    struct xb_decoder *decoder = open_decoder(XB_CODE_X86_64);
    if (!decoder)
        return;
    FILE *file = fopen("/bin/sh", "re");
    FILE *lines =
        popen("LC_ALL=C objdump -d -j .text --insn-width=16 /bin/sh 2>/dev/null | head -n 6000 | "
              "grep -E '^ +[0-9a-f]+:' | cut -f 1,2",
              "r");
    char line[256];
    uint8_t code[65536];
    uint64_t start[6000];
    size_t n = 0, bytes = 0, right = 0;
    while (lines && n < 6000 && fgets(line, sizeof line, lines)) {
        char *at = NULL;
        start[n++] = strtoull(line, &at, 16);
        for (at = *at ? at + 1 : at; bytes < sizeof code;) {
            char *end;
            unsigned long byte = strtoul(at, &end, 16);
            if (end == at)
                break;
            code[bytes++] = (uint8_t)byte;
            at = end;
        }
    }
    if (lines)
        pclose(lines);
    if (file)
        fclose(file);
    if (n < 3000 || strtoull(line, NULL, 16) == 0 || XB_CODE_HERE != XB_CODE_X86_64) {
        XB_SKIP("no objdump, no x86-64, or a shell of %zu instructions", n);
        xb_decoder_close(decoder);
        return;
    }
    struct xb_window window = { code, start[0], bytes };
    for (size_t i = 20; i < n; i++)
        right += xb_insn_before(decoder, &window, start[i]) == start[i - 1];
    /* The research found 99.2 to 100 %. */
    if ((double)right < 0.985 * (double)(n - 20))
        XB_FAIL("%zu of %zu are right", right, n - 20);
    xb_decoder_close(decoder);
}

XB_TEST(Slice, RecoversAnOverwrittenIndex)
{
    struct xb_decoder *decoder = open_decoder(XB_CODE_X86_64);
    if (!decoder)
        return;
    struct xb_window window = { sliced, AT, sizeof sliced };
    struct xb_stall stall;
    struct xb_registers now = { { 0 } };
    now.value[XB_X86_DI] = 0x700000;
    now.value[XB_X86_DX] = 7;
    now.value[XB_X86_CX] = 0xdeadbeef; /* what was loaded */
    xb_stall_find(decoder, &window, AT + SLICED_AFTER, XB_SKID_NEXT, &stall);
    XB_EXPECT_EQ(stall.kind, XB_STALL_LOAD);
    XB_EXPECT_EQ(stall.at, AT + SLICED_LOAD);
    XB_EXPECT_EQ(stall.from, XB_ADDRESS_SLICE);
    uint64_t address = 0;
    XB_EXPECT(xb_stall_address(&stall, &now, 0, &address));
    XB_EXPECT_EQ(address, 0x700000 + (7 + 16) * 4 * 8);
    /* With the sample at the load itself nothing is overwritten yet. */
    now.value[XB_X86_CX] = 3;
    xb_stall_find(decoder, &window, AT + SLICED_LOAD, XB_SKID_SAME, &stall);
    XB_EXPECT_EQ(stall.from, XB_ADDRESS_REGISTERS);
    XB_EXPECT(xb_stall_address(&stall, &now, 0, &address));
    XB_EXPECT_EQ(address, 0x700000 + 3 * 8);
    xb_decoder_close(decoder);
}

XB_TEST(Slice, ACopyThatWasKeptIsTheRegister)
{
    struct xb_decoder *decoder = open_decoder(XB_CODE_X86_64);
    if (!decoder)
        return;
    /* call +0; mov %rax,%r8; mov 8(%rax),%eax; nop */
    static const uint8_t code[] = { 0xe8, 0, 0, 0, 0, 0x49, 0x89, 0xc0, 0x8b, 0x40, 0x08, 0x90 };
    struct xb_stall stall;
    struct xb_registers now = { { 0 } };
    now.value[XB_X86_R8] = 0x7f0000000040;
    xb_stall_find(decoder, &(struct xb_window){ code, AT, sizeof code }, AT + 11, XB_SKID_NEXT,
                  &stall);
    XB_EXPECT_EQ(stall.from, XB_ADDRESS_SLICE);
    uint64_t address = 0;
    XB_EXPECT(xb_stall_address(&stall, &now, 0, &address));
    XB_EXPECT_EQ(address, 0x7f0000000048);
    /* mov %rax,%r8; inc %r8; mov 8(%rax),%eax: a copy that is changed is none */
    static const uint8_t changed[] = { 0x49, 0x89, 0xc0, 0x49, 0xff, 0xc0, 0x8b, 0x40, 0x08, 0x90 };
    xb_stall_find(decoder, &(struct xb_window){ changed, AT, sizeof changed }, AT + 9, XB_SKID_NEXT,
                  &stall);
    XB_EXPECT_EQ(stall.from, XB_ADDRESS_LOST);
    xb_decoder_close(decoder);
}

XB_TEST(Slice, StopsAtAJumpAndAtWhatItCannotUndo)
{
    struct xb_decoder *decoder = open_decoder(XB_CODE_X86_64);
    if (!decoder)
        return;
    struct xb_stall stall;
    /* mov %rdx,%rcx; je +0; mov (%rdi,%rcx,8),%ecx; nop; nop */
    static const uint8_t jump[] = { 0x48, 0x89, 0xd1, 0x74, 0, 0x8b, 0x0c, 0xcf, 0x90, 0x90 };
    xb_stall_find(decoder, &(struct xb_window){ jump, AT, sizeof jump }, AT + 8, XB_SKID_NEXT,
                  &stall);
    XB_EXPECT_EQ(stall.kind, XB_STALL_LOAD);
    XB_EXPECT_EQ(stall.from, XB_ADDRESS_LOST);
    /* movslq (%rdx),%rdx; mov (%rdx,%rcx,4),%edx: how far it was is known */
    static const uint8_t far[] = { 0x48, 0x63, 0x12, 0x8b, 0x14, 0x8a, 0x90 };
    xb_stall_find(decoder, &(struct xb_window){ far, AT, sizeof far }, AT + 6, XB_SKID_NEXT,
                  &stall);
    XB_EXPECT_EQ(stall.from, XB_ADDRESS_LOST);
    XB_EXPECT(stall.keeps_index);
    XB_EXPECT_EQ(xb_stall_offset(&stall, &(struct xb_registers){ { [XB_X86_CX] = 1000 } }), 4000);
    /* imul %rdx,%rcx; mov (%rdi,%rcx,8),%ecx; nop; nop */
    static const uint8_t product[] = { 0x48, 0x0f, 0xaf, 0xca, 0x8b, 0x0c, 0xcf, 0x90, 0x90 };
    xb_stall_find(decoder, &(struct xb_window){ product, AT, sizeof product }, AT + 7, XB_SKID_NEXT,
                  &stall);
    XB_EXPECT_EQ(stall.from, XB_ADDRESS_LOST);
    /* mov %rdx,%rcx; mov $1,%edx; mov (%rdi,%rcx,8),%ecx: rdx is not what it was */
    static const uint8_t dead[] = {
        0x48, 0x89, 0xd1, 0xba, 1, 0, 0, 0, 0x8b, 0x0c, 0xcf, 0x90, 0x90
    };
    xb_stall_find(decoder, &(struct xb_window){ dead, AT, sizeof dead }, AT + 11, XB_SKID_NEXT,
                  &stall);
    XB_EXPECT_EQ(stall.from, XB_ADDRESS_LOST);
    uint64_t address;
    XB_EXPECT(!xb_stall_address(&stall, &(struct xb_registers){ { 0 } }, 0, &address));
    xb_decoder_close(decoder);
}

XB_TEST(Stall, AChaseGivesTheAddressOfItsNextLoad)
{
    struct xb_decoder *decoder = open_decoder(XB_CODE_X86_64);
    if (!decoder)
        return;
    /* top: mov 8(%rax),%rax; sub $1,%rsi; jne top */
    static const uint8_t code[] = {
        0x48, 0x8b, 0x40, 0x08, 0x48, 0x83, 0xee, 0x01, 0x75, 0xf6, 0x90
    };
    struct xb_stall stall;
    struct xb_registers now = { { 0 } };
    now.value[XB_X86_AX] = 0x7f0000000040;
    xb_stall_find(decoder, &(struct xb_window){ code, AT, sizeof code }, AT + 4, XB_SKID_NEXT,
                  &stall);
    XB_EXPECT_EQ(stall.from, XB_ADDRESS_CHASE);
    uint64_t address = 0;
    XB_EXPECT(xb_stall_address(&stall, &now, 0, &address));
    XB_EXPECT_EQ(address, 0x7f0000000048);
    now.value[XB_X86_AX] = 0; /* the end of the list */
    XB_EXPECT(!xb_stall_address(&stall, &now, 0, &address));
    xb_decoder_close(decoder);
}

XB_TEST(Stall, ALoadOfAnIndexThatIsLoadedAnewEachTimeIsNoChase)
{
    struct xb_decoder *decoder = open_decoder(XB_CODE_X86_64);
    if (!decoder)
        return;
    /* top: mov (%rsi,%rdx,8),%rax; test %rax,%rax; js +0; mov (%r10,%rax,8),%rax;
     * mov %rax,(%rdi,%rdx,8); add $1,%rdx; jmp top */
    static const uint8_t code[] = { 0x48, 0x8b, 0x04, 0xd6, 0x48, 0x85, 0xc0, 0x78,
                                    0,    0x49, 0x8b, 0x04, 0xc2, 0x48, 0x89, 0x04,
                                    0xd7, 0x48, 0x83, 0xc2, 0x01, 0xeb, 0xe9, 0x90 };
    struct xb_stall stall;
    xb_stall_find(decoder, &(struct xb_window){ code, AT, sizeof code }, AT + 13, XB_SKID_NEXT,
                  &stall);
    XB_EXPECT_EQ(stall.at, AT + 9);
    XB_EXPECT_EQ(stall.from, XB_ADDRESS_LOST);
    XB_EXPECT(stall.keeps_base);
    /* mov 8(%rax),%eax; jmp top: half a pointer is none */
    static const uint8_t half[] = { 0x8b, 0x40, 0x08, 0xeb, 0xfb, 0x90 };
    xb_stall_find(decoder, &(struct xb_window){ half, AT, sizeof half }, AT + 3, XB_SKID_NEXT,
                  &stall);
    XB_EXPECT_EQ(stall.from, XB_ADDRESS_LOST);
    xb_decoder_close(decoder);
}

XB_TEST(Stall, LooksThroughTheJumpBackToACompareWithMemory)
{
    struct xb_decoder *decoder = open_decoder(XB_CODE_X86_64);
    if (!decoder)
        return;
    /* top: add $8,%rdi; cmp %rax,(%rdi); jne top; nop */
    static const uint8_t code[] = {
        0x48, 0x83, 0xc7, 0x08, 0x48, 0x39, 0x07, 0x75, 0xf7, 0x90, 0x90
    };
    struct xb_window window = { code, AT, sizeof code };
    struct xb_stall stall;
    xb_stall_find(decoder, &window, AT, XB_SKID_NEXT, &stall); /* at the top, from the jump */
    XB_EXPECT_EQ(stall.kind, XB_STALL_LOAD);
    XB_EXPECT_EQ(stall.at, AT + 4);
    xb_stall_find(decoder, &window, AT + 9, XB_SKID_NEXT, &stall); /* fallen through it */
    XB_EXPECT_EQ(stall.at, AT + 4);
    xb_decoder_close(decoder);
}

XB_TEST(Stall, AStoreThatIsNotTakenInIsTheOneAtTheSample)
{
    struct xb_decoder *decoder = open_decoder(XB_CODE_X86_64);
    if (!decoder)
        return;
    /* add $1,%rax; mov %rax,(%rdi,%rcx,8); nop */
    static const uint8_t code[] = { 0x48, 0x83, 0xc0, 0x01, 0x48, 0x89, 0x04, 0xcf, 0x90 };
    struct xb_stall stall;
    xb_stall_find(decoder, &(struct xb_window){ code, AT, sizeof code }, AT + 4, XB_SKID_NEXT,
                  &stall);
    XB_EXPECT_EQ(stall.kind, XB_STALL_STORE);
    XB_EXPECT_EQ(stall.at, AT + 4);
    xb_decoder_close(decoder);
}

XB_TEST(Stall, AStringOperationHasItsAddressesInItsRegisters)
{
    struct xb_decoder *decoder = open_decoder(XB_CODE_X86_64);
    if (!decoder)
        return;
    static const uint8_t code[] = { 0xf3, 0xa4, 0x90 }; /* rep movsb */
    struct xb_stall stall;
    struct xb_registers now = { { 0 } };
    now.value[XB_X86_SI] = 0x600000;
    now.value[XB_X86_DI] = 0x800000;
    xb_stall_find(decoder, &(struct xb_window){ code, AT, sizeof code }, AT, XB_SKID_NEXT, &stall);
    XB_EXPECT_EQ(stall.kind, XB_STALL_STRING);
    uint64_t one = 0, other = 0;
    XB_EXPECT(xb_stall_address(&stall, &now, 0, &one) && xb_stall_address(&stall, &now, 1, &other));
    XB_EXPECT_EQ(one + other, 0x600000 + 0x800000);
    XB_EXPECT(one != other);
    xb_decoder_close(decoder);
}

XB_TEST(Stall, TheNumberOfASystemCallIsReadAheadOfIt)
{
    struct xb_decoder *decoder = open_decoder(XB_CODE_X86_64);
    if (!decoder)
        return;
    /* 8 nops, so that chains fall in step; mov $202,%eax; xor %esi,%esi; syscall; nop */
    static const uint8_t code[] = { 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0xb8, 0xca,
                                    0,    0,    0,    0x31, 0xf6, 0x0f, 0x05, 0x90, 0x90 };
    struct xb_stall stall;
    xb_stall_find(decoder, &(struct xb_window){ code, AT, sizeof code }, AT + 17, XB_SKID_NEXT,
                  &stall);
    XB_EXPECT_EQ(stall.kind, XB_STALL_SYSCALL);
    XB_EXPECT_EQ(stall.syscall, 202);
    xb_decoder_close(decoder);
}

/* As found `by` bytes further on, it is what is found there. */
static void expect_moved(struct xb_decoder *decoder, const uint8_t *code, size_t n, uint64_t ip,
                         enum xb_stall_kind kind)
{
    const uint64_t by = UINT64_C(0) - 0x123000; /* downwards */
    struct xb_registers now = { { 0 } };
    for (int i = 0; i < XB_REGISTERS; i++)
        now.value[i] = 0x7f0000000000 + 0x1000 * (uint64_t)i;
    struct xb_stall here, there;
    xb_stall_find(decoder, &(struct xb_window){ code, AT, n }, ip, XB_SKID_NEXT, &here);
    xb_stall_find(decoder, &(struct xb_window){ code, AT + by, n }, ip + by, XB_SKID_NEXT, &there);
    XB_EXPECT_EQ(here.kind, kind);
    XB_EXPECT(xb_stall_move(&here, by));
    XB_EXPECT_EQ(here.at, there.at);
    XB_EXPECT_EQ(here.end, there.end);
    XB_EXPECT_EQ(here.from, there.from);
    XB_EXPECT_EQ(here.piece.end, there.piece.end);
    XB_EXPECT_STREQ(here.text, there.text);
    uint64_t moved = 0, found = 1;
    bool has = xb_stall_address(&here, &now, 0, &moved);
    XB_EXPECT_EQ(has, xb_stall_address(&there, &now, 0, &found));
    XB_EXPECT(!has || moved == found);
}

XB_TEST(Stall, IsTheSameInTheSameCodeElsewhere)
{
    struct xb_decoder *decoder = open_decoder(XB_CODE_X86_64);
    if (!decoder)
        return;
    /* add %rbx,%rax four times, by which chains fall in step; mov 0x7f0000(%rip),%rcx; ret */
    static const uint8_t relative[] = {
        0x48, 0x01, 0xd8, 0x48, 0x01, 0xd8, 0x48, 0x01, 0xd8, 0x48,
        0x01, 0xd8, 0x48, 0x8b, 0x0d, 0,    0,    0x7f, 0,    0xc3
    };
    expect_moved(decoder, relative, sizeof relative, AT + 19, XB_STALL_LOAD);
    /* lea 0x7f0000(%rip),%rax; mov (%rax),%rax; ret: recovered from the code's own address */
    static const uint8_t slice[] = { 0x48, 0x8d, 0x05, 0, 0, 0x7f, 0, 0x48, 0x8b, 0x00, 0xc3 };
    expect_moved(decoder, slice, sizeof slice, AT + 10, XB_STALL_LOAD);
    /* add %rbx,%rax; ret */
    static const uint8_t alu[] = { 0x48, 0x01, 0xd8, 0xc3 };
    expect_moved(decoder, alu, sizeof alu, AT + 3, XB_STALL_ALU);

    struct xb_stall stall;
    xb_stall_find(decoder, &(struct xb_window){ relative, AT, sizeof relative }, AT + 19,
                  XB_SKID_NEXT, &stall);
    XB_EXPECT(!xb_stall_move(&stall, 64)); /* within a page */
    XB_EXPECT_EQ(stall.at, AT + 12);
    /* jmp +0; nop: its text names where it leads to */
    static const uint8_t jump[] = { 0xeb, 0, 0x90 };
    xb_stall_find(decoder, &(struct xb_window){ jump, AT, sizeof jump }, AT, XB_SKID_SAME, &stall);
    XB_EXPECT_EQ(stall.kind, XB_STALL_JUMP);
    XB_EXPECT(!xb_stall_move(&stall, 4096));
    XB_EXPECT(xb_stall_move(&stall, 0));
    xb_decoder_close(decoder);
}

XB_TEST(Stall, WithoutCodeOrWithBytesThatAreNoneItSaysSo)
{
    struct xb_decoder *decoder = open_decoder(XB_CODE_X86_64);
    if (!decoder)
        return;
    static const uint8_t none[] = { 0x90, 0x06, 0x06 };
    struct xb_stall stall;
    uint64_t address;
    xb_stall_find(decoder, &(struct xb_window){ none, AT, 0 }, AT, XB_SKID_NEXT, &stall);
    XB_EXPECT_EQ(stall.kind, XB_STALL_NO_CODE);
    XB_EXPECT(!xb_stall_address(&stall, &(struct xb_registers){ { 0 } }, 0, &address));
    xb_stall_find(decoder, &(struct xb_window){ none, AT, sizeof none }, AT + 1, XB_SKID_NEXT,
                  &stall);
    XB_EXPECT_EQ(stall.kind, XB_STALL_UNDECODABLE);
    XB_EXPECT_STREQ(xb_stall_kind_name(XB_STALL_UNDECODABLE), "undecodable");
    xb_decoder_close(decoder);
}

XB_TEST(Stall, OnAarch64WriteBackIsUndone)
{
    struct xb_decoder *decoder = open_decoder(XB_CODE_AARCH64);
    if (!decoder)
        return;
    /* ldr x2, [x0], #64; nop */
    static const uint8_t code[] = { 0x02, 0x04, 0x44, 0xf8, 0x1f, 0x20, 0x03, 0xd5 };
    struct xb_stall stall;
    struct xb_registers now = { { 0 } };
    uint64_t address = 0;
    now.value[0] = 0x800040;
    xb_stall_find(decoder, &(struct xb_window){ code, AT, sizeof code }, AT + 4, XB_SKID_NEXT,
                  &stall);
    XB_EXPECT_EQ(stall.from, XB_ADDRESS_REGISTERS);
    XB_EXPECT(xb_stall_address(&stall, &now, 0, &address));
    XB_EXPECT_EQ(address, 0x800000);
    now.value[0] = 0x800000; /* before it ran */
    xb_stall_find(decoder, &(struct xb_window){ code, AT, sizeof code }, AT, XB_SKID_SAME, &stall);
    XB_EXPECT(xb_stall_address(&stall, &now, 0, &address));
    XB_EXPECT_EQ(address, 0x800000);
    xb_decoder_close(decoder);
}
