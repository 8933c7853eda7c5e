/* SPDX-License-Identifier: BSD-3-Clause
 * Writes the gate's CSV files. RFC 4180, absent is empty. */
#include "gate_rows.h"

#include "row.h"

#include <math.h>

static int begin(struct xb_sink *sink, const char *directory, const char *name, const char *header,
                 struct xb_reason *why)
{
    struct xb_draft draft;
    int err = xb_sink_open(sink, directory, name, why);
    if (!err)
        err = xb_draft_open(&draft, why);
    if (err)
        return err;
    fprintf(draft.out, "%s\n", header);
    return xb_draft_commit(&draft, sink, why);
}

int xb_gate_files_open(struct xb_gate_files *files, const char *directory, bool verdicts,
                       struct xb_reason *why)
{
    files->slices.fd = files->blocks.fd = files->verdicts.fd = -1;
    int err =
        begin(&files->slices, directory, "slices.csv",
              "schema,kernel,class,time,block,quartet,pos,label,t_us,wall_ns,cpu_ns,nivcsw", why);
    if (!err)
        err = begin(&files->blocks, directory, "ab.csv",
                    "schema,kernel,class,time,block,log_ratio,log_ratio_cpu,log_ratio_wall,"
                    "old_cpu_ns,new_cpu_ns,old_wall_ns,new_wall_ns,old_switches,new_switches,"
                    "new_started_first,quartets,iters,bytes_per_worker",
                    why);
    if (!err && verdicts)
        err = begin(&files->verdicts, directory, "verdicts.csv",
                    "schema,kernel,class,verdict,time,blocks,ratio,ratio_lo,ratio_hi,ratio_wall,"
                    "detectable_ratio,sd_log_ratio,p_regressed,p_improved,p_proven,min_effect,"
                    "margin,old_ns,new_ns,switches,spent_ns,start_share,reason",
                    why);
    return err;
}

int xb_gate_files_close(struct xb_gate_files *files, struct xb_reason *why)
{
    struct xb_sink *all[] = { &files->slices, &files->blocks, &files->verdicts };
    int err = 0;
    for (size_t i = 0; i < 3; i++)
        if (all[i]->fd > 0 && xb_sink_close(all[i], why) != 0)
            err = why->code;
    return err;
}

static void write_real(FILE *out, double value)
{
    putc(',', out);
    if (isfinite(value))
        fprintf(out, "%.9g", value);
}

static void write_count(FILE *out, uint64_t value)
{
    putc(',', out);
    if (value)
        fprintf(out, "%" PRIu64, value);
}

static void write_head(FILE *out, const struct xb_contest *contest)
{
    fprintf(out, "%d,", XB_GATE_SCHEMA);
    xb_csv_text(out, contest->name);
    putc(',', out);
    xb_csv_text(out, contest->class);
    putc(',', out);
}

static const char *time_name(const struct xb_contest *contest)
{
    return contest->wall ? "wall" : "cpu";
}

static int write_slices(struct xb_sink *sink, const struct xb_contest *contest, size_t number,
                        const struct xb_block *block, struct xb_reason *why)
{
    struct xb_draft draft;
    int err = xb_draft_open(&draft, why);
    if (err)
        return err;
    uint64_t first_ns = block->begin_ns[0][0];
    for (size_t i = 0; i < block->quartets; i++)
        for (size_t j = 0; j < XB_SLICES; j++) {
            const struct xb_slice *slice = &block->slice[i][j];
            write_head(draft.out, contest);
            fprintf(draft.out,
                    "%s,%zu,%zu,%zu,%c,%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 "\n",
                    time_name(contest), number, i, j,
                    xb_quartet_is_new(block->new_first[i], j) ? 'B' : 'A',
                    (block->begin_ns[i][j] - first_ns) / 1000, slice->wall_ns, slice->cpu_ns,
                    slice->switches);
        }
    return xb_draft_commit(&draft, sink, why);
}

int xb_gate_write_block(struct xb_gate_files *files, const struct xb_contest *contest,
                        size_t number, const struct xb_block *block, uint64_t iters, uint64_t bytes,
                        struct xb_reason *why)
{
    struct xb_draft draft;
    int err = write_slices(&files->slices, contest, number, block, why);
    if (!err)
        err = xb_draft_open(&draft, why);
    if (err)
        return err;
    FILE *out = draft.out;
    write_head(out, contest);
    fprintf(out, "%s,%zu", time_name(contest), number);
    write_real(out, xb_block_log_ratio(block, contest->wall));
    write_real(out, xb_block_log_ratio(block, false));
    write_real(out, xb_block_log_ratio(block, true));
    for (int wall = 0; wall < 2; wall++)
        for (int of_new = 0; of_new < 2; of_new++)
            write_real(out, xb_block_ns(block, of_new, wall));
    fprintf(out, ",%" PRIu64 ",%" PRIu64 ",%d,%zu", xb_block_switches(block, false),
            xb_block_switches(block, true), block->new_started_first, block->quartets);
    write_count(out, iters);
    write_count(out, bytes);
    putc('\n', out);
    return xb_draft_commit(&draft, &files->blocks, why);
}

static void write_verdict(FILE *out, const struct xb_gate *gate, const struct xb_contest *contest)
{
    const struct xb_effect *effect = &contest->effect;
    bool measured = effect->n > 0;
    write_head(out, contest);
    fprintf(out, "%s,%s,%zu", xb_verdict_name(effect->verdict), measured ? time_name(contest) : "",
            effect->n);
    double wall = xb_hodges_lehmann(contest->log_ratios_wall, effect->n, 0.05).estimate;
    const double measures[] = { exp(effect->shift.estimate),
                                exp(effect->shift.lo),
                                exp(effect->shift.hi),
                                exp(wall),
                                exp(effect->detectable),
                                effect->sd,
                                effect->p_regressed,
                                effect->p_improved,
                                effect->p_proven };
    for (size_t i = 0; i < sizeof measures / sizeof measures[0]; i++)
        write_real(out, measured ? measures[i] : NAN);
    write_real(out, gate->rule.min_effect);
    write_real(out, gate->rule.margin);
    write_real(out, measured ? contest->old_ns : NAN);
    write_real(out, measured ? contest->new_ns : NAN);
    if (measured)
        fprintf(out, ",%" PRIu64 ",%" PRIu64, contest->switches, contest->spent_ns);
    else
        fputs(",,", out);
    write_real(out, contest->start_share > 0 ? contest->start_share : NAN);
    putc(',', out);
    xb_csv_text(out, xb_verdict_reason(effect->verdict));
    putc('\n', out);
}

int xb_gate_write_verdicts(struct xb_gate_files *files, const struct xb_gate *gate,
                           struct xb_reason *why)
{
    struct xb_draft draft;
    int err = xb_draft_open(&draft, why);
    if (err)
        return err;
    for (size_t i = 0; i < gate->n; i++)
        write_verdict(draft.out, gate, &gate->contests[i]);
    return xb_draft_commit(&draft, &files->verdicts, why);
}
