/* SPDX-License-Identifier: BSD-3-Clause
 * Follows a program's threads: their accounts (schedstat) at each poll, and what they wait for where
 * they are found blocked. */
#include "thread_times.h"

#include "asleep.h"
#include "clock.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum {
    THREADS_MAX = 4096, /* that are remembered; the CPU time of more is seen as their process's */
    FILES_MAX = 512,  /* held open at once, five for a thread: opening one costs four reads of it */
    SCAN_NS = 200000, /* of CPU time that a poll may take, 2 %: whom it does not come to is next */
    VISITS_MAX = 512, /* in a poll */
    GLIMPSES_MAX = 8, /* of threads at the same time, as nearly as can be */
    GLIMPSE_TEXT = 256,
    COOL = 16, /* looks of the same wait after which a thread is looked at with the idle ones */
    STALE_NS =
        10000000, /* a running thread's time is brought up to date at ticks: 10 ms at HZ=100 */
    LATE_NS =
        20000000, /* blocked time below this, of a thread never seen blocked, is a late account */
};

/* Waits that last this much of what their time-outs allow, on average, end by those: at most half of them
 * can then have been cut to half by a file that got ready. */
#define EXPIRE 0.75

/* What the phase before counts, where it takes several to tell. */
#define REMEMBERED 0.5

enum { STAT, SCHED, CALL, CHANNEL, LAST_RAN };

enum { SLOTS = 2 * THREADS_MAX };

struct xb_thread_times {
    struct xb_thread_time *thread;
    size_t n_threads;
    int *slot; /* of a hash table by tid: index + 1 */
    size_t n_files, files_max;
    bool exact;                /* schedstat is there */
    size_t cursor, hot_cursor; /* in the program's threads, in the table */
    double tick_ns;
    uint64_t begun_ns, polls, polled_ns; /* the last: when the poll before began */
    const void *meeting;                 /* or NULL */
    struct xb_asleep asleep;
};

static size_t slot_of(const struct xb_thread_times *times, pid_t tid)
{
    size_t slot = (size_t)tid * 2654435761u % SLOTS;
    while (times->slot[slot] && times->thread[times->slot[slot] - 1].task.tid != tid)
        slot = (slot + 1) % SLOTS;
    return slot;
}

static void close_files(struct xb_thread_times *times, struct xb_thread_time *thread)
{
    for (int i = 0; i < XB_THREAD_FILES; i++)
        if (thread->file[i] >= 0) {
            close(thread->file[i]);
            thread->file[i] = -1;
            times->n_files--;
        }
}

/* The thread's entry, made if need be; NULL when there are too many. `fresh`: it was not there. */
static struct xb_thread_time *find_thread(struct xb_thread_times *times, const struct xb_task *task,
                                          bool *fresh)
{
    size_t slot = slot_of(times, task->tid);
    *fresh = !times->slot[slot];
    if (!*fresh)
        return &times->thread[times->slot[slot] - 1];
    if (times->n_threads == THREADS_MAX)
        return NULL;
    struct xb_thread_time *thread = &times->thread[times->n_threads++];
    times->slot[slot] = (int)times->n_threads;
    *thread = (struct xb_thread_time){ .task = *task };
    for (int i = 0; i < XB_THREAD_FILES; i++)
        thread->file[i] = -1;
    return thread;
}

/* Forgets threads that are gone, and what is left was done in this phase. */
static void begin_threads(struct xb_thread_times *times)
{
    size_t n = 0;
    for (size_t i = 0; i < times->n_threads; i++) {
        struct xb_thread_time *thread = &times->thread[i];
        if (thread->state == XB_THREAD_GONE)
            continue;
        thread->time_ns = thread->run_ns = thread->delay_ns = 0;
        memset(thread->wait_ns, 0, sizeof thread->wait_ns);
        thread->disk_ns = 0;
        memset(thread->timed_ns, 0, sizeof thread->timed_ns);
        thread->fsync_ns = 0;
        thread->timeouts *= REMEMBERED;
        thread->timed_waits *= REMEMBERED;
        xb_expiry_forget(&thread->expiry, REMEMBERED);
        thread->wakes = thread->looks = thread->running_looks = thread->disk_looks = 0;
        times->thread[n++] = *thread;
    }
    times->n_threads = n;
    memset(times->slot, 0, SLOTS * sizeof *times->slot);
    for (size_t i = 0; i < n; i++)
        times->slot[slot_of(times, times->thread[i].task.tid)] = (int)i + 1;
}

