/* SPDX-License-Identifier: BSD-3-Clause
 * Tests what becomes of a cell: the order of its steps, and every way for it to go wrong.
 *
 * The kernel here does nothing but write down its calls, and one thing wrong where a test wants
 * it. Each test runs under every model, as all of them have to keep the same promises. */
#include "cellrun.h"
#include "xbtest.h"

#include "../base/clock.h"
#include "../core/metrics.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

/* ---- a kernel that can be told what to do ---- */

enum step {
    NOWHERE,
    TEAM_SETUP = 'T',
    SETUP = 'S',
    BEGIN = 'B',
    RUN = 'R',
    VERIFY = 'V',
    TEARDOWN = 'D',
    TEAM_TEARDOWN = 'E'
};

enum { EVENTS = 1024, NOBODY = 255 };

/* What a cell writes down, in memory that outlives it. */
struct notes {
    _Atomic uint32_t n;
    struct {
        char step;
        uint8_t worker;
    } event[EVENTS];
    volatile sig_atomic_t stop;
    _Atomic uint32_t lanes; /* counter sources opened */
};

/* What is to go wrong, and where. */
struct script {
    enum step step;
    uint32_t worker;
    uint32_t window; /* of RUN: 0 is the warm-up, k the k-th sample */
    int (*act)(const struct xb_params *params);
    bool others_wait; /* for ever, in that window */
    uint64_t nap_ns;  /* in each run() */
    uint32_t swap;    /* a worker takes the checksum of number index ^ swap */
};

static struct notes *notes;
static struct script script;

/* To be called first in each test. */
static void stage(const struct script *wanted)
{
    if (!notes)
        notes = xb_cell_shared(sizeof *notes);
    memset(notes, 0, sizeof *notes);
    script = wanted ? *wanted : (struct script){ 0 };
}

enum { WORKERS_MAX = 5 };

struct team {
    int pipe[WORKERS_MAX][2]; /* nobody ever writes to them */
    uint32_t *slots;          /* one per worker, in team memory */
};

struct actor {
    uint32_t index, window;
};

static void note(enum step step, uint32_t worker)
{
    uint32_t at = atomic_fetch_add(&notes->n, 1);
    if (at >= EVENTS)
        return;
    notes->event[at].step = (char)step;
    notes->event[at].worker = (uint8_t)worker;
}

static bool due(enum step step, uint32_t worker)
{
    return script.act && script.step == step && script.worker == worker;
}

static int team_setup(const struct xb_params *params, struct xb_memory *memory, void **out)
{
    note(TEAM_SETUP, NOBODY);
    struct team *team = *out = calloc(1, sizeof *team);
    team->slots = memory->take(memory, params->workers * sizeof *team->slots, 8);
    if (!team->slots || memory->take(memory, (size_t)1 << 40, 8))
        return xb_explain(params, -ENOMEM, "team memory is not as promised");
    for (uint32_t i = 0; i < params->workers; i++)
        if (pipe(team->pipe[i]) != 0)
            return -errno;
    return due(TEAM_SETUP, 0) ? script.act(params) : 0;
}

static int setup(const struct xb_params *params, void *team, void **state)
{
    (void)team;
    note(SETUP, params->index);
    struct actor *actor = *state = calloc(1, sizeof *actor);
    actor->index = params->index;
    actor->window = UINT32_MAX;
    return due(SETUP, params->index) ? script.act(params) : 0;
}

static void begin(void *state)
{
    struct actor *actor = state;
    note(BEGIN, actor->index);
    actor->window++;
}

static int wait_for_ever(struct xb_run *run, const int pipe_ends[2])
{
    char byte;
    struct xb_io_op op = {
        .kind = XB_IO_READ, .fd = pipe_ends[0], .buf = &byte, .len = 1, .offset = XB_IO_STREAM
    };
    return (int)xb_await(run->io, &op);
}

static int run(struct xb_run *run, void *state, uint64_t iters, struct xb_work *did)
{
    const struct actor *actor = state;
    const struct team *team = run->team;
    note(RUN, actor->index);
    team->slots[actor->index] = actor->index + 1;
    if (script.nap_ns)
        nanosleep(&(struct timespec){ .tv_nsec = (long)script.nap_ns }, NULL);
    int err = 0;
    bool here = script.step == RUN && actor->window == script.window;
    if (here && due(RUN, actor->index))
        err = script.act(run->params);
    else if (here && script.others_wait)
        err = wait_for_ever(run, team->pipe[actor->index]);
    for (uint64_t i = 0; i < iters && !err; i++) {
        /* An item of one operation, and one of two, by turns. */
        struct xb_io_op op = { .kind = XB_IO_YIELD, .marks = XB_IO_BEGINS | XB_IO_ENDS };
        for (int part = 0; part <= (int)(i % 2) && !err; part++) {
            if (i % 2)
                op.marks = part ? XB_IO_ENDS : XB_IO_BEGINS;
            err = (int)xb_await(run->io, &op);
        }
    }
    did->items += iters;
    did->bytes_read += 2 * iters;
    did->bytes_written += 3 * iters;
    did->flops += 4 * iters;
    did->checksum += (5 + (actor->index ^ script.swap)) * iters;
    did->outcome += (actor->index + 1) * iters;
    return err;
}

