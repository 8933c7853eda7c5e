/* SPDX-License-Identifier: BSD-3-Clause
 * Tests what becomes of recorded samples: the figures of a summary row, and which are suspect. */
#include "xbtest.h"

#include "../core/summary.h"
#include "../core/topdown.h"
#include "../models/model.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

/* ---- a made-up cell ---- */

static const struct xb_model threads = { .name = "threads" };
static const struct xb_io_engine blocking = { .name = "blocking" };
static const struct xb_counter_source source = { .name = "recorded" };
static const struct xb_claim claims[] = { { XB_RATIO_IPC, 1.5, INFINITY } };
static const struct xb_kernel memory_kernel = {
    .name = "memory/made_up",
    .item = "element",
    .bound = XB_CLASS_MEMORY,
    .claims = claims,
    .n_claims = 1,
    .outcome = "lost_updates",
};
static const struct xb_kernel io_kernel = {
    .name = "io/made_up",
    .item = "request",
    .bound = XB_CLASS_IO,
};

/* All that the functions under test look at. */
struct scene {
    struct xb_cell cell;
    struct xb_spec spec;
    struct xb_identity identity;
    struct xb_result *result;
    struct xb_summary_row row;
    char evidence[XB_EVIDENCE_BYTES];
    struct xb_reason why;
};

enum { WALL = 1000000 }; /* ns, of a sample that nothing disturbed */

/* 2 workers on 2 of 4 CPUs; n samples of WALL, WALL + 1000, WALL + 2000 ... ns in a mixed order. */
static struct scene *open_scene(uint32_t n)
{
    struct scene *s = calloc(1, sizeof *s);
    s->result = calloc(1, sizeof *s->result);
    xb_spec_init(&s->spec);
    s->spec.seed = 42;
    s->cell = (struct xb_cell){ .kernel = &memory_kernel,
                                .model = &threads,
                                .engine = &blocking,
                                .workers = 2,
                                .lanes = 2,
                                .depth = 1,
                                .bytes = 4096 };
    s->identity = (struct xb_identity){
        .run_id = "run", .cell = &s->cell, .spec = &s->spec, .source = &source, .order = 3, .pus = 4
    };
    s->result->iters = 500;
    s->result->stop = XB_STOP_PRECISE;
    atomic_store(&s->result->n_samples, n);
    for (uint32_t i = 0; i < n; i++) {
        struct xb_sample *sample = &s->result->samples[i];
        uint64_t wall_ns = WALL + 1000 * (uint64_t)(i % 2 ? n - 1 - i / 2 : i / 2);
        *sample = (struct xb_sample){
            .wall_ns = wall_ns,
            .cpu_ns = 2 * wall_ns - 10,
            .in_flight_ns = 2 * wall_ns,
            .skew_ns = 5,
            .work = { .items = 1000,
                      .bytes_read = 16000,
                      .bytes_written = 8000,
                      .flops = 2000,
                      .checksum = 0xabc,
                      .outcome = 9 },
        };
        sample->reading.present = XB_METRIC_BIT(CYCLES) | XB_METRIC_BIT(INSTRUCTIONS);
        sample->reading.value[XB_METRIC_CYCLES] = 100;
        sample->reading.value[XB_METRIC_INSTRUCTIONS] = 200;
    }
    return s;
}

static void close_scene(struct scene *s)
{
    free(s->result);
    free(s);
}

static const struct xb_summary_row *summarise(struct scene *s)
{
    xb_summary_fill(&s->row, &s->identity, s->result, s->evidence, &s->why);
    return &s->row;
}

/* ---- figures ---- */

