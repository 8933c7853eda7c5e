/* Running one cell the way the harness does, for tests of teams, models and engines. */
#ifndef XB_TESTS_CELLRUN_H
#define XB_TESTS_CELLRUN_H

#include "../core/registry.h"
#include "../core/runner.h"

/* What came of it; give it back with xb_cell_run_close(). */
struct xb_cell_run {
    struct xb_arena arena;
    struct xb_result *result; /* never NULL */
    int code;
    uint32_t samples;
    const char *why; /* the result's text, "" when nothing failed */
};

/* Long enough for any test on a slow and busy machine: only a hang takes it. */
#define XB_CELL_LIMIT_NS UINT64_C(30000000000)

/* A plan for `kernel` with two samples of ten iterations on 4096 bytes, no counters, no binding,
 * and the plainest engine of `model`; tests change what matters to them. */
struct xb_plan xb_cell_plan(const struct xb_kernel *kernel, const struct xb_model *model,
                            uint32_t workers);

/* Runs it, and reports a test failure if a process of it is left afterwards. */
void xb_cell_run(const struct xb_plan *plan, uint64_t limit_ns, const volatile sig_atomic_t *stop,
                 struct xb_cell_run *run);
void xb_cell_run_close(struct xb_cell_run *run);

/* `bytes` of zeroed memory that processes forked later share with the test. Kept for good: one per
 * use and test file. */
void *xb_cell_shared(size_t bytes);

/* Whether a child of this process, or a grandchild left by one, is still alive after seconds. */
bool xb_cell_leftovers(void);

/* Adds the test suite.name__model for each model that can run here. `body` is given the model. */
void xb_cell_each_model(const char *suite, const char *name, const char *file, int line,
                        void (*body)(const void *model));

#endif
