/* SPDX-License-Identifier: BSD-3-Clause
 * Finds out what a blocked thread waits for: from the system call it is in, the files which that is
 * about, and the kernel's function in which it sleeps. */
#include "blocked.h"

#include "procfs.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum {
    FILES_MAX = 16, /* of those one call waits for: a link takes 5 us to read */
    AGE_MAX = 64    /* looks for which the answer of a call on the same file is kept */
};

/* What a call waits for, where that does not depend on its files. */
enum kind { BY_WAIT, BY_FILE, BY_POLL, BY_SELECT, BY_EPOLL, BY_RING, BY_CHANNEL };

static const struct call {
    long number;
    const char *name;
    enum kind kind;
    enum xb_wait wait; /* BY_WAIT */
} calls[] = {
#define FILE_CALL(call)                             \
    {                                               \
        SYS_##call, #call, BY_FILE, XB_WAIT_UNKNOWN \
    }
#define WAIT_CALL(call, what)                      \
    {                                              \
        SYS_##call, #call, BY_WAIT, XB_WAIT_##what \
    }
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
    FILE_CALL(ioctl),
    WAIT_CALL(sendfile, NETWORK),
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
    WAIT_CALL(fallocate, DISK),
    WAIT_CALL(ftruncate, DISK),
    WAIT_CALL(getdents64, DISK),
    WAIT_CALL(readahead, DISK),
    { SYS_io_uring_enter, "io_uring_enter", BY_RING, XB_WAIT_UNKNOWN },
    WAIT_CALL(futex, LOCK),
    WAIT_CALL(semop, LOCK),
    WAIT_CALL(semtimedop, LOCK),
    WAIT_CALL(msgrcv, LOCK),
    WAIT_CALL(msgsnd, LOCK),
    WAIT_CALL(mq_timedreceive, LOCK),
    WAIT_CALL(mq_timedsend, LOCK),
    WAIT_CALL(flock, LOCK),
    WAIT_CALL(fcntl, LOCK),
    WAIT_CALL(nanosleep, TIMER),
    WAIT_CALL(clock_nanosleep, TIMER),
    WAIT_CALL(rt_sigsuspend, SIGNAL),
    WAIT_CALL(rt_sigtimedwait, SIGNAL),
    WAIT_CALL(wait4, CHILD),
    WAIT_CALL(waitid, CHILD),
    { SYS_ppoll, "ppoll", BY_POLL, XB_WAIT_UNKNOWN },
    { SYS_pselect6, "pselect6", BY_SELECT, XB_WAIT_UNKNOWN },
    { SYS_epoll_pwait, "epoll_pwait", BY_EPOLL, XB_WAIT_UNKNOWN },
    { SYS_restart_syscall, "restart_syscall", BY_CHANNEL, XB_WAIT_UNKNOWN },
/* Calls that newer architectures were not given. */
#ifdef SYS_poll
    WAIT_CALL(pause, SIGNAL),
    { SYS_poll, "poll", BY_POLL, XB_WAIT_UNKNOWN },
    { SYS_select, "select", BY_SELECT, XB_WAIT_UNKNOWN },
    { SYS_epoll_wait, "epoll_wait", BY_EPOLL, XB_WAIT_UNKNOWN },
    WAIT_CALL(vfork, CHILD),
#endif
#ifdef SYS_futex_waitv
    WAIT_CALL(futex_waitv, LOCK),
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
        [XB_WAIT_SIGNAL] = "signal",
        [XB_WAIT_CHILD] = "child",
        [XB_WAIT_STOPPED] = "stopped",
        [XB_WAIT_MEETING] = "the end of a window",
    };
    return names[wait];
}

bool xb_blocked_at_futex(const struct xb_blocked *blocked, const void *address)
{
    return blocked->call == SYS_futex && blocked->argument[0] == (uintptr_t)address;
}

