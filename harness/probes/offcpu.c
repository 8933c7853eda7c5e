/* SPDX-License-Identifier: BSD-3-Clause
 * The probe of what threads do when they are not computing: how much of a phase each of them ran,
 * waited for a CPU, or was blocked and on what, from /proc and without privileges.
 *
 * What is exact and what is sampled. The kernel's accounts (schedstat) say for each thread how long it
 * ran and how long it waited for a CPU; the rest it was blocked. On what, that is looked up at each
 * poll; where the thread has not run since the look before, the answer still holds and nothing is
 * looked up. A thread's looks divide its own blocked time, not the program's. CPU time is divided in
 * user mode and kernel by ticks of the CPU's clock, 250 a second here (proc_pid_stat(5); the kernel
 * scales them to the exact sum, cputime_adjust()).
 *
 * Which threads count. A phase's time is that of all threads that took part in it: those that woke up
 * in it and ran a twentieth as long as the busiest, else those that woke up, else all. So neither a pool
 * that has nothing to do nor a ticker beside a thread that computes makes a program one that waits, and
 * four threads with one lock are three that wait. Waiting for a child is left out, since the child's own
 * time is counted.
 *
 * Waiting for a CPU is computing in as far as the program's own threads held the CPUs meanwhile: it
 * would be faster with more of them. In as far as strangers held them it says nothing about the program,
 * and is left out. */
#include "probe.h"

#include "../base/clock.h"
#include "../base/procfs.h"
#include "../base/rings.h"
#include "../base/thread_times.h"
#include "../stats/kernel_parts.h"
#include "../stats/median.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
    TOTALS_NS = 100000000, /* between looks at whole processes */
    PROCESSES_MAX = 1024,  /* that are looked at, 15 us each */
    LINKS_MAX = 64,        /* open files that are looked at for rings, of all processes */
};

/* A thread took part if it ran this share of what the busiest did. Tickers and idle pools stay below 1
 * to 2 %; of threads that fight for a lock, each gets about as much as any other. */
#define TOOK_PART (1.0 / 20)
/* One that mostly sleeps on a timer has to have run this share: fio's main thread looks after its jobs. */
#define TICKER_TOOK_PART (1.0 / 3)

/* Threads that lived for less than this share of a phase are counted together: of what a process of 30 ms runs,
 * most is over before it is first met. */
#define SHORT_LIFE 0.25

/* Looks after which the shares of what is waited for are known to about 10 %: half of them. */
#define LOOKS_HALF 5.0

/* What was waited for in the phase before counts this much: a client that has kept the CPU busy for a
 * second works for the same server as before. */
#define REMEMBERED 0.5

/* Of n threads each that takes turns with the others waits for n-1 parts of its time; of that, so much. */
#define TURNS_WAIT 0.85
/* Each runs for at least this share of what the busiest does. */
#define TURNS_ALIKE 0.5

/* All of the program fits the second cache, so DRAM does not bound it; a cache still may. */
#define WEIGHT_SMALL 0.1

/* Of all processes of the tree together, with the dead children that they have waited for: what a
 * child has used moves to its parent and is lost to neither. */
struct totals {
    uint64_t user_ticks, kernel_ticks, minor_faults, major_faults, start_ticks_last;
    struct xb_proc_io io;
    bool has_io;
    uint64_t in_rings;          /* operations */
    uint64_t looks, looks_busy; /* since it was opened, and those that met rings at work */
    size_t processes;
    uint64_t rss_bytes, mapped_bytes;
};

struct machine {
    uint64_t busy_ticks;
    bool known;
};

struct offcpu {
    const struct xb_scene *scene;
    struct xb_thread_times *threads;
    struct xb_kernel_costs costs;
    double tick_ns, page_bytes;
    uint64_t begun_ns, totals_ns;
    struct totals before, now;
    double waited[XB_WAITS]; /* of the time of the phases before, the later the more */
    struct machine machine;
};

/* ---- whole processes ---- */

