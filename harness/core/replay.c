/* SPDX-License-Identifier: BSD-3-Clause
 * Reads recorded slices, block by block, and mistrusts every field. */
#include "replay.h"

#include "../base/csv.h"
#include "../base/parse.h"
#include "block.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum column { BLOCK, QUARTET, POS, LABEL, WALL, CPU, KERNEL, CLASS, TIME, COLUMNS };
enum { NEEDED = CPU + 1 };

static const char *const names[COLUMNS] = { "block",  "quartet", "pos",   "label", "wall_ns",
                                            "cpu_ns", "kernel",  "class", "time" };

/* A file while it is read. */
struct reader {
    const char *path;
    struct xb_csv csv;
    size_t at[COLUMNS];
    bool has[COLUMNS]; /* those behind NEEDED may be lacking */
    /* The block under way. */
    bool open;
    uint64_t number, slices;
    char name[XB_NAME_BYTES], class[16], time[8];
    struct xb_block block;
};

static int read_header(struct reader *reader, struct xb_reason *why)
{
    int err = xb_csv_open(&reader->csv, reader->path, why);
    if (!err)
        err =
            xb_csv_need(&reader->csv, names, NEEDED, "slices.csv of an xbound ab", reader->at, why);
    for (int column = 0; column < COLUMNS && !err; column++) {
        int found = xb_csv_find(&reader->csv, names[column]);
        reader->has[column] = found >= 0;
        reader->at[column] = found >= 0 ? (size_t)found : 0;
    }
    return err;
}

static const char *text_or(const struct reader *reader, enum column column, const char *instead)
{
    return reader->has[column] ? reader->csv.field[reader->at[column]] : instead;
}

static int read_number(const struct reader *reader, enum column column, uint64_t least,
                       uint64_t most, uint64_t *out, struct xb_reason *why)
{
    const char *text = reader->csv.field[reader->at[column]];
    if (xb_parse_count(text, least, most, out) != 0)
        return xb_csv_fault(&reader->csv, reader->at[column], why,
                            "'%.40s' is not a whole number from %" PRIu64 " to %" PRIu64, text,
                            least, most);
    return 0;
}

/* ---- from slices to windows ---- */

static int grow(struct xb_replay *replay)
{
    size_t room = replay->room ? replay->room * 2 : 64;
    void *contests = realloc(replay->contests, room * sizeof *replay->contests);
    replay->contests = contests ? contests : replay->contests;
    void *log_ratios = realloc(replay->log_ratios, room * sizeof *replay->log_ratios);
    replay->log_ratios = log_ratios ? log_ratios : replay->log_ratios;
    void *blocks = realloc(replay->blocks, room * sizeof *replay->blocks);
    replay->blocks = blocks ? blocks : replay->blocks;
    if (!contests || !log_ratios || !blocks)
        return -ENOMEM;
    replay->room = room;
    /* cppcheck-suppress memleak ; `replay` has them */
    return 0;
}

/* Whether the last window goes on with this reader's block. */
static bool goes_on(const struct xb_replay *replay, const struct reader *reader, size_t window,
                    size_t first)
{
    if (replay->n == first)
        return false;
    const struct xb_contest *last = &replay->contests[replay->n - 1];
    return strcmp(last->name, reader->name) == 0 && replay->blocks[replay->n - 1] < window;
}

static int end_block(struct xb_replay *replay, struct reader *reader, size_t window, size_t first,
                     struct xb_reason *why)
{
    if (!reader->open)
        return 0;
    if (reader->slices % XB_SLICES != 0)
        return xb_csv_fault(&reader->csv, reader->at[BLOCK], why,
                            "block %" PRIu64 " ends within a quartet", reader->number);
    if (!goes_on(replay, reader, window, first)) {
        if (replay->n == replay->room && grow(replay) != 0)
            return xb_because(why, -ENOMEM, "out of memory for a recording");
        struct xb_contest *contest = &replay->contests[replay->n];
        *contest = (struct xb_contest){ .wall = strcmp(reader->time, "wall") == 0 };
        memcpy(contest->name, reader->name, sizeof contest->name);
        memcpy(contest->class, reader->class, sizeof contest->class);
        replay->blocks[replay->n++] = 0;
    }
    size_t last = replay->n - 1, at = replay->blocks[last]++;
    reader->block.quartets = reader->slices / XB_SLICES;
    for (int wall = 0; wall < 2; wall++)
        replay->log_ratios[last][wall][at] = xb_block_log_ratio(&reader->block, wall);
    reader->open = false;
    return 0;
}

static int begin_block(struct reader *reader, uint64_t number, struct xb_reason *why)
{
    const char *slash = strrchr(reader->path, '/');
    const char *stem = slash ? slash + 1 : reader->path;
    const char *time = text_or(reader, TIME, "cpu");
    if (strcmp(time, "cpu") != 0 && strcmp(time, "wall") != 0)
        return xb_csv_fault(&reader->csv, reader->at[TIME], why, "'%.40s' is not cpu or wall",
                            time);
    snprintf(reader->time, sizeof reader->time, "%s", time);
    snprintf(reader->name, sizeof reader->name, "%.*s", (int)strcspn(stem, "."), stem);
    if (reader->has[KERNEL])
        snprintf(reader->name, sizeof reader->name, "%s", text_or(reader, KERNEL, ""));
    snprintf(reader->class, sizeof reader->class, "%s", text_or(reader, CLASS, ""));
    reader->open = true;
    reader->number = number;
    reader->slices = 0;
    return 0;
}

