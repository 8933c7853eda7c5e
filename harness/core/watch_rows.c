/* SPDX-License-Identifier: BSD-3-Clause
 * Writes a verdict and its evidence as JSON and as CSV (RFC 4180, absent is empty). */
#include "watch_rows.h"

#include "provenance.h"
#include "row.h"
#include "sink.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- JSON ---- */

static void put_judgement(struct xb_json *object, const struct xb_judgement *judgement)
{
    const char *level = xb_level_word(judgement->level);
    struct xb_json *shares = xb_json_object();
    xb_json_put_text(object, "class", xb_bound_name(judgement->bound));
    xb_json_put(object, "level", level[0] ? xb_json_text(level) : xb_json_null());
    xb_json_put_real(object, "confidence", judgement->confidence);
    xb_json_put_text(object, "reason", judgement->reason);
    for (int i = 0; i <= XB_BOUND_UNKNOWN; i++)
        if (i != XB_BOUND_MIXED)
            xb_json_put_real(shares, xb_bound_name((enum xb_bound)i), judgement->share[i]);
    xb_json_put(object, "shares", shares);
    struct xb_json *levels = xb_json_object();
    for (int i = XB_LEVEL_NONE + 1; i < XB_LEVELS; i++)
        if (judgement->level_share[i] > 0)
            xb_json_put_real(levels, xb_level_word((enum xb_level)i), judgement->level_share[i]);
    xb_json_put(object, "level_shares", levels);
    xb_json_put_real(object, "waiting", judgement->waits);
}

static struct xb_json *phases_of(const struct xb_watched *watched)
{
    struct xb_json *all = xb_json_array();
    for (size_t i = 0; i < watched->n_phases; i++) {
        const struct xb_phase *phase = &watched->phases[i];
        struct xb_json *one = xb_json_object();
        xb_json_put_real(one, "start_s", phase->start_s);
        xb_json_put_real(one, "seconds", phase->seconds);
        put_judgement(one, &phase->judgement);
        xb_json_put_count(one, "samples", phase->samples);
        xb_json_put_bool(one, "counted", i >= watched->skipped);
        xb_json_append(all, one);
    }
    return all;
}

static struct xb_json *evidence_of(const struct xb_watching *asked,
                                   const struct xb_watched *watched)
{
    struct xb_json *all = xb_json_array();
    for (size_t i = 0; i < asked->n_probes && watched->evidence; i++)
        for (size_t j = 0; j < watched->evidence[i].n_clues; j++) {
            const struct xb_clue *clue = &watched->evidence[i].clue[j];
            struct xb_json *one = xb_json_object();
            xb_json_put_text(one, "probe", asked->probes[i]->name);
            xb_json_put_text(one, "name", clue->name);
            xb_json_put(one, "value",
                        isfinite(clue->value) ? xb_json_real(clue->value) : xb_json_null());
            xb_json_put_text(one, "text", clue->text);
            xb_json_append(all, one);
        }
    return all;
}

struct xb_json *xb_watch_json(const struct xb_watching *asked, const struct xb_watched *watched)
{
    struct xb_json *all = xb_json_object(), *command = xb_json_array(), *probes = xb_json_object();
    struct xb_json *notes = xb_json_array();
    xb_json_put_count(all, "schema", XB_WATCH_SCHEMA);
    for (size_t i = 0; asked->argv && asked->argv[i]; i++)
        xb_json_append(command, xb_json_text(asked->argv[i]));
    if (asked->argv) {
        xb_json_put(all, "command", command);
    } else {
        xb_json_free(command);
        xb_json_put_count(all, "pid", (uint64_t)asked->pid);
    }
    put_judgement(all, &watched->verdict);
    xb_json_put_real(all, "seconds", watched->seconds);
    xb_json_put_real(all, "cpu_s", watched->cpu_s);
    xb_json_put_count(all, "processes", watched->most_processes);
    xb_json_put_count(all, "threads", watched->most_threads);
    xb_json_put_count(all, "samples", watched->samples);
    xb_json_put(all, "overhead",
                isfinite(watched->overhead) ? xb_json_real(watched->overhead) : xb_json_null());
    xb_json_put_real(all, "watch_cpu_s", watched->watch_cpu_s);
    xb_json_put(all, "phases", phases_of(watched));
    xb_json_put(all, "evidence", evidence_of(asked, watched));
    if (watched->evidence)
        xb_json_put_count(all, "evidence_phase", watched->evidence_phase);
    for (size_t i = 0; i < asked->n_probes; i++)
        xb_json_put_text(probes, asked->probes[i]->name,
                         watched->without[i].code ? watched->without[i].text : "ok");
    xb_json_put(all, "probes", probes);
    for (size_t i = 0; i < watched->n_notes; i++)
        xb_json_append(notes, xb_json_text(watched->note[i]));
    xb_json_put(all, "notes", notes);
    return all;
}

/* ---- CSV ---- */

static void write_real(FILE *out, double value)
{
    putc(',', out);
    if (isfinite(value))
        fprintf(out, "%.9g", value);
}