/* Of 7 samples the 1st and the 7th enclose the median with 95 %: 1000, 1003 and 1006 us. */
XB_TEST(Summary, FiguresOfSevenSamplesAreExact)
{
    struct scene *s = open_scene(7);
    const struct xb_summary_row *row = summarise(s);
    double median = WALL + 3000, lo = WALL, hi = WALL + 6000;
    XB_EXPECT_EQ(row->samples, 7);
    XB_EXPECT_EQ(row->suspect, 0);
    XB_EXPECT_NEAR(row->wall_ns_median, median, 0);
    XB_EXPECT_NEAR(row->wall_ns_lo, lo, 0);
    XB_EXPECT_NEAR(row->wall_ns_hi, hi, 0);
    XB_EXPECT_NEAR(row->cpu_ns_median, 2 * median - 10, 0);
    /* 1000 items of 2 workers: each worker made 500, one after another. */
    XB_EXPECT_NEAR(row->ns_per_item, median / 500, 1e-9);
    XB_EXPECT_NEAR(row->ns_per_item_lo, lo / 500, 1e-9);
    XB_EXPECT_NEAR(row->ns_per_item_hi, hi / 500, 1e-9);
    /* The CPU time of both, for the items of both. */
    XB_EXPECT_NEAR(row->cpu_ns_per_item, (2 * median - 10) / 1000, 1e-9);
    XB_EXPECT_NEAR(row->cpu_ns_per_item_lo, (2 * lo - 10) / 1000, 1e-9);
    XB_EXPECT_NEAR(row->cpu_ns_per_item_hi, (2 * hi - 10) / 1000, 1e-9);
    XB_EXPECT_NEAR(row->items_per_s, 1000 / (median / 1e9), 1e-3);
    XB_EXPECT_NEAR(row->gb_per_s, 24000 / median, 1e-12);
    XB_EXPECT_NEAR(row->gflop_per_s, 2000 / median, 1e-12);
    XB_EXPECT_NEAR(row->flop_per_byte, 2000.0 / 24000, 1e-12);
    close_scene(s);
}

XB_TEST(Summary, IntervalsStandInOrderAlsoWhereTimeBecomesARate)
{
    struct scene *s = open_scene(7);
    const struct xb_summary_row *row = summarise(s);
    XB_EXPECT_NEAR(row->items_per_s_lo, 1000 / ((WALL + 6000) / 1e9), 1e-3);
    XB_EXPECT_NEAR(row->items_per_s_hi, 1000 / (WALL / 1e9), 1e-3);
    XB_EXPECT(row->items_per_s_lo <= row->items_per_s && row->items_per_s <= row->items_per_s_hi);
    XB_EXPECT(row->ns_per_item_lo <= row->ns_per_item && row->ns_per_item <= row->ns_per_item_hi);
    close_scene(s);
}

/* Kernels whose work differs from sample to sample: time per item is what their samples share. */
XB_TEST(Summary, ItemsThatDifferBetweenSamplesAreWeighedWithTheirOwnTime)
{
    struct scene *s = open_scene(7);
    for (uint32_t i = 0; i < 7; i++) {
        struct xb_sample *sample = &s->result->samples[i];
        sample->wall_ns = WALL * (i + UINT64_C(1));
        sample->cpu_ns = sample->wall_ns / 10 * 19;
        /* 1, 2 ... 7 ns of the team per item, in an order other than that of wall time. */
        sample->work.items = sample->wall_ns / ((3 * i) % 7 + 1);
        sample->work.bytes_read = 10 * sample->work.items;
        sample->work.bytes_written = sample->work.flops = 0;
    }
    const struct xb_summary_row *row = summarise(s);
    XB_EXPECT_NEAR(row->wall_ns_median, 4 * WALL, 0);
    XB_EXPECT_NEAR(row->ns_per_item, 2 * 4, 1e-4); /* of two workers */
    XB_EXPECT_NEAR(row->ns_per_item_lo, 2 * 1, 1e-4);
    XB_EXPECT_NEAR(row->ns_per_item_hi, 2 * 7, 1e-4);
    XB_EXPECT_NEAR(row->cpu_ns_per_item, 1.9 * 4, 1e-4);
    XB_EXPECT_NEAR(row->cpu_ns_per_item_lo, 1.9 * 1, 1e-4);
    XB_EXPECT_NEAR(row->cpu_ns_per_item_hi, 1.9 * 7, 1e-4);
    XB_EXPECT_NEAR(row->items_per_s, 1e9 / 4, 1e4);
    XB_EXPECT_NEAR(row->gb_per_s, 10.0 / 4, 1e-4);
    close_scene(s);
}