enum xb_wait xb_wait_of_channel(const char *channel)
{
    /* Beginnings of names, as kernels 4.19 to 6.18 have them; the first that fits. */
    static const struct {
        const char *begins;
        enum xb_wait wait;
    } channels[] = {
        { "futex_", XB_WAIT_LOCK },
        { "rwsem_", XB_WAIT_LOCK },
        { "__mutex_", XB_WAIT_LOCK },
        { "percpu_rwsem", XB_WAIT_LOCK },
        { "locks_lock", XB_WAIT_LOCK },
        { "flock_lock", XB_WAIT_LOCK },
        { "fcntl_setlk", XB_WAIT_LOCK },
        { "do_semtimedop", XB_WAIT_LOCK },
        { "__do_semtimedop", XB_WAIT_LOCK },
        { "do_msg", XB_WAIT_LOCK },
        { "eventfd_read", XB_WAIT_LOCK },
        { "hrtimer_nanosleep", XB_WAIT_TIMER },
        { "do_nanosleep", XB_WAIT_TIMER },
        { "common_nsleep", XB_WAIT_TIMER },
        { "timerfd_read", XB_WAIT_TIMER },
        { "do_wait", XB_WAIT_CHILD },
        { "kernel_wait", XB_WAIT_CHILD },
        { "kernel_clone", XB_WAIT_CHILD }, /* vfork */
        { "wait_for_vfork", XB_WAIT_CHILD },
        { "_do_fork", XB_WAIT_CHILD },
        { "sigsuspend", XB_WAIT_SIGNAL },
        { "do_sigtimedwait", XB_WAIT_SIGNAL },
        { "__do_sys_pause", XB_WAIT_SIGNAL },
        { "__x64_sys_pause", XB_WAIT_SIGNAL },
        { "sk_", XB_WAIT_NETWORK },
        { "inet_", XB_WAIT_NETWORK },
        { "tcp_", XB_WAIT_NETWORK },
        { "unix_", XB_WAIT_NETWORK },
        { "sock_", XB_WAIT_NETWORK },
        { "__skb_", XB_WAIT_NETWORK },
        { "wait_woken", XB_WAIT_NETWORK },
        { "pipe_", XB_WAIT_PIPE },
        { "anon_pipe_", XB_WAIT_PIPE },
        { "fifo_open", XB_WAIT_PIPE },
        { "n_tty_", XB_WAIT_PIPE },
        { "io_schedule", XB_WAIT_DISK },
        { "folio_", XB_WAIT_DISK },
        { "wait_on_page", XB_WAIT_DISK },
        { "__lock_page", XB_WAIT_DISK },
        { "blk", XB_WAIT_DISK },
        { "submit_bio", XB_WAIT_DISK },
        { "bio_", XB_WAIT_DISK },
        { "jbd2_", XB_WAIT_DISK },
        { "ext4_", XB_WAIT_DISK },
        { "xfs_", XB_WAIT_DISK },
        { "btrfs_", XB_WAIT_DISK },
        { "nfs", XB_WAIT_DISK },
        { "rpc_", XB_WAIT_DISK },
        { "iomap_", XB_WAIT_DISK },
        { "__iomap_", XB_WAIT_DISK },
        { "__blockdev_direct_IO", XB_WAIT_DISK },
        { "dio_", XB_WAIT_DISK },
        { "read_events", XB_WAIT_DISK }, /* io_getevents */
        { "balance_dirty", XB_WAIT_DISK },
        { "wait_on_buffer", XB_WAIT_DISK },
        { "__wait_on_buffer", XB_WAIT_DISK },
    };
    for (size_t i = 0; i < sizeof channels / sizeof channels[0]; i++)
        if (strncmp(channel, channels[i].begins, strlen(channels[i].begins)) == 0)
            return channels[i].wait;
    return XB_WAIT_UNKNOWN;
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
        { "anon_inode:", XB_WAIT_UNKNOWN },
        { "/dev/null", XB_WAIT_UNKNOWN },
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

/* Copies from the thread's memory; false if it may not or nothing is there. */
static bool peek(pid_t pid, uint64_t address, void *out, size_t bytes)
{
    struct iovec here = { out, bytes }, there = { (void *)(uintptr_t)address, bytes };
    return address && process_vm_readv(pid, &here, 1, &there, 1, 0) == (ssize_t)bytes;
}

static enum xb_wait wait_of_poll(pid_t pid, uint64_t address, uint64_t n)
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
            wait = weightier(wait, wait_of_file(pid, files[i].fd));
    return wait;
}

static enum xb_wait wait_of_select(pid_t pid, const uint64_t argument[static 3])
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
                wait = weightier(wait, wait_of_file(pid, file));
    }
    return wait;
}

