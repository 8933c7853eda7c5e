/* Has probes look at a cell, so that a run can say what bounds each of its cells. */
#ifndef XB_CORE_OBSERVE_H
#define XB_CORE_OBSERVE_H

#include "bound.h"
#include "registry.h"
#include "team.h"

enum { XB_OBSERVE_PROBES = 16 };

struct xb_observation {
    struct xb_observer observer; /* first: what the plan points to */
    const struct xb_registry *registry;
    const struct xb_capacity *capacity; /* of this machine */
    uint64_t time_ns;
    /* What came of the last cell. */
    bool looked; /* false: none was seen long enough */
    struct xb_judgement judgement;
    struct xb_findings findings[XB_OBSERVE_PROBES]; /* by probe of the registry */
};

/* Makes an observer of all probes that watch without being asked for. `capacity` has to live as long;
 * one cell at a time. */
void xb_observe_init(struct xb_observation *observation, const struct xb_registry *registry,
                     const struct xb_capacity *capacity, uint64_t time_ns);

/* Whether what was seen is what a cell should show that a kernel claims to be bound by `claimed`: "confirmed", "contradicted"
 * (it was another class, and surely), or "untested": nothing was seen, or nothing to be sure of. A
 * working set that fits the first cache counts as computing, under whatever name. `share`: workers share
 * lanes: while one waits for another its thread works on, so nothing contradicts that they wait. Pure. */
const char *xb_observe_compare(const struct xb_judgement *judgement, enum xb_class claimed,
                               bool share);

#endif