XB_TEST(Summary, BytesWithoutItemsStillHaveARate)
{
    struct scene *s = open_scene(7);
    for (uint32_t i = 0; i < 7; i++)
        s->result->samples[i].work.items = 0;
    const struct xb_summary_row *row = summarise(s);
    XB_EXPECT_NEAR(row->gb_per_s, 24000 / (double)(WALL + 3000), 1e-12);
    XB_EXPECT(isnan(row->ns_per_item) && isnan(row->items_per_s));
    close_scene(s);
}

XB_TEST(Summary, FewSamplesHaveAMedianAndNoInterval)
{
    struct scene *s = open_scene(2);
    const struct xb_summary_row *row = summarise(s);
    XB_EXPECT_NEAR(row->wall_ns_median, WALL + 500, 0);
    XB_EXPECT(isnan(row->wall_ns_lo) && isnan(row->wall_ns_hi));
    XB_EXPECT(isnan(row->items_per_s_lo) && isnan(row->ns_per_item_hi));
    XB_EXPECT_NEAR(row->cpu_ns_per_item, (2 * (WALL + 500) - 10) / 1000.0, 1e-9);
    XB_EXPECT(isnan(row->cpu_ns_per_item_lo) && isnan(row->cpu_ns_per_item_hi));
    close_scene(s);
}

XB_TEST(Summary, ConcurrencyParallelismAndIpcAreSumsOverSums)
{
    struct scene *s = open_scene(3);
    for (uint32_t i = 0; i < 3; i++) {
        s->result->samples[i].in_flight_ns = s->result->samples[i].wall_ns * 3 / 2;
        s->result->samples[i].cpu_ns = s->result->samples[i].wall_ns * 19 / 10;
    }
    s->result->samples[1].reading.value[XB_METRIC_CYCLES] = 400;
    const struct xb_summary_row *row = summarise(s);
    XB_EXPECT_NEAR(row->concurrency, 1.5, 1e-5);
    XB_EXPECT_NEAR(row->parallelism, 1.9, 1e-5);
    XB_EXPECT_NEAR(row->ipc, 600.0 / 600, 1e-12);
    close_scene(s);
}

XB_TEST(Summary, MissesAreToldPerThousandInstructionsAndInBytes)
{
    struct scene *s = open_scene(2);
    for (uint32_t i = 0; i < 2; i++) {
        struct xb_reading *reading = &s->result->samples[i].reading;
        reading->present =
            XB_METRIC_BIT(INSTRUCTIONS) | XB_METRIC_BIT(LLC_MISSES) | XB_METRIC_BIT(L1D_MISSES);
        reading->value[XB_METRIC_INSTRUCTIONS] = 2000;
        reading->value[XB_METRIC_LLC_MISSES] = 10;
        reading->value[XB_METRIC_L1D_MISSES] = 40;
    }
    double wall_ns = (double)(s->result->samples[0].wall_ns + s->result->samples[1].wall_ns);
    const struct xb_summary_row *row = summarise(s);
    XB_EXPECT_NEAR(row->llc_mpki, 5, 1e-12);
    XB_EXPECT_NEAR(row->l1d_mpki, 20, 1e-12);
    XB_EXPECT(isnan(row->branch_mpki));
    XB_EXPECT_NEAR(row->llc_miss_gb_per_s, 64 * 20 / wall_ns, 1e-12);
    close_scene(s);
}

XB_TEST(Summary, NothingFollowsFromACounterThatIsDoubted)
{
    struct scene *s = open_scene(2);
    struct xb_audit audit = { .doubtful = XB_METRIC_BIT(CYCLES) };
    for (uint32_t i = 0; i < 2; i++) {
        s->result->samples[i].reading.present = XB_METRIC_BIT(CYCLES) | XB_METRIC_BIT(INSTRUCTIONS);
        s->result->samples[i].reading.value[XB_METRIC_CYCLES] = 100;
    }
    XB_EXPECT(!isnan(summarise(s)->ipc));
    s->identity.audit = &audit;
    XB_EXPECT(isnan(summarise(s)->ipc));
    s->identity.audit = NULL;
    close_scene(s);
}