static int verify(const struct xb_params *params, void *opaque, void *state, uint64_t iters,
                  const struct xb_work *did)
{
    const struct team *team = opaque;
    (void)state;
    note(VERIFY, params->index);
    for (uint32_t i = 0; i < params->workers; i++)
        if (team->slots[i] != i + 1)
            return xb_explain(params, -EBADMSG, "worker %u's slot is not seen by all", i);
    if (due(VERIFY, params->index))
        return script.act(params);
    return did->items == iters ? 0 : -EBADMSG;
}

static void teardown(void *state)
{
    const struct actor *actor = state;
    if (actor) /* NULL from a worker that was never set up */
        note(TEARDOWN, actor->index);
    free(state);
}

static void team_teardown(void *opaque)
{
    note(TEAM_TEARDOWN, NOBODY);
    free(opaque); /* the cell's process ends, and the pipes with it */
}

static const struct xb_kernel actor_kernel = {
    .name = "io/actor",
    .item = "line",
    .outcome = "applause",
    .bound = XB_CLASS_IO,
    .team_setup = team_setup,
    .setup = setup,
    .begin = begin,
    .run = run,
    .verify = verify,
    .teardown = teardown,
    .team_teardown = team_teardown,
};

/* The steps of one worker, or of NOBODY, in order, as text. */
static const char *steps_of(uint32_t worker, char *text)
{
    uint32_t n = atomic_load(&notes->n);
    size_t length = 0;
    for (uint32_t i = 0; i < n && i < EVENTS; i++)
        if (notes->event[i].worker == worker)
            text[length++] = notes->event[i].step;
    text[length] = '\0';
    return text;
}

/* ---- what can go wrong ---- */

static int fail_silently(const struct xb_params *params)
{
    (void)params;
    return -EBADMSG;
}

static int fail_with_words(const struct xb_params *params)
{
    return xb_explain(params, -EACCES, "the stage door is locked");
}

static _Noreturn void die_by(int number)
{
    /* No core file, and no report by a sanitizer. */
    setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
    signal(number, SIG_DFL);
    kill(getpid(), number);
    for (;;)
        pause();
}

static int be_killed(const struct xb_params *params)
{
    (void)params;
    die_by(SIGKILL);
}

static int crash(const struct xb_params *params)
{
    (void)params;
    die_by(SIGSEGV);
}

static int exit_3(const struct xb_params *params)
{
    (void)params;
    _exit(3);
}

static int exit_0(const struct xb_params *params)
{
    (void)params;
    _exit(0);
}

static int hang(const struct xb_params *params)
{
    for (;;)
        pause();
    return params != NULL;
}

static int interrupt(const struct xb_params *params)
{
    (void)params;
    notes->stop = 1;
    return 0;
}

static int interrupt_and_hang(const struct xb_params *params)
{
    interrupt(params);
    return hang(params);
}

/* As kernels with a server of their own do. */
static int fork_a_server(const struct xb_params *params)
{
    (void)params;
    pid_t pid = fork();
    if (pid == 0)
        for (;;)
            pause();
    return pid < 0 ? -errno : 0;
}

static int fork_a_server_and_fail(const struct xb_params *params)
{
    fork_a_server(params);
    return -EIO;
}

/* ---- order ---- */

static void steps_come_in_order(const void *model)
{
    stage(NULL);
    struct xb_plan plan = xb_cell_plan(&actor_kernel, model, 3);
    struct xb_cell_run ran;
    xb_cell_run(&plan, XB_CELL_LIMIT_NS, NULL, &ran);
    XB_EXPECT_EQ(ran.code, 0);
    XB_EXPECT_EQ(ran.samples, 2);
    XB_EXPECT_STREQ(ran.why, "");
    char text[EVENTS + 1];
    /* A warm-up and two samples. */
    for (uint32_t worker = 0; worker < 3; worker++)
        XB_EXPECT_STREQ(steps_of(worker, text), "SBRBRBRVD");
    XB_EXPECT_STREQ(steps_of(NOBODY, text), "TE");
    XB_EXPECT_EQ(notes->event[0].step, TEAM_SETUP);
    XB_EXPECT_EQ(notes->event[atomic_load(&notes->n) - 1].step, TEAM_TEARDOWN);
    xb_cell_run_close(&ran);
}

static void workers_wait_for_one_another(const void *model)
{
    stage(NULL);
    struct xb_plan plan = xb_cell_plan(&actor_kernel, model, 5);
    struct xb_cell_run ran;
    xb_cell_run(&plan, XB_CELL_LIMIT_NS, NULL, &ran);
    XB_EXPECT_EQ(ran.code, 0);
    /* Nobody runs a window before all began it, nor begins the next before all have run. */
    uint32_t begun = 0, run_ = 0, n = atomic_load(&notes->n);
    for (uint32_t i = 0; i < n && i < EVENTS; i++) {
        if (notes->event[i].step == BEGIN) {
            XB_EXPECT_EQ(run_ % 5, 0);
            begun++;
        } else if (notes->event[i].step == RUN) {
            XB_EXPECT_EQ(begun % 5, 0);
            run_++;
        } else if (notes->event[i].step == VERIFY) {
            XB_EXPECT_EQ(run_, 15);
        }
    }
    xb_cell_run_close(&ran);
}

