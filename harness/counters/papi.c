/* SPDX-License-Identifier: BSD-3-Clause
 * Counts hardware events through PAPI: its presets, the kernel's generic names where PAPI has no
 * preset for this CPU, and any event of the CPU by its name.
 *
 * PAPI is process-wide state, so it is initialised in each cell's own process, after the fork.
 * PAPI_library_init() succeeds without a PMU; whether anything can be counted stands in the
 * perf_event component's info, in PAPI's own words (PAPI 7.0, papi.h). Of PAPI's components only
 * perf_event counts by thread: the others read sensors of the machine, or of the process. */
/* xb-library: papi (Debian: libpapi-dev) */
#include "source.h"

#include <errno.h>

#ifdef XB_HAVE_LIBRARY

#    include <ctype.h>
#    include <dirent.h>
#    include <papi.h>
#    include <pthread.h>
#    include <stdbool.h>
#    include <stdio.h>
#    include <stdlib.h>
#    include <string.h>
#    include <unistd.h>

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

enum {
    EVENTS = sizeof events / sizeof events[0],
    NAMES = 3,
    ROOM = EVENTS + XB_NAMED_MAX,
    EXERCISE = 10000,
    FDS = 64
};

struct xb_counters {
    int set;
    size_t n;
    bool multiplexed;
    uint8_t number[ROOM]; /* of each event in the set, in order: its bit in a reading */
    /* The kernel's events behind the set, if it is multiplexed: the i-th event's are fd[first[i]]
     * to fd[first[i + 1]]. PAPI owns them. */
    size_t first[ROOM + 1];
    int fd[FDS];
    uint64_t enabled_ns[FDS], running_ns[FDS]; /* at start */
};

/* ---- the library ---- */

static int errno_of(int code)
{
    switch (code) {
    case PAPI_EPERM:
        return -EPERM;
    case PAPI_ENOEVNT:
        return -ENOENT;
    case PAPI_ECNFLCT:
        return -ENOSPC;
    case PAPI_ECMP_DISABLED:
        return -ENODEV;
    default:
        return -ENODATA;
    }
}

/* PAPI's own words, and what they leave out. `system`: errno behind the call. */
static int refuse(struct xb_reason *why, const char *what, int code, int system)
{
    const char *said = PAPI_strerror(code);
    const char *more = code == PAPI_ESYS && system ? strerror(system)
                       : code == PAPI_EPERM        ? "lower kernel.perf_event_paranoid"
                       : code == PAPI_ECOUNT       ? "raise ulimit -n" /* PAPI's name for EMFILE */
                                                   : NULL;
    return xb_because(why, errno_of(code), "PAPI: %s%s%s%s%s", what, said ? said : "unknown error",
                      more ? " (" : "", more ? more : "", more ? ")" : "");
}

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
        return xb_because(why, strstr(info->disabled_reason, "paranoid") ? -EPERM : -ENODEV,
                          "PAPI: %s", info->disabled_reason);
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

/* ---- how long multiplexed events were counted ---- */

/* PAPI scales what it multiplexes and does not tell by how much (PAPI 7.0). The kernel does, to
 * anyone who reads the events' descriptors, and to read changes nothing. They are those that are
 * new since `old` was listed, in the order of their numbers: PAPI opens the whole set anew with
 * each event, in order, and open(2) gives the lowest number that is free.
 * Returns how many, or 0 where /proc is not there or they are too many. */
static size_t list_descriptors(int *fd, const int *old, size_t n_old)
{
    DIR *folder = opendir("/proc/self/fd");
    size_t n = 0;
    for (struct dirent *entry; folder && (entry = readdir(folder));) {
        char target[64];
        ssize_t bytes = readlinkat(dirfd(folder), entry->d_name, target, sizeof target - 1);
        int number = atoi(entry->d_name);
        if (bytes <= 0 || !isdigit((unsigned char)entry->d_name[0]))
            continue;
        target[bytes] = '\0';
        bool known = strcmp(target, "anon_inode:[perf_event]") != 0;
        for (size_t i = 0; i < n_old && !known; i++)
            known = old[i] == number;
        if (known)
            continue;
        if (n == FDS) {
            n = 0;
            break;
        }
        size_t at = n++;
        for (; at > 0 && fd[at - 1] > number; at--)
            fd[at] = fd[at - 1];
        fd[at] = number;
    }
    if (folder)
        closedir(folder);
    return n;
}

/* How long an event was to be counted so far, and how long it was. */
static bool read_times(int fd, uint64_t *enabled_ns, uint64_t *running_ns)
{
    uint64_t value[3]; /* count, enabled, running: how PAPI asks for what it multiplexes */
    if (read(fd, value, sizeof value) != sizeof value)
        return false;
    *enabled_ns = value[1];
    *running_ns = value[2];
    return true;
}

/* Adds the i-th event's times to the reading: the worst event's coverage is the reading's. Returns
 * whether it was counted for a moment at least; true where that cannot be known. */
