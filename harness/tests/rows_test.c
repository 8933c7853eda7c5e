/* SPDX-License-Identifier: BSD-3-Clause
 * Tests the readers of samples.csv, summary.csv and provenance.csv, above all on what is no such file:
 * one line that names the file, the line and the column. */
#include "xbtest.h"

#include "../base/parse.h"
#include "../core/rows.h"

#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* ---- CSV ---- */

/* Reads all of a text and returns how it ended: 0 or -errno. */
static int read_text(const char *text, size_t bytes, size_t *records, struct xb_reason *why)
{
    struct xb_csv csv;
    *records = 0;
    int one = xb_csv_attach(&csv, fmemopen((void *)(uintptr_t)text, bytes, "r"), "f.csv", why);
    if (one == 0)
        while ((one = xb_csv_next(&csv, why)) == 1)
            ++*records;
    xb_csv_close(&csv);
    return one;
}

static void expect_fault_of(const char *text, size_t bytes, const char *message)
{
    struct xb_reason why = { 0 };
    size_t records;
    XB_EXPECT_EQ(read_text(text, bytes, &records, &why), -EBADMSG);
    XB_EXPECT_STREQ(why.text, message);
}

#define EXPECT_FAULT(text, message) expect_fault_of(text, sizeof(text) - 1, message)

XB_TEST(Csv, FieldsAreCutAsRfc4180SaysAndLinesCounted)
{
    static const char text[] = "\357\273\277a,b\r\n"
                               "1,\"x \"\"y\"\",\n,z\"\r\n"
                               ",\xC3\xA4\n";
    struct xb_csv csv;
    struct xb_reason why = { 0 };
    XB_EXPECT_EQ(
        xb_csv_attach(&csv, fmemopen((void *)(uintptr_t)text, sizeof text - 1, "r"), "f", &why), 0);
    XB_EXPECT_EQ(csv.columns, 2);
    XB_EXPECT_STREQ(csv.name[0], "a");
    XB_EXPECT_EQ(xb_csv_find(&csv, "b"), 1);
    XB_EXPECT_EQ(xb_csv_find(&csv, "c"), -1);
    XB_EXPECT_EQ(xb_csv_next(&csv, &why), 1);
    XB_EXPECT_EQ(csv.line, 2);
    XB_EXPECT_STREQ(csv.field[1], "x \"y\",\n,z");
    XB_EXPECT_EQ(xb_csv_next(&csv, &why), 1);
    XB_EXPECT_EQ(csv.line, 4);
    XB_EXPECT_STREQ(csv.field[0], "");
    XB_EXPECT_STREQ(csv.field[1], "\xC3\xA4");
    XB_EXPECT_EQ(xb_csv_next(&csv, &why), 0);
    xb_csv_close(&csv);
}

XB_TEST(Csv, WhatIsNoCsvIsNamedByLine)
{
    EXPECT_FAULT("a,b\n1,2\n1",
                 "f.csv:3: the last line is not whole: the file is cut off, or a quote "
                 "is open");
    EXPECT_FAULT("a,b\n1,2",
                 "f.csv:2: the last line is not whole: the file is cut off, or a quote is "
                 "open");
    EXPECT_FAULT("a,b\n\"1,2\n1,2\n",
                 "f.csv:2: the last line is not whole: the file is cut off, or a "
                 "quote is open");
    EXPECT_FAULT("a,b\n1,2\n1,2,3\n", "f.csv:3: 3 fields, but the header has 2");
    EXPECT_FAULT("a,b\n1,2\n\n", "f.csv:3: 1 fields, but the header has 2");
    EXPECT_FAULT("a,b\n1\"\",2\n", "f.csv:2: a quote within a field, or text behind a quoted one");
    EXPECT_FAULT("a,b\n\"1\"2,2\n", "f.csv:2: text behind a quoted field");
    EXPECT_FAULT("a,b\n1,\0\n", "f.csv:2: a control character");
    EXPECT_FAULT("a,b\n1,\"\0\"\n", "f.csv:2: a control character");
    EXPECT_FAULT("a,b\n1,\033[31m\n", "f.csv:2: a control character");
    EXPECT_FAULT("a,b\n1\r,2\n", "f.csv:2: a carriage return within a line");
    EXPECT_FAULT("\177ELF\2\1\1\n", "f.csv:1: a control character");
}

