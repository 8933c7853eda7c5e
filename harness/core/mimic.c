/* SPDX-License-Identifier: BSD-3-Clause
 * Puts kernels together to one whose time divides as asked.
 *
 * Items are dealt from one pool until it is empty, as programs with a queue of work do: were they dealt
 * beforehand, a window would end with most workers waiting for the last one. */
#include "mimic.h"

#include "../../kernels/prng.h"
#include "../../kernels/sync.h"
#include "../base/clock.h"
#include "isa.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* ---- one part that no kernel is about: copying out of the page cache ---- */

enum { COPY_BYTES = 4096, COPIED_BYTES = 1 << 20 };

struct copier {
    int fd; /* the team's */
    uint64_t from;
    char bytes[COPY_BYTES];
};

static int open_copied(const struct xb_params *params, struct xb_memory *memory, void **team)
{
    int *fd = memory->take(memory, sizeof *fd, 64);
    if (!fd)
        return xb_explain(params, -ENOMEM, "no team memory for a file to copy from");
    *fd = memfd_create("copied", MFD_CLOEXEC);
    if (*fd < 0)
        return xb_explain(params, -errno, "memfd_create: %s", strerror(errno));
    *team = fd;
    char bytes[COPY_BYTES];
    memset(bytes, 'c', sizeof bytes);
    for (size_t at = 0; at < COPIED_BYTES; at += sizeof bytes)
        if (pwrite(*fd, bytes, sizeof bytes, (off_t)at) != (ssize_t)sizeof bytes)
            return xb_explain(params, -EIO, "filling a file in memory failed");
    return 0;
}

static int open_copier(const struct xb_params *params, void *team, void **state)
{
    struct copier *s = calloc(1, sizeof *s);
    if (!s)
        return xb_explain(params, -ENOMEM, "no memory to copy to");
    s->fd = *(int *)team;
    *state = s;
    return 0;
}

static int copy(struct xb_run *run, void *state, uint64_t iters, struct xb_work *did)
{
    struct copier *s = state;
    for (uint64_t i = 0; i < iters; i++) {
        if (pread(s->fd, s->bytes, COPY_BYTES, (off_t)s->from) != COPY_BYTES)
            return xb_explain(run->params, -EIO, "pread of a file in memory failed");
        s->from = (s->from + COPY_BYTES) % COPIED_BYTES;
        did->bytes_read += COPY_BYTES;
    }
    did->items += iters;
    return 0;
}

static int verify_copy(const struct xb_params *params, void *team, void *state, uint64_t iters,
                       const struct xb_work *did)
{
    (void)params;
    (void)team;
    const struct copier *s = state;
    bool right = s->bytes[0] == 'c' && s->bytes[COPY_BYTES - 1] == 'c';
    return right && did->items == iters && did->bytes_read == iters * COPY_BYTES ? 0 : -EBADMSG;
}

static void close_copied(void *team)
{
    if (team)
        close(*(int *)team);
}

static const struct xb_kernel copies = {
    .name = "copy",
    .summary = "reads of 4 KiB from the page cache",
    .source = "read(2)",
    .item = "read",
    .bound = XB_CLASS_IO,
    .fit = XB_FIT_OWN,
    .own_bytes = COPIED_BYTES,
    .team_setup = open_copied,
    .setup = open_copier,
    .run = copy,
    .verify = verify_copy,
    .teardown = free,
    .team_teardown = close_copied,
};

/* ---- the kernel that is put together ---- */

/* What workers share. */
struct pool {
    const struct xb_mimic *mimic;
    _Atomic uint64_t taken __attribute__((aligned(128)));
    struct xb_mutex lock;
    void *team[XB_USES]; /* by part */
    uint32_t workers;
    uint64_t end_ns[]; /* by worker: when it found the pool empty */
};

struct worker {
    struct pool *pool;
    struct xb_mimic *mimic;
    uint32_t index;
    uint64_t stream; /* of how long each sleep is */
    void *state[XB_USES];
    double credit
        [XB_USES]; /* iterations due and not done, also from window to window: each is short */
    uint64_t iters[XB_USES];
    struct xb_work did[XB_USES];
    struct xb_params params[XB_USES];
    struct xb_io_op op;
};

