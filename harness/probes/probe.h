/* What a probe is: one kind of evidence on what bounds a program, gathered while it runs.
 *
 * A probe never judges. It says how the time of a phase divides, as far as it can see, and in words
 * what a person can check; core/bound.h makes a verdict of what all probes say. */
#ifndef XB_PROBES_PROBE_H
#define XB_PROBES_PROBE_H

#include "../base/procfs.h"
#include "../base/reason.h"
#include "../stats/findings.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/types.h>

/* What a probe may know. Owned by who calls it; as it is at the time of each call. */
struct xb_scene {
    pid_t root;                  /* the first process */
    bool started;                /* ours, and has not called exec yet when probes are opened */
    const char *const *argv;     /* the command, or NULL where a running process is watched */
    const struct xb_task *tasks; /* threads of the whole tree, found before each poll */
    size_t n_tasks;
    const struct xb_capacity *capacity;
    /* A futex word of the program's, in each of its processes, that is no part of what it does: who has it
     * watched has its threads meet there between two pieces of work. NULL: there is none. */
    const void *meeting;
    bool free_to_look; /* nobody measures it now: what probes take of its time does not matter */
    /* Tells the user one line on what takes a while, such as "stall: ..."; NULL: nobody listens. */
    void (*tell)(const char *line);
};

/* A file in this folder defines one of these, const, named xb_probe_<file stem>. All functions are
 * called by one thread. */
struct xb_probe {
    const char *name;
    const char *summary; /* what it looks at */
    bool on_request;     /* only with --probes NAME: it costs more than watching does */
    bool from_outside;   /* only reads files of /proc: the program runs on as if nobody looked */
    /* Can it work here? 0, or -errno with one clause in `why`: what is missing, and what to do.
     * May be called often; leaves nothing open. */
    int (*probe)(struct xb_reason *why);
    /* Opens it on a program. What it then needs to know of a thread it finds in `scene`, which
     * lives as long as what is opened. 0 or -errno with `why`. */
    int (*open)(const struct xb_scene *scene, void **out, struct xb_reason *why);
    /* A phase begins, is looked at (about every 10 ms, at uneven distances), and ends: findings of
     * it are added to zeroed `out`. `now_ns`: xb_now_ns(). `end` may be called once all threads are
     * dead. 0, or -errno with `why`: the probe is then closed, and said to have failed. */
    int (*begin)(void *probe, uint64_t now_ns);
    int (*poll)(void *probe, uint64_t now_ns);
    int (*end)(void *probe, uint64_t now_ns, struct xb_findings *out, struct xb_reason *why);
    void (*close)(void *probe); /* accepts NULL */
};

/* For probes that look before the command begins, and say the same in each phase: what they have open are
 * the findings. `tells`: what the user is told first; `look` adds to zeroed findings, or is -errno with `why`. */
static inline int xb_open_findings(const struct xb_scene *scene, const char *tells,
                                   int (*look)(const struct xb_scene *scene,
                                               struct xb_findings *out, struct xb_reason *why),
                                   void **out, struct xb_reason *why)
{
    if (scene->tell)
        scene->tell(tells);
    struct xb_findings *findings = (struct xb_findings *)calloc(1, sizeof *findings);
    if (!findings)
        return xb_because(why, -ENOMEM, "out of memory");
    int err = look(scene, findings, why);
    if (err)
        free(findings);
    else
        *out = findings;
    return err;
}

static inline int xb_begin_findings(void *findings, uint64_t now_ns)
{
    (void)findings;
    (void)now_ns;
    return 0;
}

static inline int xb_end_findings(void *findings, uint64_t now_ns, struct xb_findings *out,
                                  struct xb_reason *why)
{
    (void)now_ns;
    (void)why;
    *out = *(const struct xb_findings *)findings;
    return 0;
}

#endif