static int read_slice(struct xb_replay *replay, struct reader *reader, size_t window, size_t first,
                      struct xb_reason *why)
{
    uint64_t number, quartet, pos, wall_ns, cpu_ns;
    int err = read_number(reader, BLOCK, 0, 1000000, &number, why);
    if (!err && reader->open &&
        (number != reader->number || strcmp(text_or(reader, KERNEL, reader->name), reader->name)))
        err = end_block(replay, reader, window, first, why);
    if (!err && !reader->open)
        err = begin_block(reader, number, why);
    if (!err)
        err = read_number(reader, QUARTET, 0, XB_QUARTETS_MAX - 1, &quartet, why);
    if (!err)
        err = read_number(reader, POS, 0, XB_SLICES - 1, &pos, why);
    if (!err)
        err = read_number(reader, WALL, 1, UINT64_C(1) << 50, &wall_ns, why);
    if (!err)
        err = read_number(reader, CPU, 1, UINT64_C(1) << 50, &cpu_ns, why);
    if (err)
        return err;
    if (quartet * XB_SLICES + pos != reader->slices)
        return xb_csv_fault(
            &reader->csv, reader->at[POS], why,
            "quartet %" PRIu64 " pos %" PRIu64 " is out of order, or one is missing", quartet, pos);
    const char *label = text_or(reader, LABEL, "");
    if (strcmp(label, "A") != 0 && strcmp(label, "B") != 0)
        return xb_csv_fault(&reader->csv, reader->at[LABEL], why, "'%.40s' is not A or B", label);
    bool of_new = label[0] == 'B';
    if (pos == 0)
        reader->block.new_first[quartet] = of_new;
    if (xb_quartet_is_new(reader->block.new_first[quartet], pos) != of_new)
        return xb_csv_fault(&reader->csv, reader->at[LABEL], why,
                            "the quartet is neither ABBA nor BAAB");
    reader->block.slice[quartet][pos] = (struct xb_slice){ .wall_ns = wall_ns, .cpu_ns = cpu_ns };
    reader->slices++;
    return 0;
}

/* Drops windows of this file that are too short to be judged, and numbers those of one series. */
static int tidy(struct xb_replay *replay, const struct reader *reader, size_t first,
                struct xb_reason *why)
{
    size_t kept = first, number = 0;
    char series[XB_NAME_BYTES] = "";
    for (size_t i = first; i < replay->n; i++) {
        if (replay->blocks[i] < XB_BLOCKS_LEAST)
            continue;
        struct xb_contest *contest = &replay->contests[kept];
        *contest = replay->contests[i];
        memmove(replay->log_ratios[kept], replay->log_ratios[i], sizeof replay->log_ratios[i]);
        replay->blocks[kept++] = replay->blocks[i];
        number = strcmp(series, contest->name) == 0 ? number + 1 : 1;
        memcpy(series, contest->name, sizeof series);
        if (number > 1)
            snprintf(contest->name, sizeof contest->name, "%.42s#%zu", series, number);
    }
    replay->n = kept;
    if (kept == first)
        return xb_because(why, -EBADMSG, "%.120s: fewer than %d blocks: too few for any verdict",
                          reader->path, XB_BLOCKS_LEAST);
    return 0;
}

static int read_file(struct xb_replay *replay, const char *path, size_t window,
                     struct xb_reason *why)
{
    struct reader *reader = calloc(1, sizeof *reader);
    size_t first = replay->n;
    int err = 0;
    if (!reader)
        return xb_because(why, -ENOMEM, "out of memory for a recording");
    reader->path = path;
    err = read_header(reader, why);
    while (!err) {
        int got = xb_csv_next(&reader->csv, why);
        if (got == 0)
            break;
        err = got < 0 ? got : read_slice(replay, reader, window, first, why);
    }
    if (!err)
        err = end_block(replay, reader, window, first, why);
    if (!err)
        err = tidy(replay, reader, first, why);
    xb_csv_close(&reader->csv);
    free(reader);
    return err;
}

int xb_replay_open(struct xb_replay *replay, const char *const *files, size_t n_files,
                   size_t window, double slowdown, struct xb_reason *why)
{
    int err = 0;
    *replay = (struct xb_replay){ .slowdown = slowdown };
    for (size_t i = 0; i < n_files && !err; i++)
        err = read_file(replay, files[i], window, why);
    return err;
}

void xb_replay_close(struct xb_replay *replay)
{
    free(replay->contests);
    free(replay->log_ratios);
    free(replay->blocks);
    *replay = (struct xb_replay){ .n = 0 };
}

int xb_replay_block(void *context, size_t index, struct xb_reason *why)
{
    struct xb_replay *replay = context;
    struct xb_contest *contest = &replay->contests[index];
    size_t n = contest->effect.n;
    (void)why;
    if (n == replay->blocks[index])
        return -ENODATA;
    double added = log1p(replay->slowdown);
    contest->log_ratios[n] = replay->log_ratios[index][contest->wall][n] + added;
    contest->log_ratios_wall[n] = replay->log_ratios[index][1][n] + added;
    return 0;
}