static void a_sample_is_cut_into_slices_where_there_are_checkpoints(const void *argument)
{
    const struct xb_model *model = argument;
    stage(NULL);
    struct xb_plan plan = xb_cell_plan(&actor_kernel, model, 2);
    plan.slice_iters = 4; /* of 10: 4, 4, 2 */
    struct xb_cell_run ran;
    xb_cell_run(&plan, XB_CELL_LIMIT_NS, NULL, &ran);
    XB_EXPECT_EQ(ran.code, 0);
    char text[EVENTS + 1];
    for (uint32_t worker = 0; worker < 2; worker++)
        XB_EXPECT_STREQ(steps_of(worker, text),
                        model->checkpoint ? "SBRRRBRRRBRRRVD" : "SBRBRBRVD");
    XB_EXPECT_EQ(ran.result->samples[1].work.items, 20);
    xb_cell_run_close(&ran);
}

static void work_is_summed_over_workers(const void *model)
{
    stage(NULL);
    struct xb_plan plan = xb_cell_plan(&actor_kernel, model, 3);
    struct xb_cell_run ran;
    xb_cell_run(&plan, XB_CELL_LIMIT_NS, NULL, &ran);
    for (uint32_t i = 0; i < ran.samples; i++) {
        const struct xb_sample *sample = &ran.result->samples[i];
        XB_EXPECT_EQ(sample->work.items, 30);
        XB_EXPECT_EQ(sample->work.bytes_read, 60);
        XB_EXPECT_EQ(sample->work.bytes_written, 90);
        XB_EXPECT_EQ(sample->work.flops, 120);
        XB_EXPECT_EQ(sample->work.outcome, 10 * (1 + 2 + 3));
        XB_EXPECT(sample->wall_ns > 0);
        XB_EXPECT(sample->in_flight_ns > 0);
    }
    XB_EXPECT(ran.result->samples[0].work.checksum == ran.result->samples[1].work.checksum);
    xb_cell_run_close(&ran);
}

/* A sum of plain checksums would let one worker's error make up for another's. */
static void checksum_tells_workers_apart(const void *model)
{
    uint64_t checksum[2];
    for (uint32_t swap = 0; swap < 2; swap++) {
        stage(&(struct script){ .swap = swap });
        struct xb_plan plan = xb_cell_plan(&actor_kernel, model, 2);
        struct xb_cell_run ran;
        xb_cell_run(&plan, XB_CELL_LIMIT_NS, NULL, &ran);
        XB_EXPECT_EQ(ran.samples, 2);
        checksum[swap] = ran.result->samples[0].work.checksum;
        xb_cell_run_close(&ran);
    }
    XB_EXPECT(checksum[0] != checksum[1]);
}

/* ---- when to stop ---- */

/* How many they are is the machine's affair. But as many take the time that was asked for, to one
 * iteration, by what the search itself saw: arithmetic, whatever the clock says. */
static void calibration_finds_the_iterations(const void *model)
{
    stage(NULL);
    struct xb_plan plan = xb_cell_plan(&actor_kernel, model, 1);
    plan.iters = 1;
    plan.calibrate_ns = 30000000;
    struct xb_cell_run ran;
    xb_cell_run(&plan, XB_CELL_LIMIT_NS, NULL, &ran);
    XB_EXPECT_EQ(ran.code, 0);
    XB_EXPECT_EQ(ran.samples, 0);
    double iters = (double)ran.result->iters, took_ns = (double)ran.result->calibrated_ns;
    XB_EXPECT(iters >= 1);
    XB_EXPECT(took_ns + took_ns / iters + 1 >= 30e6);
    XB_EXPECT(iters < 2 || took_ns <= 30e6 + 1);
    xb_cell_run_close(&ran);
}

static void calibration_gives_one_iteration_that_takes_too_long(const void *model)
{
    stage(&(struct script){ .nap_ns = 5000000 });
    struct xb_plan plan = xb_cell_plan(&actor_kernel, model, 1);
    plan.iters = 1;
    plan.calibrate_ns = 1000000;
    struct xb_cell_run ran;
    xb_cell_run(&plan, XB_CELL_LIMIT_NS, NULL, &ran);
    XB_EXPECT_EQ(ran.code, 0);
    XB_EXPECT_EQ(ran.result->iters, 1);
    XB_EXPECT(ran.result->calibrated_ns >= 5000000);
    xb_cell_run_close(&ran);
}

static void sampling_stops_when_precise(const void *model)
{
    stage(NULL);
    struct xb_plan plan = xb_cell_plan(&actor_kernel, model, 2);
    plan.samples = 0;
    plan.precision = 1e9; /* whatever six samples say is good enough */
    plan.budget_ns = XB_CELL_LIMIT_NS;
    struct xb_cell_run ran;
    xb_cell_run(&plan, XB_CELL_LIMIT_NS, NULL, &ran);
    XB_EXPECT_EQ(ran.code, 0);
    XB_EXPECT_EQ(ran.samples, 6);
    XB_EXPECT_EQ(ran.result->stop, XB_STOP_PRECISE);
    xb_cell_run_close(&ran);
}

