/* SPDX-License-Identifier: BSD-3-Clause
 * Tests how loops are found in code, and whether their samples say that they wait for what they load. */
#include "xbtest.h"

#include "../base/loop.h"
#include "../stats/loop_wait.h"

#include <string.h>

enum { AT = 0x401000 };

static bool find(const uint8_t *code, size_t n, uint64_t ip, struct xb_loop *out)
{
    struct xb_decoder *decoder = NULL;
    struct xb_reason why;
    if (xb_decoder_open(XB_CODE_X86_64, &decoder, &why) != 0) {
        XB_SKIP("%s", why.text);
        return false;
    }
    struct xb_window window = { .code = code, .first = AT, .n = n };
    bool found = xb_loop_find(decoder, &window, ip, out);
    xb_decoder_close(decoder);
    return found;
}

static bool can_decode(void)
{
    struct xb_decoder *decoder = NULL;
    struct xb_reason why;
    if (xb_decoder_open(XB_CODE_X86_64, &decoder, &why) != 0)
        XB_SKIP("%s", why.text);
    xb_decoder_close(decoder);
    return decoder != NULL;
}

XB_TEST(LoopFind, IsAllFromTheTargetOfAJumpBackToThatJump)
{
    if (!can_decode())
        return;
    static const uint8_t code[] = {
        0x90,                   /* nop */
        0x48, 0x8b, 0x06,       /* mov (%rsi),%rax */
        0x48, 0x01, 0xc3,       /* add %rax,%rbx */
        0x74, 0x03,             /* je ahead, to the sub */
        0x48, 0x01, 0xd9,       /* add %rbx,%rcx */
        0x48, 0x83, 0xef, 0x01, /* sub $1,%rdi */
        0x75, 0xef,             /* jne back to the mov */
        0xc3,                   /* ret */
    };
    struct xb_loop loop;
    if (!find(code, sizeof code, AT + 4, &loop))
        XB_FAIL("no loop around the add");
    XB_EXPECT_EQ(loop.start, AT + 1);
    XB_EXPECT_EQ(loop.end, AT + 18);
    XB_EXPECT_EQ(loop.n, 6);
    XB_EXPECT_EQ(loop.accesses, 1);
    XB_EXPECT_EQ(xb_loop_index(&loop, AT + 1), 0);
    XB_EXPECT_EQ(xb_loop_index(&loop, AT + 12), 4);
    XB_EXPECT_EQ(xb_loop_index(&loop, AT + 5), loop.n); /* within an instruction */
    XB_EXPECT(find(code, sizeof code, AT + 1, &loop));
    XB_EXPECT(!find(code, sizeof code, AT, &loop));         /* ahead of it */
    XB_EXPECT(!find(code, sizeof code, AT + 18, &loop));    /* behind it */
    XB_EXPECT(!find(code, sizeof code - 3, AT + 4, &loop)); /* cut off before the jump */
}

XB_TEST(LoopFind, ThatCallsOrHasAnotherInsideIsNone)
{
    if (!can_decode())
        return;
    static const uint8_t calls[] = { 0x48, 0x01, 0xc3,                /* add */
                                     0xe8, 0x00, 0x00, 0x00, 0x00,    /* call */
                                     0x75, 0xf6 };                    /* jne back */
    static const uint8_t nested[] = { 0x90,                           /* nop */
                                      0x48, 0x01, 0xc3, 0x75, 0xfb,   /* add; jne back to it */
                                      0x48, 0x01, 0xd9, 0x75, 0xf5 }; /* add; jne back to the nop */
    struct xb_loop loop;
    XB_EXPECT(!find(calls, sizeof calls, AT, &loop));
    XB_EXPECT(!find(nested, sizeof nested, AT + 6, &loop));
    if (find(nested, sizeof nested, AT + 1, &loop))
        XB_EXPECT_EQ(loop.n, 2);
}

/* A loop of `n` instructions of a byte, each of which has a site. */
struct counted {
    struct xb_loop loop;
    struct xb_stall_site site[64];
    size_t samples[64];
};

static void count(struct counted *counted, uint32_t n, uint64_t accesses)
{
    memset(counted, 0, sizeof *counted);
    counted->loop = (struct xb_loop){ .start = AT, .end = AT + n, .n = n };
    for (uint32_t i = 0; i < n; i++) {
        bool access = accesses >> i & 1;
        counted->loop.at[i] = (uint16_t)i;
        counted->loop.accesses += access;
        counted->site[i] = (struct xb_stall_site){
            .pid = 7, .ip = AT + i, .stall.kind = access ? XB_STALL_LOAD : XB_STALL_ALU
        };
    }
}

static bool waits(const struct counted *counted)
{
    return xb_loop_waits(&counted->loop, 7, counted->site, counted->samples, 64);
}

/* The loads and samples of cpu/gemm_blocked on a Zen 5. */
XB_TEST(LoopWait, InStepWithRetirementNoPlaceSaysAnything)
{
    struct counted counted;
    count(&counted, 40,
          1 | 1 << 2 | 1 << 4 | 1 << 7 | 1 << 11 | 1 << 15 | 1 << 19 | 1 << 23 | 1ull << 27 |
              1ull << 31 | 1ull << 35);
    counted.samples[3] = 94;
    counted.samples[11] = 182;
    counted.samples[19] = 157;
    counted.samples[27] = 165;
    counted.samples[35] = 86;
    XB_EXPECT(!waits(&counted));
    counted.samples[35] = 0; /* no longer at equal distances: then it is for the loads */
    XB_EXPECT(waits(&counted));
}

/* The same distances, but there is a load at each, and no other: they are waited for. */
XB_TEST(LoopWait, LoadsThatAreAllMetAreWaitedFor)
{
    struct counted counted;
    count(&counted, 40, 1 | 1 << 8 | 1 << 16 | 1 << 24 | 1ull << 32);
    for (uint32_t i = 0; i < 40; i += 8)
        counted.samples[i] = 100;
    XB_EXPECT(waits(&counted));
}

XB_TEST(LoopWait, LoadsThatGetTheirPartHideAndThoseThatGetMoreDoNot)
{
    struct counted counted;
    count(&counted, 20, 1 | 1 << 5 | 1 << 10);
    for (uint32_t i = 0; i < 20; i++)
        counted.samples[i] = 20;
    XB_EXPECT(!waits(&counted)); /* 3 of 20 are accesses, and get 3 of 20 samples */
    counted.samples[5] = 200;
    XB_EXPECT(waits(&counted));
}

/* Of a loop that does nothing but load, even samples say that loading is what takes its time. */
XB_TEST(LoopWait, LoopsThatMostlyLoadAndThoseOfFewSamplesAreTakenAsTheyAre)
{
    struct counted counted;
    count(&counted, 16, 0xff0f);
    for (uint32_t i = 0; i < 16; i++)
        counted.samples[i] = 20;
    XB_EXPECT(waits(&counted));
    count(&counted, 16, 1);
    for (uint32_t i = 0; i < 16; i++)
        counted.samples[i] = 1;
    XB_EXPECT(waits(&counted));
}
