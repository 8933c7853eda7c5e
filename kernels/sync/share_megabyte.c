/* SPDX-License-Identifier: BSD-3-Clause
 * A megabyte to and fro without being copied: one worker fills it, the other one sums it where it
 * lies, and only leave to do so goes through a queue.
 *
 * What is left of the cost is writing and reading a megabyte, which another core's cache may hold,
 * and a wake-up. sync/copy_megabyte and sync/pass_queue --bytes 1M fill and sum as much, and copy it
 * twice besides: the difference is what copying costs, and what workers pay that have no
 * memory in common. Processes have it here too: they map it before they part. Its pages are base
 * pages under every model, as shared mappings mostly have no huge ones: where a megabyte just fits an
 * L2, some sets of pages fit worse than others, and one cell may take twice as long as the next. */
#include "../pass_queue.h"

static int open_channels(const struct xb_params *params, struct xb_memory *memory, void **team)
{
    (void)memory;
    return open_lines(params, sizeof(uint64_t), words_of(params) * 8, team);
}

/* Leave is the message's number, so that whoever gets it knows what he has to find. */
static int send_part(struct xb_io *io, struct passer *s, size_t at, size_t bytes, unsigned marks)
{
    (void)at;
    (void)bytes;
    return put(io, s, &s->value, marks);
}

static int receive_part(struct xb_io *io, struct passer *s, size_t at, size_t bytes, unsigned marks)
{
    (void)at;
    (void)bytes;
    uint64_t leave;
    int err = get(io, s, &leave, marks);
    return err ? err : leave == s->in[0] ? 0 : -EPROTO;
}

const struct xb_kernel xb_kernel_sync_share_megabyte = {
    .name = "sync/share_megabyte",
    .summary = "pairs of workers fill and sum a megabyte in turn where it lies, never copying it",
    .source = "shared memory and a semaphore: Stevens, UNIX Network Programming 2 (1999), ch. 12",
    .item = "message",
    .latency_of = "round trip",
    .bound = XB_CLASS_SYNC,
    .fit = XB_FIT_OWN,
    .own_bytes = 1 << 20,
    .needs = XB_NEED_BYTES | XB_NEED_TEAM,
    .team_setup = open_channels,
    .setup = setup,
    .begin = begin,
    .run = run,
    .verify = verify,
    .teardown = teardown,
    .team_teardown = close_channels,
};