static void sampling_stops_when_the_budget_is_spent(const void *model)
{
    stage(NULL);
    struct xb_plan plan = xb_cell_plan(&actor_kernel, model, 2);
    plan.samples = 0;
    plan.budget_ns = 1;
    struct xb_cell_run ran;
    xb_cell_run(&plan, XB_CELL_LIMIT_NS, NULL, &ran);
    XB_EXPECT_EQ(ran.code, 0);
    XB_EXPECT_EQ(ran.samples, 1);
    XB_EXPECT_EQ(ran.result->stop, XB_STOP_TIME);
    xb_cell_run_close(&ran);
}

static void an_interruption_keeps_the_samples(const void *model)
{
    stage(&(struct script){ .step = RUN, .window = 3, .act = interrupt, .nap_ns = 2000000 });
    struct xb_plan plan = xb_cell_plan(&actor_kernel, model, 2);
    plan.samples = XB_SAMPLES_MAX;
    struct xb_cell_run ran;
    xb_cell_run(&plan, XB_CELL_LIMIT_NS, &notes->stop, &ran);
    XB_EXPECT_EQ(ran.code, 0);
    XB_EXPECT_STREQ(ran.why, "");
    XB_EXPECT(ran.samples >= 3 && ran.samples < XB_SAMPLES_MAX);
    xb_cell_run_close(&ran);
}

static void an_interrupted_hang_is_ended(const void *model)
{
    stage(&(struct script){ .step = RUN, .window = 3, .act = interrupt_and_hang });
    struct xb_plan plan = xb_cell_plan(&actor_kernel, model, 2);
    plan.samples = 5;
    struct xb_cell_run ran;
    uint64_t before = xb_now_ns();
    xb_cell_run(&plan, XB_CELL_LIMIT_NS, &notes->stop, &ran);
    XB_EXPECT(xb_now_ns() - before < XB_CELL_LIMIT_NS / 2);
    XB_EXPECT_EQ(ran.code, 0); /* it did not fail: nobody let it finish */
    XB_EXPECT_EQ(ran.samples, 2);
    xb_cell_run_close(&ran);
}

/* ---- failing ---- */

static void expect_failure(const void *model, const struct script *wanted, int code,
                           const char *why, uint32_t samples)
{
    stage(wanted);
    struct xb_plan plan = xb_cell_plan(&actor_kernel, model, 3);
    plan.samples = 5;
    struct xb_cell_run ran;
    uint64_t before = xb_now_ns();
    xb_cell_run(&plan, XB_CELL_LIMIT_NS, NULL, &ran);
    XB_EXPECT(xb_now_ns() - before < XB_CELL_LIMIT_NS / 2);
    XB_EXPECT_EQ(ran.code, code);
    XB_EXPECT_EQ(ran.result->why.code, code);
    XB_EXPECT_HAS(ran.why, why);
    XB_EXPECT_EQ(ran.samples, samples);
    for (uint32_t i = 0; i < ran.samples; i++)
        XB_EXPECT_EQ(ran.result->samples[i].work.items, 30);
    xb_cell_run_close(&ran);
}

static void a_failed_team_setup_says_why(const void *model)
{
    expect_failure(model, &(struct script){ .step = TEAM_SETUP, .act = fail_with_words }, -EACCES,
                   "the stage door is locked", 0);
    char text[EVENTS + 1];
    XB_EXPECT_STREQ(steps_of(NOBODY, text), "TE");
    XB_EXPECT_EQ(atomic_load(&notes->n), 2); /* no worker was made */
}

static void a_failed_setup_says_why(const void *model)
{
    expect_failure(model, &(struct script){ .step = SETUP, .worker = 1, .act = fail_with_words },
                   -EACCES, "the stage door is locked", 0);
    char text[EVENTS + 1];
    XB_EXPECT_STREQ(steps_of(1, text), "SD"); /* what it took is given back */
    XB_EXPECT_STREQ(steps_of(NOBODY, text), "TE");
}

static void a_failed_verify_fails_the_cell(const void *model)
{
    expect_failure(model, &(struct script){ .step = VERIFY, .worker = 2, .act = fail_silently },
                   -EBADMSG, "verify: the answer is wrong", 5);
}

static void a_failed_run_ends_those_who_wait_for_it(const void *model)
{
    expect_failure(
        model,
        &(struct script){
            .step = RUN, .worker = 1, .window = 3, .act = fail_with_words, .others_wait = true },
        -EACCES, "the stage door is locked", 2);
}

/* A loop knows that nobody can go on, where threads have to be killed: team_teardown is called. */
XB_TEST(Runner, ALoopWhoseWorkerFailedEndsByItself)
{
    stage(&(struct script){
        .step = RUN, .worker = 1, .window = 3, .act = fail_with_words, .others_wait = true });
    struct xb_plan plan = xb_cell_plan(&actor_kernel, xb_find_model(&xb_builtin, "loop"), 3);
    plan.samples = 5;
    struct xb_cell_run ran;
    xb_cell_run(&plan, XB_CELL_LIMIT_NS, NULL, &ran);
    XB_EXPECT_EQ(ran.code, -EACCES);
    XB_EXPECT_HAS(ran.why, "the stage door is locked");
    XB_EXPECT(ran.result->ended);
    xb_cell_run_close(&ran);
}

