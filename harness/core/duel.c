/* SPDX-License-Identifier: BSD-3-Clause
 * Sets two builds against each other, a pair of processes per block. */
#include "duel.h"

#include "../../kernels/prng.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Set-up of a gigabyte on a busy machine takes seconds; a slice is milliseconds. */
#define SETUP_NS UINT64_C(60000000000)
#define SLICE_NS UINT64_C(20000000000)

/* The most of what is drawn: Mytkowicz et al. (ASPLOS 2009) saw the size of the environment move
 * results by its place on the stack, page by page. */
enum { ENVIRONMENT = 4096, STACK = 8192, HEAP = 1 << 16 };

static bool read_offer(const char *line, struct xb_offer *offer)
{
    char clock[8];
    *offer = (struct xb_offer){ .bytes = 0 };
    if (sscanf(line, "kernel %63s %15s %" SCNu64 " %7s %39s %15s", offer->name, offer->class,
               &offer->bytes, clock, offer->hash, offer->isa) != 6)
        return false;
    offer->wall = strcmp(clock, "wall") == 0;
    return true;
}

int xb_duel_offers(struct xb_build *build, struct xb_offer **offers, size_t *n,
                   struct xb_reason *why)
{
    enum { OFFERS = 1024 };
    char line[XB_WIRE_BYTES];
    struct xb_twin twin;
    *n = 0;
    *offers = calloc(OFFERS, sizeof **offers);
    if (!*offers)
        return xb_because(why, -ENOMEM, "out of memory");
    int err = xb_twin_start(&twin, build, 0, why);
    for (const char *request = "list"; !err; request = NULL) {
        err = xb_twin_ask(&twin, request, SETUP_NS, line, why);
        if (err || strcmp(line, "end") == 0)
            break;
        if (*n == OFFERS || !read_offer(line, &(*offers)[(*n)++]))
            err = xb_because(why, -EPROTO, "%s (%s): describes a kernel as '%.80s'", build->label,
                             build->name, line);
    }
    xb_twin_end(&twin);
    return err;
}

static int open_kernel(const struct xb_duel *duel, struct xb_twin *twin,
                       const struct xb_opening *opening, uint64_t *iters, struct xb_reason *why)
{
    char request[XB_WIRE_BYTES], line[XB_WIRE_BYTES];
    snprintf(request, sizeof request, "open %s " XB_WIRE_OPEN, duel->kernel, opening->bytes,
             opening->workers, opening->seed, opening->iters, opening->slice_ns, opening->stack,
             opening->heap, opening->stretch, opening->cpu);
    int err = xb_twin_ask(twin, request, SETUP_NS, line, why);
    if (!err && (sscanf(line, "ready %" SCNu64, iters) != 1 || *iters == 0))
        err = xb_because(why, -EPROTO, "%s (%s): %s: answers '%.80s' to open", twin->build->label,
                         twin->build->name, duel->kernel, line);
    return err;
}

/* So that verify() is heard. */
static int finish(struct xb_twin *twin, struct xb_reason *why)
{
    char line[XB_WIRE_BYTES];
    int err = xb_twin_ask(twin, "quit", SETUP_NS, line, why);
    if (!err && strcmp(line, "done") != 0)
        err = xb_because(why, -EPROTO, "%s (%s): answers '%.80s' to quit", twin->build->label,
                         twin->build->name, line);
    return err;
}

/* Says of which kernel the trouble is. */
static int name_kernel(const struct xb_duel *duel, int err, struct xb_reason *why)
{
    if (!err)
        return 0;
    struct xb_reason what = *why;
    return xb_because(why, err, "%s: %s", duel->kernel, what.text);
}

int xb_duel_calibrate(struct xb_duel *duel, struct xb_reason *why)
{
    struct xb_twin twin;
    struct xb_opening opening = duel->opening;
    opening.iters = opening.stretch = 0;
    int err = xb_twin_start(&twin, duel->old, 0, why);
    if (!err)
        err = open_kernel(duel, &twin, &opening, &duel->opening.iters, why);
    if (!err)
        err = finish(&twin, why);
    xb_twin_end(&twin);
    return name_kernel(duel, err, why);
}

struct pair {
    struct xb_twin twin[2]; /* old, new */
    uint64_t work[2][5];    /* sums over slices: what both must have done alike */
};

static int take(void *context, bool of_new, struct xb_slice *slice, struct xb_reason *why)
{
    struct pair *pair = context;
    char line[XB_WIRE_BYTES];
    struct xb_twin *twin = &pair->twin[of_new];
    uint64_t *work = slice->work;
    int err = xb_twin_ask(twin, "go", SLICE_NS, line, why);
    if (!err && sscanf(line, XB_WIRE_SLICE_SCAN, &slice->wall_ns, &slice->cpu_ns, &slice->switches,
                       &work[0], &work[1], &work[2], &work[3], &work[4]) != 8)
        err = xb_because(why, -EPROTO, "%s (%s): answers '%.80s' to go", twin->build->label,
                         twin->build->name, line);
    for (size_t i = 0; i < 5 && !err; i++)
        pair->work[of_new][i] += work[i];
    return err;
}

static int start(const struct xb_duel *duel, struct pair *pair, bool of_new, uint64_t *prng,
                 struct xb_reason *why)
{
    struct xb_opening opening = duel->opening;
    uint64_t iters;
    opening.stack = xb_prng_below(prng, STACK);
    opening.heap = xb_prng_below(prng, HEAP);
    if (!of_new)
        opening.stretch = 0;
    int err = xb_twin_start(&pair->twin[of_new], of_new ? duel->new : duel->old,
                            xb_prng_below(prng, ENVIRONMENT), why);
    return err ? err : open_kernel(duel, &pair->twin[of_new], &opening, &iters, why);
}

int xb_duel_block(const struct xb_duel *duel, uint64_t *prng, struct xb_block *block,
                  struct xb_reason *why)
{
    struct pair pair = { .work = { { 0 } } };
    block->new_started_first = xb_prng_next(prng) >> 63;
    int err = start(duel, &pair, block->new_started_first, prng, why);
    if (!err)
        err = start(duel, &pair, !block->new_started_first, prng, why);
    if (!err)
        err = xb_block_take(block, duel->quartets, prng, take, &pair, why);
    for (int i = 0; i < 2 && !err; i++)
        err = finish(&pair.twin[i], why);
    xb_twin_end(&pair.twin[0]);
    xb_twin_end(&pair.twin[1]);
    if (!err && memcmp(pair.work[0], pair.work[1], sizeof pair.work[0]) != 0)
        err = xb_because(why, -EBADMSG,
                         "OLD and NEW do different work with equal iterations (items %" PRIu64
                         " and %" PRIu64 ", checksums %" PRIx64 " and %" PRIx64
                         "): their times cannot be compared",
                         pair.work[0][0], pair.work[1][0], pair.work[0][4], pair.work[1][4]);
    return name_kernel(duel, err, why);
}
