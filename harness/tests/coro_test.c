/* SPDX-License-Identifier: BSD-3-Clause
 * Tests switching stacks: whatever a coroutine held before it suspended is there when it resumes.
 */
#include "xbtest.h"

#include "../base/coro.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#    define SANITIZED true
#elif defined(__has_feature)
#    if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#        define SANITIZED true
#    endif
#endif
#ifndef SANITIZED
#    define SANITIZED false
#endif

enum { STACK_BYTES = 64 << 10, SWITCHES = 10000, COROS = 5 };

struct actor {
    struct xb_coro *coro;
    uint64_t seed;
    int rounds, done;
    bool wrong;
};

/* Hides a value from the optimiser, so that it has to be kept and cannot be computed again. */
static uint64_t opaque(uint64_t value)
{
    __asm__ volatile("" : "+r"(value));
    return value;
}

static double opaque_double(double value)
{
    __asm__ volatile("" : "+m"(value));
    return value;
}

/* ---- what is kept across a switch ---- */

/* More live values than there are callee-saved registers, of both kinds: some are in each of them,
 * and the rest on the stack. */
static void keep_values(void *argument)
{
    struct actor *actor = argument;
    uint64_t s = actor->seed;
    uint64_t a = opaque(s), b = opaque(s + 1), c = opaque(s + 2), d = opaque(s + 3);
    uint64_t e = opaque(s + 4), f = opaque(s + 5), g = opaque(s + 6), h = opaque(s + 7);
    uint64_t i = opaque(s + 8), j = opaque(s + 9), k = opaque(s + 10), l = opaque(s + 11);
    double p = opaque_double((double)s + 0.5), q = opaque_double((double)s + 0.25);
    double r = opaque_double((double)s + 0.125), t = opaque_double(1.0 / (double)(s + 3));
    double local[8];
    for (int n = 0; n < 8; n++)
        local[n] = opaque_double((double)s * n);
    for (int round = 0; round < actor->rounds; round++) {
        xb_coro_suspend(actor->coro);
        actor->done++;
        uint64_t n = (uint64_t)round;
        actor->wrong |= a != s + n || b != s + 1 + n || c != s + 2 + n || d != s + 3 + n;
        actor->wrong |= e != s + 4 + n || f != s + 5 + n || g != s + 6 + n || h != s + 7 + n;
        actor->wrong |= i != s + 8 + n || j != s + 9 + n || k != s + 10 + n || l != s + 11 + n;
        actor->wrong |= p != (double)s + 0.5 || q != (double)s + 0.25;
        actor->wrong |= r != (double)s + 0.125 || t != 1.0 / (double)(s + 3);
        for (int m = 0; m < 8; m++)
            actor->wrong |= local[m] != (double)s * m;
        a++, b++, c++, d++, e++, f++, g++, h++, i++, j++, k++, l++;
    }
}

XB_TEST(Coro, TenThousandSwitchesKeepEveryOnesValues)
{
    struct actor actor[COROS] = { 0 };
    for (int i = 0; i < COROS; i++) {
        /* Different lengths, so that some are over while others go on. */
        actor[i].seed = (uint64_t)(i + 1) << 40;
        actor[i].rounds = SWITCHES - i * 1000;
        actor[i].coro = xb_coro_create(keep_values, &actor[i], STACK_BYTES);
        XB_EXPECT(actor[i].coro != NULL);
    }
    uint64_t mine = opaque(12345);
    double mine_too = opaque_double(0.1);
    for (int alive = COROS; alive;) {
        for (int i = 0; i < COROS; i++) {
            if (xb_coro_finished(actor[i].coro))
                continue;
            xb_coro_resume(actor[i].coro);
            alive -= xb_coro_finished(actor[i].coro);
        }
    }
    XB_EXPECT(mine == 12345 && mine_too == 0.1);
    for (int i = 0; i < COROS; i++) {
        XB_EXPECT_EQ(actor[i].done, actor[i].rounds);
        XB_EXPECT(!actor[i].wrong);
        xb_coro_destroy(actor[i].coro);
    }
}

#if defined(__x86_64__)

/* The registers themselves, whatever the compiler chose above: fills rbx and r12 to r15 before a
 * call of xb_coro_suspend() and compares them after. rbp is left to the compiler. */
