/* SPDX-License-Identifier: BSD-3-Clause
 * Prints verdicts. */
#include "gate_text.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

/* Of a command's time; with more than that for starting it, a verdict is about less than it seems. */
#define START_SHARE 0.1

static double percent(double log_ratio)
{
    return 100 * expm1(log_ratio);
}

/* Which way out there is depends on what is missing: blocks up to the plan's end, or less noise. */
static void print_hint(const struct xb_rule *rule, const struct xb_effect *effect, char *out,
                       size_t bytes)
{
    const struct xb_look *last = &rule->looks.look[rule->looks.n - 1];
    size_t needed =
        xb_blocks_to_detect(effect->sd, last->moved, log1p(rule->min_effect), log1p(rule->margin));
    int n = snprintf(out, bytes, "INCONCLUSIVE: sees %.2g %% or more", percent(effect->detectable));
    if (effect->n < 2)
        snprintf(out, bytes, "INCONCLUSIVE: too few blocks");
    else if (needed <= XB_BLOCKS_MAX && needed > effect->n)
        snprintf(out + n, bytes - (size_t)n, "; --blocks %zu would see %.3g %%", needed,
                 100 * rule->margin);
    else if (needed <= effect->n)
        snprintf(out + n, bytes - (size_t)n, "; the change is near the limits");
}

const char *xb_verdict_text(const struct xb_rule *rule, const struct xb_effect *effect,
                            char out[XB_VERDICT_TEXT])
{
    switch (effect->verdict) {
    case XB_PROVEN:
        snprintf(out, XB_VERDICT_TEXT, "PROVEN < %.3g %%", 100 * rule->margin);
        break;
    case XB_INCONCLUSIVE:
        print_hint(rule, effect, out, XB_VERDICT_TEXT);
        break;
    default:
        snprintf(out, XB_VERDICT_TEXT, "%s%s%s", xb_verdict_name(effect->verdict),
                 xb_verdict_measured(effect->verdict) ? "" : ": ",
                 xb_verdict_reason(effect->verdict));
    }
    return out;
}

static void print_contest(FILE *out, const struct xb_gate *gate, const struct xb_contest *contest,
                          int width)
{
    const struct xb_effect *effect = &contest->effect;
    char text[XB_VERDICT_TEXT];
    fprintf(out, "%-*s  ", width, contest->name);
    if (effect->n)
        fprintf(out, "%+7.2f %%  [%+.2f, %+.2f]%*s %-4s %2zu  ", percent(effect->shift.estimate),
                percent(effect->shift.lo), percent(effect->shift.hi), 1, "",
                contest->wall ? "wall" : "cpu", effect->n);
    fprintf(out, "%s\n", xb_verdict_text(&gate->rule, effect, text));
}

static const char *class_of(const struct xb_contest *contest)
{
    return contest->class[0] ? contest->class : "all";
}

/* "memory: 2 of 5 REGRESSED, +17.0 % at worst; 3 PROVEN < 2 %". */
static void print_class(FILE *out, const struct xb_gate *gate, const char *class)
{
    double worst = -INFINITY;
    size_t all = 0;
    const char *text = "";
    for (size_t i = 0; i < gate->n; i++) {
        const struct xb_contest *contest = &gate->contests[i];
        if (strcmp(contest->class, class) != 0)
            continue;
        all++;
        if (contest->effect.verdict == XB_REGRESSED && contest->effect.shift.estimate > worst)
            worst = contest->effect.shift.estimate;
    }
    fprintf(out, "%s: ", class[0] ? class : "all");
    static const enum xb_verdict order[] = { XB_MISSING, XB_REGRESSED, XB_IMPROVED, XB_INCONCLUSIVE,
                                             XB_PROVEN,  XB_UNCHANGED, XB_ADDED };
    for (size_t i = 0; i < sizeof order / sizeof order[0]; i++) {
        size_t many = xb_gate_count(gate, order[i], class);
        if (!many)
            continue;
        fprintf(out, "%s%zu of %zu %s", text, many, all, xb_verdict_name(order[i]));
        if (order[i] == XB_REGRESSED)
            fprintf(out, ", %+.1f %% at worst", percent(worst));
        if (order[i] == XB_PROVEN)
            fprintf(out, " < %.3g %%", 100 * gate->rule.margin);
        text = "; ";
    }
    putc('\n', out);
}

/* It is not taken off: a command's own start is not that of an empty one, one that has grown is a
 * regression too, and the difference of two noisy times is noisier than either. */
static void print_start(FILE *out, const struct xb_gate *gate, const struct xb_contest *contest)
{
    double share = contest->start_share, rest = 1 - share;
    if (share > 1 - START_SHARE)
        fputs("warning: OLD takes hardly longer than it takes to start any command: this says "
              "nothing of "
              "what it does. Give it more to do.\n",
              out);
    else if (share > START_SHARE)
        fprintf(
            out,
            "warning: %.0f %% of OLD's time is what it takes to start any command: of the rest the "
            "minimum effect is %.2g %% and the margin %.2g %%. Give it more to do.\n",
            100 * share, 100 * gate->rule.min_effect / rest, 100 * gate->rule.margin / rest);
}

void xb_gate_print(FILE *out, const struct xb_gate *gate)
{
    int width = 6;
    for (size_t i = 0; i < gate->n; i++)
        if ((int)strlen(gate->contests[i].name) > width)
            width = (int)strlen(gate->contests[i].name);
    fprintf(out, "%-*s   change    95 %% interval   time blocks  verdict\n", width, "");
    for (size_t i = 0; i < gate->n; i++)
        print_contest(out, gate, &gate->contests[i], width);
    for (size_t i = 0; i < gate->n; i++) {
        size_t first = 0;
        while (strcmp(class_of(&gate->contests[first]), class_of(&gate->contests[i])) != 0)
            first++;
        if (first == i)
            print_class(out, gate, gate->contests[i].class);
    }
    for (size_t i = 0; i < gate->n; i++)
        print_start(out, gate, &gate->contests[i]);
    if (xb_gate_count(gate, XB_INCONCLUSIVE, NULL))
        fputs("What is inconclusive needs a quieter machine (xbound doctor), more --blocks or a "
              "wider "
              "--margin.\n",
              out);
}