XB_TEST(Summary, SlotsAreDividedUnlessACountThatTheyNeedIsDoubted)
{
    struct scene *s = open_scene(2);
    const struct xb_topdown_family *family = &xb_topdown_families[0];
    struct xb_events events = { .set = 0 };
    struct xb_audit audit = { .doubtful = 0 };
    XB_EXPECT_EQ(xb_topdown_add(family, 2, &events), 0);
    for (uint32_t i = 0; i < 2; i++)
        for (unsigned k = 0; k < family->n; k++) {
            s->result->samples[i].reading.present |= 1u << (XB_METRIC_COUNT + k);
            s->result->samples[i].reading.value[XB_METRIC_COUNT + k] = 100;
        }
    XB_EXPECT(isnan(summarise(s)->topdown_retiring)); /* the run has no such events */
    s->identity.events = &events;
    s->identity.audit = &audit;
    XB_EXPECT_NEAR(summarise(s)->topdown_retiring, 0.25, 1e-12);
    XB_EXPECT_NEAR(s->row.topdown_fetch_latency, 1, 1e-12);
    audit.doubtful = 1u << (XB_METRIC_COUNT + 5); /* cycles without any operation */
    XB_EXPECT_NEAR(summarise(s)->topdown_retiring, 0.25, 1e-12);
    XB_EXPECT(isnan(s->row.topdown_fetch_latency));
    audit.doubtful = 1u << XB_METRIC_COUNT; /* cycles */
    XB_EXPECT(isnan(summarise(s)->topdown_retiring));
    XB_EXPECT(isnan(s->row.topdown_backend));
    s->identity.audit = NULL;
    s->identity.events = NULL;
    close_scene(s);
}

XB_TEST(Summary, ASampleThatIsNotHundredTimesWhatCountingCostsIsSuspect)
{
    struct scene *s = open_scene(2);
    struct xb_reason why = { 0 };
    struct xb_audit audit = { .cost_ns = (double)s->result->samples[0].wall_ns / 99 };
    XB_EXPECT_EQ(xb_sample_suspect(&s->identity, &s->result->samples[0], &why), 0);
    s->identity.audit = &audit;
    XB_EXPECT(xb_sample_suspect(&s->identity, &s->result->samples[0], &why) != 0);
    XB_EXPECT_HAS(why.text, "raise --min-time, or --counters none");
    close_scene(s);
}

XB_TEST(Summary, IpcNeedsCyclesInEverySample)
{
    struct scene *s = open_scene(3);
    s->result->samples[2].reading.present = XB_METRIC_BIT(INSTRUCTIONS);
    const struct xb_summary_row *row = summarise(s);
    XB_EXPECT(isnan(row->ipc));
    XB_EXPECT_STREQ(row->verdict, "untested");
    close_scene(s);
}

XB_TEST(Summary, VerdictCarriesItsEvidence)
{
    struct scene *s = open_scene(7);
    const struct xb_summary_row *row = summarise(s);
    XB_EXPECT_STREQ(row->verdict, "confirmed");
    XB_EXPECT_STREQ(row->verdict_evidence, "ipc 2, claimed >= 1.5");
    XB_EXPECT(!row->verdict_level);
    close_scene(s);
}

XB_TEST(Summary, WorkWithoutItemsBytesOrFlopsHasNoRates)
{
    struct scene *s = open_scene(7);
    for (uint32_t i = 0; i < 7; i++)
        s->result->samples[i].work = (struct xb_work){ .checksum = 1 };
    const struct xb_summary_row *row = summarise(s);
    XB_EXPECT_NEAR(row->wall_ns_median, WALL + 3000, 0);
    XB_EXPECT(isnan(row->ns_per_item) && isnan(row->ns_per_item_lo) && isnan(row->ns_per_item_hi));
    XB_EXPECT(isnan(row->cpu_ns_per_item) && isnan(row->cpu_ns_per_item_lo));
    XB_EXPECT(isnan(row->cpu_ns_per_item_hi));
    XB_EXPECT(isnan(row->items_per_s) && isnan(row->items_per_s_lo) && isnan(row->items_per_s_hi));
    XB_EXPECT(isnan(row->gb_per_s) && isnan(row->gflop_per_s) && isnan(row->flop_per_byte));
    close_scene(s);
}