/* Whether one more file may stay open: half of them are for threads that run now and then. */
static bool may_keep(const struct xb_thread_times *times, const struct xb_thread_time *thread)
{
    return times->n_files + 2 <= times->files_max / (thread->cool >= COOL ? 2 : 1);
}

/* Reads one of the thread's files. Returns its length or -errno. */
static ssize_t read_file(struct xb_thread_times *times, struct xb_thread_time *thread, int which,
                         char *text, size_t room)
{
    static const char *const names[XB_THREAD_FILES] = { "stat", "schedstat", "syscall", "wchan",
                                                        "sched" };
    if (thread->file[which] >= 0)
        return xb_proc_read(thread->file[which], text, room);
    int file = xb_proc_open(thread->task.pid, thread->task.tid, names[which]);
    if (file < 0)
        return file;
    ssize_t length = xb_proc_read(file, text, room);
    if (may_keep(times, thread)) {
        thread->file[which] = file;
        times->n_files++;
    } else {
        close(file);
    }
    return length;
}

/* The thread's accounts as they are now; by ticks where there are none. */
static int read_accounts(struct xb_thread_times *times, struct xb_thread_time *thread,
                         struct xb_proc_sched *out)
{
    char text[1024];
    if (times->exact) {
        ssize_t length = read_file(times, thread, SCHED, text, sizeof text);
        if (length <= 0)
            return length < 0 ? (int)length : -ESRCH;
        return xb_proc_parse_sched(text, out) ? 0 : -EIO;
    }
    struct xb_proc_stat stat;
    ssize_t length = read_file(times, thread, STAT, text, sizeof text);
    if (length <= 0)
        return length < 0 ? (int)length : -ESRCH;
    if (!xb_proc_parse_stat(text, &stat))
        return -EIO;
    *out = (struct xb_proc_sched){
        .run_ns = (uint64_t)((double)(stat.user_ticks + stat.kernel_ticks) * times->tick_ns)
    };
    return 0;
}

/* Looks at what the thread is doing: sets its state. `glimpse`: what it was in a moment ago, or NULL. */
static void look(struct xb_thread_times *times, struct xb_thread_time *thread, const char *glimpse)
{
    char text[1024];
    struct xb_proc_stat stat;
    thread->state = XB_THREAD_RUNNING;
    if (read_file(times, thread, STAT, text, sizeof text) <= 0 ||
        !xb_proc_parse_stat(text, &stat) || stat.state == 'Z' || stat.state == 'X') {
        thread->state = XB_THREAD_GONE;
        return;
    }
    if (stat.state == 'R' && !glimpse)
        return;
    thread->cpu = stat.cpu;
    /* The two files that take a look into the thread are opened for the look, or stay open. */
    struct xb_blocked_files files = { thread->file[CALL], thread->file[CHANNEL], glimpse };
    bool keep = may_keep(times, thread);
    if (files.syscall < 0)
        files.syscall = xb_proc_open(thread->task.pid, thread->task.tid, "syscall");
    if (files.wchan < 0)
        files.wchan = xb_proc_open(thread->task.pid, thread->task.tid, "wchan");
    if (xb_blocked_look(thread->task.pid, stat.state, &files, &thread->blocked))
        thread->state = XB_THREAD_BLOCKED;
    if (times->meeting && xb_blocked_at_futex(&thread->blocked, times->meeting))
        thread->blocked.wait = XB_WAIT_MEETING;
    if (keep) {
        times->n_files += (thread->file[CALL] < 0 && files.syscall >= 0) +
                          (thread->file[CHANNEL] < 0 && files.wchan >= 0);
        thread->file[CALL] = files.syscall >= 0 ? files.syscall : -1;
        thread->file[CHANNEL] = files.wchan >= 0 ? files.wchan : -1;
    } else {
        if (thread->file[CALL] < 0 && files.syscall >= 0)
            close(files.syscall);
        if (thread->file[CHANNEL] < 0 && files.wchan >= 0)
            close(files.wchan);
    }
}

