/* SPDX-License-Identifier: BSD-3-Clause
 * Tests a run as a whole: where its files go, what stands in them, and what is left of them when
 * the disk is full or somebody interrupts. */
#include "cellrun.h"
#include "spawn.h"
#include "xbtest.h"

#include "../core/experiment.h"
#include "../core/row.h"
#include "../core/sink.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* ---- directories ---- */

static const char *in_folder(const char *name)
{
    static char path[8192];
    snprintf(path, sizeof path, "%s/%s", xb_test_folder(), name);
    return path;
}

static bool is_folder(const char *path)
{
    struct stat about;
    return stat(path, &about) == 0 && S_ISDIR(about.st_mode);
}

static void put_file(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    XB_EXPECT(fd >= 0);
    close(fd);
}

XB_TEST(Experiment, PreparesANewFolderAndItsParents)
{
    struct xb_reason why = { 0 };
    XB_EXPECT_EQ(xb_sink_prepare(in_folder("new"), &why), 0);
    XB_EXPECT(is_folder(in_folder("new")));
    XB_EXPECT_EQ(xb_sink_prepare(in_folder("a/b/c"), &why), 0);
    XB_EXPECT(is_folder(in_folder("a/b/c")));
    XB_EXPECT_EQ(xb_sink_prepare(in_folder("trailing/"), &why), 0);
    XB_EXPECT(is_folder(in_folder("trailing")));
    XB_EXPECT_EQ(xb_sink_prepare(in_folder("double//slash"), &why), 0);
    XB_EXPECT(is_folder(in_folder("double/slash")));
}

XB_TEST(Experiment, AcceptsAnEmptyFolder)
{
    struct xb_reason why = { 0 };
    XB_EXPECT_EQ(mkdir(in_folder("empty"), 0700), 0);
    XB_EXPECT_EQ(xb_sink_prepare(in_folder("empty"), &why), 0);
}

/* Somebody's results, perhaps. */
XB_TEST(Experiment, RefusesAFolderThatHoldsSomething)
{
    struct xb_reason why = { 0 };
    XB_EXPECT_EQ(mkdir(in_folder("full"), 0700), 0);
    put_file(in_folder("full/.hidden"));
    XB_EXPECT_EQ(xb_sink_prepare(in_folder("full"), &why), -EEXIST);
    XB_EXPECT_HAS(why.text, "not empty");
    XB_EXPECT(access(in_folder("full/.hidden"), F_OK) == 0);
}

XB_TEST(Experiment, SaysWhichFolderCannotBeMade)
{
    struct xb_reason why = { 0 };
    put_file(in_folder("file"));
    XB_EXPECT_EQ(xb_sink_prepare(in_folder("file/below/it"), &why), -ENOTDIR);
    XB_EXPECT_HAS(why.text, "/file/below");
    XB_EXPECT_EQ(xb_sink_prepare(in_folder("file"), &why), -ENOTDIR);
    XB_EXPECT_EQ(xb_sink_prepare("", &why), -EINVAL);
}

XB_TEST(Experiment, RefusesAPathThatIsTooLong)
{
    struct xb_reason why = { 0 };
    static char path[6000];
    memset(path, 'x', sizeof path - 1);
    path[0] = '/';
    XB_EXPECT_EQ(xb_sink_prepare(path, &why), -ENAMETOOLONG);
    path[300] = '\0'; /* short enough for a path, too long for a name in it */
    XB_EXPECT_EQ(xb_sink_prepare(in_folder(path + 1), &why), -ENAMETOOLONG);
    XB_EXPECT(why.text[0] != '\0');
}

/* ---- kernels ---- */

struct notes {
    volatile sig_atomic_t stop;
    size_t progress; /* how often it was reported */
};

static struct notes *notes;

struct state {
    uint32_t window; /* as of begin(): 1 is the first, a warm-up */
};

static int setup(const struct xb_params *params, void *team, void **state)
{
    (void)params;
    (void)team;
    *state = calloc(1, sizeof(struct state));
    return *state ? 0 : -ENOMEM;
}

static int setup_refused(const struct xb_params *params, void *team, void **state)
{
    (void)team;
    (void)state;
    return xb_explain(params, -ENODEV, "no \"such\" device, sorry");
}

static void begin(void *opaque)
{
    ((struct state *)opaque)->window++;
}

static void teardown(void *state)
{
    free(state);
}

