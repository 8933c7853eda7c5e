/* SPDX-License-Identifier: BSD-3-Clause
 * Tests what is read from a loop's code, and how much of it may wait, on code whose answer is known by hand. */
#include "xbtest.h"

#include "../base/cycle.h"
#include "../base/flow.h"
#include "../stats/flow_wait.h"

#include <math.h>
#include <string.h>
#include <unistd.h>

enum { AT = 0x401000 };

/* No CPU's, so that each class can be told from the sum. */
static const double latency[XB_LATENCY_COUNT] = {
    [XB_LATENCY_ONE] = 1,         [XB_LATENCY_MULTIPLY] = 3, [XB_LATENCY_FP_ADD] = 4,
    [XB_LATENCY_FP_MULTIPLY] = 5, [XB_LATENCY_FP_FUSED] = 6, [XB_LATENCY_FP_SELECT] = 2,
    [XB_LATENCY_DIVIDE] = 20,
};

/* addsd (%rdi),%xmm0; add $8,%rdi; cmp %rax,%rdi; jne back */
static const uint8_t sum[] = { 0xf2, 0x0f, 0x58, 0x07, 0x48, 0x83, 0xc7,
                               0x08, 0x48, 0x39, 0xc7, 0x75, 0xf3 };
/* addsd (%rdi),%xmm0; add $8,%rdi; movapd %xmm0,%xmm1; mulsd %xmm2,%xmm1; movsd %xmm1,-8(%rdi); cmp %rax,%rdi; jne back */
static const uint8_t prefix[] = { 0xf2, 0x0f, 0x58, 0x07, 0x48, 0x83, 0xc7, 0x08, 0x66,
                                  0x0f, 0x28, 0xc8, 0xf2, 0x0f, 0x59, 0xca, 0xf2, 0x0f,
                                  0x11, 0x4f, 0xf8, 0x48, 0x39, 0xc7, 0x75, 0xe6 };
/* mulsd %xmm1,%xmm0; addsd (%rdi,%rax,8),%xmm0; inc %rax; cmp %rax,%rcx; jne back */
static const uint8_t horner[] = { 0xf2, 0x0f, 0x59, 0xc1, 0xf2, 0x0f, 0x58, 0x04, 0xc7,
                                  0x48, 0xff, 0xc0, 0x48, 0x39, 0xc1, 0x75, 0xef };
/* vaddpd (%rdi),%ymm2,%ymm2; vaddpd 32(%rdi),%ymm0,%ymm0; sub $-128,%rdi; vaddpd -64(%rdi),%ymm1,%ymm1; vaddpd -32(%rdi),%ymm3,%ymm3; cmp %rdi,%rax; jne back */
static const uint8_t four[] = { 0xc5, 0xed, 0x58, 0x17, 0xc5, 0xfd, 0x58, 0x47, 0x20, 0x48,
                                0x83, 0xef, 0x80, 0xc5, 0xf5, 0x58, 0x4f, 0xc0, 0xc5, 0xe5,
                                0x58, 0x5f, 0xe0, 0x48, 0x39, 0xf8, 0x75, 0xe4 };
/* mov (%rdi),%rdx; cmp %rdx,%rax; cmovl %rdx,%rax; add $8,%rdi; cmp %rdi,%rcx; jne back */
static const uint8_t maximum[] = { 0x48, 0x8b, 0x17, 0x48, 0x39, 0xd0, 0x48, 0x0f, 0x4c, 0xc2,
                                   0x48, 0x83, 0xc7, 0x08, 0x48, 0x39, 0xf9, 0x75, 0xed };
/* pxor %xmm0,%xmm0; addsd (%rdi),%xmm0; mulsd %xmm1,%xmm0; movsd %xmm0,(%rdi); add $8,%rdi; cmp %rax,%rdi; jne back */
static const uint8_t halve[] = { 0x66, 0x0f, 0xef, 0xc0, 0xf2, 0x0f, 0x58, 0x07, 0xf2,
                                 0x0f, 0x59, 0xc1, 0xf2, 0x0f, 0x11, 0x07, 0x48, 0x83,
                                 0xc7, 0x08, 0x48, 0x39, 0xc7, 0x75, 0xe7 };
/* mov %rax,%rdx; imul %rcx,%rdx; mov %rbx,%rax; mov %rdx,%rbx; sub $1,%rdi; jne back */
static const uint8_t swap[] = { 0x48, 0x89, 0xc2, 0x48, 0x0f, 0xaf, 0xd1, 0x48, 0x89, 0xd8,
                                0x48, 0x89, 0xd3, 0x48, 0x83, 0xef, 0x01, 0x75, 0xed };
/* vmovupd (%rcx,%rax),%ymm4; vfmadd231pd (%rsi,%rax),%ymm4,%ymm1; add $32,%rax; cmp %rax,%rdi; jne back */
static const uint8_t fused[] = { 0xc5, 0xfd, 0x10, 0x24, 0x01, 0xc4, 0xe2, 0xdd, 0xb8, 0x0c,
                                 0x06, 0x48, 0x83, 0xc0, 0x20, 0x48, 0x39, 0xc7, 0x75, 0xec };