/* Reads which call it is in, if the file is open. */
static const char *glimpse_at(const struct xb_thread_time *thread, char text[static GLIMPSE_TEXT])
{
    bool read = thread->file[CALL] >= 0 && xb_proc_read(thread->file[CALL], text, GLIMPSE_TEXT) > 0;
    return read ? text : NULL;
}

/* Notes for how long it has been in a wait for files with a time-out. Its accounts as they were `before` what it is
 * in was looked up say that it is still the same wait; a `glimpse` was taken before that, and is taken again. */
static void note_age(struct xb_thread_times *times, struct xb_thread_time *thread,
                     const struct xb_proc_sched *before, const char *glimpse)
{
    char text[GLIMPSE_TEXT];
    struct xb_proc_sched after;
    uint64_t age_ns;
    if (thread->state != XB_THREAD_BLOCKED || thread->blocked.wait == XB_WAIT_TIMER ||
        thread->blocked.timeout_ns < XB_EXPIRY_LEAST_NS ||
        !xb_asleep_ready(&times->asleep, thread->cpu) ||
        read_file(times, thread, LAST_RAN, text, sizeof text) <= 0 ||
        !xb_asleep_for(&times->asleep, thread->cpu, text, &age_ns))
        return;
    if (glimpse && (!glimpse_at(thread, text) || strcmp(text, glimpse) != 0))
        return;
    if (read_accounts(times, thread, &after) != 0 || !xb_proc_same_wait(before, &after))
        return;
    bool again = thread->expiry.waits > 0 && thread->aged_runs == after.runs;
    if (xb_expiry_add(&thread->expiry, age_ns, thread->blocked.timeout_ns, again))
        thread->aged_runs = after.runs;
    else
        xb_asleep_doubt(&times->asleep, thread->cpu);
}

/* Whether it was found to wait for a disk itself. */
static bool is_on_disk(const struct xb_thread_time *thread)
{
    enum xb_wait wait = thread->blocked.wait;
    return thread->state == XB_THREAD_BLOCKED && (wait == XB_WAIT_DISK || wait == XB_WAIT_RING);
}

/* Notes that it was blocked for so long. */
static void note(struct xb_thread_time *thread, enum xb_wait wait, int64_t blocked_ns)
{
    thread->wait_ns[wait] += blocked_ns;
    uint64_t timeout_ns = wait != XB_WAIT_TIMER ? thread->blocked.timeout_ns : 0;
    if (timeout_ns) {
        thread->timed_ns[wait] += blocked_ns;
        thread->timeouts += (double)blocked_ns / (double)timeout_ns;
    }
}

/* Brings the thread's account up to now. What it was blocked is left in `blocked_ns`, to be divided
 * once all threads of this poll have been looked at. */
static void visit(struct xb_thread_times *times, struct xb_thread_time *thread, bool fresh,
                  const char *glimpse)
{
    uint64_t now_ns = xb_now_ns();
    struct xb_proc_sched now;
    thread->blocked_ns = 0;
    thread->poll = times->polls;
    if (read_accounts(times, thread, &now) != 0) {
        if (thread->state == XB_THREAD_BLOCKED) { /* for half of the time since then, on average */
            int64_t half_ns = (int64_t)(now_ns - thread->visited_ns) / 2;
            thread->time_ns += half_ns;
            note(thread, thread->blocked.wait, half_ns);
        }
        thread->state = XB_THREAD_GONE;
        close_files(times, thread);
        return;
    }
    bool still = !fresh && xb_proc_same_wait(&thread->last, &now);
    /* Blocked, and not run since: it is the same wait. Without accounts in ns that cannot be told. What a
     * new one does is looked up when it has been there for a while. */
    if (fresh) {
        thread->state = XB_THREAD_RUNNING;
        thread->cool = COOL; /* of a thousand, those that run come forward at their next visit */
    } else if (still && !thread->known) {
        thread->known =
            true; /* looking costs five times as much as this visit: not in the first turn */
    } else if (!(still && thread->state == XB_THREAD_BLOCKED && times->exact)) {
        look(times, thread, glimpse);
    }
    if (!fresh && times->exact)
        note_age(times, thread, &now, still ? NULL : glimpse);
    if (still && thread->state == XB_THREAD_BLOCKED)
        thread->cool++;
    else if (!still && !fresh)
        thread->cool = 0;

    /* Waiting for a CPU enters the account when it gets one. */
    if (!still || thread->state != XB_THREAD_RUNNING)
        thread->still_ns = now_ns;
    else if (now_ns - thread->still_ns > STALE_NS)
        now.delay_ns += now_ns - thread->still_ns;

    if (!fresh) {
        int64_t time = (int64_t)(now_ns - thread->visited_ns);
        int64_t run = (int64_t)(now.run_ns - thread->last.run_ns);
        int64_t delay = (int64_t)(now.delay_ns - thread->last.delay_ns);
        thread->time_ns += time;
        thread->run_ns += run;
        thread->delay_ns += delay;
        thread->wakes += now.runs - thread->last.runs;
        thread->looks++;
        thread->running_looks += thread->state == XB_THREAD_RUNNING;
        thread->disk_looks += is_on_disk(thread);
        if (thread->state == XB_THREAD_BLOCKED)
            thread->blocked_ns = time - run - delay;
    }
    thread->last = now;
    thread->visited_ns = now_ns;
    if (thread->state == XB_THREAD_GONE)
        close_files(times, thread);
}

