/* SPDX-License-Identifier: BSD-3-Clause
 * Fills rows. */
#include "summary.h"

#include "../stats/median.h"
#include "isa.h"
#include "metrics.h"
#include "topdown.h"

#include <errno.h>
#include <math.h>
#include <string.h>

/* Shares of a sample's time beyond which it is suspect. */
static const double STEAL_MOST = 0.02, SKEW_MOST = 0.10, CPU_LEAST = 0.90, COST_MOST = 0.01;

/* A sample's edges cost some 0.1 us (overhead_sample_ns in provenance.csv), and a late lane
 * another: below this they are more than 1 % of it. */
static const double WALL_LEAST_NS = 10000;

/* What is the simulated CPU's, where there is one; the rest is this machine's. */
static const uint32_t SIMULATED =
    XB_METRIC_BIT(INSTRUCTIONS) | XB_METRIC_BIT(L1D_MISSES) | XB_METRIC_BIT(LLC_MISSES);

/* How many CPUs the lanes can use at once. */
static double cpus_of(const struct xb_identity *identity)
{
    uint32_t lanes = identity->cell->model->one_at_a_time ? 1 : identity->cell->lanes;
    return lanes < identity->pus ? lanes : identity->pus;
}

enum xb_class xb_identity_bound(const struct xb_identity *identity)
{
    const struct xb_cell *cell = identity->cell;
    struct xb_crowd crowd = { .workers = cell->workers,
                              .lanes = cell->lanes,
                              .cpus = (uint32_t)cpus_of(identity),
                              .processes = cell->model->isolates,
                              .coroutines = cell->model->parks,
                              .pools_files = cell->engine->pools_files };
    enum xb_class claimed = xb_kernel_bound(cell->kernel, &crowd);
    /* Of lanes that compute under one lock all but one wait for it. One beside a lane that sleeps
     * (sync/frame_clock) does not. */
    bool computes = claimed <= XB_CLASS_MEMORY || claimed == XB_CLASS_KERNEL;
    bool queues =
        cell->model->one_at_a_time && cell->lanes > 1 && computes && !xb_kernel_waits(cell->kernel);
    return queues ? XB_CLASS_SYNC : claimed;
}

int xb_sample_suspect(const struct xb_identity *identity, const struct xb_sample *sample,
                      struct xb_reason *why)
{
    if (identity->spec->simulated)
        return 0; /* whatever the machine did meanwhile */
    double wall = (double)sample->wall_ns;
    uint32_t lanes = identity->cell->lanes;
    double cpus = cpus_of(identity);
    if (wall < WALL_LEAST_NS)
        return xb_because(why, -ERANGE, "%.1f us are too short to measure; raise --min-time",
                          wall / 1e3);
    /* Counters are started and read outside the window, but on the caches of the work. */
    double cost = identity->audit ? identity->audit->cost_ns : 0;
    if (wall < cost / COST_MOST)
        return xb_because(why, -ERANGE,
                          "to count costs %.1f us, more than 1 %% of it; raise --min-time, or "
                          "--counters none",
                          cost / 1e3);
    /* Steal is accounted in clock ticks for the whole machine: one tick in a short sample is
     * large but true. */
    if ((double)sample->steal_ns > STEAL_MOST * wall * identity->pus)
        return xb_because(why, -EBUSY, "the hypervisor withheld %.1f ms of CPU time",
                          (double)sample->steal_ns / 1e6);
    if (lanes > identity->pus)
        return 0; /* lanes take turns, so late begins and waiting are what is measured */
    if ((double)sample->skew_ns > SKEW_MOST * wall)
        return xb_because(why, -EBUSY, "lanes began %.0f us apart", (double)sample->skew_ns / 1e3);
    if (!xb_kernel_waits(identity->cell->kernel) &&
        (double)sample->cpu_ns < CPU_LEAST * wall * cpus)
        return xb_because(why, -EBUSY, "lanes had a CPU for %.0f %% of the time only",
                          100 * (double)sample->cpu_ns / (wall * cpus));
    return 0;
}

