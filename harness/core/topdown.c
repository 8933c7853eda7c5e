/* SPDX-License-Identifier: BSD-3-Clause
 * Divides a core's slots into what became of them.
 *
 * Events are named with their PMU in front, so that no CPU's event is taken for another's: a slot is
 * a fourth of a cycle here and a fifth there. A count that is missing is NaN, and so is then every
 * share that needs it. Intel's own level 1 counters since Ice Lake (PERF_METRICS) are not used: they
 * have to be read in one group behind their slots, and PAPI 7.0 takes multiplexed groups apart. */
#include "topdown.h"

#include "provenance.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

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

#define SKYLAKE(name)                                                            \
    {                                                                            \
        .pmu = name, .level1 = 5, .n = 11, .divide = divide_skylake, .events = { \
            name "::UNHALTED_CORE_CYCLES",                                       \
            name "::IDQ_UOPS_NOT_DELIVERED:CORE",                                \
            name "::UOPS_ISSUED:ANY",                                            \
            name "::UOPS_RETIRED:RETIRE_SLOTS",                                  \
            name "::INT_MISC:RECOVERY_CYCLES",                                   \
            name "::IDQ_UOPS_NOT_DELIVERED:CYCLES_0_UOPS_DELIV_CORE",            \
            STALLS(name),                                                        \
        }                                                                        \
    }

#define ICELAKE(name)                                                            \
    {                                                                            \
        .pmu = name, .level1 = 4, .n = 11, .divide = divide_icelake, .events = { \
            name "::TOPDOWN:SLOTS_P",                                            \
            name "::UOPS_RETIRED:SLOTS",                                         \
            name "::TOPDOWN:BACKEND_BOUND_SLOTS",                                \
            name "::IDQ_UOPS_NOT_DELIVERED:CORE",                                \
            name "::TOPDOWN:BR_MISPREDICT_SLOTS",                                \
            name "::IDQ_UOPS_NOT_DELIVERED:CYCLES_0_UOPS_DELIV_CORE",            \
            STALLS(name),                                                        \
        }                                                                        \
    }

#define NEOVERSE(name, function)                                          \
    {                                                                     \
        .pmu = name, .level1 = 4, .n = 4, .divide = function, .events = { \
            name "::CPU_CYCLES",                                          \
            name "::STALL_SLOT_BACKEND",                                  \
            name "::OP_RETIRED",                                          \
            name "::OP_SPEC",                                             \
        }                                                                 \
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
      .divide = divide_sapphire_rapids,
      .events = { "spr::TOPDOWN:SLOTS_P", "spr::UOPS_RETIRED:SLOTS",
                  "spr::TOPDOWN:BACKEND_BOUND_SLOTS", "spr::TOPDOWN:BAD_SPEC_SLOTS",
                  "spr::TOPDOWN:BR_MISPREDICT_SLOTS",
                  "spr::IDQ_UOPS_NOT_DELIVERED:CYCLES_0_UOPS_DELIV_CORE",
                  "spr::TOPDOWN:MEMORY_BOUND_SLOTS", "spr::UOPS_RETIRED:HEAVY" } },
#define ZEN4 "amd64_fam19h_zen4::"
    { .pmu = "amd64_fam19h_zen4",
      .level1 = 5,
      .n = 8,
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

const struct xb_topdown_family *xb_topdown_find(const struct xb_counter_source *source,
                                                struct xb_reason *why)
{
    char known[XB_REASON_BYTES];
    size_t used = 0;
    if (!source->find) {
        xb_because(why, -ENOTSUP, "the source %s has no events by name", source->name);
        return NULL;
    }
    for (size_t i = 0; i < xb_n_topdown_families; i++) {
        const struct xb_topdown_family *family = &xb_topdown_families[i];
        unsigned at = 0;
        while (at < family->n && source->find(family->events[at], why) == 0)
            at++;
        if (at == family->n)
            return family;
        if (at > 0) /* `why` is of the event that is missing */
            return NULL;
        used += (size_t)snprintf(known + used, sizeof known - used, " %s", family->pmu);
        used = used < sizeof known ? used : sizeof known - 1;
    }
    xb_because(why, -ENOTSUP, "none is known for this CPU; of these:%s", known);
    return NULL;
}

/* Where a name stands among those that are counted; XB_NAMED_MAX: nowhere. */
static size_t place_of(const struct xb_events *events, const char *name)
{
    size_t at = 0;
    while (at < XB_NAMED_MAX && !(events->name[at] && strcmp(events->name[at], name) == 0))
        at++;
    return at;
}

int xb_topdown_add(const struct xb_topdown_family *family, int level, struct xb_events *events)
{
    size_t free_at = 0;
    while (free_at < XB_NAMED_MAX && events->name[free_at])
        free_at++;
    for (unsigned i = 0; i < (level > 1 ? family->n : family->level1); i++) {
        size_t at = place_of(events, family->events[i]);
        if (at == XB_NAMED_MAX) {
            if (free_at == XB_NAMED_MAX)
                return -ENOSPC;
            at = free_at++;
            events->name[at] = family->events[i];
        }
        events->set |= 1u << (XB_METRIC_COUNT + at);
    }
    return 0;
}

const struct xb_topdown_family *xb_topdown_shares(const struct xb_events *events,
                                                  const struct xb_reading *reading, double *share)
{
    const struct xb_topdown_family *found = NULL;
    for (int part = 0; part < XB_TOPDOWN_PARTS; part++)
        share[part] = NAN;
    for (size_t i = 0; events && i < xb_n_topdown_families && !found; i++) {
        const struct xb_topdown_family *family = &xb_topdown_families[i];
        double count[XB_NAMED_MAX];
        for (unsigned k = 0; k < family->n; k++) {
            size_t at = place_of(events, family->events[k]), number = XB_METRIC_COUNT + at;
            found = at < XB_NAMED_MAX ? family : found;
            count[k] = at < XB_NAMED_MAX && reading->present & (1u << number)
                           ? (double)reading->value[number]
                           : NAN;
        }
        if (found)
            family->divide(count, share);
    }
    return found;
}

void xb_topdown_write(FILE *out, const struct xb_counter_source *source,
                      const struct xb_events *events, const struct xb_audit *audit)
{
    static const struct xb_reading none = { .present = 0 };
    double share[XB_TOPDOWN_PARTS];
    struct xb_reason why = { 0 };
    const struct xb_topdown_family *family = xb_topdown_shares(events, &none, share);
    uint32_t fine = audit->counted & ~audit->doubtful;
    if (!family) {
        family = xb_topdown_find(source, &why);
        xb_provenance_add(out, "topdown", "%s%s",
                          family ? "not counted; --events topdown: " : "not to be had: ",
                          family ? family->pmu : why.text);
        return;
    }
    unsigned level1 = 0, n = 0;
    const char *missing = NULL;
    for (unsigned k = 0; k < family->n; k++) {
        size_t at = place_of(events, family->events[k]);
        if (at == XB_NAMED_MAX)
            continue;
        n++;
        level1 += k < family->level1;
        if (!missing && !(fine & (1u << (XB_METRIC_COUNT + at))))
            missing = family->events[k];
    }
    xb_provenance_add(out, "topdown", "%s%s%s%s",
                      level1 < family->level1        ? "some events of "
                      : n == family->n && n > level1 ? "level 2 of "
                                                     : "level 1 of ",
                      family->pmu, missing ? "; what needs it is empty: " : "",
                      missing ? missing : "");
}