static bool is_newborn(struct xb_thread_times *times, struct xb_thread_time *thread,
                       uint64_t since_ns)
{
    char text[1024];
    struct xb_proc_stat stat;
    struct timespec now;
    /* A file that stays open, as the look reads it again that follows. */
    if (read_file(times, thread, STAT, text, sizeof text) <= 0 ||
        !xb_proc_parse_stat(text, &stat) || clock_gettime(CLOCK_BOOTTIME, &now) != 0)
        return false;
    double age_ns =
        (double)now.tv_sec * 1e9 + (double)now.tv_nsec - (double)stat.start_ticks * times->tick_ns;
    return age_ns < (double)since_ns + times->tick_ns;
}

/* After the first visit to a thread: if it was not there at the poll before, that lasted `since_ns` until now, all
 * of its accounts are of this phase, and it has lived, on average, for half of that. Of processes that live for 30 ms
 * it may be the only visit. */
static void meet_newborn(struct xb_thread_times *times, struct xb_thread_time *thread,
                         uint64_t since_ns)
{
    if (thread->state == XB_THREAD_GONE || !times->exact || !is_newborn(times, thread, since_ns))
        return;
    look(times, thread, NULL);
    thread->known = true;
    thread->cool = 0; /* visited next, while it lives or just after */
    thread->run_ns = (int64_t)thread->last.run_ns;
    thread->delay_ns = (int64_t)thread->last.delay_ns;
    thread->time_ns = thread->run_ns + thread->delay_ns;
    thread->wakes = thread->last.runs;
    thread->looks = 1;
    thread->running_looks = thread->state == XB_THREAD_RUNNING;
    thread->disk_looks = is_on_disk(thread);
    if (thread->state == XB_THREAD_BLOCKED && thread->time_ns < (int64_t)since_ns / 2) {
        thread->blocked_ns = (int64_t)since_ns / 2 - thread->time_ns;
        thread->time_ns += thread->blocked_ns;
    }
}

/* What a process's threads wait for that wait for others in it. */
struct behind {
    enum xb_wait wait;   /* XB_WAIT_UNKNOWN: for nothing but those */
    bool nobody_runs;    /* all of them wait for that */
    double of_handovers; /* else of those that are to be handed something, this share */
};

/* Whoever waits for a lock in a process in which nobody runs, and somebody waits for I/O, waits for that I/O: for
 * requests handed to helper threads (POSIX AIO, libuv's pool), for jobs that an acceptor has not got yet. Whoever sleeps
 * on a timer while somebody waits for the disk looks from time to time whether that is done.
 *
 * Where somebody runs as well, who is to be handed something waits for either. A thread for which the disk works is as
 * busy with somebody's request as one that runs, and one that waits for a socket may have nothing to do: so those are
 * alike, each as likely to be who hands it over, and this one is not counted. Of libuv's pool the loop, and threads that have no
 * work, wait for the disk in as far as requests are there and not on their way. And who runs in a program that the disk
 * works for is on the way to it or back, in as far as its threads have been found there in this phase: of 180 us that
 * libuv took for an fsync() here 141 were in that call, and looks found somebody running in half of them. Whoever
 * waits for a mutex waits for its holder, who runs if anybody does. */