static enum xb_wait wait_of_epoll(pid_t pid, int descriptor)
{
    char name[32], text[4096];
    enum xb_wait wait = XB_WAIT_UNKNOWN;
    snprintf(name, sizeof name, "fdinfo/%d", descriptor);
    if (xb_proc_text(pid, 0, name, text, sizeof text) < 0)
        return XB_WAIT_UNKNOWN;
    int looked_at = 0;
    for (const char *at = strstr(text, "tfd:"); at && looked_at < FILES_MAX;
         at = strstr(at + 4, "tfd:"), looked_at++)
        wait = weightier(wait, wait_of_file(pid, atoi(at + 4)));
    return looked_at ? wait : XB_WAIT_TIMER;
}

/* What goes through an io_uring is not told: sockets, if the process has any. */
static enum xb_wait wait_of_ring(pid_t pid)
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
        wait = weightier(wait, wait_of_file(pid, file));
    }
    closedir(folder);
    return wait == XB_WAIT_NETWORK || wait == XB_WAIT_PIPE ? wait : XB_WAIT_DISK;
}

static const struct call *find_call(long number)
{
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++)
        if (calls[i].number == number)
            return &calls[i];
    return NULL;
}

static enum xb_wait wait_of_call(pid_t pid, const struct call *call,
                                 const uint64_t argument[static 3])
{
    switch (call->kind) {
    case BY_WAIT:
        return call->wait;
    case BY_FILE:
        return wait_of_file(pid, (int)argument[0]);
    case BY_POLL:
        return wait_of_poll(pid, argument[0], argument[1]);
    case BY_SELECT:
        return wait_of_select(pid, argument);
    case BY_EPOLL:
        return wait_of_epoll(pid, (int)argument[0]);
    case BY_RING:
        return wait_of_ring(pid);
    case BY_CHANNEL:
        break;
    }
    return XB_WAIT_UNKNOWN;
}

/* The call's number, arguments, stack and program counter; -1 in place of the number where the thread
 * is in none. */
static bool parse_call(const char *text, long *number, uint64_t argument[static 3])
{
    unsigned long long value[8] = { 0 };
    int n = sscanf(text, "%ld %llx %llx %llx %llx %llx %llx %llx %llx", number, &value[0],
                   &value[1], &value[2], &value[3], &value[4], &value[5], &value[6], &value[7]);
    for (int i = 0; i < 3; i++)
        argument[i] = value[i];
    /* A 32-bit program numbers its calls differently; all of its addresses are below 4 GiB. */
    return n == 9 && value[7] > UINT32_MAX;
}

bool xb_blocked_look(pid_t pid, char state, const struct xb_blocked_files *files,
                     struct xb_blocked *inout)
{
    struct xb_blocked was = *inout;
    char text[256];
    *inout = (struct xb_blocked){ .call = -1, .name = "" };
    if (state == 'T' || state == 't') {
        inout->wait = XB_WAIT_STOPPED;
        return true;
    }
    if (files->syscall >= 0 && xb_proc_read(files->syscall, text, sizeof text) > 0) {
        if (strncmp(text, "running", 7) == 0) {
            *inout = was;
            return false;
        }
        if (!parse_call(text, &inout->call, inout->argument))
            inout->call = -1;
    }
    const struct call *call = inout->call >= 0 ? find_call(inout->call) : NULL;
    if (call)
        inout->name = call->name;

    /* D is the disk, as a rule: what else sleeps so deep, the kernel's own locks and vfork, is known by
     * its function. */
    bool by_channel = state == 'D' || !call || call->kind == BY_CHANNEL;
    if (by_channel && files->wchan >= 0 && xb_proc_read(files->wchan, text, sizeof text) > 0 &&
        strcmp(text, "0") != 0) {
        size_t length = strcspn(text, "\n");
        if (length >= sizeof inout->channel)
            length = sizeof inout->channel - 1;
        memcpy(inout->channel, text, length);
        inout->wait = xb_wait_of_channel(inout->channel);
    }
    if (inout->wait != XB_WAIT_UNKNOWN)
        return true;
    if (state == 'D') {
        inout->wait = XB_WAIT_DISK;
        return true;
    }
    if (!call)
        return true;
    if (was.call == inout->call && was.argument[0] == inout->argument[0] && was.age < AGE_MAX &&
        was.wait != XB_WAIT_UNKNOWN) {
        inout->wait = was.wait;
        inout->age = was.age + 1;
        return true;
    }
    inout->wait = wait_of_call(pid, call, inout->argument);
    return true;
}
