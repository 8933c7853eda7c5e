/* SPDX-License-Identifier: BSD-3-Clause
 * Counts hardware events through PAPI: its presets, or the kernel's generic names where PAPI has
 * no preset for this CPU.
 *
 * PAPI is process-wide state, so it is initialised in each cell's own process, after the fork.
 * PAPI_library_init() succeeds without a PMU; whether anything can be counted stands in the
 * perf_event component's info, in PAPI's own words (PAPI 7.0, papi.h). */
/* xb-library: papi (Debian: libpapi-dev) */
#include "source.h"

#include <errno.h>

#ifdef XB_HAVE_LIBRARY

#    include <papi.h>
#    include <pthread.h>
#    include <stdbool.h>
#    include <stdlib.h>

/* In order of preference: PAPI 7.0 has no presets for Sapphire Rapids, Zen 4 or Neoverse. */
static const struct {
    enum xb_metric metric;
    const char *names[3];
} events[] = {
    { XB_METRIC_CYCLES, { "PAPI_TOT_CYC", "perf::CYCLES" } },
    { XB_METRIC_INSTRUCTIONS, { "PAPI_TOT_INS", "perf::INSTRUCTIONS" } },
    { XB_METRIC_L1D_MISSES, { "PAPI_L1_DCM", "perf::L1-DCACHE-LOAD-MISSES" } },
    { XB_METRIC_LLC_MISSES, { "PAPI_L3_TCM", "perf::LLC-LOAD-MISSES", "perf::CACHE-MISSES" } },
    { XB_METRIC_BRANCHES, { "PAPI_BR_INS", "perf::BRANCH-INSTRUCTIONS" } },
    { XB_METRIC_BRANCH_MISSES, { "PAPI_BR_MSP", "perf::BRANCH-MISSES" } },
};

enum { EVENTS = sizeof events / sizeof events[0], NAMES = 3, EXERCISE = 10000 };

struct xb_counters {
    int set;
    size_t n;
    bool multiplexed;
    enum xb_metric metric[EVENTS]; /* of each event in the set, in order */
};

static int init_library(struct xb_reason *why)
{
    int version = PAPI_library_init(PAPI_VER_CURRENT);
    if (version > 0 && version != PAPI_VER_CURRENT)
        return xb_because(why, -ENOTSUP, "PAPI: built for version %d.%d, found %d.%d",
                          PAPI_VERSION_MAJOR(PAPI_VER_CURRENT),
                          PAPI_VERSION_MINOR(PAPI_VER_CURRENT), PAPI_VERSION_MAJOR(version),
                          PAPI_VERSION_MINOR(version));
    if (version < 0)
        return xb_because(why, -ENOTSUP, "PAPI_library_init: %s", PAPI_strerror(version));
    int component = PAPI_get_component_index("perf_event");
    const PAPI_component_info_t *info = component >= 0 ? PAPI_get_component_info(component) : NULL;
    if (!info)
        return xb_because(why, -ENOTSUP, "PAPI was built without its perf_event component");
    if (info->disabled)
        return xb_because(why, -ENODEV, "PAPI: %s", info->disabled_reason);
    return 0;
}

/* Once per process; PAPI keeps the state, so this file needs none but the guard. */
static void init_process(void)
{
    if (init_library(NULL) == 0) {
        PAPI_thread_init((unsigned long (*)(void))pthread_self);
        PAPI_multiplex_init();
    }
}

static int create_set(struct xb_counters *counters, bool multiplex)
{
    counters->set = PAPI_NULL;
    counters->n = 0;
    counters->multiplexed = multiplex;
    int code = PAPI_create_eventset(&counters->set);
    if (code == PAPI_OK && multiplex) {
        code = PAPI_assign_eventset_component(counters->set, 0);
        if (code == PAPI_OK)
            code = PAPI_set_multiplex(counters->set);
    }
    return code;
}

static void destroy_set(struct xb_counters *counters)
{
    if (counters->set == PAPI_NULL)
        return;
    PAPI_cleanup_eventset(counters->set);
    PAPI_destroy_eventset(&counters->set);
}

/* Adds what it can. Returns PAPI_ECNFLCT when a counter was lacking that multiplexing can share. */
static int add_events(struct xb_counters *counters, uint32_t wanted, struct xb_reason *why)
{
    int conflict = PAPI_OK;
    for (size_t i = 0; i < EVENTS; i++) {
        if (!(wanted & (1u << events[i].metric)))
            continue;
        /* Of several refusals the one that is not "no such event" tells people most. */
        int code = PAPI_ENOEVNT, refusal = PAPI_ENOEVNT;
        for (size_t j = 0; j < NAMES && events[i].names[j] && code != PAPI_OK; j++) {
            code = PAPI_add_named_event(counters->set, events[i].names[j]);
            if (code == PAPI_ECNFLCT)
                conflict = code;
            if (code != PAPI_OK && refusal == PAPI_ENOEVNT)
                refusal = code;
        }
        if (code == PAPI_OK)
            counters->metric[counters->n++] = events[i].metric;
        else
            xb_because(why, -ENODATA, "PAPI: %s: %s", events[i].names[0], PAPI_strerror(refusal));
    }
    return conflict;
}

