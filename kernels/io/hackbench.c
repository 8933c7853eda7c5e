/* SPDX-License-Identifier: BSD-3-Clause
 * Groups of senders and receivers: each sender writes a message to each receiver of its group, over
 * one socket pair per receiver. What the scheduler makes of many workers that wake each other. */
#include "../kernel.h"
#include "../peer.h"
#include "../prng.h"
#include "../stream.h"

#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

/* As in hackbench and perf bench sched messaging: 20 of each to a group, 100 bytes to a message.
 * Messages that short are written whole or not at all, so senders can share a socket. */
enum { GROUP_WORKERS = 40, MESSAGE_BYTES = 100 };

struct ends {
    int in, out;
};

struct team {
    uint32_t workers;
    struct ends pair[]; /* of each worker that receives; -1: has none */
};

/* What worker `index` does within its group. A worker that is alone does both. */
struct role {
    uint32_t first_receiver, receivers; /* numbers of workers */
    uint32_t first_sender, senders;
    bool sends, receives;
};

/* The values that a sender puts into its messages, one after the other. */
struct series {
    uint64_t first, step;
};

struct state {
    struct role role;
    const struct ends *pair; /* those of the group's receivers */
    int from;                /* where this worker receives, or -1 */
    struct series series;
    uint64_t sent; /* rounds of this sample */
    char out[MESSAGE_BYTES], in[MESSAGE_BYTES];
};

static struct role role_of(uint32_t index, uint32_t workers)
{
    uint32_t start = index - index % GROUP_WORKERS;
    uint32_t n = workers - start < GROUP_WORKERS ? workers - start : GROUP_WORKERS;
    struct role role = { .first_receiver = start,
                         .receivers = n - n / 2,
                         .senders = n > 1 ? n / 2 : 1 };
    role.first_sender = start + n - role.senders;
    role.receives = index < start + role.receivers;
    role.sends = index >= role.first_sender;
    return role;
}

static struct series series_of(uint64_t seed, uint32_t index)
{
    uint64_t stream = xb_prng_of(seed, index);
    uint64_t first = xb_prng_next(&stream);
    return (struct series){ first, xb_prng_next(&stream) };
}

static void team_teardown(void *team)
{
    struct team *shared = team;
    if (!shared)
        return;
    for (uint32_t i = 0; i < shared->workers; i++) {
        if (shared->pair[i].in < 0)
            continue;
        close(shared->pair[i].in);
        close(shared->pair[i].out);
    }
    free(shared);
}

static int team_setup(const struct xb_params *params, struct xb_memory *memory, void **team)
{
    (void)memory;
    struct team *shared = malloc(sizeof *shared + params->workers * sizeof shared->pair[0]);
    if (!shared)
        return -ENOMEM;
    *team = shared;
    for (shared->workers = 0; shared->workers < params->workers; shared->workers++) {
        int ends[2] = { -1, -1 };
        if (role_of(shared->workers, params->workers).receives &&
            socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends)) {
            int code = errno;
            return xb_explain(params, -code, "socketpair: %s%s", strerror(code),
                              xb_peer_remedy(code));
        }
        shared->pair[shared->workers] = (struct ends){ ends[0], ends[1] };
    }
    return 0;
}

static int setup(const struct xb_params *params, void *team, void **state)
{
    const struct team *shared = team;
    struct state *s = calloc(1, sizeof *s);
    if (!s)
        return -ENOMEM;
    *state = s;
    s->role = role_of(params->index, params->workers);
    s->pair = &shared->pair[s->role.first_receiver];
    s->from = shared->pair[params->index].in;
    s->series = series_of(params->seed, params->index);
    xb_fill_bytes(s->out, sizeof s->out, params->seed); /* all but the first word stays */
    return 0;
}

static void begin(void *state)
{
    ((struct state *)state)->sent = 0;
}

