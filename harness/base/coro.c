/* SPDX-License-Identifier: BSD-3-Clause
 * Switches stacks.
 *
 * Saved across a switch is what the ABI lets a called function expect: the callee-saved registers
 * and the stack pointer (System V AMD64 ABI 3.2.1; Procedure Call Standard for the Arm 64-bit
 * Architecture, 6.1). Neither the signal mask nor the floating-point control words are saved: no
 * kernel changes them. Saving the control words, and returning by ret past a misled return stack
 * predictor, made a switch cost 11.5 ns instead of 2.6 (Zen 4 guest, xb_coro_switch_ns()). */
#include "coro.h"

#include "clock.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__)
#    define XB_ASAN 1
#elif defined(__has_feature)
#    if __has_feature(address_sanitizer)
#        define XB_ASAN 1
#    endif
#endif
#if defined(__SANITIZE_THREAD__)
#    define XB_TSAN 1
#elif defined(__has_feature)
#    if __has_feature(thread_sanitizer)
#        define XB_TSAN 1
#    endif
#endif

#ifdef XB_ASAN
#    include <sanitizer/asan_interface.h>
#endif
#ifdef XB_TSAN
#    include <sanitizer/tsan_interface.h>
#endif

#if defined(__x86_64__)
#    define XB_SWITCH "x86-64"
/* xb_switch(save, to): pushes the registers, stores the stack pointer at *save, takes `to` and
 * pops what was pushed there. The first switch to a new stack pops zeroes and returns to
 * xb_coro_begin, which finds the coroutine in the slot that held rbx. xb_switch_alike does the same
 * between two stacks that wait in the same place. */
#    define SWITCH(name, go)                                                                    \
        ".p2align 4\n.hidden " name "\n.globl " name "\n.type " name ", @function\n" name ":\n" \
        "    push %rbp\n    push %rbx\n    push %r12\n"                                         \
        "    push %r13\n    push %r14\n    push %r15\n"                                         \
        "    mov %rsp, (%rdi)\n"                                                                \
        "    mov %rsi, %rsp\n"                                                                  \
        "    pop %r15\n    pop %r14\n    pop %r13\n"                                            \
        "    pop %r12\n    pop %rbx\n    pop %rbp\n" go ".size " name ", .-" name "\n"
__asm__(".text\n"
        /* By jmp, because the return stack predictor would be wrong every time. */
        SWITCH("xb_switch", "    pop %rcx\n    jmp *%rcx\n"));
__asm__(".text\n"
        /* By ret, because here it is right: it holds what the one who leaves has called, and to the
         * same places the one who arrives returns. */
        SWITCH("xb_switch_alike", "    ret\n"));
__asm__(".text\n"
        ".p2align 4\n"
        ".hidden xb_coro_begin\n"
        ".globl xb_coro_begin\n"
        ".type xb_coro_begin, @function\n"
        "xb_coro_begin:\n"
        "    mov %rbx, %rdi\n"
        "    xor %ebp, %ebp\n" /* ends the frame chain for debuggers and profilers */
        "    call xb_coro_main\n"
        "    ud2\n"
        ".size xb_coro_begin, .-xb_coro_begin\n");
enum { FRAME_WORDS = 7, FRAME_ARGUMENT = 4, FRAME_RETURN = 6 };
#elif defined(__aarch64__)
#    define XB_SWITCH       "aarch64"
#    define xb_switch_alike xb_switch /* returns by ret anyway */
__asm__(".text\n"
        ".p2align 4\n"
        ".hidden xb_switch\n"
        ".globl xb_switch\n"
        ".type xb_switch, %function\n"
        "xb_switch:\n"
        "    sub sp, sp, #160\n"
        "    stp x19, x20, [sp, #0]\n"
        "    stp x21, x22, [sp, #16]\n"
        "    stp x23, x24, [sp, #32]\n"
        "    stp x25, x26, [sp, #48]\n"
        "    stp x27, x28, [sp, #64]\n"
        "    stp x29, x30, [sp, #80]\n"
        "    stp d8, d9, [sp, #96]\n"
        "    stp d10, d11, [sp, #112]\n"
        "    stp d12, d13, [sp, #128]\n"
        "    stp d14, d15, [sp, #144]\n"
        "    mov x9, sp\n"
        "    str x9, [x0]\n"
        "    mov sp, x1\n"
        "    ldp x19, x20, [sp, #0]\n"
        "    ldp x21, x22, [sp, #16]\n"
        "    ldp x23, x24, [sp, #32]\n"
        "    ldp x25, x26, [sp, #48]\n"
        "    ldp x27, x28, [sp, #64]\n"
        "    ldp x29, x30, [sp, #80]\n"
        "    ldp d8, d9, [sp, #96]\n"
        "    ldp d10, d11, [sp, #112]\n"
        "    ldp d12, d13, [sp, #128]\n"
        "    ldp d14, d15, [sp, #144]\n"
        "    add sp, sp, #160\n"
        "    ret\n"
        ".size xb_switch, .-xb_switch\n"
        ".p2align 4\n"
        ".hidden xb_coro_begin\n"
        ".globl xb_coro_begin\n"
        ".type xb_coro_begin, %function\n"
        "xb_coro_begin:\n"
        "    mov x0, x19\n"
        "    mov x29, xzr\n"
        "    bl xb_coro_main\n"
        "    brk #1\n"
        ".size xb_coro_begin, .-xb_coro_begin\n");
