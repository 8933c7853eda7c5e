/* What a system call is about: what whoever is blocked in it waits for, and what the kernel works for
 * while it makes it. */
#ifndef XB_BASE_SYSCALLS_H
#define XB_BASE_SYSCALLS_H

#include <stdint.h>
#include <sys/types.h>

enum xb_wait {
    XB_WAIT_UNKNOWN,
    XB_WAIT_DISK,
    XB_WAIT_NETWORK,
    XB_WAIT_PIPE, /* or a terminal: another process's bytes */
    XB_WAIT_LOCK, /* futexes, semaphores, file locks, eventfds: other workers */
    XB_WAIT_TIMER,
    XB_WAIT_KERNEL, /* its own work, and its own locks while it does such for another thread */
    XB_WAIT_SIGNAL,
    XB_WAIT_CHILD,   /* for a process or thread to end */
    XB_WAIT_STOPPED, /* by a signal or a debugger */
    XB_WAIT_MEETING, /* for the others, where who watches has them meet: no part of the program's work */
    XB_WAIT_RING, /* in an io_uring for what is not polled: a device or a timer */
    XB_WAITS
};

enum { XB_CALL_ARGUMENTS = 5 }; /* of six: those that say what a call is about */

const char *xb_wait_name(enum xb_wait wait);

/* By what a descriptor's link in /proc/<pid>/fd says; XB_WAIT_UNKNOWN for others, and for files that
 * lie behind others (epoll, io_uring). XB_WAIT_KERNEL: bytes that no device and nobody else has, but that
 * the kernel computes when they are read. */
enum xb_wait xb_wait_of_link(const char *link);

/* The call's name, static; "" where it is not known what it can wait for: then its arguments say
 * nothing. `number`: of the 64-bit system calls of this architecture, or negative. */
const char *xb_call_name(long number);

/* What the call waits for that a thread of `pid` is blocked in, from its arguments and the files that
 * these name, which are looked up in /proc; XB_WAIT_UNKNOWN where that cannot be told. */
enum xb_wait xb_wait_of_call(pid_t pid, long number,
                             const uint64_t argument[static XB_CALL_ARGUMENTS]);

/* After how long at most the call comes back, whatever it waits for, in ns; 0: it has no time-out, or is
 * none that waits for files. Reads the process's memory where it lies there. */
uint64_t xb_timeout_of_call(pid_t pid, long number,
                            const uint64_t argument[static XB_CALL_ARGUMENTS]);

/* What the kernel works for when it makes the call, whether that blocks or not: XB_WAIT_DISK, _NETWORK or
 * _PIPE if it moves bytes or waits for some, _LOCK or _TIMER, else _KERNEL; _UNKNOWN for a negative number.
 * Of a file that is gone by now, or whose descriptor the sample did not keep (~0 in its place), it
 * is _PIPE: bytes of somebody. */
enum xb_wait xb_work_of_call(pid_t pid, long number,
                             const uint64_t argument[static XB_CALL_ARGUMENTS]);

#endif
