/* SPDX-License-Identifier: BSD-3-Clause
 * Has probes look at a cell. */
#include "observe.h"

#include "../../kernels/prng.h"
#include "../base/clock.h"
#include "family.h"

#include <string.h>
#include <time.h>

/* Looks are 5 to 15 ms apart, at random, lest they keep step with the windows. */
#define LOOK_NS UINT64_C(10000000)

/* A judgement less sure than this contradicts nobody. */
static const double SURE = 0.5;

struct eye {
    const struct xb_probe *probe;
    void *opened;
};

static void close_eye(struct eye *eye)
{
    if (eye->probe)
        eye->probe->close(eye->opened);
    eye->probe = NULL;
}

static void see(struct xb_family *family, struct xb_scene *scene)
{
    xb_family_look(family);
    scene->tasks = family->tasks;
    scene->n_tasks = family->n_tasks;
}

static void nap(uint64_t ns)
{
    struct timespec time = { .tv_sec = (time_t)(ns / 1000000000),
                             .tv_nsec = (long)(ns % 1000000000) };
    nanosleep(&time, NULL);
}

static void look(struct xb_observer *observer, pid_t pid)
{
    struct xb_observation *observation = (struct xb_observation *)observer;
    const struct xb_registry *registry = observation->registry;
    struct eye eyes[XB_OBSERVE_PROBES] = { { NULL, NULL } };
    struct xb_family family;
    struct xb_reason why;
    observation->looked = false;
    memset(observation->findings, 0, sizeof observation->findings);
    if (xb_family_open(&family, pid, false, &why) != 0) {
        xb_family_close(&family);
        return;
    }
    struct xb_scene scene = { .root = pid, .capacity = observation->capacity };
    see(&family, &scene);
    size_t n = registry->n_probes < XB_OBSERVE_PROBES ? registry->n_probes : XB_OBSERVE_PROBES;
    for (size_t i = 0; i < n; i++) {
        const struct xb_probe *probe = registry->probes[i];
        if (!probe->on_request && probe->probe(&why) == 0 &&
            probe->open(&scene, &eyes[i].opened, &why) == 0)
            eyes[i].probe = probe;
    }
    uint64_t now_ns = xb_now_ns(), prng = now_ns, end_ns = now_ns + observation->time_ns;
    for (size_t i = 0; i < n; i++)
        if (eyes[i].probe && eyes[i].probe->begin(eyes[i].opened, now_ns) != 0)
            close_eye(&eyes[i]);
    while ((now_ns = xb_now_ns()) < end_ns && scene.n_tasks) {
        nap(LOOK_NS / 2 + xb_prng_below(&prng, LOOK_NS));
        see(&family, &scene);
        for (size_t i = 0; i < n; i++)
            if (eyes[i].probe && eyes[i].probe->poll(eyes[i].opened, xb_now_ns()) != 0)
                close_eye(&eyes[i]);
    }
    for (size_t i = 0; i < n; i++) {
        if (eyes[i].probe &&
            eyes[i].probe->end(eyes[i].opened, xb_now_ns(), &observation->findings[i], &why) != 0)
            observation->findings[i] = (struct xb_findings){ .n_parts = 0 };
        close_eye(&eyes[i]);
    }
    xb_family_close(&family);
    xb_bound_judge(observation->findings, n, &observation->judgement);
    observation->looked = true;
}

void xb_observe_init(struct xb_observation *observation, const struct xb_registry *registry,
                     const struct xb_capacity *capacity, uint64_t time_ns)
{
    *observation = (struct xb_observation){
        .observer = { .look = look }, .registry = registry, .capacity = capacity, .time_ns = time_ns
    };
}

const char *xb_observe_compare(const struct xb_judgement *judgement, enum xb_class claimed,
                               bool share)
{
    static const enum xb_bound bound_of[XB_CLASSES] = {
        [XB_CLASS_CPU] = XB_BOUND_CPU,       [XB_CLASS_CACHE] = XB_BOUND_CACHE,
        [XB_CLASS_MEMORY] = XB_BOUND_MEMORY, [XB_CLASS_IO] = XB_BOUND_IO,
        [XB_CLASS_SYNC] = XB_BOUND_SYNC,
    };
    enum xb_bound seen = judgement->bound;
    if (seen == XB_BOUND_CPU && judgement->level == XB_LEVEL_L1 && claimed == XB_CLASS_CACHE)
        seen = XB_BOUND_CACHE;
    if (seen == bound_of[claimed])
        return "confirmed";
    if (seen >= XB_BOUNDS || judgement->confidence < SURE || (share && claimed == XB_CLASS_SYNC))
        return "untested";
    return "contradicted";
}