enum { FRAME_WORDS = 20, FRAME_ARGUMENT = 0, FRAME_RETURN = 11 };
#else
#    define XB_SWITCH   "ucontext"
#    define XB_UCONTEXT 1
#    include <ucontext.h>
#endif

struct xb_coro {
    void (*entry)(void *argument);
    void *argument;
    bool finished;
    struct xb_coro *base; /* the one that was resumed, and passed on to us: it knows the resumer */
    char *stack;          /* the guard page comes first */
    size_t stack_bytes;
    bool in_slab;
#ifdef XB_UCONTEXT
    ucontext_t own, resumer;
#else
    void *own_sp, *resumer_sp;
#endif
#ifdef XB_ASAN
    void *own_fake, *resumer_fake;
    const void *resumer_stack;
    size_t resumer_stack_bytes;
    bool resumed; /* and has not arrived yet: what arrives otherwise was passed to */
#endif
#ifdef XB_TSAN
    void *own_fiber, *resumer_fiber;
#endif
};

#ifndef XB_UCONTEXT
void xb_switch(void **save_sp, void *to_sp);
#    ifndef xb_switch_alike
void xb_switch_alike(void **save_sp, void *to_sp);
#    endif
void xb_coro_begin(void);
#endif
void xb_coro_main(struct xb_coro *coro);

enum { COLOUR_RANGE = 4096 }; /* bytes that stacks begin apart within */