static void a_killed_worker_fails_the_cell(const void *model)
{
    expect_failure(model,
                   &(struct script){ .step = RUN, .worker = 1, .window = 3, .act = be_killed },
                   -ECHILD, "killed by signal 9", 2);
}

static void a_crashed_worker_fails_the_cell(const void *model)
{
    expect_failure(model, &(struct script){ .step = RUN, .worker = 1, .window = 3, .act = crash },
                   -ECHILD, "killed by signal 11", 2);
}

static void a_worker_that_exits_fails_the_cell(const void *model)
{
    expect_failure(model, &(struct script){ .step = RUN, .worker = 1, .window = 3, .act = exit_3 },
                   -ECHILD, "exited with status 3", 2);
}

/* Nothing but the missing samples would tell. */
static void a_worker_that_exits_as_if_all_were_well_fails_the_cell(const void *model)
{
    stage(&(struct script){ .step = RUN, .worker = 1, .window = 3, .act = exit_0 });
    struct xb_plan plan = xb_cell_plan(&actor_kernel, model, 3);
    plan.samples = 5;
    struct xb_cell_run ran;
    xb_cell_run(&plan, XB_CELL_LIMIT_NS / 30, NULL, &ran);
    XB_EXPECT(ran.code != 0);
    XB_EXPECT(ran.why[0] != '\0');
    XB_EXPECT_EQ(ran.samples, 2);
    xb_cell_run_close(&ran);
}

static void a_hanging_worker_is_ended_by_the_limit(const void *model)
{
    stage(&(struct script){ .step = RUN, .worker = 1, .window = 3, .act = hang });
    struct xb_plan plan = xb_cell_plan(&actor_kernel, model, 3);
    plan.samples = 5;
    struct xb_cell_run ran;
    xb_cell_run(&plan, 1000000000, NULL, &ran);
    XB_EXPECT_EQ(ran.code, -ETIMEDOUT);
    XB_EXPECT_HAS(ran.why, "no end after 1.0 s");
    XB_EXPECT_EQ(ran.samples, 2);
    xb_cell_run_close(&ran);
}

static void workers_that_all_wait_are_ended_by_the_limit(const void *model)
{
    stage(&(struct script){ .step = RUN, .worker = NOBODY, .window = 1, .others_wait = true });
    struct xb_plan plan = xb_cell_plan(&actor_kernel, model, 2);
    struct xb_cell_run ran;
    xb_cell_run(&plan, 300000000, NULL, &ran);
    XB_EXPECT_EQ(ran.code, -ETIMEDOUT);
    XB_EXPECT_EQ(ran.samples, 0);
    xb_cell_run_close(&ran);
}

/* xb_cell_run() itself looks for what is left. */
static void a_server_left_by_a_kernel_is_ended(const void *model)
{
    stage(&(struct script){ .step = TEAM_SETUP, .act = fork_a_server });
    struct xb_plan plan = xb_cell_plan(&actor_kernel, model, 2);
    struct xb_cell_run ran;
    xb_cell_run(&plan, XB_CELL_LIMIT_NS, NULL, &ran);
    XB_EXPECT_EQ(ran.code, 0);
    xb_cell_run_close(&ran);
}

static void a_server_left_by_a_failed_kernel_is_ended(const void *model)
{
    expect_failure(model, &(struct script){ .step = TEAM_SETUP, .act = fork_a_server_and_fail },
                   -EIO, "team setup: Input/output error", 0);
}

XB_TEST(Runner, LeavesTheCallersSignalsAndChildrenAlone)
{
    stage(NULL);
    struct xb_plan plan = xb_cell_plan(&actor_kernel, xb_find_model(&xb_builtin, "processes"), 2);
    struct xb_arena arena = { 0 };
    struct xb_result *result;
    sigset_t before, after;
    sigemptyset(&before);
    sigaddset(&before, SIGUSR1);
    sigprocmask(SIG_SETMASK, &before, NULL);
    XB_EXPECT_EQ(xb_runner_run(&plan, XB_CELL_LIMIT_NS, NULL, &arena, &result), 0);
    sigprocmask(SIG_BLOCK, NULL, &after);
    for (int number = 1; number < NSIG; number++)
        XB_EXPECT_EQ(sigismember(&before, number), sigismember(&after, number));
    XB_EXPECT(!xb_cell_leftovers()); /* without a subreaper: no zombies of its own */
    xb_arena_close(&arena);
}

/* ---- engines that break ---- */

struct bad_io {
    struct xb_io io; /* first: the kernel's view */
    struct xb_parker *parker;
};

static int probe(struct xb_reason *why)
{
    (void)why;
    return 0;
}

static int open_never(struct xb_parker *parker, uint32_t in_flight, struct xb_io **out,
                      struct xb_reason *why)
{
    (void)parker;
    (void)in_flight;
    (void)out;
    return xb_because(why, -ENFILE, "the ring is bent");
}

static int break_down(struct xb_io *io, struct xb_io_op *ops, size_t n, size_t at_least)
{
    (void)io;
    (void)ops;
    (void)n;
    (void)at_least;
    return -EPIPE;
}