/* What the machine's CPUs that the program may use have been busy, for anyone. */
static struct machine read_machine(const struct offcpu *offcpu)
{
    struct machine machine = { 0 };
    cpu_set_t set;
    FILE *file = fopen("/proc/stat", "re");
    if (!file)
        return machine;
    bool all = sched_getaffinity(offcpu->scene->root, sizeof set, &set) != 0;
    char line[256];
    while (fgets(line, sizeof line, file)) {
        unsigned cpu;
        unsigned long long user, nice, system, idle, wait, irq, soft, steal;
        if (sscanf(line, "cpu%u %llu %llu %llu %llu %llu %llu %llu %llu", &cpu, &user, &nice,
                   &system, &idle, &wait, &irq, &soft, &steal) != 9)
            continue;
        if (!all && cpu < CPU_SETSIZE && !CPU_ISSET(cpu, &set))
            continue;
        machine.busy_ticks += user + nice + system + irq + soft + steal;
        machine.known = true;
    }
    fclose(file);
    return machine;
}

/* Adds up the tree's processes. Keeps what was known if none is left to be read. */
static void read_totals(struct offcpu *offcpu, uint64_t now_ns)
{
    struct totals totals = { 0 };
    struct xb_rings rings = { 0 };
    unsigned links = LINKS_MAX;
    char text[1024];
    offcpu->totals_ns = now_ns;
    for (size_t i = 0; i < offcpu->scene->n_tasks; i++) {
        const struct xb_task *task = &offcpu->scene->tasks[i];
        struct xb_proc_stat stat;
        struct xb_proc_io io;
        if (task->tid != task->pid || totals.processes == PROCESSES_MAX ||
            xb_proc_text(task->pid, 0, "stat", text, sizeof text) <= 0 ||
            !xb_proc_parse_stat(text, &stat))
            continue;
        totals.processes++;
        totals.user_ticks += stat.user_ticks + stat.child_user_ticks;
        totals.kernel_ticks += stat.kernel_ticks + stat.child_kernel_ticks;
        totals.minor_faults += stat.minor_faults + stat.child_minor_faults;
        totals.major_faults += stat.major_faults + stat.child_major_faults;
        totals.rss_bytes += stat.rss_pages * (uint64_t)offcpu->page_bytes;
        totals.mapped_bytes += stat.mapped_bytes;
        xb_rings_look(task->pid, &links, &rings);
        if (xb_proc_text(task->pid, 0, "io", text, sizeof text) > 0 &&
            xb_proc_parse_io(text, &io)) {
            totals.io.bytes += io.bytes;
            totals.io.calls += io.calls;
            totals.io.storage_bytes += io.storage_bytes;
            totals.has_io = true;
        }
    }
    totals.in_rings = rings.busy ? offcpu->now.in_rings : rings.taken;
    totals.looks = offcpu->now.looks + 1;
    totals.looks_busy = offcpu->now.looks_busy + (rings.busy > 0);
    if (totals.processes)
        offcpu->now = totals;
}

/* How much more `now` is; what orphans took with them is not missed. */
static double more(uint64_t now, uint64_t before)
{
    return now > before ? (double)(now - before) : 0;
}

/* What the kernel takes here for a page fault, a call that reads, and a byte: CPU time, so that
 * being interrupted does not count, and the median of rounds. About 2 ms, 10 ms on a slow guest. */