static size_t page_bytes(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

/* Tells the sanitizers, then leaves the coroutine's stack. */
static void leave(struct xb_coro *coro)
{
    struct xb_coro *base = coro->base;
#ifdef XB_ASAN
    /* NULL as the first argument frees the fake stack of a coroutine that will not return. */
    __sanitizer_start_switch_fiber(coro->finished ? NULL : &coro->own_fake, base->resumer_stack,
                                   base->resumer_stack_bytes);
#endif
#ifdef XB_TSAN
    __tsan_switch_to_fiber(base->resumer_fiber, 0);
#endif
#ifdef XB_UCONTEXT
    swapcontext(&coro->own, &base->resumer);
#else
    xb_switch(&coro->own_sp, base->resumer_sp);
#endif
}

/* The first thing on the coroutine's side of every switch to it. */
static void arrive(struct xb_coro *coro)
{
    (void)coro;
#ifdef XB_ASAN
    const void *stack;
    size_t bytes;
    __sanitizer_finish_switch_fiber(coro->own_fake, &stack, &bytes);
    if (coro->resumed) {
        coro->resumer_stack = stack;
        coro->resumer_stack_bytes = bytes;
        coro->resumed = false;
    }
#endif
}

/* Where a new stack begins; called from assembly, hence external. */
__attribute__((used, visibility("hidden"))) void xb_coro_main(struct xb_coro *coro)
{
    arrive(coro);
    coro->entry(coro->argument);
    coro->finished = true;
    leave(coro);
    abort(); /* a finished coroutine was resumed */
}

#ifdef XB_UCONTEXT
/* makecontext() passes ints only. */
static void begin_split(unsigned high, unsigned low)
{
    xb_coro_main((struct xb_coro *)(((uintptr_t)high << 16 << 16) | low));
}
#endif

#ifndef XB_UCONTEXT
/* How far below its top a stack begins: one of 32 places in a page. All tops lie alike within a
 * page, so without this the frames of suspended coroutines would compete for a few sets of the L1
 * cache: among 64 coroutines in turn a yield then took twice what it took between two, with 16
 * places in half a page 1.7 times, like this 1.15 times (Zen 5 guest, 48 KiB in 12 ways). */
static size_t colour(const void *stack)
{
    uint64_t hash = ((uintptr_t)stack / 4096) * UINT64_C(0x9e3779b97f4a7c15);
    return (size_t)(hash >> 59) * 128;
}
#endif

/* Makes the first switch to it call xb_coro_main(). */
static void prepare(struct xb_coro *coro)
{
#ifdef XB_UCONTEXT
    size_t page = page_bytes();
    getcontext(&coro->own);
    coro->own.uc_stack.ss_sp = coro->stack + page;
    coro->own.uc_stack.ss_size = coro->stack_bytes - page;
    uintptr_t bits = (uintptr_t)coro;
    makecontext(&coro->own, (void (*)(void))begin_split, 2, (unsigned)(bits >> 16 >> 16),
                (unsigned)bits);
#else
    /* Among a million, a second page for each would cost more than the sets of a cache are worth. */
    size_t place = coro->in_slab ? 0 : colour(coro->stack);
    /* The frame that the first xb_switch() pops; it leaves the stack pointer 16-byte aligned at
     * xb_coro_begin, whose call then obeys the ABI. */
    uint64_t *top = (uint64_t *)(void *)(coro->stack + coro->stack_bytes - place) - 2;
    uint64_t *frame = top - FRAME_WORDS;
    frame[FRAME_ARGUMENT] = (uint64_t)(uintptr_t)coro;
    frame[FRAME_RETURN] = (uint64_t)(uintptr_t)xb_coro_begin;
    coro->own_sp = frame;
#endif
#ifdef XB_TSAN
    coro->own_fiber = __tsan_create_fiber(0);
#endif
}

struct xb_coro *xb_coro_create(void (*entry)(void *argument), void *argument, size_t stack_bytes)
{
    size_t page = page_bytes();
    struct xb_coro *coro = stack_bytes < SIZE_MAX / 2 ? calloc(1, sizeof *coro) : NULL;
    if (!coro)
        return NULL;
    coro->entry = entry;
    coro->argument = argument;
    coro->stack_bytes = page + (stack_bytes + COLOUR_RANGE + page - 1) / page * page;
    coro->stack = mmap(NULL, coro->stack_bytes, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK | MAP_NORESERVE, -1, 0);
    if (coro->stack == MAP_FAILED) {
        free(coro);
        return NULL;
    }
    if (mprotect(coro->stack, page, PROT_NONE) != 0) {
        xb_coro_destroy(coro);
        return NULL;
    }
    prepare(coro);
    return coro;
}

/* ---- slabs ---- */

#ifndef MADV_GUARD_INSTALL
#    define MADV_GUARD_INSTALL 102 /* since Linux 6.13; madvise(2) */
#endif

struct xb_coro_slab {
    char *base;
    size_t stride; /* of a stack, its lowest page included, which is not to be used */
    uint32_t n;
    bool guarded;
};

struct xb_coro_slab *xb_coro_slab_create(uint32_t n, size_t stack_bytes, bool guards)
{
    size_t page = page_bytes(), bytes;
    struct xb_coro_slab *slab = calloc(1, sizeof *slab);
    if (!slab)
        return NULL;
    slab->n = n;
    slab->stride = page + (stack_bytes + page - 1) / page * page;
    slab->guarded = guards;
    slab->base = MAP_FAILED;
    if (!__builtin_mul_overflow(n, slab->stride, &bytes))
        slab->base = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK | MAP_NORESERVE, -1, 0);
    if (slab->base == MAP_FAILED) {
        free(slab);
        return NULL;
    }
    /* A huge page would make the first touch of one stack take memory for thirty. Without huge pages
     * in the kernel this fails, and there are none. */
    madvise(slab->base, bytes, MADV_NOHUGEPAGE);
    return slab;
}

void xb_coro_slab_destroy(struct xb_coro_slab *slab)
{
    if (slab)
        munmap(slab->base, slab->n * slab->stride);
    free(slab);
}

/* Tops at the same place of each page would all fall into the same few sets of every cache. */
enum { COLOUR_BYTES = 128, COLOURS = 8 };