static int start(struct xb_counters *counters)
{
    return PAPI_start(counters->set) == PAPI_OK ? 0 : -EIO;
}

static int stop(struct xb_counters *counters, struct xb_reading *out)
{
    long long values[EVENTS];
    if (PAPI_stop(counters->set, values) != PAPI_OK)
        return -EIO;
    for (size_t i = 0; i < counters->n; i++) {
        if (values[i] < 0)
            continue; /* PAPI's mark for an event that it took but cannot count */
        out->value[counters->metric[i]] = (uint64_t)values[i];
        out->present |= 1u << counters->metric[i];
    }
    /* PAPI scales multiplexed counts itself and does not tell by how much: coverage unknown. */
    out->enabled_ns = out->running_ns = !counters->multiplexed;
    return 0;
}

static void close_set(struct xb_counters *counters)
{
    if (!counters)
        return;
    destroy_set(counters);
    PAPI_unregister_thread();
    free(counters);
}

static bool stands_still(struct xb_counters *counters)
{
    struct xb_reading reading = { .present = 0 };
    if (start(counters) != 0)
        return true;
    xb_counter_exercise(EXERCISE);
    if (stop(counters, &reading) != 0)
        return true;
    for (size_t i = 0; i < counters->n; i++) {
        enum xb_metric metric = counters->metric[i];
        if ((metric == XB_METRIC_CYCLES || metric == XB_METRIC_INSTRUCTIONS) &&
            (!(reading.present & (1u << metric)) || reading.value[metric] == 0))
            return true;
    }
    return false;
}

/* A component that is enabled need not be able to count: in guests PAPI knows the CPU's events and
 * the kernel refuses each of them. So an event is added and has to move. */
static int probe(struct xb_reason *why)
{
    struct xb_counters counters = { .set = PAPI_NULL };
    int err = init_library(why);
    if (!err && create_set(&counters, false) != PAPI_OK)
        err = xb_because(why, -ENODEV, "PAPI: no event set can be made");
    if (!err) {
        add_events(&counters, XB_METRIC_BIT(INSTRUCTIONS), why);
        if (counters.n == 0)
            err = -ENODEV; /* add_events() said why */
        else if (stands_still(&counters))
            err = xb_because(why, -ENODATA, "PAPI: instructions read zero over a busy loop");
        destroy_set(&counters);
    }
    PAPI_shutdown(); /* cells initialise it anew in their own processes */
    return err;
}

static int open_set(uint32_t wanted, uint32_t *granted, struct xb_counters **out,
                    struct xb_reason *why)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, init_process);
    *granted = 0;
    *out = NULL;
    if (PAPI_is_initialized() == PAPI_NOT_INITED)
        return init_library(why);
    struct xb_counters *counters = calloc(1, sizeof *counters);
    if (!counters)
        return xb_because(why, -ENOMEM, "papi: out of memory");
    int code = create_set(counters, false);
    if (code == PAPI_OK && add_events(counters, wanted, why) == PAPI_ECNFLCT) {
        destroy_set(counters);
        code = create_set(counters, true);
        if (code == PAPI_OK)
            add_events(counters, wanted, why);
    }
    if (code != PAPI_OK || counters->n == 0) {
        if (code != PAPI_OK)
            xb_because(why, -ENODATA, "PAPI: %s", PAPI_strerror(code));
        close_set(counters);
        return 0;
    }
    if (stands_still(counters)) {
        xb_because(why, -ENODATA, "PAPI: counters read zero over a busy loop: not counting");
        close_set(counters);
        return 0;
    }
    for (size_t i = 0; i < counters->n; i++)
        *granted |= 1u << counters->metric[i];
    *out = counters;
    return 0;
}

#else

#    include <stddef.h>

static int probe(struct xb_reason *why)
{
    return xb_because(why, -ENOTSUP, "built without PAPI");
}

static int open_set(uint32_t wanted, uint32_t *granted, struct xb_counters **out,
                    struct xb_reason *why)
{
    (void)wanted;
    *granted = 0;
    *out = NULL;
    return probe(why);
}

static int start(struct xb_counters *counters)
{
    (void)counters;
    return -ENOTSUP;
}

static int stop(struct xb_counters *counters, struct xb_reading *out)
{
    (void)counters;
    (void)out;
    return -ENOTSUP;
}

static void close_set(struct xb_counters *counters)
{
    (void)counters;
}

#endif

const struct xb_counter_source xb_source_papi = {
    .name = "papi",
    .summary = "hardware events through PAPI",
    .rank = 2,
    .probe = probe,
    .open = open_set,
    .start = start,
    .stop = stop,
    .close = close_set,
};
