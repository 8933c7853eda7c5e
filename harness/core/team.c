/* SPDX-License-Identifier: BSD-3-Clause
 * Runs one cell's workers through their samples.
 *
 * All state is in shared memory and mirrors what the model sees: a `hand` for each xb_worker, a
 * `bench` for each xb_lane, and what each of them has to say of a window beside them. Between
 * samples worker 0 alone sums up and decides, while the others wait at a rendezvous. */
#include "team.h"

#include "../base/clock.h"
#include "../base/vectors.h"
#include "latency.h"
#include "metrics.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum phase { CALIBRATE, WARM_UP, SAMPLE, LATENCY, OBSERVED, DONE };

/* An observer that has not come back by then is dead. */
#define OBSERVED_NS_MOST UINT64_C(10000000000)

/* A window that is looked at takes about so long. What lanes do at its edges is no work of theirs: to read
 * the clocks and meet takes some us, and iterations that take 4 ms under threads take 8 us where workers are
 * coroutines that make others of their kind. Under a global lock that is handed on every 5 ms, a worker does
 * all of a shorter window at once and waits for the others where they meet, and not for the lock. */
#define OBSERVED_WINDOW_NS UINT64_C(50000000)

struct cell {
    struct xb_team team; /* first: the model's view */
    const struct xb_plan *plan;
    struct xb_result *result;
    void *kernel_team;
    struct hand *hands;
    struct bench *benches;
    struct xb_worker_part *worker_parts;
    struct xb_lane_part *lane_parts;
    int *cpus; /* by lane */
    pid_t pid, parent;
    int spare_fd; /* held for weigh(): counters may have taken all others by then */
    enum phase phase;
    uint64_t iters;
    struct xb_search search;
    uint64_t deadline_ns, steal_ns;
    bool weighs, weighs_kernel; /* what workers take is measured; and of the kernel's memory */
};

/* What the harness keeps of one worker. */
struct hand {
    struct xb_params params;
    struct xb_sync_io sync;
    struct xb_latency latency;
    char why[XB_WHY_BYTES];
} __attribute__((aligned(128))); /* apart, lest the harness itself shares lines falsely */

/* What the harness keeps of one lane. */
struct bench {
    bool entered;
    pid_t pid;
    struct xb_counters *counters;
    uint32_t granted;
    struct xb_reason ungranted;
    struct xb_histogram latency;
} __attribute__((aligned(128)));

static struct cell *cell_of(struct xb_team *team)
{
    return (struct cell *)team;
}

int xb_result_fail(struct xb_result *result, int code, const char *format, ...)
{
    int untouched = 0;
    if (!atomic_compare_exchange_strong(&result->failed, &untouched, 1))
        return code;
    va_list args;
    va_start(args, format);
    vsnprintf(result->why.text, sizeof result->why.text, format, args);
    va_end(args);
    result->why.code = code;
    atomic_store(&result->failed, 2);
    return code;
}

static bool failed(const struct cell *cell)
{
    return atomic_load_explicit(&cell->result->failed, memory_order_relaxed) != 0;
}