struct xb_coro *xb_coro_slab_begin(struct xb_coro_slab *slab, uint32_t index,
                                   void (*entry)(void *argument), void *argument)
{
    if (!slab)
        return NULL;
    char *stack = slab->base + index * slab->stride;
    size_t above = (sizeof(struct xb_coro) + 63) / 64 * 64 + index % COLOURS * COLOUR_BYTES;
    if (slab->guarded && madvise(stack, page_bytes(), MADV_GUARD_INSTALL) != 0)
        slab->guarded = false; /* from here on: then none was made before either */
    struct xb_coro *coro = (struct xb_coro *)(void *)(stack + slab->stride - above);
    *coro = (struct xb_coro){
        .entry = entry,
        .argument = argument,
        .stack = stack,
        .stack_bytes = slab->stride - above,
        .in_slab = true,
    };
    prepare(coro);
    return coro;
}

bool xb_coro_slab_overflowed(const struct xb_coro_slab *slab)
{
    size_t page = page_bytes();
    unsigned char resident;
    for (uint32_t i = 0; slab && !slab->guarded && i < slab->n; i++)
        if (mincore(slab->base + i * slab->stride, page, &resident) == 0 && resident & 1)
            return true;
    return false;
}

/* ---- ends ---- */

void xb_coro_destroy(struct xb_coro *coro)
{
    if (!coro)
        return;
#ifdef XB_TSAN
    if (coro->own_fiber)
        __tsan_destroy_fiber(coro->own_fiber);
#endif
#ifdef XB_ASAN
    /* Of frames that never returned; whoever is given these addresses next would trip over it. */
    __asan_unpoison_memory_region(coro->stack, coro->stack_bytes);
#endif
    if (coro->in_slab)
        return;
    munmap(coro->stack, coro->stack_bytes);
    free(coro);
}

void xb_coro_resume(struct xb_coro *coro)
{
    coro->base = coro;
#ifdef XB_ASAN
    size_t page = page_bytes();
    coro->resumed = true;
    __sanitizer_start_switch_fiber(&coro->resumer_fake, coro->stack + page,
                                   coro->stack_bytes - page);
#endif
#ifdef XB_TSAN
    coro->resumer_fiber = __tsan_get_current_fiber();
    __tsan_switch_to_fiber(coro->own_fiber, 0);
#endif
#ifdef XB_UCONTEXT
    swapcontext(&coro->resumer, &coro->own);
#else
    xb_switch(&coro->resumer_sp, coro->own_sp);
#endif
#ifdef XB_ASAN
    __sanitizer_finish_switch_fiber(coro->resumer_fake, NULL, NULL);
#endif
}

void xb_coro_suspend(struct xb_coro *coro)
{
    leave(coro);
    arrive(coro);
}

void xb_coro_pass(struct xb_coro *coro, struct xb_coro *to)
{
    to->base = coro->base;
#ifdef XB_ASAN
    size_t page = page_bytes();
    __sanitizer_start_switch_fiber(&coro->own_fake, to->stack + page, to->stack_bytes - page);
#endif
#ifdef XB_TSAN
    __tsan_switch_to_fiber(to->own_fiber, 0);
#endif
#ifdef XB_UCONTEXT
    swapcontext(&coro->own, &to->own);
#else
    xb_switch_alike(&coro->own_sp, to->own_sp);
#endif
    arrive(coro);
}

void xb_coro_restart(struct xb_coro *coro)
{
#ifdef XB_TSAN
    __tsan_destroy_fiber(coro->own_fiber);
#endif
#ifdef XB_ASAN
    coro->own_fake = NULL; /* freed when it finished */
#endif
    coro->finished = false;
    prepare(coro);
}

bool xb_coro_finished(const struct xb_coro *coro)
{
    return coro->finished;
}

const char *xb_coro_switch_name(void)
{
    return XB_SWITCH;
}

enum { BATCHES = 32, ROUNDS = 512 };

static void ping(void *argument)
{
    struct xb_coro **self = argument;
    for (int i = 0; i < BATCHES * ROUNDS; i++)
        xb_coro_suspend(*self);
}

double xb_coro_switch_ns(void)
{
    struct xb_coro *coro = NULL;
    coro = xb_coro_create(ping, &coro, 64 << 10);
    if (!coro)
        return -1;
    uint64_t best = UINT64_MAX;
    for (int batch = 0; batch < BATCHES; batch++) {
        uint64_t begin = xb_now_ns();
        for (int i = 0; i < ROUNDS; i++)
            xb_coro_resume(coro);
        uint64_t took = xb_now_ns() - begin;
        if (took < best)
            best = took;
    }
    xb_coro_resume(coro);
    xb_coro_destroy(coro);
    return (double)best / (2.0 * ROUNDS);
}
