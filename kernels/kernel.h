/* What a kernel is: one named, bounded piece of work that can check its own answer.
 *
 * This room includes nothing from the others, and its objects need no symbol outside libc and
 * libm; everything else arrives through the structs below. */
#ifndef XB_KERNELS_KERNEL_H
#define XB_KERNELS_KERNEL_H

#include "io.h"

#include <stdbool.h>
#include <stdio.h> /* IWYU pragma: export - xb_explain needs snprintf */

/* The class a kernel claims to be bound by; names in xb_class_name(). */
enum xb_class {
    XB_CLASS_CPU,
    XB_CLASS_CACHE,
    XB_CLASS_MEMORY,
    XB_CLASS_IO,
    XB_CLASS_SYNC, /* waiting for other workers */
    XB_CLASSES,
    /* No kernel's own, but what a cell can be bound by besides, see xb_kernel.bound_of: page faults,
     * mappings, processes, and system calls that neither wait nor move bytes. */
    XB_CLASS_KERNEL = XB_CLASSES,
    XB_CLASS_NAMES
};

/* Working set as a relation to the machine; the harness turns it into bytes per worker. */
enum xb_fit {
    XB_FIT_OWN,  /* xb_kernel.own_bytes, the same on every machine */
    XB_FIT_L1,   /* half of the L1 data cache */
    XB_FIT_L2,   /* half of the L2 */
    XB_FIT_LLC,  /* half of this worker's share of the last-level cache */
    XB_FIT_DRAM, /* four times the last-level cache; two to four times one above 128 MiB */
};

enum xb_need {
    XB_NEED_NOTHING = 0,
    XB_NEED_BYTES = 1u << 0,      /* obeys params.bytes; the others have a size of their own */
    XB_NEED_FILES = 1u << 1,      /* awaits operations on regular files */
    XB_NEED_DEPTH = 1u << 2,      /* keeps up to params.depth operations in flight */
    XB_NEED_URL = 1u << 3,        /* obeys params.url */
    XB_SHOWS_LATENCY = 1u << 4,   /* ns per item is one dependent load: sizes show the caches */
    XB_SHOWS_BANDWIDTH = 1u << 5, /* GB/s read is that of the level that holds the set */
    XB_NEED_LIMIT = 1u << 6,      /* outgrows --memory-limit with a file, and then waits for it */
    XB_NEED_TEAM = 1u << 7,       /* awaits operations of sync.h */
    XB_AWAITS_OTHERS = 1u << 8,   /* class sync: waits for other workers through descriptors */
    XB_TAKES_FILE = 1u << 9,      /* obeys params.file */
};

/* Instruction set variants, in rising order within one architecture. */
enum xb_isa {
    XB_ISA_BASE,   /* what the compiler was told: SSE2 on x86-64, NEON on aarch64 */
    XB_ISA_AVX2,   /* AVX2 and FMA */
    XB_ISA_AVX512, /* AVX-512 F, VL, DQ and BW */
    XB_ISAS
};

/* Zeroed, cache-line aligned memory that every worker of the team can see, processes included.
 * Owned by the harness, gone when the cell ends. */
struct xb_memory {
    /* `align`: a power of two, in bytes. NULL when exhausted. Before the workers exist only. */
    void *(*take)(struct xb_memory *memory, size_t bytes, size_t align);
};

#define XB_WHY_BYTES 160

struct xb_params {
    size_t bytes;            /* working set per worker, resolved from `fit`; >= 1 */
    uint32_t workers;        /* team size, >= 1 */
    uint32_t index;          /* this worker, 0 .. workers-1; 0 in team callbacks */
    uint32_t depth;          /* I/O operations to keep in flight, >= 1 */
    enum xb_isa isa;         /* the variant to run: one of the kernel's, and the CPU has it */
    uint64_t seed;           /* equal seeds give equal work and equal checksums */
    const char *file;        /* the user's --file, or NULL: generate one */
    const char *url;         /* the user's --url, or NULL: serve one */
    const char *scratch_dir; /* an existing directory for generated files */
    const void *recipe;      /* of a kernel that the harness puts together at run time; else NULL */
    char *why;               /* XB_WHY_BYTES: one clause for the user when a callback fails */
};