XB_TEST(Summary, FlopsWithoutBytesHaveNoIntensity)
{
    struct scene *s = open_scene(7);
    for (uint32_t i = 0; i < 7; i++)
        s->result->samples[i].work.bytes_read = s->result->samples[i].work.bytes_written = 0;
    const struct xb_summary_row *row = summarise(s);
    XB_EXPECT(isnan(row->gb_per_s) && isnan(row->flop_per_byte));
    XB_EXPECT(row->gflop_per_s > 0);
    close_scene(s);
}

XB_TEST(Summary, TheRowSaysWhichCellItIs)
{
    struct scene *s = open_scene(7);
    const struct xb_summary_row *row = summarise(s);
    XB_EXPECT_STREQ(row->run_id, "run");
    XB_EXPECT_STREQ(row->kernel, "memory/made_up");
    XB_EXPECT_STREQ(row->class, "memory");
    XB_EXPECT_STREQ(row->model, "threads");
    XB_EXPECT_STREQ(row->engine, "blocking");
    XB_EXPECT_STREQ(row->bind, "scatter");
    XB_EXPECT_STREQ(row->isa, "base");
    XB_EXPECT_STREQ(row->item, "element");
    XB_EXPECT_STREQ(row->status, "ok");
    XB_EXPECT(!row->reason);
    XB_EXPECT_EQ(row->workers, 2);
    XB_EXPECT_EQ(row->lanes, 2);
    XB_EXPECT_EQ(row->bytes_per_worker, 4096);
    XB_EXPECT_EQ(row->depth, 1);
    XB_EXPECT_EQ(row->seed, 42);
    XB_EXPECT_EQ(row->iters, 500);
    XB_EXPECT_EQ(row->checksum, 0xabc);
    close_scene(s);
}

XB_TEST(Summary, EveryWayToStopHasItsName)
{
    static const struct {
        enum xb_stop stop;
        const char *name;
    } ways[] = { { XB_STOP_PRECISE, "precise" },
                 { XB_STOP_TIME, "time" },
                 { XB_STOP_COUNT, "count" } };
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        struct scene *s = open_scene(1);
        s->result->stop = ways[i].stop;
        XB_EXPECT_STREQ(summarise(s)->stop, ways[i].name);
        close_scene(s);
    }
}

/* ---- latency ---- */

static const struct xb_summary_row *summarise_latencies(struct scene *s, uint64_t n)
{
    s->result->latency = (struct xb_histogram){ 0 };
    for (uint64_t i = 1; i <= n; i++)
        xb_histogram_add(&s->result->latency, 1000 * i);
    return summarise(s);
}

XB_TEST(Summary, PercentilesNeedEnoughLatencies)
{
    static const struct {
        uint64_t n;
        bool p50, p99, p999;
    } table[] = { { 0, false, false, false }, { 1, true, false, false },
                  { 99, true, false, false }, { 100, true, true, false },
                  { 999, true, true, false }, { 1000, true, true, true } };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct scene *s = open_scene(7);
        const struct xb_summary_row *row = summarise_latencies(s, table[i].n);
        XB_EXPECT_EQ(row->lat_samples, table[i].n ? table[i].n : XB_ABSENT);
        XB_EXPECT_EQ(!isnan(row->lat_p50_ns), table[i].p50);
        XB_EXPECT_EQ(!isnan(row->lat_max_ns), table[i].p50);
        XB_EXPECT_EQ(!isnan(row->lat_p99_ns), table[i].p99);
        XB_EXPECT_EQ(!isnan(row->lat_p999_ns), table[i].p999);
        close_scene(s);
    }
}

