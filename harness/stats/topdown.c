/* SPDX-License-Identifier: BSD-3-Clause
 * Divides a core's slots into what became of them.
 *
 * Events are named with their PMU in front, so that no CPU's event is taken for another's: a slot is
 * a fourth of a cycle here and a fifth there. A count that is missing is NaN, and so is then every
 * share that needs it. Intel's own level 1 counters since Ice Lake (PERF_METRICS) are not used: they
 * have to be read in one group behind their slots, and PAPI 7.0 takes multiplexed groups apart. */
#include "topdown.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>

/* Extrapolated counts miss a share by so much. */
#define SLACK 0.1
/* Slots that a core's other thread took are in no share; more than that it does not take. */
#define SLOTS_LEAST 0.4

static double part_of(double part, double whole)
{
    return whole > 0 ? part / whole : NAN;
}

/* Share of the empty back-end slots in which a load or a full store buffer was waited for: of the
 * cycles in which too few operations began, by how many began.
 * `stalls`: STALLS_MEM_ANY, STALLS_TOTAL, 1_PORTS_UTIL, 2_PORTS_UTIL, BOUND_ON_STORES. */
static void divide_backend(const double *stalls, double *share)
{
    double few = stalls[2] + share[XB_TOPDOWN_RETIRING] * stalls[3];
    double memory = part_of(stalls[0] + stalls[4], stalls[1] + few + stalls[4]);
    share[XB_TOPDOWN_MEMORY] = share[XB_TOPDOWN_BACKEND] * memory;
    share[XB_TOPDOWN_CORE] = share[XB_TOPDOWN_BACKEND] * (1 - memory);
}

/* Shares out the slots that wait for memory by cycles: those in which a load was waited for are its that
 * has not missed yet. `miss`: cycles with one that has missed the L1, the L2, the L3; `loads`, `stores`:
 * with any, and with a full store buffer. `of_l2`: of those in the L2, the part that is there; the rest
 * waits for one of the fill buffers, and these for DRAM.
 * Who waits for memory misses the L1 now and then: a counter that stands still there says nothing. */
static void divide_memory(const double *miss, double loads, double stores, double of_l2,
                          double *share)
{
    double l2 = of_l2 * (miss[0] - miss[1]), all = miss[0] > 0 ? loads + stores : NAN;
    double memory = share[XB_TOPDOWN_MEMORY];
    share[XB_TOPDOWN_L1] = memory * part_of(loads - miss[0], all);
    share[XB_TOPDOWN_L2] = memory * part_of(l2, all);
    share[XB_TOPDOWN_LLC] = memory * part_of(miss[1] - miss[2], all);
    share[XB_TOPDOWN_DRAM] = memory * part_of(miss[2] + (miss[0] - miss[1]) - l2, all);
    share[XB_TOPDOWN_STORES] = memory * part_of(stores, all);
}

/* `hits`: loads from the L2, from a line that is on its way, and all that missed the L1; and how often, or
 * for how long, fill buffers were full. */
static double part_of_l2(const double *hits)
{
    double loads = hits[0] * (1 + (hits[1] > 0 ? part_of(hits[1], hits[2]) : hits[1]));
    double all = loads + hits[3];
    return all > 0 ? loads / all : 0 * all;
}

/* `empty_cycles`: in which the front end delivered nothing, of `width` slots each. */
static void divide_frontend(double empty_cycles, double width, double slots, double *share)
{
    share[XB_TOPDOWN_FETCH_LATENCY] = part_of(width * empty_cycles, slots);
    share[XB_TOPDOWN_FETCH_BANDWIDTH] =
        share[XB_TOPDOWN_FRONTEND] - share[XB_TOPDOWN_FETCH_LATENCY];
}

