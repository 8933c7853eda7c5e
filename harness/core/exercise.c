/* SPDX-License-Identifier: BSD-3-Clause
 * Does work of known counts.
 *
 * What a compiler could make another number of instructions of is written in assembly. */
#include "exercise.h"

#include "../../kernels/keep.h"
#include "../../kernels/prng.h"

#include <errno.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

enum {
    LINE = 64,
    DATA_BYTES = XB_EXERCISE_LOADS_MOST * LINE,
    MIXED_LINES = 4096, /* of data and of code: 256 KiB, more than any L1 holds */
    CODE_BYTES = MIXED_LINES * LINE,
    PAGE = 65536, /* the largest base page of either architecture */
    PAGES_BYTES = XB_EXERCISE_PAGES_MOST * PAGE
};

#if defined(__x86_64__)
#    define FLUSHES true
static const unsigned char return_code[] = { 0xc3 };

static void count_down(uint64_t n)
{
    __asm__ volatile(".p2align 4\n1: dec %0\n\tjnz 1b" : "+r"(n)::"cc");
}

static void multiply(uint64_t n)
{
    uint64_t product = 3;
    __asm__ volatile("1: imul %0, %0\n\tdec %1\n\tjnz 1b" : "+r"(product), "+r"(n)::"cc");
}

static void flush(const char *line)
{
    __asm__ volatile("clflush %0" : : "m"(*line) : "memory");
}

/* As many branches as rounds and again as many on the bits, which no compiler may turn into a move:
 * a jump over one instruction, if the bit is set. */
static uint64_t toss(uint64_t random, uint64_t n)
{
    uint64_t heads = 0, bits;
    __asm__ volatile("1: mov %1, %2\n\t"
                     "shl $13, %2\n\txor %2, %1\n\t"
                     "mov %1, %2\n\tshr $7, %2\n\txor %2, %1\n\t"
                     "mov %1, %2\n\tshl $17, %2\n\txor %2, %1\n\t"
                     "bt $33, %1\n\tjc 2f\n\tinc %0\n"
                     "2: dec %3\n\tjnz 1b"
                     : "+&r"(heads), "+&r"(random), "=&r"(bits), "+&r"(n)::"cc");
    return heads ^ random;
}
#elif defined(__aarch64__)
#    define FLUSHES true
static const unsigned char return_code[] = { 0xc0, 0x03, 0x5f, 0xd6 };

static void count_down(uint64_t n)
{
    __asm__ volatile(".p2align 4\n1: subs %0, %0, #1\n\tb.ne 1b" : "+r"(n)::"cc");
}

static void multiply(uint64_t n)
{
    uint64_t product = 3;
    __asm__ volatile("1: mul %0, %0, %0\n\tsubs %1, %1, #1\n\tb.ne 1b"
                     : "+r"(product), "+r"(n)::"cc");
}

/* Linux lets user mode do this (SCTLR_EL1.UCI). */
static void flush(const char *line)
{
    __asm__ volatile("dc civac, %0" : : "r"(line) : "memory");
}

static uint64_t toss(uint64_t random, uint64_t n)
{
    uint64_t heads = 0;
    __asm__ volatile("1: eor %1, %1, %1, lsl #13\n\t"
                     "eor %1, %1, %1, lsr #7\n\t"
                     "eor %1, %1, %1, lsl #17\n\t"
                     "tbnz %1, #33, 2f\n\tadd %0, %0, #1\n"
                     "2: subs %2, %2, #1\n\tb.ne 1b"
                     : "+&r"(heads), "+&r"(random), "+&r"(n)::"cc");
    return heads ^ random;
}
#else
#    error "count_down() needs two instructions of this CPU, one of them a branch"
#endif