static int count(uint64_t iters, struct xb_work *did)
{
    did->items += iters;
    did->checksum += 3 * iters;
    return 0;
}

static int run_well(struct xb_run *run, void *state, uint64_t iters, struct xb_work *did)
{
    (void)run;
    (void)state;
    for (uint64_t i = 0; i < iters; i++)
        for (int j = 0; j < 1000; j++)
            __asm__ volatile("" ::"r"(j));
    return count(iters, did);
}

/* A kernel that mostly sleeps: where it claims to compute, its lane should have had a CPU. */
static int run_asleep(struct xb_run *run, void *state, uint64_t iters, struct xb_work *did)
{
    for (uint64_t i = 0; i < iters; i++) {
        struct xb_work busy = { 0 };
        run_well(run, state, 100, &busy);
        nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
    }
    return count(iters, did);
}

/* The warm-up and two samples go well. */
static int run_into_death(struct xb_run *run, void *opaque, uint64_t iters, struct xb_work *did)
{
    const struct state *state = opaque;
    if (state->window == 4)
        kill(getpid(), SIGKILL);
    return run_asleep(run, opaque, iters, did);
}

static int run_into_interruption(struct xb_run *run, void *opaque, uint64_t iters,
                                 struct xb_work *did)
{
    const struct state *state = opaque;
    if (state->window == 3)
        notes->stop = 1;
    return run_asleep(run, opaque, iters, did);
}

static int verify(const struct xb_params *params, void *team, void *state, uint64_t iters,
                  const struct xb_work *did)
{
    (void)params;
    (void)team;
    (void)state;
    return did->items == iters && did->checksum == 3 * iters ? 0 : -EBADMSG;
}

static int verify_never(const struct xb_params *params, void *team, void *state, uint64_t iters,
                        const struct xb_work *did)
{
    (void)team;
    (void)state;
    (void)iters;
    (void)did;
    return xb_explain(params, -EBADMSG, "seven, not eight, of \"nine\"");
}

#define KERNEL(symbol, text, bound_, run_, verify_, setup_) \
    static const struct xb_kernel symbol = {                \
        .name = text,                                       \
        .item = "thing",                                    \
        .bound = bound_,                                    \
        .fit = XB_FIT_OWN,                                  \
        .own_bytes = 64,                                    \
        .setup = setup_,                                    \
        .begin = begin,                                     \
        .run = run_,                                        \
        .verify = verify_,                                  \
        .teardown = teardown,                               \
    }

KERNEL(good, "cpu/good", XB_CLASS_CPU, run_well, verify, setup);
KERNEL(asleep, "cpu/asleep", XB_CLASS_CPU, run_asleep, verify, setup);
KERNEL(refused, "cpu/refused", XB_CLASS_CPU, run_well, verify, setup_refused);
/* Bound by I/O, so that calibrating goes by wall time and is over after one window. */
KERNEL(wrong, "io/wrong", XB_CLASS_IO, run_asleep, verify_never, setup);
KERNEL(dying, "io/dying", XB_CLASS_IO, run_into_death, verify, setup);
KERNEL(waiting, "io/waiting", XB_CLASS_IO, run_well, verify, setup);
KERNEL(interrupting, "io/interrupting", XB_CLASS_IO, run_into_interruption, verify, setup);

/* ---- runs ---- */

/* One run, from a registry with one model, so that its overhead is soon measured. */
struct stage {
    const struct xb_model *models[1];
    const struct xb_counter_source *sources[2];
    struct xb_registry registry;
    struct xb_spec spec;
    struct xb_topology *topology;
    struct xb_cell cells[8];
    struct xb_experiment experiment;
    struct xb_tally tally;
    struct xb_reason why;
    char directory[4096];
};

static void open_stage(struct stage *stage)
{
    *stage = (struct stage){
        .models = { xb_find_model(&xb_builtin, "threads") },
        .sources = { xb_find_source(&xb_builtin, "none") },
    };
    stage->registry = xb_builtin;
    stage->registry.models = stage->models;
    stage->registry.n_models = 1;
    stage->registry.sources = stage->sources;
    stage->registry.n_sources = 1;
    xb_spec_init(&stage->spec);
    stage->spec.bind = XB_BIND_NONE;
    stage->spec.min_time_ns = 1000000;
    stage->spec.samples = 3;
    XB_EXPECT_EQ(xb_topology_open(NULL, &stage->topology, &stage->why), 0);
    if (!notes)
        notes = xb_cell_shared(sizeof *notes);
    memset(notes, 0, sizeof *notes);
    snprintf(stage->directory, sizeof stage->directory, "%s/run", xb_test_folder());
    stage->experiment = (struct xb_experiment){
        .spec = &stage->spec,
        .registry = &stage->registry,
        .topology = stage->topology,
        .source = stage->sources[0],
        .cells = stage->cells,
        .directory = stage->directory,
        .run_id = "id, of \"this\" run",
        .stop = &notes->stop,
    };
    XB_EXPECT_EQ(xb_sink_prepare(stage->directory, &stage->why), 0);
}

