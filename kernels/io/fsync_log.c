/* SPDX-License-Identifier: BSD-3-Clause
 * Appends records to a log and makes each durable before the next, as a database commits.
 *
 * The log is a segment that is written over from its start when it is full: PostgreSQL and InnoDB do
 * so too, because a file that grows has its length made durable with each record as well. */
#include "../kernel.h"
#include "../prng.h"
#include "../scratch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A block of InnoDB's redo log, and the smallest sector of a disk. */
enum { RECORD_BYTES = 512, WORDS = RECORD_BYTES / sizeof(uint64_t) };

struct state {
    int fd; /* -1: none */
    uint64_t stream;
    uint64_t n_slots;     /* records in a full segment */
    uint64_t start, next; /* records: the sample's first, and the one to write */
    uint64_t *record;
};

static int team_setup(const struct xb_params *params, struct xb_memory *memory, void **team)
{
    (void)params;
    (void)memory;
    *team = NULL; /* shared is the device only */
    return 0;
}

static int prepare_segment(struct state *s)
{
    int err = 0;
    for (uint64_t i = 0; i < s->n_slots && !err; i++)
        err = xb_scratch_write(s->fd, s->record, RECORD_BYTES);
    return err ? err : fsync(s->fd) != 0 ? -errno : 0;
}

static int setup(const struct xb_params *params, void *team, void **state)
{
    (void)team;
    struct state *s = calloc(1, sizeof *s);
    if (!s)
        return -ENOMEM;
    *state = s;
    s->stream = xb_prng_of(params->seed, params->index);
    s->n_slots = params->bytes < RECORD_BYTES ? 1 : params->bytes / RECORD_BYTES;
    s->record = calloc(1, RECORD_BYTES);
    s->fd = s->record ? xb_scratch_open(params) : -ENOMEM;
    if (s->fd < 0)
        return s->fd;
    if (xb_scratch_in_memory(s->fd))
        return xb_explain(params, -ENOTSUP,
                          "%.80s is in memory, where nothing is made durable; name a folder on a "
                          "disk with -o",
                          params->scratch_dir);
    int err = prepare_segment(s);
    return err ? xb_explain(params, err, "writing a log of %zu bytes to %.60s: %s", params->bytes,
                            params->scratch_dir, strerror(-err))
               : 0;
}

static void begin(void *state)
{
    struct state *s = state;
    s->start = s->next;
}

static uint64_t word_of(const struct state *s, uint64_t record, uint64_t word)
{
    return xb_mix64(s->stream + record * WORDS + word);
}

static int64_t offset_of(const struct state *s, uint64_t record)
{
    return (int64_t)(record % s->n_slots * RECORD_BYTES);
}

static int run(struct xb_run *run, void *state, uint64_t iters, struct xb_work *did)
{
    struct state *s = state;
    for (uint64_t i = 0; i < iters; i++, s->next++) {
        uint64_t sum = 0;
        for (uint64_t word = 0; word < WORDS; word++)
            sum += s->record[word] = word_of(s, s->next, word);
        struct xb_io_op op = {
            .kind = XB_IO_WRITE,
            .marks = XB_IO_BEGINS,
            .fd = s->fd,
            .buf = s->record,
            .len = RECORD_BYTES,
            .offset = offset_of(s, s->next),
        };
        int64_t n = xb_await(run->io, &op);
        if (n != RECORD_BYTES)
            return xb_explain(run->params, n < 0 ? (int)n : -EIO, "appending to the log: %s",
                              n < 0 ? strerror((int)-n) : "a record was written in part");
        op = (struct xb_io_op){ .kind = XB_IO_FSYNC, .marks = XB_IO_ENDS, .fd = s->fd };
        n = xb_await(run->io, &op);
        if (n < 0)
            return xb_explain(run->params, (int)n, "fsync of the log: %s", strerror((int)-n));
        did->items++;
        did->bytes_written += RECORD_BYTES;
        did->checksum += sum;
    }
    return 0;
}

/* Reads the records that are still there back from the file; those written over are computed. */
static int verify(const struct xb_params *params, void *team, void *state, uint64_t iters,
                  const struct xb_work *did)
{
    (void)team;
    const struct state *s = state;
    struct xb_work due = { .items = iters, .bytes_written = iters * RECORD_BYTES };
    for (uint64_t i = 0; i < iters; i++) {
        uint64_t record = s->start + i;
        bool there = iters - i <= s->n_slots;
        if (there && pread(s->fd, s->record, RECORD_BYTES, offset_of(s, record)) != RECORD_BYTES)
            return xb_explain(params, -EIO, "reading the log back: %s", strerror(errno));
        for (uint64_t word = 0; word < WORDS; word++)
            due.checksum += there ? s->record[word] : word_of(s, record, word);
    }
    return memcmp(did, &due, sizeof due) != 0 ? -EBADMSG : 0;
}

static void teardown(void *state)
{
    struct state *s = state;
    if (!s)
        return;
    if (s->fd >= 0)
        close(s->fd);
    free(s->record);
    free(s);
}

static const struct xb_claim claims[] = {
    { .ratio = XB_RATIO_USER_SHARE, .at_least = 0, .at_most = 0.3 },
};

const struct xb_kernel xb_kernel_io_fsync_log = {
    .name = "io/fsync_log",
    .summary = "appends records of 512 bytes to a log, each made durable by fsync",
    .source = "PostgreSQL pg_test_fsync; Pillai et al., \"All File Systems Are Not Created "
              "Equal\", OSDI 2014",
    .item = "record",
    .bound = XB_CLASS_IO,
    .fit = XB_FIT_OWN,
    .own_bytes = (size_t)1 << 20,
    .needs = XB_NEED_BYTES | XB_NEED_FILES,
    .claims = claims,
    .n_claims = sizeof claims / sizeof claims[0],
    .team_setup = team_setup,
    .setup = setup,
    .begin = begin,
    .run = run,
    .verify = verify,
    .teardown = teardown,
};
