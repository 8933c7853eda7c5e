/* SPDX-License-Identifier: BSD-3-Clause
 * Draws the memory picture from many small cells. */
#include "picture.h"

#include "../../kernels/buffer.h"
#include "../base/clock.h"
#include "../models/model.h"
#include "isa.h"
#include "provenance.h"
#include "runner.h"

#include <errno.h>
#include <math.h>

/* Of a cell. The fastest counts: neighbours and the hypervisor only ever slow one down. */
enum { SAMPLES = 5 };

/* Cells of a size, each with pages of its own: a hypervisor that backs the guest's huge pages with
 * small ones spreads a set unevenly over a physically indexed cache, often enough that of 50 single
 * rounds over a 1 MiB L2 the worst found 0.65 MiB, while the fastest of any 5 found 0.85 at least.
 * Sets that no L2 holds have two. */
enum { ROUNDS = 8, ROUNDS_QUICK = 6 };

/* What the harness keeps after each round, lest the next gets the same pages again: as much as a
 * set that may fit an L2 takes, its order included. */
enum { BALLAST = 8 << 20 };

/* Loads of a sample: a whole lap as long as the set may fit an L2, or what comes second in the
 * sample would have been driven out since it was last loaded; beyond that 0.2 ms in an LLC. */
enum { LOADS = 65536, LOADS_FAR = 16384 };
#define FAR_BYTES (UINT64_C(4) << 20)

/* A sample of bandwidth: 0.1 ms in an L1, 5 ms in DRAM. */
#define SPAN_BYTES (UINT64_C(48) << 20)

/* A stream has left the last-level cache where it is down to this share of its best there. */
static const double REACH_SHARE = 2. / 3;
#define REACH_NS UINT64_C(1500000000)

#define CELL_LIMIT_NS UINT64_C(20000000000)

/* What is left of the rounds when this much time went by is left out. */
#define PATIENCE_NS       UINT64_C(3200000000)
#define PATIENCE_QUICK_NS UINT64_C(1500000000)

/* A claim that is this far from the measurement, as a share of the claim, is contradicted. */
static const double AGREE = 0.25;

/* What an edge may be off by, so that 0.98 MiB become 1 MiB and not half of that. */
static const double EDGE_ERROR = 0.15;

const char *xb_level_name(int level)
{
    static const char *const names[XB_PICTURE_LEVELS] = { "L1d", "L2", "LLC", "DRAM" };
    return names[level];
}

const char *xb_level_key(int level)
{
    static const char *const keys[XB_PICTURE_LEVELS] = { "l1d", "l2", "llc", "dram" };
    return keys[level];
}

/* ---- what to measure ---- */

static uint64_t clamp(uint64_t value, uint64_t least, uint64_t most)
{
    return value < least ? least : value > most ? most : value;
}

size_t xb_picture_sizes(uint64_t llc, uint64_t memory, bool quick, uint64_t *sizes, size_t room)
{
    /* Steps per doubling up to each size: fine where L1d and L2 end, coarse where setting up a
     * chain takes longer than chasing it. */
    static const struct {
        double most;
        int full, quick;
    } parts[] = { { 0x1p22, 6, 4 }, { 0x1p26, 4, 2 }, { INFINITY, 2, 1 } };
    /* A guest may be told of a whole host's cache, of which a chain of four times takes minutes. */
    uint64_t last = clamp(4 * llc, UINT64_C(64) << 20, UINT64_C(1) << 30);
    size_t n = 0, part = 0;
    for (double bytes = 8192; bytes < (double)last * 1.01 && n < room;) {
        uint64_t rounded = (uint64_t)(bytes / 1024 + 0.5) * 1024;
        if (memory && rounded > memory / 10 * 7) /* a chain takes a sixteenth more beside it */
            break;
        sizes[n++] = rounded;
        while (bytes > parts[part].most * 0.99)
            part++;
        bytes *= pow(2, 1.0 / (quick ? parts[part].quick : parts[part].full));
    }
    return n;
}

