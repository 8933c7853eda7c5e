/* SPDX-License-Identifier: BSD-3-Clause
 * Reads a folder of runs and puts each cell's figures in order. */
#include "history.h"

#include "../stats/median.h"
#include "compare.h"
#include "provenance.h"
#include "sink.h"

#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static int by_time(const void *a, const void *b)
{
    const struct xb_stored *left = a, *right = b;
    int order = strcmp(xb_facts_get(&left->facts, "started_utc"),
                       xb_facts_get(&right->facts, "started_utc"));
    return order ? order : strcmp(left->folder, right->folder);
}

static int add_run(struct xb_history *history, const char *path, struct xb_reason *why)
{
    struct xb_stored *bigger = realloc(history->run, (history->n + 1) * sizeof *bigger);
    if (!bigger)
        return xb_because(why, -ENOMEM, "out of memory");
    history->run = bigger;
    return xb_stored_open(&history->run[history->n++], path, why);
}

static int read_runs(struct xb_history *history, const char *folder, DIR *dir,
                     struct xb_reason *why)
{
    int err = 0;
    for (struct dirent *entry; !err && (entry = readdir(dir));) {
        char path[4400], file[4500];
        struct stat status;
        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "%.4096s/%s", folder, entry->d_name);
        snprintf(file, sizeof file, "%s/summary.csv", path);
        if (stat(file, &status) == 0)
            err = add_run(history, path, why);
    }
    return err;
}

/* Figures of other machines, or of a simulator, have no place in the series of the last run's. */
static void leave_out(struct xb_history *history)
{
    const struct xb_stored last = history->run[history->n - 1];
    size_t kept = 0;
    for (size_t i = 0; i < history->n; i++) {
        struct xb_stored *run = &history->run[i];
        bool same = xb_facts_kinship(&run->facts, &last.facts) != XB_KIN_STRANGERS;
        bool timed = strcmp(xb_facts_get(&run->facts, "counters_used"), XB_SIMULATOR) != 0;
        if (same && timed) {
            struct xb_stored keep = *run;
            history->run[kept++] = keep;
        } else {
            xb_stored_close(run);
        }
    }
    history->left_out = history->n - kept;
    history->n = kept;
}

int xb_history_open(struct xb_history *history, const char *folder, struct xb_reason *why)
{
    *history = (struct xb_history){ 0 };
    DIR *dir = opendir(folder);
    if (!dir)
        return xb_because(why, -errno, "%.100s: %s", folder, strerror(errno));
    int err = read_runs(history, folder, dir, why);
    closedir(dir);
    if (err)
        return err;
    if (!history->n)
        return xb_because(why, -ENOENT, "%.100s: no folder in it holds a summary.csv", folder);
    qsort(history->run, history->n, sizeof *history->run, by_time);
    leave_out(history);
    return history->n ? 0 : xb_because(why, -ENOENT, "%.100s: no run in it was timed", folder);
}

void xb_history_close(struct xb_history *history)
{
    for (size_t i = 0; i < history->n; i++)
        xb_stored_close(&history->run[i]);
    free(history->run);
    *history = (struct xb_history){ 0 };
}

/* ---- series ---- */

struct scratch {
    size_t *run;
    double *value, *level, *sorted;
    struct xb_step *step;
};

static void fill_levels(const struct xb_series *series, struct scratch *scratch)
{
    for (size_t i = 0, begin = 0; i <= series->n_steps; i++) {
        size_t end = i < series->n_steps ? series->step[i].at : series->n, n = end - begin;
        memcpy(scratch->sorted, series->value + begin, n * sizeof *scratch->sorted);
        double median = xb_median(scratch->sorted, n);
        for (; begin < end; begin++)
            scratch->level[begin] = median;
    }
}

static int visit_cell(const struct xb_history *history, const char *name, double least,
                      struct scratch *scratch,
                      int (*visit)(void *context, const struct xb_series *series), void *context)
{
    struct xb_series series = { .name = name,
                                .run = scratch->run,
                                .value = scratch->value,
                                .level = scratch->level,
                                .step = scratch->step };
    for (size_t i = 0; i < history->n; i++) {
        const struct xb_stored_cell *cell = xb_stored_find(&history->run[i], name);
        if (!cell || cell->suspect || !(cell->item_ns.median > 0))
            continue;
        scratch->run[series.n] = i;
        scratch->value[series.n++] = cell->item_ns.median;
    }
    if (!series.n)
        return 0;
    int steps = xb_steps(series.value, series.n, least, scratch->step, history->n);
    if (steps < 0)
        return steps;
    series.n_steps = (size_t)steps;
    fill_levels(&series, scratch);
    return visit(context, &series);
}

