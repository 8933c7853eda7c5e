/* The columns of samples.csv and summary.csv, and writing them; core/rows reads them.
 *
 * The X-macros below are the only definition of the format: the structs, the header lines, the
 * writer, the reader and results/COLUMNS.csv are all expanded from them. Lines are RFC 4180, UTF-8 and
 * independent of the locale. Absent is an empty field, never 0. */
#ifndef XB_CORE_ROW_H
#define XB_CORE_ROW_H

#include "../counters/source.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define XB_ROW_SCHEMA 1 /* raise when a column changes meaning or goes away */

#define XB_ABSENT UINT64_MAX /* a COUNT or HASH that was not measured */

/* Field kinds and their C types: TEXT, COUNT (decimal), HASH (16 hex digits), REAL (NaN absent). */
#define XB_TYPE_TEXT  const char *
#define XB_TYPE_COUNT uint64_t
#define XB_TYPE_HASH  uint64_t
#define XB_TYPE_REAL  double

/* X(kind, column, unit, meaning): which cell this is, at the start of every row of both files. */
#define XB_CELL_COLUMNS(X)                                                                         \
    X(COUNT, schema, "", "layout version of this file")                                            \
    X(TEXT, run_id, "", "the run; provenance.csv beside this file describes it")                   \
    X(TEXT, kernel, "", "what was measured: class/stem, a file under kernels/")                    \
    X(TEXT, class, "", "what the kernel claims to be bound by: cpu cache memory io sync")          \
    X(TEXT, model, "", "how workers exist; xbound list has them all")                              \
    X(TEXT, engine, "", "how a worker waits; xbound list has them all")                            \
    X(COUNT, workers, "count", "concurrent instances of the kernel")                               \
    X(COUNT, lanes, "count", "OS threads or processes that hosted them")                           \
    X(TEXT, bind, "", "binding policy: compact scatter none")                                      \
    X(COUNT, bytes_per_worker, "bytes", "working set of one worker; empty where a server decides") \
    X(COUNT, depth, "count", "I/O operations kept in flight per worker")                           \
    X(TEXT, isa, "", "instruction set variant used: base avx2 avx512")                             \
    X(TEXT, status, "", "ok skipped failed suspect")                                               \
    X(TEXT, reason, "", "why, unless ok; of an ok row, the deadlock it was there to show")

#define XB_SAMPLE_COLUMNS(X)                                                                    \
    XB_CELL_COLUMNS(X)                                                                          \
    X(COUNT, repetition, "", "0-based position within the cell")                                \
    X(COUNT, order, "", "0-based position of the cell in the run")                              \
    X(COUNT, seed, "", "seed of the inputs")                                                    \
    X(COUNT, iters, "count", "iterations per worker")                                           \
    X(COUNT, wall_ns, "ns", "first lane's begin to last lane's end, CLOCK_MONOTONIC")           \
    X(COUNT, cpu_ns, "ns", "CPU time summed over lanes, CLOCK_THREAD_CPUTIME_ID")               \
    X(COUNT, in_flight_ns, "ns", "summed over workers: end minus begin of each one's work")     \
    X(COUNT, skew_ns, "ns", "spread of the lanes' begins")                                      \
    X(COUNT, steal_ns, "ns", "CPU time the hypervisor withheld from this machine (/proc/stat)") \
    X(COUNT, items, "count", "items of work summed over workers; the kernel names its item")    \
    X(COUNT, bytes_read, "bytes", "payload read, summed over workers")                          \
    X(COUNT, bytes_written, "bytes", "payload written, summed over workers")                    \
    X(COUNT, flops, "count", "floating-point operations, summed over workers")                  \
    X(HASH, checksum, "",                                                                       \
      "sum over workers of a mix of (index, checksum); equal under all models")                 \
    X(TEXT, outcome_name, "", "the named outcome the kernel reports, if any")                   \
    X(COUNT, outcome_value, "count", "how often it happened, summed over workers")              \
    X(TEXT, counters, "", "counter source that was used; xbound list has them all")             \
    X(REAL, counter_coverage, "ratio", "time counted / time enabled of the worst lane")