static int park_for_good(struct xb_io *io, struct xb_io_op *ops, size_t n, size_t at_least)
{
    (void)ops;
    (void)n;
    (void)at_least;
    struct bad_io *bad = (struct bad_io *)io;
    bad->parker->park(bad->parker);
    return 0;
}

static int open_with(struct xb_parker *parker, struct xb_io **out,
                     int (*await)(struct xb_io *, struct xb_io_op *, size_t, size_t))
{
    struct bad_io *bad = calloc(1, sizeof *bad);
    if (!bad)
        return -ENOMEM;
    bad->io.await = await;
    bad->parker = parker;
    *out = &bad->io;
    return 0;
}

static int open_breaking(struct xb_parker *parker, uint32_t in_flight, struct xb_io **out,
                         struct xb_reason *why)
{
    (void)in_flight;
    (void)why;
    return open_with(parker, out, break_down);
}

static int open_losing(struct xb_parker *parker, uint32_t in_flight, struct xb_io **out,
                       struct xb_reason *why)
{
    (void)in_flight;
    (void)why;
    return open_with(parker, out, park_for_good);
}

static int pump_nothing(struct xb_io *io, int64_t timeout_ns)
{
    (void)io;
    return timeout_ns < 0 ? -EDEADLK : 0;
}

static int pump_failing(struct xb_io *io, int64_t timeout_ns)
{
    (void)io;
    return timeout_ns < 0 ? -EIO : 0;
}

static void close_bad(struct xb_io *io)
{
    free(io);
}

static void expect_engine_failure(const struct xb_model *model, const struct xb_io_engine *engine,
                                  int code, const char *why)
{
    stage(NULL);
    struct xb_plan plan = xb_cell_plan(&actor_kernel, model, 3);
    plan.engine = engine;
    struct xb_cell_run ran;
    xb_cell_run(&plan, XB_CELL_LIMIT_NS, NULL, &ran);
    XB_EXPECT_EQ(ran.code, code);
    XB_EXPECT_HAS(ran.why, why);
    XB_EXPECT_EQ(ran.samples, 0);
    xb_cell_run_close(&ran);
}

static void an_engine_that_does_not_open_says_why(const void *model)
{
    static const struct xb_io_engine engine = { .name = "bent",
                                                .parks = true,
                                                .probe = probe,
                                                .open = open_never,
                                                .pump = pump_nothing,
                                                .close = close_bad };
    expect_engine_failure(model, &engine, -ENFILE, "the ring is bent");
    char text[EVENTS + 1];
    XB_EXPECT_STREQ(steps_of(NOBODY, text), "TE");
}

static void an_engine_that_breaks_fails_the_run(const void *model)
{
    static const struct xb_io_engine engine = { .name = "broken",
                                                .parks = true,
                                                .probe = probe,
                                                .open = open_breaking,
                                                .pump = pump_nothing,
                                                .close = close_bad };
    expect_engine_failure(model, &engine, -EPIPE, "run: Broken pipe");
}

XB_TEST(Runner, TasksThatNothingCanWakeAreADeadlock)
{
    static const struct xb_io_engine engine = { .name = "losing",
                                                .parks = true,
                                                .probe = probe,
                                                .open = open_losing,
                                                .pump = pump_nothing,
                                                .close = close_bad };
    expect_engine_failure(xb_find_model(&xb_builtin, "loop"), &engine, -EDEADLK,
                          "3 workers of the loop wait and nothing can wake them");
}

XB_TEST(Runner, AnEngineThatCannotWaitFailsTheLoop)
{
    static const struct xb_io_engine engine = { .name = "deaf",
                                                .parks = true,
                                                .probe = probe,
                                                .open = open_losing,
                                                .pump = pump_failing,
                                                .close = close_bad };
    expect_engine_failure(xb_find_model(&xb_builtin, "loop"), &engine, -EIO,
                          "deaf: Input/output error");
}

/* ---- counter sources ---- */

struct xb_counters {
    uint32_t lane; /* in the order of opening */
};

static int open_counting(const struct xb_events *wanted, uint32_t *granted,
                         struct xb_counters **out, struct xb_reason *why)
{
    struct xb_counters *counters = calloc(1, sizeof *counters);
    counters->lane = atomic_fetch_add(&notes->lanes, 1);
    *granted = wanted->set & (XB_METRIC_BIT(CYCLES) | XB_METRIC_BIT(INSTRUCTIONS));
    if (counters->lane == 0)
        *granted |= XB_METRIC_BIT(LLC_MISSES); /* the PMU of that core has one more counter */
    else
        xb_because(why, -ENOSPC, "no counter left for cache misses");
    *out = counters;
    return 0;
}

static int start_counting(struct xb_counters *counters)
{
    (void)counters;
    return 0;
}

static int stop_counting(struct xb_counters *counters, struct xb_reading *out)
{
    out->present = XB_METRIC_BIT(CYCLES) | XB_METRIC_BIT(INSTRUCTIONS);
    out->value[XB_METRIC_CYCLES] = 1000 + counters->lane;
    out->value[XB_METRIC_INSTRUCTIONS] = UINT64_C(7) << counters->lane;
    if (counters->lane == 0) {
        out->present |= XB_METRIC_BIT(LLC_MISSES);
        out->value[XB_METRIC_LLC_MISSES] = 13;
    }
    out->enabled_ns = 100;
    out->running_ns = counters->lane == 1 ? 50 : 100;
    return 0;
}

