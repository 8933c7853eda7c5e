/* SPDX-License-Identifier: BSD-3-Clause
 * Tests what xbound export writes: its bytes where they are few, and that the programs it is for take
 * it, where they are at hand. */
#include "spawn.h"
#include "xbtest.h"

#include "../core/json.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TRIAD \
    "memory/triad/threads/blocking/isa:avx2/bytes:64/depth:1/bind:scatter/lanes:2/workers:2"
#define ECHO   "io/socket_echo/loop/epoll/isa:base/depth:1/bind:scatter/lanes:1/workers:2"
#define REASON "lanes had a CPU for 20 % of the time only"

/* Exports a stored folder; the caller frees. */
static struct xb_ended *export_of(const char *format, const char *of)
{
    char args[64], folder[4096];
    snprintf(folder, sizeof folder, "%s", xb_test_data("export"));
    snprintf(args, sizeof args, "export %s %s", format, of);
    struct xb_ended *ended = xb_spawn(&(struct xb_spawn){ .args = args, .folder = folder });
    if (ended->code || ended->err[0])
        XB_FAIL("'%s' ends with %d and\n%s", args, ended->code, ended->err);
    return ended;
}

static struct xb_ended *export(const char *format)
{
    return export_of(format, "run");
}

/* Puts an export into a file of the test's folder; static storage, two at a time. */
static const char *export_to_file(const char *format, const char *of)
{
    static char paths[2][4200];
    static int next;
    char *path = paths[next++ % 2];
    struct xb_ended *ended = export_of(format, of);
    snprintf(path, sizeof paths[0], "%s/%d.%s", xb_test_folder(), next, format);
    FILE *out = fopen(path, "we");
    if (!out || fputs(ended->out, out) == EOF || fclose(out))
        XB_FAIL("%s: %s", path, strerror(errno));
    free(ended);
    return path;
}

static size_t times(const char *text, const char *part)
{
    size_t n = 0;
    for (; (text = strstr(text, part)); text += strlen(part))
        n++;
    return n;
}

/* Runs a shell command and returns its exit code; what it says is in `said`. */
static int shell(const char *command, char *said, size_t bytes)
{
    FILE *pipe = popen(command, "re");
    size_t n = pipe ? fread(said, 1, bytes - 1, pipe) : 0;
    said[n] = '\0';
    int status = pipe ? pclose(pipe) : -1;
    return status < 0 ? -1 : status >> 8;
}

/* Whether a consumer is here; otherwise the test is skipped. */
static bool at_hand(const char *check, const char *name)
{
    char said[256];
    if (shell(check, said, sizeof said) == 0)
        return true;
    XB_SKIP("no %s here", name);
    return false;
}

/* The command takes the file and says all of these parts, up to three. */
static void expect_taken(const char *command, const char *const parts[3])
{
    char said[1 << 15];
    int code = shell(command, said, sizeof said);
    for (int i = 0; i < 3 && parts[i]; i++)
        if (code || !strstr(said, parts[i]))
            XB_FAIL("'%s' ends with %d and\n%swanted is\n%s", command, code, said, parts[i]);
}

#define EXPECT_TAKEN(command, ...) expect_taken(command, (const char *const[3]){ __VA_ARGS__ })

/* ---- bytes ---- */