static struct xb_kernel_costs measure_costs(void)
{
    enum { PAGES = 64, CALLS = 64, COPY = 65536, COPIES = 4, ROUNDS = 5 };
    double fault[ROUNDS], call[ROUNDS], zeroed[ROUNDS], copied[ROUNDS];
    size_t page = (size_t)sysconf(_SC_PAGESIZE), n = 0;
    int zero = open("/dev/zero", O_RDONLY | O_CLOEXEC);
    /* A file that is in the page cache for sure, in part; each of its bytes is copied once, as programs do it. */
    int own = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    off_t room = own >= 0 ? lseek(own, 0, SEEK_END) - COPY : -1;
    for (; zero >= 0 && n < ROUNDS; n++) {
        uint64_t at[6];
        at[0] = xb_thread_cpu_ns();
        char *memory = mmap(NULL, PAGES * page, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
        if (memory == MAP_FAILED)
            break;
        for (size_t i = 0; i < PAGES * page; i += page)
            *(volatile char *)(memory + i) = 1;
        at[1] = xb_thread_cpu_ns();
        bool read_all = true;
        for (int k = 0; k < CALLS; k++)
            read_all &= read(zero, memory, 1) == 1;
        at[2] = xb_thread_cpu_ns();
        for (int k = 0; k < COPIES; k++)
            read_all &= read(zero, memory, COPY) == COPY;
        at[3] = xb_thread_cpu_ns();
        bool copied_all = room > 0;
        for (int k = 0; k < COPIES && copied_all; k++)
            copied_all = pread(own, memory, COPY, ((off_t)n * COPIES + k) * COPY % room) == COPY;
        at[4] = xb_thread_cpu_ns();
        munmap(memory, PAGES * page);
        at[5] = xb_thread_cpu_ns();
        if (!read_all)
            break;
        fault[n] = (double)(at[1] - at[0] + at[5] - at[4]) / PAGES;
        call[n] = (double)(at[2] - at[1]) / CALLS;
        zeroed[n] = (double)(at[3] - at[2]) / (COPIES * COPY);
        copied[n] = copied_all ? (double)(at[4] - at[3]) / (COPIES * COPY) : zeroed[n];
    }
    if (zero >= 0)
        close(zero);
    if (own >= 0)
        close(own);
    if (n == 0) /* without /dev/zero: what servers of 2020 take */
        return (
            struct xb_kernel_costs){ .fault = 500, .call = 200, .byte_least = 0.05, .byte = 0.1 };
    return (struct xb_kernel_costs){
        .fault = xb_median(fault, n),
        .call = xb_median(call, n),
        .byte_least = xb_median(zeroed, n),
        .byte = xb_median(copied, n),
    };
}

/* ---- findings ---- */

/* Of the threads that took part, ns. */
struct account {
    double run, delay, wait[XB_WAITS], kernel_share;
    double fsync, fsync_of; /* as looks have it: of so much waiting for a disk */
    /* Of so much waiting for files with a time-out, what lasted until that was over. */
    double expired, expired_of;
    double time;    /* that is divided */
    double all_cpu; /* of all threads, and of those that came and went between polls */
    double own;     /* of waiting for a CPU, the share that is the program's own doing */
    uint64_t looks, wakes;
    double least_run; /* of a thread that took part */
    double most_run;
    size_t took_part, threads;
    size_t short_lived; /* that took part together */
};

static double count_faults(const struct offcpu *offcpu)
{
    return more(offcpu->now.minor_faults, offcpu->before.minor_faults) +
           more(offcpu->now.major_faults, offcpu->before.major_faults);
}

/* CPU time that the kernel took at least: what it was asked to do, times what that costs here. */
static double least_kernel(const struct offcpu *offcpu)
{
    return count_faults(offcpu) * offcpu->costs.fault +
           (more(offcpu->now.io.calls, offcpu->before.io.calls) +
            more(offcpu->now.in_rings, offcpu->before.in_rings)) *
               offcpu->costs.call +
           more(offcpu->now.io.bytes, offcpu->before.io.bytes) * offcpu->costs.byte_least;
}

/* Of what the busiest ran, how much a thread has to have run to take part. */
static double least_of(double timer_ns, double time_ns)
{
    return timer_ns > time_ns / 2 ? TICKER_TOOK_PART : TOOK_PART;
}

static bool ran_enough(const struct xb_thread_time *thread, double busiest)
{
    double least = least_of((double)thread->wait_ns[XB_WAIT_TIMER], (double)thread->time_ns);
    return (double)thread->run_ns >= least * busiest;
}

/* Threads that hardly ran but lived for a moment only, as those of the processes that a shell starts one after
 * the other. With the CPU time of those that nobody met, `unseen`, they take part as one thread would; or in any
 * case, if the busiest of all mostly waits for its children. Only what they
 * wait for outside of the program counts, as one of them that waits for another is idle. */
static void add_short_lived(struct account *account, const struct xb_thread_time *threads, size_t n,
                            double phase_ns, double unseen, const struct xb_thread_time *busiest)
{
    static const enum xb_wait outside[] = { XB_WAIT_DISK, XB_WAIT_NETWORK, XB_WAIT_TIMER };
    enum { OUTSIDE = sizeof outside / sizeof outside[0] };
    double run = 0, delay = 0, wait[OUTSIDE] = { 0 }, time = 0;
    size_t found = 0;
    for (size_t i = 0; i < n; i++) {
        if (threads[i].time_ns == 0 || (double)threads[i].time_ns >= SHORT_LIFE * phase_ns ||
            ran_enough(&threads[i], (double)busiest->run_ns))
            continue;
        found++;
        run += (double)threads[i].run_ns;
        delay += (double)threads[i].delay_ns;
        time += (double)threads[i].time_ns;
        for (int k = 0; k < OUTSIDE; k++)
            wait[k] += (double)threads[i].wait_ns[outside[k]];
    }
    bool awaited = busiest->wait_ns[XB_WAIT_CHILD] > busiest->time_ns / 2;
    double least = least_of(wait[OUTSIDE - 1], time) * (double)busiest->run_ns;
    if (found < 2 || (!awaited && run + unseen < least))
        return;
    account->short_lived = found;
    account->run += run;
    account->delay += delay;
    for (int k = 0; k < OUTSIDE; k++)
        account->wait[outside[k]] += wait[k];
}

static struct account add_up(const struct offcpu *offcpu, uint64_t now_ns)
{
    struct account account = { .own = 1, .least_run = INFINITY };
    size_t n;
    const struct xb_thread_time *threads = xb_thread_times_end(offcpu->threads, now_ns, &n);
    size_t most = 0;
    bool any_woke = false;
    double run = 0;
    for (size_t i = 0; i < n; i++) {
        const struct xb_thread_time *thread = &threads[i];
        account.fsync += (double)thread->fsync_ns;
        account.fsync_of += (double)thread->disk_ns;
        if (thread->run_ns > threads[most].run_ns)
            most = i;
        any_woke |= thread->wakes > 0 || thread->run_ns > 0;
        run += (double)thread->run_ns;
        account.threads += thread->time_ns > 0;
        account.looks += thread->looks;
    }
    /* Threads and processes that lived between two polls, or whose turn did not come, are only in the sum
     * of their process. They ran, so whoever did not wake is idle. */
    double user = more(offcpu->now.user_ticks, offcpu->before.user_ticks) * offcpu->tick_ns;
    double kernel = more(offcpu->now.kernel_ticks, offcpu->before.kernel_ticks) * offcpu->tick_ns;
    double unseen = user + kernel - run;
    if (unseen < 2 * offcpu->tick_ns * (double)(offcpu->now.processes + 1))
        unseen = 0;
    any_woke |= unseen > 0;
    double busiest = n ? (double)threads[most].run_ns : 0;
    for (size_t i = 0; i < n; i++) {
        const struct xb_thread_time *thread = &threads[i];
        bool woke = thread->wakes > 0 || thread->run_ns > 0;
        if (thread->time_ns == 0 || (any_woke && !woke) || !ran_enough(thread, busiest))
            continue;
        account.took_part++;
        account.least_run = fmin(account.least_run, (double)thread->run_ns);
        account.most_run = busiest;
        account.run += (double)thread->run_ns;
        account.delay += (double)thread->delay_ns;
        for (int w = 0; w < XB_WAITS; w++)
            account.wait[w] += (double)thread->wait_ns[w];
        account.wakes += thread->wakes;
        if (thread->expired.verdict != XB_EXPIRY_UNKNOWN) {
            account.expired += thread->expired.share * (double)thread->timed_ns_all;
            account.expired_of += (double)thread->timed_ns_all;
        }
    }

