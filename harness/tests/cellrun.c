/* SPDX-License-Identifier: BSD-3-Clause
 * Runs one cell for a test, and looks for what it leaves behind. */
#include "cellrun.h"

#include "xbtest.h"

#include "../base/clock.h"
#include "../core/spec.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>

#if defined(__has_feature)
#    if __has_feature(thread_sanitizer)
#        define XB_TSAN 1
#    endif
#elif defined(__SANITIZE_THREAD__)
#    define XB_TSAN 1
#endif

#ifdef XB_TSAN
/* A cell's process ends by _exit(), where a race that was only printed would be forgotten. */
__attribute__((used, visibility("default"))) const char *__tsan_default_options(void);
const char *__tsan_default_options(void)
{
    return "halt_on_error=1";
}
#endif

#define LEAVE_NS UINT64_C(10000000000)

struct xb_plan xb_cell_plan(const struct xb_kernel *kernel, const struct xb_model *model,
                            uint32_t workers)
{
    return (struct xb_plan){
        .kernel = kernel,
        .model = model,
        .engine = xb_plain_engine(&xb_builtin, model, NULL),
        .source = xb_find_source(&xb_builtin, "none"),
        .params = { .bytes = 4096,
                    .workers = workers,
                    .depth = 1,
                    .seed = 1,
                    .scratch_dir = xb_test_folder() },
        .iters = 10,
        .samples = 2,
    };
}

void *xb_cell_shared(size_t bytes)
{
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

bool xb_cell_leftovers(void)
{
    uint64_t deadline_ns = xb_now_ns() + LEAVE_NS;
    for (;;) {
        pid_t pid = waitpid(-1, NULL, WNOHANG);
        if (pid < 0)
            return errno != ECHILD;
        if (pid == 0 && xb_now_ns() >= deadline_ns)
            return true;
        if (pid == 0) /* a kill takes its time */
            nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
    }
}

void xb_cell_run(const struct xb_plan *plan, uint64_t limit_ns, const volatile sig_atomic_t *stop,
                 struct xb_cell_run *run)
{
    *run = (struct xb_cell_run){ 0 };
    /* Orphans become ours instead of init's, so that a live one can be told from none. */
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    run->code = xb_runner_run(plan, limit_ns, stop, &run->arena, &run->result);
    if (xb_cell_leftovers())
        XB_FAIL("a process of the cell is still alive");
    prctl(PR_SET_CHILD_SUBREAPER, 0);
    static struct xb_result nothing; /* so that tests need not look */
    if (!run->result) {
        XB_FAIL("no memory for a cell: %d", run->code);
        run->result = &nothing;
    }
    run->samples = atomic_load(&run->result->n_samples);
    run->why = run->result->why.text;
}

void xb_cell_run_close(struct xb_cell_run *run)
{
    xb_arena_close(&run->arena);
}

void xb_cell_each_model(const char *suite, const char *name, const char *file, int line,
                        void (*body)(const void *model))
{
    for (size_t i = 0; i < xb_builtin.n_models; i++) {
        const struct xb_model *model = xb_builtin.models[i];
        char full[256];
        snprintf(full, sizeof full, "%s__%s", name, model->name);
        if (model->probe(NULL) == 0 && xb_plain_engine(&xb_builtin, model, NULL))
            xb_test_add(suite, full, file, line, body, model);
    }
}