XB_TEST(Export, BmfIsWhatBencherWants)
{
    struct xb_ended *ended = export("bmf");
    XB_EXPECT_STREQ(ended->out, "{\n"
                                " \"" TRIAD "\": {\n"
                                "  \"latency\": {\n"
                                "   \"value\": 2.5,\n"
                                "   \"lower_value\": 2.4,\n"
                                "   \"upper_value\": 2.6\n"
                                "  },\n"
                                "  \"throughput\": {\n"
                                "   \"value\": 800000000.0,\n"
                                "   \"lower_value\": 769230769.0,\n"
                                "   \"upper_value\": 833333333.0\n"
                                "  },\n"
                                "  \"cpu-time\": {\n"
                                "   \"value\": 1.25\n"
                                "  },\n"
                                "  \"gb-per-s\": {\n"
                                "   \"value\": 12.5\n"
                                "  }\n"
                                " },\n"
                                " \"" ECHO "\": {\n"
                                "  \"latency\": {\n"
                                "   \"value\": 10000.0\n"
                                "  },\n"
                                "  \"throughput\": {\n"
                                "   \"value\": 200000.0\n"
                                "  },\n"
                                "  \"cpu-time\": {\n"
                                "   \"value\": 4000.0\n"
                                "  },\n"
                                "  \"p99-latency\": {\n"
                                "   \"value\": 150000.0\n"
                                "  }\n"
                                " }\n"
                                "}\n");
    free(ended);
}

XB_TEST(Export, GbenchHasARowForEachSampleThatWasMeasured)
{
    struct xb_ended *ended = export("gbench");
    XB_EXPECT(xb_json_valid(ended->out, strlen(ended->out)));
    XB_EXPECT_EQ(times(ended->out, "\"name\": \"" TRIAD "\""), 10);
    XB_EXPECT_EQ(times(ended->out, "\"name\": \"" ECHO "\""), 2);
    XB_EXPECT_EQ(times(ended->out, "\"name\""), 12);
    XB_EXPECT_EQ(times(ended->out, "\"real_time\""), 12);
    XB_EXPECT_EQ(times(ended->out, "\"cpu_time\""), 12);
    XB_EXPECT_EQ(times(ended->out, "\"time_unit\": \"ns\""), 12);
    XB_EXPECT_EQ(times(ended->out, "\"run_type\": \"iteration\""), 12);
    XB_EXPECT_EQ(times(ended->out, "\"repetitions\": 10"), 10);
    XB_EXPECT_EQ(times(ended->out, "\"repetitions\": 2"), 2);
    XB_EXPECT_HAS(ended->out, "\"json_schema_version\": 1");
    XB_EXPECT_HAS(ended->out, "\"caches\": []");
    XB_EXPECT_HAS(ended->out, "\"cpu_scaling_enabled\": true");
    XB_EXPECT_HAS(ended->out, "\"date\": \"2026-11-26T10:00:00+00:00\"");
    XB_EXPECT_HAS(ended->out, "\"real_time\": 2.5,"); /* 1 ms x 2 workers / 800000 items */
    XB_EXPECT_HAS(ended->out, "\"wall_s\": 0.001,");
    XB_EXPECT_HAS(ended->out, "\"bytes_per_second\": 1.5e10,");
    XB_EXPECT_HAS(ended->out, "\"page_faults\": 9,");
    free(ended);
}

XB_TEST(Export, GbenchCiHasOneRowForEachCell)
{
    struct xb_ended *ended = export("gbench-ci");
    XB_EXPECT(xb_json_valid(ended->out, strlen(ended->out)));
    XB_EXPECT_EQ(times(ended->out, "\"name\": \"" TRIAD "\""), 1);
    XB_EXPECT_EQ(times(ended->out, "\"name\""), 2);
    XB_EXPECT_EQ(times(ended->out, "\"repetitions\": 1"), 2);
    XB_EXPECT_EQ(times(ended->out, "aggregate"), 0);
    XB_EXPECT_HAS(ended->out, "\"caches\": []");
    XB_EXPECT_HAS(ended->out, "\"label\": \"" REASON "\"");
    free(ended);
}

XB_TEST(Export, JunitEscapesAndCounts)
{
    struct xb_ended *ended = export("junit");
    XB_EXPECT_HAS(ended->out, "<testsuite name=\"xbound\" tests=\"4\" failures=\"1\" errors=\"0\" "
                              "skipped=\"1\" time=\"0.010400\" timestamp=\"2026-11-26T10:00:00\">");
    XB_EXPECT_HAS(ended->out,
                  "<failure message=\"killed &lt;by&gt; &quot;us&quot; &amp; | `x`&#10;at "
                  "its limit\" type=\"failed\"/>");
    XB_EXPECT_HAS(ended->out, "<skipped message=\"tmpfs knows no O_DIRECT\"/>");
    XB_EXPECT_HAS(ended->out, "<system-out>2.5 ns per item [2.4, 2.6]</system-out>");
    XB_EXPECT_HAS(ended->out, "<system-out>10000 ns per item; suspect: " REASON "</system-out>");
    free(ended);
}

