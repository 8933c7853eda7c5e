/* What a forked child does before it runs another program. */
#ifndef XB_BASE_CHILD_H
#define XB_BASE_CHILD_H

#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <unistd.h>

/* Makes the calling child the head of a process group, so that all it starts can be ended at once, has
 * it die with its parent, and gives signals back their meaning. */
static inline void xb_child_begin(void)
{
    sigset_t none;
    sigemptyset(&none);
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    sigprocmask(SIG_SETMASK, &none, NULL);
    for (int number = 1; number < NSIG; number++)
        signal(number, SIG_DFL);
}

#endif
