/* The plug-in tables, and looking things up in them.
 *
 * tables.c is generated at configure time from the file names in kernels/<class>/ and in the
 * harness's models/, engines/, counters/, probes/, exports/ and commands/: a file there is a plug-in,
 * and one whose descriptor is misnamed does not link. */
#ifndef XB_CORE_REGISTRY_H
#define XB_CORE_REGISTRY_H

#include <stddef.h>

struct xb_kernel;
struct xb_model;
struct xb_io_engine;
struct xb_counter_source;
struct xb_probe;
struct xb_export;
struct xb_command;

/* Tests build registries of their own instead of patching the built-in one. */
struct xb_registry {
    const struct xb_kernel *const *kernels;
    const struct xb_model *const *models;
    const struct xb_io_engine *const *engines;
    const struct xb_counter_source *const *sources;
    const struct xb_probe *const *probes;
    const struct xb_export *const *exports;
    const struct xb_command *const *commands;
    size_t n_kernels, n_models, n_engines, n_sources, n_probes, n_exports, n_commands;
};

/* What the build found, each table sorted by path. */
extern const struct xb_registry xb_builtin;

/* Exact match or NULL; no prefixes, no aliases. */
const struct xb_model *xb_find_model(const struct xb_registry *registry, const char *name);
const struct xb_io_engine *xb_find_engine(const struct xb_registry *registry, const char *name);
const struct xb_counter_source *xb_find_source(const struct xb_registry *registry,
                                               const char *name);
const struct xb_probe *xb_find_probe(const struct xb_registry *registry, const char *name);

#endif