    if (n)
        add_short_lived(&account, threads, n, (double)(now_ns - offcpu->begun_ns), unseen,
                        &threads[most]);
    account.run += unseen;
    run += unseen;
    account.all_cpu = run;
    /* Waits too short to be met by a look, but the device moved a sector or more for each. */
    double storage = more(offcpu->now.io.storage_bytes, offcpu->before.io.storage_bytes);
    if (account.wait[XB_WAIT_UNKNOWN] > 0 && storage >= XB_SECTOR_BYTES * (double)account.wakes &&
        storage > 0) {
        account.wait[XB_WAIT_DISK] += account.wait[XB_WAIT_UNKNOWN];
        account.wait[XB_WAIT_UNKNOWN] = 0;
    }
    /* What no poll is for in an io_uring is a device's or a time-out. A device moves bytes; who wakes up and has
     * had none was woken by the clock. */
    bool moves =
        !offcpu->now.has_io || (storage > 0 && storage >= XB_SECTOR_BYTES * (double)account.wakes);
    account.wait[moves ? XB_WAIT_DISK : XB_WAIT_TIMER] += account.wait[XB_WAIT_RING];
    account.wait[XB_WAIT_RING] = 0;
    /* Ticks are not all: some guests have what entering the kernel costs counted as user mode. */
    account.kernel_share = user + kernel > 0 ? kernel / (user + kernel) : 0;
    if (run > 0)
        account.kernel_share = fmax(account.kernel_share, fmin(1, least_kernel(offcpu) / run));
    struct machine machine = read_machine(offcpu);
    if (machine.known && offcpu->machine.known) {
        double busy = more(machine.busy_ticks, offcpu->machine.busy_ticks) * offcpu->tick_ns;
        account.own = busy > run ? run / busy : 1;
    }