XB_TEST(Summary, PercentilesAreThoseOfTheLatencies)
{
    struct scene *s = open_scene(7);
    const struct xb_summary_row *row = summarise_latencies(s, 2000);
    XB_EXPECT_NEAR(row->lat_p50_ns, 1e6, 1e6 * 0.016);
    XB_EXPECT_NEAR(row->lat_p99_ns, 1.98e6, 1.98e6 * 0.016);
    XB_EXPECT_NEAR(row->lat_p999_ns, 1.998e6, 1.998e6 * 0.016);
    XB_EXPECT_NEAR(row->lat_max_ns, 2e6, 0);
    close_scene(s);
}

/* ---- suspects ---- */

/* Judges sample 0 and checks what is said. `clause` NULL: it can be trusted. */
static void expect_suspect(const struct scene *s, const char *clause)
{
    struct xb_reason why = { 0 };
    int rc = xb_sample_suspect(&s->identity, &s->result->samples[0], &why);
    XB_EXPECT_EQ(rc != 0, clause != NULL);
    if (clause)
        XB_EXPECT_HAS(why.text, clause);
    else
        XB_EXPECT_STREQ(why.text, "");
    XB_EXPECT_EQ(xb_sample_suspect(&s->identity, &s->result->samples[0], NULL), rc);
}

/* 2 % of the time of all 4 CPUs: 80 us of a sample of 1 ms. */
XB_TEST(Suspect, WhenTheHypervisorTookMoreThanAFiftieth)
{
    struct scene *s = open_scene(1);
    expect_suspect(s, NULL);
    s->result->samples[0].steal_ns = 80000;
    expect_suspect(s, NULL);
    s->result->samples[0].steal_ns = 80001;
    expect_suspect(s, "hypervisor withheld 0.1 ms");
    s->cell.workers = 100; /* whatever shares the CPUs besides */
    expect_suspect(s, "hypervisor");
    close_scene(s);
}

XB_TEST(Suspect, WhenItIsTooShortForItsEdges)
{
    struct scene *s = open_scene(1);
    s->result->samples[0].wall_ns = 10000;
    s->result->samples[0].cpu_ns = 20000;
    expect_suspect(s, NULL);
    s->result->samples[0].wall_ns = 9999;
    expect_suspect(s, "too short to measure; raise --min-time");
    close_scene(s);
}

XB_TEST(Suspect, WhenLanesBeganMoreThanATenthApart)
{
    struct scene *s = open_scene(1);
    s->result->samples[0].skew_ns = 100000;
    expect_suspect(s, NULL);
    s->result->samples[0].skew_ns = 100001;
    expect_suspect(s, "lanes began 100 us apart");
    close_scene(s);
}

XB_TEST(Suspect, WhenComputeLanesHadLessThanNineTenthsOfTheirCpus)
{
    struct scene *s = open_scene(1);
    s->result->samples[0].cpu_ns = 1800000;
    expect_suspect(s, NULL);
    s->result->samples[0].cpu_ns = 1500000;
    expect_suspect(s, "lanes had a CPU for 75 % of the time only");
    close_scene(s);
}

XB_TEST(Suspect, NotWhenLanesThatWaitHadLittleCpu)
{
    struct scene *s = open_scene(1);
    s->cell.kernel = &io_kernel;
    s->result->samples[0].cpu_ns = 10;
    expect_suspect(s, NULL);
    close_scene(s);
}

/* Then they take turns: late begins and waiting for a CPU are what is measured. */
XB_TEST(Suspect, NotForSkewOrStarvationWhenThereAreMoreLanesThanCpus)
{
    struct scene *s = open_scene(1);
    s->identity.pus = 1;
    s->result->samples[0].skew_ns = WALL;
    s->result->samples[0].cpu_ns = 10;
    expect_suspect(s, NULL);
    s->identity.pus = 2; /* as many lanes as CPUs: there was one for each */
    expect_suspect(s, "lanes began");
    close_scene(s);
}