/* movsd (%rsi,%rax,8),%xmm0; movsd %xmm0,(%rdi,%rax,8); add $1,%rax; cmp %rax,%rdx; jne back */
static const uint8_t copy[] = { 0xf2, 0x0f, 0x10, 0x04, 0xc6, 0xf2, 0x0f, 0x11, 0x04, 0xc7,
                                0x48, 0x83, 0xc0, 0x01, 0x48, 0x39, 0xc2, 0x75, 0xed };
/* mov 0x10000(,%rax,8),%rdx; add 0x20000(,%rax,8),%rdx; mov %rdx,0x30000(,%rax,8); add $1,%rax; cmp $1000,%rax; jne back */
static const uint8_t tables[] = { 0x48, 0x8b, 0x14, 0xc5, 0x00, 0x00, 0x01, 0x00, 0x48,
                                  0x03, 0x14, 0xc5, 0x00, 0x00, 0x02, 0x00, 0x48, 0x89,
                                  0x14, 0xc5, 0x00, 0x00, 0x03, 0x00, 0x48, 0x83, 0xc0,
                                  0x01, 0x48, 0x3d, 0xe8, 0x03, 0x00, 0x00, 0x75, 0xdc };
/* movsd -8(%rdi,%rax,8),%xmm0; addsd (%rdi,%rax,8),%xmm0; addsd 8(%rdi,%rax,8),%xmm0; movsd %xmm0,(%rsi,%rax,8); add $1,%rax; cmp %rax,%rdx; jne back */
static const uint8_t stencil[] = { 0xf2, 0x0f, 0x10, 0x44, 0xc7, 0xf8, 0xf2, 0x0f, 0x58, 0x04, 0xc7,
                                   0xf2, 0x0f, 0x58, 0x44, 0xc7, 0x08, 0xf2, 0x0f, 0x11, 0x04, 0xc6,
                                   0x48, 0x83, 0xc0, 0x01, 0x48, 0x39, 0xc2, 0x75, 0xe1 };
/* addsd (%rdi),%xmm0; add $64,%rdi; cmp %rax,%rdi; jne back */
static const uint8_t lines[] = { 0xf2, 0x0f, 0x58, 0x07, 0x48, 0x83, 0xc7,
                                 0x40, 0x48, 0x39, 0xc7, 0x75, 0xf3 };
/* addsd (%rdi),%xmm0; add $4096,%rdi; cmp %rax,%rdi; jne back */
static const uint8_t pages[] = { 0xf2, 0x0f, 0x58, 0x07, 0x48, 0x81, 0xc7, 0x00,
                                 0x10, 0x00, 0x00, 0x48, 0x39, 0xc7, 0x75, 0xf0 };
/* addsd (%rsi),%xmm0; sub $1,%rdi; jne back */
static const uint8_t still[] = { 0xf2, 0x0f, 0x58, 0x06, 0x48, 0x83, 0xef, 0x01, 0x75, 0xf6 };
/* movslq %eax,%rdx; lea (%rdi,%rdx,8),%rcx; add (%rcx),%rbx; add $2,%eax; cmp %esi,%eax; jl back */
static const uint8_t lea[] = { 0x48, 0x63, 0xd0, 0x48, 0x8d, 0x0c, 0xd7, 0x48, 0x03,
                               0x19, 0x83, 0xc0, 0x02, 0x39, 0xf0, 0x7c, 0xef };
/* addsd (%rdi,%rax,8),%xmm0; add %rdx,%rax; cmp %rsi,%rax; jb back */
static const uint8_t by_register[] = { 0xf2, 0x0f, 0x58, 0x04, 0xc7, 0x48, 0x01,
                                       0xd0, 0x48, 0x39, 0xf0, 0x72, 0xf3 };
/* mov (%rsi),%eax; add $4,%rsi; addsd (%rdi,%rax,8),%xmm0; cmp %rsi,%rdx; jne back */
static const uint8_t gather[] = { 0x8b, 0x06, 0x48, 0x83, 0xc6, 0x04, 0xf2, 0x0f,
                                  0x58, 0x04, 0xc7, 0x48, 0x39, 0xf2, 0x75, 0xf0 };
/* vgatherqpd %ymm1,(%rdi,%ymm2,8),%ymm3; add $8,%rsi; cmp %rsi,%rdx; jne back */
static const uint8_t vgather[] = { 0xc4, 0xe2, 0xf5, 0x93, 0x1c, 0xd7, 0x48, 0x83,
                                   0xc6, 0x08, 0x48, 0x39, 0xf2, 0x75, 0xf1 };
/* mov (%rax),%rax; sub $1,%rdi; jne back */
static const uint8_t chase[] = { 0x48, 0x8b, 0x00, 0x48, 0x83, 0xef, 0x01, 0x75, 0xf7 };
/* addsd 8(%rax),%xmm0; divsd %xmm1,%xmm0; mov (%rax),%rax; sub $1,%rdi; jne back */
static const uint8_t chase_behind[] = { 0xf2, 0x0f, 0x58, 0x40, 0x08, 0xf2, 0x0f, 0x5e, 0xc1,
                                        0x48, 0x8b, 0x00, 0x48, 0x83, 0xef, 0x01, 0x75, 0xee };
