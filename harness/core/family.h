/* The threads of a program and of all processes that descend from it, found in /proc. */
#ifndef XB_CORE_FAMILY_H
#define XB_CORE_FAMILY_H

#include "../base/reason.h"
#include "../probes/probe.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* More threads than this are left out. */
enum { XB_FAMILY_THREADS = 16384 };

struct xb_process {
    pid_t pid;
    uint64_t cpu_ns; /* CPU time when last looked at; it has no more than this to give back */
};

struct xb_family {
    pid_t root;
    bool ours; /* root is our child: what it leaves behind becomes our child too */
    struct xb_task *tasks;
    size_t n_tasks, most_tasks;
    struct xb_process *processes;
    size_t n_processes, most_processes;
    bool root_gone;          /* set by who knows: a dead root may stay for long, as a zombie */
    bool left_out;           /* there were more threads than are looked at */
    uint64_t gone_ns;        /* CPU time of processes that have ended, since they were first seen */
    uint64_t before_ns;      /* and what the others had used before that */
    struct xb_process *last; /* of the look before */
    size_t n_last;
    bool adrift; /* now looking below those whose parents have died */
};

/* `ours`: it was forked by this process, which has set PR_SET_CHILD_SUBREAPER and has no other
 * children. Close in any case. 0; -ENOMEM; -ENOTSUP with `why` where this kernel does not tell of
 * children (CONFIG_PROC_CHILDREN). */
int xb_family_open(struct xb_family *family, pid_t root, bool ours, struct xb_reason *why);
void xb_family_close(struct xb_family *family);

/* Looks again: tasks and processes are those there are now, but for what begins and ends meanwhile.
 * Processes once found are followed even when their parent has died. Costs about 20 us for each
 * process and 5 us for each thread. */
void xb_family_look(struct xb_family *family);

/* CPU time in ns since the first look at it, of all that were found; what lived between two looks
 * is missing. */
uint64_t xb_family_cpu_ns(const struct xb_family *family);

/* Sends a signal to every process of the last look, one by one. */
void xb_family_kill(const struct xb_family *family, int number);

#endif