static void divide_skylake(const double *count, double *share)
{
    double slots = 4 * count[0];
    share[XB_TOPDOWN_FRONTEND] = part_of(count[1], slots);
    share[XB_TOPDOWN_RETIRING] = part_of(count[3], slots);
    share[XB_TOPDOWN_BAD_SPECULATION] = part_of(count[2] - count[3] + 4 * count[4], slots);
    share[XB_TOPDOWN_BACKEND] = 1 - share[XB_TOPDOWN_FRONTEND] - share[XB_TOPDOWN_RETIRING] -
                                share[XB_TOPDOWN_BAD_SPECULATION];
    divide_frontend(count[5], 4, slots, share);
    divide_backend(count + 6, share);
    divide_memory(count + 11, count[6], count[10], part_of_l2(count + 14), share);
}

static void divide_icelake(const double *count, double *share)
{
    double slots = count[0];
    share[XB_TOPDOWN_RETIRING] = part_of(count[1], slots);
    share[XB_TOPDOWN_BACKEND] = part_of(count[2], slots);
    share[XB_TOPDOWN_FRONTEND] = part_of(count[3], slots);
    share[XB_TOPDOWN_BAD_SPECULATION] =
        1 - share[XB_TOPDOWN_RETIRING] - share[XB_TOPDOWN_BACKEND] - share[XB_TOPDOWN_FRONTEND];
    share[XB_TOPDOWN_MISPREDICTS] = part_of(count[4], slots);
    share[XB_TOPDOWN_CLEARS] = share[XB_TOPDOWN_BAD_SPECULATION] - share[XB_TOPDOWN_MISPREDICTS];
    divide_frontend(count[5], 5, slots, share);
    divide_backend(count + 6, share);
    divide_memory(count + 11, count[6], count[10], part_of_l2(count + 14), share);
}

static void divide_sapphire_rapids(const double *count, double *share)
{
    double slots = count[0];
    share[XB_TOPDOWN_RETIRING] = part_of(count[1], slots);
    share[XB_TOPDOWN_BACKEND] = part_of(count[2], slots);
    share[XB_TOPDOWN_BAD_SPECULATION] = part_of(count[3], slots);
    share[XB_TOPDOWN_FRONTEND] = 1 - share[XB_TOPDOWN_RETIRING] - share[XB_TOPDOWN_BACKEND] -
                                 share[XB_TOPDOWN_BAD_SPECULATION];
    share[XB_TOPDOWN_MISPREDICTS] = part_of(count[4], slots);
    share[XB_TOPDOWN_CLEARS] = share[XB_TOPDOWN_BAD_SPECULATION] - share[XB_TOPDOWN_MISPREDICTS];
    divide_frontend(count[5], 6, slots, share);
    share[XB_TOPDOWN_MEMORY] = part_of(count[6], slots);
    share[XB_TOPDOWN_CORE] = share[XB_TOPDOWN_BACKEND] - share[XB_TOPDOWN_MEMORY];
    share[XB_TOPDOWN_HEAVY] = part_of(count[7], slots);
    share[XB_TOPDOWN_LIGHT] = share[XB_TOPDOWN_RETIRING] - share[XB_TOPDOWN_HEAVY];
    divide_memory(count + 10, count[8], count[9], 1, share);
}

/* With both threads of a core busy the four do not add up to 1: slots in which the other thread had
 * its turn are a fifth. AMD PPR for family 19h model 11h, "Pipeline Utilization". */
static void divide_zen4(const double *count, double *share)
{
    double slots = 6 * count[0];
    share[XB_TOPDOWN_FRONTEND] = part_of(count[1], slots);
    share[XB_TOPDOWN_BACKEND] = part_of(count[2], slots);
    share[XB_TOPDOWN_RETIRING] = part_of(count[3], slots);
    share[XB_TOPDOWN_BAD_SPECULATION] = part_of(count[4] - count[3], slots);
    divide_frontend(count[5], 6, slots, share);
    double memory = part_of(count[6], count[7]);
    share[XB_TOPDOWN_MEMORY] = share[XB_TOPDOWN_BACKEND] * memory;
    share[XB_TOPDOWN_CORE] = share[XB_TOPDOWN_BACKEND] * (1 - memory);
}