/* Says why a callback fails and gives its code back: return xb_explain(params, -ENOENT, "...").*/
#define xb_explain(params, code, ...) (snprintf((params)->why, XB_WHY_BYTES, __VA_ARGS__), (code))

/* What run() did, over all its iterations. Exact, not estimated; counted from what was done. */
struct xb_work {
    uint64_t items;         /* in units of xb_kernel.item */
    uint64_t bytes_read;    /* payload the kernel asked for, not cache-line traffic */
    uint64_t bytes_written; /* the same */
    uint64_t flops;         /* floating-point operations; a fused multiply-add is two */
    uint64_t checksum;      /* same for same params and iters, under every model */
    uint64_t outcome;       /* of what xb_kernel.outcome names */
};

/* So that verify() may compare with memcmp(). */
_Static_assert(sizeof(struct xb_work) == 6 * sizeof(uint64_t), "xb_work has no padding");

/* What a claim can be about. Each is a ratio the harness computes where its inputs exist. */
enum xb_ratio {
    XB_RATIO_IPC,         /* instructions per cycle */
    XB_RATIO_L1D_MPKI,    /* L1 data misses per 1000 instructions */
    XB_RATIO_LLC_MPKI,    /* last-level misses per 1000 instructions */
    XB_RATIO_BRANCH_MPKI, /* mispredicted branches per 1000 instructions */
    XB_RATIO_OUTCOME,     /* xb_work.outcome per item */
    /* Below: what neighbours on a shared machine take is missing too, so a kernel that only
     * computes should claim no more than 0.7; those that wait have less than 0.6. */
    XB_RATIO_USER_SHARE, /* user-mode CPU time / (wall time x CPUs that the lanes can use) */
    XB_RATIOS
};

/* One falsifiable consequence of the claimed class, e.g. "last-level MPKI at least 5". */
struct xb_claim {
    enum xb_ratio ratio;
    double at_least, at_most; /* inclusive; -INFINITY / INFINITY for one-sided */
};

/* A cell, as far as it decides what its workers wait for. */
struct xb_crowd {
    uint32_t workers; /* >= 1 */
    uint32_t lanes;   /* threads or processes that they live on, 1 .. workers */
    uint32_t cpus;    /* that the lanes can use at once, 1 .. lanes */
    /* What workers are, and one more of them would be; threads if neither. */
    bool processes, coroutines;
    /* Files are read and written by threads of a pool: each operation is handed to another thread and back. */
    bool pools_files;
};

/* Handed to run(): all that a body may reach. */
struct xb_run {
    const struct xb_params *params;
    struct xb_io *io; /* non-NULL even for kernels that never use it */
    void *team;       /* what team_setup() produced, or NULL */
};

/* A kernel file defines exactly one of these, const, with external linkage, named
 * xb_kernel_<folder>_<file stem>. Callbacks return 0 or -errno; on failure they may fill
 * params->why. -ENOTSUP from team_setup or setup says that this machine or file cannot have it: the
 * cell is then skipped with that reason rather than failed. Order of calls in a cell:
 *   team_setup, then in each worker: setup, (begin, run..., settle)*, verify, teardown; team_teardown.
 * Where the class is cpu, cache or memory, an xb-loop comment beside the hot loop says which
 * instructions it holds, and a test looks for them: harness/README.md, "What a loop holds". */