static void keep_registers(void *argument)
{
    struct actor *actor = argument;
    for (int round = 0; round < actor->rounds; round++) {
        uint64_t in[5], out[5];
        for (int i = 0; i < 5; i++)
            in[i] = actor->seed + (uint64_t)(round * 8 + i);
        void *arguments[3] = { in, out, actor->coro };
        void *at = arguments;
        /* Behind the red zone, on an aligned stack; everything a call may change is clobbered. */
        __asm__ volatile("mov %%rsp, %%rax\n\t"
                         "sub $256, %%rsp\n\t"
                         "and $-64, %%rsp\n\t"
                         "push %%rax\n\t"
                         "push %[at]\n\t"
                         "mov (%[at]), %%rax\n\t"
                         "mov 16(%[at]), %%rdi\n\t"
                         "mov 0(%%rax), %%rbx\n\t"
                         "mov 8(%%rax), %%r12\n\t"
                         "mov 16(%%rax), %%r13\n\t"
                         "mov 24(%%rax), %%r14\n\t"
                         "mov 32(%%rax), %%r15\n\t"
                         "call *%[suspend]\n\t"
                         "pop %%rax\n\t"
                         "mov 8(%%rax), %%rax\n\t"
                         "mov %%rbx, 0(%%rax)\n\t"
                         "mov %%r12, 8(%%rax)\n\t"
                         "mov %%r13, 16(%%rax)\n\t"
                         "mov %%r14, 24(%%rax)\n\t"
                         "mov %%r15, 32(%%rax)\n\t"
                         "pop %%rsp\n\t"
                         : [at] "+c"(at)
                         : [suspend] "d"(xb_coro_suspend)
                         : "rax", "rbx", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13",
                           "r14", "r15", "memory", "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4",
                           "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12",
                           "xmm13", "xmm14", "xmm15");
        actor->wrong |= memcmp(in, out, sizeof in) != 0;
        actor->done++;
    }
}

XB_TEST(Coro, CalleeSavedRegistersAreKept)
{
    struct actor actor[2] = { { .seed = 0x1111111111111111, .rounds = 100 },
                              { .seed = 0x7777777777777777, .rounds = 100 } };
    for (int i = 0; i < 2; i++)
        actor[i].coro = xb_coro_create(keep_registers, &actor[i], STACK_BYTES);
    for (int round = 0; round <= 100; round++)
        for (int i = 0; i < 2; i++)
            xb_coro_resume(actor[i].coro);
    for (int i = 0; i < 2; i++) {
        XB_EXPECT(xb_coro_finished(actor[i].coro));
        XB_EXPECT_EQ(actor[i].done, 100);
        XB_EXPECT(!actor[i].wrong);
        xb_coro_destroy(actor[i].coro);
    }
}

#endif

/* ---- stacks ---- */

__attribute__((noinline)) static uint64_t dive(struct actor *actor, int depth)
{
    volatile char room[1024];
    for (size_t i = 0; i < sizeof room; i += 64)
        room[i] = (char)(depth + (int)i);
    uint64_t below = 0;
    if (depth)
        below = dive(actor, depth - 1);
    else
        xb_coro_suspend(actor->coro); /* at the bottom */
    for (size_t i = 0; i < sizeof room; i += 64)
        actor->wrong |= room[i] != (char)(depth + (int)i);
    return below + (uint64_t)depth;
}

static void dive_deep(void *argument)
{
    struct actor *actor = argument;
    if (dive(actor, actor->rounds) != (uint64_t)(actor->rounds * (actor->rounds + 1) / 2))
        actor->wrong = true;
}

XB_TEST(Coro, StacksAreUsedToTheirDepthWithoutTouchingOneAnother)
{
    struct actor actor[COROS] = { 0 };
    for (int i = 0; i < COROS; i++) {
        actor[i].rounds = 180; /* over 180 KiB of 256; more with sanitizers */
        actor[i].coro = xb_coro_create(dive_deep, &actor[i], SANITIZED ? 1 << 20 : 256 << 10);
    }
    for (int pass = 0; pass < 2; pass++)
        for (int i = 0; i < COROS; i++)
            xb_coro_resume(actor[i].coro);
    for (int i = 0; i < COROS; i++) {
        XB_EXPECT(xb_coro_finished(actor[i].coro));
        XB_EXPECT(!actor[i].wrong);
        xb_coro_destroy(actor[i].coro);
    }
}