XB_TEST(Csv, HeadersWithoutSenseAreRefused)
{
    EXPECT_FAULT("a,a\n1,2\n", "f.csv:1: column a: there twice");
    EXPECT_FAULT("\"a\nb\",\"a\nb\"\n1,2\n", "f.csv:1: column a?b: there twice");
    EXPECT_FAULT("a,,c\n1,2,3\n", "f.csv:1: column 2 has no name");
    EXPECT_FAULT("\n", "f.csv:1: column 1 has no name");
}

XB_TEST(Csv, EmptyFileSaysSo)
{
    struct xb_reason why = { 0 };
    struct xb_csv csv;
    XB_EXPECT_EQ(xb_csv_attach(&csv, fopen("/dev/null", "re"), "f.csv", &why), -EBADMSG);
    XB_EXPECT_STREQ(why.text, "f.csv: the file is empty");
    xb_csv_close(&csv);
}

XB_TEST(Csv, TextThatIsNotUtf8IsNamedByColumn)
{
    EXPECT_FAULT("a,b\n1,\xFF\n", "f.csv:2: column b: byte 0xff is not UTF-8");
    EXPECT_FAULT("a,b\n\xC0\x80,2\n", "f.csv:2: column a: byte 0xc0 is not UTF-8"); /* overlong */
    EXPECT_FAULT("a,b\n\xED\xA0\x80,2\n",
                 "f.csv:2: column a: byte 0xed is not UTF-8"); /* surrogate */
    EXPECT_FAULT("a,b\n\xF4\x90\x80\x80,2\n", "f.csv:2: column a: byte 0xf4 is not UTF-8");
    EXPECT_FAULT("a,b\n\xE2\x82,2\n", "f.csv:2: column a: byte 0xe2 is not UTF-8"); /* cut */
}

XB_TEST(Csv, RecordsMayBeLongerThanTheBufferButNotEndless)
{
    enum { LONG = 700000, TOO_LONG = 3 << 20 };
    char *text = malloc(TOO_LONG + 16);
    struct xb_reason why = { 0 };
    size_t records;
    memcpy(text, "a,b\n1,", 6);
    memset(text + 6, 'x', TOO_LONG);
    text[6 + LONG] = '\n';
    XB_EXPECT_EQ(read_text(text, 6 + LONG + 1, &records, &why), 0);
    XB_EXPECT_EQ(records, 1);
    text[6 + LONG] = 'x';
    expect_fault_of(text, TOO_LONG,
                    "f.csv:2: a line of more than 1 MiB; this is no file of xbound's");
    free(text);
}

XB_TEST(Csv, RecordsAcrossTheEdgesOfTheBufferAreWhole)
{
    char *text = NULL;
    size_t bytes = 0, at = 0;
    FILE *out = open_memstream(&text, &bytes);
    fputs("n,text\n", out);
    for (int i = 0; i < 30000; i++)
        fprintf(out, "%d,\"%d\"\"\n\"\n", i, i);
    fclose(out);
    struct xb_csv csv;
    struct xb_reason why = { 0 };
    XB_EXPECT_EQ(xb_csv_attach(&csv, fmemopen(text, bytes, "r"), "f", &why), 0);
    while (xb_csv_next(&csv, &why) == 1) {
        char should[32];
        snprintf(should, sizeof should, "%zu\"\n", at);
        if ((size_t)atoi(csv.field[0]) != at || strcmp(csv.field[1], should) != 0)
            XB_FAIL("record %zu is %s,%s", at, csv.field[0], csv.field[1]);
        XB_EXPECT_EQ(csv.line, 2 + 2 * at);
        at++;
    }
    XB_EXPECT_EQ(at, 30000);
    XB_EXPECT_STREQ(why.text, "");
    xb_csv_close(&csv);
    free(text);
}

XB_TEST(Csv, OnlyRegularFilesAreOpened)
{
    char path[4096];
    struct xb_csv csv;
    struct xb_reason why = { 0 };
    snprintf(path, sizeof path, "%s/fifo", xb_test_folder());
    XB_EXPECT_EQ(mkfifo(path, 0600), 0);
    XB_EXPECT_EQ(xb_csv_open(&csv, path, &why), -EINVAL);
    XB_EXPECT_HAS(why.text, "fifo: not a regular file");
    xb_csv_close(&csv);
    XB_EXPECT_EQ(xb_csv_open(&csv, xb_test_folder(), &why), -EINVAL);
    xb_csv_close(&csv);
    XB_EXPECT_EQ(xb_csv_open(&csv, "not/there.csv", &why), -ENOENT);
    XB_EXPECT_STREQ(why.text, "not/there.csv: No such file or directory");
    xb_csv_close(&csv);
}

