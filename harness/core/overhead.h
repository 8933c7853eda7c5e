/* What the harness itself costs: an empty kernel, measured under every model. */
#ifndef XB_CORE_OVERHEAD_H
#define XB_CORE_OVERHEAD_H

#include "registry.h"
#include "topology.h"

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct xb_counter_source;
struct xb_events;

/* Writes provenance lines for each model: overhead_sample_ns_<model> (wall time of a sample of one
 * empty iteration, one worker), overhead_sample_ns_<model>_all (the same with as many workers as
 * CPUs), overhead_iteration_ns_<model> (per further iteration, slices of the loop included). Empty
 * `quick`: of fewer samples, each. Empty where the model cannot run, or `stop` (may be NULL) became non-zero. Also coro_switch_ns.
 * 0 or -errno. */
int xb_overhead_write(FILE *out, const struct xb_registry *registry,
                      const struct xb_topology *topology, const struct xb_counter_source *source,
                      const struct xb_events *events, enum xb_bind bind, bool quick,
                      const volatile sig_atomic_t *stop);

#endif
