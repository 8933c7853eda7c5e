/* SPDX-License-Identifier: BSD-3-Clause
 * Tells by number, arguments and the files behind them what system calls are about. */
#include "syscalls.h"

#include "procfs.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <linux/io_uring.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum {
    FILES_MAX = 16, /* of those one call waits for: a link takes 5 us to read */
    ENDS_MAX = 64,  /* files among which the other end of a pipe is looked for */
    /* A ring's fdinfo lists what is queued, and buffers that are registered, before it comes to polls. */
    RING_TEXT = 1 << 16,
    /* IORING_ENTER_REGISTERED_RING, Linux 5.18: the argument is no descriptor. */
    REGISTERED_RING = 1 << 4,
};

/* What a call waits for, where that does not depend on its files. */
enum kind { BY_WAIT, BY_FILE, BY_POLL, BY_SELECT, BY_EPOLL, BY_RING, BY_FUTEX, BY_THIRD };

/* Where its time-out is: which argument, and as what. */
enum timeout { NEVER, MS_2, MS_3, TIMESPEC_2, TIMESPEC_3, TIMESPEC_4, TIMEVAL_4, RING_4 };

static const struct call {
    long number;
    const char *name;
    enum kind kind;
    enum xb_wait wait; /* BY_WAIT */
    enum timeout timeout;
    bool is_kernels; /* moves no bytes and waits for none as a rule: names, processes, signals */
} calls[] = {
#define CALL(call, ...)                                  \
    {                                                    \
        .number = SYS_##call, .name = #call, __VA_ARGS__ \
    }
#define FILE_CALL(call)         CALL(call, .kind = BY_FILE)
#define WAIT_CALL(call, what)   CALL(call, .wait = XB_WAIT_##what)
#define KERNEL_CALL(call, what) CALL(call, .wait = XB_WAIT_##what, .is_kernels = true)
    FILE_CALL(read),
    FILE_CALL(write),
    FILE_CALL(readv),
    FILE_CALL(writev),
    FILE_CALL(pread64),
    FILE_CALL(pwrite64),
    FILE_CALL(preadv),
    FILE_CALL(pwritev),
    FILE_CALL(preadv2),
    FILE_CALL(pwritev2),
    FILE_CALL(splice),
    FILE_CALL(tee),
    FILE_CALL(vmsplice),
    FILE_CALL(copy_file_range),
    CALL(ioctl, .kind = BY_FILE, .is_kernels = true),
    FILE_CALL(sendfile), /* the first is where to */
    WAIT_CALL(accept, NETWORK),
    WAIT_CALL(accept4, NETWORK),
    WAIT_CALL(connect, NETWORK),
    WAIT_CALL(recvfrom, NETWORK),
    WAIT_CALL(recvmsg, NETWORK),
    WAIT_CALL(recvmmsg, NETWORK),
    WAIT_CALL(sendto, NETWORK),
    WAIT_CALL(sendmsg, NETWORK),
    WAIT_CALL(sendmmsg, NETWORK),
    WAIT_CALL(fsync, DISK),
    WAIT_CALL(fdatasync, DISK),
    WAIT_CALL(sync, DISK),
    WAIT_CALL(syncfs, DISK),
    WAIT_CALL(sync_file_range, DISK),
    WAIT_CALL(msync, DISK),
    WAIT_CALL(io_getevents, DISK),
    KERNEL_CALL(fallocate, DISK),
    KERNEL_CALL(ftruncate, DISK),
    KERNEL_CALL(getdents64, DISK),
    WAIT_CALL(readahead, DISK),
    CALL(io_uring_enter, .kind = BY_RING, .timeout = RING_4),
    CALL(futex, .kind = BY_FUTEX),
    WAIT_CALL(semop, LOCK),
    WAIT_CALL(semtimedop, LOCK),
    WAIT_CALL(msgrcv, LOCK),
    WAIT_CALL(msgsnd, LOCK),
    WAIT_CALL(mq_timedreceive, LOCK),
    WAIT_CALL(mq_timedsend, LOCK),
    WAIT_CALL(flock, LOCK),
    KERNEL_CALL(fcntl, LOCK),
    WAIT_CALL(nanosleep, TIMER),
    WAIT_CALL(clock_nanosleep, TIMER),
    KERNEL_CALL(rt_sigsuspend, SIGNAL),
    KERNEL_CALL(rt_sigtimedwait, SIGNAL),
    KERNEL_CALL(wait4, CHILD),
    KERNEL_CALL(waitid, CHILD),
    CALL(ppoll, .kind = BY_POLL, .timeout = TIMESPEC_2),
    CALL(pselect6, .kind = BY_SELECT, .timeout = TIMESPEC_4),
    CALL(epoll_pwait, .kind = BY_EPOLL, .timeout = MS_3),
    /* Never wait for long, but work for the same. */
    WAIT_CALL(socket, NETWORK),
    WAIT_CALL(bind, NETWORK),
    WAIT_CALL(listen, NETWORK),
    WAIT_CALL(shutdown, NETWORK),
    WAIT_CALL(setsockopt, NETWORK),
    WAIT_CALL(getsockopt, NETWORK),
    WAIT_CALL(io_submit, DISK),
    CALL(epoll_ctl, .kind = BY_THIRD),
    /* For the lock on the address space, which the process's other threads hold meanwhile. */
    WAIT_CALL(mmap, KERNEL),
    WAIT_CALL(munmap, KERNEL),
    WAIT_CALL(mremap, KERNEL),
    WAIT_CALL(mprotect, KERNEL),
    WAIT_CALL(madvise, KERNEL),
    WAIT_CALL(brk, KERNEL),
/* Calls that newer architectures were not given. */
#ifdef SYS_poll
    KERNEL_CALL(pause, SIGNAL),
    CALL(poll, .kind = BY_POLL, .timeout = MS_2),
    CALL(select, .kind = BY_SELECT, .timeout = TIMEVAL_4),
    CALL(epoll_wait, .kind = BY_EPOLL, .timeout = MS_3),
    KERNEL_CALL(vfork, CHILD),
#endif
#ifdef SYS_futex_waitv
    WAIT_CALL(futex_waitv, LOCK),
#endif
#ifdef SYS_epoll_pwait2
    CALL(epoll_pwait2, .kind = BY_EPOLL, .timeout = TIMESPEC_3),
#endif
};