XB_TEST(Export, MarkdownKeepsItsColumns)
{
    struct xb_ended *ended = export("markdown");
    XB_EXPECT_HAS(ended->out,
                  "| memory/triad | threads/blocking | avx2 | 2 on 2 | 64 | 1 | 2.5 [2.4, "
                  "2.6] | 8e+08 [7.692e+08, 8.333e+08] | ok |\n");
    XB_EXPECT_HAS(ended->out, "| failed: killed &lt;by> \"us\" &amp; \\| \\`x\\` at its limit |\n");
    XB_EXPECT_EQ(times(ended->out, "\n|"), 6);
    free(ended);
}

XB_TEST(Export, OpenMetricsEndsAndIsInBaseUnits)
{
    struct xb_ended *ended = export("openmetrics");
    size_t length = strlen(ended->out);
    XB_EXPECT_STREQ(ended->out + length - 6, "# EOF\n");
    XB_EXPECT_HAS(ended->out, "cpu_model=\"AMD \\\"EPYC\\\", <b> & \\\\\"");
    XB_EXPECT_HAS(ended->out,
                  "workers=\"2\",lanes=\"2\",depth=\"1\",bytes_per_worker=\"64\",estimate="
                  "\"low\"} 2.4e-09\n");
    XB_EXPECT_HAS(ended->out, "status=\"failed\"} 0\n");
    free(ended);
}

/* ---- verdicts of xbound ab ---- */

XB_TEST(Export, JunitFailsWhatTheGateFails)
{
    struct xb_ended *ended = export_of("junit", "ab");
    XB_EXPECT_HAS(ended->out, "<testsuite name=\"xbound ab\" tests=\"7\" failures=\"2\" "
                              "errors=\"0\" skipped=\"2\" time=\"11.500000\"");
    XB_EXPECT_HAS(ended->out,
                  "<testcase classname=\"ab.cpu\" name=\"cpu/mix64\" time=\"1.500000\"><failure "
                  "message=\"REGRESSED: +5.12 % [+4.98, +5.30], time: cpu\" type=\"failed\"/>");
    XB_EXPECT_HAS(ended->out, "<failure message=\"MISSING: NEW lacks it\" type=\"failed\"/>");
    XB_EXPECT_HAS(ended->out, "<skipped message=\"ADDED: OLD lacks it\"/>");
    XB_EXPECT_HAS(ended->out, "<skipped message=\"INCONCLUSIVE: sees 3.1 % or more: +1.00 %");
    XB_EXPECT_HAS(ended->out, "<system-out>UNCHANGED: the same machine code</system-out>");
    XB_EXPECT_HAS(ended->out, "<system-out>PROVEN &lt; 2 %: +0.10 %");
    free(ended);
}

XB_TEST(Export, MarkdownSaysFirstHowManyRegressed)
{
    struct xb_ended *ended = export_of("markdown", "ab");
    XB_EXPECT_HAS(ended->out,
                  "### xbound ab: 1 of 7 REGRESSED, 1 of 7 IMPROVED, 1 of 7 PROVEN, 1 of 7 "
                  "UNCHANGED, 1 of 7 MISSING, 1 of 7 ADDED, 1 of 7 INCONCLUSIVE\n");
    XB_EXPECT_HAS(ended->out, "OLD 1111; NEW 2222-dirty; GNU 12.2.0; AMD \"EPYC\", &lt;b> &amp; "
                              "\\|; 6.1 x86\\_64\n");
    XB_EXPECT_HAS(ended->out, "| cpu/mix64 | **REGRESSED** | +5.12 % \\[+4.98, +5.30\\] | cpu | 10 "
                              "|\n");
    XB_EXPECT_HAS(ended->out, "| cpu/gone | **MISSING: NEW lacks it** |  |  | 0 |\n");
    XB_EXPECT_EQ(times(ended->out, "\n|"), 9);
    free(ended);
}