static int write_phases(FILE *out, const struct xb_watched *watched)
{
    fputs("schema,phase,start_s,seconds,class,level,confidence", out);
    for (int i = 0; i <= XB_BOUND_UNKNOWN; i++)
        if (i != XB_BOUND_MIXED)
            fprintf(out, ",%s_share", xb_bound_name((enum xb_bound)i));
    fputs(",samples,counted,reason\n", out);
    for (size_t i = 0; i < watched->n_phases; i++) {
        const struct xb_phase *phase = &watched->phases[i];
        const struct xb_judgement *judgement = &phase->judgement;
        fprintf(out, "%d,%zu", XB_WATCH_SCHEMA, i);
        write_real(out, phase->start_s);
        write_real(out, phase->seconds);
        fprintf(out, ",%s,%s", xb_bound_name(judgement->bound), xb_level_word(judgement->level));
        write_real(out, judgement->confidence);
        for (int j = 0; j <= XB_BOUND_UNKNOWN; j++)
            if (j != XB_BOUND_MIXED)
                write_real(out, judgement->share[j]);
        fprintf(out, ",%" PRIu64 ",%d,", phase->samples, i >= watched->skipped);
        xb_csv_text(out, judgement->reason);
        putc('\n', out);
    }
    return 0;
}

static int write_evidence(FILE *out, const struct xb_watching *asked,
                          const struct xb_watched *watched)
{
    fputs("schema,phase,probe,name,value,text\n", out);
    for (size_t i = 0; i < asked->n_probes && watched->evidence; i++)
        for (size_t j = 0; j < watched->evidence[i].n_clues; j++) {
            const struct xb_clue *clue = &watched->evidence[i].clue[j];
            fprintf(out, "%d,%zu,%s,%s", XB_WATCH_SCHEMA, watched->evidence_phase,
                    asked->probes[i]->name, clue->name);
            write_real(out, clue->value);
            putc(',', out);
            xb_csv_text(out, clue->text);
            putc('\n', out);
        }
    return 0;
}

/* The command's words with blanks between; the caller frees. */
static char *join(const char *const *argv)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&text, &bytes);
    if (!out)
        return NULL;
    for (size_t i = 0; argv && argv[i]; i++)
        fprintf(out, "%s%s", i ? " " : "", argv[i]);
    fclose(out);
    return text;
}

static int write_provenance(FILE *out, const char *run_id, const struct xb_topology *topology,
                            const struct xb_watching *asked, const struct xb_watched *watched)
{
    const struct xb_judgement *verdict = &watched->verdict;
    char *command = join(asked->argv);
    int err = xb_provenance_begin(out, run_id, topology);
    if (!err)
        err = xb_provenance_add(out, "command", "%s", command ? command : "");
    free(command);
    if (!err && !asked->argv)
        err = xb_provenance_add(out, "pid", "%d", (int)asked->pid);
    if (!err)
        err = xb_provenance_add(out, "verdict", "%s", xb_bound_name(verdict->bound));
    if (!err)
        err = xb_provenance_add(out, "verdict_level", "%s", xb_level_word(verdict->level));
    if (!err)
        err = xb_provenance_add(out, "verdict_confidence", "%.3g", verdict->confidence);
    if (!err)
        err = xb_provenance_add(out, "verdict_reason", "%s", verdict->reason);
    if (!err)
        err = isfinite(watched->overhead)
                  ? xb_provenance_add(out, "overhead", "%.3g", watched->overhead)
                  : xb_provenance_add(out, "overhead", "%s", "");
    char key[64];
    for (size_t i = 0; i < asked->n_probes && !err; i++) {
        snprintf(key, sizeof key, "probe_%s", asked->probes[i]->name);
        err = xb_provenance_add(out, key, "%s",
                                watched->without[i].code ? watched->without[i].text : "ok");
    }
    return err;
}

/* What was drafted becomes DIRECTORY/NAME, whole or not at all. */
static int save(struct xb_draft *draft, const char *directory, const char *name, int err,
                struct xb_reason *why)
{
    struct xb_sink sink = { .fd = -1 };
    struct xb_reason later = { 0 };
    int opened = xb_sink_open(&sink, directory, name, why);
    if (opened) {
        fclose(draft->out);
        free(draft->text);
        return opened;
    }
    int committed = xb_draft_commit(draft, &sink, why);
    int closed = xb_sink_close(&sink, committed ? &later : why);
    if (err)
        return xb_because(why, err, "%.180s/%s: %s", directory, name, strerror(-err));
    return committed ? committed : closed;
}

int xb_watch_write(const char *directory, const struct xb_topology *topology,
                   const struct xb_watching *asked, const struct xb_watched *watched,
                   struct xb_reason *why)
{
    const char *slash = strrchr(directory, '/');
    const char *run_id = slash && slash[1] ? slash + 1 : directory;
    struct xb_draft draft;
    int err = xb_draft_open(&draft, why);
    if (!err)
        err = save(&draft, directory, "phases.csv", write_phases(draft.out, watched), why);
    if (!err)
        err = xb_draft_open(&draft, why);
    if (!err)
        err =
            save(&draft, directory, "evidence.csv", write_evidence(draft.out, asked, watched), why);
    if (!err)
        err = xb_draft_open(&draft, why);
    if (!err)
        err = save(&draft, directory, "provenance.csv",
                   write_provenance(draft.out, run_id, topology, asked, watched), why);
    return err;
}
