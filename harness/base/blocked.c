/* SPDX-License-Identifier: BSD-3-Clause
 * Finds out what a blocked thread waits for: from the system call it is in, the files which that is
 * about, and the kernel's function in which it sleeps. */
#include "blocked.h"

#include "procfs.h"

#include <linux/futex.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>

enum { AGE_MAX = 64 }; /* looks for which the answer of a call on the same file is kept */

bool xb_blocked_at_futex(const struct xb_blocked *blocked, const void *address)
{
    return blocked->call == SYS_futex && blocked->argument[0] == (uintptr_t)address;
}

bool xb_blocked_on_mutex(const struct xb_blocked *blocked)
{
    /* The word is 2 while somebody waits, as in U. Drepper's "Futexes Are Tricky", in glibc and Rust; a
     * condition's counts up (glibc), or is not held by anybody. Locks that inherit priority say it by the call. */
    enum { TAKEN_AND_WAITED_FOR = 2 };
    int operation = (int)blocked->argument[1] & FUTEX_CMD_MASK;
    if (blocked->call != SYS_futex)
        return false;
    bool waits = operation == FUTEX_WAIT || operation == FUTEX_WAIT_BITSET;
    return waits ? blocked->argument[2] == TAKEN_AND_WAITED_FOR : operation == FUTEX_LOCK_PI;
}

enum xb_wait xb_wait_of_channel(const char *channel)
{
    /* Beginnings of names, as kernels 4.19 to 6.18 have them; the first that fits. */
    static const struct {
        const char *begins;
        enum xb_wait wait;
    } channels[] = {
        { "futex_", XB_WAIT_LOCK },
        { "rwsem_", XB_WAIT_KERNEL },
        { "__mutex_", XB_WAIT_KERNEL },
        { "percpu_rwsem", XB_WAIT_KERNEL },
        { "locks_lock", XB_WAIT_LOCK }, /* those above are no locks of the program's */
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

/* The call's number, arguments, stack and program counter; -1 in place of the number where the thread
 * is in none. */
static bool parse_call(const char *text, long *number, uint64_t argument[static XB_CALL_ARGUMENTS])
{
    unsigned long long value[8] = { 0 };
    int n = sscanf(text, "%ld %llx %llx %llx %llx %llx %llx %llx %llx", number, &value[0],
                   &value[1], &value[2], &value[3], &value[4], &value[5], &value[6], &value[7]);
    for (int i = 0; i < XB_CALL_ARGUMENTS; i++)
        argument[i] = value[i];
    /* A 32-bit program numbers its calls differently; all of its addresses are below 4 GiB. The code of one that is
     * linked to a fixed address is there too, as Go does, and not its stack. */
    return n == 9 && (value[6] | value[7]) > UINT32_MAX;
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
    const char *call = files->glimpse;
    if (!call && files->syscall >= 0 && xb_proc_read(files->syscall, text, sizeof text) > 0)
        call = text;
    if (call) {
        if (strncmp(call, "running", 7) == 0) {
            *inout = was;
            return false;
        }
        if (!parse_call(call, &inout->call, inout->argument))
            inout->call = -1;
    }
    inout->name = xb_call_name(inout->call);
    bool known = inout->name[0];
    inout->timeout_ns = xb_timeout_of_call(pid, inout->call, inout->argument);

    /* D is the disk, as a rule: what else sleeps so deep, the kernel's own locks and vfork, is known by
     * its function. */
    if ((state == 'D' || !known) && files->wchan >= 0 &&
        xb_proc_read(files->wchan, text, sizeof text) > 0 && strcmp(text, "0") != 0) {
        size_t length = strcspn(text, "\n");
        if (length >= sizeof inout->channel)
            length = sizeof inout->channel - 1;
        memcpy(inout->channel, text, length);
        inout->wait = xb_wait_of_channel(inout->channel);
    }
    if (inout->wait != XB_WAIT_UNKNOWN)
        return true;
    if (known && was.call == inout->call && was.argument[0] == inout->argument[0] &&
        was.age < AGE_MAX && was.wait != XB_WAIT_UNKNOWN && state != 'D') {
        inout->wait = was.wait;
        inout->age = was.age + 1;
        return true;
    }
    if (known)
        inout->wait = xb_wait_of_call(pid, inout->call, inout->argument);
    /* No deep sleep is for what the call waits for where nothing is ready; but a change of the address
     * space moves no bytes, and waits for other threads that change or use it. */
    if (state == 'D' && inout->wait != XB_WAIT_KERNEL)
        inout->wait = XB_WAIT_DISK;
    return true;
}