static int stop_failing(struct xb_counters *counters, struct xb_reading *out)
{
    stop_counting(counters, out);
    return -EIO;
}

static void close_counting(struct xb_counters *counters)
{
    free(counters);
}

static int open_nothing(const struct xb_events *wanted, uint32_t *granted, struct xb_counters **out,
                        struct xb_reason *why)
{
    (void)wanted;
    *granted = 0;
    *out = NULL;
    xb_because(why, -EACCES, "the PMU is locked");
    return 0;
}

static int open_failing(const struct xb_events *wanted, uint32_t *granted, struct xb_counters **out,
                        struct xb_reason *why)
{
    (void)wanted;
    (void)granted;
    (void)out;
    return xb_because(why, -EMFILE, "too many counters");
}

static const struct xb_counter_source counting = { .name = "counting",
                                                   .probe = probe,
                                                   .open = open_counting,
                                                   .start = start_counting,
                                                   .stop = stop_counting,
                                                   .close = close_counting };

static void count_with(const struct xb_model *model, const struct xb_counter_source *source,
                       struct xb_cell_run *ran)
{
    stage(NULL);
    struct xb_plan plan = xb_cell_plan(&actor_kernel, model, 3);
    plan.source = source;
    plan.events.set =
        XB_METRIC_BIT(CYCLES) | XB_METRIC_BIT(INSTRUCTIONS) | XB_METRIC_BIT(LLC_MISSES);
    xb_cell_run(&plan, XB_CELL_LIMIT_NS, NULL, ran);
    XB_EXPECT_EQ(ran->code, 0); /* work can be done without counts */
    XB_EXPECT_EQ(ran->samples, 2);
}

static void counts_are_summed_over_lanes(const void *argument)
{
    const struct xb_model *model = argument;
    struct xb_cell_run ran;
    count_with(model, &counting, &ran);
    uint32_t lanes = xb_model_lanes(model, 3);
    XB_EXPECT(lanes == 1 || lanes == 3);
    XB_EXPECT_EQ(atomic_load(&notes->lanes), lanes);
    uint32_t both = XB_METRIC_BIT(CYCLES) | XB_METRIC_BIT(INSTRUCTIONS);
    uint32_t all = both | XB_METRIC_BIT(LLC_MISSES);
    XB_EXPECT_EQ(ran.result->granted, lanes == 1 ? all : both);
    if (lanes > 1)
        XB_EXPECT_STREQ(ran.result->ungranted.text, "no counter left for cache misses");
    for (uint32_t i = 0; i < ran.samples; i++) {
        const struct xb_reading *reading = &ran.result->samples[i].reading;
        XB_EXPECT_EQ(reading->present & all, lanes == 1 ? all : both);
        XB_EXPECT_EQ(reading->value[XB_METRIC_CYCLES], lanes == 1 ? 1000 : 1000 + 1001 + 1002);
        XB_EXPECT_EQ(reading->value[XB_METRIC_INSTRUCTIONS], lanes == 1 ? 7 : 7 + 14 + 28);
        XB_EXPECT_NEAR(xb_metrics_coverage(reading), lanes == 1 ? 1 : 0.5, 1e-9);
    }
    xb_cell_run_close(&ran);
}

static void expect_no_counts(const struct xb_cell_run *ran)
{
    for (uint32_t i = 0; i < ran->samples; i++) {
        uint32_t present = ran->result->samples[i].reading.present;
        XB_EXPECT_EQ(present & XB_METRIC_BIT(CYCLES), 0);
        XB_EXPECT_EQ(present & XB_METRIC_BIT(LLC_MISSES), 0);
        /* The kernel's own accounts are there whoever counts. */
        XB_EXPECT(present & XB_METRIC_BIT(TASK_CLOCK));
        XB_EXPECT(present & XB_METRIC_BIT(CONTEXT_SWITCHES));
    }
}

static void a_source_that_grants_nothing_leaves_counts_absent(const void *model)
{
    struct xb_counter_source source = counting;
    source.open = open_nothing;
    source.start = NULL; /* may not be called without counters */
    source.stop = NULL;
    struct xb_cell_run ran;
    count_with(model, &source, &ran);
    XB_EXPECT_EQ(ran.result->granted, 0);
    XB_EXPECT_STREQ(ran.result->ungranted.text, "the PMU is locked");
    expect_no_counts(&ran);
    xb_cell_run_close(&ran);
}

static void a_source_that_does_not_open_leaves_counts_absent(const void *model)
{
    struct xb_counter_source source = counting;
    source.open = open_failing;
    struct xb_cell_run ran;
    count_with(model, &source, &ran);
    XB_EXPECT_EQ(ran.result->granted, 0);
    XB_EXPECT_STREQ(ran.result->ungranted.text, "too many counters");
    expect_no_counts(&ran);
    xb_cell_run_close(&ran);
}

