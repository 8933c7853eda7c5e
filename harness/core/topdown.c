/* SPDX-License-Identifier: BSD-3-Clause
 * Finds a family's events among those that a run counts. */
#include "topdown.h"

#include "provenance.h"

#include <errno.h>
#include <math.h>
#include <string.h>

static int find_event(const void *context, const char *event, struct xb_reason *why)
{
    const struct xb_counter_source *source = context;
    return source->find(event, why);
}

const struct xb_topdown_family *xb_topdown_find(const struct xb_counter_source *source,
                                                struct xb_reason *why)
{
    if (source->find)
        return xb_topdown_pick(find_event, source, why);
    xb_because(why, -ENOTSUP, "the source %s has no events by name", source->name);
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
        double count[XB_TOPDOWN_EVENTS];
        for (unsigned k = 0; k < XB_TOPDOWN_EVENTS; k++) /* level 3 is not counted here */
            count[k] = NAN;
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
