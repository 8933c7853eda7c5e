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

XB_TEST(PieceFind, CountsFromOneJumpToTheNextAndAStorePlaceForWhatIsAheadOfIt)
{
    struct xb_decoder *decoder = NULL;
    struct xb_reason why;
    if (xb_decoder_open(XB_CODE_X86_64, &decoder, &why) != 0) {
        XB_SKIP("%s", why.text);
        return;
    }
    static const uint8_t code[] = {
        0x48, 0x8b, 0x0e,       /* mov (%rsi),%rcx: of the piece before */
        0x74, 0x02,             /* je */
        0x48, 0x8b, 0x06,       /* mov (%rsi),%rax */
        0x48, 0x01, 0xc3,       /* add %rax,%rbx */
        0x53,                   /* push %rbx */
        0x48, 0xff, 0xc7,       /* inc %rdi */
        0x48, 0x89, 0x1f,       /* mov %rbx,(%rdi) */
        0x48, 0xf7, 0xf1,       /* div %rcx */
        0x48, 0x83, 0xef, 0x01, /* sub $1,%rdi */
        0x75, 0x01,             /* jne ahead */
        0x90,                   /* nop */
    };
    struct xb_window window = { .code = code, .first = AT, .n = sizeof code };
    struct xb_piece piece;
    /* From any of its instructions it is the same. */
    static const uint64_t starts[] = { 5, 8, 11, 12, 15, 18, 21, 25 };
    for (size_t i = 0; i < sizeof starts / sizeof starts[0]; i++) {
        XB_EXPECT(xb_piece_find(decoder, &window, AT + starts[i], true, &piece));
        XB_EXPECT_EQ(piece.end, AT + 27);
        XB_EXPECT_EQ(piece.accesses, 3);
        XB_EXPECT_EQ(piece.others, 3); /* add, push and sub; a division is neither */
        XB_EXPECT(!piece.is_loop);
    }
    XB_EXPECT(xb_piece_find(decoder, &window, AT + 8, false, &piece));
    XB_EXPECT_EQ(piece.accesses, 2);
    XB_EXPECT_EQ(piece.others, 4);
    /* Jumps back to the add: what lies ahead of that is not of the loop. */
    uint8_t loop[sizeof code];
    memcpy(loop, code, sizeof code);
    loop[26] = (uint8_t)(8 - 27);
    window.code = loop;
    for (size_t i = 1; i < sizeof starts / sizeof starts[0]; i++) {
        XB_EXPECT(xb_piece_find(decoder, &window, AT + starts[i], true, &piece));
        XB_EXPECT(piece.is_loop);
        XB_EXPECT_EQ(piece.accesses, 2);
        XB_EXPECT_EQ(piece.others, 3);
    }
    XB_EXPECT(!xb_piece_find(decoder, &window, AT + 27, true, &piece)); /* no end within it */
    XB_EXPECT_EQ(piece.end, 0);
    xb_decoder_close(decoder);
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

/* `n` places of a piece of code that ends at `end`, of which the first `accesses` touch memory. */
static void lay(struct xb_stall_site *site, size_t n, size_t accesses, uint64_t end)
{
    for (size_t i = 0; i < n; i++)
        site[i] = (struct xb_stall_site){
            .pid = 7,
            .ip = end - n + i + 1,
            .stall = { .kind = i < accesses ? XB_STALL_LOAD : XB_STALL_ALU,
                       .at = end - n + i,
                       .piece = { .end = end,
                                  .accesses = (uint16_t)accesses,
                                  .others = (uint16_t)(n - accesses) } },
        };
}

XB_TEST(PiecesHide, WhatAnAccessHasLikeItsNeighboursAndNotWhatItHasBeyond)
{
    struct xb_stall_site site[12];
    size_t samples[12];
    double hides[12] = { 0 };
    size_t streamed;
    lay(site, 12, 4, AT);
    for (size_t i = 0; i < 12; i++)
        samples[i] = 10;
    samples[0] = 100; /* is waited for */
    samples[1] = 5;
    XB_EXPECT_EQ(xb_pieces_hide(site, samples, 12, hides, &streamed), 0);
    XB_EXPECT_NEAR(hides[0], 0.1, 1e-9);
    XB_EXPECT_NEAR(hides[1], 1, 1e-9);
    XB_EXPECT_NEAR(hides[2], 1, 1e-9);
    XB_EXPECT_NEAR(hides[4], 0, 1e-9);
    /* A store waits after it has retired, and others stand still for it. */
    double stores[12] = { 0 };
    for (size_t i = 0; i < 4; i++)
        site[i].stall.kind = XB_STALL_STORE;
    XB_EXPECT_EQ(xb_pieces_hide(site, samples, 12, stores, &streamed), 0);
    for (size_t i = 0; i < 12; i++)
        XB_EXPECT_NEAR(stores[i], 0, 1e-9);
    /* A loop, half of it loads and stores: that is what the bandwidth of a cache looks like. */
    double none[12] = { 0 };
    lay(site, 12, 6, AT);
    for (size_t i = 0; i < 12; i++)
        site[i].stall.piece.is_loop = true;
    XB_EXPECT_EQ(xb_pieces_hide(site, samples, 12, none, &streamed), 0);
    XB_EXPECT_EQ(streamed, 145);
    for (size_t i = 0; i < 12; i++)
        XB_EXPECT_NEAR(none[i], 0, 1e-9);
}

/* 40 pieces of 2 accesses and 4 others, and a sample or two of each: none of them can tell. */
XB_TEST(PiecesHide, OfCodeWithoutAHotSpotAllTogetherTell)
{
    enum { PIECES = 40, LONG = 6 };
    static struct xb_stall_site site[PIECES * LONG];
    static size_t samples[PIECES * LONG];
    static double hides[PIECES * LONG];
    size_t streamed;
    for (size_t i = 0; i < PIECES; i++) {
        lay(&site[LONG * i], LONG, 2, AT + 100 * i);
        samples[LONG * i] = 2;                 /* 80 at accesses */
        samples[LONG * i + 2 + i % 4] = i % 2; /* 20 beside them: 10 would be at accesses as well */
    }
    XB_EXPECT_EQ(xb_pieces_hide(site, samples, PIECES * LONG, hides, &streamed), 0);
    for (size_t i = 0; i < PIECES * LONG; i++)
        XB_EXPECT_NEAR(hides[i], i % LONG == 0 ? 0.125 : 0, 1e-9);
    /* Nobody waits. */
    for (size_t i = 0; i < PIECES; i++)
        samples[LONG * i] = i % 4 == 0;
    memset(hides, 0, sizeof hides);
    XB_EXPECT_EQ(xb_pieces_hide(site, samples, PIECES * LONG, hides, &streamed), 0);
    XB_EXPECT_NEAR(hides[0], 1, 1e-9);
    XB_EXPECT_EQ(xb_pieces_hide(NULL, NULL, 0, NULL, &streamed), 0);
}
