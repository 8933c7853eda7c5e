/* SPDX-License-Identifier: BSD-3-Clause
 * Random reads of 4 KiB past the page cache: how many operations a device carries out. */
#include "../blocks.h"
#include "../input.h"

/* A page, and the largest sector that disks have: less cannot be had past the page cache. */
enum { BLOCK_BYTES = XB_INPUT_SECTOR };

static int setup(const struct xb_params *params, void *team, void **state)
{
    return xb_blocks_setup(params, team, BLOCK_BYTES, true, state);
}

static const struct xb_claim claims[] = {
    { .ratio = XB_RATIO_USER_SHARE, .at_least = 0, .at_most = 0.4 },
};

const struct xb_kernel xb_kernel_io_file_rand = {
    .name = "io/file_rand",
    .summary = "random 4 KiB reads of --file, or of a generated one, past the page cache",
    .source = "fio (github.com/axboe/fio), rw=randread direct=1; open(2), O_DIRECT",
    .item = "read of 4 KiB",
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
