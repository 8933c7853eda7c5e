/* All threads of a process and of those that descend from it, for events that are opened on each. */
#ifndef XB_BASE_THREADS_H
#define XB_BASE_THREADS_H

#include <sys/types.h>

/* Calls `visit` for each, again and again until none is new: a thread that was not visited yet may
 * create one meanwhile. `visit`: 1 this one is new, 0 it is known, or -errno; of a thread that has
 * ended (-ESRCH) and of a child that is not ours (-EACCES) that is no error. Returns how many were new,
 * or -errno: -ESRCH no such process. Children are missing without CONFIG_PROC_CHILDREN. */
int xb_threads_visit(pid_t pid, int (*visit)(void *context, pid_t tid), void *context);

/* As many open files as this process may have: each event of each thread is one. */
void xb_threads_raise_file_limit(void);

#endif