const char *xb_wait_name(enum xb_wait wait)
{
    static const char *const names[XB_WAITS] = {
        [XB_WAIT_UNKNOWN] = "something unseen",
        [XB_WAIT_DISK] = "disk",
        [XB_WAIT_NETWORK] = "network",
        [XB_WAIT_PIPE] = "pipe",
        [XB_WAIT_LOCK] = "lock",
        [XB_WAIT_TIMER] = "timer",
        [XB_WAIT_KERNEL] = "the kernel's own locks",
        [XB_WAIT_SIGNAL] = "signal",
        [XB_WAIT_CHILD] = "child",
        [XB_WAIT_STOPPED] = "stopped",
        [XB_WAIT_MEETING] = "the end of a window",
        [XB_WAIT_RING] = "an io_uring",
    };
    return names[wait];
}

enum xb_wait xb_wait_of_link(const char *link)
{
    static const struct {
        const char *begins;
        enum xb_wait wait;
    } links[] = {
        { "socket:", XB_WAIT_NETWORK },
        { "pipe:", XB_WAIT_PIPE },
        { "/dev/tty", XB_WAIT_PIPE },
        { "/dev/pts/", XB_WAIT_PIPE },
        { "/dev/console", XB_WAIT_PIPE },
        { "anon_inode:[eventfd]", XB_WAIT_LOCK },
        { "anon_inode:[timerfd]", XB_WAIT_TIMER },
        { "anon_inode:[signalfd]", XB_WAIT_SIGNAL },
        { "anon_inode:[pidfd]", XB_WAIT_CHILD },
        { "anon_inode:inotify", XB_WAIT_PIPE }, /* what others do to files */
        { "anon_inode:[fanotify]", XB_WAIT_PIPE },
        { "anon_inode:", XB_WAIT_UNKNOWN },
        { "/dev/null", XB_WAIT_UNKNOWN },
        { "/dev/random", XB_WAIT_KERNEL },
        { "/dev/urandom", XB_WAIT_KERNEL },
        { "/proc/", XB_WAIT_KERNEL },
        { "/sys/", XB_WAIT_KERNEL },
        { "/", XB_WAIT_DISK },
    };
    for (size_t i = 0; i < sizeof links / sizeof links[0]; i++)
        if (strncmp(link, links[i].begins, strlen(links[i].begins)) == 0)
            return links[i].wait;
    return XB_WAIT_UNKNOWN;
}