/* mov (%rdi),%rdx; cmp %rdx,%rbx; je 2f; add $8,%rdi; cmp %rdi,%rcx; jne back; nop */
static const uint8_t leaves[] = { 0x48, 0x8b, 0x17, 0x48, 0x39, 0xd3, 0x74, 0x09, 0x48,
                                  0x83, 0xc7, 0x08, 0x48, 0x39, 0xf9, 0x75, 0xef, 0x90 };
/* addsd (%rdi),%xmm0; call back; add $8,%rdi; cmp %rax,%rdi; jne back */
static const uint8_t call[] = { 0xf2, 0x0f, 0x58, 0x07, 0xe8, 0xf7, 0xff, 0xff, 0xff,
                                0x48, 0x83, 0xc7, 0x08, 0x48, 0x39, 0xc7, 0x75, 0xee };
/* movzbl (%rdi),%edx; add $1,%rdi; test %dl,%dl; jne back */
static const uint8_t sentinel[] = {
    0x0f, 0xb6, 0x17, 0x48, 0x83, 0xc7, 0x01, 0x84, 0xd2, 0x75, 0xf5
};
/* vpternlogd $0x96,(%rdi),%zmm2,%zmm3; add $64,%rdi; cmp %rax,%rdi; jne back */
static const uint8_t ternary[] = { 0x62, 0xf3, 0x6d, 0x48, 0x25, 0x1f, 0x96, 0x48,
                                   0x83, 0xc7, 0x40, 0x48, 0x39, 0xc7, 0x75, 0xf0 };
/* ldr d1,[x1],#8; fadd d0,d0,d1; cmp x1,x2; b.ne back */
static const uint8_t arm_sum[] = { 0x21, 0x84, 0x40, 0xfc, 0x00, 0x28, 0x61, 0x1e,
                                   0x3f, 0x00, 0x02, 0xeb, 0xa1, 0xff, 0xff, 0x54 };
/* ldr q1,[x1]; fmul v1.2d,v1.2d,v2.2d; str q1,[x1],#16; subs x3,x3,#1; b.ne back */
static const uint8_t arm_scale[] = { 0x21, 0x00, 0xc0, 0x3d, 0x21, 0xdc, 0x62, 0x6e, 0x21, 0x04,
                                     0x81, 0x3c, 0x63, 0x04, 0x00, 0xf1, 0x81, 0xff, 0xff, 0x54 };
/* ldr d1,[x1,x0,lsl #3]; ldr d2,[x2,x0,lsl #3]; fmadd d0,d1,d2,d0; add x0,x0,#1; cmp x0,x3; b.ne back */
static const uint8_t arm_fused[] = { 0x21, 0x78, 0x60, 0xfc, 0x42, 0x78, 0x60, 0xfc,
                                     0x20, 0x00, 0x42, 0x1f, 0x00, 0x04, 0x00, 0x91,
                                     0x1f, 0x00, 0x03, 0xeb, 0x61, 0xff, 0xff, 0x54 };
/* ldr x0,[x0]; sub x1,x1,#1; cbnz x1,back */
static const uint8_t arm_chase[] = { 0x00, 0x00, 0x40, 0xf9, 0x21, 0x04,
                                     0x00, 0xd1, 0xc1, 0xff, 0xff, 0xb5 };
/* ldp q1,q2,[x1],#32; fadd v0.2d,v0.2d,v1.2d; fadd v3.2d,v3.2d,v2.2d; cmp x1,x2; b.ne back */
static const uint8_t arm_pair[] = { 0x21, 0x08, 0xc1, 0xac, 0x00, 0xd4, 0x61, 0x4e, 0x63, 0xd4,
                                    0x62, 0x4e, 0x3f, 0x00, 0x02, 0xeb, 0x81, 0xff, 0xff, 0x54 };

/* ldr d1,[x1],#8; cmp x1,x2; cset x4,lt; tbz x4,#0,back */
static const uint8_t arm_bit[] = { 0x21, 0x84, 0x40, 0xfc, 0x3f, 0x00, 0x02, 0xeb,
                                   0xe4, 0xa7, 0x9f, 0x9a, 0xa4, 0xff, 0x07, 0x36 };

/* Follows the loop that `code` begins with. False: there is no decoder, and the test has been skipped. */
static bool follow(enum xb_code isa, const uint8_t *code, size_t n, struct xb_flow *out)
{
    struct xb_decoder *decoder = NULL;
    struct xb_reason why;
    *out = (struct xb_flow){ 0 };
    if (xb_decoder_open(isa, &decoder, &why) != 0) {
        XB_SKIP("%s", why.text);
        return false;
    }
    struct xb_window window = { .code = code, .first = AT, .n = n };
    struct xb_loop loop;
    bool found = xb_loop_find(decoder, &window, AT, &loop);
    if (found)
        xb_flow_find(decoder, &window, &loop, latency, out);
    xb_decoder_close(decoder);
    return true;
}

