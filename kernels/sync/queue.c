/* SPDX-License-Identifier: BSD-3-Clause
 * Producers and consumers share one bounded queue: every second worker puts, the others get.
 *
 * One that has no partner does both, a message in and a message out: so as many are put as got,
 * whatever the number of workers. Who gets which message is chance, so a worker's checksum is of
 * what it put, and what all got is added when all is done. */
#include "../kernel.h"
#include "../prng.h"
#include "../sync.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { CAPACITY = 64, WORDS = 8 }; /* messages of one line */

struct message {
    uint64_t word[WORDS];
};

struct sum {
    uint64_t got;
} __attribute__((aligned(128)));

struct market {
    struct xb_queue queue;
    struct message slots[CAPACITY];
    uint32_t workers;
    struct sum of[]; /* what each worker got in the sample */
};

struct state {
    struct market *market;
    struct sum *sum;
    bool puts, gets;
    uint64_t next, first;
    struct message message;
    struct xb_io_op op;
};

static bool puts_any(uint32_t index)
{
    return index % 2 == 0;
}

static bool gets_any(uint32_t index, uint32_t workers)
{
    return index % 2 == 1 || index + 1 == workers;
}

static int team_setup(const struct xb_params *params, struct xb_memory *memory, void **team)
{
    size_t bytes = sizeof(struct market) + params->workers * sizeof(struct sum);
    struct market *market = memory->take(memory, bytes, _Alignof(struct market));
    if (!market)
        return xb_explain(params, -ENOMEM, "no team memory for a queue of %d messages", CAPACITY);
    *team = market;
    market->workers = params->workers;
    xb_queue_init(&market->queue, (char *)market->slots, CAPACITY, sizeof market->slots[0]);
    return 0;
}

static void begin(void *state)
{
    struct state *s = state;
    s->next = s->first;
    *s->sum = (struct sum){ 0 };
}

static int setup(const struct xb_params *params, void *team, void **state)
{
    struct state *s = *state = calloc(1, sizeof *s);
    if (!s)
        return xb_explain(params, -ENOMEM, "no memory for the state of a worker");
    s->market = team;
    s->sum = &s->market->of[params->index];
    s->puts = puts_any(params->index);
    s->gets = gets_any(params->index, params->workers);
    s->first = xb_prng_of(params->seed, params->index);
    s->op.marks = XB_IO_BEGINS | XB_IO_ENDS;
    s->op.buf = &s->message;
    begin(s);
    return 0;
}

/* A number at both ends and between: a message that was torn adds up to something else. */
static void fill(struct message *message, uint64_t number)
{
    for (int i = 0; i < WORDS; i++)
        message->word[i] = number * (uint64_t)(2 * i + 1);
}

static uint64_t add_up(const struct message *message)
{
    uint64_t sum = 0;
    for (int i = 0; i < WORDS; i++)
        sum += message->word[i] * (uint64_t)(2 * i + 3);
    return sum;
}

static int run(struct xb_run *run, void *state, uint64_t iters, struct xb_work *did)
{
    struct state *s = state;
    int64_t err = 0;
    uint64_t put = 0, got = 0;
    for (uint64_t i = 0; i < iters && !err; i++) {
        if (s->puts) {
            fill(&s->message, xb_prng_next(&s->next));
            put += add_up(&s->message);
            err = xb_await_on(run->io, &s->op, XB_IO_PUT, &s->market->queue);
            did->bytes_written += sizeof s->message;
        }
        if (s->gets && !err) {
            err = xb_await_on(run->io, &s->op, XB_IO_GET, &s->market->queue);
            got += add_up(&s->message);
            did->bytes_read += sizeof s->message;
        }
        did->items += s->gets; /* a message is done with when it was got */
    }
    if (err)
        return xb_explain(run->params, (int)err, "queue: %s", strerror((int)-err));
    did->checksum += put;
    s->sum->got += got;
    return 0;
}

static uint64_t got_by_all(const struct market *market)
{
    uint64_t got = 0;
    for (uint32_t i = 0; i < market->workers; i++)
        got += market->of[i].got;
    return got;
}

static void settle(void *team, void *state, struct xb_work *did)
{
    (void)state;
    did->checksum += got_by_all(team);
}

/* From the streams alone; what all got must be what all put. */
static int verify(const struct xb_params *params, void *team, void *state, uint64_t iters,
                  const struct xb_work *did)
{
    (void)state;
    uint64_t all = 0, mine = 0;
    for (uint32_t i = 0; i < params->workers; i++) {
        uint64_t next = xb_prng_of(params->seed, i), numbers = 0;
        for (uint64_t k = 0; k < iters && puts_any(i); k++)
            numbers += xb_prng_next(&next);
        struct message message;
        fill(&message, numbers);
        all += add_up(&message);
        if (i == params->index)
            mine = add_up(&message);
    }
    uint64_t n_put = puts_any(params->index) ? iters : 0;
    uint64_t n_got = gets_any(params->index, params->workers) ? iters : 0;
    const struct xb_work due = {
        .items = n_got,
        .bytes_read = n_got * sizeof(struct message),
        .bytes_written = n_put * sizeof(struct message),
        .checksum = mine + (params->index == 0 ? all : 0),
    };
    bool arrived = got_by_all(team) == all;
    return !arrived || memcmp(did, &due, sizeof due) != 0 ? -EBADMSG : 0;
}

static void teardown(void *state)
{
    free(state);
}

const struct xb_kernel xb_kernel_sync_queue = {
    .name = "sync/queue",
    .summary = "producers and consumers share one bounded queue",
    .source = "Dijkstra, \"Cooperating sequential processes\" (EWD 123, 1965): bounded buffer",
    .item = "message",
    .latency_of = "a put or a get",
    .bound = XB_CLASS_SYNC,
    .fit = XB_FIT_OWN,
    .own_bytes = CAPACITY * sizeof(struct message),
    .needs = XB_NEED_TEAM,
    .team_setup = team_setup,
    .setup = setup,
    .begin = begin,
    .run = run,
    .settle = settle,
    .verify = verify,
    .teardown = teardown,
};
