/* Which execution model, and how many workers, would help a program: predicted by running a mimic of it
 * (core/mimic.h) under each. */
#ifndef XB_CORE_ADVICE_H
#define XB_CORE_ADVICE_H

#include "../base/reason.h"
#include "../stats/median.h"
#include "bound.h"
#include "mimic.h"
#include "topology.h"
#include "trial.h"

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct xb_model;

/* Models, and counts of workers up to XB_ADVICE_WORKERS in powers of two. */
enum { XB_ADVICE_MODELS = 3, XB_ADVICE_COUNTS = 7, XB_ADVICE_WORKERS = 64 };
enum { XB_ADVICE_ROWS = XB_ADVICE_MODELS * XB_ADVICE_COUNTS, XB_ADVICE_TEXT = 240 };

/* What is known of the program. Owned by who asks. */
struct xb_advice_ask {
    const struct xb_judgement *judgement; /* how the time of its threads divides */
    uint32_t watched_at;                  /* workers it was told to have; 0: not known */
    double threads;                       /* that took part, on average; NaN: not known */
    double cpus;                          /* that it used, on average of all its time; NaN */
    double wait_ns;                       /* mean length of a wait; NaN */
    double fsync_share; /* of its waiting for a disk, for files to be durable; NaN */
    bool one_lane;      /* it is one thread, whatever the number of workers */
    double far_cpus;    /* that used, on this machine, whom it waits for over the network; NaN */
    uint32_t far_lanes; /* threads that share in that; 0: not known */
    const struct xb_capacity *capacity; /* of this machine's memory; NULL: not known */
    const struct xb_registry *registry;
    const struct xb_topology *topology;
    const char *scratch_dir; /* an existing directory, on the disk that it reads */
    uint32_t most_workers;   /* to try; 0: as many as may help */
    uint64_t budget_ns;      /* for measuring, after set-up; 6 rounds are taken at least */
    const volatile sig_atomic_t *stop; /* may be NULL */
};

/* How a lone worker's time divides, as far as the judgement tells, and what had to be assumed. It is
 * `serial`, and of the rest `far`, and of the rest of that what the mimic does. */
struct xb_advice_shares {
    double share[XB_USES]; /* of the mimic's time; 1 in all */
    double serial;         /* while it does what cannot be shared out */
    double far;            /* CPU time, on this machine, of whom it waits for over the network */
    uint32_t far_lanes;    /* that do it, >= 1 where there is any */
    /* Waiting for a far end of which nothing is known: an upper bound of what that can do at a time. */
    double far_unknown;
    char note[XB_ADVICE_TEXT]; /* what cannot be known, or was assumed; "" */
};

struct xb_advice_row {
    const char *model;
    uint32_t workers;
    /* Throughput over that of one worker of the first model: of the upper quartiles over rounds, and the
     * 95 % interval of the bootstrap; completed, see xb_advice_complete(). NaN with `why` where it could
     * not be measured. */
    struct xb_interval gain;
    struct xb_reason why;
};

struct xb_advice {
    struct xb_advice_shares lone; /* what the mimic was made to fit */
    double got[XB_USES];          /* and how one worker of it divided its time, measured */
    double user_share;            /* its CPU time over wall time, measured */
    uint32_t cpus;                /* that this process may use */
    struct xb_advice_row row[XB_ADVICE_ROWS];
    size_t n_rows; /* the first one is a single worker */
    size_t rounds;
    double took_s;
    /* Filled by xb_advice_conclude(). */
    size_t best;   /* the row of the highest gain */
    size_t enough; /* the one of fewest workers within 5 % of that; of those, the best */
    char reason[XB_ADVICE_TEXT];
    char doubt[XB_ADVICE_TEXT]; /* that the figures are uncertain; "" */
};

/* 0; -ENODATA with `why` where the judgement names nothing, -EINVAL where its shares do not add up to 1
 * within 2 %. Pure. */
int xb_advice_divide(const struct xb_advice_ask *ask, struct xb_advice_shares *out,
                     struct xb_reason *why);

/* Goes from gains of the mimic, as measured, to those of the program: adds the part that cannot be shared
 * out, and the far end. Of the latter the intervals' lower ends hold that one of which nothing is known
 * answers one worker at a time. Pure.
 * Source: G. M. Amdahl, AFIPS 1967; the rest as a flow-equivalent server, Chandy, Herzog and Woo, IBM
 * J. Res. Dev. 19 (1975). */
void xb_advice_complete(struct xb_advice *advice);

/* Fills best, enough, reason and doubt from what is measured. At least one row has a gain. Pure. */
void xb_advice_conclude(struct xb_advice *advice);

/* Makes a mimic, and measures it under threads, processes and loop with 1, 2, 4 ... workers, in
 * rounds; takes 3 to 8 s. The calling process has one thread, and may have no other children.
 * `out`: the caller's. 0, or -errno with `why`: as xb_advice_divide(); -ENOENT where the registry lacks
 * what the mimic is made of; -EINTR if `stop` became non-zero; what a lone worker of it failed of. */
int xb_advice_measure(const struct xb_advice_ask *ask, struct xb_advice *out,
                      struct xb_reason *why);

/* A prediction held against the truth. */
struct xb_advice_check {
    const char *model; /* whose gains are compared */
    uint32_t workers;  /* predicted for it: fewest within 5 % of the best */
    uint32_t fastest;  /* measured */
    double behind;     /* how much longer than with those it takes with the predicted count */
    double off;   /* the error of the gain predicted for it, relative to the true one; or NaN */
    double worst; /* the largest of all counts */
    uint32_t worst_at; /* with so many workers */
};

/* The gain over one worker of the same model, as a program's is that has only one: its interval leaves
 * out that of the one. NaN where it was not measured. Pure. */
struct xb_interval xb_advice_predict(const struct xb_advice *advice, const char *model,
                                     uint32_t workers);

/* Compares them for `model`, of a row. 0; -ENODATA where no two counts were both predicted and
 * measured. Pure. */
int xb_advice_compare(const struct xb_advice *advice, const struct xb_trial *trial,
                      const char *model, struct xb_advice_check *out);

/* The row of a model and count; NULL if there is none. */
const struct xb_advice_row *xb_advice_find(const struct xb_advice *advice, const char *model,
                                           uint32_t workers);

#endif