struct expected {
    const char *name;
    enum xb_code isa;
    const uint8_t *code;
    size_t n;
    enum xb_flow_kind kind;
    double chain;
    uint32_t in, out;
    int64_t step; /* of its counter */
    uint32_t streams;
};

static void expect(const struct expected *cases, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct xb_flow flow;
        if (!follow(cases[i].isa, cases[i].code, cases[i].n, &flow))
            return;
        if (flow.kind != cases[i].kind || fabs(flow.chain_cycles - cases[i].chain) > 1e-9 ||
            flow.in_bytes != cases[i].in || flow.out_bytes != cases[i].out ||
            flow.count.step != cases[i].step || flow.streams != cases[i].streams)
            XB_FAIL("%s: kind %d, chain of %g, %u bytes in and %u out, step %lld, %u streams",
                    cases[i].name, flow.kind, flow.chain_cycles, flow.in_bytes, flow.out_bytes,
                    (long long)flow.count.step, flow.streams);
    }
}

#define X86(name) #name, XB_CODE_X86_64, name, sizeof name
#define ARM(name) #name, XB_CODE_AARCH64, arm_##name, sizeof arm_##name

XB_TEST(Flow, TheLongestChainIsWhatEachRoundHandsToTheNext)
{
    static const struct expected cases[] = {
        { X86(sum), XB_FLOW_STREAM, 4, 8, 0, 8, 1 },
        { X86(prefix), XB_FLOW_STREAM, 4, 8, 8, 8, 1 },   /* the product goes nowhere */
        { X86(horner), XB_FLOW_STREAM, 9, 8, 0, 1, 1 },   /* a product and a sum */
        { X86(four), XB_FLOW_STREAM, 4, 128, 0, 128, 1 }, /* side by side */
        { X86(maximum), XB_FLOW_STREAM, 2, 8, 0, 8, 1 },  /* through the flags */
        { X86(halve), XB_FLOW_STREAM, 1, 8, 8, 8, 1 },    /* begins anew: but for its counter */
        { X86(swap), XB_FLOW_STREAM, 1.5, 0, 0, -1, 0 },  /* a product in each second round */
        { X86(fused), XB_FLOW_STREAM, 6, 64, 0, 32, 2 },
        { ARM(sum), XB_FLOW_STREAM, 4, 8, 0, 8, 1 },
        { ARM(scale), XB_FLOW_STREAM, 1, 16, 16, -1, 1 },
        { ARM(fused), XB_FLOW_STREAM, 6, 16, 0, 1, 2 },
        { ARM(pair), XB_FLOW_STREAM, 4, 32, 0, 32, 1 },
    };
    expect(cases, sizeof cases / sizeof cases[0]);
}

XB_TEST(Flow, LinesOfARoundAreThoseThatItsAddressesComeTo)
{
    static const struct expected cases[] = {
        { X86(copy), XB_FLOW_STREAM, 1, 16, 8, 1, 2 },    /* what is stored to comes in first */
        { X86(tables), XB_FLOW_STREAM, 1, 24, 8, 1, 3 },  /* three arrays beside one register */
        { X86(stencil), XB_FLOW_STREAM, 1, 16, 8, 1, 2 }, /* neighbours are one stream */
        { X86(lines), XB_FLOW_STREAM, 4, 64, 0, 64, 1 },
        { X86(still), XB_FLOW_STREAM, 4, 0, 0, -1, 0 },
        { X86(lea), XB_FLOW_STREAM, 1, 16, 0, 2, 1 },
    };
    expect(cases, sizeof cases / sizeof cases[0]);
}

XB_TEST(Flow, AddressesThatDoNotGoOnFromLineToLineAreNotFollowed)
{
    static const struct expected cases[] = {
        { X86(pages), XB_FLOW_SCATTER, 0, 0, 0, 0, 0 },
        { X86(by_register), XB_FLOW_SCATTER, 0, 0, 0, 0, 0 },
        { X86(gather), XB_FLOW_SCATTER, 0, 0, 0, 0, 0 },
        { X86(vgather), XB_FLOW_SCATTER, 0, 0, 0, 0, 0 },
    };
    expect(cases, sizeof cases / sizeof cases[0]);
}

XB_TEST(Flow, AChainThroughALoadIsAChaseHoweverLongAnotherIs)
{
    static const struct expected cases[] = {
        { X86(chase), XB_FLOW_CHASE, 0, 0, 0, 0, 0 },
        { X86(chase_behind), XB_FLOW_CHASE, 0, 0, 0, 0, 0 },
        { ARM(chase), XB_FLOW_CHASE, 0, 0, 0, 0, 0 },
    };
    expect(cases, sizeof cases / sizeof cases[0]);
}