/* ---- numbers ---- */

XB_TEST(Parse, RealsAreReadAsStrtodReadsThem)
{
    static const char *const texts[] = { "0",
                                         "1",
                                         "0.1",
                                         "1e22",
                                         "1e23",
                                         "123456789",
                                         "-2.5",
                                         ".5",
                                         "5.",
                                         "1E-7",
                                         "1e-400",
                                         "4.9e-324",
                                         "1.7e308",
                                         "0.000123456789",
                                         "1234567890123456789012345",
                                         "9007199254740993",
                                         "8.98846567e307",
                                         "1e-22",
                                         "3e-23" };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        double is = NAN, should = strtod(texts[i], NULL);
        XB_EXPECT_EQ(xb_parse_real(texts[i], &is), 0);
        if (memcmp(&is, &should, sizeof is) != 0)
            XB_FAIL("'%s' is read as %.17g, should be %.17g", texts[i], is, should);
    }
}

XB_TEST(Parse, WhatIsNoDecimalNumberIsRefused)
{
    static const char *const texts[] = { "",    " 1", "1 ",  "nan",  "inf",  "0x10",  "1e",
                                         "1e+", ".",  "-",   "+1",   "1,5",  "1.2.3", "--1",
                                         "e5",  "-.", "NaN", "-inf", "1e5x", "1d5" };
    double value;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (xb_parse_real(texts[i], &value) != -EINVAL)
            XB_FAIL("'%s' is read as %g", texts[i], value);
    XB_EXPECT_EQ(xb_parse_real("1e309", &value), -ERANGE);
    XB_EXPECT_EQ(xb_parse_real("1e999999999999", &value), -ERANGE);
}

/* ---- rows ---- */

/* One summary row as the program writes it; `column`, if not NULL, replaced by `value`. */
static char *summary_text(const char *column, const char *value)
{
    struct xb_summary_row row;
    xb_summary_row_clear(&row);
    row.run_id = "r";
    row.kernel = "cpu/mix64";
    row.class = "cpu";
    row.model = "threads";
    row.engine = "blocking";
    row.workers = row.lanes = 2;
    row.bind = "scatter";
    row.bytes_per_worker = 64;
    row.depth = 1;
    row.isa = "base";
    row.status = "ok";
    row.item = "word";
    row.seed = 1;
    row.iters = 1000;
    row.checksum = 0xDEADBEEF;
    row.samples = 9;
    row.ns_per_item = 2.5;
    row.ns_per_item_lo = 2.25;
    row.ns_per_item_hi = 2.75;
    row.cpu_ns_per_item = 2.4;
    row.items_per_s = 8e8;
    row.items_per_s_lo = 2e9 / 2.75;
    row.items_per_s_hi = 2e9 / 2.25;
    char *text = NULL, *changed = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&text, &bytes);
    xb_summary_header(out);
    xb_summary_write(out, &row);
    fclose(out);
    if (!column)
        return text;
    out = open_memstream(&changed, &bytes);
    struct xb_csv csv;
    struct xb_reason why;
    xb_csv_attach(&csv, fmemopen(text, strlen(text), "r"), "f", &why);
    xb_summary_header(out);
    XB_EXPECT_EQ(xb_csv_next(&csv, &why), 1);
    XB_EXPECT(xb_csv_find(&csv, column) >= 0);
    for (size_t i = 0; i < csv.columns; i++)
        fprintf(out, "%s%s", i ? "," : "", strcmp(csv.name[i], column) ? csv.field[i] : value);
    fputs("\n", out);
    fclose(out);
    xb_csv_close(&csv);
    free(text);
    return changed;
}

static int read_summary(char *text, struct xb_reason *why)
{
    struct xb_rows rows;
    struct xb_summary_row row;
    int one = xb_rows_attach(&rows, fmemopen(text, strlen(text), "r"), "summary.csv",
                             XB_ROWS_SUMMARY, why);
    if (one == 0)
        while ((one = xb_rows_summary(&rows, &row, why)) == 1)
            ;
    xb_rows_close(&rows);
    return one;
}

static void expect_summary_fault(const char *column, const char *value, const char *message)
{
    struct xb_reason why = { 0 };
    char *text = summary_text(column, value);
    XB_EXPECT_EQ(read_summary(text, &why), -EBADMSG);
    XB_EXPECT_STREQ(why.text, message);
    free(text);
}

