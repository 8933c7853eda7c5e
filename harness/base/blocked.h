/* What a blocked thread waits for. */
#ifndef XB_BASE_BLOCKED_H
#define XB_BASE_BLOCKED_H

#include "syscalls.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* How it was found out. Starts zeroed; with what it held before, a thread that waits in the same call
 * on the same file again is not looked into again. */
struct xb_blocked {
    enum xb_wait wait;
    long call;        /* the system call's number; -1: a fault, or not to be read */
    const char *name; /* of the call, static; "" where the table has no such number */
    uint64_t argument[XB_CALL_ARGUMENTS];
    uint64_t timeout_ns; /* after which it comes back in any case; 0: none */
    char channel[32];    /* the kernel's function; "" where it is not told */
    unsigned age;        /* looks since its files were looked at */
};

/* A thread's files that tell it; -1 where they could not be opened. */
struct xb_blocked_files {
    int syscall, wchan;
    const char *glimpse; /* what `syscall` said a moment ago, to be gone by in its place; or NULL */
};

/* Finds out what thread `tid` of `pid` waits for, whose `state` is not R. /proc/<pid>/syscall and wchan
 * take ptrace's right to look (PTRACE_MODE_ATTACH_FSCREDS and _READ_); without it only `state` is left,
 * and S is XB_WAIT_UNKNOWN. The thread may run on meanwhile: then the wait is the one before, or unknown.
 * Returns false if it runs. Source: proc_pid_syscall(5), proc_pid_wchan(5), fs/proc/base.c. */
bool xb_blocked_look(pid_t pid, char state, const struct xb_blocked_files *files,
                     struct xb_blocked *inout);

/* Whether it sleeps at the futex word at `address`. */
bool xb_blocked_at_futex(const struct xb_blocked *blocked, const void *address);

/* Whether it waits for a mutex, whose holder has to let it go, and not for a condition, a semaphore or
 * a file on which others tell it something. */
bool xb_blocked_on_mutex(const struct xb_blocked *blocked);

/* By the name of the kernel's function alone; XB_WAIT_UNKNOWN for one that is not known. */
enum xb_wait xb_wait_of_channel(const char *channel);

#endif