bool xb_picture_wanted(const struct xb_spec *spec, const struct xb_cell *cells, size_t n)
{
    for (size_t i = 0; i < n && !spec->n_bytes; i++)
        if (cells[i].kernel->fit != XB_FIT_OWN)
            return true;
    return false;
}

static const struct xb_kernel *find_kernel(const struct xb_registry *registry, unsigned shows)
{
    const unsigned needs = shows | XB_NEED_BYTES;
    for (size_t i = 0; i < registry->n_kernels; i++)
        if ((registry->kernels[i]->needs & needs) == needs)
            return registry->kernels[i];
    return NULL;
}

/* ---- measuring ---- */

struct painter {
    struct xb_plan plan;
    const volatile sig_atomic_t *stop;
    struct xb_reason *why;
};

/* Measures a cell of plan.params.bytes; `fastest` is the sample of the least wall time. */
static int measure(struct painter *painter, uint64_t iters, uint32_t samples,
                   struct xb_sample *fastest)
{
    struct xb_arena arena = { 0 };
    struct xb_result *result;
    painter->plan.iters = iters ? iters : 1;
    painter->plan.samples = samples;
    int err = xb_runner_run(&painter->plan, CELL_LIMIT_NS, painter->stop, &arena, &result);
    if (err && !painter->why->code)
        *painter->why = result ? result->why : (struct xb_reason){ .code = err };
    uint32_t n = err ? 0 : atomic_load(&result->n_samples);
    for (uint32_t i = 0; i < n; i++)
        if (i == 0 || result->samples[i].wall_ns < fastest->wall_ns)
            *fastest = result->samples[i];
    xb_arena_close(&arena);
    if (painter->stop && *painter->stop)
        return -EINTR;
    return err ? err : n ? 0 : -EIO;
}

/* Holds on to `bytes` more of memory: what is free next is elsewhere. */
static void take_ballast(void **ballast, size_t bytes)
{
    *ballast = xb_buffer_take(bytes);
    for (size_t at = 0; *ballast && at < bytes; at += 4096)
        ((volatile char *)*ballast)[at] = 1;
}

/* Takes a stair for each size, and each again as long as there is time. The fastest counts. A size
 * that fails is a gap. */
static int climb(struct painter *painter, bool quick, const uint64_t *sizes, size_t n,
                 struct xb_stair *stairs)
{
    uint64_t deadline_ns = xb_now_ns() + (quick ? PATIENCE_QUICK_NS : PATIENCE_NS);
    struct xb_sample sample;
    painter->plan.params.bytes = sizes[0];
    int err = measure(painter, 1, 1, &sample); /* to see how many loads an iteration does */
    if (err)
        return err;
    uint64_t loads = sample.work.items;
    int rounds = quick ? ROUNDS_QUICK : ROUNDS;
    void *ballast[ROUNDS] = { NULL };
    for (int round = 0; round < rounds && err != -EINTR; round++) {
        painter->plan.params.seed = (uint64_t)round + 1;
        for (size_t i = 0; i < n && xb_now_ns() < deadline_ns && err != -EINTR; i++) {
            bool far = sizes[i] > FAR_BYTES;
            if (far && round > 0 && round < rounds - 1)
                break;
            uint64_t wanted = far ? LOADS_FAR : LOADS;
            painter->plan.params.bytes = sizes[i];
            err = measure(painter, wanted / loads, SAMPLES, &sample);
            if (!err)
                stairs[i] = (struct xb_stair){ (double)sizes[i],
                                               fmin(xb_sample_item_ns(&sample), stairs[i].ns) };
        }
        take_ballast(&ballast[round], BALLAST);
    }
    for (int round = 0; round < rounds; round++)
        xb_buffer_give(ballast[round], BALLAST);
    return err == -EINTR ? err : 0;
}