static enum xb_wait wait_of_file(pid_t pid, int descriptor)
{
    char path[64], link[64];
    snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)pid, descriptor);
    ssize_t length = readlink(path, link, sizeof link - 1);
    if (length < 0)
        return XB_WAIT_UNKNOWN;
    link[length] = 0;
    return xb_wait_of_link(link);
}

/* Of several files the one that an outsider would call the reason: whoever waits for sockets and an
 * eventfd is a server that other threads can wake. */
static enum xb_wait weightier(enum xb_wait a, enum xb_wait b)
{
    static const int rank[XB_WAITS] = {
        [XB_WAIT_NETWORK] = 7, [XB_WAIT_PIPE] = 6,   [XB_WAIT_DISK] = 5,  [XB_WAIT_LOCK] = 4,
        [XB_WAIT_TIMER] = 3,   [XB_WAIT_SIGNAL] = 2, [XB_WAIT_CHILD] = 1,
    };
    return rank[b] > rank[a] ? b : a;
}

/* Of a file that is entered into an epoll's set or taken out: a server does that for its sockets. Of what its
 * threads or the clock wake it with nobody waits then; the kernel keeps its lists. */
static enum xb_wait wait_of_entry(pid_t pid, int descriptor)
{
    enum xb_wait wait = wait_of_file(pid, descriptor);
    return wait == XB_WAIT_LOCK || wait == XB_WAIT_TIMER ? XB_WAIT_KERNEL : wait;
}

/* Copies from the thread's memory; false if it may not or nothing is there. */
static bool peek(pid_t pid, uint64_t address, void *out, size_t bytes)
{
    struct iovec here = { out, bytes }, there = { (void *)(uintptr_t)address, bytes };
    return address && process_vm_readv(pid, &here, 1, &there, 1, 0) == (ssize_t)bytes;
}

/* Whether the process holds the other end of a pipe as well. */
static bool holds_both_ends(pid_t pid, int descriptor)
{
    char path[64], own[64], link[64], name[16];
    struct stat end, other;
    snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
    DIR *folder = opendir(path);
    if (!folder)
        return false;
    snprintf(name, sizeof name, "%d", descriptor);
    ssize_t length = readlinkat(dirfd(folder), name, own, sizeof own);
    bool found = false;
    if (length > 0 && fstatat(dirfd(folder), name, &end, AT_SYMLINK_NOFOLLOW) == 0) {
        const struct dirent *entry;
        for (int n = 0; !found && n < ENDS_MAX && (entry = readdir(folder)); n++)
            /* The link's own mode says what it is open for, proc_pid_fd(5). */
            found = readlinkat(dirfd(folder), entry->d_name, link, sizeof link) == length &&
                    memcmp(link, own, (size_t)length) == 0 &&
                    fstatat(dirfd(folder), entry->d_name, &other, AT_SYMLINK_NOFOLLOW) == 0 &&
                    (end.st_mode ^ other.st_mode) & S_IWUSR;
    }
    closedir(folder);
    return found;
}

/* Of a file that is polled. A pipe from the process to itself is how its threads and signal handlers wake
 * an event loop that sleeps (the self-pipe trick; libuv has one in each loop), as an eventfd is. A loop that
 * moves bytes to itself finds them ready, and works for them. */
static enum xb_wait wait_of_polled(pid_t pid, int descriptor, bool asleep)
{
    enum xb_wait wait = wait_of_file(pid, descriptor);
    return asleep && wait == XB_WAIT_PIPE && holds_both_ends(pid, descriptor) ? XB_WAIT_LOCK : wait;
}