static void close_stage(struct stage *stage)
{
    xb_topology_close(stage->topology);
}

static struct xb_cell *add_cell(struct stage *stage, const struct xb_kernel *kernel)
{
    struct xb_cell *cell = &stage->cells[stage->experiment.n_cells++];
    *cell = (struct xb_cell){ .kernel = kernel,
                              .model = stage->models[0],
                              .engine = xb_find_engine(&xb_builtin, "blocking"),
                              .workers = 1,
                              .lanes = 1,
                              .depth = 1,
                              .bytes = 64 };
    return cell;
}

static int perform(struct stage *stage)
{
    return xb_experiment_run(&stage->experiment, &stage->tally, &stage->why);
}

static void open_table(const struct stage *stage, const char *name, struct xb_table *table)
{
    char path[8192];
    snprintf(path, sizeof path, "%s/%s", stage->directory, name);
    int err = xb_table_open(table, path);
    if (err)
        XB_FAIL("%s: %d", name, err);
}

/* Absent is an empty field: of a cell without figures only its name and fate are known. */
static void expect_no_figures(const struct xb_table *table, size_t row)
{
    static const char *const known[] = { "schema",
                                         "run_id",
                                         "kernel",
                                         "class",
                                         "model",
                                         "engine",
                                         "workers",
                                         "lanes",
                                         "bind",
                                         "depth",
                                         "bytes_per_worker",
                                         "isa",
                                         "status",
                                         "reason",
                                         "order",
                                         "seed",
                                         "item",
                                         "bound_claimed" };
    for (size_t i = 0; i < table->columns; i++) {
        const char *column = table->cell[i];
        bool may = false;
        for (size_t k = 0; k < sizeof known / sizeof known[0]; k++)
            may |= strcmp(column, known[k]) == 0;
        if (!may && xb_table_get(table, row, column)[0])
            XB_FAIL("row %zu: %s is %s, should be empty", row, column,
                    xb_table_get(table, row, column));
    }
}

/* The row of the k-th sample of a kernel, or its only one in the summary. */
static size_t row_of(const struct xb_table *table, const char *kernel, size_t k)
{
    for (size_t row = 0; row < table->rows; row++)
        if (strcmp(xb_table_get(table, row, "kernel"), kernel) == 0 && k-- == 0)
            return row;
    XB_FAIL("no row of %s", kernel);
    return 0;
}

static void on_progress(void *context, size_t done, size_t n, const struct xb_summary_row *row)
{
    struct stage *stage = context;
    notes->progress++;
    XB_EXPECT_EQ(done, notes->progress);
    XB_EXPECT_EQ(n, stage->experiment.n_cells);
    XB_EXPECT_STREQ(row->kernel, stage->cells[done - 1].kernel->name);
}