static struct behind wait_behind(const struct xb_thread_times *times, pid_t pid)
{
    struct behind behind = { .nobody_runs = true };
    size_t running = 0, on_disk = 0;
    uint64_t running_looks = 0, disk_looks = 0;
    for (size_t i = 0; i < times->n_threads; i++) {
        const struct xb_thread_time *other = &times->thread[i];
        if (other->task.pid != pid || other->state == XB_THREAD_GONE)
            continue;
        enum xb_wait wait = other->blocked.wait;
        bool runs = other->state == XB_THREAD_RUNNING;
        bool disk = is_on_disk(other);
        running_looks += other->running_looks;
        disk_looks += other->disk_looks;
        running += runs;
        on_disk += disk;
        if (disk || (!runs && behind.wait == XB_WAIT_UNKNOWN &&
                     (wait == XB_WAIT_NETWORK || wait == XB_WAIT_PIPE)))
            behind.wait = wait;
    }
    behind.nobody_runs = running == 0;
    if (disk_looks && on_disk + running) {
        double lately = (double)disk_looks / (double)(disk_looks + running_looks);
        behind.of_handovers =
            ((double)on_disk + lately * (double)running) / (double)(on_disk + running);
        behind.wait = on_disk ? behind.wait : XB_WAIT_DISK;
    }
    return behind;
}

/* Whether it waits for what it wrote, not for what it reads: a disk may take those one at a time. */
static bool makes_durable(const struct xb_blocked *blocked)
{
    static const char *const calls[] = { "fsync",  "fdatasync", "sync",
                                         "syncfs", "msync",     "sync_file_range" };
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
        if (strcmp(blocked->name, calls[i]) == 0)
            return true;
    return false;
}

/* Divides what the visited threads were blocked, now that all of them have been looked at. Threads of a
 * process follow each other as a rule, and all in it wait behind the same. */
static void note_waits(struct xb_thread_times *times, struct xb_thread_time *const *visited,
                       size_t n)
{
    pid_t asked = 0;
    struct behind behind = { 0 };
    for (size_t i = 0; i < n; i++) {
        struct xb_thread_time *thread = visited[i];
        if (thread->state != XB_THREAD_BLOCKED || thread->blocked_ns == 0)
            continue;
        enum xb_wait wait = thread->blocked.wait;
        if (wait == XB_WAIT_LOCK || wait == XB_WAIT_KERNEL || wait == XB_WAIT_TIMER) {
            if (thread->task.pid != asked)
                behind = wait_behind(times, thread->task.pid);
            asked = thread->task.pid;
            bool disk = behind.wait == XB_WAIT_DISK;
            if (behind.nobody_runs && (disk || (behind.wait && wait != XB_WAIT_TIMER))) {
                wait = behind.wait;
            } else if (wait == XB_WAIT_LOCK && !xb_blocked_on_mutex(&thread->blocked)) {
                int64_t part_ns = (int64_t)(behind.of_handovers * (double)thread->blocked_ns);
                if (part_ns)
                    note(thread, behind.wait, part_ns);
                thread->blocked_ns -= part_ns;
            }
        }
        note(thread, wait, thread->blocked_ns);
        if (wait == XB_WAIT_DISK && makes_durable(&thread->blocked))
            thread->fsync_ns += thread->blocked_ns;
    }
}

/* By counts: how long each wait took is not seen, but how long they all took, for how long each was allowed to,
 * and how many they were. Returns the share of the time with time-outs that is a timer's: all or nothing. Untold
 * apart are waits with a time-out and those without that are as many. */
static double expired_by_counts(struct xb_thread_time *thread, int64_t timed, int64_t seen)
{
    char text[4096];
    bool had_waits = thread->has_waits;
    uint64_t before = thread->waits;
    thread->has_waits =
        timed > 0 &&
        xb_proc_text(thread->task.pid, thread->task.tid, "status", text, sizeof text) > 0 &&
        xb_proc_parse_waits(text, &thread->waits);
    if (timed <= 0 || seen <= 0)
        return 0;
    /* In the first such phase how often it got a CPU has to do, which is more where CPUs are fought for. */
    uint64_t waits = had_waits && thread->has_waits ? thread->waits - before : thread->wakes;
    thread->timed_waits += (double)waits * fmin(1, (double)timed / (double)seen);
    return thread->timed_waits > 0 && thread->timeouts >= EXPIRE * thread->timed_waits;
}