XB_TEST(Flow, WhatIsNotStraightOrDoesNotCountIsNotKnown)
{
    static const struct expected cases[] = {
        { X86(leaves), XB_FLOW_UNKNOWN, 0, 0, 0, 0, 0 },
        { X86(sentinel), XB_FLOW_UNKNOWN, 0, 0, 0, 0, 0 },
        { ARM(bit), XB_FLOW_UNKNOWN, 0, 0, 0, 0, 0 },     /* the comparison is another's */
        { X86(ternary), XB_FLOW_UNKNOWN, 0, 0, 0, 0, 0 }, /* its registers are not decoded */
    };
    expect(cases, sizeof cases / sizeof cases[0]);
    struct xb_decoder *decoder = NULL;
    struct xb_reason why;
    if (xb_decoder_open(XB_CODE_X86_64, &decoder, &why) != 0) {
        XB_SKIP("%s", why.text);
        return;
    }
    /* Loops as they were found in other code. */
    struct xb_flow flow;
    struct xb_loop loop = {
        .start = AT, .end = AT + sizeof call, .n = 5, .at = { 0, 4, 9, 13, 16 }
    };
    struct xb_window window = { .code = call, .first = AT, .n = sizeof call };
    xb_flow_find(decoder, &window, &loop, latency, &flow);
    XB_EXPECT_EQ(flow.kind, XB_FLOW_UNKNOWN);
    static const uint8_t none[] = { 0x06, 0x75, 0xfd }; /* push %es: not in 64 bits */
    loop = (struct xb_loop){ .start = AT, .end = AT + 3, .n = 2, .at = { 0, 1 } };
    window = (struct xb_window){ .code = none, .first = AT, .n = sizeof none };
    xb_flow_find(decoder, &window, &loop, latency, &flow);
    XB_EXPECT_EQ(flow.kind, XB_FLOW_UNKNOWN);
    window.n = 0;
    xb_flow_find(decoder, &window, &loop, latency, &flow);
    XB_EXPECT_EQ(flow.kind, XB_FLOW_UNKNOWN);
    loop.n = 0;
    xb_flow_find(decoder, &window, &loop, latency, &flow);
    XB_EXPECT_EQ(flow.kind, XB_FLOW_UNKNOWN);
    xb_decoder_close(decoder);
}

XB_TEST(Flow, ACoreTakesNoLessThanItsWidth)
{
    uint8_t code[64];
    size_t n = 0;
    for (; n < 48; n += 4) /* 12 times lea 1(%rcx),%rdx, and the counter and its jump */
        memcpy(code + n, (const uint8_t[]){ 0x48, 0x8d, 0x51, 0x01 }, 4);
    memcpy(code + n, (const uint8_t[]){ 0x48, 0x83, 0xef, 0x01, 0x75, 0xca }, 6);
    struct xb_flow flow;
    if (!follow(XB_CODE_X86_64, code, n + 6, &flow))
        return;
    XB_EXPECT_EQ(flow.kind, XB_FLOW_STREAM);
    XB_EXPECT_NEAR(flow.chain_cycles, 1, 1e-9);
    XB_EXPECT_NEAR(flow.core_cycles, 13.0 / 6, 1e-9);
}

XB_TEST(Flow, RoundsLeftAreTheWayToTheBoundOverTheStep)
{
    struct xb_flow flow;
    struct xb_registers now = { { 0 } };
    if (!follow(XB_CODE_X86_64, sum, sizeof sum, &flow))
        return;
    XB_EXPECT_EQ(flow.count.counter, XB_X86_DI);
    XB_EXPECT_EQ(flow.count.bound, XB_X86_AX);
    now.value[XB_X86_DI] = 0x7f0000001000;
    now.value[XB_X86_AX] = 0x7f0000001000 + 800;
    XB_EXPECT_NEAR(xb_flow_rounds_left(&flow.count, &now), 100, 1e-9);
    now.value[XB_X86_AX] = 0x7f0000000000; /* beyond it already: no count */
    XB_EXPECT_NEAR(xb_flow_rounds_left(&flow.count, &now), 0, 1e-9);
    XB_EXPECT(follow(XB_CODE_X86_64, tables, sizeof tables, &flow));
    now.value[XB_X86_AX] = 250; /* up to an immediate of 1000 */
    XB_EXPECT_NEAR(xb_flow_rounds_left(&flow.count, &now), 750, 1e-9);
    XB_EXPECT(follow(XB_CODE_X86_64, still, sizeof still, &flow));
    now.value[XB_X86_DI] = 77; /* down to zero */
    XB_EXPECT_NEAR(xb_flow_rounds_left(&flow.count, &now), 77, 1e-9);
    XB_EXPECT(follow(XB_CODE_X86_64, lea, sizeof lea, &flow));
    now.value[XB_X86_AX] = 0xffffffff; /* -1 in 32 bits, and 1 by its side */
    now.value[XB_X86_SI] = 0xdead00000007;
    XB_EXPECT_NEAR(xb_flow_rounds_left(&flow.count, &now), 4, 1e-9);
    XB_EXPECT(
        follow(XB_CODE_X86_64, maximum, sizeof maximum, &flow)); /* the bound is on the left */
    XB_EXPECT_EQ(flow.count.bound, XB_X86_CX);
    XB_EXPECT(follow(XB_CODE_AARCH64, arm_fused, sizeof arm_fused, &flow));
    now.value[0] = 3;
    now.value[3] = 10;
    XB_EXPECT_NEAR(xb_flow_rounds_left(&flow.count, &now), 7, 1e-9);
    XB_EXPECT_NEAR(xb_flow_rounds_left(&(struct xb_flow_count){ 0 }, &now), 0, 1e-9);
}