/* The front end's share is what is left: STALL_SLOT_FRONTEND counts a slot too many in each cycle on
 * early N2 (erratum 2001293), which no program can tell. */
static void divide_neoverse(const double *count, double width, double *share)
{
    double slots = width * count[0];
    share[XB_TOPDOWN_BACKEND] = part_of(count[1], slots);
    share[XB_TOPDOWN_RETIRING] = part_of(count[2], slots);
    share[XB_TOPDOWN_BAD_SPECULATION] = part_of(count[3] - count[2], slots);
    share[XB_TOPDOWN_FRONTEND] = 1 - share[XB_TOPDOWN_BACKEND] - share[XB_TOPDOWN_RETIRING] -
                                 share[XB_TOPDOWN_BAD_SPECULATION];
    double memory = part_of(count[5], count[4]); /* of cycles in which nothing was issued */
    share[XB_TOPDOWN_MEMORY] = share[XB_TOPDOWN_BACKEND] * memory;
    share[XB_TOPDOWN_CORE] = share[XB_TOPDOWN_BACKEND] * (1 - memory);
}

static void divide_five_wide(const double *count, double *share)
{
    divide_neoverse(count, 5, share);
}

static void divide_eight_wide(const double *count, double *share)
{
    divide_neoverse(count, 8, share);
}

/* The five that divide_backend() takes. */
#define STALLS(pmu)                                                             \
    pmu "::CYCLE_ACTIVITY:STALLS_MEM_ANY", pmu "::CYCLE_ACTIVITY:STALLS_TOTAL", \
        pmu "::EXE_ACTIVITY:1_PORTS_UTIL", pmu "::EXE_ACTIVITY:2_PORTS_UTIL",   \
        pmu "::EXE_ACTIVITY:BOUND_ON_STORES"

/* The three that divide_memory() takes first, and what part_of_l2() does but for the last. */
#define MISSES(pmu)                                                                \
    pmu "::CYCLE_ACTIVITY:STALLS_L1D_MISS", pmu "::CYCLE_ACTIVITY:STALLS_L2_MISS", \
        pmu "::CYCLE_ACTIVITY:STALLS_L3_MISS", pmu "::MEM_LOAD_RETIRED:L2_HIT",    \
        pmu "::MEM_LOAD_RETIRED:FB_HIT", pmu "::MEM_LOAD_RETIRED:L1_MISS"

#define SKYLAKE(name)                                                                       \
    {                                                                                       \
        .pmu = name, .level1 = 5, .n = 11, .all = 18, .divide = divide_skylake, .events = { \
            name "::UNHALTED_CORE_CYCLES",                                                  \
            name "::IDQ_UOPS_NOT_DELIVERED:CORE",                                           \
            name "::UOPS_ISSUED:ANY",                                                       \
            name "::UOPS_RETIRED:RETIRE_SLOTS",                                             \
            name "::INT_MISC:RECOVERY_CYCLES",                                              \
            name "::IDQ_UOPS_NOT_DELIVERED:CYCLES_0_UOPS_DELIV_CORE",                       \
            STALLS(name),                                                                   \
            MISSES(name),                                                                   \
            name "::L1D_PEND_MISS:FB_FULL:c=1",                                             \
        }                                                                                   \
    }