/* Bytes per ns, which are GB/s, or NaN. */
static int load(struct painter *painter, uint64_t bytes, double *gb_per_s)
{
    struct xb_sample sample;
    painter->plan.params.bytes = bytes;
    int err = measure(painter, 1, 1, &sample); /* to see how many bytes an iteration loads */
    if (!err && sample.work.bytes_read)
        err = measure(painter, SPAN_BYTES / sample.work.bytes_read, SAMPLES, &sample);
    if (!err)
        *gb_per_s = (double)sample.work.bytes_read / (double)sample.wall_ns;
    return err == -EINTR ? err : 0;
}

/* Before a brush is chosen: plan.kernel. */
static struct painter paint(const struct xb_registry *registry, const struct xb_topology *topology,
                            enum xb_bind bind, const volatile sig_atomic_t *stop,
                            struct xb_reason *why)
{
    const struct xb_model *model = xb_plain_model(registry);
    return (struct painter){
        .plan = { .model = model,
                  .engine = model ? xb_plain_engine(registry, model, NULL) : NULL,
                  .source = xb_find_source(registry, "none"),
                  .topology = topology,
                  .bind = bind,
                  .params = { .workers = 1, .depth = 1, .seed = 1, .scratch_dir = "." } },
        .stop = stop,
        .why = why,
    };
}

int xb_picture_measure(const struct xb_registry *registry, const struct xb_topology *topology,
                       enum xb_bind bind, bool quick, const volatile sig_atomic_t *stop,
                       struct xb_picture *picture, struct xb_reason *why)
{
    enum { ROOM = 128 };
    uint64_t begin_ns = xb_now_ns(), sizes[ROOM];
    struct xb_stair stairs[ROOM];
    double claimed[XB_CACHE_LEVELS];
    for (int level = 0; level < XB_PICTURE_LEVELS; level++)
        picture->latency_ns[level] = picture->load_gb_per_s[level] = NAN;
    for (int level = 0; level < XB_CACHE_LEVELS; level++) {
        picture->capacity[level] = NAN;
        claimed[level] = (double)xb_topology_cache_bytes(topology, (enum xb_cache_level)level);
    }
    picture->took_s = 0;
    *why = (struct xb_reason){ 0 };

    const struct xb_kernel *chase = find_kernel(registry, XB_SHOWS_LATENCY);
    const struct xb_kernel *stream = find_kernel(registry, XB_SHOWS_BANDWIDTH);
    struct painter painter = paint(registry, topology, bind, stop, why);
    if (!chase || !painter.plan.model)
        return xb_because(why, -ENOTSUP, "no %s to measure caches with",
                          chase ? "model" : "kernel that shows latency");
    painter.plan.kernel = chase;
    uint64_t memory = xb_topology_memory_bytes(topology), held = (uint64_t)ROUNDS * BALLAST;
    size_t n_stairs = 0;
    size_t n = xb_picture_sizes((uint64_t)claimed[XB_CACHE_LLC],
                                memory > held ? memory - held : memory, quick, sizes, ROOM);
    for (size_t i = 0; i < n; i++)
        stairs[i].ns = NAN;
    int err = n ? climb(&painter, quick, sizes, n, stairs) : 0;
    for (size_t i = 0; i < n; i++)
        if (stairs[i].ns > 0)
            stairs[n_stairs++] = stairs[i];
    if (!err)
        xb_picture_read(picture, stairs, n_stairs, claimed);
    if (!err && stream) {
        painter.plan.kernel = stream;
        painter.plan.params.isa = xb_isa_best(stream->isas);
        for (int level = 0; level < XB_CACHE_LEVELS && !err; level++)
            if (picture->capacity[level] > 0)
                err = load(&painter, (uint64_t)picture->capacity[level] / 2,
                           &picture->load_gb_per_s[level]);
        if (!err && picture->latency_ns[XB_PICTURE_DRAM] > 0)
            err = load(&painter, (uint64_t)stairs[n_stairs - 1].bytes,
                       &picture->load_gb_per_s[XB_PICTURE_DRAM]);
    }
    picture->took_s = (double)(xb_now_ns() - begin_ns) / 1e9;
    return err;
}