static void *map(size_t bytes, int protection)
{
    void *memory = mmap(NULL, bytes, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

/* A circle through all lines in random order (Sattolo), so that no prefetcher follows it. */
static void link_lines(char *data)
{
    uint32_t order[XB_EXERCISE_LOADS_MOST];
    uint64_t random = 1;
    for (uint32_t i = 0; i < XB_EXERCISE_LOADS_MOST; i++)
        order[i] = i;
    for (uint32_t i = XB_EXERCISE_LOADS_MOST - 1; i > 0; i--) {
        uint32_t other = (uint32_t)xb_prng_below(&random, i), kept = order[i];
        order[i] = order[other];
        order[other] = kept;
    }
    for (uint32_t i = 0; i < XB_EXERCISE_LOADS_MOST; i++)
        *(char **)(void *)(data + (size_t)i * LINE) = data + (size_t)order[i] * LINE;
}

int xb_exercise_open(struct xb_exercise *exercise)
{
    *exercise = (struct xb_exercise){ .random = 0x9e3779b97f4a7c15 };
    exercise->data = map(DATA_BYTES, PROT_READ | PROT_WRITE);
    exercise->pages = map(PAGES_BYTES, PROT_READ | PROT_WRITE);
    if (!exercise->data || !exercise->pages)
        return -ENOMEM;
    madvise(exercise->pages, PAGES_BYTES, MADV_NOHUGEPAGE);
    link_lines(exercise->data);
    /* Where this is forbidden, the mixture does without. */
    char *code = map(CODE_BYTES, PROT_READ | PROT_WRITE);
    for (size_t at = 0; code && at < CODE_BYTES; at += LINE)
        memcpy(code + at, return_code, sizeof return_code);
    if (code && mprotect(code, CODE_BYTES, PROT_READ | PROT_EXEC) == 0) {
        __builtin___clear_cache(code, code + CODE_BYTES);
        exercise->code = code;
    } else if (code) {
        munmap(code, CODE_BYTES);
    }
    return 0;
}

void xb_exercise_close(struct xb_exercise *exercise)
{
    if (exercise->data)
        munmap(exercise->data, DATA_BYTES);
    if (exercise->pages)
        munmap(exercise->pages, PAGES_BYTES);
    if (exercise->code)
        munmap(exercise->code, CODE_BYTES);
    *exercise = (struct xb_exercise){ 0 };
}

bool xb_exercise_possible(enum xb_exercise_kind kind)
{
    cpu_set_t allowed;
    if (kind == XB_EXERCISE_MOVE)
        return sched_getaffinity(0, sizeof allowed, &allowed) == 0 && CPU_COUNT(&allowed) > 1;
    return kind != XB_EXERCISE_CHASE || FLUSHES;
}

static void flush_all(const char *memory, size_t bytes)
{
    for (size_t at = 0; at < bytes; at += LINE)
        flush(memory + at);
}

int xb_exercise_prepare(struct xb_exercise *exercise, enum xb_exercise_kind kind, uint64_t n)
{
    (void)n;
    if (kind == XB_EXERCISE_PAGES && madvise(exercise->pages, PAGES_BYTES, MADV_DONTNEED) != 0)
        return -errno;
    if (kind == XB_EXERCISE_CHASE)
        flush_all(exercise->data, DATA_BYTES);
    if (kind == XB_EXERCISE_MIXTURE)
        flush_all(exercise->data, (size_t)MIXED_LINES * LINE);
    if (kind == XB_EXERCISE_MIXTURE && exercise->code)
        flush_all(exercise->code, CODE_BYTES);
    atomic_thread_fence(memory_order_seq_cst);
    return 0;
}

static void chase(struct xb_exercise *exercise, uint64_t n)
{
    char *at = exercise->data;
    for (uint64_t i = 0; i < n; i++)
        at = *(char **)(void *)at;
    xb_keep(at);
}

static void sleep_often(uint64_t n)
{
    const struct timespec moment = { .tv_nsec = 50000 };
    for (uint64_t i = 0; i < n; i++)
        nanosleep(&moment, NULL);
}

/* Back and forth between the first two CPUs that are allowed. */
static void move(uint64_t n)
{
    cpu_set_t allowed;
    int cpu[2] = { 0, 0 }, found = 0;
    if (sched_getaffinity(0, sizeof allowed, &allowed) != 0)
        return;
    for (int i = 0; i < CPU_SETSIZE && found < 2; i++)
        if (CPU_ISSET(i, &allowed))
            cpu[found++] = i;
    for (uint64_t i = 0; i <= n; i++) { /* the first may find it there already */
        cpu_set_t one;
        CPU_ZERO(&one);
        CPU_SET(cpu[i % 2], &one);
        sched_setaffinity(0, sizeof one, &one);
    }
    sched_setaffinity(0, sizeof allowed, &allowed);
}

static void call(const char *code)
{
    void (*function)(void);
    memcpy(&function, &code, sizeof function); /* ISO C has no cast for this */
    function();
}

static void mix(struct xb_exercise *exercise, uint64_t n)
{
    double __attribute__((vector_size(16))) vector = { 1, 2 }, factor = { 1.0000001, 0.9999999 };
    double number = 1;
    _Atomic uint64_t counter = 0;
    uint64_t random = exercise->random;
    for (uint64_t i = 0; i < n; i++) {
        random = xb_mix64(random + i);
        /* The first word of a line is its link. One line is read first, the other one written. */
        char *line = exercise->data + random % MIXED_LINES * LINE;
        volatile uint64_t *word = (volatile uint64_t *)(void *)(line + 8);
        line = exercise->data + (random >> 32) % MIXED_LINES * LINE;
        *(volatile uint64_t *)(void *)(line + 16) = random;
        *word = *word + random;
        number = number * 1.0000001 + 0.5;
        vector = vector * factor + factor;
        __asm__ volatile("" : "+g"(number), "+m"(vector));
        if (*word & 64)
            exercise->sink += *word;
        if (exercise->code)
            call(exercise->code + (random >> 16) % MIXED_LINES * LINE);
        if (i % 16 == 0)
            atomic_fetch_add(&counter, 1);
    }
    exercise->random = random;
    exercise->sink += counter + (uint64_t)number;
}

void xb_exercise_do(struct xb_exercise *exercise, enum xb_exercise_kind kind, uint64_t n)
{
    switch (kind) {
    case XB_EXERCISE_LOOP:
        count_down(n);
        break;
    case XB_EXERCISE_PRODUCT:
        multiply(n);
        break;
    case XB_EXERCISE_CHASE:
        chase(exercise, n);
        break;
    case XB_EXERCISE_TOSS:
        exercise->random = toss(exercise->random, n) | 1; /* 0 would stay 0 */
        break;
    case XB_EXERCISE_PAGES:
        for (uint64_t i = 0; i < n; i++)
            exercise->pages[i * PAGE] = 1;
        break;
    case XB_EXERCISE_SLEEP:
        sleep_often(n);
        break;
    case XB_EXERCISE_MOVE:
        move(n);
        break;
    case XB_EXERCISE_MIXTURE:
        mix(exercise, n);
        break;
    }
}