static enum xb_wait wait_of_poll(pid_t pid, uint64_t address, uint64_t n, bool asleep)
{
    struct pollfd files[FILES_MAX];
    enum xb_wait wait = XB_WAIT_UNKNOWN;
    if (n == 0)
        return XB_WAIT_TIMER;
    if (n > FILES_MAX)
        n = FILES_MAX;
    if (!peek(pid, address, files, n * sizeof files[0]))
        return XB_WAIT_UNKNOWN;
    for (uint64_t i = 0; i < n; i++)
        if (files[i].fd >= 0)
            wait = weightier(wait, wait_of_polled(pid, files[i].fd, asleep));
    return wait;
}

static enum xb_wait wait_of_select(pid_t pid, const uint64_t argument[static XB_CALL_ARGUMENTS],
                                   bool asleep)
{
    int n = (int)argument[0], looked_at = 0;
    enum xb_wait wait = XB_WAIT_UNKNOWN;
    if (n <= 0)
        return XB_WAIT_TIMER;
    if (n > FD_SETSIZE)
        n = FD_SETSIZE;
    for (int i = 1; i < 3; i++) { /* those to read and those to write */
        fd_set set;
        FD_ZERO(&set);
        if (!peek(pid, argument[i], &set, (size_t)(n + 63) / 64 * 8))
            continue;
        for (int file = 0; file < n && looked_at < FILES_MAX; file++)
            if (FD_ISSET(file, &set) && ++looked_at)
                wait = weightier(wait, wait_of_polled(pid, file, asleep));
    }
    return wait;
}

static enum xb_wait wait_of_epoll(pid_t pid, int descriptor, bool asleep)
{
    char name[32], text[4096];
    enum xb_wait wait = XB_WAIT_UNKNOWN;
    snprintf(name, sizeof name, "fdinfo/%d", descriptor);
    if (xb_proc_text(pid, 0, name, text, sizeof text) < 0)
        return XB_WAIT_UNKNOWN;
    int looked_at = 0;
    for (const char *at = strstr(text, "tfd:"); at && looked_at < FILES_MAX;
         at = strstr(at + 4, "tfd:"), looked_at++)
        wait = weightier(wait, wait_of_polled(pid, atoi(at + 4), asleep));
    return looked_at ? wait : XB_WAIT_TIMER;
}

/* Whether it was born with that pipe, as shells and build tools leave theirs open for whatever they start. */
static bool is_inherited(pid_t pid, int descriptor)
{
    char path[64], own[64], theirs[64], text[1024];
    struct xb_proc_stat stat;
    if (xb_proc_text(pid, 0, "stat", text, sizeof text) <= 0 || !xb_proc_parse_stat(text, &stat))
        return false;
    snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)pid, descriptor);
    ssize_t length = readlink(path, own, sizeof own);
    snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)stat.parent, descriptor);
    return length > 0 && readlink(path, theirs, sizeof theirs) == length &&
           memcmp(own, theirs, (size_t)length) == 0;
}

/* Of the files that the process has open, beside those it was born with, the one that somebody would be said to
 * wait for. `polled`: only such as can be polled, which a regular file cannot. */
static enum xb_wait wait_of_any_file(pid_t pid, bool polled)
{
    char path[32];
    snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
    DIR *folder = opendir(path);
    if (!folder)
        return XB_WAIT_UNKNOWN;
    enum xb_wait wait = XB_WAIT_UNKNOWN;
    int looked_at = 0;
    for (const struct dirent *entry; (entry = readdir(folder)) && looked_at < FILES_MAX;) {
        int file = atoi(entry->d_name);
        if (file <= 2) /* what it was born with says little */
            continue;
        looked_at++;
        enum xb_wait of_file = wait_of_polled(pid, file, polled);
        bool counts = of_file != XB_WAIT_PIPE || !is_inherited(pid, file);
        if (counts && (!polled || of_file != XB_WAIT_DISK))
            wait = weightier(wait, of_file);
    }
    closedir(folder);
    return wait;
}

/* Whether the kernel has threads of its own in the process, to carry out what a ring cannot without blocking:
 * buffered writes, fsync. They go 5 s after the last such. */
