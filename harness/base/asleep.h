/* For how long a thread has been asleep. */
#ifndef XB_BASE_ASLEEP_H
#define XB_BASE_ASLEEP_H

#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* The scheduler says when a thread last ran by a clock of that CPU (rq_clock_task()), which stands still while a
 * hypervisor runs somebody else (CONFIG_PARAVIRT_TIME_ACCOUNTING) or an interrupt is handled
 * (CONFIG_IRQ_TIME_ACCOUNTING): on a guest of two CPUs they were 8 ms apart after 37 minutes, and 0.5 s behind
 * CLOCK_MONOTONIC. So each is compared with a thread of our own that runs there. */
struct xb_asleep {
    bool works; /* the kernel tells it: CONFIG_SCHED_DEBUG */
    struct {
        uint64_t at_ns;    /* when it was compared; 0: never */
        int64_t behind_ns; /* xb_now_ns(); INT64_MIN: we may not run there */
    } cpu[CPU_SETSIZE];
};

/* Begins. `works` is false where the kernel does not tell. */
void xb_asleep_open(struct xb_asleep *asleep);

/* Gets ready to say it of threads that last ran on `cpu`: runs there for a moment, 50 us, if that was not done
 * in the last 100 ms. False: that cannot be said. */
bool xb_asleep_ready(struct xb_asleep *asleep, int cpu);

/* How long, in ns, by the `text` of its file `sched` that was read by now. Only true if it has not run since
 * before that was read. `cpu`: it last ran there, and that is ready. False where the text does not tell. */
bool xb_asleep_for(const struct xb_asleep *asleep, int cpu, const char *text, uint64_t *age_ns);

/* Such an age was impossible, as time was taken from that CPU: it is compared anew. */
void xb_asleep_doubt(struct xb_asleep *asleep, int cpu);

#endif