static void check_rows(const struct xb_table *samples, const struct xb_table *summary)
{
    size_t row = row_of(summary, "cpu/good", 0);
    XB_EXPECT_STREQ(xb_table_get(summary, row, "samples"), "3");
    XB_EXPECT_STREQ(xb_table_get(summary, row, "stop"), "count");
    XB_EXPECT(atof(xb_table_get(summary, row, "wall_ns_median")) > 0);
    XB_EXPECT_STREQ(xb_table_get(samples, row_of(samples, "cpu/good", 2), "repetition"), "2");

    row = row_of(summary, "cpu/good", 1);
    XB_EXPECT_STREQ(xb_table_get(summary, row, "status"), "skipped");
    XB_EXPECT_STREQ(xb_table_get(summary, row, "reason"), "cannot be, here");
    expect_no_figures(summary, row);
    row = row_of(samples, "cpu/good", 3);
    XB_EXPECT_STREQ(xb_table_get(samples, row, "status"), "skipped");
    expect_no_figures(samples, row);

    /* It ran; whether to believe the figures is the reader's choice. */
    row = row_of(summary, "cpu/asleep", 0);
    XB_EXPECT_STREQ(xb_table_get(summary, row, "status"), "suspect");
    XB_EXPECT(xb_table_get(summary, row, "reason")[0] != '\0');
    XB_EXPECT(atof(xb_table_get(summary, row, "wall_ns_median")) > 0);

    row = row_of(summary, "io/wrong", 0);
    XB_EXPECT_STREQ(xb_table_get(summary, row, "status"), "failed");
    XB_EXPECT_STREQ(xb_table_get(summary, row, "reason"), "seven, not eight, of \"nine\"");
    expect_no_figures(summary, row);
    row = row_of(samples, "io/wrong", 0);
    XB_EXPECT_STREQ(xb_table_get(samples, row, "status"), "failed");
    expect_no_figures(samples, row);

    row = row_of(summary, "io/dying", 0);
    XB_EXPECT_STREQ(xb_table_get(summary, row, "status"), "failed");
    XB_EXPECT_HAS(xb_table_get(summary, row, "reason"), "killed by signal 9");
    expect_no_figures(summary, row);
    row = row_of(samples, "io/dying", 1); /* taken before it died */
    XB_EXPECT(atof(xb_table_get(samples, row, "wall_ns")) >= 1e6);
    expect_no_figures(samples, row_of(samples, "io/dying", 2));

    row = row_of(summary, "cpu/refused", 0);
    XB_EXPECT_STREQ(xb_table_get(summary, row, "reason"), "no \"such\" device, sorry");
    expect_no_figures(summary, row);
}

XB_TEST(Experiment, EveryCellEndsInRowsWhateverCameOfIt)
{
    struct stage stage;
    open_stage(&stage);
    add_cell(&stage, &good);
    xb_because(&add_cell(&stage, &good)->skip, -EPERM, "cannot be, here");
    add_cell(&stage, &asleep);
    add_cell(&stage, &wrong);
    add_cell(&stage, &dying);
    add_cell(&stage, &refused);
    stage.experiment.progress = on_progress;
    stage.experiment.context = &stage;
    XB_EXPECT_EQ(perform(&stage), 0);
    XB_EXPECT_EQ(stage.tally.skipped, 1);
    XB_EXPECT_EQ(stage.tally.failed, 3);
    XB_EXPECT_EQ(stage.tally.ok + stage.tally.suspect, 2);
    XB_EXPECT(stage.tally.suspect >= 1);
    XB_EXPECT_EQ(notes->progress, 6);

    struct xb_table samples, summary, provenance;
    open_table(&stage, "samples.csv", &samples);
    open_table(&stage, "summary.csv", &summary);
    open_table(&stage, "provenance.csv", &provenance);
    XB_EXPECT_EQ(summary.rows, 6);
    /* Calibrating finds a wrong answer first: then there are no samples. */
    XB_EXPECT_EQ(samples.rows, 3 + 1 + 3 + 1 + (2 + 1) + 1);
    for (size_t i = 0; i < samples.rows; i++)
        XB_EXPECT_STREQ(xb_table_get(&samples, i, "run_id"), "id, of \"this\" run");

    if (!xb_test_failed())
        check_rows(&samples, &summary);
    XB_EXPECT_EQ(xb_table_count(&provenance, "key", "overhead_sample_ns_threads"), 1);
    XB_EXPECT_EQ(xb_table_count(&provenance, "key", "cells"), 1);
    xb_table_close(&samples);
    xb_table_close(&summary);
    xb_table_close(&provenance);
    close_stage(&stage);
}

/* Under all models an equal number of iterations: otherwise work and checksums could not agree. */
XB_TEST(Experiment, CellsOfOneKernelAndSizeDoEqualWork)
{
    struct stage stage;
    open_stage(&stage);
    add_cell(&stage, &good);
    add_cell(&stage, &good)->model = xb_find_model(&xb_builtin, "processes");
    struct xb_cell *cell = add_cell(&stage, &good);
    cell->model = xb_find_model(&xb_builtin, "loop");
    cell->engine = xb_find_engine(&xb_builtin, "epoll");
    XB_EXPECT_EQ(perform(&stage), 0);
    struct xb_table summary;
    open_table(&stage, "summary.csv", &summary);
    XB_EXPECT_EQ(summary.rows, 3);
    for (size_t row = 1; row < summary.rows; row++) {
        XB_EXPECT_STREQ(xb_table_get(&summary, row, "iters"), xb_table_get(&summary, 0, "iters"));
        XB_EXPECT_STREQ(xb_table_get(&summary, row, "checksum"),
                        xb_table_get(&summary, 0, "checksum"));
    }
    xb_table_close(&summary);
    close_stage(&stage);
}

