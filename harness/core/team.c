/* SPDX-License-Identifier: BSD-3-Clause
 * Runs one cell's workers through their samples.
 *
 * All state is in shared memory and mirrors what the model sees: a `hand` for each xb_worker, a
 * `bench` for each xb_lane. Between samples worker 0 alone sums up and decides, while the others
 * wait at a rendezvous. */
#include "team.h"

#include "../../kernels/prng.h"
#include "../base/clock.h"
#include "../stats/median.h"
#include "latency.h"
#include "metrics.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum phase { CALIBRATE, WARM_UP, SAMPLE, LATENCY, DONE };

/* Too few for an interval; see xb_median_interval(). */
enum { INTERVAL_MIN = 6 };

struct cell {
    struct xb_team team; /* first: the model's view */
    const struct xb_plan *plan;
    struct xb_result *result;
    void *kernel_team;
    struct hand *hands;
    struct bench *benches;
    int *cpus; /* by lane */
    enum phase phase;
    uint64_t iters;
    uint64_t deadline_ns, steal_ns;
    double calibrated_ns; /* what the last window took, if that was long enough; else 0 */
};

/* What the harness keeps of one worker. */
struct hand {
    struct xb_params params;
    struct xb_latency latency;
    struct xb_work did;
    uint64_t begin_ns, end_ns;
    char why[XB_WHY_BYTES];
} __attribute__((aligned(128))); /* apart, lest the harness itself shares lines falsely */

/* What the harness keeps of one lane. */
struct bench {
    bool entered;
    struct xb_counters *counters;
    uint32_t granted;
    struct xb_reason ungranted;
    struct xb_reading reading;
    struct rusage usage;
    uint64_t begin_ns, end_ns, cpu_ns;
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
    return xb_result_fail(cell_of(team)->result, code, "%s", text);
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
    int err = xb_topology_bind(cell->cpus[lane->index]);
    if (err)
        return xb_result_fail(cell->result, err, "bind to CPU %d: %s; use --bind none",
                              cell->cpus[lane->index], strerror(-err));
    uint32_t workers_here = plan->params.workers / cell->team.n_lanes;
    struct xb_reason why = { 0 };
    err = plan->engine->open(parker, plan->params.depth * workers_here, &lane->io, &why);
    if (err)
        return xb_result_fail(cell->result, err, "%s", why.text);
    bench->entered = true;
    err = plan->source->open(plan->metrics, &bench->granted, &bench->counters, &bench->ungranted);
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
    struct bench *bench = lane->harness;
    getrusage(RUSAGE_THREAD, &bench->usage);
    if (bench->counters)
        cell_of(lane->team)->plan->source->start(bench->counters);
    bench->cpu_ns = xb_thread_cpu_ns();
    bench->begin_ns = xb_now_ns();
}

static uint64_t timeval_ns(struct timeval t)
{
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_usec * 1000u;
}

/* What the kernel's own books say of a lane, whoever else counts. */
static void read_accounts(const struct rusage *before, uint64_t cpu_ns, struct xb_reading *out)
{
    struct rusage after;
    getrusage(RUSAGE_THREAD, &after);
    uint64_t *value = out->value;
    uint64_t major = (uint64_t)(after.ru_majflt - before->ru_majflt);
    uint64_t forced = (uint64_t)(after.ru_nivcsw - before->ru_nivcsw);
    value[XB_METRIC_TASK_CLOCK] = cpu_ns;
    value[XB_METRIC_INVOLUNTARY_SWITCHES] = forced;
    value[XB_METRIC_CONTEXT_SWITCHES] = forced + (uint64_t)(after.ru_nvcsw - before->ru_nvcsw);
    value[XB_METRIC_MAJOR_FAULTS] = major;
    value[XB_METRIC_PAGE_FAULTS] = major + (uint64_t)(after.ru_minflt - before->ru_minflt);
    value[XB_METRIC_USER_TIME] = timeval_ns(after.ru_utime) - timeval_ns(before->ru_utime);
    value[XB_METRIC_SYSTEM_TIME] = timeval_ns(after.ru_stime) - timeval_ns(before->ru_stime);
    out->present = XB_METRIC_BIT(TASK_CLOCK) | XB_METRIC_BIT(INVOLUNTARY_SWITCHES) |
                   XB_METRIC_BIT(CONTEXT_SWITCHES) | XB_METRIC_BIT(MAJOR_FAULTS) |
                   XB_METRIC_BIT(PAGE_FAULTS) | XB_METRIC_BIT(USER_TIME) |
                   XB_METRIC_BIT(SYSTEM_TIME);
}