static void look_at_alignment(void *argument)
{
    struct actor *actor = argument;
    /* System V AMD64 ABI 3.2.2 and AAPCS64 6.4.5: what a vector load on the stack relies on. */
    _Alignas(16) char local[16];
    actor->done = (int)(opaque((uint64_t)(uintptr_t)local) % 16);
}

XB_TEST(Coro, StacksAreAligned)
{
    struct actor actor = { .done = -1 };
    actor.coro = xb_coro_create(look_at_alignment, &actor, 1); /* rounded up to a page */
    XB_EXPECT(actor.coro != NULL);
    if (SANITIZED) /* their frames are larger than a page */
        XB_SKIP("a page is not enough under a sanitizer");
    else
        xb_coro_resume(actor.coro);
    XB_EXPECT_EQ(actor.done, SANITIZED ? -1 : 0);
    xb_coro_destroy(actor.coro);
}

static void overflow(void *argument)
{
    struct actor *actor = argument;
    dive(actor, 1 << 20);
}

XB_TEST(Coro, AnOverflowHitsTheGuardPage)
{
    if (SANITIZED) {
        XB_SKIP("sanitizers report the signal in their own way");
        return;
    }
    pid_t pid = fork();
    if (pid == 0) {
        setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
        signal(SIGSEGV, SIG_DFL);
        struct actor actor = { 0 };
        actor.coro = xb_coro_create(overflow, &actor, STACK_BYTES);
        xb_coro_resume(actor.coro);
        _exit(0);
    }
    int status = 0;
    XB_EXPECT_EQ(waitpid(pid, &status, 0), pid);
    XB_EXPECT(WIFSIGNALED(status));
    XB_EXPECT_EQ(WTERMSIG(status), SIGSEGV);
}

/* ---- slabs ---- */

enum { SLAB_COROS = 300, SLAB_STACK_BYTES = 64 << 10 };

static void run_slab(bool guards)
{
    struct actor *actor = calloc(SLAB_COROS, sizeof *actor);
    struct xb_coro_slab *slab = xb_coro_slab_create(SLAB_COROS, SLAB_STACK_BYTES, guards);
    XB_EXPECT(slab != NULL);
    for (uint32_t i = 0; i < SLAB_COROS; i++) {
        actor[i].rounds = SANITIZED ? 5 : (int)(i % 40);
        actor[i].coro = xb_coro_slab_begin(slab, i, dive_deep, &actor[i]);
        XB_EXPECT(actor[i].coro != NULL);
    }
    for (int pass = 0; pass < 2; pass++)
        for (int i = 0; i < SLAB_COROS; i++)
            xb_coro_resume(actor[i].coro);
    XB_EXPECT(!xb_coro_slab_overflowed(slab));
    for (int i = 0; i < SLAB_COROS; i++) {
        XB_EXPECT(xb_coro_finished(actor[i].coro));
        XB_EXPECT(!actor[i].wrong);
        xb_coro_destroy(actor[i].coro);
    }
    xb_coro_slab_destroy(slab);
    free(actor);
}

XB_TEST(Coro, StacksOfASlabAreUsedWithoutTouchingOneAnother)
{
    run_slab(true);
    run_slab(false);
}

static void touch_lowest_page(void *argument)
{
    struct actor *actor = argument;
    /* A pointer that the compiler cannot follow into a local: just below all that is in use. */
    char *here = (char *)(uintptr_t)opaque((uint64_t)(uintptr_t)__builtin_frame_address(0));
    *(volatile char *)(here - SLAB_STACK_BYTES - 1024) = 1;
    actor->done = 1;
}