/* Whoever waits for files with a time-out, and stays until that is over, waits for a timer, whatever the
 * files are: event loops wait for both in one call. That is told by how old the waits are at looks, or
 * by counts where those are few. */
static void find_timers(struct xb_thread_time *thread)
{
    int64_t timed = 0, seen = 0;
    for (int w = 0; w < XB_WAITS; w++) {
        timed += thread->timed_ns[w];
        seen += thread->wait_ns[w];
    }
    double share = expired_by_counts(thread, timed, seen);
    thread->expired = xb_expiry_judge(&thread->expiry);
    thread->timed_ns_all = timed;
    if (thread->expired.verdict != XB_EXPIRY_UNKNOWN)
        share = thread->expired.share;
    for (int w = 0; w < XB_WAITS; w++) {
        int64_t expired_ns = (int64_t)(share * (double)thread->timed_ns[w]);
        thread->wait_ns[w] -= expired_ns;
        thread->wait_ns[XB_WAIT_TIMER] += expired_ns;
    }
}

/* The blocked time of one thread, by what it waited for: what it has to have been blocked, divided
 * as the looks have it. */
static void divide_waits(const struct xb_thread_times *times, struct xb_thread_time *thread,
                         uint64_t now_ns)
{
    int64_t seen = 0, phase_ns = (int64_t)(now_ns - times->begun_ns);
    /* One of many idle threads, last visited long before this phase. */
    double part = thread->time_ns > phase_ns ? (double)phase_ns / (double)thread->time_ns : 1;
    thread->time_ns = (int64_t)((double)thread->time_ns * part);
    thread->run_ns = (int64_t)((double)thread->run_ns * part);
    thread->delay_ns = (int64_t)((double)thread->delay_ns * part);
    thread->disk_ns = thread->wait_ns[XB_WAIT_DISK];
    find_timers(thread);
    for (int w = 0; w < XB_WAITS; w++) {
        if (thread->wait_ns[w] < 0)
            thread->wait_ns[w] = 0;
        seen += thread->wait_ns[w];
    }
    if (!times->exact && thread->looks) {
        /* No account says how long it waited for a CPU: looks found it runnable more often than it ran. */
        int64_t runnable = (int64_t)((double)thread->time_ns * (double)thread->running_looks /
                                     (double)thread->looks);
        thread->delay_ns = runnable > thread->run_ns ? runnable - thread->run_ns : 0;
    }
    int64_t blocked = thread->time_ns - thread->run_ns - thread->delay_ns;
    /* One that looks have not found blocked at all was so for less than the time between two. */
    if (blocked < 0 || (seen == 0 && (blocked < LATE_NS || (double)blocked * (double)thread->looks <
                                                               (double)thread->time_ns)))
        blocked = 0;
    if (seen == 0) {
        /* What it was last seen to wait for, in an earlier phase; unknown if it never was. */
        thread->wait_ns[thread->blocked.wait] = blocked;
        return;
    }
    for (int w = 0; w < XB_WAITS; w++)
        thread->wait_ns[w] = (int64_t)((double)thread->wait_ns[w] / (double)seen * (double)blocked);
}

int xb_thread_times_open(pid_t root, const void *meeting, struct xb_thread_times **out)
{
    char text[256];
    struct xb_proc_sched sched;
    struct xb_thread_times *times = calloc(1, sizeof *times);
    if (times) {
        times->thread = calloc(THREADS_MAX, sizeof *times->thread);
        times->slot = calloc(SLOTS, sizeof *times->slot);
    }
    if (!times || !times->thread || !times->slot) {
        xb_thread_times_close(times);
        return -ENOMEM;
    }
    times->exact = xb_proc_text(root, root, "schedstat", text, sizeof text) > 0 &&
                   xb_proc_parse_sched(text, &sched);
    times->meeting = meeting;
    xb_asleep_open(&times->asleep);
    times->tick_ns = 1e9 / (double)sysconf(_SC_CLK_TCK);
    struct rlimit limit;
    times->files_max = FILES_MAX;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur / 2 < FILES_MAX)
        times->files_max = limit.rlim_cur / 2;
    *out = times;
    return 0;
}