#define XB_SUMMARY_COLUMNS(X)                                                                     \
    XB_CELL_COLUMNS(X)                                                                            \
    X(TEXT, item, "", "what one item is")                                                         \
    X(COUNT, seed, "", "seed of the inputs")                                                      \
    X(COUNT, iters, "count", "iterations per worker in each sample")                              \
    X(HASH, checksum, "", "of sample 0, as in samples.csv")                                       \
    X(COUNT, samples, "count", "samples taken")                                                   \
    X(COUNT, suspect, "count", "samples of these with status suspect")                            \
    X(REAL, wall_ns_median, "ns", "median of wall_ns")                                            \
    X(REAL, wall_ns_lo, "ns", "lower end of the 95 % interval of the median")                     \
    X(REAL, wall_ns_hi, "ns", "upper end of the 95 % interval of the median")                     \
    X(REAL, cpu_ns_median, "ns", "median of cpu_ns")                                              \
    X(REAL, ns_per_item, "ns", "wall time one worker spends per item: wall x workers / items")    \
    X(REAL, ns_per_item_lo, "ns", "lower end of its 95 % interval")                               \
    X(REAL, ns_per_item_hi, "ns", "upper end of its 95 % interval")                               \
    X(REAL, cpu_ns_per_item, "ns", "CPU time of all lanes per item: cpu_ns / items, median")      \
    X(REAL, cpu_ns_per_item_lo, "ns", "lower end of its 95 % interval")                           \
    X(REAL, cpu_ns_per_item_hi, "ns", "upper end of its 95 % interval")                           \
    X(REAL, items_per_s, "1/s", "items of all workers per second of wall time, median")           \
    X(REAL, items_per_s_lo, "1/s", "lower end of its 95 % interval")                              \
    X(REAL, items_per_s_hi, "1/s", "upper end of its 95 % interval")                              \
    X(REAL, gb_per_s, "GB/s", "10^9 bytes of payload, read and written, per second of wall time") \
    X(REAL, gflop_per_s, "GFLOP/s", "10^9 floating-point operations per second of wall time")     \
    X(REAL, flop_per_byte, "flop/byte", "arithmetic intensity: flops / payload bytes")            \
    X(TEXT, lat_of, "",                                                                           \
      "what one latency is of; the item, unless the kernel waits for more at once")               \
    X(COUNT, lat_samples, "count", "latencies taken, in windows of their own")                    \
    X(REAL, lat_p50_ns, "ns", "median latency")                                                   \
    X(REAL, lat_p99_ns, "ns", "99th percentile; empty below 100 latencies")                       \
    X(REAL, lat_p999_ns, "ns", "99.9th percentile; empty below 1000 latencies")                   \
    X(REAL, lat_max_ns, "ns", "largest latency seen")                                             \
    X(TEXT, outcome_name, "", "the named outcome the kernel reports, if any")                     \
    X(COUNT, outcome_value, "count", "how often it happened, in the samples that count")          \
    X(REAL, outcome_share, "ratio", "how often per item: outcome_value / items")                  \
    X(REAL, concurrency, "workers", "mean number of workers in flight: in_flight_ns / wall_ns")   \
    X(REAL, parallelism, "cpus", "mean number of CPUs at work: cpu_ns / wall_ns")                 \
    X(REAL, ipc, "ratio", "instructions per cycle; empty without a PMU")                          \
    X(REAL, l1d_mpki, "1/1000", "L1 data cache misses per 1000 instructions")                     \
    X(REAL, llc_mpki, "1/1000", "last-level cache misses per 1000 instructions")                  \
    X(REAL, branch_mpki, "1/1000", "mispredicted branches per 1000 instructions")                 \
    X(REAL, llc_miss_gb_per_s, "GB/s",                                                            \
      "10^9 bytes of the lines that missed the last level, per second")                           \
    X(REAL, topdown_retiring, "ratio",                                                            \
      "issue slots whose operation retired, of all; with --events topdown")                       \
    X(REAL, topdown_bad_speculation, "ratio",                                                     \
      "issue slots that a wrong guess wasted, of all; with --events topdown")                     \
    X(REAL, topdown_frontend, "ratio",                                                            \
      "issue slots that got no operation to issue, of all; with --events topdown")                \
    X(REAL, topdown_backend, "ratio",                                                             \
      "issue slots for which there was no room behind, of all; with --events topdown")            \
    X(REAL, topdown_light, "ratio",                                                               \
      "part of retiring: instructions of one operation; with --events topdown2")                  \
    X(REAL, topdown_heavy, "ratio",                                                               \
      "part of retiring: instructions of several; with --events topdown2")                        \
    X(REAL, topdown_mispredicts, "ratio",                                                         \
      "part of bad speculation: branches; with --events topdown2")                                \
    X(REAL, topdown_clears, "ratio",                                                              \
      "part of bad speculation: all else that empties the pipeline; topdown2")                    \
    X(REAL, topdown_fetch_latency, "ratio",                                                       \
      "part of frontend: cycles without any operation; with --events topdown2")                   \
    X(REAL, topdown_fetch_bandwidth, "ratio",                                                     \
      "part of frontend: cycles with too few; with --events topdown2")                            \
    X(REAL, topdown_memory, "ratio",                                                              \
      "part of backend: loads and full store buffers; with --events topdown2")                    \
    X(REAL, topdown_core, "ratio",                                                                \
      "part of backend: all else, such as busy ports; with --events topdown2")                    \
    X(REAL, rss_bytes_per_worker, "bytes",                                                        \
      "memory by which a worker grew the cell before its set-up; empty below 64 workers")         \
    X(REAL, kernel_bytes_per_worker, "bytes",                                                     \
      "the same of page tables, kernel stacks and slabs; empty below 500 workers per CPU used")   \
    X(TEXT, stop, "", "why sampling stopped: precise time count interrupted")                     \
    X(TEXT, verdict, "", "the class claim on this machine: confirmed contradicted untested")      \
    X(TEXT, verdict_level, "", "where it waits, as seen: L1 L2 LLC DRAM disk network lock timer") \
    X(TEXT, verdict_evidence, "",                                                                 \
      "the claims and the figures they were held against, and what was seen")                     \
    X(TEXT, bound, "",                                                                            \
      "what bounds it, as probes saw it: cpu cache memory io sync kernel mixed unknown")          \
    X(REAL, bound_confidence, "ratio", "how sure that is, 0 to 1")                                \
    X(TEXT, bound_claimed, "",                                                                    \
      "what the kernel claims of such a cell: its class, or what its file argues instead")