XB_TEST(Experiment, DoesNotWriteOverAnotherRun)
{
    struct stage stage;
    open_stage(&stage);
    put_file(in_folder("run/summary.csv"));
    add_cell(&stage, &good);
    XB_EXPECT_EQ(perform(&stage), -EEXIST);
    XB_EXPECT_HAS(stage.why.text, "summary.csv");
    close_stage(&stage);
}

static void stop_after_two(void *context, size_t done, size_t n, const struct xb_summary_row *row)
{
    (void)context;
    (void)n;
    (void)row;
    notes->stop = done == 2;
}

XB_TEST(Experiment, AnInterruptionKeepsFinishedRows)
{
    struct stage stage;
    open_stage(&stage);
    for (int i = 0; i < 4; i++)
        add_cell(&stage, &good);
    stage.experiment.progress = stop_after_two;
    XB_EXPECT_EQ(perform(&stage), -EINTR);
    struct xb_table samples, summary;
    open_table(&stage, "samples.csv", &samples);
    open_table(&stage, "summary.csv", &summary);
    XB_EXPECT_EQ(summary.rows, 2);
    XB_EXPECT_EQ(samples.rows, 6);
    XB_EXPECT_EQ(stage.tally.ok + stage.tally.suspect, 2);
    xb_table_close(&samples);
    xb_table_close(&summary);
    close_stage(&stage);
}

XB_TEST(Experiment, AnInterruptedCellKeepsItsSamples)
{
    struct stage stage;
    open_stage(&stage);
    stage.spec.samples = XB_SAMPLES_MAX; /* of a millisecond each */
    add_cell(&stage, &interrupting);
    add_cell(&stage, &good);
    XB_EXPECT_EQ(perform(&stage), -EINTR);
    struct xb_table samples, summary;
    open_table(&stage, "samples.csv", &samples);
    open_table(&stage, "summary.csv", &summary);
    XB_EXPECT_EQ(summary.rows, 1);
    XB_EXPECT(samples.rows >= 2 && samples.rows < XB_SAMPLES_MAX);
    XB_EXPECT_EQ(xb_table_count(&samples, "kernel", "io/interrupting"), samples.rows);
    if (summary.rows)
        XB_EXPECT_EQ(atoi(xb_table_get(&summary, 0, "samples")), samples.rows);
    xb_table_close(&samples);
    xb_table_close(&summary);
    close_stage(&stage);
}

XB_TEST(Experiment, AnInterruptionBeforeTheFirstCellLeavesHeadersOnly)
{
    struct stage stage;
    open_stage(&stage);
    notes->stop = 1;
    add_cell(&stage, &good);
    XB_EXPECT_EQ(perform(&stage), -EINTR);
    struct xb_table samples;
    open_table(&stage, "samples.csv", &samples);
    XB_EXPECT_EQ(samples.rows, 0);
    XB_EXPECT(samples.columns > 30);
    xb_table_close(&samples);
    close_stage(&stage);
}

/* ---- a full disk ---- */

struct report {
    int code;
    struct xb_reason why;
};

/* A limit on the size of files stands in for the disk: it too lets a write through in part, and
 * refuses the next one. In a process of its own, as it stays. */
static void perform_within(struct stage *stage, rlim_t bytes, struct report *report)
{
    pid_t pid = fork();
    if (pid == 0) {
        signal(SIGXFSZ, SIG_IGN);
        setrlimit(RLIMIT_FSIZE, &(struct rlimit){ bytes, bytes });
        report->code = perform(stage);
        report->why = stage->why;
        _exit(EXIT_SUCCESS);
    }
    int status = -1;
    XB_EXPECT_EQ(waitpid(pid, &status, 0), pid);
    XB_EXPECT_EQ(status, 0);
}

