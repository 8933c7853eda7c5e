/* SPDX-License-Identifier: BSD-3-Clause
 * Measures a mimic under each execution model, one window of each in turn, round by round. */
#include "advice.h"

#include "../../kernels/prng.h"
#include "../../kernels/scratch.h"
#include "../base/clock.h"
#include "../counters/source.h"
#include "spec.h"
#include "standby.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SETUP_NS  UINT64_C(20000000000) /* until a team is taken to hang: tens of 64 MiB to fill */
#define WINDOW_NS 12e6  /* long beside starting, and short: neighbours come in bursts */
#define ITEM_NS   200e3 /* where nothing waits */
#define WAIT_NS   1e6   /* of an item, where nobody knows: long beside waking up */

enum { ROUNDS_LEAST = 6, ROUNDS_MOST = 60, ADJUSTMENTS = 4, FILE_BYTES = 64 << 20 };

/* A best gain whose interval is no wider than this, up and down, needs no more rounds. */
#define PRECISE 0.04

/* Far more than caches, and soon set up. Where a last-level cache is larger, as hosts' often are, other
 * guests have most of it. */
enum { DRAM_BYTES = 32 << 20 };

struct cell {
    struct xb_standby standby;
    struct xb_advice_row *row;
    struct xb_plan plan;
    uint64_t iters;           /* of a window, per worker */
    double rate[ROUNDS_MOST]; /* items per ns */
};

struct advising {
    const struct xb_advice_ask *ask;
    struct xb_advice *out;
    struct xb_arena arena;
    struct xb_mimic *mimic; /* in the arena */
    struct xb_mimic_ask fit;
    char file[48]; /* what is read of the disk */
    int fd;
    double item_ns;
    struct cell cell[XB_ADVICE_ROWS];
};

/* ---- what to measure ---- */

static const struct xb_io_engine *engine_for(const struct advising *a, const struct xb_model *model,
                                             struct xb_reason *why)
{
    const struct xb_registry *registry = a->ask->registry;
    if (!(a->mimic->kernel.needs & XB_NEED_FILES))
        return xb_plain_engine(registry, model, why);
    const struct xb_io_engine *best = NULL;
    xb_because(why, -ENOTSUP, "no engine here reads files for %s", model->name);
    for (size_t i = 0; i < registry->n_engines; i++) {
        const struct xb_io_engine *engine = registry->engines[i];
        if (engine->files && (engine->parks || !model->parks) &&
            (!best || engine->rank < best->rank) && engine->probe(NULL) == 0)
            best = engine;
    }
    return best;
}

static struct xb_plan plan_of(const struct advising *a, const struct xb_model *model,
                              const struct xb_io_engine *engine, uint32_t workers)
{
    return (struct xb_plan){
        .kernel = &a->mimic->kernel,
        .model = model,
        .engine = engine,
        .source = xb_find_source(a->ask->registry, "none"),
        .params = { .bytes = 1,
                    .workers = workers,
                    .depth = 1,
                    .seed = 1,
                    .file = a->fd >= 0 ? a->file : NULL,
                    .scratch_dir = a->ask->scratch_dir,
                    .recipe = a->mimic },
        .bind = XB_BIND_NONE, /* as programs are */
        .iters = 1,
    };
}

static double waits_of(const struct advising *a)
{
    double sum = 0;
    for (int use = 0; use < XB_USES; use++)
        sum += xb_use_waits(use) ? a->out->lone.share[use] : 0;
    return sum;
}

/* From which on more workers can be told not to help: a CPU is full when so many wait in turn. */
static uint32_t most_workers(const struct advising *a)
{
    if (a->ask->most_workers)
        return a->ask->most_workers;
    double waits = waits_of(a);
    double wanted = 2 * a->out->cpus / fmax(1 - waits, 0.01);
    uint32_t most = 4 * a->out->cpus;
    bool fills = a->out->lone.share[XB_USE_STREAM] + a->out->lone.share[XB_USE_CHASE] >= 0.02;
    if (fills && waits < 0.2) /* each has sets to fill first */
        return 2 * a->out->cpus;
    while (most < wanted)
        most *= 2;
    return most < XB_ADVICE_WORKERS ? most : XB_ADVICE_WORKERS;
}

/* Whether a loop has anything to gain: on one CPU that is only waiting. */
static bool overlaps(const struct advising *a)
{
    return waits_of(a) >= 0.02;
}

/* ---- the mimic ---- */