static int fail(struct xb_team *team, int code, const char *format, ...)
{
    char text[XB_REASON_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    struct xb_result *result = cell_of(team)->result;
    const struct xb_sync_slot *slots = atomic_load(&result->slots);
    /* A loop notices that nothing can wake its workers; what they wait for is known here. */
    if (code == -EDEADLK && slots && !xb_sync_deadlock(slots, team->n_workers, text, sizeof text))
        code = -ETIMEDOUT; /* they would wait forever, but not in a circle of locks */
    return xb_result_fail(result, code, "%s", text);
}

static bool team_failed(const struct xb_team *team)
{
    return failed((const struct cell *)team);
}

/* A kernel's callback failed: its own words, or else what the code means. */
static int fail_kernel(struct cell *cell, int code, const char *step, const char *why)
{
    if (why[0])
        return xb_result_fail(cell->result, code, "%s", why);
    return xb_result_fail(cell->result, code, "%s: %s", step,
                          code == -EBADMSG ? "the answer is wrong" : strerror(-code));
}

/* ---- lanes ---- */

static int enter(struct xb_lane *lane, struct xb_parker *parker)
{
    struct cell *cell = cell_of(lane->team);
    const struct xb_plan *plan = cell->plan;
    struct bench *bench = lane->harness;
    bench->pid = getpid();
    int err = xb_topology_bind(cell->cpus[lane->index]);
    if (err)
        return xb_result_fail(cell->result, err, "bind to CPU %d: %s; use --bind none",
                              cell->cpus[lane->index], strerror(-err));
    uint64_t in_flight = (uint64_t)plan->params.depth *
                         xb_workers_on(plan->params.workers, cell->team.n_lanes, lane->index);
    struct xb_reason why = { 0 };
    err = plan->engine->open(parker, in_flight < UINT32_MAX ? (uint32_t)in_flight : UINT32_MAX,
                             &lane->io, &why);
    if (err)
        return xb_result_fail(cell->result, err, "%s", why.text);
    bench->entered = true;
    err = plan->source->open(&plan->events, &bench->granted, &bench->counters, &bench->ungranted);
    if (err) /* the work can be done without counts; the row says what is missing */
        bench->granted = 0;
    return 0;
}

static void leave(struct xb_lane *lane)
{
    const struct xb_plan *plan = cell_of(lane->team)->plan;
    struct bench *bench = lane->harness;
    if (!bench->entered)
        return;
    plan->source->close(bench->counters);
    plan->engine->close(lane->io);
    bench->counters = NULL;
    lane->io = NULL;
}

static void begin(struct xb_lane *lane)
{
    struct cell *cell = cell_of(lane->team);
    struct bench *bench = lane->harness;
    struct xb_lane_part *part = &cell->lane_parts[lane->index];
    getrusage(RUSAGE_THREAD, &part->usage);
    if (bench->counters)
        cell->plan->source->start(bench->counters);
    part->cpu_ns = xb_thread_cpu_ns();
    part->begin_ns = xb_now_ns();
}

static void end(struct xb_lane *lane)
{
    struct cell *cell = cell_of(lane->team);
    struct bench *bench = lane->harness;
    struct xb_lane_part *part = &cell->lane_parts[lane->index];
    part->end_ns = xb_now_ns();
    part->cpu_ns = xb_thread_cpu_ns() - part->cpu_ns;
    struct xb_reading counted = { .present = 0 }, accounts;
    if (bench->counters && cell->plan->source->stop(bench->counters, &counted) != 0)
        counted.present = 0;
    xb_accounts_read(&part->usage, part->cpu_ns, &accounts);
    part->reading = counted;
    xb_metrics_fill(&part->reading, &accounts);
}

/* ---- between samples: worker 0 ---- */

static void sum_up(const struct cell *cell, struct xb_sample *sample)
{
    xb_sample_sum(cell->lane_parts, cell->team.n_lanes, cell->worker_parts, cell->team.n_workers,
                  sample);
}

/* Iterations of a window that is looked at, from what those of the last sample took. */
static uint64_t iters_observed(uint64_t iters, uint64_t wall_ns)
{
    uint64_t times = wall_ns ? OBSERVED_WINDOW_NS / wall_ns : 1;
    return times > 1 && iters <= UINT64_MAX / times ? iters * times : iters;
}

/* What follows once figures and latencies are taken. */
static enum phase after_all(struct cell *cell)
{
    if (!cell->plan->observer)
        return DONE;
    cell->deadline_ns = xb_now_ns() + OBSERVED_NS_MOST;
    const struct xb_result *result = cell->result;
    uint32_t n = atomic_load(&result->n_samples);
    if (n)
        cell->iters = iters_observed(cell->iters, result->samples[n - 1].wall_ns);
    if (cell->team.meeting) {
        xb_barrier_sleep(cell->team.meeting);
        cell->result->aside.meeting = &cell->team.meeting->gate;
    }
    atomic_store(&cell->result->observed, XB_OBSERVED_NOW);
    return OBSERVED;
}

static enum phase after_sample(struct cell *cell)
{
    const struct xb_plan *plan = cell->plan;
    struct xb_result *result = cell->result;
    uint32_t n = atomic_load(&result->n_samples);
    struct xb_sample *sample = &result->samples[n];
    sum_up(cell, sample);
    uint64_t steal_ns = xb_steal_ns();
    if (steal_ns > cell->steal_ns) { /* not when it could not be read, or was set back */
        sample->steal_ns = steal_ns - cell->steal_ns;
        cell->steal_ns = steal_ns;
    }
    atomic_store(&result->n_samples, ++n);
    result->stop = xb_stop_why(result->samples, n, plan->samples, plan->precision,
                               xb_now_ns() >= cell->deadline_ns, result->scratch);
    if (result->stop == XB_STOP_INTERRUPTED)
        return SAMPLE;
    if (!plan->latency)
        return after_all(cell);
    cell->deadline_ns = xb_now_ns() + plan->budget_ns / 4;
    return LATENCY;
}

static enum phase after_calibration(struct cell *cell)
{
    struct xb_sample window;
    sum_up(cell, &window);
    if (!xb_search_step(&cell->search, &window)) {
        cell->iters = cell->search.iters;
        cell->result->iters = cell->iters; /* how far it came, should this window never end */
        return CALIBRATE;
    }
    /* cell->iters stays what the last window did, which verify() is to check. */
    cell->result->iters = cell->search.iters;
    cell->result->calibrated_ns = cell->search.took_ns;
    return DONE;
}

/* cell->iters stays what the last window did, which verify() is to check. */
static void ask_pacer(struct cell *cell)
{
    struct xb_sample window;
    sum_up(cell, &window);
    uint64_t iters = cell->plan->pacer->next(cell->plan->pacer, &window);
    cell->phase = iters ? SAMPLE : DONE;
    if (iters)
        cell->iters = iters;
}

static void decide(struct cell *cell)
{
    struct xb_result *result = cell->result;
    if (failed(cell)) {
        cell->phase = DONE;
        return;
    }
    if (cell->plan->pacer) {
        ask_pacer(cell);
        return;
    }
    switch (cell->phase) {
    case CALIBRATE:
        cell->phase = after_calibration(cell);
        break;
    case WARM_UP:
        cell->deadline_ns = xb_now_ns() + cell->plan->budget_ns;
        cell->steal_ns = xb_steal_ns();
        cell->phase = SAMPLE;
        break;
    case SAMPLE:
        cell->phase = after_sample(cell);
        break;
    case LATENCY:
        if (xb_now_ns() >= cell->deadline_ns)
            cell->phase = after_all(cell);
        break;
    case OBSERVED:
        if (atomic_load(&result->observed) == XB_OBSERVED_ENOUGH ||
            xb_now_ns() >= cell->deadline_ns)
            cell->phase = DONE;
        break;
    case DONE:
        break;
    }
    if (atomic_load(&result->interrupted))
        cell->phase = DONE;
}

/* Of the cell's processes, and of the one that forked the first: pages that it shares with them would
 * otherwise become theirs the more, the more there are. */
static void weigh(const struct cell *cell, bool workers, struct xb_footprint *out)
{
    pid_t self = cell->pid, *pids = calloc(cell->team.n_lanes + 2, sizeof *pids);
    size_t n = 0;
    *out = (struct xb_footprint){ .resident = -1, .kernel = -1 };
    if (!pids)
        return;
    pids[n++] = cell->parent;
    pids[n++] = self;
    for (uint32_t i = 0; workers && i < cell->team.n_lanes; i++)
        if (cell->benches[i].pid != self)
            pids[n++] = cell->benches[i].pid;
    xb_footprint_read(pids, n, cell->weighs_kernel, out);
    free(pids);
}

/* ---- workers ---- */

static int work(struct cell *cell, struct xb_worker *worker, struct hand *hand, void *state,
                struct xb_work *did)
{
    const struct xb_plan *plan = cell->plan;
    struct xb_io *io = cell->phase == LATENCY ? &hand->latency.io : hand->latency.inner;
    struct xb_run run = { .params = &hand->params, .io = io, .team = cell->kernel_team };
    uint64_t left = cell->iters;
    uint64_t slice = plan->slice_iters && plan->model->checkpoint ? plan->slice_iters : left;
    while (left) {
        uint64_t now = left < slice ? left : slice;
        int err = plan->kernel->run(&run, state, now, did);
        if (err)
            return err;
        left -= now;
        if (left)
            plan->model->checkpoint(worker);
    }
    xb_latency_finish(&hand->latency);
    return 0;
}

static uint64_t clock_ns(const struct xb_plan *plan)
{
    return xb_kernel_waits(plan->kernel) ? xb_now_ns() : xb_thread_cpu_ns();
}

static int work_and_spin(struct cell *cell, struct xb_worker *worker, void *state,
                         struct xb_work *did)
{
    uint64_t begin_ns = clock_ns(cell->plan);
    int err = work(cell, worker, worker->harness, state, did);
    double took_ns = (double)(clock_ns(cell->plan) - begin_ns);
    uint64_t end_ns = begin_ns + (uint64_t)(took_ns * (1 + cell->plan->pacer->stretch));
    while (clock_ns(cell->plan) < end_ns)
        continue;
    return err;
}

/* The worker's work of a window, when it is its turn. */
static int take_turn(struct cell *cell, struct xb_worker *worker, void *state, struct xb_work *did)
{
    const struct xb_model *model = cell->team.model;
    if (model->begin_work)
        model->begin_work(worker);
    const struct xb_pacer *pacer = cell->plan->pacer;
    int err = pacer && pacer->stretch > 0 ? work_and_spin(cell, worker, state, did)
                                          : work(cell, worker, worker->harness, state, did);
    if (model->end_work)
        model->end_work(worker);
    return err;
}

static void live(struct xb_worker *worker)
{
    struct cell *cell = cell_of(worker->team);
    const struct xb_kernel *kernel = cell->plan->kernel;
    struct hand *hand = worker->harness;
    struct xb_worker_part *part = &cell->worker_parts[worker->index];
    void *state = NULL;
    int err = 0;
    if (cell->weighs) { /* before setup(), whose memory is the kernel's */
        cell->team.model->rendezvous(worker, NULL, NULL);
        if (worker->index == 0) {
            close(cell->spare_fd);
            weigh(cell, true, &cell->result->peopled);
        }
        cell->team.model->rendezvous(worker, NULL, NULL);
    }
    if (!failed(cell) && kernel->setup) {
        err = kernel->setup(&hand->params, cell->kernel_team, &state);
        if (err)
            fail_kernel(cell, err, "setup", hand->why);
    }
    struct bench *bench = worker->lane->harness;
    struct xb_io *io = worker->lane->io;
    struct xb_sync_slot *slots = atomic_load(&cell->result->slots);
    if (slots) {
        xb_sync_wrap(&hand->sync, io, worker, slots);
        io = &hand->sync.io;
    }
    xb_latency_wrap(&hand->latency, io, &bench->latency);
    do {
        xb_sync_begin(&hand->sync);
        part->did = (struct xb_work){ 0 };
        if (!failed(cell) && kernel->begin)
            kernel->begin(state);
        cell->team.model->rendezvous(worker, NULL, begin);
        xb_vectors_forget();
        part->begin_ns = xb_now_ns();
        if (!failed(cell)) {
            err = take_turn(cell, worker, state, &part->did);
            if (err)
                fail_kernel(cell, err, "run", hand->why);
        }
        part->end_ns = xb_now_ns();
        cell->team.model->rendezvous(worker, end, NULL);
        if (worker->index == 0) {
            if (kernel->settle && !failed(cell))
                kernel->settle(cell->kernel_team, state, &part->did);
            decide(cell);
        }
        cell->team.model->rendezvous(worker, NULL, NULL);
    } while (cell->phase != DONE);
    if (!failed(cell)) {
        err = kernel->verify(&hand->params, cell->kernel_team, state, cell->iters, &part->did);
        if (err)
            fail_kernel(cell, err, "verify", hand->why);
    }
    if (kernel->teardown)
        kernel->teardown(state);
}

static void body(struct xb_worker *worker)
{
    const struct xb_pacer *pacer = cell_of(worker->team)->plan->pacer;
    if (!pacer) {
        live(worker);
        return;
    }
    /* No variable length array: gcc finds that nobody reads it. */
    volatile char *stack = __builtin_alloca(pacer->stack_pad + 1);
    void *heap = malloc(pacer->heap_pad + 1); /* whether it is there does not matter */
    *stack = 0;
    live(worker);
    free(heap);
}

/* ---- the cell ---- */

struct memory {
    struct xb_memory memory; /* first: the kernel's view */
    struct xb_arena *arena;
};

static void *take(struct xb_memory *memory, size_t bytes, size_t align)
{
    return xb_arena_take(((struct memory *)memory)->arena, bytes, align < 64 ? 64 : align);
}

/* Room for kernels' team memory: a few lines per worker, and a shared megabyte or two. */
enum { KERNEL_BYTES = 16 << 20, KERNEL_BYTES_PER_WORKER = 8 << 10 };

static uint32_t lanes_of(const struct xb_plan *plan)
{
    return plan->lanes ? plan->lanes : xb_model_lanes(plan->model, plan->params.workers);
}

size_t xb_team_bytes(const struct xb_plan *plan)
{
    size_t workers = plan->params.workers, lanes = lanes_of(plan);
    size_t per_worker = sizeof(struct xb_worker) + sizeof(struct hand) +
                        sizeof(struct xb_worker_part) + sizeof(struct xb_sync_slot);
    size_t per_lane =
        sizeof(struct xb_lane) + sizeof(struct bench) + sizeof(struct xb_lane_part) + sizeof(int);
    return sizeof(struct cell) + workers * per_worker + lanes * per_lane +
           plan->model->state_bytes + KERNEL_BYTES + workers * KERNEL_BYTES_PER_WORKER + 4096;
}

static struct cell *lay_out(const struct xb_plan *plan, struct xb_arena *arena,
                            struct xb_result *result)
{
    uint32_t workers = plan->params.workers, lanes = lanes_of(plan);
    struct cell *cell = xb_arena_take(arena, sizeof *cell, 128);
    struct xb_worker *worker = xb_arena_take(arena, workers * sizeof *worker, 128);
    struct xb_lane *lane = xb_arena_take(arena, lanes * sizeof *lane, 128);
    struct hand *hand = xb_arena_take(arena, workers * sizeof *hand, 128);
    struct bench *bench = xb_arena_take(arena, lanes * sizeof *bench, 128);
    struct xb_worker_part *worker_part = xb_arena_take(arena, workers * sizeof *worker_part, 128);
    struct xb_lane_part *lane_part = xb_arena_take(arena, lanes * sizeof *lane_part, 128);
    int *cpus = xb_arena_take(arena, lanes * sizeof *cpus, 64);
    if (plan->kernel->needs & XB_NEED_TEAM) {
        struct xb_sync_slot *slots = xb_arena_take(arena, workers * sizeof *slots, 64);
        if (!slots)
            return NULL;
        atomic_store(&result->slots, slots);
    }
    if (!cell || !worker || !lane || !hand || !bench || !worker_part || !lane_part || !cpus)
        return NULL;
    *cell = (struct cell){
        .team = { .model = plan->model,
                  .engine = plan->engine,
                  .workers = worker,
                  .lanes = lane,
                  .n_workers = workers,
                  .n_lanes = lanes,
                  .enter = enter,
                  .leave = leave,
                  .body = body,
                  .fail = fail,
                  .failed = team_failed },
        .plan = plan,
        .result = result,
        .hands = hand,
        .benches = bench,
        .worker_parts = worker_part,
        .lane_parts = lane_part,
        .cpus = cpus,
        .pid = getpid(),
        .parent = getppid(),
        .weighs = !plan->calibrate_ns && xb_footprint_tells_resident(workers),
        .phase = plan->calibrate_ns ? CALIBRATE : WARM_UP,
        .iters = plan->iters,
        .search = { .wanted_ns = plan->calibrate_ns,
                    .wanted_instructions = plan->calibrate_instructions,
                    .lanes = lanes,
                    .waits = xb_kernel_waits(plan->kernel),
                    .iters = plan->iters },
    };
    for (uint32_t i = 0; i < lanes; i++) {
        lane[i] = (struct xb_lane){ .team = &cell->team, .index = i, .harness = &bench[i] };
        bench[i].entered = false; /* touched now, lest its page is taken for the lane's */
        cpus[i] = -1;
    }
    for (uint32_t i = 0; i < workers; i++) {
        worker[i] = (struct xb_worker){ .team = &cell->team, .index = i, .harness = &hand[i] };
        hand[i].params = plan->params;
        hand[i].params.index = i;
        hand[i].params.why = hand[i].why;
    }
    uint32_t pus = plan->topology ? xb_topology_pus(plan->topology) : 1;
    cell->weighs_kernel = cell->weighs && xb_footprint_tells_kernel(workers, lanes, pus);
    if (plan->topology)
        xb_topology_place(plan->topology, plan->bind, lanes, cpus);
    return cell;
}

/* The children that this thread has, before there are workers. */
static void find_far_ends(struct xb_aside *aside)
{
    FILE *file = fopen("/proc/thread-self/children", "re");
    while (file && aside->n_far_ends < XB_FAR_ENDS_MOST &&
           fscanf(file, "%d", &aside->far_end[aside->n_far_ends]) == 1)
        aside->n_far_ends++;
    if (file)
        fclose(file);
}

/* What the lanes gathered becomes the team's. */
static void collect(struct cell *cell)
{
    struct xb_result *result = cell->result;
    result->granted = UINT32_MAX;
    for (uint32_t i = 0; i < cell->team.n_lanes; i++) {
        result->granted &= cell->benches[i].granted;
        if (cell->benches[i].ungranted.text[0])
            result->ungranted = cell->benches[i].ungranted;
        xb_histogram_merge(&result->latency, &cell->benches[i].latency);
    }
}

int xb_team_run(const struct xb_plan *plan, struct xb_arena *arena, struct xb_result *result)
{
    const struct xb_kernel *kernel = plan->kernel;
    struct cell *cell = lay_out(plan, arena, result);
    void *shared = xb_arena_take(arena, plan->model->state_bytes, 128);
    if (!cell || !shared)
        return xb_result_fail(result, -ENOMEM, "no shared memory for %u workers",
                              plan->params.workers);
    result->iters = plan->iters;
    result->empty = result->peopled = (struct xb_footprint){ .resident = -1, .kernel = -1 };
    int err = 0;
    struct memory memory = { .memory = { .take = take }, .arena = arena };
    struct hand *first = &cell->hands[0];
    if (kernel->team_setup)
        err = kernel->team_setup(&first->params, &memory.memory, &cell->kernel_team);
    if (err)
        fail_kernel(cell, err, "team setup", first->why);
    else {
        if (cell->weighs) {
            weigh(cell, false, &result->empty);
            cell->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
        }
        if (plan->observer)
            find_far_ends(&result->aside);
        err = plan->model->run_team(&cell->team, shared);
    }
    if (kernel->team_teardown)
        kernel->team_teardown(cell->kernel_team);
    collect(cell);
    result->ended = true;
    return failed(cell) ? result->why.code : err;
}