/* What a busy machine left no time for: `bytes` are beyond every cache. */
static int fill_dram(struct painter *painter, const struct xb_kernel *chase, uint64_t bytes,
                     struct xb_picture *picture)
{
    int err = 0;
    struct xb_sample sample;
    if (!(picture->load_gb_per_s[XB_PICTURE_DRAM] > 0))
        err = load(painter, bytes, &picture->load_gb_per_s[XB_PICTURE_DRAM]);
    if (err || !chase || picture->latency_ns[XB_PICTURE_DRAM] > 0)
        return err;
    painter->plan.kernel = chase;
    painter->plan.params.isa = XB_ISA_BASE;
    painter->plan.params.bytes = bytes;
    err = measure(painter, 1, 1, &sample);
    if (!err && sample.work.items)
        err = measure(painter, LOADS_FAR / sample.work.items, SAMPLES, &sample);
    if (!err)
        picture->latency_ns[XB_PICTURE_DRAM] = xb_sample_item_ns(&sample);
    return err == -EINTR ? err : 0;
}

int xb_picture_reach(const struct xb_registry *registry, const struct xb_topology *topology,
                     const volatile sig_atomic_t *stop, struct xb_picture *picture, double *bytes,
                     struct xb_reason *why)
{
    const struct xb_kernel *stream = find_kernel(registry, XB_SHOWS_BANDWIDTH);
    *bytes = NAN;
    *why = (struct xb_reason){ 0 };
    struct painter painter = paint(registry, topology, XB_BIND_NONE, stop, why);
    if (!stream || !painter.plan.model)
        return xb_because(why, -ENOTSUP, "no kernel that shows bandwidth");
    painter.plan.kernel = stream;
    painter.plan.params.isa = xb_isa_best(stream->isas);
    uint64_t deadline_ns = xb_now_ns() + REACH_NS;
    double l2 = picture->capacity[XB_CACHE_L2], size = fmax(2 * (l2 > 0 ? l2 : 0), 4 << 20);
    double most = fmin((double)xb_topology_memory_bytes(topology) / 4, 1 << 30);
    double plateau = 0, before = 0, before_size = size;
    for (; size <= most && xb_now_ns() < deadline_ns; size *= M_SQRT2) {
        double best = 0;
        for (int again = 0; again < 2 && !(best >= REACH_SHARE * plateau && best > 0); again++) {
            double gb_per_s = NAN; /* a neighbour's moment passes; the end of a cache does not */
            if (load(&painter, (uint64_t)size / 4096 * 4096, &gb_per_s) == -EINTR)
                return -EINTR;
            best = fmax(best, gb_per_s);
        }
        if (!(best > 0))
            return why->code ? why->code : -EIO;
        plateau = fmax(plateau, best);
        if (best < REACH_SHARE * plateau) {
            double way = (before - REACH_SHARE * plateau) / (before - best);
            *bytes = before_size * pow(size / before_size, fmin(fmax(way, 0), 1));
            size = fmin(fmax(4 * *bytes, 64 << 20), most);
            return fill_dram(&painter, find_kernel(registry, XB_SHOWS_LATENCY),
                             (uint64_t)size / 4096 * 4096, picture);
        }
        before = best;
        before_size = size;
    }
    return xb_because(why, -ERANGE, "no end of the last-level cache up to %.0f MiB",
                      before_size / 1048576);
}

/* ---- what it says ---- */

/* The latency of the stair nearest to a size. */
static double latency_at(const struct xb_stair *stairs, size_t n, double bytes)
{
    size_t nearest = 0;
    for (size_t i = 1; i < n; i++)
        if (fabs(log(stairs[i].bytes / bytes)) < fabs(log(stairs[nearest].bytes / bytes)))
            nearest = i;
    return stairs[nearest].ns;
}