static size_t half_of(const struct xb_capacity *capacity, enum xb_level level, size_t otherwise)
{
    double bytes = capacity ? capacity->bytes[level] : NAN;
    return bytes >= 8192 ? (size_t)bytes / 2 : otherwise;
}

/* The file has no name, so that nothing is left behind; workers open it through /proc. */
static int make_file(struct advising *a, struct xb_reason *why)
{
    enum { PIECE = 1 << 20 };
    char text[XB_WHY_BYTES] = "";
    const struct xb_params params = { .scratch_dir = a->ask->scratch_dir, .why = text };
    int fd = xb_scratch_open(&params);
    if (fd < 0)
        return xb_because(why, fd, "%s", text);
    char *piece = malloc(PIECE);
    int err = piece ? 0 : -ENOMEM;
    uint64_t random = 1;
    for (size_t at = 0; at < FILE_BYTES && !err; at += PIECE) {
        for (size_t i = 0; i < PIECE; i += sizeof random) {
            uint64_t word = xb_prng_next(&random); /* lest a device compresses them away */
            memcpy(piece + i, &word, sizeof word);
        }
        err = xb_scratch_write(fd, piece, PIECE);
    }
    free(piece);
    if (!err && fdatasync(fd) != 0)
        err = -errno;
    if (!err && xb_scratch_in_memory(fd))
        err = -ENOTSUP;
    if (err) {
        close(fd);
        return xb_because(why, err, "a file to read in %.80s: %s", a->ask->scratch_dir,
                          strerror(-err));
    }
    a->fd = fd;
    snprintf(a->file, sizeof a->file, "/proc/%d/fd/%d", (int)getpid(), fd);
    return 0;
}

static int make_mimic(struct advising *a, struct xb_reason *why)
{
    const struct xb_capacity *capacity = a->ask->capacity;
    struct xb_mimic_ask *fit = &a->fit;
    memcpy(fit->share, a->out->lone.share, sizeof fit->share);
    fit->bytes[XB_USE_L2] = half_of(capacity, XB_LEVEL_L2, 512 << 10);
    fit->bytes[XB_USE_LLC] = half_of(capacity, XB_LEVEL_LLC, 8 << 20);
    if (fit->bytes[XB_USE_LLC] > DRAM_BYTES / 2)
        fit->bytes[XB_USE_LLC] = DRAM_BYTES / 2;
    fit->bytes[XB_USE_CHASE] = fit->bytes[XB_USE_STREAM] = DRAM_BYTES;
    /* Without a disk of its own to read, its waiting is slept. */
    struct xb_reason no_disk;
    if (fit->share[XB_USE_DISK] + fit->share[XB_USE_FSYNC] >= 0.02 && make_file(a, &no_disk) != 0) {
        fit->share[XB_USE_WAIT] += fit->share[XB_USE_DISK] + fit->share[XB_USE_FSYNC];
        fit->share[XB_USE_DISK] = fit->share[XB_USE_FSYNC] = 0;
        snprintf(a->out->lone.note, sizeof a->out->lone.note,
                 "its waits for the disk are slept, as if the disk had no limit: %.150s",
                 no_disk.text);
    }
    return xb_mimic_make(fit, a->ask->registry, a->mimic, why);
}

/* ---- calibrating it ---- */

/* One window of a lone worker. */
static int time_parts(struct advising *a, struct xb_standby *lone, uint64_t items,
                      struct xb_turn *turn, struct xb_reason *why)
{
    for (size_t i = 0; i < a->mimic->n_parts; i++)
        a->mimic->spent_ns[i] = a->mimic->done[i] = 0;
    return xb_standby_turn(lone, items, turn, why);
}

/* What an iteration of each part takes: counts are raised until it can be told, then the fastest of
 * three counts; of sleeps, what each takes longer than asked. */