XB_TEST(Experiment, AFullDiskLeavesWholeRows)
{
    struct report *report = xb_cell_shared(sizeof *report);
    struct stage stage;
    open_stage(&stage);
    stage.spec.samples = 20;
    for (int i = 0; i < 8; i++)
        add_cell(&stage, &good);
    /* First, what one cell takes; then, room for three and a half. */
    size_t n_cells = stage.experiment.n_cells;
    stage.experiment.n_cells = 1;
    XB_EXPECT_EQ(perform(&stage), 0);
    struct stat one, zero;
    XB_EXPECT_EQ(stat(in_folder("run/samples.csv"), &one), 0);
    FILE *out = fopen(in_folder("header"), "w");
    XB_EXPECT_EQ(xb_sample_header(out, NULL), 0);
    fclose(out);
    XB_EXPECT_EQ(stat(in_folder("header"), &zero), 0);
    off_t cell_bytes = one.st_size - zero.st_size;
    XB_EXPECT(cell_bytes > 1000);

    stage.experiment.n_cells = n_cells;
    snprintf(stage.directory, sizeof stage.directory, "%s/small", xb_test_folder());
    XB_EXPECT_EQ(xb_sink_prepare(stage.directory, &stage.why), 0);
    perform_within(&stage, (rlim_t)(zero.st_size + cell_bytes * 7 / 2), report);
    XB_EXPECT_EQ(report->code, -EFBIG);
    XB_EXPECT_HAS(report->why.text, "samples.csv");
    XB_EXPECT_HAS(report->why.text, "are kept");
    struct xb_table samples, summary;
    open_table(&stage, "samples.csv", &samples); /* refuses a line that is not whole */
    open_table(&stage, "summary.csv", &summary);
    XB_EXPECT(samples.rows >= 20 && samples.rows < 160);
    XB_EXPECT_EQ(samples.rows % 20, 0);
    XB_EXPECT_EQ(summary.rows, samples.rows / 20);
    xb_table_close(&samples);
    xb_table_close(&summary);
    close_stage(&stage);
}

XB_TEST(Experiment, ADiskThatIsFullFromTheStartIsReported)
{
    struct report *report = xb_cell_shared(sizeof *report);
    struct stage stage;
    open_stage(&stage);
    add_cell(&stage, &good);
    perform_within(&stage, 100, report);
    XB_EXPECT_EQ(report->code, -EFBIG);
    XB_EXPECT_HAS(report->why.text, "samples.csv");
    struct stat about;
    XB_EXPECT_EQ(stat(in_folder("run/samples.csv"), &about), 0);
    XB_EXPECT_EQ(about.st_size, 0);
    close_stage(&stage);
}

XB_TEST(Experiment, ASimulatedRunWithoutCountsFailsBeforeItsFirstCell)
{
    struct stage stage;
    open_stage(&stage);
    stage.spec.simulated = true;
    stage.experiment.events.set = XB_METRIC_BIT(INSTRUCTIONS);
    add_cell(&stage, &good);
    XB_EXPECT_EQ(perform(&stage), -ENODATA);
    XB_EXPECT_HAS(stage.why.text, "none counts no instructions");
    XB_EXPECT_EQ(stage.tally.ok, 0);
    close_stage(&stage);
}

/* An event makes each context switch longer, and work that waits is timed for just that. */
XB_TEST(Experiment, WorkThatWaitsIsTimedWithoutCountersUnlessAskedFor)
{
    for (int asked = 0; asked < 2; asked++) {
        struct stage stage;
        open_stage(&stage);
        struct xb_counter_source counting = *stage.sources[0];
        counting.name = "counting";
        stage.sources[1] = &counting;
        stage.registry.n_sources = 2;
        stage.experiment.source = &counting;
        stage.experiment.counts_waiting = asked;
        snprintf(stage.directory, sizeof stage.directory, "%s/run%d", xb_test_folder(), asked);
        XB_EXPECT_EQ(xb_sink_prepare(stage.directory, &stage.why), 0);
        add_cell(&stage, &good);
        add_cell(&stage, &waiting);
        XB_EXPECT_EQ(perform(&stage), 0);
        struct xb_table samples;
        open_table(&stage, "samples.csv", &samples);
        XB_EXPECT_STREQ(xb_table_get(&samples, row_of(&samples, "cpu/good", 0), "counters"),
                        "counting");
        XB_EXPECT_STREQ(xb_table_get(&samples, row_of(&samples, "io/waiting", 0), "counters"),
                        asked ? "counting" : "none");
        xb_table_close(&samples);
        close_stage(&stage);
    }
}