struct xb_kernel {
    const char *name;       /* folder/stem, as in "cpu/mix64" */
    const char *summary;    /* one clause for `xbound list` */
    const char *source;     /* paper, manual section or project the technique is from */
    const char *item;       /* singular noun for xb_work.items: "load", "round trip" */
    const char *latency_of; /* what marked operations span, if not one item; or NULL */
    const char *outcome;    /* what xb_work.outcome counts ("lost_updates"), or NULL. "deadlocks":
                             * that its workers may wait for each other forever is the subject */
    const char *remark;     /* for verdict_evidence: a clause that no figure can say; or NULL */
    enum xb_class bound;    /* must agree with the folder */
    /* What a cell is bound by, where that can be another class than `bound`: a kernel stands beside those
     * that it is to be compared with, and may be there to show what is left without their bound. It is
     * what probes are held to, so it is argued in the kernel's file from what the work waits for. Pure.
     * NULL: the class, but see xb_kernel_bound(). */
    enum xb_class (*bound_of)(const struct xb_crowd *crowd);
    enum xb_fit fit;
    size_t own_bytes; /* XB_FIT_OWN only */
    unsigned needs;   /* enum xb_need, or-ed */
    unsigned isas;    /* bit (1u << enum xb_isa) for each variant in the file; 0: plain C only */
    const struct xb_claim *claims;
    size_t n_claims;

    /* Once per cell, before any worker exists, on an ordinary stack. Optional: to have it means that
     * workers share something, and take another time together than alone. Such a kernel is
     * calibrated anew for each number of workers; of any other, one worker tells of all. */
    int (*team_setup)(const struct xb_params *params, struct xb_memory *memory, void **team);
    /* Once per worker, already bound to its CPU: allocate and touch memory here. Optional. */
    int (*setup)(const struct xb_params *params, void *team, void **state);
    /* Before every sample, outside the measured window: makes ready for work that verify() can
     * check by itself. Where the working set is larger than what one sample covers, the sample
     * goes on where the last one ended: started over, it would find its data in a cache. Equal
     * seeds and iters give equal work in the k-th sample, under every model. Cheap. Optional. */
    void (*begin)(void *state);
    /* The measured region. Adds to `did`. No allocation, no logging, no clock, no atomics that
     * are not the subject, under 16 KiB of stack (it may stand on a coroutine's). `iters` >= 1
     * is chosen by the harness, which may cut it: run(a) then run(b) does the work of run(a+b)
     * and leaves the same sum in `did`. Required. */
    int (*run)(struct xb_run *run, void *state, uint64_t iters, struct xb_work *did);
    /* In worker 0, when every worker has done its work, outside the measured window: adds what shows
     * only then, such as an outcome. Optional. */
    void (*settle)(void *team, void *state, struct xb_work *did);
    /* Recomputes by a different route what `did` should say after one begin() and run() calls
     * of `iters` in sum. -EBADMSG if any field differs. May change `state`.
     * Required: a kernel that cannot check itself does not go in. */
    int (*verify)(const struct xb_params *params, void *team, void *state, uint64_t iters,
                  const struct xb_work *did);
    void (*teardown)(void *state);     /* accepts NULL and a state that setup() left half-way */
    void (*team_teardown)(void *team); /* the same */
};

/* What such a cell is bound by. Of the class sync, one that is alone has nobody to wait for, and computes;
 * a kernel that waits then too has a bound_of(). */
static inline enum xb_class xb_kernel_bound(const struct xb_kernel *kernel,
                                            const struct xb_crowd *crowd)
{
    if (kernel->bound_of)
        return kernel->bound_of(crowd);
    return kernel->bound == XB_CLASS_SYNC && crowd->workers == 1 ? XB_CLASS_CPU : kernel->bound;
}

/* Whether the work waits for other things than a CPU, so that its CPU time is not its time. Of the
 * class sync, what awaits nothing waits for cache lines at most, and a CPU does that. */
static inline int xb_kernel_waits(const struct xb_kernel *kernel)
{
    return kernel->bound == XB_CLASS_IO ||
           (kernel->needs & (XB_NEED_TEAM | XB_NEED_LIMIT | XB_AWAITS_OTHERS)) != 0;
}

#endif