/* Both row structs begin with the columns of XB_CELL_COLUMNS under the same names. */
#define FILL_CELL(row, identity)                                             \
    do {                                                                     \
        const struct xb_cell *filled = (identity)->cell;                     \
        (row)->run_id = (identity)->run_id;                                  \
        (row)->kernel = filled->kernel->name;                                \
        (row)->class = xb_class_name(filled->kernel->bound);                 \
        (row)->model = filled->model->name;                                  \
        (row)->engine = filled->engine->name;                                \
        (row)->workers = filled->workers;                                    \
        (row)->lanes = filled->lanes;                                        \
        (row)->bind = xb_bind_name((identity)->spec->bind);                  \
        (row)->bytes_per_worker = filled->bytes ? filled->bytes : XB_ABSENT; \
        (row)->depth = filled->depth;                                        \
        (row)->isa = xb_isa_name(filled->isa);                               \
        (row)->seed = (identity)->spec->seed;                                \
    } while (0)

void xb_sample_fill_without(struct xb_sample_row *row, const struct xb_identity *identity,
                            const char *status, const char *reason)
{
    xb_sample_row_clear(row);
    FILL_CELL(row, identity);
    row->events = identity->events;
    row->order = identity->order;
    row->status = status;
    row->reason = reason;
}

void xb_summary_fill_without(struct xb_summary_row *row, const struct xb_identity *identity,
                             const char *status, const char *reason)
{
    xb_summary_row_clear(row);
    FILL_CELL(row, identity);
    row->item = identity->cell->kernel->item;
    row->bound_claimed = xb_class_name(xb_identity_bound(identity));
    row->status = status;
    row->reason = reason;
}

void xb_fill_deadlock(struct xb_sample_row *sample, struct xb_summary_row *summary,
                      const struct xb_identity *identity)
{
    const struct xb_kernel *kernel = identity->cell->kernel;
    sample->outcome_name = summary->outcome_name = kernel->outcome;
    sample->outcome_value = summary->outcome_value = 1;
    summary->verdict = "confirmed"; /* nothing but other workers keeps them from going on */
    summary->verdict_evidence = kernel->remark;
}

void xb_sample_fill(struct xb_sample_row *row, const struct xb_identity *identity,
                    const struct xb_result *result, uint32_t repetition, struct xb_reason *why)
{
    const struct xb_sample *sample = &result->samples[repetition];
    *why = (struct xb_reason){ 0 };
    bool suspect = xb_sample_suspect(identity, sample, why) != 0;
    xb_sample_fill_without(row, identity, suspect ? "suspect" : "ok", why->text);
    row->repetition = repetition;
    row->iters = result->iters;
    row->wall_ns = sample->wall_ns;
    row->cpu_ns = sample->cpu_ns;
    row->in_flight_ns = sample->in_flight_ns;
    row->skew_ns = sample->skew_ns;
    row->steal_ns = sample->steal_ns;
    row->items = sample->work.items;
    row->bytes_read = sample->work.bytes_read;
    row->bytes_written = sample->work.bytes_written;
    row->flops = sample->work.flops;
    row->checksum = sample->work.checksum;
    if (identity->cell->kernel->outcome) {
        row->outcome_name = identity->cell->kernel->outcome;
        row->outcome_value = sample->work.outcome;
    }
    row->counters = identity->source->name;
    row->counter_coverage = xb_metrics_coverage(&sample->reading);
    row->reading = sample->reading;
}

/* Sums over the samples that count. */
struct totals {
    double wall_ns, cpu_ns, in_flight_ns;
    struct xb_work work;
    struct xb_evidence evidence;
};

static void add(struct totals *totals, const struct xb_sample *sample, double cpus)
{
    bool first = totals->wall_ns == 0;
    totals->wall_ns += (double)sample->wall_ns;
    totals->cpu_ns += (double)sample->cpu_ns;
    totals->in_flight_ns += (double)sample->in_flight_ns;
    totals->work.items += sample->work.items;
    totals->work.bytes_read += sample->work.bytes_read;
    totals->work.bytes_written += sample->work.bytes_written;
    totals->work.flops += sample->work.flops;
    totals->evidence.items += (double)sample->work.items;
    totals->evidence.outcomes += (double)sample->work.outcome;
    totals->evidence.cpu_wall_ns += (double)sample->wall_ns * cpus;
    struct xb_reading pair[2] = { totals->evidence.reading, sample->reading };
    xb_metrics_merge(first ? &pair[1] : pair, first ? 1 : 2, &totals->evidence.reading);
}