static struct xb_params params_of(const struct xb_params *params, const struct xb_mimic_part *part)
{
    struct xb_params own = *params;
    own.bytes = part->bytes;
    own.recipe = NULL;
    own.isa = part->kernel ? xb_isa_best(part->kernel->isas) : XB_ISA_BASE;
    return own;
}

static int team_setup(const struct xb_params *params, struct xb_memory *memory, void **team)
{
    const struct xb_mimic *mimic = params->recipe;
    size_t bytes = sizeof(struct pool) + params->workers * sizeof(uint64_t);
    struct pool *pool = memory->take(memory, bytes, _Alignof(struct pool));
    if (!pool)
        return xb_explain(params, -ENOMEM, "no team memory for a pool of work");
    pool->mimic = mimic;
    pool->workers = params->workers;
    xb_mutex_init(&pool->lock, 'P', 0);
    *team = pool;
    int err = 0;
    for (size_t i = 0; i < mimic->n_parts && !err; i++) {
        const struct xb_kernel *kernel = mimic->part[i].kernel;
        const struct xb_params own = params_of(params, &mimic->part[i]);
        if (kernel && kernel->team_setup)
            err = kernel->team_setup(&own, memory, &pool->team[i]);
    }
    return err;
}

static int setup(const struct xb_params *params, void *team, void **state)
{
    struct worker *s = calloc(1, sizeof *s);
    if (!s)
        return xb_explain(params, -ENOMEM, "no memory for a worker's state");
    *state = s;
    s->pool = team;
    /* Its times are written by the worker that calibrates, hence not the pool's const. */
    s->mimic = (struct xb_mimic *)(uintptr_t)params->recipe;
    s->index = params->index;
    s->stream = xb_prng_of(params->seed, params->index);
    int err = 0;
    for (size_t i = 0; i < s->mimic->n_parts && !err; i++) {
        const struct xb_kernel *kernel = s->mimic->part[i].kernel;
        s->params[i] = params_of(params, &s->mimic->part[i]);
        if (kernel && kernel->setup)
            err = kernel->setup(&s->params[i], s->pool->team[i], &s->state[i]);
    }
    return err;
}

static void begin(void *state)
{
    struct worker *s = state;
    if (s->index == 0) /* all have come to the end of the last window */
        atomic_store(&s->pool->taken, 0);
    for (size_t i = 0; i < s->mimic->n_parts; i++) {
        const struct xb_kernel *kernel = s->mimic->part[i].kernel;
        s->iters[i] = 0;
        s->did[i] = (struct xb_work){ 0 };
        if (kernel && kernel->begin)
            kernel->begin(s->state[i]);
    }
}

/* Between half of the mean and one and a half: were all equal, workers would move in step. */
static int sleep_for(struct xb_run *run, struct worker *s, double mean_ns)
{
    uint64_t ns = mean_ns > 1 ? (uint64_t)mean_ns : 1;
    s->op.kind = XB_IO_SLEEP;
    s->op.sleep_ns = ns - ns / 2 + xb_prng_below(&s->stream, ns);
    int64_t result = xb_await(run->io, &s->op);
    return result < 0 ? (int)result : 0;
}

static int hold(struct xb_run *run, struct worker *s, enum xb_io_kind kind)
{
    int64_t result = xb_await_on(run->io, &s->op, kind, &s->pool->lock);
    return result < 0 ? (int)result : 0;
}

static int do_part(struct xb_run *run, struct worker *s, size_t i)
{
    const struct xb_mimic_part *part = &s->mimic->part[i];
    if (!part->kernel)
        return sleep_for(run, s, part->per_item);
    s->credit[i] += part->per_item;
    uint64_t iters = (uint64_t)s->credit[i];
    if (iters == 0)
        return 0;
    s->credit[i] -= (double)iters;
    s->iters[i] += iters;
    struct xb_run own = { .params = &s->params[i], .io = run->io, .team = s->pool->team[i] };
    int err = part->use == XB_USE_LOCK ? hold(run, s, XB_IO_LOCK) : 0;
    if (!err)
        err = part->kernel->run(&own, s->state[i], iters, &s->did[i]);
    if (!err && part->use == XB_USE_LOCK)
        err = hold(run, s, XB_IO_UNLOCK);
    return err;
}

static uint64_t clock_of(const struct xb_mimic_part *part)
{
    return xb_use_waits(part->use) ? xb_now_ns() : xb_thread_cpu_ns();
}