static int time_iterations(struct advising *a, struct xb_standby *lone, double ns[XB_USES],
                           struct xb_reason *why)
{
    enum { LONG_NS = 300000, TIMES = 3, TRIES = 40 };
    struct xb_mimic *mimic = a->mimic;
    struct xb_turn turn;
    int err = 0;
    bool told = false;
    for (int i = 0; i < TRIES && !told && !err; i++) {
        err = time_parts(a, lone, 1, &turn, why);
        told = true;
        for (size_t k = 0; k < mimic->n_parts && !err; k++) {
            if (mimic->spent_ns[k] >= LONG_NS || mimic->part[k].kernel == NULL)
                continue;
            mimic->part[k].per_item *=
                mimic->spent_ns[k] > LONG_NS / 8.0 ? 1.1 * LONG_NS / mimic->spent_ns[k] : 8;
            told = false;
        }
    }
    for (size_t k = 0; k < mimic->n_parts; k++)
        ns[k] = INFINITY;
    for (int i = 0; i < TIMES && !err; i++) {
        err = time_parts(a, lone, 1, &turn, why);
        for (size_t k = 0; k < mimic->n_parts && !err; k++)
            ns[k] = fmin(ns[k], mimic->part[k].kernel ? mimic->spent_ns[k] / mimic->done[k]
                                                      : mimic->spent_ns[k] - mimic->done[k]);
    }
    return err;
}

/* An item is long enough for what it holds of waiting to be worth the switch, and for one iteration
 * of what waits for a device. */
static double choose_item(const struct advising *a, const double ns[XB_USES])
{
    double item_ns = ITEM_NS;
    for (size_t k = 0; k < a->mimic->n_parts; k++) {
        const struct xb_mimic_part *part = &a->mimic->part[k];
        double least_ns = 0;
        if (part->use == XB_USE_WAIT && part->share > 0.05)
            least_ns = a->ask->wait_ns > 0 ? fmin(fmax(a->ask->wait_ns, 300e3), 5e6) : WAIT_NS;
        else if (part->use == XB_USE_DISK || part->use == XB_USE_FSYNC)
            least_ns = ns[k];
        item_ns = fmax(item_ns, least_ns / part->share);
    }
    return fmin(item_ns, 5e6);
}

/* Measures how the time of an item divides, and moves what takes too much or too little of it. */
static int adjust(struct advising *a, struct xb_standby *lone, bool last, struct xb_reason *why)
{
    struct xb_mimic *mimic = a->mimic;
    struct xb_turn turn;
    uint64_t items = (uint64_t)fmax(4, 40e6 / a->item_ns);
    int err = time_parts(a, lone, items, &turn, why);
    if (err)
        return err;
    double sum = 0;
    for (size_t k = 0; k < mimic->n_parts; k++)
        sum += mimic->spent_ns[k];
    for (size_t k = 0; k < mimic->n_parts; k++) {
        struct xb_mimic_part *part = &mimic->part[k];
        double due_ns = part->share * a->item_ns, got_ns = mimic->spent_ns[k] / (double)items;
        a->out->got[part->use] = mimic->spent_ns[k] / sum;
        if (!last && part->kernel)
            part->per_item *= fmin(fmax(due_ns / fmax(got_ns, 1), 0.5), 2);
        else if (!last)
            part->per_item = fmax(1, part->per_item + due_ns - got_ns);
    }
    a->out->user_share = (double)turn.cpu_ns / (double)turn.wall_ns;
    return 0;
}

static int calibrate(struct advising *a, const struct xb_plan *plan, struct xb_reason *why)
{
    struct xb_standby lone;
    double ns[XB_USES];
    for (size_t k = 0; k < a->mimic->n_parts; k++)
        a->mimic->part[k].per_item = a->mimic->part[k].kernel ? 1 : WAIT_NS;
    a->mimic->timed = true;
    int err = xb_standby_open(&lone, plan, SETUP_NS, why);
    if (!err)
        err = time_iterations(a, &lone, ns, why);
    if (!err) {
        a->item_ns = choose_item(a, ns);
        for (size_t k = 0; k < a->mimic->n_parts; k++) {
            struct xb_mimic_part *part = &a->mimic->part[k];
            double due_ns = part->share * a->item_ns;
            part->per_item = part->kernel ? due_ns / ns[k] : fmax(1, due_ns - ns[k]);
        }
    }
    for (int i = 0; i < ADJUSTMENTS && !err; i++)
        err = adjust(a, &lone, i == ADJUSTMENTS - 1, why);
    struct xb_reason end;
    int closed = xb_standby_close(&lone, &end);
    a->mimic->timed = false;
    if (!err && closed)
        err = xb_because(why, closed, "%s", end.text);
    return err;
}

/* ---- rounds ---- */