/* `item_ns`: wall time per item of the team; `item_cpu_ns`: its CPU time. `work`: summed over the
 * samples, for the ratios of bytes and flops to items. */
static void fill_rates(struct xb_summary_row *row, const struct xb_work *work, double wall_ns,
                       struct xb_interval item_ns, struct xb_interval item_cpu_ns)
{
    double items = (double)work->items, workers = (double)row->workers, flops = (double)work->flops;
    double bytes = (double)work->bytes_read + (double)work->bytes_written;
    if (items > 0) {
        row->ns_per_item = item_ns.median * workers;
        row->ns_per_item_lo = item_ns.lo * workers;
        row->ns_per_item_hi = item_ns.hi * workers;
        row->cpu_ns_per_item = item_cpu_ns.median;
        row->cpu_ns_per_item_lo = item_cpu_ns.lo;
        row->cpu_ns_per_item_hi = item_cpu_ns.hi;
        row->items_per_s = 1e9 / item_ns.median;
        row->items_per_s_lo = 1e9 / item_ns.hi;
        row->items_per_s_hi = 1e9 / item_ns.lo;
    }
    /* A file without a line end has bytes but no items. */
    double per_s = items > 0 ? 1 / (item_ns.median * items) : 1 / wall_ns;
    if (bytes > 0)
        row->gb_per_s = bytes * per_s;
    if (flops > 0)
        row->gflop_per_s = flops * per_s;
    if (flops > 0 && bytes > 0)
        row->flop_per_byte = flops / bytes;
}

static void fill_latency(struct xb_summary_row *row, const struct xb_kernel *kernel,
                         const struct xb_histogram *latency)
{
    if (!latency->n)
        return;
    row->lat_of = kernel->latency_of ? kernel->latency_of : kernel->item;
    row->lat_samples = latency->n;
    row->lat_p50_ns = xb_histogram_quantile(latency, 0.5);
    row->lat_max_ns = (double)latency->max;
    /* A quantile needs some values beyond it to be more than the largest one seen. */
    if (latency->n >= 100)
        row->lat_p99_ns = xb_histogram_quantile(latency, 0.99);
    if (latency->n >= 1000)
        row->lat_p999_ns = xb_histogram_quantile(latency, 0.999);
}

/* What follows from counts; each absent where a count that it needs is. */
static void fill_ratios(struct xb_summary_row *row, const struct xb_evidence *evidence,
                        double wall_ns)
{
    /* A miss of the last level brings a line: 64 bytes on x86-64, and on all aarch64 servers. */
    const double line_bytes = 64;
    row->ipc = xb_ratio(XB_RATIO_IPC, evidence);
    row->l1d_mpki = xb_ratio(XB_RATIO_L1D_MPKI, evidence);
    row->llc_mpki = xb_ratio(XB_RATIO_LLC_MPKI, evidence);
    row->branch_mpki = xb_ratio(XB_RATIO_BRANCH_MPKI, evidence);
    if (evidence->reading.present & XB_METRIC_BIT(LLC_MISSES))
        row->llc_miss_gb_per_s =
            line_bytes * (double)evidence->reading.value[XB_METRIC_LLC_MISSES] / wall_ns;
}

