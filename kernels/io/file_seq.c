/* SPDX-License-Identifier: BSD-3-Clause
 * Sequential reads of 128 KiB past the page cache: how many bytes a device moves. */
#include "../blocks.h"

/* What the page cache asks a device for when it reads ahead, unless told otherwise
 * (/sys/block/<device>/queue/read_ahead_kb). */
#define BLOCK_BYTES ((size_t)131072)

static int setup(const struct xb_params *params, void *team, void **state)
{
    return xb_blocks_setup(params, team, BLOCK_BYTES, false, state);
}

static const struct xb_claim claims[] = {
    { .ratio = XB_RATIO_USER_SHARE, .at_least = 0, .at_most = 0.4 },
};

const struct xb_kernel xb_kernel_io_file_seq = {
    .name = "io/file_seq",
    .summary = "sequential 128 KiB reads of --file, or of a generated one, past the page cache",
    .source = "fio (github.com/axboe/fio), rw=read direct=1; open(2), O_DIRECT",
    .item = "read of 128 KiB",
    .bound = XB_CLASS_IO,
    .fit = XB_FIT_OWN,
    .own_bytes = (size_t)64 << 20,
    .needs = XB_NEED_BYTES | XB_NEED_FILES | XB_TAKES_FILE | XB_NEED_DEPTH,
    .claims = claims,
    .n_claims = sizeof claims / sizeof claims[0],
    .team_setup = xb_blocks_team_setup,
    .setup = setup,
    .begin = xb_blocks_begin,
    .run = xb_blocks_run,
    .verify = xb_blocks_verify,
    .teardown = xb_blocks_teardown,
    .team_teardown = xb_blocks_team_teardown,
};