static void add_rows(struct advising *a, const struct xb_model *model, uint32_t most)
{
    struct xb_advice *out = a->out;
    struct xb_reason why = { 0 };
    const struct xb_io_engine *engine = engine_for(a, model, &why);
    if (engine)
        why = (struct xb_reason){ 0 };
    for (uint32_t workers = 1; workers <= most && out->n_rows < XB_ADVICE_ROWS; workers *= 2) {
        struct cell *cell = &a->cell[out->n_rows];
        cell->row = &out->row[out->n_rows++];
        *cell->row = (struct xb_advice_row){
            .model = model->name, .workers = workers, .gain = { NAN, NAN, NAN }, .why = why
        };
        cell->plan = plan_of(a, model, engine, workers);
    }
}

/* Sets up all at once; each waits where it fails. */
static void open_cells(struct advising *a)
{
    for (size_t i = 0; i < a->out->n_rows; i++) {
        struct cell *cell = &a->cell[i];
        if (!cell->row->why.code)
            xb_standby_open(&cell->standby, &cell->plan, SETUP_NS, &cell->row->why);
    }
}

/* No worker does its items faster than alone; a first window may have found little to do. */
static uint64_t iters_for(const struct advising *a, const struct cell *cell,
                          const struct xb_turn *turn)
{
    double each_ns = (double)turn->wall_ns / (double)cell->iters;
    return (uint64_t)fmax(1, fmax(WINDOW_NS, 5 * a->item_ns) / fmax(each_ns, a->item_ns / 2));
}

/* A first window that tells how many iterations make one, which is not counted. */
static void warm_up(const struct advising *a, struct cell *cell)
{
    struct xb_turn turn;
    if (cell->row->why.code)
        return;
    cell->iters = 2;
    if (xb_standby_turn(&cell->standby, cell->iters, &turn, &cell->row->why) == 0)
        cell->iters = iters_for(a, cell, &turn);
}

static void shuffle(size_t *order, size_t n, uint64_t *random)
{
    for (size_t i = n; i > 1; i--) {
        size_t j = xb_prng_below(random, i), last = order[i - 1];
        order[i - 1] = order[j];
        order[j] = last;
    }
}

static bool stopped(const struct advising *a)
{
    return a->ask->stop && *a->ask->stop;
}

/* What a team does in a time, without the end of the window, where some have nothing left to do: the
 * time that matters is that of a far longer run. */
static double rate_of(const struct xb_turn *turn)
{
    double ns = (double)turn->wall_ns - (double)turn->outcome;
    return (double)turn->items / fmax(ns, 1);
}

/* Every cell's window once, in another order each time: what drifts meets all alike. */
static void take_round(struct advising *a, size_t round, size_t *order, uint64_t *random)
{
    shuffle(order, a->out->n_rows, random);
    for (size_t i = 0; i < a->out->n_rows && !stopped(a); i++) {
        struct cell *cell = &a->cell[order[i]];
        struct xb_turn turn;
        if (cell->row->why.code)
            continue;
        if (xb_standby_turn(&cell->standby, cell->iters, &turn, &cell->row->why) != 0)
            continue;
        cell->rate[round] = rate_of(&turn);
        cell->iters = iters_for(a, cell, &turn);
    }
}

/* A program's neighbours only ever take from it, and from many workers more often than from one: of
 * the rounds of a cell, the upper quartile counts. */
static double quartile(double *rate, size_t n)
{
    xb_sort(rate, n);
    return rate[n - 1 - (n - 1) / 4];
}

/* The ratio of two cells' quartiles, with the 95 % interval of the bootstrap: Efron, "Bootstrap methods",
 * Annals of Statistics 7 (1979). Rounds are drawn for both together. */
static struct xb_interval ratio_of(const double *rate, const double *base, size_t rounds)
{
    enum { DRAWS = 400 };
    double a[ROUNDS_MOST], b[ROUNDS_MOST], ratio[DRAWS];
    uint64_t random = 1;
    struct xb_interval gain = { 1, 1, 1 };
    if (rate == base || rounds == 0)
        return gain;
    for (size_t draw = 0; draw < DRAWS; draw++) {
        for (size_t k = 0; k < rounds; k++) {
            size_t at = xb_prng_below(&random, rounds);
            a[k] = rate[at];
            b[k] = base[at];
        }
        ratio[draw] = quartile(a, rounds) / quartile(b, rounds);
    }
    xb_sort(ratio, DRAWS);
    memcpy(a, rate, rounds * sizeof *a);
    memcpy(b, base, rounds * sizeof *b);
    gain.median = quartile(a, rounds) / quartile(b, rounds);
    gain.lo = fmin(gain.median, ratio[DRAWS / 40]);
    gain.hi = fmax(gain.median, ratio[DRAWS - 1 - DRAWS / 40]);
    return gain;
}