/* Where no guard is had: what an overflow touches is seen at the end, and nothing else is. */
XB_TEST(Coro, AStackOfASlabThatWasUsedUpIsSeen)
{
    if (SANITIZED) {
        XB_SKIP("a sanitizer's frames are larger");
        return;
    }
    struct actor actor[3] = { 0 };
    struct xb_coro_slab *slab = xb_coro_slab_create(3, SLAB_STACK_BYTES, false);
    for (uint32_t i = 0; i < 3; i++)
        actor[i].coro =
            xb_coro_slab_begin(slab, i, i == 1 ? touch_lowest_page : dive_deep, &actor[i]);
    for (int pass = 0; pass < 2; pass++)
        for (int i = 0; i < 3; i += 2)
            xb_coro_resume(actor[i].coro);
    XB_EXPECT(!xb_coro_slab_overflowed(slab));
    xb_coro_resume(actor[1].coro);
    XB_EXPECT_EQ(actor[1].done, 1);
    XB_EXPECT(xb_coro_slab_overflowed(slab));
    xb_coro_slab_destroy(slab);
}

XB_TEST(Coro, ASlabThatDoesNotFitMemoryIsRefused)
{
    XB_EXPECT(xb_coro_slab_create(UINT32_MAX, (size_t)1 << 50, true) == NULL);
    XB_EXPECT(xb_coro_slab_begin(NULL, 0, dive_deep, NULL) == NULL);
    XB_EXPECT(!xb_coro_slab_overflowed(NULL));
    xb_coro_slab_destroy(NULL);
}

/* ---- beginnings and ends ---- */

static void finish_at_once(void *argument)
{
    ((struct actor *)argument)->done = 1;
}

XB_TEST(Coro, OneThatNeverStartedCanBeDestroyed)
{
    struct actor actor = { 0 };
    actor.coro = xb_coro_create(finish_at_once, &actor, STACK_BYTES);
    XB_EXPECT(!xb_coro_finished(actor.coro));
    xb_coro_destroy(actor.coro);
    XB_EXPECT_EQ(actor.done, 0);
    xb_coro_destroy(NULL);
}

XB_TEST(Coro, OneThatFinishedCanBeDestroyed)
{
    struct actor actor = { 0 };
    actor.coro = xb_coro_create(finish_at_once, &actor, STACK_BYTES);
    xb_coro_resume(actor.coro);
    XB_EXPECT(xb_coro_finished(actor.coro));
    XB_EXPECT_EQ(actor.done, 1);
    xb_coro_destroy(actor.coro);
}

XB_TEST(Coro, OneThatIsSuspendedCanBeDestroyed)
{
    struct actor actor = { .rounds = 10 };
    actor.coro = xb_coro_create(keep_values, &actor, STACK_BYTES);
    xb_coro_resume(actor.coro);
    XB_EXPECT(!xb_coro_finished(actor.coro));
    xb_coro_destroy(actor.coro);
}

/* Frames that never returned leave marks in a sanitizer's books, and mmap() likes to give the same
 * addresses again. */
XB_TEST(Coro, OneDestroyedInMidDiveLeavesNothingToTheNext)
{
    for (int i = 0; i < 10; i++) {
        struct actor actor = { .rounds = 20 + i };
        actor.coro = xb_coro_create(dive_deep, &actor, 256 << 10);
        xb_coro_resume(actor.coro);
        if (i % 2)
            xb_coro_resume(actor.coro);
        XB_EXPECT_EQ(xb_coro_finished(actor.coro), i % 2);
        XB_EXPECT(!actor.wrong);
        xb_coro_destroy(actor.coro);
    }
}

XB_TEST(Coro, ThousandsCanComeAndGo)
{
    for (int i = 0; i < 3000; i++) {
        struct actor actor = { 0 };
        actor.coro = xb_coro_create(finish_at_once, &actor, STACK_BYTES);
        xb_coro_resume(actor.coro);
        XB_EXPECT_EQ(actor.done, 1);
        xb_coro_destroy(actor.coro);
    }
}

XB_TEST(Coro, AStackThatDoesNotFitMemoryIsRefused)
{
    XB_EXPECT(xb_coro_create(finish_at_once, NULL, (size_t)1 << 60) == NULL);
    XB_EXPECT(xb_coro_create(finish_at_once, NULL, SIZE_MAX - 4096) == NULL);
}

XB_TEST(Coro, TheCostOfASwitchIsMeasured)
{
    double ns = xb_coro_switch_ns();
    XB_EXPECT(ns > 0 && ns < 1e6);
    XB_EXPECT(xb_coro_switch_name()[0] != '\0');
}
