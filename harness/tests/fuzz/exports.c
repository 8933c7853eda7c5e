/* SPDX-License-Identifier: BSD-3-Clause
 * Exports any run in every format. JSON has to be JSON, OpenMetrics has to end, and XML has to have no
 * bare markup; what cannot be exported has to have a reason.
 *
 * The input is the three files of a run, each behind a line with its number of bytes. The first is taken
 * for the verdicts of an ab as well. */
#include "harness/core/json.h"
#include "harness/core/registry.h"
#include "harness/exports/export.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void check(int ok)
{
    if (!ok)
        abort();
}

/* The folder that all inputs of this process are written to. */
static const char *folder(void)
{
    static char path[64];
    if (!path[0]) {
        snprintf(path, sizeof path, "/dev/shm/xbound-fuzz-XXXXXX");
        check(mkdtemp(path) != NULL);
    }
    return path;
}

static void write_file(const char *name, const uint8_t *data, size_t bytes)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder(), name);
    FILE *out = fopen(path, "we");
    check(out && fwrite(data, 1, bytes, out) == bytes && fclose(out) == 0);
}

static void remove_files(void)
{
    static const char *const names[] = { "summary.csv", "samples.csv", "provenance.csv",
                                         "verdicts.csv", "" };
    char path[128];
    for (size_t i = 0; i < 5; i++) {
        snprintf(path, sizeof path, "%s/%s", folder(), names[i]);
        remove(path);
    }
}

/* Cuts "N\n" and N bytes off the input; what is left when it is shorter. */
static size_t cut(const uint8_t **data, size_t *bytes, const uint8_t **part)
{
    size_t n = 0;
    while (*bytes && **data >= '0' && **data <= '9' && n < 1 << 20) {
        n = n * 10 + (size_t)(**data - '0');
        ++*data, --*bytes;
    }
    if (*bytes)
        ++*data, --*bytes;
    n = n < *bytes ? n : *bytes;
    *part = *data;
    *data += n;
    *bytes -= n;
    return n;
}

static void check_text(const char *name, const char *text, size_t bytes)
{
    if (strcmp(name, "bmf") == 0 || strncmp(name, "gbench", 6) == 0)
        check(xb_json_valid(text, bytes));
    if (strcmp(name, "openmetrics") == 0)
        check(bytes > 6 && strcmp(text + bytes - 6, "# EOF\n") == 0);
    if (strcmp(name, "junit") == 0)
        for (const char *at = text; (at = strchr(at, '<')); at++)
            check(at[1] == '?' || at[1] == '/' || strncmp(at, "<test", 5) == 0 ||
                  strncmp(at, "<fail", 5) == 0 || strncmp(at, "<skip", 5) == 0 ||
                  strncmp(at, "<system", 7) == 0);
}

static void try(const struct xb_export *export, const struct xb_facts *facts,
                int (*write)(FILE *out, const char *folder, const struct xb_facts *facts,
                             struct xb_reason *why))
{
    char *text = NULL;
    size_t bytes = 0;
    struct xb_reason why = { 0 };
    FILE *out = open_memstream(&text, &bytes);
    int err = write(out, folder(), facts, &why);
    fclose(out);
    if (err)
        check(err < 0 && why.text[0]);
    else
        check_text(export->name, text, bytes);
    free(text);
}

static void export_all(const struct xb_facts *facts)
{
    for (size_t i = 0; i < xb_builtin.n_exports; i++) {
        const struct xb_export *export = xb_builtin.exports[i];
        try(export, facts, export->write);
        if (export->write_verdicts)
            try(export, facts, export->write_verdicts);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static const char *const names[] = { "summary.csv", "samples.csv", "provenance.csv" };
    static int armed;
    char path[128];
    struct xb_facts facts;
    struct xb_reason why = { 0 };
    if (!armed++)
        atexit(remove_files);
    for (size_t i = 0; i < 3; i++) {
        const uint8_t *part;
        size_t n = cut(&data, &bytes, &part);
        write_file(names[i], part, n);
        if (i == 0)
            write_file("verdicts.csv", part, n);
    }
    snprintf(path, sizeof path, "%s/provenance.csv", folder());
    if (xb_facts_open(&facts, path, &why) == 0)
        export_all(&facts);
    xb_facts_close(&facts);
    return 0;
}
