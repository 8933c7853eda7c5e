/* SPDX-License-Identifier: BSD-3-Clause
 * Feeds the readers of a run's files anything. What they take, they must take again once it is
 * written anew; what they refuse, they must give a reason for, in one line.
 *
 * The first byte says which file the rest is: '0' summary.csv, '1' samples.csv, else provenance.csv. */
#include "harness/core/rows.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void check(int ok)
{
    if (!ok)
        abort();
}

static void check_reason(int err, const struct xb_reason *why)
{
    check(err >= 0 || (why->text[0] && !strchr(why->text, '\n')));
}

/* Whether a name fits its buffer and has all of its parts. */
static void check_name(const struct xb_cell_key *key)
{
    char name[XB_CELL_NAME_BYTES];
    size_t length = xb_cell_name(key, name);
    check(length < sizeof name && length == strlen(name) && strstr(name, "/workers:") != NULL);
}

/* Writes a row and reads it back. */
static void go_round(const struct xb_summary_row *row)
{
    char *text = NULL;
    size_t bytes = 0;
    struct xb_reason why = { 0 };
    struct xb_rows rows;
    struct xb_summary_row again;
    FILE *out = open_memstream(&text, &bytes);
    xb_summary_header(out);
    xb_summary_write(out, row);
    fclose(out);
    check(xb_rows_attach(&rows, fmemopen(text, bytes, "r"), "again.csv", XB_ROWS_SUMMARY, &why) ==
          0);
    /* Rounded to nine digits, rates that barely belonged together may barely not. */
    if (xb_rows_summary(&rows, &again, &why) != 1) {
        check(strstr(why.text, "not of one measurement") != NULL);
    } else {
        check(strcmp(again.kernel, row->kernel) == 0 && strcmp(again.reason, row->reason) == 0);
        check(again.workers == row->workers && again.checksum == row->checksum);
    }
    xb_rows_close(&rows);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct xb_reason why = { 0 };
    if (bytes < 2)
        return 0;
    FILE *in = fmemopen((void *)(uintptr_t)(data + 1), bytes - 1, "r");
    if (data[0] != '0' && data[0] != '1') {
        struct xb_facts facts;
        int err = xb_facts_attach(&facts, in, "provenance.csv", &why);
        check_reason(err, &why);
        check(err != 0 || strcmp(xb_facts_get(&facts, "schema"), "1") == 0);
        xb_facts_close(&facts);
        return 0;
    }
    struct xb_rows rows;
    struct xb_summary_row summary;
    struct xb_sample_row sample;
    int samples = data[0] == '1';
    int one =
        xb_rows_attach(&rows, in, "rows.csv", samples ? XB_ROWS_SAMPLES : XB_ROWS_SUMMARY, &why);
    if (one == 0)
        one = 1;
    while (one == 1) {
        one =
            samples ? xb_rows_sample(&rows, &sample, &why) : xb_rows_summary(&rows, &summary, &why);
        if (one != 1)
            break;
        struct xb_cell_key key = samples ? XB_CELL_KEY_OF(&sample) : XB_CELL_KEY_OF(&summary);
        check_name(&key);
        if (!samples)
            go_round(&summary);
    }
    check_reason(one, &why);
    xb_rows_close(&rows);
    return 0;
}