/* Where the run counted the events for it. */
static void fill_topdown(struct xb_summary_row *row, const struct xb_events *events,
                         const struct xb_reading *reading)
{
    double share[XB_TOPDOWN_PARTS];
    xb_topdown_shares(events, reading, share);
    row->topdown_retiring = share[XB_TOPDOWN_RETIRING];
    row->topdown_bad_speculation = share[XB_TOPDOWN_BAD_SPECULATION];
    row->topdown_frontend = share[XB_TOPDOWN_FRONTEND];
    row->topdown_backend = share[XB_TOPDOWN_BACKEND];
    row->topdown_light = share[XB_TOPDOWN_LIGHT];
    row->topdown_heavy = share[XB_TOPDOWN_HEAVY];
    row->topdown_mispredicts = share[XB_TOPDOWN_MISPREDICTS];
    row->topdown_clears = share[XB_TOPDOWN_CLEARS];
    row->topdown_fetch_latency = share[XB_TOPDOWN_FETCH_LATENCY];
    row->topdown_fetch_bandwidth = share[XB_TOPDOWN_FETCH_BANDWIDTH];
    row->topdown_memory = share[XB_TOPDOWN_MEMORY];
    row->topdown_core = share[XB_TOPDOWN_CORE];
}

/* What no figure can say, then the claims and what they were held against. */
static void fill_verdict(struct xb_summary_row *row, const struct xb_kernel *kernel,
                         const struct xb_evidence *evidence, char *text)
{
    size_t used = 0;
    if (kernel->remark)
        used = (size_t)snprintf(text, XB_EVIDENCE_BYTES, "%s%s", kernel->remark,
                                kernel->n_claims ? "; " : "");
    if (used >= XB_EVIDENCE_BYTES)
        used = XB_EVIDENCE_BYTES - 1;
    row->verdict = xb_claims_judge(kernel->claims, kernel->n_claims, evidence, text + used,
                                   XB_EVIDENCE_BYTES - used);
    row->verdict_evidence = text;
}

static void fill_outcome(struct xb_summary_row *row, const struct xb_kernel *kernel,
                         const struct xb_evidence *evidence)
{
    if (!kernel->outcome)
        return;
    row->outcome_name = kernel->outcome;
    row->outcome_value = (uint64_t)evidence->outcomes;
    row->outcome_share = xb_ratio(XB_RATIO_OUTCOME, evidence);
}

/* NaN where either was not told, or it shrank: then other programs' memory is all there is to see. */
static double grown(int64_t before, int64_t after, uint32_t workers)
{
    return before < 0 || after <= before ? NAN : (double)(after - before) / workers;
}

static void fill_footprint(struct xb_summary_row *row, const struct xb_cell *cell, uint32_t pus,
                           const struct xb_result *result)
{
    if (xb_footprint_tells_resident(cell->workers))
        row->rss_bytes_per_worker =
            grown(result->empty.resident, result->peopled.resident, cell->workers);
    if (xb_footprint_tells_kernel(cell->workers, cell->lanes, pus))
        row->kernel_bytes_per_worker =
            grown(result->empty.kernel, result->peopled.kernel, cell->workers);
}

static double wall_of(const struct xb_sample *sample)
{
    return (double)sample->wall_ns;
}

static double cpu_of(const struct xb_sample *sample)
{
    return (double)sample->cpu_ns;
}

static double item_cpu_of(const struct xb_sample *sample)
{
    return (double)sample->cpu_ns / (sample->work.items ? (double)sample->work.items : 1);
}

/* Suspect samples count only in a cell that is suspect as a whole. */
static bool counts(const struct xb_identity *identity, const struct xb_result *result,
                   uint32_t index, bool suspect)
{
    return suspect || xb_sample_suspect(identity, &result->samples[index], NULL) == 0;
}

static struct xb_interval gather(const struct xb_identity *identity, struct xb_result *result,
                                 bool suspect, double (*figure)(const struct xb_sample *sample))
{
    uint32_t n = atomic_load(&result->n_samples);
    size_t used = 0;
    for (uint32_t i = 0; i < n; i++)
        if (counts(identity, result, i, suspect))
            result->scratch[used++] = figure(&result->samples[i]);
    return xb_median_interval(result->scratch, used);
}