    double children =
        account.wait[XB_WAIT_CHILD] + account.wait[XB_WAIT_STOPPED] + account.wait[XB_WAIT_MEETING];
    account.time = account.run + account.own * account.delay - children;
    for (int w = 0; w < XB_WAITS; w++)
        account.time += account.wait[w];
    if (account.time > 0)
        account.wait[XB_WAIT_CHILD] = account.wait[XB_WAIT_STOPPED] =
            account.wait[XB_WAIT_MEETING] = 0;
    else
        account.time = children;
    return account;
}

/* Whether they have a lock that lets one of them run at a time: then each waits for it while one of the others
 * runs. Of two that is half of their time, which would not prevail, and of three it would; but two get no more done
 * than one alone either. */
static bool take_turns(const struct account *account)
{
    double n = (double)account->took_part;
    return account->took_part > 1 && account->least_run >= TURNS_ALIKE * account->most_run &&
           account->wait[XB_WAIT_LOCK] >= TURNS_WAIT * (n - 1) / n * account->time;
}

static void divide_time(const struct account *account, struct xb_findings *out)
{
    double cpu = account->run + account->own * account->delay;
    xb_add_part(out,
                (struct xb_part){ .of = XB_WHOLE_TIME,
                                  .is = XB_WHOLE_USER,
                                  .share = cpu * (1 - account->kernel_share) / account->time });
    xb_add_part(out, (struct xb_part){ .of = XB_WHOLE_TIME,
                                       .is = XB_WHOLE_KERNEL,
                                       .share = cpu * account->kernel_share / account->time });
    for (int w = 0; w < XB_WAITS; w++)
        if (account->wait[w] > 0)
            xb_add_part(out, xb_part_of_wait(XB_WHOLE_TIME, w, account->wait[w] / account->time));
    out->weight[XB_WHOLE_TIME] = (double)account->looks / ((double)account->looks + LOOKS_HALF);
}

/* What the program waits for when it does, as shares of its time: now, and in the phases before. */
static double remember_waits(struct offcpu *offcpu, const struct account *account)
{
    double sum = 0;
    for (int w = XB_WAIT_DISK; w <= XB_WAIT_KERNEL; w++) {
        offcpu->waited[w] =
            REMEMBERED * offcpu->waited[w] + (1 - REMEMBERED) * account->wait[w] / account->time;
        sum += offcpu->waited[w];
    }
    return sum;
}

static void divide_kernel(struct offcpu *offcpu, const struct account *account, uint64_t now_ns,
                          struct xb_findings *out)
{
    const struct totals *now = &offcpu->now, *before = &offcpu->before;
    double waits = remember_waits(offcpu, account), looks = more(now->looks, before->looks);
    struct xb_kernel_work work = {
        .ns = account->all_cpu * account->kernel_share,
        .faults = count_faults(offcpu),
        .has_io = now->has_io,
        .calls = more(now->io.calls, before->io.calls),
        .bytes = more(now->io.bytes, before->io.bytes),
        .storage_bytes = more(now->io.storage_bytes, before->io.storage_bytes),
        .in_rings = more(now->in_rings, before->in_rings),
        .rings_ns = looks > 0 ? more(now->looks_busy, before->looks_busy) / looks *
                                    (double)(now_ns - offcpu->begun_ns)
                              : 0,
        .wakes = (double)account->wakes,
        .waits = waits,
        .waited = offcpu->waited,
    };
    xb_kernel_divide(&work, &offcpu->costs, out);
}

static void say(const struct offcpu *offcpu, const struct account *account, uint64_t now_ns,
                struct xb_findings *out)
{
    double wall = (double)(now_ns - offcpu->begun_ns), cpu = account->run;
    size_t took_part = account->took_part + account->short_lived;
    xb_add_clue(out, "threads_taking_part", (double)took_part,
                "%zu of %zu threads took part in the phase", took_part, account->threads);
    xb_add_clue(out, "cpus_used", account->all_cpu / wall,
                "%.2f CPUs used, %.0f %% of it in the kernel", account->all_cpu / wall,
                100 * account->kernel_share);
    double all = cpu + account->delay;
    for (int w = 0; w < XB_WAITS; w++)
        all += account->wait[w];
    if (all <= 0)
        return;
    xb_add_clue(
        out, "runnable_share", account->delay / all,
        "%.1f %% of their time its threads waited for a CPU, %.0f %% of that behind each other",
        100 * account->delay / all, 100 * account->own);
    double kept = cpu > 0 ? (1 - account->own) * account->delay / cpu : 0;
    if (kept >= 0.01)
        xb_add_clue(out, "runnable_behind_others_per_run", kept,
                    "for each second that its threads ran, others kept a CPU from them for %.2f s",
                    kept);
    for (int w = 0; w < XB_WAITS; w++) {
        static const char *const names[XB_WAITS] = {
            "unknown_wait_share", "disk_share",    "network_share",     "pipe_share",
            "lock_share",         "timer_share",   "kernel_lock_share", "signal_share",
            "child_share",        "stopped_share", "meeting_share",     "ring_share",
        };
        if (account->wait[w] >= 0.01 * all)
            xb_add_clue(out, names[w], account->wait[w] / all,
                        "%.1f %% of their time its threads were blocked on %s",
                        100 * account->wait[w] / all, xb_wait_name(w));
    }
    if (account->expired_of > 0)
        xb_add_clue(out, "expired_share_of_timeouts", account->expired / account->expired_of,
                    "of its waits for files with a time-out, %.0f %% of the time is in those that "
                    "ran until it was over",
                    100 * account->expired / account->expired_of);
    if (account->fsync > 0 && account->fsync_of > 0)
        xb_add_clue(out, "fsync_share_of_disk", fmin(1, account->fsync / account->fsync_of),
                    "%.0f %% of waiting for the disk was for it to make durable what was written",
                    100 * fmin(1, account->fsync / account->fsync_of));
    double storage = more(offcpu->now.io.storage_bytes, offcpu->before.io.storage_bytes);
    if (storage > 0)
        xb_add_clue(out, "storage_bytes_per_s", storage / wall * 1e9,
                    "%.1f MB/s from and to block devices", storage / wall * 1e3);
    xb_add_clue(out, "wakes_per_s", (double)account->wakes / wall * 1e9,
                "threads got a CPU %.0f times a second", (double)account->wakes / wall * 1e9);
    xb_add_clue(out, "rss_bytes", (double)offcpu->now.rss_bytes,
                "%.1f MiB resident, %.1f MiB mapped", (double)offcpu->now.rss_bytes / 1048576,
                (double)offcpu->now.mapped_bytes / 1048576);
}

/* Only what is certain: a program that fits a cache with all it has does not wait for DRAM. */
static void divide_user(const struct offcpu *offcpu, struct xb_findings *out)
{
    const struct xb_capacity *capacity = offcpu->scene->capacity;
    double rss = (double)offcpu->now.rss_bytes;
    if (!capacity || rss <= 0 || !(rss <= capacity->bytes[XB_LEVEL_L2]))
        return;
    xb_add_part(out, (struct xb_part){ .of = XB_WHOLE_USER,
                                       .bound = XB_BOUND_CPU,
                                       .level = rss <= capacity->bytes[XB_LEVEL_L1] ? XB_LEVEL_L1
                                                                                    : XB_LEVEL_NONE,
                                       .share = 1 });
    out->weight[XB_WHOLE_USER] = WEIGHT_SMALL;
}

/* ---- the probe ---- */

static int probe(struct xb_reason *why)
{
    char text[1024];
    ssize_t length = xb_proc_text(getpid(), getpid(), "stat", text, sizeof text);
    if (length <= 0)
        return xb_because(why, length < 0 ? (int)length : -EIO,
                          "/proc/PID/task/TID/stat cannot be read: mount /proc");
    return 0;
}

static void close_probe(void *self)
{
    struct offcpu *offcpu = self;
    if (!offcpu)
        return;
    xb_thread_times_close(offcpu->threads);
    free(offcpu);
}

static int open_probe(const struct xb_scene *scene, void **out, struct xb_reason *why)
{
    char text[256];
    struct offcpu *offcpu = calloc(1, sizeof *offcpu);
    if (!offcpu || xb_thread_times_open(scene->root, scene->meeting, &offcpu->threads) != 0) {
        close_probe(offcpu);
        return xb_because(why, -ENOMEM, "no memory for a table of threads");
    }
    ssize_t length = xb_proc_text(scene->root, 0, "stat", text, sizeof text);
    if (length <= 0) {
        close_probe(offcpu);
        return xb_because(why, length < 0 ? (int)length : -ESRCH,
                          "/proc/%d/stat cannot be read: the process is gone, or hidden (hidepid)",
                          (int)scene->root);
    }
    offcpu->scene = scene;
    offcpu->tick_ns = 1e9 / (double)sysconf(_SC_CLK_TCK);
    offcpu->page_bytes = (double)sysconf(_SC_PAGESIZE);
    offcpu->costs = measure_costs();
    *out = offcpu;
    return 0;
}

static int poll_threads(void *self, uint64_t now_ns)
{
    struct offcpu *offcpu = self;
    xb_thread_times_poll(offcpu->threads, offcpu->scene->tasks, offcpu->scene->n_tasks);
    if (now_ns - offcpu->totals_ns > TOTALS_NS)
        read_totals(offcpu, now_ns);
    return 0;
}

static int begin(void *self, uint64_t now_ns)
{
    struct offcpu *offcpu = self;
    offcpu->begun_ns = now_ns;
    xb_thread_times_begin(offcpu->threads, offcpu->scene->tasks, offcpu->scene->n_tasks, now_ns);
    read_totals(offcpu, now_ns);
    offcpu->before = offcpu->now;
    offcpu->machine = read_machine(offcpu);
    return 0;
}

static int end(void *self, uint64_t now_ns, struct xb_findings *out, struct xb_reason *why)
{
    struct offcpu *offcpu = self;
    (void)why;
    poll_threads(self, now_ns);
    read_totals(offcpu, now_ns);
    struct account account = add_up(offcpu, now_ns);
    if (account.time > 0) {
        divide_time(&account, out);
        out->turns = take_turns(&account);
        divide_kernel(offcpu, &account, now_ns, out);
        divide_user(offcpu, out);
        say(offcpu, &account, now_ns, out);
    }
    out->samples = account.looks;
    out->overhead = NAN; /* nothing but the CPU time of these calls */
    return 0;
}

const struct xb_probe xb_probe_offcpu = {
    .name = "offcpu",
    .summary = "what threads wait for when they do not run, from /proc",
    .from_outside = true,
    .probe = probe,
    .open = open_probe,
    .begin = begin,
    .poll = poll_threads,
    .end = end,
    .close = close_probe,
};