static bool has_ring_workers(pid_t pid)
{
    char path[32], text[32];
    snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
    DIR *folder = opendir(path);
    if (!folder)
        return false;
    bool found = false;
    const struct dirent *entry;
    for (int n = 0; !found && n < ENDS_MAX && (entry = readdir(folder)); n++) {
        pid_t tid = (pid_t)atoi(entry->d_name);
        found = tid > 0 && xb_proc_text(pid, tid, "comm", text, sizeof text) > 0 &&
                strncmp(text, "iou-wrk-", 8) == 0;
    }
    closedir(folder);
    return found;
}

/* What the kernel has a poll for in a ring, by its list of those (PollList in fdinfo): operations on sockets tell by
 * their number, others by the files that there are. XB_WAIT_RING: none, so that what is in flight is a device's or a
 * time-out. False: it is not told, as while somebody else holds the ring's lock. */
static bool wait_of_polls(pid_t pid, int descriptor, enum xb_wait *wait)
{
    char name[32], *text = malloc(RING_TEXT);
    snprintf(name, sizeof name, "fdinfo/%d", descriptor);
    bool read = text && xb_proc_text(pid, 0, name, text, RING_TEXT) > 0;
    const char *at = read ? strstr(text, "PollList:\n") : NULL;
    bool told = at != NULL, by_file = false;
    *wait = XB_WAIT_RING;
    int operation;
    for (at = told ? strchr(at, '\n') : NULL; at && sscanf(at + 1, "  op=%d", &operation) == 1;
         at = strchr(at + 1, '\n'))
        switch (operation) {
        case IORING_OP_SENDMSG:
        case IORING_OP_RECVMSG:
        case IORING_OP_ACCEPT:
        case IORING_OP_CONNECT:
        case IORING_OP_SEND:
        case IORING_OP_RECV:
            *wait = XB_WAIT_NETWORK;
            break;
        default:
            by_file = true;
        }
    if (by_file && *wait != XB_WAIT_NETWORK)
        *wait = wait_of_any_file(pid, true);
    if (*wait == XB_WAIT_RING && has_ring_workers(pid))
        *wait = XB_WAIT_DISK;
    free(text);
    return told;
}

/* Where the ring says nothing: sockets and pipes, if the process has any. */
static enum xb_wait wait_of_ring(pid_t pid, const uint64_t argument[static XB_CALL_ARGUMENTS],
                                 bool asleep)
{
    enum xb_wait wait;
    bool by_number = argument[3] & REGISTERED_RING;
    if (asleep && !by_number && wait_of_polls(pid, (int)argument[0], &wait))
        return wait;
    wait = wait_of_any_file(pid, false);
    return wait == XB_WAIT_NETWORK || wait == XB_WAIT_PIPE ? wait : XB_WAIT_DISK;
}

/* Whoever joins a thread waits on a word that holds its number, until the kernel clears it at the thread's
 * exit (CLONE_CHILD_CLEARTID) and wakes with a futex that is not private. Mutexes that hold their owner's
 * number (robust ones) have FUTEX_WAITERS set beside it while somebody waits. */
static enum xb_wait wait_of_futex(pid_t pid, const uint64_t argument[static XB_CALL_ARGUMENTS])
{
    int operation = (int)argument[1] & ~FUTEX_CLOCK_REALTIME;
    char path[64];
    if (operation != FUTEX_WAIT && operation != FUTEX_WAIT_BITSET)
        return XB_WAIT_LOCK;
    snprintf(path, sizeof path, "/proc/%d/task/%u", (int)pid, (unsigned)argument[2]);
    return access(path, F_OK) == 0 ? XB_WAIT_CHILD : XB_WAIT_LOCK;
}

static const struct call *find_call(long number)
{
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++)
        if (calls[i].number == number)
            return &calls[i];
    return NULL;
}

const char *xb_call_name(long number)
{
    const struct call *call = find_call(number);
    return call ? call->name : "";
}

