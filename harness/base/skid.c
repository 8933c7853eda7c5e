/* SPDX-License-Identifier: BSD-3-Clause
 * Samples a chase and a stream whose only load is known, and looks where the samples lie. */
#include "skid.h"

#include "child.h"
#include "clock.h"
#include "sampler.h"

#include <errno.h>
#include <math.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>

enum {
    PERIOD_NS = 200000,
    SAMPLES_WANTED = 800,
    SAMPLES_NEEDED = 200,
    ALONE_MS = 50,
    LINE = 64,
    LINES = XB_SKID_BYTES / LINE,
    STEP = 4096,      /* rounds between two reports, some 50 us */
    STEP_ODD = 40503, /* coprime to the number of lines; no prefetcher sees a stride of 2.5 MiB */
};
static const uint64_t longest_ns = 2000000000;

/* In assembly, as the address of the load has to be known. Behind it come instructions that wait for
 * nothing, so that a skid of several would show as well. */
#if defined(__aarch64__)
__asm__(".text\n"
        ".p2align 6\n"
        ".hidden xb_skid_chase, xb_skid_chase_load, xb_skid_chase_next\n"
        ".globl xb_skid_chase, xb_skid_chase_load, xb_skid_chase_next\n"
        "xb_skid_chase:\n"
        "xb_skid_chase_load: ldr x0, [x0]\n"
        "xb_skid_chase_next: add x9, x9, #1\n"
        "add x10, x10, #2\n"
        "add x11, x11, #3\n"
        "nop\n"
        "nop\n"
        "subs x1, x1, #1\n"
        "b.ne xb_skid_chase\n"
        "ret\n"
        ".p2align 6\n"
        ".hidden xb_skid_stream, xb_skid_stream_load, xb_skid_stream_next\n"
        ".globl xb_skid_stream, xb_skid_stream_load, xb_skid_stream_next\n"
        "xb_skid_stream:\n"
        "xb_skid_stream_load: ldr x2, [x0], #64\n"
        "xb_skid_stream_next: add x9, x9, x2\n"
        "add x10, x10, #2\n"
        "add x11, x11, #3\n"
        "nop\n"
        "nop\n"
        "subs x1, x1, #1\n"
        "b.ne xb_skid_stream\n"
        "ret\n");
#else
__asm__(".text\n"
        ".p2align 6\n"
        ".hidden xb_skid_chase, xb_skid_chase_load, xb_skid_chase_next\n"
        ".globl xb_skid_chase, xb_skid_chase_load, xb_skid_chase_next\n"
        "xb_skid_chase:\n"
        "xb_skid_chase_load: mov (%rdi), %rdi\n"
        "xb_skid_chase_next: add $1, %r8\n"
        "add $2, %r9\n"
        "add $3, %r10\n"
        "nop\n"
        "nop\n"
        "sub $1, %rsi\n"
        "jne xb_skid_chase\n"
        "mov %rdi, %rax\n"
        "ret\n"
        ".p2align 6\n"
        ".hidden xb_skid_stream, xb_skid_stream_load, xb_skid_stream_next\n"
        ".globl xb_skid_stream, xb_skid_stream_load, xb_skid_stream_next\n"
        "xb_skid_stream:\n"
        "xb_skid_stream_load: add (%rdi), %rax\n"
        "xb_skid_stream_next: add $64, %rdi\n"
        "add $2, %r9\n"
        "add $3, %r10\n"
        "nop\n"
        "nop\n"
        "sub $1, %rsi\n"
        "jne xb_skid_stream\n"
        "ret\n");
#endif

/* Both take where to begin and how many rounds; only the chase's answer means something. */
extern void *xb_skid_chase(void *at, uint64_t rounds);
extern void *xb_skid_stream(void *at, uint64_t rounds);
extern const char xb_skid_chase_load[], xb_skid_chase_next[];
extern const char xb_skid_stream_load[], xb_skid_stream_next[];

struct loop {
    void *(*run)(void *, uint64_t);
    uint64_t load, next; /* addresses, in us and in our children alike */
    bool is_chase;
    uint64_t n_load, n_next, n; /* samples */
    _Atomic uint64_t *rounds;   /* of the child, in steps of STEP */
    double cost_ns;
};

/* How far the child is, and what CPU time that took. */
struct reading {
    double rounds, cpu_ns;
};

