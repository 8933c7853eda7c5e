/* SPDX-License-Identifier: BSD-3-Clause
 * Writes Google Benchmark's JSON, schema 1 (its src/json_reporter.cc). */
#include "gbench.h"

#include "../base/parse.h"

#include <errno.h>
#include <math.h>
#include <string.h>

static double number(const struct xb_facts *facts, const char *key)
{
    double value;
    return xb_parse_real(xb_facts_get(facts, key), &value) == 0 ? value : NAN;
}

struct xb_json *xb_gbench_context(const struct xb_facts *facts)
{
    /* What describes a run and has no member of its own; Google's own take any text. */
    static const char *const more[] = { "run_id",    "git_commit", "compiler", "compiler_flags",
                                        "cpu_model", "kernel",     "libc",     "virtualisation" };
    struct xb_json *context = xb_json_object(), *load = xb_json_array();
    char date[40];
    snprintf(date, sizeof date, "%.32s", xb_facts_get(facts, "started_utc"));
    size_t length = strlen(date);
    if (length && date[length - 1] == 'Z')
        strcpy(date + length - 1, "+00:00");
    xb_json_put_text(context, "date", date);
    xb_json_put_text(context, "host_name", xb_facts_get(facts, "hostname"));
    xb_json_put_text(context, "executable", "xbound");
    double pus = number(facts, "pus");
    if (pus >= 1 && pus < 1e9)
        xb_json_put_count(context, "num_cpus", (uint64_t)pus);
    const char *governor = xb_facts_get(facts, "governor"), *aslr = xb_facts_get(facts, "aslr");
    if (governor[0])
        xb_json_put_bool(context, "cpu_scaling_enabled", strcmp(governor, "performance") != 0);
    if (aslr[0])
        xb_json_put_bool(context, "aslr_enabled", strcmp(aslr, "0") != 0);
    xb_json_put(context, "caches", xb_json_array());
    xb_json_append(load, xb_json_real(number(facts, "load_1min")));
    xb_json_put(context, "load_avg", load);
    xb_json_put_text(context, "library_version", xb_facts_get(facts, "xbound_version"));
    xb_json_put_text(context, "library_build_type",
                     "release"); /* kernels are at -O3 in any build */
    xb_json_put_count(context, "json_schema_version", 1);
    for (size_t i = 0; i < sizeof more / sizeof more[0]; i++)
        xb_json_put_text(context, more[i], xb_facts_get(facts, more[i]));
    return context;
}

struct xb_json *xb_gbench_row(const char *name, uint64_t workers, uint64_t iters, double real_ns,
                              double cpu_ns)
{
    struct xb_json *row = xb_json_object();
    xb_json_put_text(row, "name", name);
    xb_json_put_text(row, "run_name", name);
    xb_json_put_text(row, "run_type", "iteration");
    xb_json_put_count(row, "threads", workers);
    xb_json_put_count(row, "iterations", iters);
    xb_json_put_real(row, "real_time", real_ns);
    xb_json_put_real(row, "cpu_time", cpu_ns);
    xb_json_put_text(row, "time_unit", "ns");
    return row;
}

int xb_gbench_write(FILE *out, const struct xb_facts *facts, struct xb_json *benchmarks,
                    struct xb_reason *why)
{
    if (xb_json_is_empty(benchmarks)) {
        xb_json_free(benchmarks);
        return xb_because(why, -ENODATA, "no cell has a time for an item: nothing to export");
    }
    struct xb_json *document = xb_json_object();
    xb_json_put(document, "context", xb_gbench_context(facts));
    xb_json_put(document, "benchmarks", benchmarks);
    return xb_json_write(out, document, why);
}
