/* SPDX-License-Identifier: BSD-3-Clause
 * Samples through perf_event_open(2): one event for each thread and CPU, one ring for each CPU.
 *
 * An event that its thread's children are to inherit can be read through a ring only if it is tied to a
 * CPU (perf_event_open(2), EINVAL), so there is one for each; they write into the ring of an event on
 * ourselves that counts nothing. That one stays while others come and go: the first event of a machine
 * has the kernel patch its own code on all CPUs, and the last one's end again, which takes 1 ms of each
 * program's time in guests; and a ring's pages have to be cleared. The registers are those of user mode,
 * which is all that no privilege is needed for; vector registers are refused (EOPNOTSUPP), so that the addresses of a gather stay unknown. */
#include "sampler.h"

#include "threads.h"

#include <asm/perf_regs.h>
#include <errno.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum {
    RING_PAGES =
        128, /* with the head page 516 KiB, all that perf_event_mlock_kb allows by default */
    RING_PAGES_MIN = 8,
    TREE_MAX = 65536, /* threads */
};

#if defined(__aarch64__)
#    define REGISTER_MASK ((1ull << PERF_REG_ARM64_PC) - 1) /* x0 to x30 and sp, as ours */
#else
/* ax to sp, and r8 to r15, which is our order; between them lie ip, flags and segments. */
#    define REGISTER_MASK (0xffull | 0xffull << PERF_REG_X86_R8)
#endif

struct ring {
    int fd; /* the event on ourselves whose ring it is, or -1 */
    struct perf_event_mmap_page *head;
    size_t bytes; /* of data, behind the head page */
};

struct xb_sampler {
    uint64_t period_ns;
    long page;
    int n_cpus;
    struct ring *ring; /* n_cpus of them */
    int *fd;           /* all events */
    size_t n_fds, fd_room;
    pid_t *tid; /* that are watched from the start */
    size_t n_tids, tid_room;
    struct xb_sampler_counts counts;
    _Alignas(8) uint8_t record[65536]; /* one, unwrapped; header.size has 16 bits */
};

static int explain(int err, pid_t pid, struct xb_reason *why)
{
    switch (-err) {
    case ESRCH:
        return xb_because(why, err, "sampling: there is no process %d", (int)pid);
    case EACCES:
    case EPERM:
        return xb_because(why, -EACCES,
                          "sampling process %d is not permitted: it is another user's, or "
                          "kernel.perf_event_paranoid is above 2; run with CAP_PERFMON",
                          (int)pid);
    case ENOSYS:
        return xb_because(why, err,
                          "perf_event_open is hidden, by a seccomp filter or by the kernel");
    case EMFILE:
        return xb_because(
            why, err, "sampling process %d takes a file for each thread and CPU; raise ulimit -n",
            (int)pid);
    default:
        return xb_because(why, err, "sampling process %d: %s", (int)pid, strerror(-err));
    }
}

static int grow(void **array, size_t n, size_t *room, size_t bytes)
{
    if (n < *room)
        return 0;
    size_t more = *room ? 2 * *room : 64;
    void *grown = realloc(*array, more * bytes);
    if (!grown)
        return -ENOMEM;
    *array = grown;
    *room = more;
    return 0;
}

