/* SPDX-License-Identifier: BSD-3-Clause
 * Reads provenance.csv. */
#include "facts.h"

#include "../base/csv.h"
#include "row.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Offsets until all is read, since the text moves while it grows. */
struct growing {
    struct {
        size_t key, value;
    } * pair;
    size_t n, room;
    char *text;
    size_t used, bytes;
};

static bool add_text(struct growing *growing, const char *text, size_t *offset)
{
    size_t length = strlen(text) + 1;
    if (growing->used + length > growing->bytes) {
        size_t bytes = 2 * growing->bytes + length;
        char *bigger = realloc(growing->text, bytes);
        if (!bigger)
            return false;
        growing->text = bigger;
        growing->bytes = bytes;
    }
    *offset = growing->used;
    memcpy(growing->text + growing->used, text, length);
    growing->used += length;
    return true;
}

static bool add_pair(struct growing *growing, const char *key, const char *value)
{
    if (growing->n == growing->room) {
        size_t room = growing->room ? 2 * growing->room : 64;
        void *bigger = realloc(growing->pair, room * sizeof *growing->pair);
        if (!bigger)
            return false;
        growing->pair = bigger;
        growing->room = room;
    }
    size_t at = growing->n;
    if (!add_text(growing, key, &growing->pair[at].key) ||
        !add_text(growing, value, &growing->pair[at].value))
        return false;
    growing->n++;
    return true;
}

static bool is_known(const struct growing *growing, const char *key)
{
    for (size_t i = 0; i < growing->n; i++)
        if (strcmp(growing->text + growing->pair[i].key, key) == 0)
            return true;
    return false;
}

/* Real ones have a hundred; looking for doubles takes the square of their number. */
enum { MOST = 4096 };

static int read_all(struct xb_csv *csv, struct growing *growing, struct xb_reason *why)
{
    int one;
    if (csv->columns != 2 || strcmp(csv->name[0], "key") != 0 || strcmp(csv->name[1], "value") != 0)
        return xb_because(why, -EBADMSG, "%s:1: not 'key,value'; this is no provenance.csv",
                          csv->path);
    while ((one = xb_csv_next(csv, why)) == 1) {
        if (!csv->field[0][0])
            return xb_csv_fault(csv, 0, why, "empty");
        if (is_known(growing, csv->field[0]))
            return xb_csv_fault(csv, 0, why, "'%.40s' is there twice", csv->field[0]);
        if (growing->n == MOST)
            return xb_csv_fault(csv, 0, why, "more than %d; this is no provenance.csv", MOST);
        if (strcmp(csv->field[0], "schema") == 0 && strcmp(csv->field[1], "1") != 0)
            return xb_csv_fault(csv, 1, why, "layout '%.20s', but this xbound knows only %d",
                                csv->field[1], XB_ROW_SCHEMA);
        if (!add_pair(growing, csv->field[0], csv->field[1]))
            return xb_because(why, -ENOMEM, "%s: out of memory", csv->path);
    }
    if (one == 0 && !is_known(growing, "schema"))
        return xb_because(why, -EBADMSG, "%s: no schema; this is no provenance.csv of xbound's",
                          csv->path);
    return one;
}

static int finish(struct xb_facts *facts, struct growing *growing, struct xb_reason *why)
{
    facts->fact = calloc(growing->n, sizeof *facts->fact);
    if (!facts->fact)
        return xb_because(why, -ENOMEM, "out of memory for the provenance of a run");
    facts->text = growing->text;
    facts->n = growing->n;
    growing->text = NULL;
    for (size_t i = 0; i < facts->n; i++)
        facts->fact[i] = (struct xb_fact){ facts->text + growing->pair[i].key,
                                           facts->text + growing->pair[i].value };
    return 0;
}

static int take(struct xb_facts *facts, struct xb_csv *csv, int err, struct xb_reason *why)
{
    struct growing growing = { 0 };
    *facts = (struct xb_facts){ 0 };
    if (!err)
        err = read_all(csv, &growing, why);
    if (!err)
        err = finish(facts, &growing, why);
    free(growing.pair);
    free(growing.text);
    xb_csv_close(csv);
    return err;
}

int xb_facts_open(struct xb_facts *facts, const char *path, struct xb_reason *why)
{
    struct xb_csv csv = { 0 };
    return take(facts, &csv, xb_csv_open(&csv, path, why), why);
}

int xb_facts_attach(struct xb_facts *facts, FILE *in, const char *path, struct xb_reason *why)
{
    struct xb_csv csv = { 0 };
    return take(facts, &csv, xb_csv_attach(&csv, in, path, why), why);
}

void xb_facts_close(struct xb_facts *facts)
{
    free(facts->fact);
    free(facts->text);
    *facts = (struct xb_facts){ 0 };
}

const char *xb_facts_get(const struct xb_facts *facts, const char *key)
{
    for (size_t i = 0; i < facts->n; i++)
        if (strcmp(facts->fact[i].key, key) == 0)
            return facts->fact[i].value;
    return "";
}