static bool add_times(const struct xb_counters *counters, size_t i, struct xb_reading *out)
{
    bool ran = true;
    for (size_t k = counters->first[i]; k < counters->first[i + 1]; k++) {
        uint64_t enabled_ns, running_ns;
        if (!read_times(counters->fd[k], &enabled_ns, &running_ns))
            continue;
        enabled_ns -= counters->enabled_ns[k];
        running_ns -= counters->running_ns[k];
        if (!running_ns)
            ran = false;
        else if (!out->enabled_ns || (double)running_ns * (double)out->enabled_ns <
                                         (double)out->running_ns * (double)enabled_ns) {
            out->enabled_ns = enabled_ns;
            out->running_ns = running_ns;
        }
    }
    return ran;
}

/* ---- a set ---- */

static int create_set(struct xb_counters *counters, bool multiplex)
{
    counters->set = PAPI_NULL;
    counters->n = 0;
    counters->multiplexed = multiplex;
    int code = PAPI_create_eventset(&counters->set);
    if (code == PAPI_OK && multiplex) {
        code =
            PAPI_assign_eventset_component(counters->set, PAPI_get_component_index("perf_event"));
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

/* Adds the first of the names that PAPI takes. Of several refusals the one that is not "no such
 * event" tells people most. */
static int add_event(struct xb_counters *counters, const char *const *names, size_t n, unsigned bit,
                     struct xb_reason *why)
{
    int code = PAPI_ENOEVNT, refusal = PAPI_ENOEVNT, system = 0;
    for (size_t i = 0; i < n && names[i] && code != PAPI_OK; i++) {
        errno = 0;
        code = PAPI_add_named_event(counters->set, names[i]);
        if (code != PAPI_OK && (refusal == PAPI_ENOEVNT || code == PAPI_ECNFLCT)) {
            refusal = code;
            system = errno;
        }
    }
    if (code != PAPI_OK) {
        char what[PAPI_MAX_STR_LEN];
        snprintf(what, sizeof what, "%s: ", names[0]);
        refuse(why, what, refusal, system);
        return refusal;
    }
    counters->number[counters->n++] = (uint8_t)bit;
    return PAPI_OK;
}

/* Adds what it can. Returns whether one was refused that may be taken where they are multiplexed: PAPI
 * calls it a conflict when it knows of no counter left, and the kernel an invalid argument. */
static bool add_events(struct xb_counters *counters, const struct xb_events *wanted, const int *old,
                       size_t n_old, struct xb_reason *why)
{
    bool conflict = false;
    for (unsigned i = 0; i < ROOM; i++) {
        bool named = i >= EVENTS;
        unsigned bit = named ? XB_METRIC_COUNT + i - EVENTS : events[i].metric;
        if (!(wanted->set & (1u << bit)))
            continue;
        const char *const *names = named ? &wanted->name[i - EVENTS] : events[i].names;
        size_t at = counters->n;
        int code = add_event(counters, names, named ? 1 : NAMES, bit, why);
        conflict |= code == PAPI_ECNFLCT || (code == PAPI_EINVAL && at > 0);
        if (counters->multiplexed && counters->n > at)
            counters->first[at + 1] = list_descriptors(counters->fd, old, n_old);
    }
    return conflict;
}

static int start(struct xb_counters *counters)
{
    for (size_t k = 0; counters->multiplexed && k < counters->first[counters->n]; k++)
        if (!read_times(counters->fd[k], &counters->enabled_ns[k], &counters->running_ns[k]))
            return -EIO;
    return PAPI_start(counters->set) == PAPI_OK ? 0 : -EIO;
}

static int stop(struct xb_counters *counters, struct xb_reading *out)
{
    long long values[ROOM];
    if (PAPI_stop(counters->set, values) != PAPI_OK)
        return -EIO;
    for (size_t i = 0; i < counters->n; i++) {
        uint32_t bit = 1u << counters->number[i];
        if (counters->multiplexed && !add_times(counters, i, out)) {
            out->starved |= bit; /* PAPI gives 0 for it */
            continue;
        }
        if (values[i] < 0)
            continue; /* PAPI's mark for an event that it took but cannot count */
        out->value[counters->number[i]] = (uint64_t)values[i];
        out->present |= bit;
    }
    if (!counters->multiplexed) /* PAPI pins these: they are counted throughout, or fail to read */
        out->enabled_ns = out->running_ns = 1;
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

static int open_set(const struct xb_events *wanted, uint32_t *granted, struct xb_counters **out,
                    struct xb_reason *why)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    /* One thread at a time: what is new among the descriptors is then this set's. */
    static pthread_mutex_t opening = PTHREAD_MUTEX_INITIALIZER;
    int old[FDS];
    pthread_once(&once, init_process);
    *granted = 0;
    *out = NULL;
    if (PAPI_is_initialized() == PAPI_NOT_INITED)
        return init_library(why);
    struct xb_counters *counters = calloc(1, sizeof *counters);
    if (!counters)
        return xb_because(why, -ENOMEM, "papi: out of memory");
    pthread_mutex_lock(&opening);
    int code = create_set(counters, false);
    if (code == PAPI_OK && add_events(counters, wanted, NULL, 0, why)) {
        size_t pinned = counters->n;
        destroy_set(counters);
        size_t n_old = list_descriptors(old, NULL, 0);
        code = create_set(counters, true);
        if (code == PAPI_OK)
            add_events(counters, wanted, old, n_old, why);
        if (code != PAPI_OK || counters->n <= pinned) { /* nothing is gained by taking turns */
            destroy_set(counters);
            code = create_set(counters, false);
            if (code == PAPI_OK)
                add_events(counters, wanted, NULL, 0, why);
        }
    }
    pthread_mutex_unlock(&opening);
    if (code != PAPI_OK)
        refuse(why, "", code, 0);
    if (code != PAPI_OK || counters->n == 0) {
        close_set(counters);
        return 0;
    }
    for (size_t i = 0; i < counters->n; i++)
        *granted |= 1u << counters->number[i];
    *out = counters;
    return 0;
}

/* ---- before any cell ---- */

/* A component that is enabled need not be able to count: in guests PAPI knows the CPU's events and
 * the kernel refuses each of them, or takes them and counts nothing. One has to move. */
static int probe(struct xb_reason *why)
{
    static const struct xb_events both = { .set = XB_METRIC_BIT(CYCLES) |
                                                  XB_METRIC_BIT(INSTRUCTIONS) };
    struct xb_counters counters = { .set = PAPI_NULL };
    struct xb_reading reading = { .present = 0 };
    int err = init_library(why);
    if (!err && create_set(&counters, false) != PAPI_OK)
        err = xb_because(why, -ENODEV, "PAPI: no event set can be made");
    if (!err) {
        add_events(&counters, &both, NULL, 0, why);
        bool started = counters.n && start(&counters) == 0;
        xb_counter_exercise(EXERCISE);
        if (counters.n == 0)
            err = why && why->code ? why->code : -ENODEV; /* add_events() said why */
        else if (!started || stop(&counters, &reading) != 0)
            err = xb_because(why, -EIO, "PAPI: takes events but cannot start them");
        else if (!(reading.value[XB_METRIC_CYCLES] | reading.value[XB_METRIC_INSTRUCTIONS]))
            err = xb_because(why, -ENODATA,
                             "PAPI: cycles and instructions read zero over a busy loop");
        else if (why)
            *why = (struct xb_reason){ 0 };
        destroy_set(&counters);
    }
    PAPI_shutdown(); /* cells initialise it anew in their own processes */
    return err;
}

static int find(const char *event, struct xb_reason *why)
{
    int code, err = init_library(why);
    char name[PAPI_MAX_STR_LEN];
    if (!err && strlen(event) >= sizeof name)
        err = xb_because(why, -ENOENT, "the name is too long");
    if (!err) {
        /* PAPI gives code 0 and success for presets of a component that is disabled. */
        snprintf(name, sizeof name, "%s", event);
        int found = PAPI_event_name_to_code(name, &code);
        if (found != PAPI_OK)
            err = refuse(why, "", found, 0);
        else if (code == 0)
            err = xb_because(why, -ENOENT, "PAPI: no such event");
    }
    if (!err) {
        int component = PAPI_get_event_component(code);
        const PAPI_component_info_t *info = PAPI_get_component_info(component);
        if (!info || component != PAPI_get_component_index("perf_event"))
            err = xb_because(why, -ENOTSUP,
                             "it belongs to PAPI's component %s, which does not count by thread",
                             info ? info->name : "none");
        else if (PAPI_query_event(code) != PAPI_OK)
            err = xb_because(why, -ENOENT, "PAPI: this CPU has no such event");
    }
    PAPI_shutdown();
    return err;
}

/* The presets that this CPU has. */
static size_t list(char (*names)[XB_EVENT_BYTES], size_t most)
{
    int code = 0 | PAPI_PRESET_MASK;
    size_t n = 0;
    if (init_library(NULL) == 0)
        for (int next = PAPI_enum_event(&code, PAPI_ENUM_FIRST); next == PAPI_OK && n < most;
             next = PAPI_enum_event(&code, PAPI_PRESET_ENUM_AVAIL)) {
            PAPI_event_info_t info;
            if (PAPI_query_event(code) == PAPI_OK && PAPI_get_event_info(code, &info) == PAPI_OK)
                snprintf(names[n++], XB_EVENT_BYTES, "%.*s", XB_EVENT_BYTES - 1, info.symbol);
        }
    PAPI_shutdown();
    return n;
}

#else

#    include <stddef.h>

static int probe(struct xb_reason *why)
{
    return xb_because(why, -ENOTSUP, "built without PAPI");
}

static int find(const char *event, struct xb_reason *why)
{
    (void)event;
    return probe(why);
}

static size_t list(char (*names)[XB_EVENT_BYTES], size_t most)
{
    (void)names;
    (void)most;
    return 0;
}

static int open_set(const struct xb_events *wanted, uint32_t *granted, struct xb_counters **out,
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
    .find = find,
    .list = list,
    .open = open_set,
    .start = start,
    .stop = stop,
    .close = close_set,
};