/* A folder whose verdicts were edited with `sed`. */
static void expect_edited(const char *edit, const char *part)
{
    char folder[4200], command[30000], line[4400], said[256];
    snprintf(folder, sizeof folder, "%s/edited", xb_test_folder());
    snprintf(command, sizeof command,
             "rm -rf '%s' && cp -r '%s' '%s' && chmod -R u+w '%s' && sed -i '%s' "
             "'%s/verdicts.csv'",
             folder, xb_test_data("export/ab"), folder, folder, edit, folder);
    if (shell(command, said, sizeof said) != 0)
        XB_FAIL("%s fails", command);
    snprintf(line, sizeof line, "export junit %s", folder);
    struct xb_ended *ended = xb_spawn(&(struct xb_spawn){ .args = line });
    if (ended->code != 2 || ended->errors != 1 || ended->out[0] || !strstr(ended->err, part))
        XB_FAIL("after %s it ends with %d and\n%s%swanted is 2 and one line with\n%s", edit,
                ended->code, ended->out, ended->err, part);
    free(ended);
}

XB_TEST(Export, VerdictsThatWereEditedAreRefused)
{
    expect_edited("2s/REGRESSED/FINE/", "verdicts.csv:2: column verdict: 'FINE' is no verdict");
    expect_edited("2s/1.0512/0.9/", "verdicts.csv:2: column ratio: '0.9' is not inside");
    expect_edited("3s/IMPROVED/REGRESSED/", "verdicts.csv:3: column ratio: '0.95' contradicts");
    expect_edited("2s/1.0512/nan/", "column ratio: 'nan' is no number");
    expect_edited("2s/,10,/,0,/", "column verdict: 'REGRESSED' without a block");
    expect_edited("2s/^1/2/", "column schema: '2' is no layout");
    expect_edited("7s/MISSING//", "verdicts.csv:7: column verdict: '' is no verdict");
    expect_edited("7s/,0,/,9,/", "column verdict: 'MISSING' with blocks");
    expect_edited("1s/margin/merging/", "verdicts.csv:1: no column margin");
    expect_edited("4s/,$//; 4s/the same machine code//; 4s/,,,/,/", "verdicts.csv:4: ");
}

/* ---- those who read it ---- */

XB_TEST(Export, GoogleBenchmarksComparePyTakesIt)
{
    char command[9000];
    if (!at_hand(
            "test -e /usr/share/benchmark/compare.py && /usr/bin/python3 -c 'import scipy' 2>&1",
            "compare.py of libbenchmark-tools"))
        return;
    const char *formats[] = { "gbench", "gbench-ci" };
    for (size_t i = 0; i < 2; i++) {
        const char *one = export_to_file(formats[i], "run"),
                   *other = export_to_file(formats[i], "run");
        snprintf(
            command, sizeof command,
            "/usr/bin/python3 -B /usr/share/benchmark/compare.py --no-color benchmarks %s %s 2>&1",
            one, other);
        /* With ten samples there is a U test, which finds equal files equal. */
        EXPECT_TAKEN(command, TRIAD, "OVERALL_GEOMEAN",
                     i == 0 ? "1.0000          1.0000      U Test, Repetitions: 10 vs 10\n" : NULL);
    }
}

XB_TEST(Export, XmllintTakesTheJunit)
{
    char command[9000];
    if (!at_hand("command -v xmllint", "xmllint"))
        return;
    const char *file = export_to_file("junit", "run");
    snprintf(command, sizeof command, "xmllint --noout %s 2>&1 && echo taken", file);
    EXPECT_TAKEN(command, "taken");
    snprintf(command, sizeof command,
             "xmllint --xpath 'string(//testcase/failure/@message)' %s | tr '\\n' '/'", file);
    EXPECT_TAKEN(command, "killed <by> \"us\" & | `x`/at its limit");
    snprintf(command, sizeof command, "xmllint --noout %s 2>&1 && echo taken",
             export_to_file("junit", "ab"));
    EXPECT_TAKEN(command, "taken");
}

