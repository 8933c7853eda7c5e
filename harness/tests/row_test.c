/* SPDX-License-Identifier: BSD-3-Clause
 * Tests the bytes of samples.csv and summary.csv, which other programs read. */
#include "spawn.h"
#include "xbtest.h"

#include "../core/row.h"

#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>

/* Writes into memory; the caller frees. */
static char *written(int (*write)(FILE *, const void *), const void *row)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&text, &bytes);
    XB_EXPECT_EQ(write(out, row), 0);
    fclose(out);
    return text;
}

static int write_samples(FILE *out, const void *row)
{
    int err = xb_sample_header(out, NULL);
    return err ? err : xb_sample_write(out, row);
}

static int write_summary(FILE *out, const void *row)
{
    int err = xb_summary_header(out);
    return err ? err : xb_summary_write(out, row);
}

static int write_columns(FILE *out, const void *row)
{
    (void)row;
    return xb_columns_write(out);
}

static char *read_file(const char *path)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *in = fopen(path, "re"), *out = open_memstream(&text, &bytes);
    if (!in)
        XB_FAIL("%s: %s", path, strerror(errno));
    for (int c; in && (c = getc(in)) != EOF;)
        putc(c, out);
    fclose(out);
    if (in)
        fclose(in);
    return text;
}

/* Every field set, each to another value, so that two swapped columns show. */
static struct xb_sample_row full_sample(void)
{
    struct xb_sample_row row;
    xb_sample_row_clear(&row);
    row.run_id = "20240229T120000Z";
    row.kernel = "cpu/mix64";
    row.class = "cpu";
    row.model = "threads";
    row.engine = "blocking";
    row.workers = 4;
    row.lanes = 3;
    row.bind = "scatter";
    row.bytes_per_worker = 4096;
    row.depth = 2;
    row.isa = "avx2";
    row.status = "suspect";
    row.reason = "lanes began 1200 us apart";
    row.repetition = 7;
    row.order = 11;
    row.seed = UINT64_MAX - 1;
    row.iters = 1000;
    row.wall_ns = 10000001;
    row.cpu_ns = 30000002;
    row.in_flight_ns = 39999003;
    row.skew_ns = 1200004;
    row.steal_ns = 0;
    row.items = 4000;
    row.bytes_read = 32000;
    row.bytes_written = 16000;
    row.flops = 8000;
    row.checksum = UINT64_C(0x00c0ffee12345678);
    row.outcome_name = "lost_updates";
    row.outcome_value = 5;
    row.counters = "perf";
    row.counter_coverage = 0.75;
    row.reading.present = XB_METRICS_ALL & ~XB_METRIC_BIT(LLC_MISSES);
    for (uint64_t metric = 0; metric < XB_METRIC_COUNT; metric++)
        row.reading.value[metric] = 100 + metric;
    return row;
}