XB_TEST(Rows, SummaryIsReadBackAsItWasWritten)
{
    struct xb_reason why = { 0 };
    struct xb_rows rows;
    struct xb_summary_row row;
    char *text = summary_text(NULL, NULL);
    setlocale(LC_ALL, "de_DE.UTF-8"); /* where there is one: a decimal comma must not matter */
    XB_EXPECT_EQ(
        xb_rows_attach(&rows, fmemopen(text, strlen(text), "r"), "f", XB_ROWS_SUMMARY, &why), 0);
    XB_EXPECT_EQ(xb_rows_summary(&rows, &row, &why), 1);
    setlocale(LC_ALL, "C");
    XB_EXPECT_STREQ(why.text, "");
    XB_EXPECT_STREQ(row.kernel, "cpu/mix64");
    XB_EXPECT_STREQ(row.reason, "");
    XB_EXPECT_EQ(row.workers, 2);
    XB_EXPECT_EQ(row.checksum, 0xDEADBEEF);
    XB_EXPECT_NEAR(row.ns_per_item_lo, 2.25, 0);
    XB_EXPECT(isnan(row.ipc));
    XB_EXPECT(row.lat_samples == XB_ABSENT);
    char name[XB_CELL_NAME_BYTES];
    struct xb_cell_key key = XB_CELL_KEY_OF(&row);
    XB_EXPECT_EQ(xb_cell_name(&key, name), strlen(name));
    XB_EXPECT_STREQ(name,
                    "cpu/mix64/threads/blocking/isa:base/bytes:64/depth:1/bind:scatter/lanes:2/"
                    "workers:2");
    XB_EXPECT_EQ(xb_rows_summary(&rows, &row, &why), 0);
    xb_rows_close(&rows);
    free(text);
}

XB_TEST(Rows, GoldenFilesOfTheWriterAreReadBack)
{
    struct xb_reason why = { 0 };
    struct xb_rows rows;
    struct xb_sample_row sample;
    char path[4096];
    snprintf(path, sizeof path, "%s", xb_test_data("golden_samples.csv"));
    XB_EXPECT_EQ(xb_rows_open(&rows, path, XB_ROWS_SAMPLES, &why), 0);
    XB_EXPECT_EQ(xb_rows_sample(&rows, &sample, &why), 1);
    XB_EXPECT_EQ(sample.seed, UINT64_MAX - 1);
    XB_EXPECT_EQ(sample.wall_ns, 10000001);
    XB_EXPECT(sample.reading.present != 0);
    XB_EXPECT_STREQ(why.text, "");
    xb_rows_close(&rows);
}

XB_TEST(Rows, ColumnsInAnotherOrderAreFoundByName)
{
    char *text = summary_text(NULL, NULL), *turned = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&turned, &bytes);
    struct xb_csv csv;
    struct xb_reason why = { 0 };
    xb_csv_attach(&csv, fmemopen(text, strlen(text), "r"), "f", &why);
    for (size_t i = csv.columns; i-- > 0;)
        fprintf(out, "%s%s", csv.name[i], i ? "," : "\n");
    XB_EXPECT_EQ(xb_csv_next(&csv, &why), 1);
    for (size_t i = csv.columns; i-- > 0;)
        fprintf(out, "%s%s", csv.field[i], i ? "," : "\n");
    fclose(out);
    xb_csv_close(&csv);
    struct xb_rows rows;
    struct xb_summary_row row;
    XB_EXPECT_EQ(xb_rows_attach(&rows, fmemopen(turned, bytes, "r"), "f", XB_ROWS_SUMMARY, &why),
                 0);
    XB_EXPECT_EQ(xb_rows_summary(&rows, &row, &why), 1);
    XB_EXPECT_STREQ(row.kernel, "cpu/mix64");
    XB_EXPECT_NEAR(row.items_per_s, 8e8, 0);
    xb_rows_close(&rows);
    free(text);
    free(turned);
}