XB_TEST(Latency, GoesByTheName)
{
    static const struct {
        const char *text;
        enum xb_latency is;
    } cases[] = {
        { "addsd xmm0, xmm1", XB_LATENCY_FP_ADD },
        { "vsubpd ymm0, ymm1, ymm2", XB_LATENCY_FP_ADD },
        { "add rax, rbx", XB_LATENCY_ONE },
        { "sub rax, 1", XB_LATENCY_ONE },
        { "mulsd xmm0, xmm1", XB_LATENCY_FP_MULTIPLY },
        { "mul rcx", XB_LATENCY_MULTIPLY },
        { "imul rax, rbx", XB_LATENCY_MULTIPLY },
        { "vpmuludq ymm0, ymm1, ymm2", XB_LATENCY_MULTIPLY },
        { "vfmadd231pd ymm0, ymm1, ymm2", XB_LATENCY_FP_FUSED },
        { "vfnmsub132ss xmm0, xmm1, xmm2", XB_LATENCY_FP_FUSED },
        { "maxsd xmm0, xmm1", XB_LATENCY_FP_SELECT },
        { "pmaxsd xmm0, xmm1", XB_LATENCY_ONE },
        { "divps xmm0, xmm1", XB_LATENCY_DIVIDE },
        { "vsqrtsd xmm0, xmm0, xmm0", XB_LATENCY_DIVIDE },
        { "vmovapd ymm0, ymm1", XB_LATENCY_MOVE },
        { "cmovl rax, rdx", XB_LATENCY_ONE },
        { "fmla v0.2d, v1.2d, v2.2d", XB_LATENCY_FP_FUSED },
        { "fadd d0, d0, d1", XB_LATENCY_FP_ADD },
        { "udiv x0, x1, x2", XB_LATENCY_DIVIDE },
        { "ldr x0, [x1]", XB_LATENCY_MOVE },
        { "movk x0, #1", XB_LATENCY_ONE },
        { "", XB_LATENCY_ONE },
        { "v", XB_LATENCY_ONE },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        if (xb_latency_of(cases[i].text) != cases[i].is)
            XB_FAIL("'%s' is of class %d", cases[i].text, xb_latency_of(cases[i].text));
}

/* How long a cycle is, is the machine's to say. */
XB_TEST(Cycle, LatenciesAreWholeCyclesOfAClockThatRuns)
{
    struct xb_cycle cycle;
    xb_cycle_measure(&cycle);
    XB_EXPECT(isfinite(cycle.ns) && cycle.ns > 0);
    for (int i = 0; i < XB_LATENCY_COUNT; i++)
        XB_EXPECT(cycle.latency[i] >= (i != XB_LATENCY_MOVE) &&
                  cycle.latency[i] == round(cycle.latency[i]));
}

XB_TEST(FlowWait, ACapIsWhatTheDataTakeBeyondTheCore)
{
    struct xb_flow flow = {
        .kind = XB_FLOW_STREAM, .core_cycles = 4, .in_bytes = 64, .out_bytes = 0
    };
    struct xb_source source = { .bytes = INFINITY, .gb_per_s = 32, .latency_ns = 100 };
    struct xb_loop_use use = { .bytes = 1e9, .rounds = 1e9, .threads = 1 };
    /* 4 cycles of 0.25 ns, and 64 bytes at 32 in a ns: 1 of 2 ns waits. */
    XB_EXPECT_NEAR(xb_flow_cap(&flow, 0.25, &source, &use), 0.5, 1e-6);
    /* 8 bytes take 0.25 ns, and nobody waits for those. */
    flow.in_bytes = 8;
    XB_EXPECT_NEAR(xb_flow_cap(&flow, 0.25, &source, &use), 0, 1e-6);
    /* 64 in and 64 back: 3 ns. */
    flow.in_bytes = flow.out_bytes = 64;
    XB_EXPECT_NEAR(xb_flow_cap(&flow, 0.25, &source, &use), 2.0 / 3, 1e-6);
    /* Of two threads each has half of the rate: 64 bytes take 4 ns. */
    flow.out_bytes = 0;
    use.threads = 2;
    XB_EXPECT_NEAR(xb_flow_cap(&flow, 0.25, &source, &use), 0.75, 1e-6);
    /* 100 rounds: 3 lines at 100 ns are 3 ns more for each; 1 of 4 ns is the core's. */
    use.threads = 1;
    use.rounds = 100;
    flow.in_bytes = 8;
    XB_EXPECT_NEAR(xb_flow_cap(&flow, 0.25, &source, &use), 0.75, 1e-6);
}

XB_TEST(FlowWait, WithoutAFigureThereIsNoCap)
{
    struct xb_flow flow = { .kind = XB_FLOW_STREAM, .core_cycles = 4, .in_bytes = 8 };
    struct xb_source source = { .gb_per_s = 32, .latency_ns = 100 };
    struct xb_loop_use use = { .rounds = 1e9, .threads = 1 };
    XB_EXPECT(xb_flow_cap(&flow, 0.25, &source, &use) < 0.01);
    static const enum xb_flow_kind kinds[] = { XB_FLOW_UNKNOWN, XB_FLOW_SCATTER, XB_FLOW_CHASE };
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        flow.kind = kinds[i];
        XB_EXPECT_NEAR(xb_flow_cap(&flow, 0.25, &source, &use), 1, 1e-9);
    }
    flow.kind = XB_FLOW_STREAM;
    XB_EXPECT_NEAR(xb_flow_cap(&flow, 0, &source, &use), 1, 1e-9);
    XB_EXPECT_NEAR(xb_flow_cap(&flow, NAN, &source, &use), 1, 1e-9);
    source.gb_per_s = NAN;
    XB_EXPECT_NEAR(xb_flow_cap(&flow, 0.25, &source, &use), 1, 1e-9);
    source = (struct xb_source){ .gb_per_s = 32, .latency_ns = NAN };
    XB_EXPECT_NEAR(xb_flow_cap(&flow, 0.25, &source, &use), 1, 1e-9);
    source.latency_ns = 100;
    use.threads = 0;
    XB_EXPECT_NEAR(xb_flow_cap(&flow, 0.25, &source, &use), 1, 1e-9);
    use.threads = 1;
    use.rounds = 0;
    XB_EXPECT_NEAR(xb_flow_cap(&flow, 0.25, &source, &use), 1, 1e-9);
}