/* Opens the ring of a CPU. */
static int open_ring(struct xb_sampler *sampler, int cpu)
{
    struct perf_event_attr attributes = {
        .size = sizeof attributes,
        .type = PERF_TYPE_SOFTWARE,
        .config = PERF_COUNT_SW_DUMMY,
        .disabled = 1,
        .exclude_kernel = 1,
        .exclude_hv = 1,
        .use_clockid = 1, /* as theirs that write into it: else EINVAL */
        .clockid = CLOCK_MONOTONIC,
        .watermark = 1, /* nobody is woken: we look */
        .wakeup_watermark = UINT32_MAX,
    };
    int fd = (int)syscall(SYS_perf_event_open, &attributes, 0, cpu, -1, PERF_FLAG_FD_CLOEXEC);
    if (fd < 0)
        return -errno;
    int err = -ENOMEM;
    for (size_t pages = RING_PAGES; pages >= RING_PAGES_MIN; pages /= 2) {
        size_t page = (size_t)sampler->page;
        void *at = mmap(NULL, (pages + 1) * page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (at != MAP_FAILED) {
            sampler->ring[cpu] = (struct ring){ .fd = fd, .head = at, .bytes = pages * page };
            return 0;
        }
        err = -errno;
        if (err != -EPERM) /* that is the limit on locked memory */
            break;
    }
    close(fd);
    return err == -EPERM ? -ENOMEM : err;
}

static int open_event(struct xb_sampler *sampler, pid_t tid, int cpu)
{
    struct perf_event_attr attributes = {
        .size = sizeof attributes,
        .type = PERF_TYPE_SOFTWARE,
        .config = PERF_COUNT_SW_CPU_CLOCK,
        .sample_period = sampler->period_ns,
        .sample_type = PERF_SAMPLE_IP | PERF_SAMPLE_TID | PERF_SAMPLE_TIME | PERF_SAMPLE_CPU |
                       PERF_SAMPLE_REGS_USER,
        .sample_regs_user = REGISTER_MASK,
        .disabled = 1,
        .inherit = 1,
        .exclude_kernel = 1,
        .exclude_hv = 1,
        .mmap = 1,
        .mmap2 = 1,
        .context_switch = 1,
        .use_clockid = 1,
        .clockid = CLOCK_MONOTONIC,
        .watermark = 1, /* nobody is woken: we look */
        .wakeup_watermark = UINT32_MAX,
    };
    int fd = (int)syscall(SYS_perf_event_open, &attributes, tid, cpu, -1, PERF_FLAG_FD_CLOEXEC);
    if (fd < 0)
        return -errno;
    int err = grow((void **)&sampler->fd, sampler->n_fds, &sampler->fd_room, sizeof *sampler->fd);
    if (!err && sampler->ring[cpu].fd < 0)
        err = open_ring(sampler, cpu);
    if (!err && ioctl(fd, PERF_EVENT_IOC_SET_OUTPUT, sampler->ring[cpu].fd) != 0)
        err = -errno;
    if (err) {
        close(fd);
        return err;
    }
    sampler->fd[sampler->n_fds++] = fd;
    return 0;
}

static bool is_watched(const struct xb_sampler *sampler, pid_t tid)
{
    for (size_t i = 0; i < sampler->n_tids; i++)
        if (sampler->tid[i] == tid)
            return true;
    return false;
}

/* Opens on one thread, on every CPU that there is. 1, 0 if it is watched already, or -errno. */
static int watch(void *context, pid_t tid)
{
    struct xb_sampler *sampler = context;
    if (sampler->n_tids >= TREE_MAX || is_watched(sampler, tid))
        return 0;
    int err =
        grow((void **)&sampler->tid, sampler->n_tids, &sampler->tid_room, sizeof *sampler->tid);
    bool any = false;
    for (int cpu = 0; cpu < sampler->n_cpus && !err; cpu++) {
        err = open_event(sampler, tid, cpu);
        any |= !err;
        if (err == -ENODEV) /* this CPU is offline */
            err = 0;
    }
    if (!err && any) {
        sampler->tid[sampler->n_tids++] = tid;
        sampler->counts.threads++;
    }
    return err ? err : any;
}

int xb_sampler_open(pid_t pid, uint64_t period_ns, struct xb_sampler **out, struct xb_reason *why)
{
    struct xb_sampler *sampler = calloc(1, sizeof *sampler);
    if (!sampler)
        return xb_because(why, -ENOMEM, "sampling: out of memory");
    sampler->period_ns = period_ns < 10000 ? 10000 : period_ns;
    sampler->page = sysconf(_SC_PAGESIZE);
    sampler->n_cpus = (int)sysconf(_SC_NPROCESSORS_CONF);
    sampler->ring = calloc((size_t)sampler->n_cpus, sizeof *sampler->ring);
    int err = sampler->ring ? 0 : -ENOMEM;
    for (int cpu = 0; cpu < sampler->n_cpus && !err; cpu++)
        sampler->ring[cpu].fd = -1;
    xb_threads_raise_file_limit();
    if (!err) {
        int found = xb_threads_visit(pid, watch, sampler);
        err = found < 0 ? found : 0;
    }
    if (!err && !sampler->n_tids)
        err = -ESRCH;
    if (err) {
        xb_sampler_close(sampler);
        return explain(err, pid, why);
    }
    *out = sampler;
    return 0;
}

int xb_sampler_add(struct xb_sampler *sampler, pid_t pid)
{
    if (is_watched(sampler, pid)) /* and so is what descends from it */
        return 0;
    int found = xb_threads_visit(pid, watch, sampler);
    return found < 0 ? found : 0;
}

void xb_sampler_leave(struct xb_sampler *sampler)
{
    for (size_t i = 0; i < sampler->n_fds; i++)
        close(sampler->fd[i]);
    sampler->n_fds = sampler->n_tids = 0;
    sampler->counts.threads = 0;
}

void xb_sampler_close(struct xb_sampler *sampler)
{
    if (!sampler)
        return;
    xb_sampler_leave(sampler);
    for (int cpu = 0; sampler->ring && cpu < sampler->n_cpus; cpu++)
        if (sampler->ring[cpu].head) {
            munmap(sampler->ring[cpu].head, sampler->ring[cpu].bytes + (size_t)sampler->page);
            close(sampler->ring[cpu].fd);
        }
    free(sampler->ring);
    free(sampler->fd);
    free(sampler->tid);
    free(sampler);
}

/* The kernel passes this on to the events that children have inherited. */
static int switch_all(const struct xb_sampler *sampler, unsigned long request)
{
    int err = 0;
    for (size_t i = 0; i < sampler->n_fds; i++)
        if (ioctl(sampler->fd[i], request, 0) != 0)
            err = -errno;
    return err;
}

int xb_sampler_start(struct xb_sampler *sampler)
{
    return switch_all(sampler, PERF_EVENT_IOC_ENABLE);
}

int xb_sampler_stop(struct xb_sampler *sampler)
{
    return switch_all(sampler, PERF_EVENT_IOC_DISABLE);
}

/* Takes a value off a record; 0 behind its end. */
static uint64_t take(const uint8_t **at, const uint8_t *end, size_t bytes)
{
    uint64_t value = 0;
    if ((size_t)(end - *at) >= bytes) {
        memcpy(&value, *at, bytes); /* little-endian, as both architectures are */
        *at += bytes;
    }
    return value;
}

static void take_sample(struct xb_sampler *sampler, const uint8_t *at, const uint8_t *end,
                        const struct xb_sampler_takers *takers)
{
    struct xb_sample sample = { .ip = take(&at, end, 8) };
    sample.pid = (pid_t)take(&at, end, 4);
    sample.tid = (pid_t)take(&at, end, 4);
    sample.time_ns = take(&at, end, 8);
    sample.cpu = (uint32_t)take(&at, end, 4);
    take(&at, end, 4);
    sample.has_registers = take(&at, end, 8) == PERF_SAMPLE_REGS_ABI_64;
    for (int i = 0, bit = 0; sample.has_registers && bit < 64; bit++)
        if (REGISTER_MASK >> bit & 1)
            sample.registers.value[i++] = take(&at, end, 8);
    sampler->counts.samples++;
    if (takers->sample)
        takers->sample(takers->context, &sample);
}

static void take_mapping(const uint8_t *at, uint8_t *end, const struct xb_sampler_takers *takers)
{
    struct xb_mapping mapping = { .pid = (pid_t)take(&at, end, 4), .is_executable = true };
    take(&at, end, 4); /* the thread */
    mapping.start = take(&at, end, 8);
    mapping.end = mapping.start + take(&at, end, 8);
    mapping.offset = take(&at, end, 8);
    take(&at, end, 8); /* the device; the inode and its generation; protection and flags */
    take(&at, end, 8);
    take(&at, end, 8);
    take(&at, end, 8);
    if (at >= end || !takers->mapping)
        return;
    end[-1] = 0;
    mapping.name = (char *)(uintptr_t)at;
    takers->mapping(takers->context, &mapping);
}

void xb_sampler_drain(struct xb_sampler *sampler, const struct xb_sampler_takers *takers)
{
    for (int cpu = 0; cpu < sampler->n_cpus; cpu++) {
        struct ring *ring = &sampler->ring[cpu];
        if (!ring->head)
            continue;
        const uint8_t *data = (const uint8_t *)ring->head + sampler->page;
        uint64_t to = __atomic_load_n(&ring->head->data_head, __ATOMIC_ACQUIRE);
        uint64_t from = ring->head->data_tail;
        while (to - from >= sizeof(struct perf_event_header)) {
            struct perf_event_header header;
            uint8_t *record = sampler->record;
            size_t offset = from % ring->bytes, whole = ring->bytes - offset;
            memcpy(&header, data + offset, sizeof header); /* 8 bytes, on a boundary of 8 */
            if (header.size < sizeof header || header.size > to - from)
                break;
            memcpy(record, data + offset, header.size < whole ? header.size : whole);
            if (header.size > whole)
                memcpy(record + whole, data, header.size - whole);
            const uint8_t *body = record + sizeof header;
            if (header.type == PERF_RECORD_SAMPLE)
                take_sample(sampler, body, record + header.size, takers);
            else if (header.type == PERF_RECORD_MMAP2)
                take_mapping(body, record + header.size, takers);
            else if (header.type == PERF_RECORD_SWITCH)
                sampler->counts.switches++;
            else if (header.type == PERF_RECORD_LOST && header.size >= sizeof header + 16)
                sampler->counts.lost += *(const uint64_t *)(const void *)(body + 8);
            from += header.size;
        }
        __atomic_store_n(&ring->head->data_tail, to, __ATOMIC_RELEASE);
    }
}

struct xb_sampler_counts xb_sampler_counts(const struct xb_sampler *sampler)
{
    return sampler->counts;
}