static struct xb_summary_row full_summary(void)
{
    struct xb_summary_row row;
    xb_summary_row_clear(&row);
    row.run_id = "20240229T120000Z";
    row.kernel = "memory/triad";
    row.class = "memory";
    row.model = "processes";
    row.engine = "blocking";
    row.workers = 2;
    row.lanes = 2;
    row.bind = "compact";
    row.bytes_per_worker = 134217728;
    row.depth = 1;
    row.isa = "avx512";
    row.status = "ok";
    row.item = "element";
    row.seed = 1;
    row.iters = 12;
    row.checksum = UINT64_C(0xfedcba9876543210);
    row.samples = 9;
    row.suspect = 2;
    row.wall_ns_median = 123456789;
    row.wall_ns_lo = 123000000.25;
    row.wall_ns_hi = 124000000.125;
    row.cpu_ns_median = 246000000;
    row.ns_per_item = 0.001953125;
    row.ns_per_item_lo = 1e-7;
    row.ns_per_item_hi = 2.5e21;
    row.cpu_ns_per_item = 0.0625;
    row.cpu_ns_per_item_lo = 0.03125;
    row.cpu_ns_per_item_hi = 0.125;
    row.items_per_s = 1024;
    row.items_per_s_lo = 1023.5;
    row.items_per_s_hi = 1024.5;
    row.gb_per_s = 12.25;
    row.gflop_per_s = 1.0 / 3;
    row.flop_per_byte = 0.0833333333333;
    row.lat_of = "element";
    row.lat_samples = 5000;
    row.lat_p50_ns = 900;
    row.lat_p99_ns = 1900;
    row.lat_p999_ns = 2900;
    row.lat_max_ns = 3900;
    row.outcome_name = "lost_updates";
    row.outcome_value = 21;
    row.outcome_share = 0.125;
    row.concurrency = 1.99;
    row.parallelism = 1.98;
    row.ipc = 0.5;
    row.l1d_mpki = 12.5;
    row.llc_mpki = 7.25;
    row.branch_mpki = 3.5;
    row.llc_miss_gb_per_s = 1.5;
    row.topdown_retiring = 0.375;
    row.topdown_bad_speculation = 0.0625;
    row.topdown_frontend = 0.1875;
    row.topdown_backend = 0.25;
    row.topdown_light = 0.3125;
    row.topdown_heavy = 0.03125;
    row.topdown_mispredicts = 0.046875;
    row.topdown_clears = 0.015625;
    row.topdown_fetch_latency = 0.109375;
    row.topdown_fetch_bandwidth = 0.078125;
    row.topdown_memory = 0.140625;
    row.topdown_core = 0.171875;
    row.rss_bytes_per_worker = 4608.5;
    row.kernel_bytes_per_worker = 192;
    row.stop = "precise";
    row.verdict = "contradicted";
    row.verdict_level = "DRAM";
    row.bound = "memory";
    row.bound_confidence = 0.875;
    row.bound_claimed = "cpu";
    row.verdict_evidence = "ipc 0.5, claimed <= 0.4; llc_mpki not counted, claimed >= 5";
    return row;
}

static void expect_golden(char *text, const char *name)
{
    char *should = read_file(xb_test_data(name));
    XB_EXPECT_STREQ(text, should);
    free(should);
    free(text);
}

XB_TEST(Row, SampleHasTheGoldenBytes)
{
    struct xb_sample_row row = full_sample();
    expect_golden(written(write_samples, &row), "golden_samples.csv");
}

XB_TEST(Row, SummaryHasTheGoldenBytes)
{
    struct xb_summary_row row = full_summary();
    expect_golden(written(write_summary, &row), "golden_summary.csv");
}

/* Writes a sample, reads it back. The caller closes the table. */
static void write_and_read(const struct xb_sample_row *row, struct xb_table *table)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/samples.csv", xb_test_folder());
    FILE *out = fopen(path, "we");
    XB_EXPECT_EQ(write_samples(out, row), 0);
    fclose(out);
    XB_EXPECT_EQ(xb_table_open(table, path), 0);
}

XB_TEST(Row, AReasonMayHoldCommasQuotesAndLineEnds)
{
    static const char *const reasons[] = {
        "a, b", "said \"no\"", "two\nlines", "two\r\nlines", "\"", ",", "\n", "plain text", " ",
    };
    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++) {
        struct xb_table table;
        struct xb_sample_row row = full_sample();
        row.reason = reasons[i];
        write_and_read(&row, &table);
        XB_EXPECT_EQ(table.rows, 1);
        XB_EXPECT_STREQ(xb_table_get(&table, 0, "reason"), reasons[i]);
        XB_EXPECT_STREQ(xb_table_get(&table, 0, "repetition"), "7");
        xb_table_close(&table);
    }
}

XB_TEST(Row, QuotesAreDoubledAndOnlyWhereNeeded)
{
    static const char *const pairs[][2] = {
        { "plain", "plain" },     { "", "" },
        { "a,b", "\"a,b\"" },     { "a\"b", "\"a\"\"b\"" },
        { "a\nb", "\"a\nb\"" },   { "a\rb", "\"a\rb\"" },
        { "a;b c'd", "a;b c'd" },
    };
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        char *text = NULL;
        size_t bytes = 0;
        FILE *out = open_memstream(&text, &bytes);
        XB_EXPECT_EQ(xb_csv_text(out, pairs[i][0]), 0);
        fclose(out);
        XB_EXPECT_STREQ(text, pairs[i][1]);
        free(text);
    }
}