/* Its lanes wait for each other by design, so one CPU is all that they are to have. */
XB_TEST(Suspect, JudgesAModelOfOneAtATimeByOneCpu)
{
    static const struct xb_model one = { .name = "one", .one_at_a_time = true };
    struct scene *s = open_scene(1);
    s->cell.model = &one;
    s->result->samples[0].cpu_ns = 900000;
    expect_suspect(s, NULL);
    s->result->samples[0].cpu_ns = 800000;
    expect_suspect(s, "lanes had a CPU for 80 % of the time only");
    close_scene(s);
}

/* ... and all that a claim about the share of user time is about. */
XB_TEST(Summary, UserShareIsOfTheCpusThatLanesCanUseAtOnce)
{
    static const struct xb_claim claim = { XB_RATIO_USER_SHARE, 0.7, INFINITY };
    static const struct xb_model one = { .name = "one", .one_at_a_time = true };
    struct xb_kernel kernel = memory_kernel;
    kernel.claims = &claim;
    kernel.n_claims = 1;
    for (int both = 0; both < 2; both++) {
        struct scene *s = open_scene(1);
        s->cell.kernel = &kernel;
        s->cell.model = both ? &threads : &one;
        struct xb_sample *sample = &s->result->samples[0];
        sample->cpu_ns = sample->wall_ns;
        sample->reading.value[XB_METRIC_USER_TIME] = sample->wall_ns;
        sample->reading.present |= XB_METRIC_BIT(USER_TIME);
        xb_summary_fill(&s->row, &s->identity, s->result, s->evidence, &s->why);
        XB_EXPECT_STREQ(s->row.verdict, both ? "contradicted" : "confirmed");
        close_scene(s);
    }
}

static void spoil(struct scene *s, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        s->result->samples[i].wall_ns *= 10;
        s->result->samples[i].cpu_ns *= 10;
        s->result->samples[i].skew_ns = WALL * 5;
    }
}

XB_TEST(Suspect, SamplesAreLeftOutOfTheFiguresWhileTheyAreAtMostHalf)
{
    struct scene *s = open_scene(8);
    spoil(s, 4);
    const struct xb_summary_row *row = summarise(s);
    XB_EXPECT_STREQ(row->status, "ok");
    XB_EXPECT(!row->reason);
    XB_EXPECT_EQ(row->samples, 8);
    XB_EXPECT_EQ(row->suspect, 4);
    XB_EXPECT(row->wall_ns_median < 2 * WALL);
    XB_EXPECT(row->cpu_ns_median < 4 * WALL);
    XB_EXPECT(isnan(row->wall_ns_lo)); /* 4 are left, too few for an interval */
    close_scene(s);
}

XB_TEST(Suspect, ACellIsSuspectWhenMoreThanHalfOfItsSamplesAre)
{
    struct scene *s = open_scene(8);
    spoil(s, 5);
    const struct xb_summary_row *row = summarise(s);
    XB_EXPECT_STREQ(row->status, "suspect");
    XB_EXPECT_HAS(row->reason, "lanes began");
    XB_EXPECT_EQ(row->suspect, 5);
    XB_EXPECT(row->wall_ns_median > 5 * WALL); /* all samples make the figures */
    XB_EXPECT(!isnan(row->wall_ns_lo));
    close_scene(s);
}

/* ---- rows of samples ---- */