static void a_reading_that_fails_leaves_counts_absent(const void *model)
{
    struct xb_counter_source source = counting;
    source.stop = stop_failing;
    struct xb_cell_run ran;
    count_with(model, &source, &ran);
    expect_no_counts(&ran);
    xb_cell_run_close(&ran);
}

/* ---- latency ---- */

static void latency_is_taken_once_per_item(const void *model)
{
    stage(NULL);
    struct xb_plan plan = xb_cell_plan(&actor_kernel, model, 3);
    plan.latency = true; /* a budget of 0: one window */
    struct xb_cell_run ran;
    xb_cell_run(&plan, XB_CELL_LIMIT_NS, NULL, &ran);
    XB_EXPECT_EQ(ran.code, 0);
    XB_EXPECT_EQ(ran.samples, 2);
    XB_EXPECT_EQ(ran.result->latency.n, 30);
    char text[EVENTS + 1];
    XB_EXPECT_STREQ(steps_of(0, text), "SBRBRBRBRVD");
    xb_cell_run_close(&ran);
}

static void no_latency_is_taken_unasked(const void *model)
{
    stage(NULL);
    struct xb_plan plan = xb_cell_plan(&actor_kernel, model, 1);
    struct xb_cell_run ran;
    xb_cell_run(&plan, XB_CELL_LIMIT_NS, NULL, &ran);
    XB_EXPECT_EQ(ran.result->latency.n, 0);
    xb_cell_run_close(&ran);
}

/* ---- each under every model ---- */

#define EACH_MODEL(name, body) xb_cell_each_model("Runner", #name, __FILE__, __LINE__, body)

XB_TESTS(runner)
{
    EACH_MODEL(StepsComeInOrder, steps_come_in_order);
    EACH_MODEL(WorkersWaitForOneAnother, workers_wait_for_one_another);
    EACH_MODEL(ASampleIsCutIntoSlicesWhereThereAreCheckpoints,
               a_sample_is_cut_into_slices_where_there_are_checkpoints);
    EACH_MODEL(WorkIsSummedOverWorkers, work_is_summed_over_workers);
    EACH_MODEL(ChecksumTellsWorkersApart, checksum_tells_workers_apart);
    EACH_MODEL(CalibrationFindsTheIterations, calibration_finds_the_iterations);
    EACH_MODEL(CalibrationGivesOneIterationThatTakesTooLong,
               calibration_gives_one_iteration_that_takes_too_long);
    EACH_MODEL(SamplingStopsWhenPrecise, sampling_stops_when_precise);
    EACH_MODEL(SamplingStopsWhenTheBudgetIsSpent, sampling_stops_when_the_budget_is_spent);
    EACH_MODEL(AnInterruptionKeepsTheSamples, an_interruption_keeps_the_samples);
    EACH_MODEL(AnInterruptedHangIsEnded, an_interrupted_hang_is_ended);
    EACH_MODEL(AFailedTeamSetupSaysWhy, a_failed_team_setup_says_why);
    EACH_MODEL(AFailedSetupSaysWhy, a_failed_setup_says_why);
    EACH_MODEL(AFailedVerifyFailsTheCell, a_failed_verify_fails_the_cell);
    EACH_MODEL(AFailedRunEndsThoseWhoWaitForIt, a_failed_run_ends_those_who_wait_for_it);
    EACH_MODEL(AKilledWorkerFailsTheCell, a_killed_worker_fails_the_cell);
    EACH_MODEL(ACrashedWorkerFailsTheCell, a_crashed_worker_fails_the_cell);
    EACH_MODEL(AWorkerThatExitsFailsTheCell, a_worker_that_exits_fails_the_cell);
    EACH_MODEL(AWorkerThatExitsAsIfAllWereWellFailsTheCell,
               a_worker_that_exits_as_if_all_were_well_fails_the_cell);
    EACH_MODEL(AHangingWorkerIsEndedByTheLimit, a_hanging_worker_is_ended_by_the_limit);
    EACH_MODEL(WorkersThatAllWaitAreEndedByTheLimit, workers_that_all_wait_are_ended_by_the_limit);
    EACH_MODEL(AServerLeftByAKernelIsEnded, a_server_left_by_a_kernel_is_ended);
    EACH_MODEL(AServerLeftByAFailedKernelIsEnded, a_server_left_by_a_failed_kernel_is_ended);
    EACH_MODEL(AnEngineThatDoesNotOpenSaysWhy, an_engine_that_does_not_open_says_why);
    EACH_MODEL(AnEngineThatBreaksFailsTheRun, an_engine_that_breaks_fails_the_run);
    EACH_MODEL(CountsAreSummedOverLanes, counts_are_summed_over_lanes);
    EACH_MODEL(ASourceThatGrantsNothingLeavesCountsAbsent,
               a_source_that_grants_nothing_leaves_counts_absent);
    EACH_MODEL(ASourceThatDoesNotOpenLeavesCountsAbsent,
               a_source_that_does_not_open_leaves_counts_absent);
    EACH_MODEL(AReadingThatFailsLeavesCountsAbsent, a_reading_that_fails_leaves_counts_absent);
    EACH_MODEL(LatencyIsTakenOncePerItem, latency_is_taken_once_per_item);
    EACH_MODEL(NoLatencyIsTakenUnasked, no_latency_is_taken_unasked);
}