static int do_timed_part(struct xb_run *run, struct worker *s, size_t i)
{
    struct xb_mimic *mimic = s->mimic;
    const struct xb_mimic_part *part = &mimic->part[i];
    uint64_t before = s->iters[i], begin_ns = clock_of(part);
    int err = do_part(run, s, i);
    mimic->spent_ns[i] += (double)(clock_of(part) - begin_ns);
    mimic->done[i] += part->kernel ? (double)(s->iters[i] - before) : part->per_item;
    return err;
}

static int run_items(struct xb_run *run, void *state, uint64_t iters, struct xb_work *did)
{
    struct worker *s = state;
    uint64_t all = iters * run->params->workers;
    bool timed = s->mimic->timed;
    while (atomic_fetch_add_explicit(&s->pool->taken, 1, memory_order_relaxed) < all) {
        for (size_t i = 0; i < s->mimic->n_parts; i++) {
            int err = timed ? do_timed_part(run, s, i) : do_part(run, s, i);
            if (err)
                return err;
        }
        did->items++;
    }
    s->pool->end_ns[s->index] = xb_now_ns();
    return 0;
}

/* The outcome: how long, on average, workers had nothing to do at a window's end. */
static void settle(void *team, void *state, struct xb_work *did)
{
    (void)state;
    const struct pool *pool = team;
    uint64_t last_ns = 0, idle_ns = 0;
    for (uint32_t i = 0; i < pool->workers; i++)
        last_ns = pool->end_ns[i] > last_ns ? pool->end_ns[i] : last_ns;
    for (uint32_t i = 0; i < pool->workers; i++)
        idle_ns += last_ns - pool->end_ns[i];
    did->outcome = idle_ns / pool->workers;
}

/* How many items were its share is chance; what it did of each part is known. */
static int verify(const struct xb_params *params, void *team, void *state, uint64_t iters,
                  const struct xb_work *did)
{
    (void)team;
    struct worker *s = state;
    int err = did->items <= iters * params->workers ? 0 : -EBADMSG;
    for (size_t i = 0; i < s->mimic->n_parts && !err; i++) {
        const struct xb_kernel *kernel = s->mimic->part[i].kernel;
        if (kernel && s->iters[i])
            err = kernel->verify(&s->params[i], s->pool->team[i], s->state[i], s->iters[i],
                                 &s->did[i]);
    }
    return err;
}

static void teardown(void *state)
{
    struct worker *s = state;
    if (!s)
        return;
    for (size_t i = 0; i < s->mimic->n_parts; i++) {
        const struct xb_kernel *kernel = s->mimic->part[i].kernel;
        if (kernel && kernel->teardown)
            kernel->teardown(s->state[i]);
    }
    free(s);
}

static void team_teardown(void *team)
{
    struct pool *pool = team;
    for (size_t i = 0; pool && i < pool->mimic->n_parts; i++) {
        const struct xb_kernel *kernel = pool->mimic->part[i].kernel;
        if (kernel && kernel->team_teardown)
            kernel->team_teardown(pool->team[i]);
    }
}

static const struct xb_kernel composite = {
    .name = "mimic",
    .summary = "a mix of kernels whose time divides as a program's",
    .source = "-",
    .item = "item",
    .outcome = "idle_ns",
    .bound = XB_CLASS_CPU,
    .fit = XB_FIT_OWN,
    .own_bytes = 1,
    .team_setup = team_setup,
    .setup = setup,
    .begin = begin,
    .run = run_items,
    .settle = settle,
    .verify = verify,
    .teardown = teardown,
    .team_teardown = team_teardown,
};

/* ---- what goes into it ---- */

