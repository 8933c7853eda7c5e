/* SPDX-License-Identifier: BSD-3-Clause
 * A message to and fro through queues in shared memory: copied in and out like a pipe's, but the
 * kernel only wakes, and under loop is not called at all. */
#include "../pass_queue.h"

static int open_channels(const struct xb_params *params, struct xb_memory *memory, void **team)
{
    (void)memory;
    return open_lines(params, words_of(params) * 8, 0, team);
}

static int send_part(struct xb_io *io, struct passer *s, size_t at, size_t bytes, unsigned marks)
{
    (void)at; /* all of it, always */
    (void)bytes;
    return put(io, s, s->out, marks);
}

static int receive_part(struct xb_io *io, struct passer *s, size_t at, size_t bytes, unsigned marks)
{
    (void)at;
    (void)bytes;
    return get(io, s, s->in, marks);
}

const struct xb_kernel xb_kernel_sync_pass_queue = {
    .name = "sync/pass_queue",
    .summary = "pairs of workers pass a message to and fro through queues in shared memory",
    .source = "futex(2); channels after Hoare, Communicating Sequential Processes, CACM 21 (1978)",
    .item = "message",
    .latency_of = "round trip",
    .bound = XB_CLASS_SYNC,
    .fit = XB_FIT_OWN,
    .own_bytes = 64,
    .needs = XB_NEED_BYTES | XB_NEED_TEAM,
    .team_setup = open_channels,
    .setup = setup,
    .begin = begin,
    .run = run,
    .verify = verify,
    .teardown = teardown,
    .team_teardown = close_channels,
};
