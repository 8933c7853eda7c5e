/* SPDX-License-Identifier: BSD-3-Clause
 * Prints advice, and makes JSON of it. */
#include "advice_text.h"

#include <math.h>
#include <string.h>

/* As in the report of a verdict (core/watch_text.c): what a line is about, and the text. */
enum { KEY = 11, COLUMN = 20 };

/* "1.93 (1.90 - 1.95)", or nothing where it was not measured. */
static const char *gain_text(const struct xb_interval *gain, char out[COLUMN + 20])
{
    if (isnan(gain->median))
        snprintf(out, COLUMN + 20, "-");
    else if (isnan(gain->lo))
        snprintf(out, COLUMN + 20, "%.2f", gain->median);
    else
        snprintf(out, COLUMN + 20, "%.2f (%.2f - %.2f)", gain->median, gain->lo, gain->hi);
    return out;
}

static const struct xb_trial_row *truth_of(const struct xb_trial *trial, uint32_t workers)
{
    for (size_t i = 0; trial && i < trial->n; i++)
        if (trial->row[i].workers == workers)
            return &trial->row[i];
    return NULL;
}

/* Names of the models, in the order of their rows. */
static size_t models_of(const struct xb_advice *advice, const char *model[XB_ADVICE_MODELS])
{
    size_t n = 0;
    for (size_t i = 0; i < advice->n_rows; i++)
        if (n < XB_ADVICE_MODELS && (n == 0 || strcmp(model[n - 1], advice->row[i].model) != 0))
            model[n++] = advice->row[i].model;
    return n;
}

static void print_table(FILE *out, const struct xb_advice *advice, const struct xb_trial *trial)
{
    const char *model[XB_ADVICE_MODELS];
    char text[COLUMN + 20];
    size_t n = models_of(advice, model);
    fprintf(out, "%-*s%8s", KEY, "gain", "workers");
    for (size_t i = 0; i < n; i++)
        fprintf(out, "%*s", COLUMN, model[i]);
    fprintf(out, trial ? "%*s%10s\n" : "\n", COLUMN, "the command", "seconds");
    for (size_t i = 0; i < advice->n_rows && strcmp(advice->row[i].model, model[0]) == 0; i++) {
        uint32_t workers = advice->row[i].workers;
        fprintf(out, "%-*s%8u", KEY, "", workers);
        for (size_t k = 0; k < n; k++) {
            const struct xb_advice_row *row = xb_advice_find(advice, model[k], workers);
            fprintf(out, "%*s", COLUMN, row ? gain_text(&row->gain, text) : "-");
        }
        const struct xb_trial_row *is = truth_of(trial, workers);
        if (is && !isnan(is->seconds))
            fprintf(out, "%*s%10.3g", COLUMN, gain_text(&is->gain, text), is->seconds);
        putc('\n', out);
    }
    for (size_t i = 0; i < advice->n_rows; i++) {
        const struct xb_advice_row *row = &advice->row[i];
        /* One line for each reason, not for each count. */
        if (row->why.code && (i == 0 || strcmp(row->why.text, advice->row[i - 1].why.text) != 0))
            fprintf(out, "%-*s%s, from %u workers on: %s\n", KEY, "", row->model, row->workers,
                    row->why.text);
    }
}

static void print_check(FILE *out, const struct xb_advice *advice, const struct xb_trial *trial,
                        const char *model)
{
    struct xb_advice_check check;
    for (size_t i = 0; i < trial->n; i++)
        if (trial->row[i].why.code)
            fprintf(out, "%-*s%s\n", KEY, "failed", trial->row[i].why.text);
    if (xb_advice_compare(advice, trial, model, &check) != 0) {
        fprintf(out, "%-*sno two counts were both predicted and measured\n", KEY, "verified");
        return;
    }
    fprintf(out, "%-*s%s: with the predicted %u worker%s ", KEY, "verified", check.model,
            check.workers, check.workers == 1 ? "" : "s");
    if (isnan(check.behind))
        fputs("the command was not run", out);
    else if (check.workers == check.fastest)
        fputs("it is fastest", out);
    else
        fprintf(out, "it takes %.1f %% longer than with %u, the fastest", 100 * check.behind,
                check.fastest);
    if (!isnan(check.off))
        fprintf(out, "; the predicted gain is off by %.0f %%", 100 * fabs(check.off));
    fprintf(out, check.worst_at ? ", of all by %.0f %% at most, with %u\n" : "\n",
            100 * fabs(check.worst), check.worst_at);
}