static void end(struct xb_lane *lane)
{
    struct bench *bench = lane->harness;
    bench->end_ns = xb_now_ns();
    bench->cpu_ns = xb_thread_cpu_ns() - bench->cpu_ns;
    struct xb_reading counted = { .present = 0 }, accounts = { .present = 0 };
    if (bench->counters && cell_of(lane->team)->plan->source->stop(bench->counters, &counted) != 0)
        counted.present = 0;
    read_accounts(&bench->usage, bench->cpu_ns, &accounts);
    bench->reading = counted;
    xb_metrics_fill(&bench->reading, &accounts);
}

/* ---- between samples: worker 0 ---- */

/* CPU time the hypervisor gave to others, all CPUs together, since boot; 0 where not told.
 * proc(5), /proc/stat: the eighth number, in clock ticks. */
static uint64_t read_steal_ns(void)
{
    char text[256];
    int fd = open("/proc/stat", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    if (n <= 0)
        return 0;
    text[n] = '\0';
    uint64_t ticks = 0;
    if (sscanf(text, "cpu %*u %*u %*u %*u %*u %*u %*u %" SCNu64, &ticks) != 1)
        return 0;
    return ticks * (1000000000u / (uint64_t)sysconf(_SC_CLK_TCK));
}

static void sum_up(struct cell *cell, struct xb_sample *sample)
{
    const struct xb_team *team = &cell->team;
    uint64_t first = UINT64_MAX, last_begin = 0, last_end = 0;
    *sample = (struct xb_sample){ 0 };
    for (uint32_t i = 0; i < team->n_lanes; i++) {
        const struct bench *bench = &cell->benches[i];
        first = bench->begin_ns < first ? bench->begin_ns : first;
        last_begin = bench->begin_ns > last_begin ? bench->begin_ns : last_begin;
        last_end = bench->end_ns > last_end ? bench->end_ns : last_end;
        sample->cpu_ns += bench->cpu_ns;
        if (i == 0) {
            sample->reading = bench->reading;
        } else {
            struct xb_reading pair[2] = { sample->reading, bench->reading };
            xb_metrics_merge(pair, 2, &sample->reading);
        }
    }
    sample->wall_ns = last_end - first;
    sample->skew_ns = last_begin - first;
    for (uint32_t i = 0; i < team->n_workers; i++) {
        const struct hand *hand = &cell->hands[i];
        sample->in_flight_ns += hand->end_ns - hand->begin_ns;
        sample->work.items += hand->did.items;
        sample->work.bytes_read += hand->did.bytes_read;
        sample->work.bytes_written += hand->did.bytes_written;
        sample->work.flops += hand->did.flops;
        sample->work.outcome += hand->did.outcome;
        /* A plain sum or XOR would let the workers' errors cancel. */
        sample->work.checksum += xb_mix64(hand->did.checksum ^ xb_mix64(i + UINT64_C(1)));
    }
}

double xb_sample_item_ns(const struct xb_sample *sample)
{
    double items = sample->work.items ? (double)sample->work.items : 1;
    return (double)sample->wall_ns / items;
}

/* Numbers of samples at which the interval is looked at, each half as many again as the one before:
 * stopping at the first interval that happens to be narrow lowers its coverage, by the more the
 * more often one looks. */
static bool is_look(uint32_t n)
{
    uint32_t look = INTERVAL_MIN;
    while (look < n)
        look += look / 2;
    return look == n;
}

/* Why this many samples are enough, or XB_STOP_INTERRUPTED when they are not. */
static enum xb_stop enough(struct cell *cell, uint32_t n)
{
    const struct xb_plan *plan = cell->plan;
    struct xb_result *result = cell->result;
    if (plan->samples)
        return n >= plan->samples ? XB_STOP_COUNT : XB_STOP_INTERRUPTED;
    if (is_look(n)) {
        for (uint32_t i = 0; i < n; i++)
            result->scratch[i] = xb_sample_item_ns(&result->samples[i]);
        if (xb_interval_relative(xb_median_interval(result->scratch, n)) <= plan->precision)
            return XB_STOP_PRECISE;
    }
    return xb_now_ns() >= cell->deadline_ns || n >= XB_SAMPLES_MAX ? XB_STOP_TIME
                                                                   : XB_STOP_INTERRUPTED;
}

static enum phase after_sample(struct cell *cell)
{
    struct xb_result *result = cell->result;
    uint32_t n = atomic_load(&result->n_samples);
    struct xb_sample *sample = &result->samples[n];
    sum_up(cell, sample);
    uint64_t steal_ns = read_steal_ns();
    if (steal_ns > cell->steal_ns) { /* not when it could not be read, or was set back */
        sample->steal_ns = steal_ns - cell->steal_ns;
        cell->steal_ns = steal_ns;
    }
    atomic_store(&result->n_samples, ++n);
    result->stop = enough(cell, n);
    if (result->stop == XB_STOP_INTERRUPTED)
        return SAMPLE;
    if (!cell->plan->latency)
        return DONE;
    cell->deadline_ns = xb_now_ns() + cell->plan->budget_ns / 4;
    return LATENCY;
}

/* Grows iters until they take long enough; the last step is computed, not doubled. Work that does
 * not wait is judged by its CPU time, as a lane that was preempted while it calibrated would leave
 * all samples of the kernel too short. */
static enum phase after_calibration(struct cell *cell)
{
    struct xb_result *result = cell->result;
    struct xb_sample sample;
    sum_up(cell, &sample);
    bool waits = xb_kernel_waits(cell->plan->kernel);
    double took_ns = (double)sample.wall_ns, wanted_ns = (double)cell->plan->calibrate_ns;
    /* The share of the wall time is for work that should not wait and does: it must end too. */
    if (!waits)
        took_ns = fmax((double)sample.cpu_ns / cell->team.n_lanes, took_ns / 8);
    took_ns = fmax(took_ns, 1);
    /* Long enough must be seen twice, and the faster counts: one stall of the machine would
     * otherwise pass for work. */
    bool again = cell->calibrated_ns > 0;
    if (again && cell->calibrated_ns < took_ns)
        took_ns = cell->calibrated_ns;
    cell->calibrated_ns = 0;
    double factor = wanted_ns / took_ns;
    if (took_ns < wanted_ns / 2 && cell->iters < UINT64_C(1) << 40) {
        cell->iters = (uint64_t)((double)cell->iters * (factor > 32 ? 16 : factor));
        return CALIBRATE;
    }
    if (!again) {
        cell->calibrated_ns = took_ns;
        return CALIBRATE;
    }
    double iters = (double)cell->iters * factor;
    result->iters = iters < 1 ? 1 : (uint64_t)iters;
    result->calibrated_ns = (uint64_t)(took_ns * (double)result->iters / (double)cell->iters);
    return DONE;
}

static void decide(struct cell *cell)
{
    struct xb_result *result = cell->result;
    if (failed(cell)) {
        cell->phase = DONE;
        return;
    }
    switch (cell->phase) {
    case CALIBRATE:
        cell->phase = after_calibration(cell);
        break;
    case WARM_UP:
        cell->deadline_ns = xb_now_ns() + cell->plan->budget_ns;
        cell->steal_ns = read_steal_ns();
        cell->phase = SAMPLE;
        break;
    case SAMPLE:
        cell->phase = after_sample(cell);
        break;
    case LATENCY:
        if (xb_now_ns() >= cell->deadline_ns)
            cell->phase = DONE;
        break;
    case DONE:
        break;
    }
    if (atomic_load(&result->interrupted))
        cell->phase = DONE;
}

/* ---- workers ---- */

static int yield(struct xb_io *io)
{
    struct xb_io_op op = { .kind = XB_IO_YIELD };
    return (int)xb_await(io, &op);
}

static int work(struct cell *cell, struct xb_worker *worker, struct hand *hand, void *state)
{
    const struct xb_plan *plan = cell->plan;
    struct xb_io *io = cell->phase == LATENCY ? &hand->latency.io : worker->lane->io;
    struct xb_run run = { .params = &hand->params, .io = io, .team = cell->kernel_team };
    uint64_t left = cell->iters;
    uint64_t slice = plan->slice_iters && plan->model->parks ? plan->slice_iters : left;
    while (left) {
        uint64_t now = left < slice ? left : slice;
        int err = plan->kernel->run(&run, state, now, &hand->did);
        if (err)
            return err;
        left -= now;
        if (left && (err = yield(worker->lane->io)))
            return err;
    }
    xb_latency_finish(&hand->latency);
    return 0;
}

static void body(struct xb_worker *worker)
{
    struct cell *cell = cell_of(worker->team);
    const struct xb_kernel *kernel = cell->plan->kernel;
    struct hand *hand = worker->harness;
    void *state = NULL;
    int err = 0;
    if (!failed(cell) && kernel->setup) {
        err = kernel->setup(&hand->params, cell->kernel_team, &state);
        if (err)
            fail_kernel(cell, err, "setup", hand->why);
    }
    struct bench *bench = worker->lane->harness;
    xb_latency_wrap(&hand->latency, worker->lane->io, &bench->latency);
    do {
        hand->did = (struct xb_work){ 0 };
        if (!failed(cell) && kernel->begin)
            kernel->begin(state);
        cell->team.model->rendezvous(worker, NULL, begin);
        hand->begin_ns = xb_now_ns();
        if (!failed(cell)) {
            err = work(cell, worker, hand, state);
            if (err)
                fail_kernel(cell, err, "run", hand->why);
        }
        hand->end_ns = xb_now_ns();
        cell->team.model->rendezvous(worker, end, NULL);
        if (worker->index == 0)
            decide(cell);
        cell->team.model->rendezvous(worker, NULL, NULL);
    } while (cell->phase != DONE);
    if (!failed(cell)) {
        err = kernel->verify(&hand->params, cell->kernel_team, state, cell->iters, &hand->did);
        if (err)
            fail_kernel(cell, err, "verify", hand->why);
    }
    if (kernel->teardown)
        kernel->teardown(state);
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

size_t xb_team_bytes(const struct xb_plan *plan)
{
    size_t workers = plan->params.workers, lanes = plan->model->lanes(plan->params.workers);
    return sizeof(struct cell) + workers * (sizeof(struct xb_worker) + sizeof(struct hand)) +
           lanes * (sizeof(struct xb_lane) + sizeof(struct bench) + sizeof(int)) +
           plan->model->state_bytes + KERNEL_BYTES + workers * KERNEL_BYTES_PER_WORKER + 4096;
}

static struct cell *lay_out(const struct xb_plan *plan, struct xb_arena *arena,
                            struct xb_result *result)
{
    uint32_t workers = plan->params.workers, lanes = plan->model->lanes(workers);
    struct cell *cell = xb_arena_take(arena, sizeof *cell, 128);
    struct xb_worker *worker = xb_arena_take(arena, workers * sizeof *worker, 128);
    struct xb_lane *lane = xb_arena_take(arena, lanes * sizeof *lane, 128);
    struct hand *hand = xb_arena_take(arena, workers * sizeof *hand, 128);
    struct bench *bench = xb_arena_take(arena, lanes * sizeof *bench, 128);
    int *cpus = xb_arena_take(arena, lanes * sizeof *cpus, 64);
    if (!cell || !worker || !lane || !hand || !bench || !cpus)
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
                  .fail = fail },
        .plan = plan,
        .result = result,
        .hands = hand,
        .benches = bench,
        .cpus = cpus,
        .phase = plan->calibrate_ns ? CALIBRATE : WARM_UP,
        .iters = plan->iters,
    };
    for (uint32_t i = 0; i < lanes; i++) {
        lane[i] = (struct xb_lane){ .team = &cell->team, .index = i, .harness = &bench[i] };
        cpus[i] = -1;
    }
    for (uint32_t i = 0; i < workers; i++) {
        worker[i] = (struct xb_worker){ .team = &cell->team, .index = i, .harness = &hand[i] };
        hand[i].params = plan->params;
        hand[i].params.index = i;
        hand[i].params.why = hand[i].why;
    }
    if (plan->topology)
        xb_topology_place(plan->topology, plan->bind, lanes, cpus);
    return cell;
}

/* What the lanes gathered becomes the team's. */
static void collect(struct cell *cell)
{
    struct xb_result *result = cell->result;
    result->granted = XB_METRICS_ALL;
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
    int err = 0;
    struct memory memory = { .memory = { .take = take }, .arena = arena };
    struct hand *first = &cell->hands[0];
    if (kernel->team_setup)
        err = kernel->team_setup(&first->params, &memory.memory, &cell->kernel_team);
    if (err)
        fail_kernel(cell, err, "team setup", first->why);
    else
        err = plan->model->run_team(&cell->team, shared);
    if (kernel->team_teardown)
        kernel->team_teardown(cell->kernel_team);
    collect(cell);
    result->ended = true;
    return failed(cell) ? result->why.code : err;
}