void xb_thread_times_close(struct xb_thread_times *times)
{
    if (!times)
        return;
    for (size_t i = 0; times->thread && i < times->n_threads; i++)
        close_files(times, &times->thread[i]);
    free(times->thread);
    free(times->slot);
    free(times);
}

void xb_thread_times_begin(struct xb_thread_times *times, const struct xb_task *task, size_t n,
                           uint64_t now_ns)
{
    begin_threads(times);
    times->begun_ns = now_ns;
    /* All that are there are known from the beginning, or the first phase would be over before it has
     * come to the one of a thousand that runs. */
    bool first = times->polls == 0;
    for (size_t i = 0; first && i < n; i++) {
        bool fresh;
        struct xb_thread_time *thread = find_thread(times, &task[i], &fresh);
        if (thread && fresh)
            visit(times, thread, fresh, NULL);
    }
}

/* The next thread of those that run now and then, in turns; NULL once all have been asked for. */
static struct xb_thread_time *next_hot(struct xb_thread_times *times, size_t *asked)
{
    while ((*asked)++ < times->n_threads) {
        if (times->hot_cursor >= times->n_threads)
            times->hot_cursor = 0;
        struct xb_thread_time *thread = &times->thread[times->hot_cursor++];
        if (thread->state != XB_THREAD_GONE && thread->cool < COOL)
            return thread;
    }
    return NULL;
}

/* Visits those that run now and then. Returns how many.
 *
 * Their calls are read first, for as many as may make a pool: a visit takes 30 us, and by the fifth a device has
 * answered whom it was working for, who then waits for the CPU that looks: threads of libuv's pool that were in
 * pread() for a quarter of the time were hardly ever found there. */
static size_t visit_hot(struct xb_thread_times *times, struct xb_thread_time **visited,
                        uint64_t cpu_ns, bool *spent)
{
    char text[GLIMPSES_MAX][GLIMPSE_TEXT];
    const char *glimpse[GLIMPSES_MAX];
    size_t n = 0, asked = 0;
    struct xb_thread_time *thread;
    do {
        size_t begin = n;
        while (n < VISITS_MAX && n - begin < GLIMPSES_MAX && (thread = next_hot(times, &asked))) {
            glimpse[n - begin] = glimpse_at(thread, text[n - begin]);
            visited[n++] = thread;
        }
        for (size_t i = begin; i < n && !*spent; i++) {
            visit(times, visited[i], false, glimpse[i - begin]);
            *spent = (i + 1) % 4 == 0 && xb_thread_cpu_ns() - cpu_ns > SCAN_NS;
            if (*spent) {
                n = i + 1;
                times->hot_cursor = (size_t)(visited[i] - times->thread) + 1;
            }
        }
    } while (thread && n < VISITS_MAX && !*spent);
    return n;
}

void xb_thread_times_poll(struct xb_thread_times *times, const struct xb_task *task, size_t n_tasks)
{
    struct xb_thread_time *visited[VISITS_MAX];
    uint64_t cpu_ns = xb_thread_cpu_ns(), now_ns = xb_now_ns();
    uint64_t since_ns = now_ns - (times->polls ? times->polled_ns : times->begun_ns);
    bool spent = false;
    times->polls++;
    times->polled_ns = now_ns;

    /* First those that run now and then, then idle and new ones in turns. */
    size_t n = visit_hot(times, visited, cpu_ns, &spent);
    for (size_t i = 0; i < n_tasks && n < VISITS_MAX && !spent; i++) {
        if (times->cursor >= n_tasks)
            times->cursor = 0;
        bool fresh;
        struct xb_thread_time *thread = find_thread(times, &task[times->cursor++], &fresh);
        if (!thread ||
            (!fresh && (thread->state == XB_THREAD_GONE || thread->poll == times->polls)))
            continue;
        visit(times, thread, fresh, NULL);
        if (fresh)
            meet_newborn(times, thread, since_ns);
        visited[n++] = thread;
        spent = n % 4 == 0 && xb_thread_cpu_ns() - cpu_ns > SCAN_NS;
    }
    note_waits(times, visited, n);
}

const struct xb_thread_time *xb_thread_times_end(struct xb_thread_times *times, uint64_t now_ns,
                                                 size_t *n)
{
    for (size_t i = 0; i < times->n_threads; i++)
        divide_waits(times, &times->thread[i], now_ns);
    *n = times->n_threads;
    return times->thread;
}