struct xb_sample_row {
#define X(kind, column, unit, meaning) XB_TYPE_##kind column;
    XB_SAMPLE_COLUMNS(X)
#undef X
    struct xb_reading reading;      /* one more column per metric, see XB_METRICS */
    const struct xb_events *events; /* and one per event that the user named; NULL: none */
};

struct xb_summary_row {
#define X(kind, column, unit, meaning) XB_TYPE_##kind column;
    XB_SUMMARY_COLUMNS(X)
#undef X
};

/* The columns as data, in the order of the file. */
enum xb_field_kind { XB_FIELD_TEXT, XB_FIELD_COUNT, XB_FIELD_HASH, XB_FIELD_REAL };

struct xb_field {
    enum xb_field_kind kind;
    const char *column, *unit, *meaning;
    size_t offset; /* of the value in its row struct */
};

extern const struct xb_field xb_sample_fields[], xb_summary_fields[];
extern const size_t xb_n_sample_fields, xb_n_summary_fields;

/* Sets every field to absent, and schema. */
void xb_sample_row_clear(struct xb_sample_row *row);
void xb_summary_row_clear(struct xb_summary_row *row);

/* Each writes one line. 0 or -errno (a full disk may show only at fflush). A file has the columns of
 * one run: `events` are those of its rows. */
int xb_sample_header(FILE *out, const struct xb_events *events);
int xb_sample_write(FILE *out, const struct xb_sample_row *row);
int xb_summary_header(FILE *out);
int xb_summary_write(FILE *out, const struct xb_summary_row *row);

/* Writes one field, quoted where RFC 4180 asks for it; NULL writes nothing. */
int xb_csv_text(FILE *out, const char *text);

/* Writes results/COLUMNS.csv: file, column, unit, meaning. 0 or -errno. */
int xb_columns_write(FILE *out);

#endif