static const struct {
    const char *key, *name;
    const char *kernel; /* NULL: none of the registry's */
    bool waits;
} uses[XB_USES] = {
    [XB_USE_COMPUTE] = { "compute", "computing", "cpu/mix64", false },
    [XB_USE_L2] = { "l2", "loads from L2", "cache/chase_l2", false },
    [XB_USE_LLC] = { "llc", "loads from the last-level cache", "cache/chase_llc", false },
    [XB_USE_CHASE] = { "dram_latency", "dependent loads from DRAM", "memory/chase_dram", false },
    [XB_USE_STREAM] = { "dram_bandwidth", "streaming from DRAM", "memory/load", false },
    [XB_USE_COPY] = { "copy", "copying in the kernel", NULL, false },
    [XB_USE_FAULT] = { "fault", "page faults and mappings", "memory/first_touch", false },
    [XB_USE_DISK] = { "disk_wait", "waiting for the disk", "io/file_rand", true },
    [XB_USE_FSYNC] = { "fsync_wait", "waiting for fsync", "io/fsync_log", true },
    [XB_USE_WAIT] = { "other_wait", "waiting for network or timers", NULL, true },
    [XB_USE_LOCK] = { "lock", "holding the lock", "cpu/mix64", false },
};

/* Less is not worth its set-up, and cannot be seen in the result. */
#define LEAST_SHARE 0.02

const char *xb_use_key(enum xb_use use)
{
    return uses[use].key;
}

const char *xb_use_name(enum xb_use use)
{
    return uses[use].name;
}

bool xb_use_waits(enum xb_use use)
{
    return uses[use].waits;
}

static const struct xb_kernel *find_kernel(const struct xb_registry *registry, enum xb_use use)
{
    if (use == XB_USE_COPY)
        return &copies;
    for (size_t i = 0; uses[use].kernel && i < registry->n_kernels; i++)
        if (strcmp(registry->kernels[i]->name, uses[use].kernel) == 0)
            return registry->kernels[i];
    return NULL;
}

static int check_shares(const struct xb_mimic_ask *ask, struct xb_reason *why)
{
    double sum = 0;
    for (int use = 0; use < XB_USES; use++) {
        if (!(ask->share[use] >= 0 && ask->share[use] <= 1.01))
            return xb_because(why, -EINVAL, "a share of %g for %s; want 0 to 1", ask->share[use],
                              uses[use].name);
        sum += ask->share[use];
    }
    if (fabs(sum - 1) > 0.01)
        return xb_because(why, -EINVAL, "shares of time add up to %.3f; want 1", sum);
    return 0;
}

int xb_mimic_make(const struct xb_mimic_ask *ask, const struct xb_registry *registry,
                  struct xb_mimic *out, struct xb_reason *why)
{
    int err = check_shares(ask, why);
    if (err)
        return err;
    *out = (struct xb_mimic){ .kernel = composite };
    double kept = 0;
    for (int use = 0; use < XB_USES; use++)
        kept += ask->share[use] >= LEAST_SHARE ? ask->share[use] : 0;
    for (int use = 0; use < XB_USES; use++) {
        if (ask->share[use] < LEAST_SHARE)
            continue;
        const struct xb_kernel *kernel = find_kernel(registry, use);
        if (!kernel && use != XB_USE_WAIT)
            return xb_because(why, -ENOENT, "there is no kernel %s in this build, for %s",
                              uses[use].kernel, uses[use].name);
        size_t bytes = ask->bytes[use] ? ask->bytes[use] : kernel ? kernel->own_bytes : 1;
        out->part[out->n_parts++] = (struct xb_mimic_part){ .use = use,
                                                            .kernel = kernel,
                                                            .bytes = bytes,
                                                            .share = ask->share[use] / kept,
                                                            .per_item = 1 };
        if (use == XB_USE_DISK || use == XB_USE_FSYNC)
            out->kernel.needs |= XB_NEED_FILES;
        if (use == XB_USE_LOCK)
            out->kernel.needs |= XB_NEED_TEAM;
        if (uses[use].waits)
            out->kernel.bound = XB_CLASS_IO;
    }
    return 0;
}

/* Of its time, what each of `n` waits for a lock that it holds for `held` of a lone worker's time. */
static double waits_for(double held, uint32_t n)
{
    double queue = 0, waiting = 0;
    for (uint32_t i = 1; i <= n; i++) {
        double residence = held * (1 + queue), cycle = residence + 1 - held;
        waiting = (residence - held) / cycle;
        queue = i * residence / cycle;
    }
    return waiting;
}

double xb_mimic_lock_share(double waiting, uint32_t workers)
{
    double low = 0, high = 1;
    if (waits_for(1, workers) <= waiting)
        return 1;
    for (int i = 0; i < 40; i++) {
        double middle = (low + high) / 2;
        if (waits_for(middle, workers) < waiting)
            low = middle;
        else
            high = middle;
    }
    return high;
}
