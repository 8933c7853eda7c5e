/* What a forked child does before it runs another program, and what is read of how it ended. */
#ifndef XB_BASE_CHILD_H
#define XB_BASE_CHILD_H

#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/types.h>
#include <sys/wait.h>
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

/* The first line of what a child wrote into the file `said`, cut, and with ? for what is no text; ""
 * if it wrote nothing. Returns the bytes read, as pread(2). */
static inline ssize_t xb_child_said(int said, char *words, size_t bytes)
{
    ssize_t n = pread(said, words, bytes - 1, 0);
    words[n > 0 ? n : 0] = '\0';
    words[strcspn(words, "\r\n")] = '\0';
    for (char *at = words; *at; at++)
        if ((unsigned char)*at < ' ')
            *at = '?';
    return n;
}

/* The signal that ended a child of this status, or 0. A shell that did not become the command tells of
 * that one's death by 128 and the signal. */
static inline int xb_child_killed(int status)
{
    int killed = WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status) - 128;
    return killed > 0 && killed < NSIG ? killed : 0;
}

#endif
