/* What is found of a phase of a program's run: how its time divides, and clues on that; and what of the machine
 * it is judged by. */
#ifndef XB_STATS_FINDINGS_H
#define XB_STATS_FINDINGS_H

#include "../base/syscalls.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

/* What can bound a program. The last two are verdicts; as a part of user mode, XB_BOUND_MIXED is what
 * waits for a cache or DRAM where it is not known which, and XB_BOUND_UNKNOWN what nobody can name. */
enum xb_bound {
    XB_BOUND_CPU,    /* computing, its data in registers and the first cache */
    XB_BOUND_CACHE,  /* waiting for a cache beyond the first */
    XB_BOUND_MEMORY, /* waiting for DRAM */
    XB_BOUND_IO,     /* waiting for disk, network or pipes, and the kernel's work for them */
    XB_BOUND_SYNC,   /* waiting for other workers or a timer */
    XB_BOUND_KERNEL, /* the kernel's other work: page faults, mappings, processes */
    XB_BOUNDS,
    XB_BOUND_MIXED = XB_BOUNDS,
    XB_BOUND_UNKNOWN
};

/* Where it waits; XB_LEVEL_NONE where that cannot be said. */
enum xb_level {
    XB_LEVEL_NONE,
    XB_LEVEL_L1,
    XB_LEVEL_L2,
    XB_LEVEL_LLC,
    XB_LEVEL_DRAM,
    XB_LEVEL_DISK,
    XB_LEVEL_NETWORK,
    XB_LEVEL_LOCK,
    XB_LEVEL_TIMER,
    XB_LEVELS
};

/* What is divided. The time of a phase is that of all threads that did anything in it; each of its
 * parts is bound by something, or is CPU time in user mode or the kernel and divided further. */
enum xb_whole { XB_WHOLE_TIME, XB_WHOLE_USER, XB_WHOLE_KERNEL, XB_WHOLES };

struct xb_part {
    enum xb_whole of;    /* what it is a part of */
    enum xb_whole is;    /* XB_WHOLE_USER or _KERNEL: CPU time of that kind; _TIME: see `bound` */
    enum xb_bound bound; /* XB_BOUND_UNKNOWN: spent, and nobody can say on what */
    enum xb_level level;
    double share; /* 0 to 1; those that one probe gives of one whole add up to 1 */
};

/* One figure, and the sentence about it that a person can check by other means. */
struct xb_clue {
    const char *name; /* lower_case, its unit last: "working_set_bytes"; static */
    double value;     /* NaN: words only */
    char text[200];
};

enum { XB_PARTS_MAX = 48, XB_CLUES_MAX = 16 };

/* What one probe says of one phase. */
struct xb_findings {
    struct xb_part part[XB_PARTS_MAX];
    size_t n_parts;
    struct xb_clue clue[XB_CLUES_MAX];
    size_t n_clues;
    double weight[XB_WHOLES]; /* 0 to 1: how far its division of that whole can be trusted */
    /* 1: its threads spin, or sleep on a lock, so much for each other that together they get done no more than one
     * would alone; 0: they do not, or it is not known. */
    double turns;
    /* 1: one of its threads waits for caches or DRAM, and another that runs as much hardly ever; 0: they are
     * alike, or it is not known. */
    double unlike;
    uint64_t samples; /* looks or samples that it rests on */
    /* Of the program's time, what the probe took beside the CPU time of its calls; or NaN. */
    double overhead;
};

/* Add to findings; what does not fit is left out. The format's arguments make the sentence. */
static inline void xb_add_part(struct xb_findings *findings, struct xb_part part)
{
    if (findings->n_parts < XB_PARTS_MAX)
        findings->part[findings->n_parts++] = part;
}

/* What waiting for that is bound by, as a part of a whole. */
static inline struct xb_part xb_part_of_wait(enum xb_whole of, enum xb_wait wait, double share)
{
    static const struct {
        enum xb_bound bound;
        enum xb_level level;
    } means[XB_WAITS] = {
        [XB_WAIT_UNKNOWN] = { XB_BOUND_UNKNOWN, XB_LEVEL_NONE },
        [XB_WAIT_DISK] = { XB_BOUND_IO, XB_LEVEL_DISK },
        [XB_WAIT_NETWORK] = { XB_BOUND_IO, XB_LEVEL_NETWORK },
        [XB_WAIT_PIPE] = { XB_BOUND_IO, XB_LEVEL_NONE },
        [XB_WAIT_LOCK] = { XB_BOUND_SYNC, XB_LEVEL_LOCK },
        [XB_WAIT_TIMER] = { XB_BOUND_SYNC, XB_LEVEL_TIMER },
        [XB_WAIT_KERNEL] = { XB_BOUND_KERNEL, XB_LEVEL_NONE },
        [XB_WAIT_SIGNAL] = { XB_BOUND_SYNC, XB_LEVEL_NONE },
        [XB_WAIT_CHILD] = { XB_BOUND_SYNC, XB_LEVEL_NONE },
        [XB_WAIT_STOPPED] = { XB_BOUND_UNKNOWN, XB_LEVEL_NONE },
        [XB_WAIT_MEETING] = { XB_BOUND_UNKNOWN, XB_LEVEL_NONE },
        [XB_WAIT_RING] = { XB_BOUND_UNKNOWN, XB_LEVEL_NONE },
    };
    return (struct xb_part){ .of = of,
                             .is = XB_WHOLE_TIME,
                             .bound = means[wait].bound,
                             .level = means[wait].level,
                             .share = share };
}

__attribute__((format(printf, 4, 5))) static inline void
xb_add_clue(struct xb_findings *findings, const char *name, double value, const char *format, ...)
{
    if (findings->n_clues == XB_CLUES_MAX)
        return;
    struct xb_clue *clue = &findings->clue[findings->n_clues++];
    clue->name = name;
    clue->value = value;
    va_list args;
    va_start(args, format);
    vsnprintf(clue->text, sizeof clue->text, format, args);
    va_end(args);
}

/* The machine as measured, by enum xb_level from L1 to DRAM. NaN where it is not known. */
struct xb_capacity {
    double bytes[XB_LEVEL_DRAM];             /* of the caches */
    double latency_ns[XB_LEVEL_DRAM + 1];    /* per dependent load */
    double load_gb_per_s[XB_LEVEL_DRAM + 1]; /* of one core */
    double skid;      /* 1: timer interrupts point behind the load that was waited for; 2: at it */
    double sample_ns; /* that a sample of the stalls costs the program */
};

/* The size of a cache as it was measured; else as libc has it from the CPU, or one that is common.
 * `capacity` may be NULL. */
static inline double xb_cache_bytes(const struct xb_capacity *capacity, enum xb_level level)
{
    static const struct {
        int name;
        double common;
    } caches[XB_LEVEL_DRAM] = { [XB_LEVEL_L1] = { _SC_LEVEL1_DCACHE_SIZE, 32 << 10 },
                                [XB_LEVEL_L2] = { _SC_LEVEL2_CACHE_SIZE, 1 << 20 },
                                [XB_LEVEL_LLC] = { _SC_LEVEL3_CACHE_SIZE, 32 << 20 } };
    if (capacity && capacity->bytes[level] > 0)
        return capacity->bytes[level];
    long claimed = sysconf(caches[level].name);
    return claimed > 0 ? (double)claimed : caches[level].common;
}

#endif