#define ICELAKE(name)                                                                       \
    {                                                                                       \
        .pmu = name, .level1 = 4, .n = 11, .all = 18, .divide = divide_icelake, .events = { \
            name "::TOPDOWN:SLOTS_P",                                                       \
            name "::UOPS_RETIRED:SLOTS",                                                    \
            name "::TOPDOWN:BACKEND_BOUND_SLOTS",                                           \
            name "::IDQ_UOPS_NOT_DELIVERED:CORE",                                           \
            name "::TOPDOWN:BR_MISPREDICT_SLOTS",                                           \
            name "::IDQ_UOPS_NOT_DELIVERED:CYCLES_0_UOPS_DELIV_CORE",                       \
            STALLS(name),                                                                   \
            MISSES(name),                                                                   \
            name "::L1D_PEND_MISS:FB_FULL_PERIODS",                                         \
        }                                                                                   \
    }

#define NEOVERSE(name, function)                                                    \
    {                                                                               \
        .pmu = name, .level1 = 4, .n = 6, .all = 6, .divide = function, .events = { \
            name "::CPU_CYCLES",                                                    \
            name "::STALL_SLOT_BACKEND",                                            \
            name "::OP_RETIRED",                                                    \
            name "::OP_SPEC",                                                       \
            name "::STALL_BACKEND",                                                 \
            name "::STALL_BACKEND_MEM",                                             \
        }                                                                           \
    }

const struct xb_topdown_family xb_topdown_families[] = {
    SKYLAKE("skl"),
    SKYLAKE("skx"),
    SKYLAKE("clx"),
    ICELAKE("icl"),
    ICELAKE("icx"),
    { .pmu = "spr",
      .level1 = 4,
      .n = 8,
      .all = 13,
      .divide = divide_sapphire_rapids,
      .events = { "spr::TOPDOWN:SLOTS_P", "spr::UOPS_RETIRED:SLOTS",
                  "spr::TOPDOWN:BACKEND_BOUND_SLOTS", "spr::TOPDOWN:BAD_SPEC_SLOTS",
                  "spr::TOPDOWN:BR_MISPREDICT_SLOTS",
                  "spr::IDQ_UOPS_NOT_DELIVERED:CYCLES_0_UOPS_DELIV_CORE",
                  "spr::TOPDOWN:MEMORY_BOUND_SLOTS", "spr::UOPS_RETIRED:HEAVY",
                  "spr::EXE_ACTIVITY:BOUND_ON_LOADS", "spr::EXE_ACTIVITY:BOUND_ON_STORES",
                  "spr::MEMORY_ACTIVITY:STALLS_L1D_MISS", "spr::MEMORY_ACTIVITY:STALLS_L2_MISS",
                  "spr::MEMORY_ACTIVITY:STALLS_L3_MISS" } },
#define ZEN4 "amd64_fam19h_zen4::"
    { .pmu = "amd64_fam19h_zen4",
      .level1 = 5,
      .n = 8,
      .all = 8,
      .divide = divide_zen4,
      .events = { ZEN4 "CYCLES_NOT_IN_HALT", ZEN4 "DISPATCH_STALLS_1:FE_NO_OPS",
                  ZEN4 "DISPATCH_STALLS_1:BE_STALLS", ZEN4 "RETIRED_OPS",
                  ZEN4 "OPS_SOURCE_DISPATCHED_FROM_DECODER:DECODER:OPCACHE:LOOP_BUFFER",
                  ZEN4 "DISPATCH_STALLS_2:FE_NO_OPS",
                  ZEN4 "CYCLES_NO_RETIRE:NOT_COMPLETE_MISSING_LOAD",
                  ZEN4 "CYCLES_NO_RETIRE:NOT_COMPLETE_LOAD_AND_ALU" } },
    NEOVERSE("arm_n2", divide_five_wide),
    NEOVERSE("arm_v1", divide_eight_wide),
    NEOVERSE("arm_v2", divide_eight_wide),
};

const size_t xb_n_topdown_families = sizeof xb_topdown_families / sizeof xb_topdown_families[0];

