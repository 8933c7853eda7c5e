/* Runs a program, or attaches to one, and has probes look at it, phase by phase. */
#ifndef XB_CORE_WATCH_H
#define XB_CORE_WATCH_H

#include "../base/reason.h"
#include "bound.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { XB_WATCH_PROBES = 16, XB_WATCH_NOTES = 4 };

/* What is asked for; the pointers have to live until the watch is closed. */
struct xb_watching {
    const char *const *argv; /* the command and a NULL behind it; NULL: watch `pid` */
    pid_t pid;
    /* 0: a command to its end, and what it leaves running 5 s in all; a process 5 s. */
    uint64_t time_ns;
    uint64_t phase_ns; /* 0: 1 s */
    bool end_after;    /* ends a command that runs on when its time is over */
    const struct xb_probe *const *probes;
    size_t n_probes; /* XB_WATCH_PROBES at most */
    const struct xb_capacity *capacity;
    void (*tell)(const char *line); /* for xb_scene.tell; may be NULL */
};

struct xb_phase {
    double start_s, seconds; /* since the watch began */
    struct xb_judgement judgement;
    uint64_t samples;
};

/* What came of it. */
struct xb_watched {
    struct xb_phase *phases; /* n_phases, without a gap */
    size_t n_phases;
    size_t skipped; /* of them, at the start, that the verdict leaves out */
    double seconds; /* all phases */
    struct xb_judgement verdict;
    /* Findings of the phase that shows the verdict best, by probe; NULL where there is none. */
    const struct xb_findings *evidence;
    size_t evidence_phase;
    /* By probe: code 0 where it took part to the end. */
    struct xb_reason without[XB_WATCH_PROBES];
    uint64_t samples;
    double cpu_s;       /* CPU time of the program while it was watched */
    double watch_cpu_s; /* and of this process for watching it, probes included */
    /* What all probes and the watch itself took, as a share of the program's CPU time, or of one CPU's
     * where it uses less than that; NaN if it was not watched. */
    double overhead;
    size_t most_processes, most_threads; /* seen at the same time */
    char note[XB_WATCH_NOTES][160];      /* what else a reader should know, one clause each */
    size_t n_notes;
};

struct xb_watch;

/* Forks the command, which waits before exec, or looks for the process; opens the probes that can work
 * here. From here to xb_watch_close() the signals that end programs are blocked: they go to the
 * command, as it would get them without us. One thread, one watch at a time, and no other children of
 * this process. 0, or -errno with `why`: -ESRCH no such process. */
int xb_watch_open(const struct xb_watching *asked, struct xb_watch **out, struct xb_reason *why);

/* Lets the command go, and watches until the time is over, all is dead, or a signal ends it. `out` is
 * good until xb_watch_close(). 0, or -errno with `why`: -ENOENT the command is not there, -EACCES (or
 * another) it cannot be executed, -ENOMEM. */
int xb_watch_run(struct xb_watch *watch, struct xb_watched *out, struct xb_reason *why);

/* Waits for the command's end, however long that takes. Returns its exit code, or 128 and the signal
 * that killed it; 0 where a process was watched, 130 where a signal ended that or, given twice, this. */
int xb_watch_wait(struct xb_watch *watch);

/* Gives all back. A command that still runs is left alone. Accepts NULL. */
void xb_watch_close(struct xb_watch *watch);

#endif