void xb_picture_read(struct xb_picture *picture, struct xb_stair *stairs, size_t n,
                     const double claimed[XB_CACHE_LEVELS])
{
    _Static_assert((int)XB_STAIRCASE_LEVELS == (int)XB_CACHE_LEVELS, "the same levels");
    double edge[XB_CACHE_LEVELS];
    size_t found = xb_staircase(stairs, n, edge, XB_CACHE_LEVELS);
    xb_staircase_name(edge, found, claimed, picture->capacity);
    for (int level = 0; level < XB_CACHE_LEVELS; level++)
        picture->latency_ns[level] = picture->capacity[level] > 0
                                         ? latency_at(stairs, n, picture->capacity[level] / 2)
                                         : NAN;
    /* Twice a cache leaves at most half of the set in it. */
    double llc = picture->capacity[XB_CACHE_LLC];
    picture->latency_ns[XB_PICTURE_DRAM] =
        llc > 0 && stairs[n - 1].bytes >= 2 * llc ? stairs[n - 1].ns : NAN;
}

bool xb_picture_contradicts(const struct xb_picture *picture, const struct xb_topology *topology,
                            enum xb_cache_level level)
{
    double claimed = (double)xb_topology_cache_bytes(topology, level);
    return fabs(picture->capacity[level] - claimed) > AGREE * claimed;
}

static uint64_t power_of_two_within(double bytes)
{
    uint64_t power = 4096;
    while (2 * (double)power <= bytes)
        power *= 2;
    return power;
}

/* Sets take half of a cache. While at least half of it is there they fit, so the claim serves: what
 * a guest gets of a shared cache was 0.6 to 0.98 of it from run to run, and sizes must not follow. */
static bool claim_serves(double capacity, double claimed)
{
    return isnan(capacity) || (capacity >= claimed / 2 && capacity <= claimed * (1 + AGREE));
}

struct xb_caches xb_picture_caches(const struct xb_picture *picture,
                                   const struct xb_topology *topology)
{
    struct xb_caches caches = { .beyond = xb_topology_cache_bytes(topology, XB_CACHE_LLC) };
    for (int level = 0; level < XB_CACHE_LEVELS; level++) {
        uint64_t claimed = xb_topology_cache_bytes(topology, (enum xb_cache_level)level);
        double capacity = picture->capacity[level];
        caches.bytes[level] = claim_serves(capacity, (double)claimed)
                                  ? claimed
                                  : power_of_two_within(capacity * (1 + EDGE_ERROR));
    }
    if (caches.beyond < caches.bytes[XB_CACHE_LLC])
        caches.beyond = caches.bytes[XB_CACHE_LLC];
    return caches;
}

static int add(FILE *out, int level, const char *what, double value, const char *format)
{
    char key[64], text[32] = "";
    snprintf(key, sizeof key, "%s_%s", xb_level_key(level), what);
    if (value > 0)
        snprintf(text, sizeof text, format, value);
    return xb_provenance_add(out, key, "%s", text);
}

int xb_picture_write(FILE *out, const struct xb_picture *picture)
{
    int err = 0;
    for (int level = 0; level < XB_CACHE_LEVELS && !err; level++)
        err = add(out, level, "measured_bytes", picture->capacity[level], "%.0f");
    for (int level = 0; level < XB_PICTURE_LEVELS && !err; level++)
        err = add(out, level, "latency_ns", picture->latency_ns[level], "%.4g");
    for (int level = 0; level < XB_PICTURE_LEVELS && !err; level++)
        err = add(out, level, "load_gb_per_s", picture->load_gb_per_s[level], "%.4g");
    return err ? err : xb_provenance_add(out, "picture_took_s", "%.2f", picture->took_s);
}