XB_TEST(SampleRow, CopiesWhatWasMeasured)
{
    struct scene *s = open_scene(7);
    struct xb_sample_row row;
    s->result->samples[4].reading.enabled_ns = 100;
    s->result->samples[4].reading.running_ns = 50;
    s->result->samples[4].steal_ns = 7;
    xb_sample_fill(&row, &s->identity, s->result, 4, &s->why);
    const struct xb_sample *sample = &s->result->samples[4];
    XB_EXPECT_STREQ(row.status, "ok");
    XB_EXPECT_STREQ(row.reason, "");
    XB_EXPECT_EQ(row.repetition, 4);
    XB_EXPECT_EQ(row.order, 3);
    XB_EXPECT_EQ(row.seed, 42);
    XB_EXPECT_EQ(row.iters, 500);
    XB_EXPECT_EQ(row.wall_ns, sample->wall_ns);
    XB_EXPECT_EQ(row.cpu_ns, sample->cpu_ns);
    XB_EXPECT_EQ(row.in_flight_ns, sample->in_flight_ns);
    XB_EXPECT_EQ(row.skew_ns, 5);
    XB_EXPECT_EQ(row.steal_ns, 7);
    XB_EXPECT_EQ(row.items, 1000);
    XB_EXPECT_EQ(row.bytes_read, 16000);
    XB_EXPECT_EQ(row.bytes_written, 8000);
    XB_EXPECT_EQ(row.flops, 2000);
    XB_EXPECT_EQ(row.checksum, 0xabc);
    XB_EXPECT_STREQ(row.outcome_name, "lost_updates");
    XB_EXPECT_EQ(row.outcome_value, 9);
    XB_EXPECT_STREQ(row.counters, "recorded");
    XB_EXPECT_NEAR(row.counter_coverage, 0.5, 0);
    XB_EXPECT_EQ(row.reading.value[XB_METRIC_INSTRUCTIONS], 200);
    close_scene(s);
}

XB_TEST(SampleRow, WithoutANamedOutcomeHasNoValue)
{
    struct scene *s = open_scene(1);
    struct xb_sample_row row;
    s->cell.kernel = &io_kernel;
    xb_sample_fill(&row, &s->identity, s->result, 0, &s->why);
    XB_EXPECT(!row.outcome_name);
    XB_EXPECT_EQ(row.outcome_value, XB_ABSENT);
    close_scene(s);
}

XB_TEST(SampleRow, SuspectSaysWhy)
{
    struct scene *s = open_scene(2);
    struct xb_sample_row row;
    spoil(s, 1);
    xb_sample_fill(&row, &s->identity, s->result, 0, &s->why);
    XB_EXPECT_STREQ(row.status, "suspect");
    XB_EXPECT_HAS(row.reason, "lanes began");
    xb_sample_fill(&row, &s->identity, s->result, 1, &s->why);
    XB_EXPECT_STREQ(row.status, "ok");
    XB_EXPECT_STREQ(row.reason, "");
    close_scene(s);
}

XB_TEST(SampleRow, FailedAndSkippedCarryNoNumbers)
{
    static const char *const statuses[] = { "failed", "skipped" };
    for (size_t i = 0; i < 2; i++) {
        struct scene *s = open_scene(7);
        struct xb_sample_row sample;
        xb_sample_fill_without(&sample, &s->identity, statuses[i], "no luck");
        xb_summary_fill_without(&s->row, &s->identity, statuses[i], "no luck");
        XB_EXPECT_STREQ(sample.status, statuses[i]);
        XB_EXPECT_STREQ(s->row.status, statuses[i]);
        XB_EXPECT_STREQ(sample.reason, "no luck");
        XB_EXPECT_STREQ(s->row.reason, "no luck");
        XB_EXPECT_STREQ(s->row.item, "element");
        XB_EXPECT_EQ(sample.order, 3);

        XB_EXPECT_EQ(sample.wall_ns, XB_ABSENT);
        XB_EXPECT_EQ(sample.items, XB_ABSENT);
        XB_EXPECT_EQ(sample.iters, XB_ABSENT);
        XB_EXPECT_EQ(sample.checksum, XB_ABSENT);
        XB_EXPECT_EQ(sample.repetition, XB_ABSENT);
        XB_EXPECT_EQ(sample.reading.present, 0);
        XB_EXPECT(isnan(sample.counter_coverage));
        XB_EXPECT_EQ(s->row.samples, XB_ABSENT);
        XB_EXPECT_EQ(s->row.iters, XB_ABSENT);
        XB_EXPECT_EQ(s->row.checksum, XB_ABSENT);
        XB_EXPECT(isnan(s->row.wall_ns_median) && isnan(s->row.ns_per_item));
        XB_EXPECT(isnan(s->row.parallelism) && isnan(s->row.lat_p50_ns));
        XB_EXPECT(!s->row.verdict && !s->row.stop);
        close_scene(s);
    }
}