/* A load, a store and an addition in a loop of process 7, and one place outside. */
static const struct xb_loop placed = { .start = AT, .end = AT + 3, .n = 3, .at = { 0, 1, 2 } };
static const struct xb_stall_site places[] = {
    { .pid = 7, .ip = AT, .stall.kind = XB_STALL_LOAD },
    { .pid = 7, .ip = AT + 1, .stall.kind = XB_STALL_STORE },
    { .pid = 7, .ip = AT + 2, .stall.kind = XB_STALL_ALU },
    { .pid = 7, .ip = AT + 9, .stall.kind = XB_STALL_LOAD },
    { .pid = 8, .ip = AT, .stall.kind = XB_STALL_LOAD },
};
enum { PLACES = sizeof places / sizeof places[0] };

XB_TEST(FlowWait, SamplesBeyondTheCapHideThoseOfTheLoopAlone)
{
    static const size_t samples[PLACES] = { 60, 20, 20, 50, 50 };
    double hides[PLACES] = { 0 };
    /* 80 of 100 stand at accesses, and 40 may: half of each hides. */
    XB_EXPECT_NEAR(xb_flow_hide(&placed, 7, 0.4, places, samples, PLACES, hides), 40, 1e-9);
    XB_EXPECT_NEAR(hides[0], 0.5, 1e-9);
    XB_EXPECT_NEAR(hides[1], 0.5, 1e-9);
    for (int i = 2; i < PLACES; i++)
        XB_EXPECT_NEAR(hides[i], 0, 1e-9);
    /* No more than the cap do now. */
    XB_EXPECT_NEAR(xb_flow_hide(&placed, 7, 0.4, places, samples, PLACES, hides), 0, 1e-9);
    XB_EXPECT_NEAR(hides[0], 0.5, 1e-9);
    /* Half of what did not hide so far; it is not counted again. */
    XB_EXPECT_NEAR(xb_flow_hide(&placed, 7, 0.2, places, samples, PLACES, hides), 0, 1e-9);
    XB_EXPECT_NEAR(hides[1], 0.75, 1e-9);
    double none[PLACES] = { 0 };
    XB_EXPECT_NEAR(xb_flow_hide(&placed, 7, 1, places, samples, PLACES, none), 0, 1e-9);
    XB_EXPECT_NEAR(xb_flow_hide(&placed, 7, 0, places, samples, PLACES, none), 80, 1e-9);
    XB_EXPECT_NEAR(none[0], 1, 1e-9);
    XB_EXPECT_NEAR(xb_flow_hide(&placed, 9, 0, places, samples, PLACES, none), 0, 1e-9);
    XB_EXPECT_NEAR(xb_flow_hide(&placed, 7, 0, NULL, NULL, 0, NULL), 0, 1e-9);
}

