/* SPDX-License-Identifier: BSD-3-Clause
 * Looks plug-ins up by name. */
#include "registry.h"

#include "../counters/source.h"
#include "../models/model.h"
#include "../probes/probe.h"

#include <string.h>

#define FIND(function, type, table)                                                   \
    const struct type *function(const struct xb_registry *registry, const char *name) \
    {                                                                                 \
        for (size_t i = 0; i < registry->n_##table; i++)                              \
            if (strcmp(registry->table[i]->name, name) == 0)                          \
                return registry->table[i];                                            \
        return NULL;                                                                  \
    }

FIND(xb_find_model, xb_model, models)
FIND(xb_find_engine, xb_io_engine, engines)
FIND(xb_find_source, xb_counter_source, sources)
FIND(xb_find_probe, xb_probe, probes)