static int send_round(struct xb_io *io, struct state *s, struct xb_io_op *op, struct xb_work *did)
{
    uint64_t value = s->series.first + s->sent++ * s->series.step;
    memcpy(s->out, &value, sizeof value);
    for (uint32_t i = 0; i < s->role.receivers; i++) {
        op->fd = s->pair[i].out;
        int err =
            xb_stream_move(io, op, XB_IO_WRITE, s->out, MESSAGE_BYTES, XB_IO_BEGINS | XB_IO_ENDS);
        if (err)
            return err;
        did->bytes_written += MESSAGE_BYTES;
        did->checksum += value;
    }
    return 0;
}

/* As many messages as one round of all senders, whoever they are from: the senders need not keep
 * step, and only the sum over a sample is what it should be. */
static int receive_round(struct xb_io *io, struct state *s, struct xb_io_op *op,
                         struct xb_work *did)
{
    op->fd = s->from;
    for (uint32_t i = 0; i < s->role.senders; i++) {
        int err =
            xb_stream_move(io, op, XB_IO_READ, s->in, MESSAGE_BYTES, XB_IO_BEGINS | XB_IO_ENDS);
        if (err)
            return err;
        did->items++;
        did->bytes_read += MESSAGE_BYTES;
        did->checksum += xb_sum_words(s->in, MESSAGE_BYTES);
    }
    return 0;
}

static int run(struct xb_run *run, void *state, uint64_t iters, struct xb_work *did)
{
    struct state *s = state;
    struct xb_io_op op = { .offset = XB_IO_STREAM };
    int err = 0;
    for (uint64_t k = 0; k < iters && !err; k++) {
        if (s->role.sends)
            err = send_round(run->io, s, &op, did);
        if (!err && s->role.receives)
            err = receive_round(run->io, s, &op, did);
    }
    if (err)
        return xb_explain(run->params, err, "socket pairs: %s: %s",
                          op.kind == XB_IO_READ ? "read" : "write", strerror(-err));
    return 0;
}

/* The sum of the first `n` values: n first + step n (n - 1) / 2, modulo 2^64. */
static uint64_t sum_of(struct series series, uint64_t n)
{
    uint64_t pairs = n % 2 ? n * ((n - 1) / 2) : n / 2 * (n - 1);
    return n * series.first + series.step * pairs;
}

/* The closed form, from who is in the group: no message is sent. */
static int verify(const struct xb_params *params, void *team, void *state, uint64_t iters,
                  const struct xb_work *did)
{
    (void)team;
    (void)state;
    struct role role = role_of(params->index, params->workers);
    struct xb_work should = { .items = 0 };
    if (role.sends) {
        should.bytes_written = iters * role.receivers * MESSAGE_BYTES;
        should.checksum = role.receivers * sum_of(series_of(params->seed, params->index), iters);
    }
    if (role.receives) {
        char message[MESSAGE_BYTES];
        xb_fill_bytes(message, sizeof message, params->seed);
        memset(message, 0, sizeof(uint64_t));
        should.items = iters * role.senders;
        should.bytes_read = should.items * MESSAGE_BYTES;
        should.checksum += should.items * xb_sum_words(message, sizeof message);
        for (uint32_t i = 0; i < role.senders; i++)
            should.checksum += sum_of(series_of(params->seed, role.first_sender + i), iters);
    }
    return memcmp(&should, did, sizeof should) == 0 ? 0 : -EBADMSG;
}

static void teardown(void *state)
{
    free(state);
}

/* A message is filled and summed up in a few nanoseconds; the rest is system calls and waiting. */
static const struct xb_claim claims[] = {
    { .ratio = XB_RATIO_USER_SHARE, .at_least = 0, .at_most = 0.6 },
};

const struct xb_kernel xb_kernel_io_hackbench = {
    .name = "io/hackbench",
    .summary = "groups of 20 senders and 20 receivers: each writes to each, 100 bytes at a time",
    .source = "hackbench (Russell, Zhang, 2001-2008), as in perf bench sched messaging",
    .item = "message",
    .bound = XB_CLASS_IO,
    .fit = XB_FIT_OWN,
    .own_bytes = MESSAGE_BYTES,
    .claims = claims,
    .n_claims = sizeof claims / sizeof claims[0],
    .team_setup = team_setup,
    .setup = setup,
    .begin = begin,
    .run = run,
    .verify = verify,
    .teardown = teardown,
    .team_teardown = team_teardown,
};