XB_TEST(Row, AClearedRowIsEmptyButForItsSchema)
{
    struct xb_sample_row sample;
    struct xb_summary_row summary;
    xb_sample_row_clear(&sample);
    xb_summary_row_clear(&summary);
    char *texts[] = { written(write_samples, &sample), written(write_summary, &summary) };
    for (size_t i = 0; i < 2; i++) {
        const char *line = strchr(texts[i], '\n') + 1;
        XB_EXPECT_EQ(line[0], '1');
        XB_EXPECT_EQ(strspn(line + 1, ","), strlen(line) - 2);
        free(texts[i]);
    }
}

XB_TEST(Row, AbsentMetricIsAnEmptyFieldAndZeroIsNot)
{
    struct xb_table table;
    struct xb_sample_row row = full_sample();
    row.reading.value[XB_METRIC_CYCLES] = 0;
    write_and_read(&row, &table);
    XB_EXPECT_STREQ(xb_table_get(&table, 0, "llc_misses"), "");
    XB_EXPECT_STREQ(xb_table_get(&table, 0, "cycles"), "0");
    XB_EXPECT_STREQ(xb_table_get(&table, 0, "steal_ns"), "0");
    xb_table_close(&table);
}

XB_TEST(Row, NanAndInfinityAreEmptyFields)
{
    static const double values[] = { NAN, INFINITY, -INFINITY };
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        struct xb_table table;
        struct xb_sample_row row = full_sample();
        row.counter_coverage = values[i];
        write_and_read(&row, &table);
        XB_EXPECT_STREQ(xb_table_get(&table, 0, "counter_coverage"), "");
        xb_table_close(&table);
    }
}

XB_TEST(Row, AFullDiskIsAnError)
{
    FILE *out = fopen("/dev/full", "we");
    if (!out) {
        XB_SKIP("no /dev/full");
        return;
    }
    struct xb_sample_row row = full_sample();
    setvbuf(out, NULL, _IONBF, 0);
    XB_EXPECT(write_samples(out, &row) < 0);
    fclose(out);
}

/* Any locale with a comma serves; where none is installed, localedef(1) makes one. */
static bool use_comma_locale(void)
{
    static const char *const names[] = { "de_DE.UTF-8", "de_DE", "fr_FR.UTF-8", "ru_RU.UTF-8" };
    char make[4096];
    snprintf(make, sizeof make, "localedef -i de_DE -f UTF-8 %s/de_DE.UTF-8 >/dev/null 2>&1",
             xb_test_folder());
    for (int attempt = 0; attempt < 2; attempt++) {
        for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
            if (setlocale(LC_NUMERIC, names[i]) && localeconv()->decimal_point[0] == ',')
                return true;
        if (attempt == 0 && system(make) >= 0)
            setenv("LOCPATH", xb_test_folder(), 1);
    }
    return false;
}

XB_TEST(Row, ADecimalCommaLocaleChangesNothing)
{
    if (!use_comma_locale()) {
        unsetenv("LOCPATH");
        setlocale(LC_NUMERIC, "C");
        XB_SKIP("no locale with a decimal comma here, nor what makes one (apt install locales)");
        return;
    }
    char comma[8];
    snprintf(comma, sizeof comma, "%.1f", 0.5);
    XB_EXPECT_STREQ(comma, "0,5"); /* otherwise this test shows nothing */
    struct xb_sample_row sample = full_sample();
    struct xb_summary_row summary = full_summary();
    char *texts[] = { written(write_samples, &sample), written(write_summary, &summary) };
    unsetenv("LOCPATH");
    setlocale(LC_NUMERIC, "C");
    expect_golden(texts[0], "golden_samples.csv");
    expect_golden(texts[1], "golden_summary.csv");
}

/* ---- the header ---- */

/* Names from DESIGN.md section 5, in its order; others may stand between them. */
static const char *const cell_columns[] = { "kernel",  "class", "model",  "engine",
                                            "workers", "lanes", "bind",   "bytes_per_worker",
                                            "depth",   "isa",   "status", "reason" };
