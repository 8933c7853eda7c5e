/* SPDX-License-Identifier: BSD-3-Clause
 * Prints a verdict, and what it rests on. */
#include "watch_text.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

/* Three columns: what the lines are about, whose or what they are, and the text. */
enum { KEY = 11, NAME = 9, WIDTH = 98, BAR = 40 };

/* Of phases, unless all are asked for. */
enum { LINES = 12 };

/* Breaks a text between words; `column` is where it begins, and where its further lines do. */
static void print_wrapped(FILE *out, const char *text, int column)
{
    int at = column;
    while (*text) {
        int word = (int)strcspn(text, " ");
        if (strncmp(text + word, " %", 2) == 0)
            word += 2; /* stays with its number */
        if (at > column && at + 1 + word > WIDTH) {
            fprintf(out, "\n%*s", column, "");
            at = column;
        } else if (at > column) {
            putc(' ', out);
            at++;
        }
        fprintf(out, "%.*s", word, text);
        at += word;
        text += word;
        text += strspn(text, " ");
    }
    putc('\n', out);
}

static void print_key(FILE *out, const char *key)
{
    fprintf(out, "%-*s", KEY, key);
}

/* "memory (DRAM)" or "cpu". */
static void describe(const struct xb_judgement *judgement, char *text, size_t bytes)
{
    const char *level = xb_level_word(judgement->level);
    snprintf(text, bytes, level[0] ? "%s (%s)" : "%s", xb_bound_name(judgement->bound), level);
}

static void print_shares(FILE *out, const struct xb_judgement *judgement)
{
    const char *key = "time";
    bool told[XB_BOUND_UNKNOWN + 1] = { false };
    for (;;) { /* the largest first */
        int best = -1;
        for (int i = 0; i <= XB_BOUND_UNKNOWN; i++)
            if (!told[i] && judgement->share[i] >= 0.005 &&
                (best < 0 || judgement->share[i] > judgement->share[best]))
                best = i;
        if (best < 0)
            return;
        told[best] = true;
        int bar = (int)lround(BAR * judgement->share[best]);
        print_key(out, key);
        fprintf(out, "%-*s%3.0f %%%s%.*s\n", NAME, xb_bound_name((enum xb_bound)best),
                100 * judgement->share[best], bar ? "  " : "", bar,
                "########################################");
        key = "";
    }
}

static void print_evidence(FILE *out, const struct xb_watching *asked,
                           const struct xb_watched *watched)
{
    const char *key = "evidence";
    for (size_t i = 0; i < asked->n_probes && watched->evidence; i++) {
        const char *name = asked->probes[i]->name;
        for (size_t j = 0; j < watched->evidence[i].n_clues; j++) {
            print_key(out, key);
            fprintf(out, "%-*s", NAME, name);
            print_wrapped(out, watched->evidence[i].clue[j].text, KEY + NAME);
            key = name = "";
        }
    }
}

static bool equal(const struct xb_phase *a, const struct xb_phase *b)
{
    return a->judgement.bound == b->judgement.bound && a->judgement.level == b->judgement.level;
}

static void print_phases(FILE *out, const struct xb_watched *watched, bool all)
{
    const char *key = "phases";
    const struct xb_phase *phase = watched->phases;
    size_t lines = 0;
    for (size_t i = 0, to; i < watched->n_phases; i = to) {
        char what[48], confidence[24];
        double least = phase[i].judgement.confidence, most = least;
        for (to = i + 1; to < watched->n_phases && !all && equal(&phase[i], &phase[to]); to++) {
            least = fmin(least, phase[to].judgement.confidence);
            most = fmax(most, phase[to].judgement.confidence);
        }
        if (i == 0 && to == watched->n_phases && !all)
            return; /* the verdict says it all */
        describe(&phase[i].judgement, what, sizeof what);
        snprintf(confidence, sizeof confidence, most - least < 0.01 ? "%.2f" : "%.2f to %.2f",
                 least, most);
        print_key(out, key);
        if (++lines > LINES && !all) {
            fprintf(out, "and more until %.1f s: --phases shows all\n", watched->seconds);
            return;
        }
        fprintf(out, "%5.1f to %5.1f s  %-16s %s", phase[i].start_s,
                phase[to - 1].start_s + phase[to - 1].seconds, what, confidence);
        if (to <= watched->skipped)
            fputs("  starting up: not counted", out);
        putc('\n', out);
        key = "";
    }
}

static const char *plural(size_t n, const char *one, const char *many)
{
    return n == 1 ? one : many;
}

static void print_cost(FILE *out, const struct xb_watched *watched)
{
    char text[240];
    int n = snprintf(text, sizeof text,
                     "%.3g s, up to %zu %s with %zu %s, %.3g s of CPU time, %" PRIu64 " samples",
                     watched->seconds, watched->most_processes,
                     plural(watched->most_processes, "process", "processes"), watched->most_threads,
                     plural(watched->most_threads, "thread", "threads"), watched->cpu_s,
                     watched->samples);
    if (isfinite(watched->overhead))
        snprintf(text + n, sizeof text - (size_t)n, "; watching cost %.2g %% of %s",
                 100 * watched->overhead,
                 watched->cpu_s >= watched->seconds ? "its CPU time" : "a CPU");
    print_key(out, "watched");
    print_wrapped(out, text, KEY);
}

void xb_watch_print(FILE *out, const struct xb_watching *asked, const struct xb_watched *watched,
                    bool all_phases, bool bold)
{
    char what[48];
    describe(&watched->verdict, what, sizeof what);
    fprintf(out, "%s%s%s, confidence %.2f\n", bold ? "\033[1m" : "", what, bold ? "\033[0m" : "",
            watched->verdict.confidence);
    if (watched->verdict.reason[0]) {
        print_key(out, "why");
        print_wrapped(out, watched->verdict.reason, KEY);
    }
    print_shares(out, &watched->verdict);
    print_evidence(out, asked, watched);
    print_phases(out, watched, all_phases);
    print_cost(out, watched);
    const char *key = "without";
    for (size_t i = 0; i < asked->n_probes; i++) {
        if (!watched->without[i].code)
            continue;
        print_key(out, key);
        fprintf(out, "%-*s", NAME, asked->probes[i]->name);
        print_wrapped(out, watched->without[i].text, KEY + NAME);
        key = "";
    }
    key = "note";
    for (size_t i = 0; i < watched->n_notes; i++, key = "") {
        print_key(out, key);
        print_wrapped(out, watched->note[i], KEY);
    }
}
