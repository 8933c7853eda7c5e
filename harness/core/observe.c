/* SPDX-License-Identifier: BSD-3-Clause
 * Has probes look at a cell. */
#include "observe.h"

#include "../../kernels/prng.h"
#include "../base/clock.h"
#include "eye.h"
#include "family.h"

#include <math.h>
#include <time.h>

/* Looks are half of this to one and a half apart, at random, lest they keep step with the windows. From outside
 * they cost the cell little and are all there is to go by: in 0.2 s twenty of them put the share of waiting for the
 * disk of one cell of libuv's anywhere between 18 and 59 %. */
#define LOOK_NS         UINT64_C(10000000)
#define OUTSIDE_LOOK_NS UINT64_C(3000000)

/* A judgement less sure than this contradicts nobody. */
static const double SURE = 0.5;

/* A server that the kernel has for its workers to talk to is the world that they wait for: what it waits for
 * itself is the next request, and that is no bound of theirs. */
static bool is_far_end(const struct xb_aside *aside, pid_t pid)
{
    for (size_t i = 0; i < aside->n_far_ends; i++)
        if (aside->far_end[i] == pid)
            return true;
    return false;
}

static void see(struct xb_family *family, const struct xb_aside *aside, struct xb_scene *scene)
{
    xb_family_look(family);
    scene->tasks = family->tasks;
    scene->n_tasks = 0;
    for (size_t i = 0; i < family->n_tasks; i++)
        if (!is_far_end(aside, family->tasks[i].pid))
            family->tasks[scene->n_tasks++] = family->tasks[i];
}

/* Why a probe fails is in no row: its findings are missing. */
static void call(struct xb_observation *observation, struct xb_eye *eyes, size_t n,
                 enum xb_eye_step step)
{
    struct xb_reason why;
    uint64_t now_ns = xb_now_ns();
    for (size_t i = 0; i < n; i++)
        if (eyes[i].probe)
            xb_eye_call(&eyes[i], step, now_ns, &observation->findings[i], &why);
}

static void nap(uint64_t ns)
{
    struct timespec time = { .tv_sec = (time_t)(ns / 1000000000),
                             .tv_nsec = (long)(ns % 1000000000) };
    nanosleep(&time, NULL);
}

/* With the probes of that kind, for so long. */
static void look_with(struct xb_observation *observation, struct xb_family *family,
                      const struct xb_aside *aside, struct xb_scene *scene, bool from_outside,
                      uint64_t time_ns)
{
    const struct xb_registry *registry = observation->registry;
    struct xb_eye eyes[XB_OBSERVE_PROBES] = { { .probe = NULL } };
    struct xb_reason why;
    size_t n = registry->n_probes < XB_OBSERVE_PROBES ? registry->n_probes : XB_OBSERVE_PROBES;
    see(family, aside, scene);
    for (size_t i = 0; i < n; i++)
        if (!registry->probes[i]->on_request && registry->probes[i]->from_outside == from_outside)
            xb_eye_open(&eyes[i], registry->probes[i], scene, &why);
    uint64_t begin_ns = xb_now_ns(), prng = begin_ns, end_ns = begin_ns + time_ns;
    uint64_t look_ns = from_outside ? OUTSIDE_LOOK_NS : LOOK_NS;
    call(observation, eyes, n, XB_EYE_BEGIN);
    while (xb_now_ns() < end_ns && scene->n_tasks) {
        nap(look_ns / 2 + xb_prng_below(&prng, look_ns));
        call(observation, eyes, n, XB_EYE_POLL);
        see(family, aside, scene);
    }
    call(observation, eyes, n, XB_EYE_END);
    for (size_t i = 0; i < n; i++)
        xb_eye_close(&eyes[i]);
}

/* First from outside: a timer that follows each thread has to be set and stopped whenever one goes to sleep, 4 to
 * 6 us each time here, and threads that hand work to each other 50,000 times a second ran at a third of their speed. */
static void look(struct xb_observer *observer, pid_t pid, const struct xb_aside *aside)
{
    struct xb_observation *observation = (struct xb_observation *)observer;
    const struct xb_registry *registry = observation->registry;
    struct xb_family family;
    struct xb_reason why;
    observation->looked = false;
    if (xb_family_open(&family, pid, false, &why) != 0) {
        xb_family_close(&family);
        return;
    }
    struct xb_scene scene = { .root = pid,
                              .capacity = observation->capacity,
                              .meeting = aside->meeting,
                              .free_to_look = true };
    size_t n = registry->n_probes < XB_OBSERVE_PROBES ? registry->n_probes : XB_OBSERVE_PROBES;
    for (size_t i = 0; i < n; i++)
        observation->findings[i] = (struct xb_findings){ .overhead = NAN };
    look_with(observation, &family, aside, &scene, true, observation->time_ns / 2);
    look_with(observation, &family, aside, &scene, false, observation->time_ns);
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
    static const enum xb_bound bound_of[XB_CLASS_NAMES] = {
        [XB_CLASS_CPU] = XB_BOUND_CPU,       [XB_CLASS_CACHE] = XB_BOUND_CACHE,
        [XB_CLASS_MEMORY] = XB_BOUND_MEMORY, [XB_CLASS_IO] = XB_BOUND_IO,
        [XB_CLASS_SYNC] = XB_BOUND_SYNC,     [XB_CLASS_KERNEL] = XB_BOUND_KERNEL,
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