const struct xb_topdown_family *xb_topdown_pick(int (*find)(const void *context, const char *event,
                                                            struct xb_reason *why),
                                                const void *context, struct xb_reason *why)
{
    char known[XB_REASON_BYTES];
    size_t used = 0;
    for (size_t i = 0; i < xb_n_topdown_families; i++) {
        const struct xb_topdown_family *family = &xb_topdown_families[i];
        unsigned at = 0;
        int err = 0;
        while (at < family->n && (err = find(context, family->events[at], why)) == 0)
            at++;
        if (at == family->n)
            return family;
        if (at > 0 || err == -ENOTSUP) /* `why` is of the event that is missing, or of all */
            return NULL;
        used += (size_t)snprintf(known + used, sizeof known - used, " %s", family->pmu);
        used = used < sizeof known ? used : sizeof known - 1;
    }
    xb_because(why, -ENOTSUP, "none is known for this CPU; of these:%s", known);
    return NULL;
}

/* ---- from slots to time ---- */

/* Whether a share that may be a difference of extrapolated counts is one. */
static bool is_share(double share)
{
    return share >= -SLACK && share <= 1 + SLACK;
}

bool xb_topdown_spend(const double *share, struct xb_topdown_time *out)
{
    double level1[4], sum = 0;
    *out = (struct xb_topdown_time){ 0 };
    for (int part = XB_TOPDOWN_RETIRING; part <= XB_TOPDOWN_BACKEND; part++) {
        if (!is_share(share[part])) /* nor NaN is */
            return false;
        level1[part] = fmax(share[part], 0);
        sum += level1[part];
    }
    /* Who runs retires something. */
    if (!(share[XB_TOPDOWN_RETIRING] > 0) || sum < SLOTS_LEAST || sum > 1 + 2 * SLACK)
        return false;
    double behind = level1[XB_TOPDOWN_BACKEND], memory = share[XB_TOPDOWN_MEMORY];
    out->cpu = (sum - behind) / sum;
    if (isnan(memory)) {
        out->unseen = behind / sum;
        return true;
    }
    memory = fmin(fmax(memory, 0), behind);
    out->cpu += (behind - memory) / sum;
    double level[5], levels = 0;
    for (int part = XB_TOPDOWN_L1; part <= XB_TOPDOWN_STORES; part++) {
        level[part - XB_TOPDOWN_L1] = fmax(share[part], 0) + 0 * share[part]; /* NaN stays NaN */
        levels += level[part - XB_TOPDOWN_L1];
    }
    if (!(levels > 0)) {
        out->unplaced = memory / sum;
        return true;
    }
    double scale = memory / levels / sum;
    out->l1 = scale * level[0];
    out->l2 = scale * level[1];
    out->llc = scale * level[2];
    out->dram = scale * level[3];
    out->unplaced = scale * level[4];
    return true;
}

/* How many of the shares that xb_topdown_spend() uses there are. */
static int count_useful(const double *share)
{
    int n = !isnan(share[XB_TOPDOWN_MEMORY]);
    for (int part = XB_TOPDOWN_RETIRING; part <= XB_TOPDOWN_BACKEND; part++)
        n += !isnan(share[part]);
    for (int part = XB_TOPDOWN_L1; part <= XB_TOPDOWN_STORES; part++)
        n += !isnan(share[part]);
    return n;
}

static void clear(double *share)
{
    for (int part = 0; part < XB_TOPDOWN_PARTS; part++)
        share[part] = NAN;
}

uint32_t xb_topdown_needed(const struct xb_topdown_family *family)
{
    double count[XB_TOPDOWN_EVENTS], share[XB_TOPDOWN_PARTS];
    uint32_t needed = 0;
    for (unsigned k = 0; k < family->all; k++)
        count[k] = 1000 - k;
    clear(share);
    family->divide(count, share);
    int all = count_useful(share);
    for (unsigned k = 0; k < family->all; k++) {
        double kept = count[k];
        count[k] = NAN;
        clear(share);
        family->divide(count, share);
        count[k] = kept;
        needed |= count_useful(share) < all ? 1u << k : 0;
    }
    return needed;
}