XB_TEST(Rows, NumbersThatAreNoneAreNamedByColumn)
{
    expect_summary_fault("ns_per_item", "nan",
                         "summary.csv:2: column ns_per_item: 'nan' is no number");
    expect_summary_fault("ns_per_item", "-2.5",
                         "summary.csv:2: column ns_per_item: '-2.5' is negative");
    expect_summary_fault("ns_per_item", "1e999",
                         "summary.csv:2: column ns_per_item: '1e999' is too large");
    expect_summary_fault("workers", "-2", "summary.csv:2: column workers: '-2' is no whole number");
    expect_summary_fault("workers", "2.0",
                         "summary.csv:2: column workers: '2.0' is no whole number");
    expect_summary_fault("workers", "0", "summary.csv:2: column workers: want 1 or more");
    expect_summary_fault("workers", "", "summary.csv:2: column workers: want 1 or more");
    expect_summary_fault("iters", "99999999999999999999",
                         "summary.csv:2: column iters: '99999999999999999999' is too large");
    expect_summary_fault("checksum", "deadbeef",
                         "summary.csv:2: column checksum: 'deadbeef' is not 16 hexadecimal digits");
}

XB_TEST(Rows, WhatWasEditedByHandContradictsItself)
{
    expect_summary_fault(
        "ns_per_item", "2.6",
        "summary.csv:2: column ns_per_item: 2.6 ns and 800000000 items/s are not of "
        "one measurement: edited by hand?");
    expect_summary_fault(
        "ns_per_item", "3",
        "summary.csv:2: column ns_per_item: 3 lies outside its own interval, 2.25 to "
        "2.75");
    expect_summary_fault(
        "ns_per_item_lo", "",
        "summary.csv:2: column ns_per_item: a median and interval that are only there "
        "in part");
    expect_summary_fault("status", "skipped",
                         "summary.csv:2: column ns_per_item: a figure, but the cell is skipped");
    expect_summary_fault(
        "status", "fine",
        "summary.csv:2: column status: 'fine' is none of ok skipped failed suspect");
    expect_summary_fault("class", "memory",
                         "summary.csv:2: column class: 'memory', but the kernel is cpu/mix64");
    expect_summary_fault("model", "", "summary.csv:2: column model: empty");
}

XB_TEST(Rows, OtherLayoutsAreRefused)
{
    expect_summary_fault(
        "schema", "2",
        "summary.csv:2: column schema: layout 2, but this xbound knows only 1; use "
        "the one of its time");
    expect_summary_fault("schema", "",
                         "summary.csv:2: column schema: empty; this is no file of xbound's");
    struct xb_reason why = { 0 };
    XB_EXPECT_EQ(read_summary((char[]){ "name,real_time\na,1\n" }, &why), -EBADMSG);
    XB_EXPECT_STREQ(why.text,
                    "summary.csv:1: no column schema; this is no summary.csv of this xbound's");
}

/* ---- provenance ---- */

static int read_facts(const char *text, struct xb_facts *facts, struct xb_reason *why)
{
    return xb_facts_attach(facts, fmemopen((void *)(uintptr_t)text, strlen(text), "r"), "p.csv",
                           why);
}

XB_TEST(Rows, ProvenanceIsReadByKey)
{
    struct xb_facts facts;
    struct xb_reason why = { 0 };
    XB_EXPECT_EQ(read_facts("key,value\nschema,1\nlibraries,\"a, b\"\ngovernor,\n", &facts, &why),
                 0);
    XB_EXPECT_STREQ(xb_facts_get(&facts, "libraries"), "a, b");
    XB_EXPECT_STREQ(xb_facts_get(&facts, "governor"), "");
    XB_EXPECT_STREQ(xb_facts_get(&facts, "nobody"), "");
    XB_EXPECT_EQ(facts.n, 3);
    xb_facts_close(&facts);
}

XB_TEST(Rows, ProvenanceThatIsNoneIsNamedByLine)
{
    static const struct {
        const char *text, *message;
    } cases[] = {
        { "key,value\nschema,1\na,1\na,1\n", "p.csv:4: column key: 'a' is there twice" },
        { "key,value\nschema,7\n",
          "p.csv:2: column value: layout '7', but this xbound knows only 1" },
        { "key,value\na,1\n", "p.csv: no schema; this is no provenance.csv of xbound's" },
        { "key,value,more\n", "p.csv:1: not 'key,value'; this is no provenance.csv" },
        { "key,value\nschema,1\n,1\n", "p.csv:3: column key: empty" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct xb_facts facts;
        struct xb_reason why = { 0 };
        XB_EXPECT_EQ(read_facts(cases[i].text, &facts, &why), -EBADMSG);
        XB_EXPECT_STREQ(why.text, cases[i].message);
        xb_facts_close(&facts);
    }
}