XB_TEST(FlowWait, RoundsAreWhatIsLeftAndShortLoopsCountForMore)
{
    enum { SAMPLES = 40 };
    struct xb_stall_site site[PLACES];
    struct xb_stalled sample[SAMPLES];
    struct xb_flow flow = { .kind = XB_FLOW_STREAM, .streams = 2 };
    flow.count = (struct xb_flow_count){
        .counter = XB_X86_AX, .bound = XB_REG_NONE, .bytes = 8, .step = -1
    };
    memcpy(site, places, sizeof site);
    for (int i = 0; i < PLACES; i++)
        site[i].has_registers = true;
    site[0].registers.value[XB_X86_AX] = 1000;
    site[1].registers.value[XB_X86_AX] = 10;
    site[4].registers.value[XB_X86_AX] = 1; /* another process' */
    for (int i = 0; i < SAMPLES; i++)
        sample[i] = (struct xb_stalled){ .address = 0x7f0000000000u + 64u * (unsigned)i,
                                         .site = i < 30   ? 0
                                                 : i < 39 ? 1
                                                          : 4,
                                         .tid = i % 3,
                                         .fate = XB_FATE_KNOWN };
    struct xb_loop_use use;
    XB_EXPECT_EQ(xb_loop_use(sample, SAMPLES, site, PLACES, 7, &placed, &flow, &use), 0);
    XB_EXPECT_NEAR(use.rounds, 39 / (30 / 1000.0 + 9 / 10.0), 1e-9);
    /* All on 4 lines, over and over: one set, and the other stream's is taken for as large. */
    for (int i = 0; i < SAMPLES; i++)
        sample[i].address = 0x7f0000000000u + 64u * ((unsigned)i % 4);
    struct xb_loop_use both;
    flow.streams = 1;
    XB_EXPECT_EQ(xb_loop_use(sample, SAMPLES, site, PLACES, 7, &placed, &flow, &use), 0);
    flow.streams = 2;
    XB_EXPECT_EQ(xb_loop_use(sample, SAMPLES, site, PLACES, 7, &placed, &flow, &both), 0);
    XB_EXPECT(isfinite(use.bytes) && use.bytes > 0);
    XB_EXPECT_NEAR(both.bytes, 2 * use.bytes, 1e-9);
    /* One that does not say how many are left, or has no registers. */
    site[1].registers.value[XB_X86_AX] = 0;
    XB_EXPECT_EQ(xb_loop_use(sample, SAMPLES, site, PLACES, 7, &placed, &flow, &use), 0);
    XB_EXPECT_NEAR(use.rounds, 0, 1e-9);
    for (int i = 0; i < PLACES; i++)
        site[i].has_registers = false;
    XB_EXPECT_EQ(xb_loop_use(sample, SAMPLES, site, PLACES, 7, &placed, &flow, &use), 0);
    XB_EXPECT_NEAR(use.rounds, 0, 1e-9);
    XB_EXPECT_EQ(xb_loop_use(sample, 0, site, PLACES, 7, &placed, &flow, &use), 0);
    XB_EXPECT_NEAR(use.rounds, 0, 1e-9);
    XB_EXPECT(isinf(use.bytes));
}

/* Samples of this process, at code that it holds: a sum that goes through 16 MiB, bound by its additions. */
XB_TEST(FlowWait, OfASumThatSamplesMeetAtItsLoadsNothingWaits)
{
    enum { SAMPLES = 400 };
    const uint64_t begin = 0x7f0000000000, bytes = 16 << 20;
    struct xb_stalls *stalls = NULL;
    struct xb_reason why;
    if (XB_CODE_HERE != XB_CODE_X86_64 || xb_stalls_open(XB_SKID_NEXT, &stalls, &why) != 0) {
        XB_SKIP("no x86-64, or no decoder");
        return;
    }
    xb_stalls_begin(stalls);
    for (uint64_t i = 0; i < SAMPLES; i++) {
        struct xb_sample sample = { .pid = getpid(),
                                    .tid = getpid(),
                                    .time_ns = i,
                                    .ip = (uintptr_t)sum + 4, /* behind the load */
                                    .has_registers = true };
        sample.registers.value[XB_X86_DI] = begin + i * 2654435761u % bytes / 64 * 64;
        sample.registers.value[XB_X86_AX] = begin + bytes;
        xb_stalls_add(stalls, &sample, NULL);
    }
    struct xb_cycle cycle = { .ns = 0.25 };
    memcpy(cycle.latency, latency, sizeof latency);
    struct xb_source source[] = { { 1 << 20, 100, 5 }, { INFINITY, 32, 100 } };
    size_t of_site[] = { SAMPLES }, streamed = SAMPLES;
    double hides[] = { 0 };
    XB_EXPECT_EQ(xb_flows_hide(stalls, 0, of_site, &cycle, source, 2, hides, &streamed), 0);
    XB_EXPECT(hides[0] > 0.9 && hides[0] <= 1);
    XB_EXPECT_EQ(streamed, SAMPLES - (size_t)(hides[0] * SAMPLES));
    /* From a source so slow that it takes 16 times as long as the chain. */
    hides[0] = 0;
    source[1].gb_per_s = 0.5;
    XB_EXPECT_EQ(xb_flows_hide(stalls, 0, of_site, &cycle, source, 2, hides, &streamed), 0);
    XB_EXPECT(hides[0] < 0.1);
    /* Samples that are not of this phase. */
    XB_EXPECT_EQ(
        xb_flows_hide(stalls, SAMPLES, (size_t[]){ 0 }, &cycle, source, 2, hides, &streamed), 0);
    XB_EXPECT(hides[0] < 0.1);
    xb_stalls_close(stalls);
}