static const char *const sample_columns[] = {
    "run_id",
    "repetition",
    "order",
    "seed",
    "iters",
    "wall_ns",
    "cpu_ns",
    "skew_ns",
    "steal_ns",
    "items",
    "bytes_read",
    "bytes_written",
    "flops",
    "checksum",
    "outcome_name",
    "outcome_value",
    "counters",
    "counter_coverage",
    "cycles",
    "instructions",
    "l1d_misses",
    "llc_misses",
    "branch_misses",
    "task_clock_ns",
    "context_switches",
    "page_faults",
};
static const char *const summary_columns[] = {
    "samples",
    "wall_ns_median",
    "wall_ns_lo",
    "wall_ns_hi",
    "ns_per_item",
    "items_per_s",
    "items_per_s_lo",
    "items_per_s_hi",
    "gb_per_s",
    "gflop_per_s",
    "flop_per_byte",
    "lat_p50_ns",
    "lat_p99_ns",
    "lat_p999_ns",
    "concurrency",
    "parallelism",
    "ipc",
    "rss_bytes_per_worker",
    "kernel_bytes_per_worker",
    "stop",
    "verdict",
    "verdict_level",
    "verdict_evidence",
};

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static size_t find_column(const struct xb_table *table, const char *name)
{
    for (size_t i = 0; i < table->columns; i++)
        if (strcmp(table->cell[i], name) == 0)
            return i;
    XB_FAIL("no column %s", name);
    return 0;
}

static void expect_order(const struct xb_table *table, const char *const *names, size_t n)
{
    size_t before = find_column(table, names[0]);
    for (size_t i = 1; i < n; i++) {
        size_t at = find_column(table, names[i]);
        if (at <= before)
            XB_FAIL("column %s stands before %s", names[i], names[i - 1]);
        before = at;
    }
}

static void expect_once(const struct xb_table *table)
{
    for (size_t i = 0; i < table->columns; i++)
        for (size_t j = 0; j < i; j++)
            if (strcmp(table->cell[i], table->cell[j]) == 0)
                XB_FAIL("column %s is there twice", table->cell[i]);
}

static void open_golden(struct xb_table *table, const char *name)
{
    XB_EXPECT_EQ(xb_table_open(table, xb_test_data(name)), 0);
}

XB_TEST(Row, HeadersNameEveryColumnOnceInTheAgreedOrder)
{
    struct xb_table samples, summary;
    open_golden(&samples, "golden_samples.csv");
    open_golden(&summary, "golden_summary.csv");
    XB_EXPECT_STREQ(samples.cell[0], "schema");
    XB_EXPECT_STREQ(summary.cell[0], "schema");
    expect_once(&samples);
    expect_once(&summary);
    expect_order(&samples, cell_columns, COUNT_OF(cell_columns));
    expect_order(&summary, cell_columns, COUNT_OF(cell_columns));
    expect_order(&samples, sample_columns, COUNT_OF(sample_columns));
    expect_order(&summary, summary_columns, COUNT_OF(summary_columns));
    xb_table_close(&samples);
    xb_table_close(&summary);
}

XB_TEST(Row, ColumnsFileIsWhatTheProgramWrites)
{
    char *text = written(write_columns, NULL);
    char *stored = read_file(XB_SOURCE_DIR "/results/COLUMNS.csv");
    if (!stored || strcmp(text, stored) != 0)
        XB_FAIL("results/COLUMNS.csv has drifted: xbound list --columns > results/COLUMNS.csv");
    free(text);
    free(stored);
}

XB_TEST(Row, ColumnsFileDescribesEveryColumnOfBothFiles)
{
    struct xb_table columns, file[2];
    open_golden(&file[0], "golden_samples.csv");
    open_golden(&file[1], "golden_summary.csv");
    XB_EXPECT_EQ(xb_table_open(&columns, XB_SOURCE_DIR "/results/COLUMNS.csv"), 0);
    XB_EXPECT_EQ(columns.rows, file[0].columns + file[1].columns);
    for (size_t row = 0; row < columns.rows; row++) {
        size_t of_summary = row >= file[0].columns;
        size_t at = of_summary ? row - file[0].columns : row;
        XB_EXPECT_STREQ(xb_table_get(&columns, row, "file"),
                        of_summary ? "summary.csv" : "samples.csv");
        XB_EXPECT_STREQ(xb_table_get(&columns, row, "column"), file[of_summary].cell[at]);
        XB_EXPECT(xb_table_get(&columns, row, "meaning")[0]);
    }
    xb_table_close(&columns);
    xb_table_close(&file[0]);
    xb_table_close(&file[1]);
}