/* `asleep`: in the call, and nothing is ready; else it is made, and may have something to move at once. */
static enum xb_wait wait_of(pid_t pid, const struct call *call,
                            const uint64_t argument[static XB_CALL_ARGUMENTS], bool asleep)
{
    switch (call->kind) {
    case BY_WAIT:
        return call->wait;
    case BY_FILE:
        return wait_of_file(pid, (int)argument[0]);
    case BY_POLL:
        return wait_of_poll(pid, argument[0], argument[1], asleep);
    case BY_SELECT:
        return wait_of_select(pid, argument, asleep);
    case BY_EPOLL:
        return wait_of_epoll(pid, (int)argument[0], asleep);
    case BY_RING:
        return wait_of_ring(pid, argument, asleep);
    case BY_THIRD:
        return wait_of_entry(pid, (int)argument[2]);
    case BY_FUTEX:
        return wait_of_futex(pid, argument);
    }
    return XB_WAIT_UNKNOWN;
}

enum xb_wait xb_wait_of_call(pid_t pid, long number,
                             const uint64_t argument[static XB_CALL_ARGUMENTS])
{
    const struct call *call = find_call(number);
    return call ? wait_of(pid, call, argument, true) : XB_WAIT_UNKNOWN;
}

static uint64_t timeout_of_ms(uint64_t argument)
{
    int ms = (int)argument; /* negative: for ever */
    return ms > 0 ? (uint64_t)ms * 1000000 : 0;
}

/* `part_ns`: what the second word counts. */
static uint64_t timeout_of_time(pid_t pid, uint64_t address, int64_t part_ns)
{
    int64_t time[2];
    if (!peek(pid, address, time, sizeof time) || time[0] < 0 || time[1] < 0 ||
        time[0] > INT32_MAX || time[1] > 1000000000 / part_ns)
        return 0;
    return (uint64_t)time[0] * 1000000000 + (uint64_t)(time[1] * part_ns);
}

/* The fifth argument is a struct io_uring_getevents_arg, by IORING_ENTER_EXT_ARG (Linux 5.11), in which there is
 * the time-out's address; as long as that is in memory of the process's own, and from now on. */
static uint64_t timeout_of_ring(pid_t pid, const uint64_t argument[static XB_CALL_ARGUMENTS])
{
    enum { ABSOLUTE = 1 << 5, REGISTERED_ARG = 1 << 6 }; /* not in headers before Linux 6.12 */
    const uint64_t asked = IORING_ENTER_EXT_ARG | ABSOLUTE | REGISTERED_ARG;
    struct io_uring_getevents_arg wait = { 0 };
    if ((argument[3] & asked) != IORING_ENTER_EXT_ARG ||
        !peek(pid, argument[4], &wait, sizeof wait))
        return 0;
    return timeout_of_time(pid, wait.ts, 1);
}

uint64_t xb_timeout_of_call(pid_t pid, long number,
                            const uint64_t argument[static XB_CALL_ARGUMENTS])
{
    const struct call *call = find_call(number);
    switch (call ? call->timeout : NEVER) {
    case NEVER:
        return 0;
    case MS_2:
        return timeout_of_ms(argument[2]);
    case MS_3:
        return timeout_of_ms(argument[3]);
    case TIMESPEC_2:
        return timeout_of_time(pid, argument[2], 1);
    case TIMESPEC_3:
        return timeout_of_time(pid, argument[3], 1);
    case TIMESPEC_4:
        return timeout_of_time(pid, argument[4], 1);
    case TIMEVAL_4:
        return timeout_of_time(pid, argument[4], 1000);
    case RING_4:
        return timeout_of_ring(pid, argument);
    }
    return 0;
}

enum xb_wait xb_work_of_call(pid_t pid, long number,
                             const uint64_t argument[static XB_CALL_ARGUMENTS])
{
    const struct call *call = find_call(number);
    if (number < 0)
        return XB_WAIT_UNKNOWN;
    if (!call || (call->is_kernels && call->kind != BY_FILE))
        return XB_WAIT_KERNEL;
    enum xb_wait wait = wait_of(pid, call, argument, false);
    /* How much there is to be read is asked for the bytes of a socket; of a device, anything. */
    if (call->is_kernels && wait != XB_WAIT_NETWORK && wait != XB_WAIT_PIPE)
        return XB_WAIT_KERNEL;
    return wait == XB_WAIT_UNKNOWN                           ? XB_WAIT_PIPE
           : wait == XB_WAIT_SIGNAL || wait == XB_WAIT_CHILD ? XB_WAIT_KERNEL
                                                             : wait;
}