static bool is_new(const struct xb_history *history, size_t run, const char *name)
{
    for (size_t i = 0; i < run; i++)
        if (xb_stored_find(&history->run[i], name))
            return false;
    return true;
}

int xb_history_each(const struct xb_history *history, double least,
                    int (*visit)(void *context, const struct xb_series *series), void *context)
{
    size_t n = history->n;
    struct scratch scratch = { calloc(n, sizeof(size_t)), calloc(n, sizeof(double)),
                               calloc(n, sizeof(double)), calloc(n, sizeof(double)),
                               calloc(n, sizeof(struct xb_step)) };
    int err = scratch.run && scratch.value && scratch.level && scratch.sorted && scratch.step
                  ? 0
                  : -ENOMEM;
    for (size_t i = 0; i < n && !err; i++)
        for (size_t j = 0; j < history->run[i].n && !err; j++) {
            const char *name = xb_stored_text(&history->run[i], history->run[i].cell[j].name);
            if (is_new(history, i, name))
                err = visit_cell(history, name, least, &scratch, visit, context);
        }
    free(scratch.run);
    free(scratch.value);
    free(scratch.level);
    free(scratch.sorted);
    free(scratch.step);
    return err;
}

/* ---- files ---- */

struct writing {
    FILE *out;
    const struct xb_history *history;
};

static int write_series(void *context, const struct xb_series *series)
{
    const struct writing *writing = context;
    FILE *out = writing->out;
    for (size_t i = 0, step = 0; i < series->n; i++) {
        const struct xb_stored *run = &writing->history->run[series->run[i]];
        const struct xb_stored_cell *cell = xb_stored_find(run, series->name);
        fprintf(out, "%d,", XB_ROW_SCHEMA);
        xb_csv_text(out, series->name);
        fprintf(out, ",%zu,", series->run[i]);
        xb_csv_text(out, xb_facts_get(&run->facts, "run_id"));
        putc(',', out);
        xb_csv_text(out, xb_facts_get(&run->facts, "started_utc"));
        fprintf(out, ",%.9g,", series->value[i]);
        if (!isnan(cell->item_ns.lo))
            fprintf(out, "%.9g,%.9g", cell->item_ns.lo, cell->item_ns.hi);
        else
            putc(',', out);
        fprintf(out, ",%.9g,", series->level[i]);
        if (step < series->n_steps && series->step[step].at == i)
            fprintf(out, "%.9g", series->step[step++].ratio);
        putc('\n', out);
    }
    return 0;
}

int xb_history_write(FILE *out, const struct xb_history *history, double least)
{
    struct writing writing = { out, history };
    fputs(
        "schema,cell,run,run_id,started_utc,ns_per_item,ns_per_item_lo,ns_per_item_hi,level,step\n",
        out);
    return xb_history_each(history, least, write_series, &writing);
}

/* Writes the draft to a new file, or gives it up where `err` says that it is not whole. */
static int store(struct xb_draft *draft, int err, const char *folder, const char *name,
                 struct xb_reason *why)
{
    struct xb_sink sink = { .fd = -1 };
    if (!err)
        err = xb_sink_open(&sink, folder, name, why);
    if (err) {
        fclose(draft->out);
        free(draft->text);
        return err;
    }
    err = xb_draft_commit(draft, &sink, why);
    int rc = xb_sink_close(&sink, why);
    return err ? err : rc;
}

int xb_history_store(const char *folder, const struct xb_history *history, double least,
                     struct xb_reason *why)
{
    struct xb_draft draft;
    int err = xb_draft_open(&draft, why);
    if (!err) {
        err = xb_history_write(draft.out, history, least);
        if (err)
            xb_because(why, err, "out of memory");
        err = store(&draft, err, folder, "history.csv", why);
    }
    if (err || (err = xb_draft_open(&draft, why)) != 0)
        return err;
    const struct xb_facts *facts = &history->run[history->n - 1].facts;
    fputs("key,value\n", draft.out);
    for (size_t i = 0; i < facts->n; i++)
        xb_provenance_add(draft.out, facts->fact[i].key, "%s", facts->fact[i].value);
    return store(&draft, 0, folder, "provenance.csv", why);
}