XB_TEST(Export, PrometheusReadsTheOpenMetrics)
{
    char command[9000];
    if (!at_hand("/usr/bin/python3 -c 'import prometheus_client' 2>&1",
                 "python3-prometheus-client"))
        return;
    snprintf(
        command, sizeof command,
        "/usr/bin/python3 -B -c 'import sys\n"
        "from prometheus_client.openmetrics.parser import text_string_to_metric_families as read\n"
        "f = {f.name: f for f in read(open(sys.argv[1]).read())}\n"
        "print(len(f), f[\"xbound_item_seconds\"].unit, "
        "[s.value for s in f[\"xbound_item_seconds\"].samples])' %s 2>&1",
        export_to_file("openmetrics", "run"));
    EXPECT_TAKEN(command, "11 seconds [2.5e-09, 2.4e-09, 2.6e-09, 1e-05]");
}

XB_TEST(Export, PromtoolTakesTheOpenMetrics)
{
    char command[9000];
    if (!at_hand("command -v promtool", "promtool (Debian: prometheus)"))
        return;
    snprintf(command, sizeof command, "promtool check metrics <%s 2>&1 && echo taken",
             export_to_file("openmetrics", "run"));
    EXPECT_TAKEN(command, "taken");
}

/* ---- what cannot be exported ---- */

static void expect_refusal(const char *args, const char *part)
{
    char folder[4096], line[8300];
    snprintf(folder, sizeof folder, "%s", xb_test_data("compare"));
    snprintf(line, sizeof line, "export %s", args);
    struct xb_ended *ended = xb_spawn(&(struct xb_spawn){ .args = line, .folder = folder });
    if (ended->code != 2 || ended->errors != 1 || ended->out[0] || !strstr(ended->err, part))
        XB_FAIL("'%s' ends with %d and\n%s%swanted is 2 and one line with\n%s", line, ended->code,
                ended->out, ended->err, part);
    free(ended);
}

XB_TEST(Export, RefusalsAreOneLineAndNoHalfFile)
{
    expect_refusal("xml two", "no format 'xml'");
    expect_refusal("bmf", "want FORMAT RUN");
    expect_refusal("bmf two more", "want FORMAT RUN");
    expect_refusal("--wrong bmf two", "unknown option '--wrong'");
    expect_refusal("bmf nowhere", "nowhere/provenance.csv: No such file or directory");
    expect_refusal("gbench two", "two/samples.csv: No such file or directory");
    expect_refusal("bmf skipped", "nothing to export");
    expect_refusal("gbench-ci skipped", "nothing to export");
    expect_refusal("bmf ../export/ab", "only junit and markdown");
    expect_refusal("junit ../export/ab_interrupted", "no verdict; xbound ab did not end");
}

XB_TEST(Json, NumbersThatItCannotHoldAreLeftOut)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&text, &bytes);
    struct xb_json *object = xb_json_object();
    xb_json_put_real(object, "nan", NAN);
    xb_json_put_real(object, "inf", INFINITY);
    xb_json_put_count(object, "absent", UINT64_MAX);
    xb_json_put_count(object, "large", UINT64_MAX - 1);
    xb_json_put_text(object, "none", NULL);
    xb_json_put_text(object, "text", "\"\\\n\t\xC3\xA4");
    struct xb_reason why = { 0 };
    XB_EXPECT_EQ(xb_json_write(out, object, &why), 0);
    fclose(out);
    XB_EXPECT_STREQ(text,
                    "{\n \"large\": 1.84467441e19,\n \"text\": \"\\\"\\\\\\n\\t\xC3\xA4\"\n}\n");
    free(text);
}