void xb_advice_print(FILE *out, const struct xb_advice *advice, const struct xb_trial *trial,
                     const char *model)
{
    const struct xb_advice_row *row = &advice->row[advice->enough];
    char text[COLUMN + 20];
    if (row->workers == 1)
        fprintf(out, "%-*sone worker is enough: the best is %.2f times that\n", KEY, "advice",
                advice->row[advice->best].gain.median);
    else
        fprintf(out, "%-*s%u workers under %s: %s times one\n", KEY, "advice", row->workers,
                row->model, gain_text(&row->gain, text));
    fprintf(out, "%-*s%s\n", KEY, "", advice->reason);
    if (advice->lone.note[0])
        fprintf(out, "%-*s%s\n", KEY, "beware", advice->lone.note);
    if (advice->doubt[0])
        fprintf(out, "%-*s%s\n", KEY, "beware", advice->doubt);
    print_table(out, advice, trial);
    if (trial)
        print_check(out, advice, trial, model);
}

/* ---- JSON ---- */

static void put_gain(struct xb_json *object, const char *name, const struct xb_interval *gain)
{
    char key[32];
    xb_json_put_real(object, name, gain->median);
    snprintf(key, sizeof key, "%s_lo", name);
    xb_json_put_real(object, key, gain->lo);
    snprintf(key, sizeof key, "%s_hi", name);
    xb_json_put_real(object, key, gain->hi);
}

static struct xb_json *row_of(const struct xb_advice_row *row)
{
    struct xb_json *object = xb_json_object();
    xb_json_put_text(object, "model", row->model);
    xb_json_put_count(object, "workers", row->workers);
    put_gain(object, "gain", &row->gain);
    xb_json_put_text(object, "reason", row->why.text);
    return object;
}

static struct xb_json *verified(const struct xb_advice *advice, const struct xb_trial *trial,
                                const char *model)
{
    struct xb_json *object = xb_json_object(), *rows = xb_json_array();
    struct xb_advice_check check;
    if (xb_advice_compare(advice, trial, model, &check) == 0) {
        xb_json_put_text(object, "model", check.model);
        xb_json_put_count(object, "predicted_workers", check.workers);
        xb_json_put_count(object, "fastest_workers", check.fastest);
        xb_json_put_real(object, "behind", check.behind);
        xb_json_put_real(object, "gain_error", check.off);
        xb_json_put_real(object, "worst_gain_error", check.worst);
    }
    xb_json_put_count(object, "rounds", trial->rounds);
    for (size_t i = 0; i < trial->n; i++) {
        const struct xb_trial_row *is = &trial->row[i];
        const struct xb_interval said = xb_advice_predict(advice, model, is->workers);
        struct xb_json *row = xb_json_object();
        xb_json_put_count(row, "workers", is->workers);
        xb_json_put_real(row, "seconds", is->seconds);
        put_gain(row, "gain", &is->gain);
        put_gain(row, "predicted", &said);
        xb_json_put_text(row, "reason", is->why.text);
        xb_json_append(rows, row);
    }
    xb_json_put(object, "rows", rows);
    return object;
}

struct xb_json *xb_advice_json(const struct xb_advice *advice, const struct xb_trial *trial,
                               const char *model)
{
    const struct xb_advice_row *best = &advice->row[advice->enough];
    struct xb_json *object = row_of(best), *shares = xb_json_object(), *rows = xb_json_array();
    xb_json_put_text(object, "reason", advice->reason);
    xb_json_put_text(object, "beware", advice->lone.note);
    xb_json_put_text(object, "doubt", advice->doubt);
    xb_json_put_count(object, "cpus", advice->cpus);
    xb_json_put_count(object, "rounds", advice->rounds);
    xb_json_put_real(object, "took_s", advice->took_s);
    for (int use = 0; use < XB_USES; use++)
        if (advice->lone.share[use] > 0)
            xb_json_put_real(shares, xb_use_key(use), advice->lone.share[use]);
    xb_json_put(object, "worker", shares);
    for (size_t i = 0; i < advice->n_rows; i++)
        xb_json_append(rows, row_of(&advice->row[i]));
    xb_json_put(object, "rows", rows);
    if (trial)
        xb_json_put(object, "verify", verified(advice, trial, model));
    return object;
}
