/* Collects samples of running programs as stalls: which instruction, which kind, which address. */
#ifndef XB_BASE_STALLS_H
#define XB_BASE_STALLS_H

#include "flow.h"
#include "loop.h"
#include "maps.h"
#include "reason.h"
#include "sampler.h"
#include "stall.h"
#include "syscalls.h"
#include "touch.h"

struct xb_stalls;

/* A place in the code that was sampled, and what it stands for. */
struct xb_stall_site {
    struct xb_stall stall;
    pid_t pid;
    uint64_t ip;    /* of the samples; stall.at is the instruction that they waited for */
    size_t samples; /* of them all */
    uint32_t burst; /* in which its code was read last */
    uint64_t code;  /* what was read, as a sum, which is the same for the same code elsewhere */
    bool has_registers;
    struct xb_registers registers; /* of the last sample */
};

/* Whether it is one of the loop's instructions, which is code of process `pid`. */
static inline bool xb_site_in_loop(const struct xb_stall_site *site, pid_t pid,
                                   const struct xb_loop *loop)
{
    return site->pid == pid && xb_loop_index(loop, site->ip) < loop->n;
}

/* What became of a sample's address. */
enum xb_address_fate {
    XB_FATE_NONE, /* the instruction has none */
    XB_FATE_KNOWN,
    XB_FATE_OFFSET, /* how far it was from a base that is overwritten */
    XB_FATE_LOST,   /* overwritten, in a vector, or nothing is mapped there */
};

struct xb_stalled {
    uint64_t address; /* or offset; 0 unless it is known */
    uint64_t time_ns; /* CLOCK_MONOTONIC */
    uint32_t site;    /* an index into the sites */
    pid_t tid;
    uint32_t burst; /* which xb_stalls_begin() it followed, from 1 on */
    enum xb_address_fate fate;
    bool is_shared; /* a known address is in memory that processes share */
    /* Behind a system call: what that works for (xb_work_of_call()); else XB_WAIT_UNKNOWN. */
    enum xb_wait work;
    /* XB_FATE_LOST: the size of what its base register points into, if that is memory that was mapped
     * for itself, as large arrays are: the set is no larger, and rarely much smaller. Else 0. */
    uint64_t within_bytes;
};

/* `out`: the caller's, back with xb_stalls_close(). 0, or -errno with `why`: as xb_decoder_open(). One
 * thread at a time. */
int xb_stalls_open(enum xb_skid skid, struct xb_stalls **out, struct xb_reason *why)
    __attribute__((warn_unused_result));

/* Accepts NULL. */
void xb_stalls_close(struct xb_stalls *stalls);

/* Before each burst of sampling: what programs have mapped is read anew, and so is code. */
void xb_stalls_begin(struct xb_stalls *stalls);

/* Has the samples of a sampler that came since taken in. */
void xb_stalls_drain(struct xb_stalls *stalls, struct xb_sampler *sampler);

/* Takes in one sample whose code is given, as xb_stalls_drain() does with code that it reads. */
void xb_stalls_add(struct xb_stalls *stalls, const struct xb_sample *sample,
                   const struct xb_window *window);

/* All samples so far, in the order of their bursts and for each thread in order of time; valid until
 * more come. Samples beyond two million are counted and forgotten. */
const struct xb_stalled *xb_stalls_samples(const struct xb_stalls *stalls, size_t *n);
const struct xb_stall_site *xb_stalls_sites(const struct xb_stalls *stalls, size_t *n);
size_t xb_stalls_forgotten(const struct xb_stalls *stalls);

/* The loop that a site of the last burst lies in. False: see xb_loop_find(), or its code is gone. */
bool xb_stalls_loop(struct xb_stalls *stalls, const struct xb_stall_site *site, struct xb_loop *out)
    __attribute__((warn_unused_result));

/* What that loop computes: see xb_flow_find(). */
void xb_stalls_flow(struct xb_stalls *stalls, const struct xb_stall_site *site,
                    const struct xb_loop *loop, const double *latency, struct xb_flow *out);

/* What the processes have mapped: for the name of a module. */
const struct xb_maps *xb_stalls_maps(const struct xb_stalls *stalls);

/* A sample with a known address as a touch: equal addresses of two processes are told apart,
 * unless they share that memory. `sites`:
 * those of the samples. Pure. */
struct xb_touch xb_stall_touch(const struct xb_stall_site *sites, const struct xb_stalled *stalled);

#endif
