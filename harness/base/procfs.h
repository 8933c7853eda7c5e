/* What /proc says of a process or a thread, read without formatting a path twice. */
#ifndef XB_BASE_PROCFS_H
#define XB_BASE_PROCFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* One thread of a program. */
struct xb_task {
    pid_t pid, tid;
};

/* Opens /proc/<pid>/<name>, or /proc/<pid>/task/<tid>/<name> where `tid` is not 0. What is read from
 * the descriptor stays that thread's: once it is dead, reads give ESRCH, whoever gets its number.
 * Returns the descriptor, or -errno. */
int xb_proc_open(pid_t pid, pid_t tid, const char *name);

/* Reads a file of /proc from its beginning into `text`, which it ends with a zero. Reading an open
 * one takes a quarter of the time that opening it takes. Returns the length, or -errno. */
ssize_t xb_proc_read(int file, char *text, size_t room);

/* Opens, reads and closes. */
ssize_t xb_proc_text(pid_t pid, pid_t tid, const char *name, char *text, size_t room);

/* CPU time of a process with its ended threads, in ns; anybody may read it, and /proc/<pid>/stat counts
 * in ticks. 0 where it is gone. */
uint64_t xb_proc_cpu_ns(pid_t pid);

/* Of /proc/<pid>/stat or a thread's; see proc_pid_stat(5). Times in ticks of sysconf(_SC_CLK_TCK). */
struct xb_proc_stat {
    char state; /* R, S, D, T, t, Z, X, I */
    uint64_t minor_faults, child_minor_faults, major_faults, child_major_faults;
    uint64_t user_ticks, kernel_ticks, child_user_ticks, child_kernel_ticks;
    uint64_t start_ticks; /* since boot */
    uint64_t rss_pages, mapped_bytes;
    pid_t parent;
    int cpu; /* that it last ran on; -1: the text does not say */
};

/* Takes the text apart; a name in it may hold blanks and brackets. False if it is not one. */
bool xb_proc_parse_stat(const char *text, struct xb_proc_stat *out);

/* Of a thread's status: how often it has left the CPU because it had to wait. schedstat counts how often it
 * got one, also after others had taken it. False where the text does not say. */
bool xb_proc_parse_waits(const char *text, uint64_t *out);

/* Of schedstat: time on a CPU, time that it waited for one, and how often it got one. The first is
 * brought up to date at each tick of the CPU it runs on and when it leaves it, the second when it
 * gets one. Not there without CONFIG_SCHED_INFO. */
struct xb_proc_sched {
    uint64_t run_ns, delay_ns, runs;
};

bool xb_proc_parse_sched(const char *text, struct xb_proc_sched *out);

/* Whether a thread whose accounts these are that was asleep at both is in the same wait still. */
static inline bool xb_proc_same_wait(const struct xb_proc_sched *before,
                                     const struct xb_proc_sched *after)
{
    return before->run_ns == after->run_ns && before->runs == after->runs;
}

/* Of a thread's sched: when it last ran, or went to sleep, by the clock of the CPU on which that was; in ns.
 * False where the text does not say. Not there without CONFIG_SCHED_DEBUG. */
bool xb_proc_parse_exec(const char *text, uint64_t *out);

/* Of /proc/<pid>/io, with what its dead threads and the children it has waited for did. */
struct xb_proc_io {
    uint64_t bytes, calls;  /* of read, write and their like on anything but by send and recv */
    uint64_t storage_bytes; /* from and to block devices */
};

bool xb_proc_parse_io(const char *text, struct xb_proc_io *out);

#endif
