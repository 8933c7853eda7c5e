/* What both of Google Benchmark's JSON exports have in common. */
#ifndef XB_CORE_GBENCH_H
#define XB_CORE_GBENCH_H

#include "json.h"
#include "rows.h"

/* The "context" of json_schema_version 1, from provenance.csv. `caches` is empty: readers want the
 * array, and how many CPUs share each cache is not in provenance.csv. The caller owns it. */
struct xb_json *xb_gbench_context(const struct xb_facts *facts);

/* One entry of "benchmarks" with the members that all readers know. `real_ns`, `cpu_ns`: for an item.
 * The caller owns it. */
struct xb_json *xb_gbench_row(const char *name, uint64_t workers, uint64_t iters, double real_ns,
                              double cpu_ns);

/* The whole document; takes over `benchmarks`. 0 or -errno with `why`. */
int xb_gbench_write(FILE *out, const struct xb_facts *facts, struct xb_json *benchmarks,
                    struct xb_reason *why);

#endif