static void sum_up(struct advising *a)
{
    for (size_t i = 0; i < a->out->n_rows; i++) {
        struct cell *cell = &a->cell[i];
        if (!cell->row->why.code)
            cell->row->gain = ratio_of(cell->rate, a->cell[0].rate, a->out->rounds);
    }
    xb_advice_complete(a->out);
}

/* Whether the time is over, or what matters is known well enough. */
static bool is_enough(struct advising *a, uint64_t took_ns)
{
    if (took_ns >= a->ask->budget_ns)
        return true;
    sum_up(a);
    xb_advice_conclude(a->out);
    return a->out->row[0].why.code ||
           (took_ns >= a->ask->budget_ns / 2 &&
            xb_interval_relative(a->out->row[a->out->enough].gain) <= PRECISE);
}

static void take_rounds(struct advising *a)
{
    size_t order[XB_ADVICE_ROWS];
    uint64_t random = 1, begin_ns = xb_now_ns();
    for (size_t i = 0; i < a->out->n_rows; i++) {
        order[i] = i;
        if (!stopped(a))
            warm_up(a, &a->cell[i]);
    }
    while (a->out->rounds < ROUNDS_MOST && !stopped(a) &&
           (a->out->rounds < ROUNDS_LEAST || !is_enough(a, xb_now_ns() - begin_ns)))
        take_round(a, a->out->rounds++, order, &random);
}

static void close_cells(struct advising *a)
{
    for (size_t i = 0; i < a->out->n_rows; i++) {
        struct cell *cell = &a->cell[i];
        struct xb_reason end;
        if (xb_standby_close(&cell->standby, &end) != 0 && !cell->row->why.code)
            cell->row->why = end;
    }
}

static int measure(struct advising *a, struct xb_reason *why)
{
    static const char *const models[XB_ADVICE_MODELS] = { "threads", "processes", "loop" };
    struct xb_advice *out = a->out;
    int err = stopped(a) ? -EINTR : make_mimic(a, why);
    const struct xb_model *threads = xb_find_model(a->ask->registry, models[0]);
    const struct xb_io_engine *engine = NULL;
    if (!err && !threads)
        err = xb_because(why, -ENOENT, "there is no model '%s' in this build", models[0]);
    if (!err && !(engine = engine_for(a, threads, why)))
        err = why->code;
    if (err == -EINTR)
        return xb_because(why, err, "interrupted");
    if (err)
        return err;
    const struct xb_plan lone = plan_of(a, threads, engine, 1);
    err = calibrate(a, &lone, why);
    if (err)
        return err;
    uint32_t most = most_workers(a);
    for (int i = 0; i < XB_ADVICE_MODELS; i++) {
        const struct xb_model *model = xb_find_model(a->ask->registry, models[i]);
        if (!model || model->probe(NULL) != 0)
            continue;
        bool one_cpu = model->shares_lanes && !overlaps(a);
        add_rows(a, model, one_cpu && most > 2 ? 2 : most);
    }
    open_cells(a);
    take_rounds(a);
    close_cells(a);
    if (stopped(a))
        return xb_because(why, -EINTR, "interrupted");
    if (out->row[0].why.code)
        return xb_because(why, out->row[0].why.code, "%s", out->row[0].why.text);
    sum_up(a);
    xb_advice_conclude(out);
    return 0;
}

int xb_advice_measure(const struct xb_advice_ask *ask, struct xb_advice *out, struct xb_reason *why)
{
    uint64_t begin_ns = xb_now_ns();
    *out = (struct xb_advice){ .cpus = xb_topology_pus(ask->topology) };
    int err = xb_advice_divide(ask, &out->lone, why);
    if (err)
        return err;
    struct advising *a = calloc(1, sizeof *a);
    if (!a)
        return xb_because(why, -ENOMEM, "out of memory");
    a->ask = ask;
    a->out = out;
    a->fd = -1;
    err = xb_arena_open(&a->arena, sizeof *a->mimic + 4096);
    if (!err)
        a->mimic = xb_arena_take(&a->arena, sizeof *a->mimic, 128);
    err = a->mimic ? measure(a, why) : xb_because(why, -ENOMEM, "out of memory");
    if (a->fd >= 0)
        close(a->fd);
    xb_arena_close(&a->arena);
    free(a);
    out->took_s = (double)(xb_now_ns() - begin_ns) / 1e9;
    return err;
}