void xb_summary_fill(struct xb_summary_row *row, const struct xb_identity *identity,
                     struct xb_result *result, char *evidence, struct xb_reason *why)
{
    static const char *const stops[] = { "interrupted", "precise", "time", "count" };
    const struct xb_kernel *kernel = identity->cell->kernel;
    uint32_t n = atomic_load(&result->n_samples), suspects = 0;
    *why = (struct xb_reason){ 0 };
    for (uint32_t i = 0; i < n; i++)
        suspects += xb_sample_suspect(identity, &result->samples[i], why) != 0;
    bool suspect = 2 * suspects > n;
    xb_summary_fill_without(row, identity, suspect ? "suspect" : "ok", suspect ? why->text : NULL);
    row->iters = result->iters;
    row->checksum = result->samples[0].work.checksum;
    row->samples = n;
    row->suspect = suspects;

    double cpus = cpus_of(identity);
    struct totals totals = { 0 };
    for (uint32_t i = 0; i < n; i++)
        if (counts(identity, result, i, suspect))
            add(&totals, &result->samples[i], cpus);
    /* Times are the simulator's: those of samples.csv tell how long one has to wait for it, and nothing
     * may follow from them. */
    if (identity->spec->simulated) {
        row->stop = stops[result->stop];
        totals.evidence.reading.present &= SIMULATED;
        row->l1d_mpki = xb_ratio(XB_RATIO_L1D_MPKI, &totals.evidence);
        row->llc_mpki = xb_ratio(XB_RATIO_LLC_MPKI, &totals.evidence);
        fill_outcome(row, kernel, &totals.evidence);
        fill_verdict(row, kernel, &totals.evidence, evidence);
        return;
    }
    struct xb_interval wall = gather(identity, result, suspect, wall_of);
    row->wall_ns_median = wall.median;
    row->wall_ns_lo = wall.lo;
    row->wall_ns_hi = wall.hi;
    row->cpu_ns_median = gather(identity, result, suspect, cpu_of).median;
    fill_rates(row, &totals.work, totals.wall_ns,
               gather(identity, result, suspect, xb_sample_item_ns),
               gather(identity, result, suspect, item_cpu_of));
    /* Figures that follow from counts are worth what those are worth. */
    if (identity->audit)
        totals.evidence.reading.present &= ~identity->audit->doubtful;
    row->concurrency = totals.in_flight_ns / totals.wall_ns;
    row->parallelism = totals.cpu_ns / totals.wall_ns;
    fill_ratios(row, &totals.evidence, totals.wall_ns);
    fill_topdown(row, identity->events, &totals.evidence.reading);
    fill_latency(row, kernel, &result->latency);
    fill_footprint(row, identity->cell, identity->pus, result);
    row->stop = stops[result->stop];
    fill_outcome(row, kernel, &totals.evidence);
    fill_verdict(row, kernel, &totals.evidence, evidence);
}

/* One contradiction is enough; of the others, whatever could be tested counts. Figures of a suspect
 * cell contradict nothing: they are of a machine that was busy with something else. */
static const char *join(const char *claims, bool suspect, const char *seen)
{
    bool contradicted = strcmp(claims, "contradicted") == 0;
    if (contradicted && suspect)
        return seen;
    return contradicted || strcmp(seen, "untested") == 0 ? claims : seen;
}

void xb_summary_observe(struct xb_summary_row *row, enum xb_class claimed,
                        const struct xb_observation *seen, char *evidence)
{
    const struct xb_judgement *judgement = &seen->judgement;
    const char *level = xb_level_word(judgement->level);
    size_t used = strlen(evidence);
    row->bound = xb_bound_name(judgement->bound);
    row->bound_confidence = judgement->confidence;
    row->verdict_level = level[0] ? level : NULL;
    bool suspect = strcmp(row->status, "suspect") == 0;
    row->verdict = join(row->verdict, suspect,
                        xb_observe_compare(judgement, claimed, row->lanes < row->workers));
    row->verdict_evidence = evidence;
    snprintf(evidence + used, XB_EVIDENCE_BYTES - used, "%sseen: %s%s%s", used ? "; " : "",
             row->bound, judgement->reason[0] ? ", " : "", judgement->reason);
    used = strlen(evidence);
    if (strcmp(xb_class_name(claimed), row->class) != 0)
        snprintf(evidence + used, XB_EVIDENCE_BYTES - used, "; claimed of such a cell: %s",
                 xb_class_name(claimed));
}