/* The child's life: says that it is ready, and runs until it is killed. */
static void spin(const struct loop *loop, int ready)
{
    xb_child_begin();
    char *data =
        mmap(NULL, XB_SKID_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (data == MAP_FAILED)
        _exit(1);
    for (uint64_t i = 0; i < LINES; i++)
        *(void **)(data + i * LINE) = data + (i + STEP_ODD) % LINES * LINE;
    if (write(ready, "", 1) != 1)
        _exit(1);
    char *at = data;
    for (uint64_t n = STEP;; n += STEP) {
        char *last = loop->run(at, STEP);
        at = loop->is_chase ? last : data + n % LINES * LINE;
        atomic_store_explicit(loop->rounds, n, memory_order_relaxed);
    }
}

static void take(void *context, const struct xb_sample *sample)
{
    struct loop *loop = context;
    loop->n++;
    loop->n_load += sample->ip == loop->load;
    loop->n_next += sample->ip == loop->next;
}

static struct reading read_progress(const struct loop *loop, pid_t pid)
{
    clockid_t clock;
    struct timespec cpu = { 0 };
    if (clock_getcpuclockid(pid, &clock) == 0)
        clock_gettime(clock, &cpu);
    return (struct reading){ (double)atomic_load_explicit(loop->rounds, memory_order_relaxed),
                             1e9 * (double)cpu.tv_sec + (double)cpu.tv_nsec };
}

static void nap(long ms)
{
    nanosleep(&(struct timespec){ .tv_nsec = ms * 1000000 }, NULL);
}

/* Samples the child that is `pid`, between two moments in which it is left alone. */
static int watch(struct loop *loop, pid_t pid, struct xb_sampler *sampler, struct xb_reason *why)
{
    struct reading at[4];
    nap(ALONE_MS);
    at[0] = read_progress(loop, pid);
    nap(ALONE_MS);
    at[1] = read_progress(loop, pid);
    if (xb_sampler_start(sampler) != 0)
        return xb_because(why, -EIO, "calibrating the skid: sampling does not start");
    uint64_t from = xb_now_ns();
    while (loop->n < SAMPLES_WANTED && xb_now_ns() - from < longest_ns) {
        nap(10);
        xb_sampler_drain(sampler, &(struct xb_sampler_takers){ .sample = take, .context = loop });
    }
    xb_sampler_stop(sampler);
    at[2] = read_progress(loop, pid);
    nap(ALONE_MS);
    at[3] = read_progress(loop, pid);
    if (loop->n < SAMPLES_NEEDED)
        return xb_because(why, -EAGAIN, "calibrating the skid: %llu samples in 2 s, too few",
                          (unsigned long long)loop->n);
    double alone_ns = at[1].cpu_ns - at[0].cpu_ns + at[3].cpu_ns - at[2].cpu_ns;
    double alone_rounds = at[1].rounds - at[0].rounds + at[3].rounds - at[2].rounds;
    double expected_ns = (at[2].rounds - at[1].rounds) * alone_ns / fmax(alone_rounds, 1);
    loop->cost_ns =
        alone_rounds > 0 ? (at[2].cpu_ns - at[1].cpu_ns - expected_ns) / (double)loop->n : 0;
    return 0;
}

static int sample(struct loop *loop, struct xb_reason *why)
{
    int ready[2];
    loop->rounds =
        mmap(NULL, sizeof *loop->rounds, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (loop->rounds == MAP_FAILED)
        return xb_because(why, -errno, "calibrating the skid: no memory");
    if (pipe(ready) != 0) {
        int err = xb_because(why, -errno, "calibrating the skid: no pipe");
        munmap((void *)loop->rounds, sizeof *loop->rounds);
        return err;
    }
    pid_t pid = fork();
    if (pid == 0)
        spin(loop, ready[1]);
    close(ready[1]);
    int err = pid < 0 ? xb_because(why, -errno, "calibrating the skid: cannot fork") : 0;
    char byte;
    if (!err && read(ready[0], &byte, 1) != 1)
        err = xb_because(why, -EAGAIN, "calibrating the skid: the child did not start");
    close(ready[0]);
    struct xb_sampler *sampler = NULL;
    if (!err)
        err = xb_sampler_open(pid, PERIOD_NS, &sampler, why);
    if (!err)
        err = watch(loop, pid, sampler, why);
    xb_sampler_close(sampler);
    if (pid > 0) {
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
    }
    munmap((void *)loop->rounds, sizeof *loop->rounds);
    return err;
}

static struct xb_skid_loop share(const struct loop *loop)
{
    double n = loop->n ? (double)loop->n : 1;
    return (struct xb_skid_loop){ .samples = loop->n,
                                  .next = (double)loop->n_next / n,
                                  .same = (double)loop->n_load / n,
                                  .cost_ns = loop->cost_ns };
}

int xb_skid_calibrate(struct xb_skid_report *out, struct xb_reason *why)
{
    struct loop chase = { .run = xb_skid_chase,
                          .load = (uintptr_t)xb_skid_chase_load,
                          .next = (uintptr_t)xb_skid_chase_next,
                          .is_chase = true };
    struct loop stream = { .run = xb_skid_stream,
                           .load = (uintptr_t)xb_skid_stream_load,
                           .next = (uintptr_t)xb_skid_stream_next };
    int err = sample(&chase, why);
    if (!err)
        err = sample(&stream, why);
    *out = (struct xb_skid_report){ .chase = share(&chase), .stream = share(&stream) };
    if (err)
        return err;
    double next = out->chase.next < out->stream.next ? out->chase.next : out->stream.next;
    double same = out->chase.same < out->stream.same ? out->chase.same : out->stream.same;
    out->skid = same > next ? XB_SKID_SAME : XB_SKID_NEXT;
    if (next >= 0.9 || same >= 0.9)
        return 0;
    return xb_because(
        why, -ENOTSUP,
        "samples do not point to what was waited for on this CPU: in a pointer chase "
        "%.0f %% lie behind the load and %.0f %% at it, in a stream %.0f %% and %.0f %%",
        100 * out->chase.next, 100 * out->chase.same, 100 * out->stream.next,
        100 * out->stream.same);
}
